//! A supernode: its index, staged searches, links, promotion and retirement.

use super::*;
use crate::fasttrack::{Callback, Results};

const PROMOTE: fn(&Message) -> bool = |m| matches!(m, Message::Promote);
const QUERY: fn(&Message) -> bool = |m| matches!(m, Message::Query { .. });
const MOVE: fn(&Message) -> bool = |m| matches!(m, Message::Move(_));

fn search_from(bench: &mut Bench, index: u32, id: u16, words: &str) -> Effects {
    let query = Query::keywords(words);
    bench.receive(peer(index), Message::Search { id, query })
}

/// The names and providers of all results sent.
fn results(effects: &Effects) -> Vec<(String, Addr)> {
    let mut found = Vec::new();
    for (_, message) in sent(effects) {
        if let Message::Result { results, .. } | Message::QueryResult { results, .. } = message {
            let line = |l: &crate::fasttrack::Listing| (l.hit.item.name().into(), l.hit.provider);
            found.extend(results.listings.iter().map(line));
        }
    }
    found.sort();
    found
}

/// A supernode linked to these others.
fn linked(config: &Config, others: &[u32]) -> Bench {
    let mut bench = Bench::supernode(config);
    for &other in others {
        let effects = bench.receive(peer(other), Message::Link { load: 20 });
        assert_eq!(sent(&effects), [(peer(other), Message::LinkAck { load: 0 })]);
    }
    bench
}

#[test]
fn answers_from_its_own_index() {
    let mut node = Bench::supernode(&Config::default());
    node.insert(2, "song of mine");
    for index in [10, 11] {
        let effects = node.take(index, 500, index == 11);
        assert!(matches!(&sent(&effects)[..], [(to, Message::Nodes(_))] if *to == peer(index)));
        node.receive(peer(index), Message::Share(item(&format!("song of {index}"))));
    }
    let effects = search_from(&mut node, 10, 3, "song");
    let expected = [("song of 11".into(), peer(11)), ("song of mine".into(), peer(1))];
    assert_eq!(results(&effects), expected, "not what the searcher shares itself");
    assert_eq!(sent(&effects).last(), Some(&(peer(10), Message::End { id: 3 })));
    assert_eq!(node.node.footprint().index_entries, 2, "its own file is nobody else's record");
    node.receive(peer(11), Message::Unshare(item("song of 11")));
    assert_eq!(results(&search_from(&mut node, 10, 4, "song")).len(), 1);
    node.lose(peer(11));
    assert_eq!(node.node.footprint().index_entries, 1);
    // Who is no ordinary node of it gets nothing and changes nothing.
    for message in
        [Message::Share(item("x")), Message::Search { id: 1, query: Query::keywords("song") }]
    {
        let effects = node.receive(peer(99), message);
        assert_eq!((sent(&effects), closed(&effects)), (vec![], vec![peer(99)]));
    }
}

#[test]
fn refuses_when_full() {
    let config = Config { children_max: 2, children_split: 2, ..Config::default() };
    let mut node = Bench::supernode(&config);
    node.take(10, 0, false);
    node.take(11, 0, false);
    assert!(matches!(&sent(&node.take(12, 0, false))[..], [(_, Message::Refused(_))]));
    let effects = node.receive(peer(12), Message::Ping { tag: 4 });
    assert_eq!(sent(&effects), [(peer(12), Message::Refusal { tag: 4 })]);
    // A second login of the same node replaces the first.
    assert!(matches!(&sent(&node.take(11, 0, false))[..], [(_, Message::Nodes(_))]));
}

#[test]
fn asks_others_stage_by_stage() {
    let config = Config { stage_first: 2, stage_growth: 2, ..Config::default() };
    let others: Vec<u32> = (100..110).collect();
    let mut node = linked(&config, &others);
    node.take(10, 500, false);
    let mut effects = search_from(&mut node, 10, 3, "song");
    let mut asked = Vec::new();
    // Ten supernodes in stages of 2, 4 and the rest; nobody has anything.
    for width in [2, 4, 4] {
        let stage = receivers(&effects, QUERY);
        assert_eq!(stage.len(), width);
        asked.extend(stage.iter().copied());
        assert!(!sent(&effects).contains(&(peer(10), Message::End { id: 3 })));
        for &supernode in &stage {
            let results = Arc::new(Results::new(supernode, Vec::new()));
            effects = node.receive(supernode, Message::QueryResult { id: 1, results });
        }
    }
    assert_eq!(sent(&effects), [(peer(10), Message::End { id: 3 })]);
    asked.sort_unstable();
    assert_eq!(asked, others.iter().map(|&o| peer(o)).collect::<Vec<_>>(), "each once");
}

#[test]
fn stops_at_enough_matches() {
    let config = Config { stage_first: 2, enough: 1, ..Config::default() };
    let mut node = linked(&config, &[100, 101, 102, 103]);
    node.take(10, 500, false);
    let effects = search_from(&mut node, 10, 3, "song");
    let stage = receivers(&effects, QUERY);
    let listing = |name: &str, provider| crate::fasttrack::Listing {
        hit: hit(name, provider),
        bandwidth: Bandwidth(0),
        firewalled: false,
    };
    let found = Results::new(stage[0], vec![listing("song", 5), listing("forged", 6)]);
    let answer = Message::QueryResult { id: 1, results: Arc::new(found) };
    assert_eq!(results(&node.receive(peer(103), answer.clone())), [], "it was not asked");
    let effects = node.receive(stage[0], answer);
    assert_eq!(results(&effects), [("song".into(), peer(5))], "only what was asked for");
    // The other one of the stage is gone: no further stage.
    let effects = node.lose(stage[1]);
    assert_eq!(sent(&effects), [(peer(10), Message::End { id: 3 })]);
}

#[test]
fn a_silent_stage_is_not_waited_for_forever() {
    let config = Config { stage_first: 1, ..Config::default() };
    let mut node = linked(&config, &[100, 101]);
    node.take(10, 500, false);
    search_from(&mut node, 10, 3, "song");
    let effects = node.wake(Timer::Stage(1, 0));
    assert_eq!(receivers(&effects, QUERY).len(), 1, "the other one");
    assert_eq!(sent(&node.wake(Timer::Stage(1, 0))), [], "a stale timer");
    assert_eq!(sent(&node.wake(Timer::Stage(1, 1))), [(peer(10), Message::End { id: 3 })]);
}

#[test]
fn answers_other_supernodes_without_asking_further() {
    let mut node = linked(&Config::default(), &[100, 101]);
    node.take(10, 500, true);
    node.receive(peer(10), Message::Share(item("song")));
    let query = Message::Query { id: 77, query: Query::keywords("song") };
    let effects = node.receive(peer(100), query);
    match &sent(&effects)[..] {
        [(to, Message::QueryResult { id: 77, results })] => {
            assert_eq!((*to, results.listings.len()), (peer(100), 1));
            assert!(results.listings[0].firewalled && results.supernode == peer(1));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn passes_pushes_on_once() {
    let mut node = linked(&Config::default(), &[100]);
    node.take(10, 500, true);
    let call = |provider, supernode| {
        let (provider, supernode) = (peer(provider), peer(supernode));
        Callback { id: 5, to: peer(9), provider, supernode }
    };
    let effects = node.receive(peer(100), Message::Push(call(10, 1)));
    assert_eq!(sent(&effects), [(peer(10), Message::Call { id: 5, to: peer(9) })]);
    let away = Message::Push(call(20, 100));
    assert_eq!(sent(&node.receive(peer(10), away.clone())), [(peer(100), away.clone())]);
    assert_eq!(sent(&node.receive(peer(100), away)), [], "only for its own ordinary nodes");
}

#[test]
fn promotes_the_most_capable_and_sheds_half() {
    let config = Config { children_split: 4, ..Config::default() };
    let mut node = Bench::supernode(&config);
    node.take(10, 10_000, true);
    node.take(11, 999, false);
    node.take(12, 5_000, false);
    node.take(13, 2_000, false);
    let effects = node.take(14, 300, false);
    assert_eq!(receivers(&effects, PROMOTE), [peer(12)], "reachable, with the best line");
    assert!(effects.iter().all(|e| e.cause == Cause::UPKEEP
        || !matches!(e.action, Action::Send { message: Message::Promote, .. })));
    assert_eq!(receivers(&node.take(15, 300, false), PROMOTE), [], "one at a time");
    let effects = node.receive(peer(12), Message::Link { load: 0 });
    assert_eq!(receivers(&effects, MOVE).len(), 2, "half of the five that are left");
    assert_eq!(node.node.footprint().routing_entries, 6, "five ordinary nodes and a link");
}

#[test]
fn uptime_comes_before_bandwidth() {
    let config = Config { children_split: 2, ..Config::default() };
    let mut node = Bench::supernode(&config);
    node.take(10, 1_500, false);
    node.now = Time::ZERO + config.promote_uptime;
    node.take(11, 10_000, false);
    assert_eq!(receivers(&node.take(12, 10_000, false), PROMOTE), [peer(10)]);
}

#[test]
fn retires_when_another_can_serve_its_few() {
    let config = Config::default();
    let mut node = linked(&config, &[100]);
    node.take(10, 500, false);
    node.take(11, 500, false);
    let effects = node.wake(Timer::Upkeep);
    assert_eq!(receivers(&effects, MOVE), [peer(10), peer(11)]);
    assert_eq!(receivers(&effects, |m| *m == Message::Unregister), [SERVER]);
    assert!(node.is_supernode(), "it serves until they have moved");
    node.lose(peer(10));
    let effects = node.lose(peer(11));
    assert!(!node.is_supernode());
    assert_eq!(receivers(&effects, |m| *m == Message::ListRequest), [SERVER]);
}

#[test]
fn the_last_supernode_stays() {
    let config = Config::default();
    let mut node = Bench::supernode(&config);
    node.take(10, 500, false);
    node.wake(Timer::Upkeep);
    // Of two with the same load, the one with the higher address stays.
    node.receive(peer(0), Message::Link { load: 1 });
    node.wake(Timer::Upkeep);
    assert!(node.is_supernode() && receivers(&node.wake(Timer::Upkeep), MOVE).is_empty());
    // One that has no room for them is no reason to retire either.
    node.receive(peer(100), Message::Link { load: 80 });
    assert!(receivers(&node.wake(Timer::Upkeep), MOVE).is_empty());
}

#[test]
fn a_leaving_supernode_names_an_heir() {
    let mut node = Bench::supernode(&Config::default());
    node.take(10, 500, false);
    node.take(11, 5_000, false);
    let effects = node.call(5, |node, cx| node.leave(cx, OpId(5)));
    assert_eq!(receivers(&effects, PROMOTE), [peer(11)]);
    assert_eq!(receivers(&effects, MOVE), [peer(10)]);
    assert_eq!(finished(&effects), [(5, Outcome::Done)]);
    assert!(closed(&effects).contains(&peer(10)));
}

#[test]
fn links_are_kept_at_their_number_and_exchanged() {
    let config = Config { links: 4, ..Config::default() };
    let mut node = Bench::supernode(&config);
    let known: Vec<u32> = (100..120).collect();
    let effects = node.receive(SERVER, Message::Nodes(list(&known)));
    let asked = receivers(&effects, |m| matches!(m, Message::Link { .. }));
    assert_eq!(asked.len(), 4);
    for &supernode in &asked {
        node.receive(supernode, Message::LinkAck { load: 90 });
    }
    // Six at the most: half as many again as it seeks.
    let accepted = (200..210)
        .filter(|&other| closed(&node.receive(peer(other), Message::Link { load: 90 })).is_empty());
    assert_eq!(accepted.count(), 2);
    let mut exchanged = 0;
    for _ in 0..200 {
        exchanged += closed(&node.wake(Timer::Upkeep)).len();
    }
    // Links that were up are given up by and by, and others asked for.
    assert!(exchanged >= 5, "{exchanged}");
    assert!(node.node.footprint().routing_entries >= 4);
}
