//! The protocol on small networks: joins, leaves, failures and hostile input.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::RngExt;

use super::bench::Bench;
use crate::can::message::{Claim, Contact, Errand, Message, Routed, State};
use crate::can::{Can, Config, Point, Zone};
use crate::{Addr, Cause, Key, Machine, OpId, Outcome, Overlay, Profile, Reason};

/// The zone `[x, x + width) x [y, y + height)`.
fn area(x: f64, width: f64, y: f64, height: f64) -> Zone {
    let scaled = |v: f64| (v * 4_294_967_296.0) as u32;
    let depth = -(width * height).log2();
    Zone::around(Point::at(&[scaled(x), scaled(y)]), depth as u32)
}

/// Figure 1 of the paper: five nodes A to E, here 0 to 4.
#[test]
fn the_papers_five_nodes_get_their_zones() {
    let mut bench = Bench::new(Config::default());
    bench.enlist(0);
    bench.join(0, 0);
    bench.join_at(1, 0, &[0.75, 0.25]);
    bench.join_at(2, 0, &[0.25, 0.75]);
    bench.join_at(3, 0, &[0.6, 0.75]);
    bench.join_at(4, 0, &[0.9, 0.9]);
    assert_eq!(bench.zones(0), [area(0.0, 0.5, 0.0, 0.5)]);
    assert_eq!(bench.zones(1), [area(0.5, 0.5, 0.0, 0.5)]);
    assert_eq!(bench.zones(2), [area(0.0, 0.5, 0.5, 0.5)]);
    assert_eq!(bench.zones(3), [area(0.5, 0.25, 0.5, 0.5)]);
    assert_eq!(bench.zones(4), [area(0.75, 0.25, 0.5, 0.5)]);
    assert_eq!(bench.audit(), Vec::<String>::new());
}

/// The course's worked join: node 7 splits node 1 and takes half of its
/// neighbours over.
#[test]
fn node_seven_joins_as_in_the_course() {
    let mut bench = Bench::new(Config::default());
    bench.enlist(1);
    bench.join(1, 1);
    bench.join_at(3, 1, &[0.75, 0.5]);
    bench.join_at(4, 3, &[0.25, 0.75]);
    bench.join_at(5, 4, &[0.375, 0.25]);
    bench.join_at(2, 5, &[0.1, 0.4]);
    assert_eq!(bench.zones(1), [area(0.0, 0.25, 0.0, 0.25)]);
    assert_eq!(bench.neighbours(1), [2, 3, 4, 5]);
    bench.join_at(7, 3, &[0.2, 0.1]);
    assert_eq!(bench.zones(7), [area(0.125, 0.125, 0.0, 0.25)]);
    assert_eq!(bench.neighbours(1), [2, 3, 4, 7]);
    assert_eq!(bench.neighbours(7), [1, 2, 4, 5]);
    assert_eq!(bench.audit(), Vec::<String>::new());
}

#[test]
fn a_join_takes_its_share_of_the_records_along() {
    let mut bench = Bench::joined(Config::default(), 3);
    for i in 0..40 {
        assert_eq!(bench.insert(i % 3, &format!("item {i}")), Some(Outcome::Done));
    }
    for i in 3..12 {
        bench.enlist(i);
        assert_eq!(bench.join(i, 0), Some(Outcome::Done));
    }
    bench.rest();
    for i in 0..40 {
        let found = bench.search((i * 5) % 12, &format!("item {i}"));
        assert_eq!(Bench::providers(found), [i % 3]);
    }
    let kept: usize = bench.nodes.values().map(Can::records).sum();
    assert_eq!(kept, 40, "each record is in one place");
}

/// §2.2: only the neighbours of the split zone hear of a join, O(d) nodes
/// whatever the size of the network. Not counted are the nodes on the way to
/// the joiner's point, which are more in larger networks.
#[test]
fn a_join_touches_neighbours_only() {
    for dimensions in [2, 3, 4] {
        let mut touched = Vec::new();
        for n in [64, 256, 1024] {
            let config = Config { dimensions, ..Config::default() };
            let (mut bench, _) = Bench::settled(config, n, &[]);
            let mut sum = 0;
            for i in n..n + 20 {
                bench.enlist(i);
                bench.sent.clear();
                assert_eq!(bench.join(i, 0), Some(Outcome::Done));
                let told = bench.sent.iter().filter(|s| !matches!(s.2, "Route" | "Received"));
                let told = told.filter(|s| s.3 != OpId::NONE).map(|s| s.1);
                sum += told.collect::<BTreeSet<_>>().len();
            }
            touched.push(sum as f64 / 20.0);
        }
        // Both halves have 2d neighbours each on a grid. Means of 20 joins were
        // 6.9, 10.2 and 13.3 nodes at most, so the limit leaves a third.
        for nodes in &touched {
            let range = f64::from(2 * dimensions)..f64::from(4 * dimensions + 2);
            assert!(range.contains(nodes), "d={dimensions}: {touched:?}");
        }
        assert!((touched[2] / touched[0] - 1.0).abs() < 0.3, "d={dimensions}: {touched:?}");
    }
}

#[test]
fn a_leaver_hands_zone_and_records_over() {
    let mut bench = Bench::joined(Config::default(), 10);
    for i in 0..30 {
        bench.insert(9, &format!("item {i}"));
    }
    bench.rest();
    for leaver in 0..9 {
        assert_eq!(bench.leave(leaver), Some(Outcome::Done));
        bench.rest();
        for i in 0..30 {
            assert_eq!(Bench::providers(bench.search(9, &format!("item {i}"))), [9]);
        }
    }
    assert_eq!(bench.zones(9), [Zone::WHOLE], "the last one has everything");
    assert_eq!(bench.leave(9), Some(Outcome::Done));
}

/// Background reassignment leaves every node with one zone.
#[test]
fn zones_are_reassigned_until_each_node_has_one() {
    let mut bench = Bench::joined(Config::default(), 24);
    bench.rest();
    for dead in [3, 9, 14, 20] {
        bench.crash(dead);
    }
    bench.run(400);
    bench.rest();
    for (addr, node) in &bench.nodes {
        assert_eq!(node.zones(0).count(), 1, "{addr} holds several zones");
    }
}

#[test]
fn a_failed_nodes_zone_is_taken_over_by_one_neighbour() {
    let mut bench = Bench::joined(Config::default(), 16);
    bench.rest();
    bench.crash(5);
    bench.run(300);
    bench.rest();
    let all: u64 = bench.nodes.values().flat_map(|n| n.zones(0)).map(Zone::volume).sum();
    assert_eq!(all, Zone::WHOLE.volume());
}

#[test]
fn a_region_that_fails_all_together_is_filled_again() {
    let mut bench = Bench::joined(Config::default(), 40);
    bench.rest();
    // Everything in the left half of the space.
    let left = area(0.0, 0.5, 0.0, 1.0);
    let dead: Vec<Addr> = bench
        .nodes
        .iter()
        .filter(|(_, node)| node.zones(0).any(|z| left.covers(z)))
        .map(|(addr, _)| *addr)
        .collect();
    assert!(dead.len() > 10);
    dead.iter().for_each(|addr| bench.crash(addr.index()));
    bench.rest();
}

#[test]
fn messages_go_around_a_dead_neighbour() {
    let (mut bench, blueprint) = Bench::settled(Config::default(), 100, &[]);
    for dead in (1..100).step_by(5) {
        bench.crash(dead);
    }
    let mut found = 0;
    for i in 0..100_u32 {
        let key = Key::hash(&i.to_be_bytes());
        let owner = blueprint.owner(key).unwrap();
        if bench.nodes.contains_key(&owner) {
            assert_eq!(bench.locate(0, key), Some(Outcome::Located(owner)), "key {i}");
            found += 1;
        }
        // The soft state is not to heal meanwhile.
        if i == 20 {
            break;
        }
    }
    assert!(found > 10);
}

/// §2.3: where no neighbour is nearer, an expanding ring finds the way on.
#[test]
fn an_expanding_ring_leads_out_of_a_dead_end() {
    let (mut bench, blueprint) = Bench::settled(Config::default(), 64, &[]);
    let key = Key::hash(b"far away");
    let owner = blueprint.owner(key).unwrap();
    let path = blueprint.route(0, Bench::addr(0), Point::of_key(key, 0));
    assert!(path.len() > 2, "{path:?}");
    // All neighbours of node 0 that are nearer to the point than itself die.
    let point = crate::can::zone::Destination::new(Point::of_key(key, 0), 2);
    let distance = |addr: Addr, bench: &Bench| {
        bench.nodes[&addr].zones(0).map(|z| point.distance_squared(z)).min().unwrap()
    };
    let own = distance(Bench::addr(0), &bench);
    for neighbour in bench.neighbours(0) {
        let addr = Bench::addr(neighbour);
        if distance(addr, &bench) < own && addr != owner {
            bench.crash(neighbour);
        }
    }
    assert_eq!(bench.locate(0, key), Some(Outcome::Located(owner)));
    assert!(bench.sent.iter().any(|s| s.2 == "Ring"));
}

#[test]
fn a_join_through_a_dead_contact_fails() {
    let mut bench = Bench::joined(Config::default(), 2);
    bench.enlist(5);
    assert_eq!(bench.join(5, 99), Some(Outcome::Failed(Reason::NoContact)));
    assert_eq!(bench.join(5, 0), Some(Outcome::Done));
}

/// Of two joins at one point, one is refused and tries another point (can-07).
#[test]
fn two_joins_at_one_point_both_get_in() {
    let mut bench = Bench::joined(Config::default(), 4);
    bench.rest();
    for i in [4, 5] {
        bench.enlist(i);
    }
    bench.send_joiners_to(Some(Point(12345)));
    let via = [Bench::addr(0)];
    let ops = [OpId(900), OpId(901)];
    for (i, op) in [4, 5].into_iter().zip(ops) {
        bench.call(i, Cause::start(op), |node, cx| node.join(cx, op, &via));
    }
    bench.run(1);
    bench.send_joiners_to(None);
    bench.run(20);
    for op in ops {
        assert_eq!(bench.outcomes.get(&op), Some(&Outcome::Done));
    }
    assert!(bench.sent.iter().any(|s| s.2 == "Refuse"));
    bench.rest();
}

#[test]
fn an_accept_that_is_lost_comes_again() {
    let mut bench = Bench::joined(Config::default(), 3);
    let mut lost = 0;
    bench.lose = Box::new(move |_, _, message| {
        let lose = matches!(message, Message::Accept { .. }) && lost < 2;
        lost += u32::from(lose);
        lose
    });
    bench.enlist(3);
    assert_eq!(bench.join(3, 0), Some(Outcome::Done));
    bench.rest();
}

#[test]
fn a_split_network_grows_together_again() {
    let mut bench = Bench::joined(Config::default(), 20);
    bench.insert(2, "kept");
    bench.rest();
    bench.lose = Box::new(|from, to, _| from.index() % 2 != to.index() % 2);
    bench.run(600);
    bench.lose = Box::new(|_, _, _| false);
    bench.rest();
    bench.run(120);
    assert_eq!(bench.insert(7, "new"), Some(Outcome::Done));
    assert_eq!(Bench::providers(bench.search(12, "new")), [7]);
}

#[test]
fn heavy_loss_is_survived() {
    let mut bench = Bench::joined(Config::default(), 20);
    bench.rest();
    let mut rng = crate::Stream::Network.rng(3);
    bench.lose = Box::new(move |_, _, _| rng.random_bool(0.05));
    for i in 0..20 {
        assert_eq!(bench.insert(i, &format!("lossy {i}")), Some(Outcome::Done));
        let found = bench.search((i + 7) % 20, &format!("lossy {i}"));
        assert_eq!(Bench::providers(found), [i]);
    }
}

/// Several realities: a search ends where any of them has the point (§3.2).
#[test]
fn realities_keep_a_copy_each() {
    let config = Config { realities: 3, hashes: 2, ..Config::default() };
    let mut bench = Bench::joined(config, 12);
    bench.rest();
    assert_eq!(bench.insert(3, "everywhere"), Some(Outcome::Done));
    let kept: usize = bench.nodes.values().map(Can::records).sum();
    assert_eq!(kept, 6);
    assert_eq!(Bench::providers(bench.search(8, "everywhere")), [3]);
    assert_eq!(
        bench.ask(3, |node, cx, op| {
            node.delete(cx, op, &crate::Item::new("everywhere", 1).key());
        }),
        Some(Outcome::Done)
    );
    assert_eq!(bench.search(8, "everywhere"), Some(Outcome::NotFound));
    let kept: usize = bench.nodes.values().map(Can::records).sum();
    assert_eq!(kept, 0);
}

/// A stranger's claim to a node's zone is believed only when the stranger
/// confirms it.
#[test]
fn a_forged_claim_takes_nothing_away() {
    let mut bench = Bench::joined(Config::default(), 6);
    bench.rest();
    let before = bench.zones(5);
    let claims = vec![Claim { zone: Zone::WHOLE, firm: true }];
    let state = Arc::new(State { claims, contacts: Arc::default() });
    for from in [0, 1000] {
        for nonce in 0..50 {
            let message = Message::Update { reality: 0, nonce, state: state.clone() };
            let from = Bench::addr(from);
            bench.call(5, Cause::UPKEEP, |node, cx| node.on_message(cx, from, message));
        }
    }
    assert_eq!(bench.zones(5), before);
    bench.rest();
    assert_eq!(bench.zones(5), before);
}

#[test]
fn forged_messages_of_all_kinds_leave_bounded_state() {
    let mut bench = Bench::joined(Config::default(), 6);
    bench.rest();
    let zone = Zone::around(Point(77), 60);
    let claim = Claim { zone, firm: true };
    for i in 0..3000_u32 {
        let from = Bench::addr(10_000 + i);
        let contacts: Arc<[Contact]> = Arc::new([Contact { addr: from, zone }]);
        let state = Arc::new(State { claims: vec![claim], contacts: contacts.clone() });
        let routed = Routed {
            origin: from,
            request: i,
            leg: 200,
            reality: (i % 300) as u8,
            point: Point(u64::from(i) << 40),
            ttl: u16::MAX,
            errand: Arc::new(Errand::Join { chosen: false }),
        };
        let ring = crate::can::message::Ring {
            search: i,
            asker: from,
            reality: 0,
            point: Point(5),
            distance_squared: 0,
        };
        for message in [
            Message::Route { parcel: i, routed: Box::new(routed) },
            Message::Accept { request: i, reality: 0, claim, contacts: contacts.clone() },
            Message::Update { reality: 0, nonce: i, state },
            Message::HandOver { parcel: i, reality: 0, claim, contacts },
            Message::Takeover { reality: 0, failed: from, volume: 1 },
            Message::Ring { ttl: 255, ring: Box::new(ring) },
            Message::Reassign { holder: from, reality: 0, zone, ttl: 255 },
            Message::Offer { reality: 0, zone },
            Message::Nearer { search: i },
            Message::Agree { reality: 7, failed: from },
        ] {
            bench.call(5, Cause::UPKEEP, |node, cx| node.on_message(cx, from, message));
        }
    }
    let bytes = bench.node(5).footprint().bytes;
    assert!(bytes < 2 << 20, "{bytes} bytes");
    bench.run(600);
    bench.rest();
}

#[test]
fn what_comes_to_an_outsider_is_dropped() {
    let mut bench = Bench::new(Config::default());
    bench.enlist(0);
    let message = Message::Probe { reality: 0, nonce: 1 };
    bench.call(0, Cause::UPKEEP, |node, cx| node.on_message(cx, Bench::addr(1), message));
    assert!(bench.sent.is_empty());
    let profile = Profile::peer(Bench::addr(0));
    assert_eq!(Can::new(&bench.config, &profile).zones(0).count(), 0);
    assert_eq!(bench.search(0, "x"), Some(Outcome::Failed(Reason::NotJoined)));
    assert_eq!(bench.leave(0), Some(Outcome::Failed(Reason::NotJoined)));
}

/// Joins that overlap in time leave a sound network.
#[test]
fn a_crowd_that_joins_at_once_gets_in() {
    let mut bench = Bench::joined(Config::default(), 1);
    for i in 1..300_u32 {
        bench.enlist(i);
        let via = [Bench::addr(bench.rng.random_range(0..i))];
        let op = OpId(1000 + i);
        bench.call(i, Cause::start(op), |node, cx| node.join(cx, op, &via));
        bench.run_us(50_000);
    }
    bench.run(30);
    bench.rest();
}

/// §3.4: peers share zones up to the limit, keep the same records, and know one
/// peer of each zone beside theirs.
#[test]
fn peers_share_zones_and_records() {
    let config = Config { peers: 3, ..Config::default() };
    let mut bench = Bench::joined(config, 20);
    bench.rest();
    let mut zones: Vec<Zone> = bench.nodes.values().flat_map(|n| n.zones(0)).collect();
    assert_eq!(zones.len(), 20);
    zones.sort_unstable();
    assert!(zones.chunk_by(|a, b| a == b).all(|peers| peers.len() <= 3));
    zones.dedup();
    assert!(zones.len() < 16, "{} zones", zones.len());
    for i in 0..20 {
        assert_eq!(bench.insert(i, &format!("item {i}")), Some(Outcome::Done));
    }
    bench.run(5);
    let kept: usize = bench.nodes.values().map(Can::records).sum();
    assert!(kept > 20, "each peer of a zone keeps its records");
    for i in 20..32 {
        bench.enlist(i);
        assert_eq!(bench.join(i, 0), Some(Outcome::Done));
    }
    bench.rest();
    for i in 0..20 {
        assert_eq!(Bench::providers(bench.search(31 - i, &format!("item {i}"))), [i]);
    }
    for dead in [2, 11, 17] {
        bench.crash(dead);
    }
    bench.run(300);
    bench.rest();
    let key = crate::Item::new("item 5", 1).key();
    assert_eq!(bench.ask(5, |node, cx, op| node.delete(cx, op, &key)), Some(Outcome::Done));
    bench.run(5);
    for asker in [0, 9, 30] {
        assert_eq!(bench.search(asker, "item 5"), Some(Outcome::NotFound));
    }
    assert_eq!(bench.leave(6), Some(Outcome::Done));
    bench.rest();
}

/// §3.8: a copy is served on the way, and hot keys are pushed to neighbours.
#[test]
fn hot_keys_are_answered_by_neighbours() {
    let config = Config { cache: 16, hot_requests: 5, ..Config::default() };
    let (mut bench, blueprint) = Bench::settled(config, 64, &[(0, "hit song")]);
    let owner = blueprint.owner(crate::Item::new("hit song", 1).key()).unwrap().index();
    let mut asked = 0;
    for turn in 0..40 {
        let asker = (turn * 7 + 1) % 64;
        bench.sent.clear();
        assert_eq!(Bench::providers(bench.search(asker, "hit song")), [0]);
        // Whether the owner itself had to answer.
        asked += u32::from(bench.sent.iter().any(|s| s.0 == owner && s.2 == "Hits"));
    }
    assert!((5..15).contains(&asked), "the owner answered {asked} of 40 requests");
    bench.run(400);
    assert_eq!(Bench::providers(bench.search(2, "hit song")), [0], "copies expire");
}
