//! What clients and trackers say to each other, over HTTP ([`http`]) and UDP
//! ([`udp`]), both directions.

pub mod http;
pub mod udp;

use core::net::{IpAddr, SocketAddr};

use crate::identity::{InfoHash, PeerId};

/// What a client tells a tracker of itself and one torrent (BEP 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The torrent.
    pub info_hash: InfoHash,
    /// What the client calls itself.
    pub peer_id: PeerId,
    /// Where it listens for peers.
    pub port: u16,
    /// Bytes of payload sent since it started.
    pub uploaded: u64,
    /// Bytes of payload received since it started.
    pub downloaded: u64,
    /// Bytes that it still lacks.
    pub left: u64,
    /// Why it announces.
    pub event: Event,
    /// How many peers it wants to hear of; the tracker decides if absent.
    pub num_want: Option<u32>,
    /// A number that no other peer knows, by which the tracker recognises the
    /// client when its address has changed.
    pub key: Option<u32>,
    /// The client's address, if it is not the one that the tracker sees.
    pub ip: Option<IpAddr>,
}

/// Why a client announces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Event {
    /// The interval is over.
    #[default]
    Regular,
    /// It begins.
    Started,
    /// It has got all of the torrent, and had not when it started.
    Completed,
    /// It leaves.
    Stopped,
}

/// A peer that a tracker names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What it calls itself, where the reply says so.
    pub id: Option<PeerId>,
}

/// What a tracker knows of one torrent (BEP 48).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrape {
    /// Peers that have all of it.
    pub seeds: u32,
    /// How often it was downloaded to the end.
    pub downloaded: u32,
    /// Peers that lack some of it.
    pub leechers: u32,
}

impl From<SocketAddr> for Peer {
    fn from(addr: SocketAddr) -> Self {
        Self { addr, id: None }
    }
}

#[cfg(test)]
mod tests;
