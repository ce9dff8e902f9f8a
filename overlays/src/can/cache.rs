//! Caching and replication of hot keys (§3.8).
//!
//! A node that caches keeps what its own searches found, and answers others'
//! requests for it on the way. A node that is asked for a key too often pushes
//! what it has to its neighbours, who answer in its place, and push on if they
//! are asked too often in turn. Copies have a time to live.

use std::collections::VecDeque;
use std::sync::Arc;

use super::message::{Errand, Message, Routed};
use super::{Can, Context};
use crate::{Addr, Hit, Key, Span, Time};

/// Keys whose popularity a node watches at a time.
const MAX_WATCHED: usize = 64;
/// The window in which requests for a key are counted.
const WINDOW: Span = Span::from_s(60);

/// Copies of records that belong elsewhere, and how often keys are asked for.
#[derive(Debug, Default)]
pub(super) struct Cache {
    copies: VecDeque<(Key, Arc<[Hit]>, Time)>,
    watched: VecDeque<(Key, u32, Time)>,
}

impl Cache {
    /// The copy of a key's records, while it lives.
    fn get(&self, key: Key, now: Time) -> Option<&Arc<[Hit]>> {
        let copy = self.copies.iter().find(|c| c.0 == key && c.2 > now)?;
        Some(&copy.1)
    }

    fn put(&mut self, key: Key, hits: Arc<[Hit]>, until: Time, capacity: usize) {
        self.copies.retain(|c| c.0 != key);
        while self.copies.len() >= capacity {
            self.copies.pop_front();
        }
        if capacity > 0 {
            self.copies.push_back((key, hits, until));
        }
    }

    /// Counts a request; whether it is the `limit`th within the window.
    fn count(&mut self, key: Key, now: Time, limit: u32) -> bool {
        if let Some((_, count, since)) = self.watched.iter_mut().find(|w| w.0 == key) {
            if now.since(*since) > WINDOW {
                (*count, *since) = (0, now);
            }
            *count += 1;
            return *count == limit;
        }
        if self.watched.len() >= MAX_WATCHED {
            self.watched.pop_front();
        }
        self.watched.push_back((key, 1, now));
        limit == 1
    }

    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        let hits: usize = self.copies.iter().map(|c| size_of_val(&*c.1)).sum();
        hits + self.copies.capacity() * size_of::<(Key, Arc<[Hit]>, Time)>()
            + self.watched.capacity() * size_of::<(Key, u32, Time)>()
    }
}

impl Can {
    fn caches(&self) -> bool {
        self.config.cache > 0
    }

    /// Answers a request on its way, if its records are at hand. Returns
    /// whether it did.
    pub(super) fn serve_from_cache(&mut self, cx: &mut Context<'_>, routed: &Routed) -> bool {
        let Errand::Fetch { key, limit } = *routed.errand else { return false };
        if !self.caches() {
            return false;
        }
        let cache = self.aside.as_ref().and_then(|a| a.cache.get(key, cx.now())).cloned();
        let Some(copy) = cache else { return false };
        let hits: Box<[Hit]> = copy.iter().take(limit.into()).cloned().collect();
        let &Routed { origin, request, leg, .. } = routed;
        self.answer(cx, origin, Message::Hits { request, leg, hits });
        self.watch(cx, key, &copy);
        true
    }

    /// Keeps what a search of this node found.
    pub(super) fn cache_found(&mut self, cx: &mut Context<'_>, key: Key, hits: &[Hit]) {
        if self.caches() {
            let until = cx.now() + self.config.cache_ttl;
            let capacity = self.config.cache;
            self.aside.get_or_insert_default().cache.put(key, hits.into(), until, capacity);
        }
    }

    /// Counts a request for a key, and pushes its records to the neighbours
    /// when there are too many.
    pub(super) fn watch(&mut self, cx: &mut Context<'_>, key: Key, hits: &[Hit]) {
        let limit = self.config.hot_requests;
        if !self.caches() || limit == 0 || hits.is_empty() {
            return;
        }
        if !self.aside.get_or_insert_default().cache.count(key, cx.now(), limit) {
            return;
        }
        let mut neighbours: Vec<Addr> =
            self.spaces.iter().flat_map(|s| s.neighbours.iter().map(|n| n.addr)).collect();
        neighbours.sort_unstable();
        neighbours.dedup();
        let hits: Arc<[Hit]> = hits.into();
        for to in neighbours {
            cx.send(to, Message::Replicate { key, hits: hits.clone() });
        }
    }

    /// A neighbour is asked too often for a key.
    pub(super) fn on_replicate(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        key: Key,
        hits: &Arc<[Hit]>,
    ) {
        if self.caches() && self.spaces.iter().any(|s| s.neighbour(from).is_some()) {
            let until = cx.now() + self.config.cache_ttl;
            let capacity = self.config.cache;
            self.aside.get_or_insert_default().cache.put(key, hits.clone(), until, capacity);
        }
    }
}
