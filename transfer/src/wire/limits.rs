//! How long messages may be.

use super::frame::{BLOCK_HEADER_LEN, PREFIX_LEN};
use crate::block::BLOCK_LEN;

/// How much of a peer's is taken in one message, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest bitfield. Whoever knows the torrent's pieces sets it to what
    /// they take.
    pub bitfield: u32,
    /// The longest payload of an extension message, without its two numbers.
    pub extended: u32,
    /// The longest block that is requested, sent, cancelled or rejected.
    pub block: u32,
}

impl Default for Limits {
    /// A bitfield of 2^21 pieces, more than any torrent in use has; extension
    /// messages of twice a metadata block (BEP 9), which covers handshakes and
    /// peer exchange amply; and blocks of 128 KiB, which is what clients before
    /// the 16 KiB of today asked for and libtorrent's largest.
    fn default() -> Self {
        Self { bitfield: 256 * 1024, extended: 2 * BLOCK_LEN, block: 128 * 1024 }
    }
}

impl Limits {
    /// These for a torrent of that many pieces.
    #[must_use]
    pub const fn with_pieces(mut self, pieces: u32) -> Self {
        self.bitfield = pieces.div_ceil(8);
        self
    }

    /// The bytes that a buffer must hold so that every message can be read out
    /// of it, all but the payload of blocks.
    #[must_use]
    pub fn longest_message(&self) -> usize {
        let bitfield = PREFIX_LEN + 1 + self.bitfield as usize;
        let extended = PREFIX_LEN + 2 + self.extended as usize;
        bitfield.max(extended).max(PREFIX_LEN + BLOCK_HEADER_LEN)
    }
}
