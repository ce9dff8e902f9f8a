//! The digest that tells whether two runs were the same.

use overlays::{Addr, Time};

/// A 64-bit digest over the ordered deliveries of a run: when, from whom, to
/// whom, what kind of message and how long.
///
/// Two runs with one seed must agree on it to the bit; it is no defence against
/// anyone who wants a collision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceHash(u64);

impl Default for TraceHash {
    fn default() -> Self {
        Self(0x6f76_6572_6c61_6231)
    }
}

impl TraceHash {
    #[inline]
    fn mix(&mut self, word: u64) {
        // One 64x64-bit multiplication whose halves are folded together
        // spreads every input bit over the whole state.
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15_u128;
        self.0 = ((product >> 64) as u64 ^ product as u64).wrapping_add(0xf39c_c060_5ced_c835);
    }

    /// Takes one delivery into account.
    #[inline]
    pub fn delivery(&mut self, at: Time, from: Addr, to: u32, kind: usize, bytes: usize) {
        self.mix(at.as_us() ^ (u64::from(from.index()) << 40));
        self.mix(u64::from(to) << 32 | (kind as u64) << 24 | bytes as u64);
    }

    /// Takes another digest into account, such as that of a further seed.
    pub fn combine(&mut self, other: Self) {
        self.mix(other.0);
        self.mix(1);
    }

    /// Sixteen hexadecimal digits.
    pub fn to_hex(self) -> String {
        format!("{:016x}", self.0)
    }
}
