//! A client that is also a node of the DHT.

use super::super::Discovery;
use super::*;
use crate::seam::{Reason, Wire as _};

const ROUTER: Addr = Addr::from_index(1003);

/// The DHT's messages among effects: to whom, and of which kind.
fn dht(effects: &Effects) -> Vec<(Addr, &'static str)> {
    let sent = sent(effects).into_iter().filter(|(_, m)| matches!(m, Message::Dht(_)));
    sent.map(|(to, message)| (to, Message::KINDS[message.kind()])).collect()
}

fn config(discovery: Discovery) -> Config {
    Config { discovery, ..Config::default() }
}

#[test]
fn servers_are_those_that_discovery_needs() {
    let servers = |discovery| BitTorrent::servers(&Config { trackers: 2, ..config(discovery) });
    assert_eq!(servers(Discovery::Tracker), 3, "index site and trackers");
    assert_eq!(servers(Discovery::Both), 4, "and the router of the DHT");
    assert_eq!(servers(Discovery::Dht), 2);
}

#[test]
fn a_join_enters_the_dht_too() {
    let mut bench = Bench::client(&config(Discovery::Dht));
    let effects = bench.join(1, &[INDEX, ROUTER]);
    assert_eq!(sent(&effects)[0], (INDEX, Message::Visit));
    assert_eq!(dht(&effects), [(ROUTER, "dht-find_node")]);
    assert!(finished(&bench.receive(INDEX, Message::Welcome)).is_empty(), "not in the DHT yet");
}

#[test]
fn one_of_index_site_and_dht_is_enough() {
    let mut bench = Bench::client(&config(Discovery::Dht));
    let effects = bench.join(1, &[INDEX, ROUTER]);
    let mut timers: Vec<Timer> = woken(&effects).into_iter().map(|(_, timer)| timer).collect();
    bench.receive(INDEX, Message::Welcome);
    let mut ends = Vec::new();
    for _ in 0..10 {
        bench.now += Span::from_s(2);
        let due = timers.drain(..).filter(|t| matches!(t, Timer::Dht(_))).collect::<Vec<_>>();
        for timer in due {
            let effects = bench.wake(timer);
            ends.extend(finished(&effects));
            timers.extend(woken(&effects).into_iter().map(|(_, timer)| timer));
        }
    }
    assert_eq!(ends, [(1, Outcome::Done)], "the router is dead, the index site is not");
    let effects = bench.wake(Timer::Round);
    assert_eq!(dht(&effects), [(ROUTER, "dht-find_node")], "and is tried again");
}

#[test]
fn a_join_without_anyone_fails() {
    let mut bench = Bench::client(&config(Discovery::Both));
    bench.join(1, &[INDEX]);
    let effects = bench.lose(INDEX);
    assert_eq!(finished(&effects), [(1, Outcome::Failed(Reason::NoContact))]);
}

#[test]
fn the_router_answers_the_dht_and_nobody_else() {
    let mut bench = Bench::new(&config(Discovery::Dht), &Profile::server(ROUTER));
    bench.join(1, &[INDEX]);
    let mut client = Bench::client(&config(Discovery::Dht));
    let question = sent(&client.join(1, &[INDEX, ROUTER])).pop().unwrap().1;
    let effects = bench.receive(peer(1), question);
    // It also pings whoever it did not know.
    assert!(dht(&effects).contains(&(peer(1), "dht-nodes")), "{effects:?}");
    let effects = bench.receive(peer(1), Message::Visit);
    assert_eq!((sent(&effects), closed(&effects)), (Vec::new(), vec![peer(1)]));
}

#[test]
fn the_packets_are_those_of_the_dht() {
    let mut client = Bench::client(&config(Discovery::Dht));
    let question = sent(&client.join(1, &[INDEX, ROUTER])).pop().unwrap().1;
    let bytes = question.to_bytes();
    assert!(bytes.starts_with(b"d1:ad2:id20:"), "{}", bytes.escape_ascii());
    assert_eq!(Message::from_bytes(&bytes), Ok(question));
    // Each kind of the DHT's has a name here.
    let theirs = <crate::mainline::Mainline as crate::Machine>::Message::KINDS;
    let ours = Message::KINDS[Message::KINDS.len() - theirs.len()..].iter();
    assert!(ours.eq(theirs.iter().map(|kind| format!("dht-{kind}")).collect::<Vec<_>>().iter()));
}
