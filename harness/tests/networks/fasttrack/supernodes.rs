//! Who becomes a supernode, what searches cost, and how sharers behind
//! firewalls are reached.

use harness::sim::Request;
use overlays::fasttrack::{Config, Message};
use overlays::{Outcome, Query, Span, Wire as _};

use super::lab::{Lab, own_item};

/// Messages of a kind sent so far.
fn sent(lab: &Lab, kind: &str) -> u64 {
    let at = Message::KINDS.iter().position(|k| *k == kind).expect("a kind of message");
    lab.sim.traffic().sent_by_kind[at]
}

#[test]
fn a_growing_network_elects_more_of_the_capable() {
    let config =
        Config { children_split: 20, children_max: 30, children_min: 3, ..Config::default() };
    let mut lab = Lab::joined(&config, 300, 1);
    let families = lab.families();
    assert!((15..=30).contains(&families.len()), "{families:?}");
    // A family may grow beyond the split when nobody in it is capable.
    assert!(families.iter().all(|&f| f <= 30), "{families:?}");
    assert!(families.iter().filter(|&&f| f > 20).count() <= 3, "{families:?}");
    for node in lab.supernodes() {
        let profile = lab.sim.profile(node);
        assert!(!profile.firewalled && profile.upload_bps >= 1_000_000, "{profile:?}");
    }
    assert!((lab.recall() - 1.0).abs() < 1e-9);
}

#[test]
fn a_shrinking_network_needs_fewer() {
    let config = Config { children_split: 20, children_min: 8, ..Config::default() };
    let mut lab = Lab::joined(&config, 200, 2);
    let before = lab.supernodes().len();
    // Nine ordinary nodes of ten leave.
    let ordinary: Vec<u32> =
        lab.peers().filter(|&n| !lab.sim.machine(n).is_supernode() && n % 10 != 0).collect();
    for node in ordinary {
        let (outcome, _) = lab.outcome(node, &Request::Leave);
        assert_eq!(outcome, Outcome::Done);
        lab.sim.crash(node);
    }
    lab.rest();
    let after = lab.supernodes().len();
    assert!(before >= 8 && after <= before / 2, "{before} supernodes, then {after}");
    assert!((lab.recall() - 1.0).abs() < 1e-9);
}

/// A search for what one peer has asks about half of the supernodes before it
/// meets the right one; one for what nobody has asks all of them, in stages of
/// 6, 12, 24, ...
#[test]
fn a_search_costs_as_many_messages_as_supernodes() {
    let config = Config { children_split: 20, callbacks: 0, ..Config::default() };
    let mut lab = Lab::settled(&config, 600, 4);
    let supernodes = lab.supernodes().len() as u32;
    let asker = lab.peers().find(|&n| lab.sim.machine(n).home().is_some()).unwrap();
    let (outcome, account) =
        lab.outcome(asker, &Request::Search(Query::keywords("nobody has this")));
    assert_eq!(outcome, Outcome::NotFound);
    assert_eq!(account.messages, 2 + 2 * (supernodes - 1), "{supernodes} supernodes");
    // 6, 12 and 24 are asked in three stages: one hop to the supernode, one for
    // each stage.
    assert!((20..=43).contains(&supernodes), "{supernodes}");
    let provider =
        lab.peers().find(|&n| lab.sim.machine(n).home() != lab.sim.machine(asker).home());
    let query = Query::exact(own_item(provider.unwrap()).key());
    let (outcome, account) = lab.outcome(asker, &Request::Search(query));
    assert!(matches!(outcome, Outcome::Found(_)));
    assert!(account.messages < 2 + 2 * supernodes && account.hops <= 4, "{account:?}");
}

#[test]
fn enough_matches_end_a_search() {
    let ask = |enough| {
        let config = Config { children_split: 20, enough, callbacks: 0, ..Config::default() };
        let mut lab = Lab::settled(&config, 400, 4);
        let asker = lab.peers().find(|&n| lab.sim.machine(n).home().is_some()).unwrap();
        let (hits, account) = lab.search(asker, "hit parade");
        (hits.len(), account.messages)
    };
    let (all, dear) = ask(100);
    let (some, cheap) = ask(10);
    assert_eq!(all, 100);
    assert!((10..100).contains(&some) && cheap < dear, "{some} for {cheap}, {all} for {dear}");
}

#[test]
fn sharers_behind_firewalls_are_called_upon() {
    let mut lab = Lab::settled(&Config { children_split: 20, ..Config::default() }, 200, 6);
    let walled: Vec<u32> = lab.peers().filter(|&n| lab.sim.profile(n).firewalled).collect();
    assert!(walled.len() > 30);
    for (turn, &provider) in walled.iter().enumerate() {
        let asker = lab.peers().filter(|&n| !lab.sim.profile(n).firewalled).nth(turn).unwrap();
        let (outcome, _) =
            lab.outcome(asker, &Request::Search(Query::exact(own_item(provider).key())));
        assert!(matches!(outcome, Outcome::Found(_)), "{provider}: {outcome:?}");
    }
    assert_eq!(sent(&lab, "give"), walled.len() as u64, "each has called");
}

/// Without a firewall nobody is called upon, and links are exchanged only where
/// there are others to exchange them for.
#[test]
fn links_are_shuffled() {
    let config = Config { children_split: 4, links: 5, children_min: 0, ..Config::default() };
    let mut lab = Lab::settled(&config, 200, 7);
    let links = |lab: &Lab, node| {
        let mut all = Vec::new();
        overlays::Overlay::neighbours(lab.sim.machine(node), &mut |peer| all.push(peer));
        all.retain(|peer| lab.sim.machine(peer.index()).is_supernode());
        all
    };
    let watched = lab.supernodes();
    let before: Vec<_> = watched.iter().map(|&node| links(&lab, node)).collect();
    lab.run(Span::from_s(23 * 60));
    let mut kept = 0;
    for (&node, before) in watched.iter().zip(&before) {
        let after = links(&lab, node);
        assert!((1..=7).contains(&after.len()), "{after:?}");
        kept += before.iter().filter(|peer| after.contains(peer)).count();
    }
    let all: usize = before.iter().map(Vec::len).sum();
    let kept = kept as f64 / all as f64;
    // Both ends give up a link with their own dice: e^-2 stay, and some return.
    assert!((0.05..0.5).contains(&kept), "{kept:.2} of the links were kept");
}
