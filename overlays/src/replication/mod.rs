//! Full replication: every peer holds the whole index. The baseline at the
//! other end from the server: searches cost nothing, updates cost a message to
//! everybody.
//!
//! A newcomer copies the index from a member, page by page. Each change of a
//! peer's items is numbered by that peer and passed on to everybody, along a
//! random graph or by gossip. What loss and partitions left out is made up for
//! by anti-entropy: peers compare digests at every beat, find the peers of
//! whom one side knows more, and send the changes behind the version that the
//! other has. Who leaves says so; who dies is found silent, said to be gone,
//! and its records are dropped; who was wrongly said to be gone says everything
//! again under a later epoch.
//!
//! This is the row of the course's comparison table, built from the parts of
//! epidemic replication (Demers et al., PODC 1987). What to know of it:
//!
//! * An update has happened when the peer that makes it has made it; others
//!   see it a moment later. Nobody waits for anybody.
//! * In a simulation that starts converged all peers share the memory of what
//!   they started with, which none of them changes; see [`Replica`]. Reports
//!   count it for each of them.
//! * Epochs are read from the peers' clocks, which may be an hour apart.

mod audit;
mod base;
mod block;
mod changed;
mod config;
mod message;
mod neighbours;
mod origin;
mod origins;
mod peer;
mod repair;
mod replica;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt as _;

pub use base::Base;
pub use block::{Block, Change, Entries, Entry, MAX_ENTRIES, Shared};
pub use config::{Config, Spread};
pub use message::{BUCKETS, MAX_VERSIONS, Message, Place, Versions};
pub use origin::{Meaning, Origin, Version};
pub use replica::{Replica, Room};

use neighbours::Neighbours;
use peer::State;

use crate::seam::{
    About, Addr, Cause, Census, Cx, Footprint, Growth, Item, Key, Machine, OpId, Overlay, Profile,
    Query, Rng, SearchPower, Span, Theory, Transport,
};

/// A peer with the whole index.
#[derive(Debug)]
pub struct Replication {
    config: Arc<Config>,
    state: State,
    /// Since when it counts its changes.
    epoch: u64,
    /// Numbers its times in the network, so that a stale beat is known.
    life: u32,
    items: BTreeMap<Key, Arc<Item>>,
    replica: Replica,
    neighbours: Neighbours,
}

/// What a peer wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// This page of the copy is overdue.
    Page(u32),
    /// Time for the next beat of this time in the network.
    Beat(u32),
}

/// A converged network: the index, and the random graph.
#[derive(Debug)]
pub struct Blueprint {
    base: Arc<Base>,
    /// Who has asked whom for a link, by address.
    asked: Vec<(Addr, Addr)>,
    /// The same the other way around.
    asked_by: Vec<(Addr, Addr)>,
}

impl Blueprint {
    /// The neighbours of a peer, and whether it asked for them.
    fn neighbours_of(&self, addr: Addr) -> impl Iterator<Item = (Addr, bool)> {
        let of = |list: &[(Addr, Addr)]| {
            let start = list.partition_point(|(from, _)| *from < addr);
            let end = list.partition_point(|(from, _)| *from <= addr);
            start..end
        };
        let asked = self.asked[of(&self.asked)].iter().map(|(_, to)| (*to, true));
        let asked_by = self.asked_by[of(&self.asked_by)].iter().map(|(_, to)| (*to, false));
        asked_by.chain(asked)
    }
}

/// Asks for a timer that matters only if an answer stays away. It belongs to
/// no operation, or hosts would keep the books of every answered one open
/// until it is due; whoever it wakes restores the cause.
fn guard(cx: &mut Cx<'_, Replication>, after: Span, timer: Timer) {
    cx.on_behalf_of(Cause::UPKEEP).wake(after, timer);
}

impl Replication {
    /// Whether it takes part in the network.
    const fn is_in(&self) -> bool {
        matches!(self.state, State::In)
    }
}

impl Machine for Replication {
    type Message = Message;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, message: Message) {
        match message {
            Message::Fetch { after } => self.on_fetch(cx, from, after),
            Message::Page { blocks, next } => self.on_page(cx, from, &blocks, next),
            Message::News(block) => self.on_news(cx, from, &block),
            Message::Link => self.on_link(cx, from),
            Message::Linked(accepted) => self.on_linked(cx, from, accepted),
            Message::Beat { digest: _, linked } => self.on_beat(cx, from, linked),
            Message::Echo { digest } => self.on_echo(cx, from, digest),
            Message::Buckets(digests) => self.on_buckets(cx, from, &digests),
            Message::Versions(versions) => self.on_versions(cx, from, &versions),
            Message::Want(wanted) => self.on_want(cx, from, &wanted),
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: Timer) {
        self.on_timer_due(cx, timer);
    }

    fn on_lost(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        self.on_stream_lost(cx, peer);
    }

    fn warm(&self) {
        self.neighbours.warm();
    }

    /// Almost everything said is news of one peer.
    fn warm_for(&self, message: &Message) {
        if let Message::News(block) = message {
            self.replica.warm_for(block.origin);
        }
    }

    fn transport(message: &Message) -> Transport {
        match message {
            Message::Fetch { .. } | Message::Page { .. } => Transport::Stream,
            _ => Transport::Datagram,
        }
    }
}

impl Overlay for Replication {
    const ABOUT: About = About {
        name: "replication",
        title: "Full replication",
        source: "the course's comparison table; Demers et al., PODC 1987",
        idea: "Every peer holds the whole index and answers its own searches.",
        theory: Theory {
            search_latency: Growth::Constant,
            search_messages: Growth::Constant,
            update_messages: Growth::Linear,
            storage_max: Growth::Linear,
            storage_mean: Growth::Linear,
        },
        caveat: "The course's table counts a local search as 1; here it takes 0 hops and 0 \
                 messages. With gossip an update takes n log n messages.",
    };

    type Config = Config;
    type Blueprint = Blueprint;

    fn new(config: &Arc<Config>, _: &Profile) -> Self {
        Self {
            config: Arc::clone(config),
            state: State::Out,
            epoch: 0,
            life: 0,
            items: BTreeMap::new(),
            replica: Replica::default(),
            neighbours: Neighbours::default(),
        }
    }

    fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: &[Addr]) {
        self.start_join(cx, op, via);
    }

    fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        self.start_leave(cx, op);
    }

    fn insert(&mut self, cx: &mut Cx<'_, Self>, op: OpId, item: &Arc<Item>) {
        self.start_insert(cx, op, item);
    }

    fn delete(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        self.start_delete(cx, op, key);
    }

    fn search(&mut self, cx: &mut Cx<'_, Self>, op: OpId, query: &Query) {
        self.start_search(cx, op, query);
    }

    /// The index but for this peer's own items, which nobody asks it for.
    fn footprint(&self) -> Footprint {
        let own = if self.is_in() { self.items.len() } else { 0 };
        Footprint {
            routing_entries: self.neighbours.len() as u64,
            index_entries: self.replica.records().saturating_sub(own) as u64,
            bytes: (self.replica.bytes() + self.neighbours.bytes()) as u64,
        }
    }

    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        self.neighbours.iter().for_each(visit);
    }

    fn search_power(_: &Config) -> SearchPower {
        SearchPower { exact: true, keywords: true }
    }

    fn blueprint(config: &Config, census: Census, rng: &mut Rng) -> Option<Blueprint> {
        let n = census.peers.len();
        if n > config.max_peers as usize {
            return None;
        }
        let mut items: BTreeMap<Addr, Vec<Arc<Item>>> =
            census.peers.iter().map(|peer| (peer.addr, Vec::new())).collect();
        for holding in census.holdings {
            if let Some(list) = items.get_mut(&holding.provider)
                && list.len() < config.max_items as usize
                && list.last().is_none_or(|last| last.key() != holding.item.key())
            {
                list.push(holding.item);
            }
        }
        let members: Vec<Addr> = items.keys().copied().collect();
        let mut asked = Vec::with_capacity(n * usize::from(config.links));
        for &addr in &members {
            for _ in 0..config.links {
                let to = members[rng.random_range(0..n)];
                if to != addr {
                    asked.push((addr, to));
                }
            }
        }
        asked.sort_unstable();
        asked.dedup();
        let mut asked_by: Vec<(Addr, Addr)> = asked.iter().map(|&(a, b)| (b, a)).collect();
        asked_by.sort_unstable();
        Some(Blueprint { base: Arc::new(Base::new(&items)), asked, asked_by })
    }

    fn settle(&mut self, cx: &mut Cx<'_, Self>, blueprint: &Blueprint) {
        self.take_place(cx, blueprint);
    }

    fn audit(nodes: &[(Addr, &Self)]) -> Vec<String> {
        audit::audit(nodes)
    }
}
