//! The reference workload: steady lookups on a converged network.

use std::collections::BTreeSet;
use std::sync::Arc;

use overlays::{Addr, Key, OpId, Outcome, Overlay, Profile, Rng, Span, Stream, Time, Wire};
use rand::Rng as _;

use super::plan::{Plan, Watch};
use super::{Measures, RunError, Stopwatch};
use crate::network::{Latency, Network};
use crate::oracle::Grade;
use crate::sim::{Driver, Operation, Request, Settings, Sim};
use crate::workload::draw;

/// Up to how many peers located owners are checked against the truth. The
/// check keeps the whole network once more.
const CHECKED_UP_TO: u32 = 200_000;
/// One lookup in so many is checked: enough to notice, too few to matter for
/// the speed.
const CHECKED_ONE_IN: u32 = 16;

/// Every peer locates a random key, again and again.
struct Locates<O: Overlay> {
    measures: Measures,
    period: Span,
    until: Time,
    id_bits: u32,
    keys: Rng,
    blueprint: Option<O::Blueprint>,
    /// The key that each operation under way looks for, where it is checked.
    wanted: std::collections::BTreeMap<OpId, Key>,
}

impl<O: Overlay> Driver<O> for Locates<O> {
    fn cue(&mut self, sim: &mut Sim<O>, peer: u32) {
        if sim.now() > self.until {
            return;
        }
        sim.cue(sim.now() + self.period, peer);
        let key = random_key(&mut self.keys, self.id_bits);
        let op = sim.start(peer, &Request::Locate(key), 0);
        if self.blueprint.is_some() && op.0.is_multiple_of(CHECKED_ONE_IN) {
            self.wanted.insert(op, key);
        }
    }

    fn ended(&mut self, sim: &mut Sim<O>, op: OpId, outcome: &Outcome) {
        let grade = match (outcome, &self.blueprint) {
            (Outcome::Located(found), Some(blueprint)) if op.0.is_multiple_of(CHECKED_ONE_IN) => {
                let owner = self.wanted.remove(&op).and_then(|key| O::owner(blueprint, &key));
                if owner == Some(*found) { Grade::Correct } else { Grade::Wrong }
            }
            (Outcome::Located(_), _) => Grade::Correct,
            (Outcome::Unsupported, _) => Grade::Unsupported,
            _ => Grade::Failed,
        };
        sim.set_tag(op, grade as u64);
    }

    fn closed(&mut self, operation: Operation) {
        const GRADES: [Grade; 5] =
            [Grade::Correct, Grade::Incomplete, Grade::Wrong, Grade::Failed, Grade::Unsupported];
        if let Some(grade) = GRADES.get(operation.tag as usize) {
            self.measures.record(&operation, *grade, false);
        }
    }
}

fn random_key(rng: &mut Rng, bits: u32) -> Key {
    let mut bytes = [0; 20];
    rng.fill_bytes(&mut bytes);
    Key::from_bytes(bytes).truncated(bits)
}

/// `n` distinct identifiers of `bits` bits, uniform over the space.
fn distinct_ids(n: u32, bits: u32, seed: u64) -> Result<Vec<Key>, RunError> {
    if bits < 32 && u64::from(n) > 1 << bits {
        return Err(RunError::Plan(format!("{n} peers do not fit into {bits}-bit identifiers")));
    }
    let mut rng = Stream::Topology.rng_of(seed, 1);
    let mut ids = BTreeSet::new();
    while ids.len() < n as usize {
        ids.insert(random_key(&mut rng, bits));
    }
    let mut ids: Vec<Key> = ids.into_iter().collect();
    draw::shuffle(&mut rng, &mut ids);
    Ok(ids)
}

/// The times of one run of the workload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub period: Span,
    pub duration: Span,
    pub drain: Span,
}

/// Runs the workload.
pub(super) fn run<O: Overlay>(
    config: &Arc<O::Config>,
    plan: &Plan,
    times: Times,
    id_bits: u32,
    watch: &Watch<'_>,
) -> Result<Measures, RunError> {
    watch.tell(0.0, "settling");
    let topology = &mut Stream::Topology.rng(plan.seed);
    let network = Network::new(Latency::build(&plan.latency, topology)?, plan.loss)?;
    let until = Time::ZERO + times.duration;
    let settings = Settings {
        seed: plan.seed,
        maintenance: plan.maintenance,
        upkeep_until: until,
        ..Settings::default()
    };
    let mut sim = Sim::<O>::new(Arc::clone(config), network, settings);
    sim.reserve(plan.nodes as usize);
    for (index, id) in (0..).zip(distinct_ids(plan.nodes, id_bits, plan.seed)?) {
        sim.add_node(Profile::peer(Addr::from_index(index)).with_id(id));
    }
    let blueprint = sim.settle(&[]).ok_or(RunError::NoSettle(O::ABOUT.name))?;
    let mut driver = Locates::<O> {
        measures: Measures { nodes: plan.nodes, seed: plan.seed, ..Measures::default() },
        period: times.period,
        until,
        id_bits,
        keys: Stream::Workload.rng(plan.seed),
        blueprint: (plan.nodes <= CHECKED_UP_TO).then_some(blueprint),
        wanted: std::collections::BTreeMap::new(),
    };
    let mut phases = Stream::Workload.rng_of(plan.seed, 1);
    for peer in 0..plan.nodes {
        sim.cue(Time::ZERO + draw::phase(&mut phases, times.period), peer);
    }
    let stopwatch = Stopwatch::start();
    let end = until + times.drain;
    while sim.now() < end && !watch.is_interrupted() {
        let next = (sim.now() + Span::from_ms(500)).min(end);
        sim.run_until(next, &mut driver);
        watch.tell(sim.now().as_us() as f64 / end.as_us() as f64, "looking up");
    }
    stopwatch.stop(&mut driver.measures.engine);
    // Timeouts of answered lookups may still be pending; they cause nothing.
    for operation in sim.drain_operations() {
        if operation.ended.is_some() {
            driver.closed(operation);
        }
    }
    let mut measures = driver.measures;
    measures.interrupted = watch.is_interrupted();
    measures.set_traffic(sim.traffic(), O::Message::KINDS);
    measures.upkeep_messages = sim.traffic().upkeep;
    measures.upkeep_bytes = sim.traffic().upkeep_bytes;
    measures.node_seconds = f64::from(plan.nodes) * times.duration.as_s_f64();
    measures.engine.events = sim.events();
    measures.trace_hash = sim.trace_hash();
    measures.broken_operations = sim.surplus_ends();
    for node in sim.live() {
        measures.storage.record(sim.machine(node).footprint());
    }
    Ok(measures)
}
