//! Gnutella 0.6 in the simulator: joining, election, dynamic queries, failures
//! and strangers, and what it saves beside 0.4.

use std::collections::BTreeMap;
use std::sync::Arc;

use harness::network::{Latency, LatencySpec, Network};
use harness::sim::{Driver, NoDriver, Operation, Request, Settings, Sim};
use overlays::gnutella::Gnutella;
use overlays::gnutella06::{Config, Gnutella06, Rank};
use overlays::{Addr, Item, OpId, Outcome, Overlay, Profile, Query, Span, Stream, Time};
use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use crate::lab::assert_repeats;

/// How operations ended and what they cost.
#[derive(Default)]
struct Book {
    outcomes: BTreeMap<OpId, Outcome>,
    accounts: BTreeMap<OpId, Operation>,
    /// Who asked to join.
    joiners: BTreeMap<OpId, u32>,
}

impl<O: Overlay> Driver<O> for Book {
    fn ended(&mut self, _: &mut Sim<O>, op: OpId, outcome: &Outcome) {
        assert!(self.outcomes.insert(op, outcome.clone()).is_none(), "{op:?} ended twice");
    }
    fn closed(&mut self, operation: Operation) {
        self.accounts.insert(operation.id, operation);
    }
}

fn world<O: Overlay>(config: O::Config, seed: u64, settings: Settings) -> Sim<O> {
    let latency = Latency::build(&LatencySpec::King, &mut Stream::Topology.rng(seed));
    let network = Network::new(latency.expect("King needs no file"), 0.0);
    let network = network.expect("no loss is a valid loss");
    Sim::new(Arc::new(config), network, Settings { seed, ..settings })
}

/// Every fourth servent is behind a firewall, and every fifth is slow.
fn profile(node: u32) -> Profile {
    let addr = Addr::from_index(node);
    let upload_bps = if node % 5 == 4 { 33_000 } else { 1_000_000 };
    Profile { firewalled: node % 4 == 3, upload_bps, ..Profile::peer(addr) }
}

fn item(name: &str) -> Arc<Item> {
    Arc::new(Item::new(name, 3_000_000))
}

fn pass<O: Overlay>(sim: &mut Sim<O>, span: Span, book: &mut Book) {
    let until = sim.now() + span;
    sim.run_until(until, book);
}

/// `n` servents that join one after the other, each through a random earlier
/// one that can be reached; then ten minutes of rest.
fn joined(config: Config, n: u32, seed: u64) -> Sim<Gnutella06> {
    let caches = config.web_caches;
    let mut sim = world::<Gnutella06>(config, seed, Settings::default());
    let mut rng = Stream::Workload.rng(seed);
    let mut book = Book::default();
    for cache in 0..caches {
        sim.add_node(Profile::server(Addr::from_index(cache)));
        sim.start(cache, &Request::Join(Vec::new()), 0);
    }
    for turn in 0..n {
        let node = caches + turn;
        sim.add_node(Profile { addr: Addr::from_index(node), ..profile(turn) });
        let contact = loop {
            let contact = rng.random_range(0..turn.max(1));
            if contact % 4 != 3 {
                break contact;
            }
        };
        let via = match (caches, turn) {
            (0, 0) => Vec::new(),
            (0, _) => vec![Addr::from_index(contact)],
            _ => (0..caches).map(Addr::from_index).collect(),
        };
        let op = sim.start(node, &Request::Join(via), 0);
        book.joiners.insert(op, node);
        pass(&mut sim, Span::from_s(1), &mut book);
    }
    retry_joins(&mut sim, &mut book);
    pass(&mut sim, Span::from_s(600), &mut book);
    assert_eq!(sim.surplus_ends(), 0);
    let failed: Vec<_> = book.outcomes.iter().filter(|(_, o)| **o != Outcome::Done).collect();
    assert!(failed.is_empty(), "{failed:?}");
    sim
}

/// A newcomer that is fit for a leaf alone may find no room while the network
/// grows: it tries again, as a user would.
fn retry_joins(sim: &mut Sim<Gnutella06>, book: &mut Book) {
    for _ in 0..5 {
        pass(sim, Span::from_s(60), book);
        let failed: Vec<OpId> =
            book.outcomes.iter().filter(|(_, o)| **o != Outcome::Done).map(|(op, _)| *op).collect();
        for op in failed {
            book.outcomes.remove(&op);
            let node = book.joiners.get(&op).copied().expect("only joins were asked");
            let again = sim.start(node, &Request::Join(vec![Addr::from_index(0)]), 0);
            book.joiners.insert(again, node);
        }
    }
}

fn settled<O: Overlay>(
    config: O::Config,
    n: u32,
    seed: u64,
    items: u32,
    copies: usize,
) -> (Sim<O>, Vec<Arc<Item>>) {
    let mut sim = world::<O>(config, seed, Settings { maintenance: false, ..Settings::default() });
    (0..n).for_each(|node| {
        sim.add_node(profile(node));
    });
    let items: Vec<_> = (0..items).map(|i| item(&format!("item number {i}"))).collect();
    assert!(sim.settle(&placed(&items, n, copies, seed)).is_some());
    pass(&mut sim, Span::from_s(5), &mut Book::default());
    (sim, items)
}

/// Who shares what.
fn placed(items: &[Arc<Item>], n: u32, copies: usize, seed: u64) -> Vec<(u32, Arc<Item>)> {
    let mut rng = Stream::Peers.rng(seed);
    let mut everyone: Vec<u32> = (0..n).collect();
    let mut shares = Vec::new();
    for item in items {
        everyone.shuffle(&mut rng);
        shares.extend(everyone[..copies].iter().map(|node| (*node, item.clone())));
    }
    shares
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

struct Searches {
    found: f64,
    messages: f64,
}

fn search_all<O: Overlay>(sim: &mut Sim<O>, items: &[Arc<Item>], seed: u64) -> Searches {
    let mut rng = Stream::Workload.rng(seed);
    let mut book = Book::default();
    let live: Vec<u32> = sim.live().collect();
    for item in items {
        let from = live[rng.random_range(0..live.len())];
        sim.start(from, &Request::Search(Query::exact(item.key())), 0);
        pass(sim, Span::from_s(3), &mut book);
    }
    let until = sim.now() + Span::from_s(400);
    assert!(sim.run_operations(until, &mut book), "searches are still open");
    let found = book.outcomes.values().filter(|o| matches!(o, Outcome::Found(_))).count();
    Searches {
        found: found as f64 / items.len() as f64,
        messages: mean(book.accounts.values().map(|a| f64::from(a.messages))),
    }
}

fn complaints(sim: &Sim<Gnutella06>) -> Vec<String> {
    Gnutella06::audit(&sim.population())
}

#[test]
fn joins_by_messages_converge() {
    for n in [1, 2, 3, 8, 40, 200] {
        let sim = joined(Config::default(), n, 7);
        assert_eq!(complaints(&sim), Vec::<String>::new(), "{n} servents");
        for (addr, node) in sim.population() {
            let fit = addr.index() % 4 != 3 && addr.index() % 5 != 4;
            assert!(fit || node.rank() == Rank::Leaf || addr.index() == 0, "{addr} is unfit");
        }
    }
}

/// What a network looks like: the share of ultrapeers, the share of their leaf
/// slots in use, the links of an ultrapeer to others, and of a leaf.
fn shape(sim: &Sim<Gnutella06>) -> [f64; 4] {
    let nodes = sim.population();
    let ranks: BTreeMap<Addr, Rank> = nodes.iter().map(|(a, node)| (*a, node.rank())).collect();
    let (mut ultrapeers, mut degree, mut held) = (0, 0, 0);
    for (_, node) in &nodes {
        let mut links = 0;
        node.neighbours(&mut |peer| links += u32::from(ranks[&peer] == Rank::Ultrapeer));
        match node.rank() {
            Rank::Ultrapeer => (ultrapeers, degree) = (ultrapeers + 1, degree + links),
            Rank::Leaf => held += links,
        }
    }
    let (all, ultrapeers, held) = (nodes.len() as f64, f64::from(ultrapeers), f64::from(held));
    let slots = f64::from(Config::default().leaves) * ultrapeers;
    [ultrapeers / all, held / slots, f64::from(degree) / ultrapeers, held / (all - ultrapeers)]
}

#[test]
fn joined_networks_look_like_settled_ones() {
    for (n, seeds) in [(64, 1..=4), (256, 1..=2), (1024, 1..=1)] {
        let of = |make: &dyn Fn(u64) -> Sim<Gnutella06>| {
            let shapes: Vec<_> = seeds.clone().map(|seed| shape(&make(seed))).collect();
            std::array::from_fn(|i| mean(shapes.iter().map(|s: &[f64; 4]| s[i])))
        };
        let joined: [f64; 4] = of(&|seed| joined(Config::default(), n, seed));
        let settled: [f64; 4] = of(&|seed| settled(Config::default(), n, seed, 0, 1).0);
        println!("{n} servents, joined and settled: {joined:.3?} {settled:.3?}");
        for (what, shape) in [("joined", joined), ("settled", settled)] {
            // A leaf for each of nine tenths of 30 slots, three slots each.
            assert!((0.09..0.125).contains(&shape[0]), "{n} {what}: {shape:.3?}");
        }
        // Among 64 one ultrapeer more or less makes much of a difference.
        let one = 1.0 / f64::from(n);
        let near = [0.01 + one, 0.1 + 5.0 * one, (0.1 + 7.0 * one) * settled[2], 0.1];
        for (i, near) in near.into_iter().enumerate() {
            let apart = (joined[i] - settled[i]).abs();
            assert!(apart <= near, "{n}, figure {i}: {joined:.3?} and {settled:.3?}");
        }
    }
}

/// Everyone comes at once, and so many become ultrapeers for want of a better:
/// those that are not needed step down.
#[test]
fn a_crowd_of_ultrapeers_steps_down() {
    let crowd = |guidance| {
        let config = Config { guidance, ..Config::default() };
        let mut sim = world::<Gnutella06>(config, 3, Settings::default());
        for node in 0..256 {
            sim.add_node(Profile::peer(Addr::from_index(node)));
            let via = (node > 0).then(|| Addr::from_index(0));
            sim.start(node, &Request::Join(via.into_iter().collect()), 0);
        }
        pass(&mut sim, Span::from_s(1200), &mut Book::default());
        assert_eq!(complaints(&sim), Vec::<String>::new());
        shape(&sim)[0]
    };
    let (deaf, guided) = (crowd(1_000_000), crowd(Config::default().guidance));
    println!("ultrapeers after a rush: {deaf:.3} that heed no guidance, {guided:.3} that do");
    assert!(deaf > 0.2 && guided < 0.14, "{deaf} {guided}");
}

#[test]
fn newcomers_find_in_through_web_caches() {
    let sim = joined(Config { web_caches: 2, ..Config::default() }, 60, 7);
    assert_eq!(complaints(&sim), Vec::<String>::new());
}

#[test]
fn it_finds_what_flooding_finds_for_a_fraction_of_the_messages() {
    for (name, copies) in [("rare", 1), ("popular", 50)] {
        let (mut old, items) =
            settled::<Gnutella>(overlays::gnutella::Config::default(), 1000, 5, 40, copies);
        let flood = search_all(&mut old, &items, 5);
        let (mut new, items) = settled::<Gnutella06>(Config::default(), 1000, 5, 40, copies);
        let dynamic = search_all(&mut new, &items, 5);
        println!("{name}: {:.0} and {:.0} messages", flood.messages, dynamic.messages);
        assert!(dynamic.found >= flood.found && dynamic.found == 1.0);
        assert!(dynamic.messages * 20.0 < flood.messages);
    }
}

#[test]
fn tables_spare_the_last_hop() {
    let run = |last_hop_qrp| {
        let config = Config { last_hop_qrp, ..Config::default() };
        let (mut sim, items) = settled::<Gnutella06>(config, 1000, 5, 40, 1);
        search_all(&mut sim, &items, 5)
    };
    let (with, without) = (run(true), run(false));
    println!("{:.0} messages with tables, {:.0} without", with.messages, without.messages);
    assert!(with.found == 1.0 && without.found == 1.0);
    assert!(with.messages * 2.0 < without.messages);
}

#[test]
fn a_network_survives_the_crash_of_a_third() {
    let mut sim = joined(Config::default(), 200, 11);
    let mut nodes: Vec<u32> = (0..200).collect();
    nodes.shuffle(&mut Stream::Churn.rng(11));
    nodes[..60].iter().for_each(|node| sim.crash(*node));
    let mut book = Book::default();
    pass(&mut sim, Span::from_s(600), &mut book);
    assert_eq!(complaints(&sim), Vec::<String>::new());
    let survivors: Vec<u32> = sim.live().collect();
    let wanted: Vec<_> = (0..20).map(|i| item(&format!("new {i}"))).collect();
    for (item, node) in wanted.iter().zip(&survivors) {
        sim.start(*node, &Request::Insert(item.clone()), 0);
    }
    pass(&mut sim, Span::from_s(60), &mut book);
    assert!(search_all(&mut sim, &wanted, 11).found == 1.0);
}

#[test]
fn everyone_leaves_but_one() {
    let mut sim = joined(Config::default(), 40, 23);
    let mut book = Book::default();
    for node in 0..39 {
        sim.start(node, &Request::Leave, 0);
        pass(&mut sim, Span::from_s(5), &mut book);
    }
    assert!(book.outcomes.values().all(|o| *o == Outcome::Done));
    pass(&mut sim, Span::from_s(120), &mut book);
    assert_eq!(complaints(&sim), Vec::<String>::new());
}

#[test]
fn both_halves_of_a_partition_work_on_and_find_each_other() {
    let mut sim = joined(Config::default(), 100, 31);
    let halves: Vec<u32> = (0..100).map(|n| n / 50).collect();
    sim.partition(&halves);
    let until = sim.now() + Span::from_s(3 * 3600);
    sim.run_until(until, &mut NoDriver);
    for half in 0..2 {
        let nodes: Vec<_> =
            sim.population().into_iter().filter(|(a, _)| a.index() / 50 == half).collect();
        assert_eq!(Gnutella06::audit(&nodes), Vec::<String>::new());
    }
    sim.heal();
    let until = sim.now() + Span::from_s(900);
    sim.run_until(until, &mut NoDriver);
    assert_eq!(
        complaints(&sim),
        Vec::<String>::new(),
        "one network again after a quarter of an hour"
    );
}

#[test]
fn strangers_who_say_anything_break_nothing() {
    use overlays::{Cause, Cx, Machine, Wire};
    type Message = <Gnutella06 as Machine>::Message;
    let mut rng = Stream::Network.rng(29);
    let config = Arc::new(Config { route_capacity: 256, ..Config::default() });
    let me = Addr::from_index(0);
    let mut node = Gnutella06::new(&config, &Profile::peer(me));
    let mut effects = Vec::new();
    let mut decoded = 0;
    for step in 0..100_000_u32 {
        let now = Time::from_us(u64::from(step) * 1_000);
        let mut dice = rng.clone();
        let from = Addr::from_index(dice.random_range(0..40));
        let kinds = [0x00, 0x01, 0x02, 0x30, 0x31, 0x40, 0x80, 0x81];
        let kind = kinds[dice.random_range(0..kinds.len())];
        let mut payload: Vec<u8> = (0..dice.random_range(0..80)).map(|_| dice.random()).collect();
        match kind {
            0x30 if dice.random() => payload = vec![0, 0, 0, 1, 0, 7],
            0x30 => payload.splice(..0, [1, 1, 1, dice.random_range(0..2), 4]).for_each(drop),
            0x31 => payload.splice(..0, *b"BEAR\x0c\x00\x01\x00").for_each(drop),
            _ => {}
        }
        let mut bytes = vec![dice.random_range(0..40); 16];
        bytes.extend([kind, dice.random(), dice.random(), payload.len() as u8, 0, 0, 0]);
        bytes.extend(&payload);
        if step % 5 == 0 {
            let greeting = ["GNUTELLA CONNECT/0.6", "GNUTELLA/0.6 200 OK"][dice.random_range(0..2)];
            let flag = ["True", "False"][dice.random_range(0..2)];
            bytes = format!("{greeting}\r\nX-Ultrapeer: {flag}\r\n\r\n").into_bytes();
        }
        rng = dice;
        let mut cx = Cx::new(now, me, Cause::UPKEEP, true, &mut rng, &mut effects);
        if step == 0 {
            node.join(&mut cx, OpId(1), &[]);
        } else if step % 1_000 == 0 {
            node.search(&mut cx, OpId(step), &Query::keywords("abc"));
        } else if step % 500 == 1 {
            node.on_lost(&mut cx, from);
        } else if let Ok(message) = Message::from_bytes(&bytes) {
            decoded += 1;
            node.on_message(&mut cx, from, message);
        }
        effects.clear();
        let held = node.footprint();
        assert!(held.routing_entries <= 50 + 62 && held.bytes < 4_000_000, "{held:?}");
    }
    assert!(decoded > 30_000, "{decoded} messages were well-formed");
}

#[test]
fn one_seed_one_trace_and_idle_traffic_is_upkeep() {
    assert_repeats(|seed| joined(Config::default(), 40, seed));
}
