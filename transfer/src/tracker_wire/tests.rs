use core::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::http::*;
use super::udp::{Family, Reply, Request, UdpError, timeout_s, write_url_data};
use super::*;

fn hex<const N: usize>(digits: &str) -> [u8; N] {
    core::array::from_fn(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).expect("hex"))
}

/// The exchange of the reference: an announce of uTorrent for Ubuntu 8.10.
fn ubuntu() -> Announce {
    Announce {
        info_hash: InfoHash(hex("33820db6dd5e5928d23bc811bbac2f4ae94cb882")),
        peer_id: PeerId(hex("2d5554313831302d5f310241bad49a0ce84a4242")),
        port: 30659,
        uploaded: 0,
        downloaded: 0,
        left: 732_766_208,
        event: Event::Started,
        num_want: Some(200),
        key: Some(0x2D3A_8A3D),
        ip: None,
    }
}

#[test]
fn the_announce_of_the_reference_is_written_and_read() {
    let request = AnnounceRequest::new(ubuntu());
    let url = announce_url("http://torrent.ubuntu.com:6969/announce", &request);
    let query = "info_hash=3%82%0D%B6%DD%5EY%28%D2%3B%C8%11%BB%AC%2FJ%E9L%B8%82\
                 &peer_id=-UT1810-_1%02A%BA%D4%9A%0C%E8JBB&port=30659&uploaded=0&downloaded=0\
                 &left=732766208&compact=1&no_peer_id=1&event=started&numwant=200&key=2D3A8A3D";
    assert_eq!(url, format!("http://torrent.ubuntu.com:6969/announce?{query}"));
    assert_eq!(parse_announce_query(query.as_bytes()).as_ref(), Ok(&request));
    let sent = "info_hash=3%82%0d%b6%dd%5eY(%d2%3b%c8%11%bb%ac%2fJ%e9L%b8%82\
                &peer_id=-UT1810-_1%02A%ba%d4%9a%0c%e8JBB&port=30659&uploaded=0&downloaded=0\
                &left=732766208&corrupt=0&key=2D3A8A3D&event=started&numwant=200&compact=1\
                &no_peer_id=1";
    assert_eq!(parse_announce_query(sent.as_bytes()), Ok(request));
}

#[test]
fn the_reply_of_the_reference_has_362_bytes() {
    let addr = |i: u8| SocketAddr::from(([10, 0, 0, i], 6881 + u16::from(i)));
    let reply = AnnounceReply {
        interval_s: 1800,
        seeds: Some(1328),
        leechers: Some(97),
        peers: (1..=50).map(|i| Peer::from(addr(i))).collect(),
        ..AnnounceReply::default()
    };
    let mut out = Vec::new();
    write_announce_reply(&mut out, &reply, true);
    assert_eq!(out.len(), 362);
    let shell = b"d8:completei1328e10:incompletei97e8:intervali1800e5:peers300:";
    assert!(out.starts_with(shell), "{}", out.escape_ascii());
    assert_eq!(out[shell.len()..][..6], [10, 0, 0, 1, 26, 226]);
    assert_eq!(parse_announce_reply(&out), Ok(reply));
}

#[test]
fn urls_keep_what_the_tracker_has_in_them() {
    let request = AnnounceRequest {
        tracker_id: Some(b"a&b".to_vec()),
        ipv6: Some("[2001:db8::1]:7000".parse().unwrap()),
        ipv4: Some("1.2.3.4:7001".parse().unwrap()),
        compact: false,
        no_peer_id: false,
        announce: Announce { ip: Some(Ipv6Addr::LOCALHOST.into()), ..ubuntu() },
    };
    let url = announce_url("http://a/x?pass=1#part", &request);
    let query = url.strip_prefix("http://a/x?pass=1&").expect("the query goes on");
    assert!(query.contains("&ip=%3A%3A1&ipv4=1.2.3.4%3A7001&"), "{query}");
    assert_eq!(parse_announce_query(query.as_bytes()), Ok(request));

    let hash = InfoHash([b'h'; 20]);
    let h = "h".repeat(20);
    let scrape = |url: &str| scrape_url(url, &[hash, hash]);
    assert_eq!(
        scrape("http://a/announce"),
        Some(format!("http://a/scrape?info_hash={h}&info_hash={h}"))
    );
    // The table of BEP 48, as far as it has one.
    assert!(scrape("http://a/x/announce").unwrap().starts_with("http://a/x/scrape?"));
    assert!(scrape("http://a/announce.php").unwrap().starts_with("http://a/scrape.php?"));
    assert!(scrape("http://a/announce?x=2/4").unwrap().starts_with("http://a/scrape?x=2/4&"));
    for without in ["http://a/a", "http://a/announce/x", "http://a/x%064announce", "x"] {
        assert_eq!(scrape(without), None, "{without}");
    }
    let url = scrape_url("http://a/announce", &[hash, InfoHash([0xff; 20])]).unwrap();
    let query = url.split_once('?').unwrap().1.as_bytes();
    assert_eq!(parse_scrape_query(query, 2), Ok(vec![hash, InfoHash([0xff; 20])]));
    assert_eq!(parse_scrape_query(query, 1), Err(QueryError::TooMany(1)));
    assert_eq!(parse_scrape_query(b"", 1), Ok(vec![]));
}

#[test]
fn queries_of_other_forms_are_refused() {
    let good = "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1";
    let parse = |query: &str| parse_announce_query(query.as_bytes());
    let plain = parse(good).expect("the least that there must be");
    assert!(!plain.compact && plain.announce.event == Event::Regular);
    assert_eq!((plain.announce.num_want, plain.announce.key), (None, None));
    let table = [
        ("", QueryError::Missing("info_hash")),
        ("info_hash=aaaaaaaaaaaaaaaaaaaa", QueryError::Missing("peer_id")),
        ("info_hash=aaaaaaaaaaaaaaaaaaa&peer_id=b", QueryError::Invalid("info_hash")),
        ("info_hash=aaaaaaaaaaaaaaaaaaa%&peer_id=b", QueryError::Invalid("info_hash")),
    ];
    for (query, error) in table {
        assert_eq!(parse(query), Err(error), "{query}");
    }
    for (more, name) in [
        ("&port=1&uploaded=-1", "uploaded"),
        ("&left=", "left"),
        ("&downloaded=%31", "downloaded"),
        ("&event=begun", "event"),
        ("&numwant=many", "numwant"),
        ("&ipv6=nonsense", "ipv6"),
        ("&ip=%FF", "ip"),
    ] {
        assert_eq!(parse(&format!("{good}{more}")), Err(QueryError::Invalid(name)), "{more}");
    }
    for port in ["+1", "65536", "x", ""] {
        let query = good.replace("port=1", &format!("port={port}"));
        assert_eq!(parse(&query), Err(QueryError::Invalid("port")), "{port}");
    }
    let announce = |more: &str| parse(&format!("{good}{more}")).expect(more).announce;
    assert_eq!(announce("&numwant=-1&event=&ip=&x&=&&").num_want, None);
    assert_eq!(announce("&numwant=99999999999").num_want, Some(u32::MAX));
    assert_eq!(announce("&ip=some.host").ip, None);
    assert_eq!(announce("&key=c0FFee").key, Some(0xC0_FFEE));
    assert_ne!(announce("&key=anything").key, announce("&key=anything+else").key);
    let long = format!("{good}&x={}", "x".repeat(MAX_QUERY_BYTES));
    assert_eq!(parse(&long), Err(QueryError::TooLong));
    assert_eq!(parse_scrape_query(long.as_bytes(), 9), Err(QueryError::TooLong));
}

#[test]
fn replies_of_every_form_are_read() {
    let id = PeerId(*b"-XX0001-abcdefghijkl");
    let text = "d8:completei-5e11:external ip4:\x01\x02\x03\x0410:incompletei99999999999e\
                12:min intervali30e5:peersl\
                d2:ip9:127.0.0.17:peer id20:-XX0001-abcdefghijkl4:porti6881ee\
                d2:ip3:::14:porti1ee\
                d2:ip4:host4:porti1ee\
                d2:ip9:127.0.0.14:porti0ee\
                d2:ip9:127.0.0.14:porti70000ee\
                i5e\
                e10:tracker id2:id15:warning message4:wornae";
    let text = text.replace("4:worna", "5:wornx");
    let reply = parse_announce_reply(text.as_bytes()).expect("a reply");
    let peer = |addr: &str, id| Peer { addr: addr.parse().unwrap(), id };
    assert_eq!(reply.peers, [peer("127.0.0.1:6881", Some(id)), peer("[::1]:1", None)]);
    assert_eq!((reply.seeds, reply.leechers), (Some(0), Some(u32::MAX)));
    assert_eq!((reply.interval_s, reply.min_interval_s), (DEFAULT_INTERVAL_S, Some(30)));
    assert_eq!(reply.external_ip, Some(Ipv4Addr::new(1, 2, 3, 4).into()));
    assert_eq!(
        (reply.tracker_id.as_deref(), reply.warning.as_deref()),
        (Some(&b"id"[..]), Some("wornx"))
    );

    let mut six = b"d8:intervali1e5:peers0:6:peers636:".to_vec();
    six.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x1a, 0xe1]);
    six.extend([0; 18]);
    six.extend(b"e");
    let reply = parse_announce_reply(&six).expect("IPv6");
    assert_eq!(reply.peers, [peer("[2001:db8::1]:6881", None)]);
    let mut out = Vec::new();
    write_announce_reply(&mut out, &reply, true);
    assert_eq!(parse_announce_reply(&out), Ok(reply));
    // Keys out of order, as some trackers write them.
    assert!(parse_announce_reply(b"d5:peers0:8:intervali1ee").is_ok());
    let flood = [b"d5:peers60000:".as_slice(), &[1; 60_000], b"e"].concat();
    assert_eq!(parse_announce_reply(&flood).map(|reply| reply.peers.len()), Ok(MAX_PEERS));
}

#[test]
fn refusals_and_garbage_are_told_apart() {
    let failure = |retry| Failure { reason: "no such torrent".into(), retry };
    for retry in [Retry::Unsaid, Retry::Minutes(5), Retry::Never] {
        let mut out = Vec::new();
        write_failure(&mut out, &failure(retry));
        assert_eq!(parse_announce_reply(&out), Err(ReplyError::Failure(failure(retry))));
        assert_eq!(parse_scrape_reply(&out), Err(ReplyError::Failure(failure(retry))));
    }
    let bep31 = b"d14:failure reason3:why8:retry in1:5e";
    let told = parse_announce_reply(bep31);
    assert!(matches!(told, Err(ReplyError::Failure(Failure { retry: Retry::Minutes(5), .. }))));
    for garbage in [
        &b""[..],
        b"<html>",
        b"le",
        b"d5:peers5:aaaaae",
        b"d5:peersi1ee",
        b"d6:peers617:aaaaaaaaaaaaaaaaae",
        b"d8:interval2:xxe",
        b"d5:peers600:",
    ] {
        assert!(parse_announce_reply(garbage).is_err(), "{}", garbage.escape_ascii());
        assert!(parse_scrape_reply(garbage).is_err(), "{}", garbage.escape_ascii());
    }
    let huge = [&b"d1:x2000000:"[..], &[0; 2_000_000], b"e"].concat();
    assert!(matches!(parse_announce_reply(&huge), Err(ReplyError::Bencode(_))));
}

/// The example of BEP 48.
#[test]
fn a_scrape_is_read_and_written() {
    let text = b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei5e10:downloadedi50e\
                 10:incompletei10eeee";
    let scrape = Scrape { seeds: 5, downloaded: 50, leechers: 10 };
    let reply =
        ScrapeReply { torrents: vec![(InfoHash([b'a'; 20]), scrape)], min_interval_s: None };
    assert_eq!(parse_scrape_reply(text), Ok(reply.clone()));
    let mut out = Vec::new();
    write_scrape_reply(&mut out, &reply);
    assert_eq!(out, text);
    let two = ScrapeReply {
        torrents: vec![(InfoHash([9; 20]), scrape), (InfoHash([1; 20]), Scrape::default())],
        min_interval_s: Some(60),
    };
    out.clear();
    write_scrape_reply(&mut out, &two);
    let mut read = parse_scrape_reply(&out).expect("just written");
    read.torrents.reverse();
    assert_eq!(read, two);
    assert!(parse_scrape_reply(b"d5:filesd3:abcdeee").is_err());
}

#[test]
fn udp_datagrams_stand_as_bep_15_draws_them() {
    let mut out = Vec::new();
    Request::Connect { transaction: 0x0102_0304 }.encode(&mut out);
    assert_eq!(out, hex::<16>("00000417271019800000000001020304"));
    out.clear();
    let announce = Announce {
        uploaded: 3,
        downloaded: 1,
        ip: Some(Ipv4Addr::new(1, 2, 3, 4).into()),
        num_want: None,
        ..ubuntu()
    };
    let request = Request::Announce { connection: 0xAABB, transaction: 7, announce };
    request.encode(&mut out);
    let golden: [u8; 98] = hex(concat!(
        "000000000000aabb",
        "00000001",
        "00000007",
        "33820db6dd5e5928d23bc811bbac2f4ae94cb882",
        "2d5554313831302d5f310241bad49a0ce84a4242",
        "0000000000000001",
        "000000002bad2000",
        "0000000000000003",
        "00000002",
        "01020304",
        "2d3a8a3d",
        "ffffffff",
        "77c3",
    ));
    assert_eq!(out, golden);
    assert_eq!(Request::decode(&out), Ok(request.clone()));
    write_url_data(&mut out, &format!("/announce?key={}", "k".repeat(300)));
    assert_eq!(out.len(), 98 + 314 + 2 * 2);
    assert_eq!(out[98..102], [2, 255, b'/', b'a']);
    assert_eq!(Request::decode(&out), Ok(request), "options are skipped");

    let reply = Reply::Announce {
        transaction: 7,
        interval_s: 1800,
        leechers: 2,
        seeds: 3,
        peers: vec!["10.0.0.1:6881".parse().unwrap()],
    };
    out.clear();
    reply.encode(&mut out, Family::V4);
    assert_eq!(out, hex::<26>("00000001000000070000070800000002000000030a0000011ae1"));
    assert_eq!(Reply::decode(&out, Family::V4), Ok(reply));
    out.clear();
    let error = Reply::Error { transaction: 9, message: "no".into() };
    error.encode(&mut out, Family::V6);
    assert_eq!(out, hex::<10>("00000003000000096e6f"));
    assert_eq!(Reply::decode(&out, Family::V4), Ok(error));
    assert_eq!((timeout_s(0), timeout_s(8), timeout_s(99)), (15, 3840, 3840));
}

#[test]
fn udp_datagrams_of_other_forms_are_refused() {
    let mut announce = Vec::new();
    Request::Announce { connection: 1, transaction: 2, announce: ubuntu() }.encode(&mut announce);
    for cut in 0..announce.len() {
        assert_eq!(Request::decode(&announce[..cut]), Err(UdpError::Length), "{cut}");
    }
    announce[83] = 4;
    assert_eq!(Request::decode(&announce), Err(UdpError::Event(4)));
    let connect = hex::<16>("00000417271019810000000001020304");
    assert_eq!(Request::decode(&connect), Err(UdpError::Protocol));
    let other = hex::<16>("00000417271019800000000501020304");
    assert_eq!(Request::decode(&other), Err(UdpError::Action(5)));
    let scrape = |bytes: usize| {
        Request::decode(
            &[&hex::<16>("00000000000000010000000200000000")[..], &vec![0; bytes]].concat(),
        )
    };
    assert!(scrape(20).is_ok() && scrape(74 * 20).is_ok());
    for bytes in [0, 19, 21, 75 * 20] {
        assert_eq!(scrape(bytes), Err(UdpError::Length), "{bytes}");
    }
    let reply = |digits: &[u8], family| Reply::decode(digits, family);
    assert_eq!(reply(&[0; 15], Family::V4), Err(UdpError::Length));
    assert_eq!(reply(&hex::<8>("0000000400000000"), Family::V4), Err(UdpError::Action(4)));
    assert_eq!(reply(&hex::<11>("0000000200000000aabbcc"), Family::V4), Err(UdpError::Length));
    let mut peers = hex::<20>("0000000100000007000007080000000200000003").to_vec();
    peers.extend([0; 18]);
    let count = |family| match reply(&peers, family) {
        Ok(Reply::Announce { peers, .. }) => peers.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!((count(Family::V4), count(Family::V6)), (0, 0), "no peer has port 0");
    peers.push(0);
    assert_eq!(reply(&peers, Family::V6), Err(UdpError::Length));
}

fn any_addr() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        (1_u32.., 1_u16..).prop_map(|(ip, port)| (Ipv4Addr::from(ip), port).into()),
        (1_u128.., 1_u16..).prop_map(|(ip, port)| (Ipv6Addr::from(ip), port).into()),
    ]
}

prop_compose! {
    fn any_announce()(
        info_hash in any::<[u8; 20]>(), peer_id in any::<[u8; 20]>(), port in any::<u16>(),
        figures in any::<[u64; 3]>(), event in 0..4, num_want in proptest::option::of(0..1_u32 << 31),
        key in any::<u32>(), ip in proptest::option::of(1_u32..),
    ) -> Announce {
        let [uploaded, downloaded, left] = figures;
        let event = [Event::Regular, Event::Started, Event::Completed, Event::Stopped][event as usize];
        Announce {
            info_hash: InfoHash(info_hash), peer_id: PeerId(peer_id), port, uploaded, downloaded,
            left, event, num_want, key: Some(key), ip: ip.map(|ip| Ipv4Addr::from(ip).into()),
        }
    }
}

proptest! {
    #[test]
    fn announces_read_back_both_ways(announce in any_announce(), connection in any::<u64>()) {
        let request = AnnounceRequest::new(announce.clone());
        let url = announce_url("http://t/announce", &request);
        let query = url.split_once('?').map(|(_, query)| query.as_bytes());
        prop_assert_eq!(parse_announce_query(query.unwrap_or_default()), Ok(request));
        let request = Request::Announce { connection, transaction: 1, announce };
        let mut out = Vec::new();
        request.encode(&mut out);
        prop_assert_eq!(Request::decode(&out), Ok(request));
    }

    #[test]
    fn peers_read_back_in_every_form(addrs in proptest::collection::vec(any_addr(), 0..30)) {
        let is_v4 = |addr: &SocketAddr| addr.is_ipv4();
        let (v4, v6): (Vec<_>, Vec<_>) = addrs.iter().copied().partition(is_v4);
        for compact in [true, false] {
            let peers: Vec<Peer> = addrs.iter().copied().map(Peer::from).collect();
            let reply = AnnounceReply { interval_s: 5, peers, ..AnnounceReply::default() };
            let mut out = Vec::new();
            write_announce_reply(&mut out, &reply, compact);
            let mut read = parse_announce_reply(&out).unwrap();
            read.peers.sort();
            let mut sent = reply.peers;
            sent.sort();
            prop_assert_eq!(read.peers, sent);
        }
        for (family, expected) in [(Family::V4, v4), (Family::V6, v6)] {
            let reply = |peers| Reply::Announce {
                transaction: 1, interval_s: 2, leechers: 3, seeds: 4, peers,
            };
            let mut out = Vec::new();
            reply(addrs.clone()).encode(&mut out, family);
            prop_assert_eq!(Reply::decode(&out, family), Ok(reply(expected)));
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = parse_announce_query(&bytes);
        let _ = parse_scrape_query(&bytes, 3);
        let _ = parse_announce_reply(&bytes);
        let _ = parse_scrape_reply(&bytes);
        let _ = Request::decode(&bytes);
        let _ = Reply::decode(&bytes, Family::V4);
        let _ = Reply::decode(&bytes, Family::V6);
    }
}
