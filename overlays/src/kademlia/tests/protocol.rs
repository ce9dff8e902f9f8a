//! One node among fabricated messages: what it sends, and to whom.

use std::sync::Arc;

use super::super::message::{Announce, Body, Store, Transaction, Values, Wanted};
use super::super::{Message, Node, Paper, Timer};
use super::bench::{Bench, ME};
use super::*;
use crate::mainline::Krpc;
use crate::{Action, Item, Machine, OpId, Outcome, Overlay, Profile, Query, Span, Time};

fn find_value(key: Key) -> Body {
    Body::FindValue(Box::new(Wanted { key, limit: 10, words: None }))
}

#[test]
fn find_node_names_the_closest_but_not_the_asker() {
    let mut b = Bench::<Paper>::member(|s| s.k = 3, &[0x80, 0x90, 0xa0, 0x40, 0x20]);
    b.hear(contact(0x90), 7, Body::FindNode(id8(0x91)));
    let Some(Body::Nodes(nodes)) = b.reply() else { panic!("no nodes") };
    assert_eq!(nodes[..], [contact(0x80), contact(0xa0), contact(0x20)]);
}

#[test]
fn a_lookup_follows_closer_nodes_and_ends_at_the_closest() {
    let mut b = Bench::<Paper>::member(|s| s.k = 3, &[0x80, 0x40]);
    b.call(|node, cx| node.locate(cx, OpId(2), &id8(0xff)));
    let asked = b.asked();
    assert_eq!(asked.len(), 2);
    b.hear(contact(0x80), asked[0].1, Body::Nodes([contact(0xf0)].into()));
    let next = b.asked();
    assert_eq!(next[0].0, contact(0xf0).addr);
    // An answer under another name, and one from elsewhere, are not believed.
    b.hear(Contact { id: id8(0xfe), ..contact(0xf0) }, next[0].1, Body::Nodes(Box::default()));
    b.hear(contact(0x33), next[0].1, Body::Nodes(Box::default()));
    assert_eq!(b.outcome(), None);
    b.hear(contact(0xf0), next[0].1, Body::Nodes(Box::default()));
    b.hear(contact(0x40), asked[1].1, Body::Nodes(Box::default()));
    assert_eq!(b.outcome(), Some(&Outcome::Located(contact(0xf0).addr)));
}

#[test]
fn a_lookup_among_the_dead_ends() {
    let mut b = Bench::<Paper>::member(|s| s.k = 2, &[0x80, 0x40]);
    b.call(|node, cx| node.locate(cx, OpId(2), &id8(0xff)));
    for (_, number, _) in b.asked() {
        b.time_out(number);
    }
    assert_eq!(b.outcome(), Some(&Outcome::Failed(crate::Reason::Timeout)));
}

#[test]
fn a_search_ends_with_the_first_value_and_leaves_a_copy() {
    let mut b = Bench::<Paper>::member(|s| s.k = 3, &[0x80, 0x40, 0xc0]);
    let item = Arc::new(Item::new("song.ogg", 1));
    let mut asked = Vec::new();
    b.call(|node, cx| node.search(cx, OpId(2), &Query::exact(item.key())));
    asked.extend(b.asked());
    assert_eq!(asked.len(), 3);
    let number = |id: u8| asked.iter().find(|a| a.0 == contact(id).addr).unwrap().1;
    let empty = || {
        Body::Values(Box::new(Values { token: None, records: Vec::new(), nodes: Box::default() }))
    };
    b.hear(contact(0x40), number(0x40), empty());
    let record =
        super::super::message::Record { item: Some(item.clone()), provider: Addr::from_index(77) };
    let values = Values { token: None, records: vec![record], nodes: Box::default() };
    b.hear(contact(0x80), number(0x80), Body::Values(Box::new(values)));
    assert!(matches!(b.outcome(), Some(Outcome::Found(hits)) if hits.len() == 1));
    let stored = b.asked();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].0, contact(0x40).addr, "the closest that had none");
    assert!(matches!(&stored[0].2, Body::Store(s) if s.lifetime_s <= 86_400));
}

#[test]
fn what_is_stored_is_told_until_it_is_withdrawn_by_its_provider() {
    let mut b = Bench::<Paper>::member(|_| {}, &[0x80]);
    let item = Arc::new(Item::new("song.ogg", 1));
    let key = item.key();
    let provider = contact(0x80).addr;
    let store = Store { key, item: item.clone(), provider, lifetime_s: 1000 };
    b.hear(contact(0x80), 1, Body::Store(Box::new(store)));
    assert_eq!(b.reply(), Some(Body::Ack));
    assert_eq!(b.node.footprint().index_entries, 1);
    let withdraw = Body::Withdraw { key, item: key.top_bits(32) as u32 };
    b.hear(contact(0x81), 2, withdraw.clone());
    b.reply();
    b.hear(contact(0x81), 3, find_value(key));
    let Some(Body::Values(values)) = b.reply() else { panic!("no values") };
    assert_eq!(values.records.len(), 1, "others cannot withdraw it");
    b.hear(contact(0x80), 4, withdraw);
    b.reply();
    b.hear(contact(0x81), 5, find_value(key));
    let Some(Body::Values(values)) = b.reply() else { panic!("no values") };
    assert!(values.records.is_empty() && !values.nodes.is_empty());
}

/// The paper has no farewell; one that withdraws what it provides asks for the
/// nodes that keep it first.
#[test]
fn a_leaver_sends_nothing_unless_it_is_to_say_farewell() {
    for (farewell, sends) in [(false, false), (true, true)] {
        let mut b = Bench::<Paper>::member(|s| s.farewell = farewell, &[]);
        let item = Arc::new(Item::new("song.ogg", 1));
        b.call(|node, cx| node.insert(cx, OpId(2), &item));
        b.hear(contact(0x80), 0, Body::Ping);
        b.effects.clear();
        b.call(|node, cx| node.leave(cx, OpId(3)));
        let sent = b.effects.iter().any(|e| matches!(&e.action, Action::Send { .. }));
        assert_eq!(sent, sends);
        assert_eq!(b.outcome().is_none(), sends, "it waits for whom it asked");
    }
}

#[test]
fn announcing_takes_a_fresh_token_of_ones_own() {
    let mut b = Bench::<Krpc>::member(|_| {}, &[0x80]);
    let key = Key::hash(b"torrent");
    b.hear(contact(0x80), 1, find_value(key));
    let Some(Body::Values(values)) = b.reply() else { panic!("no values") };
    let token = values.token.expect("a token");
    let announce = |token: &[u8], implied_port| {
        let token = token.into();
        Body::Announce(Box::new(Announce { info_hash: key, port: 6881, implied_port, token }))
    };
    let is_203 = |body: Option<Body>| matches!(body, Some(Body::Error(e)) if e.0 == 203);
    b.hear(contact(0x81), 2, announce(&token, true));
    assert!(is_203(b.reply()), "somebody else's token");
    b.hear(contact(0x80), 3, announce(b"aoeusnth", true));
    assert!(is_203(b.reply()), "an invented token");
    b.hear(contact(0x80), 4, announce(&token, false));
    assert_eq!(b.reply(), Some(Body::Ack));
    b.now = Time::ZERO + Span::from_s(601);
    b.hear(contact(0x80), 5, announce(&token, true));
    assert!(is_203(b.reply()), "an old token");
    b.hear(contact(0x81), 6, find_value(key));
    let Some(Body::Values(values)) = b.reply() else { panic!("no values") };
    let mut provider = contact(0x80).addr.to_bytes();
    provider[4..].copy_from_slice(&6881_u16.to_be_bytes());
    assert_eq!(values.records[0].provider, Addr::from_bytes(provider));
    b.hear(contact(0x81), 7, Body::Unknown("vote".into()));
    assert!(matches!(b.reply(), Some(Body::Error(e)) if e.0 == 204));
}

/// BEP 43: a read-only node answers nothing and is in no table.
#[test]
fn read_only_nodes_ask_and_do_not_answer() {
    let mut b = Bench::<Krpc>::member(|_| {}, &[0x80]);
    let from = contact(0x40);
    let transaction = Transaction::numbered(1);
    let ping = Message::new(transaction, from.id, true, Body::Ping);
    b.call(|node, cx| node.on_message(cx, from.addr, ping));
    assert_eq!(b.reply(), Some(Body::Ack));
    assert_eq!(b.node.footprint().routing_entries, 1);
    let profile = Profile { firewalled: true, ..Profile::peer(Addr::from_index(ME)) };
    b.node = Node::new(&Arc::new(super::super::Config::default()), &profile);
    b.call(|node, cx| node.join(cx, OpId(3), &[contact(0x80).addr]));
    let sent = b
        .effects
        .iter()
        .any(|e| matches!(&e.action, Action::Send { message, .. } if message.read_only));
    assert!(sent, "it says that it is read-only");
    b.effects.clear();
    b.hear(contact(0x40), 9, Body::Ping);
    assert_eq!(b.reply(), None);
}

/// A contact that nobody has heard an answer from is not passed on (BEP 5).
#[test]
fn mainline_verifies_before_it_recommends() {
    let mut b = Bench::<Krpc>::member(|_| {}, &[0x80]);
    b.hear(contact(0x90), 1, Body::Ping);
    let pinged = b.asked();
    assert_eq!((pinged.len(), pinged[0].0), (1, contact(0x90).addr));
    b.hear(contact(0x40), 2, Body::FindNode(id8(0x90)));
    let Some(Body::Nodes(nodes)) = b.reply() else { panic!("no nodes") };
    assert_eq!(nodes[..], [contact(0x80)]);
    b.hear(contact(0x90), pinged[0].1, Body::Ack);
    b.hear(contact(0x40), 3, Body::FindNode(id8(0x90)));
    let Some(Body::Nodes(nodes)) = b.reply() else { panic!("no nodes") };
    assert_eq!(nodes[..], [contact(0x90), contact(0x80)]);
}

/// Somebody in a full bucket who is silent is asked twice before a newcomer
/// takes its place (BEP 5).
#[test]
fn mainline_pings_twice_before_it_replaces() {
    let full = [0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87];
    let mut b = Bench::<Krpc>::member(|_| {}, &full);
    b.now += Span::from_s(16 * 60);
    b.hear(contact(0x90), 1, Body::Ping);
    let pinged = b.asked();
    let (to, number) = (pinged[0].0, pinged[0].1);
    assert_eq!((pinged.len(), to), (1, contact(0x80).addr), "the longest unheard of");
    let knows = |b: &Bench<Krpc>| {
        let mut known = Vec::new();
        b.node.neighbours(&mut |addr| known.push(addr));
        [0x80, 0x90].map(|id| known.contains(&contact(id).addr))
    };
    b.call(|node, cx| node.on_timer(cx, Timer::Request(number)));
    assert_eq!(b.asked(), [(to, number, Body::Ping)]);
    assert_eq!(knows(&b), [true, false]);
    b.call(|node, cx| node.on_timer(cx, Timer::Request(number)));
    assert_eq!(knows(&b), [false, true]);
}

/// BEP 42: who has an identifier that its address does not allow is answered,
/// and gets no place.
#[test]
fn chosen_identifiers_get_no_place() {
    let mut b = Bench::<Krpc>::member(|config| config.secure_ids = true, &[]);
    let addr = Addr::from_index(0x4117_33aa);
    let chosen = Contact { id: id8(0x80), addr };
    let ip = std::net::Ipv4Addr::from_bits(addr.index()).into();
    let bound = Contact { id: crate::mainline::secure_id(ip, 22, id8(0x80)), addr };
    for (contact, places) in [(chosen, 0), (bound, 1)] {
        b.hear(contact, 1, Body::Ping);
        assert!(b.effects.iter().any(|e| matches!(&e.action,
            Action::Send { message, .. } if message.body == Body::Ack)));
        b.effects.clear();
        assert_eq!(b.node.footprint().routing_entries, places);
    }
}

#[test]
fn a_node_with_nobody_to_ask_answers_for_itself() {
    let mut b = Bench::<Paper>::member(|_| {}, &[]);
    b.call(|node, cx| node.locate(cx, OpId(2), &id8(0xff)));
    assert_eq!(b.outcome(), Some(&Outcome::Located(Addr::from_index(ME))));
    b.effects.clear();
    let item = Arc::new(Item::new("song.ogg", 1));
    b.call(|node, cx| node.insert(cx, OpId(3), &item));
    assert_eq!(b.outcome(), Some(&Outcome::Done));
    b.effects.clear();
    b.call(|node, cx| node.delete(cx, OpId(4), &item.key()));
    assert_eq!(b.outcome(), Some(&Outcome::Done));
    b.effects.clear();
    b.call(|node, cx| node.leave(cx, OpId(5)));
    assert_eq!(b.outcome(), Some(&Outcome::Done));
}

/// Ten thousand strangers fill no more than the buckets.
#[test]
fn a_flood_of_strangers_is_bounded() {
    let mut b = Bench::<Krpc>::member(|_| {}, &[0x80]);
    for i in 0..10_000_u32 {
        let stranger =
            Contact { id: Key::hash(&i.to_be_bytes()), addr: Addr::from_index(1 << 20 | i) };
        b.hear(stranger, i, Body::Ping);
        b.effects.clear();
    }
    let footprint = b.node.footprint();
    assert!(footprint.routing_entries <= 8 * 20, "{footprint:?}");
    assert!(footprint.bytes < 1 << 20, "{footprint:?}");
}
