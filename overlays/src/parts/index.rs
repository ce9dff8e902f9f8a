//! The inverted index of whoever indexes for others: which users share which
//! files, by key and by word.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::seam::{Addr, Hit, Item, Key, Keywords, Query, Target};

/// A file's place in the index.
type Slot = u32;

/// One file name and everybody who shares it.
#[derive(Debug)]
struct Entry {
    item: Arc<Item>,
    /// Sorted; never empty while the entry is in use.
    providers: Vec<Addr>,
}

/// An inverted index over the users' files.
///
/// Every list is sorted by key or address, so that the index depends only on
/// what is shared and not on the order in which it came.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<Option<Entry>>,
    free: Vec<Slot>,
    by_key: BTreeMap<Key, Slot>,
    /// The posting list of each word: slots by their items' keys.
    by_word: BTreeMap<Box<str>, Vec<Slot>>,
    files: usize,
    postings: usize,
    searches: u64,
}

impl Index {
    /// (file, user) pairs.
    pub const fn files(&self) -> usize {
        self.files
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        // A word costs its text, its list's header and its share of the tree.
        const WORD_BYTES: usize = 64;
        self.entries.len() * size_of::<Option<Entry>>()
            + self.by_key.len() * (size_of::<Key>() + size_of::<Slot>())
            + self.files * size_of::<Addr>()
            + self.postings * size_of::<Slot>()
            + self.by_word.len() * WORD_BYTES
    }

    fn entry(&self, slot: Slot) -> &Entry {
        self.entries[slot as usize].as_ref().expect("lists hold only slots in use")
    }

    fn key_of(&self, slot: Slot) -> Key {
        self.entry(slot).item.key()
    }

    /// Lists `item` as shared by `user`; false when it was already.
    pub fn add(&mut self, item: &Arc<Item>, user: Addr) -> bool {
        let slot = match self.by_key.get(&item.key()) {
            Some(&slot) => slot,
            None => self.add_item(item),
        };
        let entry = self.entries[slot as usize].as_mut().expect("the slot was just looked up");
        match entry.providers.binary_search(&user) {
            Ok(_) => false,
            Err(at) => {
                entry.providers.insert(at, user);
                self.files += 1;
                true
            }
        }
    }

    fn add_item(&mut self, item: &Arc<Item>) -> Slot {
        let entry = Some(Entry { item: Arc::clone(item), providers: Vec::new() });
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                Slot::try_from(self.entries.len() - 1).expect("memory ends before 2^32 files")
            }
        };
        self.by_key.insert(item.key(), slot);
        for word in item.keywords().words() {
            // Taken out while the keys of its entries are looked at.
            let mut list = self.by_word.get_mut(word).map(core::mem::take).unwrap_or_default();
            let at = list.partition_point(|&s| self.key_of(s) < item.key());
            list.insert(at, slot);
            self.postings += 1;
            match self.by_word.get_mut(word) {
                Some(place) => *place = list,
                None => _ = self.by_word.insert(word.into(), list),
            }
        }
        slot
    }

    /// No longer lists the file `key` as shared by `user`; false when it was
    /// not.
    pub fn remove(&mut self, key: &Key, user: Addr) -> bool {
        let Some(&slot) = self.by_key.get(key) else { return false };
        let entry = self.entries[slot as usize].as_mut().expect("the slot was just looked up");
        let Ok(at) = entry.providers.binary_search(&user) else { return false };
        entry.providers.remove(at);
        self.files -= 1;
        if entry.providers.is_empty() {
            self.remove_item(slot);
        }
        true
    }

    fn remove_item(&mut self, slot: Slot) {
        let item = Arc::clone(&self.entry(slot).item);
        for word in item.keywords().words() {
            let mut list = self.by_word.get_mut(word).map(core::mem::take).unwrap_or_default();
            let at = list.partition_point(|&s| self.key_of(s) < item.key());
            debug_assert_eq!(list.get(at), Some(&slot), "each word of an item lists it");
            list.remove(at);
            self.postings -= 1;
            if list.is_empty() {
                self.by_word.remove(word);
            } else if let Some(place) = self.by_word.get_mut(word) {
                *place = list;
            }
        }
        self.by_key.remove(&item.key());
        self.entries[slot as usize] = None;
        self.free.push(slot);
    }

    /// Up to `limit` files that answer `query` and their users, of those users
    /// who are `usable`.
    ///
    /// When more match than may be returned, everybody gets a turn: the walk
    /// starts at another place of the posting list with each search (the
    /// multiples of the golden ratio, which spread evenly), and every matching
    /// file shows one of its users before any shows a second.
    pub fn search(
        &mut self,
        query: &Query,
        limit: usize,
        usable: impl Fn(Addr) -> bool,
    ) -> Vec<Hit> {
        let turn = self.searches;
        self.searches += 1;
        self.search_at(turn, query, limit, usable)
    }

    /// What [`Index::search`] returns at its turn number `turn`, for an index
    /// that several nodes share and none may change.
    pub fn search_at(
        &self,
        turn: u64,
        query: &Query,
        limit: usize,
        usable: impl Fn(Addr) -> bool,
    ) -> Vec<Hit> {
        let slots = match &query.target {
            Target::Exact(key) => self.by_key.get(key).copied().into_iter().collect(),
            Target::Keywords(words) => self.matching(words, limit, turn, &usable),
        };
        let mut hits = Vec::with_capacity(limit.min(slots.len()));
        for round in 0.. {
            let mut more = false;
            for &slot in &slots {
                let entry = self.entry(slot);
                let users = entry.providers.len();
                if round >= users {
                    continue;
                }
                more = true;
                let provider = entry.providers[(golden_start(turn, users) + round) % users];
                if hits.len() < limit && usable(provider) {
                    hits.push(Hit { item: Arc::clone(&entry.item), provider });
                }
            }
            if !more || hits.len() >= limit {
                break;
            }
        }
        hits
    }

    /// Up to `limit` files with all of the words, found along the shortest of
    /// the words' posting lists.
    fn matching(
        &self,
        words: &Keywords,
        limit: usize,
        turn: u64,
        usable: &impl Fn(Addr) -> bool,
    ) -> Vec<Slot> {
        let mut shortest: Option<&[Slot]> = None;
        for word in words.words() {
            let Some(list) = self.by_word.get(word) else { return Vec::new() };
            if shortest.is_none_or(|s| list.len() < s.len()) {
                shortest = Some(list);
            }
        }
        let Some(list) = shortest else { return Vec::new() };
        let (before, after) = list.split_at(golden_start(turn, list.len()));
        after
            .iter()
            .chain(before)
            .copied()
            .filter(|&slot| {
                let entry = self.entry(slot);
                entry.item.keywords().contains_all(words)
                    && entry.providers.iter().any(|&user| usable(user))
            })
            .take(limit)
            .collect()
    }

    /// All (file, user) pairs, by key, then user.
    pub fn pairs(&self) -> impl Iterator<Item = (Key, Addr)> {
        self.by_key.iter().flat_map(|(&key, &slot)| {
            self.entry(slot).providers.iter().map(move |&user| (key, user))
        })
    }

    /// All (file, user) pairs behind `after`, by key, then user.
    pub fn hits_after(&self, after: Option<(Key, Addr)>) -> impl Iterator<Item = Hit> {
        let from = after.map_or(Bound::Unbounded, |(key, _)| Bound::Included(key));
        self.by_key.range((from, Bound::Unbounded)).flat_map(move |(&key, &slot)| {
            let entry = self.entry(slot);
            let rest = entry.providers.iter().filter(move |&&user| Some((key, user)) > after);
            rest.map(|&provider| Hit { item: Arc::clone(&entry.item), provider })
        })
    }

    /// Whether the lists agree with each other; for audits.
    pub fn is_consistent(&self) -> bool {
        let in_use = self.entries.iter().flatten();
        let words: usize = in_use.clone().map(|e| e.item.keywords().words().len()).sum();
        let users: usize = in_use.clone().map(|e| e.providers.len()).sum();
        let posted: usize = self.by_word.values().map(Vec::len).sum();
        in_use.count() == self.by_key.len()
            && self.by_key.len() + self.free.len() == self.entries.len()
            && (words, posted) == (self.postings, self.postings)
            && users == self.files
            && self.by_key.iter().all(|(&key, &slot)| self.key_of(slot) == key)
            && self.by_word.iter().all(|(word, list)| {
                list.is_sorted_by(|&a, &b| self.key_of(a) < self.key_of(b))
                    && list
                        .iter()
                        .all(|&slot| self.entry(slot).item.keywords().words().any(|w| *w == **word))
            })
    }
}

/// Where in a list of `len` the `turn`-th walk starts.
const fn golden_start(turn: u64, len: usize) -> usize {
    // 2^64 divided by the golden ratio.
    let fraction = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((fraction as u128 * len as u128) >> 64) as usize
}
