//! What a network at rest promises, checked over a whole population.

use super::dialect::Dialect;
use super::{Node, Phase};
use crate::{Addr, Key};

/// Complaints that are spelled out; the rest is counted.
const SPELLED_OUT: usize = 20;

/// The invariant of §2.1: every node knows a live node in each of its subtrees
/// that has one. Lookups then come closer with every step.
pub(super) fn subtrees<D: Dialect>(nodes: &[(Addr, &Node<D>)]) -> Vec<String> {
    let member = |n: &Node<D>| n.phase == Phase::Member;
    let mut ids: Vec<Key> =
        nodes.iter().filter(|(_, n)| member(n) && !n.is_read_only).map(|(_, n)| n.me.id).collect();
    ids.sort_unstable();
    let addrs: Vec<Addr> = {
        let mut addrs: Vec<Addr> = nodes.iter().map(|(addr, _)| *addr).collect();
        addrs.sort_unstable();
        addrs
    };
    let mut complaints = Vec::new();
    for (addr, node) in nodes.iter().filter(|(_, n)| member(n)) {
        let me = node.me.id;
        // In which of its subtrees it knows somebody live: one for each is
        // enough, and looking whether a contact lives takes longest.
        let mut known = [false; Key::BITS as usize + 1];
        for contact in node.table.contacts() {
            let known = &mut known[contact.id.common_prefix_bits(me) as usize];
            *known = *known || addrs.binary_search(&contact.addr).is_ok();
        }
        let mut range = &ids[..];
        for bit in 0..node.config.bits() {
            let (zeros, ones) = range.split_at(range.partition_point(|id| !id.bit(bit)));
            let (own, other) = if me.bit(bit) { (ones, zeros) } else { (zeros, ones) };
            if !other.is_empty() && !known[bit as usize] {
                complaints.push(format!(
                    "subtree: {addr} at {me:?} knows none of the {} live nodes that share {bit} \
                     leading bits with it",
                    other.len()
                ));
            }
            range = own;
            if range.is_empty() || range.iter().all(|id| *id == me) {
                break;
            }
        }
    }
    let more = complaints.len().saturating_sub(SPELLED_OUT);
    if more > 0 {
        complaints.truncate(SPELLED_OUT);
        complaints.push(format!("and {more} more of the same kind"));
    }
    complaints
}
