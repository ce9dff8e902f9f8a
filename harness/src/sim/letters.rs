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

/// The letters in flight, addressed by slot. Slots are reused, last freed
/// first, so that the memory in use stays small and warm.
#[derive(Debug)]
pub(super) struct Letters<M> {
    slots: Vec<Option<Letter<M>>>,
    free: Vec<u32>,
}

impl<M> Letters<M> {
    pub const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    /// Keeps `letter` and returns its slot.
    #[inline]
    pub fn post(&mut self, letter: Letter<M>) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = Some(letter);
            slot
        } else {
            let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 letters in flight");
            self.slots.push(Some(letter));
            slot
        }
    }

    /// Hands the letter out and frees its slot.
    #[inline]
    pub fn take(&mut self, slot: u32) -> Letter<M> {
        self.free.push(slot);
        self.slots[slot as usize].take().expect("an event names its letter's slot once")
    }

    /// Starts fetching the letter in `slot`.
    #[inline]
    pub fn prefetch(&self, slot: u32) {
        if let Some(letter) = self.slots.get(slot as usize) {
            prefetch(letter);
        }
    }

    /// The letter in `slot`, which stays there.
    #[inline]
    pub fn peek(&self, slot: u32) -> Option<&Letter<M>> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// How many letters are in flight.
    pub const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}
