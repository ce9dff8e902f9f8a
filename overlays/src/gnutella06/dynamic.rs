//! Dynamic querying (Fisk, 2003): an ultrapeer asks no more ultrapeers than it
//! takes.
//!
//! First it asks its leaves, then a few ultrapeers as a probe. What comes back
//! tells how common the thing is; from that follows how many more ultrapeers
//! have to be reached. The rest is asked one link at a time, each with the TTL
//! whose theoretical horizon is enough, with a pause to let hits come.

use rand::seq::SliceRandom as _;

use super::message::{ENOUGH, Flags, Message};
use super::queries::{OWN, Passing};
use super::{Gnutella06, Rank, Timer};
use crate::gnutella::arithmetic;
use crate::parts::servent::{Guid, Way};
use crate::seam::{Addr, Cause, Cx, Span, Time};

/// Dynamic queries that an ultrapeer runs at once at most.
const MAX_DYNAMIC: usize = 1024;
/// Dynamic queries that it runs at once at most for one leaf.
const MAX_PER_LEAF: usize = 64;

/// A query that this ultrapeer asks step by step.
#[derive(Debug)]
pub(super) struct DynamicQuery {
    number: u32,
    query: Passing,
    /// The leaf that asked, or this ultrapeer itself.
    origin: Addr,
    /// Hops that the query has come.
    hops: u8,
    /// The search's own cause, so that leaf guidance does not lengthen paths.
    cause: Cause,
    started: Time,
    /// Hits that are enough.
    wanted: u32,
    /// Hits that have passed.
    passed: u32,
    /// What the leaf kept, and how many had passed then.
    kept: Option<(u32, u32)>,
    /// Hits that had passed when the leaf was last asked.
    told: u32,
    /// Ultrapeers that the query has reached in theory.
    horizon: u64,
    probed: bool,
    /// Links that were not asked yet, but perhaps probed.
    unasked: Vec<Addr>,
}

impl DynamicQuery {
    /// Hits so far: as the leaf counts them, as far as it has said.
    fn hits(&self) -> u32 {
        match self.kept {
            Some((kept, passed_then)) => kept + self.passed.saturating_sub(passed_then),
            None => self.passed,
        }
    }

    /// The TTL for the next of the links that are left: the smallest whose
    /// horizon has the hits that are missing, if things are as common
    /// everywhere as they were so far.
    fn next_ttl(&self, degree: u8, max_ttl: u8) -> u8 {
        let hits = u64::from(self.hits());
        if hits == 0 {
            return max_ttl;
        }
        let missing = u64::from(self.wanted).saturating_sub(hits);
        let needed = missing.saturating_mul(self.horizon).div_ceil(hits);
        let per_link = needed.div_ceil(self.unasked.len() as u64 + 1);
        let enough = |ttl: &u8| horizon(degree, *ttl) >= per_link;
        (1..max_ttl).find(enough).unwrap_or(max_ttl)
    }
}

/// Ultrapeers that a query with `ttl` reaches in theory through one link.
fn horizon(degree: u8, ttl: u8) -> u64 {
    arithmetic::horizon(u32::from(degree), u32::from(ttl))
}

impl Gnutella06 {
    /// A leaf asks: searches for it.
    pub(super) fn search_for_leaf(
        &mut self,
        cx: &mut Cx<'_, Self>,
        leaf: Addr,
        query: Passing,
        hops: u8,
        fresh: bool,
    ) {
        let guid = query.guid;
        if self.search_with(guid).is_some() || self.dynamic.iter().any(|d| d.query.guid == guid) {
            return;
        }
        // The query may have come through the network before: from now on its
        // hits take the short way.
        self.queries.update(guid, leaf, cx.now());
        let running = self.dynamic.iter().filter(|d| d.origin == leaf).count();
        if running >= MAX_PER_LEAF || self.dynamic.len() >= MAX_DYNAMIC {
            return cx.send(leaf, Message::Over { guid });
        }
        let asked = if fresh { self.to_leaves(cx, leaf, &query, hops) } else { 0 };
        let wanted = self.config.wanted_hits_for_leaf;
        self.start_dynamic(cx, leaf, query, hops, wanted, asked);
    }

    /// Starts to ask ultrapeers, after a pause if leaves were asked before.
    pub(super) fn start_dynamic(
        &mut self,
        cx: &mut Cx<'_, Self>,
        origin: Addr,
        query: Passing,
        hops: u8,
        wanted: u32,
        asked_leaves: usize,
    ) {
        if let Some(reached) = self.queries.used_mut(query.guid) {
            *reached = OWN;
        }
        let mut unasked: Vec<Addr> = self.peers_of(Rank::Ultrapeer).collect();
        unasked.shuffle(cx.rng());
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        self.dynamic.push(DynamicQuery {
            number,
            query,
            origin,
            hops,
            cause: cx.cause(),
            started: cx.now(),
            wanted,
            passed: 0,
            kept: None,
            told: 0,
            horizon: 1,
            probed: false,
            unasked,
        });
        if asked_leaves > 0 {
            cx.wake(self.config.hop_wait, Timer::Step(number));
        } else {
            self.on_step(cx, number);
        }
    }

    /// Hits that pass count for the dynamic query that asked for them.
    pub(super) fn count_hits(&mut self, guid: Guid, records: usize) {
        if let Some(dynamic) = self.dynamic.iter_mut().find(|d| d.query.guid == guid) {
            dynamic.passed = dynamic.passed.saturating_add(records as u32);
        }
    }

    /// The next step of a dynamic query: probe, one more link, or the end.
    pub(super) fn on_step(&mut self, cx: &mut Cx<'_, Self>, number: u32) {
        let Some(at) = self.dynamic.iter().position(|d| d.number == number) else { return };
        let cause = self.dynamic[at].cause;
        let cx = &mut cx.on_behalf_of(cause);
        let dynamic = &self.dynamic[at];
        let done = dynamic.hits() >= dynamic.wanted
            || dynamic.horizon >= self.config.max_horizon
            || cx.now().since(dynamic.started) >= self.config.query_lifetime;
        if done {
            return self.end_dynamic(cx, at);
        }
        self.ask_leaf_for_status(cx, at);
        let reached =
            if self.dynamic[at].probed { self.ask_next(cx, at) } else { self.probe(cx, at) };
        match reached {
            Some(ttl) => cx.wake(self.wait(ttl), Timer::Step(number)),
            None => self.end_dynamic(cx, at),
        }
    }

    fn wait(&self, ttl: u8) -> Span {
        self.config.hop_wait * u64::from(ttl)
    }

    fn ask_leaf_for_status(&mut self, cx: &mut Cx<'_, Self>, at: usize) {
        let me = self.me;
        let dynamic = &mut self.dynamic[at];
        let guided = dynamic.query.flags.has(Flags::LEAF_GUIDED) && dynamic.origin != me;
        if guided && dynamic.passed > dynamic.told {
            dynamic.told = dynamic.passed;
            cx.send(dynamic.origin, Message::Status { guid: dynamic.query.guid });
        }
    }

    /// Asks a few ultrapeers at once: with TTL 1 those whose tables match, with
    /// a little more others. Probed links may be asked again, and farther.
    /// Returns the highest TTL, or the next step's when there was nobody.
    fn probe(&mut self, cx: &mut Cx<'_, Self>, at: usize) -> Option<u8> {
        self.dynamic[at].probed = true;
        let dynamic = &self.dynamic[at];
        let products = &dynamic.query.products;
        let known = |l: &&super::Link| l.incoming.is_some() && l.may_match(products);
        let link_to = |peer: &Addr| self.links.iter().find(|l| l.peer == *peer);
        let links = dynamic.unasked.iter().filter_map(link_to);
        let (mut first, others): (Vec<_>, Vec<_>) = links.partition(known);
        let mut probes: Vec<(Addr, u8, u8)> = Vec::new();
        first.truncate(self.config.probes as usize);
        probes.extend(first.iter().map(|l| (l.peer, 1, l.degree)));
        let room = self.config.probes as usize - first.len();
        let ttl_for =
            |l: &super::Link| self.config.probe_ttl.min(self.config.max_ttl).min(l.max_ttl);
        probes.extend(others.iter().take(room).map(|l| (l.peer, ttl_for(l), l.degree)));
        let mut highest = None;
        for (peer, ttl, degree) in probes {
            self.ask(cx, at, peer, ttl, degree);
            highest = highest.max(Some(ttl));
        }
        highest
    }

    /// Asks the next link that may have something. `None` when none is left.
    fn ask_next(&mut self, cx: &mut Cx<'_, Self>, at: usize) -> Option<u8> {
        while let Some(peer) = self.dynamic[at].unasked.pop() {
            let Some(link) = self.links.iter().find(|l| l.peer == peer) else { continue };
            let dynamic = &self.dynamic[at];
            let ttl = dynamic.next_ttl(link.degree, self.config.max_ttl.min(link.max_ttl));
            let degree = link.degree;
            if ttl > 1 || link.may_match(&dynamic.query.products) {
                self.ask(cx, at, peer, ttl, degree);
                return Some(ttl);
            }
            // Its table says no: reached without a message.
            self.dynamic[at].horizon += 1;
        }
        None
    }

    fn ask(&mut self, cx: &mut Cx<'_, Self>, at: usize, peer: Addr, ttl: u8, degree: u8) {
        let dynamic = &mut self.dynamic[at];
        dynamic.horizon = dynamic.horizon.saturating_add(horizon(degree, ttl));
        let dynamic = &self.dynamic[at];
        self.send_query(cx, peer, &dynamic.query, Way { ttl, hops: dynamic.hops });
    }

    fn end_dynamic(&mut self, cx: &mut Cx<'_, Self>, at: usize) {
        let dynamic = self.dynamic.swap_remove(at);
        let guid = dynamic.query.guid;
        if dynamic.origin != self.me {
            if self.linked(dynamic.origin) {
                cx.send(dynamic.origin, Message::Over { guid });
            }
        } else {
            self.on_over(cx, self.me, guid);
        }
    }

    /// Ends the dynamic query of a search that is over.
    pub(super) fn drop_dynamic(&mut self, guid: Guid) {
        self.dynamic.retain(|d| d.query.guid != guid);
    }

    /// The leaf says how many hits it kept, or that it has enough.
    pub(super) fn on_kept(&mut self, cx: &mut Cx<'_, Self>, from: Addr, guid: Guid, hits: u16) {
        let it = |d: &DynamicQuery| d.query.guid == guid && d.origin == from && from != cx.me();
        let Some(at) = self.dynamic.iter().position(it) else { return };
        if hits == ENOUGH {
            self.dynamic.swap_remove(at);
        } else {
            let dynamic = &mut self.dynamic[at];
            dynamic.kept = Some((u32::from(hits), dynamic.told));
        }
    }
}
