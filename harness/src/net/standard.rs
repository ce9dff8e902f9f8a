//! The standard experiment over sockets: the phases of the comparison, on a
//! live network.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use overlays::{Addr, Item, Outcome, Overlay, Profile, Query, Rng, Stream, Wire};
use tokio::time::{Instant, sleep};

use super::network::{LiveMeasures, LiveNetwork, LiveOptions};
use super::run::{Script, Step};
use crate::experiment::{
    EngineMeasures, Measures, Plan, RunError, Watch, floods, peak_rss_bytes, peers,
};
use crate::graph::{Figures, OverlayGraph};
use crate::sim::Request;
use crate::workload::{
    CatalogIndex, Placement, PlacementConfig, Popularity, QueryMix, Questions, draw,
};

/// Operations at once in phases in which order does not matter.
const PARALLEL: usize = 16;

/// How often a failed join is tried again.
const JOIN_ATTEMPTS: usize = 5;

/// Upkeep in a network of one peer runs this many times as often as
/// configured; in larger ones less, so that the machine can do it.
const UPKEEP_SPEED: u32 = 800;

/// The most that upkeep is sped up.
const UPKEEP_SPEED_LIMIT: u32 = 50;

/// How long, in the time of the sped-up upkeep, nobody's neighbours may have
/// changed for the network to count as at rest: two of the usual periods.
const STILL: Duration = Duration::from_secs(60);

/// How long to wait for that at most, in real time.
const REST_LIMIT: Duration = Duration::from_secs(30);

/// Carries out the plan's standard workload over sockets on this machine: its
/// peers, items, queries and seed are those of the simulated run. Latency, loss
/// and churn are the machine's own; the plan's are not looked at. Peers that
/// leave do not come back.
///
/// Upkeep runs up to 50 times as often as configured, and the node-seconds it
/// is measured in are stretched by the same factor.
///
/// # Errors
/// When the plan is empty, or sockets or threads cannot be had.
pub fn run<O: Overlay>(
    config: &Arc<O::Config>,
    plan: &Plan,
    watch: &Watch<'_>,
) -> Result<Measures, RunError> {
    if plan.nodes == 0 {
        return Err(RunError::Plan("a network needs at least one peer".into()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(RunError::Sockets)?;
    runtime.block_on(async {
        let mut standard = Standard::<O>::start(config, plan, watch).await?;
        let interrupted = tokio::select! {
            () = standard.phases() => false,
            () = interrupted(watch) => true,
        };
        Ok(standard.finish(interrupted).await)
    })
}

async fn interrupted(watch: &Watch<'_>) {
    while !watch.is_interrupted() {
        sleep(Duration::from_millis(50)).await;
    }
}

/// A run in progress.
struct Standard<'a, O: Overlay> {
    plan: &'a Plan,
    watch: &'a Watch<'a>,
    network: LiveNetwork<O>,
    servers: u32,
    upkeep_speed: u32,
    popularity: Popularity,
    placement: Placement,
    rng: Rng,
    /// The peers that have joined, by index.
    joined: Vec<u32>,
    shares: BTreeMap<u32, Vec<Arc<Item>>>,
    graph: Option<Figures>,
}

impl<'a, O: Overlay> Standard<'a, O> {
    async fn start(
        config: &Arc<O::Config>,
        plan: &'a Plan,
        watch: &'a Watch<'a>,
    ) -> Result<Self, RunError> {
        let popularity = Popularity::new(
            plan.catalog.len() as u32,
            Popularity::DEFAULT_ALPHA,
            &mut Stream::Workload.rng_of(plan.seed, 1),
        );
        let placement = Placement::draw(
            &popularity,
            plan.nodes,
            &PlacementConfig::default(),
            &mut Stream::Peers.rng(plan.seed),
        )
        .map_err(RunError::Plan)?;
        let servers = O::servers(config);
        let profile = |index| match u32::checked_sub(index, servers) {
            Some(peer) => peers::profile(Addr::from_index(index), peer, plan.seed),
            None => Profile::server(Addr::from_index(index)),
        };
        let upkeep_speed = (UPKEEP_SPEED / plan.nodes).clamp(1, UPKEEP_SPEED_LIMIT);
        let options = LiveOptions {
            maintenance: plan.maintenance,
            upkeep_speed,
            profiles: (0..servers + plan.nodes).map(profile).collect(),
            ..LiveOptions::new(plan.nodes, plan.seed)
        };
        let network = LiveNetwork::start(config, &options).await.map_err(RunError::Sockets)?;
        Ok(Self {
            plan,
            watch,
            network,
            servers,
            upkeep_speed,
            popularity,
            placement,
            rng: Stream::Workload.rng(plan.seed),
            joined: Vec::new(),
            shares: BTreeMap::new(),
            graph: None,
        })
    }

    async fn phases(&mut self) {
        self.join().await;
        self.rest(0.25).await;
        self.insert_shares().await;
        let questions = self.questions();
        self.phase(PARALLEL, &questions, 0.4, 0.8, "searching").await;
        self.measure_graph().await;
        self.updates().await;
        self.leave().await;
    }

    /// Runs steps and tells of the progress between two fractions of the whole.
    async fn phase(
        &self,
        parallel: usize,
        steps: &[Step],
        from: f64,
        to: f64,
        name: &'static str,
    ) -> Vec<Outcome> {
        let tell = |ended: usize| {
            let done = ended as f64 / steps.len().max(1) as f64;
            self.watch.tell(from + (to - from) * done, name);
        };
        tell(0);
        self.network.play_phase(parallel, steps, tell).await
    }

    async fn join(&mut self) {
        let script = Script::bring_up(self.servers, self.plan.nodes);
        let mut waiting: Vec<Step> = script.steps().cloned().collect();
        for _ in 0..JOIN_ATTEMPTS {
            let outcomes = self.phase(1, &waiting, 0.0, 0.2, "joining").await;
            let mut failed = Vec::new();
            for (step, outcome) in waiting.into_iter().zip(outcomes) {
                match outcome {
                    Outcome::Done if step.node >= self.servers => self.joined.push(step.node),
                    Outcome::Done => {}
                    _ => failed.push(step),
                }
            }
            waiting = failed;
        }
    }

    /// Waits until nobody's neighbours have changed for a while.
    async fn rest(&self, fraction: f64) {
        if !self.plan.maintenance {
            return;
        }
        self.watch.tell(fraction, "settling");
        let still = STILL / self.upkeep_speed;
        let deadline = Instant::now() + REST_LIMIT;
        let mut known = self.network.neighbours().await;
        let mut since = Instant::now();
        while since.elapsed() < still && Instant::now() < deadline {
            sleep(still / 10).await;
            let now = self.network.neighbours().await;
            if now != known {
                known = now;
                since = Instant::now();
            }
        }
    }

    async fn insert_shares(&mut self) {
        let mut steps = Vec::new();
        for &node in &self.joined {
            for &item in self.placement.shares(node - self.servers) {
                let item = self.plan.catalog.item(item);
                self.shares.entry(node).or_default().push(Arc::clone(item));
                steps.push(Step { node, request: Request::Insert(Arc::clone(item)) });
            }
        }
        draw::shuffle(&mut self.rng, &mut steps);
        self.phase(PARALLEL, &steps, 0.25, 0.4, "inserting").await;
    }

    /// The searches, exact ones and keyword ones in turn, each with the peer
    /// that asks.
    fn questions(&mut self) -> Vec<Step> {
        let index = CatalogIndex::new(&self.plan.catalog);
        let mix = QueryMix::default();
        let questions = Questions::new(&self.plan.catalog, &index, &self.popularity, mix)
            .expect("the default mix is in range and the popularity is this catalogue's");
        let mut queries = Vec::new();
        for _ in 0..self.plan.searches {
            queries.push(questions.exact(&mut self.rng).query);
            queries.push(questions.keywords(&mut self.rng).query);
        }
        queries
            .into_iter()
            .filter_map(|query| {
                let node = self.asker(&query)?;
                Some(Step { node, request: Request::Search(query) })
            })
            .collect()
    }

    /// A peer that does not hold what it asks for, if a few draws find one.
    fn asker(&mut self, query: &Query) -> Option<u32> {
        let mut asker = None;
        for _ in 0..16 {
            let node = self.pick()?;
            asker = Some(node);
            let shares = self.shares.get(&node).map_or(&[][..], Vec::as_slice);
            if !shares.iter().any(|item| query.matches(item)) {
                break;
            }
        }
        asker
    }

    fn pick(&mut self) -> Option<u32> {
        let many = self.joined.len();
        (many > 0).then(|| self.joined[draw::index(&mut self.rng, many)])
    }

    async fn measure_graph(&mut self) {
        let all = self.network.neighbours().await;
        let mut graph = OverlayGraph::new(all.len() as u32);
        for (node, known) in (0..).zip(all) {
            graph.add(node, known);
        }
        self.graph = Some(graph.figures(&mut Stream::Topology.rng_of(self.plan.seed, 2)));
    }

    /// New items are shared and withdrawn.
    async fn updates(&mut self) {
        let (mut inserts, mut deletes) = (Vec::new(), Vec::new());
        for turn in 0..(self.plan.searches / 10).clamp(1, 200) {
            let Some(node) = self.pick() else { return };
            let item = Arc::new(Item::new(&format!("new-file-{turn}.bin"), 1_000_000));
            deletes.push(Step { node, request: Request::Delete(item.key()) });
            inserts.push(Step { node, request: Request::Insert(item) });
        }
        self.phase(PARALLEL, &inserts, 0.8, 0.85, "inserting").await;
        self.phase(PARALLEL, &deletes, 0.85, 0.9, "deleting").await;
    }

    /// One peer in ten leaves politely, at least one if it leaves others.
    async fn leave(&mut self) {
        let mut leavers = self.joined.clone();
        draw::shuffle(&mut self.rng, &mut leavers);
        let many = leavers.len().div_ceil(10).min(leavers.len().saturating_sub(1));
        let steps: Vec<Step> = leavers
            .into_iter()
            .take(many)
            .map(|node| Step { node, request: Request::Leave })
            .collect();
        self.phase(1, &steps, 0.9, 1.0, "leaving").await;
    }

    async fn finish(self, interrupted: bool) -> Measures {
        let free_riders = (0..self.plan.nodes).filter(|&p| self.placement.shares(p).is_empty());
        let mut measures = Measures {
            free_riders: free_riders.count() as u64,
            shares: self.placement.total(),
            graph: self.graph,
            ..Measures::default()
        };
        for node in self.network.nodes() {
            measures.load.record(node.counters().received_messages);
        }
        let nodes = f64::from(self.servers + self.plan.nodes);
        let live = self.network.close(interrupted).await;
        enter::<O>(&live, &mut measures);
        measures.node_seconds = nodes * live.elapsed.as_s_f64() * f64::from(self.upkeep_speed);
        measures
    }
}

/// Puts what was measured into the form that all reports read.
fn enter<O: Overlay>(live: &LiveMeasures, measures: &mut Measures) {
    measures.nodes = live.peers;
    measures.servers = live.servers;
    measures.seed = live.seed;
    measures.interrupted = live.interrupted;
    for operation in &live.operations {
        if let Some(&grade) = live.grades.get(&operation.id) {
            measures.record(operation, grade, floods::<O>());
        }
    }
    for (_, footprint) in &live.footprints {
        measures.storage.record(*footprint);
    }
    measures.upkeep_messages = live.traffic.upkeep;
    measures.upkeep_bytes = live.traffic.upkeep_bytes;
    measures.set_traffic(&live.traffic, O::Message::KINDS);
    measures.undeliverable = live.operations.iter().map(|o| u64::from(o.timeouts)).sum();
    measures.broken_operations = live.counters.stray_outcomes;
    measures.engine = EngineMeasures {
        cpu_s: None,
        events: live.counters.received_messages,
        messages: live.traffic.delivered,
        wall_s: live.elapsed.as_s_f64(),
        peak_rss_bytes: peak_rss_bytes(),
    };
}
