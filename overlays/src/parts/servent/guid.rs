//! Globally unique identifiers of descriptors and servents.

use core::fmt;

use rand::Rng as _;

use crate::seam::{Key, Reader, Rng, WireError, Writer};

/// The 16 bytes that identify a descriptor or a servent, kept as two words so
/// that comparing costs two instructions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid([u64; 2]);

impl Guid {
    /// Bytes on the wire.
    pub const BYTES: usize = 16;

    /// All zero: no identifier. Nobody draws it, and handshakes carry it.
    pub const ZERO: Self = Self([0; 2]);

    /// A fresh one, with the marks of a modern servent: byte 8 is 0xff, byte
    /// 15 is zero.
    pub fn fresh(rng: &mut Rng) -> Self {
        Self([rng.next_u64(), rng.next_u64()]).marked()
    }

    /// The identifier of the servent whose node id is `id`: stable over
    /// sessions, as servents keep theirs in a file.
    pub fn of_servent(id: Key) -> Self {
        let mut bytes = [0; Self::BYTES];
        bytes.copy_from_slice(&id.to_bytes()[..Self::BYTES]);
        Self::from_bytes(bytes).marked()
    }

    fn marked(self) -> Self {
        let mut bytes = self.to_bytes();
        bytes[8] = 0xff;
        bytes[15] = 0;
        Self::from_bytes(bytes)
    }

    /// The identifier in these bytes.
    pub const fn from_bytes(b: [u8; 16]) -> Self {
        Self([
            u64::from_be_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]),
            u64::from_be_bytes([b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]]),
        ])
    }

    /// Its bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let (high, low) = (self.0[0].to_be_bytes(), self.0[1].to_be_bytes());
        let mut i = 0;
        while i < 8 {
            bytes[i] = high[i];
            bytes[i + 8] = low[i];
            i += 1;
        }
        bytes
    }

    /// A hash of it under `secret`: two words multiplied to 128 bits and
    /// folded. Without the secret nobody can choose identifiers that collide.
    #[inline]
    pub(super) fn mixed(self, secret: u64) -> u64 {
        let a = u128::from(self.0[0] ^ secret);
        let b = u128::from(self.0[1] ^ 0x9e37_79b9_7f4a_7c15 ^ secret.rotate_left(32));
        let product = a.wrapping_mul(b);
        (product >> 64) as u64 ^ product as u64
    }

    /// Writes its bytes.
    pub fn encode(self, w: &mut Writer) {
        w.bytes(&self.to_bytes());
    }

    /// Reads 16 bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut bytes = [0; Self::BYTES];
        bytes.copy_from_slice(r.take(Self::BYTES, "GUID")?);
        Ok(Self::from_bytes(bytes))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.0[0], self.0[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn fresh_ones_carry_the_marks_and_differ() {
        let mut rng = Rng::seed_from_u64(1);
        let (a, b) = (Guid::fresh(&mut rng), Guid::fresh(&mut rng));
        assert_ne!(a, b);
        for guid in [a, b, Guid::of_servent(Key::hash(b"x"))] {
            assert_eq!((guid.to_bytes()[8], guid.to_bytes()[15]), (0xff, 0));
        }
    }

    #[test]
    fn bytes_keep_their_order() {
        let bytes: [u8; 16] = core::array::from_fn(|i| i as u8);
        let guid = Guid::from_bytes(bytes);
        assert_eq!(guid.to_bytes(), bytes);
        assert_eq!(format!("{guid:?}"), "000102030405060708090a0b0c0d0e0f");
    }
}
