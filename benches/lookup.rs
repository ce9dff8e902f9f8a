//! What one exact search costs, from its start to the end of its account, in a
//! converged network of 1,000 peers without upkeep: every registered overlay,
//! and the ways to search that Chord and Gnutella offer.
//!
//! Criterion's elements are messages, so that its throughput is messages per
//! second; how many a search takes is printed before.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use harness::registry::{self, Assignment, Visitor};
use harness::sim::{Driver, Operation, Sim};
use overlab_benches::{Askers, settled};
use overlays::{OpId, Outcome, Overlay, Span};

/// Searches from which the messages per search are taken.
const COUNTED: u32 = 200;
/// How long a search may take in simulated time.
const LIMIT: Span = Span::from_s(600);

/// Parameters to compare beside the defaults.
const VARIANTS: [(&str, &[(&str, &str)]); 7] = [
    ("chord", &[("routing", "iterative"), ("next_hop", "finger_interval")]),
    ("chord", &[("routing", "iterative"), ("next_hop", "successor_walk")]),
    ("chord", &[("routing", "recursive"), ("next_hop", "closest_preceding")]),
    ("chord", &[("routing", "recursive"), ("next_hop", "finger_interval")]),
    // A walk of hundreds of hops takes longer than other lookups may.
    (
        "chord",
        &[("routing", "recursive"), ("next_hop", "successor_walk"), ("lookup_timeout", "2min")],
    ),
    ("gnutella", &[("search", "expanding_ring")]),
    ("gnutella", &[("search", "random_walkers")]),
];

/// Counts what closed searches have cost.
#[derive(Default)]
struct Account {
    searches: u32,
    messages: u32,
}

impl<O: Overlay> Driver<O> for Account {
    fn ended(&mut self, _sim: &mut Sim<O>, _op: OpId, outcome: &Outcome) {
        let answered = matches!(outcome, Outcome::Found(_) | Outcome::NotFound);
        assert!(answered, "a search of {} ended in {outcome:?}", O::ABOUT.name);
    }

    fn closed(&mut self, operation: Operation) {
        self.searches += 1;
        self.messages += operation.messages;
    }
}

fn search<O: Overlay>(sim: &mut Sim<O>, askers: &mut Askers, account: &mut Account) {
    let (node, request) = askers.question();
    sim.start(node, &request, 0);
    let limit = sim.now() + LIMIT;
    assert!(sim.run_operations(limit, account), "a search of {} never ends", O::ABOUT.name);
}

struct Lookups<'a>(&'a mut Criterion);

impl Lookups<'_> {
    fn bench<O: Overlay>(&mut self, set: &[(&str, &str)]) {
        let assignments: Vec<Assignment> = set
            .iter()
            .map(|(name, value)| Assignment { name: (*name).into(), value: (*value).into() })
            .collect();
        let config = registry::configure::<O>(&assignments).expect("the variants name parameters");
        let Some((mut sim, mut askers)) = settled::<O>(&config, false) else { return };
        let mut account = Account::default();
        for _ in 0..COUNTED {
            search(&mut sim, &mut askers, &mut account);
        }
        let messages = f64::from(account.messages) / f64::from(account.searches);
        let values: Vec<&str> = set.iter().map(|(_, value)| *value).collect();
        let variant = if values.is_empty() { "default".into() } else { values.join(" ") };
        println!("lookup/{}/{variant}: {messages:.1} messages per search", O::ABOUT.name);
        let mut group = self.0.benchmark_group("lookup");
        group.throughput(Throughput::Elements(messages.round() as u64));
        group.sample_size(20);
        group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
        group.bench_function(BenchmarkId::new(O::ABOUT.name, variant), |b| {
            b.iter(|| search(&mut sim, &mut askers, &mut account));
        });
        group.finish();
    }
}

impl Visitor for Lookups<'_> {
    fn visit<O: Overlay>(&mut self) {
        self.bench::<O>(&[]);
        for (_, set) in VARIANTS.iter().filter(|(name, _)| *name == O::ABOUT.name) {
            self.bench::<O>(set);
        }
    }
}

fn lookups(c: &mut Criterion) {
    registry::visit(&mut Lookups(c));
}

criterion_group!(benches, lookups);
criterion_main!(benches);
