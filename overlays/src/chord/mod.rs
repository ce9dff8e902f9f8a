//! Chord: a ring of identifiers with fingers across it.
//!
//! I. Stoica, R. Morris, D. Karger, M. F. Kaashoek, H. Balakrishnan, "Chord: A
//! Scalable Peer-to-peer Lookup Service for Internet Applications", SIGCOMM
//! 2001, and its extended version, IEEE/ACM ToN 11(1), 2003. Ring maintenance
//! follows P. Zave, "Reasoning about Identifier Spaces: How to Make Chord
//! Correct", IEEE TSE 43(12), 2017, since the original rules can break the
//! ring.
//!
//! Each key belongs to its *successor*, the first node at or after it on the
//! circle. A node knows its neighbours on the circle and, as *fingers*, the
//! first nodes at or after every power of two beyond itself; a lookup that
//! always takes the farthest finger before the key halves what is left.
//!
//! # Deviations from the papers
//!
//! * A node that gets a nearer predecessor nudges the former one to stabilise,
//!   so that the ring closes around a joiner in a round trip and not in a
//!   stabilisation period. A joiner looks up all its fingers once.
//! * Nodes that fell silent are remembered and pinged now and then; one that
//!   answers is used to merge rings after a partition, which Chord leaves open.
//! * An owner hands records that are not its own to its predecessor, step by
//!   step back to where they belong. Copies are pushed when the successor list
//!   changes and released by the owner.
//! * A lookup starts at the local virtual node nearest before the key.

mod audit;
mod blueprint;
mod config;
mod contact;
mod finger_table;
mod forward;
mod keeping;
mod keywords;
mod lookup;
mod membership;
pub mod message;
mod records;
mod request;
mod upkeep;
mod vnode;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use blueprint::Blueprint;
pub use config::{Config, NextHop, Routing};
pub use contact::Contact;
pub use message::Message;

use crate::parts::postings::KeywordHost as _;
use crate::{
    About, Addr, Census, Cx, Footprint, Growth, Item, Key, Machine, OpId, Outcome, Overlay,
    Profile, Query, Reason, Rng, SearchPower, Target, Theory, prefetch,
};
use forward::Forwards;
use keeping::Holdings;
use membership::Passage;
use message::Errand;
use request::{Client, Finding, Requests};
use upkeep::Lost;
use vnode::VirtualNode;

type Context<'a> = Cx<'a, Chord>;

/// A Chord node: one peer with one or more places on the ring.
#[derive(Debug)]
pub struct Chord {
    config: Arc<Config>,
    /// The first virtual node, which is all that most peers have.
    primary: VirtualNode,
    phase: Phase,
    requests: Requests,
    /// Everything about items.
    holdings: Option<Box<Holdings>>,
    aside: Option<Box<Aside>>,
}

/// What most nodes of a settled network have nothing of.
#[derive(Debug, Default)]
struct Aside {
    /// Further virtual nodes that have joined, by number.
    others: Vec<VirtualNode>,
    /// The join or leave under way.
    passage: Option<Box<Passage>>,
    /// Hops not acknowledged yet.
    forwards: Forwards,
    /// Nodes that fell silent.
    lost: Vec<Lost>,
}

/// Whether a node takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not part of any ring.
    Outside,
    /// On its way in.
    Joining,
    /// Part of the ring.
    Member,
    /// Part of the ring, handing over what it has.
    Leaving,
}

/// What a Chord node asks to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Stabilise this virtual node.
    Stabilise(u16),
    /// Refresh fingers of this virtual node.
    FixFingers(u16),
    /// Check the predecessor of this virtual node.
    CheckPredecessor(u16),
    /// Has stabilisation been answered?
    Silence {
        /// The virtual node that asked.
        vnode: u16,
        /// Its round.
        round: u16,
    },
    /// Has the predecessor of this virtual node answered the ping?
    PingDue(u16),
    /// Has this request been answered?
    Request {
        /// The request.
        id: u32,
        /// Which wait of it.
        step: u16,
    },
    /// Has this hop been acknowledged?
    Forward(u32),
    /// Is the join getting on?
    Join(u16),
    /// Has this keyword search been answered?
    Keywords(u32),
    /// Announce shared items again.
    Republish,
}

impl Chord {
    /// The identifier of the node's first place on the ring.
    pub fn id(&self) -> Key {
        self.primary.me.key
    }

    /// Whether it is part of a ring.
    pub fn has_joined(&self) -> bool {
        self.is_member()
    }

    /// The contact of one of its virtual nodes that have joined.
    pub fn place(&self, vnode: u16) -> Option<Contact> {
        self.vnode(vnode).map(|n| n.me)
    }

    /// Finger `index` (0-based) of its first virtual node: the first node at
    /// or after `id + 2^index`, as far as it knows; itself when it knows none.
    pub fn finger(&self, index: u32) -> Contact {
        self.primary.fingers.get(index.min(Key::BITS - 1)).unwrap_or(self.primary.me)
    }

    /// The successor list of its first virtual node; empty when alone.
    pub fn successors(&self) -> impl Iterator<Item = Contact> + '_ {
        self.primary.successors().copied()
    }

    /// The predecessor of its first virtual node.
    pub fn predecessor(&self) -> Option<Contact> {
        self.primary.predecessor
    }

    /// How many records it holds: as their owner, and as copies for others.
    pub fn records(&self) -> (usize, usize) {
        self.holdings.as_ref().map_or((0, 0), |h| h.store.counts())
    }

    /// Checks successors, successor lists and predecessors over a whole
    /// network at rest; each violation in one sentence.
    pub fn audit_ring(nodes: &[(Addr, &Self)]) -> Vec<String> {
        audit::ring(nodes)
    }

    /// Checks the fingers over a whole network at rest; the first wrong one of
    /// each node in one sentence.
    pub fn audit_fingers(nodes: &[(Addr, &Self)]) -> Vec<String> {
        audit::fingers(nodes)
    }

    /// Its virtual nodes beyond the first.
    #[inline]
    fn others(&self) -> &[VirtualNode] {
        self.aside.as_ref().map_or(&[], |a| &a.others)
    }

    #[inline]
    fn vnode(&self, vnode: u16) -> Option<&VirtualNode> {
        if !self.is_member() {
            return None;
        }
        match vnode {
            0 => Some(&self.primary),
            v => self.others().get(usize::from(v) - 1),
        }
    }

    #[inline]
    fn vnode_mut(&mut self, vnode: u16) -> Option<&mut VirtualNode> {
        if !self.is_member() {
            return None;
        }
        match vnode {
            0 => Some(&mut self.primary),
            v => self.aside.as_mut()?.others.get_mut(usize::from(v) - 1),
        }
    }

    /// The virtual nodes that have joined.
    #[inline]
    fn vnodes(&self) -> impl Iterator<Item = &VirtualNode> {
        core::iter::once(&self.primary).filter(|_| self.is_member()).chain(self.others())
    }

    /// Which of its virtual nodes comes last before `key`.
    #[inline]
    fn nearest_before(&self, key: Key) -> u16 {
        if self.others().is_empty() {
            return 0;
        }
        // A virtual node at the key itself is the farthest from before it.
        self.vnodes().min_by_key(|n| contact::reach(n.me.key, key)).map_or(0, |n| n.me.vnode)
    }

    /// An item's place on the ring.
    fn ring_key(&self, key: Key) -> Key {
        key.truncated(self.config.id_bits)
    }
}

impl Machine for Chord {
    type Message = Message;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, message: Message) {
        if !self.is_member() && !self.concerns_joiner(&message) {
            return;
        }
        match message {
            Message::Route { .. } => self.on_route(cx, from, message),
            Message::Received { request, origin } => self.on_received(from, request, origin),
            Message::Located { request, owner } => self.on_located(cx, request, owner),
            Message::FindNext { request, vnode, key } => {
                self.on_find_next(cx, from, request, vnode, key);
            }
            Message::Closer { request, nodes } => {
                self.on_step(cx, from, request, nodes.as_slice(), false);
            }
            Message::Owner { request, nodes } => {
                self.on_step(cx, from, request, nodes.as_slice(), true);
            }
            Message::GetNeighbours { vnode, asker } => {
                self.on_get_neighbours(cx, from, vnode, asker);
            }
            Message::Neighbours { vnode, responder, predecessor, successors } => {
                if self.is_joining_through(from, vnode, responder) {
                    self.on_join_neighbours(cx, predecessor, successors.as_slice());
                } else {
                    self.on_neighbours(cx, from, vnode, responder, predecessor, successors);
                }
            }
            Message::Notify { vnode, sender } => self.on_notify(cx, from, vnode, sender),
            Message::Nudge { vnode } => self.on_nudge(cx, vnode),
            Message::Ping { vnode, asker } => {
                if self.vnode(vnode).is_some() {
                    cx.send(from, Message::Pong { vnode: asker, responder: vnode });
                }
            }
            Message::Pong { vnode, responder } => self.on_pong(cx, from, vnode, responder),
            Message::Leaving { vnode, farewell } => self.on_leaving(cx, from, vnode, &farewell),
            Message::Deliver { .. } => self.on_deliver(cx, from, message),
            Message::Hits { request, hits } => {
                self.on_finding(cx, request, Finding::Hits(hits.into_vec()));
            }
            Message::Judged { request, verdict } => self.on_finding(cx, request, verdict.into()),
            Message::Transfer { request, owned, records } => {
                self.on_transfer(cx, from, request, owned, &records);
            }
            Message::Kept { request } => self.on_kept(cx, from, request),
            Message::Release { after, upto } => self.on_release(after, upto),
            Message::Erase { key, provider } => self.on_erase(cx, key, key, provider),
            Message::EraseWord(posted) => {
                self.on_erase(cx, posted.list, posted.item, posted.provider);
            }
            Message::Sifted(sifted) if self.config.keywords => self.on_sifted(cx, *sifted),
            Message::Sifted(_) => {}
        }
    }

    #[inline]
    fn warm(&self) {
        self.primary.warm();
        self.requests.warm();
    }

    #[inline]
    fn warm_for(&self, message: &Message) {
        if let Message::Closer { request, nodes } | Message::Owner { request, nodes } = message {
            prefetch(nodes.as_slice());
            self.requests.warm_walk(*request);
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: Timer) {
        match timer {
            Timer::Stabilise(vnode) => self.on_stabilise_timer(cx, vnode),
            Timer::FixFingers(vnode) => self.on_fix_timer(cx, vnode),
            Timer::CheckPredecessor(vnode) => self.on_check_timer(cx, vnode),
            Timer::Silence { vnode, round } => self.on_silence_timer(cx, vnode, round),
            Timer::PingDue(vnode) => self.on_ping_timer(cx, vnode),
            Timer::Request { id, step } => self.on_request_timer(cx, id, step),
            Timer::Forward(id) => self.on_forward_timer(cx, id),
            Timer::Join(step) => self.on_join_timer(cx, step),
            Timer::Keywords(ticket) => self.on_keywords_overdue(cx, ticket),
            Timer::Republish => self.on_republish_timer(cx),
        }
    }
}

impl Overlay for Chord {
    const ABOUT: About = About {
        name: "chord",
        title: "Chord",
        source: "Stoica et al., SIGCOMM 2001; ring maintenance after Zave, TSE 2017",
        idea: "Keys live at their successor on a ring; fingers halve the distance with every hop.",
        theory: Theory {
            search_latency: Growth::Log,
            search_messages: Growth::Log,
            update_messages: Growth::Log,
            storage_max: Growth::Log,
            storage_mean: Growth::Log,
        },
        caveat: "Storage is routing state; a share of all items, K/n on average and log n times that on the fullest node, comes on top of it.",
    };

    type Config = Config;
    type Blueprint = Blueprint;

    fn new(config: &Arc<Config>, profile: &Profile) -> Self {
        let key = Contact::id_of(profile.id, 0, config.id_bits);
        Self {
            config: config.clone(),
            primary: VirtualNode::alone(Contact { key, addr: profile.addr, vnode: 0 }),
            phase: Phase::Outside,
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
        let errand = Errand::Fetch { key, limit: query.limit };
        self.look_up(cx, self.ring_key(key), Client::Op(op), Some(Box::new(errand)));
    }

    fn locate(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        if self.phase != Phase::Member {
            return cx.finish(op, Outcome::Failed(Reason::NotJoined));
        }
        self.look_up(cx, self.ring_key(*key), Client::Op(op), None);
    }

    fn footprint(&self) -> Footprint {
        let mut known: Vec<Addr> = Vec::new();
        self.neighbours(&mut |addr| known.push(addr));
        known.sort_unstable();
        known.dedup();
        let (owned, copies) = self.records();
        let heap = self.primary.heap_bytes()
            + self
                .others()
                .iter()
                .map(|n| size_of::<VirtualNode>() + n.heap_bytes())
                .sum::<usize>()
            + self.requests.heap_bytes()
            + self.aside.as_ref().map_or(0, |a| size_of::<Aside>() + a.forwards.heap_bytes())
            + self.holdings.as_ref().map_or(0, |h| h.heap_bytes());
        Footprint {
            routing_entries: known.len() as u64,
            index_entries: (owned + copies) as u64,
            bytes: (size_of::<Self>() + heap) as u64,
        }
    }

    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        for node in self.vnodes() {
            let near = node.successors().chain(&node.predecessor).copied();
            for contact in
                near.chain(node.fingers.contacts()).filter(|c| c.addr != self.primary.me.addr)
            {
                visit(contact.addr);
            }
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
        blueprint.owner(*key).map(|c| c.addr)
    }

    fn audit(nodes: &[(Addr, &Self)]) -> Vec<String> {
        let mut complaints = Self::audit_ring(nodes);
        complaints.extend(Self::audit_fingers(nodes));
        complaints
    }
}
