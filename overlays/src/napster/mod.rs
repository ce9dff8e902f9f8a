//! Napster: a central index, and files straight from peer to peer.
//!
//! Clients log in to a server and push the list of their files; the server
//! answers searches from its index; the client picks the best of the answers
//! by measured round trip. Perfect knowledge at two messages a search, and one
//! place to bring down.
//!
//! After the OpenNap protocol (drscholl, `napster.txt`, 2000) with the limits
//! of the OpenNap server. Where we differ:
//!
//! * A word of a query must be a whole word of the name, as everywhere in this
//!   lab; OpenNap also takes parts of words once a whole one led to the file.
//! * A search can ask for a key instead of words, and carries a tag that comes
//!   back in the answers, so that searches may overlap. OpenNap knows files
//!   only by name and matches answers to requests by their order.
//! * Clients ping providers directly, at most `ping_best` of them. The first
//!   clients used ICMP echo, which takes the same way.
//! * There are no passwords: a user is who logged in first. A second login of
//!   the same user from elsewhere is refused, as by OpenNap unless it is told
//!   otherwise; one from the same address replaces the first.
//! * Linked servers form a full mesh and forward a search one step; OpenNap's
//!   form a tree.

mod audit;
mod client;
mod config;
mod mesh;
mod message;
mod searches;
mod server;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use config::Config;
pub use message::{Complaint, LineSpeed, Listing, MAX_SERVERS, Message, Nick};

use client::Client;
use server::Server;

pub use crate::parts::Index;
use crate::seam::{
    About, Addr, Cause, Census, Cx, Footprint, Growth, Item, Key, Machine, OpId, Outcome, Overlay,
    Profile, Query, Rng, Role, SearchPower, Span, Theory, Transport,
};

/// A node of a Napster network.
///
/// Boxed, since a network has one server to many clients.
#[derive(Debug)]
pub enum Napster {
    /// An index server.
    Server(Box<Server>),
    /// A user's client.
    Client(Box<Client>),
}

/// What a node wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Client: the answer to this login attempt is overdue.
    Login(u32),
    /// Client: time to log in again after this attempt.
    Relogin(u32),
    /// Client: the end of the search with this tag is overdue.
    Search(u32),
    /// Client: the pings of the search with this tag have had their time.
    Pings(u32),
    /// Server: other servers' results for this search are overdue.
    Merge(u32),
    /// Server: time to call servers to which the link broke.
    Relink,
}

/// A converged network: the servers, and each peer's files.
#[derive(Debug)]
pub struct Blueprint {
    servers: Vec<Addr>,
    shares: BTreeMap<Addr, Vec<Arc<Item>>>,
}

/// Where in a list of `servers` servers the user at `user` starts: spreads the
/// users over them.
fn home_server(user: Addr, servers: usize) -> usize {
    (user.key().prefix64() % servers.max(1) as u64) as usize
}

/// Asks for a timer that matters only if an answer stays away for minutes. It
/// belongs to no operation, or hosts would keep the books of every answered
/// one open until it is due; whoever it wakes restores the cause.
fn watch(cx: &mut Cx<'_, Napster>, after: Span, timer: Timer) {
    cx.on_behalf_of(Cause::UPKEEP).wake(after, timer);
}

impl Machine for Napster {
    type Message = Message;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, message: Message) {
        if let Message::Ping { tag } = message {
            // As an ICMP echo, it is answered whatever the state of the node.
            return cx.send(from, Message::Pong { tag });
        }
        match self {
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

impl Overlay for Napster {
    const ABOUT: About = About {
        name: "napster",
        title: "Napster",
        source: "drscholl, napster.txt (OpenNap), 2000",
        idea: "A central server indexes everybody's files and answers every search.",
        theory: Theory {
            search_latency: Growth::Constant,
            search_messages: Growth::Constant,
            update_messages: Growth::Constant,
            storage_max: Growth::Linear,
            storage_mean: Growth::Constant,
        },
        caveat: "A server that reaches its limits on users or files refuses more; the table is for one below them.",
    };

    type Config = Config;
    type Blueprint = Blueprint;

    fn new(config: &Arc<Config>, profile: &Profile) -> Self {
        match profile.role {
            Role::Server => Self::Server(Box::new(Server::new(config))),
            Role::Peer => Self::Client(Box::new(Client::new(config, profile))),
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
            Self::Client(client) => client.server().into_iter().for_each(visit),
        }
    }

    fn search_power(_: &Config) -> SearchPower {
        SearchPower { exact: true, keywords: true }
    }

    fn servers(config: &Config) -> u32 {
        config.servers
    }

    fn blueprint(config: &Config, census: Census, _: &mut Rng) -> Option<Blueprint> {
        let room = census.servers.len() * config.max_users as usize;
        if census.servers.is_empty() || census.peers.len() > room {
            return None;
        }
        let mut shares: BTreeMap<_, _> =
            census.peers.iter().map(|peer| (peer.addr, Vec::new())).collect();
        for holding in census.holdings {
            if let Some(list) = shares.get_mut(&holding.provider)
                && list.len() < config.max_shared as usize
            {
                list.push(holding.item);
            }
        }
        Some(Blueprint { servers: census.servers, shares })
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
