//! Gnutella's parameters.

use crate::parts::servent::Replication;
use crate::seam::Span;

crate::choice! {
    /// How a servent searches.
    pub enum Strategy {
        /// One flood with the full TTL.
        Flooding = "flooding",
        /// Floods with growing TTL until there are enough hits (Lv et al., ICS
        /// 2002, §3).
        ExpandingRing = "expanding_ring",
        /// k random walkers that check back with the originator (Lv et al.,
        /// ICS 2002, §4).
        RandomWalkers = "random_walkers",
    }
}

crate::choice! {
    /// The graph from which a converged network starts.
    pub enum Topology {
        /// What joining produces: every newcomer links to random servents, in
        /// random order of arrival.
        Random = "random",
        /// A loop-free tree in which every inner servent has `degree` links,
        /// on which the arithmetic of flooding is exact.
        Tree = "tree",
    }
}

crate::parameters! {
    /// The parameters of Gnutella 0.4 and of the searches proposed for it.
    pub struct Config {
        /// C: permanent peers that a servent wants.
        pub degree: u32 = 4, in 1..=15;
        /// Permanent peers above which a servent accepts no more; never below
        /// `degree`.
        pub max_degree: u32 = 5, in 1..=16;
        /// Whether a full servent gives up one permanent peer for a newcomer
        /// that lacks two or more, pointing the one to the other.
        pub make_room: bool = true;
        /// TTL with which queries start.
        pub ttl: u8 = 7, in 1..=32;
        /// TTL with which pings start.
        pub ping_ttl: u8 = 7, in 1..=32;
        /// TTL plus hops to which a servent lowers what passes.
        pub max_ttl: u8 = 10, in 1..=32;
        /// How a servent searches: by flooding, by an expanding ring of
        /// floods, or by random walkers.
        pub search: Strategy = Strategy::Flooding;
        /// How long a flood waits for hits.
        pub search_timeout: Span = Span::from_s(5), in Span::from_ms(1)..=Span::from_s(3600);
        /// TTL of the first ring of an expanding search.
        pub ring_start: u8 = 1, in 1..=32;
        /// How much the TTL grows from ring to ring (Lv et al.: 2; the course: 1).
        pub ring_step: u8 = 2, in 1..=32;
        /// How long a ring waits for hits, for each hop of its TTL.
        pub ring_wait: Span = Span::from_ms(500), in Span::from_ms(1)..=Span::from_s(600);
        /// k: random walkers per search (Lv et al.: 16 to 64).
        pub walkers: u32 = 32, in 1..=1024;
        /// Steps that a walker takes at most (the wire's one byte allows no
        /// more; Lv et al. use 1,024).
        pub walk_ttl: u8 = 255, in 1..=255;
        /// Steps after which a walker asks the originator whether to go on.
        pub check_every: u8 = 4, in 1..=255;
        /// How long a walking search waits for hits.
        pub walk_timeout: Span = Span::from_s(60), in Span::from_ms(1)..=Span::from_s(3600);
        /// Slowest upstream, in kilobits per second, from which a searcher
        /// wants answers.
        pub min_speed_kbps: u16 = 0;
        /// Records that one QueryHit carries at most.
        pub max_records: u8 = 255, in 1..=255;
        /// Whether a hit from behind a firewall counts only after a Push has
        /// brought the provider's own connection (GIV).
        pub push: bool = false;
        /// Whether pings are answered from a cache of pongs instead of being
        /// flooded.
        pub pong_caching: bool = true;
        /// Cached pongs in an answer, spread over their distances.
        pub cached_pongs: u32 = 10, in 0..=50;
        /// How long a cached pong is fit to be passed on.
        pub pong_lifetime: Span = Span::from_s(90);
        /// Time between two pings of a servent to its permanent peers.
        pub ping_interval: Span = Span::from_s(30), in Span::from_ms(100)..=Span::from_s(86_400);
        /// Time between two pings from the same peer below which the later one
        /// is dropped.
        pub ping_spacing: Span = Span::from_s(3);
        /// How long a newcomer collects pongs before it chooses among their
        /// senders.
        pub pong_wait: Span = Span::from_s(2), in Span::from_ms(1)..=Span::from_s(600);
        /// Hosts that the host cache holds.
        pub host_cache: u32 = 50, in 1..=1000;
        /// Peers whose link broke that are remembered, to be tried again.
        pub lost_peers: u32 = 16, in 0..=1000;
        /// Time between two such tries.
        pub lost_interval: Span = Span::from_s(600), in Span::from_s(1)..=Span::from_s(864_000);
        /// How long a dialled host may take to accept.
        pub connect_timeout: Span = Span::from_s(5), in Span::from_ms(1)..=Span::from_s(600);
        /// How often a newcomer asks contacts again that had no room, or were
        /// still joining themselves.
        pub join_tries: u32 = 5, in 1..=1000;
        /// How long it waits before it asks them again.
        pub join_retry: Span = Span::from_s(2), in Span::from_ms(1)..=Span::from_s(600);
        /// Hosts that a servent dials at most between two upkeep pings.
        pub dials_per_interval: u32 = 16, in 1..=1000;
        /// Entries of each table of GUIDs seen; half of them are forgotten at
        /// once when it is full.
        pub route_capacity: u32 = 8192, in 2..=1_000_000;
        /// Time after which a GUID is forgotten, at twice this for certain.
        pub route_lifetime: Span = Span::from_s(60), in Span::from_s(1)..=Span::from_s(86_400);
        /// Who keeps a copy of what a search has found: nobody, the searcher,
        /// everyone on the way of the hit, or as many at random.
        pub replication: Replication = Replication::None;
        /// Copies that a servent keeps at most; the oldest goes first.
        pub copies: u32 = 20, in 1..=10_000;
        /// How long a copy is kept.
        pub copy_lifetime: Span = Span::from_s(3600), in Span::from_s(1)..=Span::from_s(864_000);
        /// Steps that a copy walks to a random servent.
        pub copy_steps: u8 = 10, in 1..=255;
        /// Pings and queries that a servent handles per second, with a burst of
        /// one second's worth; it is silent to the rest. 0 means no limit.
        pub capacity_per_s: u32 = 0;
        /// The graph of a converged start: as joining makes it, or a loop-free
        /// tree.
        pub topology: Topology = Topology::Random;
    }
}

impl Config {
    /// Permanent peers a servent accepts: `max_degree`, or `degree` if that is
    /// more.
    pub fn most_links(&self) -> usize {
        self.max_degree.max(self.degree) as usize
    }
}
