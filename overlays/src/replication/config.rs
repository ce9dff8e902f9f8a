//! The parameters of full replication.

use crate::seam::Span;

crate::choice! {
    /// How an update reaches all peers.
    pub enum Spread {
        /// Everyone passes it on to all neighbours in a random graph.
        Flood = "flood",
        /// Everyone passes it on to some members drawn at random.
        Gossip = "gossip",
    }
}

crate::parameters! {
    /// Parameters of full replication.
    pub struct Config {
        /// How an update reaches all peers.
        pub spread: Spread = Spread::Flood;
        /// How many neighbours a peer asks for; as many ask it, on average.
        pub links: u16 = 2, in 1..=32;
        /// The most neighbours a peer accepts.
        pub max_links: u16 = 32, in 2..=256;
        /// How many members a gossiping peer passes an update on to; 0 takes ln n + 3, with which
        /// one in 20 updates misses one peer or more.
        pub fanout: u16 = 0, in 0..=256;
        /// How often a peer compares digests with each neighbour, and with one member drawn at
        /// random.
        pub beat: Span = Span::from_s(20), in Span::from_ms(100)..=Span::from_s(3600);
        /// How many beats in a row a neighbour misses before it is taken for dead; other members
        /// have twice as many.
        pub misses: u8 = 3, in 1..=20;
        /// How long a peer remembers who left or died, and looks whether they are back.
        pub remember: Span = Span::from_s(3600);
        /// How long a newcomer waits for a page of the copy before it asks another member.
        pub page_timeout: Span = Span::from_s(15);
        /// The most items a peer shares.
        pub max_items: u32 = 5_000, in 1..=100_000;
        /// The most peers an index has room for.
        pub max_peers: u32 = 1_000_000, in 1..=10_000_000;
    }
}
