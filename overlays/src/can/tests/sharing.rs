//! Zones that several peers share (§3.4), where joins and leaves cross.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bench::Bench;
use crate::can::message::{Erased, Message, is_later};
use crate::can::{Config, Point, Zone};
use crate::{Addr, Cause, Item, Key, OpId, Outcome, Overlay, Stream};

/// A network of `n` nodes that all join at once, each with an item.
fn crowd(peers: usize, n: u32, seed: u64) -> Bench {
    let mut bench = Bench::joined(Config { peers, ..Config::default() }, 1);
    bench.rng = Stream::Protocol.rng(seed);
    for i in 1..n {
        bench.enlist(i);
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

/// All peers of some zones die at once, and of others some. Who is left fills
/// the holes, and everybody finds what anybody inserts.
#[test]
fn mass_death_leaves_no_peer_with_a_view_of_its_own() {
    for peers in [2, 3, 4] {
        for seed in 1..=8 {
            let mut bench = crowd(peers, 40, seed);
            (0..40).filter(|i| i % 3 == 0).for_each(|i| bench.crash(i));
            bench.rest();
            let left: Vec<u32> = bench.nodes.keys().map(|addr| addr.index()).collect();
            for &i in &left {
                assert_eq!(bench.insert(i, &format!("news of {i}")), Some(Outcome::Done));
                for asker in left.iter().copied().step_by(3) {
                    let found = bench.search(asker, &format!("news of {i}"));
                    assert_eq!(Bench::providers(found), [i], "p={peers}, seed {seed}, n{asker}");
                }
            }
        }
    }
}

/// A leaver gives its zone to a peer that answers, not to one that it only
/// believes to be there.
#[test]
fn a_leaver_does_not_count_on_a_peer_that_has_died() {
    for seed in 1..=6 {
        let mut bench = crowd(2, 12, seed);
        bench.rest();
        let zones = sharers(&bench);
        let pair = zones.values().find(|s| s.len() == 2).expect("a zone with two peers").clone();
        bench.crash(pair[0]);
        assert_eq!(bench.leave(pair[1]), Some(Outcome::Done));
        bench.rest();
        for i in (1..12).filter(|i| !pair.contains(i)) {
            let asker = (0..12).find(|n| *n != i && !pair.contains(n)).expect("twelve nodes");
            let found = bench.search(asker, &format!("item {i}"));
            assert_eq!(Bench::providers(found), [i], "seed {seed}, {pair:?} are gone");
        }
    }
}

/// The peers of each zone.
fn sharers(bench: &Bench) -> BTreeMap<Zone, Vec<u32>> {
    let mut sharers: BTreeMap<Zone, Vec<u32>> = BTreeMap::new();
    for (addr, node) in &bench.nodes {
        for zone in node.zones(0) {
            sharers.entry(zone).or_default().push(addr.index());
        }
    }
    sharers
}

/// Two halves of a network that were apart have taken over each other's zones.
/// They share zones again afterwards, and none is left crowded.
#[test]
fn halves_that_come_together_share_their_zones() {
    for peers in [2, 3] {
        let mut bench = crowd(peers, 32, 5);
        bench.lose = Box::new(|from, to, _| from.index() % 2 != to.index() % 2);
        bench.run(400);
        bench.lose = Box::new(|_, _, _| false);
        bench.run(900);
        bench.rest();
        let crowded: Vec<_> = sharers(&bench).into_iter().filter(|s| s.1.len() > peers).collect();
        assert_eq!(crowded, [], "p={peers}");
        for i in 1..32 {
            let found = bench.search((i * 5) % 32, &format!("item {i}"));
            assert_eq!(Bench::providers(found), [i], "p={peers}");
        }
    }
}

fn is_copy(message: &Message) -> bool {
    matches!(message, Message::Transfer { .. })
}

/// Three peers of one zone, which is the whole space.
fn three_of_one_zone() -> Bench {
    let mut bench = Bench::joined(Config { peers: 3, ..Config::default() }, 3);
    bench.rest();
    assert_eq!(sharers(&bench).into_values().collect::<Vec<_>>(), [[0, 1, 2]]);
    bench
}

/// A copy that is sent again crosses with news that the record was withdrawn.
#[test]
fn a_late_copy_does_not_bring_a_withdrawn_record_back() {
    let mut bench = three_of_one_zone();
    bench.lose = Box::new(|_, _, message| is_copy(message));
    assert_eq!(bench.insert(0, "song"), Some(Outcome::Done));
    bench.lose = Box::new(|_, _, _| false);
    let op = OpId(900);
    let key = Item::new("song", 1).key();
    bench.call(0, Cause::start(op), |node, cx| node.delete(cx, op, &key));
    bench.run(20);
    assert_eq!(bench.outcomes.get(&op), Some(&Outcome::Done));
    assert_eq!((0..3).map(|i| bench.node(i).records()).collect::<Vec<_>>(), [0, 0, 0]);
    // What its provider announces anew is kept by all.
    assert_eq!(bench.insert(0, "song"), Some(Outcome::Done));
    bench.run(5);
    assert_eq!((0..3).map(|i| bench.node(i).records()).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn news_of_a_withdrawal_that_is_lost_is_sent_again() {
    let mut bench = three_of_one_zone();
    assert_eq!(bench.insert(1, "song"), Some(Outcome::Done));
    bench.run(5);
    let mut losses = 2;
    bench.lose = Box::new(move |_, _, message| {
        let lost = losses > 0 && matches!(message, Message::Erase { .. });
        losses -= usize::from(lost);
        lost
    });
    let key = Item::new("song", 1).key();
    let outcome = bench.ask(1, |node, cx, op| node.delete(cx, op, &key));
    assert_eq!(outcome, Some(Outcome::Done));
    bench.run(5);
    assert_eq!((0..3).map(|i| bench.node(i).records()).collect::<Vec<_>>(), [0, 0, 0]);
}

/// Numbers wrap around, and those of another life of the provider say nothing.
#[test]
fn a_withdrawal_undoes_what_was_announced_before() {
    for (this, other, later) in [
        (2, 1, true),
        (1, 2, false),
        (7, 7, false),
        (3, u32::MAX - 3, true),
        (u32::MAX - 3, 3, false),
        (1 << 24, 0, true),
        ((1 << 24) + 1, 0, false),
        (0x9000_0000, 5, false),
    ] {
        assert_eq!(is_later(this, other), later, "{this} after {other}");
    }
    let (key, provider) = (Key::hash(b"song"), Addr::from_index(1));
    let erased = Erased { point: Point(0), key, provider, item: key, edition: 9 };
    assert!(erased.undoes(8) && erased.undoes(9));
    assert!(!erased.undoes(10) && !erased.undoes(0x8000_0000));
}

/// A forged message with a node's own address does not set it talking to itself.
#[test]
fn a_node_does_not_listen_to_itself() {
    let mut bench = crowd(2, 8, 1);
    let (me, failed) = (Bench::addr(3), Bench::addr(4));
    bench.crash(4);
    bench.run(140);
    bench.sent.clear();
    let forged = Message::Takeover { reality: 0, failed, volume: u64::MAX };
    bench.call(3, Cause::UPKEEP, |node, cx| crate::Machine::on_message(node, cx, me, forged));
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);
}
