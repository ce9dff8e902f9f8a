//! Query routing: which words may be found behind a link.
//!
//! A servent hashes each word that a query could ask it for into a slot of a
//! table, and sends the table to its ultrapeers as a RESET and PATCHes. They
//! pass a query on only where all of its words have their slots set. After C.
//! Rohrs, Query Routing for the Gnutella Network, 2002.

use std::sync::{Arc, OnceLock};

use crate::parts::servent::wire::name_urn;
use crate::seam::{Item, Target};

/// What a table entry holds that is out of reach: the number of hops from
/// which on nobody cares.
pub const INFINITY: u8 = 7;

/// Data bytes that one PATCH message carries at most.
pub const PATCH_BYTES: usize = 4096;

/// Slots that a table has at most.
const MAX_SIZE: usize = 1 << 16;

/// How far from where it is expected a slot is looked for first.
const NEAR: usize = 32;

/// The multiplier of the hash: the golden ratio's digits.
const MULTIPLIER: u32 = 0x4F1B_BCDC;

/// The hash of a word before it is cut to a table's size: its lower-case
/// bytes, folded into four by exclusive or, times a constant.
pub fn product(word: &str) -> u32 {
    product_of(word.bytes())
}

fn product_of(bytes: impl Iterator<Item = u8>) -> u32 {
    let folded = bytes.enumerate().fold(0_u32, |folded, (i, byte)| {
        folded ^ u32::from(byte.to_ascii_lowercase()) << (i % 4 * 8)
    });
    folded.wrapping_mul(MULTIPLIER)
}

/// The slot of a word in a table of 2^`bits` slots: the top bits of its
/// product.
pub fn hash(word: &str, bits: u32) -> u32 {
    cut(product(word), bits)
}

fn cut(product: u32, bits: u32) -> u32 {
    if bits == 0 { 0 } else { product >> (32 - bits.min(32)) }
}

/// The products of everything that a query asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Products(Box<[u32]>);

impl Products {
    /// Those of `target`: of its words, or of the URN of a key, which stands
    /// in tables as one word.
    pub fn of(target: &Target) -> Self {
        Self(match target {
            Target::Exact(key) => [product_of(name_urn(*key))].into(),
            Target::Keywords(words) => words.words().map(product).collect(),
        })
    }
}

/// A QRP table: the set of slots within reach.
///
/// An entry of the specification counts hops up to an infinity; with one hop
/// to go, as everybody uses it, it says yes or no. Kept as the sorted slots,
/// since even an ultrapeer's table is nearly empty.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Table {
    bits: u8,
    slots: Vec<u16>,
    sketch: Sketch,
}

/// A table of a few words, at a glance: bit by bit, whether any slot is set in
/// a 512th part of it. Most queries match no leaf of an ultrapeer, and find
/// that out here, in one line of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Sketch([u64; 1 << Self::BITS >> 6]);

impl Sketch {
    /// As if it were a table of 2^9 slots.
    const BITS: u32 = 9;

    fn of(bits: u32, slots: &[u16]) -> Self {
        let mut sketch = Self::default();
        let mut mark = |part: u32| sketch.0[part as usize / 64] |= 1 << (part % 64);
        for slot in slots.iter().map(|slot| u32::from(*slot)) {
            match bits.checked_sub(Self::BITS) {
                Some(finer) => mark(slot >> finer),
                None => {
                    let parts = 1 << (Self::BITS - bits);
                    (slot * parts..(slot + 1) * parts).for_each(&mut mark);
                }
            }
        }
        sketch
    }

    fn may_have(&self, product: u32) -> bool {
        let part = cut(product, Self::BITS);
        self.0[part as usize / 64] >> (part % 64) & 1 == 1
    }
}

impl Table {
    /// An empty table of 2^`bits` slots, at most 2^16.
    pub fn empty(bits: u32) -> Self {
        Self::with(bits.min(16) as u8, Vec::new())
    }

    /// The table with these slots, which are in order.
    fn with(bits: u8, mut slots: Vec<u16>) -> Self {
        slots.shrink_to_fit();
        let sketch = Sketch::of(bits.into(), &slots);
        Self { bits, slots, sketch }
    }

    /// The table for these items: the slots of their words and of their keys.
    pub fn of<'a>(bits: u32, items: impl Iterator<Item = &'a Arc<Item>>) -> Self {
        let bits = bits.min(16);
        let mut slots = Vec::new();
        for item in items {
            let words = item.keywords().words().map(product);
            let urn = product_of(name_urn(item.key()));
            slots.extend(words.chain([urn]).map(|product| cut(product, bits) as u16));
        }
        slots.sort_unstable();
        slots.dedup();
        Self::with(bits as u8, slots)
    }

    /// The union of tables, each brought to 2^`bits` slots. A slot of a
    /// smaller table becomes all that it stands for.
    pub fn union<'a>(bits: u32, tables: impl Iterator<Item = &'a Self>) -> Self {
        let bits = bits.min(16);
        let mut set = vec![0_u64; (1_usize << bits).div_ceil(64)];
        let mut mark = |slot: u32| set[slot as usize / 64] |= 1 << (slot % 64);
        for table in tables {
            let theirs = u32::from(table.bits);
            let slots = table.slots.iter().map(|slot| u32::from(*slot));
            if theirs >= bits {
                slots.for_each(|slot| mark(slot >> (theirs - bits)));
            } else {
                let wider = bits - theirs;
                slots.flat_map(|slot| slot << wider..(slot + 1) << wider).for_each(&mut mark);
            }
        }
        let count = set.iter().map(|word| word.count_ones() as usize).sum();
        let mut merged = Vec::with_capacity(count);
        for (at, mut word) in set.into_iter().enumerate() {
            while word != 0 {
                merged.push((at * 64) as u16 | word.trailing_zeros() as u16);
                word &= word - 1;
            }
        }
        Self::with(bits as u8, merged)
    }

    /// Whether something that matches may be behind this table.
    pub fn may_match(&self, query: &Products) -> bool {
        let bits = u32::from(self.bits);
        let set = |product| self.has(cut(product, bits) as u16);
        !query.0.is_empty()
            && query.0.iter().all(|product| self.sketch.may_have(*product))
            && query.0.iter().all(|product| set(*product))
    }

    /// Whether a slot is set. Words are spread evenly, so that it is near its
    /// share of the way along the list, if it is there.
    fn has(&self, slot: u16) -> bool {
        let slots = self.slots.as_slice();
        let guess = (usize::from(slot) * slots.len()) >> self.bits;
        let (from, to) = (guess.saturating_sub(NEAR), slots.len().min(guess + NEAR));
        let near = &slots[from.min(to)..to];
        let begins = from == 0 || near.first().is_some_and(|first| *first <= slot);
        let ends = to == slots.len() || near.last().is_some_and(|last| slot <= *last);
        let range = if begins && ends { near } else { slots };
        range.binary_search(&slot).is_ok()
    }

    /// Slots set.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no slot is set.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Slots there are.
    pub fn size(&self) -> u32 {
        1 << self.bits
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.slots.capacity() * size_of::<u16>()
    }

    /// The entries of a patch that turns `self` into `to`, of 4 or 8 bits
    /// each: what a slot's hops change by.
    pub fn difference(&self, to: &Self, entry_bits: u8) -> Vec<u8> {
        let size = to.size() as usize;
        let mut entries = vec![0; if entry_bits == 4 { size.div_ceil(2) } else { size }];
        let reach = INFINITY as i8 - 1;
        let mut put = |slot: u16, delta: i8| {
            let at = usize::from(slot);
            if entry_bits == 4 {
                let nibble = delta as u8 & 0x0f;
                entries[at / 2] |= if at.is_multiple_of(2) { nibble << 4 } else { nibble };
            } else {
                entries[at] = delta as u8;
            }
        };
        let gone = self.slots.iter().filter(|slot| to.slots.binary_search(slot).is_err());
        gone.for_each(|slot| put(*slot, reach));
        let new = to.slots.iter().filter(|slot| self.slots.binary_search(slot).is_err());
        new.for_each(|slot| put(*slot, -reach));
        entries
    }

    /// Applies a patch. `None` when it has not as many entries as the table has
    /// slots.
    pub fn patched(&self, changes: &Changes) -> Option<Self> {
        let size = self.size() as usize;
        let wanted = if changes.entry_bits == 4 { size.div_ceil(2) } else { size };
        if changes.bytes != wanted {
            return None;
        }
        let mut slots = Vec::with_capacity(self.slots.len() + changes.added.len());
        slots.extend(self.slots.iter().filter(|s| changes.dropped.binary_search(s).is_err()));
        slots.extend_from_slice(&changes.added);
        // Two runs in order, which this sort merges.
        slots.sort();
        slots.dedup();
        Some(Self::with(self.bits, slots))
    }
}

/// What a patch does to a table.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Bytes of its entries.
    bytes: usize,
    /// Bits of an entry.
    entry_bits: u8,
    /// Slots that it clears, in order.
    dropped: Box<[u16]>,
    /// Slots that it sets, in order.
    added: Box<[u16]>,
}

impl Changes {
    /// Reads the entries of a patch, of 4 or 8 bits each. `None` when there are
    /// more than a table can have.
    pub fn of(entries: &[u8], entry_bits: u8) -> Option<Self> {
        let bytes = entries.len();
        if bytes > if entry_bits == 4 { MAX_SIZE / 2 } else { MAX_SIZE } {
            return None;
        }
        let (mut dropped, mut added) = (Vec::new(), Vec::new());
        let mut change = |at: usize, delta: i8| match delta {
            1.. => dropped.push(at as u16),
            0 => {}
            _ => added.push(at as u16),
        };
        // Nearly all entries are zero, and skipped eight bytes at a time.
        for (chunk, bytes) in entries.chunks(8).enumerate().filter(|(_, b)| **b != [0; 8]) {
            for (at, &byte) in (chunk * 8..).zip(bytes) {
                if entry_bits == 4 {
                    // The high nibble first, each with its own sign.
                    change(at * 2, byte as i8 >> 4);
                    change(at * 2 + 1, (byte << 4) as i8 >> 4);
                } else {
                    change(at, byte as i8);
                }
            }
        }
        Some(Self { bytes, entry_bits, dropped: dropped.into(), added: added.into() })
    }

    /// Reads the data of a whole sequence, which one zlib stream may be.
    fn read(data: &[u8], zlib: bool, entry_bits: u8) -> Option<Self> {
        if !zlib {
            return Self::of(data, entry_bits);
        }
        let entries = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(data, MAX_SIZE);
        Self::of(&entries.ok()?, entry_bits)
    }
}

/// One PATCH message.
#[derive(Clone, Debug)]
pub struct PatchBody {
    /// Which message of its sequence, from 1.
    pub seq: u8,
    /// Messages in the sequence.
    pub of: u8,
    /// Whether the data of the sequence is one zlib stream.
    pub zlib: bool,
    /// Bits of an entry: 4 or 8.
    pub entry_bits: u8,
    /// The entries, or a part of them.
    pub data: Box<[u8]>,
    /// What the data says, read by the first who needs it: in one process all
    /// who get the message share it.
    changes: OnceLock<Option<Changes>>,
}

impl PatchBody {
    /// Message number `seq`, from 1, of a sequence of `of`.
    pub const fn new(seq: u8, of: u8, zlib: bool, entry_bits: u8, data: Box<[u8]>) -> Self {
        Self { seq, of, zlib, entry_bits, data, changes: OnceLock::new() }
    }

    /// What the data says, for a sequence of one message.
    fn changes(&self) -> Option<&Changes> {
        let read = || Changes::read(&self.data, self.zlib, self.entry_bits);
        self.changes.get_or_init(read).as_ref()
    }
}

impl PartialEq for PatchBody {
    fn eq(&self, other: &Self) -> bool {
        let said = |body: &Self| (body.seq, body.of, body.zlib, body.entry_bits);
        said(self) == said(other) && self.data == other.data
    }
}

/// The messages that turn the table `from` at the other side into `to`:
/// compressed where that is shorter, in parts of at most [`PATCH_BYTES`].
pub fn patches(from: &Table, to: &Table, entry_bits: u8) -> Vec<Arc<PatchBody>> {
    let entries = from.difference(to, entry_bits);
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(&entries, 1);
    let zlib = packed.len() < entries.len();
    let data = if zlib { packed } else { entries };
    let of = data.len().div_ceil(PATCH_BYTES) as u8;
    let part =
        |(seq, data): (u8, &[u8])| Arc::new(PatchBody::new(seq, of, zlib, entry_bits, data.into()));
    (1..).zip(data.chunks(PATCH_BYTES)).map(part).collect()
}

/// A table as it comes in from another servent.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    table: Arc<Table>,
    /// Data of the sequence that is under way.
    parts: Vec<u8>,
    /// Messages of it that have come.
    seq: u8,
}

impl Incoming {
    /// What a RESET starts: an empty table of `size` slots. `None` when that is
    /// no power of two up to 65,536.
    pub fn reset(size: u32) -> Option<Self> {
        let fits = size.is_power_of_two() && size as usize <= MAX_SIZE;
        let table = Arc::new(Table::empty(size.trailing_zeros()));
        fits.then(|| Self { table, ..Self::default() })
    }

    /// A table that was received long ago.
    pub fn settled(table: Arc<Table>) -> Self {
        Self { table, ..Self::default() }
    }

    /// The table as far as complete sequences tell.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Takes the next PATCH message. False when it does not fit: wrong order,
    /// wrong length, or a stream that cannot be inflated. The table then stays
    /// as it was.
    pub fn take(&mut self, patch: &PatchBody) -> bool {
        if patch.seq == 1 {
            self.parts.clear();
            self.seq = 0;
        }
        let most = self.table.size() as usize + PATCH_BYTES;
        let in_order = patch.seq == self.seq.wrapping_add(1) && patch.seq <= patch.of;
        if !in_order || self.parts.len() + patch.data.len() > most {
            self.parts = Vec::new();
            self.seq = 0;
            return false;
        }
        let patched = if patch.of == 1 {
            patch.changes().and_then(|changes| self.table.patched(changes))
        } else {
            self.seq = patch.seq;
            self.parts.extend_from_slice(&patch.data);
            if patch.seq < patch.of {
                return true;
            }
            let parts = core::mem::take(&mut self.parts);
            let changes = Changes::read(&parts, patch.zlib, patch.entry_bits);
            changes.and_then(|changes| self.table.patched(&changes))
        };
        self.seq = 0;
        patched.map(|table| self.table = Arc::new(table)).is_some()
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.parts.capacity() + self.table.bytes()
    }
}
