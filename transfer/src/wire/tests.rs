//! The bytes of the specifications, every message there and back, and bytes
//! that no peer should send.

use proptest::prelude::*;

use super::*;
use crate::{Block, InfoHash, PeerId};

/// The handshake of BEP 3, laid out by hand.
fn golden_handshake() -> [u8; 68] {
    let mut bytes = [0; 68];
    bytes[..20].copy_from_slice(b"\x13BitTorrent protocol");
    bytes[20..28].copy_from_slice(&[0, 0, 0, 0, 0, 0x10, 0, 0x05]);
    bytes[28..48].copy_from_slice(b"aaaaaaaaaaaaaaaaaaaa");
    bytes[48..].copy_from_slice(b"-OL0001-bbbbbbbbbbbb");
    bytes
}

#[test]
fn handshake_bytes() {
    let handshake = Handshake {
        reserved: Reserved::OURS.with_dht(true),
        info_hash: InfoHash(*b"aaaaaaaaaaaaaaaaaaaa"),
        peer_id: PeerId(*b"-OL0001-bbbbbbbbbbbb"),
    };
    assert_eq!(handshake.encode(), golden_handshake());
    assert_eq!(Handshake::decode(&golden_handshake()), Ok(handshake));
    let reserved = handshake.reserved;
    assert!(reserved.supports_extended() && reserved.supports_fast() && reserved.supports_dht());
    assert!(!reserved.supports_v2());
    assert!(!reserved.with_dht(false).supports_dht());
    let none = Reserved::default();
    assert!(!none.supports_extended() && !none.supports_fast() && !none.supports_dht());
}

#[test]
fn a_handshake_of_another_protocol_is_refused() {
    for at in 0..20 {
        let mut bytes = golden_handshake();
        bytes[at] ^= 0x20;
        assert_eq!(Handshake::decode(&bytes), Err(WireError::NotBitTorrent));
    }
}

#[test]
fn allowed_fast_set_of_bep_6() {
    let set =
        |count| allowed_fast(InfoHash([0xaa; 20]), "80.4.4.200".parse().unwrap(), 1313, count);
    assert_eq!(set(7), [1059, 431, 808, 1217, 287, 376, 1188]);
    assert_eq!(set(9), [1059, 431, 808, 1217, 287, 376, 1188, 353, 508]);
}

#[test]
fn allowed_fast_set_of_few_pieces_and_of_a_network() {
    let set = |addr: &str, pieces, count| {
        allowed_fast(InfoHash([0xaa; 20]), addr.parse().unwrap(), pieces, count)
    };
    assert_eq!(set("1.2.3.4", 0, 10), []);
    let mut all = set("1.2.3.4", 5, 10);
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4]);
    assert_eq!(set("1.2.3.4", 1000, 8), set("1.2.3.250", 1000, 8));
    assert_ne!(set("1.2.3.4", 1000, 8), set("1.2.4.4", 1000, 8));
    assert_eq!(set("2001:db8::1", 1000, 8), set("2001:db8::ffff:1", 1000, 8));
    assert_ne!(set("2001:db8::1", 1000, 8), set("2001:db9::1", 1000, 8));
}

const BLOCK: Block = Block { piece: 1, begin: 0x4000, len: 0x4000 };

/// Every message and its bytes by BEP 3, 5, 6 and 10.
fn golden_messages() -> Vec<(Message, &'static [u8])> {
    vec![
        (Message::KeepAlive, b"\0\0\0\0"),
        (Message::Choke, b"\0\0\0\x01\x00"),
        (Message::Unchoke, b"\0\0\0\x01\x01"),
        (Message::Interested, b"\0\0\0\x01\x02"),
        (Message::NotInterested, b"\0\0\0\x01\x03"),
        (Message::Have(0x0102_0304), b"\0\0\0\x05\x04\x01\x02\x03\x04"),
        (Message::Bitfield(vec![0xf0, 0x80]), b"\0\0\0\x03\x05\xf0\x80"),
        (Message::Request(BLOCK), b"\0\0\0\x0d\x06\0\0\0\x01\0\0\x40\0\0\0\x40\0"),
        (Message::Piece(BLOCK), b"\0\0\x40\x09\x07\0\0\0\x01\0\0\x40\0"),
        (Message::Cancel(BLOCK), b"\0\0\0\x0d\x08\0\0\0\x01\0\0\x40\0\0\0\x40\0"),
        (Message::Port(6881), b"\0\0\0\x03\x09\x1a\xe1"),
        (Message::Suggest(7), b"\0\0\0\x05\x0d\0\0\0\x07"),
        (Message::HaveAll, b"\0\0\0\x01\x0e"),
        (Message::HaveNone, b"\0\0\0\x01\x0f"),
        (Message::Reject(BLOCK), b"\0\0\0\x0d\x10\0\0\0\x01\0\0\x40\0\0\0\x40\0"),
        (Message::AllowedFast(7), b"\0\0\0\x05\x11\0\0\0\x07"),
        (Message::Extended { id: 3, payload: b"de".to_vec() }, b"\0\0\0\x04\x14\x03de"),
    ]
}

/// What [`parse`] makes of a message of ours.
fn frame_of(message: Message) -> Frame {
    match message {
        Message::Piece(block) => Frame::Block(block),
        other => Frame::Message(other),
    }
}

#[test]
fn message_bytes() {
    for (message, bytes) in golden_messages() {
        let mut out = Vec::new();
        message.encode(&mut out);
        assert_eq!(out, bytes, "{message:?}");
        let read = parse(bytes, &Limits::default());
        assert_eq!(read, Ok(Some((frame_of(message), bytes.len()))));
    }
}

#[test]
fn wrong_lengths_are_refused_before_their_bytes_come() {
    let limits = Limits { bitfield: 2, extended: 100, block: 16 };
    let cases: [(&[u8], WireError); 13] = [
        (b"\0\0\0\x02\x00", WireError::Length { id: 0, len: 2 }),
        (b"\xff\xff\xff\xff\x01", WireError::Length { id: 1, len: u32::MAX }),
        (b"\0\0\0\x04\x04", WireError::Length { id: 4, len: 4 }),
        (b"\0\0\0\x04\x05", WireError::TooLong { id: 5, len: 3, limit: 2 }),
        (b"\0\0\0\x0c\x06", WireError::Length { id: 6, len: 12 }),
        (b"\0\0\0\x08\x07", WireError::Length { id: 7, len: 8 }),
        (b"\0\0\0\x1a\x07", WireError::TooLong { id: 7, len: 17, limit: 16 }),
        (b"\0\0\0\x02\x09", WireError::Length { id: 9, len: 2 }),
        (b"\0\0\0\x01\x14", WireError::Length { id: 20, len: 1 }),
        (b"\0\0\0\x67\x14", WireError::TooLong { id: 20, len: 101, limit: 100 }),
        (b"\0\0\0\x01\x0a", WireError::UnknownMessage(10)),
        // A handshake in the place of a message has the number `T`.
        (b"\x13BitTorrent", WireError::UnknownMessage(b'T')),
        (b"\0\0\0\x01\xff", WireError::UnknownMessage(255)),
    ];
    for (bytes, error) in cases {
        assert_eq!(parse(bytes, &limits), Err(error), "{bytes:?}");
    }
}

#[test]
fn blocks_of_no_byte_or_too_many_are_refused() {
    let limits = Limits { block: 16 * 1024, ..Limits::default() };
    for (id, make) in
        [(6, Message::Request as fn(Block) -> Message), (8, Message::Cancel), (16, Message::Reject)]
    {
        let read = |block: Block| {
            let mut out = Vec::new();
            make(block).encode(&mut out);
            parse(&out, &limits)
        };
        assert!(read(BLOCK).is_ok());
        let empty = WireError::EmptyBlock { id };
        assert_eq!(read(Block { len: 0, ..BLOCK }), Err(empty));
        assert_eq!(read(Block { begin: u32::MAX - 5, ..BLOCK }), Err(empty));
        let len = 16 * 1024 + 1;
        let long = WireError::TooLong { id, len, limit: 16 * 1024 };
        assert_eq!(read(Block { len, ..BLOCK }), Err(long));
    }
    let empty = parse(b"\0\0\0\x09\x07\0\0\0\x01\0\0\x40\0", &limits);
    assert_eq!(empty, Err(WireError::EmptyBlock { id: 7 }));
}

/// Reads all that is there, stepping over the bytes of blocks.
fn read_all(stream: &[u8], cuts: &[usize]) -> Result<Vec<Frame>, WireError> {
    let limits = Limits::default();
    let mut frames = Vec::new();
    let mut buffer = Vec::new();
    let mut skip = 0;
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    cuts.extend([0, stream.len()]);
    cuts.sort_unstable();
    for window in cuts.windows(2) {
        buffer.extend_from_slice(&stream[window[0]..window[1]]);
        loop {
            let skipped = skip.min(buffer.len());
            buffer.drain(..skipped);
            skip -= skipped;
            if skip > 0 {
                break;
            }
            let Some((frame, used)) = parse(&buffer, &limits)? else { break };
            buffer.drain(..used);
            if let Frame::Block(block) = &frame {
                skip = block.len as usize;
            }
            frames.push(frame);
        }
        assert!(buffer.len() <= limits.longest_message());
    }
    Ok(frames)
}

fn any_block() -> impl Strategy<Value = Block> {
    (any::<u32>(), 0..u32::MAX / 2, 1..=128 * 1024_u32).prop_map(|(piece, begin, len)| Block {
        piece,
        begin,
        len,
    })
}

fn any_message() -> impl Strategy<Value = Message> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        Just(Message::KeepAlive),
        Just(Message::Choke),
        Just(Message::Unchoke),
        Just(Message::Interested),
        Just(Message::NotInterested),
        any::<u32>().prop_map(Message::Have),
        bytes().prop_map(Message::Bitfield),
        any_block().prop_map(Message::Request),
        (any::<u32>(), any::<u16>(), 1..300_u32).prop_map(|(piece, begin, len)| Message::Piece(
            Block { piece, begin: begin.into(), len }
        )),
        any_block().prop_map(Message::Cancel),
        any::<u16>().prop_map(Message::Port),
        any::<u32>().prop_map(Message::Suggest),
        Just(Message::HaveAll),
        Just(Message::HaveNone),
        any_block().prop_map(Message::Reject),
        any::<u32>().prop_map(Message::AllowedFast),
        (any::<u8>(), bytes()).prop_map(|(id, payload)| Message::Extended { id, payload }),
    ]
}

proptest! {
    #[test]
    fn messages_come_back_however_the_stream_is_cut(
        messages in prop::collection::vec(any_message(), 0..12),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let mut stream = Vec::new();
        for message in &messages {
            message.encode(&mut stream);
            if let Message::Piece(block) = message {
                stream.resize(stream.len() + block.len as usize, 0x5a);
            }
        }
        let expected: Vec<Frame> = messages.into_iter().map(frame_of).collect();
        prop_assert_eq!(read_all(&stream, &cuts), Ok(expected));
    }

    #[test]
    fn any_bytes_are_read_or_refused_however_they_are_cut(
        stream in prop::collection::vec(prop_oneof![Just(0), 0..24_u8, any::<u8>()], 0..400),
        cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        prop_assert_eq!(read_all(&stream, &cuts), read_all(&stream, &[]));
    }

    #[test]
    fn handshakes_come_back(bytes in prop::array::uniform28(any::<u8>()), id in prop::array::uniform20(any::<u8>())) {
        let mut encoded = golden_handshake();
        encoded[20..48].copy_from_slice(&bytes);
        encoded[48..].copy_from_slice(&id);
        let handshake = Handshake::decode(&encoded).unwrap();
        prop_assert_eq!(handshake.encode(), encoded);
    }
}
