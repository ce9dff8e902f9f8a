//! KAD's bytes and defaults.

use super::*;
use crate::kademlia::Contact;
use crate::kademlia::message::Transaction;
use crate::{Addr, Key, Parameters as _, Wire};

#[test]
fn identifiers_have_sixteen_bytes() {
    let id = Key::hash(b"node").truncated(128);
    let target = Key::hash(b"target").truncated(128);
    let message: Message<Emule> =
        Message::new(Transaction::numbered(7), id, false, Body::FindNode(target));
    let bytes = message.to_bytes();
    assert_eq!(bytes.len(), 7 + 16 + 16);
    assert_eq!(bytes[..2], [0xe4, 0x21]);
    assert_eq!(bytes[7..23], id.to_bytes()[..16]);
    assert_eq!(Message::from_bytes(&bytes), Ok(message));
    let contact = Contact { id, addr: Addr::from_index(3) };
    let nodes = Body::Nodes([contact, contact].into());
    let answer: Message<Emule> = Message::new(Transaction::numbered(7), id, true, nodes);
    assert_eq!(answer.encoded_len(), 23 + 2 + 2 * 22);
    assert_eq!(Message::from_bytes(&answer.to_bytes()), Ok(answer));
}

#[test]
fn constants_of_the_reference() {
    let settings = Emule::settings();
    assert_eq!((settings.id_bits, settings.k, settings.replicas), (128, 10, 10));
    assert_eq!(settings.expire, Span::from_s(5 * 3600));
    assert_eq!(settings.keyword_expire, Span::from_s(24 * 3600));
    let mut config = crate::kademlia::Config::<Emule>::default();
    config.set("k", "12").unwrap();
    assert_eq!(config.k, 12);
    assert!(config.set("k", "0").is_err());
}
