//! Chord's parameters.

use crate::Span;
use crate::parts::postings::Intersect;

crate::choice! {
    /// Who moves a lookup along.
    pub enum Routing {
        /// The origin asks node after node (the paper's simulator, SIGCOMM
        /// 2001 §6.1).
        Iterative = "iterative",
        /// Each node passes the request on; the answer goes straight back.
        Recursive = "recursive",
    }
}

crate::choice! {
    /// How a node chooses the next hop.
    pub enum NextHop {
        /// The highest finger strictly between the node and the key
        /// (SIGCOMM 2001, Fig. 4 and 5).
        ClosestPreceding = "closest_preceding",
        /// The node of the finger whose interval holds the key (the course's
        /// worked example). It never passes the owner by.
        FingerInterval = "finger_interval",
        /// The immediate successor: correct, and slow in proportion to n.
        SuccessorWalk = "successor_walk",
    }
}

const DAY: Span = Span::from_s(86_400);

crate::parameters! {
    /// Chord's parameters, with the defaults of its papers.
    pub struct Config {
        /// Bits of an identifier, m.
        pub id_bits: u32 = 160, in 1..=160;
        /// Virtual nodes that each peer runs (SIGCOMM 2001 §6.2).
        pub virtual_nodes: u16 = 1, in 1..=256;
        /// Length r of the successor list (§5.3).
        pub successors: usize = 8, in 1..=64;
        /// Nodes that keep each record: the owner and its next successors. At
        /// most one more than `successors` takes effect.
        pub replicas: usize = 1, in 1..=64;
        /// Who moves a lookup along.
        pub routing: Routing = Routing::Iterative;
        /// How a node chooses the next hop.
        pub next_hop: NextHop = NextHop::ClosestPreceding;
        /// Whether the whole successor list takes part in routing, so that a
        /// node whose list covers the key names the owner at once.
        pub list_routing: bool = true;
        /// Whether each hop of a recursive lookup is acknowledged, so that a
        /// forwarder can route around a dead node.
        pub hop_acks: bool = true;
        /// Mean time between two stabilisations of a virtual node.
        pub stabilise: Span = Span::from_s(30), in Span::from_ms(10)..=DAY;
        /// Mean time between two refreshes of fingers.
        pub fix_fingers: Span = Span::from_s(30), in Span::from_ms(10)..=DAY;
        /// Fingers refreshed at a time; the paper's simulator refreshes all.
        pub fingers_per_fix: u32 = 160, in 1..=160;
        /// Mean time between two checks that the predecessor lives.
        pub check_predecessor: Span = Span::from_s(30), in Span::from_ms(10)..=DAY;
        /// How far a single period strays from its mean, as a fraction of it.
        pub jitter: f64 = 0.5, in 0.0..=1.0;
        /// How long one request waits for its answer. Upkeep whose period is
        /// no longer than this looks for the answer when it is next due.
        pub request_timeout: Span = Span::from_s(1), in Span::from_ms(1)..=DAY;
        /// How long the origin of a recursive lookup waits.
        pub lookup_timeout: Span = Span::from_s(10), in Span::from_ms(1)..=DAY;
        /// How often a failed lookup, transfer or join starts again.
        pub retries: u8 = 3, in 0..=100;
        /// Hops after which a lookup is given up.
        pub ttl: u16 = 1000, in 1..=60_000;
        /// Time between two announcements of a shared item; 0 announces once.
        /// Records not announced again for three periods expire.
        pub republish: Span = Span::ZERO, in Span::ZERO..=DAY;
        /// Nodes that fell silent and are asked again now and then, so that
        /// the halves of a healed partition find each other; 0 forgets at once.
        pub remember_lost: usize = 8, in 0..=64;
        /// Providers kept for one key.
        pub max_providers: usize = 1024, in 1..=65_536;
        /// Records that a node keeps.
        pub max_records: usize = 1_000_000, in 1..=100_000_000;
        /// Whether items are also stored under each word of their names, so that searches by
        /// keywords can be answered.
        pub keywords: bool = false;
        /// Where the posting lists of a query's words are put together.
        pub intersect: Intersect = Intersect::Path;
        /// Records kept under one word; a list that has reached it refuses more and is hot.
        pub max_postings: usize = 1000, in 1..=65_536;
        /// Requests that a node has open at a time.
        pub max_requests: usize = 4096, in 16..=65_536;
    }
}
