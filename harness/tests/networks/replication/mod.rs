//! Small networks of full replicas in the simulator.

use std::sync::Arc;

use crate::baseline_lab::item;
use harness::sim::Request;
use overlays::replication::{Block, Message, Replication};
use overlays::{Addr, Outcome, Overlay as _};

type Lab = crate::baseline_lab::Lab<Replication>;

const GOSSIP: &[(&str, &str)] = &[("spread", "gossip")];

/// Links between peers, counted once.
fn links(lab: &Lab) -> u32 {
    let mut ends = 0;
    for peer in lab.live_peers() {
        lab.sim.machine(peer).neighbours(&mut |_| ends += 1);
    }
    ends / 2
}

#[test]
fn a_search_costs_nothing_and_an_update_a_message_over_every_link_or_two() {
    let mut lab = Lab::joined(&[], 40);
    let (providers, search) = lab.providers(3, item(17, 0).key());
    assert_eq!((providers, search.messages, search.hops), (vec![17], 0, 0));
    let insert = lab.done(3, Request::Insert(item(3, 7)));
    // Everybody but the origin sends to all neighbours but the one it has the
    // news from: twice the links, less one for each of them.
    assert_eq!(insert.messages, 2 * links(&lab) - 39);
    lab.all_find_all();
}

#[test]
fn the_cost_of_an_update_grows_with_the_network() {
    let mut costs = Vec::new();
    for n in [64, 256, 1024] {
        let mut lab = Lab::settled(&[], n);
        let total: u32 =
            (0..8).map(|peer| lab.done(peer, Request::Insert(item(peer, 7))).messages).sum();
        costs.push(f64::from(total) / 8.0 / f64::from(n));
    }
    // Mean degree 4 makes 3 n; a peer may draw itself or one link twice.
    assert!(costs.iter().all(|cost| (2.8..3.05).contains(cost)), "{costs:?}");
}

#[test]
fn a_newcomer_copies_everything() {
    let mut lab = Lab::joined(&[], 30);
    let newcomer = lab.sim.add_peer();
    let join = lab.done(newcomer, Request::Join(vec![Addr::from_index(4)]));
    // At once, before any repair.
    for peer in 0..30 {
        assert_eq!(lab.providers(newcomer, item(peer, 1).key()).0, [peer]);
    }
    assert!(join.bytes > 60 * 20, "sixty records were sent: {} bytes", join.bytes);
}

#[test]
fn the_dead_are_forgotten_within_two_minutes() {
    let mut lab = Lab::joined(&[], 30);
    for peer in (0..30).step_by(3) {
        lab.sim.crash(peer);
    }
    lab.run_s(120);
    lab.all_find_all();
    lab.rest();
}

#[test]
fn repair_makes_up_for_what_loss_left_out() {
    for set in [&[][..], GOSSIP] {
        let mut lab = Lab::new(set, 30, 0.2);
        for peer in lab.peers() {
            lab.join(peer);
        }
        for peer in lab.peers() {
            for number in [0, 1] {
                lab.done(peer, Request::Insert(item(peer, number)));
            }
        }
        lab.done(5, Request::Delete(item(5, 0).key()));
        lab.run_s(600);
        for asker in lab.peers() {
            assert_eq!(lab.providers(asker, item(5, 0).key()).0, [0; 0]);
            assert_eq!(lab.providers(asker, item(6, 0).key()).0, [6]);
        }
        // Links that seem broken and are not must not pile up: there were 60.
        assert!(links(&lab) < 90, "{} links", links(&lab));
    }
}

#[test]
fn the_halves_of_a_partition_learn_what_they_missed() {
    let mut lab = Lab::joined(&[], 24);
    let groups: Vec<u32> = (0..24).map(|node| node % 2).collect();
    lab.sim.partition(&groups);
    // Long enough for each half to give the other up for dead.
    lab.run_s(600);
    assert_eq!(lab.providers(0, item(1, 0).key()).0, [0; 0]);
    for peer in lab.peers() {
        lab.done(peer, Request::Insert(item(peer, 8)));
    }
    lab.done(3, Request::Delete(item(3, 0).key()));
    lab.sim.heal();
    lab.rest();
    lab.all_find_all();
    for asker in lab.peers() {
        assert_eq!(lab.providers(asker, item(9, 8).key()).0, [9]);
        assert_eq!(lab.providers(asker, item(3, 0).key()).0, [0; 0]);
    }
}

#[test]
fn who_is_said_to_be_gone_says_that_it_is_not() {
    let mut lab = Lab::joined(&[], 12);
    // The peer's clock at its join is its epoch; a slanderer does not know it,
    // but any later one will do.
    let later = lab.sim.now().as_us();
    let slander = Message::News(Arc::new(Block::gone(Addr::from_index(5), later)));
    lab.sim.forge(Addr::from_index(7), 2, slander);
    lab.run_s(5);
    lab.rest();
    lab.all_find_all();
}

#[test]
fn gossip_costs_more_and_reaches_all_with_the_help_of_repair() {
    let mut lab = Lab::settled(GOSSIP, 256);
    let insert = lab.done(3, Request::Insert(item(3, 7)));
    let per_peer = f64::from(insert.messages) / 256.0;
    // ln 256 = 5.5, so each passes it on to 9; a draw may hit itself or the
    // peer it has the news from.
    assert!((8.0..=9.0).contains(&per_peer), "{per_peer}");
    lab.run_s(120);
    for asker in lab.peers() {
        assert_eq!(lab.providers(asker, item(3, 7).key()).0, [3]);
    }
}

#[test]
fn a_settled_network_equals_a_joined_one() {
    for n in [64, 256, 1024] {
        let mut costs = Vec::new();
        for mut lab in [Lab::joined(&[], n), Lab::settled(&[], n)] {
            // The audit compares every replica with what the members share.
            lab.rest();
            let total: u32 =
                (0..20).map(|peer| lab.done(peer, Request::Insert(item(peer, 7))).messages).sum();
            costs.push(f64::from(total) / 20.0 / f64::from(n));
            lab.rest();
        }
        let apart = (costs[0] - costs[1]).abs() / costs[1];
        assert!(apart < 0.1, "messages per update and peer: {costs:?}");
    }
}

#[test]
fn everyone_but_one_leaves_and_comes_back() {
    let mut lab = Lab::joined(&[], 12);
    for peer in 1..12 {
        lab.done(peer, Request::Leave);
    }
    lab.rest();
    assert_eq!(lab.live_peers(), [0]);
    lab.all_find_all();
    for peer in 1..12 {
        lab.sim.restart(peer);
        lab.done(peer, Request::Join(vec![Addr::from_index(0)]));
    }
    lab.rest();
    for peer in 1..12 {
        assert_eq!(lab.providers(0, item(peer, 0).key()).0, [0; 0], "it came back with nothing");
    }
}

#[test]
fn a_join_through_the_dead_fails_and_goes_on_to_the_living() {
    let mut lab = Lab::joined(&[], 6);
    lab.sim.crash(4);
    let newcomer = lab.sim.add_peer();
    let dead = Addr::from_index(4);
    let outcome = lab.run(newcomer, Request::Join(vec![dead])).0;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    lab.done(newcomer, Request::Join(vec![dead, Addr::from_index(2)]));
}
