//! Joining (§2.2) and leaving (§2.3).

use std::sync::Arc;

use rand::{Rng as _, RngExt};

use super::landmarks::Survey;
use super::message::{Claim, Contact, Errand, Message, Routed, State};
use super::space::Grant;
use super::zone::Point;
use super::{Can, Context, Phase, Timer};
use crate::{Addr, Cause, OpId, Outcome, Reason, Span};

/// Contacts that a join tries, at most.
const MAX_VIA: usize = 64;
/// How often a half is offered again to a joiner that does not say that it is
/// there.
const GRANT_TRIES: u16 = 3;

/// A join or leave under way.
#[derive(Debug)]
pub(super) enum Passage {
    /// Taking a place in each reality.
    In(Joining),
    /// Announcing what is shared; then the join is done.
    Announcing(OpId),
    /// Withdrawing what is shared; then zones are handed over.
    Withdrawing(OpId),
    /// Handing zones and records over; then the leave is done.
    HandingOver(HandingOver),
}

/// How far a join has come.
#[derive(Debug)]
pub(super) struct Joining {
    /// The user's, if it is his join and not the return of a displaced node.
    op: Option<OpId>,
    via: Vec<Addr>,
    /// Which of `via` is being tried.
    at: usize,
    pub(super) reality: u8,
    pub(super) survey: Survey,
    point: Point,
    request: u32,
    /// How often this point was asked for in vain, and all points were.
    again: bool,
    attempts: u8,
    refusals: u8,
    /// Tells stale timers.
    step: u16,
}

impl Joining {
    /// The number of a fresh timer, which makes those before stale.
    pub(super) fn next_step(&mut self) -> u16 {
        self.step = self.step.wrapping_add(1);
        self.step
    }
}

/// How far a leave has come.
#[derive(Debug)]
pub(super) struct HandingOver {
    op: OpId,
    /// Who did not take a zone.
    unwilling: Vec<Addr>,
}

impl Can {
    /// Enters the network that `via` belong to, or founds one.
    pub(super) fn enter(&mut self, cx: &mut Context<'_>, op: OpId, via: &[Addr]) {
        if self.phase != Phase::Outside {
            return cx.finish(op, Outcome::Failed(Reason::Refused));
        }
        self.number_editions(cx);
        let others = via.iter().copied().filter(|a| *a != cx.me());
        let via: Vec<Addr> = others.take(MAX_VIA).collect();
        if via.is_empty() {
            for space in &mut self.spaces {
                space.acquire([Claim { zone: super::Zone::WHOLE, firm: true }]);
            }
            self.phase = Phase::Member;
            self.start_upkeep(cx);
            return self.announce(cx, op);
        }
        self.phase = Phase::Joining;
        self.start_joining(cx, Some(op), via, 0);
    }

    fn start_joining(
        &mut self,
        cx: &mut Context<'_>,
        op: Option<OpId>,
        via: Vec<Addr>,
        reality: u8,
    ) {
        let joining = Joining {
            op,
            via,
            at: 0,
            reality,
            survey: Survey::default(),
            point: Point(0),
            request: 0,
            again: false,
            attempts: 0,
            refusals: 0,
            step: 0,
        };
        self.aside.get_or_insert_default().passage = Some(Passage::In(joining));
        if !self.survey(cx) {
            self.try_point(cx);
        }
    }

    /// Takes a new place in a reality where the node lost its own.
    pub(super) fn rejoin(&mut self, cx: &mut Context<'_>, reality: usize) {
        let busy = self.aside.as_ref().is_some_and(|a| a.passage.is_some());
        if busy || self.phase != Phase::Member {
            return;
        }
        let space = &self.spaces[reality];
        let aside = space.aside.as_ref();
        let refuge = aside.and_then(|a| a.refuge);
        let lost = aside.map_or(&[][..], |a| &a.lost);
        let known = self.spaces.iter().flat_map(|s| s.neighbours.iter().map(|n| n.addr));
        let via: Vec<Addr> =
            refuge.into_iter().chain(known).chain(lost.iter().copied()).take(MAX_VIA).collect();
        if !via.is_empty() {
            self.start_joining(cx, None, via, reality as u8);
        }
    }

    pub(super) fn joining(&mut self) -> Option<&mut Joining> {
        match self.aside.as_mut().and_then(|a| a.passage.as_mut()) {
            Some(Passage::In(joining)) => Some(joining),
            _ => None,
        }
    }

    /// Asks for the zone around a random point to be split.
    pub(super) fn try_point(&mut self, cx: &mut Context<'_>) {
        let point = self.choose_point(cx);
        let request = self.requests.number();
        let Some(joining) = self.joining() else { return };
        joining.point = point;
        joining.request = request;
        joining.again = false;
        self.send_join(cx);
    }

    /// A point at random: in the portion of the space that the landmarks point
    /// to, if there are any, as long as few splits were refused there.
    fn choose_point(&mut self, cx: &mut Context<'_>) -> Point {
        let config = self.config.clone();
        match self.joining() {
            Some(joining)
                if !joining.survey.rtts.is_empty()
                    && joining.refusals <= config.join_points / 2 =>
            {
                joining.survey.close();
                config.landmarks.point(&joining.survey.rtts, config.dimensions, cx.rng())
            }
            _ => Point(cx.rng().next_u64()),
        }
    }

    fn send_join(&mut self, cx: &mut Context<'_>) {
        let (ttl, uniform) = (self.config.ttl, self.config.uniform);
        let wait = self.config.lookup_timeout;
        let Some(joining) = self.joining() else { return };
        let Some(via) = joining.via.get(joining.at).copied() else { return };
        let timer = Timer::Join(joining.next_step());
        // The joiner does not know how long paths are, so it waits longer and
        // longer.
        let wait = wait * (1 << joining.attempts.min(6));
        let routed = Box::new(Routed {
            origin: cx.me(),
            request: joining.request,
            leg: 0,
            reality: joining.reality,
            point: joining.point,
            ttl,
            errand: Arc::new(Errand::Join { chosen: !uniform }),
        });
        self.post(cx, via, Message::Route { parcel: 0, routed }, 0);
        cx.on_behalf_of(Cause::UPKEEP).wake(wait, timer);
    }

    /// The contact has not even taken the request.
    pub(super) fn on_contact_silent(&mut self, cx: &mut Context<'_>) {
        self.next_contact(cx);
    }

    /// The split was refused: another point (can-07 of the course).
    pub(super) fn on_refuse(&mut self, cx: &mut Context<'_>, request: u32) {
        let most = self.config.join_points;
        let Some(joining) = self.joining() else { return };
        if joining.request != request {
            return;
        }
        joining.refusals = joining.refusals.saturating_add(1);
        if joining.refusals > most {
            return self.fail_join(cx, Reason::Refused);
        }
        joining.request = 0;
        let (step, most) = (joining.next_step(), 50_000 * u64::from(joining.refusals.min(20)));
        let pause = Span::from_us(cx.rng().random_range(1_000..=most));
        cx.wake(pause, Timer::Join(step));
    }

    /// No answer came, or a pause is over.
    pub(super) fn on_join_timer(&mut self, cx: &mut Context<'_>, step: u16) {
        let Some(joining) = self.joining() else { return };
        if joining.step != step {
            return;
        }
        let cause = joining.op.map_or(Cause::UPKEEP, Cause::start);
        let cx = &mut cx.on_behalf_of(cause);
        if joining.request == 0 {
            self.try_point(cx)
        } else if joining.again {
            self.next_contact(cx);
        } else {
            // The answer may have been lost, and the half wait for this node.
            joining.again = true;
            self.send_join(cx);
        }
    }

    /// Tries the next member, and all of them again with more patience.
    fn next_contact(&mut self, cx: &mut Context<'_>) {
        let retries = self.config.retries;
        let Some(joining) = self.joining() else { return };
        let cause = joining.op.map_or(Cause::UPKEEP, Cause::start);
        let cx = &mut cx.on_behalf_of(cause);
        joining.at += 1;
        if joining.at >= joining.via.len() {
            joining.at = 0;
            joining.attempts = joining.attempts.saturating_add(1);
            if joining.attempts > retries {
                return self.fail_join(cx, Reason::NoContact);
            }
        }
        self.try_point(cx);
    }

    fn fail_join(&mut self, cx: &mut Context<'_>, reason: Reason) {
        let Some(joining) = self.joining() else { return };
        let op = joining.op;
        self.set_passage(None);
        if let Some(op) = op {
            self.phase = Phase::Outside;
            self.spaces.iter_mut().for_each(|space| *space = Default::default());
            cx.finish(op, Outcome::Failed(reason));
        }
    }

    fn set_passage(&mut self, passage: Option<Passage>) {
        self.aside.get_or_insert_default().passage = passage;
    }

    /// A joiner wants half of this node's zone around `routed.point`.
    pub(super) fn on_join_request(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        routed: &Routed,
        chosen: bool,
    ) {
        let joiner = routed.origin;
        if joiner == cx.me() {
            return;
        }
        if let Some(grant) = self.spaces[at].grant()
            && (grant.to, grant.request) == (joiner, routed.request)
        {
            return self.send_accept(cx, at);
        }
        if !chosen && let Some(larger) = self.larger_neighbour(at, routed.point) {
            return self.send_to_larger(cx, routed, larger);
        }
        if self.shares_zones() {
            return self.admit(cx, at, routed);
        }
        let deepest = self.config.max_depth();
        let space = &self.spaces[at];
        let idle = space.grant().is_none() && !self.is_handing_over() && !self.awaits_room(at);
        let free = self.phase == Phase::Member && idle;
        let claim = self.spaces[at].claims.iter().find(|c| c.zone.contains(routed.point));
        let halves = claim.filter(|c| free && c.zone.depth() < deepest);
        let Some((claim, (lower, upper))) = halves.and_then(|c| Some((c, c.zone.halves()?))) else {
            return cx.send(joiner, Message::Refuse { request: routed.request });
        };
        let zone = if lower.contains(routed.point) { lower } else { upper };
        let claim = Claim { zone, firm: claim.firm };
        self.grant(cx, at, routed, claim);
    }

    /// Offers a joiner a part of this node's zone.
    pub(super) fn grant(&mut self, cx: &mut Context<'_>, at: usize, join: &Routed, claim: Claim) {
        let grant = Grant { to: join.origin, request: join.request, claim, number: 0 };
        self.spaces[at].aside().grant = Some(grant);
        self.send_accept(cx, at);
        let timer = Timer::Grant { reality: at as u8, number: 1 };
        cx.on_behalf_of(Cause::UPKEEP).wake(self.config.request_timeout, timer);
    }

    /// Uniform partitioning (§3.7): the owner of the point compares its zone
    /// with its neighbours', and the largest of all is split.
    fn larger_neighbour(&self, at: usize, point: Point) -> Option<Contact> {
        let space = &self.spaces[at];
        let own = space.zones().find(|zone| zone.contains(point))?;
        let others = space.neighbours.iter().filter(|n| n.is_responsive());
        let zones = others.flat_map(|n| n.zones().map(|zone| Contact { addr: n.addr, zone }));
        zones.filter(|c| c.zone.volume() > own.volume()).max_by_key(|c| c.zone.volume())
    }

    fn send_to_larger(&mut self, cx: &mut Context<'_>, routed: &Routed, larger: Contact) {
        let offset = cx.rng().next_u64() & (larger.zone.last().0 - larger.zone.first().0);
        let routed = Box::new(Routed {
            point: Point(larger.zone.first().0 | offset),
            errand: Arc::new(Errand::Join { chosen: true }),
            ..routed.clone()
        });
        self.post(cx, larger.addr, Message::Route { parcel: 0, routed }, 0);
    }

    /// Tells the joiner of its half and of the neighbours of the whole.
    pub(super) fn send_accept(&mut self, cx: &mut Context<'_>, at: usize) {
        let state = self.spaces[at].state();
        let Some(grant) = self.spaces[at].grant() else { return };
        let (to, request, claim) = (grant.to, grant.request, grant.claim);
        let d = self.config.dimensions;
        let me = cx.me();
        // What is shared is still this node's as well.
        let shared = |zone: &super::Zone| *zone == claim.zone;
        let zones = self.spaces[at].zones();
        let rest = zones.flat_map(|z| if shared(&z) { vec![z] } else { z.without(claim.zone) });
        let mine = rest.map(|zone| Contact { addr: me, zone });
        let concerns = |c: &&Contact| c.zone.is_neighbour(claim.zone, d) || shared(&c.zone);
        let near = state.contacts.iter().filter(concerns);
        let contacts = near.copied().chain(mine).collect();
        cx.send(to, Message::Accept { request, reality: at as u8, claim, contacts });
    }

    /// The joiner has not said that it is there.
    pub(super) fn on_grant_timer(&mut self, cx: &mut Context<'_>, reality: u8, number: u16) {
        let Some(at) = self.reality(reality) else { return };
        let Some(aside) = self.spaces[at].aside.as_mut() else { return };
        let Some(grant) = &mut aside.grant else { return };
        if grant.number + 1 != number {
            return;
        }
        if number >= GRANT_TRIES {
            aside.grant = None;
            return;
        }
        grant.number = number;
        self.send_accept(cx, at);
        cx.wake(self.config.request_timeout, Timer::Grant { reality, number: number + 1 });
    }

    /// Half of a zone is this node's.
    pub(super) fn on_accept(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        request: u32,
        reality: u8,
        claim: Claim,
        contacts: &[Contact],
    ) {
        let Some(at) = self.reality(reality) else { return };
        if self.spaces[at].zones().any(|zone| zone == claim.zone) {
            // The news of it was lost.
            return self.tell(cx, at, from);
        }
        let deepest = self.config.max_depth();
        let Some(joining) = self.joining() else { return };
        if (joining.request, joining.reality) != (request, reality) || claim.zone.depth() > deepest
        {
            return;
        }
        let op = joining.op;
        let (now, me, d) = (cx.now(), cx.me(), self.config.dimensions);
        let space = &mut self.spaces[at];
        space.vacate();
        space.acquire([claim]);
        for mate in contacts.iter().filter(|c| c.zone == claim.zone && c.addr != me) {
            space.note_mate(mate.addr, mate.zone, now);
        }
        space.note_contacts(contacts, me, now, d);
        self.tell_all(cx, at);
        if self.spaces[at].neighbour(from).is_none() && !self.spaces[at].is_mate(from) {
            self.tell(cx, at, from);
        }
        self.await_room(cx, at, from, claim.zone);
        self.measure(cx, at);
        self.next_reality(cx, op);
    }

    fn next_reality(&mut self, cx: &mut Context<'_>, op: Option<OpId>) {
        let all = self.config.realities;
        let Some(joining) = self.joining() else { return };
        joining.reality += 1;
        joining.refusals = 0;
        joining.attempts = 0;
        match op {
            Some(_) if joining.reality < all => self.try_point(cx),
            Some(op) => {
                self.phase = Phase::Member;
                self.start_upkeep(cx);
                self.announce(cx, op);
            }
            None => {
                self.set_passage(None);
                self.spaces.iter_mut().for_each(|s| {
                    if s.is_placed()
                        && let Some(aside) = &mut s.aside
                    {
                        aside.refuge = None;
                    }
                });
            }
        }
    }

    fn announce(&mut self, cx: &mut Context<'_>, op: OpId) {
        self.set_passage(Some(Passage::Announcing(op)));
        self.start_republishing(cx);
        self.announce_all(cx);
    }

    /// Leaves the network.
    pub(super) fn depart(&mut self, cx: &mut Context<'_>, op: OpId) {
        match (self.phase, self.aside.as_mut().and_then(|a| a.passage.take())) {
            (Phase::Outside, _) => return cx.finish(op, Outcome::Failed(Reason::NotJoined)),
            (Phase::Leaving, passage) => {
                self.set_passage(passage);
                return cx.finish(op, Outcome::Failed(Reason::Refused));
            }
            (Phase::Joining, passage) => {
                if let Some(Passage::In(Joining { op: Some(join), .. })) = passage {
                    cx.finish(join, Outcome::Failed(Reason::NotJoined));
                }
            }
            (Phase::Member, Some(Passage::Announcing(join))) => cx.finish(join, Outcome::Done),
            (Phase::Member, _) => {}
        }
        self.phase = Phase::Leaving;
        self.set_passage(Some(Passage::Withdrawing(op)));
        self.withdraw_all(cx);
    }

    /// All items of a batch are through.
    pub(super) fn on_batch_done(&mut self, cx: &mut Context<'_>) {
        let passage = self.aside.as_ref().and_then(|a| a.passage.as_ref());
        match passage {
            Some(Passage::Announcing(op)) => {
                let op = *op;
                self.set_passage(None);
                cx.finish(op, Outcome::Done);
            }
            Some(Passage::Withdrawing(op)) => {
                let handing = HandingOver { op: *op, unwilling: Vec::new() };
                self.set_passage(Some(Passage::HandingOver(handing)));
                self.hand_over_next(cx);
            }
            _ => {}
        }
    }

    fn handing_over(&mut self) -> Option<&mut HandingOver> {
        match self.aside.as_mut().and_then(|a| a.passage.as_mut()) {
            Some(Passage::HandingOver(handing)) => Some(handing),
            _ => None,
        }
    }

    /// Hands the next zone over, or ends the leave when there is none left
    /// that anybody takes.
    pub(super) fn hand_over_next(&mut self, cx: &mut Context<'_>) {
        let Some(handing) = self.handing_over() else { return };
        let unwilling = handing.unwilling.clone();
        for at in 0..self.spaces.len() {
            for claim in self.spaces[at].claims.clone() {
                if let Some(heir) = self.heir(at, claim.zone, &unwilling) {
                    return self.hand_over(cx, at, claim, heir);
                }
            }
        }
        if !self.is_transferring() {
            self.say_goodbye(cx);
        }
    }

    /// A neighbour did not take a zone of a leaver.
    pub(super) fn on_handover_failed(&mut self, cx: &mut Context<'_>, heir: Addr) {
        if self.handing_over().is_some() {
            self.note_unwilling(heir);
            self.hand_over_next(cx);
        }
    }

    /// Notes that a node took nothing of a leaver, and returns all of those.
    pub(super) fn note_unwilling(&mut self, addr: Addr) -> Vec<Addr> {
        let Some(handing) = self.handing_over() else { return vec![addr] };
        if !handing.unwilling.contains(&addr) {
            handing.unwilling.push(addr);
        }
        handing.unwilling.clone()
    }

    /// Tells the neighbours that this node holds nothing any more.
    fn say_goodbye(&mut self, cx: &mut Context<'_>) {
        let Some(op) = self.handing_over().map(|h| h.op) else { return };
        let state = Arc::new(State::default());
        for (reality, space) in (0..).zip(&self.spaces) {
            for mate in &space.mates {
                cx.send(mate.addr, Message::Update { reality, nonce: 0, state: state.clone() });
            }
            for neighbour in &space.neighbours {
                cx.send(
                    neighbour.addr,
                    Message::Update { reality, nonce: 0, state: state.clone() },
                );
            }
        }
        self.phase = Phase::Outside;
        self.set_passage(None);
        self.spaces.iter_mut().for_each(|space| *space = Default::default());
        cx.finish(op, Outcome::Done);
    }
}
