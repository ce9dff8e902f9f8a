//! Zones that pass from one node to another, and what is asked of them
//! meanwhile.

use super::bench::Bench;
use crate::can::message::{Claim, Message};
use crate::can::{Config, Point, Zone};
use crate::{Cause, Item, OpId, Outcome, Overlay, Query};

const ITEMS: u32 = 24;

/// Asks for all items from `asker` at once.
fn ask_for_all(bench: &mut Bench, asker: u32) -> Vec<OpId> {
    let ask = |i: u32| {
        let query = Query::exact(Item::new(&format!("item {i}"), 1).key());
        bench.start(asker, |node, cx, op| node.search(cx, op, &query))
    };
    (0..ITEMS).map(ask).collect()
}

/// The records that a joiner takes over come late: whoever asks for them
/// meanwhile finds them, the joiner itself included.
#[test]
fn what_has_not_reached_a_joiner_yet_is_found() {
    for peers in [4, 3, 2, 1] {
        let mut bench = Bench::joined(Config { peers, ..Config::default() }, 1);
        for i in 0..ITEMS {
            assert_eq!(bench.insert(0, &format!("item {i}")), Some(Outcome::Done));
        }
        for newcomer in 1..6 {
            // The first two times that records are sent to it they are lost.
            let mut losses = 2;
            bench.lose = Box::new(move |_, to, message| {
                let is_copy = matches!(message, Message::Transfer { .. });
                let lost = losses > 0 && is_copy && to == Bench::addr(newcomer);
                losses -= usize::from(lost);
                lost
            });
            bench.enlist(newcomer);
            let via = [Bench::addr(0)];
            let join = bench.start(newcomer, |node, cx, op| node.join(cx, op, &via));
            while !bench.outcomes.contains_key(&join) {
                bench.run_us(1_000);
            }
            assert_eq!(bench.outcomes.get(&join), Some(&Outcome::Done));
            let mut asked = ask_for_all(&mut bench, newcomer);
            bench.run_us(200_000);
            asked.extend(ask_for_all(&mut bench, 0));
            bench.run(30);
            for (at, op) in asked.iter().enumerate() {
                let found = Bench::providers(bench.outcomes.get(op).cloned());
                assert_eq!(found, [0], "p={peers}, n{newcomer}, search {at}");
            }
        }
        bench.rest();
    }
}

/// What nobody shares is not found beside a joiner either, and the search ends
/// at once.
#[test]
fn what_is_not_there_is_not_found_beside_a_joiner() {
    for peers in [1, 2] {
        let mut bench = Bench::joined(Config { peers, ..Config::default() }, 1);
        bench.enlist(1);
        assert_eq!(bench.join(1, 0), Some(Outcome::Done));
        let asked = [0, 1].map(|asker| ask_for_all(&mut bench, asker)).concat();
        bench.run(2);
        for op in asked {
            assert_eq!(bench.outcomes.get(&op), Some(&Outcome::NotFound), "p={peers}");
        }
    }
}

/// The giver of a joiner's half dies before it has handed the records over.
#[test]
fn a_giver_that_dies_keeps_no_search_waiting() {
    let mut bench = Bench::joined(Config::default(), 2);
    bench.enlist(2);
    let join = bench.start(2, |node, cx, op| node.join(cx, op, &[Bench::addr(0)]));
    while !bench.outcomes.contains_key(&join) {
        bench.run_us(1_000);
    }
    let giver = bench.sent.iter().rfind(|s| s.2 == "Accept").expect("it was let in").0;
    bench.crash(giver);
    let own = bench.zones(2);
    let inside = |i: &u32| {
        let point = Point::of_key(Item::new(&format!("item {i}"), 1).key(), 0);
        own.iter().any(|zone| zone.contains(point))
    };
    let absent = (0..100).find(inside).expect("a point in half of a zone");
    let op = bench.start(2, |node, cx, op| {
        node.search(cx, op, &Query::exact(Item::new(&format!("item {absent}"), 1).key()));
    });
    bench.run(3);
    assert_eq!(bench.outcomes.get(&op), Some(&Outcome::NotFound));
}

/// The owner does not hear that the joiner has taken its half, for a while or
/// until it gives up waiting. The two come to terms, and the joiner lets nobody
/// in before.
#[test]
fn a_joiner_whose_word_is_lost_builds_no_network_of_its_own() {
    for (losses, seconds) in [(4, 15), (15, 60)] {
        let mut bench = Bench::joined(Config::default(), 1);
        bench.run(5);
        let mut left = losses;
        bench.lose = Box::new(move |from, to, message| {
            let word = matches!(message, Message::Update { .. });
            let lost = left > 0 && word && from == Bench::addr(1) && to == Bench::addr(0);
            left -= usize::from(lost);
            lost
        });
        bench.enlist(1);
        assert_eq!(bench.join(1, 0), Some(Outcome::Done));
        assert_eq!(bench.zones(0), [Zone::WHOLE], "the owner has not heard");
        bench.enlist(2);
        let half = bench.zones(1)[0];
        bench.send_joiners_to(Some(half.first()));
        bench.sent.clear();
        let via = [Bench::addr(1), Bench::addr(0)];
        let op = bench.start(2, |node, cx, op| node.join(cx, op, &via));
        bench.run_us(200_000);
        assert!(bench.sent.iter().any(|s| (s.0, s.2) == (1, "Refuse")), "it lets somebody in");
        bench.send_joiners_to(None);
        bench.run(seconds);
        assert_eq!(bench.outcomes.get(&op), Some(&Outcome::Done), "{losses} losses");
        assert_eq!(bench.audit(), Vec::<String>::new(), "{losses} losses");
    }
}

/// §2.3: two sibling zones are found deep in the tree of splits. The one of
/// their holders that is to take the zone is no neighbour of it, nor of the one
/// who has it.
#[test]
fn a_zone_given_in_reassignment_may_lie_apart_from_its_taker() {
    let mut bench = Bench::new(Config::default());
    bench.enlist(0);
    bench.join(0, 0);
    bench.join_at(6, 0, &[0.9, 0.1]);
    bench.join_at(7, 6, &[0.9, 0.9]);
    bench.join_at(5, 0, &[0.1, 0.1]);
    bench.join_at(1, 5, &[0.3, 0.1]);
    bench.join_at(4, 1, &[0.3, 0.3]);
    bench.join_at(2, 4, &[0.45, 0.3]);
    bench.join_at(3, 2, &[0.45, 0.45]);
    let zones = |bench: &Bench| -> Vec<String> {
        let all = bench.nodes.keys().map(|a| (a.index(), bench.zones(a.index())));
        all.map(|(i, zones)| format!("{i}: {zones:?}")).collect()
    };
    assert_eq!(
        zones(&bench),
        [
            "0: [01]",
            "1: [0010]",
            "2: [001110]",
            "3: [001111]",
            "4: [00110]",
            "5: [000]",
            "6: [10]",
            "7: [11]"
        ]
    );
    // Node 0 comes by the zone of node 5, as it might when others have failed.
    let claim = Claim { zone: bench.zones(5)[0], firm: true };
    bench.call(5, Cause::UPKEEP, |node, cx| node.hand_over(cx, 0, claim, Bench::addr(0)));
    bench.run(1);
    bench.crash(5);
    bench.run(60);
    assert_eq!(bench.audit(), Vec::<String>::new());
    assert!(bench.sent.iter().any(|s| (s.0, s.2) == (2, "Offer")), "node 2 offers to take it");
    assert_eq!(zones(&bench).len(), 7);
    assert!(bench.nodes.values().all(|node| node.zones(0).count() == 1), "{:?}", zones(&bench));
}

/// A zone is not taken from a node that has no right to it, whatever it says.
#[test]
fn a_zone_that_was_not_offered_for_is_declined() {
    let mut bench = Bench::joined(Config::default(), 8);
    bench.rest();
    let before = bench.zones(5);
    let zone = before[0].sibling().expect("one of eight zones");
    let claim = Claim { zone, firm: true };
    for from in [100, 101] {
        let contacts = std::sync::Arc::default();
        let message = Message::HandOver { parcel: 9, reality: 0, claim, contacts };
        bench.call(5, Cause::UPKEEP, |node, cx| {
            crate::Machine::on_message(node, cx, Bench::addr(from), message);
        });
        assert!(bench.sent.iter().any(|s| s.1 == from && s.2 == "Declined"));
    }
    assert_eq!(bench.zones(5), before);
}
