//! The picker's invariants under any sequence of events.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::net::rng;
use crate::session::contributors::ContributorId;
use crate::session::picker::{Asked, Picker};
use crate::session::*;
use crate::{Block, PieceSet};

#[derive(Clone, Copy, Debug)]
enum Step {
    Pick(u32),
    Withdraw(u32),
    Receive(u32),
    Verdict(bool),
    Priority(u32, u8),
    Have(u32, u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_u32).prop_map(Step::Pick),
        1 => (0..64_u32).prop_map(Step::Withdraw),
        5 => (0..64_u32).prop_map(Step::Receive),
        2 => any::<bool>().prop_map(Step::Verdict),
        1 => (0..12_u32, 0..8_u8).prop_map(|(piece, priority)| Step::Priority(piece, priority)),
        1 => (0..4_u32, 0..12_u32).prop_map(|(peer, piece)| Step::Have(peer, piece)),
    ]
}

fn order() -> impl Strategy<Value = PieceOrder> {
    prop_oneof![
        Just(PieceOrder::RarestFirst),
        Just(PieceOrder::MostFrequentFirst),
        Just(PieceOrder::Random),
        Just(PieceOrder::Sequential),
    ]
}

proptest! {
    #[test]
    fn blocks_are_requested_once_and_pieces_counted_once(
        steps in proptest::collection::vec(step(), 1..400),
        order in order(),
        random_first in 0..3_u32,
    ) {
        let geometry = Geometry::new(40_000, 470_000).unwrap();
        let config = SessionConfig {
            order, random_first, open_bytes: 200_000, ..SessionConfig::default()
        };
        let mut picker = Picker::new(geometry, PieceSet::empty(12), &config);
        let mut peers: Vec<PieceSet> = (0..4).map(|_| PieceSet::empty(12)).collect();
        peers[3] = PieceSet::full(12);
        picker.rarity.add_peer(&peers[3]);
        let mut current = [None; 4];
        let mut rng = rng(3);
        let mut requested: BTreeMap<Block, u32> = BTreeMap::new();
        let mut checking = Vec::new();
        let mut stored = 0;
        for step in steps {
            match step {
                Step::Pick(n) => {
                    let have = &peers[n as usize];
                    let asked = Asked { link: LinkId(n), have, allowed: None, parole: false };
                    if let Some(block) = picker.pick(asked, &mut current[n as usize], &mut rng) {
                        prop_assert!(geometry.contains(&block));
                        prop_assert!(peers[n as usize].contains(block.piece));
                        prop_assert_eq!(requested.insert(block, n), None, "requested twice");
                    }
                }
                Step::Withdraw(n) => {
                    let Some(block) = requested.keys().nth(n as usize).copied() else { continue };
                    requested.remove(&block);
                    picker.withdraw(&block);
                }
                Step::Receive(n) => {
                    let Some(block) = requested.keys().nth(n as usize).copied() else { continue };
                    requested.remove(&block);
                    prop_assert_eq!(picker.arrives(&block, false), Admission::Receive);
                    prop_assert_eq!(picker.arrives(&block, true), Admission::Discard);
                    let (others, whole) = picker.received(&block, ContributorId(0)).unwrap();
                    prop_assert_eq!(others, 0);
                    prop_assert_eq!(picker.received(&block, ContributorId(0)), None);
                    if whole {
                        checking.push(block.piece);
                    }
                }
                Step::Verdict(good) => {
                    let Some(piece) = checking.pop() else { continue };
                    if good {
                        picker.good(piece);
                        prop_assert!(picker.stored(piece));
                        prop_assert!(!picker.stored(piece), "counted twice");
                        stored += 1;
                    } else {
                        picker.bad(piece);
                    }
                }
                Step::Priority(piece, priority) => {
                    picker.set_priority(piece, priority);
                }
                Step::Have(peer, piece) => {
                    let set = &mut peers[peer as usize];
                    if set.insert(piece) {
                        picker.rarity.gain(piece);
                        if set.is_full() {
                            picker.rarity.completed();
                        }
                    }
                }
            }
            prop_assert_eq!(picker.have().count(), stored);
            picker.check(&peers.iter().collect::<Vec<_>>());
        }
    }
}

/// The order in which a peer with everything is asked for pieces.
fn pieces_in_order(config: &SessionConfig, counts: &[u32]) -> Vec<u32> {
    let pieces = counts.len() as u32;
    let geometry = Geometry::new(16_384, 16_384 * u64::from(pieces)).unwrap();
    let mut picker = Picker::new(geometry, PieceSet::empty(pieces), config);
    for (piece, &count) in counts.iter().enumerate() {
        (0..count).for_each(|_| picker.rarity.gain(piece as u32));
    }
    let have = PieceSet::full(pieces);
    let asked = Asked { link: LinkId(0), have: &have, allowed: None, parole: false };
    let (mut rng, mut current) = (rng(1), None);
    core::iter::from_fn(|| picker.pick(asked, &mut current, &mut rng)).map(|b| b.piece).collect()
}

#[test]
fn each_order_is_what_it_says() {
    let config = |order| SessionConfig { order, random_first: 0, ..SessionConfig::default() };
    let counts = [5, 3, 9, 1, 7];
    assert_eq!(pieces_in_order(&config(PieceOrder::RarestFirst), &counts), [3, 1, 0, 4, 2]);
    assert_eq!(pieces_in_order(&config(PieceOrder::MostFrequentFirst), &counts), [2, 4, 0, 1, 3]);
    assert_eq!(pieces_in_order(&config(PieceOrder::Sequential), &counts), [0, 1, 2, 3, 4]);
    let mut random = pieces_in_order(&config(PieceOrder::Random), &counts);
    assert_ne!(random, [0, 1, 2, 3, 4]);
    random.sort_unstable();
    assert_eq!(random, [0, 1, 2, 3, 4]);
}

#[test]
fn the_first_pieces_are_random() {
    let config = SessionConfig::default();
    let counts: Vec<u32> = (0..100).collect();
    let first = pieces_in_order(&config, &counts);
    assert!(first[..4] != [0, 1, 2, 3]);
}

#[test]
fn of_few_pieces_of_a_peer_the_rarest_is_found() {
    // More pieces than are probed, none of which the peer has.
    let pieces = 2_000;
    let geometry = Geometry::new(16_384, 16_384 * u64::from(pieces)).unwrap();
    let config = SessionConfig { random_first: 0, ..SessionConfig::default() };
    let mut picker = Picker::new(geometry, PieceSet::empty(pieces), &config);
    let mut have = PieceSet::empty(pieces);
    for (piece, count) in [(1_999, 4), (700, 2), (3, 3)] {
        have.insert(piece);
        (0..count).for_each(|_| picker.rarity.gain(piece));
    }
    let asked = Asked { link: LinkId(0), have: &have, allowed: None, parole: false };
    let (mut rng, mut current) = (rng(1), None);
    let order: Vec<u32> = core::iter::from_fn(|| picker.pick(asked, &mut current, &mut rng))
        .map(|b| b.piece)
        .collect();
    assert_eq!(order, [700, 3, 1_999]);
}
