//! What must hold over a whole FastTrack network at rest.

use std::collections::{BTreeMap, BTreeSet};

use super::list_server::ListServer;
use super::peer::Peer;
use super::supernode::Supernode;
use super::{Config, FastTrack};
use crate::seam::Addr;

/// The network as a whole.
struct View<'a> {
    peers: BTreeMap<Addr, &'a Peer>,
    /// The ordinary nodes of each supernode, by their own account.
    children: BTreeMap<Addr, Vec<Addr>>,
    servers: Vec<&'a ListServer>,
    broken: Vec<String>,
}

/// Each ordinary node has a live supernode that lists it; each supernode's
/// index is the union of what its ordinary nodes and itself share; links have
/// two ends; the list servers know every supernode; and no supernode is about
/// to retire.
pub fn audit(nodes: &[(Addr, &FastTrack)]) -> Vec<String> {
    let mut view = View {
        peers: BTreeMap::new(),
        children: BTreeMap::new(),
        servers: Vec::new(),
        broken: Vec::new(),
    };
    for (addr, node) in nodes {
        match node {
            FastTrack::Server(server) => view.servers.push(server),
            FastTrack::Peer(peer) => _ = view.peers.insert(*addr, peer),
        }
    }
    for (&addr, peer) in &view.peers {
        if let Some(home) = peer.home {
            view.children.entry(home).or_default().push(addr);
        }
    }
    for (addr, peer) in view.peers.clone() {
        match &peer.supernode {
            Some(supernode) => view.audit_supernode(addr, peer, supernode),
            None => view.audit_ordinary(addr, peer),
        }
    }
    view.broken
}

impl View<'_> {
    fn complain(&mut self, addr: Addr, what: &str) {
        self.broken.push(format!("{addr}: {what}"));
    }

    fn supernode(&self, addr: Addr) -> Option<&Supernode> {
        self.peers.get(&addr)?.supernode.as_deref()
    }

    fn audit_ordinary(&mut self, addr: Addr, peer: &Peer) {
        if peer.homing.is_some() {
            self.complain(addr, "is looking for a supernode");
        }
        match peer.home {
            Some(home) if self.supernode(home).is_none() => {
                self.complain(addr, &format!("is at home at {home}, which is no live supernode"));
            }
            None if peer.member => self.complain(addr, "has no supernode"),
            _ => {}
        }
    }

    fn audit_supernode(&mut self, addr: Addr, peer: &Peer, supernode: &Supernode) {
        let children = self.children.get(&addr).cloned().unwrap_or_default();
        if !supernode.children().eq(children.iter().copied()) {
            self.complain(addr, "its ordinary nodes are not those at home there");
        }
        let mut shared: BTreeSet<_> = peer.shares.keys().map(|&key| (key, addr)).collect();
        for child in children {
            if let Some(peer) = self.peers.get(&child) {
                shared.extend(peer.shares.keys().map(|&key| (key, child)));
            }
        }
        if !supernode.index().pairs().eq(shared.iter().copied()) {
            self.complain(addr, "the index is not what its nodes share");
        }
        if !supernode.index().is_consistent() {
            self.complain(addr, "the lists of the index contradict each other");
        }
        for other in supernode.links.linked() {
            if !self.supernode(other).is_some_and(|o| o.links.contains(addr)) {
                self.complain(addr, &format!("{other} knows nothing of their link"));
            }
        }
        let others = self.peers.values().filter(|p| p.supernode.is_some()).count() - 1;
        if supernode.links.linked().count() < wanted_links(&peer.config, others) {
            self.complain(addr, "has too few links");
        }
        if self.servers.iter().any(|server| !server.knows(addr)) {
            self.complain(addr, "a list server does not know it");
        }
        let supernodes = self.peers.iter().filter_map(|(&a, p)| Some((a, p.supernode.as_ref()?)));
        let is_spare =
            supernodes.into_iter().any(|(a, s)| supernode.can_yield_to(addr, a, s.load()));
        if supernode.retiring.is_some() || is_spare {
            self.complain(addr, "serves few and is about to retire");
        }
        if supernode.is_splitting() {
            self.complain(addr, "is about to send half of its nodes away");
        }
    }
}

/// The links that a supernode has at least among so many others: all, or most
/// of those that it seeks, since some are always being exchanged.
fn wanted_links(config: &Config, others: usize) -> usize {
    let sought = usize::from(config.links);
    if others <= sought { others } else { sought / 2 }
}
