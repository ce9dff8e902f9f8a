//! The wire format: what is written reads back, and nothing else does harm.

use std::sync::Arc;

use proptest::prelude::*;

use crate::replication::{
    BUCKETS, Block, Change, Entry, MAX_ENTRIES, Message, Shared, Version, Versions,
};
use crate::seam::{Addr, Item, Wire};

fn addr() -> impl Strategy<Value = Addr> {
    any::<[u8; 6]>().prop_map(Addr::from_bytes)
}

fn version() -> impl Strategy<Value = (Addr, Version)> {
    (addr(), any::<(u64, bool, u32)>())
        .prop_map(|(addr, (epoch, gone, seq))| (addr, Version { epoch, gone, seq }))
}

fn versions() -> impl Strategy<Value = Vec<(Addr, Version)>> {
    prop::collection::vec(version(), 0..10)
}

pub(super) fn block() -> impl Strategy<Value = Block> {
    let change = prop_oneof![
        (".{0,30}", any::<u64>())
            .prop_map(|(name, size)| Change::Add(Arc::new(Item::new(&name, size)))),
        any::<u32>().prop_map(Change::Remove),
    ];
    let entries = prop::collection::vec((1..5_u32, change), 0..6);
    let alive = (addr(), any::<u64>(), 0..1000_u32, entries, 0..3_u32);
    let alive = alive.prop_map(|(origin, epoch, from, changes, more)| {
        let mut seq = from;
        let entries = changes.into_iter().map(|(step, change)| {
            seq += step;
            Entry { seq, change }
        });
        let entries = entries.collect();
        Block {
            origin,
            epoch,
            gone: false,
            from,
            upto: seq + more,
            entries,
            state: Shared::default(),
        }
    });
    prop_oneof![alive, (addr(), any::<u64>()).prop_map(|(a, e)| Block::gone(a, e))]
}

fn message() -> impl Strategy<Value = Message> {
    let place = || prop::option::of((addr(), any::<u32>()));
    let buckets = prop::collection::vec(any::<u8>(), 0..8);
    prop_oneof![
        place().prop_map(|after| Message::Fetch { after }),
        (prop::collection::vec(block(), 0..5), place())
            .prop_map(|(blocks, next)| Message::Page { blocks, next }),
        block().prop_map(|block| Message::News(Arc::new(block))),
        Just(Message::Link),
        any::<bool>().prop_map(Message::Linked),
        any::<(u64, bool)>().prop_map(|(digest, linked)| Message::Beat { digest, linked }),
        any::<u64>().prop_map(|digest| Message::Echo { digest }),
        any::<u32>().prop_map(|digest| Message::Buckets(Box::new([digest; BUCKETS]))),
        (buckets, any::<bool>(), versions()).prop_map(|(buckets, complete, list)| {
            Message::Versions(Box::new(Versions { buckets, complete, list }))
        }),
        versions().prop_map(Message::Want),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(message in message()) {
        let bytes = message.to_bytes();
        prop_assert_eq!(bytes.len(), message.encoded_len());
        prop_assert_eq!(Message::from_bytes(&bytes), Ok(message));
    }

    #[test]
    fn anything_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::from_bytes(&bytes) {
            prop_assert_eq!(message.to_bytes().len(), message.encoded_len());
        }
    }
}

#[test]
fn the_longest_page_fits_a_message() {
    let item = Arc::new(Item::new(&"x".repeat(255), 1));
    let entry = |seq| Entry { seq, change: Change::Add(item.clone()) };
    let entries = (1..=MAX_ENTRIES as u32).map(entry).collect();
    let upto = MAX_ENTRIES as u32;
    let block = Block {
        origin: Addr::from_index(1),
        epoch: 1,
        gone: false,
        from: 0,
        upto,
        entries,
        state: Shared::default(),
    };
    // A page ends with the block that brings it to 40,000 bytes.
    assert!(40_000 + block.encoded_len() + 64 <= Message::MAX_BYTES);
}

#[test]
fn numbers_out_of_order_are_refused() {
    let item = Arc::new(Item::new("x", 1));
    let entry = |seq| Entry { seq, change: Change::Add(item.clone()) };
    for (from, upto, seqs) in [(3, 2, vec![]), (0, 2, vec![2, 1]), (0, 2, vec![3]), (1, 2, vec![1])]
    {
        let entries = seqs.into_iter().map(entry).collect();
        let origin = Addr::from_index(1);
        let block =
            Block { origin, epoch: 1, gone: false, from, upto, entries, state: Shared::default() };
        let bytes = Message::News(Arc::new(block)).to_bytes();
        assert!(Message::from_bytes(&bytes).is_err());
    }
}
