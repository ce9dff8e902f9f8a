//! The wire format: what is written reads back, and nothing else does harm.

use std::sync::Arc;

use proptest::prelude::*;

use crate::client_server::{Change, Message, Page};
use crate::seam::{Addr, Hit, Item, Key, Query, Wire};

fn key() -> impl Strategy<Value = Key> {
    any::<[u8; 20]>().prop_map(Key::from_bytes)
}

fn addr() -> impl Strategy<Value = Addr> {
    any::<[u8; 6]>().prop_map(Addr::from_bytes)
}

fn item() -> impl Strategy<Value = Arc<Item>> {
    (".{0,40}", any::<u64>()).prop_map(|(name, size)| Arc::new(Item::new(&name, size)))
}

fn hit() -> impl Strategy<Value = Hit> {
    (item(), addr()).prop_map(|(item, provider)| Hit { item, provider })
}

fn query() -> impl Strategy<Value = Query> {
    prop_oneof![
        key().prop_map(Query::exact),
        ".{0,30}".prop_map(|words: String| Query::keywords(&words)),
    ]
}

fn clients() -> impl Strategy<Value = Message> {
    let servers = || prop::collection::vec(addr(), 0..32).prop_map(Arc::from);
    prop_oneof![
        any::<(u32, u64)>().prop_map(|(items, sum)| Message::Open { items, sum }),
        (any::<bool>(), servers())
            .prop_map(|(store_anew, servers)| Message::Opened { store_anew, servers }),
        addr().prop_map(Message::Redirect),
        Just(Message::Refused),
        Just(Message::Present),
        (any::<u32>(), item()).prop_map(|(tag, item)| Message::Put { tag, item }),
        (any::<u32>(), key()).prop_map(|(tag, key)| Message::Remove { tag, key }),
        any::<(u32, bool)>().prop_map(|(tag, made)| Message::Confirm { tag, made }),
        (any::<u32>(), query()).prop_map(|(tag, query)| Message::Get { tag, query }),
        (any::<u32>(), prop::collection::vec(hit(), 0..6))
            .prop_map(|(tag, hits)| Message::Results { tag, hits }),
        (any::<u32>(), addr()).prop_map(|(tag, server)| Message::Elsewhere { tag, server }),
        any::<u32>().prop_map(|tag| Message::Ping { tag }),
        any::<u32>().prop_map(|tag| Message::Pong { tag }),
    ]
}

fn servers() -> impl Strategy<Value = Message> {
    let servers = prop::collection::vec(addr(), 0..32).prop_map(Arc::from);
    let change = prop_oneof![
        hit().prop_map(Change::Put),
        (key(), addr()).prop_map(|(key, client)| Change::Remove(key, client)),
        addr().prop_map(Change::Forget),
    ];
    let place = || prop::option::of((key(), addr()));
    prop_oneof![
        any::<bool>().prop_map(|complete| Message::Link { complete }),
        (any::<bool>(), servers)
            .prop_map(|(complete, servers)| Message::Linked { complete, servers }),
        Just(Message::Complete),
        place().prop_map(|after| Message::Copy { after }),
        (place(), prop::collection::vec(hit(), 0..6), any::<bool>())
            .prop_map(|(after, records, is_last)| Message::Page(Page { after, records, is_last })),
        (any::<u32>(), change).prop_map(|(id, change)| Message::Replicate { id, change }),
        any::<u32>().prop_map(|id| Message::Replicated { id }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(message in prop_oneof![clients(), servers()]) {
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
    let hit = Hit { item, provider: Addr::from_index(1) };
    let records = vec![hit; crate::client_server::PAGE_RECORDS];
    let page = Message::Page(Page {
        after: Some((Key::ZERO, Addr::from_index(1))),
        records,
        is_last: false,
    });
    assert!(page.encoded_len() <= Message::MAX_BYTES);
}

#[test]
fn a_request_is_written_like_this() {
    let query = Query::exact(Key::ZERO);
    let bytes = Message::Get { tag: 0x0102_0304, query }.to_bytes();
    let mut golden = vec![8, 1, 2, 3, 4, 0, 1, 0];
    golden.extend([0; 20]);
    assert_eq!(bytes, golden);
}
