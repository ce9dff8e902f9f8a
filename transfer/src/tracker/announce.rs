//! What a client tells the tracker, and what it is told.

use core::fmt;
use std::net::SocketAddr;

use crate::InfoHash;
use crate::tracker_wire::{Event, Scrape};

/// A client's announce, freed of its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Where the peer listens. A peer that listens on port 0 is told of
    /// others, but nobody is told of it.
    pub address: SocketAddr,
    /// What it tells beside.
    pub event: Event,
    /// Whether it has all it wants: nothing is left to download.
    pub is_seed: bool,
    /// What only this client knows, or 0 (BEP 15). The same address with
    /// another key is a client started anew: it takes the place over, but it
    /// cannot be stopped by a late message of the old one.
    pub key: u32,
    /// How many peers it wants, if it says so.
    pub want: Option<u32>,
    /// How many peers fit into the reply at most.
    pub room: u32,
    /// Whether peers of the other IP version fill up the reply.
    pub both_families: bool,
}

/// The answer to an announce. The caller keeps one and has it overwritten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// How many seed, leech and have completed.
    pub figures: Scrape,
    /// IPv4 peers, 6 bytes each (BEP 23).
    pub peers: Vec<u8>,
    /// IPv6 peers, 18 bytes each (BEP 7).
    pub peers6: Vec<u8>,
}

/// Why an announce is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The torrent is none of those allowed.
    NotAllowed,
    /// There are as many torrents as may be.
    TooManyTorrents,
    /// There are as many peers as may be.
    TooManyPeers,
    /// The address lists as many peers of this torrent as it may.
    TooManyOfAddress,
}

impl Refusal {
    /// The failure reason that the client is told.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotAllowed => "this tracker does not serve this torrent",
            Self::TooManyTorrents => "this tracker has no room for more torrents",
            Self::TooManyPeers => "this tracker has no room for more peers",
            Self::TooManyOfAddress => "too many peers of this torrent at your address",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Refusal {}
