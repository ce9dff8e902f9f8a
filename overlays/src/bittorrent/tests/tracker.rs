//! The tracker.

use std::collections::BTreeSet;

use super::super::{Counts, Refusal};
use super::*;

#[test]
fn peers_hear_of_each_other_and_not_of_themselves() {
    let mut bench = Bench::tracker(&Config::default());
    assert_eq!(listed(&bench.announce(1, "a", Event::Started, 0)), []);
    assert_eq!(listed(&bench.announce(2, "a", Event::Started, 0)), [peer(1)]);
    assert_eq!(listed(&bench.announce(3, "b", Event::Started, 0)), [], "another torrent");
    let Message::Peers(reply) = bench.announce(4, "a", Event::Started, 99) else { panic!() };
    assert_eq!((reply.complete, reply.incomplete), (2, 1));
    assert_eq!((reply.interval_s, reply.min_interval_s), (1800, Some(300)));
    assert_eq!(BTreeSet::from_iter(reply.peers), BTreeSet::from([peer(1), peer(2)]));
}

#[test]
fn at_most_fifty_peers_are_told_at_random() {
    let mut bench = Bench::tracker(&Config::default());
    for index in 0..500 {
        bench.announce(index, "a", Event::Started, 0);
    }
    let mut seen = BTreeSet::new();
    for index in 500..600 {
        let peers = listed(&bench.announce(index, "a", Event::Started, 7));
        let different: BTreeSet<Addr> = peers.iter().copied().collect();
        assert_eq!((peers.len(), different.len()), (50, 50));
        seen.extend(different);
        bench.announce(index, "a", Event::Stopped, 7);
    }
    // 5,000 draws miss a given one of 500 with probability e^-10.
    assert!(seen.len() >= 498, "{} of 500", seen.len());
    let Message::Announce(mut announce) = announce(1, "a", Event::Started, 0) else { panic!() };
    announce.numwant = 3;
    let effects = bench.receive(peer(1), Message::Announce(announce));
    assert_eq!(listed(&sent(&effects)[0].1).len(), 3, "fewer if fewer are wanted");
}

#[test]
fn whoever_lacks_something_hears_of_seeds_first() {
    let mut bench = Bench::tracker(&Config { max_numwant: 4, ..Config::default() });
    for index in 0..3 {
        bench.announce(index, "a", Event::Started, 0);
        bench.announce(10 + index, "a", Event::Started, 5);
    }
    let peers = listed(&bench.announce(20, "a", Event::Started, 5));
    let seeds = peers.iter().filter(|peer| peer.index() < 10).count();
    assert_eq!((peers.len(), seeds), (4, 3));
}

#[test]
fn events_move_peers_between_the_counts() {
    let mut bench = Bench::tracker(&Config::default());
    let mut count = |event, left| {
        bench.announce(1, "a", event, left);
        let effects = bench.receive(INDEX, Message::Scrape([item("a").key()].into()));
        match &sent(&effects)[..] {
            [(INDEX, Message::Scraped(files))] => files[0].1,
            other => panic!("no counts: {other:?}"),
        }
    };
    let counts = |complete, downloaded, incomplete| Counts { complete, downloaded, incomplete };
    assert_eq!(count(Event::Started, 9), counts(0, 0, 1));
    assert_eq!(count(Event::Completed, 0), counts(1, 1, 0));
    assert_eq!(count(Event::Stopped, 0), counts(0, 0, 0), "the swarm is forgotten");
    assert_eq!(count(Event::Stopped, 0), counts(0, 0, 0), "twice does no harm");
}

#[test]
fn who_misses_announces_is_forgotten() {
    let mut bench = Bench::tracker(&Config::default());
    bench.announce(1, "a", Event::Started, 0);
    bench.now += Span::from_s(3500);
    bench.announce(2, "a", Event::Started, 0);
    bench.wake(Timer::Expire);
    assert_eq!(listed(&bench.announce(3, "a", Event::Started, 0)).len(), 2, "one was missed");
    bench.now += Span::from_s(200);
    let effects = bench.wake(Timer::Expire);
    assert_eq!(woken(&effects), [(Span::from_s(60), Timer::Expire)], "and again");
    let left: BTreeSet<Addr> = bench.neighbours().into_iter().collect();
    assert_eq!(left, BTreeSet::from([peer(2), peer(3)]), "two were missed");
    bench.now += Span::from_s(4000);
    bench.wake(Timer::Expire);
    assert_eq!(bench.node.footprint().index_entries, 0);
}

#[test]
fn impatience_and_excess_are_refused() {
    let config = Config { max_torrents: 2, max_swarm: 2, ..Config::default() };
    let mut bench = Bench::tracker(&config);
    bench.announce(1, "a", Event::Started, 0);
    bench.now += Span::from_s(299);
    let refused = bench.announce(1, "a", Event::Interval, 0);
    assert_eq!(refused, Message::Refused(Refusal::TooOften));
    bench.now += Span::from_s(1);
    assert_eq!(listed(&bench.announce(1, "a", Event::Interval, 0)), []);
    bench.announce(2, "a", Event::Started, 0);
    assert_eq!(bench.announce(3, "a", Event::Started, 0), Message::Refused(Refusal::Full));
    bench.announce(3, "b", Event::Started, 0);
    assert_eq!(bench.announce(3, "c", Event::Started, 0), Message::Refused(Refusal::Full));
    assert_eq!(bench.node.footprint().index_entries, 3);
}

#[test]
fn a_tracker_is_no_index_site() {
    let mut bench = Bench::tracker(&Config::default());
    for message in [Message::Visit, Message::Publish(Box::new(magnet("a")))] {
        let effects = bench.receive(peer(1), message);
        assert_eq!(sent(&effects), [(peer(1), Message::Refused(Refusal::NotServedHere))]);
    }
    for message in [peers(&[1]), accept(1, "a", true), Message::KeepAlive] {
        assert!(bench.receive(peer(1), message).is_empty());
    }
}
