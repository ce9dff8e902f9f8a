//! The parameters of BitTorrent discovery.

use crate::seam::Span;

crate::choice! {
    /// Where a client asks for the peers of a torrent.
    pub enum Discovery {
        /// At the trackers (BEP 3).
        Tracker = "tracker",
        /// In the Mainline DHT (BEP 5); there are no trackers.
        Dht = "dht",
        /// At both, as clients do.
        Both = "both",
    }
}

crate::choice! {
    /// How several trackers stand in a torrent's announce list (BEP 12).
    pub enum Tiers {
        /// Each in a tier of its own: the first, and backups in order.
        Ordered = "ordered",
        /// All in one tier, which each client shuffles: the load is spread,
        /// and so is the swarm, unless peers tell each other.
        Shared = "shared",
    }
}

crate::choice! {
    /// How a search by key gets to know what it looks for.
    pub enum Exact {
        /// The asker has a magnet link: the info-hash and the trackers. Name
        /// and size come from the first peer (BEP 9).
        Magnet = "magnet",
        /// The asker looks the info-hash up at the index site first.
        Index = "index",
    }
}

crate::parameters! {
    /// Parameters of BitTorrent discovery, with the values of the BEPs where
    /// they give one, else of common clients and trackers.
    pub struct Config {
        /// Where clients ask for peers. `both` is what clients do; the default
        /// shows what a tracker alone can do.
        pub discovery: Discovery = Discovery::Tracker;
        /// How many trackers there are beside the index site, unless all is left
        /// to the DHT.
        pub trackers: u32 = 1, in 1..=8;
        /// How several trackers stand in the announce list (BEP 12).
        pub tiers: Tiers = Tiers::Ordered;
        /// How a search by key starts: from a magnet link, or at the index site.
        pub exact: Exact = Exact::Magnet;
        /// Whether the peers of a swarm tell each other of further peers (BEP 11).
        pub pex: bool = true;
        /// How many peers a client asks a tracker for.
        pub numwant: u16 = 50, in 1..=200;
        /// The most peers a tracker returns, whatever a client asks for.
        pub max_numwant: u16 = 50, in 1..=200;
        /// The time between two announces of a peer (common trackers: 30 min).
        pub interval: Span = Span::from_s(1800);
        /// The least time between two announces without an event that a
        /// tracker puts up with.
        pub min_interval: Span = Span::from_s(300);
        /// How many announces a peer may miss before its tracker forgets it.
        pub missed_announces: u32 = 2, in 1..=100;
        /// How many connections a peer seeks in each swarm.
        pub want_peers: u16 = 10, in 0..=30;
        /// How many connections a peer keeps in each swarm.
        pub max_peers: u16 = 30, in 1..=200;
        /// For how many torrents at a time a keyword search seeks peers.
        pub parallel_torrents: u16 = 5, in 1..=100;
        /// The most torrents that the index site lists for one search.
        pub max_results: u16 = 100, in 1..=100;
        /// The most torrents that a client shares, and that a server knows.
        pub max_torrents: u32 = 1_000_000, in 1..=10_000_000;
        /// The most peers that a tracker keeps for one torrent.
        pub max_swarm: u32 = 1_000_000, in 1..=10_000_000;
        /// How often the index site asks the trackers for the size of the
        /// swarms it lists (BEP 48).
        pub scrape_interval: Span = Span::from_s(1800);
        /// How many scrapes in a row must find no seed before the index site
        /// drops a torrent.
        pub dead_scrapes: u32 = 3, in 1..=1_000;
        /// How long a client waits for a server's reply.
        pub reply_timeout: Span = Span::from_s(30);
        /// How long a client waits for a peer's handshake before it calls again.
        pub connect_timeout: Span = Span::from_s(5), in Span::from_ms(100)..=Span::from_s(600);
        /// How long a search takes at the most.
        pub search_timeout: Span = Span::from_s(60);
        /// How long a client waits before it tries again after all trackers of
        /// a torrent failed; doubles up to the announce interval.
        pub retry_after: Span = Span::from_s(60);
    }
}

impl Config {
    /// How many trackers there are.
    pub(super) fn tracker_count(&self) -> usize {
        if self.discovery == Discovery::Dht { 0 } else { self.trackers as usize }
    }

    /// Whether clients take part in the DHT.
    pub(super) fn has_dht(&self) -> bool {
        self.discovery != Discovery::Tracker
    }
}
