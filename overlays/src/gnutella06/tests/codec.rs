//! The wire format against bytes written by hand, and against chance.

use std::sync::Arc;

use proptest::prelude::*;

use crate::gnutella06::handshake::Headers;
use crate::gnutella06::message::{Flags, Message};
use crate::gnutella06::qrp::PatchBody;
use crate::parts::servent::{ByeBody, Guid, HitBody, PongHost, PushBody, Record, Way};
use crate::seam::{Addr, Item, Key, Keywords, Target, Wire};

const GUID: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 0xff, 9, 10, 11, 12, 13, 14, 0];

fn guid() -> Guid {
    Guid::from_bytes(GUID)
}

/// 10.1.2.3:6346.
fn socket() -> Addr {
    Addr::from_socket("10.1.2.3:6346".parse().unwrap())
}

#[track_caller]
fn assert_bytes(message: &Message, parts: &[&[u8]]) {
    let bytes = message.to_bytes();
    assert_eq!(bytes, parts.concat());
    assert_eq!(message.encoded_len(), bytes.len());
    assert_eq!(Message::from_bytes(&bytes).as_ref(), Ok(message));
}

#[test]
fn reset_is_the_specifications_to_the_byte() {
    let reset = Message::Reset { size: 8, infinity: 7 };
    let header = [0x30, 1, 0, 6, 0, 0, 0];
    assert_bytes(&reset, &[&[0; 16], &header, &[0x00, 8, 0, 0, 0, 7]]);
}

#[test]
fn patch_is_the_specifications_to_the_byte() {
    let data = [0, 0, 0xfa, 0, 0, 0, 0, 0].into();
    let body = PatchBody::new(1, 1, false, 8, data);
    let patch = Message::Patch { body: Arc::new(body) };
    let header = [0x30, 1, 0, 13, 0, 0, 0];
    let payload = [0x01, 1, 1, 0, 8, 0, 0, 0xfa, 0, 0, 0, 0, 0];
    assert_bytes(&patch, &[&[0; 16], &header, &payload]);
}

#[test]
fn a_querys_flags_are_big_endian() {
    let target = Target::Keywords(Arc::new(Keywords::of("moon blue")));
    let flags = Flags(Flags::VALID | Flags::LEAF_GUIDED);
    let query = Message::Query { guid: guid(), way: Way { ttl: 3, hops: 1 }, flags, target };
    let header = [0x80, 3, 1, 13, 0, 0, 0];
    assert_bytes(&query, &[&GUID, &header, &[0x90, 0x00], b"blue moon\0\0"]);
    assert!(flags.has(Flags::LEAF_GUIDED) && !flags.has(Flags::FIREWALLED));
    assert!(!Flags(Flags::LEAF_GUIDED).has(Flags::LEAF_GUIDED));
}

#[test]
fn leaf_guidance_carries_the_querys_identifier() {
    let status = Message::Status { guid: guid() };
    let header = [0x31, 1, 0, 8, 0, 0, 0];
    assert_bytes(&status, &[&GUID, &header, b"BEAR", &[11, 0, 1, 0]]);
    let kept = Message::Kept { guid: guid(), hits: 0x0102 };
    let header = [0x31, 1, 0, 10, 0, 0, 0];
    assert_bytes(&kept, &[&GUID, &header, b"BEAR", &[12, 0, 1, 0, 2, 1]]);
    let over = Message::Over { guid: guid() };
    let header = [0x31, 1, 0, 8, 0, 0, 0];
    assert_bytes(&over, &[&GUID, &header, b"OLAB", &[7, 0, 1, 0]]);
}

#[test]
fn giv_is_a_line_of_text() {
    let giv = Message::Giv { servent: guid(), index: 36 };
    assert_bytes(&giv, &[b"GIV 36:0001020304050607ff090a0b0c0d0e00/\n\n"]);
    let real = b"GIV 36:0001020304050607FF090A0B0C0D0E00/moon.mp3\n\n";
    assert_eq!(Message::from_bytes(real), Ok(giv));
    for bad in [&b"GIV 36\n\n"[..], b"GIV x:00/\n\n", b"GIV 1:0001/\n\n", b"GIV 1:00"] {
        assert!(Message::from_bytes(bad).is_err());
    }
}

#[test]
fn the_web_cache_speaks_http() {
    let get = b"GET /?hostfile=1&client=OLAB&version=0.1 HTTP/1.0\r\n\r\n";
    assert_bytes(&Message::HostFile, &[get]);
    let update = Message::Update { host: socket() };
    let get = b"GET /?ip=10.1.2.3:6346&client=OLAB&version=0.1 HTTP/1.0\r\n\r\n";
    assert_bytes(&update, &[get]);
    let hosts = Message::Hosts { hosts: [socket(), Addr::from_index(7)].into() };
    let head = b"HTTP/1.0 200 OK\r\nContent-Length: 24\r\n\r\n";
    assert_bytes(&hosts, &[head, b"10.1.2.3:6346\n0.0.0.7:0\n"]);
    let ok = Message::Updated { ok: true };
    assert_bytes(&ok, &[b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nOK\n"]);
    let real = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n10.1.2.3:6346\r\nnonsense\r\n";
    assert_eq!(Message::from_bytes(real), Ok(Message::Hosts { hosts: [socket()].into() }));
    let no = b"HTTP/1.0 200 OK\r\n\r\nERROR: too early\n";
    assert_eq!(Message::from_bytes(no), Ok(Message::Updated { ok: false }));
}

fn addrs() -> impl Strategy<Value = Addr> {
    any::<[u8; 6]>().prop_map(Addr::from_bytes)
}

fn guids() -> impl Strategy<Value = Guid> {
    // The first byte keeps identifiers apart from text.
    any::<[u8; 16]>().prop_map(|mut bytes| {
        bytes[0] |= 0x80;
        Guid::from_bytes(bytes)
    })
}

fn ways() -> impl Strategy<Value = Way> {
    any::<(u8, u8)>().prop_map(|(ttl, hops)| Way { ttl, hops })
}

fn targets() -> impl Strategy<Value = Target> {
    prop_oneof![
        any::<[u8; 20]>().prop_map(|key| Target::Exact(Key::from_bytes(key))),
        "[a-z ]{0,40}".prop_map(|text| Target::Keywords(Arc::new(Keywords::of(&text)))),
    ]
}

fn headers() -> impl Strategy<Value = Headers> {
    let parts = (
        any::<Option<bool>>(),
        any::<Option<bool>>(),
        prop::option::of(addrs()),
        any::<Option<u8>>(),
        any::<Option<u8>>(),
        prop::collection::vec(addrs(), 0..=10),
    );
    parts.prop_map(|(ultrapeer, ultrapeer_needed, listen, degree, max_ttl, try_ultrapeers)| {
        Headers { ultrapeer, ultrapeer_needed, listen, degree, max_ttl, try_ultrapeers }
    })
}

fn hit_bodies() -> impl Strategy<Value = HitBody> {
    let records = prop::collection::vec((any::<u32>(), "[a-z]{1,12}", any::<u32>()), 0..4);
    (addrs(), any::<u32>(), any::<bool>(), guids(), records).prop_map(
        |(addr, speed, push, servent, records)| {
            let record = |(index, name, size): (u32, String, u32)| Record {
                index,
                item: Arc::new(Item::new(&name, u64::from(size))),
            };
            HitBody::new(addr, speed, push, servent, records.into_iter().map(record).collect())
        },
    )
}

fn patch_bodies() -> impl Strategy<Value = PatchBody> {
    let data = prop::collection::vec(any::<u8>(), 0..200);
    (any::<u8>(), any::<u8>(), any::<bool>(), any::<bool>(), data).prop_map(
        |(seq, of, zlib, wide, data)| {
            let entry_bits = if wide { 8 } else { 4 };
            PatchBody::new(seq, of, zlib, entry_bits, data.into())
        },
    )
}

fn descriptors() -> impl Strategy<Value = Message> {
    prop_oneof![
        (guids(), ways()).prop_map(|(guid, way)| Message::Ping { guid, way }),
        (guids(), ways(), addrs(), any::<(u32, u32)>()).prop_map(
            |(guid, way, addr, (files, kilobytes))| {
                let host = PongHost { addr, files, kilobytes };
                Message::Pong { guid, way, host }
            }
        ),
        (guids(), ways(), any::<u16>(), targets()).prop_map(|(guid, way, flags, target)| {
            Message::Query { guid, way, flags: Flags(flags), target }
        }),
        (guids(), ways(), hit_bodies()).prop_map(|(guid, way, body)| Message::QueryHit {
            guid,
            way,
            body: Arc::new(body)
        }),
        (guids(), ways(), guids(), any::<u32>(), addrs()).prop_map(
            |(guid, way, servent, index, to)| {
                let body = Box::new(PushBody { servent, index, to });
                Message::Push { guid, way, body }
            }
        ),
        (guids(), 200_u16..300, prop::collection::vec(addrs(), 0..10)).prop_map(
            |(guid, code, hosts)| {
                let body = Arc::new(ByeBody { code, hosts: hosts.into() });
                Message::Bye { guid, body }
            }
        ),
    ]
}

fn messages() -> impl Strategy<Value = Message> {
    prop_oneof![
        4 => descriptors(),
        1 => any::<(u32, u8)>()
            .prop_map(|(size, infinity)| Message::Reset { size, infinity }),
        1 => patch_bodies().prop_map(|body| Message::Patch { body: Arc::new(body) }),
        1 => guids().prop_map(|guid| Message::Status { guid }),
        1 => (guids(), any::<u16>()).prop_map(|(guid, hits)| Message::Kept { guid, hits }),
        1 => guids().prop_map(|guid| Message::Over { guid }),
        1 => (guids(), any::<u32>()).prop_map(|(servent, index)| Message::Giv { servent, index }),
        2 => headers().prop_map(|h| Message::Connect { headers: Box::new(h) }),
        2 => (100_u16..600, headers())
            .prop_map(|(code, h)| Message::Answer { code, headers: Box::new(h) }),
        1 => (guids(), ways(), hit_bodies())
            .prop_map(|(guid, way, body)| Message::Copy { guid, way, body: Arc::new(body) }),
        1 => Just(Message::HostFile),
        1 => prop::collection::vec(addrs(), 0..100)
            .prop_map(|hosts| Message::Hosts { hosts: hosts.into() }),
        1 => addrs().prop_map(|host| Message::Update { host }),
        1 => any::<bool>().prop_map(|ok| Message::Updated { ok }),
    ]
}

proptest! {
    #[test]
    fn every_message_reads_back(message in messages()) {
        let bytes = message.to_bytes();
        prop_assert_eq!(bytes.len(), message.encoded_len());
        prop_assert_eq!(Message::from_bytes(&bytes), Ok(message));
    }

    #[test]
    fn cut_messages_are_refused_or_sound(message in messages(), cut in any::<prop::sample::Index>()) {
        let bytes = message.to_bytes();
        let cut = &bytes[..cut.index(bytes.len())];
        if let Ok(other) = Message::from_bytes(cut) {
            // Only the web cache's answer has no length of its own.
            prop_assert_eq!(Message::from_bytes(&other.to_bytes()), Ok(other));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        kind in prop::sample::select(vec![0x00_u8, 0x01, 0x02, 0x30, 0x31, 0x40, 0x80, 0x81]),
        payload in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut bytes = GUID.to_vec();
        bytes.extend([kind, 1, 0, payload.len() as u8, 0, 0, 0]);
        bytes.extend(&payload);
        if let Ok(message) = Message::from_bytes(&bytes) {
            let again = message.to_bytes();
            prop_assert_eq!(Message::from_bytes(&again), Ok(message));
        }
    }
}
