//! Copies of answers: how owner, path and random replication change what
//! random walkers pay (Lv et al., ICS 2002; Cohen and Shenker, SIGCOMM 2002).

use std::collections::BTreeMap;
use std::sync::Arc;

use harness::network::{Latency, LatencySpec, Network};
use harness::sim::{Driver, Operation, Request, Settings, Sim};
use overlays::gnutella::{Config, Gnutella, Replication, Strategy};
use overlays::{Item, Key, OpId, Outcome, Query, Span, Stream};
use rand::RngExt as _;

const SERVENTS: u32 = 600;
const ITEMS: usize = 60;
const SEARCHES: usize = 4_000;

/// What searches cost, and which were found.
#[derive(Default)]
struct Book {
    messages: BTreeMap<OpId, u32>,
    found: BTreeMap<OpId, bool>,
}

impl Driver<Gnutella> for Book {
    fn ended(&mut self, _: &mut Sim<Gnutella>, op: OpId, outcome: &Outcome) {
        self.found.insert(op, matches!(outcome, Outcome::Found(_)));
    }
    fn closed(&mut self, operation: Operation) {
        self.messages.insert(operation.id, operation.messages);
    }
}

/// The late searches of a run: messages each, the fraction found, and the
/// exponent of the number of copies in the rate of queries.
struct Run {
    messages: f64,
    found: f64,
    exponent: Option<f64>,
}

/// A settled network in which one servent shares each item, and the item of
/// rank i is asked for at a rate of 1/i.
fn run(replication: Replication) -> Run {
    let config = Config {
        search: Strategy::RandomWalkers,
        walkers: 8,
        replication,
        copies: 4,
        copy_lifetime: Span::from_s(400),
        ..Config::default()
    };
    let latency = Latency::build(&LatencySpec::King, &mut Stream::Topology.rng(3));
    let network = Network::new(latency.expect("King needs no file"), 0.0).expect("no loss");
    let settings = Settings { seed: 3, maintenance: false, ..Settings::default() };
    let mut sim: Sim<Gnutella> = Sim::new(Arc::new(config), network, settings);
    (0..SERVENTS).for_each(|_| {
        sim.add_peer();
    });
    let mut rng = Stream::Workload.rng(3);
    let items: Vec<Arc<Item>> =
        (0..ITEMS).map(|i| Arc::new(Item::new(&format!("item number {i}"), 1))).collect();
    let shares: Vec<(u32, Arc<Item>)> =
        items.iter().map(|item| (rng.random_range(0..SERVENTS), item.clone())).collect();
    assert!(sim.settle(&shares).is_some());
    let weights: Vec<f64> = (1..=ITEMS).map(|rank| 1.0 / rank as f64).collect();
    let total: f64 = weights.iter().sum();
    let mut book = Book::default();
    let mut late = Vec::new();
    for turn in 0..SEARCHES {
        let mut dice = rng.random_range(0.0..total);
        let chosen = weights.iter().position(|w| {
            dice -= w;
            dice < 0.0
        });
        let item = &items[chosen.unwrap_or(ITEMS - 1)];
        let request = Request::Search(Query::exact(item.key()));
        let op = sim.start(rng.random_range(0..SERVENTS), &request, 0);
        if turn >= SEARCHES / 2 {
            late.push(op);
        }
        let until = sim.now() + Span::from_ms(200);
        sim.run_until(until, &mut book);
    }
    let copies = count_copies(&sim);
    let until = sim.now() + Span::from_s(300);
    assert!(sim.run_operations(until, &mut book), "searches are still open");
    let share = |f: &dyn Fn(&OpId) -> f64| late.iter().map(f).sum::<f64>() / late.len() as f64;
    let points: Vec<(f64, f64)> = items
        .iter()
        .zip(&weights)
        .filter_map(|(item, weight)| Some((weight.ln(), f64::from(*copies.get(&item.key())?).ln())))
        .collect();
    Run {
        messages: share(&|op| f64::from(book.messages[op])),
        found: share(&|op| f64::from(u8::from(book.found[op]))),
        exponent: (points.len() > ITEMS / 3).then(|| slope(&points)),
    }
}

fn count_copies(sim: &Sim<Gnutella>) -> BTreeMap<Key, u32> {
    let mut copies = BTreeMap::new();
    for (_, node) in sim.population() {
        node.copied().for_each(|item| *copies.entry(item.key()).or_default() += 1);
    }
    copies
}

/// The slope of the least-squares line.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |f: fn(&(f64, f64)) -> f64| points.iter().map(f).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let product: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    product / points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}

#[test]
fn copies_make_walks_shorter_and_how_they_are_placed_matters() {
    let all = [Replication::None, Replication::Owner, Replication::Path, Replication::Random];
    let [none, owner, path, random] = all.map(run);
    for (name, r) in [("none", &none), ("owner", &owner), ("path", &path), ("random", &random)] {
        let exponent = r.exponent.map_or("-".into(), |e| format!("{e:.2}"));
        println!("{name}: {:.0} messages, found {:.3}, exponent {exponent}", r.messages, r.found);
        assert!(r.found > 0.95, "{name}");
    }
    for copied in [&owner, &path, &random] {
        assert!(copied.messages * 5.0 < none.messages);
    }
    assert!(random.messages < owner.messages);
    // Copies in proportion to the rate of queries, to its square root, and
    // between them: a popular item's way is short, so its paths leave few.
    let exponent = |run: &Run| run.exponent.expect("copies of most items");
    assert!(exponent(&owner) > exponent(&path) && exponent(&path) > exponent(&random));
    assert!((exponent(&owner) - 1.0).abs() < 0.2 && (exponent(&random) - 0.5).abs() < 0.15);
}
