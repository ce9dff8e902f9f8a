//! The codec: golden bytes, round trips, hostile input.

use proptest::prelude::*;

use super::*;
use crate::napster::{Complaint, Listing};
use crate::seam::{Key, Wire as _};

#[test]
fn golden_bytes() {
    let nick = Nick::new("ann").unwrap();
    let login =
        Message::Login { nick, data_port: 6699, firewalled: true, speed: LineSpeed::of(2_000_000) };
    // Length 8 and type 2, little-endian; nick; port 0x1a2b; flag; T1.
    assert_eq!(login.to_bytes(), b"\x08\0\x02\0\x03ann\x1a\x2b\x01\x09");
    assert_eq!(Message::LoginAck.to_bytes(), b"\0\0\x03\0");
    assert_eq!(Message::Error(Complaint::ServerFull).to_bytes(), b"\x01\0\0\0\x01");
    assert_eq!(Message::Error(Complaint::NotShared).to_bytes(), b"\x01\0\x94\x01\x05");
    assert_eq!(
        Message::EndOfSearch { tag: 0x0102_0304 }.to_bytes(),
        b"\x04\0\xca\0\x01\x02\x03\x04"
    );
    let search = Message::Search { tag: 1, local: true, query: Query::keywords("b A") };
    assert_eq!(search.to_bytes(), b"\x0c\0\xc8\0\0\0\0\x01\x01\0\x64\x01\x03a b");
    // The MD5 field holds the start of SHA-1("a\0" and the size in 8 bytes).
    let share = Message::Share(Arc::new(Item::new("a", 3)));
    let content = Item::new("a", 3).content();
    let head = b"\x1a\0\x64\0\x01a\0\0\0\0\0\0\0\x03";
    assert_eq!(share.to_bytes(), [&head[..], &content.to_bytes()[..16]].concat());
}

#[test]
fn what_is_not_a_message_is_refused() {
    let refused = |bytes: &[u8]| Message::from_bytes(bytes).unwrap_err().field;
    assert_eq!(refused(b"\x01\x08\x64\0"), "frame", "2,049 bytes announced");
    assert_eq!(refused(b"\0\0\x63\0"), "type");
    assert_eq!(refused(b"\x01\0\x03\0x"), "end", "an acknowledgement is empty");
    assert_eq!(refused(b"\0\0\x03\0x"), "end", "something follows the frame");
    assert_eq!(refused(b"\x01\0\0\0\x05"), "complaint", "this one does not end a session");
    assert_eq!(refused(b"\x01\0\0\0\x63"), "complaint");
    assert_eq!(refused(b"\x06\0\x02\0\x01 \0\0\0\0"), "nick");
    assert_eq!(refused(b"\x06\0\x02\0\x01a\0\0\0\x0b"), "line speed");
    let mut share = Message::Share(item("song")).to_bytes();
    *share.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&share), "md5");
    assert_eq!(refused(b"\x02\0\x1b\x27\0\x21"), "servers", "33 of them");
}

#[test]
fn a_message_is_small_inline() {
    assert!(size_of::<Message>() <= 48, "{}", size_of::<Message>());
    assert!(size_of::<Timer>() <= 8, "{}", size_of::<Timer>());
}

#[test]
fn every_line_has_a_class() {
    let classes =
        [0, 14_400, 28_800, 33_600, 56_700, 64_000, 128_000, 640_000, 1_544_000, 45_000_000]
            .map(|bps| LineSpeed::of(bps).code());
    assert_eq!(classes, [0, 1, 2, 3, 4, 5, 6, 7, 9, 10]);
}

#[test]
fn nicks_are_checked() {
    assert_eq!(Nick::of(Addr::from_bytes([127, 0, 0, 1, 0x1f, 0x90])).as_str(), "u7f0000011f90");
    assert!(Nick::new("nineteen-characters").is_some());
    for bad in ["", "twenty-characters-ab", "with space", "ünicode", "zero\0"] {
        assert!(Nick::new(bad).is_none(), "{bad:?}");
    }
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

fn any_nick() -> impl Strategy<Value = Nick> {
    "[!-~]{1,19}".prop_map(|text| Nick::new(&text).unwrap())
}

fn any_speed() -> impl Strategy<Value = LineSpeed> {
    any::<u64>().prop_map(LineSpeed::of)
}

fn any_listing() -> impl Strategy<Value = Listing> {
    (any_item(), any_addr(), any_nick(), any_speed()).prop_map(|(item, provider, nick, speed)| {
        Listing { hit: Hit { item, provider }, nick, speed }
    })
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        (any_nick(), any::<u16>(), any::<bool>(), any_speed()).prop_map(
            |(nick, data_port, firewalled, speed)| {
                Message::Login { nick, data_port, firewalled, speed }
            }
        ),
        Just(Message::LoginAck),
        Just(Message::ServerLogin),
        Just(Message::ServerPing),
        prop::sample::select(vec![
            Complaint::NotLoggedIn,
            Complaint::ServerFull,
            Complaint::LoggedInElsewhere,
            Complaint::NotAServer,
            Complaint::DuplicateFile,
            Complaint::NotShared,
            Complaint::ShareLimit,
        ])
        .prop_map(Message::Error),
        any_item().prop_map(Message::Share),
        any::<[u8; 20]>().prop_map(|bytes| Message::Unshare(Key::from_bytes(bytes))),
        (any::<u32>(), any::<bool>(), any_query())
            .prop_map(|(tag, local, query)| Message::Search { tag, local, query }),
        (any::<u32>(), any_listing()).prop_map(|(tag, listing)| Message::Found { tag, listing }),
        any::<u32>().prop_map(|tag| Message::EndOfSearch { tag }),
        any::<u32>().prop_map(|tag| Message::Ping { tag }),
        any::<u32>().prop_map(|tag| Message::Pong { tag }),
        prop::collection::vec(any_addr(), 0..=31).prop_map(|list| Message::ServerAck(list.into())),
        (any::<u32>(), any_query()).prop_map(|(id, query)| Message::RemoteSearch { id, query }),
        (any::<u32>(), any_listing())
            .prop_map(|(id, listing)| Message::RemoteFound { id, listing }),
        any::<u32>().prop_map(|id| Message::RemoteEnd { id }),
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
        script in prop::collection::vec((0..4_u32, any_message()), 0..60),
    ) {
        let mut server = Bench::server(&Config::default());
        let mut client = Bench::logged_in(&Config::default());
        client.search(2, &Query::keywords("song"));
        for (from, message) in script {
            server.receive(peer(from), message.clone());
            let from = if from == 0 { SERVER } else { peer(from) };
            client.receive(from, message);
        }
        prop_assert!(server.node.footprint().routing_entries <= 4 + 31);
        let Napster::Server(server) = server.node else { unreachable!("it is a server") };
        prop_assert!(server.index().is_consistent());
    }
}
