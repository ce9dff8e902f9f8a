//! CAN's parameters.

use super::landmarks::Landmarks;
use super::zone::MAX_DIMENSIONS;
use crate::Span;
use crate::parts::postings::Intersect;

crate::choice! {
    /// Which neighbour a message is forwarded to.
    pub enum Weighting {
        /// The one closest to the destination (§2.1).
        Distance = "distance",
        /// The one with the most progress per round-trip time (§3.3).
        Rtt = "rtt",
    }
}

crate::choice! {
    /// How the zones of a settled network lie.
    pub enum Layout {
        /// As if the peers had joined one after another at random points.
        Joined = "joined",
        /// Zones of equal volume, as far as the number of peers allows.
        Grid = "grid",
    }
}

const DAY: Span = Span::from_s(86_400);

crate::parameters! {
    /// CAN's parameters, with the defaults of its paper where it names any.
    pub struct Config {
        /// Dimensions of the space, d.
        pub dimensions: u32 = 2, in 1..=MAX_DIMENSIONS;
        /// Independent coordinate spaces, r, each with a copy of every record
        /// (§3.2).
        pub realities: u8 = 1, in 1..=8;
        /// Which neighbour a message is forwarded to (§3.3).
        pub weighting: Weighting = Weighting::Distance;
        /// Hash functions, k, each with a copy of every record; searches ask
        /// for all copies at once (§3.5).
        pub hashes: u8 = 1, in 1..=8;
        /// Peers that share a zone, p; each keeps all of its records, and knows
        /// the nearest peer of each zone beside it (§3.4).
        pub peers: usize = 1, in 1..=16;
        /// Whether the owner of a join's point lets the neighbour with the
        /// largest zone be split in its place (§3.7).
        pub uniform: bool = false;
        /// Well-known machines whose distances, in order, choose a joiner's
        /// portion of the space (§3.6); 0 leaves it to chance.
        pub landmarks: Landmarks = Landmarks::default();
        /// How the zones of a settled network lie.
        pub layout: Layout = Layout::Joined;
        /// Mean time between two updates to the neighbours.
        pub update: Span = Span::from_s(30), in Span::from_ms(10)..=DAY;
        /// How far a single period strays from its mean, as a fraction of it.
        pub jitter: f64 = 0.25, in 0.0..=1.0;
        /// Updates that a neighbour may miss before it counts as failed.
        pub missed_updates: u8 = 3, in 1..=100;
        /// What the takeover timer of a node would be whose zone is as large as
        /// the failed one (§2.3); it is in proportion to the volume.
        pub takeover: Span = Span::from_s(1), in Span::from_ms(1)..=DAY;
        /// How long one message waits for its acknowledgement.
        pub request_timeout: Span = Span::from_s(1), in Span::from_ms(1)..=DAY;
        /// How long the origin of a lookup waits beside what the hops take.
        pub lookup_timeout: Span = Span::from_s(5), in Span::from_ms(1)..=DAY;
        /// What the origin grants each hop of a longest path.
        pub hop_allowance: Span = Span::from_ms(500), in Span::ZERO..=DAY;
        /// Whether each hop is acknowledged, so that a node can route around a
        /// dead neighbour.
        pub hop_acks: bool = true;
        /// How often a lookup, a handover or a join starts again.
        pub retries: u8 = 3, in 0..=100;
        /// Points that a joiner tries when splits are refused.
        pub join_points: u8 = 32, in 1..=255;
        /// The widest ring that is searched for a way on when no neighbour is
        /// nearer to a destination (§2.1).
        pub ring: u8 = 4, in 0..=8;
        /// Hops after which a message is given up.
        pub ttl: u16 = 4000, in 1..=60_000;
        /// Keys whose records a node caches: what its own searches found, and
        /// what overloaded neighbours push to it; 0 caches nothing (§3.8).
        pub cache: usize = 0, in 0..=4096;
        /// How long a cached record lives.
        pub cache_ttl: Span = Span::from_s(300), in Span::from_s(1)..=DAY;
        /// Requests for one key in a minute at which a node that caches pushes
        /// its records to the neighbours; 0 pushes nothing.
        pub hot_requests: u32 = 60, in 0..=1_000_000;
        /// Time between two announcements of a shared item; 0 announces once.
        /// Records not announced again for three periods expire.
        pub republish: Span = Span::ZERO, in Span::ZERO..=DAY;
        /// Nodes that fell silent and are told of this node now and then, so
        /// that the halves of a healed partition find each other.
        pub remember_lost: usize = 8, in 0..=64;
        /// Providers kept for one key.
        pub max_providers: usize = 1024, in 1..=65_536;
        /// Records that a node keeps in each reality.
        pub max_records: usize = 1_000_000, in 1..=100_000_000;
        /// Whether items are also stored under each word of their names, so that searches by
        /// keywords can be answered.
        pub keywords: bool = false;
        /// Where the posting lists of a query's words are put together.
        pub intersect: Intersect = Intersect::Path;
        /// Records kept under one word; a list that has reached it refuses more and is hot.
        pub max_postings: usize = 1000, in 1..=65_536;
        /// Lookups that a node has open at a time.
        pub max_requests: usize = 4096, in 16..=65_536;
    }
}

impl Config {
    /// Whether round-trip times to neighbours matter.
    pub(super) fn measures_rtt(&self) -> bool {
        self.weighting == Weighting::Rtt || self.peers > 1
    }

    /// The depth of the smallest zones: what 32 bits per axis can tell apart.
    pub fn max_depth(&self) -> u32 {
        (32 * self.dimensions).min(super::zone::Zone::MAX_DEPTH)
    }
}
