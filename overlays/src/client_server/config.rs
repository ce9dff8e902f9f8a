//! The parameters of client-server storage.

use crate::seam::Span;

crate::choice! {
    /// Which server a client reads from.
    pub enum Reads {
        /// The one that answers a ping first.
        Nearest = "nearest",
        /// One drawn at random.
        Random = "random",
        /// The one that takes the writes.
        Primary = "primary",
    }
}

crate::parameters! {
    /// Parameters of client-server storage.
    pub struct Config {
        /// How many servers there are. More than one are replicas of each other: one takes the
        /// writes, all answer searches.
        pub servers: u32 = 1, in 1..=32;
        /// Which server a client reads from when there are several.
        pub reads: Reads = Reads::Nearest;
        /// The most results a server returns for one search.
        pub max_results: u16 = 100, in 1..=100;
        /// The most items a server stores for one client.
        pub max_items: u32 = 5_000, in 1..=1_000_000;
        /// The most clients a server serves at a time.
        pub max_clients: u32 = 1_000_000, in 1..=10_000_000;
        /// How long a client waits for the answer to anything it asks a server.
        pub reply_timeout: Span = Span::from_s(120);
        /// How long the server that takes the writes waits for a replica to confirm one.
        pub replica_timeout: Span = Span::from_s(10);
        /// How long a server that takes over keeps the items of clients that have not come over to it.
        pub grace: Span = Span::from_s(60);
        /// How long a client waits before it looks for a server again after it lost its own, give
        /// or take half; doubles with each failed round.
        pub reopen_after: Span = Span::from_s(2);
        /// The longest wait between two such rounds.
        pub reopen_max: Span = Span::from_s(300);
        /// How often a server calls other servers to which the link broke.
        pub relink_every: Span = Span::from_s(10), in Span::from_ms(100)..=Span::from_s(3600);
    }
}
