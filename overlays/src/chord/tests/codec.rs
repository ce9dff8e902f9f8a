//! The wire format: what is written reads back, and nothing else does harm.

use std::sync::Arc;

use proptest::prelude::*;

use crate::chord::Contact;
use crate::chord::message::{Errand, Farewell, Message, Posted, Verdict};
use crate::parts::postings::{Posting, Sift, Sifted, WHOLE, Way};
use crate::{Addr, Hit, Item, Key, Keywords, Wire};

fn key() -> impl Strategy<Value = Key> {
    any::<[u8; 20]>().prop_map(Key::from_bytes)
}

fn addr() -> impl Strategy<Value = Addr> {
    any::<[u8; 6]>().prop_map(Addr::from_bytes)
}

fn contact() -> impl Strategy<Value = Contact> {
    (key(), addr(), any::<u16>()).prop_map(|(key, addr, vnode)| Contact { key, addr, vnode })
}

fn hit() -> impl Strategy<Value = Hit> {
    (".{0,40}", any::<u64>(), addr())
        .prop_map(|(name, size, provider)| Hit { item: Arc::new(Item::new(&name, size)), provider })
}

fn errand() -> impl Strategy<Value = Errand> {
    prop_oneof![
        (key(), 1..=100_u16).prop_map(|(key, limit)| Errand::Fetch { key, limit }),
        hit().prop_map(Errand::Store),
        (key(), addr()).prop_map(|(key, provider)| Errand::Remove { key, provider }),
        posting().prop_map(Errand::Post),
        posted().prop_map(Errand::Unpost),
        sift().prop_map(Errand::Sift),
    ]
}

/// A record under the item's key, or under one of its words.
fn posting() -> impl Strategy<Value = Posting> {
    (hit(), any::<u8>()).prop_map(|(hit, word)| {
        let words = hit.item.keywords().words().len();
        let word = if words == 0 { WHOLE } else { word % words as u8 };
        Posting { hit, word }
    })
}

fn posted() -> impl Strategy<Value = Posted> {
    (key(), key(), addr()).prop_map(|(list, item, provider)| Posted { list, item, provider })
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

fn contacts() -> impl Strategy<Value = Vec<Contact>> {
    prop::collection::vec(contact(), 0..10)
}

fn routing() -> impl Strategy<Value = Message> {
    let route = (any::<u32>(), addr(), key(), any::<u16>(), any::<u16>(), any::<bool>());
    prop_oneof![
        (any::<u32>(), any::<u16>(), key()).prop_map(|(request, vnode, key)| Message::FindNext {
            request,
            vnode,
            key
        }),
        (any::<u32>(), contacts()).prop_map(|(request, nodes)| Message::Closer {
            request,
            nodes: nodes.into_iter().collect()
        }),
        (any::<u32>(), contacts()).prop_map(|(request, nodes)| Message::Owner {
            request,
            nodes: nodes.into_iter().collect()
        }),
        (route, prop::option::of(errand())).prop_map(
            |((request, origin, key, vnode, ttl, ack), errand)| Message::Route {
                request,
                origin,
                key,
                vnode,
                ttl,
                ack,
                errand: errand.map(Box::new)
            }
        ),
        (any::<u32>(), addr()).prop_map(|(request, origin)| Message::Received { request, origin }),
        (any::<u32>(), contact()).prop_map(|(request, owner)| Message::Located { request, owner }),
    ]
}

fn records() -> impl Strategy<Value = Message> {
    let deliver =
        (any::<u32>(), addr(), any::<u16>(), any::<u16>(), any::<bool>(), any::<bool>(), errand());
    let hits = || prop::collection::vec(hit(), 0..6);
    let transferred =
        prop::collection::vec(prop_oneof![hit().prop_map(Posting::from), posting()], 0..6);
    let verdict = prop_oneof![Just(Verdict::Done), Just(Verdict::NotFound), Just(Verdict::Full)];
    prop_oneof![
        deliver.prop_map(|(request, origin, vnode, ttl, ack, insist, errand)| Message::Deliver {
            request,
            origin,
            vnode,
            ttl,
            ack,
            insist,
            errand: Box::new(errand)
        }),
        (any::<u32>(), hits())
            .prop_map(|(request, hits)| Message::Hits { request, hits: hits.into() }),
        (any::<u32>(), verdict).prop_map(|(request, verdict)| Message::Judged { request, verdict }),
        (any::<u32>(), any::<bool>(), transferred).prop_map(|(request, owned, records)| {
            Message::Transfer { request, owned, records: records.into() }
        }),
        any::<u32>().prop_map(|request| Message::Kept { request }),
        (key(), key()).prop_map(|(after, upto)| Message::Release { after, upto }),
        (key(), addr()).prop_map(|(key, provider)| Message::Erase { key, provider }),
        sifted().prop_map(|sifted| Message::Sifted(Box::new(sifted))),
        posted().prop_map(|posted| Message::EraseWord(Box::new(posted))),
    ]
}

fn ring() -> impl Strategy<Value = Message> {
    let neighbours = (any::<u16>(), any::<u16>(), prop::option::of(contact()), contacts());
    let farewell = (contact(), prop::option::of(contact()), contacts());
    prop_oneof![
        any::<(u16, u16)>().prop_map(|(vnode, asker)| Message::GetNeighbours { vnode, asker }),
        neighbours.prop_map(|(vnode, responder, predecessor, list)| Message::Neighbours {
            vnode,
            responder,
            predecessor,
            successors: list.into_iter().collect()
        }),
        (any::<u16>(), contact()).prop_map(|(vnode, sender)| Message::Notify { vnode, sender }),
        any::<u16>().prop_map(|vnode| Message::Nudge { vnode }),
        any::<(u16, u16)>().prop_map(|(vnode, asker)| Message::Ping { vnode, asker }),
        any::<(u16, u16)>().prop_map(|(vnode, responder)| Message::Pong { vnode, responder }),
        (any::<u16>(), farewell).prop_map(|(vnode, (leaver, predecessor, successors))| {
            let farewell = Box::new(Farewell { leaver, predecessor, successors });
            Message::Leaving { vnode, farewell }
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(message in prop_oneof![routing(), records(), ring()]) {
        let bytes = message.to_bytes();
        prop_assert_eq!(bytes.len(), message.encoded_len());
        prop_assert!(bytes.len() <= Message::MAX_BYTES);
        prop_assert_eq!(Message::from_bytes(&bytes), Ok(message));
    }

    #[test]
    fn a_cut_message_is_refused(
        message in prop_oneof![routing(), records(), ring()],
        at in any::<prop::sample::Index>(),
    ) {
        let bytes = message.to_bytes();
        prop_assert!(Message::from_bytes(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(kind in 0..20_u8, body in prop::collection::vec(any::<u8>(), 0..200)) {
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
    let message = Message::FindNext { request: 7, vnode: 2, key };
    let mut expected = vec![1, 0, 0, 0, 0, 7, 0, 2, 0xab, 0xcd];
    expected.resize(28, 0);
    assert_eq!(message.to_bytes(), expected);

    let sender = Contact { key, addr: Addr::from_index(9), vnode: 3 };
    let mut expected = vec![1, 11, 0, 5, 0xab, 0xcd];
    expected.resize(24, 0);
    expected.extend([0, 0, 0, 9, 0, 0, 0, 3]);
    assert_eq!(Message::Notify { vnode: 5, sender }.to_bytes(), expected);
}

#[test]
fn lists_and_unknown_kinds_are_bounded() {
    let mut too_long = vec![1, 1, 0, 0, 0, 1, 0, 65];
    too_long.resize(8 + 65 * Contact::BYTES, 0);
    assert!(Message::from_bytes(&too_long).is_err());
    assert!(Message::from_bytes(&[1, 20]).is_err());
    assert!(Message::from_bytes(&[2, 12, 0, 0]).is_err());
    assert!(Message::from_bytes(&[]).is_err());
}

#[test]
fn messages_and_timers_are_small() {
    assert!(size_of::<Message>() <= 48, "{}", size_of::<Message>());
    assert!(size_of::<crate::chord::Timer>() <= 8);
}
