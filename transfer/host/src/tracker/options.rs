//! What can be chosen when a tracker starts.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use transfer::tracker::Config;

/// Options of a tracker's server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen, for HTTP and for UDP on the same port. Port 0 chooses
    /// one that is free.
    pub listen: Vec<SocketAddr>,
    /// Intervals and limits of the swarms.
    pub config: Config,
    /// Whether a client may announce another address than it sends from. It
    /// could name a victim, so only where all clients are trusted.
    pub trusts_addresses: bool,
    /// How many HTTP connections are open at most.
    pub max_connections: usize,
    /// How long a client may take to send a request or to read its reply, in
    /// microseconds.
    pub request_timeout_us: u64,
    /// How long a connection may stay open without a request, in microseconds.
    pub idle_timeout_us: u64,
}

/// The port that trackers usually listen on.
pub const DEFAULT_PORT: u16 = 6969;

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: vec![
                (Ipv4Addr::UNSPECIFIED, DEFAULT_PORT).into(),
                (Ipv6Addr::UNSPECIFIED, DEFAULT_PORT).into(),
            ],
            config: Config::default(),
            trusts_addresses: false,
            max_connections: 8192,
            request_timeout_us: 10_000_000,
            idle_timeout_us: 60_000_000,
        }
    }
}
