//! The list server: the super-super-peer that knows the supernodes and hands
//! out lists of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::seq::SliceRandom as _;

use super::message::{Message, NodeEntry, NodeList};
use super::{Blueprint, Config, FastTrack, Timer};
use crate::seam::{Addr, Cx, Footprint, Note, OpId, Outcome, Time};

/// The most supernodes that a list server knows; it forgets the one that it
/// has not heard of for the longest time.
const MAX_SUPERNODES: usize = 65_536;

/// What is known of a supernode.
#[derive(Clone, Copy, Debug)]
struct Registered {
    heard: Time,
    load: u8,
}

/// A list server.
#[derive(Debug)]
pub struct ListServer {
    config: Arc<Config>,
    serving: bool,
    supernodes: BTreeMap<Addr, Registered>,
}

type Context<'a> = Cx<'a, FastTrack>;

impl ListServer {
    /// A server that does not serve yet.
    pub(super) fn new(config: &Arc<Config>) -> Self {
        Self { config: Arc::clone(config), serving: false, supernodes: BTreeMap::new() }
    }

    /// Starts serving. Supernodes register at every list server, so the
    /// servers need not know each other.
    pub(super) fn join(&mut self, cx: &mut Context<'_>, op: OpId) {
        self.start(cx);
        cx.finish(op, Outcome::Done);
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        if !self.serving {
            self.serving = true;
            cx.wake_upkeep(self.config.upkeep_every, Timer::Upkeep);
        }
    }

    /// Stops serving. Nobody depends on it until somebody looks for a
    /// supernode.
    pub(super) fn leave(&mut self, cx: &mut Context<'_>, op: OpId) {
        for &supernode in self.supernodes.keys() {
            cx.close(supernode);
        }
        *self = Self::new(&self.config);
        cx.finish(op, Outcome::Done);
    }

    /// Knows all supernodes of a converged network.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint) {
        self.start(cx);
        let heard = cx.now();
        for (addr, place) in blueprint.supernodes() {
            let load = place.load(&self.config);
            self.supernodes.insert(addr, Registered { heard, load });
        }
    }

    /// Handles what a list server is asked; all else is dropped.
    pub(super) fn on_message(&mut self, cx: &mut Context<'_>, from: Addr, message: &Message) {
        if !self.serving {
            return cx.close(from);
        }
        match message {
            Message::ListRequest => {
                let list = self.list(cx, from);
                cx.send(from, Message::Nodes(list));
            }
            Message::Register { load } => self.register(cx, from, *load),
            Message::Unregister => self.forget(cx, from),
            Message::Greeting | Message::UserInfo { .. } | Message::Link { .. } => {
                let list = self.list(cx, from);
                cx.send(from, Message::Refused(list));
            }
            _ => {}
        }
    }

    fn register(&mut self, cx: &mut Context<'_>, from: Addr, load: u8) {
        if !self.supernodes.contains_key(&from) {
            if self.supernodes.len() >= MAX_SUPERNODES {
                let stalest = self.supernodes.iter().min_by_key(|(_, s)| s.heard);
                if let Some((&stalest, _)) = stalest {
                    self.forget(cx, stalest);
                }
            }
            cx.note(|| Note::TableChange { table: "supernodes", slot: 0, peer: Some(from) });
        }
        self.supernodes.insert(from, Registered { heard: cx.now(), load });
        let list = self.list(cx, from);
        cx.send(from, Message::Nodes(list));
    }

    fn forget(&mut self, cx: &mut Context<'_>, addr: Addr) {
        if self.supernodes.remove(&addr).is_some() {
            cx.note(|| Note::TableChange { table: "supernodes", slot: 0, peer: None });
        }
    }

    /// A random part of the list, without the one who asks.
    fn list(&self, cx: &mut Context<'_>, asker: Addr) -> NodeList {
        let now = cx.now();
        let others = self.supernodes.iter().filter(|(addr, _)| **addr != asker);
        let mut others: Vec<_> = others.collect();
        let wanted = usize::from(self.config.list_entries);
        let drawn = if others.len() > wanted {
            others.partial_shuffle(cx.rng(), wanted).0
        } else {
            &mut others[..]
        };
        drawn.sort_unstable_by_key(|(addr, _)| **addr);
        let entry = |(addr, known): (&Addr, &Registered)| {
            let minutes = now.since(known.heard).as_us() / 60_000_000;
            NodeEntry { addr: *addr, seen_min: minutes.min(255) as u8, load: known.load }
        };
        drawn.iter().copied().map(entry).collect()
    }

    /// Forgets the supernodes that no longer register.
    pub(super) fn on_timer(&mut self, cx: &mut Context<'_>, timer: Timer) {
        if !self.serving || timer != Timer::Upkeep {
            return;
        }
        let (now, expiry) = (cx.now(), self.config.list_expiry);
        self.supernodes.retain(|_, known| now.since(known.heard) <= expiry);
        cx.wake_upkeep(self.config.upkeep_every, Timer::Upkeep);
    }

    /// The stream of a supernode broke: it is gone, or will register anew.
    pub(super) fn on_lost(&mut self, cx: &mut Context<'_>, peer: Addr) {
        self.forget(cx, peer);
    }

    /// Whether `addr` is registered.
    pub(super) fn knows(&self, addr: Addr) -> bool {
        self.supernodes.contains_key(&addr)
    }

    /// The registered supernodes, in order.
    pub(super) fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        self.supernodes.keys().copied().for_each(visit);
    }

    /// The supernodes are routing entries; no item is known here.
    pub(super) fn footprint(&self) -> Footprint {
        let entry = size_of::<Addr>() + size_of::<Registered>();
        Footprint {
            routing_entries: self.supernodes.len() as u64,
            index_entries: 0,
            bytes: (size_of::<Self>() + self.supernodes.len() * entry) as u64,
        }
    }
}
