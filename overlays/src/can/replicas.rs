//! The records of a zone that several peers share: each keeps all of them
//! (§3.4).
//!
//! Whoever stores or drops a record tells the zone's other peers, until they
//! have taken it. Two peers that meet give each other copies of what they have.
//! So that a copy under way does not bring a withdrawn record back, peers
//! remember withdrawals for a while; the provider's numbers tell whether a
//! record was announced before or after.

use std::collections::VecDeque;

use rand::Rng as _;

use super::message::{Erased, Message, Stored};
use super::{Can, Context, Zone};
use crate::{Addr, Note, Time};

/// Withdrawals that a node remembers in each reality.
const MAX_ERASED: usize = 256;

/// Records that were withdrawn lately, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Erasures {
    recent: VecDeque<(Erased, Time)>,
}

impl Erasures {
    /// Notes a withdrawal.
    fn note(&mut self, erased: Erased, now: Time) {
        if self.recent.iter().any(|(e, _)| *e == erased) {
            return;
        }
        if self.recent.len() >= MAX_ERASED {
            self.recent.pop_front();
        }
        self.recent.push_back((erased, now));
    }

    /// Whether this record was announced before it was withdrawn.
    fn covers(&self, record: &Stored) -> bool {
        let is_it = |e: &Erased| {
            (e.point, e.key) == (record.point, record.key)
                && (e.provider, e.item) == (record.hit.provider, record.hit.item.key())
        };
        self.recent.iter().any(|(e, _)| is_it(e) && e.undoes(record.edition))
    }

    /// The withdrawals in `zone`.
    fn within(&self, zone: Zone) -> impl Iterator<Item = Erased> {
        self.recent.iter().map(|(e, _)| *e).filter(move |e| zone.contains(e.point))
    }

    /// Forgets what was noted before `limit`.
    pub(super) fn expire(&mut self, limit: Time) {
        while self.recent.front().is_some_and(|(_, noted)| *noted < limit) {
            self.recent.pop_front();
        }
    }
}

impl Can {
    /// The number by which an announcement or withdrawal is known.
    pub(super) fn edition(&self, request: u32) -> u32 {
        if self.shares_zones() { request } else { 0 }
    }

    /// Whether a record is known to have been withdrawn since.
    pub(super) fn is_erased(&self, at: usize, record: &Stored) -> bool {
        let aside = self.spaces[at].aside.as_ref();
        aside.is_some_and(|aside| aside.erasures.covers(record))
    }

    /// Where records are compared by their numbers, those of a node that is back
    /// must not be taken for older ones than it had before.
    pub(super) fn number_editions(&mut self, cx: &mut Context<'_>) {
        if self.shares_zones() {
            self.requests.start_at(cx.rng().next_u32());
        }
    }

    /// Gives the zone's other peers, but for `source`, copies of records in
    /// `zone`.
    pub(super) fn mirror(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        records: &[Stored],
        source: Option<Addr>,
    ) {
        let mates = self.spaces[at].mates.iter().filter(|m| Some(m.addr) != source);
        for (mate, zone) in mates.map(|m| (m.addr, m.zone)).collect::<Vec<_>>() {
            let shared: Vec<Stored> =
                records.iter().filter(|r| zone.contains(r.point)).cloned().collect();
            self.send_all(cx, at, mate, &shared);
        }
    }

    /// Gives another peer copies of all records of the zone that they share,
    /// and tells it what was withdrawn: one that has just come may have missed
    /// what happened meanwhile.
    pub(super) fn give_copies(&mut self, cx: &mut Context<'_>, at: usize, mate: Addr, zone: Zone) {
        let aside = self.spaces[at].aside.as_ref();
        let erased: Vec<Erased> = aside.map_or(Vec::new(), |a| a.erasures.within(zone).collect());
        for erased in erased {
            self.send_erased(cx, at, mate, erased);
        }
        self.send_copies(cx, at, mate, zone);
    }

    /// Drops a record and has the zone's other peers do so: all of them on the
    /// provider's word, and if a peer of the zone was the `source`, those that
    /// may have got the record from here. Returns whether there was one.
    pub(super) fn erase(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        erased: Erased,
        source: Option<Addr>,
    ) -> bool {
        let removed = self.spaces[at].store.erase(&erased);
        if removed {
            let (key, provider) = (erased.key, erased.provider);
            cx.note(|| Note::Store { key, provider, stored: false });
        }
        if self.shares_zones() {
            self.spaces[at].aside().erasures.note(erased, cx.now());
        }
        if removed || source.is_none() {
            let mates = self.spaces[at].mates.iter();
            let others = mates.filter(|m| Some(m.addr) != source && m.zone.contains(erased.point));
            for mate in others.map(|m| m.addr).collect::<Vec<_>>() {
                self.send_erased(cx, at, mate, erased);
            }
        }
        removed
    }

    fn send_erased(&mut self, cx: &mut Context<'_>, at: usize, mate: Addr, erased: Erased) {
        let record = Box::new(erased);
        self.post(cx, mate, Message::Erase { parcel: 0, reality: at as u8, record }, 0);
    }

    /// A peer of the zone has dropped a record.
    pub(super) fn on_erase(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        parcel: u32,
        reality: u8,
        erased: Erased,
    ) {
        let Some(at) = self.reality(reality).filter(|at| self.spaces[*at].is_mate(from)) else {
            return cx.send(from, Message::Declined { parcel });
        };
        cx.send(from, Message::Received { parcel });
        self.erase(cx, at, erased, Some(from));
    }

    /// A peer of the zone has not taken some records, or news of a withdrawal:
    /// it is to be given all of them again when it is heard of.
    pub(super) fn on_copies_missed(&mut self, reality: u8, mate: Addr) {
        let at = self.reality(reality);
        if let Some(mate) = at.and_then(|at| self.spaces[at].mate_mut(mate)) {
            mate.copied = false;
        }
    }

    /// Another peer of a zone does not acknowledge what it is sent, and does
    /// not count as one until it is heard of again.
    pub(super) fn on_mate_silent(&mut self, mate: Addr) {
        for at in 0..self.spaces.len() {
            if self.spaces[at].is_mate(mate) {
                self.spaces[at].keep_mates(|m| m.addr != mate);
                self.remember(at, mate);
            }
        }
    }
}
