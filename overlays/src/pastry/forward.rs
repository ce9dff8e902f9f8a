//! Hops that are not acknowledged yet, and the way around silent nodes.

use super::contact::Contact;
use super::message::{Errand, Message};
use super::probes::Purpose;
use super::routing::Hop;
use super::{Context, Pastry, Timer};
use crate::Addr;

/// A message that was passed on.
#[derive(Debug)]
pub(super) struct Forward {
    id: u32,
    /// Who was tried, the last being waited for.
    tried: Vec<Contact>,
    message: Message,
}

impl Forward {
    pub(super) fn new(to: Contact, message: Message) -> Self {
        Self { id: 0, tried: vec![to], message }
    }

    fn answers_to(&self, from: Addr, request: u32, origin: Addr) -> bool {
        let last = self.tried.last().is_some_and(|c| c.addr == from);
        let same = matches!(&self.message, Message::Route { request: r, origin: o, .. }
            if *r == request && *o == origin);
        last && same
    }
}

/// The messages passed on and not acknowledged; bounded, since strangers make
/// them.
#[derive(Debug, Default)]
pub(super) struct Forwards {
    open: Vec<Forward>,
    last: u32,
}

/// The most unacknowledged hops kept; further ones go unguarded.
const MAX: usize = 1024;
/// How many times a hop is tried, whoever it goes to.
const TRIES: usize = 16;

impl Forwards {
    /// Keeps `forward` and numbers it; `None` when there is no room.
    pub(super) fn put(&mut self, mut forward: Forward) -> Option<u32> {
        if self.open.len() >= MAX {
            return None;
        }
        self.last = self.last.wrapping_add(1);
        forward.id = self.last;
        if self.open.capacity() == 0 {
            self.open.reserve_exact(1);
        }
        self.open.push(forward);
        Some(self.last)
    }

    fn take(&mut self, id: u32) -> Option<Forward> {
        let at = self.open.iter().position(|f| f.id == id)?;
        Some(self.open.remove(at))
    }

    /// Whether none is open.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Gives back memory.
    pub(super) fn shrink(&mut self) {
        self.open.shrink_to_fit();
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Forward>()
    }
}

impl Pastry {
    /// A hop was acknowledged.
    pub(super) fn on_received(&mut self, from: Addr, request: u32, origin: Addr) {
        if let Some(aside) = &mut self.aside {
            aside.forwards.open.retain(|f| !f.answers_to(from, request, origin));
            self.tidy();
        }
    }

    /// A hop was not acknowledged in time: send the message around that node,
    /// and find out whether it is dead. Where this node would be the next to
    /// take the message itself, it goes on sending until that is certain.
    pub(super) fn on_forward_timer(&mut self, cx: &mut Context<'_>, id: u32) {
        let Some(mut forward) = self.aside.as_mut().and_then(|a| a.forwards.take(id)) else {
            return;
        };
        let Some(silent) = forward.tried.last().copied() else { return };
        if !self.takes_part() {
            return;
        }
        self.suspect(cx, silent);
        let Message::Route { request, origin, key, errand, .. } = &forward.message else { return };
        let newcomer = matches!(errand.as_deref(), Some(Errand::Join { .. })).then_some(*origin);
        let tried = |addr: Addr| forward.tried.iter().any(|c| c.addr == addr);
        let hop = self.next_hop(self.ring_key(*key), |addr| {
            Some(addr) == newcomer || tried(addr) || self.is_suspect(addr)
        });
        let may_live = self.leaves.get(silent.addr).is_some();
        let next = match hop {
            _ if forward.tried.len() >= TRIES => return,
            Hop::To(next) => next,
            Hop::Here if may_live => silent,
            Hop::Here => {
                let (request, origin, key) = (*request, *origin, *key);
                let errand = errand.clone();
                if matches!(errand.as_deref(), Some(Errand::Join { .. })) {
                    let here = (request, origin, self.ring_key(key));
                    return self.send_station(cx, here, u16::MAX, 0, true);
                }
                return self.deliver(cx, request, origin, key, errand);
            }
        };
        forward.tried.push(next);
        cx.send(next.addr, forward.message.clone());
        if let Some(aside) = &mut self.aside
            && let Some(id) = aside.forwards.put(forward)
        {
            cx.wake(self.config.request_timeout, Timer::Forward(id));
        }
    }

    /// Finds out whether a node that was silent once is dead.
    pub(super) fn suspect(&mut self, cx: &mut Context<'_>, silent: Contact) {
        self.probe(cx, silent, Purpose::Suspicion);
    }
}
