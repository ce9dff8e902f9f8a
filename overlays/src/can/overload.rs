//! Several peers in one zone (§3.4).
//!
//! A joiner becomes one more peer of the zone it comes to, until the zone has
//! `peers` of them; then the zone is split: the joiner takes the upper half, and
//! the peers divide themselves between the halves by address. Each peer keeps
//! all records of its zone and knows its other peers, and the one with the
//! lowest address admits joiners, one at a time. Of each zone beside its own it
//! knows the nearest peer, by round-trip times that it measures now and then.

use std::sync::Arc;

use rand::RngExt;

use super::message::{Claim, Contact, Erased, Errand, Message, Routed, State, Stored};
use super::zone::Point;
use super::{Can, Context, Phase, Zone};
use crate::{Addr, Note, Span, Time};

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
        let idle = space.grant().is_none() && !self.is_handing_over();
        let offer = match space.claims[..] {
            [claim] if idle && self.phase == Phase::Member => {
                let others = space.mates.iter().filter(|m| m.addr != joiner).count();
                self.offer(claim, others + 1)
            }
            _ => None,
        };
        match offer {
            Some(claim) => self.grant(cx, at, routed, claim),
            None => cx.send(joiner, Message::Refuse { request: routed.request }),
        }
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
    /// and if it has half of the zone, the other peers divide themselves. Those
    /// with the higher addresses go with it, so that it is never alone.
    pub(super) fn welcome(&mut self, cx: &mut Context<'_>, at: usize, joiner: Addr, given: Zone) {
        self.send_copies(cx, at, joiner, given);
        let [claim] = self.spaces[at].claims[..] else { return };
        let (me, reality) = (cx.me(), at as u8);
        let Some((lower, upper)) = claim.zone.halves().filter(|h| h.1 == given) else { return };
        let mates = self.spaces[at].mates.iter().map(|m| m.addr).filter(|addr| *addr != joiner);
        let mut peers: Vec<Addr> = mates.chain([me]).collect();
        peers.sort_unstable();
        let stay = peers.len().div_ceil(2);
        let place = |(i, addr): (usize, &Addr)| Contact {
            addr: *addr,
            zone: if i < stay { lower } else { upper },
        };
        let members = peers.iter().enumerate().map(place);
        let members: Arc<[Contact]> =
            members.chain([Contact { addr: joiner, zone: given }]).collect();
        for peer in peers.iter().filter(|peer| **peer != me) {
            let (zone, members) = (claim.zone, members.clone());
            cx.send(*peer, Message::Divide { reality, zone, members });
        }
        self.divide(cx, at, &members);
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

    /// A peer of the zone has not taken some records: it is to be given all of
    /// them again when it is heard of.
    pub(super) fn on_copies_missed(&mut self, reality: u8, mate: Addr) {
        let at = self.reality(reality);
        if let Some(mate) = at.and_then(|at| self.spaces[at].mate_mut(mate)) {
            mate.copied = false;
        }
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

    /// Gives the zone's other peers copies of records.
    pub(super) fn mirror(&mut self, cx: &mut Context<'_>, at: usize, records: Vec<Stored>) {
        if records.is_empty() {
            return;
        }
        let records: Arc<[Stored]> = records.into();
        for mate in self.spaces[at].mates.clone() {
            let records = records.clone();
            self.post(
                cx,
                mate.addr,
                Message::Transfer { parcel: 0, reality: at as u8, records },
                0,
            );
        }
    }

    /// Gives another peer copies of all records of the shared zones: one that
    /// has just come may have missed what was stored meanwhile.
    fn give_copies(&mut self, cx: &mut Context<'_>, at: usize, mate: Addr) {
        for zone in self.spaces[at].zones().collect::<Vec<_>>() {
            self.send_copies(cx, at, mate, zone);
        }
    }

    /// Gives one peer of each shared zone copies of its records before this one
    /// leaves.
    pub(super) fn copy_to_mates(&mut self, cx: &mut Context<'_>) {
        for at in 0..self.spaces.len() {
            for zone in self.spaces[at].zones().collect::<Vec<_>>() {
                if let Some(mate) = self.spaces[at].mates.iter().find(|m| m.zone == zone) {
                    self.send_copies(cx, at, mate.addr, zone);
                }
            }
        }
    }

    /// Has the zone's other peers drop a record.
    pub(super) fn mirror_removal(&self, cx: &mut Context<'_>, at: usize, record: &Erased) {
        for mate in &self.spaces[at].mates {
            let record = Box::new(record.clone());
            cx.send(mate.addr, Message::Erase { reality: at as u8, record });
        }
    }

    /// A peer of the zone has dropped a record.
    pub(super) fn on_erase(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        reality: u8,
        record: &Erased,
    ) {
        let Some(at) = self.reality(reality).filter(|at| self.spaces[*at].is_mate(from)) else {
            return;
        };
        let Erased { point, key, provider, item } = *record;
        if self.spaces[at].store.remove(point, key, provider, item) {
            cx.note(|| Note::Store { key, provider, stored: false });
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
        let rtt_us = rtt.map(|rtt| rtt.as_us() as u32);
        let known = space.neighbour(from).is_some();
        let adjoins = state.claims.iter().any(|c| space.adjoins(c.zone, d));
        if !shares_zones || known || (adjoins && space.is_nearest(state, rtt_us)) {
            space.note(from, state.clone(), now, d);
        } else if adjoins && nonce == 0 {
            // It counts on this node, which need not count on it.
            self.tell_solicited(cx, at, from, 2);
        }
        if let Some(rtt) = rtt {
            self.measured(from, rtt);
        }
    }

    /// A node told that it holds some of the same zones, `shared` among them.
    /// When it confirms that, it counts as a peer of the zone and is given
    /// copies of the records; and if they are all that it holds and this node
    /// has others, it may have them alone.
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
        let several = self.spaces[at].claims.len() > 1;
        let spared = match state.claims[..] {
            [only] if several => Some(only.zone),
            _ => None,
        };
        let is_confirmed = self.is_confirmed(at, from, nonce);
        if is_confirmed && let Some(zone) = spared {
            self.yield_zone(cx, at, zone);
            return self.send_strays(cx, at, from, zone);
        }
        if is_confirmed || self.spaces[at].is_mate(from) {
            self.spaces[at].note_mate(from, shared, now);
        }
        let Some(mate) = self.spaces[at].mate_mut(from) else {
            return self.ask_to_confirm(cx, at, from);
        };
        if is_confirmed {
            mate.copied = true;
            self.give_copies(cx, at, from);
        } else if !mate.copied || spared.is_some() {
            self.ask_to_confirm(cx, at, from);
        }
    }

    /// Measures the round-trip times to neighbours where they are not known,
    /// and to the other peers of some neighbour's zone.
    pub(super) fn measure(&mut self, cx: &mut Context<'_>, at: usize) {
        if !self.config.measures_rtt() {
            return;
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

    /// A silent neighbour's zone may have other peers: asks them. Returns
    /// whether there are any.
    pub(super) fn ask_its_peers(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        addr: Addr,
        state: &State,
    ) -> bool {
        let peers = if self.shares_zones() { self.peers_of(addr, state) } else { Vec::new() };
        let nonce = stamp(cx.now());
        for peer in &peers {
            cx.send(*peer, Message::Probe { reality: at as u8, nonce });
        }
        !peers.is_empty()
    }
}
