//! What happens when servers, supernodes and peers die, the network splits or
//! loses packets, and when a stranger floods.

use harness::sim::Request;
use overlays::fasttrack::{Bandwidth, Config, Message};
use overlays::{Addr, Item, Outcome, Overlay as _, Reason, Span};
use std::sync::Arc;

use super::lab::Lab;

/// Small families, so that there are several supernodes.
fn small() -> Config {
    Config { children_split: 20, children_max: 30, children_min: 3, ..Config::default() }
}

#[test]
fn nobody_misses_the_list_server_until_somebody_looks_for_a_supernode() {
    let mut lab = Lab::settled(&small(), 200, 1);
    lab.sim.crash(0);
    lab.run(Span::from_s(600));
    assert!((lab.recall() - 1.0).abs() < 1e-9);
    // A newcomer has nowhere to ask.
    let newcomer = lab.add_peer();
    let (outcome, _) = lab.outcome(newcomer, &Request::Join(vec![Addr::from_index(0)]));
    assert_eq!(outcome, Outcome::Failed(Reason::NoContact));
    lab.sim.crash(newcomer);
    // Those who were in the network remember other supernodes.
    let victim = lab.supernodes()[0];
    let orphans = lab.sim.machine(victim).children();
    lab.sim.crash(victim);
    lab.run(Span::from_s(300));
    let homeless: Vec<String> =
        lab.audit().into_iter().filter(|line| line.contains("no supernode")).collect();
    assert!(orphans > 3 && homeless.is_empty(), "{orphans} orphans: {homeless:?}");
    assert!((lab.recall() - 1.0).abs() < 1e-9);
}

#[test]
fn orphans_find_another_supernode_and_upload_again() {
    let mut lab = Lab::settled(&small(), 300, 2);
    let supernodes = lab.supernodes();
    for &victim in supernodes.iter().step_by(3) {
        lab.sim.crash(victim);
    }
    let right_after = lab.recall();
    assert!(right_after < 0.8, "{right_after}");
    lab.run(Span::from_s(60));
    let later = lab.recall();
    assert!(later > 0.99, "{later}");
    lab.rest();
}

#[test]
fn all_supernodes_die_at_once() {
    let mut lab = Lab::settled(&small(), 200, 3);
    for victim in lab.supernodes() {
        lab.sim.crash(victim);
    }
    lab.rest();
    let families = lab.families();
    assert!(families.len() >= 5, "{families:?}");
    assert!((lab.recall() - 1.0).abs() < 1e-9);
}

#[test]
fn three_of_ten_die_under_loss() {
    let mut lab = Lab::new(&small(), 200, 0.05, 4);
    lab.sim.settle(&super::lab::shares(200)).expect("there is a list server");
    for victim in lab.peers().filter(|n| n % 10 < 3).collect::<Vec<_>>() {
        lab.sim.crash(victim);
    }
    lab.rest();
    assert!((lab.recall() - 1.0).abs() < 1e-9);
}

#[test]
fn a_partition_makes_two_networks_that_become_one_again() {
    let mut lab = Lab::settled(&small(), 200, 5);
    let groups: Vec<u32> = (0..lab.sim.len() as u32).map(|node| node % 2).collect();
    lab.sim.partition(&groups);
    lab.run(Span::from_s(600));
    // The half without the list server goes on with what it remembers.
    for node in lab.peers().filter(|&n| n % 2 == 1) {
        let machine = lab.sim.machine(node);
        assert!(machine.is_supernode() || machine.home().is_some_and(|h| h.index() % 2 == 1));
    }
    lab.sim.heal();
    lab.rest();
    assert!((lab.recall() - 1.0).abs() < 1e-9);
}

#[test]
fn two_found_a_network_at_the_same_time() {
    let mut lab = Lab::new(&Config::default(), 20, 0.0, 6);
    lab.ask(0, &Request::Join(Vec::new()));
    lab.run(Span::from_s(1));
    for peer in 1..=3 {
        lab.ask(peer, &Request::Join(vec![Addr::from_index(0)]));
    }
    lab.run(Span::from_s(5));
    assert!(lab.supernodes().len() > 1, "each found an empty list");
    for peer in 4..=20 {
        lab.ask(peer, &Request::Join(vec![Addr::from_index(0)]));
    }
    lab.rest();
    assert_eq!(lab.supernodes().len(), 1, "one is enough for twenty");
}

#[test]
fn a_stranger_that_floods_fills_what_there_is_room_for_and_no_more() {
    let mut lab = Lab::settled(&small(), 100, 7);
    let victim = lab.supernodes()[0];
    for number in 0..2_000 {
        let stranger = Addr::from_index(1_000_000 + number);
        let bandwidth = Bandwidth::MOST;
        let login = Message::UserInfo { addr: stranger, bandwidth, firewalled: false };
        lab.sim.forge(stranger, victim, login);
        let item = Arc::new(Item::new(&format!("junk {number}"), 1));
        lab.sim.forge(stranger, victim, Message::Share(item));
        lab.sim.forge(stranger, victim, Message::Link { load: 0 });
        lab.run(Span::from_us(100));
    }
    let machine = lab.sim.machine(victim);
    assert!(machine.children() <= 30 && machine.footprint().routing_entries <= 30 + 60);
    // The strangers' streams lead nowhere: they are gone after the next round
    // of messages to them.
    lab.rest();
    assert!((lab.recall() - 1.0).abs() < 1e-9);
}
