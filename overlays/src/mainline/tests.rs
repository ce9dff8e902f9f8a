//! BEP 5's packets, byte for byte, and whatever else arrives.

use proptest::prelude::*;

use super::*;
use crate::kademlia::Contact;
use crate::kademlia::message::{Announce, Record, Transaction, Values, Wanted};
use crate::{Addr, Wire};

type Packet = Message<Krpc>;

const QUERIER: &[u8; 20] = b"abcdefghij0123456789";
const RESPONDER: &[u8; 20] = b"mnopqrstuvwxyz123456";
const OTHER: &[u8; 20] = b"0123456789abcdefghij";

fn packet(sender: &[u8; 20], body: Body) -> Packet {
    let transaction = Transaction::from_slice(b"aa").expect("two bytes fit");
    Message::new(transaction, Key::from_bytes(*sender), false, body)
}

fn golden(text: &[u8], packet: &Packet) {
    let shown = String::from_utf8_lossy(text);
    assert_eq!(Packet::from_bytes(text).as_ref(), Ok(packet), "{shown}");
    assert_eq!(String::from_utf8_lossy(&packet.to_bytes()), shown);
    assert_eq!(packet.encoded_len(), text.len(), "{shown}");
}

#[test]
fn ping() {
    golden(
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
        &packet(QUERIER, Body::Ping),
    );
    golden(b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re", &packet(RESPONDER, Body::Ack));
}

#[test]
fn find_node() {
    golden(
        b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
        &packet(QUERIER, Body::FindNode(Key::from_bytes(*RESPONDER))),
    );
    // The BEP abbreviates the nodes as "def456..."; one whole node here.
    let node = Contact { id: Key::from_bytes(*RESPONDER), addr: Addr::from_bytes(*b"axje.u") };
    golden(
        b"d1:rd2:id20:0123456789abcdefghij5:nodes26:mnopqrstuvwxyz123456axje.ue1:t2:aa1:y1:re",
        &packet(OTHER, Body::Nodes([node].into())),
    );
}

#[test]
fn get_peers() {
    let key = Key::from_bytes(*RESPONDER);
    golden(
        b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
        &packet(QUERIER, Body::FindValue(Box::new(Wanted { key, limit: 50, words: None }))),
    );
    let record = |bytes: &[u8; 6]| Record { item: None, provider: Addr::from_bytes(*bytes) };
    let values = Values {
        token: Some(b"aoeusnth"[..].into()),
        records: vec![record(b"axje.u"), record(b"idhtnm")],
        nodes: Box::default(),
    };
    golden(
        b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
        &packet(QUERIER, Body::Values(Box::new(values))),
    );
    let node = Contact { id: key, addr: Addr::from_bytes(*b"def456") };
    let values =
        Values { token: Some(b"aoeusnth"[..].into()), records: Vec::new(), nodes: [node].into() };
    golden(
        b"d1:rd2:id20:abcdefghij01234567895:nodes26:mnopqrstuvwxyz123456def4565:token8:aoeusnthe1:t2:aa1:y1:re",
        &packet(QUERIER, Body::Values(Box::new(values))),
    );
}

#[test]
fn announce_peer() {
    let announce = Announce {
        info_hash: Key::from_bytes(*RESPONDER),
        port: 6881,
        implied_port: true,
        token: b"aoeusnth"[..].into(),
    };
    golden(
        b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
        &packet(QUERIER, Body::Announce(Box::new(announce.clone()))),
    );
    let announce = Announce { implied_port: false, ..announce };
    golden(
        b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
        &packet(QUERIER, Body::Announce(Box::new(announce))),
    );
    golden(b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re", &packet(RESPONDER, Body::Ack));
}

#[test]
fn errors() {
    let error = |code, text: &str| packet(&[0; 20], Body::Error(Box::new((code, text.into()))));
    // The BEP's own example, its spelling included.
    golden(
        b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
        &error(201, "A Generic Error Ocurred"),
    );
    golden(b"d1:eli202e12:Server Errore1:t2:aa1:y1:ee", &error(202, "Server Error"));
    golden(b"d1:eli203e14:Protocol Errore1:t2:aa1:y1:ee", &error(203, "Protocol Error"));
    golden(b"d1:eli204e14:Method Unknowne1:t2:aa1:y1:ee", &error(204, "Method Unknown"));
}

#[test]
fn read_only_queries_say_so() {
    let transaction = Transaction::from_slice(b"aa").expect("two bytes fit");
    let ping = Message::new(transaction, Key::from_bytes(*QUERIER), true, Body::Ping);
    golden(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping2:roi1e1:t2:aa1:y1:qe", &ping);
}

/// What other clients add is passed over, and what they leave out is done
/// without.
#[test]
fn dialects_of_other_clients() {
    let read = |text: &[u8]| Packet::from_bytes(text).map(|p| p.body);
    let libtorrent =
        b"d2:ip6:axje.u1:rd2:id20:mnopqrstuvwxyz1234561:pi6881ee1:t2:aa1:v4:LT\x01\x021:y1:re";
    assert_eq!(read(libtorrent), Ok(Body::Ack));
    let with_ro = b"d2:ip6:axje.u1:rd2:id20:mnopqrstuvwxyz123456e2:roi0e1:t2:aa1:v4:RS001:y1:re";
    assert_eq!(read(with_ro), Ok(Body::Ack));
    let values_only =
        b"d1:rd2:id20:abcdefghij01234567895:token4:abcd6:valuesl6:axje.uee1:t2:aa1:y1:re";
    assert!(matches!(read(values_only), Ok(Body::Values(v)) if v.nodes.is_empty()));
    let method = b"d1:ad2:id20:abcdefghij0123456789e1:q3:get1:t2:aa1:y1:qe";
    assert_eq!(read(method), Ok(Body::Unknown("get".into())));
    // A short identifier, a missing argument, a huge one.
    for bad in [
        &b"d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe"[..],
        b"d1:ad2:id20:abcdefghij0123456789e1:q9:get_peers1:t2:aa1:y1:qe",
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t9:aaaaaaaaa1:y1:qe",
        b"d1:rd2:id20:0123456789abcdefghij5:nodes25:mnopqrstuvwxyz123456axje.e1:t2:aa1:y1:re",
        b"d1:t2:aa1:y1:xe",
        b"d1:t9999999999999999999:aa1:y1:xe",
        b"llllllllllllllllllllllllllllllllllllll",
        b"i03e",
        b"",
    ] {
        assert!(Packet::from_bytes(bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
}

fn any_body() -> impl Strategy<Value = Body> {
    let key = any::<[u8; 20]>().prop_map(Key::from_bytes);
    let addr = any::<[u8; 6]>().prop_map(Addr::from_bytes);
    let contact = (key.clone(), addr.clone()).prop_map(|(id, addr)| Contact { id, addr });
    let contacts = proptest::collection::vec(contact, 0..20);
    let records =
        proptest::collection::vec(addr.prop_map(|provider| Record { item: None, provider }), 0..20);
    let token = proptest::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        Just(Body::Ping),
        Just(Body::Ack),
        Just(Body::Metadata(None)),
        key.clone().prop_map(Body::FindNode),
        key.clone().prop_map(Body::WhatIs),
        contacts.clone().prop_map(|c| Body::Nodes(c.into())),
        key.clone().prop_map(|key| Body::FindValue(Box::new(Wanted {
            key,
            limit: 50,
            words: None
        }))),
        (contacts, records, token.clone()).prop_map(|(nodes, records, token)| Body::Values(
            Box::new(Values { token: Some(token.into()), records, nodes: nodes.into() })
        )),
        (key, any::<u16>(), any::<bool>(), token).prop_map(|(info_hash, port, implied, token)| {
            let token = token.into();
            Body::Announce(Box::new(Announce { info_hash, port, implied_port: implied, token }))
        }),
        (any::<i64>(), "[a-z ]{0,40}").prop_map(|(c, t)| Body::Error(Box::new((c, t.into())))),
    ]
}

proptest! {
    #[test]
    fn all_messages_read_back(body in any_body(), sender: [u8; 20], number: u32, ro: bool) {
        let is_error = matches!(body, Body::Error(_));
        let krpc_query = !body.is_reply() && !matches!(body, Body::WhatIs(_));
        let sender = if is_error { Key::ZERO } else { Key::from_bytes(sender) };
        let message = Packet::new(Transaction::numbered(number), sender, ro && krpc_query, body);
        let bytes = message.to_bytes();
        prop_assert_eq!(bytes.len(), message.encoded_len());
        prop_assert_eq!(Packet::from_bytes(&bytes), Ok(message));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Packet::from_bytes(&bytes) {
            prop_assert_eq!(Packet::from_bytes(&message.to_bytes()), Ok(message));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[di][0-9:a-zil e]{0,80}") {
        if let Ok(message) = Packet::from_bytes(text.as_bytes()) {
            prop_assert_eq!(Packet::from_bytes(&message.to_bytes()), Ok(message));
        }
    }
}
