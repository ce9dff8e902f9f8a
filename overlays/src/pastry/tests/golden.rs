//! The worked examples of the course.

use super::Bench;
use crate::pastry::config::{Config, Routing};
use crate::pastry::contact::{Contact, Entry, Rtt};
use crate::pastry::routing::Hop;
use crate::pastry::{Cell, Pastry, RoutingTable};
use crate::{Addr, Cause, Key, OpId, Outcome, Overlay, Profile};

/// The identifier with these digits of `b` bits in its top bits.
fn id(digits: &str, b: u32) -> Key {
    let value = digits
        .chars()
        .fold(0_u64, |v, d| v << b | u64::from(d.to_digit(1 << b).expect("a digit of that base")));
    Key::from_top_bits(value, b * digits.len() as u32)
}

fn quaternary(digits: &str) -> Key {
    id(digits, 2)
}

fn hex(digits: &str) -> Key {
    id(digits, 4)
}

/// The filled cells of the slides' table of node 103220: row (from 1), column,
/// node.
const CELLS_OF_103220: [(u8, u8, &str); 14] = [
    (1, 0, "031120"),
    (1, 2, "201303"),
    (1, 3, "312201"),
    (2, 1, "110003"),
    (2, 2, "120132"),
    (2, 3, "132012"),
    (3, 0, "100221"),
    (3, 1, "101203"),
    (3, 2, "102303"),
    (4, 1, "103112"),
    (4, 3, "103302"),
    (5, 1, "103210"),
    (0, 0, ""),
    (0, 0, ""),
];

fn cells() -> impl Iterator<Item = (u8, u8, &'static str)> {
    CELLS_OF_103220.into_iter().filter(|(row, ..)| *row > 0)
}

/// Node 103220 with that table and no leaves but `leaves`.
fn node_103220(leaves: &[&str]) -> Pastry {
    let config = Config { id_bits: 12, b: 2, leaf_set: 2, ..Config::default() };
    let profile = Profile::peer(Addr::from_index(0)).with_id(quaternary("103220"));
    let mut node = Pastry::new(&config.into(), &profile);
    for (at, (_, _, digits)) in (1..).zip(cells()) {
        let contact = Contact { id: quaternary(digits), addr: Addr::from_index(at) };
        assert!(node.table.offer(Entry::new(contact, Rtt(10))));
    }
    for (at, digits) in (100..).zip(leaves) {
        let contact = Contact { id: quaternary(digits), addr: Addr::from_index(at) };
        node.leaves.insert(Entry::new(contact, Rtt(10)));
    }
    node
}

fn next(node: &Pastry, key: &str) -> Option<Key> {
    match node.next_hop(quaternary(key), |_| false) {
        Hop::Here => None,
        Hop::To(contact) => Some(contact.id),
    }
}

/// Slides S2: the table of 103220, every cell of it, blanks included.
#[test]
fn the_table_of_103220() {
    let node = node_103220(&[]);
    let table: &RoutingTable = node.routing_table();
    for row in 1..=6 {
        for column in 0..4 {
            let expected = cells().find(|(r, c, _)| (*r, *c) == (row, column));
            let found = table.get(Cell { row: row - 1, column });
            assert_eq!(
                found.map(|e| e.id),
                expected.map(|(_, _, digits)| quaternary(digits)),
                "row {row}, column {column}"
            );
        }
    }
    assert_eq!(table.entries().len(), 12);
    // Its own digit selects no cell: 1, 0, 3, 2, 2, 0.
    assert_eq!(table.cell_of(quaternary("103220")), None);
}

/// Slides S2: lookup(102332) goes to 102303, by row 3, column 2; and further
/// cases of the same table.
#[test]
fn lookups_in_the_table_of_103220() {
    // Neighbours that are too close to play a part.
    let node = node_103220(&["103213", "103222"]);
    assert_eq!(next(&node, "102332"), Some(quaternary("102303")));
    assert_eq!(next(&node, "312000"), Some(quaternary("312201")));
    // The cell is empty, but the leaf set covers the key: this node itself is
    // the closest.
    assert_eq!(next(&node, "103221"), None);
    // Row 5, column 0 is empty, and so is the leaf set's range: the rare case
    // finds 103210, which shares as many digits and is closer.
    assert_eq!(next(&node, "103200"), Some(quaternary("103210")));
}

/// A network of nodes with these hexadecimal identifiers; each knows only what
/// it is given.
fn network(routing: Routing, leaf_set: u16, ids: &[&str]) -> Bench {
    let config = Config { id_bits: 24, b: 4, leaf_set, routing, ..Config::default() };
    let keys: Vec<Key> = ids.iter().map(|i| hex(i)).collect();
    Bench::settled_at(config, &keys, &[])
}

/// The nodes that a lookup of `key` from node 0 visits.
fn path(bench: &mut Bench, key: Key) -> Vec<Key> {
    bench.sent.clear();
    let outcome = bench.locate(0, key);
    let routes = bench.sent.iter().filter(|(_, _, kind, op)| *kind == "Route" && *op != OpId::NONE);
    let path: Vec<Key> = routes.map(|(_, to, ..)| bench.node(*to).id()).collect();
    let last = path.last().copied().unwrap_or(bench.node(0).id());
    let Some(Outcome::Located(found)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(bench.node(found.index()).id(), last);
    path
}

/// Coulouris et al., Fig. 10.8: 65A1FC, D13DA3, D4213F, D462BA, D46A1C.
#[test]
fn from_65a1fc_to_d46a1c_by_the_table() {
    let ids = [
        "65A1FC", "D13DA3", "D4213F", "D462BA", "D46A1C", "D467C4", "D471F1", "0F1A22", "1B30C4",
        "2C44D1", "38AA10", "47F0E2", "5513B7", "6F2241", "7A0099", "8C31F3", "9D5A02", "A7E771",
        "B2F4C8", "C10B3D", "DA40E5", "E07731", "F3C2A6",
    ];
    let mut bench = network(Routing::Table, 2, &ids);
    // The settled table picks any node of a cell, since all are equally far;
    // the figure's nodes have the entries of the figure.
    for (node, entry) in [("65A1FC", "D13DA3"), ("D13DA3", "D4213F"), ("D4213F", "D462BA")] {
        let at = |digits: &str| ids.iter().position(|i| *i == digits).expect("in the list") as u32;
        let (at, entry) = (at(node), at(entry));
        let contact = bench.node(entry).me;
        let near = Entry::new(contact, Rtt(0));
        bench.call(at, Cause::UPKEEP, |node, _| {
            let there = node.table.next_for(contact.id).map(|e| e.contact());
            if let Some(there) = there {
                node.table.remove(there);
            }
            assert!(node.table.offer(near));
        });
    }
    let path = path(&mut bench, hex("D46A1C"));
    let expected: Vec<Key> = ["D13DA3", "D4213F", "D462BA", "D46A1C"].map(hex).to_vec();
    assert_eq!(path, expected);
    let shared = |k: &Key| k.truncated(24).common_prefix_digits(hex("D46A1C"), 4).min(6);
    let from = hex("65A1FC");
    let lengths: Vec<u32> = core::iter::once(&from).chain(&path).map(shared).collect();
    assert_eq!(lengths, [0, 1, 2, 3, 6]);
}

/// The same by the leaf set alone (|L| = 8): every hop goes four places on, and
/// the last fewer.
#[test]
fn from_65a1fc_to_d46a1c_by_the_leaf_set() {
    let ids: Vec<String> = core::iter::once("65A1FC".to_string())
        .chain((0x66..=0xD3).map(|i| format!("{i:02X}0000")))
        .chain(["D46A1C".to_string()])
        .chain((0..0x65).map(|i| format!("{i:02X}0000")))
        .chain((0xD5..=0xFF).map(|i| format!("{i:02X}0000")))
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut bench = network(Routing::LeafSet, 8, &ids);
    let path = path(&mut bench, hex("D46A1C"));
    // 111 places on, four at a time.
    assert_eq!(path.len(), 28);
    assert_eq!(path.first(), Some(&hex("690000")));
    assert_eq!(path.last(), Some(&hex("D46A1C")));
}

/// Slides S4: in the table of a node 65A1..., the cells of its own digits stay
/// blank: row 0 column 6, row 1 column 5, row 2 column A, row 3 column 1.
#[test]
fn the_own_digits_of_65a1_are_blank() {
    let me = hex("65A1FC");
    let mut table = RoutingTable::new(me, 4);
    for row in 0..4_u32 {
        for column in 0..16_u64 {
            let prefix = me.top_bits(4 * row.max(1)) & if row == 0 { 0 } else { u64::MAX };
            let digits = prefix << 4 | column;
            let id = Key::from_top_bits(digits << 8 | 0x77, 4 * (row + 1) + 8);
            let addr = Addr::from_index(row * 16 + column as u32);
            table.offer(Entry::new(Contact { id, addr }, Rtt(1)));
        }
    }
    for (row, own) in [(0, 0x6), (1, 0x5), (2, 0xA), (3, 0x1)] {
        for column in 0..16 {
            let is_filled = table.get(Cell { row, column }).is_some();
            assert_eq!(is_filled, column != own, "row {row}, column {column:X}");
        }
    }
}
