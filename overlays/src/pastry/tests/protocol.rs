//! A handful of nodes, event by event.

use super::Bench;
use crate::pastry::contact::{Contact, Entry, Rtt, is_closer};
use crate::pastry::message::{Contacts, Errand, Message};
use crate::pastry::{Config, Pastry};
use crate::{Addr, Cause, Key, Machine, OpId, Outcome, Overlay, Reason};

/// An identifier by its first 16 bits.
fn id(top: u64) -> Key {
    Key::from_top_bits(top, 16)
}

/// `n` identifiers spread evenly over the circle.
fn even(n: u64) -> Vec<Key> {
    (0..n).map(|i| id(i * (1 << 16) / n + 7)).collect()
}

fn joined(config: Config, ids: &[Key]) -> Bench {
    let mut bench = Bench::new(config);
    for (index, id) in (0..).zip(ids) {
        bench.add(index, *id);
        let outcome = match index {
            0 => bench.ask(0, |node, cx, op| node.join(cx, op, &[])),
            _ => bench.join(index, index / 2),
        };
        assert_eq!(outcome, Some(Outcome::Done), "node {index}");
    }
    bench
}

fn assert_clean(bench: &Bench) {
    assert_eq!(Pastry::audit(&bench.all()), Vec::<String>::new());
}

fn root_of(bench: &Bench, key: Key) -> u32 {
    let key = key.truncated(128);
    let closer = |a: &&(Addr, &Pastry), b: &&(Addr, &Pastry)| {
        if is_closer(a.1.id(), b.1.id(), key) {
            core::cmp::Ordering::Less
        } else {
            core::cmp::Ordering::Greater
        }
    };
    bench.all().iter().min_by(closer).expect("somebody").0.index()
}

fn locate_everywhere(bench: &mut Bench) {
    let nodes: Vec<u32> = bench.nodes.keys().map(|a| a.index()).collect();
    for node in nodes {
        for turn in 0..4_u32 {
            let key = Key::hash(&(node * 4 + turn).to_be_bytes());
            let root = Addr::from_index(root_of(bench, key));
            assert_eq!(bench.locate(node, key), Some(Outcome::Located(root)));
        }
    }
}

#[test]
fn joins_one_by_one_give_right_leaf_sets_at_once() {
    let mut bench = joined(Config::default(), &even(40));
    bench.run(3);
    assert_clean(&bench);
    locate_everywhere(&mut bench);
}

#[test]
fn a_joiner_gets_state_from_every_node_on_the_way_and_announces_itself() {
    let ids = even(64);
    let config = Config { leaf_set: 4, ..Config::default() };
    let mut bench = Bench::settled_at(config, &ids, &[]);
    bench.add(100, id(0x4321));
    bench.sent.clear();
    assert_eq!(bench.join(100, 60), Some(Outcome::Done));
    bench.run(3);
    let kinds = |kind: &'static str| {
        bench.sent.iter().filter(move |(.., k, op)| *k == kind && *op != OpId::NONE).copied()
    };
    let joins: Vec<(u32, u32)> = kinds("Route").map(|(from, to, ..)| (from, to)).collect();
    assert_eq!(joins.first(), Some(&(100, 60)));
    let on_the_way: Vec<u32> = joins.iter().map(|(_, to)| *to).collect();
    // Each of them sent its state, and so did those that were asked for it.
    let told: Vec<u32> = kinds("State").map(|(from, ..)| from).collect();
    assert!(on_the_way.iter().all(|node| told.contains(node)), "{on_the_way:?}, {told:?}");
    assert_eq!(told.len(), joins.len() + kinds("GetState").count());
    assert_eq!(on_the_way.last(), Some(&17), "0x4407 is the closest to 0x4321");
    assert!(kinds("Announce").count() > 10);
    assert!(kinds("GetState").count() > 10);
    assert!(kinds("Announce").all(|(from, ..)| from == 100));
    // Its leaves have it; for the others it is farther than whom they know.
    let known = bench.nodes.values().filter(|n| n.known().any(|c| c.addr == Bench::addr(100)));
    assert!(known.count() >= 4);
}

#[test]
fn tables_of_joined_nodes_miss_next_to_nothing() {
    let ids: Vec<Key> = (0..60_u32).map(|i| Key::hash(&i.to_be_bytes()).truncated(128)).collect();
    let bench = joined(Config::default(), &ids);
    let (mut filled, mut fillable) = (0, 0);
    for node in bench.nodes.values() {
        let mut cells: Vec<_> =
            ids.iter().filter_map(|i| node.routing_table().cell_of(*i)).collect();
        cells.sort_by_key(|c| (c.row, c.column));
        cells.dedup();
        fillable += cells.len();
        filled += cells.iter().filter(|c| node.routing_table().get(**c).is_some()).count();
    }
    assert!(filled * 100 >= fillable * 98, "{filled} of {fillable} cells");
}

#[test]
fn two_joins_at_the_same_point() {
    let mut bench = joined(Config::default(), &even(8));
    // Neighbours on the circle, at the same moment.
    bench.add(20, id(0x5000));
    bench.add(21, id(0x5001));
    let first = bench.start(20, |node, cx, op| node.join(cx, op, &[Bench::addr(1)]));
    let second = bench.start(21, |node, cx, op| node.join(cx, op, &[Bench::addr(1)]));
    bench.run(60);
    assert_eq!(bench.outcomes.get(&first), Some(&Outcome::Done));
    assert_eq!(bench.outcomes.get(&second), Some(&Outcome::Done));
    assert_clean(&bench);
    // The very same identifier is refused.
    bench.add(22, id(0x5000));
    assert_eq!(bench.join(22, 3), Some(Outcome::Failed(Reason::Refused)));
    assert!(!bench.node(22).has_joined());
}

#[test]
fn a_join_through_the_dead_fails_and_one_living_contact_is_enough() {
    let mut bench = joined(Config::default(), &even(4));
    bench.crash(2);
    bench.add(9, id(0x1234));
    assert_eq!(bench.join(9, 2), Some(Outcome::Failed(Reason::NoContact)));
    let via = [Bench::addr(2), Bench::addr(77), Bench::addr(3)];
    assert_eq!(bench.ask(9, |node, cx, op| node.join(cx, op, &via)), Some(Outcome::Done));
}

#[test]
fn the_nearest_contact_is_joined_through() {
    let mut bench = joined(Config::default(), &even(4));
    bench.add(9, id(0x1234));
    bench.sent.clear();
    // Node 0 answers nothing, node 1 twice.
    bench.lose =
        Box::new(|_, to, message| matches!(message, Message::Ping { .. }) && to == Bench::addr(0));
    let via = [Bench::addr(0), Bench::addr(1)];
    assert_eq!(bench.ask(9, |node, cx, op| node.join(cx, op, &via)), Some(Outcome::Done));
    let first = bench.sent.iter().find(|(from, _, kind, _)| *from == 9 && *kind == "Route");
    assert_eq!(first.map(|(_, to, ..)| *to), Some(1));
}

#[test]
fn items_are_found_and_withdrawn() {
    let mut bench = joined(Config::default(), &even(20));
    assert_eq!(bench.search(3, "song"), Some(Outcome::NotFound));
    assert_eq!(bench.insert(5, "song"), Some(Outcome::Done));
    assert_eq!(bench.insert(6, "song"), Some(Outcome::Done));
    assert_eq!(Bench::providers(bench.search(3, "song")), [5]);
    let song = crate::Item::new("song", 1).key();
    assert_eq!(bench.ask(5, |node, cx, op| node.delete(cx, op, &song)), Some(Outcome::Done));
    assert_eq!(Bench::providers(bench.search(3, "song")), [6]);
    assert_eq!(bench.ask(5, |node, cx, op| node.delete(cx, op, &song)), Some(Outcome::NotFound));
}

#[test]
fn records_follow_the_circle_through_joins_and_leaves() {
    for replicas in [1, 3] {
        let config = Config { replicas, ..Config::default() };
        let mut bench = joined(config, &even(10));
        let names: Vec<String> = (0..40).map(|i| format!("item {i}")).collect();
        for name in &names {
            assert_eq!(bench.insert(0, name), Some(Outcome::Done));
        }
        for index in 30..40 {
            bench.add(index, Key::hash(&index.to_be_bytes()));
            assert_eq!(bench.join(index, 1), Some(Outcome::Done));
        }
        bench.run(60);
        assert_clean(&bench);
        for index in 1..10 {
            let outcome = bench.ask(index, |node, cx, op| node.leave(cx, op));
            assert_eq!(outcome, Some(Outcome::Done));
            bench.crash(index);
        }
        bench.run(90);
        assert_clean(&bench);
        let kept: usize = bench.nodes.values().map(Pastry::records).sum();
        assert_eq!(kept, 40 * replicas, "{replicas} replicas");
        for name in &names {
            assert_eq!(Bench::providers(bench.search(35, name)), [0], "{name}");
        }
    }
}

#[test]
fn copies_survive_silent_deaths() {
    let config = Config { replicas: 4, keep_alive: crate::Span::from_s(5), ..Config::default() };
    let mut bench = joined(config, &even(24));
    for turn in 0..30 {
        assert_eq!(bench.insert(0, &format!("item {turn}")), Some(Outcome::Done));
    }
    // Three at a time, neighbours, again and again.
    for round in 0..4 {
        for index in 1 + 3 * round..4 + 3 * round {
            bench.crash(index);
        }
        bench.run(60);
    }
    assert_clean(&bench);
    for turn in 0..30 {
        assert_eq!(Bench::providers(bench.search(20, &format!("item {turn}"))), [0], "item {turn}");
    }
    assert_eq!(bench.nodes.values().map(Pastry::records).sum::<usize>(), 30 * 4);
}

#[test]
fn a_message_lost_to_a_dead_node_is_sent_around_it() {
    let mut bench = Bench::settled_at(Config::default(), &even(64), &[]);
    for index in [16, 17, 18, 19, 20, 21, 22] {
        bench.crash(index);
    }
    // Before anybody has noticed.
    for node in [0, 10, 40] {
        for offset in [0_u64, 900, 2500] {
            let key = id(0x4007 + offset);
            let root = Addr::from_index(root_of(&bench, key));
            assert_eq!(bench.locate(node, key), Some(Outcome::Located(root)));
        }
    }
    bench.run(120);
    assert_clean(&bench);
}

#[test]
fn one_lost_message_does_not_make_anybody_dead() {
    let mut bench = Bench::settled_at(Config::default(), &even(32), &[]);
    let mut lost = 0;
    bench.lose = Box::new(move |_, _, message| {
        lost += 1;
        lost % 9 == 0 && matches!(message, Message::Route { .. } | Message::Received { .. })
    });
    let before: usize = bench.nodes.values().map(|n| n.known().count()).sum();
    locate_everywhere(&mut bench);
    let after: usize = bench.nodes.values().map(|n| n.known().count()).sum();
    assert_eq!(before, after);
    assert_clean(&bench);
}

#[test]
fn a_failed_cell_is_repaired_from_the_same_row() {
    let ids: Vec<Key> = (0..120_u32).map(|i| Key::hash(&i.to_be_bytes()).truncated(128)).collect();
    let config = Config { leaf_set: 4, neighbourhood: 0, ..Config::default() };
    let mut bench = Bench::settled_at(config, &ids, &[]);
    let victim = bench.node(0).routing_table().row(0)[3];
    let cell = bench.node(0).routing_table().cell_of(victim.id).expect("not its own");
    bench.crash(victim.addr.index());
    // A message to that cell finds out.
    let outcome = bench.locate(0, victim.id);
    assert!(matches!(outcome, Some(Outcome::Located(_))), "{outcome:?}");
    bench.run(10);
    let now = bench.node(0).routing_table().get(cell).copied();
    assert!(now.is_some_and(|e| e.addr != victim.addr), "{now:?}");
    assert!(bench.sent.iter().any(|(from, _, kind, _)| *from == 0 && *kind == "GetEntry"));
}

#[test]
fn nobody_enters_a_table_on_hearsay() {
    let mut bench = joined(Config::default(), &even(6));
    let stranger = Addr::from_index(500);
    let forged = Contact { id: id(0x2b00), addr: stranger };
    let before: usize = bench.node(1).known().count();
    bench.call(1, Cause::UPKEEP, |node, cx| {
        let keep_alive = Message::KeepAlive { nonce: 1, id: forged.id, seen: 0 };
        node.on_message(cx, stranger, keep_alive);
        let leaves: Contacts = [forged].into_iter().collect();
        let alive = Message::Alive { nonce: 77, id: forged.id, version: 3, leaves };
        node.on_message(cx, stranger, alive);
        node.on_message(cx, stranger, Message::Pong { nonce: 5, id: forged.id });
        let arrival = crate::pastry::message::Arrival {
            newcomer: forged,
            rtt: Rtt(0),
            row: vec![Entry::new(forged, Rtt(0))],
        };
        node.on_message(cx, stranger, Message::Announce(Box::new(arrival)));
        node.on_message(
            cx,
            stranger,
            Message::Leaving { id: forged.id, leaves: Contacts::default() },
        );
    });
    assert_eq!(bench.node(1).known().count(), before);
    bench.run(60);
    assert_eq!(bench.node(1).known().count(), before);
    // A member's address with another's identifier is found out, too.
    let liar = Addr::from_index(2);
    bench.call(1, Cause::UPKEEP, |node, cx| {
        node.on_message(cx, liar, Message::KeepAlive { nonce: 2, id: id(0x2b01), seen: 0 });
    });
    bench.run(60);
    assert!(bench.node(1).known().all(|c| c.id != id(0x2b01)));
    assert_clean(&bench);
}

#[test]
fn a_message_that_goes_round_in_circles_ends() {
    let mut bench = joined(Config::default(), &even(6));
    bench.sent.clear();
    bench.call(1, Cause::UPKEEP, |node, cx| {
        let errand = Some(Box::new(Errand::Get { limit: 1, passed_on: false }));
        let (request, origin) = (9, Addr::from_index(900));
        let key = id(0xf000);
        let route = Message::Route { request, origin, key, ttl: 1, ack: true, errand };
        node.on_message(cx, Addr::from_index(3), route);
    });
    bench.run(5);
    let routed = bench.sent.iter().filter(|(.., kind, _)| *kind == "Route").count();
    assert_eq!(routed, 0, "its hops were used up");
}

#[test]
fn everyone_leaves_but_one() {
    let mut bench = joined(Config::default(), &even(12));
    for index in 0..12 {
        assert_eq!(bench.insert(index, &format!("of {index}")), Some(Outcome::Done));
    }
    for index in 0..11 {
        let outcome = bench.ask(index, |node, cx, op| node.leave(cx, op));
        assert_eq!(outcome, Some(Outcome::Done));
        bench.crash(index);
        bench.run(5);
        assert_clean(&bench);
    }
    assert_eq!(Bench::providers(bench.search(11, "of 11")), [11]);
    assert_eq!(bench.search(11, "of 3"), Some(Outcome::NotFound));
    assert_eq!(bench.node(11).leaf_set().members(), &[]);
}

#[test]
fn a_partition_heals() {
    let mut bench = joined(Config::default(), &even(24));
    let cut = |a: Addr, b: Addr| a.index() % 2 != b.index() % 2;
    bench.lose = Box::new(move |a, b, _| cut(a, b));
    bench.run(300);
    let halves = Pastry::audit(&bench.all());
    assert!(!halves.is_empty(), "the halves should have parted");
    bench.lose = Box::new(|_, _, _| false);
    bench.run(600);
    assert_clean(&bench);
    locate_everywhere(&mut bench);
}

#[test]
fn randomised_routing_still_arrives() {
    let config = Config { randomise: 0.7, ..Config::default() };
    let ids: Vec<Key> = (0..150_u32).map(|i| Key::hash(&i.to_be_bytes()).truncated(128)).collect();
    let mut bench = Bench::settled_at(config, &ids, &[]);
    let key = Key::hash(b"somewhere");
    let root = root_of(&bench, key);
    let mut ways = std::collections::BTreeSet::new();
    let asker = (root + 1) % 150;
    for _ in 0..40 {
        bench.sent.clear();
        assert_eq!(bench.locate(asker, key), Some(Outcome::Located(Addr::from_index(root))));
        let routes =
            bench.sent.iter().filter(|(.., kind, op)| *kind == "Route" && *op != OpId::NONE);
        ways.insert(routes.map(|(_, to, ..)| *to).collect::<Vec<_>>());
    }
    assert!(ways.len() > 3, "only {} ways", ways.len());
}

/// A join over many hops takes longer than a ping may.
#[test]
fn a_slow_join_is_waited_for() {
    let config = Config {
        leaf_set: 2,
        routing: crate::pastry::Routing::LeafSet,
        request_timeout: crate::Span::from_ms(100),
        ..Config::default()
    };
    let mut bench = Bench::settled_at(config, &even(100), &[]);
    bench.add(200, id(0x8001));
    assert_eq!(bench.join(200, 0), Some(Outcome::Done));
    let joins = bench.sent.iter().filter(|(from, _, kind, _)| (*from, *kind) == (200, "Route"));
    assert_eq!(joins.count(), 1, "it started over");
}
