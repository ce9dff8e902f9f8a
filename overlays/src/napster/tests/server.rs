//! The server: users, files, limits.

use super::*;
use crate::napster::Complaint;
use crate::seam::Target;

#[test]
fn words_all_match_and_the_limit_holds() {
    let mut server = Bench::server(&Config::default());
    server.user(1, &["Blue Moon.mp3", "Blue Train.mp3"]);
    server.user(2, &["blue moon.mp3", "Moon River.mp3"]);
    server.user(3, &[]);
    let mut hits = server.answers(3, &Query::keywords("MOON blue"));
    hits.sort_by_key(|hit| hit.provider);
    assert_eq!(hits, [hit("Blue Moon.mp3", 1), hit("blue moon.mp3", 2)]);
    assert!(server.answers(3, &Query::keywords("blue river")).is_empty());
    assert!(server.answers(3, &Query::keywords("")).is_empty());

    let mut query = Query::keywords("mp3");
    query.limit = 3;
    assert_eq!(server.answers(3, &query).len(), 3);
    let exact = Query::exact(item("Blue Train.mp3").key());
    assert_eq!(server.answers(3, &exact), [hit("Blue Train.mp3", 1)]);
}

#[test]
fn the_server_returns_no_more_than_its_own_limit() {
    let mut server = Bench::server(&Config { max_results: 2, ..Config::default() });
    server.user(1, &["a x", "b x", "c x", "d x"]);
    server.user(2, &[]);
    assert_eq!(server.answers(2, &Query::keywords("x")).len(), 2);
}

#[test]
fn everybody_gets_a_turn_when_more_match_than_are_returned() {
    let mut server = Bench::server(&Config::default());
    for user in 0..50 {
        server.user(user, &["song"]);
    }
    server.user(50, &[]);
    let mut query = Query::keywords("song");
    query.limit = 5;
    let mut shown = [0_u32; 50];
    for _ in 0..100 {
        let hits = server.answers(50, &query);
        assert_eq!(hits.len(), 5);
        for hit in hits {
            shown[hit.provider.index() as usize] += 1;
        }
    }
    // 500 places for 50 users: ten each, but for what rounding does.
    assert!(shown.iter().all(|&n| (8..=12).contains(&n)), "{shown:?}");
}

#[test]
fn a_user_who_is_gone_takes_the_files_along() {
    let mut server = Bench::server(&Config::default());
    server.user(1, &["song", "other"]);
    server.user(2, &["song"]);
    server.user(3, &[]);
    assert_eq!(server.node.footprint().index_entries, 3);
    server.lose(peer(1));
    assert_eq!(server.node.footprint().index_entries, 1);
    assert_eq!(server.answers(3, &Query::keywords("song")), [hit("song", 2)]);
    assert!(server.answers(3, &Query::keywords("other")).is_empty());
    server.receive(peer(2), Message::Unshare(item("song").key()));
    assert!(server.answers(3, &Query::keywords("song")).is_empty());
    assert_eq!(server.node.footprint().index_entries, 0);
    assert_eq!(server.node.footprint().routing_entries, 2);
}

#[test]
fn a_second_login_from_elsewhere_is_refused() {
    let mut server = Bench::server(&Config::default());
    server.user(1, &["song"]);
    server.user(1, &[]);
    assert_eq!(server.node.footprint().index_entries, 0, "a new session starts empty");

    server.receive(peer(1), Message::Share(item("song")));
    let effects = server.receive(peer(2), login(1));
    assert_eq!(sent(&effects), [(peer(2), Message::Error(Complaint::LoggedInElsewhere))]);
    assert_eq!(closed(&effects), [peer(2)]);
    assert_eq!(server.node.footprint().routing_entries, 1);
    assert_eq!(server.node.footprint().index_entries, 1);
}

#[test]
fn strangers_are_refused() {
    let mut server = Bench::server(&Config::default());
    let query = Query::keywords("x");
    for message in [
        Message::Share(item("x")),
        Message::Unshare(item("x").key()),
        Message::Search { tag: 1, local: false, query: query.clone() },
        Message::RemoteSearch { id: 1, query },
        Message::ServerPing,
    ] {
        let effects = server.receive(peer(6), message);
        assert_eq!(sent(&effects), [(peer(6), Message::Error(Complaint::NotLoggedIn))]);
        assert_eq!(closed(&effects), [peer(6)]);
    }
    for message in [
        Message::LoginAck,
        Message::EndOfSearch { tag: 1 },
        Message::RemoteEnd { id: 1 },
        Message::ServerAck([peer(7)].into()),
        Message::Pong { tag: 1 },
        Message::Error(Complaint::LoggedInElsewhere),
    ] {
        assert!(server.receive(peer(6), message).is_empty());
    }
    assert_eq!(server.node.footprint().routing_entries, 0);
}

#[test]
fn users_and_their_files_are_bounded() {
    let config = Config { max_users: 2, max_shared: 2, ..Config::default() };
    let mut server = Bench::server(&config);
    server.user(1, &["a", "b"]);
    server.user(2, &[]);
    let full = server.receive(peer(3), login(3));
    assert_eq!(sent(&full), [(peer(3), Message::Error(Complaint::ServerFull))]);
    assert_eq!(closed(&full), [peer(3)]);
    let complain = |complaint| [(peer(1), Message::Error(complaint))];
    let share =
        |server: &mut Bench, name| sent(&server.receive(peer(1), Message::Share(item(name))));
    assert_eq!(share(&mut server, "c"), complain(Complaint::ShareLimit));
    server.receive(peer(1), Message::Unshare(item("a").key()));
    assert_eq!(share(&mut server, "b"), complain(Complaint::DuplicateFile));
    let unshare = server.receive(peer(1), Message::Unshare(item("a").key()));
    assert_eq!(sent(&unshare), complain(Complaint::NotShared));
    assert_eq!(server.node.footprint().index_entries, 1);
}

#[test]
fn results_are_of_use_to_the_searcher() {
    let firewalled = |index| Message::Login {
        nick: Nick::of(peer(index)),
        data_port: 0,
        firewalled: true,
        speed: LineSpeed::UNKNOWN,
    };
    let providers = |config: &Config, user| {
        let mut server = Bench::server(config);
        server.user(1, &["song"]);
        server.user(2, &["song"]);
        for index in [3, 4] {
            server.receive(peer(index), firewalled(index));
            server.receive(peer(index), Message::Share(item("song")));
        }
        let hits = server.answers(user, &Query::keywords("song"));
        let mut indices: Vec<u32> = hits.iter().map(|hit| hit.provider.index()).collect();
        indices.sort_unstable();
        indices
    };
    let all = Config::default();
    assert_eq!(providers(&all, 1), [2, 3, 4], "one's own files are no result");
    assert_eq!(providers(&all, 3), [1, 2, 4]);
    let opennap = Config { firewalled_pairs: false, ..Config::default() };
    assert_eq!(providers(&opennap, 1), [2, 3, 4]);
    assert_eq!(providers(&opennap, 3), [1, 2], "two firewalled peers cannot connect");
}

#[test]
fn results_name_the_data_port() {
    let at = |port| Addr::from_bytes([10, 0, 0, 1, 0, port]);
    let mut server = Bench::server(&Config::default());
    let login = Message::Login {
        nick: Nick::of(at(1)),
        data_port: 9,
        firewalled: false,
        speed: LineSpeed::UNKNOWN,
    };
    server.receive(at(1), login);
    server.receive(at(1), Message::Share(item("song")));
    let query = Query { target: Target::Exact(item("song").key()), limit: 1 };
    server.user(2, &[]);
    let effects = server.receive(peer(2), Message::Search { tag: 1, local: false, query });
    let messages = sent(&effects);
    let [(_, Message::Found { listing, .. }), _] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(listing.hit.provider, at(9));
}

#[test]
fn a_server_that_leaves_takes_everything_down() {
    let mut server = Bench::server(&Config::default());
    server.user(1, &["song"]);
    server.user(2, &[]);
    let effects = server.leave(5);
    assert_eq!(closed(&effects), [peer(1), peer(2)]);
    assert_eq!(finished(&effects), [(5, Outcome::Done)]);
    let effects = server.receive(peer(1), login(1));
    assert_eq!(closed(&effects), [peer(1)], "it no longer serves");
    assert!(sent(&effects).is_empty());
}
