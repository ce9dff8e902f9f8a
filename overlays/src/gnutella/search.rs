//! A search from the searcher's side.

use std::sync::Arc;

use super::links::State;
use super::message::{Message, WalkBody};
use super::{Gnutella, Strategy, Timer};
use crate::parts::servent::{Guid, Harvest, HitBody, Sifted, Way};
use crate::seam::{Addr, Cx, Hit, OpId, Outcome, Query, Reason};

/// Searches that a servent runs at once at most.
const MAX_SEARCHES: usize = 1024;

/// A search under way.
#[derive(Debug)]
pub(super) struct Search {
    op: OpId,
    /// One identifier per ring; late hits of earlier rings count too.
    guids: Vec<Guid>,
    /// TTL of the present ring.
    ttl: u8,
    harvest: Harvest,
}

impl Gnutella {
    pub(super) fn search_with(&self, guid: Guid) -> Option<usize> {
        self.searches.iter().position(|s| s.guids.contains(&guid))
    }

    pub(super) fn start_search(&mut self, cx: &mut Cx<'_, Self>, op: OpId, query: &Query) {
        if self.state != State::Member {
            return cx.finish(op, Outcome::Failed(Reason::NotJoined));
        }
        if self.searches.len() >= MAX_SEARCHES {
            return cx.finish(op, Outcome::Failed(Reason::Full));
        }
        let own = self.shares.matching(&query.target, usize::from(query.limit));
        let mut own: Vec<Hit> =
            own.into_iter().map(|r| Hit { item: r.item, provider: self.me }).collect();
        for copy in self.copies.matching(&query.target, cx.now()) {
            let provider = copy.provider;
            own.extend(copy.records().iter().map(|r| Hit { item: r.item.clone(), provider }));
        }
        let harvest = Harvest::new(query.clone());
        let mut search = Search { op, guids: Vec::new(), ttl: 0, harvest };
        let found = search.harvest.take(own);
        if search.harvest.is_full() || self.links.is_empty() {
            return cx.finish_search(op, search.harvest.into_hits());
        }
        if found > 0 {
            cx.answer(op, found);
        }
        search.ttl = match self.config.search {
            Strategy::Flooding => self.config.ttl,
            Strategy::ExpandingRing => self.config.ring_start.min(self.config.ttl),
            Strategy::RandomWalkers => self.config.walk_ttl,
        };
        self.searches.push(search);
        let at = self.searches.len() - 1;
        match self.config.search {
            Strategy::RandomWalkers => self.send_walkers(cx, at),
            _ => self.flood(cx, at),
        }
    }

    /// Sends the query of a search, under a fresh identifier, to all permanent
    /// peers, and waits for hits.
    fn flood(&mut self, cx: &mut Cx<'_, Self>, at: usize) {
        let guid = Guid::fresh(cx.rng());
        self.queries.remember(guid, self.me, cx.now());
        let search = &mut self.searches[at];
        search.guids.push(guid);
        let way = Way::start(search.ttl);
        let min_speed_kbps = self.config.min_speed_kbps;
        for link in &self.links {
            let target = search.harvest.query().target.clone();
            cx.send(link.peer, Message::Query { guid, way, min_speed_kbps, target });
        }
        let last = search.ttl >= self.config.ttl;
        let wait = if last {
            self.config.search_timeout
        } else {
            self.config.ring_wait * u64::from(search.ttl)
        };
        let round = u16::try_from(search.guids.len()).unwrap_or(u16::MAX);
        cx.wake(wait, Timer::Search { round, op: search.op });
    }

    fn send_walkers(&mut self, cx: &mut Cx<'_, Self>, at: usize) {
        let guid = Guid::fresh(cx.rng());
        self.queries.remember(guid, self.me, cx.now());
        let search = &mut self.searches[at];
        search.guids.push(guid);
        let (op, way) = (search.op, Way::start(search.ttl));
        let originator = (!self.firewalled).then_some(self.me);
        let body = Arc::new(WalkBody { target: search.harvest.query().target.clone(), originator });
        for _ in 0..self.config.walkers {
            // The walkers leave evenly over the links: when all were used, the
            // round begins anew.
            if let Some(used) = self.queries.used_mut(guid)
                && self.links.iter().all(|l| *used >> l.slot & 1 == 1)
            {
                *used = 0;
            }
            let min_speed_kbps = self.config.min_speed_kbps;
            self.step_walker(cx, self.me, guid, way, min_speed_kbps, &body);
        }
        cx.wake(self.config.walk_timeout, Timer::Search { round: 1, op });
    }

    pub(super) fn on_search_timer(&mut self, cx: &mut Cx<'_, Self>, op: OpId, round: u16) {
        let current = |s: &Search| s.op == op && s.guids.len() == usize::from(round);
        let Some(at) = self.searches.iter().position(current) else { return };
        let search = &mut self.searches[at];
        let ring = self.config.search == Strategy::ExpandingRing;
        if ring && search.ttl < self.config.ttl && !self.links.is_empty() {
            search.ttl = search.ttl.saturating_add(self.config.ring_step).min(self.config.ttl);
            self.flood(cx, at);
        } else {
            self.end_search(cx, at);
        }
    }

    fn end_search(&mut self, cx: &mut Cx<'_, Self>, at: usize) {
        let search = self.searches.swap_remove(at);
        cx.finish_search(search.op, search.harvest.into_hits());
    }

    /// Ends all searches with what they have.
    pub(super) fn end_searches(&mut self, cx: &mut Cx<'_, Self>) {
        while !self.searches.is_empty() {
            self.end_search(cx, 0);
        }
    }

    /// Takes the records of a hit that came through `from` for the search at
    /// `at`, as far as they are what was asked for and new.
    pub(super) fn take_hit(
        &mut self,
        cx: &mut Cx<'_, Self>,
        at: usize,
        from: Addr,
        way: Way,
        body: &Arc<HitBody>,
    ) {
        let harvest = &mut self.searches[at].harvest;
        match harvest.sift(self.me, body, self.config.push, self.firewalled) {
            Sifted::Taken(taken) => {
                if taken > 0 {
                    let guid = self.searches[at].guids.last().copied().unwrap_or_default();
                    self.copy_found(cx, guid, way.hops, body);
                }
                self.report(cx, at, taken);
            }
            Sifted::Push(index) => self.send_push(cx, from, way.hops, body.servent, index),
        }
    }

    /// The servent at `from` has connected: its hits count, in every search
    /// that waits for it.
    pub(super) fn confirm_pushed(&mut self, cx: &mut Cx<'_, Self>, from: Addr, servent: Guid) {
        // From the back, since a search that ends is replaced by the last one.
        for at in (0..self.searches.len()).rev() {
            if let Some(taken) = self.searches[at].harvest.confirm(from, servent) {
                self.report(cx, at, taken);
            }
        }
    }

    /// Ends the search at `at` if it has enough, or tells of the new hits.
    fn report(&mut self, cx: &mut Cx<'_, Self>, at: usize, taken: u32) {
        let search = &self.searches[at];
        if search.harvest.is_full() {
            self.end_search(cx, at);
        } else if taken > 0 {
            cx.answer(search.op, taken);
        }
    }
}
