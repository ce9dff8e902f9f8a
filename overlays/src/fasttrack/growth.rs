//! How a network grows, without messages: everybody arrives in turn, by the
//! rules by which nodes join, supernodes split and idle ones retire.

use std::collections::BTreeMap;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::Config;
use super::blueprint::distinct;
use super::message::Bandwidth;
use super::supernode::load_of;
use crate::seam::{Addr, Census, Profile, Rng};

/// A growing network.
pub(super) struct Growth<'a> {
    config: &'a Config,
    census: &'a Census,
    rng: &'a mut Rng,
    /// The supernodes in the order of their election.
    supernodes: Vec<Addr>,
    /// The ordinary nodes of each supernode, in order of arrival.
    families: BTreeMap<Addr, Vec<&'a Profile>>,
}

impl<'a> Growth<'a> {
    /// The families of a network that everybody in the census has joined, or
    /// nothing where nobody can be reached.
    pub fn of(
        config: &'a Config,
        census: &'a Census,
        rng: &'a mut Rng,
    ) -> Option<BTreeMap<Addr, Vec<&'a Profile>>> {
        let mut order: Vec<&Profile> = census.peers.iter().collect();
        order.shuffle(rng);
        let founder = order.iter().position(|peer| !peer.firewalled)?;
        order.swap(0, founder);
        let mut growth =
            Self { config, census, rng, supernodes: Vec::new(), families: BTreeMap::new() };
        growth.elect(order[0].addr);
        for peer in &order[1..] {
            growth.arrive(peer);
        }
        growth.retire_idle();
        Some(growth.families)
    }

    fn elect(&mut self, addr: Addr) {
        self.supernodes.push(addr);
        self.families.insert(addr, Vec::new());
    }

    fn len(&self, supernode: Addr) -> usize {
        self.families[&supernode].len()
    }

    /// A node joins, or looks for another supernode.
    fn arrive(&mut self, peer: &'a Profile) {
        if let Some(home) = self.choose(peer.addr, None, None) {
            self.take(home, peer);
        } else if peer.firewalled {
            // It would try again until there is room; here it gets some.
            let any = self.supernodes[self.rng.random_range(0..self.supernodes.len())];
            self.take(any, peer);
        } else {
            self.elect(peer.addr);
        }
    }

    /// The nearest of a few random supernodes that have room; further few where
    /// none has. `first` is among the first few,
    /// `avoid` never.
    fn choose(&mut self, node: Addr, first: Option<Addr>, avoid: Option<Addr>) -> Option<Addr> {
        let candidates = usize::from(self.config.candidates);
        let rounds = self.supernodes.len().div_ceil(candidates).min(20);
        for round in 0..rounds {
            let drawn = distinct(self.rng, self.supernodes.len(), candidates);
            let drawn = drawn.into_iter().map(|at| self.supernodes[at]);
            let near = first
                .filter(|_| round == 0)
                .into_iter()
                .chain(drawn)
                .take(candidates)
                .filter(|&addr| addr != node && Some(addr) != avoid)
                .filter(|&addr| self.len(addr) < self.config.children_max as usize)
                .min_by_key(|&addr| (self.census.distances.rtt(node, addr), addr));
            if near.is_some() {
                return near;
            }
        }
        None
    }

    /// A supernode takes a node, and splits as long as somebody is too large.
    fn take(&mut self, home: Addr, peer: &'a Profile) {
        self.families.entry(home).or_default().push(peer);
        let mut crowded = vec![home];
        while let Some(addr) = crowded.pop() {
            if self.len(addr) > self.config.children_split as usize {
                self.split(addr, &mut crowded);
            }
        }
    }

    /// The most capable ordinary node, the one that has been there for longest
    /// of equals, becomes a supernode, and half of the others look elsewhere.
    fn split(&mut self, addr: Addr, crowded: &mut Vec<Addr>) {
        let least = Bandwidth::of(u64::from(self.config.min_upload_kbps) * 1_000);
        let family = self.families.entry(addr).or_default();
        let capable = family.iter().enumerate().filter_map(|(at, peer)| {
            let bandwidth = Bandwidth::of(peer.upload_bps);
            let capable = !peer.firewalled && bandwidth >= least;
            capable.then_some((bandwidth, core::cmp::Reverse(at)))
        });
        let Some((_, core::cmp::Reverse(best))) = capable.max() else { return };
        let newcomer = family.remove(best).addr;
        let mut leavers = family.clone();
        leavers.shuffle(self.rng);
        leavers.truncate(leavers.len() / 2);
        self.elect(newcomer);
        self.send_away(addr, Some(newcomer), leavers, crowded);
    }

    fn send_away(
        &mut self,
        from: Addr,
        newcomer: Option<Addr>,
        leavers: Vec<&'a Profile>,
        crowded: &mut Vec<Addr>,
    ) {
        for peer in leavers {
            let Some(home) = self.choose(peer.addr, newcomer, Some(from)) else { continue };
            self.families.entry(from).or_default().retain(|child| child.addr != peer.addr);
            self.families.entry(home).or_default().push(peer);
            if !crowded.contains(&home) {
                crowded.push(home);
            }
        }
    }

    /// Supernodes with few ordinary nodes become one of another's.
    fn retire_idle(&mut self) {
        let profiles: BTreeMap<Addr, &Profile> =
            self.census.peers.iter().map(|peer| (peer.addr, peer)).collect();
        // One at a time, and no more than there are now.
        for _ in 0..self.supernodes.len() {
            let Some(idle) = self.idle() else { break };
            let children = self.families.remove(&idle).unwrap_or_default();
            self.supernodes.retain(|&addr| addr != idle);
            for peer in children.into_iter().chain(profiles.get(&idle).copied()) {
                self.arrive(peer);
            }
        }
    }

    /// A supernode that another can serve as well.
    fn idle(&self) -> Option<Addr> {
        let few = |addr: &Addr| self.len(*addr) < self.config.children_min as usize;
        self.supernodes.iter().copied().filter(few).find(|&addr| {
            let own = load_of(self.len(addr), self.config);
            self.supernodes.iter().any(|&other| {
                let load = load_of(self.len(other), self.config);
                (load, other) > (own, addr) && u32::from(load) + u32::from(own) < 75
            })
        })
    }
}
