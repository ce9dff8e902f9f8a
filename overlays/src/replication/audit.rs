//! What must hold over a whole network of replicas at rest.

use std::collections::{BTreeMap, BTreeSet};

use super::Replication;
use super::replica::digest_of;
use crate::seam::{Addr, Key};

/// Every replica is the union of what the members share, links go both ways,
/// and the graph of links holds together.
pub fn audit(nodes: &[(Addr, &Replication)]) -> Vec<String> {
    let members: BTreeMap<Addr, &Replication> =
        nodes.iter().filter(|(_, peer)| peer.is_in()).copied().collect();
    let mut broken = Vec::new();
    let (mut digest, mut records) = (0, 0);
    for (&addr, peer) in &members {
        records += peer.items.len();
        let Some(own) = peer.replica.get(addr) else {
            broken.push(format!("{addr}: does not list itself"));
            continue;
        };
        digest ^= digest_of(addr, own.version());
        let listed: BTreeSet<Key> = own.items().map(|item| item.key()).collect();
        if !listed.iter().eq(peer.items.keys()) {
            broken.push(format!("{addr}: lists other items than it shares"));
        }
    }
    for (&addr, peer) in &members {
        if peer.replica.digest() != digest || peer.replica.records() != records {
            broken.push(format!("{addr}: its index is not what the members share"));
        }
        for neighbour in peer.neighbours.iter() {
            if !members.get(&neighbour).is_some_and(|other| other.neighbours.contains(addr)) {
                broken.push(format!("{addr}: {neighbour} does not know of their link"));
            }
        }
    }
    let reached = members.keys().next().map_or(0, |&start| reached_from(start, &members));
    if reached < members.len() {
        broken.push(format!("the links hold {reached} of {} members together", members.len()));
    }
    broken
}

fn reached_from(start: Addr, members: &BTreeMap<Addr, &Replication>) -> usize {
    let mut seen = BTreeSet::from([start]);
    let mut open = vec![start];
    while let Some(addr) = open.pop() {
        let neighbours = members.get(&addr).into_iter().flat_map(|peer| peer.neighbours.iter());
        for next in neighbours {
            if members.contains_key(&next) && seen.insert(next) {
                open.push(next);
            }
        }
    }
    seen.len()
}
