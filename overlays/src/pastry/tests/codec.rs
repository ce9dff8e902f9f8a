//! The wire format: what is written reads back, and nothing else does harm.

use std::sync::Arc;

use proptest::prelude::*;

use crate::parts::postings::{Sift, Sifted, Way};
use crate::pastry::message::{Arrival, Errand, Message, Placed, State, Verdict};
use crate::pastry::{Contact, Entry, Rtt};
use crate::{Addr, Hit, Item, Key, Keywords, Wire};

fn key() -> impl Strategy<Value = Key> {
    any::<[u8; 20]>().prop_map(Key::from_bytes)
}

fn id() -> impl Strategy<Value = Key> {
    key().prop_map(|k| k.truncated(128))
}

fn addr() -> impl Strategy<Value = Addr> {
    any::<[u8; 6]>().prop_map(Addr::from_bytes)
}

fn contact() -> impl Strategy<Value = Contact> {
    (id(), addr()).prop_map(|(id, addr)| Contact { id, addr })
}

fn contacts() -> impl Strategy<Value = Vec<Contact>> {
    prop::collection::vec(contact(), 0..10)
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let entry = (contact(), any::<u16>()).prop_map(|(c, rtt)| Entry::new(c, Rtt(rtt)));
    prop::collection::vec(entry, 0..10)
}

fn hit() -> impl Strategy<Value = Hit> {
    (".{0,40}", any::<u64>(), addr())
        .prop_map(|(name, size, provider)| Hit { item: Arc::new(Item::new(&name, size)), provider })
}

fn errand() -> impl Strategy<Value = Errand> {
    prop_oneof![
        (1..=100_u16, any::<bool>())
            .prop_map(|(limit, passed_on)| Errand::Get { limit, passed_on }),
        hit().prop_map(Errand::Store),
        (key(), addr()).prop_map(|(item, provider)| Errand::Remove { item, provider }),
        any::<(u16, u8)>().prop_map(|(stations, rows)| Errand::Join { stations, rows }),
        (sift(), any::<bool>())
            .prop_map(|(sift, passed_on)| Errand::Sift { sift: Box::new(sift), passed_on }),
    ]
}

fn sift() -> impl Strategy<Value = Sift> {
    let list = prop::option::of((key(), addr())).prop_map(|after| Way::List { after });
    let path = (any::<u32>(), prop::collection::vec(hit(), 0..6), 1..=100_u16)
        .prop_map(|(seen, found, limit)| Way::Path { seen, found, limit });
    let words = "[a-z]{1,9}( [a-z]{1,9}){0,4}";
    (addr(), any::<u32>(), words, any::<u8>(), prop_oneof![list, path]).prop_map(
        |(asker, ticket, words, word, way)| {
            let words = Arc::new(Keywords::of(&words));
            let word = word % words.words().len() as u8;
            Sift { asker, ticket, words, word, way }
        },
    )
}

fn sifted() -> impl Strategy<Value = Sifted> {
    let next = prop::option::of((key(), addr()));
    let hits = prop::collection::vec(hit(), 0..6);
    (any::<(u32, u8)>(), hits, next, any::<bool>()).prop_map(
        |((ticket, word), hits, next, is_hot)| Sifted { ticket, word, hits, next, is_hot },
    )
}

fn routing() -> impl Strategy<Value = Message> {
    let route = (any::<u32>(), addr(), key(), any::<u16>(), any::<bool>());
    let verdict = prop_oneof![Just(Verdict::Done), Just(Verdict::NotFound), Just(Verdict::Full)];
    let hits = prop::collection::vec(hit(), 0..6);
    prop_oneof![
        (route, prop::option::of(errand())).prop_map(
            |((request, origin, key, ttl, ack), errand)| {
                let errand = errand.map(Box::new);
                Message::Route { request, origin, key, ttl, ack, errand }
            }
        ),
        (any::<u32>(), addr()).prop_map(|(request, origin)| Message::Received { request, origin }),
        (any::<u32>(), contact()).prop_map(|(request, root)| Message::Located { request, root }),
        (any::<u32>(), hits)
            .prop_map(|(request, hits)| Message::Hits { request, hits: hits.into() }),
        (any::<u32>(), verdict).prop_map(|(request, verdict)| Message::Judged { request, verdict }),
        any::<u32>().prop_map(|request| Message::Refused { request }),
    ]
}

fn records() -> impl Strategy<Value = Message> {
    let placed = (key(), hit()).prop_map(|(key, hit)| Placed { key, hit });
    prop_oneof![
        (any::<u32>(), prop::collection::vec(placed, 0..6)).prop_map(|(request, records)| {
            Message::Transfer { request, records: records.into() }
        }),
        any::<(u32, bool)>().prop_map(|(request, keep)| Message::Kept { request, keep }),
        (key(), key(), addr()).prop_map(|(key, item, provider)| Message::Erase {
            key,
            item,
            provider
        }),
    ]
}

fn state() -> impl Strategy<Value = Message> {
    let state =
        (any::<u32>(), contact(), any::<u16>(), any::<bool>(), entries(), contacts(), entries());
    let arrival = (contact(), any::<u16>(), entries());
    prop_oneof![
        state.prop_map(|(request, sender, station, is_last, table, leaves, neighbourhood)| {
            let state = State { sender, station, is_last, table, leaves, neighbourhood };
            Message::State { request, state: Box::new(state) }
        }),
        (any::<u32>(), prop::option::of(any::<u8>()))
            .prop_map(|(request, row)| Message::GetState { request, row }),
        (any::<u32>(), contact())
            .prop_map(|(request, failed)| Message::GetEntry { request, failed }),
        (any::<u32>(), prop::option::of(contact()))
            .prop_map(|(request, entry)| Message::CellEntry { request, entry }),
        arrival.prop_map(|(newcomer, rtt, row)| {
            Message::Announce(Box::new(Arrival { newcomer, rtt: Rtt(rtt), row }))
        }),
        any::<u32>().prop_map(|nonce| Message::Ping { nonce }),
        (any::<u32>(), id()).prop_map(|(nonce, id)| Message::Pong { nonce, id }),
        (any::<u32>(), id(), any::<u32>()).prop_map(|(nonce, id, seen)| Message::KeepAlive {
            nonce,
            id,
            seen
        }),
        (any::<u32>(), id(), any::<u32>(), contacts()).prop_map(|(nonce, id, version, leaves)| {
            Message::Alive { nonce, id, version, leaves: leaves.into_iter().collect() }
        }),
        (id(), contacts())
            .prop_map(|(id, l)| Message::Leaving { id, leaves: l.into_iter().collect() }),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let sifted = sifted().prop_map(|sifted| Message::Sifted(Box::new(sifted)));
    prop_oneof![4 => routing(), 2 => records(), 4 => state(), 1 => sifted]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(message in message()) {
        let bytes = message.to_bytes();
        prop_assert_eq!(bytes.len(), message.encoded_len());
        prop_assert!(bytes.len() <= Message::MAX_BYTES);
        prop_assert_eq!(Message::from_bytes(&bytes), Ok(message));
    }

    #[test]
    fn a_cut_message_is_refused(message in message(), at in any::<prop::sample::Index>()) {
        let bytes = message.to_bytes();
        prop_assert!(Message::from_bytes(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(kind in 0..21_u8, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = vec![1, kind];
        bytes.extend(body);
        if let Ok(message) = Message::from_bytes(&bytes) {
            prop_assert_eq!(message.to_bytes().len(), bytes.len());
        }
    }
}

#[test]
fn golden_bytes() {
    let key = Key::from_top_bits(0xabcd, 16);
    let message = Message::Pong { nonce: 7, id: key };
    let mut expected = vec![1, 12, 0, 0, 0, 7, 0xab, 0xcd];
    expected.resize(22, 0);
    assert_eq!(message.to_bytes(), expected);

    let root = Contact { id: key, addr: Addr::from_index(9) };
    let mut expected = vec![1, 2, 0, 0, 0, 5, 0xab, 0xcd];
    expected.resize(22, 0);
    expected.extend([0, 0, 0, 9, 0, 0]);
    assert_eq!(Message::Located { request: 5, root }.to_bytes(), expected);
}

#[test]
fn lists_and_unknown_kinds_are_bounded() {
    // A leaf set of 2,049.
    let mut too_long = vec![1, 18];
    too_long.extend([0; 16]);
    too_long.extend(2049_u16.to_be_bytes());
    too_long.resize(too_long.len() + 2049 * Contact::BYTES, 0);
    assert!(Message::from_bytes(&too_long).is_err());
    assert!(Message::from_bytes(&[1, 20]).is_err());
    assert!(Message::from_bytes(&[2, 16, 0, 0, 0, 1, 0]).is_err());
    assert!(Message::from_bytes(&[]).is_err());
}

#[test]
fn messages_and_timers_are_small() {
    assert!(size_of::<Message>() <= 48, "{}", size_of::<Message>());
    assert!(size_of::<crate::pastry::Timer>() <= 8);
    assert_eq!(size_of::<Entry>(), 28);
}
