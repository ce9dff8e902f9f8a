//! What one peer shares, as every other peer knows it: a log of its changes
//! and how far it has come.

use std::sync::Arc;

use super::block::{Block, Change, Entries, Entry, MAX_ENTRIES, Shared};
use super::replica::mixed;
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
    /// How many of them are additions.
    items: u32,
    /// A digest over the log, by which two peers' memories of it are known to
    /// be equal.
    digest: u64,
}

/// What an entry adds to the digest of its log.
fn digest_of(entry: &Entry) -> u64 {
    let change = match &entry.change {
        Change::Add(item) => item.content().top_bits(64),
        Change::Remove(added) => u64::from(*added),
    };
    mixed(mixed(change) ^ u64::from(entry.seq))
}

impl Origin {
    /// A peer that shares `items` since `epoch`.
    pub fn new(epoch: u64, items: impl Iterator<Item = Arc<Item>>) -> Self {
        let numbered = items.zip(1..);
        let log: Vec<Entry> =
            numbered.map(|(item, seq)| Entry { seq, change: Change::Add(item) }).collect();
        let seq = log.len() as u32;
        let digest = log.iter().fold(0, |digest, entry| digest ^ digest_of(entry));
        Self { version: Version { epoch, gone: false, seq }, log, items: seq, digest }
    }

    /// How far it is known.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// How many changes are kept.
    pub const fn log_len(&self) -> usize {
        self.log.len()
    }

    /// How many items it shares.
    pub const fn item_count(&self) -> usize {
        self.items as usize
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

    /// Whether `block` says nothing of what is known here.
    fn begins_anew(&self, block: &Block) -> bool {
        block.gone || block.epoch != self.version.epoch
    }

    /// Makes the changes of a block that is news.
    pub fn apply(&mut self, block: &Block) {
        if self.begins_anew(block) {
            *self = Self::default();
        }
        let seq = self.version.seq;
        for entry in block.entries.iter().filter(|entry| entry.seq > seq) {
            match entry.change {
                Change::Remove(added) => self.drop_entry(added),
                Change::Add(_) => self.items += 1,
            }
            self.digest ^= digest_of(entry);
            self.log.push(entry.clone());
        }
        self.version = block.version();
    }

    fn drop_entry(&mut self, seq: u32) {
        let Ok(at) = self.log.binary_search_by_key(&seq, |entry| entry.seq) else { return };
        let dropped = self.log.remove(at);
        self.digest ^= digest_of(&dropped);
        self.items -= u32::from(matches!(dropped.change, Change::Add(_)));
    }

    /// The digest of the log after a block that is news.
    fn digest_after(&self, block: &Block) -> u64 {
        let fresh = self.begins_anew(block);
        let (mut digest, seq) = if fresh { (0, 0) } else { (self.digest, self.version.seq) };
        for entry in block.entries.iter().filter(|entry| entry.seq > seq) {
            digest ^= digest_of(entry);
            if let (Change::Remove(added), false) = (&entry.change, fresh)
                && let Ok(at) = self.log.binary_search_by_key(added, |entry| entry.seq)
            {
                digest ^= digest_of(&self.log[at]);
            }
        }
        digest
    }

    /// The state after a block that is news, if the block's teller shares the
    /// memory of that very state.
    pub fn after(&self, block: &Block) -> Option<Arc<Self>> {
        let state = block.state.0.as_ref()?;
        let is_it = state.version == block.version() && state.digest == self.digest_after(block);
        is_it.then(|| Arc::clone(state))
    }

    /// The changes behind number `after`, as many as a block holds.
    pub fn block_after(self: &Arc<Self>, origin: Addr, after: u32) -> Block {
        let Version { epoch, gone, seq } = self.version;
        let start = self.log.partition_point(|entry| entry.seq <= after);
        let end = self.log.len().min(start + MAX_ENTRIES);
        let entries: Entries = self.log[start..end].iter().cloned().collect();
        let upto = match entries.last() {
            Some(last) if end < self.log.len() => last.seq,
            _ => seq,
        };
        let from = after.min(upto);
        let state = Shared((upto == seq).then(|| Arc::clone(self)));
        Block { origin, epoch, gone, from, upto, entries, state }
    }

    /// All blocks that bring someone who knows `known` up to date.
    pub fn blocks_for(
        self: &Arc<Self>,
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
