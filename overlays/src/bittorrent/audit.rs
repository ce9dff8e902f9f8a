//! What must hold over a whole BitTorrent network at rest.

use std::collections::BTreeMap;

use super::client::Client;
use super::{BitTorrent, Server};
use crate::mainline::Mainline;
use crate::seam::{Addr, Overlay as _};

/// Trackers list exactly those who seed, the index site lists what is shared,
/// and connections are known at both ends.
pub fn audit<'a>(nodes: &[(Addr, &'a BitTorrent)]) -> Vec<String> {
    let in_dht = |(addr, node): &(Addr, &'a BitTorrent)| node.dht().map(|dht| (*addr, dht));
    let mut broken = Mainline::audit(&nodes.iter().filter_map(in_dht).collect::<Vec<_>>());
    let nodes: BTreeMap<Addr, &BitTorrent> = nodes.iter().copied().collect();
    let client = |addr: Addr| match nodes.get(&addr) {
        Some(BitTorrent::Client(client)) => Some(&**client),
        _ => None,
    };
    for (&addr, node) in &nodes {
        match node {
            BitTorrent::Client(client) if client.is_in() => {
                check_torrents(&nodes, addr, client, &mut broken);
            }
            BitTorrent::Server(server) => match &**server {
                Server::Tracker(tracker) => {
                    // Whoever is gone without a word is listed for a while.
                    for (key, peer) in tracker.seeds() {
                        if client(peer).is_some_and(|c| c.is_in() && !c.torrents.contains_key(&key))
                        {
                            broken
                                .push(format!("{addr}: lists {peer}, which does not seed {key:?}"));
                        }
                    }
                }
                Server::Index(index) if !index.is_consistent() => {
                    broken.push(format!("{addr}: the lists of the index contradict each other"));
                }
                _ => {}
            },
            BitTorrent::Client(_) => {}
        }
    }
    broken
}

/// A client's torrents are listed at their tracker and the index site, as far
/// as those live, and its neighbours know it.
fn check_torrents(
    nodes: &BTreeMap<Addr, &BitTorrent>,
    addr: Addr,
    client: &Client,
    broken: &mut Vec<String>,
) {
    let server = |addr: Option<Addr>| match addr.and_then(|addr| nodes.get(&addr)) {
        Some(BitTorrent::Server(server)) => Some(&**server),
        _ => None,
    };
    for (key, torrent) in &client.torrents {
        if let Some(Server::Tracker(tracker)) = server(torrent.listed_at)
            && !tracker.is_seed(key, addr)
        {
            broken.push(format!("{addr}: seeds {key:?}, which its tracker does not know"));
        }
        if let Some(Server::Index(index)) = server(client.index)
            && torrent.published
            && !index.lists(key)
        {
            broken.push(format!("{addr}: seeds {key:?}, which is not listed"));
        }
        for peer in torrent.swarm.neighbours() {
            let knows = match nodes.get(&peer) {
                Some(BitTorrent::Client(other)) => {
                    other.torrents.get(key).is_some_and(|t| t.swarm.is_neighbour(addr))
                }
                _ => false,
            };
            if !knows {
                broken.push(format!("{addr}: connected for {key:?} to {peer}, which is not"));
            }
        }
    }
}
