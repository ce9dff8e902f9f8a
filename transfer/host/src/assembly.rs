//! Pieces that are being received.

use std::collections::BTreeMap;

use transfer::{BLOCK_LEN, Block};

use crate::pool::{BufferPool, PieceBuffer};

/// How far a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockState {
    /// Nobody sends it; what lies in its place means nothing.
    Missing,
    /// A connection is receiving it into its place.
    Receiving,
    /// It is there.
    Full,
}

/// A piece of which blocks were requested.
#[derive(Debug)]
pub struct Assembly {
    /// The length of the piece.
    len: usize,
    /// From the first byte on.
    buffer: Option<PieceBuffer>,
    blocks: Vec<BlockState>,
}

impl Assembly {
    fn new(len: usize) -> Self {
        let blocks = len.div_ceil(BLOCK_LEN as usize);
        Self { len, buffer: None, blocks: vec![BlockState::Missing; blocks] }
    }

    /// The buffer, which is taken from the pool if the piece has none yet.
    pub fn buffer(&mut self, pool: &mut BufferPool) -> &mut PieceBuffer {
        self.buffer.get_or_insert_with(|| pool.take(self.len))
    }

    /// What the buffer holds, if there is one.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.buffer.as_ref().map(PieceBuffer::bytes)
    }

    /// How far the block is.
    pub fn state(&self, block: &Block) -> Option<BlockState> {
        self.blocks.get((block.begin / BLOCK_LEN) as usize).copied()
    }

    /// Says how far the block is.
    pub fn set_state(&mut self, block: &Block, state: BlockState) {
        if let Some(place) = self.blocks.get_mut((block.begin / BLOCK_LEN) as usize) {
            *place = state;
        }
    }

    /// Whether the block lies within the piece, where blocks begin.
    pub fn contains(&self, block: &Block) -> bool {
        block.begin.is_multiple_of(BLOCK_LEN)
            && block.len <= BLOCK_LEN
            && block.begin as usize + block.len as usize <= self.len
    }
}

/// The pieces of a torrent that are being received.
#[derive(Debug, Default)]
pub struct Assemblies {
    pieces: BTreeMap<u32, Assembly>,
}

impl Assemblies {
    /// Notes that a block of the piece, `len` bytes long, was requested.
    pub fn open(&mut self, piece: u32, len: usize) {
        self.pieces.entry(piece).or_insert_with(|| Assembly::new(len));
    }

    /// Notes that a block that was being received will not come whole.
    pub fn interrupted(&mut self, block: &Block) {
        if let Some(assembly) = self.pieces.get_mut(&block.piece) {
            assembly.set_state(block, BlockState::Missing);
        }
    }

    /// Takes a piece out, to put it back with [`Self::put_back`].
    pub fn take(&mut self, piece: u32) -> Option<Assembly> {
        self.pieces.remove(&piece)
    }

    /// Puts back what was taken out.
    pub fn put_back(&mut self, piece: u32, assembly: Assembly) {
        self.pieces.insert(piece, assembly);
    }

    /// The piece.
    pub fn get_mut(&mut self, piece: u32) -> Option<&mut Assembly> {
        self.pieces.get_mut(&piece)
    }

    /// The buffer of a piece that is complete, which is then no longer here.
    pub fn complete(&mut self, piece: u32) -> Option<PieceBuffer> {
        self.pieces.remove(&piece).and_then(|assembly| assembly.buffer)
    }

    /// Drops a piece.
    pub fn forget(&mut self, piece: u32, pool: &mut BufferPool) {
        if let Some(buffer) = self.complete(piece) {
            pool.give(buffer);
        }
    }

    /// Drops all pieces.
    pub fn clear(&mut self, pool: &mut BufferPool) {
        while let Some((piece, _)) = self.pieces.first_key_value() {
            let piece = *piece;
            self.forget(piece, pool);
        }
    }
}
