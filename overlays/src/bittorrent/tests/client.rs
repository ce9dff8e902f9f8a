//! The client: joining, publishing, announcing, leaving.

use super::super::{Refusal, Tiers};
use super::*;
use crate::seam::Reason;

/// The announces among messages: to whom, and what.
fn announced(effects: &Effects) -> Vec<(Addr, Event)> {
    let sent = sent(effects).into_iter();
    sent.filter_map(|(to, message)| match message {
        Message::Announce(announce) => Some((to, announce.event)),
        _ => None,
    })
    .collect()
}

#[test]
fn a_join_visits_the_index_site() {
    let mut bench = Bench::client(&Config::default());
    assert_eq!(finished(&bench.join(1, &[])), [(1, Outcome::Failed(Reason::NoContact))]);
    let itself = bench.join(2, &[peer(1)]);
    assert_eq!(finished(&itself), [(2, Outcome::Failed(Reason::NoContact))]);
    bench.join(3, &[INDEX]);
    let again = finished(&bench.join(4, &[INDEX]));
    assert_eq!(again, [(4, Outcome::Failed(Reason::Refused))], "one at a time");
    let effects = bench.lose(INDEX);
    assert_eq!(finished(&effects), [(3, Outcome::Failed(Reason::NoContact))]);
    let effects = bench.join(5, &[INDEX]);
    let (timeout, timer) = woken(&effects)[0];
    assert_eq!(timeout, Span::from_s(30));
    let effects = bench.wake(timer);
    assert_eq!(finished(&effects), [(5, Outcome::Failed(Reason::Timeout))]);
    assert_eq!(closed(&effects), [INDEX]);
    bench.join(6, &[TRACKERS[0]]);
    let effects = bench.receive(TRACKERS[0], Message::Refused(Refusal::NotServedHere));
    assert_eq!(finished(&effects), [(6, Outcome::Failed(Reason::Refused))]);
    bench.join(7, &[INDEX]);
    let effects = bench.receive(INDEX, Message::Welcome);
    assert_eq!(finished(&effects), [(7, Outcome::Done)]);
    assert_eq!(closed(&effects), [INDEX], "the stream has had its use");
    assert_eq!(finished(&bench.join(8, &[INDEX])), [(8, Outcome::Done)]);
}

#[test]
fn an_insert_publishes_and_announces() {
    let config = Config { trackers: 2, ..Config::default() };
    let mut bench = Bench::joined(&config);
    let effects = bench.insert(2, "a");
    let link = Magnet::of(&item("a"), &Arc::from(TRACKERS));
    assert_eq!(
        sent(&effects),
        [
            (INDEX, Message::Publish(Box::new(link))),
            (TRACKERS[0], announce(1, "a", Event::Started, 0)),
        ]
    );
    assert!(finished(&bench.receive(TRACKERS[0], peers(&[7]))).is_empty());
    let effects = bench.receive(INDEX, Message::Published { accepted: true });
    assert_eq!(finished(&effects), [(2, Outcome::Done)]);
    assert_eq!(finished(&bench.insert(3, "a")), [(3, Outcome::Done)], "it is shared already");
}

#[test]
fn a_magnet_link_works_without_the_index_site() {
    let mut bench = Bench::joined(&Config::default());
    bench.insert(2, "a");
    bench.lose(INDEX);
    let effects = bench.receive(TRACKERS[0], peers(&[]));
    assert_eq!(finished(&effects), [(2, Outcome::Done)]);
    bench.now += Span::from_s(1800);
    let posted = sent(&bench.wake(Timer::Round));
    assert!(posted.iter().any(|(to, m)| *to == INDEX && matches!(m, Message::Publish(_))));
}

#[test]
fn backups_are_tried_in_order() {
    let config = Config { trackers: 2, ..Config::default() };
    let mut bench = Bench::joined(&config);
    bench.insert(2, "a");
    bench.receive(INDEX, Message::Published { accepted: true });
    let effects = bench.lose(TRACKERS[0]);
    assert_eq!(announced(&effects), [(TRACKERS[1], Event::Started)]);
    let effects = bench.receive(TRACKERS[1], peers(&[]));
    assert_eq!(finished(&effects), [(2, Outcome::Done)]);
    // The first is asked first again, as somebody new to it.
    bench.now += Span::from_s(1800);
    assert_eq!(announced(&bench.wake(Timer::Round)), [(TRACKERS[0], Event::Started)]);
    let effects = bench.lose(TRACKERS[0]);
    assert_eq!(announced(&effects), [(TRACKERS[1], Event::Started)]);
}

#[test]
fn a_shared_tier_is_shuffled_and_keeps_to_who_answered() {
    let config = Config { trackers: 2, tiers: Tiers::Shared, ..Config::default() };
    let mut first = std::collections::BTreeSet::new();
    let mut bench = Bench::joined(&config);
    for number in 0..20 {
        let effects = bench.insert(10 + number, &format!("{number}"));
        let tracker = announced(&effects)[0].0;
        first.insert(tracker);
        bench.receive(tracker, peers(&[]));
    }
    assert_eq!(first.len(), 2, "each is first now and then");
    let asked = announced(&bench.insert(2, "a"))[0].0;
    let other = announced(&bench.lose(asked))[0].0;
    assert_ne!(asked, other);
    bench.receive(other, peers(&[]));
    for _ in 0..30 {
        bench.receive(INDEX, Message::Published { accepted: true });
    }
    bench.now += Span::from_s(1800);
    let again = sent(&bench.wake(Timer::Round)).into_iter();
    let key = item("a").key();
    let to = again.filter(|(_, m)| matches!(m, Message::Announce(a) if a.info_hash == key));
    assert_eq!(to.map(|(to, _)| to).collect::<Vec<_>>(), [other]);
}

#[test]
fn an_insert_that_no_tracker_takes_fails_and_is_tried_again() {
    let mut bench = Bench::joined(&Config::default());
    bench.insert(2, "a");
    bench.receive(INDEX, Message::Published { accepted: true });
    let effects = bench.receive(TRACKERS[0], Message::Refused(Refusal::Full));
    assert_eq!(finished(&effects), [(2, Outcome::Failed(Reason::Refused))]);
    for wait_s in [60, 120, 240, 480, 960, 1800, 1800] {
        bench.now += Span::from_s(wait_s - 1);
        assert_eq!(announced(&bench.wake(Timer::Round)), [], "before {wait_s} s");
        bench.now += Span::from_s(1);
        assert_eq!(announced(&bench.wake(Timer::Round)), [(TRACKERS[0], Event::Started)]);
        bench.lose(TRACKERS[0]);
    }
}

#[test]
fn announces_come_every_interval() {
    let mut bench = Bench::sharing(&Config::default(), "a", &[]);
    bench.now += Span::from_s(1799);
    let effects = bench.wake(Timer::Round);
    assert_eq!(announced(&effects), []);
    assert_eq!(woken(&effects), [(Span::from_s(60), Timer::Round)]);
    bench.now += Span::from_s(1);
    assert_eq!(announced(&bench.wake(Timer::Round)), [(TRACKERS[0], Event::Interval)]);
    assert_eq!(announced(&bench.wake(Timer::Round)), [], "one is under way");
}

#[test]
fn a_tracker_cannot_ask_for_announces_without_end() {
    let mut bench = Bench::joined(&Config::default());
    bench.insert(2, "a");
    let reply = |interval_s| Message::Peers(Box::new(Peers { interval_s, ..Peers::default() }));
    bench.receive(TRACKERS[0], reply(0));
    bench.receive(INDEX, Message::Published { accepted: true });
    assert_eq!(announced(&bench.wake(Timer::Round)), []);
    bench.now += Span::from_s(60);
    assert_eq!(announced(&bench.wake(Timer::Round)).len(), 1);
    bench.receive(TRACKERS[0], reply(u32::MAX));
    bench.now += Span::from_s(86_400);
    assert_eq!(announced(&bench.wake(Timer::Round)).len(), 1);
}

#[test]
fn what_was_inserted_before_is_announced_by_the_join() {
    let mut bench = Bench::client(&Config::default());
    assert_eq!(finished(&bench.insert(1, "a")), [(1, Outcome::Done)]);
    bench.join(2, &[INDEX, TRACKERS[0]]);
    let effects = bench.receive(INDEX, Message::Welcome);
    assert!(finished(&effects).is_empty());
    assert_eq!(announced(&effects), [(TRACKERS[0], Event::Started)]);
    bench.receive(INDEX, Message::Published { accepted: true });
    let effects = bench.receive(TRACKERS[0], peers(&[]));
    assert_eq!(finished(&effects), [(2, Outcome::Done)]);
}

#[test]
fn a_delete_stops_the_torrent_and_hangs_up() {
    let mut bench = Bench::sharing(&Config::default(), "a", &[]);
    bench.insert(3, "b");
    bench.receive(peer(10), connect(10, "a"));
    bench.receive(peer(11), connect(11, "a"));
    bench.receive(peer(11), connect(11, "b"));
    let effects = bench.delete(4, "a");
    assert_eq!(finished(&effects), [(4, Outcome::Done)]);
    assert_eq!(announced(&effects), [(TRACKERS[0], Event::Stopped)]);
    for index in [10, 11] {
        assert!(sent(&effects).contains(&(peer(index), Message::Goodbye(item("a").key()))));
    }
    assert_eq!(closed(&bench.wake(Timer::Round)), [peer(10)], "peer 11 has b");
    assert_eq!(finished(&bench.delete(5, "a")), [(5, Outcome::NotFound)]);
    let effects = bench.receive(peer(12), connect(12, "a"));
    assert_eq!(sent(&effects), [(peer(12), Message::Decline(item("a").key()))]);
}

#[test]
fn a_leave_stops_everything() {
    let mut bench = Bench::sharing(&Config::default(), "a", &[]);
    bench.receive(peer(10), connect(10, "a"));
    bench.insert(3, "b");
    bench.search(4, &Query::exact(item("c").key()));
    let effects = bench.leave(5);
    let stopped = announced(&effects);
    assert_eq!(stopped, [(TRACKERS[0], Event::Stopped); 3], "a, b, and as a leecher c");
    let mut ends = finished(&effects);
    ends.sort_unstable_by_key(|(op, _)| *op);
    assert_eq!(ends.iter().map(|(op, _)| *op).collect::<Vec<_>>(), [3, 4, 5]);
    assert!(bench.neighbours().is_empty());
    assert!(finished(&bench.receive(TRACKERS[0], peers(&[1]))).is_empty());
    assert!(bench.wake(Timer::Round).is_empty(), "the rounds end");
    let effects = bench.search(6, &Query::exact(item("c").key()));
    assert_eq!(finished(&effects), [(6, Outcome::Failed(Reason::NotJoined))]);
    // It can come back with what it has.
    bench.join(7, &[INDEX, TRACKERS[0]]);
    let effects = bench.receive(INDEX, Message::Welcome);
    assert_eq!(announced(&effects), [(TRACKERS[0], Event::Started); 2]);
}

#[test]
fn replies_nobody_waits_for_are_dropped() {
    let mut bench = Bench::sharing(&Config::default(), "a", &[]);
    for message in [
        Message::Welcome,
        peers(&[7]),
        Message::Published { accepted: false },
        Message::Listing(Box::default()),
        Message::Refused(Refusal::Other),
        Message::Scraped(Box::default()),
    ] {
        assert!(bench.receive(TRACKERS[0], message.clone()).is_empty());
        assert!(bench.receive(peer(66), message).is_empty());
    }
    for message in [Message::Visit, announce(66, "a", Event::Started, 0)] {
        let effects = bench.receive(peer(66), message);
        assert_eq!(sent(&effects), [(peer(66), Message::Refused(Refusal::NotServedHere))]);
    }
}
