//! Messages in flight.

use overlays::{Addr, Cause, prefetch};

/// A message on its way, without its addressee: that stands in the event.
#[derive(Debug)]
pub(super) struct Letter<M> {
    pub message: M,
    pub from: Addr,
    pub cause: Cause,
    /// The stream it travels on, or zero for a datagram.
    pub stream: u32,
    /// The message's encoded length.
    pub bytes: u32,
    /// The message's kind.
    pub kind: u8,
}

/// Slots in a slab.
const SLAB: usize = 64;

/// Slots in one piece that begins with a line of the cache: a letter of 64
/// bytes lies in one line and not in two.
#[repr(align(64))]
#[derive(Debug)]
struct Slab<M>([Option<Letter<M>>; SLAB]);

/// How many letters ahead the slot of a letter to come is fetched.
const FETCH_AHEAD: usize = 4;

/// The letters in flight, addressed by slot. Slots are reused, last freed
/// first, so that the memory in use stays small and warm.
#[derive(Debug)]
pub(super) struct Letters<M> {
    slabs: Vec<Slab<M>>,
    free: Vec<u32>,
}

impl<M> Letters<M> {
    pub const fn new() -> Self {
        Self { slabs: Vec::new(), free: Vec::new() }
    }

    #[inline]
    fn slot(&self, slot: u32) -> Option<&Option<Letter<M>>> {
        Some(&self.slabs.get(slot as usize / SLAB)?.0[slot as usize % SLAB])
    }

    #[inline]
    fn slot_mut(&mut self, slot: u32) -> &mut Option<Letter<M>> {
        &mut self.slabs[slot as usize / SLAB].0[slot as usize % SLAB]
    }

    /// Keeps `letter` and returns its slot.
    #[inline]
    pub fn post(&mut self, letter: Letter<M>) -> u32 {
        if self.free.is_empty() {
            self.grow();
        }
        let slot = self.free.pop().expect("a slab of free slots was added");
        if let Some(at) = self.free.len().checked_sub(FETCH_AHEAD) {
            self.prefetch(self.free[at]);
        }
        *self.slot_mut(slot) = Some(letter);
        slot
    }

    /// Adds a slab of free slots, of which the first is used first.
    #[cold]
    fn grow(&mut self) {
        let slots = self.slabs.len() * SLAB;
        let end = u32::try_from(slots + SLAB).expect("fewer than 2^32 letters in flight");
        self.slabs.push(Slab([const { None }; SLAB]));
        self.free.extend((slots as u32..end).rev());
    }

    /// Hands the letter out and frees its slot.
    #[inline]
    pub fn take(&mut self, slot: u32) -> Letter<M> {
        self.free.push(slot);
        self.slot_mut(slot).take().expect("an event names its letter's slot once")
    }

    /// Starts fetching the letter in `slot`.
    #[inline]
    pub fn prefetch(&self, slot: u32) {
        if let Some(letter) = self.slot(slot) {
            prefetch(letter);
        }
    }

    /// The letter in `slot`, which stays there.
    #[inline]
    pub fn peek(&self, slot: u32) -> Option<&Letter<M>> {
        self.slot(slot)?.as_ref()
    }

    /// How many letters are in flight.
    pub const fn len(&self) -> usize {
        self.slabs.len() * SLAB - self.free.len()
    }
}
