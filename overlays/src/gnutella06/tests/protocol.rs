//! What a servent does with what it is told.

use super::bench::{
    Bench, ME, addr, answer, exact, guid, hit, item, leaf, queries, query, ultrapeer,
};
use crate::gnutella06::handshake::Headers;
use crate::gnutella06::message::{ENOUGH, Message};
use crate::gnutella06::{Config, Rank, Timer};
use crate::seam::{Machine, OpId, Outcome, Overlay, Profile, Query, Reason, Span};

#[test]
fn timers_take_eight_bytes_and_messages_48() {
    assert!(size_of::<Timer>() <= 8);
    assert!(size_of::<Message>() <= 48, "{}", size_of::<Message>());
}

#[test]
fn a_founder_is_an_ultrapeer_and_guides_newcomers_down() {
    let mut bench = Bench::founder(Config::default());
    assert_eq!(bench.node.rank(), Rank::Ultrapeer);
    let connect = Message::Connect { headers: Box::new(ultrapeer()) };
    let sent = bench.tell(1, connect);
    let [(1, Message::Answer { code: 200, headers })] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((headers.ultrapeer, headers.ultrapeer_needed), (Some(true), Some(false)));
    assert!(!bench.node.linked(addr(1)), "linked before the third block");
    bench.tell(1, answer(200, leaf()));
    assert_eq!((bench.node.leaves(), bench.node.ultrapeers()), (1, 0));
}

#[test]
fn ultrapeers_are_needed_when_leaf_slots_run_out() {
    let mut bench = Bench::founder(Config { leaves: 10, ..Config::default() });
    (1..=9).for_each(|n| bench.link_leaf(n, &[]));
    let connect = |headers| Message::Connect { headers: Box::new(headers) };
    let sent = bench.tell(20, connect(ultrapeer()));
    let [(20, Message::Answer { code: 200, headers })] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(headers.ultrapeer_needed, Some(true));
    // The last slot is for one that has no ultrapeer.
    let stranded = || Headers { ultrapeer_needed: Some(true), ..leaf() };
    let refused = |sent: &[(u32, Message)]| match sent {
        [(_, Message::Answer { code: 503, headers })] => headers.ultrapeer_needed,
        _ => panic!("{sent:?}"),
    };
    assert_eq!(refused(&bench.tell(21, connect(leaf()))), Some(true));
    bench.link(10, &stranded());
    assert_eq!(refused(&bench.tell(22, connect(stranded()))), Some(true));
    assert_eq!(bench.node.leaves(), 10);
}

#[test]
fn a_leaf_that_nobody_has_room_for_comes_back_as_an_ultrapeer() {
    let full = || Headers { ultrapeer_needed: Some(true), ..ultrapeer() };
    let run = |profile: Profile| {
        let mut bench = Bench::new(Config::default(), profile);
        let sent = bench.call(|node, cx| node.join(cx, OpId(1), &[addr(1)]));
        let [(1, Message::Connect { headers })] = &sent[..] else { panic!("{sent:?}") };
        let says = (headers.ultrapeer, headers.ultrapeer_needed);
        assert_eq!(says, (Some(false), Some(true)), "it has none, and is none");
        (bench.tell(1, answer(503, full())), bench)
    };
    let (sent, mut bench) = run(Profile::peer(addr(ME)));
    let [(1, Message::Connect { headers })] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(headers.ultrapeer, Some(true));
    bench.tell(1, answer(200, full()));
    assert_eq!((bench.node.rank(), bench.node.ultrapeers()), (Rank::Ultrapeer, 1));
    assert_eq!(bench.outcomes, [(OpId(1), Outcome::Done)]);
    // Neither a slow nor a firewalled one does.
    let slow = Profile { upload_bps: 33_000, ..Profile::peer(addr(ME)) };
    let walled = Profile { firewalled: true, ..Profile::peer(addr(ME)) };
    for profile in [slow, walled] {
        let (sent, bench) = run(profile);
        assert!(sent.is_empty(), "{sent:?}");
        assert_eq!(bench.node.rank(), Rank::Leaf);
    }
}

#[test]
fn an_old_leaf_that_nobody_has_room_for_offers_itself_and_the_acceptor_decides() {
    let full = || Headers { ultrapeer_needed: Some(true), ..ultrapeer() };
    // What it does each time that host 7 refuses it, and after how many rounds
    // it came to offer itself.
    let offers = |now: Span| {
        let mut bench = Bench::leaf(2);
        bench.now += now;
        for round in 0..400 {
            bench.node.hosts.forget(addr(7));
            bench.node.hosts.learn(addr(7));
            let sent = bench.call(|node, cx| node.on_upkeep(cx));
            let dial = sent.iter().find(|(_, m)| matches!(m, Message::Connect { .. }));
            let Some((7, Message::Connect { headers })) = dial else { panic!("{sent:?}") };
            let says = (headers.ultrapeer, headers.ultrapeer_needed);
            assert_eq!(says, (Some(false), None), "it has two, and is none");
            if let [(7, Message::Connect { headers })] = &bench.tell(7, answer(503, full()))[..] {
                assert_eq!(headers.ultrapeer, Some(true));
                return Some((round, bench));
            }
        }
        None
    };
    assert!(offers(Span::ZERO).is_none(), "it is too young");
    // It lacks one link, which is a thirtieth of an ultrapeer in two rounds.
    let (round, mut bench) = offers(Config::default().min_uptime).unwrap();
    assert!(round > 0, "{round}");
    let sent = bench.tell(7, answer(200, full()));
    assert_eq!(bench.node.rank(), Rank::Ultrapeer);
    let byes = sent.iter().filter(|(_, m)| matches!(m, Message::Bye { .. })).count();
    assert_eq!(byes, 2, "those whose leaf it was are told");
    assert_eq!((bench.node.ultrapeers(), bench.node.leaves()), (1, 0));
    // Had there been room in the meantime, it would have stayed a leaf.
    let (_, mut bench) = offers(Config::default().min_uptime).unwrap();
    bench.tell(7, answer(200, Headers { ultrapeer_needed: Some(false), ..ultrapeer() }));
    assert_eq!((bench.node.rank(), bench.node.ultrapeers()), (Rank::Leaf, 3));
}

#[test]
fn an_ultrapeer_with_few_leaves_steps_down_when_it_is_told_so() {
    let guide = |needed| Headers { ultrapeer_needed: Some(needed), ..ultrapeer() };
    let founder = |leaves: u32| {
        let mut bench = Bench::founder(Config::default());
        (1..=leaves).for_each(|n| bench.link_leaf(n, &[]));
        [21, 22].iter().for_each(|n| bench.link_ultrapeer(*n, &[]));
        bench
    };
    // It makes a link anew in each round, and hears the same each time.
    let round = |bench: &mut Bench, needed| {
        let sent = bench.call(|node, cx| node.on_upkeep(cx));
        let dial = sent.iter().find(|(_, m)| matches!(m, Message::Connect { .. }));
        let (peer, _) = dial?;
        Some((*peer, bench.tell(*peer, answer(200, guide(needed)))))
    };
    let mut bench = founder(14);
    for _ in 0..200 {
        round(&mut bench, true).unwrap();
        let links = (bench.node.leaves(), bench.node.ultrapeers());
        assert_eq!((bench.node.rank(), links), (Rank::Ultrapeer, (14, 2)));
    }
    // One time in five it heeds what it is told.
    let mut told = 0;
    let (peer, sent) = loop {
        told += 1;
        let (peer, sent) = round(&mut bench, false).unwrap();
        if bench.node.rank() == Rank::Leaf {
            break (peer, sent);
        }
    };
    assert!((2..100).contains(&told), "{told}");
    assert_eq!((bench.node.leaves(), bench.node.ultrapeers()), (0, 1));
    let third = sent.iter().find_map(|(to, message)| match message {
        Message::Answer { code: 200, headers } if *to == peer => headers.ultrapeer,
        _ => None,
    });
    assert_eq!(third, Some(false));
    let other = addr(if peer == 21 { 22 } else { 21 });
    for (to, message) in &sent {
        if let Message::Bye { body, .. } = message {
            let named = [addr(peer), other];
            let named = &named[..if *to == other.index() { 1 } else { 2 }];
            assert_eq!(*body.hosts, *named, "{to} is told where to turn");
        }
    }
    // One with more leaves does not ask.
    assert_eq!(round(&mut founder(15), false), None);
}

#[test]
fn an_ultrapeer_that_asks_for_guidance_keeps_its_link_or_becomes_a_leaf() {
    let mut bench = Bench::founder(Config { degree: 2, ..Config::default() });
    [11, 12].iter().for_each(|n| bench.link_ultrapeer(*n, &["blue moon"]));
    bench.link(11, &ultrapeer());
    assert_eq!((bench.node.leaves(), bench.node.ultrapeers()), (0, 2));
    bench.tell(11, Message::Connect { headers: Box::new(ultrapeer()) });
    assert_eq!(bench.node.ultrapeers(), 2, "it is linked while it asks");
    bench.tell(11, answer(200, leaf()));
    assert_eq!((bench.node.leaves(), bench.node.ultrapeers()), (1, 1));
    assert_eq!(bench.closed, []);
}

#[test]
fn a_leaf_that_loses_its_last_ultrapeer_turns_to_its_contacts_at_once() {
    let mut bench = Bench::leaf(1);
    bench.node.hosts.forget(addr(1));
    bench.node.contacts = vec![addr(7)];
    let sent = bench.call(|node, cx| node.on_lost(cx, addr(1)));
    let mut dialled = Vec::new();
    for (to, message) in &sent {
        let Message::Connect { headers } = message else { panic!("{message:?}") };
        assert_eq!(headers.ultrapeer_needed, Some(true));
        dialled.push(*to);
    }
    dialled.sort_unstable();
    assert_eq!(dialled, [1, 7], "the one that it lost as well");
    assert_eq!(bench.call(|node, cx| node.on_lost(cx, addr(1))), []);
    // Refused for want of room, it comes as an ultrapeer, whatever its age.
    let full = Headers { ultrapeer_needed: Some(true), ..ultrapeer() };
    let sent = bench.tell(7, answer(503, full));
    let [(7, Message::Connect { headers })] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(headers.ultrapeer, Some(true));
    // And when that fails, it looks again soon.
    bench.timers.clear();
    bench.tell(7, answer(503, ultrapeer()));
    assert_eq!(bench.timers, [Timer::Choose]);
}

#[test]
fn a_leaf_takes_nobody_but_one_left_alone_does() {
    let mut bench = Bench::leaf(2);
    let connect = || Message::Connect { headers: Box::new(leaf()) };
    let sent = bench.tell(9, connect());
    let [(9, Message::Answer { code: 503, headers })] = &sent[..] else { panic!("{sent:?}") };
    let mut hosts = headers.try_ultrapeers.clone();
    hosts.sort_unstable();
    assert_eq!(hosts, [addr(1), addr(2)]);
    for peer in [1, 2] {
        bench.call(|node, cx| node.on_lost(cx, addr(peer)));
    }
    let sent = bench.tell(9, connect());
    assert!(matches!(sent[..], [(9, Message::Answer { code: 200, .. })]), "{sent:?}");
    assert_eq!(bench.node.rank(), Rank::Ultrapeer);
}

#[test]
fn two_that_dial_each_other_get_one_link() {
    // 100 dials 1 and 200 while they dial it.
    for (peer, goes_on) in [(1, true), (200, false)] {
        let mut bench = Bench::new(Config::default(), Profile::peer(addr(ME)));
        bench.call(|node, cx| node.found(cx));
        bench.call(|node, cx| {
            node.hosts.learn(addr(peer));
            node.start_upkeep(cx);
            node.refill(cx);
        });
        let sent = bench.tell(peer, Message::Connect { headers: Box::new(ultrapeer()) });
        assert_eq!(!sent.is_empty(), goes_on, "{peer}: {sent:?}");
    }
}

#[test]
fn a_leafs_query_goes_to_matching_leaves_then_ultrapeers() {
    let mut bench = Bench::founder(Config::default());
    bench.link_leaf(1, &["blue moon"]);
    bench.link_leaf(2, &["red sun"]);
    bench.link_leaf(3, &[]);
    (11..=14).for_each(|n| bench.link_ultrapeer(n, &["something else"]));
    bench.link_ultrapeer(15, &["red sun"]);
    let sent = bench.tell(1, query(1, 3, 0, "red sun"));
    assert_eq!(queries(&sent), [(2, 1)], "leaf 2 alone may have it");
    // The probe: TTL 1 where the table matches, 2 elsewhere, three in all.
    let sent = bench.wake_last();
    let probes = queries(&sent);
    assert_eq!(probes.len(), 3);
    assert_eq!(probes.iter().filter(|(_, ttl)| *ttl == 2).count(), 2);
    assert!(probes.contains(&(15, 1)));
    // Then, since nothing came, one link at a time as far as allowed.
    let mut asked = Vec::new();
    for _ in 0..5 {
        let sent = queries(&bench.wake_last());
        assert!(matches!(sent[..], [(_, 3)]), "{sent:?}");
        asked.extend(sent);
    }
    asked.sort_unstable();
    assert_eq!(asked, [(11, 3), (12, 3), (13, 3), (14, 3), (15, 3)]);
    assert_eq!(bench.wake_last(), [(1, Message::Over { guid: guid(1) })]);
}

#[test]
fn the_ttl_follows_from_how_common_things_are() {
    let config = Config { wanted_hits_for_leaf: 50, ..Config::default() };
    let mut bench = Bench::founder(config);
    bench.link_leaf(1, &[]);
    (11..=30).for_each(|n| bench.link_ultrapeer(n, &["blue moon"]));
    let probes = queries(&bench.tell(1, query(1, 3, 0, "blue moon")));
    assert_eq!(probes.len(), 3);
    assert!(probes.iter().all(|(_, ttl)| *ttl == 1));
    // Four ultrapeers, this one included, made 8 hits: 84 more are needed for
    // the 42 that are missing, five on each of the 20 links that are left. A
    // TTL of 1 reaches one, a TTL of 2 reaches 32.
    let names: Vec<String> = (0..8).map(|i| format!("blue moon {i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    bench.tell(probes[0].0, hit(guid(1), 50, &names));
    let sent = bench.wake_last();
    assert!(sent.contains(&(1, Message::Status { guid: guid(1) })));
    assert!(matches!(queries(&sent)[..], [(_, 2)]), "{sent:?}");
    // The leaf could use none of them: to find the first, as far as it goes.
    bench.tell(1, Message::Kept { guid: guid(1), hits: 0 });
    assert!(matches!(queries(&bench.wake_last())[..], [(_, 3)]));
    // It has enough.
    bench.tell(1, Message::Kept { guid: guid(1), hits: ENOUGH });
    assert_eq!(bench.wake_last(), []);
}

#[test]
fn enough_hits_end_a_dynamic_query() {
    let mut bench = Bench::founder(Config { wanted_hits_for_leaf: 2, ..Config::default() });
    bench.link_leaf(1, &[]);
    (11..=20).for_each(|n| bench.link_ultrapeer(n, &["blue moon"]));
    bench.tell(1, query(1, 3, 0, "blue moon"));
    let sent = bench.tell(11, hit(guid(1), 50, &["blue moon", "blue moon too"]));
    assert!(matches!(sent[..], [(1, Message::QueryHit { .. })]), "{sent:?}");
    assert_eq!(bench.wake_last(), [(1, Message::Over { guid: guid(1) })]);
}

#[test]
fn a_query_is_passed_on_by_table_on_its_last_hop() {
    let mut bench = Bench::founder(Config::default());
    bench.link_leaf(1, &["blue moon"]);
    bench.link_leaf(2, &["red sun"]);
    bench.link_ultrapeer(11, &[]);
    bench.link_ultrapeer(12, &["blue moon"]);
    bench.link_ultrapeer(13, &["red sun"]);
    bench.link(14, &ultrapeer());
    let sent = bench.tell(11, query(1, 2, 1, "blue moon"));
    assert_eq!(queries(&sent), [(1, 1), (12, 1), (14, 1)], "14 has sent no table");
    // A duplicate is dropped, and one that can go farther goes on to
    // ultrapeers, though not to leaves again.
    assert_eq!(queries(&bench.tell(12, query(1, 2, 1, "blue moon"))), []);
    let sent = bench.tell(12, query(1, 3, 1, "blue moon"));
    assert_eq!(queries(&sent), [(11, 2), (13, 2), (14, 2)]);
    assert_eq!(queries(&bench.tell(13, query(1, 3, 1, "blue moon"))), []);
    // Nobody makes a query go farther than the limit.
    let sent = bench.tell(11, query(2, 200, 1, "green hill"));
    assert!(queries(&sent).iter().all(|(_, ttl)| *ttl <= 2), "{sent:?}");
    assert_eq!(queries(&bench.tell(99, query(3, 3, 1, "blue moon"))), [], "a stranger's");
}

#[test]
fn hits_go_back_the_way_the_query_came() {
    let mut bench = Bench::founder(Config::default());
    bench.link_leaf(1, &["blue moon"]);
    bench.link_ultrapeer(11, &[]);
    bench.tell(11, query(1, 1, 1, "blue moon"));
    let sent = bench.tell(1, hit(guid(1), 1, &["blue moon"]));
    assert!(matches!(sent[..], [(11, Message::QueryHit { .. })]), "{sent:?}");
    assert_eq!(bench.tell(1, hit(guid(2), 1, &["blue moon"])), [], "for an unknown query");
    assert_eq!(bench.tell(99, hit(guid(1), 1, &["blue moon"])), [], "from a stranger");
}

#[test]
fn a_leaf_asks_its_ultrapeers_and_stops_them_when_it_has_enough() {
    let mut bench = Bench::leaf(3);
    let query = Query::exact(item("blue moon").key());
    let sent = bench.search(2, &query);
    assert_eq!(queries(&sent), [(1, 3), (2, 3), (3, 3)]);
    let Message::Query { guid: id, .. } = sent[0].1 else { panic!() };
    assert_eq!(bench.tell(1, Message::Over { guid: id }), []);
    let sent = bench.tell(2, hit(id, 50, &["blue moon"]));
    let enough = Message::Kept { guid: id, hits: ENOUGH };
    assert_eq!(sent, [(2, enough.clone()), (3, enough)]);
    assert!(
        matches!(bench.outcomes.last(), Some((OpId(2), Outcome::Found(hits))) if hits.len() == 1)
    );
    // And one for which nobody has anything ends with the last of them.
    let sent = bench.search(3, &query);
    let Message::Query { guid: id, .. } = sent[0].1 else { panic!() };
    bench.tell(1, Message::Over { guid: id });
    bench.call(|node, cx| node.on_lost(cx, addr(2)));
    assert_eq!(bench.outcomes.len(), 2);
    bench.tell(3, Message::Over { guid: id });
    assert_eq!(bench.outcomes.last(), Some(&(OpId(3), Outcome::NotFound)));
}

#[test]
fn a_leaf_tells_its_table_at_once_and_an_ultrapeer_the_sum_later() {
    let mut bench = Bench::leaf(2);
    let sent = bench.call(|node, cx| node.insert(cx, OpId(2), &item("blue moon")));
    let patches = sent.iter().filter(|(_, m)| matches!(m, Message::Patch { .. })).count();
    assert_eq!((sent.len(), patches), (2, 2));
    let mut bench = Bench::founder(Config::default());
    bench.link_ultrapeer(11, &[]);
    bench.link_leaf(1, &["blue moon"]);
    bench.link_leaf(2, &["red sun"]);
    bench.timers.retain(|t| *t == Timer::Tables);
    assert_eq!(bench.timers.len(), 1, "two changes, one round");
    let sent = bench.wake_last();
    let [(11, Message::Patch { body })] = &sent[..] else { panic!("{sent:?}") };
    assert!(body.zlib && body.data.len() < 500, "{}", body.data.len());
    assert_eq!(*bench.node.table, bench.node.fresh_table());
    // When a leaf goes, so do its words.
    bench.call(|node, cx| node.on_lost(cx, addr(2)));
    let sent = bench.wake_last();
    assert!(matches!(sent[..], [(11, Message::Patch { .. })]), "{sent:?}");
}

#[test]
fn patches_without_a_reset_and_tables_for_leaves_are_dropped() {
    let mut bench = Bench::founder(Config::default());
    bench.link(1, &leaf());
    let held = bench.node.footprint().bytes;
    let body = crate::gnutella06::qrp::PatchBody::new(1, 9, false, 8, [1; 4096].into());
    bench.tell(1, Message::Patch { body: std::sync::Arc::new(body) });
    bench.tell(99, Message::Reset { size: 1 << 16, infinity: 7 });
    bench.tell(1, Message::Reset { size: 12, infinity: 7 });
    assert_eq!(bench.node.footprint().bytes, held);
    assert_eq!(queries(&bench.tell(1, query(1, 3, 0, "x"))), []);
}

#[test]
fn a_leaf_that_floods_is_held_off() {
    let mut bench = Bench::founder(Config::default());
    bench.link_leaf(1, &[]);
    bench.link_ultrapeer(11, &["blue moon"]);
    let mut refused = 0;
    for id in 0..=255 {
        let sent = bench.tell(1, query(id, 3, 0, "blue moon"));
        refused += u32::from(matches!(sent[..], [(1, Message::Over { .. })]));
    }
    assert_eq!(refused, 256 - 64);
}

#[test]
fn handshakes_that_are_never_finished_are_forgotten() {
    let mut bench = Bench::founder(Config::default());
    let connect = || Message::Connect { headers: Box::new(leaf()) };
    let greeted = (1..=90).filter(|n| {
        let sent = bench.tell(*n, connect());
        matches!(sent[..], [(_, Message::Answer { code: 200, .. })])
    });
    assert_eq!(greeted.count(), 64);
    bench.now += Span::from_s(60);
    bench.call(|node, cx| node.on_upkeep(cx));
    let sent = bench.tell(95, connect());
    assert!(matches!(sent[..], [(95, Message::Answer { code: 200, .. })]));
    // And an answer that nobody waits for is nothing.
    assert_eq!(bench.tell(1, answer(200, leaf())), []);
    assert_eq!(bench.node.leaves(), 0);
}

#[test]
fn a_dead_contact_fails_a_join() {
    let mut bench =
        Bench::new(Config { join_tries: 1, ..Config::default() }, Profile::peer(addr(ME)));
    bench.call(|node, cx| node.join(cx, OpId(1), &[addr(1)]));
    bench.call(|node, cx| node.on_lost(cx, addr(1)));
    assert_eq!(bench.outcomes, [(OpId(1), Outcome::Failed(Reason::NoContact))]);
}

#[test]
fn a_leaver_names_leaves_where_there_are_no_ultrapeers() {
    let mut bench = Bench::founder(Config::default());
    bench.link_leaf(1, &[]);
    bench.link_leaf(2, &[]);
    bench.link(3, &Headers { listen: None, ..leaf() });
    let sent = bench.call(|node, cx| node.leave(cx, OpId(2)));
    for (to, message) in &sent {
        let Message::Bye { body, .. } = message else { panic!("{message:?}") };
        let others: Vec<_> = [1, 2].iter().filter(|n| *n != to).map(|n| addr(*n)).collect();
        assert_eq!(*body.hosts, others, "3 cannot be reached");
    }
    assert_eq!((sent.len(), bench.closed.len()), (3, 3));
}

#[test]
fn an_ultrapeers_own_search_ends_with_its_dynamic_query() {
    let mut bench = Bench::founder(Config::default());
    bench.link_leaf(1, &["blue moon"]);
    let sent = bench.search(2, &Query { limit: 10, ..Query::exact(item("blue moon").key()) });
    assert_eq!(queries(&sent), [(1, 1)]);
    let Message::Query { guid: id, ref target, .. } = sent[0].1 else { panic!() };
    assert_eq!(*target, exact("blue moon"));
    bench.tell(1, hit(id, 1, &["blue moon"]));
    assert_eq!(bench.outcomes.len(), 1);
    bench.wake_last();
    assert!(matches!(bench.outcomes.last(), Some((OpId(2), Outcome::Found(_)))));
}

#[test]
fn copies_are_kept_on_the_way_and_answer_for_the_provider() {
    use crate::parts::servent::Replication;
    let config = Config { replication: Replication::Path, ..Config::default() };
    let mut bench = Bench::founder(config);
    bench.link_leaf(1, &["blue moon"]);
    bench.link_ultrapeer(11, &[]);
    bench.link_ultrapeer(12, &[]);
    bench.tell(11, query(1, 1, 1, "blue moon"));
    bench.tell(1, hit(guid(1), 1, &["blue moon"]));
    assert_eq!(bench.node.footprint().index_entries, 1);
    bench.call(|node, cx| node.on_lost(cx, addr(1)));
    let sent = bench.tell(12, query(2, 1, 1, "blue moon"));
    let [(12, Message::QueryHit { body, .. })] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(body.provider, addr(1));
    // The words of copies stand in the table.
    bench.call(|node, cx| node.on_tables_due(cx));
    assert!(!bench.node.table.is_empty());
}
