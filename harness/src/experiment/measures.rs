//! What one run measured.

use std::collections::BTreeMap;

use overlays::{Footprint, Time};

use crate::graph::Figures;
use crate::oracle::Grade;
use crate::sim::{Operation, TraceHash, Traffic, Verb};
use crate::stats::Tally;

/// The account of all operations of one verb.
#[derive(Clone, Debug, Default)]
pub struct OperationMeasures {
    /// Operations that ended.
    pub count: u64,
    /// Of them, how many got which grade.
    pub correct: u64,
    /// See [`Grade::Incomplete`].
    pub incomplete: u64,
    /// See [`Grade::Wrong`].
    pub wrong: u64,
    /// See [`Grade::Failed`].
    pub failed: u64,
    /// See [`Grade::Unsupported`].
    pub unsupported: u64,
    /// Hops until the node that answered, of those that were answered.
    pub hops: Tally,
    /// Microseconds from start to end.
    pub latency_us: Tally,
    /// Microseconds from start to the first answer, of those that were
    /// answered.
    pub first_answer_us: Tally,
    /// Messages caused.
    pub messages: Tally,
    /// Bytes of them.
    pub bytes: Tally,
    /// Messages caused that nobody received.
    pub timeouts: Tally,
    /// Of searches: hits that were asked for, existed, and were found.
    pub found: u64,
    /// Of searches: hits that were asked for and existed.
    pub wanted: u64,
}

impl OperationMeasures {
    /// The fraction of what was asked for and existed that was found; nothing
    /// where nothing was.
    pub fn recall(&self) -> Option<f64> {
        (self.wanted > 0).then(|| self.found as f64 / self.wanted as f64)
    }

    /// Takes a closed operation into account.
    pub fn record(&mut self, operation: &Operation, grade: Grade) {
        self.count += 1;
        match grade {
            Grade::Correct => self.correct += 1,
            Grade::Incomplete => self.incomplete += 1,
            Grade::Wrong => self.wrong += 1,
            Grade::Failed => self.failed += 1,
            Grade::Unsupported => {
                self.unsupported += 1;
                return;
            }
        }
        let since = |at: Option<Time>| at.map(|at| at.since(operation.started).as_us());
        if grade != Grade::Failed {
            self.hops.record(u64::from(operation.hops));
            self.first_answer_us.record(since(operation.first_answer).unwrap_or(0));
        }
        self.latency_us.record(since(operation.ended).unwrap_or(0));
        self.messages.record(u64::from(operation.messages));
        self.bytes.record(operation.bytes);
        self.timeouts.record(u64::from(operation.timeouts));
    }

    /// The fraction of all answerable operations that were graded correct.
    pub fn correct_fraction(&self) -> f64 {
        self.fraction(self.correct)
    }

    /// The fraction of all answerable operations that failed.
    pub fn failed_fraction(&self) -> f64 {
        self.fraction(self.failed)
    }

    fn fraction(&self, part: u64) -> f64 {
        part as f64 / (self.count - self.unsupported).max(1) as f64
    }
}

/// What the nodes kept at the end.
#[derive(Clone, Debug, Default)]
pub struct StorageMeasures {
    /// Contacts kept for routing, per node.
    pub routing_entries: Tally,
    /// Index entries, per node.
    pub index_entries: Tally,
    /// Both kinds of entries together, per node.
    pub entries: Tally,
    /// Bytes, per node.
    pub bytes: Tally,
}

impl StorageMeasures {
    /// Takes one node into account.
    pub fn record(&mut self, footprint: Footprint) {
        self.routing_entries.record(footprint.routing_entries);
        self.index_entries.record(footprint.index_entries);
        self.entries.record(footprint.routing_entries + footprint.index_entries);
        self.bytes.record(footprint.bytes);
    }
}

/// What it took to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineMeasures {
    /// Events handled.
    pub events: u64,
    /// Messages delivered.
    pub messages: u64,
    /// Seconds of real time in the event loop.
    pub wall_s: f64,
    /// Seconds that a processor worked on it, where the system tells.
    pub cpu_s: Option<f64>,
    /// The process's peak resident memory, where the system tells.
    pub peak_rss_bytes: Option<u64>,
}

/// Everything that one run of one overlay measured.
#[derive(Clone, Debug, Default)]
pub struct Measures {
    /// Peers.
    pub nodes: u32,
    /// Dedicated servers beside them.
    pub servers: u32,
    /// The seed.
    pub seed: u64,
    /// Per verb.
    pub operations: BTreeMap<Verb, OperationMeasures>,
    /// Messages that no operation caused, during the measured phases.
    pub upkeep_messages: u64,
    /// Bytes of them.
    pub upkeep_bytes: u64,
    /// Node-seconds of the measured phases.
    pub node_seconds: f64,
    /// What all nodes kept.
    pub storage: StorageMeasures,
    /// Distinct nodes that a search's forward messages reached.
    pub reach_nodes: Tally,
    /// Forward messages of a search to nodes it had reached before.
    pub reach_duplicates: Tally,
    /// Messages that each node received in the measured phases.
    pub load: Tally,
    /// Messages sent in the whole run, by kind, in the overlay's order.
    pub messages_by_kind: Vec<(&'static str, u64)>,
    /// Messages of the whole run that did not arrive.
    pub lost: u64,
    /// See [`Traffic::undeliverable`].
    pub undeliverable: u64,
    /// The overlay graph, where it was measured.
    pub graph: Option<Figures>,
    /// The cost of running.
    pub engine: EngineMeasures,
    /// The digest of the run.
    pub trace_hash: TraceHash,
    /// Operations that had not ended when the run did, and operations that
    /// ended twice: each is a bug of the overlay.
    pub broken_operations: u64,
    /// Searches that were not asked, because the peer that should have was away.
    pub unasked_searches: u64,
    /// Violations that the overlay's audit found at the end.
    pub violations: Vec<String>,
    /// Peers that share nothing.
    pub free_riders: u64,
    /// Items shared at the start, copies counted.
    pub shares: u64,
    /// Whether the user interrupted the run.
    pub interrupted: bool,
}

impl Measures {
    /// Takes a closed operation into account.
    pub fn record(&mut self, operation: &Operation, grade: Grade, reach: bool) {
        self.operations.entry(operation.verb).or_default().record(operation, grade);
        let is_search = matches!(operation.verb, Verb::Search | Verb::KeywordSearch);
        if reach && is_search && grade != Grade::Unsupported {
            let mut receivers = operation.receivers.clone();
            receivers.sort_unstable();
            receivers.dedup();
            let distinct = receivers.len() as u64;
            self.reach_nodes.record(distinct);
            self.reach_duplicates.record(operation.receivers.len() as u64 - distinct);
        }
    }

    /// Takes the traffic of the whole run into account.
    pub fn set_traffic(&mut self, traffic: &Traffic, kinds: &[&'static str]) {
        self.messages_by_kind =
            kinds.iter().copied().zip(traffic.sent_by_kind.iter().copied()).collect();
        self.lost = traffic.lost;
        self.undeliverable = traffic.undeliverable;
        self.engine.messages = traffic.delivered;
    }
}
