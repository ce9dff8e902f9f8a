//! Hops of other nodes' recursive lookups that are not acknowledged yet.

use super::contact::Contact;
use super::message::Message;
use super::{Chord, Context, Timer};
use crate::Addr;

/// A message that was passed on.
#[derive(Debug)]
pub(super) struct Forward {
    id: u32,
    /// Who was tried, the last being waited for.
    tried: Vec<Contact>,
    /// The virtual node it was passed on by.
    at: u16,
    message: Message,
    /// Who else can take it, for a message on its last hop.
    owners: Vec<Contact>,
}

impl Forward {
    pub(super) fn new(to: Contact, at: u16, message: Message, owners: &[Contact]) -> Self {
        Self { id: 0, tried: vec![to], at, message, owners: owners.to_vec() }
    }

    fn answers_to(&self, request: u32, origin: Addr) -> bool {
        match &self.message {
            Message::Route { request: r, origin: o, .. }
            | Message::Deliver { request: r, origin: o, .. } => *r == request && *o == origin,
            _ => false,
        }
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
/// How many nodes are tried for one hop.
const TRIES: usize = 8;

impl Forwards {
    /// Keeps `forward` and numbers it; `None` when there is no room.
    pub(super) fn put(&mut self, mut forward: Forward) -> Option<u32> {
        if self.open.len() >= MAX {
            return None;
        }
        self.last = self.last.wrapping_add(1);
        forward.id = self.last;
        self.open.push(forward);
        Some(self.last)
    }

    fn take(&mut self, id: u32) -> Option<Forward> {
        let at = self.open.iter().position(|f| f.id == id)?;
        Some(self.open.remove(at))
    }

    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Forward>()
    }
}

impl Chord {
    /// A hop was acknowledged.
    pub(super) fn on_received(&mut self, from: Addr, request: u32, origin: Addr) {
        if let Some(aside) = &mut self.aside {
            aside.forwards.open.retain(|f| {
                !(f.answers_to(request, origin) && f.tried.last().is_some_and(|c| c.addr == from))
            });
        }
    }

    /// A hop was not acknowledged in time: go around that node.
    pub(super) fn on_forward_timer(&mut self, cx: &mut Context<'_>, id: u32) {
        let forward = self.aside.as_mut().and_then(|a| a.forwards.take(id));
        let Some(mut forward) = forward else { return };
        if let Some(silent) = forward.tried.last() {
            self.avoid(cx, silent.addr, silent.vnode, false);
        }
        if forward.tried.len() >= TRIES {
            return;
        }
        let others = match &forward.message {
            Message::Route { key, .. } => self
                .vnode(forward.at)
                .map_or_else(Vec::new, |v| v.candidates(*key, TRIES, &self.config).into_vec()),
            _ => forward.owners.clone(),
        };
        let me = cx.me();
        let next = others.into_iter().find(|c| c.addr != me && !forward.tried.contains(c));
        let Some(next) = next else { return };
        match &mut forward.message {
            Message::Route { vnode, .. } => *vnode = next.vnode,
            Message::Deliver { vnode, insist, .. } => {
                *vnode = next.vnode;
                *insist = true;
            }
            _ => return,
        }
        forward.tried.push(next);
        cx.send(next.addr, forward.message.clone());
        if let Some(aside) = &mut self.aside
            && let Some(id) = aside.forwards.put(forward)
        {
            cx.wake(self.config.request_timeout, Timer::Forward(id));
        }
    }
}
