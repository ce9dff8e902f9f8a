//! One ring of the wheel: a list per slot, and which slots have one.

use super::chunks::{Chain, Chunks, Entry};

/// `SLOTS` lists of entries; `SLOTS` is at most 4,096 and a multiple of 64.
#[derive(Debug)]
pub(super) struct Level<const SLOTS: usize> {
    chains: Box<[Chain]>,
    /// One bit per slot that has entries.
    occupied: Box<[u64]>,
    /// One bit per word of `occupied` that is not zero.
    summary: u64,
}

impl<const SLOTS: usize> Level<SLOTS> {
    /// A ring without entries.
    pub fn new() -> Self {
        const { assert!(SLOTS <= 4096 && SLOTS.is_multiple_of(64)) };
        Self {
            chains: vec![Chain::EMPTY; SLOTS].into_boxed_slice(),
            occupied: vec![0; SLOTS / 64].into_boxed_slice(),
            summary: 0,
        }
    }

    /// Appends an entry to the list of `slot`, taken modulo the ring's size.
    #[inline]
    pub fn push<T: Copy>(&mut self, pool: &mut Chunks<T>, slot: u32, entry: Entry<T>) {
        let slot = slot as usize % SLOTS;
        pool.push(&mut self.chains[slot], entry);
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.summary |= 1 << (slot / 64);
    }

    /// The first slot that has entries.
    #[inline]
    pub fn first(&self) -> Option<u32> {
        if self.summary == 0 {
            return None;
        }
        let word = self.summary.trailing_zeros();
        Some(word * 64 + self.occupied[word as usize].trailing_zeros())
    }

    /// The list of `slot`.
    #[inline]
    pub fn chain(&self, slot: u32) -> Chain {
        self.chains[slot as usize % SLOTS]
    }

    /// Takes the list out of `slot`.
    #[inline]
    pub fn take(&mut self, slot: u32) -> Chain {
        self.mark_empty(slot);
        std::mem::replace(&mut self.chains[slot as usize % SLOTS], Chain::EMPTY)
    }

    /// Takes the first entry out of `slot`.
    #[inline]
    pub fn pop<T: Copy>(&mut self, pool: &mut Chunks<T>, slot: u32) -> Option<Entry<T>> {
        let chain = &mut self.chains[slot as usize % SLOTS];
        let entry = pool.pop(chain);
        if chain.len() == 0 {
            self.mark_empty(slot);
        }
        entry
    }

    #[inline]
    fn mark_empty(&mut self, slot: u32) {
        let slot = slot as usize % SLOTS;
        self.occupied[slot / 64] &= !(1 << (slot % 64));
        if self.occupied[slot / 64] == 0 {
            self.summary &= !(1 << (slot / 64));
        }
    }
}
