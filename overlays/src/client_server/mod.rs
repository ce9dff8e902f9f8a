//! Client-server storage: a directory server that holds the data too. The
//! baseline that peer-to-peer systems are measured against.
//!
//! Clients store their items with a server, which answers every search in one
//! round trip. With several servers there is still one conceptual server: the
//! one with the lowest address takes all writes and passes each on to the
//! others before it confirms it, and each client reads from a server of its
//! choice. When the primary dies the next address takes over and the clients
//! come to it; a server that comes back copies the store page by page and
//! then takes its place again.
//!
//! There is no paper to be faithful to: this is the row of the course's
//! comparison table, built as a textbook primary-backup system. What the lab's
//! own rules ask:
//!
//! * An item counts as shared as long as its peer is there, so the server
//!   drops a client's items when the client's stream breaks. A file server
//!   would keep them.
//! * A hit names the client that stored the item as its provider, since that
//!   is whom the lab checks; the data would come from the server.
//! * The items' contents are not sent in the simulator, only their names and
//!   sizes.

mod audit;
mod client;
mod config;
mod message;
mod replicas;
mod requests;
mod server;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use config::{Config, Reads};
pub use message::{Change, MAX_SERVERS, Message, PAGE_RECORDS, Page, Place};
pub use store::Store;

use client::Client;
use server::Server;

use crate::seam::{
    About, Addr, Cause, Census, Cx, Distances, Footprint, Growth, Item, Key, Machine, OpId,
    Outcome, Overlay, Profile, Query, Rng, Role, SearchPower, Span, Theory, Transport,
};

/// A node of a client-server network.
///
/// Boxed, since a network has one server to many clients.
#[derive(Debug)]
pub enum ClientServer {
    /// A server.
    Server(Box<Server>),
    /// A client.
    Client(Box<Client>),
}

/// What a node wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Client: the answer to this attempt to open a session is overdue.
    Open(u32),
    /// Client: time to look for a server again after this attempt.
    Reopen(u32),
    /// Client: the answer to the request with this tag is overdue.
    Reply(u32),
    /// Server: the servers that were called have had their time.
    Called,
    /// Server: time to call servers to which the link broke.
    Relink,
    /// Server: the replicas have had their time to confirm this change.
    Replicated(u32),
    /// Server: clients have had their time to come over.
    Grace,
}

/// A converged network: the servers, each client's items, and who is near.
#[derive(Debug)]
pub struct Blueprint {
    servers: Vec<Addr>,
    items: BTreeMap<Addr, Vec<Arc<Item>>>,
    distances: Distances,
}

/// Asks for a timer that matters only if an answer stays away. It belongs to
/// no operation, or hosts would keep the books of every answered one open
/// until it is due; whoever it wakes restores the cause.
fn guard(cx: &mut Cx<'_, ClientServer>, after: Span, timer: Timer) {
    cx.on_behalf_of(Cause::UPKEEP).wake(after, timer);
}

impl Machine for ClientServer {
    type Message = Message;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, message: Message) {
        match self {
            Self::Server(_) if matches!(message, Message::Ping { .. }) => {
                let Message::Ping { tag } = message else { return };
                cx.send(from, Message::Pong { tag });
            }
            Self::Server(server) => server.on_message(cx, from, message),
            Self::Client(client) => client.on_message(cx, from, message),
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: Timer) {
        match self {
            Self::Server(server) => server.on_timer(cx, timer),
            Self::Client(client) => client.on_timer(cx, timer),
        }
    }

    fn on_lost(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        match self {
            Self::Server(server) => server.on_lost(cx, peer),
            Self::Client(client) => client.on_lost(cx, peer),
        }
    }

    fn transport(message: &Message) -> Transport {
        match message {
            Message::Ping { .. } | Message::Pong { .. } => Transport::Datagram,
            _ => Transport::Stream,
        }
    }
}

impl Overlay for ClientServer {
    const ABOUT: About = About {
        name: "client-server",
        title: "Client-server",
        source: "the course's comparison table; primary-backup replication (Alsberg and Day, ICSE 1976)",
        idea: "A server stores everybody's items and answers every search.",
        theory: Theory {
            search_latency: Growth::Constant,
            search_messages: Growth::Constant,
            update_messages: Growth::Constant,
            storage_max: Growth::Linear,
            storage_mean: Growth::Constant,
        },
        caveat: "Every search and update is confirmed by one reply, which counts as a message; \
                 with s servers an update takes 2s messages.",
    };

    type Config = Config;
    type Blueprint = Blueprint;

    fn new(config: &Arc<Config>, profile: &Profile) -> Self {
        match profile.role {
            Role::Server => Self::Server(Box::new(Server::new(config))),
            Role::Peer => Self::Client(Box::new(Client::new(config))),
        }
    }

    fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: &[Addr]) {
        match self {
            Self::Server(server) => server.join(cx, op, via),
            Self::Client(client) => client.join(cx, op, via),
        }
    }

    fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        match self {
            Self::Server(server) => server.leave(cx, op),
            Self::Client(client) => client.leave(cx, op),
        }
    }

    fn insert(&mut self, cx: &mut Cx<'_, Self>, op: OpId, item: &Arc<Item>) {
        match self {
            Self::Server(_) => cx.finish(op, Outcome::Unsupported),
            Self::Client(client) => client.insert(cx, op, item),
        }
    }

    fn delete(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        match self {
            Self::Server(_) => cx.finish(op, Outcome::Unsupported),
            Self::Client(client) => client.delete(cx, op, key),
        }
    }

    fn search(&mut self, cx: &mut Cx<'_, Self>, op: OpId, query: &Query) {
        match self {
            Self::Server(_) => cx.finish(op, Outcome::Unsupported),
            Self::Client(client) => client.search(cx, op, query),
        }
    }

    fn footprint(&self) -> Footprint {
        match self {
            Self::Server(server) => server.footprint(),
            Self::Client(client) => client.footprint(),
        }
    }

    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        match self {
            Self::Server(server) => server.neighbours(visit),
            Self::Client(client) => {
                client.primary().into_iter().chain(client.reader()).for_each(visit);
            }
        }
    }

    fn search_power(_: &Config) -> SearchPower {
        SearchPower { exact: true, keywords: true }
    }

    fn servers(config: &Config) -> u32 {
        config.servers
    }

    fn blueprint(config: &Config, census: Census, _: &mut Rng) -> Option<Blueprint> {
        if census.servers.is_empty() || census.peers.len() > config.max_clients as usize {
            return None;
        }
        let mut items: BTreeMap<_, _> =
            census.peers.iter().map(|peer| (peer.addr, Vec::new())).collect();
        for holding in census.holdings {
            if let Some(list) = items.get_mut(&holding.provider)
                && list.len() < config.max_items as usize
            {
                list.push(holding.item);
            }
        }
        Some(Blueprint { servers: census.servers, items, distances: census.distances })
    }

    fn settle(&mut self, cx: &mut Cx<'_, Self>, blueprint: &Blueprint) {
        match self {
            Self::Server(server) => server.settle(cx, blueprint),
            Self::Client(client) => client.settle(cx, blueprint),
        }
    }

    fn audit(nodes: &[(Addr, &Self)]) -> Vec<String> {
        audit::audit(nodes)
    }
}
