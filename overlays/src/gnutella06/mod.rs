//! Gnutella 0.6: ultrapeers that flood for their leaves, and no further than
//! they must.
//!
//! Servents that can bear it become ultrapeers; the others are leaves of a
//! few of them and tell them by a QRP table which words they can be asked
//! for. An ultrapeer asks for its leaf: first its other leaves, then a few
//! ultrapeers as a probe, then one link after the other, each with the TTL
//! that the hits so far call for, until there are enough. After Klingberg and
//! Manfredi, Gnutella 0.6 (2002); Singla and Rohrs, Ultrapeers (2002); Rohrs,
//! Query Routing for the Gnutella Network (2002); Fisk, Gnutella Dynamic Query
//! Protocol (2003).
//!
//! # Where this goes beyond the specifications or departs from them
//!
//! * A servent that nobody took as a leaf for want of room becomes an
//!   ultrapeer whatever its uptime, if it is fit for one: the refusal says
//!   X-Ultrapeer-Needed. Without this a network could not grow faster than its
//!   members age.
//! * Leaves that lack links offer themselves by chance, the last leaf slots are
//!   kept for leaves that have no ultrapeer, and an ultrapeer with few leaves
//!   asks for guidance on links that stand, and steps down.
//! * The searches of a leaf that loses its last ultrapeer wait for the next.
//! * Ultrapeers try now and then to reach peers whose link broke, and tell
//!   their leaves of each other where there are few ultrapeers.
//! * A leaf without any ultrapeer that is asked to connect becomes one, and an
//!   ultrapeer that leaves names leaves to try where it knows of too few
//!   ultrapeers. So a network whose only ultrapeer goes finds together again.
//! * An ultrapeer tells its leaf when its dynamic query is over. Gnutella's
//!   leaves never know.
//! * Exact queries travel in the extension block of a Query, and stand in QRP
//!   tables as one word, as URNs do.
//! * Duplicates of a query are passed on when they may go farther than the
//!   first one (X-Ext-Probes), whoever sends them.
//! * GGEP, out-of-band hits and compressed connections are left out.

mod codec;
mod config;
mod copying;
mod dialling;
mod dynamic;
mod election;
mod handshake;
mod links;
mod message;
mod pings;
mod push;
pub mod qrp;
mod queries;
mod search;
mod settled;
mod tables;
mod web_cache;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rand::Rng as _;

pub use config::Config;
pub use handshake::Headers;
pub use message::{ENOUGH, Flags, Message};
pub use settled::Blueprint;
pub use web_cache::WebCache;

use crate::parts::servent::{Copies, Guid, HostCache, Load, LostPeers, Routes, Shares};
use crate::seam::{
    About, Addr, Census, Cx, Footprint, Growth, Item, Key, Machine, OpId, Outcome, Overlay,
    Profile, Query, Reason, Rng, Role, SearchPower, Span, Theory, Time, Transport,
};
use dialling::{Dial, Greeted};
use dynamic::DynamicQuery;
use links::{Link, State};
use qrp::Table;
use search::Search;

/// What a servent is to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// It leaves the searching to its ultrapeers.
    Leaf,
    /// It searches for its leaves and passes others' queries on.
    Ultrapeer,
}

/// What a servent wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// A dialled host had its time to answer.
    Dial(Addr),
    /// Enough pongs were awaited: dial more hosts.
    Choose,
    /// The periodic round is due.
    Upkeep,
    /// Changes of the merged table were gathered long enough.
    Tables,
    /// The dynamic query with this number has waited for hits.
    Step(u32),
    /// A search that nobody could be asked for may be asked anew.
    Ask(OpId),
    /// The search had its time.
    Timeout(OpId),
}

/// A servent of Gnutella 0.6, ultrapeer or leaf.
#[derive(Debug)]
pub struct Gnutella06 {
    config: Arc<Config>,
    me: Addr,
    servent: Guid,
    firewalled: bool,
    /// Whether its access link would do for an ultrapeer.
    capable: bool,
    upload_kbps: u32,
    state: State,
    rank: Rank,
    up_since: Time,
    links: Vec<Link>,
    /// Hosts dialled that have not answered.
    dials: Vec<Dial>,
    /// Hosts that dialled and were answered, but have not confirmed.
    greeted: Vec<Greeted>,
    /// Hosts that may still be dialled before the next round of upkeep.
    dials_left: u32,
    /// An ultrapeer that had no room for a leaf and said it needs more like it.
    needed_by: Option<Addr>,
    /// Whether a leaf that lacks links may still offer itself in this round.
    offer_due: bool,
    /// Before this an ultrapeer does not step down.
    stays_until: Time,
    /// The ultrapeer that one with few leaves asks for guidance.
    guide: Option<Addr>,
    /// Whether a member without links is to look again soon.
    looking: bool,
    /// How often it still does.
    looks_left: u32,
    /// Whom the user named; tried again whenever the servent stands alone.
    contacts: Vec<Addr>,
    hosts: HostCache,
    /// Peers whose link broke.
    lost: LostPeers,
    shares: Shares,
    load: Load,
    /// The pings it sent, and nothing else: nobody passes pings on.
    pings: Routes,
    /// Queries seen, the way back for their hits, and how far they could go.
    queries: Routes,
    /// Servents behind firewalls, and the way of their hits.
    servents: Routes,
    searches: Vec<Search>,
    dynamic: Vec<DynamicQuery>,
    copies: Copies,
    /// The number of the next dynamic query.
    next_number: u32,
    /// The table that was last sent: a leaf's own, an ultrapeer's merged.
    table: Arc<Table>,
    /// Whether a look at the merged table is due.
    table_due: bool,
    /// When to tell a web cache of itself again.
    next_update_at: Time,
    /// The web cache that was asked for hosts and has not answered.
    asked_cache: Option<Addr>,
    /// The web cache that this node is, if it is none of the servents.
    web_cache: Option<Box<WebCache>>,
}

impl Machine for Gnutella06 {
    type Message = Message;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, message: Message) {
        if let Some(web_cache) = &mut self.web_cache {
            if let Some(answer) = web_cache.answer(cx.now(), from, &message) {
                cx.send(from, answer);
            }
            return;
        }
        match message {
            Message::Query { guid, way, flags, target } => {
                self.on_query(cx, from, guid, way, flags, target);
            }
            Message::QueryHit { guid, way, body } => self.on_hit(cx, from, guid, way, body),
            Message::Ping { guid, way } => self.on_ping(cx, from, guid, way),
            Message::Pong { guid, way, host } => self.on_pong(cx, from, guid, way, host),
            Message::Push { guid, way, body } => self.on_push(cx, from, guid, way, body),
            Message::Giv { servent, .. } => self.on_giv(cx, from, servent),
            Message::Copy { guid, way, body } => self.on_copy(cx, from, guid, way, body),
            Message::Bye { body, .. } => self.on_bye(cx, from, &body),
            Message::Reset { size, .. } => self.on_reset(cx, from, size),
            Message::Patch { body } => self.on_patch(cx, from, &body),
            Message::Status { guid } => self.on_status(cx, from, guid),
            Message::Kept { guid, hits } => self.on_kept(cx, from, guid, hits),
            Message::Over { guid } => self.on_over(cx, from, guid),
            Message::Connect { headers } => self.on_connect(cx, from, &headers),
            Message::Answer { code, headers } => self.on_answer(cx, from, code, &headers),
            Message::Hosts { hosts } => self.on_cached_hosts(cx, from, &hosts),
            Message::Updated { .. } => self.on_cache_answer(cx, from),
            // A servent is no web cache.
            Message::HostFile | Message::Update { .. } => {}
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: Timer) {
        match timer {
            Timer::Dial(peer) => self.on_dial_timeout(cx, peer),
            Timer::Choose => self.choose(cx),
            Timer::Upkeep => self.on_upkeep(cx),
            Timer::Tables => self.on_tables_due(cx),
            Timer::Step(number) => self.on_step(cx, number),
            Timer::Ask(op) => self.ask_anew(cx, op),
            Timer::Timeout(op) => self.on_search_timeout(cx, op),
        }
    }

    fn on_lost(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        self.on_stream_lost(cx, peer);
    }

    fn transport(_: &Message) -> Transport {
        Transport::Stream
    }
}

impl Overlay for Gnutella06 {
    const ABOUT: About = About {
        name: "gnutella06",
        title: "Gnutella 0.6",
        source: "Klingberg and Manfredi, Gnutella 0.6, 2002; Singla and Rohrs, Ultrapeers, 2002; \
                 Rohrs, Query Routing, 2002; Fisk, Dynamic Query Protocol, 2003",
        idea: "Ultrapeers search for their leaves: they pass a query only where tables say that it \
               may match, and to one ultrapeer after the other until there are enough hits.",
        theory: Theory {
            search_latency: Growth::LogSuperPeers,
            search_messages: Growth::SuperPeers,
            update_messages: Growth::Constant,
            storage_max: Growth::PerSuperPeer,
            storage_mean: Growth::Constant,
        },
        caveat: "An ultrapeer takes a fixed number of leaves, so the number of ultrapeers C grows with n and n/C stays the same. A dynamic query stops when it has enough, so a search costs less than C messages for all but the rarest items. Hops grow as log C, from 1.3 at 64 peers to 2.4 at 4,096. Storage is links and a host cache of 50, which small networks cannot fill: on average 37 entries at 64 peers, 52 at 512, and 56 at 4,096, no more than 107 anywhere.",
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
            capable: election::is_capable(config, profile),
            upload_kbps: u32::try_from(profile.upload_bps / 1000).unwrap_or(u32::MAX),
            state: State::Outside,
            rank: Rank::Leaf,
            up_since: Time::ZERO,
            links: Vec::new(),
            dials: Vec::new(),
            greeted: Vec::new(),
            dials_left: 0,
            needed_by: None,
            offer_due: false,
            stays_until: Time::ZERO,
            guide: None,
            looking: false,
            looks_left: config.join_tries,
            contacts: Vec::new(),
            hosts: HostCache::new(config.host_cache as usize),
            lost: LostPeers::new(config.lost_peers as usize),
            shares: Shares::default(),
            load: Load::default(),
            pings: routes(),
            queries: routes(),
            servents: routes(),
            searches: Vec::new(),
            dynamic: Vec::new(),
            copies: Copies::new(config.copies as usize, config.copy_lifetime),
            next_number: 0,
            table: Arc::new(Table::empty(config.table_bits)),
            table_due: false,
            next_update_at: Time::ZERO,
            asked_cache: None,
            web_cache: (profile.role == Role::Server).then(|| Box::new(WebCache::new(config))),
        }
    }

    fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: &[Addr]) {
        if self.web_cache.is_some() {
            return cx.finish(op, Outcome::Done);
        }
        self.enter(cx, op, via);
    }

    fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        self.quit(cx);
        cx.finish(op, Outcome::Done);
    }

    fn insert(&mut self, cx: &mut Cx<'_, Self>, op: OpId, item: &Arc<Item>) {
        if self.web_cache.is_some() {
            return cx.finish(op, Outcome::Unsupported);
        }
        // A NUL ends a name on the wire, so such a name cannot be told.
        if item.name().contains('\0') {
            cx.finish(op, Outcome::Failed(Reason::Refused));
            return;
        }
        self.shares.insert(item.clone());
        self.tell_shares(cx);
        cx.finish(op, Outcome::Done);
    }

    fn delete(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        let shared = self.shares.remove(key);
        if shared {
            self.tell_shares(cx);
        }
        cx.finish(op, if shared { Outcome::Done } else { Outcome::NotFound });
    }

    fn search(&mut self, cx: &mut Cx<'_, Self>, op: OpId, query: &Query) {
        if self.web_cache.is_some() {
            return cx.finish(op, Outcome::Unsupported);
        }
        self.start_search(cx, op, query);
    }

    fn footprint(&self) -> Footprint {
        let linked = self.links.iter().map(|l| l.peer);
        let cached = self.web_cache.as_ref().map_or(0, |cache| cache.hosts().count());
        let known = self.hosts.count_with(linked.chain(self.lost.addrs()));
        let routing_entries = (known + cached) as u64;
        let bytes = size_of::<Self>()
            + self.links.capacity() * size_of::<Link>()
            + self.links.iter().map(Link::table_bytes).sum::<usize>()
            + self.table.bytes()
            + self.hosts.bytes()
            + self.lost.bytes()
            + self.shares.memory_bytes()
            + self.pings.bytes()
            + self.queries.bytes()
            + self.servents.bytes()
            + self.copies.bytes()
            + self.web_cache.as_ref().map_or(0, |cache| cache.bytes())
            + self.dynamic.capacity() * size_of::<DynamicQuery>();
        // Tables say which words may be found behind a link, not who has which
        // item: they are no index, other than copies.
        let index_entries = self.copies.count() as u64;
        Footprint { routing_entries, index_entries, bytes: bytes as u64 }
    }

    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        self.links.iter().for_each(|l| visit(l.peer));
    }

    fn servers(config: &Config) -> u32 {
        config.web_caches
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
        settled::audit(nodes)
    }
}

impl Gnutella06 {
    /// Whether it is an ultrapeer or a leaf.
    pub const fn rank(&self) -> Rank {
        self.rank
    }

    /// Draws the secrets of the tables and starts the periodic rounds at a
    /// random moment, so that servents that start together do not ping
    /// together.
    fn start_upkeep(&mut self, cx: &mut Cx<'_, Self>) {
        for table in [&mut self.pings, &mut self.queries, &mut self.servents] {
            table.reset(cx.rng().next_u64());
        }
        self.up_since = cx.now();
        self.dials_left = self.config.dials_per_interval;
        let interval = self.config.ping_interval.as_us();
        let first = cx.rng().next_u64() % interval.max(1);
        cx.wake_upkeep(Span::from_us(first), Timer::Upkeep);
    }
}
