//! What a servent shares and how it looks through it.

use std::sync::Arc;

use super::descriptor::{HitBody, Record};
use super::wire::MAX_PAYLOAD;
use crate::seam::{Item, Key, Query, Target};

#[derive(Debug)]
struct Share {
    key: Key,
    index: u32,
    item: Arc<Item>,
}

/// The items that a servent shares, each with the number by which a download
/// asks for it, ordered by key: an exact query costs one binary search, a
/// keyword query a scan, as every servent of the time scanned its files.
#[derive(Debug, Default)]
pub struct Shares {
    shares: Vec<Share>,
    next_index: u32,
    bytes: u64,
}

impl Shares {
    /// Shares `item`; once only, however often it is inserted.
    pub fn insert(&mut self, item: Arc<Item>) {
        let key = item.key();
        if let Err(at) = self.shares.binary_search_by_key(&key, |s| s.key) {
            self.bytes = self.bytes.saturating_add(item.size_bytes());
            self.shares.insert(at, Share { key, index: self.next_index, item });
            self.next_index = self.next_index.wrapping_add(1);
        }
    }

    /// Shares the item with this key no more. False when it was not shared.
    pub fn remove(&mut self, key: &Key) -> bool {
        match self.shares.binary_search_by_key(key, |s| s.key) {
            Ok(at) => {
                let share = self.shares.remove(at);
                self.bytes = self.bytes.saturating_sub(share.item.size_bytes());
                true
            }
            Err(_) => false,
        }
    }

    /// The items, by key.
    pub fn items(&self) -> impl Iterator<Item = &Arc<Item>> {
        self.shares.iter().map(|share| &share.item)
    }

    /// Items shared.
    pub fn count(&self) -> usize {
        self.shares.len()
    }

    /// Kilobytes shared, as a pong tells it.
    pub fn kilobytes(&self) -> u32 {
        u32::try_from(self.bytes / 1024).unwrap_or(u32::MAX)
    }

    /// Whether the item with this number is shared.
    pub fn has_index(&self, index: u32) -> bool {
        self.shares.iter().any(|s| s.index == index)
    }

    /// Up to `limit` records for the items that `target` is about, together
    /// within one QueryHit's payload.
    pub fn matching(&self, target: &Target, limit: usize) -> Vec<Record> {
        let mut records = Vec::new();
        let record = |s: &Share| Record { index: s.index, item: s.item.clone() };
        if self.shares.is_empty() {
            return records;
        }
        match target {
            Target::Exact(key) => {
                let found = self.shares.binary_search_by_key(key, |s| s.key);
                records.extend(found.ok().map(|at| record(&self.shares[at])));
            }
            Target::Keywords(_) => {
                let query = Query { target: target.clone(), limit: Query::MAX_LIMIT };
                let mut room = MAX_PAYLOAD - HitBody::BARE_BYTES;
                for share in self.shares.iter().filter(|s| query.matches(&s.item)).take(limit) {
                    let record = record(share);
                    let Some(left) = room.checked_sub(record.encoded_len()) else { break };
                    room = left;
                    records.push(record);
                }
            }
        }
        records
    }

    /// Bytes of memory held; the items themselves are shared with others.
    pub fn memory_bytes(&self) -> usize {
        self.shares.capacity() * size_of::<Share>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, size: u64) -> Arc<Item> {
        Arc::new(Item::new(name, size))
    }

    #[test]
    fn exact_and_keyword_matches() {
        let mut shares = Shares::default();
        for name in ["blue moon.mp3", "blue sky.mp3", "red sun.mp3"] {
            shares.insert(item(name, 2048));
            shares.insert(item(name, 2048));
        }
        assert_eq!((shares.count(), shares.kilobytes()), (3, 6));
        let names = |target: &Target, limit| -> Vec<String> {
            let records = shares.matching(target, limit);
            let mut names: Vec<_> = records.iter().map(|r| r.item.name().to_owned()).collect();
            names.sort();
            names
        };
        let exact = Target::Exact(item("red sun.mp3", 0).key());
        assert_eq!(names(&exact, 255), ["red sun.mp3"]);
        let blue = Query::keywords("Blue").target;
        assert_eq!(names(&blue, 255), ["blue moon.mp3", "blue sky.mp3"]);
        assert_eq!(names(&blue, 1).len(), 1);
        assert!(names(&Query::keywords("").target, 255).is_empty());
    }

    #[test]
    fn indices_outlive_other_items() {
        let mut shares = Shares::default();
        shares.insert(item("a", 1024));
        shares.insert(item("b", 1024));
        assert!(shares.remove(&item("a", 0).key()));
        assert!(!shares.remove(&item("a", 0).key()));
        assert!(shares.has_index(1) && !shares.has_index(0));
        assert_eq!(shares.kilobytes(), 1);
    }

    #[test]
    fn a_hit_fits_one_payload() {
        let mut shares = Shares::default();
        for n in 0..300 {
            shares.insert(item(&format!("word {n} {}", "x".repeat(240)), 1));
        }
        let records = shares.matching(&Query::keywords("word").target, 255);
        let bytes: usize = records.iter().map(Record::encoded_len).sum();
        assert!(records.len() > 200 && bytes + HitBody::BARE_BYTES <= MAX_PAYLOAD);
    }
}
