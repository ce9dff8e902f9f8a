//! Kademlia: a tree of identifiers under the XOR metric.
//!
//! P. Maymounkov, D. Mazières, "Kademlia: A Peer-to-peer Information System
//! Based on the XOR Metric", IPTPS 2002; section numbers are those of the long
//! version of the paper.
//!
//! The distance of two identifiers is their bitwise exclusive or. A node keeps
//! a *k-bucket* of contacts for each subtree that it is not in itself: half of
//! all nodes, a quarter, an eighth, and so on. A lookup asks the closest nodes
//! it knows for the closest they know, alpha at a time, and is there when the
//! k closest have answered. Every message brings its sender's contact along, so
//! that traffic alone keeps the buckets fresh.
//!
//! This module is the core of three overlays: Kademlia itself, Mainline
//! ([`crate::mainline`]) and KAD ([`crate::kad`]). A [`Dialect`] is what sets
//! them apart: defaults of the same [`Settings`] and a wire format.
//!
//! # Deviations from the paper
//!
//! * A delete withdraws the provider's records from the closest nodes
//!   (`withdraw`); the paper lets them expire.
//! * A provider answers for what it shares itself, as if it had a record.
//! * A contact that owes an answer is not recommended to others until it is
//!   heard of again.
//! * A copy that a search leaves on its path carries its lifetime with it,
//!   halved for every closer node that the searcher has heard of. The paper's
//!   receivers judge that by their own buckets.
//! * The paper defines no wire format.

mod audit;
mod blueprint;
pub(crate) mod compact;
mod config;
mod contact;
mod dialect;
mod keeping;
mod membership;
pub mod message;
mod paper;
mod records;
mod shortlist;
mod sifting;
mod table;
mod token;
mod upkeep;
mod walking;
mod work;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use blueprint::Blueprint;
pub use config::{Config, Settings};
pub use contact::Contact;
pub use dialect::Dialect;
pub use message::Message;
pub use paper::{Kademlia, Paper};

use crate::parts::postings::{KeywordHost as _, KeywordWork};
use crate::{
    About, Addr, Census, Cx, Footprint, Item, Key, Machine, OpId, Outcome, Overlay, Profile, Query,
    Reason, Rng, SearchPower, Target, Time,
};
use records::Records;
use table::Table;
use token::Tokens;
use work::{Purpose, Work};

type Context<'a, D> = Cx<'a, Node<D>>;

/// A node of the Kademlia family.
#[derive(Debug)]
pub struct Node<D: Dialect> {
    config: Arc<Config<D>>,
    me: Contact,
    /// Whether it takes part without being in anybody's table (BEP 43).
    is_read_only: bool,
    phase: Phase,
    tokens: Tokens,
    table: Table,
    records: Records,
    /// What the user shares, by the key it is published under.
    shares: BTreeMap<Key, Share>,
    work: Work,
    /// What is under way for the keyword index, once there was anything.
    keywords: Option<Box<KeywordWork>>,
}

/// An item that the user shares.
#[derive(Debug)]
struct Share {
    item: Arc<Item>,
    /// When it is to be announced again.
    due: Time,
    /// When it is to be announced again under its words.
    words_due: Time,
}

/// Whether a node takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not part of any network.
    Outside,
    /// On its way in.
    Joining,
    /// Part of the network.
    Member,
    /// On its way out.
    Leaving,
}

/// What a node asks to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Has this request been answered?
    Request(u32),
    /// Time to refresh, renew and expire.
    Upkeep,
    /// Has this keyword search been answered?
    Keywords(u32),
}

/// Whole seconds since the start: fine enough for buckets and records.
const fn seconds(time: Time) -> u32 {
    (time.as_us() / 1_000_000) as u32
}

impl<D: Dialect> Node<D> {
    /// Its identifier and address.
    pub fn contact(&self) -> Contact {
        self.me
    }

    /// Whether it is part of a network.
    pub fn has_joined(&self) -> bool {
        self.is_member()
    }

    /// The contacts in its buckets, the farthest bucket first, each with the
    /// least recently seen contact first.
    pub fn buckets(&self) -> impl Iterator<Item = Vec<Contact>> + '_ {
        self.table.buckets()
    }

    /// How many records it keeps for others.
    pub fn records(&self) -> usize {
        self.records.len()
    }

    /// Announces that this node has `item`, under `key` rather than under the
    /// item's own: an info-hash, say. Ends as an insert does; until it is
    /// deleted by that key, the announcement is renewed.
    pub fn announce(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: Key, item: &Arc<Item>) {
        self.share(cx, op, key, item);
        self.run_jobs(cx);
    }

    /// Looks for up to `limit` providers of `item` under `key`. Where the
    /// dialect's records name no items, as Mainline's do, every provider found
    /// is taken to have this one. Ends as a search does.
    pub fn providers(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: OpId,
        key: Key,
        item: &Arc<Item>,
        limit: u16,
    ) {
        if !self.is_member() {
            return cx.finish(op, Outcome::Failed(Reason::NotJoined));
        }
        let query = Query { limit: limit.clamp(1, Query::MAX_LIMIT), ..Query::exact(key) };
        self.seek(cx, op, self.place(key), &query, Some(item.clone()));
        self.run_jobs(cx);
    }
}

impl<D: Dialect> Machine for Node<D> {
    type Message = Message<D>;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, message: Message<D>) {
        if self.phase == Phase::Outside {
            return;
        }
        if message.body.is_reply() {
            self.on_reply(cx, from, message);
        } else {
            if message.body.is_query() {
                let id = message.sender.truncated(self.config.bits());
                self.see(cx, Contact { id, addr: from }, false, message.read_only);
            }
            self.on_query(cx, from, message);
        }
        self.run_jobs(cx);
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: Timer) {
        match timer {
            Timer::Request(number) => self.on_request_timer(cx, number),
            Timer::Upkeep => self.on_upkeep_timer(cx),
            Timer::Keywords(ticket) => self.on_keywords_overdue(cx, ticket),
        }
        self.run_jobs(cx);
    }

    fn warm(&self) {
        self.table.warm();
    }

    /// Every message moves its sender up in a bucket.
    fn warm_for(&self, message: &Message<D>) {
        self.table.warm_for(message.sender);
    }
}

impl<D: Dialect> Overlay for Node<D> {
    const ABOUT: About = D::ABOUT;

    type Config = Config<D>;
    type Blueprint = Blueprint;

    fn new(config: &Arc<Config<D>>, profile: &Profile) -> Self {
        let me = Contact { id: D::id(config, profile), addr: profile.addr };
        Self {
            config: config.clone(),
            me,
            is_read_only: config.read_only && profile.firewalled,
            phase: Phase::Outside,
            tokens: Tokens::default(),
            table: Table::new(me.id),
            records: Records::default(),
            shares: BTreeMap::new(),
            work: Work::default(),
            keywords: None,
        }
    }

    fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: &[Addr]) {
        self.enter(cx, op, via);
        self.run_jobs(cx);
    }

    fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        self.depart(cx, op);
        self.run_jobs(cx);
    }

    fn insert(&mut self, cx: &mut Cx<'_, Self>, op: OpId, item: &Arc<Item>) {
        self.share(cx, op, item.key(), item);
        self.run_jobs(cx);
    }

    fn delete(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        self.unshare(cx, op, *key);
        self.run_jobs(cx);
    }

    fn search(&mut self, cx: &mut Cx<'_, Self>, op: OpId, query: &Query) {
        let place = match &query.target {
            Target::Exact(key) => self.place(*key),
            Target::Keywords(_) if !Self::files_words(&self.config) => {
                return cx.finish(op, Outcome::Unsupported);
            }
            Target::Keywords(words) => self.keyword_place(words),
        };
        if !self.is_member() {
            return cx.finish(op, Outcome::Failed(Reason::NotJoined));
        }
        match &query.target {
            Target::Keywords(words) if words.is_empty() => {
                return cx.finish(op, Outcome::NotFound);
            }
            Target::Keywords(words) if self.sifts() => {
                let way = self.config.intersect;
                self.search_words(cx, op, words, query.limit, way);
                return self.run_jobs(cx);
            }
            Target::Keywords(_) | Target::Exact(_) => {}
        }
        self.seek(cx, op, place, query, None);
        self.run_jobs(cx);
    }

    fn locate(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        if !self.is_member() {
            return cx.finish(op, Outcome::Failed(Reason::NotJoined));
        }
        self.look_up(cx, self.place(*key), Purpose::Locate(op));
        self.run_jobs(cx);
    }

    fn footprint(&self) -> Footprint {
        let mut known: Vec<Addr> = Vec::new();
        self.neighbours(&mut |addr| known.push(addr));
        known.sort_unstable();
        known.dedup();
        let heap = self.table.heap_bytes()
            + self.records.heap_bytes()
            + self.work.heap_bytes()
            + self.keywords.as_ref().map_or(0, |work| work.bytes())
            + self.shares.len() * (size_of::<Key>() + size_of::<Share>());
        Footprint {
            routing_entries: known.len() as u64,
            index_entries: self.records.len() as u64,
            bytes: (size_of::<Self>() + heap) as u64,
        }
    }

    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        self.table.addresses(visit);
    }

    fn search_power(config: &Config<D>) -> SearchPower {
        SearchPower { exact: true, keywords: Self::files_words(config) }
    }

    fn blueprint(config: &Config<D>, census: Census, _rng: &mut Rng) -> Option<Blueprint> {
        Some(Blueprint::new(config, census))
    }

    fn settle(&mut self, cx: &mut Cx<'_, Self>, blueprint: &Blueprint) {
        self.take_place(cx, blueprint);
    }

    fn owner(blueprint: &Blueprint, key: &Key) -> Option<Addr> {
        blueprint.owner(*key).map(|c| c.addr)
    }

    fn audit(nodes: &[(Addr, &Self)]) -> Vec<String> {
        audit::subtrees(nodes)
    }
}
