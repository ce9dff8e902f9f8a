//! Linked servers.

use super::*;
use crate::napster::Listing;

const OTHERS: [Addr; 2] = [Addr::from_index(1001), Addr::from_index(1002)];

/// A server that is linked to two others.
fn linked(config: &Config) -> Bench {
    let mut server = Bench::server(config);
    for other in OTHERS {
        server.receive(other, Message::ServerLogin);
    }
    server
}

fn found(id: u32, name: &str, provider: u32) -> Message {
    let listing =
        Listing { hit: hit(name, provider), nick: Nick::of(peer(1)), speed: LineSpeed::UNKNOWN };
    Message::RemoteFound { id, listing }
}

/// Sends a search for "song" from user 1 and returns its id among servers.
fn forwarded(server: &mut Bench, limit: u16) -> u32 {
    let mut query = Query::keywords("song");
    query.limit = limit;
    let effects = server.receive(peer(1), Message::Search { tag: 5, local: false, query });
    let ids: Vec<(Addr, u32)> = sent(&effects)
        .into_iter()
        .filter_map(|(to, message)| match message {
            Message::RemoteSearch { id, .. } => Some((to, id)),
            _ => None,
        })
        .collect();
    assert_eq!(ids.iter().map(|(to, _)| *to).collect::<Vec<_>>(), OTHERS);
    ids[0].1
}

#[test]
fn servers_introduce_each_other() {
    let mut server = Bench::server(&Config::default());
    let effects = server.join(2, &[OTHERS[0], SERVER]);
    assert_eq!(sent(&effects), [(OTHERS[0], Message::ServerLogin)]);
    let effects = server.receive(OTHERS[0], Message::ServerAck([OTHERS[1], SERVER].into()));
    assert_eq!(sent(&effects), [(OTHERS[1], Message::ServerLogin)]);
    let third = Addr::from_index(1003);
    let effects = server.receive(third, Message::ServerLogin);
    assert_eq!(sent(&effects), [(third, Message::ServerAck(OTHERS.into()))]);
    let mut neighbours = Vec::new();
    server.node.neighbours(&mut |peer| neighbours.push(peer));
    assert_eq!(neighbours, [OTHERS[0], OTHERS[1], third]);
}

#[test]
fn a_search_is_merged_from_all_servers() {
    let mut server = linked(&Config::default());
    server.user(1, &[]);
    server.user(2, &["song a"]);
    let id = forwarded(&mut server, 3);
    assert!(server.receive(peer(9), found(id, "song z", 9)).is_empty(), "not a server");
    assert!(server.receive(OTHERS[0], found(id, "noise", 9)).is_empty(), "no match");
    assert_eq!(sent(&server.receive(OTHERS[0], found(id, "song b", 2))).len(), 1);
    assert_eq!(sent(&server.receive(OTHERS[1], found(id, "song c", 3))).len(), 1);
    assert!(server.receive(OTHERS[1], found(id, "song d", 3)).is_empty(), "three are enough");
    assert!(server.receive(OTHERS[0], Message::RemoteEnd { id }).is_empty());
    assert!(server.receive(OTHERS[0], found(id, "song e", 2)).is_empty(), "it had ended");
    let effects = server.receive(OTHERS[1], Message::RemoteEnd { id });
    assert_eq!(sent(&effects), [(peer(1), Message::EndOfSearch { tag: 5 })]);
    assert!(server.wake(Timer::Merge(id)).is_empty());
}

#[test]
fn nobody_waits_for_a_dead_server() {
    let mut server = linked(&Config::default());
    server.user(1, &[]);
    let id = forwarded(&mut server, 3);
    server.receive(OTHERS[0], Message::RemoteEnd { id });
    let effects = server.lose(OTHERS[1]);
    assert_eq!(sent(&effects), [(peer(1), Message::EndOfSearch { tag: 5 })]);
    let [(_, timer)] = woken(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(sent(&server.wake(timer)), [(OTHERS[1], Message::ServerLogin)]);
    server.receive(OTHERS[1], Message::ServerAck([].into()));
    assert!(server.wake(timer).is_empty(), "all links are up again");

    let id = forwarded(&mut server, 3);
    let effects = server.wake(Timer::Merge(id));
    assert_eq!(sent(&effects), [(peer(1), Message::EndOfSearch { tag: 5 })]);
}

#[test]
fn a_search_stays_local_when_asked_or_answered() {
    let query = Query::exact(item("song").key());
    let search = |local| Message::Search { tag: 1, local, query: query.clone() };
    let mut server = linked(&Config::default());
    server.user(1, &[]);
    assert_eq!(sent(&server.receive(peer(1), search(true))).len(), 1, "only the end");
    assert_eq!(sent(&server.receive(peer(1), search(false))).len(), 2, "two servers asked");
    server.user(2, &["song"]);
    assert_eq!(sent(&server.receive(peer(1), search(false))).len(), 2, "the hit and the end");

    let mut alone = linked(&Config { forward: false, ..Config::default() });
    alone.user(1, &[]);
    assert_eq!(sent(&alone.receive(peer(1), search(false))).len(), 1);
}

#[test]
fn another_servers_search_is_answered_from_the_local_index() {
    let mut server = linked(&Config::default());
    server.user(1, &["song a"]);
    let query = Query::keywords("song");
    let effects = server.receive(OTHERS[0], Message::RemoteSearch { id: 8, query });
    let messages = sent(&effects);
    let [(_, Message::RemoteFound { id: 8, listing }), end] = &messages[..] else {
        panic!("{messages:?}")
    };
    assert_eq!(listing.hit, hit("song a", 1));
    assert_eq!(*end, (OTHERS[0], Message::RemoteEnd { id: 8 }));
}

#[test]
fn links_are_bounded() {
    let mut server = Bench::server(&Config::default());
    for i in 0..40 {
        server.receive(Addr::from_index(2000 + i), Message::ServerLogin);
    }
    assert_eq!(server.node.footprint().routing_entries, 31);
}
