//! Random walkers (Lv et al., ICS 2002, §4): queries that go to one peer at a
//! time and ask their originator now and then whether to go on.

use std::sync::Arc;

use rand::RngExt as _;

use super::Gnutella;
use super::message::{Message, WalkBody};
use crate::parts::servent::{Guid, Way};
use crate::seam::{Addr, Cause, Cx, Time};

/// Walkers that wait at a servent for their verdict at most; further ones end.
const MAX_PARKED: usize = 1024;

/// A walker that waits for its originator's verdict.
#[derive(Debug)]
pub(super) struct Parked {
    guid: Guid,
    from: Addr,
    way: Way,
    min_speed_kbps: u16,
    body: Arc<WalkBody>,
    /// The walk's own cause: asking back does not lengthen its path.
    cause: Cause,
    since: Time,
}

impl Parked {
    pub(super) fn originator(&self) -> Option<Addr> {
        self.body.originator
    }
}

impl Gnutella {
    pub(super) fn on_walk(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Addr,
        guid: Guid,
        way: Way,
        min_speed_kbps: u16,
        body: Arc<WalkBody>,
    ) {
        let Some(way) = way.arrived(u8::MAX) else { return };
        if !self.linked(from) || !self.load.accept(self.config.capacity_per_s, cx.now()) {
            return;
        }
        // Only the first walker of a search is answered, but all go on.
        if self.queries.remember(guid, from, cx.now()) {
            self.answer(cx, from, guid, way, min_speed_kbps, &body.target);
        }
        if way.ttl == 0 {
            return;
        }
        let due = way.hops.is_multiple_of(self.config.check_every);
        match body.originator {
            Some(originator) if due && originator != self.me => {
                if self.parked.len() < MAX_PARKED {
                    let (cause, since) = (cx.cause(), cx.now());
                    let walker = Parked { guid, from, way, min_speed_kbps, body, cause, since };
                    self.parked.push(walker);
                    cx.send(originator, Message::Check { guid });
                }
            }
            // A walker that has come home needs no message to ask.
            Some(originator) if originator == self.me && self.search_with(guid).is_none() => {}
            _ => self.step_walker(cx, from, guid, way, min_speed_kbps, &body),
        }
    }

    /// Sends a walker to a random permanent peer: to one that no walker of
    /// this search left for yet if there is one, and back where it came from
    /// only from a dead end.
    pub(super) fn step_walker(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Addr,
        guid: Guid,
        way: Way,
        min_speed_kbps: u16,
        body: &Arc<WalkBody>,
    ) {
        let used = self.queries.used_mut(guid).map_or(0, |used| *used);
        let fresh = |used: u16, slot: u8| used >> slot & 1 == 0;
        let ahead = self.links.iter().filter(|l| l.peer != from);
        let unused = ahead.clone().filter(|l| fresh(used, l.slot));
        let chosen = match (unused.clone().count(), ahead.clone().count()) {
            (0, 0) => self.links.iter().find(|l| l.peer == from),
            (0, n) => ahead.clone().nth(cx.rng().random_range(0..n)),
            (n, _) => unused.clone().nth(cx.rng().random_range(0..n)),
        };
        let Some(link) = chosen.copied() else { return };
        if let Some(used) = self.queries.used_mut(guid) {
            *used |= 1 << link.slot;
        }
        cx.send(link.peer, Message::Walk { guid, way, min_speed_kbps, body: body.clone() });
    }

    /// A walker asks whether to go on: it does while the search is open.
    pub(super) fn on_check(&mut self, cx: &mut Cx<'_, Self>, from: Addr, guid: Guid) {
        let walk_on = self.search_with(guid).is_some();
        cx.send(from, Message::Verdict { guid, walk_on });
    }

    pub(super) fn on_verdict(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Addr,
        guid: Guid,
        walk_on: bool,
    ) {
        let asked = |p: &Parked| p.guid == guid && p.originator() == Some(from);
        let Some(at) = self.parked.iter().position(asked) else { return };
        let walker = self.parked.remove(at);
        if walk_on {
            let (guid, way) = (walker.guid, walker.way);
            let cx = &mut cx.on_behalf_of(walker.cause);
            self.step_walker(cx, walker.from, guid, way, walker.min_speed_kbps, &walker.body);
        }
        if !self.parked.iter().any(|p| p.originator() == Some(from)) {
            self.close_unless_linked(cx, from);
        }
    }

    /// Ends walkers whose originator has been silent for longer than a search
    /// lasts.
    pub(super) fn drop_stale_walkers(&mut self, now: Time) {
        let patience = self.config.walk_timeout;
        self.parked.retain(|p| now.since(p.since) <= patience);
    }
}
