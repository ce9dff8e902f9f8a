//! A converged network: who is a supernode, and whose.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::Config;
use super::links;
use super::message::{Bandwidth, NodeEntry};
use super::peer::Context;
use super::supernode::load_of;
use crate::seam::{Addr, Census, Item, Profile, Rng};

/// A supernode's part of a converged network.
#[derive(Debug, Default)]
pub struct Place {
    /// Its ordinary nodes, in order.
    pub(super) children: Vec<Addr>,
    /// The supernodes linked to it, in order.
    pub(super) links: Vec<Addr>,
}

impl Place {
    /// Its load as it tells others.
    pub(super) fn load(&self, config: &Config) -> u8 {
        load_of(self.children.len(), config)
    }
}

/// What an ordinary node is in a converged network.
#[derive(Clone, Copy, Debug)]
struct Line {
    bandwidth: Bandwidth,
    firewalled: bool,
    /// Its supernode; nothing for a supernode.
    home: Option<Addr>,
}

/// A converged network.
#[derive(Debug)]
pub struct Blueprint {
    pub(super) servers: Vec<Addr>,
    places: BTreeMap<Addr, Place>,
    lines: BTreeMap<Addr, Line>,
    shares: BTreeMap<Addr, Vec<Arc<Item>>>,
    /// All supernodes and their loads.
    list: Vec<NodeEntry>,
}

/// How many supernodes there are among `peers` nodes. Supernodes that split in
/// halves when they are full are ln 2 = 69 % full on average.
fn supernodes_among(peers: usize, config: &Config) -> usize {
    let children = f64::from(config.children_split) * core::f64::consts::LN_2;
    ((peers as f64 / (children + 1.0)).round() as usize).clamp(1, peers.max(1))
}

/// The most capable of the peers that can be reached; equals by chance. The
/// first one is there even if it is not capable.
fn elect(config: &Config, peers: &[Profile], rng: &mut Rng) -> Vec<Addr> {
    let least = Bandwidth::of(u64::from(config.min_upload_kbps) * 1_000);
    let mut reachable: Vec<(Bandwidth, Addr)> = peers
        .iter()
        .filter(|peer| !peer.firewalled)
        .map(|peer| (Bandwidth::of(peer.upload_bps), peer.addr))
        .collect();
    reachable.shuffle(rng);
    reachable.sort_by_key(|&(bandwidth, _)| core::cmp::Reverse(bandwidth));
    let capable = reachable.iter().filter(|(bandwidth, _)| *bandwidth >= least).count();
    reachable.truncate(supernodes_among(peers.len(), config).min(capable.max(1)));
    reachable.into_iter().map(|(_, addr)| addr).collect()
}

impl Blueprint {
    /// The converged network of a census, or nothing where nobody can be
    /// reached or there is no list server.
    pub(super) fn draw(config: &Config, census: Census, rng: &mut Rng) -> Option<Self> {
        let elected = elect(config, &census.peers, rng);
        if census.servers.is_empty() || elected.is_empty() {
            return None;
        }
        let mut places: BTreeMap<Addr, Place> =
            elected.iter().map(|&addr| (addr, Place::default())).collect();
        let mut order: Vec<&Profile> = census.peers.iter().collect();
        order.shuffle(rng);
        let mut lines = BTreeMap::new();
        for peer in order {
            let (bandwidth, firewalled) = (Bandwidth::of(peer.upload_bps), peer.firewalled);
            let home = (!places.contains_key(&peer.addr))
                .then(|| choose_home(config, &census, &elected, &mut places, peer.addr, rng));
            lines.insert(peer.addr, Line { bandwidth, firewalled, home });
        }
        link_all(config, &elected, &mut places, rng);
        for place in places.values_mut() {
            place.children.sort_unstable();
            place.links.sort_unstable();
        }
        let mut shares: BTreeMap<Addr, Vec<Arc<Item>>> = BTreeMap::new();
        for holding in census.holdings {
            let list = shares.entry(holding.provider).or_default();
            if list.len() < config.max_shared as usize {
                list.push(holding.item);
            }
        }
        let entry = |(&addr, place): (&Addr, &Place)| NodeEntry {
            addr,
            seen_min: 0,
            load: place.load(config),
        };
        let list = places.iter().map(entry).collect();
        Some(Self { servers: census.servers, places, lines, shares, list })
    }

    /// The supernodes, in order.
    pub(super) fn supernodes(&self) -> impl Iterator<Item = (Addr, &Place)> {
        self.places.iter().map(|(&addr, place)| (addr, place))
    }

    /// The place of a supernode.
    pub(super) fn place(&self, addr: Addr) -> Option<&Place> {
        self.places.get(&addr)
    }

    /// The supernode of an ordinary node.
    pub(super) fn home(&self, addr: Addr) -> Option<Addr> {
        self.lines.get(&addr).and_then(|line| line.home)
    }

    /// The line of a node, and whether it is firewalled.
    pub(super) fn line(&self, addr: Addr) -> (Bandwidth, bool) {
        self.lines.get(&addr).map_or_else(Default::default, |l| (l.bandwidth, l.firewalled))
    }

    /// What a node shares.
    pub(super) fn shares_of(&self, addr: Addr) -> impl Iterator<Item = &Arc<Item>> {
        self.shares.get(&addr).into_iter().flatten()
    }

    /// Some supernodes drawn at random, without `me`.
    pub(super) fn list(&self, cx: &mut Context<'_>, me: Addr, entries: usize) -> Vec<NodeEntry> {
        let wanted = entries.min(self.list.len());
        let drawn = distinct(cx.rng(), self.list.len(), wanted);
        let drawn = drawn.into_iter().map(|at| self.list[at]);
        drawn.filter(|entry| entry.addr != me).collect()
    }
}

/// The nearest of a few random supernodes that has room; further few where
/// none has.
fn choose_home(
    config: &Config,
    census: &Census,
    elected: &[Addr],
    places: &mut BTreeMap<Addr, Place>,
    node: Addr,
    rng: &mut Rng,
) -> Addr {
    let candidates = usize::from(config.candidates);
    let split = config.children_split as usize;
    // Twenty rounds of draws fail only if nearly all are full; then any will do.
    for _ in 0..20 {
        let drawn = distinct(rng, elected.len(), candidates.min(elected.len()));
        let near = drawn
            .into_iter()
            .map(|at| elected[at])
            .filter(|addr| places[addr].children.len() < split)
            .min_by_key(|&addr| (census.distances.rtt(node, addr), addr));
        if let Some(home) = near {
            places.get_mut(&home).expect("the elected have places").children.push(node);
            return home;
        }
    }
    let home = elected[rng.random_range(0..elected.len())];
    places.get_mut(&home).expect("the elected have places").children.push(node);
    home
}

/// Every supernode in turn seeks links to random others until it has enough,
/// as it does when it joins.
fn link_all(config: &Config, elected: &[Addr], places: &mut BTreeMap<Addr, Place>, rng: &mut Rng) {
    let wanted = usize::from(config.links);
    let most = links::most(config);
    for &addr in elected {
        let missing = wanted.saturating_sub(places[&addr].links.len());
        // Some of those drawn are linked already or have no room.
        let tries = (2 * missing + wanted).min(elected.len());
        for at in distinct(rng, elected.len(), tries) {
            let other = elected[at];
            let own = &places[&addr].links;
            if own.len() >= wanted {
                break;
            }
            if other == addr || own.contains(&other) || places[&other].links.len() >= most {
                continue;
            }
            places.get_mut(&addr).expect("the elected have places").links.push(other);
            places.get_mut(&other).expect("the elected have places").links.push(addr);
        }
    }
}

/// So many different places of a list of `len`, in random order (Floyd's
/// method: no step depends on the length).
fn distinct(rng: &mut Rng, len: usize, amount: usize) -> Vec<usize> {
    let mut drawn = Vec::with_capacity(amount.min(len));
    for last in len.saturating_sub(amount)..len {
        let at = rng.random_range(0..=last);
        drawn.push(if drawn.contains(&at) { last } else { at });
    }
    drawn.shuffle(rng);
    drawn
}
