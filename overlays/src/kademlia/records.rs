//! The records that a node keeps for others.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::config::Settings;
use super::message::Record;
use crate::parts::postings::List;
use crate::{Addr, Hit, Item, Key, Keywords};

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
    /// How many records there are under each key that has many, so that who
    /// stores one more under a popular word need not have them counted.
    crowds: BTreeMap<Key, usize>,
}

/// From how many records on a key's are counted once and for all.
const CROWD: usize = 32;

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
        let under = self.count_under(keep.id.key);
        if self.kept.len() >= settings.max_records || under >= settings.max_providers {
            return false;
        }
        if under + 1 >= CROWD {
            self.crowds.insert(keep.id.key, under + 1);
        }
        self.kept.insert(keep.id, Kept { item: keep.item, expires_s, replicate_s });
        true
    }

    /// How many records there are under `key`.
    fn count_under(&self, key: Key) -> usize {
        self.crowds.get(&key).copied().unwrap_or_else(|| self.under(key).count())
    }

    /// Notes that a record under `key` is gone.
    fn thin(crowds: &mut BTreeMap<Key, usize>, key: Key) {
        let Some(count) = crowds.get_mut(&key) else { return };
        *count -= 1;
        if *count < CROWD {
            crowds.remove(&key);
        }
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
        let all: Vec<_> = self.under(key).filter(|(_, kept)| fits(kept)).collect();
        let skip = if all.len() > limit { start as usize % all.len() } else { 0 };
        let picked = all.iter().cycle().skip(skip).take(limit.min(all.len()));
        picked.map(|(id, kept)| Record { item: kept.item.clone(), provider: id.provider }).collect()
    }

    /// The posting list under `key`: all live records that name their items.
    pub(super) fn list(&self, key: Key, now_s: u32, settings: &Settings) -> List<Vec<Hit>> {
        let live = self.under(key).filter(|(_, kept)| kept.expires_s > now_s);
        let hit = |(id, kept): (&RecordId, &Kept)| {
            let item = kept.item.clone()?;
            Some(Hit { item, provider: id.provider })
        };
        // It is hot while it is full: records expire, and are announced anew.
        let is_hot = self.count_under(key) >= settings.max_providers;
        List { hits: live.filter_map(hit).collect(), is_hot }
    }

    /// Forgets a record; says whether it was there.
    pub(super) fn remove(&mut self, id: &RecordId) -> bool {
        let was_there = self.kept.remove(id).is_some();
        if was_there {
            Self::thin(&mut self.crowds, id.key);
        }
        was_there
    }

    /// Drops what has expired.
    pub(super) fn expire(&mut self, now_s: u32) {
        let crowds = &mut self.crowds;
        self.kept.retain(|id, kept| {
            let stays = kept.expires_s > now_s;
            if !stays {
                Self::thin(crowds, id.key);
            }
            stays
        });
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
        self.crowds.clear();
        let keys: Vec<Key> = self.kept.keys().map(|id| id.key).collect();
        for run in keys.chunk_by(|a, b| a == b).filter(|run| run.len() >= CROWD) {
            self.crowds.insert(run[0], run.len());
        }
    }

    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        // A tree's nodes are about five sixths full.
        self.kept.len() * (size_of::<RecordId>() + size_of::<Kept>()) * 6 / 5
    }
}
