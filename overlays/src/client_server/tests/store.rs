//! The store against a plain set.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use crate::client_server::{Change, PAGE_RECORDS, Store};
use crate::seam::{Addr, Hit, Item, Key};

fn hit(name: u8, client: u8) -> Hit {
    let item = Arc::new(Item::new(&format!("file {name}"), 1));
    Hit { item, provider: Addr::from_index(client.into()) }
}

proptest! {
    #[test]
    fn it_holds_what_a_set_would(changes in prop::collection::vec((0..4_u8, 0..12_u8, 0..4_u8), 0..80)) {
        let mut store = Store::default();
        let mut model: BTreeSet<(Key, Addr)> = BTreeSet::new();
        for (kind, name, client) in changes {
            let hit = hit(name, client);
            let pair = (hit.item.key(), hit.provider);
            let (change, changes) = match kind {
                0 | 1 => (Change::Put(hit), model.insert(pair)),
                2 => (Change::Remove(pair.0, pair.1), model.remove(&pair)),
                _ => {
                    let before = model.len();
                    model.retain(|(_, provider)| *provider != pair.1);
                    (Change::Forget(pair.1), model.len() < before)
                }
            };
            prop_assert_eq!(store.apply(&change, 100), changes);
            prop_assert!(store.pairs().eq(model.iter().copied()));
            prop_assert!(store.is_consistent());
        }
    }

    #[test]
    fn a_replica_becomes_what_the_primary_is(
        old in prop::collection::btree_set((0..200_u8, 0..8_u8), 0..400),
        new in prop::collection::btree_set((0..200_u8, 0..8_u8), 0..400),
    ) {
        let fill = |pairs: &BTreeSet<(u8, u8)>| {
            let mut store = Store::default();
            for (name, client) in pairs {
                store.put(&hit(*name, *client).item, Addr::from_index((*client).into()));
            }
            store
        };
        let (mut replica, primary) = (fill(&old), fill(&new));
        let mut after = None;
        let mut pages = 0;
        loop {
            let page = primary.page(after);
            pages += 1;
            let is_last = page.is_last;
            after = replica.take_over(&page);
            prop_assert_eq!(after.is_none(), is_last);
            if is_last {
                break;
            }
        }
        prop_assert_eq!(pages, new.len().max(1).div_ceil(PAGE_RECORDS));
        prop_assert!(replica.pairs().eq(primary.pairs()));
        prop_assert!(replica.is_consistent());
    }
}

#[test]
fn a_client_has_limited_room() {
    let mut store = Store::default();
    assert!(store.apply(&Change::Put(hit(1, 1)), 1));
    assert!(!store.apply(&Change::Put(hit(2, 1)), 1));
    assert!(store.apply(&Change::Put(hit(2, 2)), 1));
}
