//! The records that a node keeps for others.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::config::Settings;
use super::message::Record;
use crate::{Addr, Item, Key, Keywords};

/// What tells one record from another: the key it is stored under, the top
/// bits of the item's own key (several items share a keyword), and the
/// provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RecordId {
    pub(super) key: Key,
    pub(super) item: u32,
    pub(super) provider: Addr,
}

/// The tag of an item in a record's identity.
pub(super) fn tag(item: Key) -> u32 {
    item.top_bits(32) as u32
}

#[derive(Clone, Debug)]
struct Kept {
    item: Option<Arc<Item>>,
    expires_s: u32,
    /// When this node is to see that others have it too; never for what is
    /// merely cached.
    replicate_s: u32,
}

/// A record to keep and how.
#[derive(Clone, Debug)]
pub(super) struct Keep {
    pub(super) id: RecordId,
    pub(super) item: Option<Arc<Item>>,
    pub(super) lifetime_s: u32,
    /// In how long it is replicated; `None` for a cached copy.
    pub(super) replicate_after_s: Option<u32>,
}

/// All records of a node.
#[derive(Debug, Default)]
pub(super) struct Records {
    kept: BTreeMap<RecordId, Kept>,
}

const LEAST: Addr = Addr::from_bytes([0; 6]);
const MOST: Addr = Addr::from_bytes([255; 6]);

impl Records {
    fn under(&self, key: Key) -> impl Iterator<Item = (&RecordId, &Kept)> {
        let from = Bound::Included(RecordId { key, item: 0, provider: LEAST });
        let to = Bound::Included(RecordId { key, item: u32::MAX, provider: MOST });
        self.kept.range((from, to))
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Keeps a record or refreshes one; `false` when there is no room. A
    /// record is never kept shorter than was promised before.
    pub(super) fn put(&mut self, keep: Keep, now_s: u32, settings: &Settings) -> bool {
        let expires_s = now_s.saturating_add(keep.lifetime_s);
        let replicate_s =
            keep.replicate_after_s.map_or(u32::MAX, |after| now_s.saturating_add(after));
        if let Some(kept) = self.kept.get_mut(&keep.id) {
            kept.expires_s = kept.expires_s.max(expires_s);
            if keep.replicate_after_s.is_some() {
                kept.replicate_s = replicate_s;
            }
            if keep.item.is_some() {
                kept.item = keep.item;
            }
            return true;
        }
        if self.kept.len() >= settings.max_records
            || self.under(keep.id.key).take(settings.max_providers).count()
                >= settings.max_providers
        {
            return false;
        }
        self.kept.insert(keep.id, Kept { item: keep.item, expires_s, replicate_s });
        true
    }

    /// Up to `limit` live records under `key` whose items have all `words`;
    /// where there are more, those after `start` of them, round and round.
    pub(super) fn get(
        &self,
        key: Key,
        words: Option<&Keywords>,
        limit: usize,
        start: u32,
        now_s: u32,
    ) -> Vec<Record> {
        let fits = |kept: &Kept| {
            let matches = words
                .is_none_or(|w| kept.item.as_ref().is_some_and(|i| i.keywords().contains_all(w)));
            kept.expires_s > now_s && matches
        };
        let all: Vec<Record> = self
            .under(key)
            .filter(|(_, kept)| fits(kept))
            .map(|(id, kept)| Record { item: kept.item.clone(), provider: id.provider })
            .collect();
        if all.len() <= limit {
            return all;
        }
        let skip = start as usize % all.len();
        all.iter().cycle().skip(skip).take(limit).cloned().collect()
    }

    /// Forgets a record; says whether it was there.
    pub(super) fn remove(&mut self, id: &RecordId) -> bool {
        self.kept.remove(id).is_some()
    }

    /// Drops what has expired.
    pub(super) fn expire(&mut self, now_s: u32) {
        self.kept.retain(|_, kept| kept.expires_s > now_s);
    }

    /// The keys under which something is due to be replicated.
    pub(super) fn due(&self, now_s: u32) -> Vec<Key> {
        let due = |kept: &Kept| kept.replicate_s <= now_s && kept.expires_s > now_s;
        let mut keys: Vec<Key> =
            self.kept.iter().filter(|(_, kept)| due(kept)).map(|(id, _)| id.key).collect();
        keys.dedup();
        keys
    }

    /// What is due to be replicated under `key`, with the seconds it has left;
    /// it is due again after `again_s`.
    pub(super) fn take_due(
        &mut self,
        key: Key,
        now_s: u32,
        again_s: u32,
    ) -> Vec<(Arc<Item>, Addr, u32)> {
        let from = RecordId { key, item: 0, provider: LEAST };
        let to = RecordId { key, item: u32::MAX, provider: MOST };
        let mut due = Vec::new();
        for (id, kept) in self.kept.range_mut(from..=to) {
            if kept.replicate_s <= now_s && kept.expires_s > now_s {
                kept.replicate_s = now_s.saturating_add(again_s);
                if let Some(item) = &kept.item {
                    due.push((item.clone(), id.provider, kept.expires_s - now_s));
                }
            }
        }
        due
    }

    /// Records that are no longer this node's to replicate: they stay as
    /// copies until they expire.
    pub(super) fn release(&mut self, key: Key) {
        let from = RecordId { key, item: 0, provider: LEAST };
        let to = RecordId { key, item: u32::MAX, provider: MOST };
        for (_, kept) in self.kept.range_mut(from..=to) {
            kept.replicate_s = u32::MAX;
        }
    }

    /// Takes over records in bulk, for a converged start.
    pub(super) fn settle(&mut self, records: Vec<Keep>, now_s: u32) {
        let kept = |keep: Keep| {
            let replicate_s =
                keep.replicate_after_s.map_or(u32::MAX, |after| now_s.saturating_add(after));
            let expires_s = now_s.saturating_add(keep.lifetime_s);
            (keep.id, Kept { item: keep.item, expires_s, replicate_s })
        };
        self.kept = records.into_iter().map(kept).collect();
    }

    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        // A tree's nodes are about five sixths full.
        self.kept.len() * (size_of::<RecordId>() + size_of::<Kept>()) * 6 / 5
    }
}
