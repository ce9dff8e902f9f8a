//! Zones that several peers share (§3.4), where joins and leaves cross.

use std::sync::Arc;

use super::bench::Bench;
use crate::can::Config;
use crate::{Cause, Item, OpId, Outcome, Overlay, Stream};

/// A network of `n` nodes that all join at once, each with an item.
fn crowd(peers: usize, n: u32, seed: u64) -> Bench {
    let mut bench = Bench::joined(Config { peers, ..Config::default() }, 1);
    bench.rng = Stream::Protocol.rng(seed);
    for i in 1..n {
        bench.add(i);
        let (op, share) = (OpId(10_000 + i), OpId(20_000 + i));
        let item = Arc::new(Item::new(&format!("item {i}"), 1));
        bench.call(i, Cause::start(share), |node, cx| node.insert(cx, share, &item));
        let via = [Bench::addr(0)];
        bench.call(i, Cause::start(op), |node, cx| node.join(cx, op, &via));
        bench.run_us(3_000);
    }
    bench.run(120);
    for i in 1..n {
        assert_eq!(bench.outcomes.get(&OpId(10_000 + i)), Some(&Outcome::Done), "n{i} joins");
    }
    bench
}

/// A peer that is taken in while others divide the zone ends up in a half, and
/// no zone is left to two.
#[test]
fn a_crowd_shares_zones_without_conflict() {
    for peers in [2, 3, 4] {
        for seed in 1..=6 {
            let mut bench = crowd(peers, 64, seed);
            bench.rest();
            for i in 1..64 {
                let found = bench.search((i * 5) % 64, &format!("item {i}"));
                assert_eq!(Bench::providers(found), [i], "p={peers}, seed {seed}");
            }
        }
    }
}

/// Each peer of a zone keeps all of its records, so those that leave one after
/// another take none along.
#[test]
fn leavers_of_shared_zones_leave_all_records() {
    for seed in 1..=4 {
        let mut bench = crowd(3, 16, seed);
        for leaver in 1..12 {
            assert_eq!(bench.leave(leaver), Some(Outcome::Done));
            bench.run(5);
            for i in leaver + 1..16 {
                let found = bench.search(15 - i % 4, &format!("item {i}"));
                assert_eq!(Bench::providers(found), [i], "seed {seed}, after n{leaver} left");
            }
        }
    }
}
