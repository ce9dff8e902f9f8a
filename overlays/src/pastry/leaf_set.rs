//! The leaf set: the nodes next to this one on the circle.

use super::contact::{Contact, Entry, Rtt, gap, is_closer};
use crate::{Addr, Key};

/// A member of the leaf set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Who it is, and how far away.
    pub entry: Entry,
    /// The version of its leaf set that was last seen; 0 for none.
    pub seen: u32,
}

impl Leaf {
    /// The member without what is known about it.
    #[inline]
    pub const fn contact(&self) -> Contact {
        self.entry.contact()
    }
}

/// The |L|/2 nodes with the next larger identifiers and the |L|/2 with the
/// next smaller ones (P01 §2.1).
///
/// Kept as one list, clockwise from the node itself: its front is the larger
/// side and its back the smaller one. Where fewer than |L| others are known,
/// the two sides overlap and nothing is kept twice.
#[derive(Clone, Debug)]
pub struct LeafSet {
    me: Key,
    /// |L|/2.
    half: u16,
    leaves: Vec<Leaf>,
}

impl LeafSet {
    /// The empty leaf set of the node `me`, with room for `half` on each side.
    pub const fn new(me: Key, half: u16) -> Self {
        Self { me, half, leaves: Vec::new() }
    }

    fn half(&self) -> usize {
        usize::from(self.half)
    }

    fn is_full(&self) -> bool {
        self.leaves.len() >= 2 * self.half()
    }

    fn place(&self, id: Key) -> usize {
        let offset = self.me.distance_to(id);
        self.leaves.partition_point(|l| self.me.distance_to(l.entry.id) < offset)
    }

    /// All members, clockwise from this node.
    pub fn members(&self) -> &[Leaf] {
        &self.leaves
    }

    /// The side of larger identifiers, nearest first.
    pub fn larger(&self) -> impl ExactSizeIterator<Item = &Leaf> {
        self.leaves[..self.half().min(self.leaves.len())].iter()
    }

    /// The side of smaller identifiers, nearest first.
    pub fn smaller(&self) -> impl ExactSizeIterator<Item = &Leaf> {
        self.leaves[self.leaves.len().saturating_sub(self.half())..].iter().rev()
    }

    /// The member at this address.
    pub fn get(&self, addr: Addr) -> Option<&Leaf> {
        self.leaves.iter().find(|l| l.entry.addr == addr)
    }

    /// The member at this address, to note what was seen of it.
    pub fn get_mut(&mut self, addr: Addr) -> Option<&mut Leaf> {
        self.leaves.iter_mut().find(|l| l.entry.addr == addr)
    }

    /// Whether a node with this identifier belongs into the set and is not in
    /// it yet.
    pub fn wants(&self, id: Key) -> bool {
        if id == self.me {
            return false;
        }
        let at = self.place(id);
        if self.leaves.get(at).is_some_and(|l| l.entry.id == id) {
            return false;
        }
        !self.is_full() || at != self.half()
    }

    /// Takes a node in. Returns whether the set changed, and who had to make
    /// room.
    pub fn insert(&mut self, entry: Entry) -> (bool, Option<Contact>) {
        if !self.wants(entry.id) {
            return (false, None);
        }
        let at = self.place(entry.id);
        if self.leaves.len() == self.leaves.capacity() {
            self.leaves.reserve_exact(4);
        }
        self.leaves.insert(at, Leaf { entry, seen: 0 });
        if self.leaves.len() > 2 * self.half() {
            let out = self.leaves.remove(self.half());
            return (true, Some(out.contact()));
        }
        (true, None)
    }

    /// Takes in a list that is known to be right, nearest first on each side:
    /// for a converged start.
    pub fn fill(&mut self, mut leaves: Vec<Leaf>) {
        leaves.sort_by_key(|l| self.me.distance_to(l.entry.id));
        leaves.dedup_by_key(|l| l.entry.id);
        leaves.shrink_to_fit();
        self.leaves = leaves;
    }

    /// Removes the member at this address. Returns whether it stood on the
    /// larger side, on the smaller one, or both in a small ring.
    pub fn remove(&mut self, addr: Addr) -> Option<Sides> {
        let at = self.leaves.iter().position(|l| l.entry.addr == addr)?;
        let larger = at < self.half();
        let smaller = self.leaves.len() - at <= self.half();
        self.leaves.remove(at);
        Some(Sides { larger, smaller })
    }

    /// Forgets which versions were seen, so that all are asked for again.
    pub fn forget_versions(&mut self) {
        self.leaves.iter_mut().for_each(|l| l.seen = 0);
    }

    /// Forgets which version was seen of one member, chosen by any number.
    pub fn forget_version_of(&mut self, number: usize) {
        let at = number % self.leaves.len().max(1);
        if let Some(leaf) = self.leaves.get_mut(at) {
            leaf.seen = 0;
        }
    }

    /// Whether `key` lies in the range that the set covers, from the smallest
    /// member to the largest (line 1 of the routing procedure). A set that is
    /// not full knows everyone, and covers the whole circle.
    #[inline]
    pub fn covers(&self, key: Key) -> bool {
        if !self.is_full() {
            return true;
        }
        let leftmost = self.leaves[self.half()].entry.id;
        let rightmost = self.leaves[self.half() - 1].entry.id;
        leftmost.distance_to(key) <= leftmost.distance_to(rightmost)
    }

    /// The member closest to `key` among those that `may` be used; `None` when
    /// this node itself is closer than all of them.
    pub fn closest(&self, key: Key, may: impl Fn(&Leaf) -> bool) -> Option<&Leaf> {
        let mut best: Option<&Leaf> = None;
        for leaf in self.leaves.iter().filter(|l| may(l)) {
            let rival = best.map_or(self.me, |b| b.entry.id);
            if is_closer(leaf.entry.id, rival, key) {
                best = Some(leaf);
            }
        }
        best
    }

    /// The member closest to `key`, whether this node is closer or not.
    pub fn closest_other(&self, key: Key) -> Option<&Leaf> {
        self.leaves.iter().min_by_key(|l| (gap(l.entry.id, key), l.entry.id))
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.leaves.capacity() * size_of::<Leaf>()
    }
}

/// On which sides of the leaf set a node stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    /// Among the larger identifiers.
    pub larger: bool,
    /// Among the smaller ones.
    pub smaller: bool,
}

/// The `k` of `nodes` that are closest to `key`, closest first.
pub(super) fn closest_of(nodes: impl Iterator<Item = Contact>, key: Key, k: usize) -> Vec<Contact> {
    let mut all: Vec<Contact> = nodes.collect();
    all.sort_by_key(|c| (gap(c.id, key), c.id));
    all.truncate(k);
    all
}

impl LeafSet {
    /// Notes a fresh measurement of a member.
    pub fn measured(&mut self, addr: Addr, rtt: Rtt) {
        if let Some(leaf) = self.get_mut(addr) {
            leaf.entry.rtt = rtt;
        }
    }
}
