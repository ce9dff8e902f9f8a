//! One place on the ring: pointers, and the choice of the next hop.

use super::config::{Config, NextHop};
use super::contact::{Contact, ContactList, nearer};
use super::finger_table::FingerTable;
use crate::{Addr, Key, prefetch};

/// A virtual node: an identifier with its own successors, predecessor and
/// fingers.
#[derive(Clone, Debug)]
pub(super) struct VirtualNode {
    /// Itself.
    pub(super) me: Contact,
    /// The node before it, when known to live.
    pub(super) predecessor: Option<Contact>,
    /// The node after it; itself when alone.
    pub(super) successor: Contact,
    /// The rest of the successor list, clockwise, without itself.
    pub(super) further: Box<[Contact]>,
    pub(super) fingers: FingerTable,
    /// A node that may lie between it and its successor and is being asked.
    pub(super) candidate: Option<Box<Contact>>,
    /// Distinguishes this round of stabilisation from those before.
    pub(super) round: u16,
    /// How often the node being stabilised with has kept silent in a row.
    pub(super) silences: u8,
    /// Whether an answer for stabilisation is due.
    pub(super) awaiting_neighbours: bool,
    /// How many pings the predecessor has left unanswered in a row.
    pub(super) pings_due: u8,
    /// Nodes in between that this round has asked.
    pub(super) candidates_asked: u8,
    /// The finger refreshed last.
    pub(super) last_fixed: u8,
}

/// Where a lookup goes from a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// This node owns the key: the search for it ends here.
    Owner(Contact),
    /// Ask, or pass on to, this node.
    Forward(Contact),
}

impl VirtualNode {
    /// A virtual node that knows nobody.
    pub(super) fn alone(me: Contact) -> Self {
        Self {
            me,
            predecessor: None,
            successor: me,
            further: Box::default(),
            fingers: FingerTable::default(),
            candidate: None,
            round: 0,
            silences: 0,
            awaiting_neighbours: false,
            pings_due: 0,
            candidates_asked: 0,
            last_fixed: 0,
        }
    }

    /// Starts fetching what a search will read.
    #[inline]
    pub(super) fn warm(&self) {
        self.fingers.warm();
        prefetch(&*self.further);
    }

    /// The successor list.
    pub(super) fn successors(&self) -> impl Iterator<Item = &Contact> + Clone {
        core::iter::once(&self.successor)
            .filter(|s| s.key != self.me.key)
            .chain(self.further.iter())
    }

    /// Whether it answers for `key`, as far as it knows.
    pub(super) fn owns(&self, key: Key) -> bool {
        match &self.predecessor {
            Some(p) => key.in_half_open(p.key, self.me.key),
            None => self.successor.key == self.me.key,
        }
    }

    /// Adopts a successor list. What does not follow clockwise, and what goes
    /// beyond itself, is left out, so that no list ever turns back (Zave 2017:
    /// ordered successor lists). Returns whether anything changed.
    pub(super) fn adopt(&mut self, list: impl Iterator<Item = Contact>, config: &Config) -> bool {
        let mut clean: Vec<Contact> = Vec::with_capacity(config.successors);
        for contact in list {
            if contact.key == self.me.key
                || contact.addr == self.me.addr && contact.vnode == self.me.vnode
            {
                break;
            }
            let follows = clean.last().is_none_or(|l| nearer(self.me.key, l.key, contact.key));
            if follows {
                clean.push(contact);
                if clean.len() == config.successors {
                    break;
                }
            }
        }
        let successor = clean.first().copied().unwrap_or(self.me);
        let further = clean.get(1..).unwrap_or_default();
        if self.successor == successor && *self.further == *further {
            return false;
        }
        self.successor = successor;
        self.further = further.into();
        if successor.key != self.me.key {
            // The first finger is the successor (Table 1).
            self.fingers.set(self.me.key, 0, &successor, config.id_bits);
        }
        true
    }

    /// Forgets a node that does not answer. Returns whether the successor list
    /// changed.
    pub(super) fn forget(&mut self, dead: &Contact, config: &Config) -> bool {
        self.fingers.remove(dead, config.id_bits);
        if self.predecessor.as_ref() == Some(dead) {
            self.predecessor = None;
        }
        if !self.successors().any(|s| s == dead) {
            return false;
        }
        let rest: Vec<Contact> = self.successors().filter(|s| *s != dead).copied().collect();
        if rest.is_empty() {
            // Any node known is a better successor than none: it lies in
            // order, and stabilisation walks back from it.
            let resort = self.fingers.contacts().next().or(self.predecessor);
            self.adopt(resort.into_iter(), config)
        } else {
            self.adopt(rest.into_iter(), config)
        }
    }

    /// Leaves a node that did not answer out of the successor list, until
    /// stabilisation brings the list up to date. The immediate successor
    /// stays: stabilisation decides on it.
    pub(super) fn pass_over(&mut self, silent: &Contact) {
        if self.further.contains(silent) {
            self.further = self.further.iter().filter(|c| *c != silent).copied().collect();
        }
    }

    /// Where a lookup for `key` goes from here.
    #[inline]
    pub(super) fn step(&self, key: Key, config: &Config) -> Step {
        // A node owns its own identifier, whatever it knows of others.
        if key == self.me.key || config.next_hop == NextHop::FingerInterval && self.owns(key) {
            return Step::Owner(self.me);
        }
        // Under the interval rule the owner itself ends the lookup, so that
        // hops are counted as in the course's example.
        let names_owner = config.list_routing || config.next_hop != NextHop::FingerInterval;
        if names_owner && !nearer(self.me.key, self.successor.key, key) {
            return Step::Owner(self.successor);
        }
        if config.list_routing
            && let Some(last) = self.further.last()
            && config.next_hop != NextHop::SuccessorWalk
        {
            let cover = |c: &&Contact| !nearer(self.me.key, c.key, key);
            if cover(&last) {
                return Step::Owner(*self.further.iter().find(cover).unwrap_or(last));
            }
        }
        Step::Forward(self.next_hop(key, config))
    }

    #[inline]
    fn next_hop(&self, key: Key, config: &Config) -> Contact {
        let me = self.me.key;
        match config.next_hop {
            NextHop::SuccessorWalk => self.successor,
            NextHop::FingerInterval => {
                let index = FingerTable::interval(me, key, config.id_bits);
                self.fingers.get(index).unwrap_or(self.successor)
            }
            NextHop::ClosestPreceding => {
                let finger = self.fingers.preceding(me, key, config.id_bits).next();
                let listed = if config.list_routing { self.further.last() } else { None };
                match (finger, listed) {
                    (Some(f), Some(l)) if nearer(me, f.key, l.key) => *l,
                    (Some(f), _) => f,
                    (None, Some(l)) => *l,
                    (None, None) => self.successor,
                }
            }
        }
    }

    /// Nodes to ask about `key`, best first, at most `limit`: the next hop,
    /// then whatever else precedes the key, so that the asker can go around
    /// the dead.
    pub(super) fn candidates(&self, key: Key, limit: usize, config: &Config) -> ContactList {
        let me = self.me.key;
        let mut best = ContactList::new();
        best.push(self.next_hop(key, config));
        // Fingers and successors are each in order: merged, farthest first.
        let mut fingers = self.fingers.preceding(me, key, config.id_bits).take(limit).peekable();
        let successor = Some(&self.successor).filter(|s| s.key != me);
        let listed = self.further.iter().rev().chain(successor);
        let mut listed = listed.filter(|s| nearer(me, s.key, key)).copied().peekable();
        while best.len() < limit {
            let finger_next = match (fingers.peek(), listed.peek()) {
                (Some(finger), Some(listed)) => !nearer(me, finger.key, listed.key),
                (finger, _) => finger.is_some(),
            };
            let next = if finger_next { fingers.next() } else { listed.next() };
            let Some(next) = next else { break };
            if !best.contains(&next) {
                best.push(next);
            }
        }
        best.retain(|c| c.key != me);
        best
    }

    /// The successors from the first one at or after `key` on.
    pub(super) fn owners_from(&self, owner: &Contact) -> ContactList {
        if owner.key == self.me.key {
            return core::iter::once(*owner).collect();
        }
        self.successors().skip_while(|s| *s != owner).copied().collect()
    }

    /// The peers that keep copies of what this one owns: the first
    /// `replicas - 1` other peers among its successors.
    pub(super) fn replica_holders(&self, config: &Config) -> Vec<Contact> {
        let mut holders: Vec<Contact> = Vec::new();
        for s in self.successors() {
            if holders.len() + 1 >= config.replicas {
                break;
            }
            let taken = |addr: Addr| addr == self.me.addr || holders.iter().any(|h| h.addr == addr);
            if !taken(s.addr) {
                holders.push(*s);
            }
        }
        holders
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.further)
            + self.fingers.heap_bytes()
            + self.candidate.as_ref().map_or(0, |_| size_of::<Contact>())
    }
}
