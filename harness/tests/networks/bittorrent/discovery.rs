//! How torrents and their peers are found.

use std::collections::BTreeSet;

use harness::sim::Request;

use super::lab::{INDEX, Lab, TRACKER, by_words, connected, hit, known, listed, providers, sent};
use crate::baseline_lab::item;

/// The announce interval, in seconds.
const INTERVAL_S: u64 = 1800;

#[test]
fn everyone_finds_what_others_have_published() {
    for discovery in ["tracker", "dht", "both"] {
        let mut lab = Lab::joined(&[("discovery", discovery)], 20);
        lab.all_find_all();
        let peers: Vec<u32> = lab.peers().collect();
        for (asker, other) in [(0, 5), (7, 12), (19, 1)] {
            let words = format!("tune 0 node{}", peers[other]);
            let outcome = by_words(&mut lab, peers[asker], &words);
            assert_eq!(providers(&outcome).into_iter().collect::<Vec<_>>(), [peers[other]]);
        }
    }
}

/// Tracker, handshake, metadata: three hops there. The answers, and the words
/// that end the visit, make it ten messages.
#[test]
fn a_search_by_key_takes_three_hops_whatever_the_size() {
    for peers in [10, 60] {
        let mut lab = Lab::joined(&[], peers);
        let first = lab.peers().start;
        let (found, search) = lab.providers(first, item(first + 7, 1).key());
        assert_eq!(found, [first + 7]);
        assert_eq!(search.hops, 3);
        assert!((9..=10).contains(&search.messages), "{}", search.messages);
    }
}

#[test]
fn a_tracker_names_no_more_peers_than_it_is_asked_for() {
    let mut lab = Lab::joined(&[("numwant", "8")], 30);
    let peers: Vec<u32> = lab.peers().collect();
    for &peer in &peers[1..] {
        lab.done(peer, Request::Insert(hit(0)));
    }
    let (found, _) = lab.providers(peers[0], hit(0).key());
    assert_eq!(found.len(), 8);
    assert!(found.iter().all(|provider| peers[1..].contains(provider)), "{found:?}");
    // Who asks twice is told of others.
    let (again, _) = lab.providers(peers[0], hit(0).key());
    assert_ne!(found, again);
}

#[test]
fn announces_are_repeated_at_the_interval() {
    let mut lab = Lab::joined(&[], 20);
    let torrents = listed(&lab, TRACKER);
    assert_eq!(torrents, 40);
    let before = sent(&lab, "announce");
    lab.run_s(4 * INTERVAL_S);
    let announces = sent(&lab, "announce") - before;
    // A client looks once a minute which are due, so an interval is up to a
    // minute longer.
    let (most, least) = (4 * torrents, 4 * torrents * INTERVAL_S / (INTERVAL_S + 60) - torrents);
    assert!((least..=most).contains(&announces), "{announces} of {least} to {most}");
    assert_eq!(listed(&lab, TRACKER), torrents);
}

/// The tracker forgets a peer after two intervals without an announce, and
/// looks once a minute.
#[test]
fn who_falls_silent_is_forgotten_after_two_intervals() {
    let mut lab = Lab::joined(&[], 12);
    let gone = lab.peers().start + 4;
    lab.run_s(INTERVAL_S);
    lab.sim.crash(gone);
    lab.run_s(INTERVAL_S);
    assert!(known(&lab, TRACKER).contains(&gone), "it may have missed but one announce");
    // Its name is handed out until then; who calls it finds nobody.
    let (found, search) = lab.providers(gone + 1, item(gone, 0).key());
    assert_eq!(found, [0; 0]);
    assert!(search.timeouts > 0, "{search:?}");
    lab.run_s(INTERVAL_S + 180);
    assert!(!known(&lab, TRACKER).contains(&gone));
    assert_eq!(listed(&lab, TRACKER), 22);
}

/// A tracker that names two peers gives everyone about four connections. Peers
/// that tell each other of theirs have soon as many as they want.
#[test]
fn peer_exchange_finds_what_the_tracker_does_not_tell() {
    let mut means = Vec::new();
    for pex in ["off", "on"] {
        let mut lab = Lab::joined(&[("numwant", "2"), ("pex", pex)], 30);
        for peer in lab.peers() {
            lab.done(peer, Request::Insert(hit(0)));
        }
        // Less than an interval: the tracker is not asked again.
        lab.run_s(900);
        lab.rest();
        let connections: usize = lab.peers().map(|peer| connected(&lab, peer).len()).sum();
        means.push(connections as f64 / 30.0);
    }
    println!("connections: {:.1} without peer exchange, {:.1} with it", means[0], means[1]);
    assert!(means[0] < 5.0 && means[1] >= 10.0, "{means:?}");
}

/// Two trackers in one tier split a swarm in two, which peer exchange cannot
/// mend: news travels along connections, and there is none between the halves.
#[test]
fn two_trackers_in_one_tier_split_a_swarm() {
    let set = [("trackers", "2"), ("tiers", "shared")];
    let mut lab = Lab::joined(&set, 24);
    for peer in lab.peers() {
        lab.done(peer, Request::Insert(hit(0)));
    }
    lab.run_s(900);
    assert_eq!(listed(&lab, TRACKER) + listed(&lab, TRACKER + 1), 3 * 24);
    // Whoever looks asks one of the trackers and finds its half.
    let asker = lab.sim.add_peer();
    lab.join(asker);
    let halves: BTreeSet<Vec<u32>> = (0..12)
        .map(|_| {
            let (mut found, _) = lab.providers(asker, hit(0).key());
            found.sort_unstable();
            found
        })
        .collect();
    let union: BTreeSet<u32> = halves.iter().flatten().copied().collect();
    assert_eq!((halves.len(), union.len()), (2, 24), "{halves:?}");
}

#[test]
fn the_index_lists_each_torrent_once() {
    let mut lab = Lab::joined(&[], 10);
    let before = listed(&lab, INDEX);
    assert_eq!(before, 20);
    for peer in lab.peers() {
        lab.done(peer, Request::Insert(hit(1)));
    }
    assert_eq!(listed(&lab, INDEX), before + 1);
    let asker = lab.peers().start;
    let outcome = by_words(&mut lab, asker, "hit PARADE");
    assert_eq!(providers(&outcome).len(), 9, "everyone but the asker: {outcome:?}");
}
