//! Peers whose link broke without a goodbye.
//!
//! They may be dead, or on the other side of a break in the network. The caches
//! of hosts of real servents outlast both: what could not be reached is tried
//! again now and then. So the parts of a network find each other when the break
//! is mended.

use std::collections::VecDeque;

use rand::RngExt as _;

use crate::seam::{Addr, Rng, Span, Time};

/// A bounded list of lost peers; the oldest makes room.
#[derive(Debug)]
pub struct LostPeers {
    peers: VecDeque<Addr>,
    capacity: usize,
    /// When the next one is to be tried.
    next_at: Time,
}

impl LostPeers {
    /// A list for `capacity` peers.
    pub const fn new(capacity: usize) -> Self {
        Self { peers: VecDeque::new(), capacity, next_at: Time::ZERO }
    }

    /// Takes note of a peer whose link broke. The first one is tried after a
    /// random part of `interval`, so that those who were cut off together do
    /// not try together.
    pub fn note(&mut self, peer: Addr, rng: &mut Rng, now: Time, interval: Span) {
        self.found(peer);
        if self.capacity == 0 {
            return;
        }
        if self.peers.is_empty() {
            self.next_at = now + Span::from_us(rng.random_range(0..=interval.as_us()));
        }
        if self.peers.len() >= self.capacity {
            self.peers.pop_front();
        }
        self.peers.push_back(peer);
    }

    /// It is linked again, or has said goodbye.
    pub fn found(&mut self, peer: Addr) {
        self.peers.retain(|lost| *lost != peer);
    }

    /// Whether the link to this peer broke and was not made again.
    pub fn contains(&self, peer: Addr) -> bool {
        self.peers.contains(&peer)
    }

    /// The one to try now, at random: no more than one every `interval`.
    pub fn due(&mut self, rng: &mut Rng, now: Time, interval: Span) -> Option<Addr> {
        if self.peers.is_empty() || now < self.next_at {
            return None;
        }
        self.next_at = now + interval;
        Some(self.peers[rng.random_range(0..self.peers.len())])
    }

    /// All of them, the oldest first.
    pub fn addrs(&self) -> impl Iterator<Item = Addr> {
        self.peers.iter().copied()
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.peers.clear();
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.peers.capacity() * size_of::<Addr>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const INTERVAL: Span = Span::from_s(600);

    #[test]
    fn holds_the_newest_and_tries_one_each_interval() {
        let mut rng = Rng::seed_from_u64(1);
        let mut lost = LostPeers::new(3);
        let at = |s| Time::ZERO + Span::from_s(s);
        assert_eq!(lost.due(&mut rng, at(0), INTERVAL), None);
        for n in [1, 2, 3, 4, 4, 5] {
            lost.note(Addr::from_index(n), &mut rng, at(100), INTERVAL);
        }
        let held: Vec<u32> = lost.addrs().map(Addr::index).collect();
        assert_eq!(held, [3, 4, 5]);
        let tries: Vec<u64> =
            (100..10_000).filter(|s| lost.due(&mut rng, at(*s), INTERVAL).is_some()).collect();
        assert!((100..=700).contains(&tries[0]), "{}", tries[0]);
        assert!(tries.windows(2).all(|w| w[1] - w[0] == 600), "{tries:?}");
        for n in [3, 4, 5] {
            assert!(lost.contains(Addr::from_index(n)));
            lost.found(Addr::from_index(n));
        }
        assert_eq!(lost.due(&mut rng, at(20_000), INTERVAL), None);
    }

    #[test]
    fn a_list_without_places_stays_empty() {
        let mut lost = LostPeers::new(0);
        lost.note(Addr::from_index(1), &mut Rng::seed_from_u64(1), Time::ZERO, INTERVAL);
        assert!(!lost.contains(Addr::from_index(1)));
    }
}
