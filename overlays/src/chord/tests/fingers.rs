//! The finger table against a plain table of m entries, the ring built at once
//! against a linear search, and limits that hold against strangers.

use std::sync::Arc;

use proptest::prelude::*;

use super::bench::Bench;
use crate::chord::finger_table::FingerTable;
use crate::chord::message::{Errand, Message};
use crate::chord::records::Store;
use crate::chord::request::Finding;
use crate::chord::{Blueprint, Chord, Config, Contact};
use crate::{Addr, Cause, Census, Hit, Item, Key, Machine, Profile, Reason, Time};

const BITS: u32 = 12;

fn contact(id: u64) -> Contact {
    Contact { key: Key::from_top_bits(id, BITS), addr: Addr::from_index(id as u32), vnode: 0 }
}

/// The first of `nodes` at or after `key`.
fn successor(nodes: &[u64], key: Key) -> Contact {
    let at_or_after = nodes.iter().map(|n| contact(*n)).min_by_key(|c| key.distance_to(c.key));
    at_or_after.unwrap()
}

proptest! {
    /// Fingers set in any order, some of them stale, end up right once each
    /// was looked up; at any time none lies before its start, and the contact
    /// nearest before a key is the one that a scan of the whole table finds.
    #[test]
    fn the_table_is_a_table_of_m_fingers(
        ids in prop::collection::btree_set(0..4096_u64, 2..40),
        stale in prop::collection::vec((0..BITS, any::<prop::sample::Index>()), 0..40),
        gone in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        keys in prop::collection::vec(0..4096_u64, 20),
    ) {
        let ids: Vec<u64> = ids.into_iter().collect();
        let me = contact(ids[0]);
        let mut table = FingerTable::default();
        for (index, which) in stale {
            table.set(me.key, index, &contact(ids[which.index(ids.len())]), BITS);
        }
        for which in gone {
            table.remove(&contact(ids[which.index(ids.len())]), BITS);
        }
        check(&table, me, &keys)?;
        for index in 0..BITS {
            let start = FingerTable::start(me.key, index, BITS);
            table.set(me.key, index, &successor(&ids, start), BITS);
        }
        check(&table, me, &keys)?;
        for index in 0..BITS {
            let start = FingerTable::start(me.key, index, BITS);
            let right = successor(&ids, start);
            prop_assert_eq!(table.get(index).unwrap_or(me), right);
        }
    }

    #[test]
    fn a_blueprint_knows_every_owner(
        ids in prop::collection::btree_set(0..4096_u64, 1..60),
        keys in prop::collection::vec(0..4096_u64, 40),
    ) {
        let ids: Vec<u64> = ids.into_iter().collect();
        let peers = ids.iter().map(|id| Profile::peer(contact(*id).addr).with_id(contact(*id).key));
        let census = Census::new(peers.collect(), Vec::new(), Vec::new());
        let config = Config { id_bits: BITS, ..Config::default() };
        let blueprint = Blueprint::new(&config, census);
        for key in keys {
            let key = Key::from_top_bits(key, BITS);
            prop_assert_eq!(blueprint.owner(key), Some(&successor(&ids, key)));
        }
    }

    /// Settled rings of any shape pass the audit, which knows nothing of
    /// interpolation.
    #[test]
    fn settled_rings_are_clean(
        ids in prop::collection::btree_set(0..4096_u64, 1..40),
        virtual_nodes in 1..4_u16,
        successors in 1..6_usize,
    ) {
        let keys: Vec<Key> = ids.iter().map(|id| contact(*id).key).collect();
        let config = Config { id_bits: 160, virtual_nodes, successors, ..Config::default() };
        let bench = Bench::settled_at(config, &keys, &[]);
        prop_assert_eq!(Chord::audit_ring(&bench.all()), Vec::<String>::new());
        prop_assert_eq!(Chord::audit_fingers(&bench.all()), Vec::<String>::new());
    }
}

fn check(table: &FingerTable, me: Contact, keys: &[u64]) -> Result<(), TestCaseError> {
    for index in 0..BITS {
        let start = FingerTable::start(me.key, index, BITS);
        if let Some(finger) = table.get(index) {
            prop_assert!(me.key.distance_to(finger.key) >= me.key.distance_to(start));
        }
    }
    for key in keys {
        let key = Key::from_top_bits(*key, BITS);
        let scan = (0..BITS).rev().filter_map(|i| table.get(i));
        let by_scan = scan.into_iter().find(|c| c.key.in_open(me.key, key));
        prop_assert_eq!(table.preceding(me.key, key, BITS).next(), by_scan);
    }
    Ok(())
}

#[test]
fn a_node_is_small() {
    assert!(size_of::<Chord>() <= 232, "{}", size_of::<Chord>());
}

#[test]
fn the_store_is_bounded() {
    let config = Config { max_records: 5, max_providers: 2, ..Config::default() };
    let mut store = Store::default();
    let mut put = |name: &str, provider| {
        let hit = Hit { item: Arc::new(Item::new(name, 1)), provider: Addr::from_index(provider) };
        let key = hit.item.key();
        matches!(store.put(key, hit.into(), true, Time::ZERO, &config), Finding::Done)
    };
    assert!(put("a", 1) && put("a", 2) && !put("a", 3) && put("a", 2));
    assert!(put("b", 1) && put("c", 1) && put("d", 1) && !put("e", 1));
    assert_eq!(store.counts(), (5, 0));
    let key = Item::new("a", 1).key();
    assert!(store.remove(key, key, Addr::from_index(1), |_| true));
    assert_eq!(store.counts(), (4, 0));
}

#[test]
fn open_requests_are_bounded() {
    let config = Config { max_requests: 16, ..Config::default() };
    let ids: Vec<Key> = (0..40).map(|i| Bench::addr(i).key()).collect();
    let mut bench = Bench::settled_at(config, &ids, &[]);
    let far = ids[0].plus(Key::power_of_two(159));
    let ops: Vec<_> = (0..20)
        .map(|_| bench.start(0, |n, cx, op| crate::Overlay::locate(n, cx, op, &far)))
        .collect();
    let full = crate::Outcome::Failed(Reason::Full);
    assert_eq!(ops.iter().filter(|op| bench.outcomes.get(op) == Some(&full)).count(), 4);
    bench.run(10);
    assert!(ops.iter().all(|op| bench.outcomes.contains_key(op)));
}

#[test]
fn strangers_do_no_harm() {
    let ids: Vec<Key> = (0..20).map(|i| Bench::addr(i).key()).collect();
    let mut bench = Bench::settled_at(Config::default(), &ids, &[(3, "a"), (4, "b")]);
    let liar = Addr::from_index(999);
    let forged = Contact { key: ids[0].minus(Key::power_of_two(3)), ..contact(5) };
    let errand = || Box::new(Errand::Fetch { key: Key::hash(b"x"), limit: 1 });
    let (origin, key) = (liar, Key::hash(b"y"));
    let lies = [
        // Somebody else's address, unknown virtual nodes, answers to nothing.
        Message::Notify { vnode: 0, sender: forged },
        Message::Notify { vnode: 9, sender: Contact { addr: liar, ..forged } },
        Message::FindNext { request: 1, vnode: 9, key },
        Message::GetNeighbours { vnode: 700, asker: 0 },
        Message::Ping { vnode: 9, asker: 0 },
        Message::Pong { vnode: 9, responder: 0 },
        Message::Nudge { vnode: 9 },
        Message::Kept { request: 1 },
        Message::Located { request: 1, owner: forged },
        Message::Owner { request: 1, nodes: [forged].into_iter().collect() },
        Message::Closer { request: 1, nodes: [forged].into_iter().collect() },
        Message::Hits { request: 1, hits: Box::default() },
        Message::Received { request: 1, origin },
        Message::Neighbours {
            vnode: 0,
            responder: 0,
            predecessor: Some(forged),
            successors: [forged].into_iter().collect(),
        },
        Message::Route { request: 1, origin, key, vnode: 9, ttl: 9, ack: true, errand: None },
        Message::Route { request: 1, origin, key, vnode: 0, ttl: 0, ack: false, errand: None },
        Message::Deliver {
            request: 1,
            origin,
            vnode: 9,
            ttl: 0,
            ack: true,
            insist: true,
            errand: errand(),
        },
    ];
    let before = format!("{:?}", bench.node(0));
    for lie in lies {
        bench.call(0, Cause::UPKEEP, |node, cx| node.on_message(cx, liar, lie));
    }
    assert_eq!(format!("{:?}", bench.node(0)), before);
    for i in 0..3000_u32 {
        let flood = Message::Route {
            request: i,
            origin,
            key,
            vnode: 0,
            ttl: 9,
            ack: true,
            errand: Some(errand()),
        };
        bench.call(0, Cause::UPKEEP, |node, cx| node.on_message(cx, liar, flood));
    }
    assert!(crate::Overlay::footprint(bench.node(0)).bytes < 400_000);
    bench.run(120);
    assert_eq!(Chord::audit_ring(&bench.all()), Vec::<String>::new());
}
