//! The ring of the slides: m = 4, nodes 0, 1, 3, 7, 9, 11, 14, and perhaps 15.

use super::bench::Bench;
use crate::chord::{Chord, Config, NextHop, Routing};
use crate::{Cause, Key, Outcome, Overlay};

const NODES: [u64; 7] = [0, 1, 3, 7, 9, 11, 14];
const WITH_15: [u64; 8] = [0, 1, 3, 7, 9, 11, 14, 15];

fn config(routing: Routing, next_hop: NextHop) -> Config {
    Config { id_bits: 4, successors: 1, hop_acks: false, routing, next_hop, ..Config::default() }
}

fn bench(routing: Routing, next_hop: NextHop) -> Bench {
    Bench::settled(config(routing, next_hop), &NODES, &[])
}

fn fingers(node: &Chord) -> Vec<u64> {
    (0..4).map(|i| node.finger(i).key.top_bits(4)).collect()
}

#[test]
fn fingers_are_those_of_the_slides() {
    let bench = Bench::settled(config(Routing::Iterative, NextHop::ClosestPreceding), &NODES, &[]);
    let expected = [
        [1, 3, 7, 9],
        [3, 3, 7, 9],
        [7, 7, 7, 11],
        [9, 9, 11, 0],
        [11, 11, 14, 1],
        [14, 14, 0, 3],
        [0, 0, 3, 7],
    ];
    for (i, expected) in (0..).zip(expected) {
        assert_eq!(fingers(bench.node(i)), expected, "node {}", NODES[i as usize]);
    }
    let bench =
        Bench::settled(config(Routing::Iterative, NextHop::ClosestPreceding), &WITH_15, &[]);
    assert_eq!(fingers(bench.node(3)), [9, 9, 11, 15]);
    assert_eq!(fingers(bench.node(5)), [14, 14, 15, 3]);
    assert_eq!(fingers(bench.node(6)), [15, 0, 3, 7]);
    assert_eq!(fingers(bench.node(7)), [0, 1, 3, 7]);
    assert_eq!(Chord::audit(&bench.all()), Vec::<String>::new());
}

#[test]
fn keys_live_at_their_successor() {
    let owners = [0, 1, 3, 3, 7, 7, 7, 7, 9, 9, 11, 11, 14, 14, 14, 0];
    for routing in [Routing::Iterative, Routing::Recursive] {
        for next_hop in [NextHop::ClosestPreceding, NextHop::FingerInterval, NextHop::SuccessorWalk]
        {
            let mut bench = bench(routing, next_hop);
            for from in 0..7 {
                for (key, owner) in (0..).zip(owners) {
                    let place = NODES.iter().position(|n| *n == owner).unwrap() as u32;
                    let outcome = bench.locate(from, Key::from_top_bits(key, 4));
                    let expected = Some(Outcome::Located(Bench::addr(place)));
                    assert_eq!(outcome, expected, "{next_hop:?}: key {key} from {from}");
                }
            }
        }
    }
}

/// The identifiers that a fetch of `key` from node `from` visits after the
/// origin, and the messages it takes.
fn path(bench: &mut Bench, from: u32, key: u64) -> (Vec<u64>, usize) {
    use crate::chord::message::Errand;
    use crate::chord::request::Client;
    bench.sent.clear();
    let errand = Errand::Fetch { key: Key::from_top_bits(key, 4), limit: 1 };
    let op = crate::OpId(9000 + from * 16 + key as u32);
    bench.call(from, Cause::start(op), |node, cx| {
        node.look_up(cx, Key::from_top_bits(key, 4), Client::Op(op), Some(Box::new(errand)));
    });
    bench.run(2);
    assert_eq!(bench.outcomes.get(&op), Some(&Outcome::NotFound));
    let mut visited = Vec::new();
    let mut messages = 0;
    for (_, to, kind, _) in bench.sent.iter().filter(|s| s.3 == op) {
        let forward = ["Route", "Deliver"].contains(kind);
        let reply = *kind == "Hits";
        if forward {
            visited.push(NODES[*to as usize]);
        }
        messages += usize::from(forward || reply);
    }
    (visited, messages)
}

#[test]
fn both_rules_take_the_paths_of_the_slides() {
    let mut interval = bench(Routing::Recursive, NextHop::FingerInterval);
    assert_eq!(path(&mut interval, 0, 13), (vec![9, 14], 3));
    let mut paper = bench(Routing::Recursive, NextHop::ClosestPreceding);
    assert_eq!(path(&mut paper, 0, 13), (vec![9, 11, 14], 4));
    let mut walk = bench(Routing::Recursive, NextHop::SuccessorWalk);
    assert_eq!(path(&mut walk, 0, 13).0, [1, 3, 7, 9, 11, 14]);
}

#[test]
fn mean_hops_over_all_pairs_are_as_computed() {
    let mut interval = bench(Routing::Recursive, NextHop::FingerInterval);
    let mut paper = bench(Routing::Recursive, NextHop::ClosestPreceding);
    let (mut interval_hops, mut paper_hops) = (0, 0);
    for from in 0..7 {
        for key in 0..16 {
            interval_hops += path(&mut interval, from, key).0.len();
            // The paper's rule stops at the predecessor, and so goes all the
            // way round for most keys of the origin's own; one more hop to
            // the owner.
            paper.sent.clear();
            assert!(paper.locate(from, Key::from_top_bits(key, 4)).is_some());
            let op = crate::OpId(from * 16 + key as u32 + 1);
            let routed = paper.sent.iter().filter(|s| s.3 == op && s.2 == "Route").count();
            paper_hops += if key == NODES[from as usize] { 0 } else { routed + 1 };
        }
    }
    let mean = |hops: usize| hops as f64 / (7.0 * 16.0);
    assert!((mean(interval_hops) - 1.43).abs() < 0.005, "{}", mean(interval_hops));
    assert!((mean(paper_hops) - 2.10).abs() < 0.005, "{}", mean(paper_hops));
}
