//! FastTrack: supernodes, each a small Napster for the nodes around it.
//!
//! The network of Kazaa, Grokster and Morpheus (2001). An ordinary node gets a
//! list of supernodes from a list server, probes five of them and uploads the
//! list of its files to the nearest. The supernode answers searches from its
//! index; when that is not enough it asks some of the supernodes linked to it,
//! then more of them, stage by stage. Capable ordinary nodes become supernodes
//! when there are too few.
//!
//! After the giFT-FastTrack description (2004) of the link between node and
//! supernode and the measurements of Liang, Kumar and Ross ("Understanding
//! KaZaA", 2004). Where we differ:
//!
//! * The link between supernodes and the list server's protocol were never
//!   published; those here are our own, over the same framing.
//! * A stream between node and supernode begins as FastTrack's does, with seeds
//!   and enciphered names, but packets are not run through the cipher: messages
//!   are encoded one by one here. It would change no length. For the same reason
//!   the bytes of a packet's header are always in the order that a connection
//!   begins with.
//! * A word of a query must be a whole word of the name, as everywhere in this
//!   lab, and a search can ask for a key, which stands where FastTrack has a
//!   hash of the content.
//! * Who is promoted, when, and who retires is known only in outline: capacity,
//!   uptime and reachability count. The rules here are the simplest that do.
//! * Supernodes ask each other directly and go on to those that they only know
//!   of; measurements saw the query flooded a few hops as well.

mod audit;
mod blueprint;
mod cipher;
mod codec;
mod config;
mod election;
mod greeting;
mod growth;
mod homing;
mod links;
mod list_server;
mod message;
mod peer;
mod queries;
mod searches;
mod supernode;
#[cfg(test)]
mod tests;
mod uuhash;

use std::sync::Arc;

use rand::RngExt as _;

pub use blueprint::{Blueprint, Place};
pub use cipher::Cipher;
pub use config::Config;
pub use greeting::Seed;
pub use list_server::ListServer;
pub use message::{
    Bandwidth, Callback, Listing, MAX_LIST, MAX_RESULTS, Message, NodeEntry, NodeList, Results,
};
pub use peer::Peer;
pub use uuhash::{UuHash, covered};

use crate::seam::{
    About, Addr, Cause, Census, Cx, Footprint, Growth, Item, Key, Machine, OpId, Outcome, Overlay,
    Profile, Query, Rng, Role, SearchPower, Span, Theory, Transport,
};

/// A node of a FastTrack network.
#[derive(Debug)]
pub enum FastTrack {
    /// A list server.
    Server(Box<ListServer>),
    /// A user's node, ordinary or supernode.
    Peer(Box<Peer>),
}

/// What a node wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// This step on the way to a supernode is overdue, or shall begin.
    Homing(u32),
    /// The end of the search with this number is overdue.
    Search(u16),
    /// The calls of the search with this number have had their time.
    Calls(u16),
    /// Supernode: the answers of this search's stage are overdue.
    Stage(u16, u16),
    /// Supernode and list server: time for upkeep.
    Upkeep,
}

/// Asks for a timer that matters only if an answer stays away. It belongs to
/// no operation, or hosts would keep the books of every answered one open until
/// it is due; whoever it wakes restores the cause.
fn watch(cx: &mut Cx<'_, FastTrack>, after: Span, timer: Timer) {
    cx.on_behalf_of(Cause::UPKEEP).wake(after, timer);
}

/// A period give or take a tenth, so that not everybody acts at once.
fn jittered(cx: &mut Cx<'_, FastTrack>, period: Span) -> Span {
    let tenth_us = period.as_us() / 10;
    let us = period.as_us() - tenth_us + cx.rng().random_range(0..=2 * tenth_us);
    Span::from_us(us.max(1))
}

impl FastTrack {
    /// Whether it is a supernode.
    pub fn is_supernode(&self) -> bool {
        matches!(self, Self::Peer(peer) if peer.is_supernode())
    }

    /// The supernode that it is an ordinary node of.
    pub fn home(&self) -> Option<Addr> {
        match self {
            Self::Server(_) => None,
            Self::Peer(peer) => peer.home,
        }
    }

    /// How many ordinary nodes it has.
    pub fn children(&self) -> usize {
        match self {
            Self::Server(_) => 0,
            Self::Peer(peer) => peer.supernode.as_ref().map_or(0, |s| s.children().count()),
        }
    }
}

impl Machine for FastTrack {
    type Message = Message;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, message: Message) {
        match self {
            Self::Server(server) => server.on_message(cx, from, &message),
            Self::Peer(peer) => peer.on_message(cx, from, message),
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: Timer) {
        match self {
            Self::Server(server) => server.on_timer(cx, timer),
            Self::Peer(peer) => peer.on_timer(cx, timer),
        }
    }

    fn on_lost(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        match self {
            Self::Server(server) => server.on_lost(cx, peer),
            Self::Peer(node) => node.on_lost(cx, peer),
        }
    }

    fn transport(message: &Message) -> Transport {
        match message {
            Message::Ping { .. } | Message::Pong { .. } | Message::Refusal { .. } => {
                Transport::Datagram
            }
            _ => Transport::Stream,
        }
    }
}

impl Overlay for FastTrack {
    const ABOUT: About = About {
        name: "fasttrack",
        title: "FastTrack",
        source: "giFT-FastTrack PROTOCOL, 2004; Liang, Kumar, Ross, Understanding KaZaA, 2004",
        idea: "Supernodes index the files of the nodes around them and ask each other, stage by stage.",
        theory: Theory {
            search_latency: Growth::LogSuperPeers,
            search_messages: Growth::SuperPeers,
            update_messages: Growth::Constant,
            storage_max: Growth::PerSuperPeer,
            storage_mean: Growth::Constant,
        },
        caveat: "C grows with n here, since supernodes split when they are full, so n/C stays within its bounds. \
                 A search stops at x matches or `reach` supernodes, so only rare items cost C messages. \
                 Latency counts stages, and log2(C/6 + 1) of them reach everybody: up to seven supernodes one does, \
                 so hops stay near 1 up to 512 peers and rise only then (1.6 at 4,096, 3.1 at 65,536), \
                 which looks like a root of n within the fitted range. \
                 The fullest of C supernodes is the one whose nodes share most, and a few peers share very much: \
                 it grows with C although the average does not.",
    };

    type Config = Config;
    type Blueprint = Blueprint;

    fn new(config: &Arc<Config>, profile: &Profile) -> Self {
        match profile.role {
            Role::Server => Self::Server(Box::new(ListServer::new(config))),
            Role::Peer => Self::Peer(Box::new(Peer::new(config, profile))),
        }
    }

    fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: &[Addr]) {
        match self {
            Self::Server(server) => server.join(cx, op),
            Self::Peer(peer) => peer.join(cx, op, via),
        }
    }

    fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        match self {
            Self::Server(server) => server.leave(cx, op),
            Self::Peer(peer) => peer.leave(cx, op),
        }
    }

    fn insert(&mut self, cx: &mut Cx<'_, Self>, op: OpId, item: &Arc<Item>) {
        match self {
            Self::Server(_) => cx.finish(op, Outcome::Unsupported),
            Self::Peer(peer) => peer.insert(cx, op, item),
        }
    }

    fn delete(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        match self {
            Self::Server(_) => cx.finish(op, Outcome::Unsupported),
            Self::Peer(peer) => peer.delete(cx, op, key),
        }
    }

    fn search(&mut self, cx: &mut Cx<'_, Self>, op: OpId, query: &Query) {
        match self {
            Self::Server(_) => cx.finish(op, Outcome::Unsupported),
            Self::Peer(peer) => peer.search(cx, op, query),
        }
    }

    fn footprint(&self) -> Footprint {
        match self {
            Self::Server(server) => server.footprint(),
            Self::Peer(peer) => peer.footprint(),
        }
    }

    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        match self {
            Self::Server(server) => server.neighbours(visit),
            Self::Peer(peer) => peer.neighbours(visit),
        }
    }

    fn search_power(_: &Config) -> SearchPower {
        SearchPower { exact: true, keywords: true }
    }

    fn servers(config: &Config) -> u32 {
        config.servers
    }

    fn blueprint(config: &Config, census: Census, rng: &mut Rng) -> Option<Blueprint> {
        Blueprint::draw(config, census, rng)
    }

    fn settle(&mut self, cx: &mut Cx<'_, Self>, blueprint: &Blueprint) {
        match self {
            Self::Server(server) => server.settle(cx, blueprint),
            Self::Peer(peer) => peer.settle(cx, blueprint),
        }
    }

    fn audit(nodes: &[(Addr, &Self)]) -> Vec<String> {
        audit::audit(nodes)
    }
}
