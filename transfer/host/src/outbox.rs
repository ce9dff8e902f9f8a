//! Bytes on their way to a peer.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut, Write};

use transfer::Block;
use transfer::mse::Rc4;
use transfer::wire::Message;

use crate::store::Store;

/// What is to be sent on a connection: messages, and blocks with their headers,
/// one behind the other in one buffer, so that many blocks go with one call.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Longer than what is in use: its end is only zeroed when it grows.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes that went out of this buffer since it was made.
    sent_total: u64,
    /// Blocks that are in the buffer, and after which byte each is sent.
    blocks: VecDeque<(u64, Block)>,
    cipher: Option<Rc4>,
}

/// A `piece` message before its block (BEP 3).
pub const BLOCK_HEADER_LEN: usize = 13;

/// A peer that does not read for this many bytes of messages is not served.
pub const MAX_WAITING_BYTES: usize = 4 << 20;

impl Outbox {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// From now on what is added is encrypted.
    pub fn encrypt_with(&mut self, cipher: Rc4) {
        self.cipher = Some(cipher);
    }

    /// Adds bytes.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        let from = self.reserve(bytes.len());
        self.buffer[from..from + bytes.len()].copy_from_slice(bytes);
        self.encrypt(from, bytes.len());
    }

    fn encrypt(&mut self, from: usize, len: usize) {
        if let Some(cipher) = &mut self.cipher {
            cipher.apply(&mut self.buffer[from..from + len]);
        }
    }

    /// Adds a message.
    pub fn push(&mut self, message: &Message, scratch: &mut Vec<u8>) {
        scratch.clear();
        message.encode(scratch);
        self.push_bytes(scratch);
    }

    /// Adds blocks with their headers, read from `store` where a piece begins at
    /// `piece_len` times its index. Consecutive blocks are read with one call.
    /// Unless it `may_wait` for a disk, it stops at the first run that is not in
    /// memory. Returns how many blocks were added.
    ///
    /// # Errors
    /// When the store cannot be read; then none of the run that failed is added.
    pub fn push_blocks(
        &mut self,
        blocks: &[Block],
        piece_len: u32,
        store: &dyn Store,
        may_wait: bool,
    ) -> io::Result<usize> {
        let place =
            |block: &Block| u64::from(block.piece) * u64::from(piece_len) + u64::from(block.begin);
        let mut rest = blocks;
        while let Some(first) = rest.first() {
            let run = 1 + rest
                .windows(2)
                .take_while(|pair| place(&pair[0]) + u64::from(pair[0].len) == place(&pair[1]))
                .count();
            let (now, later) = rest.split_at(run);
            if !self.push_run(now, place(first), store, may_wait)? {
                break;
            }
            rest = later;
        }
        Ok(blocks.len() - rest.len())
    }

    fn push_run(
        &mut self,
        blocks: &[Block],
        place: u64,
        store: &dyn Store,
        may_wait: bool,
    ) -> io::Result<bool> {
        let len = blocks.iter().map(|block| BLOCK_HEADER_LEN + block.len as usize).sum();
        let from = self.reserve(len);
        let queued_total = self.sent_total + (from - self.start) as u64;
        let mut slots = Vec::with_capacity(blocks.len());
        let mut rest = &mut self.buffer[from..from + len];
        for block in blocks {
            let (header, after) = rest.split_at_mut(BLOCK_HEADER_LEN);
            header.copy_from_slice(&block_header(block));
            let (payload, after) = after.split_at_mut(block.len as usize);
            slots.push(IoSliceMut::new(payload));
            rest = after;
        }
        let read = if may_wait {
            store.read_vectored_at(place, &mut slots).map(|()| true)
        } else {
            store.read_cached_at(place, &mut slots)
        };
        if !matches!(read, Ok(true)) {
            self.end = from;
            return read;
        }
        self.encrypt(from, len);
        let mut at = queued_total;
        for block in blocks {
            at += (BLOCK_HEADER_LEN + block.len as usize) as u64;
            self.blocks.push_back((at, *block));
        }
        Ok(true)
    }

    /// Writes to the socket, at most `limit` bytes.
    ///
    /// # Errors
    /// What the socket says.
    pub fn write(&mut self, mut to: impl Write, limit: usize) -> io::Result<usize> {
        let end = self.end.min(self.start.saturating_add(limit));
        let n = to.write(&self.buffer[self.start..end])?;
        self.start += n;
        self.sent_total += n as u64;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        Ok(n)
    }

    /// The next block that has been sent whole.
    pub fn next_sent(&mut self) -> Option<Block> {
        let (end, block) = *self.blocks.front()?;
        if end > self.sent_total {
            return None;
        }
        self.blocks.pop_front();
        Some(block)
    }

    /// Makes room for `len` bytes at the end and returns where they begin.
    fn reserve(&mut self, len: usize) -> usize {
        if self.start > 0 && self.end + len > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end + len > self.buffer.len() {
            self.buffer.resize((self.end + len).next_power_of_two(), 0);
        }
        let from = self.end;
        self.end += len;
        from
    }
}

/// The header of a block's message, in an array: it is needed once per block.
pub fn block_header(block: &Block) -> [u8; BLOCK_HEADER_LEN] {
    let mut header = [0; BLOCK_HEADER_LEN];
    header[..4].copy_from_slice(&(9 + block.len).to_be_bytes());
    header[4] = 7;
    header[5..9].copy_from_slice(&block.piece.to_be_bytes());
    header[9..].copy_from_slice(&block.begin.to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SyntheticStore;

    #[test]
    fn the_header_is_that_of_the_codec() {
        let block = Block { piece: 0x0102_0304, begin: 0x0506_0708, len: 16_384 };
        let mut encoded = Vec::new();
        Message::Piece(block).encode(&mut encoded);
        assert_eq!(block_header(&block).as_slice(), encoded);
    }

    #[test]
    fn blocks_go_with_their_headers_and_are_counted_when_sent() {
        let store = SyntheticStore::new(7, 200);
        let block = |piece, begin, len| Block { piece, begin, len };
        // Two in a row across a piece's end, then one elsewhere.
        let blocks = [block(0, 84, 16), block(1, 0, 10), block(1, 50, 5)];
        let mut outbox = Outbox::default();
        outbox.push(&Message::Unchoke, &mut Vec::new());
        assert_eq!(outbox.push_blocks(&blocks, 100, &store, true).unwrap(), 3);
        let mut bytes = Vec::new();
        for limit in [5, 13, 15, 1, 1000] {
            outbox.write(&mut bytes, limit).unwrap();
            if bytes.len() == 33 {
                assert_eq!(outbox.next_sent(), None);
            }
        }
        let sent: Vec<_> = std::iter::from_fn(|| outbox.next_sent()).collect();
        assert_eq!(sent, blocks);
        assert!(outbox.is_empty());
        let mut expected = vec![0, 0, 0, 1, 1];
        for block in &blocks {
            Message::Piece(*block).encode(&mut expected);
            let mut payload = vec![0; block.len as usize];
            store.read_at(u64::from(block.piece * 100 + block.begin), &mut payload).unwrap();
            expected.extend(payload);
        }
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_store_that_fails_leaves_nothing_behind() {
        let store = SyntheticStore::new(7, 200);
        let mut outbox = Outbox::default();
        let beyond = Block { piece: 1, begin: 90, len: 20 };
        assert!(outbox.push_blocks(&[beyond], 100, &store, false).is_err());
        assert!(outbox.is_empty());
        assert_eq!(outbox.next_sent(), None);
    }
}
