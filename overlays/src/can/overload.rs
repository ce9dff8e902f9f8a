//! Several peers in one zone (§3.4).
//!
//! A joiner becomes one more peer of the zone it comes to, until the zone has
//! `peers` of them; then the zone is split, and its peers and the joiner divide
//! themselves between the halves by address. Each peer keeps all records of
//! its zone and knows its other peers. Of each zone beside its own it knows the
//! nearest peer, by round-trip times that it measures now and then.

use std::sync::Arc;

use rand::RngExt;

use super::message::{Claim, Contact, Erased, Message, Routed, State, Stored};
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

    /// Takes a joiner in as a peer of the zone, or divides the zone's peers and
    /// the joiner between its halves. Returns whether it could.
    pub(super) fn admit(&mut self, cx: &mut Context<'_>, at: usize, routed: &Routed) -> bool {
        let space = &self.spaces[at];
        let joiner = routed.origin;
        let [claim] = space.claims[..] else { return false };
        if self.phase != Phase::Member || self.is_handing_over() {
            return false;
        }
        let me = cx.me();
        let mut members: Vec<Addr> = space.mates.iter().map(|m| m.0).chain([me, joiner]).collect();
        members.sort_unstable();
        members.dedup();
        let request = routed.request;
        if members.len() <= self.config.peers {
            let state = self.spaces[at].state();
            let mine = Contact { addr: me, zone: claim.zone };
            let contacts = state.contacts.iter().copied().chain([mine]).collect();
            cx.send(joiner, Message::Accept { request, reality: at as u8, claim, contacts });
            self.send_copies(cx, at, joiner, claim.zone);
            return true;
        }
        let deep = claim.zone.depth() >= self.config.max_depth();
        let Some((lower, upper)) = claim.zone.halves().filter(|_| !deep) else { return false };
        let half = members.len() / 2;
        let place = |(i, addr): (usize, &Addr)| Contact {
            addr: *addr,
            zone: if i < half { lower } else { upper },
        };
        let members: Arc<[Contact]> = members.iter().enumerate().map(place).collect();
        let near = self.spaces[at].state();
        for member in members.iter().filter(|m| m.addr != me && m.addr != joiner) {
            let (reality, zone) = (at as u8, claim.zone);
            cx.send(member.addr, Message::Divide { reality, zone, members: members.clone() });
        }
        let given = members.iter().find(|m| m.addr == joiner).map_or(lower, |m| m.zone);
        let contacts = near.contacts.iter().filter(|c| c.zone != claim.zone);
        let contacts = contacts.chain(members.iter()).copied().collect();
        let claim = Claim { zone: given, firm: claim.firm };
        cx.send(joiner, Message::Accept { request, reality: at as u8, claim, contacts });
        self.send_copies(cx, at, joiner, given);
        self.divide(cx, at, &members);
        true
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
        space.keep_mates(|addr, _| stays(addr));
        for member in members.iter().filter(|m| m.zone == mine.zone && m.addr != me) {
            space.note_mate(member.addr, now);
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
        for (mate, _) in self.spaces[at].mates.clone() {
            let records = records.clone();
            self.post(cx, mate, Message::Transfer { parcel: 0, reality: at as u8, records }, 0);
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
            if let Some((mate, _)) = self.spaces[at].mates.first().copied() {
                self.give_copies(cx, at, mate);
            }
        }
    }

    /// Has the zone's other peers drop a record.
    pub(super) fn mirror_removal(&self, cx: &mut Context<'_>, at: usize, record: &Erased) {
        for (mate, _) in &self.spaces[at].mates {
            let record = Box::new(record.clone());
            cx.send(*mate, Message::Erase { reality: at as u8, record });
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
        let same = |c: &Claim| space.zones().any(|z| z == c.zone);
        if shares_zones && state.claims.iter().any(same) {
            let is_new = space.note_mate(from, now);
            return self.meet_mate(cx, at, from, nonce, state, is_new);
        }
        // One that has not heard of a split, or was not heard when it told of
        // it, is still told of this node.
        let overlaps = |c: &Claim| space.zones().any(|z| z.overlaps(c.zone));
        if !state.claims.iter().any(overlaps) {
            space.keep_mates(|addr, _| addr != from);
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

    /// A node told that it holds some of the same zones. When it confirms that,
    /// it is given copies of the records; and if they are all that it holds and
    /// this node has others, it may have them alone.
    fn meet_mate(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        from: Addr,
        nonce: u32,
        state: &State,
        is_new: bool,
    ) {
        let several = self.spaces[at].claims.len() > 1;
        let spared = match state.claims[..] {
            [only] if several => Some(only.zone),
            _ => None,
        };
        if self.is_confirmed(at, from, nonce) {
            match spared {
                Some(zone) => {
                    self.yield_zone(cx, at, zone);
                    self.send_strays(cx, at, from, zone);
                }
                None => self.give_copies(cx, at, from),
            }
        } else if is_new || spared.is_some() {
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
