//! A converged network, built once for all, and what holds in one.

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::links::{Link, State};
use super::message::Message;
use super::{Config, Gnutella, Topology};
use crate::parts::servent::PongHost;
use crate::seam::{Addr, Census, Cx, Holding, Note, Rng, Time};

/// Hosts that a settled servent starts its cache with.
const SETTLED_HOSTS: usize = 24;

/// Tries of a newcomer per permanent peer wanted.
const TRIES: u32 = 8;

/// The links of everyone in a converged network, and what they share.
#[derive(Debug)]
pub struct Blueprint {
    /// All servents, by address.
    peers: Vec<Addr>,
    graph: Graph,
    /// What they share, by provider.
    holdings: Vec<Holding>,
}

/// An undirected graph over servents numbered by address.
#[derive(Debug)]
struct Graph {
    /// `stride` places per servent, of which the first `degrees[i]` are used.
    ends: Vec<u32>,
    degrees: Vec<u8>,
    stride: usize,
}

impl Graph {
    fn new(nodes: usize, stride: usize) -> Self {
        Self { ends: vec![0; nodes * stride], degrees: vec![0; nodes], stride }
    }

    fn of(&self, node: u32) -> &[u32] {
        let start = node as usize * self.stride;
        &self.ends[start..start + self.degree(node)]
    }

    fn degree(&self, node: u32) -> usize {
        usize::from(self.degrees[node as usize])
    }

    fn linked(&self, a: u32, b: u32) -> bool {
        self.of(a).contains(&b)
    }

    fn link(&mut self, a: u32, b: u32) {
        for (node, end) in [(a, b), (b, a)] {
            let at = node as usize * self.stride + self.degree(node);
            self.ends[at] = end;
            self.degrees[node as usize] += 1;
        }
    }

    fn unlink(&mut self, a: u32, b: u32) {
        for (node, end) in [(a, b), (b, a)] {
            let start = node as usize * self.stride;
            let last = start + self.degree(node) - 1;
            if let Some(at) = (start..=last).find(|at| self.ends[*at] == end) {
                self.ends.swap(at, last);
                self.degrees[node as usize] -= 1;
            }
        }
    }

    /// The graph that joining makes: one servent after the other, in random
    /// order, links to random ones that are there, full ones making room as
    /// the protocol has it.
    fn random(nodes: usize, config: &Config, rng: &mut Rng) -> Self {
        let most = config.most_links();
        let wanted = config.degree as usize;
        let mut graph = Self::new(nodes, most);
        let mut order: Vec<u32> = (0..nodes as u32).collect();
        order.shuffle(rng);
        for (there, &new) in order.iter().enumerate().skip(1) {
            let mut tries = TRIES * config.degree;
            // The first link is never given up on, so the graph is connected.
            while graph.degree(new) < wanted.min(there) && (tries > 0 || graph.degree(new) == 0) {
                tries = tries.saturating_sub(1);
                let other = order[rng.random_range(0..there)];
                if graph.linked(new, other) {
                    continue;
                }
                if graph.degree(other) < most {
                    graph.link(new, other);
                } else if config.make_room && graph.degree(new) + 2 <= wanted {
                    let given_up = graph.of(other)[rng.random_range(0..most)];
                    if !graph.linked(new, given_up) {
                        graph.unlink(other, given_up);
                        graph.link(new, other);
                        graph.link(new, given_up);
                    }
                } else if graph.degree(new) == 0 && tries == 0 {
                    // Everyone tried was full: the newest has room for sure
                    // unless the most links are one.
                    let newest = order[there - 1];
                    if graph.degree(newest) < most {
                        graph.link(new, newest);
                    }
                    break;
                }
            }
        }
        graph
    }

    /// A tree in which every inner servent has `degree` links, filled level by
    /// level from servent 0.
    fn tree(nodes: usize, config: &Config) -> Self {
        let degree = config.degree as usize;
        let mut graph = Self::new(nodes, config.most_links().max(2));
        // With one link per servent only a pair is a tree; a chain is the
        // nearest thing to it.
        let degree = degree.max(2);
        let mut parent = 0;
        for child in 1..nodes as u32 {
            if graph.degree(parent) >= degree {
                parent += 1;
            }
            graph.link(parent, child);
        }
        graph
    }
}

impl Blueprint {
    /// The network of everyone in `census`.
    pub(super) fn new(config: &Config, census: Census, rng: &mut Rng) -> Self {
        let mut peers: Vec<Addr> = census.peers.iter().map(|m| m.addr).collect();
        peers.sort_unstable();
        peers.dedup();
        let graph = match config.topology {
            Topology::Random => Graph::random(peers.len(), config, rng),
            Topology::Tree => Graph::tree(peers.len(), config),
        };
        let mut holdings = census.holdings;
        holdings.sort_by_key(|h| h.provider);
        Self { peers, graph, holdings }
    }

    /// The servent from which a tree was grown, or the first one.
    pub fn root(&self) -> Option<Addr> {
        self.peers.first().copied()
    }

    fn addr(&self, node: u32) -> Addr {
        self.peers[node as usize]
    }

    fn held_by(&self, provider: Addr) -> &[Holding] {
        let start = self.holdings.partition_point(|h| h.provider < provider);
        let rest = &self.holdings[start..];
        &rest[..rest.partition_point(|h| h.provider == provider)]
    }

    /// The servents nearest to `node` in the graph, itself excluded, with
    /// their distances.
    fn around(&self, node: u32) -> Vec<(u32, u8)> {
        let mut seen = vec![(node, 0)];
        let mut at = 0;
        while at < seen.len() && seen.len() <= SETTLED_HOSTS {
            let (from, hops) = seen[at];
            for next in self.graph.of(from) {
                if !seen.iter().any(|(n, _)| n == next) {
                    seen.push((*next, hops + 1));
                }
            }
            at += 1;
        }
        seen.remove(0);
        seen.truncate(SETTLED_HOSTS);
        seen
    }
}

impl Gnutella {
    pub(super) fn take_place(&mut self, cx: &mut Cx<'_, Self>, blueprint: &Blueprint) {
        let Ok(node) = blueprint.peers.binary_search(&self.me) else { return };
        let node = node as u32;
        self.start_upkeep(cx);
        self.state = State::Member;
        for (slot, peer) in blueprint.graph.of(node).iter().enumerate() {
            let (slot, peer) = (slot as u8, blueprint.addr(*peer));
            self.links.push(Link { peer, slot, next_ping_at: Time::ZERO });
            let at = u32::from(slot);
            cx.note(|| Note::TableChange { table: "link", slot: at, peer: Some(peer) });
            // Where links stand, so do streams. An acceptance of what stands
            // already is without effect, but it opens the stream, so that the
            // first query does not have to, and a crash is noticed.
            if self.me < peer {
                let links = u8::try_from(blueprint.graph.degree(node)).unwrap_or(u8::MAX);
                cx.send(peer, Message::Accept { links });
            }
        }
        let fit_until = cx.now() + self.config.pong_lifetime;
        for (host, hops) in blueprint.around(node) {
            let addr = blueprint.addr(host);
            let held = blueprint.held_by(addr);
            let bytes: u64 = held.iter().map(|h| h.item.size_bytes()).fold(0, u64::saturating_add);
            let kilobytes = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
            let files = u32::try_from(held.len()).unwrap_or(u32::MAX);
            let pong = PongHost { addr, files, kilobytes };
            self.hosts.learn_pong(pong, hops, fit_until, cx.now());
        }
        for holding in blueprint.held_by(self.me) {
            self.shares.insert(holding.item.clone());
        }
    }
}

/// What holds in a network at rest: links are symmetric, nobody has more than
/// it accepts, and everyone is connected with everyone.
pub(super) fn audit(nodes: &[(Addr, &Gnutella)]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut sorted: Vec<&(Addr, &Gnutella)> = nodes.iter().collect();
    sorted.sort_by_key(|(addr, _)| *addr);
    let find = |addr: Addr| sorted.binary_search_by_key(&addr, |(a, _)| *a);
    for (addr, node) in &sorted {
        let most = node.config.most_links();
        if node.links.len() > most {
            complaints.push(format!("{addr} has {} links, more than {most}", node.links.len()));
        }
        for link in &node.links {
            match find(link.peer) {
                Ok(at) if sorted[at].1.linked(*addr) => {}
                Ok(_) => complaints
                    .push(format!("{addr} counts {} as a peer, not so the other way", link.peer)),
                Err(_) => {
                    complaints.push(format!("{addr} counts {} as a peer, which is gone", link.peer))
                }
            }
        }
    }
    let mut reached = vec![false; sorted.len()];
    let mut queue: Vec<usize> = (0..sorted.len().min(1)).collect();
    let mut count = 0;
    while let Some(at) = queue.pop() {
        if core::mem::replace(&mut reached[at], true) {
            continue;
        }
        count += 1;
        let links = sorted[at].1.links.iter();
        queue.extend(links.filter_map(|l| find(l.peer).ok()).filter(|i| !reached[*i]));
    }
    if count < sorted.len() {
        complaints.push(format!(
            "only {count} of {} servents are connected with {}",
            sorted.len(),
            sorted[0].0
        ));
    }
    complaints
}
