//! A search from the searcher's side.

use std::sync::Arc;

use super::links::State;
use super::message::{ENOUGH, Flags, Message};
use super::qrp::Products;
use super::queries::{OWN, Passing};
use super::{Gnutella06, Rank, Timer};
use crate::parts::servent::{Guid, Harvest, HitBody, Sifted, Way};
use crate::seam::{Addr, Cause, Cx, Hit, OpId, Outcome, Query, Reason};

/// Searches that a servent runs at once at most.
const MAX_SEARCHES: usize = 1024;

/// A search under way.
#[derive(Debug)]
pub(super) struct Search {
    op: OpId,
    guid: Guid,
    /// The ultrapeers that still search: a leaf's, or the servent itself.
    asked: Vec<Addr>,
    /// Whether it waits until a leaf that has lost all its ultrapeers has
    /// found another.
    waits: bool,
    /// The search's own cause, for a guard that is on nobody's account.
    cause: Cause,
    harvest: Harvest,
}

impl Gnutella06 {
    pub(super) fn search_with(&self, guid: Guid) -> Option<usize> {
        self.searches.iter().position(|s| s.guid == guid)
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
        let mut harvest = Harvest::new(query.clone());
        let found = harvest.take(own);
        let waits = self.may_be_taken();
        if harvest.is_full() || self.links.is_empty() && !waits {
            return cx.finish_search(op, harvest.into_hits());
        }
        if found > 0 {
            cx.answer(op, found);
        }
        let (guid, cause) = (Guid::fresh(cx.rng()), cx.cause());
        self.searches.push(Search { op, guid, asked: Vec::new(), waits, cause, harvest });
        // The guard is a rare need, so it keeps no account open.
        let timeout = self.config.search_timeout;
        cx.on_behalf_of(Cause::UPKEEP).wake(timeout, Timer::Timeout(op));
        if !waits {
            self.ask_for(cx, self.searches.len() - 1);
        }
    }

    /// There is a link: searches that wait for one are asked soon, when it has
    /// told what there is behind it.
    pub(super) fn wake_waiting_searches(&mut self, cx: &mut Cx<'_, Self>) {
        for search in self.searches.iter().filter(|s| s.waits) {
            cx.on_behalf_of(search.cause).wake(self.config.pong_wait, Timer::Ask(search.op));
        }
    }

    pub(super) fn ask_anew(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        if let Some(at) = self.searches.iter().position(|s| s.op == op && s.waits)
            && !self.links.is_empty()
        {
            self.ask_for(cx, at);
        }
    }

    /// Nobody takes this leaf in: ends the searches that wait for it.
    pub(super) fn end_waiting_searches(&mut self, cx: &mut Cx<'_, Self>) {
        while let Some(at) = self.searches.iter().position(|s| s.waits) {
            self.end_search(cx, at);
        }
    }

    /// Asks the ultrapeers of a leaf, or begins to ask as an ultrapeer.
    fn ask_for(&mut self, cx: &mut Cx<'_, Self>, at: usize) {
        let guid = self.searches[at].guid;
        self.queries.remember(guid, self.me, cx.now());
        if let Some(reached) = self.queries.used_mut(guid) {
            *reached = OWN;
        }
        let asked = match self.rank {
            Rank::Leaf => self.peers_of(Rank::Ultrapeer).collect(),
            Rank::Ultrapeer => vec![self.me],
        };
        let search = &mut self.searches[at];
        (search.waits, search.asked) = (false, asked);
        let query = search.harvest.query();
        let mut flags = Flags::VALID | Flags::LEAF_GUIDED;
        if self.firewalled {
            flags |= Flags::FIREWALLED;
        }
        let (target, limit) = (query.target.clone(), query.limit);
        let products = Products::of(&target);
        let passing = Passing { guid, flags: Flags(flags), target, products };
        match self.rank {
            Rank::Leaf => {
                for peer in self.peers_of(Rank::Ultrapeer) {
                    self.send_query(cx, peer, &passing, Way::start(self.config.max_ttl));
                }
            }
            Rank::Ultrapeer => {
                let asked = self.to_leaves(cx, self.me, &passing, 0);
                let wanted = self.config.wanted_hits.min(u32::from(limit));
                self.start_dynamic(cx, self.me, passing, 0, wanted, asked);
            }
        }
    }

    /// An ultrapeer has gone: searches wait for it no more.
    pub(super) fn not_asked_any_more(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        let waiting = |s: &Search| s.asked.contains(&peer);
        let guids: Vec<Guid> =
            self.searches.iter().filter(|s| waiting(s)).map(|s| s.guid).collect();
        for guid in guids {
            if let Some(at) = self.search_with(guid)
                && self.is_stranded()
            {
                // It may yet ask another, which may know the query already.
                let search = &mut self.searches[at];
                search.guid = Guid::fresh(cx.rng());
                (search.waits, search.asked) = (true, Vec::new());
            } else {
                self.on_over(cx, peer, guid);
            }
        }
    }

    /// One of those that searched asks nobody any more. With the last of them
    /// the search ends.
    pub(super) fn on_over(&mut self, cx: &mut Cx<'_, Self>, from: Addr, guid: Guid) {
        let Some(at) = self.search_with(guid) else { return };
        let search = &mut self.searches[at];
        let before = search.asked.len();
        search.asked.retain(|peer| *peer != from);
        if search.asked.is_empty() && before > 0 {
            if search.harvest.is_waiting() {
                // Pushed servents may still be on their way.
                cx.wake(self.config.hop_wait, Timer::Timeout(search.op));
            } else {
                self.end_search(cx, at);
            }
        }
    }

    pub(super) fn on_search_timeout(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        if let Some(at) = self.searches.iter().position(|s| s.op == op) {
            self.end_search(cx, at);
        }
    }

    /// Ends a search and calls off those who still work on it.
    fn end_search(&mut self, cx: &mut Cx<'_, Self>, at: usize) {
        let search = self.searches.swap_remove(at);
        // Only the guard comes on nobody's account.
        let cause = if cx.cause().op == search.op { cx.cause() } else { search.cause };
        let cx = &mut cx.on_behalf_of(cause);
        self.drop_dynamic(search.guid);
        for peer in search.asked.iter().filter(|peer| self.linked(**peer)) {
            cx.send(*peer, Message::Kept { guid: search.guid, hits: ENOUGH });
        }
        cx.finish_search(search.op, search.harvest.into_hits());
    }

    /// Ends all searches with what they have.
    pub(super) fn end_searches(&mut self, cx: &mut Cx<'_, Self>) {
        while !self.searches.is_empty() {
            self.end_search(cx, 0);
        }
    }

    /// An ultrapeer asks how many hits were kept.
    pub(super) fn on_status(&mut self, cx: &mut Cx<'_, Self>, from: Addr, guid: Guid) {
        if !self.linked(from) {
            return;
        }
        let kept = self.search_with(guid).map(|at| self.searches[at].harvest.count());
        let hits = kept.map_or(ENOUGH, |kept| u16::try_from(kept).unwrap_or(ENOUGH));
        cx.send(from, Message::Kept { guid, hits });
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
                    let guid = self.searches[at].guid;
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
