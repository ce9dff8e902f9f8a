//! Experiments: runs of one overlay from an empty world to its measures.

mod book;
mod comparison;
mod contacts;
mod locates;
mod measures;
pub(crate) mod peers;
mod plan;
mod row;
mod server_kill;
mod standard;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use overlays::{Growth, Overlay};

pub use comparison::{Comparison, Contestant, Progress};
pub use measures::{EngineMeasures, Measures, OperationMeasures, StorageMeasures};
pub use plan::{Plan, Watch, Workload};
pub use row::{growth, row};
pub use server_kill::{ServerKill, ServerKillError};

use crate::network::NetworkError;

/// Why a run could not be carried out.
#[derive(Debug)]
pub enum RunError {
    /// The network model cannot be built.
    Network(NetworkError),
    /// A file cannot be written.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The overlay cannot start converged.
    NoSettle(&'static str),
    /// The plan contradicts itself.
    Plan(String),
    /// Sockets or threads could not be had.
    Sockets(io::Error),
}

impl RunError {
    fn file(path: &Path, error: io::Error) -> Self {
        Self::File { path: path.into(), error }
    }
}

impl From<NetworkError> for RunError {
    fn from(error: NetworkError) -> Self {
        Self::Network(error)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(error) => error.fmt(f),
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::NoSettle(overlay) => {
                write!(f, "{overlay} cannot start converged; run it without --settle")
            }
            Self::Plan(problem) => f.write_str(problem),
            Self::Sockets(error) => write!(f, "cannot run on this machine's sockets: {error}"),
        }
    }
}

impl std::error::Error for RunError {}

/// Carries out `plan` with overlay `O`.
///
/// # Errors
/// When the plan cannot be carried out. What the overlay does wrong is no
/// error: it shows in the measures.
pub fn run<O: Overlay>(
    config: &Arc<O::Config>,
    plan: &Plan,
    watch: &Watch<'_>,
) -> Result<Measures, RunError> {
    if plan.nodes == 0 {
        return Err(RunError::Plan("a network needs at least one peer".into()));
    }
    match plan.workload {
        Workload::Standard => standard::Standard::<O>::new(config, plan, watch)?.run(),
        Workload::Locates { period, duration, drain, id_bits } => {
            let times = locates::Times { period, duration, drain };
            locates::run::<O>(config, plan, times, id_bits, watch)
        }
    }
}

/// Whether searches flood, so that their reach is worth measuring.
pub(crate) fn floods<O: Overlay>() -> bool {
    matches!(O::ABOUT.theory.search_messages, Growth::Linear | Growth::SuperPeers)
}

/// The most memory that this process has held at once, where the system tells.
pub(crate) fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Seconds that a processor has worked for this thread, where the system tells.
fn thread_cpu_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let ns: f64 = stat.split_whitespace().next()?.parse().ok()?;
    Some(ns / 1e9)
}

/// A clock on the work of this thread.
#[derive(Clone, Copy, Debug)]
struct Stopwatch {
    wall: std::time::Instant,
    cpu_s: Option<f64>,
}

impl Stopwatch {
    fn start() -> Self {
        Self { wall: std::time::Instant::now(), cpu_s: thread_cpu_s() }
    }

    fn stop(self, engine: &mut EngineMeasures) {
        engine.wall_s = self.wall.elapsed().as_secs_f64();
        engine.cpu_s = thread_cpu_s().zip(self.cpu_s).map(|(now, then)| now - then);
        engine.peak_rss_bytes = peak_rss_bytes();
    }
}
