//! BitTorrent: how one finds a torrent and the peers that have it.
//!
//! Fetching is what BitTorrent does well, finding is left to others. A torrent
//! is found on an index site, out of band. Its peers are found through a
//! tracker, which knows everyone in the torrent's swarm and tells whoever
//! announces itself of some of them at random; through the Mainline DHT, where
//! no server is needed but to get in; and through peers, who tell each other
//! whom they are connected to (PEX).
//!
//! After BEP 3, 5, 6, 9, 10, 11, 12, 23 and 48. Where we differ:
//!
//! * Catalogues hold no contents, so the info-hash is the key of an item, SHA-1
//!   of its name, where BEP 3 has SHA-1 of the info dictionary. Name and size
//!   are the metadata that BEP 9 fetches, and the name proves itself.
//! * A search ends when it has found peers: it announces itself as a leecher,
//!   shakes hands with peers until enough have shown that they have all, and
//!   announces that it stopped. Who wants the file stays instead.
//! * Everyone who shares is a seed. Real seeds hang up on each other; here they
//!   stay connected, as the swarm of those who have it.
//! * Two peers share one stream for all their torrents, so messages after the
//!   handshake name their torrent and a word, not the end of the stream, ends
//!   the connection for one of them. The extension handshake, which would
//!   assign numbers that are the same everywhere here, is left out, and so are
//!   keep-alives: a stream tells when it breaks.
//! * Who is behind a firewall is reached as if by hole punching (BEP 55).

mod announce;
mod audit;
mod blueprint;
mod client;
mod config;
mod dht;
mod http;
mod index;
mod index_wire;
mod inquiry;
mod magnet;
mod message;
mod peer_wire;
mod sample;
mod search;
mod swarm;
#[cfg(test)]
mod tests;
mod text;
mod torrent;
mod tracker;
mod tracker_wire;

use std::sync::Arc;

pub use blueprint::Blueprint;
pub use config::{Config, Discovery, Exact, Tiers};
pub use magnet::Magnet;
pub use message::{Announce, Counts, Event, Message, Peers, Pex, Refusal};

use client::Client;
use dht::{Dht, DhtTimer};
use index::IndexSite;
use tracker::Tracker;

use crate::seam::{
    About, Addr, Census, Cx, Footprint, Growth, Item, Key, Machine, OpId, Outcome, Overlay,
    Profile, Query, Rng, Role, SearchPower, Theory, Transport,
};

type Context<'a> = Cx<'a, BitTorrent>;

/// A node of a BitTorrent network.
///
/// Boxed, since a network has few servers to many clients.
#[derive(Debug)]
pub enum BitTorrent {
    /// The index site or a tracker.
    Server(Box<Server>),
    /// A user's client.
    Client(Box<Client>),
}

/// A server. Which kind it is depends on how many came before it: first the
/// index site, then the trackers, then the router of the DHT.
#[derive(Debug)]
pub enum Server {
    /// Not serving.
    Idle(Arc<Config>, Profile),
    /// The index site.
    Index(IndexSite),
    /// A tracker.
    Tracker(Tracker),
    /// A node of the DHT that is always there, through which others enter it.
    Router(Box<Dht>),
}

/// What a node wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Client: this reply is overdue.
    Reply(u32),
    /// Client: this search has had its time.
    Search(u32),
    /// Client: the peers that this search has called should have answered.
    Calls(u32),
    /// Client: the round of every minute.
    Round,
    /// Index site: time to ask trackers for the size of swarms.
    Scrape,
    /// Tracker: time to forget who fell silent.
    Expire,
    /// A timer of the DHT node.
    Dht(DhtTimer),
}

/// The identity that the client at `addr` takes in the handshake and in
/// announces: client and version as BEP 20 writes them, then twelve bytes of
/// its own.
fn peer_id(addr: Addr) -> Key {
    let mut bytes = addr.key().to_bytes();
    bytes[..8].copy_from_slice(b"-OL0001-");
    Key::from_bytes(bytes)
}

impl Server {
    /// Which server comes after `before` others.
    fn new(config: &Arc<Config>, profile: &Profile, before: usize) -> Self {
        if before == 0 {
            Self::Index(IndexSite::new(config))
        } else if before <= config.tracker_count() {
            Self::Tracker(Tracker::new(config))
        } else {
            Self::Router(Box::new(Dht::new(profile)))
        }
    }

    /// Starts serving. `before` servers were there already.
    fn start(&mut self, cx: &mut Context<'_>, before: usize) {
        let Self::Idle(config, profile) = self else { return };
        let (config, profile) = (Arc::clone(config), *profile);
        *self = Self::new(&config, &profile, before);
        if let Self::Router(dht) = self {
            dht.join(cx, &[]);
        }
        self.start_upkeep(cx);
    }

    /// Stops serving, and forgets everything.
    fn stop(&mut self, me: Addr) {
        let config = match self {
            Self::Index(index) => index.config(),
            Self::Tracker(tracker) => tracker.config(),
            // The router leaves as every node of the DHT does.
            Self::Router(dht) => return dht.leave(),
            Self::Idle(..) => return,
        };
        *self = Self::Idle(config, Profile::server(me));
    }

    fn start_upkeep(&self, cx: &mut Context<'_>) {
        match self {
            Self::Index(index) => index.start(cx),
            Self::Tracker(tracker) => tracker.start(cx),
            Self::Idle(..) | Self::Router(_) => {}
        }
    }

    fn settle(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint, place: usize) {
        let Self::Idle(config, profile) = self else { return };
        let (config, profile) = (Arc::clone(config), *profile);
        *self = Self::new(&config, &profile, place);
        match self {
            Self::Index(index) => index.settle(blueprint),
            Self::Tracker(tracker) => tracker.settle(cx, &config, blueprint),
            Self::Router(dht) => {
                if let Some(plan) = blueprint.dht() {
                    dht.settle(cx, plan);
                }
            }
            Self::Idle(..) => {}
        }
        self.start_upkeep(cx);
    }

    fn on_message(&mut self, cx: &mut Context<'_>, from: Addr, message: Message) {
        match self {
            Self::Index(index) => index.on_message(cx, from, message),
            Self::Tracker(tracker) => tracker.on_message(cx, from, message),
            Self::Router(dht) => match message {
                // Nobody waits for what the router does.
                Message::Dht(message) => _ = dht.on_message(cx, from, *message),
                _ => cx.close(from),
            },
            Self::Idle(..) => cx.close(from),
        }
    }

    fn on_timer(&mut self, cx: &mut Context<'_>, timer: Timer) {
        match (self, timer) {
            (Self::Index(index), Timer::Scrape) => index.on_scrape(cx),
            (Self::Tracker(tracker), Timer::Expire) => tracker.on_expire(cx),
            (Self::Router(dht), Timer::Dht(timer)) => _ = dht.on_timer(cx, timer),
            _ => {}
        }
    }

    fn footprint(&self) -> Footprint {
        match self {
            Self::Index(index) => index.footprint(),
            Self::Tracker(tracker) => tracker.footprint(),
            Self::Router(dht) => dht.footprint(),
            Self::Idle(..) => Footprint::default(),
        }
    }

    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        match self {
            Self::Tracker(tracker) => tracker.neighbours(visit),
            Self::Router(dht) => dht.neighbours(visit),
            Self::Index(_) | Self::Idle(..) => {}
        }
    }
}

impl Machine for BitTorrent {
    type Message = Message;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, message: Message) {
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
        // A server keeps nothing of a stream: a tracker's peers are its until
        // they stop or fall silent.
        if let Self::Client(client) = self {
            client.on_lost(cx, peer);
        }
    }

    fn transport(message: &Message) -> Transport {
        match message {
            Message::Dht(_) => Transport::Datagram,
            _ => Transport::Stream,
        }
    }
}

impl Overlay for BitTorrent {
    const ABOUT: About = About {
        name: "bittorrent",
        title: "BitTorrent",
        source: "Cohen, BEP 3, 2001-2008 (trackers), with BEP 9, 11, 12, 23, 48",
        idea: "An index site names torrents, and a tracker tells each torrent's peers of each other.",
        theory: Theory {
            search_latency: Growth::Constant,
            search_messages: Growth::Constant,
            update_messages: Growth::Constant,
            storage_max: Growth::Linear,
            storage_mean: Growth::Constant,
        },
        caveat: "A tracker tells of at most 50 peers at a time, so a search for more is not answered in full. A search by words costs more the more torrents and peers it finds, up to its limit. A peer's connections grow with its swarms until they are as many as it wants.",
    };

    /// BEP 55, taken for granted.
    const PUNCHES_HOLES: bool = true;

    type Config = Config;
    type Blueprint = Blueprint;

    fn new(config: &Arc<Config>, profile: &Profile) -> Self {
        match profile.role {
            Role::Server => Self::Server(Box::new(Server::Idle(Arc::clone(config), *profile))),
            Role::Peer => Self::Client(Box::new(Client::new(config, profile))),
        }
    }

    fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: &[Addr]) {
        match self {
            Self::Server(server) => {
                let me = cx.me();
                server.start(cx, via.iter().take_while(|&&other| other != me).count());
                cx.finish(op, Outcome::Done);
            }
            Self::Client(client) => client.join(cx, op, via),
        }
    }

    fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        match self {
            Self::Server(server) => {
                server.stop(cx.me());
                cx.finish(op, Outcome::Done);
            }
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
            Self::Client(client) => client.neighbours(visit),
        }
    }

    fn search_power(_: &Config) -> SearchPower {
        SearchPower { exact: true, keywords: true }
    }

    fn servers(config: &Config) -> u32 {
        1 + config.tracker_count() as u32 + u32::from(config.has_dht())
    }

    fn server_kind(config: &Config, place: u32) -> &'static str {
        match place as usize {
            0 => "index",
            place if place <= config.tracker_count() => "tracker",
            _ => "router",
        }
    }

    fn blueprint(config: &Config, census: Census, rng: &mut Rng) -> Option<Blueprint> {
        let complete = census.servers.len() == Self::servers(config) as usize;
        complete.then(|| Blueprint::new(config, census, rng))
    }

    fn settle(&mut self, cx: &mut Cx<'_, Self>, blueprint: &Blueprint) {
        match self {
            Self::Server(server) => {
                if let Some(place) = blueprint.place_of_server(cx.me()) {
                    server.settle(cx, blueprint, place);
                }
            }
            Self::Client(client) => client.settle(cx, blueprint),
        }
    }

    fn audit(nodes: &[(Addr, &Self)]) -> Vec<String> {
        audit::audit(nodes)
    }
}
