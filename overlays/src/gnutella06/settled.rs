//! A converged network, built once for all, and what holds in one.

use std::sync::Arc;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::links::{Link, MAX_CONTACTS, State};
use super::qrp::{Incoming, Table};
use super::{Config, Gnutella06, Rank, election};
use crate::parts::servent::PongHost;
use crate::seam::{Addr, Census, Cx, Holding, Note, Profile, Rng, Span};

/// Ultrapeers that a settled servent starts its cache with.
const SETTLED_HOSTS: usize = 24;
/// Random ultrapeers that a servent tries for each link it lacks.
const TRIES: usize = 12;
/// Ultrapeers that a leaf asks in all when few have room.
const HEARD_OF: usize = 1024;

/// Ranks, links and tables of everyone in a converged network.
#[derive(Debug)]
pub struct Blueprint {
    /// All servents, by address.
    peers: Vec<Member>,
    /// What they share, by provider.
    holdings: Vec<Holding>,
    /// The ultrapeers, by number.
    ultrapeers: Vec<u32>,
    /// The web caches.
    web_caches: Vec<Addr>,
}

#[derive(Debug)]
struct Member {
    addr: Addr,
    capable: bool,
    reachable: bool,
    rank: Rank,
    /// Servents linked with, by number: an ultrapeer's leaves among them.
    links: Vec<u32>,
    leaves: u32,
    table: Arc<Table>,
}

impl Blueprint {
    /// The network of everyone in `census`.
    pub(super) fn new(config: &Config, census: Census, rng: &mut Rng) -> Self {
        let mut profiles = census.peers;
        profiles.sort_unstable_by_key(|p| p.addr);
        profiles.dedup_by_key(|p| p.addr);
        let member = |profile: &Profile| Member {
            addr: profile.addr,
            capable: election::is_capable(config, profile),
            reachable: !profile.firewalled,
            rank: Rank::Leaf,
            links: Vec::new(),
            leaves: 0,
            table: Arc::default(),
        };
        let mut holdings = census.holdings;
        holdings.sort_by_key(|h| h.provider);
        let peers = profiles.iter().map(member).collect();
        let (ultrapeers, web_caches) = (Vec::new(), census.servers);
        let mut blueprint = Self { peers, holdings, ultrapeers, web_caches };
        blueprint.elect(config, rng);
        blueprint.link_ultrapeers(config, rng);
        blueprint.merge_tables(config);
        blueprint
    }

    /// One servent after the other arrives, in random order, and becomes a
    /// leaf of random ultrapeers while there is room; or one more of them.
    fn elect(&mut self, config: &Config, rng: &mut Rng) {
        let mut order: Vec<u32> = (0..self.peers.len() as u32).collect();
        order.shuffle(rng);
        // Somebody who can be reached has to found the network.
        let founder = order.iter().position(|&i| self.peers[i as usize].reachable);
        order.swap(0, founder.unwrap_or(0));
        for (turn, &new) in order.iter().enumerate() {
            if turn == 0 {
                self.promote(new);
            } else {
                self.take_in(config, new, rng);
                let member = &self.peers[new as usize];
                if member.links.is_empty() && member.capable {
                    self.promote(new);
                }
            }
        }
        // Leaves that came when room was scarce look on; those that are fit
        // for it become ultrapeers where there is none.
        order.shuffle(rng);
        for &leaf in &order {
            let rank = self.peers[leaf as usize].rank;
            let served = rank == Rank::Ultrapeer || self.take_in(config, leaf, rng);
            if !served && self.peers[leaf as usize].capable {
                self.release(leaf);
                self.promote(leaf);
            }
        }
        for leaf in order {
            if self.peers[leaf as usize].rank == Rank::Leaf {
                self.take_in(config, leaf, rng);
            }
        }
    }

    fn promote(&mut self, peer: u32) {
        self.peers[peer as usize].rank = Rank::Ultrapeer;
        self.ultrapeers.push(peer);
    }

    /// Undoes the links of a leaf.
    fn release(&mut self, leaf: u32) {
        for other in core::mem::take(&mut self.peers[leaf as usize].links) {
            let other = &mut self.peers[other as usize];
            other.links.retain(|l| *l != leaf);
            other.leaves -= 1;
        }
    }

    /// Links a leaf with ultrapeers: random ones, or, where few have room, any
    /// of those that it hears of in time. False when it found too few.
    fn take_in(&mut self, config: &Config, leaf: u32, rng: &mut Rng) -> bool {
        let all = self.ultrapeers.len();
        let wanted = (config.leaf_ultrapeers as usize).min(all);
        for _ in 0..TRIES * wanted {
            if self.peers[leaf as usize].links.len() >= wanted {
                return true;
            }
            self.try_leaf_link(config, leaf, rng.random_range(0..all));
        }
        let start = rng.random_range(0..all);
        for step in 0..all.min(HEARD_OF) {
            if self.peers[leaf as usize].links.len() >= wanted {
                return true;
            }
            self.try_leaf_link(config, leaf, (start + step) % all);
        }
        self.peers[leaf as usize].links.len() >= wanted
    }

    /// Links a leaf with the ultrapeer at this place, if that has room for it.
    fn try_leaf_link(&mut self, config: &Config, leaf: u32, place: usize) {
        let other = self.ultrapeers[place];
        let held = &self.peers[leaf as usize].links;
        let taken = self.peers[other as usize].leaves as usize;
        if config.takes_leaf(taken, held.is_empty()) && !held.contains(&other) {
            self.link(leaf, other);
            self.peers[other as usize].leaves += 1;
        }
    }

    fn link(&mut self, a: u32, b: u32) {
        self.peers[a as usize].links.push(b);
        self.peers[b as usize].links.push(a);
    }

    /// Links the ultrapeers with each other, in the order in which they came:
    /// each dials random ones that were there before.
    fn link_ultrapeers(&mut self, config: &Config, rng: &mut Rng) {
        let ultrapeers = self.ultrapeers.clone();
        let among = |p: &Member| p.links.len() - p.leaves as usize;
        for (there, &new) in ultrapeers.iter().enumerate().skip(1) {
            let mut tries = TRIES * config.own_links();
            // The first link is never given up on, so the network is connected.
            while among(&self.peers[new as usize]) < config.own_links().min(there) {
                let linked = among(&self.peers[new as usize]);
                if tries == 0 && linked > 0 {
                    break;
                }
                tries = tries.saturating_sub(1);
                let other = ultrapeers[rng.random_range(0..there)];
                let has_room = among(&self.peers[other as usize]) < config.degree as usize;
                let forced = tries == 0 && linked == 0;
                if (has_room || forced) && !self.peers[new as usize].links.contains(&other) {
                    self.link(new, other);
                }
            }
        }
    }

    /// Every leaf's table from its shares, and every ultrapeer's from those of
    /// its leaves and its own.
    fn merge_tables(&mut self, config: &Config) {
        let bits = config.table_bits;
        for i in 0..self.peers.len() {
            let held = self.held_by(self.peers[i].addr);
            self.peers[i].table = Arc::new(Table::of(bits, held.iter().map(|h| &h.item)));
        }
        for &ultrapeer in &self.ultrapeers.clone() {
            let member = &self.peers[ultrapeer as usize];
            let linked = member.links.iter().map(|l| &self.peers[*l as usize]);
            let leaves = linked.filter(|p| p.rank == Rank::Leaf).map(|p| &*p.table);
            let merged = Table::union(bits, leaves.chain([&*member.table]));
            self.peers[ultrapeer as usize].table = Arc::new(merged);
        }
    }

    fn held_by(&self, provider: Addr) -> &[Holding] {
        let start = self.holdings.partition_point(|h| h.provider < provider);
        let rest = &self.holdings[start..];
        &rest[..rest.partition_point(|h| h.provider == provider)]
    }
}

impl Gnutella06 {
    pub(super) fn take_place(&mut self, cx: &mut Cx<'_, Self>, blueprint: &Blueprint) {
        if let Some(web_cache) = &mut self.web_cache {
            let newest =
                blueprint.ultrapeers.iter().rev().take(self.config.web_cache_hosts as usize);
            newest.rev().for_each(|u| web_cache.learn(blueprint.peers[*u as usize].addr));
            return;
        }
        let found = blueprint.peers.binary_search_by_key(&self.me, |p| p.addr);
        let Ok(at) = found else { return };
        let member = &blueprint.peers[at];
        self.start_upkeep(cx);
        self.state = State::Member;
        self.rank = member.rank;
        self.contacts.extend(blueprint.web_caches.iter().take(MAX_CONTACTS));
        let interval = self.config.web_cache_interval.as_us();
        self.next_update_at = cx.now() + Span::from_us(cx.rng().random_range(0..interval.max(1)));
        self.table = member.table.clone();
        let (degree, max_ttl) = (self.config.degree as u8, self.config.max_ttl);
        self.links.reserve_exact(member.links.len());
        for (slot, &other) in member.links.iter().enumerate() {
            let other = &blueprint.peers[other as usize];
            let mut link = Link::new(other.addr, other.rank, other.reachable, degree, max_ttl);
            let tells = other.rank == Rank::Leaf || self.config.last_hop_qrp;
            if self.rank == Rank::Ultrapeer && tells {
                link.incoming = Some(Box::new(Incoming::settled(other.table.clone())));
            }
            self.links.push(link);
            let (slot, peer) = (slot as u32, Some(other.addr));
            cx.note(|| Note::TableChange { table: "link", slot, peer });
            self.open_stream(cx, other.addr);
        }
        let fit_until = cx.now() + self.config.pong_lifetime;
        for _ in 0..SETTLED_HOSTS.min(blueprint.ultrapeers.len()) {
            let some = cx.rng().random_range(0..blueprint.ultrapeers.len());
            let host = &blueprint.peers[blueprint.ultrapeers[some] as usize];
            if host.addr != self.me {
                let files = blueprint.held_by(host.addr).len() as u32;
                let pong = PongHost { addr: host.addr, files, kilobytes: 8 };
                self.hosts.learn_pong(pong, 2, fit_until, cx.now());
            }
        }
        if self.rank == Rank::Leaf
            && blueprint.ultrapeers.len() <= self.config.cached_pongs as usize
        {
            self.hear_of_leaves(cx, blueprint);
        }
        for holding in blueprint.held_by(self.me) {
            self.shares.insert(holding.item.clone());
        }
    }

    /// Where there are few ultrapeers, leaves have heard of leaves.
    fn hear_of_leaves(&mut self, cx: &mut Cx<'_, Self>, blueprint: &Blueprint) {
        let now = cx.now();
        for _ in 0..self.config.host_cache.min(blueprint.peers.len() as u32) {
            let some = &blueprint.peers[cx.rng().random_range(0..blueprint.peers.len())];
            if some.rank == Rank::Leaf && some.reachable && some.addr != self.me {
                let pong = PongHost { addr: some.addr, files: 0, kilobytes: 0 };
                self.hosts.learn_leaf(pong, 2, now + self.config.pong_lifetime, now);
            }
        }
    }

    /// Where links stand, so do streams. A patch that changes nothing is
    /// without effect, but it opens the stream, so that the first query does
    /// not have to, and a crash is noticed.
    fn open_stream(&self, cx: &mut Cx<'_, Self>, peer: Addr) {
        use super::message::{ENOUGH, Message};
        use crate::parts::servent::Guid;
        if self.me < peer {
            cx.send(peer, Message::Kept { guid: Guid::ZERO, hits: ENOUGH });
        }
    }
}

/// What holds in a network at rest: links are symmetric and within their
/// limits, leaves are linked with ultrapeers alone, everyone is connected with
/// everyone, and tables say what there is.
pub(super) fn audit(nodes: &[(Addr, &Gnutella06)]) -> Vec<String> {
    let mut sorted: Vec<(Addr, &Gnutella06)> =
        nodes.iter().copied().filter(|(_, node)| node.web_cache.is_none()).collect();
    sorted.sort_by_key(|(addr, _)| *addr);
    let mut complaints = Vec::new();
    for (addr, node) in &sorted {
        audit_limits(*addr, node, &mut complaints);
        for link in &node.links {
            let at = sorted.binary_search_by_key(&link.peer, |(a, _)| *a);
            match at.ok().map(|at| sorted[at].1) {
                Some(other) => audit_link(*addr, node, link, other, &mut complaints),
                None => {
                    complaints
                        .push(format!("{addr} counts {} as a peer, which is gone", link.peer));
                }
            }
        }
    }
    let reached = reachable(&sorted);
    if reached < sorted.len() {
        complaints.push(format!("only {reached} of {} servents are connected", sorted.len()));
    }
    complaints
}

fn audit_limits(addr: Addr, node: &Gnutella06, complaints: &mut Vec<String>) {
    let config = &node.config;
    let (leaves, ultrapeers) = (node.leaves(), node.ultrapeers());
    let (most_leaves, most_ultrapeers) = match node.rank {
        Rank::Leaf => (0, config.leaf_ultrapeers),
        Rank::Ultrapeer => (config.leaves, config.degree),
    };
    if leaves > most_leaves as usize || ultrapeers > most_ultrapeers as usize {
        let rank = node.rank;
        complaints.push(format!("{addr}, {rank:?}, has {leaves} leaves, {ultrapeers} ultrapeers"));
    }
    if node.rank == Rank::Ultrapeer && *node.table != node.fresh_table() {
        complaints.push(format!("{addr} has told of an older table"));
    }
}

fn audit_link(
    addr: Addr,
    node: &Gnutella06,
    link: &Link,
    other: &Gnutella06,
    complaints: &mut Vec<String>,
) {
    let peer = link.peer;
    if !other.links.iter().any(|l| l.peer == addr && l.rank == node.rank) {
        complaints.push(format!("{addr} counts {peer} as a peer, not so the other way"));
    }
    if link.rank != other.rank {
        complaints.push(format!("{addr} takes {peer} for a {:?}", link.rank));
    }
    let tells = link.rank == Rank::Leaf || node.config.last_hop_qrp;
    if node.rank == Rank::Ultrapeer && tells {
        let told = link.incoming.as_ref().is_some_and(|i| **i.table() == *other.table);
        if !told {
            complaints.push(format!("{addr} has another table of {peer} than was sent"));
        }
    }
}

/// How many can be reached from the first ultrapeer. Leaves pass nothing on.
fn reachable(sorted: &[(Addr, &Gnutella06)]) -> usize {
    let first = sorted.iter().position(|(_, node)| node.rank == Rank::Ultrapeer);
    let Some(first) = first else { return sorted.len().min(1) };
    let mut reached = vec![false; sorted.len()];
    let mut queue = vec![first];
    let mut count = 0;
    while let Some(at) = queue.pop() {
        if core::mem::replace(&mut reached[at], true) {
            continue;
        }
        count += 1;
        if sorted[at].1.rank == Rank::Leaf {
            continue;
        }
        let find = |l: &Link| sorted.binary_search_by_key(&l.peer, |(a, _)| *a).ok();
        queue.extend(sorted[at].1.links.iter().filter_map(find));
    }
    count
}
