//! The compact format.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::message::{Body, Message, Record, Store, Transaction, Values, Wanted};
use super::super::paper::Paper;
use crate::kademlia::Contact;
use crate::parts::postings::{Sift, Sifted, Way};
use crate::{Addr, Hit, Item, Key, Keywords, Wire};

fn any_query() -> impl Strategy<Value = Body> {
    let key = any::<[u8; 20]>().prop_map(Key::from_bytes);
    let addr = any::<[u8; 6]>().prop_map(Addr::from_bytes);
    let hit = ("[a-z ]{0,20}", any::<u64>(), addr.clone())
        .prop_map(|(name, n, provider)| Hit { item: Arc::new(Item::new(&name, n)), provider });
    let hits = proptest::collection::vec(hit, 0..6);
    let place = proptest::option::of((key, addr.clone()));
    let list = place.clone().prop_map(|after| Way::List { after });
    let path = (any::<u32>(), hits.clone(), 1..=100_u16)
        .prop_map(|(seen, found, limit)| Way::Path { seen, found, limit });
    let words = "[a-z]{1,9}( [a-z]{1,9}){0,4}";
    let sift = (addr, any::<u32>(), words, any::<u8>(), prop_oneof![list, path]).prop_map(
        |(asker, ticket, words, word, way)| {
            let words = Arc::new(Keywords::of(&words));
            let word = word % words.words().len() as u8;
            Body::Sift(Box::new(Sift { asker, ticket, words, word, way }))
        },
    );
    let sifted =
        (any::<(u32, u8, bool)>(), hits, place).prop_map(|((ticket, word, is_hot), hits, next)| {
            Body::Sifted(Box::new(Sifted { ticket, word, hits, next, is_hot }))
        });
    prop_oneof![sift, sifted]
}

fn any_body() -> impl Strategy<Value = Body> {
    let key = any::<[u8; 20]>().prop_map(Key::from_bytes);
    let addr = any::<[u8; 6]>().prop_map(Addr::from_bytes);
    let item = ("[a-z ]{0,20}", any::<u64>()).prop_map(|(name, n)| Arc::new(Item::new(&name, n)));
    let contact = (key.clone(), addr.clone()).prop_map(|(id, addr)| Contact { id, addr });
    let contacts = proptest::collection::vec(contact, 0..20);
    let record = (item.clone(), addr.clone())
        .prop_map(|(item, provider)| Record { item: Some(item), provider });
    let records = proptest::collection::vec(record, 0..20);
    let words = proptest::option::of("[a-z ]{0,40}".prop_map(|w| Arc::new(Keywords::of(&w))));
    prop_oneof![
        Just(Body::Ping),
        Just(Body::Ack),
        key.clone().prop_map(Body::FindNode),
        contacts.clone().prop_map(|c| Body::Nodes(c.into())),
        (key.clone(), any::<u16>(), words).prop_map(|(key, limit, words)| Body::FindValue(
            Box::new(Wanted { key, limit, words })
        )),
        (contacts, records).prop_map(|(nodes, records)| {
            let nodes = nodes.into();
            Body::Values(Box::new(Values { token: None, records, nodes }))
        }),
        (key.clone(), item, addr, any::<u32>()).prop_map(|(key, item, provider, lifetime_s)| {
            Body::Store(Box::new(Store { key, item, provider, lifetime_s }))
        }),
        (key, any::<u32>()).prop_map(|(key, item)| Body::Withdraw { key, item }),
        (any::<i64>(), "[a-z ]{0,40}").prop_map(|(c, t)| Body::Error(Box::new((c, t.into())))),
        any_query(),
    ]
}

proptest! {
    #[test]
    fn all_messages_read_back(body in any_body(), sender: [u8; 20], number: u32, ro: bool) {
        let transaction = Transaction::numbered(number);
        let message: Message<Paper> =
            Message::new(transaction, Key::from_bytes(sender), ro, body);
        let bytes = message.to_bytes();
        prop_assert_eq!(bytes.len(), message.encoded_len());
        prop_assert_eq!(Message::from_bytes(&bytes), Ok(message));
        for cut in 0..bytes.len() {
            prop_assert!(Message::<Paper>::from_bytes(&bytes[..cut]).is_err());
        }
    }
}

#[test]
fn a_message_is_small() {
    assert!(size_of::<Message<Paper>>() <= 64, "{}", size_of::<Message<Paper>>());
}
