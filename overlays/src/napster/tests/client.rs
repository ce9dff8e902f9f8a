//! The client: login, push, search, choice by round trip, loss of the server.

use super::*;
use crate::napster::{Complaint, Listing};
use crate::seam::{Key, Reason};

const OTHER: Addr = Addr::from_index(1001);

fn found(tag: u32, name: &str, provider: u32) -> Message {
    let listing = Listing {
        hit: hit(name, provider),
        nick: Nick::of(peer(provider)),
        speed: LineSpeed::UNKNOWN,
    };
    Message::Found { tag, listing }
}

/// The tag of the only search sent.
fn tag_of(effects: &Effects) -> u32 {
    match sent(effects).as_slice() {
        [(to, Message::Search { tag, .. })] if *to == SERVER => *tag,
        other => panic!("not one search: {other:?}"),
    }
}

#[test]
fn join_logs_in_and_pushes_the_share_list() {
    let mut client = Bench::client(&Config::default());
    assert_eq!(finished(&client.insert(1, "b.mp3")), [(1, Outcome::Done)]);
    assert!(sent(&client.insert(2, "a.mp3")).is_empty(), "nobody to tell yet");

    let effects = client.join(3, &[SERVER]);
    assert_eq!(sent(&effects), [(SERVER, login(1))]);
    assert!(finished(&effects).is_empty());

    let effects = client.receive(SERVER, Message::LoginAck);
    let mut items = [item("a.mp3"), item("b.mp3")];
    items.sort_by_key(|item| item.key());
    let shares = items.map(|item| (SERVER, Message::Share(item)));
    assert_eq!(sent(&effects), shares);
    assert_eq!(finished(&effects), [(3, Outcome::Done)]);
    assert_eq!(client.node.footprint().routing_entries, 1);
    assert_eq!(client.node.footprint().index_entries, 0);
}

#[test]
fn insert_and_delete_tell_the_server() {
    let mut client = Bench::logged_in(&Config::default());
    let effects = client.insert(2, "a.mp3");
    assert_eq!(sent(&effects), [(SERVER, Message::Share(item("a.mp3")))]);
    assert_eq!(finished(&effects), [(2, Outcome::Done)]);

    let again = client.insert(3, "a.mp3");
    assert!(sent(&again).is_empty(), "shared already");
    assert_eq!(finished(&again), [(3, Outcome::Done)]);

    let effects = client.delete(4, "a.mp3");
    assert_eq!(sent(&effects), [(SERVER, Message::Unshare(item("a.mp3").key()))]);
    assert_eq!(finished(&effects), [(4, Outcome::Done)]);
    assert_eq!(finished(&client.delete(5, "a.mp3")), [(5, Outcome::NotFound)]);
}

#[test]
fn a_client_shares_no_more_than_the_server_lists() {
    let mut client = Bench::client(&Config { max_shared: 1, ..Config::default() });
    client.insert(1, "a.mp3");
    assert_eq!(finished(&client.insert(2, "b.mp3")), [(2, Outcome::Failed(Reason::Full))]);
}

#[test]
fn join_tries_the_next_server_and_says_why_none_took_it() {
    let mut client = Bench::client(&Config::default());
    let first = sent(&client.join(1, &[SERVER, OTHER]))[0].0;
    let second = if first == SERVER { OTHER } else { SERVER };

    let effects = client.lose(first);
    assert_eq!(sent(&effects), [(second, login(1))]);
    assert_eq!(effects[0].cause.op, OpId(1), "the join pays for the second login too");

    let effects = client.receive(second, Message::Error(Complaint::ServerFull));
    assert_eq!(finished(&effects), [(1, Outcome::Failed(Reason::Refused))]);

    assert_eq!(finished(&client.join(2, &[])), [(2, Outcome::Failed(Reason::NoContact))]);
}

#[test]
fn a_silent_server_is_given_up_after_the_login_timeout() {
    let mut client = Bench::client(&Config::default());
    let timers = woken(&client.join(1, &[SERVER]));
    assert_eq!(timers[0].0, Span::from_s(60));
    let effects = client.wake(timers[0].1);
    assert_eq!(closed(&effects), [SERVER]);
    assert_eq!(finished(&effects), [(1, Outcome::Failed(Reason::Timeout))]);
    assert!(client.wake(timers[0].1).is_empty(), "a stale timer does nothing");
}

#[test]
fn search_returns_the_nearest_provider_first() {
    let mut client = Bench::logged_in(&Config::default());
    let tag = tag_of(&client.search(2, &Query::keywords("song")));
    for (name, provider) in [("song one", 11), ("song two", 12), ("song one", 13)] {
        let effects = client.receive(SERVER, found(tag, name, provider));
        assert!(matches!(effects[0].action, Action::Answer { op: OpId(2), hits: 1 }));
    }
    let effects = client.receive(SERVER, Message::EndOfSearch { tag });
    let pings = [11, 12, 13].map(|p| (peer(p), Message::Ping { tag }));
    assert_eq!(sent(&effects), pings);
    assert_eq!(woken(&effects), [(Span::from_s(1), Timer::Pings(tag))]);

    client.now = Time::from_us(20_000);
    assert!(client.receive(peer(13), Message::Pong { tag }).is_empty());
    client.now = Time::from_us(30_000);
    assert!(client.receive(peer(99), Message::Pong { tag }).is_empty(), "nobody asked it");
    assert!(client.receive(peer(13), Message::Pong { tag }).is_empty(), "only the first counts");
    client.receive(peer(12), Message::Pong { tag });
    client.now = Time::from_us(90_000);
    let effects = client.receive(peer(11), Message::Pong { tag });
    let nearest_first = vec![hit("song one", 13), hit("song two", 12), hit("song one", 11)];
    assert_eq!(finished(&effects), [(2, Outcome::Found(nearest_first))]);
    assert!(client.wake(Timer::Pings(tag)).is_empty(), "the search has ended");
}

#[test]
fn the_silent_come_last_and_the_unasked_before_them() {
    let config = Config { ping_best: 2, ..Config::default() };
    let mut client = Bench::logged_in(&config);
    let tag = tag_of(&client.search(2, &Query::keywords("song")));
    for provider in [11, 12, 13] {
        client.receive(SERVER, found(tag, "song", provider));
    }
    let effects = client.receive(SERVER, Message::EndOfSearch { tag });
    assert_eq!(sent(&effects).len(), 2, "two are pinged");
    client.receive(peer(12), Message::Pong { tag });
    let effects = client.wake(Timer::Pings(tag));
    let hits = [12, 13, 11].map(|p| hit("song", p)).to_vec();
    assert_eq!(finished(&effects), [(2, Outcome::Found(hits))]);
}

#[test]
fn nothing_is_pinged_without_a_choice() {
    let mut client = Bench::logged_in(&Config::default());
    let tag = tag_of(&client.search(2, &Query::exact(item("song").key())));
    client.receive(SERVER, found(tag, "song", 11));
    let effects = client.receive(SERVER, Message::EndOfSearch { tag });
    assert!(sent(&effects).is_empty());
    assert_eq!(finished(&effects), [(2, Outcome::Found(vec![hit("song", 11)]))]);

    let mut client = Bench::logged_in(&Config { ping_best: 0, ..Config::default() });
    let tag = tag_of(&client.search(2, &Query::keywords("song")));
    client.receive(SERVER, found(tag, "song", 12));
    client.receive(SERVER, found(tag, "song", 11));
    let effects = client.receive(SERVER, Message::EndOfSearch { tag });
    assert!(sent(&effects).is_empty());
    let in_order = vec![hit("song", 12), hit("song", 11)];
    assert_eq!(finished(&effects), [(2, Outcome::Found(in_order))]);

    let tag = tag_of(&client.search(3, &Query::keywords("song")));
    let effects = client.receive(SERVER, Message::EndOfSearch { tag });
    assert_eq!(finished(&effects), [(3, Outcome::NotFound)]);
}

#[test]
fn a_lost_server_fails_searches_until_the_login_succeeds_again() {
    let mut client = Bench::logged_in(&Config::default());
    client.insert(2, "a.mp3");
    client.search(3, &Query::keywords("song"));
    let effects = client.lose(SERVER);
    assert_eq!(finished(&effects), [(3, Outcome::Failed(Reason::NotJoined))]);
    assert_eq!(effects[0].cause.op, OpId(3));
    assert_eq!(client.node.footprint().routing_entries, 0);
    let failed = client.search(4, &Query::keywords("song"));
    assert_eq!(finished(&failed), [(4, Outcome::Failed(Reason::NotJoined))]);
    assert_eq!(finished(&client.insert(5, "b.mp3")), [(5, Outcome::Done)], "noted for later");

    let mut timers = woken(&effects);
    let mut longest = Span::ZERO;
    for _ in 0..12 {
        let [(wait, timer)] = timers[..] else { panic!("one timer: {timers:?}") };
        longest = longest.max(wait);
        let effects = client.wake(timer);
        assert_eq!(sent(&effects), [(SERVER, login(1))]);
        assert!(effects.iter().all(|e| e.cause == Cause::UPKEEP), "no operation pays for it");
        timers = woken(&client.lose(SERVER));
    }
    assert!(longest > Span::from_s(150), "the wait grows: {longest}");
    assert!(longest <= Span::from_s(450), "up to a limit: {longest}");

    client.wake(timers[0].1);
    let effects = client.receive(SERVER, Message::LoginAck);
    assert_eq!(sent(&effects).len(), 2, "both files are pushed again");
    assert!(finished(&effects).is_empty());
    tag_of(&client.search(6, &Query::keywords("song")));
}

#[test]
fn hits_that_came_before_the_server_was_lost_are_kept() {
    let mut client = Bench::logged_in(&Config::default());
    let tag = tag_of(&client.search(2, &Query::keywords("song")));
    client.receive(SERVER, found(tag, "song", 11));
    let effects = client.lose(SERVER);
    assert_eq!(finished(&effects), [(2, Outcome::Found(vec![hit("song", 11)]))]);
}

#[test]
fn a_search_without_an_end_times_out() {
    let mut client = Bench::logged_in(&Config::default());
    let effects = client.search(2, &Query::keywords("song"));
    let [(after, timer)] = woken(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(after, Span::from_s(180));
    let watch = &effects.last().unwrap().cause;
    assert_eq!(*watch, Cause::UPKEEP, "an answered search's books close before that");
    let effects = client.wake(timer);
    assert_eq!(finished(&effects), [(2, Outcome::Failed(Reason::Timeout))]);
    assert_eq!(effects[0].cause.op, OpId(2));
}

#[test]
fn a_server_that_forgot_the_user_is_logged_in_to_again() {
    let mut client = Bench::logged_in(&Config::default());
    client.search(2, &Query::keywords("song"));
    let effects = client.receive(SERVER, Message::Error(Complaint::NotLoggedIn));
    assert_eq!(finished(&effects), [(2, Outcome::Failed(Reason::NotJoined))]);
    assert!(matches!(woken(&effects)[..], [(_, Timer::Relogin(_))]));
}

#[test]
fn leaving_closes_the_link_and_ends_everything() {
    let mut client = Bench::logged_in(&Config::default());
    client.search(2, &Query::keywords("song"));
    let effects = client.leave(3);
    assert_eq!(closed(&effects), [SERVER]);
    let ends = [(2, Outcome::Failed(Reason::NotJoined)), (3, Outcome::Done)];
    assert_eq!(finished(&effects), ends);

    let mut client = Bench::client(&Config::default());
    client.join(1, &[SERVER]);
    let ends = [(1, Outcome::Failed(Reason::NotJoined)), (2, Outcome::Done)];
    assert_eq!(finished(&client.leave(2)), ends);
}

#[test]
fn what_a_server_could_not_have_meant_is_dropped() {
    let mut client = Bench::logged_in(&Config { ping_best: 0, ..Config::default() });
    let mut query = Query::keywords("song");
    query.limit = 1;
    let tag = tag_of(&client.search(2, &query));
    assert!(client.receive(OTHER, found(tag, "song", 66)).is_empty(), "not our server");
    assert!(client.receive(SERVER, found(tag, "noise", 66)).is_empty(), "does not match");
    assert!(client.receive(SERVER, found(tag + 1, "song", 66)).is_empty(), "no such search");
    client.receive(SERVER, found(tag, "song", 11));
    assert!(client.receive(SERVER, found(tag, "song", 66)).is_empty(), "over the limit");
    assert!(client.receive(OTHER, Message::EndOfSearch { tag }).is_empty());
    let effects = client.receive(SERVER, Message::EndOfSearch { tag });
    assert_eq!(finished(&effects), [(2, Outcome::Found(vec![hit("song", 11)]))]);
    assert!(client.receive(SERVER, Message::EndOfSearch { tag }).is_empty());

    let refused = [(OTHER, Message::Error(Complaint::NotAServer))];
    assert_eq!(sent(&client.receive(OTHER, login(66))), refused);
    for message in [
        Message::LoginAck,
        Message::Share(item("x")),
        Message::Unshare(Key::ZERO),
        Message::Search { tag: 1, local: false, query: Query::keywords("x") },
        Message::RemoteEnd { id: 1 },
        Message::Error(Complaint::ServerFull),
        Message::Error(Complaint::DuplicateFile),
    ] {
        assert!(client.receive(OTHER, message).is_empty());
    }
    assert_eq!(client.node.footprint().routing_entries, 1, "still logged in");
}

#[test]
fn open_searches_are_bounded() {
    let mut client = Bench::logged_in(&Config::default());
    for op in 0..256 {
        assert!(finished(&client.search(op, &Query::keywords("song"))).is_empty());
    }
    let effects = client.search(256, &Query::keywords("song"));
    assert_eq!(finished(&effects), [(256, Outcome::Failed(Reason::Full))]);
}

#[test]
fn pings_are_answered() {
    let mut client = Bench::client(&Config::default());
    let effects = client.receive(peer(5), Message::Ping { tag: 77 });
    assert_eq!(sent(&effects), [(peer(5), Message::Pong { tag: 77 })]);
}
