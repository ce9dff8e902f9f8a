//! What one delivered message costs in the steady state of each registered
//! overlay: 1,000 peers, upkeep on, 10 searches per second. Everything that
//! leads to the delivery is included: timers, queue, network model, books.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use harness::registry::{self, Visitor};
use harness::sim::{Driver, Sim};
use overlab_benches::{Askers, settled};
use overlays::{Overlay, Span};

/// Searches per second, all peers together.
const SEARCHES_PER_S: f64 = 10.0;
/// How long the network runs before it is measured.
const WARM_UP: Span = Span::from_s(30);
/// How long it runs between two looks at the counter.
const SLICE: Span = Span::from_ms(50);

/// Starts a search at every cue and sets the next one.
struct Load(Askers);

impl<O: Overlay> Driver<O> for Load {
    fn cue(&mut self, sim: &mut Sim<O>, cue: u32) {
        let (node, request) = self.0.question();
        sim.start(node, &request, 0);
        let next = sim.now() + self.0.gap(SEARCHES_PER_S);
        sim.cue(next, cue);
    }
}

/// Runs until `messages` more have arrived, and says how long that many took.
fn step<O: Overlay>(sim: &mut Sim<O>, load: &mut Load, messages: u64) -> Duration {
    let before = sim.traffic().delivered;
    let start = Instant::now();
    while sim.traffic().delivered - before < messages {
        let until = sim.now() + SLICE;
        sim.run_until(until, load);
    }
    let delivered = sim.traffic().delivered - before;
    start.elapsed().mul_f64(messages as f64 / delivered as f64)
}

struct Steps<'a>(&'a mut Criterion);

impl Visitor for Steps<'_> {
    fn visit<O: Overlay>(&mut self) {
        let config = registry::configure::<O>(&[]).expect("nothing is set");
        let Some((mut sim, askers)) = settled::<O>(&config, true) else { return };
        let mut load = Load(askers);
        sim.cue(sim.now(), 0);
        let warm = sim.now() + WARM_UP;
        sim.run_until(warm, &mut load);
        let mut group = self.0.benchmark_group("step");
        group.throughput(Throughput::Elements(1));
        group.sample_size(20);
        group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
        group.bench_function(O::ABOUT.name, |b| {
            b.iter_custom(|messages| step(&mut sim, &mut load, messages));
        });
        group.finish();
    }
}

fn steps(c: &mut Criterion) {
    registry::visit(&mut Steps(c));
}

criterion_group!(benches, steps);
criterion_main!(benches);
