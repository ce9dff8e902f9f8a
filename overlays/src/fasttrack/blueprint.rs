//! A converged network: who is a supernode, and whose.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::Config;
use super::growth::Growth;
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

impl Blueprint {
    /// The converged network of a census, or nothing where nobody can be
    /// reached or there is no list server.
    pub(super) fn draw(config: &Config, census: Census, rng: &mut Rng) -> Option<Self> {
        if census.servers.is_empty() {
            return None;
        }
        let mut places = BTreeMap::new();
        let mut homes = BTreeMap::new();
        for (addr, family) in Growth::of(config, &census, rng)? {
            let children: Vec<Addr> = family.iter().map(|peer| peer.addr).collect();
            homes.extend(children.iter().map(|&child| (child, addr)));
            places.insert(addr, Place { children, links: Vec::new() });
        }
        let line = |peer: &Profile| Line {
            bandwidth: Bandwidth::of(peer.upload_bps),
            firewalled: peer.firewalled,
            home: homes.get(&peer.addr).copied(),
        };
        let lines = census.peers.iter().map(|peer| (peer.addr, line(peer))).collect();
        let mut elected: Vec<Addr> = places.keys().copied().collect();
        elected.shuffle(rng);
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
pub(super) fn distinct(rng: &mut Rng, len: usize, amount: usize) -> Vec<usize> {
    let mut drawn = Vec::with_capacity(amount.min(len));
    for last in len.saturating_sub(amount)..len {
        let at = rng.random_range(0..=last);
        drawn.push(if drawn.contains(&at) { last } else { at });
    }
    drawn.shuffle(rng);
    drawn
}
