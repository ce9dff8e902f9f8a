//! The random graph along which updates are flooded.

use crate::seam::{Addr, Time, prefetch};

/// A neighbour.
#[derive(Clone, Copy, Debug)]
struct Neighbour {
    addr: Addr,
    /// Whether this peer asked for the link.
    asked: bool,
    /// When it was last heard of.
    heard: Time,
}

/// The neighbours of a peer, and the member it looks after this beat.
#[derive(Debug, Default)]
pub struct Neighbours {
    /// By address; in one piece, since every update is passed on to all.
    list: Vec<Neighbour>,
    /// A member that was sent a beat and has not echoed, and how often.
    probe: Option<(Addr, u8)>,
}

impl Neighbours {
    /// Neighbours of a converged network, each asked for or not.
    pub fn of(list: impl Iterator<Item = (Addr, bool)>, now: Time) -> Self {
        let mut neighbours = Self::default();
        list.for_each(|(addr, asked)| _ = neighbours.add(addr, asked, now, usize::MAX));
        neighbours
    }

    /// Where a neighbour stands in the list, or would.
    fn place_of(&self, addr: Addr) -> Result<usize, usize> {
        self.list.binary_search_by_key(&addr, |neighbour| neighbour.addr)
    }

    /// Starts fetching the list.
    #[inline]
    pub fn warm(&self) {
        prefetch(self.list.as_slice());
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether `addr` is one.
    pub fn contains(&self, addr: Addr) -> bool {
        self.place_of(addr).is_ok()
    }

    /// How many of them this peer asked for.
    pub fn asked(&self) -> usize {
        self.list.iter().filter(|neighbour| neighbour.asked).count()
    }

    /// Their addresses.
    pub fn iter(&self) -> impl Iterator<Item = Addr> {
        self.list.iter().map(|neighbour| neighbour.addr)
    }

    /// Takes a neighbour on; false when there are `most` already.
    pub fn add(&mut self, addr: Addr, asked: bool, now: Time, most: usize) -> bool {
        match self.place_of(addr) {
            Ok(at) => {
                let neighbour = &mut self.list[at];
                neighbour.heard = now;
                neighbour.asked |= asked;
            }
            Err(_) if self.list.len() >= most => return false,
            Err(at) => self.list.insert(at, Neighbour { addr, asked, heard: now }),
        }
        true
    }

    /// Drops a neighbour.
    pub fn remove(&mut self, addr: Addr) {
        if let Ok(at) = self.place_of(addr) {
            self.list.remove(at);
        }
        if self.probe.is_some_and(|(probed, _)| probed == addr) {
            self.probe = None;
        }
    }

    /// A sign of life.
    pub fn heard(&mut self, addr: Addr, now: Time) {
        if let Ok(at) = self.place_of(addr) {
            self.list[at].heard = now;
        }
        if self.probe.is_some_and(|(probed, _)| probed == addr) {
            self.probe = None;
        }
    }

    /// Those not heard of since `time`.
    pub fn silent_since(&self, time: Time) -> Vec<Addr> {
        self.list.iter().filter(|n| n.heard < time).map(|n| n.addr).collect()
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
        self.list.capacity() * size_of::<Neighbour>()
    }
}
