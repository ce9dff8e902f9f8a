//! QRP against the vectors of its specification, and against chance.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use crate::gnutella06::qrp::{
    Changes, Incoming, PATCH_BYTES, PatchBody, Products, Table, hash, patches, product,
};
use crate::seam::{Item, Query};

#[test]
fn hashes_of_the_specification() {
    let vectors = [
        ("", 0),
        ("eb", 6791),
        ("ebc", 7082),
        ("ebck", 6698),
        ("ebckl", 3179),
        ("ebcklm", 3235),
        ("ebcklme", 6438),
        ("ebcklmen", 1062),
        ("ebcklmenq", 3527),
    ];
    for (word, slot) in vectors {
        assert_eq!(hash(word, 13), slot, "{word}");
        assert_eq!(hash(&word.to_uppercase(), 13), slot, "{word} in capitals");
    }
    for (word, slot) in [("n", 65003), ("nd", 54193), ("ndf", 4953)] {
        assert_eq!(hash(word, 16), slot, "{word}");
    }
    assert_eq!((hash("test", 3), hash("qrp", 3)), (2, 7));
    assert_eq!(hash("test", 0), 0);
    assert_eq!(hash("test", 32), product("test"));
}

fn table(bits: u32, names: &[&str]) -> Table {
    let items: Vec<Arc<Item>> = names.iter().map(|n| Arc::new(Item::new(n, 1))).collect();
    Table::of(bits, items.iter())
}

/// A table with exactly these slots, made the way a stranger makes one.
fn with_slots(bits: u32, slots: &BTreeSet<u16>) -> Table {
    let mut entries = vec![0_u8; 1 << bits];
    slots.iter().for_each(|slot| entries[usize::from(*slot)] = 0xfa);
    let changes = Changes::of(&entries, 8).expect("not too many");
    Table::empty(bits).patched(&changes).expect("an entry for each slot")
}

#[test]
fn the_patch_of_the_specification() {
    let test = with_slots(3, &BTreeSet::from([2]));
    let patch = &patches(&Table::empty(3), &test, 8)[0];
    assert_eq!((patch.seq, patch.of, patch.zlib, patch.entry_bits), (1, 1, false, 8));
    assert_eq!(*patch.data, [0, 0, 0xfa, 0, 0, 0, 0, 0]);
    // The appendix gives "qrp" the slot 7, and prints its entry at 6: an
    // encoder sets 7, and a decoder takes the printed bytes at their word.
    let both = with_slots(3, &BTreeSet::from([2, 7]));
    assert_eq!(*patches(&test, &both, 8)[0].data, [0, 0, 0, 0, 0, 0, 0, 0xfa]);
    let printed = Changes::of(&[0, 0, 0, 0, 0, 0, 0xfa, 0], 8).expect("not too many");
    assert_eq!(test.patched(&printed), Some(with_slots(3, &BTreeSet::from([2, 6]))));
    // And back: six hops more is out of reach again.
    assert_eq!(both.difference(&test, 8), [0, 0, 0, 0, 0, 0, 0, 6]);
    assert_eq!(both.difference(&test, 4), [0, 0, 0, 0x06]);
    assert_eq!(Table::empty(3).difference(&both, 4), [0, 0xa0, 0, 0x0a]);
}

#[test]
fn words_and_keys_match_and_others_do_not() {
    let table = table(16, &["blue moon.mp3", "red sun.mp3"]);
    let may = |query: &Query| table.may_match(&Products::of(&query.target));
    assert!(may(&Query::keywords("Blue MOON")));
    assert!(may(&Query::keywords("mp3 sun")));
    // Words of different items: a table cannot tell.
    assert!(may(&Query::keywords("blue sun")));
    assert!(!may(&Query::keywords("blue star")));
    assert!(!may(&Query::keywords("")));
    assert!(may(&Query::exact(Item::new("red sun.mp3", 0).key())));
    assert!(!may(&Query::exact(Item::new("red sun", 0).key())));
}

#[test]
fn merging_brings_tables_to_one_size() {
    let (small, large) = (table(10, &["blue moon"]), table(16, &["red sun"]));
    let merged = Table::union(13, [&small, &large].into_iter());
    assert_eq!(merged.size(), 1 << 13);
    for words in ["blue moon", "red sun"] {
        assert!(merged.may_match(&Products::of(&Query::keywords(words).target)), "{words}");
    }
    // Each slot of the small one stands for eight of the merged.
    assert!(merged.len() <= small.len() * 8 + large.len());
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    assert!(Incoming::reset(0).is_none() && Incoming::reset(12).is_none());
    assert!(Incoming::reset(1 << 17).is_none());
    let mut incoming = Incoming::reset(8).expect("a power of two");
    let patch = |seq, of, zlib, entry_bits, data: &[u8]| {
        PatchBody::new(seq, of, zlib, entry_bits, data.into())
    };
    assert!(incoming.take(&patch(1, 1, false, 8, &[0xfa; 8])));
    let held = incoming.table().clone();
    for wrong in [
        patch(0, 1, false, 8, &[0xfa; 8]),
        patch(2, 2, false, 8, &[6; 8]),
        patch(1, 0, false, 8, &[6; 8]),
        patch(1, 1, false, 8, &[6; 7]),
        patch(1, 1, false, 4, &[6; 8]),
        patch(1, 1, true, 8, &[6; 8]),
        patch(1, 1, true, 8, &miniz_oxide::deflate::compress_to_vec_zlib(&[6; 9], 1)),
        patch(1, 1, false, 8, &[6; PATCH_BYTES + 9]),
    ] {
        assert!(!incoming.take(&wrong), "{wrong:?}");
        assert_eq!(*incoming.table(), held);
    }
    // A sequence that never ends holds no more than a table's worth.
    for seq in 1..=255 {
        incoming.take(&patch(seq, 255, false, 8, &[0; PATCH_BYTES]));
        assert!(incoming.bytes() < 3 * PATCH_BYTES);
    }
    assert!(incoming.take(&patch(1, 1, false, 8, &[6; 8])));
    assert!(incoming.table().is_empty());
}

#[test]
fn one_message_changes_each_receivers_own_table() {
    let body = PatchBody::new(1, 1, false, 8, [0xfa, 0, 0, 0, 0, 0, 0, 6].into());
    let mut tables = [8, 8, 16].map(|size| Incoming::reset(size).expect("a power of two"));
    let last = PatchBody::new(1, 1, false, 8, [0, 0, 0, 0, 0, 0, 0, 0xfa].into());
    assert!(tables[1].take(&last));
    assert_eq!(tables.each_mut().map(|table| table.take(&body)), [true, true, false]);
    // The first slot is set in both, and the last no longer is in the second.
    assert_eq!(tables[0].table(), tables[1].table());
    assert_eq!(tables.map(|table| table.table().len()), [1, 1, 0]);
}

proptest! {
    #[test]
    fn patches_turn_any_table_into_any_other(
        bits in 3_u32..=16,
        from in prop::collection::btree_set(any::<u16>(), 0..300),
        to in prop::collection::btree_set(any::<u16>(), 0..300),
        wide in any::<bool>(),
    ) {
        let entry_bits = if wide { 8 } else { 4 };
        let cut = |set: BTreeSet<u16>| set.into_iter().map(|s| s >> (16 - bits)).collect();
        let (from, to): (BTreeSet<u16>, BTreeSet<u16>) = (cut(from), cut(to));
        let (from, to) = (with_slots(bits, &from), with_slots(bits, &to));
        let mut incoming = Incoming::reset(1 << bits).expect("a power of two");
        for body in patches(&Table::empty(bits), &from, entry_bits) {
            prop_assert!(body.data.len() <= PATCH_BYTES);
            prop_assert!(incoming.take(&body));
        }
        prop_assert_eq!(&**incoming.table(), &from);
        for body in patches(&from, &to, entry_bits) {
            prop_assert!(incoming.take(&body));
        }
        prop_assert_eq!(&**incoming.table(), &to);
    }

    #[test]
    fn any_patch_leaves_a_sound_table(
        data in prop::collection::vec(any::<u8>(), 0..64),
        seq in any::<u8>(),
        of in any::<u8>(),
        zlib in any::<bool>(),
        wide in any::<bool>(),
    ) {
        let mut incoming = Incoming::reset(32).expect("a power of two");
        let entry_bits = if wide { 8 } else { 4 };
        incoming.take(&PatchBody::new(seq, of, zlib, entry_bits, data.into()));
        prop_assert!(incoming.table().len() <= 32 && incoming.table().size() == 32);
    }

    /// However unevenly its slots are spread.
    #[test]
    fn a_table_says_of_each_word_whether_its_slot_is_set(
        bits in 0_u32..=16,
        scattered in prop::collection::btree_set(any::<u16>(), 0..200),
        crowd in (any::<u16>(), 0..2000_u16),
        words in prop::collection::vec("[a-z]{1,4}", 1..50),
    ) {
        let crowd = (0..crowd.1).map(|i| crowd.0.wrapping_add(i));
        let all = scattered.into_iter().chain(crowd);
        let mut slots: BTreeSet<u16> = all.map(|s| (u32::from(s) >> (16 - bits)) as u16).collect();
        // Every other word is there for sure.
        slots.extend(words.iter().step_by(2).map(|word| hash(word, bits) as u16));
        let table = with_slots(bits, &slots);
        for word in &words {
            let says = table.may_match(&Products::of(&Query::keywords(word).target));
            prop_assert_eq!(says, slots.contains(&(hash(word, bits) as u16)), "{}", word);
        }
    }

    #[test]
    fn a_table_never_denies_what_is_there(
        names in prop::collection::vec("[a-z]{1,8} [a-z0-9]{1,8}", 1..20),
        bits in 3_u32..=16,
    ) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let table = table(bits, &names);
        for name in &names {
            prop_assert!(table.may_match(&Products::of(&Query::keywords(name).target)));
            let key = Item::new(name, 1).key();
            prop_assert!(table.may_match(&Products::of(&Query::exact(key).target)));
        }
    }
}
