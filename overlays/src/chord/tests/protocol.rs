//! Joining, leaving, failing, and the items through all of it.

use super::bench::Bench;
use crate::chord::{Chord, Config, Routing};
use crate::{Key, Outcome, Overlay, Reason, Span};

fn ids(n: u32) -> Vec<Key> {
    (0..n).map(|i| Bench::addr(i).key()).collect()
}

fn joined(config: Config, n: u32) -> Bench {
    let mut bench = Bench::new(config);
    for (i, id) in (0..).zip(ids(n)) {
        bench.add(i, id);
        if i == 0 {
            assert_eq!(bench.ask(0, |node, cx, op| node.join(cx, op, &[])), Some(Outcome::Done));
        } else {
            assert_eq!(bench.join(i, i / 2), Some(Outcome::Done), "node {i}");
        }
    }
    bench
}

fn assert_clean(bench: &Bench) {
    assert_eq!(Chord::audit(&bench.all()), Vec::<String>::new());
}

#[test]
fn joins_converge_to_the_settled_ring() {
    for n in [1, 2, 3, 20] {
        for routing in [Routing::Iterative, Routing::Recursive] {
            let mut bench = joined(Config { routing, ..Config::default() }, n);
            bench.run(300);
            assert_clean(&bench);
        }
    }
}

#[test]
fn all_at_once_joins_converge_too() {
    let mut bench = joined(Config::default(), 1);
    let mut ops = Vec::new();
    for (i, id) in (0..).zip(ids(40)).skip(1) {
        bench.add(i, id);
        ops.push(bench.start(i, |node, cx, op| node.join(cx, op, &[Bench::addr(0)])));
    }
    bench.run(600);
    for op in ops {
        assert_eq!(bench.outcomes.get(&op), Some(&Outcome::Done));
    }
    assert_clean(&bench);
}

#[test]
fn virtual_nodes_join_and_settle_alike() {
    let config = Config { virtual_nodes: 4, ..Config::default() };
    let mut bench = joined(config.clone(), 8);
    bench.run(600);
    assert_clean(&bench);
    let settled = Bench::settled_at(config, &ids(8), &[]);
    assert_clean(&settled);
    for i in 0..8 {
        for vnode in 0..4 {
            assert_eq!(bench.node(i).place(vnode), settled.node(i).place(vnode));
        }
    }
}

#[test]
fn items_survive_joins_and_polite_leaves() {
    for replicas in [1, 3] {
        let mut bench = joined(Config { replicas, ..Config::default() }, 6);
        let names: Vec<String> = (0..60).map(|i| format!("file {i}")).collect();
        for (i, name) in (0..).zip(&names) {
            assert_eq!(bench.insert(i % 6, name), Some(Outcome::Done));
        }
        for (i, id) in (0..).zip(ids(16)).skip(6) {
            bench.add(i, id);
            assert_eq!(bench.join(i, 0), Some(Outcome::Done));
            for (k, name) in (0..).zip(&names) {
                let found = Bench::providers(bench.search(i, name));
                assert_eq!(found, [k % 6], "{name} after join of {i}");
            }
        }
        // Nodes 6.. share nothing, so nothing is lost with them.
        for i in 6..14 {
            assert_eq!(bench.ask(i, |node, cx, op| node.leave(cx, op)), Some(Outcome::Done));
            bench.crash(i);
            for (k, name) in (0..).zip(&names) {
                let found = bench.search(15, name);
                assert_eq!(Bench::providers(found.clone()), [k % 6], "{name}, {i} gone: {found:?}");
            }
        }
        bench.run(300);
        let owned: usize = bench.nodes.values().map(|n| n.records().0).sum();
        let copies: usize = bench.nodes.values().map(|n| n.records().1).sum();
        assert_eq!((owned, copies), (60, 60 * (replicas - 1)));
        assert_clean(&bench);
    }
}

#[test]
fn records_live_as_long_as_they_are_announced() {
    let config = Config { republish: Span::from_s(100), replicas: 3, ..Config::default() };
    let mut bench = joined(config, 12);
    bench.insert(3, "kept up");
    bench.insert(4, "given up");
    let records = |bench: &Bench| bench.nodes.values().map(|n| n.records().0).sum::<usize>();
    bench.run(1000);
    assert_eq!(Bench::providers(bench.search(0, "kept up")), [3], "announced again and again");
    assert_eq!(Bench::providers(bench.search(0, "given up")), [4]);
    assert_eq!(records(&bench), 2);
    // Its provider is gone, and with it whoever announced it.
    bench.crash(4);
    bench.run(150);
    assert_eq!(Bench::providers(bench.search(0, "given up")), [4], "not expired yet");
    // Three periods, half a period of jitter each, until the next look.
    bench.run(500);
    assert_eq!(bench.search(0, "given up"), Some(Outcome::NotFound));
    assert_eq!(Bench::providers(bench.search(0, "kept up")), [3]);
    assert_eq!(records(&bench), 1);
}

#[test]
fn leaving_withdraws_and_deleting_removes() {
    let mut bench = joined(Config::default(), 8);
    bench.insert(3, "a");
    bench.insert(4, "a");
    bench.insert(4, "b");
    assert_eq!(Bench::providers(bench.search(0, "a")).len(), 1, "the limit is one");
    let key = crate::Item::new("b", 1).key();
    assert_eq!(bench.ask(4, |n, cx, op| n.delete(cx, op, &key)), Some(Outcome::Done));
    assert_eq!(bench.ask(4, |n, cx, op| n.delete(cx, op, &key)), Some(Outcome::NotFound));
    assert_eq!(bench.search(0, "b"), Some(Outcome::NotFound));
    assert_eq!(bench.ask(3, |n, cx, op| n.leave(cx, op)), Some(Outcome::Done));
    bench.crash(3);
    assert_eq!(Bench::providers(bench.search(0, "a")), [4]);
}

#[test]
fn items_inserted_before_joining_are_announced() {
    let mut bench = joined(Config::default(), 4);
    bench.add(9, Bench::addr(9).key());
    assert_eq!(bench.insert(9, "early"), Some(Outcome::Done));
    assert_eq!(bench.join(9, 2), Some(Outcome::Done));
    let found = bench.search(1, "early");
    assert_eq!(Bench::providers(found.clone()), [9], "{found:?}");
}

#[test]
fn a_taken_identifier_is_refused() {
    let mut bench = joined(Config::default(), 5);
    bench.add(9, Bench::addr(2).key());
    assert_eq!(bench.join(9, 0), Some(Outcome::Failed(Reason::Refused)));
    assert!(!bench.node(9).has_joined());
    bench.run(200);
    bench.crash(9);
    assert_clean(&bench);
}

#[test]
fn a_dead_contact_fails_the_join_or_is_passed_over() {
    let mut bench = joined(Config::default(), 3);
    bench.add(9, Bench::addr(9).key());
    let none = bench.start(9, |node, cx, op| node.join(cx, op, &[Bench::addr(77)]));
    bench.run(300);
    assert_eq!(bench.outcomes[&none], Outcome::Failed(Reason::NoContact));
    let via = [Bench::addr(77), Bench::addr(1)];
    let outcome = bench.ask(9, |node, cx, op| node.join(cx, op, &via));
    assert_eq!(outcome, Some(Outcome::Done));
}

#[test]
fn a_node_that_crashed_comes_back() {
    let mut bench = joined(Config::default(), 12);
    bench.run(100);
    bench.crash(5);
    bench.add(5, Bench::addr(5).key());
    assert_eq!(bench.join(5, 0), Some(Outcome::Done));
    bench.run(300);
    assert_clean(&bench);
}

#[test]
fn the_ring_closes_over_crashes_and_copies_save_the_records() {
    let config = Config { replicas: 6, ..Config::default() };
    let names: Vec<String> = (0..200).map(|i| format!("file {i}")).collect();
    let shared: Vec<(usize, &str)> = names.iter().map(|n| (0, n.as_str())).collect();
    let mut bench = Bench::settled_at(config, &ids(60), &shared);
    bench.run(60);
    for i in (1..60).step_by(3) {
        bench.crash(i);
    }
    bench.run(600);
    assert_clean(&bench);
    for name in &names {
        assert_eq!(Bench::providers(bench.search(2, name)), [0], "{name}");
    }
    let owned: usize = bench.nodes.values().map(|n| n.records().0).sum();
    let copies: usize = bench.nodes.values().map(|n| n.records().1).sum();
    assert_eq!((owned, copies), (200, 1000));
}

#[test]
fn lookups_go_around_the_dead_before_any_repair() {
    for routing in [Routing::Iterative, Routing::Recursive] {
        // Every dead node on a path costs a timeout.
        let lookup_timeout = Span::from_s(60);
        let config = Config { routing, successors: 20, lookup_timeout, ..Config::default() };
        let mut bench = Bench::settled_at(config, &ids(100), &[]);
        for i in (1..100).step_by(2) {
            bench.crash(i);
        }
        for k in 0..50_u32 {
            let key = Key::hash(&k.to_be_bytes());
            let outcome = bench.locate(2 * (k % 50), key);
            assert!(matches!(outcome, Some(Outcome::Located(_))), "{routing:?} {k}: {outcome:?}");
        }
    }
}

#[test]
fn halves_of_a_healed_partition_merge() {
    let mut bench = joined(Config::default(), 30);
    bench.run(200);
    bench.lose = Box::new(|from, to, _| from.index() % 2 != to.index() % 2);
    bench.run(400);
    let halves = |bench: &Bench, half: u32| {
        let nodes: Vec<_> =
            bench.all().into_iter().filter(|(a, _)| a.index() % 2 == half).collect();
        Chord::audit_ring(&nodes)
    };
    assert_eq!(halves(&bench, 0), Vec::<String>::new());
    assert_eq!(halves(&bench, 1), Vec::<String>::new());
    bench.lose = Box::new(|_, _, _| false);
    bench.run(900);
    assert_clean(&bench);
}

#[test]
fn upkeep_costs_what_the_paper_says() {
    let config = Config {
        successors: 1,
        jitter: 0.0,
        stabilise: Span::from_s(20),
        fix_fingers: Span::from_s(86_400),
        check_predecessor: Span::from_s(50),
        ..Config::default()
    };
    let mut bench = Bench::settled_at(config, &ids(10), &[]);
    bench.run(100);
    let count = |kind| bench.sent.iter().filter(|s| s.2 == kind).count();
    for kind in ["GetNeighbours", "Neighbours", "Notify"] {
        assert!((49..=51).contains(&count(kind)), "{kind}: {}", count(kind));
    }
    assert!((19..=21).contains(&count("Ping")));
    assert!((19..=21).contains(&count("Pong")));
}
