//! What a node knows of another, and how far apart identifiers are.

use crate::{Addr, Key, Reader, Span, WireError, Writer};

/// A node as others know it: its identifier and where it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its nodeId: the top bits of a [`Key`], the rest zero.
    pub id: Key,
    /// Its address.
    pub addr: Addr,
}

/// Bytes of an identifier on the wire: Pastry's 128 bits.
pub(super) const ID_BYTES: usize = 16;

/// Writes the 128 bits of an identifier.
pub(super) fn encode_id(id: Key, w: &mut Writer) {
    w.bytes(&id.to_bytes()[..ID_BYTES]);
}

/// Reads what [`encode_id`] wrote.
pub(super) fn decode_id(r: &mut Reader<'_>) -> Result<Key, WireError> {
    let mut bytes = [0; Key::BYTES];
    bytes[..ID_BYTES].copy_from_slice(r.take(ID_BYTES, "identifier")?);
    Ok(Key::from_bytes(bytes))
}

impl Contact {
    /// Bytes of a contact on the wire.
    pub const BYTES: usize = ID_BYTES + Addr::BYTES;

    /// Writes identifier and address.
    pub fn encode(&self, w: &mut Writer) {
        encode_id(self.id, w);
        w.addr(self.addr);
    }

    /// Reads what [`Contact::encode`] wrote.
    ///
    /// # Errors
    /// When the input ends early.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { id: decode_id(r)?, addr: r.addr()? })
    }
}

/// A measured round-trip time in steps of 100 µs, at most 6.5 s: the proximity
/// metric (the paper's "scalar proximity metric", P01 §2.5). Two bytes, so
/// that it fits beside identifier and address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Rtt(pub u16);

impl Rtt {
    /// A round-trip time; longer ones than fit count as the longest.
    pub fn from_span(span: Span) -> Self {
        Self(u16::try_from(span.as_us() / 100).unwrap_or(u16::MAX))
    }
}

/// A node and how far away it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its nodeId.
    pub id: Key,
    /// Its address.
    pub addr: Addr,
    /// The round-trip time to it, as its keeper measured it.
    pub rtt: Rtt,
}

impl Entry {
    /// Bytes of an entry on the wire.
    pub const BYTES: usize = Contact::BYTES + 2;

    /// An entry for `contact`.
    pub const fn new(contact: Contact, rtt: Rtt) -> Self {
        Self { id: contact.id, addr: contact.addr, rtt }
    }

    /// The node without its distance.
    #[inline]
    pub const fn contact(&self) -> Contact {
        Contact { id: self.id, addr: self.addr }
    }

    /// Writes contact and round-trip time.
    pub fn encode(&self, w: &mut Writer) {
        self.contact().encode(w);
        w.u16(self.rtt.0);
    }

    /// Reads what [`Entry::encode`] wrote.
    ///
    /// # Errors
    /// When the input ends early.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self::new(Contact::decode(r)?, Rtt(r.u16()?)))
    }
}

/// The numerical distance of two identifiers on the circle.
#[inline]
pub(super) fn gap(a: Key, b: Key) -> Key {
    let (up, down) = (a.distance_to(b), b.distance_to(a));
    up.min(down)
}

/// Whether `a` is numerically closer to `key` than `b`; of two equally close
/// ones, the smaller identifier counts as closer.
#[inline]
pub(super) fn is_closer(a: Key, b: Key, key: Key) -> bool {
    (gap(a, key), a) < (gap(b, key), b)
}
