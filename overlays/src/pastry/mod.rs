//! Pastry: prefix routing over a circle of identifiers, with a sense of
//! distance.
//!
//! A. Rowstron, P. Druschel, "Pastry: Scalable, Decentralized Object Location
//! and Routing for Large-Scale Peer-to-Peer Systems", Middleware 2001 (P01).
//!
//! Each key belongs to the node whose identifier is numerically closest. A
//! node knows its neighbours on the circle (the leaf set) and, for each prefix
//! of its own identifier, a node for every other next digit (the routing
//! table); a message gains at least a digit with every hop. Of the many nodes
//! that fit a cell of the table, the nearest by round-trip time is kept, so
//! that the early hops are short ones.
//!
//! # Deviations from the paper
//!
//! * No node enters a table before it has answered a probe, which also
//!   measures its distance: the paper verifies new leaves, and takes distances
//!   as known.
//! * Measuring costs messages here. The second stage comes before the
//!   announcement, so that asking a node for its state measures it as well, and
//!   of the candidates that it brings only the most promising one for each
//!   cell is measured.
//! * Keep-alives carry the version of the leaf set that the asker has seen
//!   (the paper's timestamps), and their answers bring the set when it has
//!   changed: concurrent joins settle that way.
//! * Nodes that fell silent are remembered and asked now and then; one that
//!   answers passes a join message on, so that a healed partition becomes one
//!   network.
//! * A row is sent by the node on the way that shares its prefix, and where a
//!   hop gains several digits the skipped rows come with it.

mod audit;
mod blueprint;
mod codec;
mod config;
mod contact;
mod exchange;
mod forward;
mod keeping;
mod keywords;
mod leaf_set;
mod membership;
pub mod message;
mod neighbourhood;
mod probes;
mod records;
mod request;
mod routing;
mod routing_table;
mod upkeep;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use blueprint::Blueprint;
pub use config::{Config, Routing, TableInit};
pub use contact::{Contact, Entry, Rtt};
pub use leaf_set::{Leaf, LeafSet};
pub use message::Message;
pub use neighbourhood::Neighbourhood;
pub use routing_table::{Cell, RoutingTable};

use crate::parts::postings::KeywordHost as _;
use crate::{
    About, Addr, Census, Cx, Footprint, Growth, Item, Key, Machine, OpId, Outcome, Overlay,
    Profile, Query, Reason, Rng, SearchPower, Target, Theory, Time,
};
use exchange::Stage;
use forward::Forwards;
use keeping::Holdings;
use membership::Passage;
use message::Errand;
use probes::Probes;
use request::{Client, Requests};
use upkeep::{Lost, Repair};

type Context<'a> = Cx<'a, Pastry>;

/// A Pastry node.
#[derive(Debug)]
pub struct Pastry {
    config: Arc<Config>,
    me: Contact,
    leaves: LeafSet,
    table: RoutingTable,
    neighbourhood: Neighbourhood,
    phase: Phase,
    /// Counts lives: periodic timers of an earlier one are stale.
    epoch: u16,
    /// Changes whenever the leaf set does; never 0.
    version: u32,
    joined_at: Time,
    requests: Requests,
    /// Everything about items.
    holdings: Option<Box<Holdings>>,
    aside: Option<Box<Aside>>,
}

/// What is empty on most nodes most of the time.
#[derive(Debug, Default)]
struct Aside {
    /// The join or leave under way.
    passage: Option<Box<Passage>>,
    probes: Probes,
    /// Hops not acknowledged yet.
    forwards: Forwards,
    /// Leaves that fell silent.
    lost: Vec<Lost>,
    /// Cells of the table for which a node is sought.
    repairs: Vec<Repair>,
    /// The exchange of state under way.
    stage: Option<Box<Stage>>,
    /// The number of the join message sent into another half of the network.
    reunion: Option<u32>,
}

/// Whether a node takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not part of any network.
    Outside,
    /// Waiting for state from the nodes on the way to its identifier.
    Joining,
    /// Making itself known to its leaf set; routes already.
    Arriving,
    /// Part of the network.
    Member,
    /// Part of the network, handing over what it has.
    Leaving,
}

/// What a Pastry node asks to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Send keep-alives.
    KeepAlive(u16),
    /// Maintain the tables.
    Maintain(u16),
    /// Announce shared items again.
    Republish(u16),
    /// Has this keyword search been answered?
    Keywords(u32),
    /// Has this probe been answered?
    Probe(u32),
    /// Has this request been answered?
    Request {
        /// The request.
        id: u32,
        /// Which wait of it.
        step: u16,
    },
    /// Has this hop been acknowledged?
    Forward(u32),
    /// Has somebody been named for a cell?
    Repair(u32),
    /// Is this attempt to join getting on?
    Join(u32),
    /// Is the exchange of state with this number over?
    Stage(u32),
    /// Announce this node to all that it has found.
    Announce,
}

impl Pastry {
    /// The node's identifier.
    pub fn id(&self) -> Key {
        self.me.id
    }

    /// Whether it is part of a network.
    pub fn has_joined(&self) -> bool {
        self.is_member()
    }

    /// Its leaf set.
    pub fn leaf_set(&self) -> &LeafSet {
        &self.leaves
    }

    /// Its routing table.
    pub fn routing_table(&self) -> &RoutingTable {
        &self.table
    }

    /// Its neighbourhood set.
    pub fn neighbourhood(&self) -> &Neighbourhood {
        &self.neighbourhood
    }

    /// How many records it keeps for the network.
    pub fn records(&self) -> usize {
        self.holdings.as_ref().map_or(0, |h| h.store.len())
    }

    fn new_tables(config: &Config, me: Key) -> (LeafSet, RoutingTable, Neighbourhood) {
        let leaves = LeafSet::new(me, config.leaf_set / 2);
        (leaves, RoutingTable::new(me, config.b), Neighbourhood::default())
    }

    /// A key's place on the circle.
    #[inline]
    fn ring_key(&self, key: Key) -> Key {
        key.truncated(self.config.id_bits)
    }

    /// A contact as told by others, its identifier brought to the network's
    /// length.
    fn cut(&self, contact: Contact) -> Contact {
        Contact { id: self.ring_key(contact.id), addr: contact.addr }
    }

    /// Gives back memory that nothing uses any more.
    fn tidy(&mut self) {
        let Some(aside) = &mut self.aside else { return };
        if aside.probes.len() == 0 {
            aside.probes.shrink();
        }
        if aside.forwards.is_empty() {
            aside.forwards.shrink();
        }
    }
}

impl Machine for Pastry {
    type Message = Message;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, message: Message) {
        if self.phase == Phase::Outside {
            return;
        }
        match message {
            Message::Pong { nonce, id } => {
                self.on_contact_pong(cx, from, nonce);
                self.on_pong(cx, from, nonce, id);
            }
            Message::State { request, state } => self.on_state(cx, from, request, &state),
            Message::Refused { request } => self.on_refused(cx, request),
            _ if !self.takes_part() => {}
            Message::Route { .. } => self.on_route(cx, from, message),
            Message::Received { request, origin } => self.on_received(from, request, origin),
            Message::Located { request, root } => self.on_located(cx, request, root),
            Message::Hits { request, hits } => self.on_hits(cx, request, hits.into_vec()),
            Message::Judged { request, verdict } => self.on_judged(cx, request, verdict),
            Message::GetState { request, row } => self.on_get_state(cx, from, request, row),
            Message::GetEntry { request, failed } => self.on_get_entry(cx, from, request, failed),
            Message::CellEntry { request, entry } => self.on_cell_entry(cx, from, request, entry),
            Message::Announce(arrival) => self.on_announce(cx, from, &arrival),
            Message::Ping { nonce } => cx.send(from, Message::Pong { nonce, id: self.me.id }),
            Message::KeepAlive { nonce, id, seen } => self.on_keep_alive(cx, from, nonce, id, seen),
            Message::Alive { nonce, id, version, leaves } => {
                self.on_alive(cx, from, nonce, id, version, leaves.as_slice());
            }
            Message::Transfer { request, records } => self.on_transfer(cx, from, request, &records),
            Message::Kept { request, keep } => self.on_kept(cx, from, request, keep),
            Message::Erase { key, item, provider } => {
                self.erase(cx, key, item, provider);
            }
            Message::Leaving { id, leaves } => self.on_leaving(cx, from, id, leaves.as_slice()),
            Message::Sifted(sifted) => self.on_sifted_message(cx, *sifted),
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: Timer) {
        match timer {
            Timer::KeepAlive(epoch) => self.on_keep_alive_timer(cx, epoch),
            Timer::Maintain(epoch) => self.on_maintain_timer(cx, epoch),
            Timer::Republish(epoch) => self.on_republish_timer(cx, epoch),
            Timer::Keywords(ticket) => self.on_keywords_overdue(cx, ticket),
            Timer::Probe(nonce) => self.on_probe_timer(cx, nonce),
            Timer::Request { id, step } => self.on_request_timer(cx, id, step),
            Timer::Forward(id) => self.on_forward_timer(cx, id),
            Timer::Repair(request) => self.on_repair_timer(cx, request),
            Timer::Join(attempt) => self.on_join_timer(cx, attempt),
            Timer::Stage(request) => self.on_stage_timer(cx, request),
            Timer::Announce => self.on_announce_timer(cx),
        }
    }
}

impl Overlay for Pastry {
    const ABOUT: About = About {
        name: "pastry",
        title: "Pastry",
        source: "Rowstron & Druschel, Middleware 2001",
        idea: "Keys live at the numerically closest node; each hop matches one more digit, through nodes that are near.",
        theory: Theory {
            search_latency: Growth::Log,
            search_messages: Growth::Log,
            update_messages: Growth::Log,
            storage_max: Growth::Log,
            storage_mean: Growth::Log,
        },
        caveat: "The logarithm's base is 16, so that a thousand peers are hardly farther apart than a hundred; leaf set and neighbourhood set are a constant part of the state, and a small network fits into them.",
    };

    type Config = Config;
    type Blueprint = Blueprint;

    fn new(config: &Arc<Config>, profile: &Profile) -> Self {
        let me = Contact { id: profile.id.truncated(config.id_bits), addr: profile.addr };
        let (leaves, table, neighbourhood) = Self::new_tables(config, me.id);
        Self {
            config: config.clone(),
            me,
            leaves,
            table,
            neighbourhood,
            phase: Phase::Outside,
            epoch: 0,
            version: 1,
            joined_at: Time::ZERO,
            requests: Requests::default(),
            holdings: None,
            aside: None,
        }
    }

    fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: &[Addr]) {
        self.enter(cx, op, via);
    }

    fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        self.depart(cx, op);
    }

    fn insert(&mut self, cx: &mut Cx<'_, Self>, op: OpId, item: &Arc<Item>) {
        self.share(cx, op, item);
    }

    fn delete(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        self.withdraw(cx, op, *key);
    }

    fn search(&mut self, cx: &mut Cx<'_, Self>, op: OpId, query: &Query) {
        let key = match &query.target {
            Target::Exact(key) => *key,
            Target::Keywords(_) if !self.config.keywords => {
                return cx.finish(op, Outcome::Unsupported);
            }
            Target::Keywords(_) if self.phase != Phase::Member => {
                return cx.finish(op, Outcome::Failed(Reason::NotJoined));
            }
            Target::Keywords(words) => {
                return self.search_words(cx, op, words, query.limit, self.config.intersect);
            }
        };
        if self.phase != Phase::Member {
            return cx.finish(op, Outcome::Failed(Reason::NotJoined));
        }
        let errand = Errand::Get { limit: query.limit, passed_on: false };
        self.ask(cx, key, Client::Op(op), Some(errand));
    }

    fn locate(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        if self.phase != Phase::Member {
            return cx.finish(op, Outcome::Failed(Reason::NotJoined));
        }
        self.ask(cx, *key, Client::Op(op), None);
    }

    fn footprint(&self) -> Footprint {
        let mut known: Vec<Addr> = self.known().map(|c| c.addr).collect();
        known.sort_unstable();
        known.dedup();
        let aside = self.aside.as_ref().map_or(0, |a| {
            size_of::<Aside>()
                + a.probes.heap_bytes()
                + a.forwards.heap_bytes()
                + a.lost.capacity() * size_of::<Lost>()
                + a.repairs.capacity() * size_of::<Repair>()
        });
        let heap = self.leaves.heap_bytes()
            + self.table.heap_bytes()
            + self.neighbourhood.heap_bytes()
            + self.requests.heap_bytes()
            + self.holdings.as_ref().map_or(0, |h| h.heap_bytes())
            + aside;
        Footprint {
            routing_entries: known.len() as u64,
            index_entries: self.records() as u64,
            bytes: (size_of::<Self>() + heap) as u64,
        }
    }

    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        for contact in self.known() {
            visit(contact.addr);
        }
    }

    fn search_power(config: &Config) -> SearchPower {
        SearchPower { exact: true, keywords: config.keywords }
    }

    fn blueprint(config: &Config, census: Census, _rng: &mut Rng) -> Option<Blueprint> {
        Some(Blueprint::new(config, census))
    }

    fn settle(&mut self, cx: &mut Cx<'_, Self>, blueprint: &Blueprint) {
        self.take_place(cx, blueprint);
    }

    fn owner(blueprint: &Blueprint, key: &Key) -> Option<Addr> {
        blueprint.root(*key).map(|c| c.addr)
    }

    fn audit(nodes: &[(Addr, &Self)]) -> Vec<String> {
        let mut complaints = audit::leaf_sets(nodes);
        complaints.extend(audit::tables(nodes));
        complaints
    }
}
