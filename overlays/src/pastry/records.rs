//! The records that a node keeps: who provides what, by key, and, where there
//! is keyword search, which items have which word.

use std::collections::BTreeMap;

use super::config::Config;
use super::message::{Placed, Verdict};
use crate::parts::postings::{HotLists, List};
use crate::{Addr, Hit, Key, Time};

/// One record, as kept for the network.
#[derive(Clone, Debug)]
struct Record {
    hit: Hit,
    /// When it was last announced.
    announced: Time,
}

/// Records by key. The key is usually the item's own; under another, such as
/// that of a keyword, records of many items are kept.
#[derive(Debug, Default)]
pub(super) struct Store {
    records: BTreeMap<Key, Vec<Record>>,
    len: usize,
    hot: HotLists,
}

impl Store {
    /// How many records it holds.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Keeps a record under `key`, or refreshes it.
    pub(super) fn put(&mut self, key: Key, hit: Hit, now: Time, config: &Config) -> Verdict {
        let full = self.len >= config.max_records;
        let is_own = key == hit.item.key();
        let list = self.records.entry(key).or_default();
        let same =
            |r: &&mut Record| r.hit.provider == hit.provider && r.hit.item.key() == hit.item.key();
        if let Some(known) = list.iter_mut().find(same) {
            *known = Record { hit, announced: now };
            return Verdict::Done;
        }
        let admitted = match is_own {
            true => list.len() < config.max_providers,
            false => self.hot.admits(key, list.len(), config.max_postings),
        };
        if full || !admitted {
            if list.is_empty() {
                self.records.remove(&key);
            }
            return Verdict::Full;
        }
        // Most keys have one record, so room for one at first.
        list.reserve_exact(usize::from(list.is_empty()));
        list.push(Record { hit, announced: now });
        self.len += 1;
        Verdict::Done
    }

    /// The posting list of the word with this key, and whether it is cut
    /// short.
    pub(super) fn list(&self, key: Key, max_postings: usize) -> List<Vec<Hit>> {
        let list = self.records.get(&key).map_or(&[][..], Vec::as_slice);
        List {
            hits: list.iter().map(|r| r.hit.clone()).collect(),
            is_hot: self.hot.is_hot(key, list.len(), max_postings),
        }
    }

    /// Up to `limit` records under `key`.
    pub(super) fn get(&self, key: Key, limit: u16) -> Vec<Hit> {
        let list = self.records.get(&key).map_or(&[][..], Vec::as_slice);
        list.iter().take(limit.into()).map(|r| r.hit.clone()).collect()
    }

    /// Removes a record. Returns whether it was there.
    pub(super) fn remove(&mut self, key: Key, item: Key, provider: Addr) -> bool {
        let Some(list) = self.records.get_mut(&key) else { return false };
        let same = |r: &Record| r.hit.provider == provider && r.hit.item.key() == item;
        let Some(at) = list.iter().position(same) else { return false };
        list.remove(at);
        if list.is_empty() {
            self.records.remove(&key);
            self.hot.remove(key);
        }
        self.len -= 1;
        true
    }

    /// Drops what was last announced before `limit`.
    pub(super) fn expire(&mut self, limit: Time) {
        self.records.retain(|_, list| {
            list.retain(|r| r.announced >= limit);
            !list.is_empty()
        });
        self.len = self.records.values().map(Vec::len).sum();
        let records = &self.records;
        self.hot.retain(|list| records.contains_key(&list));
    }

    /// All keys under which there are records.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.records.keys().copied()
    }

    /// All records under `key`, ready to be handed over.
    pub(super) fn under(&self, key: Key) -> impl Iterator<Item = Placed> + '_ {
        let list = self.records.get(&key).map_or(&[][..], Vec::as_slice);
        list.iter().map(move |r| Placed { key, hit: r.hit.clone() })
    }

    /// Drops all records under `key`.
    pub(super) fn drop_all(&mut self, key: Key) {
        self.hot.remove(key);
        if let Some(list) = self.records.remove(&key) {
            self.len -= list.len();
        }
    }

    /// Bytes on the heap, roughly: items are shared with their providers in
    /// the simulator, and not counted.
    pub(super) fn heap_bytes(&self) -> usize {
        let key = size_of::<Key>() + size_of::<Vec<Record>>();
        self.records.len() * key + self.len * size_of::<Record>() + self.hot.bytes()
    }
}
