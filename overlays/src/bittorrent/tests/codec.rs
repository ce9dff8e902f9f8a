//! Bytes as the BEPs have them, and that everything reads back.

use proptest::prelude::*;

use super::super::{Counts, Pex, Refusal};
use super::*;
use crate::seam::{Wire as _, Writer};

/// Writes a message, checks that it reads back and has the length announced,
/// and returns the bytes.
fn bytes_of(message: &Message) -> Vec<u8> {
    let bytes = message.to_bytes();
    assert_eq!(bytes.len(), message.encoded_len(), "{message:?}");
    assert_eq!(Message::from_bytes(&bytes).as_ref(), Ok(message), "{}", bytes.escape_ascii());
    bytes
}

/// The exchange that the course walks through (S4).
mod worked_example {
    use super::*;

    const INFO_HASH: &str = "33820db6dd5e5928d23bc811bbac2f4ae94cb882";
    const PEER_ID: &str = "2d5554313831302d5f310241bad49a0ce84a4242";

    #[test]
    fn the_request_is_read() {
        let request = "GET /announce?info_hash=3%82%0d%b6%dd%5eY(%d2%3b%c8%11%bb%ac%2fJ%e9L%b8%82\
            &peer_id=-UT1810-_1%02A%ba%d4%9a%0c%e8JBB&port=30659&uploaded=0&downloaded=0\
            &left=732766208&corrupt=0&key=2D3A8A3D&event=started&numwant=200&compact=1\
            &no_peer_id=1 HTTP/1.1\r\nHost: torrent.ubuntu.com:6969\r\n\
            User-Agent: uTorrent/1810\r\nAccept-Encoding: gzip\r\n\r\n";
        let expected = Announce {
            info_hash: Key::from_hex(INFO_HASH).unwrap(),
            peer_id: Key::from_hex(PEER_ID).unwrap(),
            port: 30659,
            uploaded: 0,
            downloaded: 0,
            left: 732_766_208,
            event: Event::Started,
            numwant: 200,
        };
        let read = Message::from_bytes(request.as_bytes());
        assert_eq!(read, Ok(Message::Announce(Box::new(expected))));
    }

    /// 62 bytes around 50 peers of 6 bytes: 362, the Content-Length of the
    /// course's capture, although 200 peers were asked for.
    #[test]
    fn the_reply_takes_362_bytes() {
        let reply = Peers {
            complete: 1328,
            incomplete: 97,
            interval_s: 1800,
            min_interval_s: None,
            peers: (0..50).map(peer).collect(),
        };
        let mut w = Writer::new();
        crate::bittorrent::tracker_wire::write_peers(&mut w, &reply);
        let body = w.into_bytes();
        assert_eq!(body.len(), 362);
        let shell = b"d8:completei1328e10:incompletei97e8:intervali1800e5:peers300:";
        assert!(body.starts_with(shell) && body.ends_with(b"e"));
        assert_eq!(shell.len() + 1, 62);
        let bytes = bytes_of(&Message::Peers(Box::new(reply)));
        let head = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 362\r\n\r\n";
        assert_eq!(bytes, [&head[..], &body].concat());
    }
}

#[test]
fn announces_are_http_requests() {
    let bytes = bytes_of(&announce(1, "popeye.mp4", Event::Started, 5));
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("GET /announce?info_hash="), "{text}");
    assert!(text.contains("&peer_id=-OL0001-"), "{text}");
    let end = "&port=0&uploaded=0&downloaded=0&left=5&numwant=50&compact=1&event=started \
        HTTP/1.0\r\n\r\n";
    assert!(text.ends_with(end), "{text}");
    let text = bytes_of(&announce(1, "popeye.mp4", Event::Interval, 0));
    assert!(text.ends_with(b"&compact=1 HTTP/1.0\r\n\r\n"));
}

#[test]
fn the_handshake_is_the_one_of_bep_3() {
    let (info_hash, peer_id) = (Key::from_bytes([0xaa; 20]), Key::from_bytes([0xbb; 20]));
    let bytes = bytes_of(&Message::Connect { info_hash, peer_id });
    assert_eq!(bytes.len(), 68);
    assert_eq!(&bytes[..20], b"\x13BitTorrent protocol");
    assert_eq!(bytes[20..28], [0, 0, 0, 0, 0, 0x10, 0, 5]);
    assert_eq!((&bytes[28..48], &bytes[48..]), (&[0xaa; 20][..], &[0xbb; 20][..]));
    let seed = bytes_of(&Message::Accept { info_hash, peer_id, complete: true });
    assert_eq!(seed[68..], [0, 0, 0, 1, 0x0e]);
    let leecher = bytes_of(&Message::Accept { info_hash, peer_id, complete: false });
    assert_eq!(leecher[68..], [0, 0, 0, 1, 0x0f]);
    assert_eq!(bytes_of(&Message::KeepAlive), [0; 4]);
}

#[test]
fn extension_messages_are_bencoded() {
    let info_hash = Key::from_bytes([b'h'; 20]);
    let pex = Pex { info_hash, added: [peer(7)].into(), dropped: Box::default() };
    let bytes = bytes_of(&Message::Pex(Box::new(pex)));
    let body = b"d5:added6:\0\0\0\x07\0\x007:dropped0:9:info_hash20:hhhhhhhhhhhhhhhhhhhhe";
    assert_eq!(bytes[4..6], [20, 1]);
    assert_eq!(bytes[6..].escape_ascii().to_string(), body.escape_ascii().to_string());
    assert_eq!(bytes[..4], (body.len() as u32 + 2).to_be_bytes());
    let bytes = bytes_of(&Message::MetadataRequest(info_hash));
    assert_eq!(&bytes[6..], b"d9:info_hash20:hhhhhhhhhhhhhhhhhhhh8:msg_typei0e5:piecei0ee");
    let bytes = bytes_of(&Message::Metadata(Arc::new(Item::new("a b", 42))));
    let info = b"d6:lengthi42e4:name3:a be";
    let message = format!("d8:msg_typei1e5:piecei0e10:total_sizei{}ee", info.len());
    assert_eq!(&bytes[6..], [message.as_bytes(), info].concat());
}

#[test]
fn scrapes_tell_the_size_of_swarms() {
    let key = Key::from_bytes([b'k'; 20]);
    let bytes = bytes_of(&Message::Scrape([key, key].into()));
    let expected = "GET /scrape?info_hash=kkkkkkkkkkkkkkkkkkkk&info_hash=kkkkkkkkkkkkkkkkkkkk \
        HTTP/1.0\r\n\r\n";
    assert_eq!(bytes, expected.as_bytes());
    let counts = Counts { complete: 5, downloaded: 50, incomplete: 10 };
    let bytes = bytes_of(&Message::Scraped([(key, counts)].into()));
    // The example of BEP 48.
    let body =
        b"d5:filesd20:kkkkkkkkkkkkkkkkkkkkd8:completei5e10:downloadedi50e10:incompletei10eeee";
    assert!(bytes.ends_with(body), "{}", bytes.escape_ascii());
}

#[test]
fn the_index_site_speaks_http() {
    assert_eq!(bytes_of(&Message::Visit), b"HEAD / HTTP/1.0\r\n\r\n");
    assert_eq!(bytes_of(&Message::Welcome), b"HTTP/1.0 204 No Content\r\n\r\n");
    let accepted = bytes_of(&Message::Published { accepted: true });
    assert_eq!(accepted, b"HTTP/1.0 201 Created\r\n\r\n");
    bytes_of(&Message::Published { accepted: false });
    let link = magnet("popeye.mp4").to_link();
    let expected =
        format!("POST /torrents HTTP/1.0\r\nContent-Length: {}\r\n\r\n{link}", link.len());
    let publish = Message::Publish(Box::new(magnet("popeye.mp4")));
    assert_eq!(bytes_of(&publish), expected.as_bytes());
    let browse = Message::Browse(Box::new(Query::keywords("The Sailor's Spinach")));
    let expected = b"GET /torrents?q=sailor%27s%20spinach%20the&limit=100 HTTP/1.0\r\n\r\n";
    assert_eq!(bytes_of(&browse), expected);
    let exact = bytes_of(&Message::Browse(Box::new(Query::exact(item("x").key()))));
    let expected = format!("GET /torrents?hash={}&limit=1 HTTP/1.0\r\n\r\n", item("x").key());
    assert_eq!(exact, expected.as_bytes());
    bytes_of(&Message::Listing([magnet("a"), magnet("b")].into()));
    let refused = bytes_of(&Message::Refused(Refusal::TooOften));
    assert!(refused.ends_with(b"\r\n\r\nd14:failure reason19:announced too oftene"));
}

#[test]
fn hostile_bytes_are_refused() {
    let wrong: [&[u8]; 16] = [
        b"",
        b"GET",
        b"GET /announce HTTP/1.0\r\n\r\n",
        b"GET /announce?info_hash=abc&peer_id=abc&port=1 HTTP/1.0\r\n\r\n",
        b"GET /scrape HTTP/1.0\r\n\r\n",
        b"GET /torrents?limit=3 HTTP/1.0\r\n\r\n",
        b"GET /torrents?hash=12 HTTP/1.0\r\n\r\n",
        b"POST /torrents HTTP/1.0\r\nContent-Length: 99999999999\r\n\r\nx",
        b"POST /torrents HTTP/1.0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nde",
        b"HTTP/1.0 200 OK\r\nContent-Length: 22\r\n\r\nd8:intervali-1e5:peers0:e",
        b"HTTP/1.0 200 OK\r\n",
        b"\x13BitTorrent protocols",
        b"\x00\x00\x00\x01\x07",
        b"\x7f\xff\xff\xff\x14",
        b"\x00\x00\x00\x06\x14\x01d1:a",
    ];
    for bytes in wrong {
        assert!(Message::from_bytes(bytes).is_err(), "{}", bytes.escape_ascii());
    }
    let peers = |count: usize| {
        let list = [b'p'; 6].repeat(count);
        let body =
            [format!("d8:intervali9e5:peers{}:", list.len()).as_bytes(), &list, b"e"].concat();
        let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        Message::from_bytes(&[head.as_bytes(), &body].concat())
    };
    assert!(peers(200).is_ok());
    assert!(peers(201).is_err(), "more peers than any client asks for");
}

fn keys() -> impl Strategy<Value = Key> {
    any::<[u8; 20]>().prop_map(Key::from_bytes)
}

fn addrs(most: usize) -> impl Strategy<Value = Box<[Addr]>> {
    let addr = any::<[u8; 6]>().prop_map(Addr::from_bytes);
    proptest::collection::vec(addr, 0..=most).prop_map(Into::into)
}

fn items() -> impl Strategy<Value = Arc<Item>> {
    (".{0,300}", 0..=i64::MAX as u64).prop_map(|(name, size)| Arc::new(Item::new(&name, size)))
}

fn magnets() -> impl Strategy<Value = Magnet> {
    (items(), keys(), any::<bool>(), addrs(8)).prop_map(|(item, key, named, trackers)| {
        let trackers = Arc::from(trackers);
        let item = named.then_some(item);
        Magnet { info_hash: item.as_ref().map_or(key, |item| item.key()), item, trackers }
    })
}

fn announces() -> impl Strategy<Value = Message> {
    let events =
        [Event::Interval, Event::Started, Event::Stopped, Event::Completed].map(Just).to_vec();
    let events = proptest::strategy::Union::new(events);
    (keys(), keys(), any::<u16>(), any::<[u64; 3]>(), events, any::<u16>()).prop_map(
        |(info_hash, peer_id, port, [uploaded, downloaded, left], event, numwant)| {
            Message::Announce(Box::new(Announce {
                info_hash,
                peer_id,
                port,
                uploaded,
                downloaded,
                left,
                event,
                numwant,
            }))
        },
    )
}

fn replies() -> impl Strategy<Value = Message> {
    (any::<[u32; 3]>(), any::<Option<u32>>(), addrs(200)).prop_map(
        |([complete, incomplete, interval_s], min_interval_s, peers)| {
            let reply = Peers { complete, incomplete, interval_s, min_interval_s, peers };
            Message::Peers(Box::new(reply))
        },
    )
}

fn messages() -> impl Strategy<Value = Message> {
    prop_oneof![
        announces(),
        replies(),
        magnets().prop_map(|m| Message::Publish(Box::new(m))),
        proptest::collection::vec(magnets(), 0..5).prop_map(|m| Message::Listing(m.into())),
        ".{0,300}".prop_map(|text| Message::Browse(Box::new(Query::keywords(&text)))),
        items().prop_map(Message::Metadata),
        (keys(), addrs(50), addrs(50)).prop_map(|(info_hash, added, dropped)| {
            Message::Pex(Box::new(Pex { info_hash, added, dropped }))
        }),
        keys().prop_map(Message::Goodbye),
        keys().prop_map(Message::Decline),
        keys().prop_map(Message::MetadataRequest),
        proptest::collection::vec(keys(), 1..=50).prop_map(|k| Message::Scrape(k.into())),
        proptest::collection::btree_map(keys(), any::<[u32; 3]>(), 0..=50).prop_map(|files| {
            let counts = |[complete, downloaded, incomplete]: [u32; 3]| Counts {
                complete,
                downloaded,
                incomplete,
            };
            Message::Scraped(files.into_iter().map(|(k, c)| (k, counts(c))).collect())
        }),
    ]
}

proptest! {
    #[test]
    fn every_message_reads_back(message in messages()) {
        bytes_of(&message);
    }

    #[test]
    fn damaged_messages_do_not_panic(message in messages(), at in any::<u16>(), byte in any::<u8>()) {
        let mut bytes = message.to_bytes();
        let at = usize::from(at) % bytes.len();
        bytes[at] = byte;
        if let Ok(read) = Message::from_bytes(&bytes) {
            bytes_of(&read);
        }
        bytes.truncate(at);
        prop_assert!(Message::from_bytes(&bytes).is_err() || at >= 68);
    }
}
