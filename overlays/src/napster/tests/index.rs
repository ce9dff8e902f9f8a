//! The index against a plain list of who shares what.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::napster::Index;

const WORDS: [&str; 6] = ["blue", "moon", "train", "river", "love", "live"];

/// A name of the words whose bits are set.
fn name(bits: u8) -> String {
    let words = WORDS.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1);
    words.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
}

proptest! {
    #[test]
    fn agrees_with_a_list(
        script in prop::collection::vec((any::<bool>(), 1..64_u8, 0..5_u32), 0..200),
        queries in prop::collection::vec((1..64_u8, 1..40_usize), 1..8),
    ) {
        let mut index = Index::default();
        let mut list = BTreeSet::new();
        for (add, bits, user) in script {
            if add {
                prop_assert_eq!(index.add(&item(&name(bits)), peer(user)), list.insert((bits, user)));
            } else {
                let key = item(&name(bits)).key();
                prop_assert_eq!(index.remove(&key, peer(user)), list.remove(&(bits, user)));
            }
        }
        prop_assert!(index.is_consistent());
        prop_assert_eq!(index.files(), list.len());
        for (bits, limit) in queries {
            let query = Query::keywords(&name(bits));
            let matching: BTreeSet<_> = list
                .iter()
                .filter(|(have, _)| have & bits == bits)
                .map(|&(have, user)| (name(have), peer(user)))
                .collect();
            let hits = index.search(&query, limit, |_| true);
            prop_assert_eq!(hits.len(), limit.min(matching.len()));
            let found: BTreeSet<_> =
                hits.iter().map(|h| (h.item.name().to_owned(), h.provider)).collect();
            prop_assert_eq!(found.len(), hits.len(), "no hit twice");
            prop_assert!(found.is_subset(&matching));
            let files: BTreeSet<_> = matching.iter().map(|(name, _)| name).collect();
            let shown: BTreeSet<_> = found.iter().map(|(name, _)| name).collect();
            prop_assert_eq!(shown.len(), files.len().min(limit), "different files come first");
        }
    }
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    let shares: Vec<(u8, u32)> = (1..64).map(|bits| (bits, u32::from(bits) % 7)).collect();
    let mut forwards = Index::default();
    let mut backwards = Index::default();
    for &(bits, user) in &shares {
        forwards.add(&item(&name(bits)), peer(user));
    }
    for &(bits, user) in shares.iter().rev() {
        backwards.add(&item(&name(bits)), peer(user));
        backwards.add(&item("passing"), peer(user));
        backwards.remove(&item("passing").key(), peer(user));
    }
    for bits in 1..64 {
        let query = Query::keywords(&name(bits));
        let hits = forwards.search(&query, 10, |_| true);
        assert_eq!(hits, backwards.search(&query, 10, |_| true));
    }
}
