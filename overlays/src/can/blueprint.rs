//! A converged network, computed once for everyone.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::{Rng as _, RngExt};

use super::audit::adjoining;
use super::config::{Config, Layout};
use super::message::{Claim, Contact, State, Stored};
use super::space::{Space, best_hop};
use super::zone::{Destination, Point, Zone};
use super::{Can, Context, Phase};
use crate::parts::postings::Posting;
use crate::{Addr, Census, Distances, Hit, Holding, Key, Rng, Time};

/// The zones of all peers in every reality, and what the peers share.
#[derive(Debug)]
pub struct Blueprint {
    realities: Vec<Plan>,
    holdings: Vec<Holding>,
    /// The points of the records, in order: each with its holding's place among
    /// them, and the number of the word it is kept under.
    points: Vec<(Point, u32, u8)>,
    /// Holdings by provider: places in `holdings`.
    by_provider: Vec<u32>,
    distances: Distances,
    config: Config,
}

/// One reality: who holds what.
#[derive(Debug)]
struct Plan {
    /// Zones and their first holders, in the order of points.
    zones: Vec<(Zone, Addr)>,
    /// Everyone and what it tells its neighbours, by address.
    nodes: Vec<(Addr, Arc<State>)>,
}

/// Zones, the first holder of each, and the others who share it.
#[derive(Debug, Default)]
struct Tiling {
    holders: BTreeMap<Point, (Zone, Addr)>,
    others: BTreeMap<Point, Vec<Addr>>,
}

impl Tiling {
    /// The holder of a point.
    fn at(&self, point: Point) -> Option<(Zone, Addr)> {
        self.holders.range(..=point).next_back().map(|(_, h)| *h)
    }

    /// Everyone who holds a zone.
    fn members(&self, zone: Zone, first: Addr) -> Vec<Addr> {
        let others = self.others.get(&zone.first());
        core::iter::once(first).chain(others.into_iter().flatten().copied()).collect()
    }

    /// Puts `members` into a zone, the one with the lowest address first.
    fn put(&mut self, zone: Zone, members: &[Addr]) {
        let mut members = members.to_vec();
        members.sort_unstable();
        let Some((first, others)) = members.split_first() else { return };
        self.holders.insert(zone.first(), (zone, *first));
        if others.is_empty() {
            self.others.remove(&zone.first());
        } else {
            self.others.insert(zone.first(), others.to_vec());
        }
    }
}

impl Blueprint {
    /// The network that everyone in the census would have come to: the peers
    /// join one after another, in random order, each at a random point, in
    /// every reality anew.
    pub fn new(config: &Config, census: Census, rng: &mut Rng) -> Self {
        let mut peers: Vec<Addr> = census.peers.iter().map(|p| p.addr).collect();
        drop(census.peers);
        let mut realities = Vec::new();
        for _ in 0..config.realities {
            for i in (1..peers.len()).rev() {
                peers.swap(i, rng.random_range(0..=i));
            }
            realities.push(Plan::new(config, &peers, &census.distances, rng));
        }
        let holdings = census.holdings;
        let mut points: Vec<(Point, u32, u8)> = Vec::with_capacity(holdings.len());
        for (place, Holding { item, provider }) in (0..).zip(&holdings) {
            let hit = Hit { item: item.clone(), provider: *provider };
            for posting in Posting::all(&hit, config.keywords) {
                let (key, word) = (posting.key(), posting.word);
                let point = |hash| (Point::of_key(key, hash), place, word);
                points.extend((0..config.hashes).map(point));
            }
        }
        points.sort_unstable();
        let mut by_provider: Vec<u32> = (0..holdings.len() as u32).collect();
        by_provider.sort_by_key(|i| holdings[*i as usize].provider);
        let distances = census.distances;
        Self { realities, holdings, points, by_provider, distances, config: config.clone() }
    }

    /// The zones of a reality and their holders, in the order of points.
    pub fn zones(&self, reality: usize) -> &[(Zone, Addr)] {
        self.realities.get(reality).map_or(&[], |plan| &plan.zones)
    }

    /// Who holds a point in a reality.
    pub fn holder(&self, reality: usize, point: Point) -> Option<(Zone, Addr)> {
        let plan = self.realities.get(reality)?;
        plan.zones.get(plan.place_at(point)?).copied()
    }

    /// The node that owns `key`.
    pub fn owner(&self, key: Key) -> Option<Addr> {
        self.holder(0, Point::of_key(key, 0)).map(|(_, addr)| addr)
    }

    /// The neighbours of a node in a reality.
    pub fn neighbours(&self, reality: usize, addr: Addr) -> &[Contact] {
        let plan = self.realities.get(reality);
        plan.and_then(|p| p.state_of(addr)).map_or(&[], |state| &state.contacts)
    }

    /// The nodes that a message passes from `from` to the holder of `point`,
    /// both included, by the protocol's own choice of the next hop; empty when
    /// it gets stuck, which it does not.
    pub fn route(&self, reality: usize, from: Addr, point: Point) -> Vec<Addr> {
        let mut path = vec![from];
        let destination = Destination::new(point, self.config.dimensions);
        let Some(plan) = self.realities.get(reality) else { return Vec::new() };
        let mut at = from;
        loop {
            let Some(state) = plan.state_of(at) else { return Vec::new() };
            if state.claims.iter().any(|c| c.zone.contains(point)) {
                return path;
            }
            let own = state.claims.iter().map(|c| destination.distance_squared(c.zone));
            let own = own.min().unwrap_or(u128::MAX);
            let zones = state.contacts.iter().map(|c| (c.addr, c.zone, self.rtt_us(at, c.addr)));
            let Some((next, _)) = best_hop(own, zones, &destination, self.config.weighting) else {
                return Vec::new();
            };
            path.push(next);
            at = next;
        }
    }

    fn rtt_us(&self, a: Addr, b: Addr) -> u32 {
        if self.config.measures_rtt() {
            self.distances.rtt(a, b).as_us().min(u64::from(u32::MAX)) as u32
        } else {
            0
        }
    }

    /// What lies in `zone`, with the point of each.
    fn held_in(&self, zone: Zone) -> impl Iterator<Item = Stored> {
        let from = self.points.partition_point(|(point, ..)| *point < zone.first());
        self.points[from..].iter().take_while(move |(point, ..)| *point <= zone.last()).map(
            |&(point, place, word)| {
                let Holding { item, provider } = &self.holdings[place as usize];
                let hit = Hit { item: item.clone(), provider: *provider };
                let posting = Posting { hit, word };
                Stored { point, key: posting.key(), hit: posting.hit, edition: 0 }
            },
        )
    }

    /// What `provider` shares.
    fn shared_by(&self, provider: Addr) -> impl Iterator<Item = &Holding> {
        let holding = |i: &u32| &self.holdings[*i as usize];
        let from = self.by_provider.partition_point(|i| holding(i).provider < provider);
        self.by_provider[from..]
            .iter()
            .map(move |i| &self.holdings[*i as usize])
            .take_while(move |h| h.provider == provider)
    }
}

impl Plan {
    fn new(config: &Config, peers: &[Addr], distances: &Distances, rng: &mut Rng) -> Self {
        let tiling = match config.layout {
            Layout::Joined => joined(config, peers, distances, rng),
            Layout::Grid => grid(config, peers),
        };
        let mut nodes = Vec::with_capacity(peers.len());
        for (zone, first) in tiling.holders.values() {
            let beside = adjoining(&tiling.holders, *zone, config.dimensions);
            let members = tiling.members(*zone, *first);
            for me in &members {
                // Of each zone beside its own a node knows the nearest peer.
                let nearest = |(zone, first): &(Zone, Addr)| {
                    let peers = tiling.members(*zone, *first);
                    let addr = peers.into_iter().min_by_key(|peer| distances.rtt(*me, *peer));
                    Contact { addr: addr.unwrap_or(*first), zone: *zone }
                };
                let mates = members.iter().filter(|m| *m != me);
                let mates = mates.map(|addr| Contact { addr: *addr, zone: *zone });
                let mut contacts: Vec<Contact> = beside.iter().map(nearest).collect();
                contacts.sort_unstable_by_key(|c| c.addr);
                contacts.extend(mates);
                let claims = vec![Claim { zone: *zone, firm: true }];
                nodes.push((*me, Arc::new(State { claims, contacts: contacts.into() })));
            }
        }
        nodes.sort_unstable_by_key(|n| n.0);
        Self { zones: tiling.holders.into_values().collect(), nodes }
    }

    fn place_at(&self, point: Point) -> Option<usize> {
        self.zones.partition_point(|(zone, _)| zone.first() <= point).checked_sub(1)
    }

    fn state_of(&self, addr: Addr) -> Option<&Arc<State>> {
        let at = self.nodes.binary_search_by_key(&addr, |n| n.0).ok()?;
        Some(&self.nodes[at].1)
    }
}

/// The zones after joins one after another, as the protocol carries them out.
fn joined(config: &Config, peers: &[Addr], distances: &Distances, rng: &mut Rng) -> Tiling {
    let mut tiling = Tiling::default();
    let mut peers = peers.iter();
    if let Some(founder) = peers.next() {
        tiling.put(Zone::WHOLE, &[*founder]);
    }
    for joiner in peers {
        let mut point = if config.landmarks.is_empty() {
            Point(rng.next_u64())
        } else {
            let rtt = |landmark: &Addr| Some(distances.rtt(*joiner, *landmark));
            let rtts: Vec<_> = config.landmarks.addrs().iter().map(rtt).collect();
            config.landmarks.point(&rtts, config.dimensions, rng)
        };
        let Some((mut zone, mut owner)) = tiling.at(point) else { continue };
        if config.uniform {
            let near = adjoining(&tiling.holders, zone, config.dimensions);
            let larger = near.into_iter().filter(|(z, _)| z.volume() > zone.volume());
            if let Some(largest) = larger.max_by_key(|(z, addr)| (z.volume(), *addr)) {
                (zone, owner) = largest;
                let offset = rng.next_u64() & (zone.last().0 - zone.first().0);
                point = Point(zone.first().0 | offset);
            }
        }
        let mut members = tiling.members(zone, owner);
        if members.len() < config.peers {
            members.push(*joiner);
            tiling.put(zone, &members);
            continue;
        }
        // A zone that cannot be split leaves the joiner outside.
        let Some((lower, upper)) = zone.halves().filter(|_| zone.depth() < config.max_depth())
        else {
            continue;
        };
        tiling.others.remove(&zone.first());
        if config.peers > 1 {
            members.push(*joiner);
            members.sort_unstable();
            let (first, second) = members.split_at(members.len() / 2);
            tiling.put(lower, first);
            tiling.put(upper, second);
            continue;
        }
        let (given, kept) = if lower.contains(point) { (lower, upper) } else { (upper, lower) };
        tiling.put(given, &[*joiner]);
        tiling.put(kept, &[owner]);
    }
    tiling
}

/// Zones of one volume, or of two volumes where the number of peers is no
/// power of two: those first in the order of points are split once more.
fn grid(config: &Config, peers: &[Addr]) -> Tiling {
    let n = peers.len().div_ceil(config.peers) as u64;
    let depth = n.max(1).ilog2().min(config.max_depth());
    let surplus = if depth < config.max_depth() { n.saturating_sub(1 << depth) } else { 0 };
    let mut zones = Vec::with_capacity(peers.len());
    for place in 0..1_u64 << depth {
        let start = if depth == 0 { 0 } else { place << (64 - depth) };
        let zone = Zone::around(Point(start), depth);
        match zone.halves().filter(|_| place < surplus) {
            Some((lower, upper)) => zones.extend([lower, upper]),
            None => zones.push(zone),
        }
    }
    let mut tiling = Tiling::default();
    for (zone, members) in zones.into_iter().zip(peers.chunks(config.peers)) {
        tiling.put(zone, members);
    }
    tiling
}

impl Can {
    /// Takes this node's place in the converged network.
    pub(super) fn take_place(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint) {
        for (at, plan) in blueprint.realities.iter().enumerate() {
            let Some(state) = plan.state_of(cx.me()) else { return };
            let Some(space) = self.spaces.get_mut(at) else { return };
            *space = Space::default();
            space.settle(state.clone());
            let own = |c: &&Contact| state.claims.iter().any(|claim| claim.zone == c.zone);
            let mates = state.contacts.iter().filter(own).copied();
            let beside: Vec<Contact> = state.contacts.iter().filter(|c| !own(c)).copied().collect();
            let known = beside.chunk_by(|a, b| a.addr == b.addr).filter_map(|group| {
                let addr = group[0].addr;
                Some((addr, plan.state_of(addr)?.clone(), blueprint.rtt_us(cx.me(), addr)))
            });
            space.settle_neighbours(known, mates, cx.now());
            for zone in state.claims.iter().map(|c| c.zone) {
                for stored in blueprint.held_in(zone) {
                    space.store.put(stored, Time::ZERO, &self.config);
                }
            }
        }
        self.phase = Phase::Member;
        for holding in blueprint.shared_by(cx.me()) {
            let shares = self.shares.get_or_insert_default();
            shares.items.insert(holding.item.key(), holding.item.clone());
        }
        self.start_upkeep(cx);
        self.start_republishing(cx);
    }
}
