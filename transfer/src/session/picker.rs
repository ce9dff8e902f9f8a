//! Which block is requested next.
//!
//! A piece is in exactly one state. Blocks of a piece that has been begun come
//! before those of others (strict priority), so that pieces get whole.

use rand_xoshiro::Xoshiro256PlusPlus;

use super::config::{Endgame, PieceOrder, SessionConfig};
use super::contributors::ContributorId;
use super::draw;
use super::effect::{Admission, LinkId};
use super::open_piece::{BlockState, OpenPiece};
use super::rarity::Rarity;
use super::torrent::Geometry;
use crate::block::{BLOCK_LEN, Block};
use crate::pieces::PieceSet;

/// Where a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceState {
    /// No block of it was requested.
    Missing,
    /// Some were; the slot of the open piece.
    Partial(u32),
    /// The host has all and hashes them.
    Checking(u32),
    /// They are good and the host writes them.
    Storing(u32),
    /// It is stored.
    Have,
}

/// The peer that is to be asked.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) link: LinkId,
    pub(super) have: &'a PieceSet,
    /// If it chokes us: the pieces it gives all the same (BEP 6).
    pub(super) allowed: Option<&'a [u32]>,
    /// It may only send whole pieces.
    pub(super) parole: bool,
}

impl Asked<'_> {
    fn has(&self, piece: u32) -> bool {
        self.have.contains(piece) && self.allowed.is_none_or(|some| some.contains(&piece))
    }
}

/// The state of all pieces.
#[derive(Debug)]
pub(super) struct Picker {
    geometry: Geometry,
    order: PieceOrder,
    random_first: u32,
    endgame: Endgame,
    open_limit: u64,
    states: Vec<PieceState>,
    have: PieceSet,
    have_bytes: u64,
    /// Wanted and not stored.
    wanted: PieceSet,
    wanted_bytes: u64,
    /// Wanted, and nothing of it requested.
    pickable: PieceSet,
    pub(super) rarity: Rarity,
    open: Vec<OpenPiece>,
    unused: Vec<u32>,
    /// The slots of partial pieces, in the order in which they were begun.
    partial: Vec<u32>,
    open_bytes: u64,
    /// Free blocks of partial pieces.
    free: u32,
    /// Pieces that come before all others, the most urgent first: those that a
    /// stream is about to read.
    window: Vec<u32>,
    /// Pieces that failed their hash, and come from one peer alone next time.
    failed: PieceSet,
    /// Nothing is requested: the host cannot store.
    pub(super) paused: bool,
    /// Changes when there may be something for who found nothing to request.
    pub(super) generation: u32,
}

impl Picker {
    pub(super) fn new(geometry: Geometry, have: PieceSet, config: &SessionConfig) -> Self {
        let pieces = geometry.pieces();
        let mut picker = Self {
            geometry,
            order: config.order,
            random_first: config.random_first,
            endgame: config.endgame,
            open_limit: config.open_bytes.max(2 * u64::from(geometry.piece_len())),
            states: vec![PieceState::Missing; pieces as usize],
            have: PieceSet::empty(pieces),
            have_bytes: 0,
            wanted: PieceSet::empty(pieces),
            wanted_bytes: 0,
            pickable: PieceSet::empty(pieces),
            rarity: Rarity::new(pieces),
            open: Vec::new(),
            unused: Vec::new(),
            partial: Vec::new(),
            open_bytes: 0,
            free: 0,
            window: Vec::new(),
            failed: PieceSet::empty(pieces),
            paused: false,
            generation: 0,
        };
        for piece in 0..pieces {
            let size = u64::from(geometry.piece_size(piece));
            if have.contains(piece) {
                picker.states[piece as usize] = PieceState::Have;
                picker.have.insert(piece);
                picker.have_bytes += size;
            } else {
                picker.wanted.insert(piece);
                picker.wanted_bytes += size;
                picker.make_pickable(piece);
            }
        }
        picker
    }

    pub(super) fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    pub(super) fn have(&self) -> &PieceSet {
        &self.have
    }

    pub(super) fn have_bytes(&self) -> u64 {
        self.have_bytes
    }

    /// Pieces that are wanted and not stored: what makes us interested.
    pub(super) fn wanted(&self) -> &PieceSet {
        &self.wanted
    }

    pub(super) fn wanted_bytes(&self) -> u64 {
        self.wanted_bytes
    }

    fn make_pickable(&mut self, piece: u32) {
        if self.pickable.insert(piece) {
            self.generation = self.generation.wrapping_add(1);
            self.rarity.list(piece);
        }
    }

    fn not_pickable(&mut self, piece: u32) {
        if self.pickable.remove(piece) {
            self.rarity.unlist(piece);
        }
    }

    /// Sets a piece's priority; 0 if it is not wanted. Whether that changed
    /// what is wanted. A piece that has been begun is finished all the same.
    pub(super) fn set_priority(&mut self, piece: u32, priority: u8) -> bool {
        let was = self.rarity.priority(piece);
        if piece >= self.geometry.pieces() || was == priority {
            return false;
        }
        if priority == 0 {
            self.not_pickable(piece);
        }
        self.rarity.set_priority(piece, priority);
        let state = self.states[piece as usize];
        if priority > 0 && state == PieceState::Missing {
            self.make_pickable(piece);
        }
        let size = u64::from(self.geometry.piece_size(piece));
        if priority == 0 && self.wanted.remove(piece) {
            self.wanted_bytes -= size;
            return true;
        }
        if priority > 0 && state != PieceState::Have && self.wanted.insert(piece) {
            self.wanted_bytes += size;
            return true;
        }
        false
    }

    pub(super) fn set_order(&mut self, order: PieceOrder) {
        self.order = order;
    }

    /// The pieces that come first, the most urgent first.
    pub(super) fn set_window(&mut self, pieces: impl Iterator<Item = u32>) {
        self.window.clear();
        self.window.extend(pieces.filter(|&piece| self.wanted.contains(piece)));
        self.generation = self.generation.wrapping_add(1);
    }

    /// Whether every block that somebody has is requested.
    pub(super) fn all_requested(&self) -> bool {
        self.free == 0 && !self.rarity.some_to_begin()
    }

    /// The next block to request of a peer; it counts as requested. `current`
    /// is the slot from which its last one came.
    pub(super) fn pick(
        &mut self,
        asked: Asked<'_>,
        current: &mut Option<u32>,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Option<Block> {
        if self.paused {
            return None;
        }
        if !self.window.is_empty()
            && let Some(slot) = self.in_window(asked)
        {
            return self.take(slot);
        }
        if let Some(slot) = *current
            && self.usable(slot, asked)
        {
            return self.take(slot);
        }
        let slot = self.partial_for(asked).or_else(|| self.begin(asked, rng));
        *current = slot;
        self.take(slot?)
    }

    fn take(&mut self, slot: u32) -> Option<Block> {
        let open = &mut self.open[slot as usize];
        let n = open.take_first()?;
        self.free -= 1;
        Some(self.geometry.block(open.piece, n))
    }

    /// Whether a block of an open piece may be requested of a peer.
    fn usable(&self, slot: u32, asked: Asked<'_>) -> bool {
        let open = &self.open[slot as usize];
        open.free > 0
            && self.states[open.piece as usize] == PieceState::Partial(slot)
            && open.only.map_or(!asked.parole, |only| only == asked.link)
            && asked.has(open.piece)
    }

    fn partial_for(&self, asked: Asked<'_>) -> Option<u32> {
        if self.free == 0 {
            return None;
        }
        self.partial.iter().copied().find(|&slot| self.usable(slot, asked))
    }

    fn in_window(&mut self, asked: Asked<'_>) -> Option<u32> {
        for place in 0..self.window.len() {
            let piece = self.window[place];
            match self.states[piece as usize] {
                PieceState::Partial(slot) if self.usable(slot, asked) => return Some(slot),
                PieceState::Missing if asked.has(piece) && self.pickable.contains(piece) => {
                    return self.open(piece, asked);
                }
                _ => {}
            }
        }
        None
    }

    /// Begins a piece that the peer has.
    fn begin(&mut self, asked: Asked<'_>, rng: &mut Xoshiro256PlusPlus) -> Option<u32> {
        if self.pickable.is_empty() {
            return None;
        }
        let piece = if let Some(allowed) = asked.allowed {
            allowed.iter().copied().find(|&p| self.pickable.contains(p) && asked.have.contains(p))
        } else if self.order == PieceOrder::RarestFirst && self.have.count() < self.random_first {
            self.any(asked, rng)
        } else {
            match self.order {
                PieceOrder::RarestFirst => self.rarity.pick(asked.have, true, rng),
                PieceOrder::MostFrequentFirst => self.rarity.pick(asked.have, false, rng),
                PieceOrder::Random => self.any(asked, rng),
                PieceOrder::Sequential => self.pickable.common_from(asked.have, 0).next(),
            }
        };
        self.open(piece?, asked)
    }

    fn any(&self, asked: Asked<'_>, rng: &mut Xoshiro256PlusPlus) -> Option<u32> {
        let from = draw::below(rng, self.geometry.pieces());
        self.pickable.common_from(asked.have, from).next()
    }

    fn open(&mut self, piece: u32, asked: Asked<'_>) -> Option<u32> {
        let size = u64::from(self.geometry.piece_size(piece));
        if self.open_bytes + size > self.open_limit {
            return None;
        }
        let slot = self.unused.pop().unwrap_or_else(|| {
            self.open.push(OpenPiece::new());
            self.open.len() as u32 - 1
        });
        let only = (asked.parole || self.failed.contains(piece)).then_some(asked.link);
        let blocks = self.geometry.blocks_in(piece);
        self.open[slot as usize].begin(piece, blocks, only);
        self.not_pickable(piece);
        self.states[piece as usize] = PieceState::Partial(slot);
        self.partial.push(slot);
        self.open_bytes += size;
        self.free += blocks;
        Some(slot)
    }

    /// The open piece in which a block lies, and the block's number, while the
    /// piece is partial.
    fn cell(&mut self, block: &Block) -> Option<(u32, u32)> {
        match self.states.get(block.piece as usize) {
            Some(&PieceState::Partial(slot)) => Some((slot, block.begin / BLOCK_LEN)),
            _ => None,
        }
    }

    /// Whether a block that another link has outstanding may be requested of a
    /// peer too.
    pub(super) fn can_also(&self, block: &Block, asked: Asked<'_>, copies: u8) -> bool {
        let Some(&PieceState::Partial(slot)) = self.states.get(block.piece as usize) else {
            return false;
        };
        let open = &self.open[slot as usize];
        let cell = open.cells[(block.begin / BLOCK_LEN) as usize];
        matches!(cell.state, BlockState::Requested)
            && cell.copies < copies
            && open.only.is_none()
            && !asked.parole
            && asked.has(block.piece)
            && !self.paused
    }

    /// A block that another link has outstanding is requested of one more.
    pub(super) fn also(&mut self, block: &Block) {
        if let Some((slot, n)) = self.cell(block) {
            self.open[slot as usize].cells[n as usize].copies += 1;
        }
    }

    /// With [`Endgame::Always`]: a block that the peer may send and has not been
    /// asked for (`!asked_already`), whoever else was.
    pub(super) fn pick_always(
        &mut self,
        asked: Asked<'_>,
        rng: &mut Xoshiro256PlusPlus,
        asked_already: impl Fn(&Block) -> bool,
    ) -> Option<Block> {
        if self.endgame != Endgame::Always || self.paused {
            return None;
        }
        for place in 0..self.partial.len() {
            let slot = self.partial[place];
            let piece = self.open[slot as usize].piece;
            if self.open[slot as usize].only.is_some() || asked.parole || !asked.has(piece) {
                continue;
            }
            for n in 0..self.open[slot as usize].cells.len() as u32 {
                let block = self.geometry.block(piece, n);
                let cell = self.open[slot as usize].cells[n as usize];
                let waits = matches!(cell.state, BlockState::Free | BlockState::Requested);
                if waits && cell.copies < u8::MAX && !asked_already(&block) {
                    let open = &mut self.open[slot as usize];
                    if cell.state == BlockState::Free {
                        open.free -= 1;
                        self.free -= 1;
                        open.cells[n as usize].state = BlockState::Requested;
                    }
                    open.cells[n as usize].copies += 1;
                    return Some(block);
                }
            }
        }
        let slot = self.begin(asked, rng)?;
        self.take(slot)
    }

    /// A link no longer has the block requested, and is not sending it.
    pub(super) fn withdraw(&mut self, block: &Block) {
        if let Some((slot, n)) = self.cell(block)
            && self.open[slot as usize].withdraw(n)
        {
            self.free += 1;
            self.generation = self.generation.wrapping_add(1);
        }
    }

    /// A link begins to send a block that it was asked for; `late` if the
    /// request was taken back.
    pub(super) fn arrives(&mut self, block: &Block, late: bool) -> Admission {
        let Some((slot, n)) = self.cell(block) else { return Admission::Discard };
        let open = &mut self.open[slot as usize];
        let cell = &mut open.cells[n as usize];
        match cell.state {
            BlockState::Received(_) | BlockState::Arriving => return Admission::Discard,
            // Whoever is alone to send this piece shall not be helped.
            _ if late && open.only.is_some() => return Admission::Discard,
            BlockState::Free => {
                open.free -= 1;
                self.free -= 1;
            }
            BlockState::Requested => {}
        }
        cell.state = BlockState::Arriving;
        if late {
            cell.copies = cell.copies.saturating_add(1);
        }
        Admission::Receive
    }

    /// The link that was sending a block is gone.
    pub(super) fn breaks_off(&mut self, block: &Block) {
        if let Some((slot, n)) = self.cell(block) {
            self.open[slot as usize].cells[n as usize].state = BlockState::Requested;
            self.withdraw(block);
        }
    }

    /// A block is in its buffer. Says how many other links have it requested,
    /// and whether its piece is whole now; `None` if nobody waited for it.
    pub(super) fn received(&mut self, block: &Block, by: ContributorId) -> Option<(u8, bool)> {
        let (slot, n) = self.cell(block)?;
        let open = &mut self.open[slot as usize];
        let cell = open.cells.get_mut(n as usize)?;
        if cell.state != BlockState::Arriving {
            return None;
        }
        cell.state = BlockState::Received(by);
        let others = core::mem::take(&mut cell.copies).saturating_sub(1);
        open.received += 1;
        let whole = open.received as usize == open.cells.len();
        if whole {
            self.states[block.piece as usize] = PieceState::Checking(slot);
            self.partial.retain(|&other| other != slot);
        }
        Some((others, whole))
    }

    /// Who sent the blocks of a piece that is being checked, in order.
    pub(super) fn contributors(&self, piece: u32) -> impl Iterator<Item = ContributorId> + '_ {
        let slot = match self.states.get(piece as usize) {
            Some(&(PieceState::Partial(s) | PieceState::Checking(s) | PieceState::Storing(s))) => {
                Some(s as usize)
            }
            _ => None,
        };
        slot.into_iter().flat_map(|slot| &self.open[slot].cells).filter_map(|cell| {
            match cell.state {
                BlockState::Received(by) => Some(by),
                _ => None,
            }
        })
    }

    /// Whether the hash of a piece is awaited.
    pub(super) fn is_checking(&self, piece: u32) -> bool {
        matches!(self.states.get(piece as usize), Some(PieceState::Checking(_)))
    }

    /// Whether a piece is being written.
    pub(super) fn is_storing(&self, piece: u32) -> bool {
        matches!(self.states.get(piece as usize), Some(PieceState::Storing(_)))
    }

    /// A piece is good.
    pub(super) fn good(&mut self, piece: u32) {
        if let Some(&PieceState::Checking(slot)) = self.states.get(piece as usize) {
            self.states[piece as usize] = PieceState::Storing(slot);
            self.failed.remove(piece);
        }
    }

    /// A piece is bad: the next time it comes from one peer alone.
    pub(super) fn bad(&mut self, piece: u32) {
        if self.is_checking(piece) {
            self.failed.insert(piece);
            self.give_up(piece);
        }
    }

    /// Nothing of an open piece counts any more.
    pub(super) fn give_up(&mut self, piece: u32) {
        let state = core::mem::replace(&mut self.states[piece as usize], PieceState::Missing);
        self.close(piece, state);
        if self.wanted.contains(piece) {
            self.make_pickable(piece);
        }
    }

    fn close(&mut self, piece: u32, state: PieceState) {
        let slot = match state {
            PieceState::Partial(slot) => {
                self.free -= self.open[slot as usize].free;
                self.partial.retain(|&other| other != slot);
                slot
            }
            PieceState::Checking(slot) | PieceState::Storing(slot) => slot,
            PieceState::Missing | PieceState::Have => return,
        };
        self.open_bytes -= u64::from(self.geometry.piece_size(piece));
        self.unused.push(slot);
        self.generation = self.generation.wrapping_add(1);
    }

    /// A piece is stored; whether that was awaited.
    pub(super) fn stored(&mut self, piece: u32) -> bool {
        let Some(&state @ PieceState::Storing(_)) = self.states.get(piece as usize) else {
            return false;
        };
        self.states[piece as usize] = PieceState::Have;
        self.close(piece, state);
        let size = u64::from(self.geometry.piece_size(piece));
        self.have.insert(piece);
        self.have_bytes += size;
        if self.wanted.remove(piece) {
            self.wanted_bytes -= size;
        }
        self.window.retain(|&other| other != piece);
        true
    }

    /// The partial pieces that only `link` is asked for.
    pub(super) fn only_of(&self, link: LinkId) -> Vec<u32> {
        let of_link = |slot: &&u32| self.open[**slot as usize].only == Some(link);
        self.partial.iter().filter(of_link).map(|&slot| self.open[slot as usize].piece).collect()
    }

    /// If no further piece can be begun for want of room: the partial piece
    /// with the fewest blocks, of those of which nothing is requested.
    pub(super) fn stale(&self) -> Option<u32> {
        let next = u64::from(self.geometry.piece_len());
        if self.open_bytes + next <= self.open_limit || self.pickable.is_empty() {
            return None;
        }
        let still = |open: &&OpenPiece| open.free + open.received == open.cells.len() as u32;
        let opens = self.partial.iter().map(|&slot| &self.open[slot as usize]);
        opens.filter(still).min_by_key(|open| open.received).map(|open| open.piece)
    }

    #[cfg(test)]
    pub(super) fn check(&self, peers: &[&PieceSet]) {
        self.rarity.check(peers, &self.pickable);
        let mut free = 0;
        let mut bytes = 0;
        for piece in 0..self.geometry.pieces() {
            let state = self.states[piece as usize];
            let wanted = self.wanted.contains(piece);
            assert_eq!(self.have.contains(piece), state == PieceState::Have);
            assert!(!(wanted && state == PieceState::Have));
            assert_eq!(self.pickable.contains(piece), wanted && state == PieceState::Missing);
            let PieceState::Partial(slot) = state else {
                if let PieceState::Checking(_) | PieceState::Storing(_) = state {
                    bytes += u64::from(self.geometry.piece_size(piece));
                }
                continue;
            };
            bytes += u64::from(self.geometry.piece_size(piece));
            assert!(self.partial.contains(&slot));
            let open = &self.open[slot as usize];
            assert_eq!(open.piece, piece);
            let count = |state: BlockState| open.cells.iter().filter(|c| c.state == state).count();
            assert_eq!(open.free as usize, count(BlockState::Free));
            let received =
                open.cells.iter().filter(|c| matches!(c.state, BlockState::Received(_))).count();
            assert_eq!(open.received as usize, received);
            assert!(received < open.cells.len(), "a whole piece is checked");
            free += open.free;
        }
        assert_eq!(free, self.free);
        assert_eq!(bytes, self.open_bytes);
        assert!(self.open_bytes <= self.open_limit);
    }
}
