//! What a node knows of another.

use smallvec::SmallVec;

use crate::{Addr, Key, Reader, WireError, Writer};

/// A virtual node as others know it: its place on the ring and where it is
/// reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its identifier.
    pub key: Key,
    /// The address of the peer that runs it.
    pub addr: Addr,
    /// Which of that peer's virtual nodes it is.
    pub vnode: u16,
}

/// A short list of contacts: as long as an answer names, it is in one piece.
pub(super) type ContactList = SmallVec<[Contact; 8]>;

impl Contact {
    /// Bytes of a contact on the wire.
    pub const BYTES: usize = Key::BYTES + Addr::BYTES + 2;

    /// Where it is reached.
    #[inline]
    pub(super) const fn place(&self) -> (Addr, u16) {
        (self.addr, self.vnode)
    }

    /// Writes identifier, address, number.
    pub fn encode(&self, w: &mut Writer) {
        w.key(self.key);
        w.addr(self.addr);
        w.u16(self.vnode);
    }

    /// Reads what [`Contact::encode`] wrote.
    ///
    /// # Errors
    /// When the input ends early.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { key: r.key()?, addr: r.addr()?, vnode: r.u16()? })
    }

    /// The identifier of a peer's virtual node: the peer's own for the first,
    /// SHA-1 over identifier and number for the others, cut to `bits` bits.
    pub fn id_of(peer: Key, vnode: u16, bits: u32) -> Key {
        if vnode == 0 {
            return peer.truncated(bits);
        }
        let mut text = [0; Key::BYTES + 2];
        text[..Key::BYTES].copy_from_slice(&peer.to_bytes());
        text[Key::BYTES..].copy_from_slice(&vnode.to_be_bytes());
        Key::hash(&text).truncated(bits)
    }
}

/// How far clockwise `key` lies from `from`, less one, so that the whole circle
/// (`key == from`) counts as farthest rather than nearest.
#[inline]
pub(super) fn reach(from: Key, key: Key) -> Key {
    from.distance_to(key).minus(ONE)
}

/// Whether `a` comes before `b` clockwise from `from`, which itself comes last:
/// `reach(from, a) < reach(from, b)`.
#[inline]
pub(super) fn nearer(from: Key, a: Key, b: Key) -> bool {
    nearer_by_prefix(from.prefix64(), a.prefix64(), b.prefix64())
        .unwrap_or_else(|| reach(from, a) < reach(from, b))
}

/// The same by the first 64 bits of each, which do not say where two of them
/// are equal.
#[inline]
pub(super) fn nearer_by_prefix(from: u64, a: u64, b: u64) -> Option<bool> {
    let distinct = a != b && a != from && b != from;
    distinct.then(|| a.wrapping_sub(from) < b.wrapping_sub(from))
}

const ONE: Key = Key::power_of_two(0);
