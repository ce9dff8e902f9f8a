//! CAN: a torus cut into zones, one for each node.
//!
//! S. Ratnasamy, P. Francis, M. Handley, R. Karp, S. Shenker, "A Scalable
//! Content-Addressable Network", SIGCOMM 2001. Sections (§) are that paper's.
//!
//! Keys are hashed to points of a d-dimensional torus. The torus is divided
//! into zones, and the node that holds the zone around a key's point keeps the
//! key's records. A node knows its *neighbours*, the nodes whose zones border
//! on its own, and forwards a message to the neighbour nearest to the
//! destination. A joiner takes over half of somebody's zone.
//!
//! # Deviations from the paper
//!
//! * A zone is given to a joiner in two steps: the owner keeps all of it until
//!   the joiner has told that it is there, and refuses further splits of it
//!   meanwhile. So no message loss leaves a part of the space without owner.
//!   The joiner tells so again until the owner has made room, and is not split
//!   before.
//! * Who takes a zone passes searches that find nothing there on to the former
//!   holder, as long as records may be on their way.
//! * Hops are acknowledged, so that a node notices a dead neighbour at once
//!   and not when its updates fail to come. This can be switched off.
//! * A neighbour that does not acknowledge messages is asked whether it lives,
//!   and counts as failed if it does not answer. So repair does not wait for
//!   updates that fail to come, where messages pass.
//! * The paper leaves open what happens when a node that was taken for failed
//!   is back, as after a partition. Zones that were taken over yield to their
//!   owner; the loser of a conflict hands the records over and, left without a
//!   zone, joins again.
//! * A node looks for parts of the space beside its zones that no neighbour
//!   answers for, asks for their owner, and takes them over if there is none.
//!   So neighbours that fail all together leave no hole. It gives no zone away
//!   that alone connects it to the others.
//! * Nodes introduce themselves to those in a neighbour's list that must be
//!   their own neighbours, and correct neighbours that list them wrongly.
//! * Of several peers of a zone one admits joiners, one at a time. Who takes a
//!   zone over leaves its own to that one's other peers, if there are any.
//! * Peers of a zone all keep all of its records. A record carries the number of
//!   its provider's request, so that a copy does not undo a withdrawal.
//! * Records that reach a node which does not hold their points any more pass
//!   from neighbour to neighbour to the one that does.

mod arrival;
mod audit;
mod blueprint;
mod cache;
mod codec;
mod config;
mod handover;
mod keeping;
mod keywords;
mod landmarks;
mod lookup;
mod membership;
pub mod message;
mod overload;
mod parcel;
mod records;
mod replicas;
mod routing;
mod space;
mod takeover;
mod upkeep;
pub mod zone;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use blueprint::Blueprint;
pub use config::{Config, Layout, Weighting};
pub use landmarks::Landmarks;
pub use message::Message;
pub use zone::{Point, Zone};

use crate::parts::postings::KeywordHost as _;
use crate::{
    About, Addr, Census, Cx, Footprint, Growth, Item, Key, Machine, OpId, Outcome, Overlay,
    Profile, Query, Reason, Rng, SearchPower, Target, Theory,
};
use cache::Cache;
use keeping::Shares;
use lookup::{Client, Requests};
use membership::Passage;
use message::Errand;
use parcel::Parcels;
use routing::Rescues;
use space::Space;

type Context<'a> = Cx<'a, Can>;

/// A CAN node.
#[derive(Debug)]
pub struct Can {
    config: Arc<Config>,
    phase: Phase,
    /// Tells stale periodic timers.
    round: u16,
    /// Numbers failed neighbours.
    round_of_failures: u16,
    /// Its place in each reality.
    spaces: Box<[Space]>,
    requests: Requests,
    shares: Option<Box<Shares>>,
    aside: Option<Box<Aside>>,
}

/// What most nodes of a settled network have nothing of.
#[derive(Debug, Default)]
struct Aside {
    /// The join or leave under way.
    passage: Option<Passage>,
    /// Messages not acknowledged yet.
    parcels: Parcels,
    /// Messages at dead ends.
    rescues: Rescues,
    cache: Cache,
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
    /// Part of the network, handing over what it has.
    Leaving,
}

/// What a CAN node asks to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Tell the neighbours.
    Update(u16),
    /// Was this message acknowledged?
    Parcel(u32),
    /// Has this request been answered?
    Request {
        /// The request.
        id: u32,
        /// Which wait of it.
        step: u16,
    },
    /// Is the join getting on?
    Join(u16),
    /// Has the joiner taken its half?
    Grant {
        /// In which reality.
        reality: u8,
        /// How often it was offered.
        number: u16,
    },
    /// Has the former holder of a zone made room?
    Arrival {
        /// In which reality.
        reality: u8,
    },
    /// Is it time to take a failed neighbour's zones over?
    Takeover {
        /// In which reality.
        reality: u8,
        /// Which failure.
        number: u16,
    },
    /// Has a neighbour that did not acknowledge messages answered?
    Doubt(Addr),
    /// Widen the ring around a dead end.
    Rescue(u32),
    /// Has this keyword search been answered?
    Keywords(u32),
    /// Announce shared items again.
    Republish(u16),
}

impl Can {
    /// The zones that it holds in a reality.
    pub fn zones(&self, reality: usize) -> impl Iterator<Item = Zone> + '_ {
        self.spaces.get(reality).into_iter().flat_map(|space| space.zones())
    }

    /// Its neighbours in a reality, by address.
    pub fn neighbours_in(&self, reality: usize) -> impl Iterator<Item = Addr> + '_ {
        let spaces = self.spaces.get(reality).into_iter();
        spaces.flat_map(|space| space.neighbours.iter().map(|n| n.addr))
    }

    /// How many records it keeps, in all realities.
    pub fn records(&self) -> usize {
        self.spaces.iter().map(|space| space.store.len()).sum()
    }

    /// Whether a message concerns a node without a zone.
    fn concerns_outsider(message: &Message) -> bool {
        matches!(
            message,
            Message::Accept { .. }
                | Message::Refuse { .. }
                | Message::Received { .. }
                | Message::Declined { .. }
                | Message::Located { .. }
                | Message::Hits { .. }
                | Message::Judged { .. }
                | Message::Sifted(_)
        )
    }
}

impl Machine for Can {
    type Message = Message;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, message: Message) {
        if from == cx.me() {
            // Only a forger writes with a node's own address to it, and would
            // have it dispute a takeover with itself for ever.
            return;
        }
        if let Message::Update { nonce, .. } = &message {
            self.on_surveyed(cx, from, *nonce);
        }
        let placed = self.spaces.iter().any(Space::is_placed);
        if self.phase == Phase::Outside || !(placed || Self::concerns_outsider(&message)) {
            return;
        }
        match message {
            Message::Route { parcel, routed } => self.on_route(cx, from, parcel, routed),
            Message::Received { parcel } => self.on_received(cx, from, parcel),
            Message::Declined { parcel } => self.on_declined(cx, from, parcel),
            Message::Located { .. } | Message::Hits { .. } | Message::Judged { .. } => {
                self.on_answer(cx, from, message);
            }
            Message::Accept { request, reality, claim, contacts } => {
                self.on_accept(cx, from, request, reality, claim, &contacts);
            }
            Message::Refuse { request } => self.on_refuse(cx, request),
            Message::Update { reality, nonce, state } => {
                self.on_update(cx, from, reality, nonce, state);
            }
            Message::Probe { reality, nonce } => self.on_probe(cx, from, reality, nonce),
            Message::Takeover { reality, failed, volume } => {
                self.on_takeover(cx, from, reality, failed, volume);
            }
            Message::Agree { reality, failed } => self.on_agree(reality, from, failed),
            Message::HandOver { parcel, reality, claim, contacts } => {
                self.on_hand_over(cx, from, parcel, reality, claim, &contacts);
            }
            Message::Transfer { parcel, reality, records } => {
                self.on_transfer(cx, from, parcel, reality, &records);
            }
            Message::Ring { ttl, ring } => self.on_ring(cx, from, ttl, ring),
            Message::Nearer { search } => self.on_nearer(cx, from, search),
            Message::Reassign { holder, reality, zone, ttl } => {
                self.on_reassign(cx, holder, reality, zone, ttl);
            }
            Message::Offer { reality, zone } => self.on_offer(cx, from, reality, zone),
            Message::Sifted(sifted) if self.config.keywords => self.on_sifted(cx, *sifted),
            Message::Sifted(_) => {}
            Message::Divide { reality, zone, members } => {
                self.on_divide(cx, from, reality, zone, &members);
            }
            Message::Replicate { key, hits } => self.on_replicate(cx, from, key, &hits),
            Message::Erase { parcel, reality, record } => {
                self.on_erase(cx, from, parcel, reality, *record);
            }
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: Timer) {
        match timer {
            Timer::Update(round) => self.on_update_timer(cx, round),
            Timer::Parcel(id) => self.on_parcel_timer(cx, id),
            Timer::Request { id, step } => self.on_request_timer(cx, id, step),
            Timer::Join(step) => self.on_join_timer(cx, step),
            Timer::Grant { reality, number } => self.on_grant_timer(cx, reality, number),
            Timer::Arrival { reality } => self.on_arrival_timer(cx, reality),
            Timer::Takeover { reality, number } => self.on_takeover_timer(cx, reality, number),
            Timer::Doubt(addr) => self.on_doubt_timer(cx, addr),
            Timer::Rescue(search) => self.widen_ring(cx, search),
            Timer::Keywords(ticket) => self.on_keywords_overdue(cx, ticket),
            Timer::Republish(round) => self.on_republish_timer(cx, round),
        }
    }
}

impl Overlay for Can {
    const ABOUT: About = About {
        name: "can",
        title: "CAN",
        source: "Ratnasamy et al., SIGCOMM 2001",
        idea: "Keys are points of a torus cut into zones; messages go to the neighbour nearest to the point.",
        theory: Theory {
            search_latency: Growth::Root(2),
            search_messages: Growth::Root(2),
            update_messages: Growth::Root(2),
            storage_max: Growth::Constant,
            storage_mean: Growth::Constant,
        },
        caveat: "The growth n^(1/d) is given for the default d = 2. Storage is 2d neighbours for equal zones and, counted here too, a share of all items, K/n on average. All providers of one item are kept in one zone: the fullest node is the one with the most popular item, which about 13 % of all peers share, and so it grows with n.",
    };

    type Config = Config;
    type Blueprint = Blueprint;

    fn new(config: &Arc<Config>, _profile: &Profile) -> Self {
        Self {
            config: config.clone(),
            phase: Phase::Outside,
            round: 0,
            round_of_failures: 0,
            spaces: (0..config.realities).map(|_| Space::default()).collect(),
            requests: Requests::default(),
            shares: None,
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
        self.look_up(cx, Client::Op(op), key, Errand::Fetch { key, limit: query.limit });
    }

    fn locate(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        if self.phase != Phase::Member {
            return cx.finish(op, Outcome::Failed(Reason::NotJoined));
        }
        self.look_up(cx, Client::Op(op), *key, Errand::Locate);
    }

    fn footprint(&self) -> Footprint {
        let mut known: Vec<Addr> = Vec::new();
        self.neighbours(&mut |addr| known.push(addr));
        known.sort_unstable();
        known.dedup();
        let heap = self.spaces.iter().map(|s| size_of::<Space>() + s.heap_bytes()).sum::<usize>()
            + self.requests.heap_bytes()
            + self
                .aside
                .as_ref()
                .map_or(0, |a| size_of::<Aside>() + a.parcels.heap_bytes() + a.cache.heap_bytes())
            + self.shares.as_ref().map_or(0, |s| s.heap_bytes());
        Footprint {
            routing_entries: known.len() as u64,
            index_entries: self.records() as u64,
            bytes: (size_of::<Self>() + heap) as u64,
        }
    }

    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        for space in &self.spaces {
            space.neighbours.iter().for_each(|n| visit(n.addr));
            space.mates.iter().for_each(|m| visit(m.addr));
        }
    }

    fn search_power(config: &Config) -> SearchPower {
        SearchPower { exact: true, keywords: config.keywords }
    }

    fn blueprint(config: &Config, census: Census, rng: &mut Rng) -> Option<Blueprint> {
        Some(Blueprint::new(config, census, rng))
    }

    fn settle(&mut self, cx: &mut Cx<'_, Self>, blueprint: &Blueprint) {
        self.take_place(cx, blueprint);
    }

    fn owner(blueprint: &Blueprint, key: &Key) -> Option<Addr> {
        blueprint.owner(*key)
    }

    fn audit(nodes: &[(Addr, &Self)]) -> Vec<String> {
        let realities = nodes.first().map_or(0, |(_, node)| node.spaces.len());
        (0..realities).flat_map(|at| audit::reality(nodes, at)).collect()
    }
}
