//! Leaf set, routing table and neighbourhood set against simple models.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::pastry::contact::{Contact, Entry, Rtt, gap};
use crate::pastry::leaf_set::LeafSet;
use crate::pastry::neighbourhood::Neighbourhood;
use crate::pastry::routing_table::RoutingTable;
use crate::{Addr, Key};

fn entry(id: u64, addr: u32, rtt: u16) -> Entry {
    Entry::new(Contact { id: Key::from_top_bits(id, 16), addr: Addr::from_index(addr) }, Rtt(rtt))
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec((0..1_u64 << 16, 0..50_u16), 1..120).prop_map(|list| {
        let mut seen = BTreeMap::new();
        for (addr, (id, rtt)) in (1..).zip(list) {
            seen.entry(id).or_insert_with(|| entry(id, addr, rtt));
        }
        seen.into_values().collect()
    })
}

fn me() -> Key {
    Key::from_top_bits(0x8000, 16)
}

proptest! {
    #[test]
    fn a_leaf_set_holds_the_next_on_each_side(
        entries in entries(),
        order in any::<prop::sample::Index>(),
        half in 1..8_u16,
    ) {
        let mut entries = entries;
        entries.retain(|e| e.id != me());
        let turn = if entries.is_empty() { 0 } else { order.index(entries.len()) };
        let mut set = LeafSet::new(me(), half);
        for e in entries[turn..].iter().chain(&entries[..turn]) {
            let wanted = set.wants(e.id);
            prop_assert_eq!(set.insert(*e).0, wanted);
        }
        let mut clockwise = entries.clone();
        clockwise.sort_by_key(|e| me().distance_to(e.id));
        let size = usize::from(half).min(clockwise.len());
        let larger: Vec<Key> = clockwise[..size].iter().map(|e| e.id).collect();
        let smaller: Vec<Key> = clockwise.iter().rev().take(size).map(|e| e.id).collect();
        prop_assert_eq!(set.larger().map(|l| l.entry.id).collect::<Vec<_>>(), larger);
        prop_assert_eq!(set.smaller().map(|l| l.entry.id).collect::<Vec<_>>(), smaller);
    }

    #[test]
    fn a_covered_key_is_nobodys_else(entries in entries(), key in 0..1_u64 << 16, half in 1..8_u16) {
        let mut entries = entries;
        entries.retain(|e| e.id != me());
        let mut set = LeafSet::new(me(), half);
        for e in &entries {
            set.insert(*e);
        }
        let key = Key::from_top_bits(key, 16);
        prop_assume!(set.covers(key));
        let ids = entries.iter().map(|e| e.id).chain([me()]);
        let root = ids.min_by_key(|id| (gap(*id, key), *id));
        let found = set.closest(key, |_| true).map_or(me(), |l| l.entry.id);
        prop_assert_eq!(Some(found), root);
    }

    #[test]
    fn a_table_keeps_the_nearest_of_each_cell(
        entries in entries(),
        b in 1..=4_u8,
        gone in any::<prop::sample::Index>(),
    ) {
        let mut entries = entries;
        entries.retain(|e| e.id != me());
        prop_assume!(!entries.is_empty());
        let mut table = RoutingTable::new(me(), b);
        let mut model: BTreeMap<(u8, u8), Entry> = BTreeMap::new();
        for e in &entries {
            table.offer(*e);
            let cell = table.cell_of(e.id).expect("not this node's own");
            let there = model.entry((cell.row, cell.column)).or_insert(*e);
            if e.rtt < there.rtt {
                *there = *e;
            }
        }
        prop_assert_eq!(table.entries(), model.values().copied().collect::<Vec<_>>());
        let gone = entries[gone.index(entries.len())];
        let cell = table.cell_of(gone.id).expect("not this node's own");
        let stood_there = model.get(&(cell.row, cell.column)) == Some(&gone);
        prop_assert_eq!(table.remove(gone.contact()).is_some(), stood_there);
        if stood_there {
            model.remove(&(cell.row, cell.column));
        }
        prop_assert_eq!(table.entries(), model.values().copied().collect::<Vec<_>>());
        for e in &entries {
            let cell = table.cell_of(e.id).expect("not this node's own");
            prop_assert_eq!(table.get(cell), model.get(&(cell.row, cell.column)));
        }
    }

    #[test]
    fn a_neighbourhood_holds_the_nearest(entries in entries(), size in 0..40_usize) {
        let mut set = Neighbourhood::default();
        for e in &entries {
            set.offer(*e, size);
        }
        let mut distances: Vec<Rtt> = entries.iter().map(|e| e.rtt).collect();
        distances.sort_unstable();
        distances.truncate(size);
        prop_assert_eq!(set.entries().iter().map(|e| e.rtt).collect::<Vec<_>>(), distances);
    }
}

#[test]
fn a_full_leaf_set_covers_from_its_smallest_to_its_largest() {
    let mut set = LeafSet::new(me(), 2);
    for (at, id) in [0x7000, 0x7800, 0x8100].into_iter().enumerate() {
        set.insert(entry(id, at as u32 + 1, 1));
    }
    // Not full: whoever knows everyone covers everything.
    assert!(set.covers(Key::from_top_bits(0x1000, 16)));
    set.insert(entry(0x9000, 9, 1));
    for (key, covered) in [
        (0x7000, true),
        (0x9000, true),
        (0x8080, true),
        (0x6fff, false),
        (0x9001, false),
        (0x1000, false),
    ] {
        assert_eq!(set.covers(Key::from_top_bits(key, 16)), covered, "{key:x}");
    }
    // A nearer one takes the place of the farthest on its side.
    let (changed, out) = set.insert(entry(0x8200, 10, 1));
    assert!(changed);
    assert_eq!(out.map(|c| c.addr), Some(Addr::from_index(9)));
}

#[test]
fn a_row_of_empty_cells_costs_nothing() {
    let mut table = RoutingTable::new(me(), 4);
    assert_eq!(table.heap_bytes(), 0);
    table.offer(entry(0x8001, 1, 5));
    assert_eq!(table.rows(), 4);
    assert_eq!(table.row(0), &[]);
    assert_eq!(table.row(3).len(), 1);
    assert_eq!(table.row(99), &[]);
}
