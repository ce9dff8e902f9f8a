//! Messages that are sent until they are acknowledged.

use super::message::{Errand, Message};
use super::space::Neighbour;
use super::{Can, Context, Timer};
use crate::{Addr, Cause, Span, Time};

/// The most unacknowledged messages kept; further ones go unguarded.
const MAX: usize = 1024;
/// How often a hop is tried, one neighbour or another.
const HOP_TRIES: u8 = 8;

/// A message that awaits its acknowledgement.
#[derive(Debug)]
pub(super) struct Parcel {
    id: u32,
    pub(super) to: Addr,
    pub(super) message: Message,
    tries: u8,
    cause: Cause,
    sent: Time,
}

/// All of a node's.
#[derive(Debug, Default)]
pub(super) struct Parcels {
    open: Vec<Parcel>,
    last: u32,
}

impl Parcels {
    fn number(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1).max(1);
        self.last
    }

    fn take(&mut self, id: u32) -> Option<Parcel> {
        let at = self.open.iter().position(|p| p.id == id)?;
        Some(self.open.swap_remove(at))
    }

    /// Those that satisfy `which`.
    pub(super) fn any(&self, which: impl Fn(&Parcel) -> bool) -> bool {
        self.open.iter().any(which)
    }

    /// The number of the first that satisfies `which`.
    pub(super) fn find(&self, which: impl Fn(&Parcel) -> bool) -> Option<u32> {
        self.open.iter().find(|p| which(p)).map(|p| p.id)
    }

    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Parcel>()
    }
}

/// The same message with this number.
fn numbered(mut message: Message, id: u32) -> Message {
    match &mut message {
        Message::Route { parcel, .. }
        | Message::HandOver { parcel, .. }
        | Message::Transfer { parcel, .. }
        | Message::Erase { parcel, .. } => *parcel = id,
        _ => {}
    }
    message
}

/// Whether a message moves records, or tells of their withdrawal.
const fn is_transfer(message: &Message) -> bool {
    matches!(message, Message::Transfer { .. } | Message::Erase { .. })
}

impl Can {
    /// Sends a message that is to be acknowledged.
    pub(super) fn post(&mut self, cx: &mut Context<'_>, to: Addr, message: Message, tries: u8) {
        let parcels = &mut self.aside.get_or_insert_default().parcels;
        if parcels.open.len() >= MAX {
            return cx.send(to, message);
        }
        let id = parcels.number();
        let message = numbered(message, id);
        let cause = cx.cause();
        let sent = cx.now();
        parcels.open.push(Parcel { id, to, message: message.clone(), tries, cause, sent });
        cx.send(to, message);
        // On nobody's account, or it would keep that of every message open.
        let cx = &mut cx.on_behalf_of(Cause::UPKEEP);
        cx.wake(self.config.request_timeout, Timer::Parcel(id));
    }

    fn take_parcel(&mut self, from: Addr, id: u32) -> Option<Parcel> {
        let parcels = &mut self.aside.as_mut()?.parcels;
        parcels.find(|p| p.id == id && p.to == from)?;
        parcels.take(id)
    }

    /// A parcel was acknowledged.
    pub(super) fn on_received(&mut self, cx: &mut Context<'_>, from: Addr, id: u32) {
        let Some(parcel) = self.take_parcel(from, id) else { return };
        self.heard_from(from, cx.now());
        if parcel.tries == 0 {
            self.measured(from, cx.now().since(parcel.sent));
        }
        match parcel.message {
            Message::HandOver { reality, claim, .. } => {
                self.on_handed_over(cx, from, reality, claim.zone);
            }
            Message::Transfer { reality, records, .. } => {
                self.on_transferred(cx, reality, &records);
            }
            Message::Erase { .. } => self.on_transfer_over(cx),
            _ => {}
        }
    }

    /// A parcel was turned down.
    pub(super) fn on_declined(&mut self, cx: &mut Context<'_>, from: Addr, id: u32) {
        let Some(parcel) = self.take_parcel(from, id) else { return };
        self.give_up_on(cx, parcel);
    }

    /// A parcel was not acknowledged in time.
    pub(super) fn on_parcel_timer(&mut self, cx: &mut Context<'_>, id: u32) {
        let Some(parcels) = self.aside.as_mut().map(|a| &mut a.parcels) else { return };
        let Some(mut parcel) = parcels.take(id) else { return };
        let cx = &mut cx.on_behalf_of(parcel.cause);
        parcel.tries = parcel.tries.saturating_add(1);
        self.unheard(cx, parcel.to);
        match parcel.message {
            Message::Route { routed, .. }
                if matches!(*routed.errand, Errand::Join { .. }) && routed.origin == cx.me() =>
            {
                self.on_contact_silent(cx);
            }
            Message::Route { routed, .. }
                if parcel.tries < HOP_TRIES && !self.is_kept_from_head(&routed) =>
            {
                self.forget_former_holder(parcel.to);
                self.route_again(cx, routed, parcel.tries);
            }
            Message::Route { routed, .. } => self.on_not_passed_on(cx, &routed),
            _ if parcel.tries <= self.config.retries => {
                self.post(cx, parcel.to, parcel.message, parcel.tries);
            }
            _ => {
                self.on_mate_silent(parcel.to);
                self.give_up_on(cx, parcel);
            }
        }
    }

    fn give_up_on(&mut self, cx: &mut Context<'_>, parcel: Parcel) {
        match parcel.message {
            Message::HandOver { .. } => self.on_handover_failed(cx, parcel.to),
            Message::Transfer { reality, records, .. } => {
                self.on_copies_missed(reality, parcel.to);
                if !self.send_elsewhere(cx, reality, records, parcel.to) {
                    self.on_transfer_over(cx);
                }
            }
            Message::Erase { reality, .. } => {
                self.on_copies_missed(reality, parcel.to);
                self.on_transfer_over(cx);
            }
            _ => {}
        }
    }

    /// Whether a zone is being handed over.
    pub(super) fn is_handing_over(&self) -> bool {
        self.aside
            .as_ref()
            .is_some_and(|a| a.parcels.any(|p| matches!(p.message, Message::HandOver { .. })))
    }

    /// Whether records are being handed over.
    pub(super) fn is_transferring(&self) -> bool {
        self.aside.as_ref().is_some_and(|a| a.parcels.any(|p| is_transfer(&p.message)))
    }

    fn heard_from(&mut self, from: Addr, now: Time) {
        for space in &mut self.spaces {
            if let Some(neighbour) = space.neighbour_mut(from) {
                neighbour.silent = 0;
                neighbour.heard = now;
            }
        }
    }

    /// A message and its answer took so long.
    pub(super) fn measured(&mut self, from: Addr, rtt: Span) {
        if !self.config.measures_rtt() {
            return;
        }
        let rtt_us = rtt.as_us().clamp(1, u64::from(u32::MAX)) as u32;
        for space in &mut self.spaces {
            if let Some(neighbour) = space.neighbour_mut(from) {
                neighbour.rtt_us = rtt_us;
            }
        }
    }

    fn unheard(&mut self, cx: &mut Context<'_>, from: Addr) {
        let mut doubtful = false;
        for space in &mut self.spaces {
            if let Some(neighbour) = space.neighbour_mut(from) {
                neighbour.silent = neighbour.silent.saturating_add(1);
                doubtful |= neighbour.silent == Neighbour::DOUBTFUL;
            }
        }
        if doubtful {
            self.question(cx, from);
        }
    }
}
