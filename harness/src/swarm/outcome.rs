//! What became of a swarm.

use crate::sim::TraceHash;

/// What became of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeOutcome {
    /// When it had everything, in microseconds; `None` if never. A seed has it
    /// when it joins.
    pub finished_us: Option<u64>,
    /// Pieces that it has.
    pub have: u32,
    /// Pieces that it has and that are not what they should be.
    pub polluted: u32,
    /// Bytes of blocks received and used.
    pub downloaded: u64,
    /// Bytes of blocks sent.
    pub uploaded: u64,
    /// Bytes of blocks received in vain, as they were there already.
    pub duplicate: u64,
    /// Bytes of pieces that failed their hash.
    pub bad: u64,
    /// Peers that it banned.
    pub banned: u32,
}

/// What became of a swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Each node, in the order of the plan.
    pub nodes: Vec<NodeOutcome>,
    /// When the run ended, in microseconds.
    pub end_us: u64,
    /// Messages and blocks that were delivered.
    pub deliveries: u64,
    /// The digest of all deliveries: two runs of one plan agree on it.
    pub trace: TraceHash,
}

impl Outcome {
    /// The mean time at which some nodes had everything, in seconds; those who
    /// never had count as the end of the run.
    #[must_use]
    pub fn mean_finish_s(&self, nodes: impl Iterator<Item = usize>) -> f64 {
        let ends: Vec<u64> =
            nodes.map(|n| self.nodes[n].finished_us.unwrap_or(self.end_us)).collect();
        ends.iter().sum::<u64>() as f64 / ends.len().max(1) as f64 / 1e6
    }

    /// How many nodes have everything.
    #[must_use]
    pub fn finished(&self) -> usize {
        self.nodes.iter().filter(|node| node.finished_us.is_some()).count()
    }
}
