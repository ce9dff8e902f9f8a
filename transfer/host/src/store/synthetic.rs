//! A store that computes its content.

use std::io;

use super::Store;

/// Content that needs no memory: every byte follows from its offset and a seed.
///
/// Seeds and hashes torrents of any size in tests and experiments. What is
/// written is compared with what should be there.
#[derive(Clone, Copy, Debug)]
pub struct SyntheticStore {
    seed: u64,
    len: u64,
}

impl SyntheticStore {
    /// Content of `len` bytes that follows from `seed`.
    pub fn new(seed: u64, len: u64) -> Self {
        Self { seed, len }
    }

    /// The word of eight bytes at `index` (SplitMix64 as a function of place).
    fn word(&self, index: u64) -> [u8; 8] {
        let mut z = self.seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    }

    fn fill(&self, offset: u64, into: &mut [u8]) {
        for (at, byte) in (offset..).zip(into) {
            *byte = self.word(at / 8)[(at % 8) as usize];
        }
    }

    fn check_range(&self, offset: u64, len: usize) -> io::Result<()> {
        match offset.checked_add(len as u64) {
            Some(end) if end <= self.len => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "beyond the end of the content")),
        }
    }
}

impl Store for SyntheticStore {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.check_range(offset, into.len())?;
        self.fill(offset, into);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.check_range(offset, bytes.len())?;
        let mut expected = vec![0; bytes.len()];
        self.fill(offset, &mut expected);
        if expected == bytes {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "this is not the synthetic content"))
        }
    }
}
