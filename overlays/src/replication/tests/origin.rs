//! A log of changes, told in any blocks, comes to the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use crate::replication::{
    Block, Change, Entries, Entry, Meaning, Origin, Replica, Room, Shared, Version,
};
use crate::seam::{Addr, Item, Query, Rng, Stream, Time};

const ORIGIN: Addr = Addr::from_index(7);
const ROOM: Room = Room { peers: 100, log: 1000 };

fn item(name: u8) -> Arc<Item> {
    Arc::new(Item::new(&format!("file {name}"), 1))
}

/// Makes changes at their origin: each puts or removes one of a few items.
fn told(changes: &[u8]) -> (Arc<Origin>, Vec<Block>) {
    let mut origin = Origin::default();
    let mut blocks = vec![Block {
        origin: ORIGIN,
        epoch: 1,
        gone: false,
        from: 0,
        upto: 0,
        entries: Entries::default(),
        state: Shared::default(),
    }];
    origin.apply(&blocks[0]);
    for name in changes {
        let seq = origin.version().seq;
        let change = match origin.added_at(&item(*name).key()) {
            Some(added) => Change::Remove(added),
            None => Change::Add(item(*name)),
        };
        let entries = [Entry { seq: seq + 1, change }].into_iter().collect();
        let block = Block {
            origin: ORIGIN,
            epoch: 1,
            gone: false,
            from: seq,
            upto: seq + 1,
            entries,
            state: Shared::default(),
        };
        origin.apply(&block);
        blocks.push(block);
    }
    (Arc::new(origin), blocks)
}

fn names(origin: &Origin) -> Vec<String> {
    let mut names: Vec<String> = origin.items().map(|item| item.name().into()).collect();
    names.sort();
    names
}

proptest! {
    #[test]
    fn whoever_missed_some_is_brought_up_to_date(
        changes in prop::collection::vec(0..6_u8, 0..200),
        heard in prop::collection::vec(any::<bool>(), 201),
    ) {
        let (origin, blocks) = told(&changes);
        let mut replica = Replica::default();
        for (block, heard) in blocks.iter().zip(heard) {
            if heard {
                // A gap is left as it is, and closed below.
                replica.apply(block, Time::ZERO, ROOM);
            }
        }
        for block in origin.blocks_for(ORIGIN, replica.version(ORIGIN)) {
            replica.apply(&block, Time::ZERO, ROOM);
        }
        let copy = replica.get(ORIGIN).expect("it was told");
        prop_assert_eq!(copy.version(), origin.version());
        prop_assert_eq!(names(copy), names(&origin));
        prop_assert_eq!(replica.records(), origin.items().count());
    }

    #[test]
    fn a_shared_state_is_what_the_block_leads_to(
        changes in prop::collection::vec(0..6_u8, 1..100),
        start in 0..100_usize,
    ) {
        let (origin, blocks) = told(&changes);
        let start = start % blocks.len();
        let mut one = Replica::default();
        blocks.iter().take(start + 1).for_each(|b| _ = one.apply(b, Time::ZERO, ROOM));
        let mut other = Replica::default();
        blocks.iter().take(start + 1).for_each(|b| _ = other.apply(b, Time::ZERO, ROOM));
        for block in origin.blocks_for(ORIGIN, one.version(ORIGIN)) {
            one.apply(&block, Time::ZERO, ROOM);
            other.apply(&Block { state: Shared(None), ..block }, Time::ZERO, ROOM);
        }
        let [shared, own] = [&one, &other].map(|replica| replica.get(ORIGIN).expect("told"));
        prop_assert_eq!(&**shared, &**own);
        prop_assert_eq!(&**shared, &*origin);
        prop_assert_eq!(one.records(), other.records());
    }

    #[test]
    fn replicas_that_know_the_same_have_one_digest(
        changes in prop::collection::vec(0..6_u8, 0..60),
        cut in 0..60_usize,
    ) {
        let (origin, blocks) = told(&changes);
        let mut one = Replica::default();
        blocks.iter().for_each(|block| _ = one.apply(block, Time::ZERO, ROOM));
        let mut other = Replica::default();
        blocks.iter().take(cut).for_each(|block| _ = other.apply(block, Time::ZERO, ROOM));
        let same = one.version(ORIGIN) == other.version(ORIGIN);
        prop_assert_eq!(one.digest() == other.digest(), same);
        for block in origin.blocks_for(ORIGIN, None) {
            other.apply(&block, Time::ZERO, ROOM);
        }
        prop_assert_eq!(one.digest(), other.digest());
        prop_assert_eq!(one.buckets(), other.buckets());
    }
}

/// A teller whose memory says something else than its words is not believed.
#[test]
fn a_state_that_is_not_what_the_block_says_is_not_taken() {
    let (_, blocks) = told(&[1, 2]);
    let (other, _) = told(&[1, 3]);
    let mut replica = Replica::default();
    blocks[..2].iter().for_each(|block| _ = replica.apply(block, Time::ZERO, ROOM));
    let forged = Block { state: Shared(Some(other)), ..blocks[2].clone() };
    assert_eq!(replica.apply(&forged, Time::ZERO, ROOM), Meaning::News);
    assert_eq!(names(replica.get(ORIGIN).expect("told")), ["file 1", "file 2"]);
}

#[test]
fn versions_are_ordered_by_epoch_then_end_then_number() {
    let version = |epoch, gone, seq| Version { epoch, gone, seq };
    assert!(version(2, false, 0) > version(1, true, 0));
    assert!(version(1, true, 0) > version(1, false, 9));
    assert!(version(1, false, 2) > version(1, false, 1));
}

#[test]
fn who_has_gone_comes_back_under_a_later_epoch_only() {
    let (origin, blocks) = told(&[1, 2, 3]);
    let mut replica = Replica::default();
    blocks.iter().for_each(|block| _ = replica.apply(block, Time::ZERO, ROOM));
    assert_eq!(replica.records(), 3);
    let gone = Block::gone(ORIGIN, 1);
    assert_eq!(replica.apply(&gone, Time::ZERO, ROOM), Meaning::News);
    assert_eq!((replica.records(), replica.digest()), (0, 0));
    assert!(!replica.is_member(ORIGIN));
    for block in &blocks {
        assert_eq!(replica.apply(block, Time::ZERO, ROOM), Meaning::Old);
    }
    let back = Arc::new(Origin::new(2, origin.items().map(Arc::clone)));
    for block in back.blocks_for(ORIGIN, None) {
        assert_eq!(replica.apply(&block, Time::ZERO, ROOM), Meaning::News);
    }
    assert_eq!(replica.records(), 3);
}

#[test]
fn the_index_is_bounded() {
    let room = Room { peers: 2, log: 3 };
    let mut replica = Replica::default();
    let block = |origin: u32, from: u32, n: u32| Block {
        origin: Addr::from_index(origin),
        epoch: 1,
        gone: false,
        from,
        upto: from + n,
        entries: (1..=n)
            .map(|i| Entry { seq: from + i, change: Change::Add(item(i as u8)) })
            .collect(),
        state: Shared::default(),
    };
    assert_eq!(replica.apply(&block(1, 0, 3), Time::ZERO, room), Meaning::News);
    assert_eq!(replica.apply(&block(1, 3, 1), Time::ZERO, room), Meaning::Old);
    assert_eq!(replica.apply(&block(2, 0, 1), Time::ZERO, room), Meaning::News);
    assert_eq!(replica.apply(&block(3, 0, 1), Time::ZERO, room), Meaning::Old);
}

#[test]
fn a_replica_over_a_base_equals_one_without() {
    let all: BTreeMap<Addr, Vec<Arc<Item>>> = (0..20_u8)
        .map(|peer| (Addr::from_index(peer.into()), vec![item(peer), item(peer + 1)]))
        .collect();
    let base = Arc::new(crate::replication::Base::new(&all));
    let mut over = Replica::of(&base);
    let mut without = Replica::default();
    let mut after = None;
    loop {
        let (blocks, next) = over.page(after);
        blocks.iter().for_each(|block| _ = without.apply(block, Time::ZERO, ROOM));
        after = next;
        if after.is_none() {
            break;
        }
    }
    let mut rng: Rng = Stream::Protocol.rng(1);
    let gone = Block::gone(Addr::from_index(3), 0);
    for _ in 0..2 {
        assert_eq!((over.records(), over.digest()), (without.records(), without.digest()));
        assert_eq!(over.buckets(), without.buckets());
        for name in 0..=20 {
            let query = Query { limit: 100, ..Query::exact(item(name).key()) };
            let [one, other] = [&mut over, &mut without].map(|replica| {
                let hits = replica.search(&query, &mut rng);
                let mut providers: Vec<Addr> = hits.iter().map(|hit| hit.provider).collect();
                providers.sort_unstable();
                providers
            });
            assert_eq!(one, other);
        }
        over.apply(&gone, Time::ZERO, ROOM);
        without.apply(&gone, Time::ZERO, ROOM);
    }
}
