//! Zones that have just come from another node.
//!
//! Who takes a zone holds it before its records have arrived. Meanwhile
//! searches that find nothing there are passed on to the former holder, who
//! keeps the records until they have been taken.
//!
//! A joiner tells the former holder of its half again until that one has made
//! room, and admits nobody before. Else a joiner whose word was lost would build
//! a network of its own on a half that its giver has given to somebody else.

use super::message::{Errand, Message, Routed, State};
use super::takeover::SIGN_OF_LIFE;
use super::zone::Zone;
use super::{Can, Context, Timer};
use crate::{Addr, Cause, Time};

/// The most zones that a node remembers where they came from.
const MAX_ARRIVALS: usize = 4;
/// Waits for an acknowledgement beside those for repetitions: for the word of
/// the joiner, and for the first sending of the records.
const EXTRA_WAITS: u64 = 4;

/// A zone that has just come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    zone: Zone,
    /// Who held it until now.
    from: Addr,
    /// When all of its records have been sent, or never will be.
    until: Time,
    /// How often the former holder was told in vain; `None` once it has made
    /// room.
    tries: Option<u8>,
}

impl Can {
    /// Notes that a zone has come from a node that makes room for this one.
    pub(super) fn note_arrival(
        &mut self,
        cx: &Context<'_>,
        at: usize,
        from: Addr,
        zone: Zone,
        tries: Option<u8>,
    ) {
        let now = cx.now();
        let until =
            now + self.config.request_timeout * (u64::from(self.config.retries) + EXTRA_WAITS);
        let arrivals = &mut self.spaces[at].aside().arrivals;
        arrivals.retain(|a| a.until > now && a.zone != zone);
        if arrivals.len() >= MAX_ARRIVALS {
            arrivals.remove(0);
        }
        arrivals.push(Arrival { zone, from, until, tries });
    }

    /// This node has half of a joiner's split: it waits until the former holder
    /// has made room.
    pub(super) fn await_room(&mut self, cx: &mut Context<'_>, at: usize, from: Addr, zone: Zone) {
        self.note_arrival(cx, at, from, zone, Some(0));
        let timer = Timer::Arrival { reality: at as u8 };
        cx.on_behalf_of(Cause::UPKEEP).wake(self.config.request_timeout, timer);
    }

    /// Whether the former holder of a zone here may not have heard that it came.
    pub(super) fn awaits_room(&self, at: usize) -> bool {
        let aside = self.spaces[at].aside.as_ref();
        aside.is_some_and(|aside| aside.arrivals.iter().any(|a| a.tries.is_some()))
    }

    /// A former holder tells of itself: whether it has made room.
    pub(super) fn note_room(&mut self, at: usize, me: Addr, from: Addr, state: &State) {
        let Some(aside) = &mut self.spaces[at].aside else { return };
        for arrival in aside.arrivals.iter_mut().filter(|a| a.from == from) {
            let zone = arrival.zone;
            // A peer of the same zone lists this node as another.
            let is_shared = state.contacts.iter().any(|c| c.addr == me && c.zone == zone);
            if is_shared || !state.claims.iter().any(|c| c.zone.overlaps(zone)) {
                arrival.tries = None;
            }
        }
    }

    /// A former holder had time to say that it has made room.
    pub(super) fn on_arrival_timer(&mut self, cx: &mut Context<'_>, reality: u8) {
        let Some(at) = self.reality(reality) else { return };
        let most = self.config.retries;
        let Some(aside) = &mut self.spaces[at].aside else { return };
        let mut late = Vec::new();
        for arrival in &mut aside.arrivals {
            let Some(tries) = &mut arrival.tries else { continue };
            *tries = tries.saturating_add(1);
            if *tries > most {
                // It has failed, or gone: then its neighbours see to it.
                arrival.tries = None;
            } else {
                late.push(arrival.from);
            }
        }
        for from in &late {
            self.tell(cx, at, *from);
            cx.send(*from, Message::Probe { reality, nonce: SIGN_OF_LIFE });
        }
        if !late.is_empty() {
            cx.wake(self.config.request_timeout, Timer::Arrival { reality });
        }
    }

    /// Passes a search that finds nothing here on to the former holder of the
    /// zone, if the records may still be on their way. Returns whether it did.
    pub(super) fn ask_former_holder(
        &mut self,
        cx: &mut Context<'_>,
        at: usize,
        from: Addr,
        routed: &Routed,
    ) -> bool {
        let Errand::Fetch { key, .. } = &*routed.errand else { return false };
        let Some(aside) = &self.spaces[at].aside else { return false };
        let now = cx.now();
        let is_due =
            |a: &&Arrival| a.until > now && a.from != from && a.zone.contains(routed.point);
        let Some(holder) = aside.arrivals.iter().find(is_due).map(|a| a.from) else {
            return false;
        };
        if !self.spaces[at].store.fetch(routed.point, *key, 1).is_empty() {
            return false;
        }
        self.post(cx, holder, Message::Route { parcel: 0, routed: Box::new(routed.clone()) }, 0);
        true
    }

    /// A node does not answer: what came from it will not be asked for there.
    pub(super) fn forget_former_holder(&mut self, holder: Addr) {
        for space in &mut self.spaces {
            if let Some(aside) = &mut space.aside {
                let is_gone = |a: &Arrival| a.from == holder && a.tries.is_none();
                aside.arrivals.retain(|a| !is_gone(a));
            }
        }
    }

    /// Answers a search from records that another node is about to take.
    /// Returns whether there were any.
    pub(super) fn serve_departing(&mut self, cx: &mut Context<'_>, routed: &Routed) -> bool {
        let Errand::Fetch { key, limit } = &*routed.errand else { return false };
        if !self.is_transferring() {
            return false;
        }
        let &Routed { origin, request, leg, point, .. } = routed;
        for at in self.realities_of(routed) {
            let hits = self.spaces[at].store.fetch(point, *key, *limit);
            if !hits.is_empty() {
                let hits = hits.into();
                self.answer(cx, origin, Message::Hits { request, leg, hits });
                return true;
            }
        }
        false
    }
}
