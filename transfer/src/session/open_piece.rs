//! A piece of which some blocks were requested.

use super::contributors::ContributorId;
use super::effect::LinkId;

/// Where a block of an open piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockState {
    /// Nobody was asked for it.
    Free,
    /// Somebody was.
    Requested,
    /// A peer is sending it.
    Arriving,
    /// It is in the buffer, from this peer.
    Received(ContributorId),
}

/// A block of an open piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) state: BlockState,
    /// Links of which it is requested.
    pub(super) copies: u8,
}

/// A piece of which some blocks were requested.
#[derive(Debug)]
pub(super) struct OpenPiece {
    pub(super) piece: u32,
    pub(super) cells: Vec<Cell>,
    /// Cells that are free.
    pub(super) free: u32,
    /// Cells that are received.
    pub(super) received: u32,
    /// No cell before this one is free.
    pub(super) cursor: u32,
    /// The only link that is asked for its blocks: the piece failed before, or
    /// the peer was part of one that did.
    pub(super) only: Option<LinkId>,
}

impl OpenPiece {
    pub(super) fn new() -> Self {
        Self { piece: 0, cells: Vec::new(), free: 0, received: 0, cursor: 0, only: None }
    }

    /// Makes it a piece of `blocks`, all free.
    pub(super) fn begin(&mut self, piece: u32, blocks: u32, only: Option<LinkId>) {
        self.piece = piece;
        self.cells.clear();
        self.cells.resize(blocks as usize, Cell { state: BlockState::Free, copies: 0 });
        self.free = blocks;
        self.received = 0;
        self.cursor = 0;
        self.only = only;
    }

    /// Marks the first free block as requested.
    pub(super) fn take_first(&mut self) -> Option<u32> {
        let from = self.cursor as usize;
        let n = from + self.cells[from..].iter().position(|c| c.state == BlockState::Free)?;
        self.cursor = n as u32 + 1;
        self.free -= 1;
        self.cells[n] = Cell { state: BlockState::Requested, copies: 1 };
        Some(n as u32)
    }

    /// A link no longer has it requested, nor is sending it; whether it became
    /// free.
    pub(super) fn withdraw(&mut self, n: u32) -> bool {
        let Some(cell) = self.cells.get_mut(n as usize) else { return false };
        cell.copies = cell.copies.saturating_sub(1);
        if cell.copies > 0 || cell.state != BlockState::Requested {
            return false;
        }
        cell.state = BlockState::Free;
        self.free += 1;
        self.cursor = self.cursor.min(n);
        true
    }
}
