//! The records that a node keeps: who provides what, and, where there is
//! keyword search, which items have which word.

use std::collections::BTreeMap;

use super::config::Config;
use super::request::Finding;
use crate::parts::postings::{HotLists, List, Posting, WHOLE};
use crate::{Addr, Hit, Key, Reason, Time};

/// One provider of one item, as kept for the ring.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) hit: Hit,
    /// Kept as the key's owner rather than as a copy for the owner.
    pub(super) owned: bool,
    /// The word of the item's name it is kept under, or [`WHOLE`].
    pub(super) word: u8,
    /// When it was last announced.
    announced: Time,
}

impl Record {
    /// What others are given of it.
    pub(super) fn posting(&self) -> Posting {
        Posting { hit: self.hit.clone(), word: self.word }
    }

    /// Whether it is the one of `item` at `provider`.
    fn is_of(&self, item: Key, provider: Addr) -> bool {
        self.hit.provider == provider && self.hit.item.key() == item
    }
}

/// Records by the key they are kept under, those of a key in order of
/// announcement.
#[derive(Debug, Default)]
pub(super) struct Store {
    records: BTreeMap<Key, Vec<Record>>,
    owned: usize,
    copies: usize,
    hot: HotLists,
}

impl Store {
    /// How many records it holds: owned, and copies.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.owned, self.copies)
    }

    fn count(&mut self, owned: bool) -> &mut usize {
        if owned { &mut self.owned } else { &mut self.copies }
    }

    /// Keeps a record. One already there is refreshed, and never turned from
    /// owned into a copy.
    pub(super) fn put(
        &mut self,
        key: Key,
        posting: Posting,
        owned: bool,
        now: Time,
        config: &Config,
    ) -> Finding {
        let Posting { hit, word } = posting;
        let full = self.owned + self.copies >= config.max_records;
        let providers = self.records.entry(key).or_default();
        let item = hit.item.key();
        if let Some(known) = providers.iter_mut().find(|r| r.is_of(item, hit.provider)) {
            let was = known.owned;
            *known = Record { hit, owned: owned || was, word, announced: now };
            if owned && !was {
                self.owned += 1;
                self.copies -= 1;
            }
            return Finding::Done;
        }
        let len = providers.len();
        let admitted = match word {
            WHOLE => len < config.max_providers,
            _ => self.hot.admits(key, len, config.max_postings),
        };
        if full || !admitted {
            self.records.retain(|_, providers| !providers.is_empty());
            return Finding::Failed(Reason::Full);
        }
        // Most keys have one provider, so room for one at first.
        providers.reserve_exact(usize::from(providers.is_empty()));
        providers.push(Record { hit, owned, word, announced: now });
        *self.count(owned) += 1;
        Finding::Done
    }

    /// Up to `limit` records with this key.
    pub(super) fn fetch(&self, key: Key, limit: u16) -> Vec<Hit> {
        let providers = self.records.get(&key).map_or(&[][..], Vec::as_slice);
        providers.iter().take(limit.into()).map(|r| r.hit.clone()).collect()
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

    /// Whether there is any record with this key.
    pub(super) fn contains(&self, key: Key) -> bool {
        self.records.contains_key(&key)
    }

    /// Removes a provider's record of an item if `which` agrees. Returns
    /// whether it did.
    pub(super) fn remove(
        &mut self,
        key: Key,
        item: Key,
        provider: Addr,
        which: impl Fn(&Record) -> bool,
    ) -> bool {
        let Some(providers) = self.records.get_mut(&key) else { return false };
        let place = providers.iter().position(|r| r.is_of(item, provider) && which(r));
        let Some(at) = place else { return false };
        let owned = providers.remove(at).owned;
        if providers.is_empty() {
            self.records.remove(&key);
            self.hot.remove(key);
        }
        *self.count(owned) -= 1;
        true
    }

    /// Makes a record owned, or a copy.
    pub(super) fn set_owned(&mut self, key: Key, item: Key, provider: Addr, owned: bool) {
        let Some(providers) = self.records.get_mut(&key) else { return };
        if let Some(record) = providers.iter_mut().find(|r| r.is_of(item, provider))
            && record.owned != owned
        {
            record.owned = owned;
            *self.count(owned) += 1;
            *self.count(!owned) -= 1;
        }
    }

    /// Keeps only the records that `keep` agrees to, given their key.
    pub(super) fn retain(&mut self, keep: impl Fn(Key, &Record) -> bool) {
        let (mut owned, mut copies) = (0, 0);
        self.records.retain(|key, providers| {
            providers.retain(|record| keep(*key, record));
            for record in &*providers {
                *if record.owned { &mut owned } else { &mut copies } += 1;
            }
            !providers.is_empty()
        });
        (self.owned, self.copies) = (owned, copies);
        let records = &self.records;
        self.hot.retain(|list| records.contains_key(&list));
    }

    /// Drops what was last announced before `limit`.
    pub(super) fn expire(&mut self, limit: Time) {
        self.retain(|_, r| r.announced >= limit);
    }

    /// All records and the keys they are kept under.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Record)> {
        self.records.iter().flat_map(|(key, records)| records.iter().map(|r| (*key, r)))
    }

    /// Bytes on the heap, roughly: items are shared with their providers in
    /// the simulator, and not counted.
    pub(super) fn heap_bytes(&self) -> usize {
        let key = size_of::<Key>() + size_of::<Vec<Record>>();
        self.records.len() * key
            + (self.owned + self.copies) * size_of::<Record>()
            + self.hot.bytes()
    }
}
