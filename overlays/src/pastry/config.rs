//! Pastry's parameters.

use crate::parts::postings::Intersect;
use crate::{Span, choice, parameters};

const DAY: Span = Span::from_s(86_400);

choice! {
    /// How a message finds its way.
    pub enum Routing {
        /// By leaf set and routing table, as the paper defines.
        Table = "table",
        /// By the leaf set alone: correct, but n/|L| hops; for teaching.
        LeafSet = "leaf-set",
    }
}

choice! {
    /// What a joining node builds its tables from (P01 §3.3, Fig. 7).
    pub enum TableInit {
        /// Row i from the i-th node on the way, nothing else.
        Single = "sl",
        /// The whole state of each node on the way.
        Whole = "wt",
        /// That, and then a second stage: the state of each node found is
        /// fetched, and nearer entries are taken from it.
        WholeThenFetch = "wtf",
    }
}

parameters! {
    /// Pastry's parameters, with the paper's defaults.
    pub struct Config {
        /// Identifier bits; the slides use as few as 12.
        pub id_bits: u32 = 128, in 4..=128;
        /// Bits of a digit: the base is 2^b.
        pub b: u8 = 4, in 1..=4;
        /// |L|: nodes in the leaf set, half of them on each side.
        pub leaf_set: u16 = 16, in 2..=64;
        /// |M|: nodes in the neighbourhood set.
        pub neighbourhood: usize = 32, in 0..=64;
        /// k: nodes that keep each record, those with the closest identifiers.
        pub replicas: usize = 1, in 1..=32;
        /// How a message finds its way.
        pub routing: Routing = Routing::Table;
        /// Chance that a hop goes to any suitable node and not the best one,
        /// which gets a repeated query around bad nodes.
        pub randomise: f64 = 0.0, in 0.0..=1.0;
        /// What a joining node builds its tables from.
        pub table_init: TableInit = TableInit::WholeThenFetch;
        /// Whether each hop is acknowledged, so that a message lost to a dead
        /// node is sent around it.
        pub hop_acks: bool = true;
        /// Mean time between two keep-alives to each leaf.
        pub keep_alive: Span = Span::from_s(30), in Span::from_ms(10)..=DAY;
        /// Mean time between two rounds of table maintenance.
        pub maintain: Span = Span::from_s(60), in Span::from_ms(10)..=DAY;
        /// How far a single period strays from its mean, as a fraction of it.
        pub jitter: f64 = 0.5, in 0.0..=1.0;
        /// How long one hop or probe waits for its answer.
        pub request_timeout: Span = Span::from_s(1), in Span::from_ms(1)..=DAY;
        /// How long the origin of a message waits for the reply.
        pub lookup_timeout: Span = Span::from_s(10), in Span::from_ms(1)..=DAY;
        /// How often a failed request, transfer or join starts again.
        pub retries: u8 = 3, in 0..=100;
        /// Hops after which a message is dropped.
        pub ttl: u16 = 1000, in 1..=60_000;
        /// Time between two announcements of a shared item; 0 announces once.
        /// Records not announced again for three periods expire.
        pub republish: Span = Span::ZERO, in Span::ZERO..=DAY;
        /// Nodes that fell silent and are asked again now and then, so that
        /// the halves of a healed partition find each other; 0 forgets at once.
        pub remember_lost: usize = 32, in 0..=256;
        /// Records kept for one key.
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
