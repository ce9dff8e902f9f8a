//! What a Pastry network at rest promises, checked over a whole population.

use super::Pastry;
use crate::Addr;

/// Complaints of one kind that are spelled out; the rest is counted.
const SPELLED_OUT: usize = 20;

fn shorten(mut complaints: Vec<String>) -> Vec<String> {
    let more = complaints.len().saturating_sub(SPELLED_OUT);
    if more > 0 {
        complaints.truncate(SPELLED_OUT);
        complaints.push(format!("and {more} more of the same kind"));
    }
    complaints
}

/// The invariant of the leaf sets: each side holds the nodes that are next on
/// the circle, in order. It is what delivery rests on.
pub(super) fn leaf_sets(nodes: &[(Addr, &Pastry)]) -> Vec<String> {
    let mut ring: Vec<&Pastry> = nodes.iter().map(|(_, n)| *n).filter(|n| n.has_joined()).collect();
    ring.sort_by_key(|n| (n.me.id, n.me.addr));
    let n = ring.len();
    let mut complaints = Vec::new();
    for (at, node) in ring.iter().enumerate() {
        let half = usize::from(node.config.leaf_set / 2).min(n - 1);
        let larger = (1..=half).map(|k| ring[(at + k) % n].me);
        let smaller = (1..=half).map(|k| ring[(at + n - k) % n].me);
        let sides = [
            ("larger", node.leaves.larger().map(|l| l.contact()).eq(larger)),
            ("smaller", node.leaves.smaller().map(|l| l.contact()).eq(smaller)),
        ];
        for (side, _) in sides.iter().filter(|(_, right)| !right) {
            let has = node.leaves.members().len();
            complaints.push(format!(
                "leaf set: the {side} side of {} at {:?} ({has} leaves in all) is not the next \
                 {half} on the circle",
                node.me.addr, node.me.id
            ));
        }
    }
    shorten(complaints)
}

/// The invariant of the routing tables: every entry stands in the cell of its
/// identifier.
pub(super) fn tables(nodes: &[(Addr, &Pastry)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (_, node) in nodes {
        for row in 0..node.table.rows() {
            for entry in node.table.row(row) {
                let cell = node.table.cell_of(entry.id);
                if cell.is_none_or(|c| usize::from(c.row) != row) {
                    complaints.push(format!(
                        "routing table: {:?} stands in row {row} of {:?}",
                        entry.id, node.me.id
                    ));
                }
            }
        }
    }
    shorten(complaints)
}
