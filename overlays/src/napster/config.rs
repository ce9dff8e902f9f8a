//! The parameters of Napster, with OpenNap's defaults.

use crate::seam::Span;

crate::parameters! {
    /// Parameters of Napster: limits of the OpenNap server 0.36 and habits of
    /// its clients.
    pub struct Config {
        /// How many index servers there are; more than one are linked and
        /// forward searches to each other.
        pub servers: u32 = 1, in 1..=32;
        /// The most results a server returns for one search (OpenNap: 100).
        pub max_results: u16 = 100, in 1..=100;
        /// The most files a server lists for one user (OpenNap: 5000).
        pub max_shared: u32 = 5_000, in 1..=1_000_000;
        /// The most users a server serves at a time.
        pub max_users: u32 = 1_000_000, in 1..=10_000_000;
        /// How many providers a client pings to choose the best answer; 0
        /// takes the answers as they come.
        pub ping_best: u16 = 5, in 0..=100;
        /// How long a client waits for the answers to its pings.
        pub ping_timeout: Span = Span::from_s(1);
        /// How long a client waits for the answer to a login (OpenNap: 60 s).
        pub login_timeout: Span = Span::from_s(60);
        /// How long a client waits for the end of a search (OpenNap: 180 s).
        pub search_timeout: Span = Span::from_s(180);
        /// How long a server waits for the servers linked to it before it ends
        /// a search without their results.
        pub link_timeout: Span = Span::from_s(10);
        /// Whether a server forwards searches to the servers linked to it; off
        /// makes every search LOCAL.
        pub forward: bool = true;
        /// Whether firewalled searchers are told of files of firewalled users,
        /// which they cannot fetch. OpenNap leaves them out; on by default,
        /// since the other overlays return them too.
        pub firewalled_pairs: bool = true;
        /// How long a client waits before it logs in again after it lost its
        /// server, give or take half; doubles with each failed round.
        pub relogin_after: Span = Span::from_s(2);
        /// The longest wait between two rounds of logging in again.
        pub relogin_max: Span = Span::from_s(300);
    }
}
