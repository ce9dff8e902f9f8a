//! What is random in an encryption handshake.

use core::fmt;

use super::MAX_PAD;
use super::exchange::Secret;
use super::rc4::Rc4;

/// What everything random in one handshake is made from. A host draws it from
/// the system's entropy, for the private key is made from it too.
#[derive(Clone, Copy)]
pub struct Seed(pub [u8; 32]);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed")
    }
}

/// Random bytes out of a seed: a key stream of RC4, of which no part tells of
/// an earlier one. That of a usual generator does, and the padding that is made
/// after the private key is there for all to see.
pub(super) struct Random(Rc4);

impl Random {
    pub(super) fn new(seed: Seed) -> Self {
        Self(Rc4::new(&seed.0))
    }

    pub(super) fn secret(&mut self) -> Secret {
        let mut bytes = [0; Secret::LEN];
        self.0.apply(&mut bytes);
        Secret::new(bytes)
    }

    /// Appends random padding.
    pub(super) fn pad(&mut self, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + self.pad_len(), 0);
        self.0.apply(&mut out[start..]);
    }

    /// A length of padding, 0 to 512 bytes.
    pub(super) fn pad_len(&mut self) -> usize {
        let mut bytes = [0; 2];
        self.0.apply(&mut bytes);
        usize::from(u16::from_be_bytes(bytes)) % (MAX_PAD + 1)
    }
}
