//! What one peer shares, as every other peer knows it: a log of its changes
//! and how far it has come.

use std::sync::Arc;

use super::block::{Block, Change, Entry, MAX_ENTRIES};
use crate::seam::{Addr, Item, Key};

/// How far a peer's changes are known. Later versions are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// When the peer began to count, in microseconds: it begins anew when it
    /// joins, or when others took it for gone.
    pub epoch: u64,
    /// Whether the peer has gone. Only a new epoch brings it back.
    pub gone: bool,
    /// The number of its last change in this epoch.
    pub seq: u32,
}

/// What a block means to someone who knows a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing new.
    Old,
    /// New, but changes before it are missing.
    Gap,
    /// New, and next in turn.
    News,
}

/// What is known of one peer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    version: Version,
    /// The latest change of every item, in order: its addition, or, so that
    /// others can be told, its removal.
    log: Vec<Entry>,
}

impl Origin {
    /// A peer that shares `items` since `epoch`.
    pub fn new(epoch: u64, items: impl Iterator<Item = Arc<Item>>) -> Self {
        let numbered = items.zip(1..);
        let log: Vec<Entry> =
            numbered.map(|(item, seq)| Entry { seq, change: Change::Add(item) }).collect();
        let seq = log.len() as u32;
        Self { version: Version { epoch, gone: false, seq }, log }
    }

    /// How far it is known.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// How many changes are kept.
    pub const fn log_len(&self) -> usize {
        self.log.len()
    }

    /// The items it shares.
    pub fn items(&self) -> impl Iterator<Item = &Arc<Item>> {
        self.log.iter().filter_map(|entry| match &entry.change {
            Change::Add(item) => Some(item),
            Change::Remove(_) => None,
        })
    }

    /// The number of the change that added the item with this key.
    pub fn added_at(&self, key: &Key) -> Option<u32> {
        let adds = |entry: &&Entry| matches!(&entry.change, Change::Add(i) if i.key() == *key);
        self.log.iter().find(adds).map(|entry| entry.seq)
    }

    /// What `block` means to someone who knows `version` of its origin, or
    /// nothing of it.
    pub fn meaning(version: Option<Version>, block: &Block) -> Meaning {
        let told = block.version();
        match version {
            Some(known) if told <= known => Meaning::Old,
            _ if block.gone => Meaning::News,
            Some(known) if known.epoch == told.epoch => {
                if block.from > known.seq {
                    Meaning::Gap
                } else {
                    Meaning::News
                }
            }
            _ => {
                if block.from > 0 {
                    Meaning::Gap
                } else {
                    Meaning::News
                }
            }
        }
    }

    /// Makes the changes of a block that is news.
    pub fn apply(&mut self, block: &Block) {
        if block.gone || block.epoch != self.version.epoch {
            self.log = Vec::new();
            self.version.seq = 0;
        }
        for entry in block.entries.iter().filter(|entry| entry.seq > self.version.seq) {
            if let Change::Remove(added) = entry.change {
                self.log.retain(|e| e.seq != added);
            }
            self.log.push(entry.clone());
        }
        self.version = block.version();
    }

    /// The changes behind number `after`, as many as a block holds.
    pub fn block_after(&self, origin: Addr, after: u32) -> Block {
        let Version { epoch, gone, seq } = self.version;
        let start = self.log.partition_point(|entry| entry.seq <= after);
        let end = self.log.len().min(start + MAX_ENTRIES);
        let entries = self.log[start..end].to_vec();
        let upto = match entries.last() {
            Some(last) if end < self.log.len() => last.seq,
            _ => seq,
        };
        let from = after.min(upto);
        Block { origin, epoch, gone, from, upto, entries }
    }

    /// All blocks that bring someone who knows `known` up to date.
    pub fn blocks_for(
        &self,
        origin: Addr,
        known: Option<Version>,
    ) -> impl Iterator<Item = Block> + '_ {
        let Version { epoch, gone, seq } = self.version;
        let same = known.filter(|known| known.epoch == epoch && !gone && !known.gone);
        let mut after = Some(same.map_or(0, |known| known.seq));
        std::iter::from_fn(move || {
            let block = self.block_after(origin, after?);
            after = (block.upto < seq).then_some(block.upto);
            Some(block)
        })
    }

    /// Memory taken, roughly.
    pub const fn bytes(&self) -> usize {
        size_of::<Self>() + size_of::<Addr>() + self.log.len() * size_of::<Entry>()
    }
}
