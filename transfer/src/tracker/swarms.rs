//! All torrents of a tracker.

use core::mem;

use hashbrown::HashTable;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::announce::{Announce, Refusal, Reply};
use super::config::Config;
use super::family::TableKey;
use super::sampler::{Drawn, Sampler};
use super::swarm::{Swarm, Terms};
use crate::InfoHash;
use crate::tracker_wire::{Event, Scrape};

/// All torrents and their peers.
#[derive(Clone, Debug)]
pub struct Swarms {
    config: Config,
    key: TableKey,
    /// In no order.
    swarms: Vec<Swarm>,
    /// Positions in `swarms` by info-hash.
    index: HashTable<u32>,
    peers_v4: usize,
    peers_v6: usize,
    /// The sweep goes from the end to the beginning; this is the end of what
    /// it has not seen in this round.
    sweep: usize,
    drawn: Drawn,
}

/// How much a tracker holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Torrents, with those that have no peers at the moment.
    pub torrents: usize,
    /// Peers with an IPv4 address.
    pub peers_v4: usize,
    /// Peers with an IPv6 address.
    pub peers_v6: usize,
}

impl Swarms {
    /// A tracker without torrents. The key is the secret of its hash tables:
    /// whoever knows it can slow the tracker down.
    pub fn new(config: Config, key: [u64; 2]) -> Self {
        Self {
            config,
            key: TableKey(key),
            swarms: Vec::new(),
            index: HashTable::new(),
            peers_v4: 0,
            peers_v6: 0,
            sweep: 0,
            drawn: Drawn::default(),
        }
    }

    /// The intervals and limits.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How much there is.
    pub fn figures(&self) -> Figures {
        let Self { peers_v4, peers_v6, .. } = *self;
        Figures { torrents: self.swarms.len(), peers_v4, peers_v6 }
    }

    /// Takes an announce in and overwrites `reply` with the answer: a random
    /// set of other peers, for a seed only such as are not seeds themselves.
    ///
    /// # Errors
    /// When a limit is reached, or the torrent is not allowed.
    pub fn announce(
        &mut self,
        announce: &Announce,
        now_us: u64,
        rng: &mut Xoshiro256PlusPlus,
        reply: &mut Reply,
    ) -> Result<(), Refusal> {
        reply.figures = Scrape::default();
        reply.peers.clear();
        reply.peers6.clear();
        if self.config.allowed.as_ref().is_some_and(|a| !a.contains(&announce.info_hash)) {
            return Err(Refusal::NotAllowed);
        }
        let now_s = seconds(now_us);
        let position = match self.find(&announce.info_hash) {
            Some(position) => position,
            // Who leaves a torrent that nobody knows changes nothing.
            None if announce.event == Event::Stopped || announce.address.port() == 0 => {
                return Ok(());
            }
            None => self.insert(announce.info_hash, now_s)?,
        };
        let want = match announce.event {
            Event::Stopped => 0,
            _ => announce.want.unwrap_or(self.config.default_want),
        };
        let want = want.min(self.config.max_want).min(announce.room);
        let terms = Terms {
            now_s,
            key: self.key,
            max_peers_per_address: self.config.max_peers_per_address,
            has_room: self.peers_v4 + self.peers_v6 < self.config.max_peers as usize,
        };
        let mut random = Sampler { rng, drawn: &mut self.drawn };
        let swarm = &mut self.swarms[position];
        let before = (swarm.peers_v4(), swarm.peers_v6());
        let result = swarm.announce(announce, want as usize, &terms, &mut random, reply);
        self.peers_v4 = self.peers_v4 + swarm.peers_v4() - before.0;
        self.peers_v6 = self.peers_v6 + swarm.peers_v6() - before.1;
        result
    }

    /// The figures of a torrent; all are 0 for one that is not known.
    pub fn scrape(&self, info_hash: &InfoHash) -> Scrape {
        self.find(info_hash).map_or(Scrape::default(), |p| self.swarms[p].figures())
    }

    /// Drops what has expired, looking at up to `torrents` of them; goes on
    /// where it stopped, round and round. Returns how many peers were dropped.
    pub fn sweep(&mut self, now_us: u64, torrents: usize) -> usize {
        let before = self.peers_v4 + self.peers_v6;
        let now_s = seconds(now_us);
        // Nothing was seen before second 0, so nothing is older than that.
        let oldest_s = now_s.saturating_sub(self.config.peer_timeout_s);
        let spent_s = match self.has_room_for_torrents() {
            true => now_s.saturating_sub(self.config.torrent_timeout_s),
            // Room for the living goes before what is remembered of the dead.
            false => u32::MAX,
        };
        for _ in 0..torrents.min(self.swarms.len()) {
            if self.sweep == 0 || self.sweep > self.swarms.len() {
                self.sweep = self.swarms.len();
            }
            self.sweep -= 1;
            let swarm = &mut self.swarms[self.sweep];
            let (v4, v6) = (swarm.peers_v4(), swarm.peers_v6());
            swarm.expire(oldest_s, self.key);
            self.peers_v4 = self.peers_v4 + swarm.peers_v4() - v4;
            self.peers_v6 = self.peers_v6 + swarm.peers_v6() - v6;
            if swarm.is_spent(spent_s) {
                self.remove(self.sweep);
            }
        }
        before - self.peers_v4 - self.peers_v6
    }

    fn has_room_for_torrents(&self) -> bool {
        self.swarms.len() < self.config.max_torrents as usize
    }

    fn find(&self, info_hash: &InfoHash) -> Option<usize> {
        let is_it = |&p: &u32| self.swarms[p as usize].info_hash == *info_hash;
        self.index.find(self.key.hash(&info_hash.0), is_it).map(|&p| p as usize)
    }

    fn insert(&mut self, info_hash: InfoHash, now_s: u32) -> Result<usize, Refusal> {
        if !self.has_room_for_torrents() {
            return Err(Refusal::TooManyTorrents);
        }
        if self.peers_v4 + self.peers_v6 >= self.config.max_peers as usize {
            return Err(Refusal::TooManyPeers);
        }
        let position = self.swarms.len();
        let (key, swarms) = (self.key, &self.swarms);
        self.index.insert_unique(key.hash(&info_hash.0), position as u32, |&p| {
            key.hash(&swarms[p as usize].info_hash.0)
        });
        self.swarms.push(Swarm::new(info_hash, now_s));
        Ok(position)
    }

    fn remove(&mut self, position: usize) {
        let last = self.swarms.len() - 1;
        let hash = |swarm: &Swarm| self.key.hash(&swarm.info_hash.0);
        let (gone, moved) = (hash(&self.swarms[position]), hash(&self.swarms[last]));
        if let Ok(entry) = self.index.find_entry(gone, |&p| p as usize == position) {
            entry.remove();
        }
        if position != last
            && let Some(p) = self.index.find_mut(moved, |&p| p as usize == last)
        {
            *p = position as u32;
        }
        mem::drop(self.swarms.swap_remove(position));
        if self.swarms.len() < self.swarms.capacity() / 4 {
            let capacity = self.swarms.len() * 2;
            self.swarms.shrink_to(capacity);
            let (key, swarms) = (self.key, &self.swarms);
            self.index.shrink_to(capacity, |&p| key.hash(&swarms[p as usize].info_hash.0));
        }
    }
}

/// The state machine's clock, enough for 136 years.
fn seconds(now_us: u64) -> u32 {
    u32::try_from(now_us / 1_000_000).unwrap_or(u32::MAX)
}
