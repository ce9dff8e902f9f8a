//! The parameters of Gnutella 0.6.

use crate::parts::servent::Replication;
use crate::seam::Span;

crate::parameters! {
    /// The parameters of Gnutella 0.6: the two ranks, query routing and
    /// dynamic querying.
    pub struct Config {
        /// Links to other ultrapeers that an ultrapeer accepts (X-Degree).
        pub degree: u32 = 32, in 2..=64;
        /// Links to other ultrapeers below which it looks for more itself (the
        /// dynamic-query draft demands 15 at least).
        pub wanted_links: u32 = 15, in 1..=64;
        /// Leaves that an ultrapeer accepts.
        pub leaves: u32 = 30, in 1..=100;
        /// Ultrapeers that a leaf keeps.
        pub leaf_ultrapeers: u32 = 3, in 1..=10;
        /// Upstream that an ultrapeer must have, in kilobits per second (10
        /// KB/s).
        pub min_upload_kbps: u32 = 80;
        /// Downstream that an ultrapeer must have, in kilobits per second (15
        /// KB/s).
        pub min_download_kbps: u32 = 120;
        /// How long a leaf has been up before it offers to be an ultrapeer for
        /// want of further links. One that has no link at all does not wait.
        pub min_uptime: Span = Span::from_s(300), in Span::ZERO..=Span::from_s(86_400);
        /// Taken leaf slots, in percent, from which an ultrapeer says that
        /// more ultrapeers are needed, and keeps the others for leaves that
        /// have no ultrapeer.
        pub needed_percent: u32 = 90, in 1..=100;
        /// Taken leaf slots, in percent, below which an ultrapeer asks in each
        /// round of upkeep whether it is needed.
        pub sparse_percent: u32 = 50, in 0..=100;
        /// How often it is told that it is not before it steps down, on
        /// average.
        pub guidance: u32 = 5, in 1..=1_000_000;
        /// Slots of a QRP table, as a power of two (16: 65,536 slots).
        pub table_bits: u32 = 16, in 3..=16;
        /// Bits of an entry in a PATCH: 4 or 8.
        pub patch_bits: u32 = 4, in 4..=8;
        /// How long an ultrapeer gathers changes before it sends patches of its
        /// merged table to other ultrapeers.
        pub table_delay: Span = Span::from_s(10), in Span::from_ms(10)..=Span::from_s(3600);
        /// Whether ultrapeers exchange merged tables, so that the last hop
        /// between them is spared where nothing can match.
        pub last_hop_qrp: bool = true;
        /// Highest TTL with which a query is sent to an ultrapeer (X-Max-TTL).
        pub max_ttl: u8 = 3, in 1..=7;
        /// Ultrapeers that a dynamic query probes first.
        pub probes: u32 = 3, in 1..=32;
        /// TTL of a probe of an ultrapeer whose table tells nothing.
        pub probe_ttl: u8 = 2, in 1..=7;
        /// How long a dynamic query waits for hits, for each hop of its TTL.
        pub hop_wait: Span = Span::from_ms(2400), in Span::from_ms(1)..=Span::from_s(60);
        /// Hits that end a dynamic query of the ultrapeer itself.
        pub wanted_hits: u32 = 150, in 1..=10_000;
        /// Hits that end a dynamic query for a leaf.
        pub wanted_hits_for_leaf: u32 = 50, in 1..=10_000;
        /// Theoretical horizon, in ultrapeers, that ends a dynamic query.
        pub max_horizon: u64 = 200_000, in 1..=u64::MAX;
        /// How long a dynamic query takes at most.
        pub query_lifetime: Span = Span::from_s(200), in Span::from_ms(1)..=Span::from_s(3600);
        /// How long a search waits for all that it asked.
        pub search_timeout: Span = Span::from_s(300), in Span::from_ms(1)..=Span::from_s(3600);
        /// Records that one QueryHit carries at most.
        pub max_records: u8 = 255, in 1..=255;
        /// Whether a hit from behind a firewall counts only after a Push has
        /// brought the provider's own connection (GIV).
        pub push: bool = false;
        /// Cached pongs in an answer, spread over their distances.
        pub cached_pongs: u32 = 10, in 0..=50;
        /// How long a cached pong is fit to be passed on.
        pub pong_lifetime: Span = Span::from_s(90);
        /// Time between two rounds of upkeep.
        pub ping_interval: Span = Span::from_s(30), in Span::from_ms(100)..=Span::from_s(86_400);
        /// Links that are pinged in a round, at random.
        pub pings: u32 = 3, in 0..=64;
        /// Time between two pings from the same peer below which the later one
        /// is dropped.
        pub ping_spacing: Span = Span::from_s(3);
        /// How long a newcomer collects pongs before it dials more hosts.
        pub pong_wait: Span = Span::from_s(2), in Span::from_ms(1)..=Span::from_s(600);
        /// Hosts that the host cache holds.
        pub host_cache: u32 = 50, in 1..=1000;
        /// Peers whose link broke that are remembered, to be tried again.
        pub lost_peers: u32 = 16, in 0..=1000;
        /// Time between two such tries.
        pub lost_interval: Span = Span::from_s(600), in Span::from_s(1)..=Span::from_s(864_000);
        /// How long a handshake may take.
        pub connect_timeout: Span = Span::from_s(5), in Span::from_ms(1)..=Span::from_s(600);
        /// How often a newcomer asks contacts again that had no room.
        pub join_tries: u32 = 15, in 1..=1000;
        /// How long it waits before it asks them again.
        pub join_retry: Span = Span::from_s(2), in Span::from_ms(1)..=Span::from_s(600);
        /// Hosts that a servent dials at most between two rounds of upkeep.
        pub dials_per_interval: u32 = 32, in 1..=1000;
        /// Entries of each table of GUIDs seen.
        pub route_capacity: u32 = 8192, in 2..=1_000_000;
        /// Time after which a GUID is forgotten, at twice this for certain.
        pub route_lifetime: Span = Span::from_s(600), in Span::from_s(1)..=Span::from_s(86_400);
        /// Who keeps a copy of what a search has found: nobody, the searcher,
        /// everyone on the way of the hit, or as many ultrapeers at random.
        pub replication: Replication = Replication::None;
        /// Copies that a servent keeps at most; the oldest goes first.
        pub copies: u32 = 20, in 1..=10_000;
        /// How long a copy is kept.
        pub copy_lifetime: Span = Span::from_s(3600), in Span::from_s(1)..=Span::from_s(864_000);
        /// Steps that a copy walks to a random ultrapeer.
        pub copy_steps: u8 = 5, in 1..=255;
        /// Pings and queries that a servent handles per second, with a burst of
        /// one second's worth; it is silent to the rest. 0 means no limit.
        pub capacity_per_s: u32 = 0;
        /// GWebCache servers that hand out hosts. 0: newcomers hear of members
        /// by word of mouth.
        pub web_caches: u32 = 0, in 0..=8;
        /// Hosts that a GWebCache remembers and hands out, the newest.
        pub web_cache_hosts: u32 = 20, in 1..=100;
        /// Time between two requests of one host that a GWebCache answers.
        pub web_cache_spacing: Span = Span::from_s(5), in Span::ZERO..=Span::from_s(86_400);
        /// Time between two updates of an ultrapeer to a GWebCache.
        pub web_cache_interval: Span = Span::from_s(3600), in Span::from_s(1)..=Span::from_s(864_000);
    }
}

impl Config {
    /// Links that an ultrapeer dials for itself: never more than it accepts.
    pub fn own_links(&self) -> usize {
        self.wanted_links.min(self.degree) as usize
    }

    /// Whether so many taken leaf slots call for more ultrapeers.
    pub fn calls_for_ultrapeers(&self, taken: usize) -> bool {
        taken as u64 * 100 >= u64::from(self.leaves) * u64::from(self.needed_percent)
    }

    /// Whether so many taken leaf slots are too few for an ultrapeer.
    pub fn is_sparse(&self, taken: usize) -> bool {
        (taken as u64 * 100) < u64::from(self.leaves) * u64::from(self.sparse_percent)
    }

    /// Whether an ultrapeer with so many taken leaf slots has another for a
    /// leaf: the last ones are for those that have no ultrapeer.
    pub fn takes_leaf(&self, taken: usize, stranded: bool) -> bool {
        let reserved = !stranded && self.calls_for_ultrapeers(taken);
        taken < self.leaves as usize && !reserved
    }
}
