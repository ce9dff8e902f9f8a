//! What a tracker asks of its clients, and what it bounds.

use std::collections::BTreeSet;

use crate::InfoHash;

/// Intervals and limits of a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long clients are asked to wait between announces, in seconds.
    pub interval_s: u32,
    /// How long they must wait at least, in seconds.
    pub min_interval_s: u32,
    /// How long a peer is listed after its last announce, in seconds. More
    /// than the interval, so that one lost announce hides nobody.
    pub peer_timeout_s: u32,
    /// How long a torrent without peers keeps its count of completed
    /// downloads, in seconds.
    pub torrent_timeout_s: u32,
    /// How many peers a client gets that does not say how many it wants.
    pub default_want: u32,
    /// How many peers a client gets at most.
    pub max_want: u32,
    /// How many torrents there are at most.
    pub max_torrents: u32,
    /// How many peers there are at most, over all torrents.
    pub max_peers: u32,
    /// How many peers of one address are listed per torrent at most. An IPv6
    /// network of 64 bits counts as one address: one host commands all of it.
    pub max_peers_per_address: u32,
    /// The torrents that may be tracked; all when none are named.
    pub allowed: Option<BTreeSet<InfoHash>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval_s: 1800,
            min_interval_s: 300,
            peer_timeout_s: 2700,
            torrent_timeout_s: 24 * 3600,
            default_want: 50,
            max_want: 200,
            max_torrents: 2_000_000,
            max_peers: 8_000_000,
            max_peers_per_address: 128,
            allowed: None,
        }
    }
}
