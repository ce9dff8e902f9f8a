//! What a Chord ring at rest promises, checked over a whole population.

use super::Chord;
use super::config::Config;
use super::contact::Contact;
use super::finger_table::FingerTable;
use super::vnode::VirtualNode;
use crate::{Addr, Key};

/// Complaints of one kind that are spelled out; the rest is counted.
const SPELLED_OUT: usize = 20;

/// All virtual nodes that take part, clockwise.
fn places<'a>(nodes: &[(Addr, &'a Chord)]) -> Vec<&'a VirtualNode> {
    let mut ring: Vec<&VirtualNode> = nodes.iter().flat_map(|(_, node)| node.vnodes()).collect();
    ring.sort_by_key(|n| (n.me.key, n.me.addr));
    ring
}

fn shown(contact: Option<&Contact>) -> String {
    contact.map_or_else(|| "nobody".into(), |c| format!("{} at {:?}", c.addr, c.key))
}

fn shorten(mut complaints: Vec<String>) -> Vec<String> {
    let more = complaints.len().saturating_sub(SPELLED_OUT);
    if more > 0 {
        complaints.truncate(SPELLED_OUT);
        complaints.push(format!("and {more} more of the same kind"));
    }
    complaints
}

/// The invariants of the ring: every node's successor is the next live node,
/// its successor list holds the ones after that, its predecessor is the node
/// before it. Together they mean one ring, in order, with nobody outside it
/// (Zave 2017: at least one ring, at most one, ordered, no appendages).
pub(super) fn ring(nodes: &[(Addr, &Chord)]) -> Vec<String> {
    let Some(config) = nodes.first().map(|(_, n)| n.config.clone()) else { return Vec::new() };
    let ring = places(nodes);
    let n = ring.len();
    let (mut successors, mut lists, mut predecessors) = (Vec::new(), Vec::new(), Vec::new());
    for (at, node) in ring.iter().enumerate() {
        let who = shown(Some(&node.me));
        let next = &ring[(at + 1) % n].me;
        let before = &ring[(at + n - 1) % n].me;
        if node.successor != *next {
            successors.push(format!(
                "successor: {who} points to {}, but next is {}",
                shown(Some(&node.successor)),
                shown(Some(next))
            ));
        }
        let length = config.successors.min(n - 1);
        let right = (1..=length).map(|k| &ring[(at + k) % n].me);
        if !node.successors().eq(right) {
            let has = node.successors().count();
            lists.push(format!(
                "successor list: that of {who} ({has} long) is not the next {length}"
            ));
        }
        let right = (n > 1).then_some(before);
        if node.predecessor.as_ref() != right {
            predecessors.push(format!(
                "predecessor: {who} points to {}, but before it is {}",
                shown(node.predecessor.as_ref()),
                shown(right)
            ));
        }
    }
    [successors, lists, predecessors].into_iter().flat_map(shorten).collect()
}

/// The invariant of the fingers: each is the first live node at or after its
/// start.
pub(super) fn fingers(nodes: &[(Addr, &Chord)]) -> Vec<String> {
    let Some(config) = nodes.first().map(|(_, n)| n.config.clone()) else { return Vec::new() };
    let ring = places(nodes);
    let wrong = ring.iter().filter_map(|node| wrong_finger(node, &ring, &config)).collect();
    shorten(wrong)
}

fn wrong_finger(node: &VirtualNode, ring: &[&VirtualNode], config: &Config) -> Option<String> {
    (0..config.id_bits).find_map(|index| {
        let start = FingerTable::start(node.me.key, index, config.id_bits);
        let right = successor_of(start, ring);
        let has = node.fingers.get(index).unwrap_or(node.me);
        (has != *right).then(|| {
            format!(
                "finger: {index} of {} is {}, but the first node from its start on is {}",
                shown(Some(&node.me)),
                shown(Some(&has)),
                shown(Some(right))
            )
        })
    })
}

fn successor_of<'a>(key: Key, ring: &[&'a VirtualNode]) -> &'a Contact {
    let at = ring.partition_point(|n| n.me.key < key);
    &ring[at % ring.len()].me
}
