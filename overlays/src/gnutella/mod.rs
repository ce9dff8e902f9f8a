//! Gnutella 0.4: a flat network of equal servents that search by flooding.
//!
//! A servent keeps a few permanent peers, finds more through Ping and Pong,
//! and passes every Query on until its TTL is used up; answers go back the way
//! the query came. After the Gnutella protocol specification 0.4 (Clip2), with
//! pong caching, Bye and the marked GUIDs of its successor, and with the
//! searches of Lv, Cao, Cohen, Li and Shenker (ICS 2002): expanding ring and
//! random walkers.
//!
//! # Where this goes beyond the specification or departs from it
//!
//! * The handshake is Connect, Accept or Refuse in a small framing of our own
//!   (see [`codec`]); a refusal names hosts to try, as 0.6 does.
//! * 0.4 says nothing on how a full network takes newcomers in. Here a full
//!   servent gives up one permanent peer for a newcomer that lacks two or
//!   more, and tells that peer of the newcomer (`make_room`); so degrees stay
//!   near C as the network grows. Without it newcomers in a full network find
//!   no one. A servent that accepts nobody does not answer pings with its own
//!   address.
//! * A servent tries now and then to reach peers whose link broke, though it
//!   lacks none, and one that comes back gets its place back.
//! * Exact queries travel in the extension block of a Query, and so does the
//!   mark of a walker.
//! * Walkers check back with their originator over a stream of their own. A
//!   firewalled originator cannot be asked, so its walkers go on until their
//!   TTL is used up.
//! * A firewalled servent does not answer Connect but closes the stream; it
//!   has only the permanent peers that it dialled itself.
//! * A search looks at the searcher's own files first.
//! * Routes for Push are remembered only for hits that ask for one.
//! * A route through a lost link is forgotten by being useless: descriptors
//!   are sent to present permanent peers only.

pub mod arithmetic;
mod blueprint;
pub mod codec;
mod config;
mod copying;
mod links;
mod message;
mod pings;
mod push;
mod queries;
mod search;
mod walks;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use blueprint::Blueprint;
pub use config::{Config, Strategy, Topology};

pub use crate::parts::servent::{
    ByeBody, Guid, HitBody, MAX_TRY, PongHost, PushBody, Record, Replication, Way,
};
use crate::parts::servent::{Copies, HostCache, Load, LostPeers, Routes, Shares};
pub use message::{Message, WalkBody};

use links::{Dial, Link, State};

use rand::Rng as _;

use search::Search;

use walks::Parked;

use crate::seam::{
    About, Addr, Census, Cx, Footprint, Growth, Item, Key, Machine, OpId, Outcome, Overlay,
    Profile, Query, Reason, Rng, SearchPower, Span, Theory, Transport,
};

/// What a servent wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// A dialled host had its time to accept.
    Dial(Addr),
    /// Enough pongs were awaited: choose permanent peers among their senders.
    Choose,
    /// The periodic pings are due.
    Upkeep,
    /// A search had its time, or one ring of it.
    Search {
        /// Which ring; 0 for the others.
        round: u16,
        /// Which search.
        op: OpId,
    },
}

/// A Gnutella servent.
#[derive(Debug)]
pub struct Gnutella {
    config: Arc<Config>,
    me: Addr,
    servent: Guid,
    firewalled: bool,
    upload_kbps: u32,
    state: State,
    /// Permanent peers.
    links: Vec<Link>,
    /// Hosts dialled that have not answered.
    dials: Vec<Dial>,
    /// Hosts that may still be dialled before the next upkeep.
    dials_left: u32,
    /// Whom the user named; tried again whenever the servent stands alone.
    contacts: Vec<Addr>,
    hosts: HostCache,
    /// Peers whose link broke.
    lost: LostPeers,
    shares: Shares,
    load: Load,
    /// Pings seen, and the way back for their pongs.
    pings: Routes,
    /// Queries seen, and the way back for their hits.
    queries: Routes,
    /// Servents behind firewalls, and the way of their hits.
    servents: Routes,
    searches: Vec<Search>,
    parked: Vec<Parked>,
    copies: Copies,
}

impl Machine for Gnutella {
    type Message = Message;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, message: Message) {
        match message {
            Message::Query { guid, way, min_speed_kbps, target } => {
                self.on_query(cx, from, guid, way, min_speed_kbps, target);
            }
            Message::QueryHit { guid, way, body } => self.on_hit(cx, from, guid, way, body),
            Message::Walk { guid, way, min_speed_kbps, body } => {
                self.on_walk(cx, from, guid, way, min_speed_kbps, body);
            }
            Message::Ping { guid, way } => self.on_ping(cx, from, guid, way),
            Message::Pong { guid, way, host } => self.on_pong(cx, from, guid, way, host),
            Message::Push { guid, way, body } => self.on_push(cx, from, guid, way, body),
            Message::Giv { servent, .. } => self.on_giv(cx, from, servent),
            Message::Check { guid } => self.on_check(cx, from, guid),
            Message::Verdict { guid, walk_on } => self.on_verdict(cx, from, guid, walk_on),
            Message::Connect { links } => self.on_connect(cx, from, links),
            Message::Accept { .. } => self.on_accept(cx, from),
            Message::Refuse { hosts, .. } => self.on_refuse(cx, from, &hosts),
            Message::Copy { guid, way, body } => self.on_copy(cx, from, guid, way, body),
            Message::Bye { body, .. } => self.on_bye(cx, from, &body),
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: Timer) {
        match timer {
            Timer::Dial(peer) => self.on_dial_timeout(cx, peer),
            Timer::Choose => self.choose(cx),
            Timer::Upkeep => self.on_upkeep(cx),
            Timer::Search { round, op } => self.on_search_timer(cx, op, round),
        }
    }

    fn on_lost(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        self.on_stream_lost(cx, peer);
    }

    fn transport(_: &Message) -> Transport {
        Transport::Stream
    }
}

impl Overlay for Gnutella {
    const ABOUT: About = About {
        name: "gnutella",
        title: "Gnutella 0.4",
        source: "Clip2, The Gnutella Protocol Specification v0.4, 2001",
        idea: "Every query is flooded to the neighbours of neighbours until its TTL is used up; \
               hits return on the path by which it came.",
        theory: Theory {
            search_latency: Growth::Log,
            search_messages: Growth::Linear,
            update_messages: Growth::Constant,
            storage_max: Growth::Constant,
            storage_mean: Growth::Constant,
        },
        caveat: "The TTL bounds a flood: once the network outgrows its horizon (about 1,000 servents with degree 4 and TTL 7), messages grow more slowly than n, and searches no longer reach everyone.",
    };

    type Config = Config;
    type Blueprint = Blueprint;

    fn new(config: &Arc<Config>, profile: &Profile) -> Self {
        let routes = || Routes::new(config.route_capacity as usize, config.route_lifetime);
        Self {
            config: config.clone(),
            me: profile.addr,
            servent: Guid::of_servent(profile.id),
            firewalled: profile.firewalled,
            upload_kbps: u32::try_from(profile.upload_bps / 1000).unwrap_or(u32::MAX),
            state: State::Outside,
            links: Vec::new(),
            dials: Vec::new(),
            dials_left: 0,
            contacts: Vec::new(),
            hosts: HostCache::new(config.host_cache as usize),
            lost: LostPeers::new(config.lost_peers as usize),
            shares: Shares::default(),
            load: Load::default(),
            pings: routes(),
            queries: routes(),
            servents: routes(),
            searches: Vec::new(),
            parked: Vec::new(),
            copies: Copies::new(config.copies as usize, config.copy_lifetime),
        }
    }

    fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: &[Addr]) {
        self.enter(cx, op, via);
    }

    fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        self.quit(cx);
        cx.finish(op, Outcome::Done);
    }

    fn insert(&mut self, cx: &mut Cx<'_, Self>, op: OpId, item: &Arc<Item>) {
        // A NUL ends a name on the wire, so such a name cannot be told.
        if item.name().contains('\0') {
            cx.finish(op, Outcome::Failed(Reason::Refused));
            return;
        }
        self.shares.insert(item.clone());
        cx.finish(op, Outcome::Done);
    }

    fn delete(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        let shared = self.shares.remove(key);
        cx.finish(op, if shared { Outcome::Done } else { Outcome::NotFound });
    }

    fn search(&mut self, cx: &mut Cx<'_, Self>, op: OpId, query: &Query) {
        self.start_search(cx, op, query);
    }

    fn footprint(&self) -> Footprint {
        let linked = self.links.iter().map(|l| l.peer);
        let routing_entries = self.hosts.count_with(linked.chain(self.lost.addrs())) as u64;
        let bytes = size_of::<Self>()
            + self.links.capacity() * size_of::<Link>()
            + self.hosts.bytes()
            + self.lost.bytes()
            + self.shares.memory_bytes()
            + self.pings.bytes()
            + self.queries.bytes()
            + self.servents.bytes()
            + self.copies.bytes()
            + self.parked.capacity() * size_of::<Parked>();
        // Its own items are no index; copies are all that it has of others'.
        let index_entries = self.copies.count() as u64;
        Footprint { routing_entries, index_entries, bytes: bytes as u64 }
    }

    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        self.links.iter().for_each(|l| visit(l.peer));
    }

    fn search_power(_: &Config) -> SearchPower {
        SearchPower { exact: true, keywords: true }
    }

    fn blueprint(config: &Config, census: Census, rng: &mut Rng) -> Option<Blueprint> {
        Some(Blueprint::new(config, census, rng))
    }

    fn settle(&mut self, cx: &mut Cx<'_, Self>, blueprint: &Blueprint) {
        self.take_place(cx, blueprint);
    }

    fn audit(nodes: &[(Addr, &Self)]) -> Vec<String> {
        blueprint::audit(nodes)
    }
}

impl Gnutella {
    /// The items of which it keeps copies.
    pub fn copied(&self) -> impl Iterator<Item = &Arc<Item>> {
        self.copies.items()
    }

    /// Draws the secrets of the tables and starts the periodic pings at a
    /// random moment, so that servents that start together do not ping together.
    fn start_upkeep(&mut self, cx: &mut Cx<'_, Self>) {
        for table in [&mut self.pings, &mut self.queries, &mut self.servents] {
            table.reset(cx.rng().next_u64());
        }
        self.dials_left = self.config.dials_per_interval;
        let interval = self.config.ping_interval.as_us();
        let first = cx.rng().next_u64() % interval.max(1);
        cx.wake_upkeep(Span::from_us(first), Timer::Upkeep);
    }
}
