//! Named, portable random streams.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::key::Key;

/// The one generator of the lab: portable, so that a seed means the same on
/// every machine and with every version of the library.
pub type Rng = Xoshiro256PlusPlus;

/// The independent purposes for which a run draws random numbers.
///
/// Each has its own stream derived from the run's seed, so that every overlay
/// faces the same peers, latencies, items and queries whatever its own
/// protocol draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Places of nodes in the underlying network, and its shape.
    Topology,
    /// What peers are like: capacity, firewall, shared files.
    Peers,
    /// Items, queries and their arrival times.
    Workload,
    /// Sessions, crashes, partitions.
    Churn,
    /// Loss and jitter of single messages.
    Network,
    /// The overlays' own dice.
    Protocol,
}

impl Stream {
    /// This purpose's generator in the run with `seed`.
    pub fn rng(self, seed: u64) -> Rng {
        self.rng_of(seed, 0)
    }

    /// One of many generators for this purpose, such as one per node.
    pub fn rng_of(self, seed: u64, index: u64) -> Rng {
        let name = match self {
            Self::Topology => "topology",
            Self::Peers => "peers",
            Self::Workload => "workload",
            Self::Churn => "churn",
            Self::Network => "network",
            Self::Protocol => "protocol",
        };
        // A hash rather than `seed ^ constant`: neighbouring seeds must not
        // give related streams.
        let mut text = Vec::with_capacity(32);
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(&seed.to_be_bytes());
        text.extend_from_slice(&index.to_be_bytes());
        Rng::seed_from_u64(Key::hash(&text).prefix64())
    }
}
