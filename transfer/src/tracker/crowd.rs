//! The peers of a family of more than one.

use hashbrown::HashTable;

use super::family::{Address, Peer, TableKey};

/// As long as a crowd is not larger, a look at all its peers is as fast as a
/// hash table, and takes no memory.
const SCAN_LEN: usize = 24;

/// More than one peer: first all seeds, then all leechers, in no other order.
#[derive(Clone, Debug)]
pub(super) struct Crowd<A> {
    pub(super) peers: Vec<Peer<A>>,
    pub(super) seeds: u32,
    /// Positions in `peers` by network, once there are more than a few. Boxed,
    /// because most crowds have none.
    pub(super) index: Option<Box<HashTable<u32>>>,
}

impl<A> Default for Crowd<A> {
    fn default() -> Self {
        Self { peers: Vec::new(), seeds: 0, index: None }
    }
}

impl<A: Address> Crowd<A> {
    fn is_seed(&self, position: usize) -> bool {
        position < self.seeds as usize
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

    /// Removes all peers that announced before `oldest_s`.
    pub(super) fn expire(&mut self, oldest_s: u32, key: TableKey) {
        // From the end, so that whatever moves into a gap was looked at.
        let mut position = self.peers.len();
        while position > 0 {
            position -= 1;
            if self.peers[position].seen_s < oldest_s {
                self.remove(position, key);
            }
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
