//! The codec: golden bytes, round trips, hostile input.

use proptest::prelude::*;

use super::*;
use crate::fasttrack::{Callback, Listing, Results, Seed};
use crate::seam::{Key, Wire as _};

#[test]
fn golden_bytes() {
    // As giFT sends it, but for the number 1 in place of 0 and our limit.
    let query = Query { limit: 100, ..Query::keywords("finch amber") };
    let search = Message::Search { id: 1, query };
    let body = b"\x00\x01\x00\x64\x00\x01\x01\xbf\x01\x05\x00\x0bamber finch";
    assert_eq!(search.to_bytes(), [&b"\x4b\x06\0\0\x17"[..], body].concat());
    let exact = Message::Search { id: 2, query: Query::exact(Key::from_bytes([7; 20])) };
    let body = b"\x00\x01\x00\x01\x00\x02\x01\xbf\x01\x00\x03\x14";
    assert_eq!(exact.to_bytes(), [&b"\x4b\x06\0\0\x20"[..], body, &[7; 20]].concat());
    let nodes = Message::Nodes(list(&[0x0102_0304]));
    assert_eq!(nodes.to_bytes(), b"\x4b\x00\0\0\x08\x01\x02\x03\x04\0\0\x00\x0a");
    assert_eq!(Message::Alive.to_bytes(), b"\x50");
    assert_eq!(Message::Ping { tag: 0x29 }.to_bytes(), b"\x27\0\0\0\x29\x80KaZaA\0");
    assert_eq!(Message::Refusal { tag: 5 }.to_bytes(), b"\x29\0\0\0\x05");
    assert_eq!(Message::End { id: 0x1234 }.to_bytes(), b"\x4b\x08\0\0\x02\x12\x34");
    assert_eq!(
        user_info(1, 0, true).to_bytes(),
        b"\x4b\x02\0\0\x15\0\0\0\x01\0\0\x00\x80u000000010000"
    );
}

#[test]
fn a_file_has_hash_checksum_size_and_name() {
    let file = Item::new("a.ogg", 300);
    let bytes = Message::Share(Arc::new(file)).to_bytes();
    let content = Item::new("a.ogg", 300).content().to_bytes();
    assert_eq!(bytes[5..9], [0, 1, 0, 0], "media type 1, audio");
    assert_eq!(bytes[9..29], content);
    // 300 = 2 · 128 + 44; one tag: 2, the name.
    assert_eq!(bytes[bytes.len() - 10..], *b"\x82\x2c\x01\x02\x05a.ogg");
}

#[test]
fn bandwidth_takes_fourteen_steps_to_double() {
    let byte = |kbps: u64| Bandwidth::of(kbps * 1_000).0;
    assert_eq!([byte(0), byte(1), byte(2), byte(1_024)], [0, 59, 73, 199]);
    assert_eq!(byte(10), 105, "14 · log2(10) + 59 = 105.5");
    assert_eq!(byte(1_500), 206, "14 · log2(1500) + 59 = 206.7");
    assert_eq!(Bandwidth::of(u64::MAX), Bandwidth::MOST);
}

#[test]
fn what_is_not_a_message_is_refused() {
    let refused = |bytes: &[u8]| Message::from_bytes(bytes).unwrap_err().field;
    assert_eq!(refused(b"\x99\0\0\0\0"), "first byte");
    assert_eq!(refused(b"\x4b\x77\x77\0\0"), "packet type");
    assert_eq!(refused(b"\x4b\x08\0\0\x05\0"), "packet", "five bytes announced, one there");
    assert_eq!(refused(b"\x4b\x08\0\0\x03\0\0\0"), "end", "an end has two bytes");
    assert_eq!(refused(b"\x4b\0\0\0\x09123456789"), "end", "a list has lines of eight bytes");
    assert_eq!(refused(b"\x27\0\0\0\x01\x80KaZaX\0"), "network name");
    let two_terms = b"\x4b\x06\0\0\x0a\0\x01\0\x64\0\x01\x01\xbf\x02\x05";
    assert_eq!(refused(two_terms), "search terms");
    let mut share = Message::Share(item("song")).to_bytes();
    share[10] ^= 1;
    assert_eq!(refused(&share), "checksum");
    let endless = [&b"\x4b\x22\0\0\x2f\0\0\0\0"[..], &[0; 20], &[0xff; 23]].concat();
    assert_eq!(refused(&endless), "packed number");
}

#[test]
fn a_message_is_small_inline() {
    assert!(size_of::<Message>() <= 48, "{}", size_of::<Message>());
    assert!(size_of::<Timer>() <= 8, "{}", size_of::<Timer>());
}

fn any_addr() -> impl Strategy<Value = Addr> {
    any::<[u8; 6]>().prop_map(Addr::from_bytes)
}

fn any_item() -> impl Strategy<Value = Arc<Item>> {
    (any::<String>(), any::<u64>()).prop_map(|(name, size)| Arc::new(Item::new(&name, size)))
}

fn any_query() -> impl Strategy<Value = Query> {
    let target = prop_oneof![
        any::<[u8; 20]>().prop_map(|bytes| Query::exact(Key::from_bytes(bytes))),
        any::<String>().prop_map(|words| Query::keywords(&words)),
    ];
    (target, 1..=100_u16).prop_map(|(query, limit)| Query { limit, ..query })
}

fn any_list() -> impl Strategy<Value = NodeList> {
    let entry = (any_addr(), any::<u8>(), any::<u8>())
        .prop_map(|(addr, seen_min, load)| NodeEntry { addr, seen_min, load });
    prop::collection::vec(entry, 0..12).prop_map(Into::into)
}

fn any_results() -> impl Strategy<Value = Arc<Results>> {
    let listing = (any_item(), any_addr(), any::<u8>(), any::<bool>()).prop_map(
        |(item, provider, byte, firewalled)| {
            let (hit, bandwidth) = (Hit { item, provider }, Bandwidth(byte));
            Listing { hit, bandwidth, firewalled }
        },
    );
    (any_addr(), prop::collection::vec(listing, 0..5))
        .prop_map(|(supernode, listings)| Arc::new(Results::new(supernode, listings)))
}

fn any_call() -> impl Strategy<Value = Callback> {
    (any::<u32>(), any_addr(), any_addr(), any_addr())
        .prop_map(|(id, to, provider, supernode)| Callback { id, to, provider, supernode })
}

fn any_message() -> impl Strategy<Value = Message> {
    let numbers = prop_oneof![
        any::<u32>().prop_map(|tag| Message::Ping { tag }),
        (any::<u32>(), any::<u8>()).prop_map(|(tag, load)| Message::Pong { tag, load }),
        any::<u32>().prop_map(|tag| Message::Refusal { tag }),
        any::<u8>().prop_map(|load| Message::Register { load }),
        any::<u8>().prop_map(|load| Message::Link { load }),
        any::<u8>().prop_map(|load| Message::LinkAck { load }),
        any::<u8>().prop_map(|load| Message::Load { load }),
        any::<u16>().prop_map(|id| Message::End { id }),
        any::<u32>().prop_map(|id| Message::Give { id }),
        (any::<u32>(), any::<u32>()).prop_map(|(users, files)| Message::Stats { users, files }),
        (any::<u32>(), any_addr()).prop_map(|(id, to)| Message::Call { id, to }),
    ];
    prop_oneof![
        numbers,
        Just(Message::ListRequest),
        Just(Message::Unregister),
        Just(Message::Promote),
        Just(Message::Alive),
        Just(Message::Greeting),
        (0..3_u8).prop_map(|n| Message::Greeted { seed: Seed::new(n) }),
        (0..3_u8).prop_map(|n| Message::NetworkName { seed: Seed::new(n) }),
        any_list().prop_map(Message::Nodes),
        any_list().prop_map(Message::Refused),
        any_list().prop_map(Message::Move),
        (any_addr(), any::<u8>(), any::<bool>()).prop_map(|(addr, byte, firewalled)| {
            Message::UserInfo { addr, bandwidth: Bandwidth(byte), firewalled }
        }),
        any_item().prop_map(Message::Share),
        any_item().prop_map(Message::Unshare),
        (any::<u16>(), any_query()).prop_map(|(id, query)| Message::Search { id, query }),
        (any::<u16>(), any_query()).prop_map(|(id, query)| Message::Query { id, query }),
        (any::<u16>(), any_results()).prop_map(|(id, results)| Message::Result { id, results }),
        (any::<u16>(), any_results())
            .prop_map(|(id, results)| Message::QueryResult { id, results }),
        any_call().prop_map(Message::Push),
    ]
}

proptest! {
    #[test]
    fn round_trip(message in any_message()) {
        let bytes = message.to_bytes();
        prop_assert_eq!(bytes.len(), message.encoded_len());
        prop_assert!(bytes.len() <= Message::MAX_BYTES);
        prop_assert!(message.kind() < Message::KINDS.len());
        prop_assert_eq!(Message::from_bytes(&bytes), Ok(message));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = Message::from_bytes(&bytes) {
            prop_assert_eq!(Message::from_bytes(&message.to_bytes()), Ok(message));
        }
    }

    /// Valid messages with a byte changed get past the frame and reach every
    /// field.
    #[test]
    fn damaged_messages_never_panic(
        message in any_message(),
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
    ) {
        let mut bytes = message.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Ok(message) = Message::from_bytes(&bytes) {
            prop_assert_eq!(Message::from_bytes(&message.to_bytes()), Ok(message));
        }
    }

    /// No node panics, whatever strangers say in whatever order, and what they
    /// fill stays bounded.
    #[test]
    fn any_conversation_is_survived(
        script in prop::collection::vec((0..6_u32, any_message()), 0..80),
    ) {
        let config = Config { children_max: 4, children_split: 3, links: 2, ..Config::default() };
        let mut benches =
            [Bench::server(&config), Bench::supernode(&config), Bench::ordinary(&config)];
        for bench in &mut benches {
            bench.search(2, &Query::keywords("song"));
        }
        for (from, message) in script {
            for bench in &mut benches {
                // The first two are the node's own supernode and list server.
                let from = match from {
                    0 => peer(50),
                    1 => SERVER,
                    other => peer(other),
                };
                if from != bench.me {
                    bench.receive(from, message.clone());
                }
            }
        }
        for bench in &benches {
            // At most four ordinary nodes, three links, a supernode.
            prop_assert!(bench.node.footprint().routing_entries <= 8);
        }
    }
}
