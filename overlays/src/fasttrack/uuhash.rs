//! UUHash, FastTrack's hash of a file's content.
//!
//! It was made to be fast on files of any size: MD5 over the first 300 KiB, and
//! a CRC-32 over samples of 300 KiB at 1, 2, 4, 8, ... MiB and at the end. What
//! lies between the samples can be changed without a trace, and was: the files
//! that record companies spread to spoil the network kept the hash of the real
//! ones.

use core::ops::Range;

use md5::{Digest as _, Md5};

/// Bytes of the part that is hashed with MD5, and of each sample.
const CHUNK_BYTES: u64 = 307_200;

/// Where the first sample lies.
const FIRST_SAMPLE: u64 = 1 << 20;

/// The hash of a file: MD5 of its beginning, then the small hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UuHash(pub [u8; 20]);

impl UuHash {
    /// The hash of a file with these contents.
    pub fn of(contents: &[u8]) -> Self {
        let size = contents.len() as u64;
        let part = |range: &Range<u64>| &contents[range.start as usize..range.end as usize];
        let mut bytes = [0; 20];
        bytes[..16].copy_from_slice(&Md5::digest(part(&head(size))));
        let small = samples(size).fold(u32::MAX, |crc, range| crc32(crc, part(&range)));
        // The size is mixed in with its low 32 bits.
        let small = small ^ size as u32;
        bytes[16..].copy_from_slice(&small.to_le_bytes());
        Self(bytes)
    }

    /// The checksum of 14 bits that goes with the hash.
    pub fn checksum(&self) -> u16 {
        checksum14(&self.0)
    }
}

/// The part of a file of `size` bytes that MD5 covers.
fn head(size: u64) -> Range<u64> {
    0..size.min(CHUNK_BYTES)
}

/// The parts that the small hash covers, in order: samples at powers of two of
/// a MiB that end well before the end of the file, and the end.
fn samples(size: u64) -> impl Iterator<Item = Range<u64>> {
    let regular = (0..43)
        .map(|turn| FIRST_SAMPLE << turn)
        .take_while(move |start| start + 2 * CHUNK_BYTES < size)
        .map(|start| start..start + CHUNK_BYTES);
    let last = regular.clone().last().unwrap_or(0..CHUNK_BYTES).end;
    let tail = (size > CHUNK_BYTES).then(|| size - CHUNK_BYTES.min(size - last)..size);
    regular.chain(tail)
}

/// The parts of a file of `size` bytes that its hash depends on, in order.
pub fn covered(size: u64) -> impl Iterator<Item = Range<u64>> {
    core::iter::once(head(size)).chain(samples(size))
}

/// CRC-32 (polynomial 04C11DB7, reflected) continued from `crc`, without the
/// usual inversion at the end.
fn crc32(crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, &byte| CRC32_TABLE[usize::from(byte ^ crc as u8)] ^ (crc >> 8))
}

const CRC32_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// CRC-16 (polynomial 1021, from zero) of a hash, cut to 14 bits.
pub(super) fn checksum14(hash: &[u8]) -> u16 {
    let crc = hash.iter().fold(0_u16, |mut crc, &byte| {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 != 0 { (crc << 1) ^ 0x1021 } else { crc << 1 };
        }
        crc
    });
    crc & 0x3fff
}
