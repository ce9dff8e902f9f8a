//! The peers of one torrent that speak one version of IP.

use core::hash::Hasher;
use core::ops::Range;
use core::slice;
use std::net::{Ipv4Addr, Ipv6Addr};

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::crowd::Crowd;
use super::sampler::Sampler;

/// An address of one version of IP.
pub(super) trait Address: Copy + Eq {
    /// What counts as one address where peers are limited by address.
    fn network(self) -> u64;
    /// The bytes of the compact form, without the port.
    fn write(self, out: &mut Vec<u8>);
}

impl Address for Ipv4Addr {
    fn network(self) -> u64 {
        u64::from(self.to_bits())
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.octets());
    }
}

impl Address for Ipv6Addr {
    /// The upper 64 bits: one host commands all addresses below.
    fn network(self) -> u64 {
        (self.to_bits() >> 64) as u64
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.octets());
    }
}

/// The secret of the hash tables, so that no stranger can choose addresses or
/// torrents that collide.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableKey(pub(super) [u64; 2]);

impl TableKey {
    pub(super) fn hash(self, bytes: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0[0], self.0[1]);
        hasher.write(bytes);
        hasher.finish()
    }

    pub(super) fn of_network<A: Address>(self, address: A) -> u64 {
        self.hash(&address.network().to_le_bytes())
    }
}

/// A listed peer: 16 bytes with an IPv4 address, 28 with an IPv6 address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer<A> {
    pub(super) address: A,
    pub(super) port: u16,
    /// The key of its last announce, or 0.
    pub(super) key: u32,
    /// When it announced last, in seconds.
    pub(super) seen_s: u32,
}

/// Which peers of a family are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Among {
    /// All.
    All,
    /// Those that still download.
    Leechers,
}

/// The peers of one torrent and one version of IP. Most torrents have few, and
/// a single peer stands where the torrent does: its own allocation would take
/// more than the peer.
#[derive(Clone, Debug)]
pub(super) enum Family<A> {
    Nobody,
    One { peer: Peer<A>, is_seed: bool },
    Many(Box<Crowd<A>>),
}

impl<A: Address> Family<A> {
    fn peers(&self) -> &[Peer<A>] {
        match self {
            Self::Nobody => &[],
            Self::One { peer, .. } => slice::from_ref(peer),
            Self::Many(crowd) => &crowd.peers,
        }
    }

    fn index(&self) -> Option<&HashTable<u32>> {
        match self {
            Self::Nobody | Self::One { .. } => None,
            Self::Many(crowd) => crowd.index.as_deref(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.peers().len()
    }

    pub(super) fn seeds(&self) -> u32 {
        match self {
            Self::Nobody => 0,
            Self::One { is_seed, .. } => u32::from(*is_seed),
            Self::Many(crowd) => crowd.seeds,
        }
    }

    pub(super) fn leechers(&self) -> u32 {
        self.len() as u32 - self.seeds()
    }

    pub(super) fn is_seed(&self, position: usize) -> bool {
        position < self.seeds() as usize
    }

    pub(super) fn peer(&self, position: usize) -> &Peer<A> {
        &self.peers()[position]
    }

    /// Where the peer of this address and port stands.
    pub(super) fn find(&self, address: A, port: u16, key: TableKey) -> Option<usize> {
        let is_it = |peer: &Peer<A>| peer.port == port && peer.address == address;
        match self.index() {
            None => self.peers().iter().position(is_it),
            Some(index) => {
                let found =
                    index.find(key.of_network(address), |&p| is_it(&self.peers()[p as usize]));
                found.map(|&p| p as usize)
            }
        }
    }

    /// How many peers its network lists.
    pub(super) fn of_network(&self, address: A, key: TableKey) -> usize {
        let network = address.network();
        match self.index() {
            None => self.peers().iter().filter(|peer| peer.address.network() == network).count(),
            Some(index) => index
                .iter_hash(key.of_network(address))
                .filter(|&&p| self.peers()[p as usize].address.network() == network)
                .count(),
        }
    }

    /// Adds a peer that is not listed; returns its position.
    pub(super) fn insert(&mut self, peer: Peer<A>, is_seed: bool, key: TableKey) -> usize {
        match self {
            Self::Nobody => {
                *self = Self::One { peer, is_seed };
                0
            }
            Self::One { peer: first, is_seed: is_first_seed } => {
                let mut crowd = Crowd::default();
                crowd.insert(*first, *is_first_seed, key);
                let position = crowd.insert(peer, is_seed, key);
                *self = Self::Many(Box::new(crowd));
                position
            }
            Self::Many(crowd) => crowd.insert(peer, is_seed, key),
        }
    }

    /// Refreshes a listed peer; returns its new position.
    pub(super) fn refresh(
        &mut self,
        position: usize,
        client: u32,
        now_s: u32,
        is_seed: bool,
        key: TableKey,
    ) -> usize {
        match self {
            Self::Nobody => position,
            Self::One { peer, is_seed: was_seed } => {
                peer.key = client;
                peer.seen_s = now_s;
                *was_seed = is_seed;
                position
            }
            Self::Many(crowd) => crowd.refresh(position, client, now_s, is_seed, key),
        }
    }

    pub(super) fn remove(&mut self, position: usize, key: TableKey) {
        match self {
            Self::Nobody => {}
            Self::One { .. } => *self = Self::Nobody,
            Self::Many(crowd) => {
                crowd.remove(position, key);
                self.shrink();
            }
        }
    }

    /// Removes all peers that announced before `oldest_s`.
    pub(super) fn expire(&mut self, oldest_s: u32, key: TableKey) {
        match self {
            Self::One { peer, .. } if peer.seen_s < oldest_s => *self = Self::Nobody,
            Self::Nobody | Self::One { .. } => {}
            Self::Many(crowd) => {
                crowd.expire(oldest_s, key);
                self.shrink();
            }
        }
    }

    /// Gives up a crowd of no more than one.
    fn shrink(&mut self) {
        let small = match self.peers() {
            [] => Self::Nobody,
            &[peer] => Self::One { peer, is_seed: self.is_seed(0) },
            _ => return,
        };
        *self = small;
    }

    /// Writes `count` peers, or all if there are fewer, in compact form, and
    /// returns how many. All sets of that many are equally likely. The peer at
    /// `but` is left out.
    pub(super) fn sample(
        &self,
        among: Among,
        but: Option<usize>,
        count: usize,
        random: &mut Sampler<'_>,
        out: &mut Vec<u8>,
    ) -> usize {
        let range = self.range(among);
        let but = but.filter(|position| range.contains(position));
        let choice = range.len() - usize::from(but.is_some());
        // Without the one left out, the positions behind it move up by one.
        let at = |rank: usize| {
            let position = range.start + rank;
            position + usize::from(but.is_some_and(|but| position >= but))
        };
        let mut write = |rank: usize| {
            let peer = &self.peers()[at(rank)];
            peer.address.write(out);
            out.extend_from_slice(&peer.port.to_be_bytes());
        };
        if count >= choice {
            // Clients may dial the first ones first, so not always the same.
            let first = random.below(choice);
            (first..choice).chain(0..first).for_each(&mut write);
        } else {
            random.choose(choice, count, write);
        }
        count.min(choice)
    }

    fn range(&self, among: Among) -> Range<usize> {
        match among {
            Among::All => 0..self.len(),
            Among::Leechers => self.seeds() as usize..self.len(),
        }
    }
}
