//! What becomes of a network whose servers die.

use harness::sim::Request;
use overlays::{Outcome, Query, Reason};

use super::lab::{
    INDEX, Lab, TRACKER, by_words, connected, exact, hit, listed, providers, start_again,
};
use crate::baseline_lab::item;

/// The announce interval, in seconds.
const INTERVAL_S: u64 = 1800;

fn no_contact() -> Outcome {
    Outcome::Failed(Reason::NoContact)
}

#[test]
fn without_its_tracker_nobody_finds_peers_but_swarms_hold() {
    let mut lab = Lab::joined(&[], 20);
    let peers: Vec<u32> = lab.peers().collect();
    for &peer in &peers[..12] {
        lab.done(peer, Request::Insert(hit(0)));
    }
    lab.run_s(300);
    let swarm = connected(&lab, peers[3]);
    assert!(swarm.len() >= 10, "{swarm:?}");
    lab.sim.crash(TRACKER);
    lab.run_s(60);
    assert_eq!(exact(&mut lab, peers[0], &item(peers[5], 0)), no_contact());
    // The index site still tells which torrents there are.
    assert_eq!(by_words(&mut lab, peers[0], "tune 1"), no_contact());
    assert_eq!(lab.run(peers[0], Request::Insert(hit(9))).0, no_contact());
    // Who is in a swarm asks those it is connected to.
    let outcome = exact(&mut lab, peers[3], &hit(0));
    assert!(providers(&outcome).is_subset(&swarm) && outcome != no_contact(), "{outcome:?}");
    lab.run_s(2 * INTERVAL_S);
    assert_eq!(connected(&lab, peers[3]), swarm, "connections need no tracker");
    // It starts again with nothing, and is told everything within the longest
    // wait between two tries, which is the interval.
    start_again(&mut lab, TRACKER);
    assert_eq!(listed(&lab, TRACKER), 0);
    lab.run_s(INTERVAL_S + 120);
    assert_eq!(listed(&lab, TRACKER), 40 + 12 + 1);
    lab.rest();
    lab.all_find_all();
    assert_eq!(providers(&exact(&mut lab, peers[1], &hit(9))).into_iter().next(), Some(peers[0]));
}

#[test]
fn with_the_dht_the_tracker_can_die() {
    let mut lab = Lab::joined(&[("discovery", "both")], 20);
    lab.sim.crash(TRACKER);
    lab.all_find_all();
    let peers: Vec<u32> = lab.peers().collect();
    let words = format!("tune 1 node{}", peers[8]);
    assert_eq!(providers(&by_words(&mut lab, peers[0], &words)).len(), 1);
    lab.done(peers[2], Request::Insert(hit(0)));
    assert_eq!(providers(&exact(&mut lab, peers[3], &hit(0))).len(), 1);
}

#[test]
fn without_its_router_the_dht_goes_on_and_lets_nobody_in() {
    let mut lab = Lab::joined(&[("discovery", "dht")], 20);
    let router = lab.peers().start - 1;
    let peers: Vec<u32> = lab.peers().collect();
    lab.sim.crash(router);
    lab.run_s(60);
    lab.all_find_all();
    // The index site welcomes a newcomer, but it stays out of the DHT: what it
    // shares nobody can find.
    lab.sim.crash(peers[0]);
    lab.sim.restart(peers[0]);
    lab.join(peers[0]);
    let outcome = lab.run(peers[0], Request::Insert(hit(0))).0;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    assert!(providers(&exact(&mut lab, peers[1], &hit(0))).is_empty());
}

/// A backup is asked at once, but hears of a torrent only when its peers'
/// next announces fail at the first.
#[test]
fn a_second_tracker_takes_over_within_an_interval() {
    let mut lab = Lab::joined(&[("trackers", "2")], 20);
    let second = TRACKER + 1;
    assert_eq!((listed(&lab, TRACKER), listed(&lab, second)), (40, 0));
    lab.sim.crash(TRACKER);
    let peers: Vec<u32> = lab.peers().collect();
    assert_eq!(exact(&mut lab, peers[0], &item(peers[5], 0)), Outcome::NotFound);
    lab.done(peers[0], Request::Insert(hit(0)));
    assert_eq!(providers(&exact(&mut lab, peers[1], &hit(0))).len(), 1, "a new one is there");
    lab.run_s(INTERVAL_S + 120);
    assert_eq!(listed(&lab, second), 41);
    lab.rest();
    lab.all_find_all();
}

#[test]
fn without_the_index_words_lead_nowhere_and_magnet_links_do() {
    let mut lab = Lab::joined(&[], 20);
    let peers: Vec<u32> = lab.peers().collect();
    lab.sim.crash(INDEX);
    lab.run_s(60);
    assert_eq!(by_words(&mut lab, peers[0], "tune"), no_contact());
    lab.all_find_all();
    lab.done(peers[0], Request::Insert(hit(0)));
    assert_eq!(providers(&exact(&mut lab, peers[1], &hit(0))).len(), 1);
    // A newcomer has nowhere to go.
    let newcomer = peers[19];
    lab.sim.crash(newcomer);
    lab.sim.restart(newcomer);
    let via = (0..lab.peers().start).map(overlays::Addr::from_index).collect();
    assert_eq!(lab.run(newcomer, Request::Join(via)).0, no_contact());
    // What was published meanwhile is posted once the site is back; what it
    // knew before is gone with it.
    start_again(&mut lab, INDEX);
    lab.run_s(INTERVAL_S + 120);
    assert_eq!(listed(&lab, INDEX), 1);
    assert_eq!(providers(&by_words(&mut lab, peers[1], "hit parade")).len(), 1);
}

#[test]
fn with_all_servers_dead_the_dht_still_finds_peers() {
    let mut lab = Lab::joined(&[("discovery", "both")], 20);
    let peers: Vec<u32> = lab.peers().collect();
    // The first peers have announced themselves when there was but the router
    // to keep it, and do it again every quarter of an hour.
    lab.run_s(2 * INTERVAL_S);
    for server in 0..lab.peers().start {
        lab.sim.crash(server);
    }
    lab.run_s(60);
    lab.all_find_all();
    let query = Query::keywords("tune");
    assert_eq!(lab.run(peers[0], Request::Search(query)).0, no_contact());
}
