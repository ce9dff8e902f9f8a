//! The BEPs' examples, every payload there and back, and hostile ones.

use proptest::prelude::*;

use super::*;

#[test]
fn handshake_of_bep_10() {
    // Its second message has a name in Latin 1, and both are none of ours.
    let payload = b"d1:md11:LT_metadatai1e6:\xb5T_PEXi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e";
    let expected = Handshake {
        port: Some(6881),
        client: Some("µTorrent 1.2".to_string()),
        ..Handshake::default()
    };
    assert_eq!(Handshake::decode(payload), Ok(expected));
}

#[test]
fn handshake_bytes() {
    let handshake = Handshake {
        numbers: Numbers::ours(),
        port: Some(6881),
        client: Some("overlab".to_string()),
        your_ip: Some("1.2.3.4".parse().unwrap()),
        ipv4: Some("5.6.7.8".parse().unwrap()),
        ipv6: Some("::1".parse().unwrap()),
        request_queue: Some(512),
        metadata_size: Some(31235),
        upload_only: Some(true),
    };
    let payload = b"d4:ipv44:\x05\x06\x07\x084:ipv616:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\
        1:md11:lt_donthavei4e11:upload_onlyi3e11:ut_metadatai2e6:ut_pexi1ee\
        13:metadata_sizei31235e1:pi6881e4:reqqi512e11:upload_onlyi1e\
        1:v7:overlab6:yourip4:\x01\x02\x03\x04e";
    assert_eq!(handshake.encode().escape_ascii().to_string(), payload.escape_ascii().to_string());
    assert_eq!(Handshake::decode(payload), Ok(handshake));
    assert_eq!(Handshake::default().encode(), b"d1:mdee");
    assert_eq!(Handshake::decode(b"de"), Ok(Handshake::default()));
}

#[test]
fn a_handshake_s_senseless_values_are_passed_over() {
    for payload in [
        &b"d1:mi3e1:pi65536e4:reqqi-1e1:v0:6:yourip5:12345e"[..],
        b"d1:md6:ut_pexi256e11:ut_metadatai-1ee1:pi0e13:metadata_sizei4294967296ee",
        b"d4:ipv43:1234:ipv64:12341:p4:68811:vi1e5:extrald1:aleee11:upload_only1:1e",
    ] {
        let read = Handshake::decode(payload);
        assert_eq!(read, Ok(Handshake::default()), "{}", payload.escape_ascii());
    }
    let garbage = WireError::Extension("its dictionary");
    for payload in [&b""[..], b"le", b"i1e", b"d", b"d1:a", b"d1:ai1e", b"d1:ai1e1:ai2ee"] {
        assert_eq!(Handshake::decode(payload), Err(garbage), "{}", payload.escape_ascii());
    }
    let deep = [&b"d1:a"[..], &[b'l'; 20_000], &[b'e'; 20_001]].concat();
    assert_eq!(Handshake::decode(&deep), Err(garbage));
}

#[test]
fn a_client_s_name_cannot_reach_the_terminal() {
    let name = format!("d1:v100:\x1b[31m{}e", "x".repeat(95));
    let client = Handshake::decode(name.as_bytes()).unwrap().client.unwrap();
    assert_eq!(client, format!("\u{fffd}[31m{}", "x".repeat(59)));
}

#[test]
fn a_later_handshake_changes_only_what_it_names() {
    let mut numbers = Handshake::decode(b"d1:md6:ut_pexi5e11:ut_metadatai7eee").unwrap().numbers;
    assert_eq!(numbers.get(Extension::Pex), Some(5));
    let later = Handshake::decode(b"d1:md6:ut_pexi0e11:upload_onlyi9eee").unwrap().numbers;
    numbers.update(&later);
    assert_eq!(numbers.get(Extension::Pex), None);
    assert_eq!(numbers.get(Extension::Metadata), Some(7));
    assert_eq!(numbers.get(Extension::UploadOnly), Some(9));
    assert_eq!(numbers.get(Extension::DontHave), None);
}

#[test]
fn every_extension_has_a_number_of_its_own() {
    for extension in Extension::ALL {
        assert_eq!(Extension::from_number(extension.number()), Some(extension));
    }
    assert_eq!(Extension::from_number(HANDSHAKE), None);
    assert!(Extension::ALL.is_sorted_by_key(|extension| extension.name()));
}

#[test]
fn metadata_of_bep_9() {
    let request = Metadata::Request { piece: 0 };
    assert_eq!(request.encode(), b"d8:msg_typei0e5:piecei0ee");
    assert_eq!(Metadata::decode(&request.encode()), Ok(Some(request)));
    let reject = Metadata::Reject { piece: 0 };
    assert_eq!(reject.encode(), b"d8:msg_typei2e5:piecei0ee");
    assert_eq!(Metadata::decode(&reject.encode()), Ok(Some(reject)));

    let head = b"d8:msg_typei1e5:piecei0e10:total_sizei34256ee";
    let bytes = vec![b'x'; 16 * 1024];
    let data = Metadata::Data { piece: 0, total_size: 34256, bytes: bytes.clone() };
    assert_eq!(data.encode(), [&head[..], &bytes].concat());
    assert_eq!(Metadata::decode(&data.encode()), Ok(Some(data)));
    let last = Metadata::Data { piece: 2, total_size: 34256, bytes: vec![b'x'; 34256 - 32768] };
    assert_eq!(Metadata::decode(&last.encode()), Ok(Some(last)));
}

#[test]
fn blocks_of_metadata_have_their_length() {
    for (piece, total_size, len) in [
        (0, 0, 0),
        (0, 1, 1),
        (0, 16384, 16384),
        (1, 16384, 0),
        (1, 16385, 1),
        (262_143, u32::MAX, 16383),
        (262_144, u32::MAX, 0),
        (u32::MAX, u32::MAX, 0),
    ] {
        assert_eq!(Metadata::block_len(piece, total_size), len, "{piece} of {total_size}");
    }
    assert_eq!(Metadata::blocks(0), 0);
    assert_eq!(Metadata::blocks(34256), 3);
    assert_eq!(Metadata::blocks(u32::MAX), 262_144);
}

#[test]
fn wrong_metadata_is_refused() {
    for (payload, field) in [
        (&b"x"[..], "its dictionary"),
        (b"de", "msg_type"),
        (b"d8:msg_typei0ee", "piece"),
        (b"d8:msg_typei0e5:piecei-1ee", "piece"),
        (b"d8:msg_typei2e5:piecei4294967296ee", "piece"),
        (b"d8:msg_typei1e5:piecei0eexx", "total_size"),
        (b"d8:msg_typei1e5:piecei0e10:total_sizei3eexx", "the block's length"),
        (b"d8:msg_typei1e5:piecei0e10:total_sizei3eexxxx", "the block's length"),
        (b"d8:msg_typei1e5:piecei1e10:total_sizei3eexxx", "the block's length"),
        (b"d8:msg_typei1e5:piecei0e10:total_sizei0ee", "the block's length"),
    ] {
        let read = Metadata::decode(payload);
        assert_eq!(read, Err(WireError::Extension(field)), "{}", payload.escape_ascii());
    }
    assert_eq!(Metadata::decode(b"d8:msg_typei3ee"), Ok(None));
}

#[test]
fn pex_bytes() {
    let flags = PexFlags::UPLOAD_ONLY.with(PexFlags::REACHABLE);
    let pex = Pex {
        added: vec![
            PexPeer { addr: "1.2.3.4:258".parse().unwrap(), flags },
            PexPeer { addr: "[::1]:6881".parse().unwrap(), flags: PexFlags::default() },
        ],
        dropped: vec!["5.6.7.8:6881".parse().unwrap()],
    };
    let payload = b"d5:added6:\x01\x02\x03\x04\x01\x027:added.f1:\x12\
        6:added618:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe18:added6.f1:\x00\
        7:dropped6:\x05\x06\x07\x08\x1a\xe18:dropped60:e";
    assert_eq!(pex.encode().escape_ascii().to_string(), payload.escape_ascii().to_string());
    assert_eq!(Pex::decode(payload), Ok(pex));
    assert!(flags.contains(PexFlags::REACHABLE) && !flags.contains(PexFlags::ENCRYPTION));
    // Flags may be missing, and so may everything.
    let read = Pex::decode(b"d5:added6:\x01\x02\x03\x04\x01\x02e").unwrap();
    assert_eq!(read.added[0].flags, PexFlags(0));
    assert_eq!(Pex::decode(b"de"), Ok(Pex::default()));
}

#[test]
fn wrong_pex_is_refused() {
    for (payload, field) in [
        (&b"le"[..], "its dictionary"),
        (b"d5:added5:12345e", "added"),
        (b"d5:added6:1234567:added.f2:\0\0e", "added.f"),
        (b"d6:added617:12345678901234567e", "added6"),
        (b"d7:dropped7:1234567e", "dropped"),
        (b"d8:dropped66:123456e", "dropped6"),
    ] {
        let read = Pex::decode(payload);
        assert_eq!(read, Err(WireError::Extension(field)), "{}", payload.escape_ascii());
    }
}

#[test]
fn pex_leaves_out_what_is_no_peer_and_too_much() {
    let unreachable = Pex::decode(
        b"d5:added24:\x01\x02\x03\x04\0\0\xe0\0\0\x01\0\x01\0\0\0\0\0\x01\xff\xff\xff\xff\0\x01e",
    );
    assert_eq!(unreachable, Ok(Pex::default()));
    let many = Pex {
        added: (1..=200)
            .map(|port| PexPeer { addr: ([10, 0, 0, 1], port).into(), flags: PexFlags::default() })
            .collect(),
        dropped: (1..=60).map(|port| ([10, 0, 0, 2], port).into()).collect(),
    };
    let read = Pex::decode(&many.encode()).unwrap();
    assert_eq!((read.added.len(), read.dropped.len()), (MAX_PEX_SENT, MAX_PEX_SENT));
    let mut flood = b"d5:added1200:".to_vec();
    flood.extend((0..200).flat_map(|_| *b"\x0a\0\0\x01\0\x01"));
    flood.push(b'e');
    assert_eq!(Pex::decode(&flood).unwrap().added.len(), MAX_PEX_READ);
}

#[test]
fn single_numbers() {
    assert_eq!(encode_upload_only(true), [1]);
    assert_eq!(decode_upload_only(&[1]), Ok(true));
    assert_eq!(decode_upload_only(&[0]), Ok(false));
    assert_eq!(decode_upload_only(&[]), Err(WireError::Extension("upload_only")));
    assert_eq!(encode_dont_have(258), [0, 0, 1, 2]);
    assert_eq!(decode_dont_have(&[0, 0, 1, 2]), Ok(258));
    assert_eq!(decode_dont_have(&[0, 1, 2]), Err(WireError::Extension("lt_donthave")));
}

fn any_addr() -> impl Strategy<Value = std::net::SocketAddr> {
    let v4 = any::<[u8; 4]>().prop_map(std::net::IpAddr::from);
    let v6 = any::<[u8; 16]>().prop_map(std::net::IpAddr::from);
    let connectable = |ip: &std::net::IpAddr| {
        !ip.is_multicast() && !ip.is_unspecified() && ip.to_string() != "255.255.255.255"
    };
    (prop_oneof![v4, v6].prop_filter("no peer", connectable), 1..=u16::MAX).prop_map(Into::into)
}

fn any_numbers() -> impl Strategy<Value = Numbers> {
    any::<[Option<u8>; 4]>().prop_map(|of| {
        let mut numbers = Numbers::default();
        for (extension, number) in Extension::ALL.into_iter().zip(of) {
            numbers.set(extension, number);
        }
        numbers
    })
}

fn any_handshake() -> impl Strategy<Value = Handshake> {
    let addrs = (any::<Option<[u8; 16]>>(), any::<Option<[u8; 4]>>(), any::<Option<[u8; 16]>>());
    let sizes = (any::<Option<u32>>(), prop::option::of(1..=u32::MAX), any::<Option<bool>>());
    (any_numbers(), prop::option::of(1..=u16::MAX), prop::option::of("[a-zA-Zµ 0-9./]{1,64}"))
        .prop_flat_map(move |head| (Just(head), addrs.clone(), sizes.clone()))
        .prop_map(|((numbers, port, client), (your_ip, ipv4, ipv6), sizes)| Handshake {
            numbers,
            port,
            client,
            your_ip: your_ip.map(Into::into),
            ipv4: ipv4.map(Into::into),
            ipv6: ipv6.map(Into::into),
            request_queue: sizes.0,
            metadata_size: sizes.1,
            upload_only: sizes.2,
        })
}

proptest! {
    #[test]
    fn handshakes_come_back(handshake in any_handshake()) {
        prop_assert_eq!(Handshake::decode(&handshake.encode()), Ok(handshake));
    }

    #[test]
    fn metadata_comes_back(piece in 0..40_u32, total_size in 1..600_000_u32, kind in 0..3) {
        let len = Metadata::block_len(piece, total_size);
        let message = match kind {
            0 => Metadata::Request { piece },
            1 if len > 0 => Metadata::Data { piece, total_size, bytes: vec![7; len as usize] },
            _ => Metadata::Reject { piece },
        };
        prop_assert_eq!(Metadata::decode(&message.encode()), Ok(Some(message)));
    }

    #[test]
    fn pex_comes_back(
        added in prop::collection::vec((any_addr(), any::<u8>()), 0..=MAX_PEX_SENT),
        dropped in prop::collection::vec(any_addr(), 0..=MAX_PEX_SENT),
    ) {
        let mut pex = Pex {
            added: added
                .into_iter()
                .map(|(addr, flags)| PexPeer { addr, flags: PexFlags(flags) })
                .collect(),
            dropped,
        };
        let read = Pex::decode(&pex.encode()).unwrap();
        // The wire has each kind of address in a list of its own.
        pex.added.sort_by_key(|peer| peer.addr.is_ipv6());
        pex.dropped.sort_by_key(|addr| addr.is_ipv6());
        prop_assert_eq!(read, pex);
    }

    #[test]
    fn any_payload_is_read_or_refused(
        head in prop::sample::select(vec!["", "d", "d1:m", "d5:added", "d8:msg_typei1e"]),
        tail in prop::collection::vec(prop_oneof![
            prop::sample::select(&b"0123456789:deil"[..]), any::<u8>(),
        ], 0..60),
    ) {
        let payload = [head.as_bytes(), &tail].concat();
        let _ = Handshake::decode(&payload);
        let _ = Metadata::decode(&payload);
        let _ = Pex::decode(&payload);
    }
}
