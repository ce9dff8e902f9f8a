//! The wire format: what is written reads back, and nothing else does harm.

use std::sync::Arc;

use proptest::prelude::*;

use crate::can::message::{
    Claim, Contact, Erased, Errand, Message, Ring, Routed, State, Stored, Verdict,
};
use crate::can::{Point, Timer, Zone};
use crate::{Addr, Hit, Item, Key, Wire};

fn key() -> impl Strategy<Value = Key> {
    any::<[u8; 20]>().prop_map(Key::from_bytes)
}

fn addr() -> impl Strategy<Value = Addr> {
    any::<[u8; 6]>().prop_map(Addr::from_bytes)
}

fn zone() -> impl Strategy<Value = Zone> {
    (any::<u64>(), 0..=63_u32).prop_map(|(point, depth)| Zone::around(Point(point), depth))
}

fn claim() -> impl Strategy<Value = Claim> {
    (zone(), any::<bool>()).prop_map(|(zone, firm)| Claim { zone, firm })
}

fn contacts() -> impl Strategy<Value = Arc<[Contact]>> {
    let contact = (addr(), zone()).prop_map(|(addr, zone)| Contact { addr, zone });
    prop::collection::vec(contact, 0..10).prop_map(Into::into)
}

fn hit() -> impl Strategy<Value = Hit> {
    (".{0,40}", any::<u64>(), addr())
        .prop_map(|(name, size, provider)| Hit { item: Arc::new(Item::new(&name, size)), provider })
}

fn errand() -> impl Strategy<Value = Errand> {
    prop_oneof![
        Just(Errand::Locate),
        Just(Errand::Introduce),
        any::<bool>().prop_map(|chosen| Errand::Join { chosen }),
        (key(), 1..=100_u16).prop_map(|(key, limit)| Errand::Fetch { key, limit }),
        (key(), hit()).prop_map(|(key, hit)| Errand::Store { key, hit }),
        (key(), addr(), key()).prop_map(|(key, provider, item)| Errand::Remove {
            key,
            provider,
            item
        }),
    ]
}

fn routing() -> impl Strategy<Value = Message> {
    let verdict = prop_oneof![Just(Verdict::Done), Just(Verdict::NotFound), Just(Verdict::Full)];
    let route = (any::<u32>(), addr(), any::<u32>(), any::<u8>(), any::<u8>(), any::<u64>());
    prop_oneof![
        (route, any::<u16>(), errand()).prop_map(
            |((parcel, origin, request, leg, reality, point), ttl, errand)| Message::Route {
                parcel,
                routed: Box::new(Routed {
                    origin,
                    request,
                    leg,
                    reality,
                    point: Point(point),
                    ttl,
                    errand: Arc::new(errand)
                })
            }
        ),
        any::<u32>().prop_map(|parcel| Message::Received { parcel }),
        any::<u32>().prop_map(|parcel| Message::Declined { parcel }),
        (any::<u32>(), any::<u8>(), addr()).prop_map(|(request, leg, owner)| Message::Located {
            request,
            leg,
            owner
        }),
        (any::<u32>(), any::<u8>(), prop::collection::vec(hit(), 0..6))
            .prop_map(|(request, leg, hits)| Message::Hits { request, leg, hits: hits.into() }),
        (any::<u32>(), any::<u8>(), verdict).prop_map(|(request, leg, verdict)| Message::Judged {
            request,
            leg,
            verdict
        }),
    ]
}

fn zones() -> impl Strategy<Value = Message> {
    let state = (prop::collection::vec(claim(), 0..5), contacts())
        .prop_map(|(claims, contacts)| Arc::new(State { claims, contacts }));
    prop_oneof![
        (any::<u32>(), any::<u8>(), claim(), contacts()).prop_map(
            |(request, reality, claim, contacts)| {
                Message::Accept { request, reality, claim, contacts }
            }
        ),
        any::<u32>().prop_map(|request| Message::Refuse { request }),
        (any::<u8>(), any::<u32>(), state).prop_map(|(reality, nonce, state)| Message::Update {
            reality,
            nonce,
            state
        }),
        (any::<u8>(), any::<u32>()).prop_map(|(reality, nonce)| Message::Probe { reality, nonce }),
        (any::<u8>(), addr(), any::<u64>()).prop_map(|(reality, failed, volume)| {
            Message::Takeover { reality, failed, volume }
        }),
        (any::<u8>(), addr()).prop_map(|(reality, failed)| Message::Agree { reality, failed }),
    ]
}

fn erased() -> impl Strategy<Value = Erased> {
    (any::<u64>(), key(), addr(), key(), any::<u32>()).prop_map(
        |(point, key, provider, item, edition)| Erased {
            point: Point(point),
            key,
            provider,
            item,
            edition,
        },
    )
}

fn upkeep() -> impl Strategy<Value = Message> {
    let stored = (any::<u64>(), key(), hit(), any::<u32>());
    let stored = stored.prop_map(|(point, key, hit, edition)| Stored {
        point: Point(point),
        key,
        hit,
        edition,
    });
    prop_oneof![
        (any::<u32>(), any::<u8>(), claim(), contacts()).prop_map(
            |(parcel, reality, claim, contacts)| {
                Message::HandOver { parcel, reality, claim, contacts }
            }
        ),
        (any::<u32>(), any::<u8>(), prop::collection::vec(stored, 0..6)).prop_map(
            |(parcel, reality, records)| Message::Transfer {
                parcel,
                reality,
                records: records.into()
            }
        ),
        (any::<u8>(), any::<u32>(), addr(), any::<u8>(), any::<u64>(), any::<u128>()).prop_map(
            |(ttl, search, asker, reality, point, distance_squared)| Message::Ring {
                ttl,
                ring: Box::new(Ring {
                    search,
                    asker,
                    reality,
                    point: Point(point),
                    distance_squared
                })
            }
        ),
        any::<u32>().prop_map(|search| Message::Nearer { search }),
        (addr(), any::<u8>(), zone(), any::<u8>()).prop_map(|(holder, reality, zone, ttl)| {
            Message::Reassign { holder, reality, zone, ttl }
        }),
        (any::<u8>(), zone()).prop_map(|(reality, zone)| Message::Offer { reality, zone }),
        (any::<u8>(), zone(), contacts()).prop_map(|(reality, zone, members)| Message::Divide {
            reality,
            zone,
            members
        }),
        (key(), prop::collection::vec(hit(), 0..5))
            .prop_map(|(key, hits)| Message::Replicate { key, hits: hits.into() }),
        (any::<u32>(), any::<u8>(), erased()).prop_map(|(parcel, reality, record)| {
            Message::Erase { parcel, reality, record: Box::new(record) }
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(message in prop_oneof![routing(), zones(), upkeep()]) {
        let bytes = message.to_bytes();
        prop_assert_eq!(bytes.len(), message.encoded_len());
        prop_assert_eq!(Message::from_bytes(&bytes), Ok(message.clone()));
        prop_assert!(message.kind() < Message::KINDS.len());
    }

    #[test]
    fn a_cut_message_is_refused(
        message in prop_oneof![routing(), zones(), upkeep()],
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = message.to_bytes();
        let len = cut.index(bytes.len());
        prop_assert!(Message::from_bytes(&bytes[..len]).is_err());
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(kind in 0..24_u8, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes: Vec<u8> = [1, kind].into_iter().chain(body).collect();
        if let Ok(message) = Message::from_bytes(&bytes) {
            prop_assert_eq!(Message::from_bytes(&message.to_bytes()), Ok(message));
        }
    }
}

#[test]
fn golden_bytes() {
    let zone = Zone::around(Point(0b011 << 61), 3);
    let claim = Claim { zone, firm: true };
    let contacts = Arc::new([Contact { addr: Addr::from_index(2), zone: Zone::WHOLE }]);
    let accept = Message::Accept { request: 5, reality: 1, claim, contacts };
    let expected = [
        1, 6, // version, kind
        0, 0, 0, 5, 1, // request, reality
        0x70, 0, 0, 0, 0, 0, 0, 0, 1, // path 011 and the one that ends it; firm
        0, 1, // one contact
        0, 0, 0, 2, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0,
    ];
    assert_eq!(accept.to_bytes(), expected);
    let offer = Message::Offer { reality: 0, zone };
    assert_eq!(offer.to_bytes(), [1, 17, 0, 0x70, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn lists_and_unknown_kinds_are_bounded() {
    assert!(Message::from_bytes(&[2, 1, 0, 0, 0, 0]).is_err(), "version");
    assert!(Message::from_bytes(&[1, 22]).is_err(), "kind");
    assert!(Message::from_bytes(&[1, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err(), "no zone");
    // An update with 65,535 claims, and one with as many contacts.
    let mut many = vec![1, 8, 0, 0, 0, 0, 0, 0xff, 0xff];
    many.resize(700_000, 0x80);
    assert!(Message::from_bytes(&many).is_err());
    let mut many = vec![1, 8, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    many.resize(1_000_000, 0x80);
    assert!(Message::from_bytes(&many).is_err());
}

#[test]
fn messages_and_timers_are_small() {
    assert!(size_of::<Message>() <= 48, "{}", size_of::<Message>());
    assert!(size_of::<Timer>() <= 8, "{}", size_of::<Timer>());
}
