//! Small client-server networks in the simulator.

use std::sync::Arc;

use crate::baseline_lab::item;
use harness::experiment::{self, Measures, Plan, Watch};
use harness::sim::{Request, Verb};
use harness::workload::Catalog;
use overlays::client_server::ClientServer;
use overlays::{Addr, Outcome, Query};

type Lab = crate::baseline_lab::Lab<ClientServer>;

const THREE: &[(&str, &str)] = &[("servers", "3")];

#[test]
fn a_search_is_one_round_trip_and_an_update_two_messages_per_server() {
    for (set, servers) in [(&[][..], 1), (THREE, 3)] {
        let mut lab = Lab::joined(set, 20);
        let peer = lab.peers().start;
        let (providers, search) = lab.providers(peer, item(peer + 5, 0).key());
        assert_eq!(providers, [peer + 5]);
        assert_eq!((search.hops, search.messages), (1, 2));
        let insert = lab.done(peer, Request::Insert(item(peer, 7)));
        assert_eq!(insert.messages, 2 * servers, "put, passed on, confirmed twice over");
        let delete = lab.done(peer, Request::Delete(item(peer, 7).key()));
        assert_eq!(delete.messages, 2 * servers);
        lab.all_find_all();
    }
}

#[test]
fn a_confirmed_update_is_seen_at_every_server() {
    let mut lab = Lab::joined(&[("servers", "3"), ("reads", "random")], 12);
    let peers: Vec<u32> = lab.peers().collect();
    lab.done(peers[0], Request::Insert(item(peers[0], 9)));
    for &asker in &peers {
        assert_eq!(lab.providers(asker, item(peers[0], 9).key()).0, [peers[0]]);
    }
}

#[test]
fn clients_read_from_the_server_that_answers_first() {
    let mut lab = Lab::joined(THREE, 20);
    let mut faster = 0;
    for peer in lab.peers() {
        // The first search opens the stream, which takes a round trip more.
        lab.providers(peer, item(peer, 0).key());
        let (_, near) = lab.providers(peer, item(peer, 0).key());
        let insert = lab.done(peer, Request::Insert(item(peer, 5)));
        let took = |op: &harness::sim::Operation| op.ended.unwrap().since(op.started);
        faster += u32::from(took(&near) < took(&insert));
    }
    assert_eq!(faster, 20, "no write is confirmed before the nearest server answers a read");
}

#[test]
fn when_the_primary_dies_the_next_server_takes_over() {
    let mut lab = Lab::joined(THREE, 20);
    lab.sim.crash(0);
    lab.run_s(60);
    lab.rest();
    lab.all_find_all();
    let peer = lab.peers().start;
    let insert = lab.done(peer, Request::Insert(item(peer, 7)));
    assert_eq!(insert.messages, 4, "two servers are left");
}

#[test]
fn a_search_under_way_at_a_server_that_dies_is_answered_by_another() {
    let mut lab = Lab::joined(THREE, 20);
    let peers: Vec<u32> = lab.peers().collect();
    let query = Query::exact(item(peers[3], 0).key());
    let ops: Vec<_> =
        peers.iter().map(|&peer| lab.sim.start(peer, &Request::Search(query.clone()), 0)).collect();
    lab.sim.crash(1);
    lab.run_s(60);
    for op in ops {
        assert!(matches!(lab.log.outcomes[&op], Outcome::Found(_)), "{:?}", lab.log.outcomes[&op]);
    }
}

#[test]
fn a_server_that_comes_back_catches_up() {
    // More records than two pages hold.
    let mut lab = Lab::joined(THREE, 160);
    for server in [2, 0] {
        lab.sim.crash(server);
        lab.run_s(30);
        let peer = lab.peers().start + server;
        lab.done(peer, Request::Insert(item(peer, 7)));
        lab.done(peer, Request::Delete(item(peer, 0).key()));
        lab.sim.restart(server);
        let others = (0..3).filter(|&s| s != server).map(Addr::from_index).collect();
        lab.done(server, Request::Join(others));
        // The audit asks for the same store at every server.
        lab.rest();
    }
}

#[test]
fn after_all_servers_died_the_clients_store_anew() {
    let mut lab = Lab::joined(THREE, 12);
    (0..3).for_each(|server| lab.sim.crash(server));
    lab.run_s(60);
    let peer = lab.peers().start;
    let outcome = lab.run(peer, Request::Search(Query::keywords("tune"))).0;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    for server in 0..3 {
        lab.sim.restart(server);
        lab.done(server, Request::Join((0..server).map(Addr::from_index).collect()));
    }
    lab.rest();
    lab.all_find_all();
}

#[test]
fn the_halves_of_a_partition_become_one_again() {
    let mut lab = Lab::joined(THREE, 12);
    let groups: Vec<u32> = (0..15).map(|node| node % 2).collect();
    lab.sim.partition(&groups);
    lab.run_s(300);
    for peer in lab.live_peers() {
        lab.run(peer, Request::Insert(item(peer, 8)));
    }
    lab.run_s(300);
    lab.sim.heal();
    lab.rest();
    lab.all_find_all();
}

#[test]
fn a_settled_network_equals_a_joined_one() {
    for (set, n) in [(&[][..], 64), (THREE, 64), (&[][..], 1024)] {
        let mut costs = Vec::new();
        for mut lab in [Lab::joined(set, n), Lab::settled(set, n)] {
            // The audit compares every store with what the clients share.
            lab.rest();
            let peer = lab.peers().start + 7;
            let (providers, search) = lab.providers(peer, item(peer + 9, 1).key());
            let insert = lab.done(peer, Request::Insert(item(peer, 5)));
            costs.push((providers, search.messages, search.hops, insert.messages));
        }
        assert_eq!(costs[0], costs[1]);
    }
}

#[test]
fn a_third_of_the_clients_dies_and_everyone_but_one_leaves() {
    let mut lab = Lab::joined(&[], 30);
    for peer in lab.live_peers().into_iter().step_by(3) {
        lab.sim.crash(peer);
    }
    lab.run_s(60);
    lab.rest();
    lab.all_find_all();
    for peer in lab.live_peers().into_iter().skip(1) {
        lab.done(peer, Request::Leave);
    }
    lab.rest();
    lab.all_find_all();
}

#[test]
fn whoever_finds_an_item_shares_its_copy_if_told_to() {
    let run = |downloads| {
        let plan = Plan {
            settle: true,
            searches: 100,
            downloads,
            ..Plan::standard(60, Arc::new(Catalog::embedded()))
        };
        experiment::run::<ClientServer>(&Arc::default(), &plan, &Watch::default()).unwrap()
    };
    let (without, with) = (run(false), run(true));
    let inserts = |measures: &Measures| measures.operations[&Verb::Insert].count;
    let entries = |measures: &Measures| measures.storage.index_entries.max();
    // The ten inserts of the updates, and one for most of 200 searches.
    assert_eq!(inserts(&without), 10);
    assert!(inserts(&with) > 60, "{} inserts", inserts(&with));
    assert!(entries(&with) > entries(&without));
    for (verb, operations) in &with.operations {
        assert_eq!(operations.correct, operations.count, "{verb:?}");
    }
}
