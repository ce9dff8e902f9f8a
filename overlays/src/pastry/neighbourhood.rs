//! The neighbourhood set: the nearest nodes by the proximity metric.

use super::contact::{Entry, Rtt};
use crate::Addr;

/// The |M| nodes that are nearest in the network below, whatever their
/// identifiers. It is not used for routing but to keep the tables local (P01
/// §2.1).
#[derive(Clone, Debug, Default)]
pub struct Neighbourhood {
    /// Nearest first.
    entries: Vec<Entry>,
}

impl Neighbourhood {
    /// The members, nearest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether a node at this address and at about this distance would be
    /// taken into a set of `size`.
    pub fn wants(&self, addr: Addr, rtt: Rtt, size: usize) -> bool {
        let near = self.entries.len() < size || self.entries.last().is_some_and(|l| rtt < l.rtt);
        near && self.find(addr).is_none()
    }

    /// Takes a node in if it is among the `size` nearest; a member's distance
    /// is brought up to date.
    pub fn offer(&mut self, entry: Entry, size: usize) {
        if let Some(at) = self.entries.iter().position(|e| e.addr == entry.addr) {
            self.entries.remove(at);
        } else if !self.wants(entry.addr, entry.rtt, size) {
            return;
        }
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(4);
        }
        let at = self.entries.partition_point(|e| e.rtt <= entry.rtt);
        self.entries.insert(at, entry);
        self.entries.truncate(size);
    }

    /// Removes the member at this address. Returns whether it was one.
    pub fn remove(&mut self, addr: Addr) -> bool {
        let before = self.entries.len();
        self.entries.retain(|e| e.addr != addr);
        self.entries.len() < before
    }

    /// The member at this address.
    pub fn find(&self, addr: Addr) -> Option<&Entry> {
        self.entries.iter().find(|e| e.addr == addr)
    }

    /// Takes over a list of members, for a converged start.
    pub fn fill(&mut self, mut entries: Vec<Entry>, size: usize) {
        entries.sort_by_key(|e| (e.rtt, e.addr));
        entries.truncate(size);
        entries.shrink_to_fit();
        self.entries = entries;
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }
}
