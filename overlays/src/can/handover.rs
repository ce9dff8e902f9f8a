//! Zones and records that pass from one node to another.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::Weighting;
use super::message::{
    Claim, Contact, MAX_RECORD_BYTES, MAX_RECORDS, Message, State, Stored, Verdict,
};
use super::space::{Neighbour, Trouble};
use super::zone::{Destination, Zone};
use super::{Can, Context, Phase};
use crate::{Addr, Cause, Note};

impl Can {
    /// Who is to take a zone over: another peer of it, else the neighbour that
    /// holds its sibling and can merge the two, else the one with the smallest
    /// zones (§2.3).
    pub(super) fn heir(&self, at: usize, zone: Zone, unwilling: &[Addr]) -> Option<Addr> {
        let d = self.config.dimensions;
        let space = &self.spaces[at];
        let mut mates = space.mates.iter().filter(|m| m.zone == zone);
        if let Some(mate) = mates.find(|m| !unwilling.contains(&m.addr)) {
            return Some(mate.addr);
        }
        let willing =
            space.neighbours.iter().filter(|n| n.is_responsive() && !unwilling.contains(&n.addr));
        let sibling = zone.sibling();
        let merger = willing.clone().find(|n| n.zones().any(|z| Some(z) == sibling));
        let volume = |claims: &[Claim]| -> u64 {
            claims.iter().fold(0, |sum, c| sum.saturating_add(c.zone.volume()))
        };
        // One of several zones may have no neighbour but the node's own.
        let adjoining = willing.filter(|n| n.zones().any(|z| z.is_neighbour(zone, d)));
        let smallest = adjoining.min_by_key(|n| (volume(&n.state.claims), n.addr));
        merger.or(smallest).map(|n| n.addr)
    }

    /// Gives a zone to another node.
    pub(super) fn hand_over(&mut self, cx: &mut Context<'_>, at: usize, claim: Claim, to: Addr) {
        let d = self.config.dimensions;
        let me = cx.me();
        let state = self.spaces[at].state();
        let rest = self.spaces[at].zones().filter(|zone| *zone != claim.zone);
        let mine = rest.map(|zone| Contact { addr: me, zone });
        let near = state.contacts.iter().copied().chain(mine);
        let contacts = near.filter(|c| c.zone.is_neighbour(claim.zone, d)).collect();
        let message = Message::HandOver { parcel: 0, reality: at as u8, claim, contacts };
        self.post(cx, to, message, 0);
    }

    /// Another node gives this one a zone.
    pub(super) fn on_hand_over(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        parcel: u32,
        reality: u8,
        claim: Claim,
        contacts: &[Contact],
    ) {
        let placed = self.reality(reality).filter(|at| self.spaces[*at].is_placed());
        let Some(at) = placed.filter(|_| self.phase == Phase::Member) else {
            return cx.send(from, Message::Declined { parcel });
        };
        // Who offered to take a zone need not be near its holder (§2.3).
        let offered = |aside: &Trouble| aside.offered == Some((from, claim.zone));
        let offered = self.spaces[at].aside.as_deref().is_some_and(offered);
        let known = offered
            || self.spaces[at].stands_for(from, claim.zone)
                && self.spaces[at].adjoins(claim.zone, self.config.dimensions);
        let is_new = !self.spaces[at].zones().any(|zone| zone.covers(claim.zone));
        let too_deep = claim.zone.depth() > self.config.max_depth();
        if is_new && (!known || too_deep || self.is_handing_over()) {
            return cx.send(from, Message::Declined { parcel });
        }
        cx.send(from, Message::Received { parcel });
        if is_new {
            self.take_zone(cx, at, from, claim, contacts);
        }
    }

    fn take_zone(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        from: Addr,
        claim: Claim,
        contacts: &[Contact],
    ) {
        let (now, me, d) = (cx.now(), cx.me(), self.config.dimensions);
        self.note_arrival(cx, at, from, claim.zone, None);
        let space = &mut self.spaces[at];
        space.aside().offered = None;
        space.acquire([claim]);
        if let Some(giver) = space.neighbour(from) {
            let claims = giver.state.claims.iter().filter(|c| c.zone != claim.zone).copied();
            let state = State { claims: claims.collect(), contacts: giver.state.contacts.clone() };
            space.note(from, Arc::new(state), now, d);
        }
        space.note_contacts(contacts, me, now, d);
        self.tell_all(cx, at);
        self.tidy(cx, at);
    }

    /// A zone was taken by another node.
    pub(super) fn on_handed_over(
        &mut self,
        cx: &mut Context<'_>,
        to: Addr,
        reality: u8,
        zone: Zone,
    ) {
        let Some(at) = self.reality(reality) else { return };
        self.yield_zone(cx, at, zone);
        self.send_strays(cx, at, to, zone);
        match self.phase {
            Phase::Leaving => self.hand_over_next(cx),
            _ => self.tidy(cx, at),
        }
    }

    /// Gives up a zone and tells those who were neighbours until now.
    pub(super) fn yield_zone(&mut self, cx: &mut Context<'_>, at: usize, zone: Zone) {
        let d = self.config.dimensions;
        self.spaces[at].release(zone);
        if self.phase == Phase::Leaving && !self.spaces[at].is_placed() {
            // They are told goodbye in the end.
            return;
        }
        self.tell_all(cx, at);
        if self.spaces[at].is_placed() {
            self.part_from_mates(cx, at);
            self.spaces[at].prune(d);
        }
    }

    /// Sends on the records in `zone` that are no longer this node's.
    pub(super) fn send_strays(&mut self, cx: &mut Context<'_>, at: usize, to: Addr, zone: Zone) {
        let space = &self.spaces[at];
        let strays: Vec<Stored> =
            space.store.within(zone).filter(|r| !space.owns(r.point)).collect();
        self.send_all(cx, at, to, &strays);
    }

    /// Sends records that lie here and in none of this node's zones on to the
    /// neighbour nearest to their points. Whoever took them for a former owner
    /// may have given the zone up before they came; so they pass from one to
    /// the next, each of whom keeps them until the next has taken them.
    pub(super) fn send_home(&mut self, cx: &mut Context<'_>, at: usize) {
        if self.is_transferring() || self.phase != Phase::Member {
            return;
        }
        let space = &self.spaces[at];
        let mut bundles: BTreeMap<Addr, Vec<Stored>> = BTreeMap::new();
        for record in space.store.strays(|point| space.owns(point)).take(MAX_RECORDS) {
            let destination = Destination::new(record.point, self.config.dimensions);
            if let Some((to, _)) = space.next_hop(&destination, Weighting::Distance, &[]) {
                bundles.entry(to).or_default().push(record);
            }
        }
        let cx = &mut cx.on_behalf_of(Cause::UPKEEP);
        for (to, records) in bundles {
            self.send_all(cx, at, to, &records);
        }
    }

    /// Sends copies of the records in `zone`.
    pub(super) fn send_copies(&mut self, cx: &mut Context<'_>, at: usize, to: Addr, zone: Zone) {
        let records: Vec<Stored> = self.spaces[at].store.within(zone).collect();
        self.send_all(cx, at, to, &records);
    }

    pub(super) fn send_all(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        to: Addr,
        records: &[Stored],
    ) {
        for records in chunks(records) {
            let records: Arc<[Stored]> = records.into();
            self.post(cx, to, Message::Transfer { parcel: 0, reality: at as u8, records }, 0);
        }
    }

    /// Records come from a former owner of their points.
    pub(super) fn on_transfer(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        parcel: u32,
        reality: u8,
        records: &[Stored],
    ) {
        let Some(at) = self.reality(reality) else { return };
        if self.phase == Phase::Leaving {
            return cx.send(from, Message::Declined { parcel });
        }
        let mut fresh = Vec::new();
        for record in records {
            let known = self.spaces[at].store.has(record);
            let kept = self.keep(cx, at, record.clone()) == Verdict::Done;
            if kept && !known && self.spaces[at].owns(record.point) {
                fresh.push(record.clone());
            }
        }
        cx.send(from, Message::Received { parcel });
        self.mirror(cx, at, &fresh, Some(from));
    }

    /// Records were taken by another node.
    pub(super) fn on_transferred(&mut self, cx: &mut Context<'_>, reality: u8, records: &[Stored]) {
        let Some(at) = self.reality(reality) else { return };
        for Stored { point, key, hit, .. } in records {
            let space = &mut self.spaces[at];
            let (key, provider) = (*key, hit.provider);
            if !space.owns(*point) && space.store.remove(*point, key, provider, hit.item.key()) {
                cx.note(|| Note::Store { key, provider, stored: false });
            }
        }
        self.on_transfer_over(cx);
    }

    /// A leaver's records were not taken: the next nearest neighbour is to see
    /// that they get home. Returns whether there is one.
    pub(super) fn send_elsewhere(
        &mut self,
        cx: &mut Context<'_>,
        reality: u8,
        records: Arc<[Stored]>,
        unwilling: Addr,
    ) -> bool {
        let Some(at) = self.reality(reality).filter(|_| self.phase == Phase::Leaving) else {
            return false;
        };
        let Some(first) = records.first() else { return false };
        let point = Destination::new(first.point, self.config.dimensions);
        let unwilling = self.note_unwilling(unwilling);
        let space = &self.spaces[at];
        let nearness = |n: &&Neighbour| n.zones().map(|z| point.distance_squared(z)).min();
        let live = space.neighbours.iter().filter(|n| n.is_responsive());
        let nearest = live.filter(|n| !unwilling.contains(&n.addr)).min_by_key(nearness);
        let mut mates = space.mates.iter().map(|m| m.addr);
        let mate = mates.find(|mate| !unwilling.contains(mate));
        let Some(to) = mate.or(nearest.map(|n| n.addr)) else { return false };
        self.post(cx, to, Message::Transfer { parcel: 0, reality, records }, 0);
        true
    }

    /// A transfer came to its end, one way or the other.
    pub(super) fn on_transfer_over(&mut self, cx: &mut Context<'_>) {
        if self.phase == Phase::Leaving && !self.is_handing_over() && !self.is_transferring() {
            self.hand_over_next(cx);
        }
    }
}

/// Cuts a list of records into pieces that fit a message.
fn chunks(records: &[Stored]) -> impl Iterator<Item = &[Stored]> {
    let mut rest = records;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let fits = |record: &&Stored| {
            bytes += record.encoded_len();
            bytes <= MAX_RECORD_BYTES
        };
        let n = rest.iter().take(MAX_RECORDS).take_while(fits).count().max(1);
        let (chunk, others) = rest.split_at(n);
        rest = others;
        Some(chunk)
    })
}
