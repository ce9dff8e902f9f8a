//! Many runs side by side: every overlay with every seed, and at growing size.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::measures::Measures;
use super::plan::{Plan, Watch};
use super::row::{growth, row};
use crate::document::{Catalog, Document, Kind, Measure};
use crate::registry::{Assignment, Entry, EntryError};
use crate::sim::TraceHash;
use crate::stats::Fit;

/// Network sizes at which the growth of costs is measured.
const GROWTH_SIZES: [u32; 7] = [64, 128, 256, 512, 1024, 2048, 4096];
/// Searches at each of those sizes.
const GROWTH_SEARCHES: u32 = 200;

/// An overlay with the parameters it shall have.
#[derive(Clone)]
pub struct Contestant {
    /// The overlay.
    pub entry: &'static dyn Entry,
    /// Parameters other than the defaults.
    pub set: Vec<Assignment>,
}

impl std::fmt::Debug for Contestant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contestant")
            .field("overlay", &self.entry.about().name)
            .field("set", &self.set)
            .finish()
    }
}

/// What to compare.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The overlays, in the order of the report.
    pub contestants: Vec<Contestant>,
    /// The run that each goes through; its seed is the first.
    pub plan: Plan,
    /// How many consecutive seeds.
    pub seeds: u32,
    /// Whether to measure growth as well.
    pub growth: bool,
}

/// One run of a comparison.
#[derive(Debug)]
struct Job {
    contestant: usize,
    plan: Plan,
    is_growth: bool,
}

impl Job {
    /// Roughly what it has to do, in a unit that holds within its kind.
    fn work(&self) -> f64 {
        f64::from(self.plan.nodes) * f64::from(self.plan.searches.max(1))
    }

    /// Jobs of one kind take as long as they have work to do.
    const fn kind(&self) -> (usize, bool) {
        (self.contestant, self.is_growth)
    }
}

/// The jobs that have not begun, and what is known of how long they take.
///
/// Overlays differ a hundredfold in that. So one job of each kind comes first,
/// the largest; from then on always the one that is expected to take longest,
/// so that small ones are left for the end and all cores finish at about the
/// same time. In which order jobs run makes no difference to their results.
#[derive(Debug)]
struct Waiting {
    jobs: Vec<usize>,
    /// Seconds per unit of work, by kind.
    pace: BTreeMap<(usize, bool), f64>,
}

impl Waiting {
    fn new(jobs: usize) -> Self {
        Self { jobs: (0..jobs).collect(), pace: BTreeMap::new() }
    }

    /// How long a job is expected to take, in seconds; for ever, while none of
    /// its kind has ended.
    fn expected_s(&self, job: &Job) -> f64 {
        self.pace.get(&job.kind()).map_or(f64::INFINITY, |pace| pace * job.work())
    }

    /// Takes the job to do next, the first among equals.
    fn take(&mut self, jobs: &[Job]) -> Option<usize> {
        let claim = |at: &usize| (self.expected_s(&jobs[*at]), jobs[*at].work());
        let first = self.jobs.iter().enumerate().rev().max_by(|(_, a), (_, b)| {
            let ((a_s, a_work), (b_s, b_work)) = (claim(a), claim(b));
            a_s.total_cmp(&b_s).then(a_work.total_cmp(&b_work))
        });
        let place = first?.0;
        Some(self.jobs.remove(place))
    }

    /// Notes how long a job took.
    fn took(&mut self, job: &Job, time: Duration) {
        self.pace.insert(job.kind(), time.as_secs_f64() / job.work());
    }
}

/// Progress of a comparison: contestant, the fraction of its work done, and
/// what it is at.
pub type Progress<'a> = &'a (dyn Fn(usize, f64, &str) + Sync);

impl Comparison {
    /// The jobs: those with every seed, then those at every size.
    fn jobs(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for contestant in 0..self.contestants.len() {
            for turn in 0..self.seeds {
                let seed = self.plan.seed.wrapping_add(turn.into());
                let plan = Plan { seed, ..self.plan.clone() };
                jobs.push(Job { contestant, plan, is_growth: false });
            }
            if self.growth {
                jobs.extend(GROWTH_SIZES.iter().map(|&n| self.growth_job(contestant, n)));
            }
        }
        jobs
    }

    /// A run at size `n`: started converged, with a catalogue in proportion to
    /// n, so that an item is as rare in a small network as in a large one.
    fn growth_job(&self, contestant: usize, n: u32) -> Job {
        let items = (n / 2) as usize;
        let plan = Plan {
            nodes: n,
            settle: true,
            kill: 0.0,
            kill_servers: None,
            churn: None,
            searches: GROWTH_SEARCHES,
            catalog: Arc::new(self.plan.catalog.thinned(items)),
            trace: None,
            graph: false,
            graph_file: None,
            ..self.plan.clone()
        };
        Job { contestant, plan, is_growth: true }
    }

    /// Carries out all runs on all cores and puts the results together.
    ///
    /// The result does not depend on the number of cores. After an
    /// interruption it holds what was finished by then and is marked partial.
    ///
    /// # Errors
    /// The first error of any run.
    pub fn run(
        &self,
        command: &str,
        interrupted: &Arc<AtomicBool>,
        progress: Progress<'_>,
    ) -> Result<Document, EntryError> {
        let jobs = self.jobs();
        let results = run_all(&self.contestants, &jobs, interrupted, progress);
        let mut runs: Vec<Vec<Measures>> = vec![Vec::new(); self.contestants.len()];
        let mut sizes: Vec<Vec<Measures>> = vec![Vec::new(); self.contestants.len()];
        for (job, result) in jobs.iter().zip(results) {
            if let Some(measures) = result.transpose()? {
                let list = if job.is_growth { &mut sizes } else { &mut runs };
                list[job.contestant].push(measures);
            }
        }
        let mut document = self.heading(command, &runs);
        let mut hash = TraceHash::default();
        for (at, contestant) in self.contestants.iter().enumerate() {
            runs[at].sort_by_key(|m| m.seed);
            sizes[at].sort_by_key(|m| m.nodes);
            runs[at].iter().for_each(|m| hash.combine(m.trace_hash));
            let name = contestant.entry.about().name;
            let wrap = |e| EntryError::Parameter(name, e);
            let parameters = contestant.entry.parameters(&contestant.set).map_err(wrap)?;
            let power = contestant.entry.search_power(&contestant.set).map_err(wrap)?;
            let mut row = row(contestant.entry.about(), &parameters, power, &runs[at]);
            sizes[at].retain(|m| !m.interrupted);
            if !sizes[at].is_empty() {
                let about = contestant.entry.about();
                let (fits, points) = growth(about, &sizes[at]);
                let differs = |m| fits.of(m).is_some_and(|fit: &Fit| !fit.agrees);
                if Measure::ALL.into_iter().any(differs) {
                    document.notes.push(format!("{}: {}", about.title, about.caveat));
                }
                row.growth = Some(fits);
                row.growth_points = Some(points);
            }
            document.overlays.push(row);
        }
        document.trace_hash = hash.to_hex();
        document.partial = interrupted.load(Ordering::Relaxed);
        Ok(document)
    }

    fn heading(&self, command: &str, runs: &[Vec<Measures>]) -> Document {
        let plan = &self.plan;
        let first = runs.iter().flatten().next();
        Document {
            kind: Kind::Compare,
            command: command.into(),
            seed: plan.seed,
            seeds: self.seeds,
            nodes: plan.nodes.into(),
            searches: Some(u64::from(plan.searches) * u64::from(self.seeds)),
            latency_model: Some(plan.latency.to_string()),
            loss: Some(plan.loss),
            churn: plan.churn.map(|c| c.to_string()),
            catalog: Some(Catalog {
                name: plan.catalog_name.clone(),
                items: plan.catalog.len() as u64,
                shares: first.map_or(0, |m| m.shares),
                free_riders: first.map_or(0, |m| m.free_riders),
            }),
            ..Document::default()
        }
    }
}

/// Runs the jobs on all cores; the results stand in the order of the jobs.
/// Jobs not begun when the user interrupts are left out.
fn run_all(
    contestants: &[Contestant],
    jobs: &[Job],
    interrupted: &Arc<AtomicBool>,
    progress: Progress<'_>,
) -> Vec<Option<Result<Measures, EntryError>>> {
    let waiting = Mutex::new(Waiting::new(jobs.len()));
    let results: Mutex<Vec<Option<Result<Measures, EntryError>>>> =
        Mutex::new(jobs.iter().map(|_| None).collect());
    let fractions: Mutex<Vec<f64>> = Mutex::new(vec![0.0; jobs.len()]);
    let tell = |at: usize, fraction: f64, phase: &str| {
        let contestant = jobs[at].contestant;
        let Ok(mut fractions) = fractions.lock() else { return };
        fractions[at] = fraction;
        let mine = || jobs.iter().enumerate().filter(|(_, job)| job.contestant == contestant);
        let done: f64 = mine().map(|(i, job)| fractions[i] * job.work()).sum();
        let all: f64 = mine().map(|(_, job)| job.work()).sum();
        drop(fractions);
        progress(contestant, done / all.max(1.0), phase);
    };
    let threads = thread::available_parallelism().map_or(1, |n| n.get()).min(jobs.len().max(1));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let take = || waiting.lock().ok()?.take(jobs);
                while let Some(at) = take() {
                    if interrupted.load(Ordering::Relaxed) {
                        break;
                    }
                    let job = &jobs[at];
                    let contestant = &contestants[job.contestant];
                    let report = |fraction: f64, phase: &'static str| tell(at, fraction, phase);
                    let watch =
                        Watch { progress: Some(&report), interrupted: Arc::clone(interrupted) };
                    let begun = Instant::now();
                    let result = contestant.entry.simulate(&contestant.set, &job.plan, &watch);
                    if let Ok(mut waiting) = waiting.lock() {
                        waiting.took(job, begun.elapsed());
                    }
                    if let Ok(mut results) = results.lock() {
                        results[at] = Some(result);
                    }
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(contestant: usize, nodes: u32, is_growth: bool) -> Job {
        let catalog = Arc::new(crate::workload::Catalog::embedded());
        let plan = Plan { searches: 1, ..Plan::standard(nodes, catalog) };
        Job { contestant, plan, is_growth }
    }

    #[test]
    fn one_job_of_each_kind_comes_first_and_then_the_longest() {
        let jobs = [
            job(0, 10, false),
            job(0, 10, false),
            job(1, 10, false),
            job(0, 8, true),
            job(0, 16, true),
            job(1, 10, false),
        ];
        let mut waiting = Waiting::new(jobs.len());
        let mut order = Vec::new();
        // Contestant 1 takes ten times as long; growth takes next to nothing.
        while let Some(at) = waiting.take(&jobs) {
            let job = &jobs[at];
            let ms = if job.is_growth { 1 } else { [100, 1000][job.contestant] };
            waiting.took(job, Duration::from_millis(ms));
            order.push(at);
        }
        assert_eq!(order, [4, 0, 2, 5, 1, 3]);
    }
}
