//! 160-bit identifiers and the geometries laid over them.

use core::cmp::Ordering;
use core::fmt;

use sha1::{Digest, Sha1};

/// A 160-bit identifier: of a node, an item or a point of a key space.
///
/// Stored as five 32-bit words, the least significant first, so that it packs
/// beside an address in 28 bytes, and computed on as one 128-bit and one 32-bit
/// word, which are then plain loads and stores. An overlay with `m < 160` id bits
/// uses the *top* `m` bits and leaves the rest zero: arithmetic modulo 2^160 is
/// then arithmetic modulo 2^m in steps of 2^(160-m), and no overlay needs a
/// mask.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Key([u32; 5]);

impl Key {
    /// Bits in a key.
    pub const BITS: u32 = 160;
    /// Bytes in a key.
    pub const BYTES: usize = 20;
    /// The smallest key.
    pub const ZERO: Self = Self([0; 5]);
    /// The largest key.
    pub const MAX: Self = Self([u32::MAX; 5]);

    /// The key with these big-endian bytes.
    #[inline]
    pub const fn from_bytes(b: [u8; 20]) -> Self {
        Self([
            u32::from_be_bytes([b[16], b[17], b[18], b[19]]),
            u32::from_be_bytes([b[12], b[13], b[14], b[15]]),
            u32::from_be_bytes([b[8], b[9], b[10], b[11]]),
            u32::from_be_bytes([b[4], b[5], b[6], b[7]]),
            u32::from_be_bytes([b[0], b[1], b[2], b[3]]),
        ])
    }

    /// The big-endian bytes.
    #[inline]
    pub const fn to_bytes(self) -> [u8; 20] {
        let mut bytes = [0; 20];
        let (high, low) = bytes.split_at_mut(16);
        high.copy_from_slice(&self.high().to_be_bytes());
        low.copy_from_slice(&self.low().to_be_bytes());
        bytes
    }

    /// The SHA-1 hash of `data`.
    pub fn hash(data: &[u8]) -> Self {
        Self::from_bytes(Sha1::digest(data).into())
    }

    #[inline]
    const fn from_words(high: u128, low: u32) -> Self {
        Self([low, high as u32, (high >> 32) as u32, (high >> 64) as u32, (high >> 96) as u32])
    }

    #[inline]
    const fn high(self) -> u128 {
        let [_, a, b, c, d] = self.0;
        (d as u128) << 96 | (c as u128) << 64 | (b as u128) << 32 | a as u128
    }

    #[inline]
    const fn low(self) -> u32 {
        self.0[0]
    }

    /// The top 64 bits: enough to order keys by size except for ties.
    #[inline]
    pub const fn prefix64(self) -> u64 {
        (self.0[4] as u64) << 32 | self.0[3] as u64
    }

    /// The `bits`-bit identifier `value`, placed in the top bits.
    ///
    /// Bits of `value` above `bits` are dropped; `bits` is taken as 1..=64.
    pub const fn from_top_bits(value: u64, bits: u32) -> Self {
        let bits = if bits == 0 {
            1
        } else if bits > 64 {
            64
        } else {
            bits
        };
        Self::from_words(((value << (64 - bits)) as u128) << 64, 0)
    }

    /// The top `bits` bits (1..=64) as a number.
    pub const fn top_bits(self, bits: u32) -> u64 {
        let bits = if bits == 0 {
            1
        } else if bits > 64 {
            64
        } else {
            bits
        };
        self.prefix64() >> (64 - bits)
    }

    /// This key with all but its top `bits` bits cleared.
    pub const fn truncated(self, bits: u32) -> Self {
        if bits >= 160 {
            self
        } else if bits > 128 {
            Self::from_words(self.high(), self.low() & (u32::MAX << (160 - bits)))
        } else if bits == 0 {
            Self::ZERO
        } else {
            Self::from_words(self.high() & (u128::MAX << (128 - bits)), 0)
        }
    }

    /// The sum modulo 2^160.
    #[inline]
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        let (low, carry) = self.low().overflowing_add(other.low());
        let high = self.high().wrapping_add(other.high()).wrapping_add(carry as u128);
        Self::from_words(high, low)
    }

    /// The difference modulo 2^160.
    #[inline]
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        let (low, borrow) = self.low().overflowing_sub(other.low());
        let high = self.high().wrapping_sub(other.high()).wrapping_sub(borrow as u128);
        Self::from_words(high, low)
    }

    /// 2^exponent; zero when the exponent is 160 or more.
    #[inline]
    pub const fn power_of_two(exponent: u32) -> Self {
        if exponent < 32 {
            Self::from_words(0, 1 << exponent)
        } else if exponent < 160 {
            Self::from_words(1 << (exponent - 32), 0)
        } else {
            Self::ZERO
        }
    }

    /// The distance from `self` clockwise to `other` on the ring of 2^160 keys.
    #[inline]
    #[must_use]
    pub const fn distance_to(self, other: Self) -> Self {
        other.minus(self)
    }

    /// The XOR distance.
    #[inline]
    #[must_use]
    pub const fn xor(self, other: Self) -> Self {
        Self::from_words(self.high() ^ other.high(), self.low() ^ other.low())
    }

    /// Whether `self` lies in the ring interval (after, upto].
    ///
    /// With `after == upto` the interval is the whole ring: a lone node owns
    /// every key.
    #[inline]
    pub fn in_half_open(self, after: Self, upto: Self) -> bool {
        let end = after.distance_to(upto);
        let here = after.distance_to(self);
        end == Self::ZERO || (here != Self::ZERO && here <= end)
    }

    /// Whether `self` lies in the open ring interval (after, before).
    ///
    /// With `after == before` the interval is the ring without that point.
    #[inline]
    pub fn in_open(self, after: Self, before: Self) -> bool {
        let end = after.distance_to(before);
        let here = after.distance_to(self);
        here != Self::ZERO && (end == Self::ZERO || here < end)
    }

    /// How many leading bits are zero, 0..=160.
    #[inline]
    pub const fn leading_zeros(self) -> u32 {
        let high = self.high();
        if high == 0 { 128 + self.low().leading_zeros() } else { high.leading_zeros() }
    }

    /// How many leading bits two keys share, 0..=160.
    #[inline]
    pub const fn common_prefix_bits(self, other: Self) -> u32 {
        self.xor(other).leading_zeros()
    }

    /// How many leading base-2^`bits` digits two keys share.
    ///
    /// `bits` is 1..=8.
    #[inline]
    pub const fn common_prefix_digits(self, other: Self, bits: u32) -> u32 {
        self.common_prefix_bits(other) / bits
    }

    /// Bit `index`, counted from the most significant (0) to the least (159).
    #[inline]
    pub const fn bit(self, index: u32) -> bool {
        index < 160 && (self.0[4 - (index / 32) as usize] >> (31 - index % 32)) & 1 == 1
    }

    /// Base-2^`bits` digit `index`, counted from the most significant.
    ///
    /// `bits` is 1..=8. A digit that hangs over the end of the key is filled
    /// with zero bits; one wholly beyond it is zero.
    #[inline]
    pub const fn digit(self, index: u32, bits: u32) -> u32 {
        let start = index.saturating_mul(bits);
        if start >= 160 {
            return 0;
        }
        let word = 4 - (start / 32) as usize;
        let next = if word > 0 { self.0[word - 1] } else { 0 };
        let window = (self.0[word] as u64) << 32 | next as u64;
        (window >> (64 - bits - start % 32)) as u32 & ((1 << bits) - 1)
    }

    /// Reads 40 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 40 {
            return None;
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let high = (pair[0] as char).to_digit(16)?;
            let low = (pair[1] as char).to_digit(16)?;
            *byte = (high << 4 | low) as u8;
        }
        Some(Self::from_bytes(bytes))
    }
}

impl Ord for Key {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.high().cmp(&other.high()).then(self.low().cmp(&other.low()))
    }
}

impl PartialOrd for Key {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.to_bytes() {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Key {
    /// The first sixteen hexadecimal digits, as transcripts show them: enough
    /// to tell a million keys apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.prefix64())
    }
}
