//! The peers of one torrent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::announce::{Announce, Refusal, Reply};
use super::family::{Address, Among, Family, Peer, TableKey};
use super::sampler::Sampler;
use crate::InfoHash;
use crate::tracker_wire::{Event, Scrape};

/// What the tracker knows of one torrent.
#[derive(Clone, Debug)]
pub(super) struct Swarm {
    pub(super) info_hash: InfoHash,
    completed: u32,
    /// When a peer announced last, in seconds.
    seen_s: u32,
    v4: Family<Ipv4Addr>,
    v6: Family<Ipv6Addr>,
}

/// What an announce may do to a swarm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) now_s: u32,
    pub(super) key: TableKey,
    pub(super) max_peers_per_address: u32,
    /// Whether there is room for one more peer in the tracker.
    pub(super) has_room: bool,
}

impl Swarm {
    pub(super) fn new(info_hash: InfoHash, now_s: u32) -> Self {
        Self { info_hash, completed: 0, seen_s: now_s, v4: Family::Nobody, v6: Family::Nobody }
    }

    pub(super) fn peers_v4(&self) -> usize {
        self.v4.len()
    }

    pub(super) fn peers_v6(&self) -> usize {
        self.v6.len()
    }

    pub(super) fn figures(&self) -> Scrape {
        Scrape {
            seeds: self.v4.seeds() + self.v6.seeds(),
            leechers: self.v4.leechers() + self.v6.leechers(),
            downloaded: self.completed,
        }
    }

    /// Takes an announce in and writes peers into the reply.
    pub(super) fn announce(
        &mut self,
        announce: &Announce,
        want: usize,
        terms: &Terms,
        random: &mut Sampler<'_>,
        reply: &mut Reply,
    ) -> Result<(), Refusal> {
        self.seen_s = terms.now_s;
        let port = announce.address.port();
        let among = if announce.is_seed { Among::Leechers } else { Among::All };
        let completed = &mut self.completed;
        let mut rest = want;
        match announce.address.ip().to_canonical() {
            IpAddr::V4(address) => {
                let own = update(&mut self.v4, completed, address, port, announce, terms)?;
                rest -= take(&self.v4, among, own, rest, random, &mut reply.peers);
                if announce.both_families {
                    take(&self.v6, among, None, rest, random, &mut reply.peers6);
                }
            }
            IpAddr::V6(address) => {
                let own = update(&mut self.v6, completed, address, port, announce, terms)?;
                rest -= take(&self.v6, among, own, rest, random, &mut reply.peers6);
                if announce.both_families {
                    take(&self.v4, among, None, rest, random, &mut reply.peers);
                }
            }
        }
        reply.figures = self.figures();
        Ok(())
    }

    /// Drops the peers that have not announced since `oldest_s`.
    pub(super) fn expire(&mut self, oldest_s: u32, key: TableKey) {
        self.v4.expire(oldest_s, key);
        self.v6.expire(oldest_s, key);
    }

    /// Whether nothing is lost when the torrent is forgotten: it has no peers,
    /// and its count of downloads is 0 or older than `oldest_s`.
    pub(super) fn is_spent(&self, oldest_s: u32) -> bool {
        self.peers_v4() + self.peers_v6() == 0 && (self.completed == 0 || self.seen_s < oldest_s)
    }
}

/// Lists, refreshes or removes the peer itself; returns where it stands.
fn update<A: Address>(
    family: &mut Family<A>,
    completed: &mut u32,
    address: A,
    port: u16,
    announce: &Announce,
    terms: &Terms,
) -> Result<Option<usize>, Refusal> {
    let Terms { key, now_s, .. } = *terms;
    let listed = family.find(address, port, key);
    if announce.event == Event::Stopped {
        if let Some(position) = listed {
            let known = family.peer(position).key;
            if known == announce.key || known == 0 || announce.key == 0 {
                family.remove(position, key);
            }
        }
        return Ok(None);
    }
    let was_seed = listed.is_some_and(|position| family.is_seed(position));
    let position = match listed {
        Some(position) => {
            Some(family.refresh(position, announce.key, now_s, announce.is_seed, key))
        }
        None if port == 0 => None,
        None if !terms.has_room => return Err(Refusal::TooManyPeers),
        None if family.of_network(address, key) >= terms.max_peers_per_address as usize => {
            return Err(Refusal::TooManyOfAddress);
        }
        None => {
            let peer = Peer { address, port, key: announce.key, seen_s: now_s };
            Some(family.insert(peer, announce.is_seed, key))
        }
    };
    // A client that repeats its `completed` has completed once all the same.
    if announce.event == Event::Completed && announce.is_seed && position.is_some() && !was_seed {
        *completed = completed.saturating_add(1);
    }
    Ok(position)
}

/// Writes up to `count` peers but `own`; returns how many.
fn take<A: Address>(
    family: &Family<A>,
    among: Among,
    own: Option<usize>,
    count: usize,
    random: &mut Sampler<'_>,
    out: &mut Vec<u8>,
) -> usize {
    if count == 0 { 0 } else { family.sample(among, own, count, random, out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torrent_of_one_peer_is_small() {
        // A million of them, with a quarter more for the table of positions,
        // stay below the 120 bytes a peer that the tracker is built for.
        assert!(size_of::<Swarm>() <= 88, "{} bytes", size_of::<Swarm>());
    }
}
