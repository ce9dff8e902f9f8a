//! Soft state: updates to the neighbours, and what follows from theirs (§2.3).

use std::sync::Arc;

use rand::{Rng as _, RngExt};

use super::message::{Claim, Contact, Message, Routed, State};
use super::overload::stamp;
use super::{Can, Context, Errand, Phase, Timer};
use crate::{Addr, Span, Time};

/// Strangers that are told of this node between two updates, at most.
const MAX_INTRODUCED: usize = 32;
/// Probes that are open at a time.
const MAX_PROBES: usize = 16;
/// Rounds after which a part of the space beside this node's zones that nobody
/// answers for is taken over.
const GAP_ROUNDS: u8 = 3;
/// How soon a neighbour is told again that it has a wrong idea of this node.
const CORRECTION: Span = Span::from_ms(500);

/// Whether a claim by `other` prevails over an overlapping one of `me`: zones
/// taken over from nodes that seemed to fail yield to their owners, and else
/// the lower address has it, so that both sides come to the same end. Where
/// peers share zones the smaller zone has it: the holder of the larger has not
/// heard of a split.
fn prevails(theirs: Claim, other: Addr, mine: Claim, me: Addr, shares_zones: bool) -> bool {
    match (theirs.firm, mine.firm) {
        _ if shares_zones => mine.zone.covers(theirs.zone),
        (true, false) => true,
        (false, true) => false,
        _ => other < me,
    }
}

impl Can {
    /// Starts the periodic updates.
    pub(super) fn start_upkeep(&mut self, cx: &mut Context<'_>) {
        self.round = self.round.wrapping_add(1);
        self.rearm(cx, self.config.update, Timer::Update(self.round));
    }

    /// Asks for an upkeep timer about `period` from now.
    pub(super) fn rearm(&self, cx: &mut Context<'_>, period: Span, timer: Timer) {
        let spread = (period.as_us() as f64 * self.config.jitter) as u64;
        let early = period.as_us() - spread.min(period.as_us());
        let after = early + cx.rng().random_range(0..=2 * spread);
        cx.wake_upkeep(Span::from_us(after), timer);
    }

    /// It is time to tell the neighbours.
    pub(super) fn on_update_timer(&mut self, cx: &mut Context<'_>, round: u16) {
        if round != self.round || !matches!(self.phase, Phase::Member | Phase::Leaving) {
            return;
        }
        self.rearm(cx, self.config.update, Timer::Update(round));
        let patience = self.patience().as_us();
        let remembered = Time::from_us(cx.now().as_us().saturating_sub(patience));
        for at in 0..self.spaces.len() {
            if !self.spaces[at].is_placed() {
                self.rejoin(cx, at);
                continue;
            }
            self.bury_silent(cx, at);
            self.mind_gap(cx, at);
            self.tidy(cx, at);
            self.split_if_crowded(cx, at);
            self.send_home(cx, at);
            self.tell_all(cx, at);
            self.measure(cx, at);
            self.tell_lost(cx, at);
            if let Some(aside) = &mut self.spaces[at].aside {
                aside.introduced.clear();
                aside.probes.clear();
                aside.offered = None;
                aside.erasures.expire(remembered);
            }
        }
    }

    /// Sends an update to one node.
    pub(super) fn tell(&mut self, cx: &mut Context<'_>, at: usize, to: Addr) {
        self.tell_solicited(cx, at, to, 0);
    }

    pub(super) fn tell_solicited(&mut self, cx: &mut Context<'_>, at: usize, to: Addr, nonce: u32) {
        let now = cx.now();
        let space = &mut self.spaces[at];
        let state = space.state();
        if let Some(neighbour) = space.neighbour_mut(to) {
            neighbour.told = now;
        }
        cx.send(to, Message::Update { reality: at as u8, nonce, state });
    }

    /// Sends an update to all neighbours.
    pub(super) fn tell_all(&mut self, cx: &mut Context<'_>, at: usize) {
        let now = cx.now();
        let space = &mut self.spaces[at];
        let state = space.state();
        for neighbour in &mut space.neighbours {
            neighbour.told = now;
            let state = state.clone();
            cx.send(neighbour.addr, Message::Update { reality: at as u8, nonce: 0, state });
        }
        for mate in &space.mates {
            let state = state.clone();
            cx.send(mate.addr, Message::Update { reality: at as u8, nonce: 0, state });
        }
    }

    /// Now and then tells a node that fell silent, in case it is back.
    fn tell_lost(&mut self, cx: &mut Context<'_>, at: usize) {
        let Some(aside) = &self.spaces[at].aside else { return };
        if aside.lost.is_empty() {
            return;
        }
        let turn = cx.rng().random_range(0..aside.lost.len());
        let lost = aside.lost[turn];
        self.tell(cx, at, lost);
    }

    /// Somebody's zones and neighbours.
    pub(super) fn on_update(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        reality: u8,
        nonce: u32,
        state: Arc<State>,
    ) {
        let Some(at) = self.reality(reality) else { return };
        let deepest = self.config.max_depth();
        let sound = state.claims.iter().all(|c| c.zone.depth() <= deepest);
        if !sound || from == cx.me() || !self.spaces[at].is_placed() {
            return;
        }
        self.complete_grant(cx, at, from, &state);
        self.complete_handover(cx, at, from, &state);
        self.note_room(at, cx.me(), from, &state);
        self.settle_conflict(cx, at, from, nonce, &state);
        self.place(cx, at, from, nonce, &state);
        self.call_off(at, from, &state);
        self.correct(cx, at, from, &state);
        self.meet(cx, at, from, &state);
    }

    /// A joiner has taken its half: the other is all that is left here.
    fn complete_grant(&mut self, cx: &mut Context<'_>, at: usize, from: Addr, state: &Arc<State>) {
        let Some(grant) = self.spaces[at].grant() else { return };
        let zone = grant.claim.zone;
        if grant.to != from || !state.claims.iter().any(|c| c.zone.covers(zone)) {
            return;
        }
        self.spaces[at].aside().grant = None;
        if self.shares_zones() {
            return self.welcome(cx, at, from, zone);
        }
        let (now, d) = (cx.now(), self.config.dimensions);
        // Neighbours so far are told of the split, those that are none any
        // more included.
        self.spaces[at].release(zone);
        self.spaces[at].note(from, state.clone(), now, d);
        self.yield_zone(cx, at, zone);
        self.send_strays(cx, at, from, zone);
    }

    /// An heir has taken a zone, though its word for it was lost.
    fn complete_handover(&mut self, cx: &mut Context<'_>, at: usize, from: Addr, state: &State) {
        let taken = |message: &Message| match message {
            Message::HandOver { reality, claim, .. } => {
                usize::from(*reality) == at
                    && state.claims.iter().any(|c| c.zone.covers(claim.zone))
            }
            _ => false,
        };
        let parcels = self.aside.as_ref().map(|a| &a.parcels);
        let done = parcels.and_then(|p| p.find(|p| p.to == from && taken(&p.message)));
        if let Some(id) = done {
            self.on_received(cx, from, id);
        }
    }

    /// Two nodes cannot hold one point: the one whose claim is weaker gives it
    /// up, but only when the other has confirmed it, since anybody can write
    /// a stranger's zone on a datagram.
    fn settle_conflict(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        from: Addr,
        nonce: u32,
        state: &Arc<State>,
    ) {
        let me = cx.me();
        let shares_zones = self.shares_zones();
        let mut stronger = Vec::new();
        let mut weaker = false;
        for theirs in &state.claims {
            for mine in &self.spaces[at].claims {
                let shared = shares_zones && theirs.zone == mine.zone;
                if theirs.zone.overlaps(mine.zone) && !shared {
                    if prevails(*theirs, from, *mine, me, shares_zones) {
                        stronger.push(theirs.zone);
                    } else {
                        weaker = true;
                    }
                }
            }
        }
        if weaker {
            self.tell(cx, at, from);
        }
        if stronger.is_empty() {
            return;
        }
        if self.is_confirmed(at, from, nonce) {
            return self.retreat(cx, at, from, &stronger);
        }
        self.ask_to_confirm(cx, at, from);
    }

    /// Whether an update with this number answers an open probe.
    pub(super) fn is_confirmed(&mut self, at: usize, from: Addr, nonce: u32) -> bool {
        let Some(aside) = &mut self.spaces[at].aside else { return false };
        let open = aside.probes.iter().position(|p| *p == (from, nonce));
        open.map(|open| aside.probes.swap_remove(open)).is_some()
    }

    /// Has a node confirm its zones, with a number that nobody else knows.
    pub(super) fn ask_to_confirm(&mut self, cx: &mut Context<'_>, at: usize, addr: Addr) {
        let probes = &mut self.spaces[at].aside().probes;
        if probes.len() < MAX_PROBES && !probes.iter().any(|p| p.0 == addr) {
            // Odd numbers are times, to measure by.
            let nonce = (cx.rng().next_u32() & !1).max(4);
            probes.push((addr, nonce));
            cx.send(addr, Message::Probe { reality: at as u8, nonce });
        }
    }

    /// Gives up what another node holds with better right, and hands it the
    /// records.
    fn retreat(&mut self, cx: &mut Context<'_>, at: usize, from: Addr, zones: &[super::Zone]) {
        for zone in zones {
            self.yield_zone(cx, at, *zone);
            self.send_strays(cx, at, from, *zone);
        }
        if !self.spaces[at].is_placed() {
            self.spaces[at].vacate();
            self.spaces[at].aside().refuge = Some(from);
            self.rejoin(cx, at);
        }
    }

    /// A node wants this one's claims confirmed. A joiner that is still expected
    /// has taken its half, but its word for it was lost.
    pub(super) fn on_probe(&mut self, cx: &mut Context<'_>, from: Addr, reality: u8, nonce: u32) {
        if let Some(at) = self.reality(reality).filter(|at| self.spaces[*at].is_placed()) {
            if self.spaces[at].grant().is_some_and(|grant| grant.to == from) {
                return self.send_accept(cx, at);
            }
            self.tell_solicited(cx, at, from, nonce);
        }
    }

    /// Tells a node that has a wrong idea of this node's zones, be it a
    /// neighbour or one that only believes to be.
    fn correct(&mut self, cx: &mut Context<'_>, at: usize, from: Addr, state: &State) {
        let me = cx.me();
        let now = cx.now();
        let space = &mut self.spaces[at];
        let mut believed: Vec<_> =
            state.contacts.iter().filter(|c| c.addr == me).map(|c| c.zone).collect();
        believed.sort_unstable();
        let mut true_zones: Vec<_> = space.zones().collect();
        true_zones.sort_unstable();
        if believed == true_zones || (self.config.peers > 1 && believed.is_empty()) {
            return;
        }
        match space.neighbour(from) {
            Some(neighbour) => {
                let never = neighbour.told.as_us() == 0;
                if never || now.since(neighbour.told) >= CORRECTION {
                    self.tell(cx, at, from);
                }
            }
            None if !believed.is_empty() => self.introduce_once(cx, at, from),
            None => {}
        }
    }

    /// Tells a stranger of this node, unless that was done lately.
    fn introduce_once(&mut self, cx: &mut Context<'_>, at: usize, to: Addr) {
        if self.is_first_word(at, to) {
            self.tell(cx, at, to);
        }
    }

    /// Has a stranger tell of itself, unless that was done lately.
    fn ask_once(&mut self, cx: &mut Context<'_>, at: usize, to: Addr) {
        if self.is_first_word(at, to) {
            let nonce = stamp(cx.now());
            cx.send(to, Message::Probe { reality: at as u8, nonce });
        }
    }

    /// Whether a stranger has not been spoken to since the last update, and
    /// notes that it is.
    fn is_first_word(&mut self, at: usize, to: Addr) -> bool {
        let introduced = &mut self.spaces[at].aside().introduced;
        let first = introduced.len() < MAX_INTRODUCED && !introduced.contains(&to);
        if first {
            introduced.push(to);
        }
        first
    }

    /// Introduces this node to those neighbours of a neighbour that must be
    /// its own, or that claim what it holds.
    fn meet(&mut self, cx: &mut Context<'_>, at: usize, from: Addr, state: &State) {
        let (me, d) = (cx.me(), self.config.dimensions);
        let space = &self.spaces[at];
        let concerns =
            |zone| space.zones().any(|own| own.overlaps(zone) || own.is_neighbour(zone, d));
        let represented = |zone| self.shares_zones() && space.is_represented(zone);
        let strangers: Vec<Contact> = state
            .contacts
            .iter()
            .filter(|c| c.addr != me && c.addr != from && space.neighbour(c.addr).is_none())
            .filter(|c| !space.is_mate(c.addr) && concerns(c.zone) && !represented(c.zone))
            .copied()
            .collect();
        for Contact { addr, zone } in strangers {
            if self.shares_zones() && !self.spaces[at].zones().any(|own| own.overlaps(zone)) {
                // It need not count on this node, but this one on it.
                self.ask_once(cx, at, addr);
            } else {
                self.introduce_once(cx, at, addr);
            }
        }
    }

    /// Looks for the owner of a part of the space beside this node's zones that
    /// no neighbour answers for, and takes it over if there is none.
    fn mind_gap(&mut self, cx: &mut Context<'_>, at: usize) {
        let space = &self.spaces[at];
        let busy = space.aside.as_ref().is_some_and(|a| !a.failing.is_empty());
        let gap = if busy || self.phase != Phase::Member {
            None
        } else {
            space.gap(self.config.dimensions)
        };
        let Some(gap) = gap else {
            if let Some(aside) = &mut self.spaces[at].aside {
                aside.gap_rounds = 0;
            }
            return;
        };
        let aside = self.spaces[at].aside();
        aside.gap_rounds = aside.gap_rounds.saturating_add(1);
        // Not everybody around the gap at once.
        if aside.gap_rounds > GAP_ROUNDS && cx.rng().next_u32() & 1 == 0 {
            aside.gap_rounds = 0;
            self.spaces[at].acquire([Claim { zone: gap, firm: false }]);
            return;
        }
        let errand = Arc::new(Errand::Introduce);
        let mut routed = Routed::errand_of(cx.me(), gap.first(), errand, self.config.ttl);
        routed.reality = at as u8;
        if self.spaces[at].neighbours.is_empty() {
            return self.call_from_outside(cx, at, &routed);
        }
        self.set_out(cx, routed);
    }

    /// A node that has lost touch with all around it sends a message on its way
    /// through those that it knew.
    fn call_from_outside(&self, cx: &mut Context<'_>, at: usize, routed: &Routed) {
        let Some(aside) = &self.spaces[at].aside else { return };
        for to in aside.refuge.iter().chain(&aside.lost) {
            cx.send(*to, Message::Route { parcel: 0, routed: Box::new(routed.clone()) });
        }
    }

    /// A node that knows nobody at a point wants to know its owner.
    pub(super) fn introduce(&mut self, cx: &mut Context<'_>, at: usize, to: Addr) {
        if to != cx.me() {
            self.tell(cx, at, to);
        }
    }
}
