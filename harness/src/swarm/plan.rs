//! What a swarm is made of.

use transfer::session::{Geometry, SessionConfig};

/// When a node leaves the swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Not before the run ends.
    Never,
    /// As soon as it has everything.
    WhenFinished,
    /// When it has sent this many bytes of blocks.
    AfterSending(u64),
}

/// One node.
#[derive(Clone, Debug)]
pub struct NodePlan {
    /// What its uplink carries, in bytes per second.
    pub up: u64,
    /// What its downlink carries, in bytes per second.
    pub down: u64,
    /// Whether it has everything from the beginning.
    pub seed: bool,
    /// When it joins, in microseconds.
    pub joins_us: u64,
    /// When it leaves.
    pub leaves: Leave,
    /// Of how many blocks that it sends one is corrupted; 0 if none.
    pub lies_one_in: u32,
    /// The parameters of its session. The name is set by the swarm.
    pub config: SessionConfig,
}

impl NodePlan {
    /// A leecher, from the beginning to the end.
    #[must_use]
    pub fn leecher(up: u64, down: u64) -> Self {
        let config = SessionConfig::default();
        Self { up, down, seed: false, joins_us: 0, leaves: Leave::Never, lies_one_in: 0, config }
    }

    /// A seed, from the beginning to the end.
    #[must_use]
    pub fn seed(up: u64) -> Self {
        Self { seed: true, ..Self::leecher(up, up) }
    }
}

/// A swarm.
#[derive(Clone, Debug)]
pub struct SwarmPlan {
    /// How the torrent's bytes fall into pieces.
    pub geometry: Geometry,
    /// Its nodes.
    pub nodes: Vec<NodePlan>,
    /// The one-way latency between any two nodes, in microseconds.
    pub latency_us: u64,
    /// How many peers the tracker names when asked (50).
    pub tracker_gives: usize,
    /// Whether pieces are checked against their hashes. If not, what is bad is
    /// passed on: an experiment.
    pub verify: bool,
    /// From which everything random is drawn.
    pub seed: u64,
}

impl SwarmPlan {
    /// These nodes, 25 ms apart, with a tracker that names 50 of them.
    #[must_use]
    pub fn new(geometry: Geometry, nodes: Vec<NodePlan>, seed: u64) -> Self {
        Self { geometry, nodes, latency_us: 25_000, tracker_gives: 50, verify: true, seed }
    }
}
