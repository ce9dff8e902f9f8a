//! What a session knows of its torrent.

use std::sync::Arc;

use crate::block::{BLOCK_LEN, Block};
use crate::identity::InfoHash;

/// A torrent as a session sees it: pieces of blocks. Files and hashes are the
/// host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torrent {
    /// Its name on the wire.
    pub info_hash: InfoHash,
    /// Its pieces.
    pub geometry: Geometry,
    /// Whether peers may come from its trackers only (BEP 27).
    pub private: bool,
    /// The bytes of its `info` dictionary, for peers who have only a magnet
    /// link (BEP 9); empty if they are not to be had, as in a simulation.
    pub info: Arc<[u8]>,
}

/// How a torrent's bytes fall into pieces and blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    piece_len: u32,
    total_len: u64,
    pieces: u32,
}

impl Geometry {
    /// The longest piece, in bytes (256 MiB).
    pub const MAX_PIECE_LEN: u32 = 1 << 28;
    /// The most pieces.
    pub const MAX_PIECES: u32 = 1 << 22;

    /// `total_len` bytes in pieces of `piece_len`; `None` if the pieces are
    /// empty, longer than [`Self::MAX_PIECE_LEN`] or more than
    /// [`Self::MAX_PIECES`].
    #[must_use]
    pub fn new(piece_len: u32, total_len: u64) -> Option<Self> {
        if piece_len == 0 || piece_len > Self::MAX_PIECE_LEN {
            return None;
        }
        let pieces = u32::try_from(total_len.div_ceil(u64::from(piece_len))).ok()?;
        (pieces <= Self::MAX_PIECES).then_some(Self { piece_len, total_len, pieces })
    }

    /// The length of every piece but the last, in bytes.
    #[must_use]
    pub fn piece_len(&self) -> u32 {
        self.piece_len
    }

    /// The length of everything, in bytes.
    #[must_use]
    pub fn total_len(&self) -> u64 {
        self.total_len
    }

    /// How many pieces there are.
    #[must_use]
    pub fn pieces(&self) -> u32 {
        self.pieces
    }

    /// The length of a piece in bytes; 0 if there is no such piece.
    #[must_use]
    pub fn piece_size(&self, piece: u32) -> u32 {
        let begin = u64::from(piece) * u64::from(self.piece_len);
        self.total_len.saturating_sub(begin).min(u64::from(self.piece_len)) as u32
    }

    /// How many blocks a piece has; 0 if there is no such piece.
    #[must_use]
    pub fn blocks_in(&self, piece: u32) -> u32 {
        self.piece_size(piece).div_ceil(BLOCK_LEN)
    }

    /// The block of number `n` in a piece; empty if there is none.
    #[must_use]
    pub fn block(&self, piece: u32, n: u32) -> Block {
        let begin = n.saturating_mul(BLOCK_LEN);
        let len = self.piece_size(piece).saturating_sub(begin).min(BLOCK_LEN);
        Block { piece, begin, len }
    }

    /// Whether a block lies within its piece and is neither empty nor too long:
    /// whether it may be requested.
    #[must_use]
    pub fn contains(&self, block: &Block) -> bool {
        let end = block.begin.checked_add(block.len);
        (1..=BLOCK_LEN).contains(&block.len)
            && end.is_some_and(|end| end <= self.piece_size(block.piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_piece_and_the_last_block_are_shorter() {
        let geometry = Geometry::new(40_000, 100_001).unwrap();
        assert_eq!(geometry.pieces(), 3);
        assert_eq!([0, 1, 2, 3].map(|p| geometry.piece_size(p)), [40_000, 40_000, 20_001, 0]);
        assert_eq!([0, 1, 2, 3].map(|p| geometry.blocks_in(p)), [3, 3, 2, 0]);
        assert_eq!(geometry.block(2, 1), Block { piece: 2, begin: 16_384, len: 3_617 });
        assert_eq!(geometry.block(2, 2).len, 0);
    }

    #[test]
    fn blocks_outside_are_told() {
        let geometry = Geometry::new(40_000, 100_001).unwrap();
        let block = |piece, begin, len| Block { piece, begin, len };
        assert!(geometry.contains(&block(0, 0, 16_384)));
        assert!(geometry.contains(&block(2, 20_000, 1)));
        for outside in [
            block(0, 0, 0),
            block(0, 0, 16_385),
            block(0, 39_999, 2),
            block(2, 20_001, 1),
            block(3, 0, 1),
            block(0, u32::MAX, 2),
            block(u32::MAX, 0, 1),
        ] {
            assert!(!geometry.contains(&outside), "{outside:?}");
        }
    }

    #[test]
    fn absurd_geometries_are_refused() {
        assert_eq!(Geometry::new(0, 1), None);
        assert_eq!(Geometry::new(1, u64::MAX), None);
        assert_eq!(Geometry::new(u32::MAX, 1), None);
        assert_eq!(Geometry::new(1 << 14, 0).unwrap().pieces(), 0);
    }
}
