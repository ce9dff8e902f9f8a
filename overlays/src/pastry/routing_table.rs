//! The routing table: nodes by the length of the prefix they share.

use super::contact::{Contact, Entry};
use crate::{Addr, Key};

/// A table of ⌈128/b⌉ rows of 2^b cells (P01 §2.1). The cell in row `r` and
/// column `c` holds a node that shares the first `r` digits with this one and
/// has `c` as the next; the column of this node's own digit stays empty. Rows
/// count from 0.
///
/// Most rows of a real table are empty, so only what is there is kept: the
/// entries in order of their cells, and for each row a bit per filled cell.
#[derive(Clone, Debug)]
pub struct RoutingTable {
    me: Key,
    /// Bits of a digit.
    b: u8,
    rows: Vec<Row>,
    entries: Vec<Entry>,
}

/// Where a row's entries lie.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// Which columns are filled.
    filled: u16,
    /// The index of its first entry.
    start: u16,
}

impl Row {
    fn has(self, column: u32) -> bool {
        self.filled >> column & 1 == 1
    }

    /// How many filled cells come before `column`.
    fn before(self, column: u32) -> usize {
        (u32::from(self.filled) & ((1 << column) - 1)).count_ones() as usize
    }

    fn len(self) -> usize {
        self.filled.count_ones() as usize
    }
}

/// A place in a routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Digits shared with the table's owner.
    pub row: u8,
    /// The digit after them.
    pub column: u8,
}

impl RoutingTable {
    /// The empty table of the node `me`, with digits of `b` bits (1..=4).
    pub const fn new(me: Key, b: u8) -> Self {
        Self { me, b, rows: Vec::new(), entries: Vec::new() }
    }

    /// How many leading digits `key` shares with this node.
    #[inline]
    pub const fn shared_digits(&self, key: Key) -> u32 {
        self.me.common_prefix_digits(key, self.b as u32)
    }

    /// The cell in which a node with this identifier belongs, or by which a
    /// message to it is routed; none for the owner's own identifier.
    #[inline]
    pub fn cell_of(&self, key: Key) -> Option<Cell> {
        if key == self.me {
            return None;
        }
        let row = self.shared_digits(key);
        let column = key.digit(row, self.b.into());
        Some(Cell { row: row as u8, column: column as u8 })
    }

    /// What stands in a cell.
    #[inline]
    pub fn get(&self, cell: Cell) -> Option<&Entry> {
        let row = self.rows.get(usize::from(cell.row))?;
        let column = u32::from(cell.column) & 15;
        row.has(column).then(|| &self.entries[usize::from(row.start) + row.before(column)])
    }

    /// The next hop for `key`: the node in its cell (line 6 of the routing
    /// procedure).
    #[inline]
    pub fn next_for(&self, key: Key) -> Option<&Entry> {
        self.get(self.cell_of(key)?)
    }

    /// Puts a node into its cell, unless a nearer one is there. Returns
    /// whether it was taken in; a fresh measurement of the one that is there
    /// counts as not.
    pub fn offer(&mut self, entry: Entry) -> bool {
        let Some(cell) = self.cell_of(entry.id) else { return false };
        let (at, column) = (usize::from(cell.row), u32::from(cell.column));
        while self.rows.len() <= at {
            let start = self.entries.len() as u16;
            self.rows.push(Row { filled: 0, start });
        }
        let row = self.rows[at];
        let place = usize::from(row.start) + row.before(column);
        if row.has(column) {
            let there = &mut self.entries[place];
            let same = there.addr == entry.addr;
            let nearer = entry.rtt < there.rtt;
            if same || nearer {
                *there = entry;
            }
            return nearer && !same;
        }
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(8);
        }
        self.entries.insert(place, entry);
        self.rows[at].filled |= 1 << column;
        for later in &mut self.rows[at + 1..] {
            later.start += 1;
        }
        true
    }

    /// Removes the node with this identifier at this address. Returns the cell
    /// that is now empty.
    pub fn remove(&mut self, contact: Contact) -> Option<Cell> {
        let cell = self.cell_of(contact.id)?;
        if self.get(cell)?.addr != contact.addr {
            return None;
        }
        let (at, column) = (usize::from(cell.row), u32::from(cell.column));
        let row = self.rows[at];
        self.entries.remove(usize::from(row.start) + row.before(column));
        self.rows[at].filled &= !(1 << column);
        for later in &mut self.rows[at + 1..] {
            later.start -= 1;
        }
        Some(cell)
    }

    /// The nodes of a row, by column.
    pub fn row(&self, row: usize) -> &[Entry] {
        let Some(r) = self.rows.get(row) else { return &[] };
        let start = usize::from(r.start);
        &self.entries[start..start + r.len()]
    }

    /// How many rows there are up to the last that was ever filled.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// All nodes, by row and column.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The node at this address.
    pub fn find(&self, addr: Addr) -> Option<&Entry> {
        self.entries.iter().find(|e| e.addr == addr)
    }

    /// Gives back memory that is not needed.
    pub fn shrink(&mut self) {
        self.rows.shrink_to_fit();
        self.entries.shrink_to_fit();
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>() + self.entries.capacity() * size_of::<Entry>()
    }
}
