//! What a server stores: its clients' items, found by key and by word.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::{Change, PAGE_RECORDS, Page, Place};
use crate::parts::Index;
use crate::seam::{Addr, Hit, Item, Key, Query};

/// The items of all clients.
#[derive(Debug, Default)]
pub struct Store {
    index: Index,
    /// The keys of each client's items, sorted.
    keys_of: BTreeMap<Addr, Vec<Key>>,
}

impl Store {
    /// How many records there are.
    pub const fn records(&self) -> usize {
        self.index.files()
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        let client_bytes = size_of::<Addr>() + size_of::<Vec<Key>>();
        self.index.bytes() + self.records() * size_of::<Key>() + self.keys_of.len() * client_bytes
    }

    /// Whether a client's items are exactly `items` with this sum of keys.
    pub fn agrees(&self, client: Addr, items: u32, sum: u64) -> bool {
        let keys = self.keys_of(client);
        keys.len() == items as usize && sum_of(keys) == sum
    }

    /// The keys of a client's items, sorted.
    pub fn keys_of(&self, client: Addr) -> &[Key] {
        self.keys_of.get(&client).map_or(&[], Vec::as_slice)
    }

    /// The clients that have items.
    pub fn clients(&self) -> impl Iterator<Item = Addr> {
        self.keys_of.keys().copied()
    }

    /// Makes a change; false when it was made before or there is no room for
    /// more than `max_items` of one client.
    pub fn apply(&mut self, change: &Change, max_items: u32) -> bool {
        match change {
            Change::Put(hit) => {
                let has_room = self.keys_of(hit.provider).len() < max_items as usize;
                has_room && self.put(&hit.item, hit.provider)
            }
            Change::Remove(key, client) => self.remove(key, *client),
            Change::Forget(client) => {
                let keys = self.keys_of.remove(client).unwrap_or_default();
                keys.iter().for_each(|key| _ = self.index.remove(key, *client));
                !keys.is_empty()
            }
        }
    }

    /// Stores a client's item; false when it is there already.
    pub fn put(&mut self, item: &Arc<Item>, client: Addr) -> bool {
        let keys = self.keys_of.entry(client).or_default();
        let Err(at) = keys.binary_search(&item.key()) else { return false };
        keys.insert(at, item.key());
        self.index.add(item, client)
    }

    fn remove(&mut self, key: &Key, client: Addr) -> bool {
        let Some(keys) = self.keys_of.get_mut(&client) else { return false };
        let Ok(at) = keys.binary_search(key) else { return false };
        keys.remove(at);
        if keys.is_empty() {
            self.keys_of.remove(&client);
        }
        self.index.remove(key, client)
    }

    /// Up to `limit` records that answer `query`.
    pub fn search(&mut self, query: &Query, limit: usize) -> Vec<Hit> {
        self.index.search(query, limit, |_| true)
    }

    /// The next part of the store behind `after`.
    pub fn page(&self, after: Option<Place>) -> Page {
        let mut records: Vec<Hit> = self.index.hits_after(after).take(PAGE_RECORDS + 1).collect();
        let is_last = records.len() <= PAGE_RECORDS;
        records.truncate(PAGE_RECORDS);
        Page { after, records, is_last }
    }

    /// Makes the part that a page covers equal to the page, and returns the
    /// place where the next one starts; nothing behind the last.
    pub fn take_over(&mut self, page: &Page) -> Option<Place> {
        let upto = page.records.last().map(|hit| (hit.item.key(), hit.provider));
        let upto = if page.is_last { None } else { upto };
        let places = self.index.hits_after(page.after).map(|hit| (hit.item.key(), hit.provider));
        let old: Vec<Place> =
            places.take_while(|place| upto.is_none_or(|upto| *place <= upto)).collect();
        for (key, client) in old {
            let named = |hit: &Hit| hit.item.key() == key && hit.provider == client;
            // The page is short; what most replicas lack is the page itself.
            if !page.records.iter().any(named) {
                self.remove(&key, client);
            }
        }
        for hit in &page.records {
            self.put(&hit.item, hit.provider);
        }
        upto
    }

    /// All (key, client) pairs, in order.
    pub fn pairs(&self) -> impl Iterator<Item = Place> {
        self.index.pairs()
    }

    /// Whether the lists agree with each other; for audits.
    pub fn is_consistent(&self) -> bool {
        let listed: usize = self.keys_of.values().map(Vec::len).sum();
        self.index.is_consistent() && listed == self.index.files()
    }
}

/// What [`super::Message::Open`] sums up.
pub fn sum_of<'a>(keys: impl IntoIterator<Item = &'a Key>) -> u64 {
    keys.into_iter().fold(0, |sum, key| sum.wrapping_add(key.prefix64()))
}
