//! The random graph along which updates are flooded.

use std::collections::BTreeMap;

use crate::seam::{Addr, Time};

/// A neighbour.
#[derive(Clone, Copy, Debug)]
struct Neighbour {
    /// Whether this peer asked for the link.
    asked: bool,
    /// When it was last heard of.
    heard: Time,
}

/// The neighbours of a peer, and the member it looks after this beat.
#[derive(Debug, Default)]
pub struct Neighbours {
    list: BTreeMap<Addr, Neighbour>,
    /// A member that was sent a beat and has not echoed, and how often.
    probe: Option<(Addr, u8)>,
}

impl Neighbours {
    /// Neighbours of a converged network, each asked for or not.
    pub fn of(list: impl Iterator<Item = (Addr, bool)>, now: Time) -> Self {
        let list = list.map(|(addr, asked)| (addr, Neighbour { asked, heard: now })).collect();
        Self { list, probe: None }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether `addr` is one.
    pub fn contains(&self, addr: Addr) -> bool {
        self.list.contains_key(&addr)
    }

    /// How many of them this peer asked for.
    pub fn asked(&self) -> usize {
        self.list.values().filter(|neighbour| neighbour.asked).count()
    }

    /// Their addresses.
    pub fn iter(&self) -> impl Iterator<Item = Addr> {
        self.list.keys().copied()
    }

    /// Takes a neighbour on; false when there are `most` already.
    pub fn add(&mut self, addr: Addr, asked: bool, now: Time, most: usize) -> bool {
        let known = self.list.contains_key(&addr);
        if !known && self.list.len() >= most {
            return false;
        }
        let neighbour = self.list.entry(addr).or_insert(Neighbour { asked, heard: now });
        neighbour.heard = now;
        neighbour.asked |= asked;
        true
    }

    /// Drops a neighbour.
    pub fn remove(&mut self, addr: Addr) {
        self.list.remove(&addr);
        if self.probe.is_some_and(|(probed, _)| probed == addr) {
            self.probe = None;
        }
    }

    /// A sign of life.
    pub fn heard(&mut self, addr: Addr, now: Time) {
        if let Some(neighbour) = self.list.get_mut(&addr) {
            neighbour.heard = now;
        }
        if self.probe.is_some_and(|(probed, _)| probed == addr) {
            self.probe = None;
        }
    }

    /// Those not heard of since `time`.
    pub fn silent_since(&self, time: Time) -> Vec<Addr> {
        self.list.iter().filter(|(_, n)| n.heard < time).map(|(&addr, _)| addr).collect()
    }

    /// The member that has not echoed yet, and how often it was tried.
    pub const fn probe(&self) -> Option<(Addr, u8)> {
        self.probe
    }

    /// Looks after `addr` from now on, or once more.
    pub fn set_probe(&mut self, probe: Option<(Addr, u8)>) {
        self.probe = probe;
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        self.list.len() * (size_of::<Addr>() + size_of::<Neighbour>())
    }
}
