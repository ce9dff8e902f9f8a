//! Gnutella in the simulator: joining, flooding, the other searches, failures
//! and strangers.

use std::collections::BTreeMap;
use std::sync::Arc;

use harness::network::{Latency, LatencySpec, Network};
use harness::sim::{Driver, NoDriver, Operation, Request, Settings, Sim};
use overlays::gnutella::{Config, Gnutella, Strategy, Topology, arithmetic};
use overlays::{Addr, Item, OpId, Outcome, Overlay, Profile, Query, Rng, Span, Stream, Time};
use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use crate::lab::assert_repeats;

/// How operations ended and what they cost.
#[derive(Default)]
struct Book {
    outcomes: BTreeMap<OpId, Outcome>,
    accounts: BTreeMap<OpId, Operation>,
}

impl Driver<Gnutella> for Book {
    fn ended(&mut self, _: &mut Sim<Gnutella>, op: OpId, outcome: &Outcome) {
        assert!(self.outcomes.insert(op, outcome.clone()).is_none(), "{op:?} ended twice");
    }
    fn closed(&mut self, operation: Operation) {
        self.accounts.insert(operation.id, operation);
    }
}

fn world(config: Config, seed: u64, settings: Settings) -> Sim<Gnutella> {
    let latency = Latency::build(&LatencySpec::King, &mut Stream::Topology.rng(seed));
    let network = Network::new(latency.expect("King needs no file"), 0.0);
    let network = network.expect("no loss is a valid loss");
    Sim::new(Arc::new(config), network, Settings { seed, ..settings })
}

fn complaints(sim: &Sim<Gnutella>) -> Vec<String> {
    Gnutella::audit(&sim.population())
}

fn degrees(sim: &Sim<Gnutella>) -> Vec<usize> {
    let degree = |(_, node): (Addr, &Gnutella)| {
        let mut n = 0;
        node.neighbours(&mut |_| n += 1);
        n
    };
    sim.population().into_iter().map(degree).collect()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

fn mean_degree(sim: &Sim<Gnutella>) -> f64 {
    mean(degrees(sim).into_iter().map(|d| d as f64))
}

fn after(sim: &Sim<Gnutella>, span: Span) -> Time {
    sim.now() + span
}

/// `n` servents that join one after the other, each through a random earlier
/// one, one every 500 ms; then two minutes of rest.
fn joined(config: Config, n: u32, seed: u64) -> Sim<Gnutella> {
    let mut sim = world(config, seed, Settings::default());
    let mut rng = Stream::Workload.rng(seed);
    let mut book = Book::default();
    for node in 0..n {
        sim.add_peer();
        let via =
            if node == 0 { Vec::new() } else { vec![Addr::from_index(rng.random_range(0..node))] };
        sim.start(node, &Request::Join(via), 0);
        let until = after(&sim, Span::from_ms(500));
        sim.run_until(until, &mut book);
    }
    let until = after(&sim, Span::from_s(120));
    sim.run_until(until, &mut book);
    assert_eq!(book.outcomes.len(), n as usize);
    let failed: Vec<_> = book.outcomes.iter().filter(|(_, o)| **o != Outcome::Done).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(sim.surplus_ends(), 0);
    sim
}

fn item(name: &str) -> Arc<Item> {
    Arc::new(Item::new(name, 3_000_000))
}

/// `n` servents in a converged network, where `copies` random ones share each
/// of `items` items, and the items.
fn settled(
    config: Config,
    n: u32,
    seed: u64,
    items: u32,
    copies: usize,
) -> (Sim<Gnutella>, Vec<Arc<Item>>) {
    let mut sim = world(config, seed, Settings { maintenance: false, ..Settings::default() });
    for _ in 0..n {
        sim.add_peer();
    }
    let mut rng = Stream::Peers.rng(seed);
    let mut everyone: Vec<u32> = (0..n).collect();
    let items: Vec<_> = (0..items).map(|i| item(&format!("item number {i}"))).collect();
    let mut shares = Vec::new();
    for item in &items {
        everyone.shuffle(&mut rng);
        shares.extend(everyone[..copies].iter().map(|node| (*node, item.clone())));
    }
    assert!(sim.settle(&shares).is_some());
    let until = after(&sim, Span::from_s(5));
    sim.run_until(until, &mut NoDriver);
    (sim, items)
}

/// What searches for all of `items`, each from a random servent, came to.
struct Searches {
    found: f64,
    messages: f64,
    hops: f64,
}

fn search_all(sim: &mut Sim<Gnutella>, items: &[Arc<Item>], rng: &mut Rng) -> Searches {
    let mut book = Book::default();
    let live: Vec<u32> = sim.live().collect();
    for item in items {
        let from = live[rng.random_range(0..live.len())];
        sim.start(from, &Request::Search(Query::exact(item.key())), 0);
        let until = after(sim, Span::from_s(3));
        sim.run_until(until, &mut book);
    }
    let until = after(sim, Span::from_s(120));
    assert!(sim.run_operations(until, &mut book), "searches are still open");
    assert_eq!(book.accounts.len(), items.len());
    let found = |op: &OpId| matches!(book.outcomes[op], Outcome::Found(_));
    let hits: Vec<&Operation> = book.accounts.values().filter(|a| found(&a.id)).collect();
    Searches {
        found: hits.len() as f64 / items.len() as f64,
        messages: mean(book.accounts.values().map(|a| f64::from(a.messages))),
        hops: mean(hits.iter().map(|a| f64::from(a.hops))),
    }
}

#[test]
fn joins_by_messages_converge() {
    for n in [1, 2, 3, 5, 8, 20, 100, 500] {
        let sim = joined(Config::default(), n, 7);
        assert_eq!(complaints(&sim), Vec::<String>::new(), "{n} servents");
        let mean = mean_degree(&sim);
        println!("{n} servents: mean degree {mean:.2}");
        if n >= 8 {
            assert!((3.8..=5.0).contains(&mean), "{n} servents with {mean} links each");
        }
    }
}

#[test]
fn joins_converge_without_making_room_and_without_caching() {
    for (make_room, pong_caching) in [(false, true), (true, false), (false, false)] {
        let config = Config { make_room, pong_caching, max_degree: 12, ..Config::default() };
        let sim = joined(config, 60, 3);
        assert_eq!(complaints(&sim), Vec::<String>::new());
        assert!(degrees(&sim).iter().all(|d| (1..=12).contains(d)));
    }
}

#[test]
fn a_query_costs_exactly_4372_copies_on_a_loop_free_tree() {
    let levels = [1_u64, 4, 16, 52, 160, 484, 1456, 4372];
    for (ttl, copies) in (1_u8..=7).zip(&levels[1..]) {
        let config = Config { topology: Topology::Tree, ttl, ..Config::default() };
        // The root and everyone within eight hops of it.
        let n = 1 + arithmetic::tree_copies(4, 8) as u32;
        let (mut sim, _) = settled(config, n, 1, 0, 0);
        let mut book = Book::default();
        sim.start(0, &Request::Search(Query::exact(item("nobody has it").key())), 0);
        let until = after(&sim, Span::from_s(60));
        assert!(sim.run_operations(until, &mut book));
        let account = book.accounts.values().next().unwrap();
        assert_eq!(u64::from(account.messages), *copies, "TTL {ttl}");
        assert_eq!(*copies, arithmetic::tree_copies(4, u32::from(ttl)));
    }
}

#[test]
fn every_answer_comes_back_on_the_tree() {
    // When all 4,372 others answer, each hit takes as many hops back as its
    // query took to come.
    let config = Config { topology: Topology::Tree, ttl: 4, ..Config::default() };
    let n = 1 + arithmetic::tree_copies(4, 4) as u32;
    let (mut sim, _) = settled(config, n, 1, 1, n as usize - 1);
    let mut book = Book::default();
    sim.start(0, &Request::Search(Query { limit: 100, ..Query::keywords("item") }), 0);
    let until = after(&sim, Span::from_s(60));
    assert!(sim.run_operations(until, &mut book));
    let Outcome::Found(hits) = book.outcomes.values().next().unwrap() else { panic!() };
    assert_eq!(hits.len(), 100);
    let account = book.accounts.values().next().unwrap();
    // 160 queries; 159 or 160 of their receivers share and answer: levels of
    // 4, 12, 36 and 108, so 4 + 24 + 108 + 432 hit messages at most.
    let hit_messages = u64::from(account.messages) - arithmetic::tree_copies(4, 4);
    assert!((568 - 4..=568).contains(&hit_messages), "{hit_messages}");
}

#[test]
fn recall_grows_with_the_ttl() {
    let mut last = 0.0;
    for ttl in [1, 2, 3, 5, 7] {
        let config = Config { ttl, ..Config::default() };
        let (mut sim, items) = settled(config, 500, 5, 60, 1);
        let searches = search_all(&mut sim, &items, &mut Stream::Workload.rng(5));
        println!("TTL {ttl}: recall {:.2}, {:.0} messages", searches.found, searches.messages);
        assert!(searches.found >= last, "recall fell with TTL {ttl}");
        last = searches.found;
        let most = arithmetic::tree_copies(5, u32::from(ttl)) as f64;
        assert!(searches.messages <= most + f64::from(ttl));
        match ttl {
            1 => assert!(searches.found < 0.1),
            7 => assert!(searches.found > 0.98),
            _ => {}
        }
    }
}

#[test]
fn rings_and_walkers_cost_less_for_popular_items() {
    let run = |search, copies| {
        let config = Config { search, ..Config::default() };
        let (mut sim, items) = settled(config, 1_000, 5, 60, copies);
        search_all(&mut sim, &items, &mut Stream::Workload.rng(5))
    };
    let [flood, ring, walk] =
        [Strategy::Flooding, Strategy::ExpandingRing, Strategy::RandomWalkers].map(|s| run(s, 20));
    for (name, s) in [("flooding", &flood), ("ring", &ring), ("walkers", &walk)] {
        println!("{name}: found {:.2}, {:.0} messages, {:.1} hops", s.found, s.messages, s.hops);
        assert!(s.found > 0.95, "{name} found {}", s.found);
    }
    assert!(ring.messages * 3.0 < flood.messages);
    assert!(walk.messages * 3.0 < flood.messages);
    assert!(walk.hops > flood.hops);
}

#[test]
fn a_network_survives_the_crash_of_a_third() {
    let mut sim = joined(Config::default(), 200, 11);
    let mut rng = Stream::Churn.rng(11);
    let mut nodes: Vec<u32> = (0..200).collect();
    nodes.shuffle(&mut rng);
    for node in &nodes[..60] {
        sim.crash(*node);
    }
    let until = after(&sim, Span::from_s(180));
    sim.run_until(until, &mut NoDriver);
    assert_eq!(complaints(&sim), Vec::<String>::new());
    let mean = mean_degree(&sim);
    assert!((3.8..=5.0).contains(&mean), "{mean} links each after the crash");
    // And what the survivors share is found.
    let survivors: Vec<u32> = sim.live().collect();
    let mut book = Book::default();
    let wanted: Vec<_> = (0..20).map(|i| item(&format!("new {i}"))).collect();
    for item in &wanted {
        let sharer = survivors[rng.random_range(0..survivors.len())];
        sim.start(sharer, &Request::Insert(item.clone()), 0);
    }
    let until = after(&sim, Span::from_s(1));
    sim.run_until(until, &mut book);
    let searches = search_all(&mut sim, &wanted, &mut rng);
    assert!(searches.found > 0.95, "found {}", searches.found);
}

#[test]
fn a_settled_network_resembles_a_joined_one() {
    for n in [64, 256, 1024] {
        compare_settled_and_joined(n);
    }
}

/// Degrees, and the hops of searches for items that one servent in a hundred
/// shares, but three at least.
fn compare_settled_and_joined(n: u32) {
    let copies = (n as usize / 100).max(3);
    let joined = &mut joined(Config::default(), n, 13);
    let (settled, items) = &mut settled(Config::default(), n, 13, 100, copies);
    let (a, b) = (mean_degree(joined), mean_degree(settled));
    assert!((a - b).abs() < 0.4, "mean degree {a} joined, {b} settled");
    let spread = |sim: &Sim<Gnutella>| {
        let mut counts = [0.0_f64; 6];
        for degree in degrees(sim) {
            counts[degree] += 1.0 / f64::from(n);
        }
        counts
    };
    let (x, y) = (spread(joined), spread(settled));
    let distance: f64 = x.iter().zip(&y).map(|(x, y)| (x - y).abs()).sum::<f64>() / 2.0;
    println!("{n} servents: degrees {a:.2} {x:?} joined, {b:.2} {y:?} settled");
    assert!(distance < 0.35, "degrees {x:?} joined, {y:?} settled");

    // The same items at the same servents in both.
    let mut book = Book::default();
    let mut rng = Stream::Peers.rng(13);
    let mut everyone: Vec<u32> = (0..n).collect();
    for item in items.iter() {
        everyone.shuffle(&mut rng);
        for node in &everyone[..copies] {
            joined.start(*node, &Request::Insert(item.clone()), 0);
        }
    }
    let until = after(joined, Span::from_s(1));
    joined.run_until(until, &mut book);
    let one = search_all(joined, items, &mut Stream::Workload.rng(13));
    let other = search_all(settled, items, &mut Stream::Workload.rng(13));
    println!("hops {:.2} joined, {:.2} settled", one.hops, other.hops);
    assert!((one.hops - other.hops).abs() < 0.5, "{} joined, {} settled", one.hops, other.hops);
    assert!(one.found > 0.98 && other.found > 0.98);
}

#[test]
fn firewalled_sharers_are_reached_by_push() {
    let run = |push| {
        let mut sim = world(Config { push, ..Config::default() }, 17, Settings::default());
        let mut book = Book::default();
        let mut rng = Stream::Workload.rng(17);
        for node in 0..60 {
            // Every third servent cannot be connected to, nor be a contact.
            let firewalled = node % 3 == 2;
            sim.add_node(Profile { firewalled, ..Profile::peer(Addr::from_index(node)) });
            let contact = loop {
                let contact = rng.random_range(0..node.max(1));
                if contact % 3 != 2 {
                    break contact;
                }
            };
            let via = if node == 0 { Vec::new() } else { vec![Addr::from_index(contact)] };
            sim.start(node, &Request::Join(via), 0);
            let until = after(&sim, Span::from_s(1));
            sim.run_until(until, &mut book);
        }
        let wanted: Vec<_> = (0..20).map(|i| item(&format!("behind a wall {i}"))).collect();
        for (i, item) in (0..).zip(&wanted) {
            sim.start(i * 3 + 2, &Request::Insert(item.clone()), 0);
        }
        let until = after(&sim, Span::from_s(60));
        sim.run_until(until, &mut book);
        assert_eq!(complaints(&sim), Vec::<String>::new());
        let mut found = 0;
        for item in &wanted {
            let op = sim.start(0, &Request::Search(Query::exact(item.key())), 0);
            let until = after(&sim, Span::from_s(20));
            sim.run_until(until, &mut book);
            found += u32::from(matches!(book.outcomes[&op], Outcome::Found(_)));
        }
        (found, sim.traffic().clone())
    };
    use overlays::Wire as _;
    let kind = |name| {
        let kinds = <Gnutella as overlays::Machine>::Message::KINDS;
        kinds.iter().position(|k| *k == name).unwrap()
    };
    let (found, traffic) = run(true);
    assert_eq!(found, 20);
    assert_eq!(traffic.sent_by_kind[kind("giv")], 20);
    assert!(traffic.sent_by_kind[kind("push")] >= 20);
    let (found, traffic) = run(false);
    assert_eq!((found, traffic.sent_by_kind[kind("push")]), (20, 0));
}

#[test]
fn overloaded_servents_cost_recall_but_stay_silent() {
    let run = |capacity_per_s| {
        let config = Config { capacity_per_s, ..Config::default() };
        let (mut sim, items) = settled(config, 300, 19, 40, 1);
        let mut book = Book::default();
        // All at once: a storm.
        for (i, item) in (0..).zip(&items) {
            sim.start(i * 7 % 300, &Request::Search(Query::exact(item.key())), 0);
        }
        let until = after(&sim, Span::from_s(60));
        assert!(sim.run_operations(until, &mut book));
        book.outcomes.values().filter(|o| matches!(o, Outcome::Found(_))).count()
    };
    let (free, tight) = (run(0), run(10));
    println!("found {free} without a limit, {tight} at 10 messages a second");
    assert!(free >= 39 && tight < free);
}

#[test]
fn strangers_who_say_anything_break_nothing() {
    use overlays::{Cause, Cx, Machine, Wire};
    type Message = <Gnutella as Machine>::Message;
    let mut rng = Stream::Network.rng(29);
    let config = Arc::new(Config { route_capacity: 256, ..Config::default() });
    let mut node = Gnutella::new(&config, &Profile::peer(Addr::from_index(0)));
    let mut effects = Vec::new();
    let mut decoded = 0;
    let mut finished = Vec::new();
    for step in 0..200_000_u32 {
        let now = Time::from_us(u64::from(step) * 1_000);
        let me = Addr::from_index(0);
        let mut dice = rng.clone();
        let mut cx = Cx::new(now, me, Cause::UPKEEP, true, &mut rng, &mut effects);
        let from = Addr::from_index(dice.random_range(0..12));
        if step == 0 {
            node.join(&mut cx, OpId(1), &[]);
        } else if step % 1_000 == 0 {
            node.search(&mut cx, OpId(step), &Query::keywords("abc"));
        } else if step % 50 == 0 {
            node.on_lost(&mut cx, from);
        } else {
            // A well-formed header before a random payload; the few
            // identifiers make replies meet requests now and then.
            let kinds = [0x00, 0x01, 0x02, 0x31, 0x40, 0x80, 0x81];
            let kind = kinds[dice.random_range(0..kinds.len())];
            let mut payload: Vec<u8> =
                (0..dice.random_range(0..80)).map(|_| dice.random()).collect();
            if kind == 0x31 {
                let selector = dice.random_range(0..8);
                payload.splice(..0, [b'O', b'L', b'A', b'B', selector, 0, 1, 0]);
            }
            let mut bytes = vec![dice.random_range(0..40); 16];
            bytes.extend([kind, dice.random(), dice.random(), payload.len() as u8, 0, 0, 0]);
            bytes.extend(&payload);
            rng = dice;
            let mut cx = Cx::new(now, me, Cause::UPKEEP, true, &mut rng, &mut effects);
            if let Ok(message) = Message::from_bytes(&bytes) {
                decoded += 1;
                node.on_message(&mut cx, from, message);
            }
        }
        for effect in effects.drain(..) {
            if let overlays::Action::Finish { op, .. } = effect.action {
                finished.push(op);
            }
        }
        let held = node.footprint();
        assert!(held.routing_entries <= 50 + 16 && held.bytes < 300_000, "{held:?}");
    }
    assert!(decoded > 50_000, "{decoded} messages were well-formed");
    finished.sort_unstable();
    let ended = finished.len();
    finished.dedup();
    assert_eq!(ended, finished.len(), "an operation ended twice");
}

#[test]
fn both_halves_of_a_partition_work_on_and_find_each_other() {
    let mut sim = joined(Config::default(), 100, 31);
    let halves: Vec<u32> = (0..100).map(|n| n % 2).collect();
    sim.partition(&halves);
    let until = after(&sim, Span::from_s(3 * 3600));
    sim.run_until(until, &mut NoDriver);
    for half in 0..2 {
        let nodes: Vec<_> =
            sim.population().into_iter().filter(|(a, _)| a.index() % 2 == half).collect();
        assert_eq!(Gnutella::audit(&nodes), Vec::<String>::new());
    }
    // Servents try now and then to reach the peers that they lost.
    sim.heal();
    let until = after(&sim, Span::from_s(900));
    sim.run_until(until, &mut NoDriver);
    assert_eq!(complaints(&sim), Vec::<String>::new(), "one network again");
}

#[test]
fn leaving_mends_the_network() {
    let mut sim = joined(Config::default(), 80, 23);
    let mut book = Book::default();
    for node in 0..20 {
        sim.start(node * 4, &Request::Leave, 0);
        let until = after(&sim, Span::from_s(2));
        sim.run_until(until, &mut book);
    }
    let until = after(&sim, Span::from_s(120));
    sim.run_until(until, &mut book);
    assert!(book.outcomes.values().all(|o| *o == Outcome::Done));
    assert_eq!(sim.live().count(), 60);
    assert_eq!(complaints(&sim), Vec::<String>::new());
}

#[test]
fn one_seed_one_trace_and_idle_traffic_is_upkeep() {
    assert_repeats(|seed| joined(Config::default(), 40, seed));
}
