//! Searches.

use super::super::{Exact, Refusal};
use super::*;
use crate::seam::Reason;

fn hit(name: &str, provider: u32) -> Hit {
    Hit { item: item(name), provider: peer(provider) }
}

fn exact(name: &str, limit: u16) -> Query {
    Query { limit, ..Query::exact(item(name).key()) }
}

/// The announce of one who looks for an item whose size it does not know.
fn leech(name: &str) -> Message {
    announce(1, name, Event::Started, 1)
}

#[test]
fn a_key_is_looked_up_at_the_tracker_and_proved_by_a_peer() {
    let mut bench = Bench::joined(&Config::default());
    let key = item("a").key();
    assert_eq!(sent(&bench.search(2, &exact("a", 1))), [(TRACKERS[0], leech("a"))]);
    let effects = bench.receive(TRACKERS[0], peers(&[7, 1, 8]));
    assert_eq!(sent(&effects), [(peer(7), connect(1, "a"))], "one is enough");
    let effects = bench.receive(peer(7), accept(7, "a", true));
    assert_eq!(sent(&effects), [(peer(7), Message::MetadataRequest(key))]);
    let effects = bench.receive(peer(7), Message::Metadata(item("a")));
    assert_eq!(finished(&effects), [(2, Outcome::Found(vec![hit("a", 7)]))]);
    let over =
        [(TRACKERS[0], announce(1, "a", Event::Stopped, 1)), (peer(7), Message::Goodbye(key))];
    assert_eq!(sent(&effects), over);
    assert!(closed(&effects).is_empty(), "peer 7 may be about to speak");
    assert_eq!(closed(&bench.wake(Timer::Round)), [peer(7)]);
    assert!(finished(&bench.wake(Timer::Search(1))).is_empty(), "it is over");
}

#[test]
fn words_are_looked_up_at_the_index_site() {
    let mut bench = Bench::joined(&Config { parallel_torrents: 2, ..Config::default() });
    let query = Query::keywords("song");
    let effects = bench.search(2, &query);
    assert_eq!(sent(&effects), [(INDEX, Message::Browse(Box::new(query)))]);
    let links = ["song one", "song two", "song three"].map(magnet);
    let effects = bench.receive(INDEX, Message::Listing(links.into()));
    let leech = |name| announce(1, name, Event::Started, 4_000_000);
    let first = [(TRACKERS[0], leech("song one")), (TRACKERS[0], leech("song two"))];
    assert_eq!(sent(&effects), first, "two at a time");
    let effects = bench.receive(TRACKERS[0], peers(&[]));
    assert_eq!(sent(&effects), [(TRACKERS[0], leech("song three"))]);
    let effects = bench.receive(TRACKERS[0], peers(&[7]));
    assert_eq!(sent(&effects), [(peer(7), connect(1, "song two"))]);
    bench.receive(TRACKERS[0], peers(&[7, 8]));
    bench.receive(peer(7), accept(7, "song two", true));
    bench.receive(peer(8), accept(8, "song three", false));
    let effects = bench.receive(peer(7), accept(7, "song three", true));
    let hits = vec![hit("song two", 7), hit("song three", 7)];
    assert_eq!(finished(&effects), [(2, Outcome::Found(hits))], "peer 8 lacks something");
}

#[test]
fn peers_that_are_gone_or_know_nothing_are_passed_over() {
    let mut bench = Bench::joined(&Config::default());
    let key = item("a").key();
    bench.search(2, &exact("a", 1));
    bench.receive(TRACKERS[0], peers(&[7, 8, 9, 10]));
    for _ in 0..2 {
        assert_eq!(sent(&bench.lose(peer(7))), [(peer(7), connect(1, "a"))], "called again");
    }
    assert_eq!(sent(&bench.lose(peer(7))), [(peer(8), connect(1, "a"))]);
    assert!(bench.receive(peer(8), Message::Goodbye(key)).is_empty(), "of something else");
    let effects = bench.receive(peer(8), Message::Decline(key));
    assert_eq!(sent(&effects), [(peer(9), connect(1, "a"))]);
    bench.receive(peer(9), accept(9, "a", true));
    bench.lose(peer(9));
    bench.lose(peer(9));
    let effects = bench.lose(peer(9));
    assert_eq!(sent(&effects), [(peer(10), connect(1, "a"))], "gone before it told the name");
    bench.lose(peer(10));
    bench.lose(peer(10));
    let effects = bench.lose(peer(10));
    assert_eq!(finished(&effects), [(2, Outcome::NotFound)]);
}

#[test]
fn a_name_that_does_not_hash_to_the_key_is_not_believed() {
    let mut bench = Bench::joined(&Config::default());
    bench.search(2, &exact("a", 1));
    bench.receive(TRACKERS[0], peers(&[7]));
    bench.receive(peer(7), accept(7, "a", true));
    assert!(bench.receive(peer(7), Message::Metadata(item("b"))).is_empty());
    assert!(bench.receive(peer(8), Message::Metadata(item("a"))).is_empty(), "never asked");
    let effects = bench.receive(peer(7), Message::Metadata(item("a")));
    assert_eq!(finished(&effects), [(2, Outcome::Found(vec![hit("a", 7)]))]);
}

#[test]
fn no_peers_is_an_answer_and_no_tracker_is_none() {
    let config = Config { trackers: 2, ..Config::default() };
    let mut bench = Bench::joined(&config);
    bench.search(2, &exact("a", 1));
    let effects = bench.receive(TRACKERS[0], peers(&[]));
    assert_eq!(finished(&effects), [(2, Outcome::NotFound)]);
    bench.receive(TRACKERS[0], peers(&[]));
    bench.search(3, &exact("a", 1));
    let effects = bench.lose(TRACKERS[0]);
    assert_eq!(sent(&effects), [(TRACKERS[1], leech("a"))]);
    let effects = bench.lose(TRACKERS[1]);
    assert_eq!(finished(&effects), [(3, Outcome::Failed(Reason::NoContact))]);
    assert!(sent(&effects).is_empty(), "nobody lists us: {effects:?}");
    bench.search(4, &Query::keywords("a"));
    let effects = bench.receive(INDEX, Message::Listing(Box::default()));
    assert_eq!(finished(&effects), [(4, Outcome::NotFound)]);
    bench.search(5, &Query::keywords("a"));
    let effects = bench.receive(INDEX, Message::Refused(Refusal::NotServedHere));
    assert_eq!(finished(&effects), [(5, Outcome::Failed(Reason::Refused))]);
}

#[test]
fn a_search_has_its_time() {
    let mut bench = Bench::joined(&Config::default());
    let effects = bench.search(2, &exact("a", 2));
    let timers = woken(&effects);
    assert!(timers.contains(&(Span::from_s(60), Timer::Search(1))), "{timers:?}");
    bench.receive(TRACKERS[0], peers(&[7, 8]));
    bench.receive(peer(7), accept(7, "a", true));
    bench.receive(peer(7), Message::Metadata(item("a")));
    let effects = bench.wake(Timer::Search(1));
    assert_eq!(finished(&effects), [(2, Outcome::Found(vec![hit("a", 7)]))], "what there is");
    bench.search(3, &exact("a", 1));
    let effects = bench.wake(Timer::Search(2));
    assert_eq!(finished(&effects), [(3, Outcome::Failed(Reason::Timeout))]);
}

#[test]
fn a_peer_that_stays_silent_is_called_again() {
    let mut bench = Bench::joined(&Config::default());
    let effects = bench.search(2, &exact("a", 1));
    assert!(woken(&effects).contains(&(Span::from_s(5), Timer::Calls(1))));
    bench.now += Span::from_s(4);
    bench.receive(TRACKERS[0], peers(&[7, 8]));
    bench.now += Span::from_s(1);
    assert!(sent(&bench.wake(Timer::Calls(1))).is_empty(), "called a second ago");
    for called in [7, 7, 8, 8, 8] {
        bench.now += Span::from_s(5);
        assert_eq!(sent(&bench.wake(Timer::Calls(1))), [(peer(called), connect(1, "a"))]);
    }
    bench.now += Span::from_s(5);
    assert_eq!(finished(&bench.wake(Timer::Calls(1))), [(2, Outcome::NotFound)]);
    assert!(bench.wake(Timer::Calls(1)).is_empty(), "no more calls");
}

#[test]
fn who_is_in_the_swarm_stays_in_it() {
    let mut bench = Bench::sharing(&Config::default(), "a", &[]);
    bench.receive(peer(7), connect(7, "a"));
    let effects = bench.search(3, &exact("a", 2));
    assert_eq!(
        sent(&effects),
        [(TRACKERS[0], announce(1, "a", Event::Started, 0)), (peer(7), connect(1, "a"))]
    );
    bench.receive(peer(7), accept(7, "a", true));
    let effects = bench.receive(TRACKERS[0], Message::Refused(Refusal::TooOften));
    assert_eq!(finished(&effects), [(3, Outcome::Found(vec![hit("a", 7)]))]);
    assert!(sent(&effects).is_empty(), "it does not stop");
    assert_eq!(closed(&effects), [TRACKERS[0]]);
    assert!(bench.neighbours().contains(&peer(7)));
}

#[test]
fn whoever_gets_everything_while_it_looks_completes() {
    let mut bench = Bench::joined(&Config::default());
    bench.search(2, &exact("a", 1));
    let effects = bench.insert(3, "a");
    assert!(sent(&effects).contains(&(TRACKERS[0], announce(1, "a", Event::Completed, 0))));
    bench.receive(TRACKERS[0], peers(&[]));
    let effects = bench.wake(Timer::Search(1));
    assert!(sent(&effects).is_empty(), "it stays: {effects:?}");
}

#[test]
fn a_leecher_says_that_it_has_nothing() {
    let mut bench = Bench::joined(&Config::default());
    bench.search(2, &exact("a", 1));
    let answer = sent(&bench.receive(peer(9), connect(9, "a")));
    assert_eq!(answer[0], (peer(9), accept(1, "a", false)));
}

#[test]
fn the_index_site_can_be_asked_for_a_key_too() {
    let mut bench = Bench::joined(&Config { exact: Exact::Index, ..Config::default() });
    let effects = bench.search(2, &exact("a", 1));
    assert_eq!(sent(&effects), [(INDEX, Message::Browse(Box::new(exact("a", 1))))]);
    bench.receive(INDEX, Message::Listing([magnet("a")].into()));
    bench.receive(TRACKERS[0], peers(&[7]));
    let effects = bench.receive(peer(7), accept(7, "a", true));
    assert_eq!(finished(&effects), [(2, Outcome::Found(vec![hit("a", 7)]))], "name known");
}

#[test]
fn a_listing_with_repeats_and_trackers_without_number_does_no_harm() {
    let mut bench = Bench::joined(&Config::default());
    bench.search(2, &Query::keywords("a"));
    let effects = bench.receive(INDEX, Message::Listing(vec![magnet("a"); 100].into()));
    assert_eq!(sent(&effects).len(), 1);
    let many: Vec<u32> = (10..210).collect();
    let effects = bench.receive(TRACKERS[0], peers(&many));
    assert_eq!(sent(&effects).len(), 100, "as many as could be hits");
}

#[test]
fn torrents_that_nobody_can_be_asked_for_are_no_answer() {
    let mut bench = Bench::joined(&Config::default());
    bench.search(2, &Query::keywords("a"));
    bench.receive(INDEX, Message::Listing([magnet("a")].into()));
    let effects = bench.lose(TRACKERS[0]);
    assert_eq!(finished(&effects), [(2, Outcome::Failed(crate::seam::Reason::NoContact))]);
}
