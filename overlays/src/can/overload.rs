//! Several peers in one zone (§3.4).
//!
//! A joiner becomes one more peer of the zone it comes to, until the zone has
//! `peers` of them; then the zone is split: the joiner takes the upper half, and
//! the peers divide themselves between the halves by address. Each peer knows
//! its zone's other peers, and the one with the lowest address admits joiners,
//! one at a time. Of each zone beside its own it knows the nearest peer, by
//! round-trip times that it measures now and then.
//!
//! A node with several zones, one of which has other peers, leaves it to them:
//! so whoever takes over a zone whose peers have all failed moves there, if its
//! own zone is not left alone. What peers do with records is in `replicas`.

use std::sync::Arc;

use rand::RngExt;

use super::message::{Claim, Contact, Errand, Message, Routed, State};
use super::space::{Mate, News};
use super::zone::Point;
use super::{Can, Context, Phase, Zone};
use crate::{Addr, Span, Time};

/// Longer round-trip times are no measurements.
const LONGEST_RTT_US: u32 = 60_000_000;

/// The number of a probe that measures: the time, odd. Other probes have even
/// numbers.
pub(super) fn stamp(now: Time) -> u32 {
    now.as_us() as u32 | 1
}

/// The round-trip time that an update with this number tells.
pub(super) fn elapsed(nonce: u32, now: Time) -> Option<Span> {
    let us = (now.as_us() as u32).wrapping_sub(nonce & !1);
    (nonce & 1 == 1 && us < LONGEST_RTT_US).then(|| Span::from_us(u64::from(us.max(1))))
}

impl Can {
    /// Whether zones are shared.
    pub(super) fn shares_zones(&self) -> bool {
        self.config.peers > 1
    }

    /// The peer of the zone around a point that admits joiners, and that counts
    /// as its owner: the one with the lowest address.
    pub(super) fn head(&self, at: usize, point: Point, me: Addr) -> Addr {
        let mates = self.spaces[at].mates.iter().filter(|m| m.zone.contains(point));
        mates.map(|m| m.addr).fold(me, Addr::min)
    }

    /// Offers a joiner a place as a peer of the zone, or in its upper half. One
    /// peer does so for all, and one joiner at a time: peers that each split
    /// the zone in their own way would end up with different ideas of it.
    pub(super) fn admit(&mut self, cx: &mut Context<'_>, at: usize, routed: &Routed) {
        let (me, joiner) = (cx.me(), routed.origin);
        let head = self.head(at, routed.point, me);
        if head != me && head != joiner {
            let routed = Box::new(routed.clone());
            return self.post(cx, head, Message::Route { parcel: 0, routed }, 0);
        }
        let space = &self.spaces[at];
        let claim = space.claims.iter().find(|c| c.zone.contains(routed.point));
        let offer = claim.filter(|_| self.is_free(at)).and_then(|claim| {
            let shares = |m: &&Mate| m.zone == claim.zone && m.addr != joiner;
            self.offer(*claim, space.mates.iter().filter(shares).count() + 1)
        });
        match offer {
            Some(claim) => self.grant(cx, at, routed, claim),
            None => cx.send(joiner, Message::Refuse { request: routed.request }),
        }
    }

    /// Whether its zones can be split or shared now.
    fn is_free(&self, at: usize) -> bool {
        let idle = self.spaces[at].grant().is_none() && !self.is_handing_over();
        idle && !self.awaits_room(at) && self.phase == Phase::Member
    }

    /// What a joiner is offered of a zone that has so many peers.
    fn offer(&self, claim: Claim, peers: usize) -> Option<Claim> {
        if peers < self.config.peers {
            return Some(claim);
        }
        let (_, upper) = claim.zone.halves()?;
        let deep = claim.zone.depth() >= self.config.max_depth();
        (!deep).then_some(Claim { zone: upper, firm: claim.firm })
    }

    /// A joiner has taken the place that it was offered: it gets its records,
    /// and if it has half of the zone, the other peers divide themselves.
    pub(super) fn welcome(&mut self, cx: &mut Context<'_>, at: usize, joiner: Addr, given: Zone) {
        let now = cx.now();
        let is_whole = |zone: &Zone| zone.halves().is_some_and(|(_, upper)| upper == given);
        let whole = self.spaces[at].zones().find(is_whole);
        if self.spaces[at].zones().any(|zone| zone == given) {
            self.spaces[at].note_mate(joiner, given, now);
            if let Some(mate) = self.spaces[at].mate_mut(joiner) {
                mate.copied = true;
            }
        }
        self.give_copies(cx, at, joiner, given);
        if let Some(zone) = whole {
            self.split(cx, at, zone, Some(joiner));
        }
    }

    /// Splits a zone of this node: the peers with the lower addresses, this one
    /// among them, keep the lower half. Those with the higher addresses get the
    /// upper one, with the joiner, so that it is never alone.
    fn split(&mut self, cx: &mut Context<'_>, at: usize, zone: Zone, joiner: Option<Addr>) {
        let (me, reality) = (cx.me(), at as u8);
        let Some((lower, upper)) = zone.halves() else { return };
        let mates = self.spaces[at].mates.iter().filter(|m| m.zone == zone).map(|m| m.addr);
        let mut peers: Vec<Addr> = mates.filter(|m| Some(*m) != joiner).chain([me]).collect();
        peers.sort_unstable();
        let stay = peers.len().div_ceil(2);
        let place = |(i, addr): (usize, &Addr)| Contact {
            addr: *addr,
            zone: if i < stay { lower } else { upper },
        };
        let members = peers.iter().enumerate().map(place);
        let members: Arc<[Contact]> =
            members.chain(joiner.map(|addr| Contact { addr, zone: upper })).collect();
        for peer in peers.iter().filter(|peer| **peer != me) {
            let members = members.clone();
            cx.send(*peer, Message::Divide { reality, zone, members });
        }
        self.divide(cx, at, &members);
    }

    /// Where networks that were apart come together, a zone may have more peers
    /// than it should: the one that admits splits it, unless some of them have
    /// not been heard of lately.
    pub(super) fn split_if_crowded(&mut self, cx: &mut Context<'_>, at: usize) {
        let (me, now) = (cx.me(), cx.now());
        let [claim] = self.spaces[at].claims[..] else { return };
        let mates = &self.spaces[at].mates;
        let since = self.alive_since(now);
        let sound = mates.iter().all(|m| m.zone == claim.zone && m.heard >= since && m.addr > me);
        let deep = claim.zone.depth() >= self.config.max_depth();
        let crowded = self.shares_zones() && mates.len() >= self.config.peers;
        if crowded && sound && !deep && self.is_free(at) {
            self.split(cx, at, claim.zone, None);
        }
    }

    /// Whoever lives and counts on this node has been heard of since then.
    fn alive_since(&self, now: Time) -> Time {
        Time::from_us(now.as_us().saturating_sub(self.longest_periods(2.0).as_us()))
    }

    /// A joiner's request could not be passed to the peer that admits.
    pub(super) fn on_not_passed_on(&self, cx: &mut Context<'_>, routed: &Routed) {
        if self.is_kept_from_head(routed) {
            cx.send(routed.origin, Message::Refuse { request: routed.request });
        }
    }

    /// Whether this is a joiner's request for a zone of this node, which
    /// another peer of the zone was to decide.
    pub(super) fn is_kept_from_head(&self, routed: &Routed) -> bool {
        let joins = matches!(*routed.errand, Errand::Join { .. });
        joins && self.reality(routed.reality).is_some_and(|at| self.spaces[at].owns(routed.point))
    }

    /// The peers of this node's zone divide themselves between its halves.
    pub(super) fn on_divide(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        reality: u8,
        zone: Zone,
        members: &[Contact],
    ) {
        let Some(at) = self.reality(reality) else { return };
        let mine = members.iter().find(|m| m.addr == cx.me());
        let sound = mine.is_some_and(|m| m.zone.parent() == Some(zone));
        let held = self.spaces[at].zones().any(|z| z == zone);
        if self.shares_zones() && sound && held && self.spaces[at].is_mate(from) {
            self.divide(cx, at, members);
        }
    }

    fn divide(&mut self, cx: &mut Context<'_>, at: usize, members: &[Contact]) {
        let (me, now, d) = (cx.me(), cx.now(), self.config.dimensions);
        let Some(mine) = members.iter().find(|m| m.addr == me) else { return };
        let Some(other) = mine.zone.sibling() else { return };
        let space = &mut self.spaces[at];
        space.release(other);
        let stays = |addr: Addr| members.iter().any(|m| m.addr == addr && m.zone == mine.zone);
        space.keep_mates(|m| stays(m.addr));
        for member in members.iter().filter(|m| m.zone == mine.zone && m.addr != me) {
            space.note_mate(member.addr, member.zone, now);
        }
        // One peer of the other half will do until the nearest is known.
        let apart = members.iter().find(|m| m.zone == other);
        let apart: Vec<Contact> = apart.into_iter().copied().collect();
        space.note_contacts(&apart, me, now, d);
        self.tell_all(cx, at);
        self.spaces[at].prune(d);
        // The other half's peers may lack what has just been stored here: the
        // records go when one of them has taken them.
        if let Some(heir) = apart.first() {
            self.send_strays(cx, at, heir.addr, other);
        }
    }

    /// Sorts a node that told of itself into the zone's peers or the
    /// neighbours.
    pub(super) fn place(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        from: Addr,
        nonce: u32,
        state: &Arc<State>,
    ) {
        let (now, d) = (cx.now(), self.config.dimensions);
        let rtt = elapsed(nonce, now);
        let since = self.alive_since(now);
        let shares_zones = self.shares_zones();
        let space = &mut self.spaces[at];
        let same = |c: &&Claim| space.zones().any(|z| z == c.zone);
        if let Some(shared) = state.claims.iter().find(same).filter(|_| shares_zones) {
            let zone = shared.zone;
            return self.meet_mate(cx, at, from, nonce, state, zone);
        }
        // One that has not heard of a split, or was not heard when it told of
        // it, is still told of this node.
        let overlaps = |c: &Claim| space.zones().any(|z| z.overlaps(c.zone));
        if !state.claims.iter().any(overlaps) {
            space.keep_mates(|m| m.addr != from);
        }
        let former = space.neighbour(from).map(|n| n.state.clone());
        let news = News::Heard { rtt_us: rtt.map(|rtt| rtt.as_us() as u32), since };
        let adjoins = state.claims.iter().any(|c| space.adjoins(c.zone, d));
        if !shares_zones || former.is_some() || (adjoins && space.is_nearest(state, news, d)) {
            space.note(from, state.clone(), now, d);
        } else if adjoins && nonce == 0 {
            // It counts on this node, which need not count on it.
            self.tell_solicited(cx, at, from, 2);
        }
        if let Some(rtt) = rtt {
            self.measured(from, rtt);
        }
        if shares_zones && let Some(former) = former {
            self.replace(cx, at, from, &former);
        }
    }

    /// A neighbour that stood for some zones may have given them up, and then
    /// the other peers of those zones are asked.
    fn replace(&mut self, cx: &mut Context<'_>, at: usize, from: Addr, former: &State) {
        let space = &self.spaces[at];
        let d = self.config.dimensions;
        let is_open = |c: &&Claim| space.adjoins(c.zone, d) && !space.is_represented(c.zone);
        let claims: Vec<Claim> = former.claims.iter().filter(is_open).copied().collect();
        if !claims.is_empty() {
            let contacts = former.contacts.clone();
            self.ask_peers_of(cx, at, from, &State { claims, contacts });
        }
    }

    /// A node told that it holds some of the same zones, `shared` among them.
    /// When it confirms that, it counts as a peer of the zone and is given
    /// copies of the records; and if this node has others, it may have that one
    /// alone.
    fn meet_mate(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        from: Addr,
        nonce: u32,
        state: &State,
        shared: Zone,
    ) {
        let now = cx.now();
        // Of two that each have others, the one with the lower address keeps it.
        let several = self.spaces[at].claims.len() > 1;
        let yields = several && (state.claims.len() == 1 || from < cx.me());
        let is_confirmed = self.is_confirmed(at, from, nonce);
        if is_confirmed && yields {
            self.yield_zone(cx, at, shared);
            return self.send_strays(cx, at, from, shared);
        }
        let is_known = self.spaces[at].is_mate(from);
        if !is_known && !self.spaces[at].has_room_for_mates() {
            return;
        }
        if is_confirmed || is_known {
            self.spaces[at].note_mate(from, shared, now);
        }
        let Some(mate) = self.spaces[at].mate_mut(from) else {
            return self.ask_to_confirm(cx, at, from);
        };
        if is_confirmed {
            mate.copied = true;
            self.give_copies(cx, at, from, shared);
            if !is_known {
                self.tell(cx, at, from);
            }
        } else if !mate.copied || yields {
            self.ask_to_confirm(cx, at, from);
        }
    }

    /// Has the other peers of zones that this node has too many confirm that
    /// they hold them.
    pub(super) fn part_with_shared(&mut self, cx: &mut Context<'_>, at: usize) {
        let mates: Vec<Addr> = self.spaces[at].mates.iter().map(|m| m.addr).collect();
        for mate in mates {
            self.ask_to_confirm(cx, at, mate);
        }
    }

    /// Makes neighbours of those with whom this node shares no zone any more.
    pub(super) fn part_from_mates(&mut self, cx: &mut Context<'_>, at: usize) {
        let (now, d) = (cx.now(), self.config.dimensions);
        let space = &mut self.spaces[at];
        if !space.mates.is_empty() {
            space.part_from_mates(now, d);
        }
        if let Some(grant) = space.grant()
            && self.config.peers > 1
            && !space.zones().any(|zone| zone.covers(grant.claim.zone))
        {
            space.aside().grant = None;
        }
    }

    /// Measures the round-trip times to neighbours where they are not known,
    /// and to the other peers of some neighbour's zone. Of several that are
    /// known for one zone the nearest stays.
    pub(super) fn measure(&mut self, cx: &mut Context<'_>, at: usize) {
        if !self.config.measures_rtt() {
            return;
        }
        if self.shares_zones() {
            self.spaces[at].keep_nearest(self.config.dimensions);
        }
        let space = &self.spaces[at];
        let unknown = space.neighbours.iter().filter(|n| n.rtt_us == 0).map(|n| n.addr);
        let mut probed: Vec<Addr> = unknown.collect();
        if self.shares_zones() && !space.neighbours.is_empty() {
            let turn = cx.rng().random_range(0..space.neighbours.len());
            let neighbour = &space.neighbours[turn];
            let peers = self.peers_of(neighbour.addr, &neighbour.state);
            probed.extend(peers.into_iter().filter(|peer| *peer != cx.me()));
        }
        let nonce = stamp(cx.now());
        for addr in probed {
            cx.send(addr, Message::Probe { reality: at as u8, nonce });
        }
    }

    /// The other peers of a node's zones, as it told.
    fn peers_of(&self, addr: Addr, state: &State) -> Vec<Addr> {
        let same = |zone| state.claims.iter().any(|c| c.zone == zone);
        let peers = state.contacts.iter().filter(|c| c.addr != addr && same(c.zone));
        peers.map(|c| c.addr).take(self.config.peers).collect()
    }

    /// A zone for which a neighbour stood may have other peers: asks them.
    pub(super) fn ask_peers_of(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        addr: Addr,
        state: &State,
    ) {
        let nonce = stamp(cx.now());
        for peer in self.peers_of(addr, state) {
            cx.send(peer, Message::Probe { reality: at as u8, nonce });
        }
    }
}
