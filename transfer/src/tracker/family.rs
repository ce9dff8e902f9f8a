//! The peers of one torrent that speak one version of IP.

use core::hash::Hasher;
use core::ops::Range;
use std::net::{Ipv4Addr, Ipv6Addr};

use hashbrown::HashTable;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;
use siphasher::sip::SipHasher13;

/// As long as a family is not larger, a look at all its peers is as fast as a
/// hash table, and takes no memory.
const SCAN_LEN: usize = 24;

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

    fn of_network<A: Address>(self, address: A) -> u64 {
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

/// The peers of one torrent and one version of IP: first all seeds, then all
/// leechers, in no other order.
#[derive(Clone, Debug)]
pub(super) struct Family<A> {
    peers: Vec<Peer<A>>,
    seeds: u32,
    /// Positions in `peers` by network, once there are more than a few.
    index: Option<Box<HashTable<u32>>>,
}

impl<A> Default for Family<A> {
    fn default() -> Self {
        Self { peers: Vec::new(), seeds: 0, index: None }
    }
}

impl<A: Address> Family<A> {
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(super) fn seeds(&self) -> u32 {
        self.seeds
    }

    pub(super) fn leechers(&self) -> u32 {
        self.peers.len() as u32 - self.seeds
    }

    pub(super) fn is_seed(&self, position: usize) -> bool {
        position < self.seeds as usize
    }

    pub(super) fn peer(&self, position: usize) -> &Peer<A> {
        &self.peers[position]
    }

    /// Where the peer of this address and port stands.
    pub(super) fn find(&self, address: A, port: u16, key: TableKey) -> Option<usize> {
        let is_it = |peer: &Peer<A>| peer.port == port && peer.address == address;
        match &self.index {
            None => self.peers.iter().position(is_it),
            Some(index) => {
                let found =
                    index.find(key.of_network(address), |&p| is_it(&self.peers[p as usize]));
                found.map(|&p| p as usize)
            }
        }
    }

    /// How many peers its network lists.
    pub(super) fn of_network(&self, address: A, key: TableKey) -> usize {
        let network = address.network();
        match &self.index {
            None => self.peers.iter().filter(|peer| peer.address.network() == network).count(),
            Some(index) => index
                .iter_hash(key.of_network(address))
                .filter(|&&p| self.peers[p as usize].address.network() == network)
                .count(),
        }
    }

    /// Adds a peer that is not listed; returns its position.
    pub(super) fn insert(&mut self, peer: Peer<A>, is_seed: bool, key: TableKey) -> usize {
        let position = self.peers.len();
        if position == self.peers.capacity() {
            // Doubling would leave half of the memory unused in the worst case.
            self.peers.reserve_exact((position / 4).max(1));
        }
        self.peers.push(peer);
        match &mut self.index {
            Some(index) => {
                let peers = &self.peers;
                index.insert_unique(key.of_network(peer.address), position as u32, |&p| {
                    key.of_network(peers[p as usize].address)
                });
            }
            None if self.peers.len() > SCAN_LEN => self.build_index(key),
            None => {}
        }
        self.set_seed(position, is_seed, key)
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
        let peer = &mut self.peers[position];
        peer.key = client;
        peer.seen_s = now_s;
        self.set_seed(position, is_seed, key)
    }

    pub(super) fn remove(&mut self, position: usize, key: TableKey) {
        let position = self.set_seed(position, false, key);
        let last = self.peers.len() - 1;
        self.swap(position, last, key);
        if let Some(index) = &mut self.index {
            let hash = key.of_network(self.peers[last].address);
            if let Ok(entry) = index.find_entry(hash, |&p| p as usize == last) {
                entry.remove();
            }
        }
        self.peers.pop();
        if self.peers.len() <= SCAN_LEN / 2 {
            self.index = None;
        }
        if self.peers.len() < self.peers.capacity() / 4 {
            let capacity = self.peers.len() + self.peers.len() / 4;
            self.peers.shrink_to(capacity);
            let peers = &self.peers;
            if let Some(index) = &mut self.index {
                index.shrink_to(capacity, |&p| key.of_network(peers[p as usize].address));
            }
        }
    }

    /// Removes all peers that announced before `oldest_s`; returns how many.
    pub(super) fn expire(&mut self, oldest_s: u32, key: TableKey) -> usize {
        let before = self.peers.len();
        // From the end, so that whatever moves into a gap was looked at.
        let mut position = before;
        while position > 0 {
            position -= 1;
            if self.peers[position].seen_s < oldest_s {
                self.remove(position, key);
            }
        }
        before - self.peers.len()
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
            let peer = &self.peers[at(rank)];
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
            Among::All => 0..self.peers.len(),
            Among::Leechers => self.seeds as usize..self.peers.len(),
        }
    }

    /// Moves a peer to the seeds or to the leechers; returns its new position.
    fn set_seed(&mut self, position: usize, is_seed: bool, key: TableKey) -> usize {
        let border = self.seeds as usize;
        match (self.is_seed(position), is_seed) {
            (false, true) => {
                self.swap(position, border, key);
                self.seeds += 1;
                border
            }
            (true, false) => {
                self.swap(position, border - 1, key);
                self.seeds -= 1;
                border - 1
            }
            _ => position,
        }
    }

    fn swap(&mut self, a: usize, b: usize, key: TableKey) {
        if a == b {
            return;
        }
        if let Some(index) = &mut self.index {
            let hash_a = key.of_network(self.peers[a].address);
            let hash_b = key.of_network(self.peers[b].address);
            // The detour tells them apart when both are of one network.
            let moves = [
                (hash_a, a as u32, u32::MAX),
                (hash_b, b as u32, a as u32),
                (hash_a, u32::MAX, b as u32),
            ];
            for (hash, from, to) in moves {
                if let Some(position) = index.find_mut(hash, |&p| p == from) {
                    *position = to;
                }
            }
        }
        self.peers.swap(a, b);
    }

    fn build_index(&mut self, key: TableKey) {
        let peers = &self.peers;
        let hash = |position: &u32| key.of_network(peers[*position as usize].address);
        let mut index = HashTable::with_capacity(peers.len());
        for position in 0..peers.len() as u32 {
            index.insert_unique(hash(&position), position, hash);
        }
        self.index = Some(Box::new(index));
    }
}

/// Room to remember what a random subset has drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawn {
    /// A bit per number, all clear between draws.
    bits: Vec<u64>,
    numbers: Vec<u32>,
}

/// Draws random subsets.
#[derive(Debug)]
pub(super) struct Sampler<'a> {
    pub(super) rng: &'a mut Xoshiro256PlusPlus,
    pub(super) drawn: &'a mut Drawn,
}

impl Sampler<'_> {
    /// A random number below `end`, or 0 when that is 0. The error of scaling
    /// instead of rejecting is below 2^-32.
    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.rng.next_u64()) * end as u128) >> 64) as usize
    }

    /// Hands out `count` different numbers below `choice` (Floyd's algorithm:
    /// Bentley & Floyd, CACM 30(9), 1987), without touching the others.
    fn choose(&mut self, choice: usize, count: usize, take: impl FnMut(usize)) {
        let words = choice.div_ceil(64);
        if self.drawn.bits.len() < words {
            self.drawn.bits.resize(words, 0);
        }
        self.drawn.numbers.clear();
        for last in choice - count..choice {
            let mut number = self.below(last + 1);
            let Drawn { bits, numbers } = self.drawn;
            if bits[number / 64] >> (number % 64) & 1 == 1 {
                number = last;
            }
            bits[number / 64] |= 1 << (number % 64);
            numbers.push(number as u32);
        }
        let Drawn { bits, numbers } = self.drawn;
        for &number in numbers.iter() {
            bits[number as usize / 64] = 0;
        }
        numbers.iter().map(|&number| number as usize).for_each(take);
    }
}
