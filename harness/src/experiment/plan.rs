//! What to run.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use overlays::Span;

use super::server_kill::ServerKill;
use crate::network::LatencySpec;
use crate::workload::{Catalog, Churn};

/// One run, described so that it can be repeated: everything but the overlay
/// and its parameters.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Peers.
    pub nodes: u32,
    /// The seed of all random streams.
    pub seed: u64,
    /// Delays between nodes.
    pub latency: LatencySpec,
    /// The fraction of datagrams that are lost.
    pub loss: f64,
    /// Whether to start converged rather than by joining.
    pub settle: bool,
    /// Whether periodic upkeep runs.
    pub maintenance: bool,
    /// The fraction of peers that die at once before the searches.
    pub kill: f64,
    /// The servers that die at the same moment; an overlay without servers
    /// loses none.
    pub kill_servers: Option<ServerKill>,
    /// Simulated time between that and the searches.
    pub kill_wait: Span,
    /// Searches of each kind: exact, and by keywords.
    pub searches: u32,
    /// Sessions of peers that come and go during the searches.
    pub churn: Option<Churn>,
    /// Whether whoever finds an item downloads it and shares its copy.
    pub downloads: bool,
    /// What is shared and searched for.
    pub catalog: Arc<Catalog>,
    /// What to call that in reports.
    pub catalog_name: String,
    /// Where to record the run.
    pub trace: Option<PathBuf>,
    /// Whether to compute the overlay graph's figures at the end.
    pub graph: bool,
    /// Where to write the overlay graph (`.dot` or `.graphml`).
    pub graph_file: Option<PathBuf>,
    /// The workload.
    pub workload: Workload,
}

/// What the peers do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Workload {
    /// The phases of the comparison: join, insert, search, delete, come and go.
    Standard,
    /// Every peer locates a random key of `id_bits` bits now and then, on a
    /// network that started converged: the reference workload W1.
    Locates {
        /// How often each peer does.
        period: Span,
        /// For how long.
        duration: Span,
        /// How long the run goes on after that.
        drain: Span,
        /// Bits of the keys and of the peers' identifiers.
        id_bits: u32,
    },
}

impl Plan {
    /// A comparison run of `nodes` peers on `catalog` with the defaults of the
    /// command line.
    pub fn standard(nodes: u32, catalog: Arc<Catalog>) -> Self {
        Self {
            nodes,
            seed: 1,
            latency: LatencySpec::King,
            loss: 0.0,
            settle: false,
            maintenance: true,
            kill: 0.0,
            kill_servers: None,
            kill_wait: Span::from_s(60),
            searches: 1000,
            churn: None,
            downloads: false,
            catalog,
            catalog_name: "embedded".into(),
            trace: None,
            graph: true,
            graph_file: None,
            workload: Workload::Standard,
        }
    }
}

/// How a run tells of its progress and learns that it should stop.
#[derive(Clone, Default)]
pub struct Watch<'a> {
    /// Called with the fraction done and the name of the phase.
    pub progress: Option<&'a (dyn Fn(f64, &'static str) + Sync)>,
    /// Set when the user interrupts.
    pub interrupted: Arc<AtomicBool>,
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("interrupted", &self.interrupted).finish_non_exhaustive()
    }
}

impl Watch<'_> {
    /// Tells how far the run is.
    pub fn tell(&self, fraction: f64, phase: &'static str) {
        if let Some(progress) = &self.progress {
            progress(fraction.clamp(0.0, 1.0), phase);
        }
    }

    /// Whether the user asked to stop.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}
