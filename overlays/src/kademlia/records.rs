//! The records that a node keeps for others.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
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

/// A record as it is kept, under its key.
#[derive(Clone, Debug)]
struct Kept {
    /// The item's tag.
    tag: u32,
    provider: Addr,
    item: Option<Arc<Item>>,
    expires_s: u32,
    /// When this node is to see that others have it too; never for what is
    /// merely cached.
    replicate_s: u32,
}

impl Kept {
    fn new(keep: Keep, now_s: u32) -> Self {
        let Keep { id, item, lifetime_s, replicate_after_s } = keep;
        let expires_s = now_s.saturating_add(lifetime_s);
        let replicate_s = replicate_after_s.map_or(u32::MAX, |after| now_s.saturating_add(after));
        Self { tag: id.item, provider: id.provider, item, expires_s, replicate_s }
    }

    /// What tells it from others under its key.
    const fn place(&self) -> (u32, Addr) {
        (self.tag, self.provider)
    }
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
    /// By key, those under one in one piece, by item and provider. Words have
    /// hundreds of records each, and whoever stores one more looks for the key
    /// once and knows how many there are.
    kept: BTreeMap<Key, Vec<Kept>>,
    /// How many there are in all.
    len: usize,
}

impl Records {
    fn under(&self, key: Key) -> &[Kept] {
        self.kept.get(&key).map_or(&[], |list| list)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Keeps a record or refreshes one; `false` when there is no room. A
    /// record is never kept shorter than was promised before.
    pub(super) fn put(&mut self, keep: Keep, now_s: u32, settings: &Settings) -> bool {
        let has_room = self.len < settings.max_records;
        let key = keep.id.key;
        let kept = Kept::new(keep, now_s);
        let mut list = match self.kept.entry(key) {
            Entry::Occupied(list) => list,
            Entry::Vacant(place) => {
                let fits = has_room && settings.max_providers > 0;
                if fits {
                    place.insert(vec![kept]);
                    self.len += 1;
                }
                return fits;
            }
        };
        let list = list.get_mut();
        match list.binary_search_by_key(&kept.place(), Kept::place) {
            Ok(at) => {
                let known = &mut list[at];
                known.expires_s = known.expires_s.max(kept.expires_s);
                if kept.replicate_s != u32::MAX {
                    known.replicate_s = kept.replicate_s;
                }
                if kept.item.is_some() {
                    known.item = kept.item;
                }
                true
            }
            Err(_) if !has_room || list.len() >= settings.max_providers => false,
            Err(at) => {
                list.insert(at, kept);
                self.len += 1;
                true
            }
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
        let all: Vec<_> = self.under(key).iter().filter(|kept| fits(kept)).collect();
        let skip = if all.len() > limit { start as usize % all.len() } else { 0 };
        let picked = all.iter().cycle().skip(skip).take(limit.min(all.len()));
        let record = |kept: &&Kept| Record { item: kept.item.clone(), provider: kept.provider };
        picked.map(record).collect()
    }

    /// The posting list under `key`: all live records that name their items.
    pub(super) fn list(&self, key: Key, now_s: u32, settings: &Settings) -> List<Vec<Hit>> {
        let all = self.under(key);
        let live = all.iter().filter(|kept| kept.expires_s > now_s);
        let hit = |kept: &Kept| Some(Hit { item: kept.item.clone()?, provider: kept.provider });
        // It is hot while it is full: records expire, and are announced anew.
        let is_hot = all.len() >= settings.max_providers;
        List { hits: live.filter_map(hit).collect(), is_hot }
    }

    /// Forgets a record; says whether it was there.
    pub(super) fn remove(&mut self, id: &RecordId) -> bool {
        let Some(list) = self.kept.get_mut(&id.key) else { return false };
        let place = list.binary_search_by_key(&(id.item, id.provider), Kept::place);
        let Ok(at) = place else { return false };
        list.remove(at);
        if list.is_empty() {
            self.kept.remove(&id.key);
        }
        self.len -= 1;
        true
    }

    /// Drops what has expired.
    pub(super) fn expire(&mut self, now_s: u32) {
        self.kept.retain(|_, list| {
            list.retain(|kept| kept.expires_s > now_s);
            !list.is_empty()
        });
        self.len = self.kept.values().map(Vec::len).sum();
    }

    /// The keys under which something is due to be replicated.
    pub(super) fn due(&self, now_s: u32) -> Vec<Key> {
        let due = |kept: &Kept| kept.replicate_s <= now_s && kept.expires_s > now_s;
        let keys = self.kept.iter().filter(|(_, list)| list.iter().any(due));
        keys.map(|(key, _)| *key).collect()
    }

    /// What is due to be replicated under `key`, with the seconds it has left;
    /// it is due again after `again_s`.
    pub(super) fn take_due(
        &mut self,
        key: Key,
        now_s: u32,
        again_s: u32,
    ) -> Vec<(Arc<Item>, Addr, u32)> {
        let mut due = Vec::new();
        for kept in self.kept.get_mut(&key).into_iter().flatten() {
            if kept.replicate_s <= now_s && kept.expires_s > now_s {
                kept.replicate_s = now_s.saturating_add(again_s);
                if let Some(item) = &kept.item {
                    due.push((item.clone(), kept.provider, kept.expires_s - now_s));
                }
            }
        }
        due
    }

    /// Records that are no longer this node's to replicate: they stay as
    /// copies until they expire.
    pub(super) fn release(&mut self, key: Key) {
        for kept in self.kept.get_mut(&key).into_iter().flatten() {
            kept.replicate_s = u32::MAX;
        }
    }

    /// Takes over records in bulk, for a converged start; of two with one
    /// identity, the later.
    pub(super) fn settle(&mut self, mut records: Vec<Keep>, now_s: u32) {
        records.reverse();
        records.sort_by_key(|keep| keep.id);
        records.dedup_by_key(|keep| keep.id);
        self.len = records.len();
        self.kept.clear();
        let mut records = records.into_iter().peekable();
        while let Some(key) = records.peek().map(|keep| keep.id.key) {
            let same = std::iter::from_fn(|| records.next_if(|keep| keep.id.key == key));
            let mut list: Vec<Kept> = same.map(|keep| Kept::new(keep, now_s)).collect();
            list.shrink_to_fit();
            self.kept.insert(key, list);
        }
    }

    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        let lists: usize = self.kept.values().map(|list| list.capacity() * size_of::<Kept>()).sum();
        // A tree's nodes are about five sixths full.
        lists + self.kept.len() * (size_of::<Key>() + size_of::<Vec<Kept>>()) * 6 / 5
    }
}
