//! The unit of news: a run of one peer's changes.

use std::ops::Deref;
use std::sync::Arc;

use super::origin::{Origin, Version};
use crate::seam::{Addr, Item, Reader, WireError, Writer};

/// The most changes in a block: 64 of the longest names fit a datagram.
pub const MAX_ENTRIES: usize = 64;

/// What a peer changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It shares this.
    Add(Arc<Item>),
    /// It no longer shares what it added as this number.
    Remove(u32),
}

/// A change and its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The number, from 1.
    pub seq: u32,
    /// The change.
    pub change: Change,
}

impl Entry {
    /// Bytes that it takes in a message.
    fn encoded_len(&self) -> usize {
        5 + match &self.change {
            Change::Add(item) => item.encoded_len(),
            Change::Remove(_) => 4,
        }
    }
}

/// The changes of a block, in order, and how many bytes they take in a
/// message: every peer sends the block on, so that is counted once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entries {
    list: Box<[Entry]>,
    bytes: usize,
}

impl FromIterator<Entry> for Entries {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let list: Box<[Entry]> = entries.into_iter().collect();
        let bytes = list.iter().map(Entry::encoded_len).sum();
        Self { list, bytes }
    }
}

impl Deref for Entries {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        &self.list
    }
}

/// The state of a peer that a block leads to, where its teller has it whole.
///
/// It is never written to a wire: whoever reads a block from one works the
/// state out. Where teller and receiver share memory, as in a simulation, the
/// receiver takes this one instead of an equal one of its own, so that n
/// replicas of an index do not take n times its memory. See
/// [`Origin::after`].
#[derive(Clone, Default)]
pub struct Shared(pub Option<Arc<Origin>>);

/// It says nothing that the block does not say.
impl PartialEq for Shared {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "shared" } else { "not shared" })
    }
}

/// One peer's changes from one number to another: for each item that changed
/// meanwhile, its latest change.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Whose changes.
    pub origin: Addr,
    /// Since when it counts.
    pub epoch: u64,
    /// Whether it has gone; then there are no changes and both numbers are 0.
    pub gone: bool,
    /// The changes come behind this number.
    pub from: u32,
    /// The last number they bring.
    pub upto: u32,
    /// The changes, in order.
    pub entries: Entries,
    /// What they lead to.
    pub state: Shared,
}

impl Block {
    /// The fewest bytes of a block.
    pub const MIN_BYTES: usize = Addr::BYTES + 8 + 1 + 4 + 4 + 2;

    /// Says that a peer has gone.
    pub fn gone(origin: Addr, epoch: u64) -> Self {
        let entries = Entries::default();
        Self { origin, epoch, gone: true, from: 0, upto: 0, entries, state: Shared(None) }
    }

    /// How far whoever takes it up knows the origin.
    pub const fn version(&self) -> Version {
        Version { epoch: self.epoch, gone: self.gone, seq: self.upto }
    }

    /// Bytes that [`Block::encode`] writes.
    pub const fn encoded_len(&self) -> usize {
        Self::MIN_BYTES + self.entries.bytes
    }

    /// Writes the block.
    pub fn encode(&self, w: &mut Writer) {
        w.addr(self.origin);
        w.u64(self.epoch);
        w.bool(self.gone);
        w.u32(self.from);
        w.u32(self.upto);
        w.count(self.entries.len());
        for entry in self.entries.iter() {
            w.u32(entry.seq);
            match &entry.change {
                Change::Add(item) => {
                    w.u8(0);
                    item.encode(w);
                }
                Change::Remove(added) => {
                    w.u8(1);
                    w.u32(*added);
                }
            }
        }
    }

    /// Reads a block whose numbers make sense.
    ///
    /// # Errors
    /// When the input ends early, or numbers are out of order.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let (origin, epoch, gone) = (r.addr()?, r.u64()?, r.bool()?);
        let (from, upto) = (r.u32()?, r.u32()?);
        if from > upto || (gone && upto > 0) {
            return Err(r.invalid("range of changes", u64::from(upto)));
        }
        let count = r.count("changes", MAX_ENTRIES, 9)?;
        let mut entries = Vec::with_capacity(count);
        let mut last = from;
        for _ in 0..count {
            let seq = r.u32()?;
            if seq <= last || seq > upto {
                return Err(r.invalid("number of a change", u64::from(seq)));
            }
            last = seq;
            let change = match r.u8()? {
                0 => Change::Add(Arc::new(Item::decode(r)?)),
                1 => Change::Remove(r.u32()?),
                other => return Err(r.invalid("change", u64::from(other))),
            };
            entries.push(Entry { seq, change });
        }
        let (entries, state) = (entries.into_iter().collect(), Shared(None));
        Ok(Self { origin, epoch, gone, from, upto, entries, state })
    }
}
