//! What the descriptors of both Gnutellas carry.

use std::sync::Arc;

use super::guid::Guid;
use crate::seam::{Addr, Item};

/// Where a descriptor is on its way: TTL and hops, whose sum stays what it was
/// at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Hops it may still go.
    pub ttl: u8,
    /// Hops it has gone.
    pub hops: u8,
}

impl Way {
    /// The way of a descriptor that starts with `ttl`.
    pub const fn start(ttl: u8) -> Self {
        Self { ttl, hops: 0 }
    }

    /// The way as the receiver sees it: TTL one less, hops one more. A sum
    /// over `max` is cut down to it, which also bounds what a stranger can
    /// start. `None` for a TTL of zero, which nobody may send.
    pub const fn arrived(self, max: u8) -> Option<Self> {
        if self.ttl == 0 || self.hops == u8::MAX {
            return None;
        }
        let hops = self.hops + 1;
        let room = max.saturating_sub(hops);
        let ttl = self.ttl - 1;
        Some(Self { ttl: if ttl < room { ttl } else { room }, hops })
    }
}

/// A host and what it shares, as a pong tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PongHost {
    /// Where it accepts connections.
    pub addr: Addr,
    /// Files it shares.
    pub files: u32,
    /// Kilobytes it shares.
    pub kilobytes: u32,
}

impl PongHost {
    /// Whether it has the mark of an ultrapeer: a power of two, at least 8
    /// (Ultrapeers 1.0).
    pub const fn is_of_ultrapeer(&self) -> bool {
        self.kilobytes >= 8 && self.kilobytes.is_power_of_two()
    }
}

/// One file of a QueryHit.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The provider's number for it.
    pub index: u32,
    /// The file.
    pub item: Arc<Item>,
}

/// The payload of a QueryHit; shared by all copies on the way back.
#[derive(Clone, Debug, PartialEq)]
pub struct HitBody {
    /// Where the provider accepts connections.
    pub provider: Addr,
    /// Its upstream in kilobits per second.
    pub speed_kbps: u32,
    /// Whether it must be asked with a Push to connect itself.
    pub push: bool,
    /// The provider's servent identifier.
    pub servent: Guid,
    records: Box<[Record]>,
    /// Bytes of the payload, counted once for all copies.
    bytes: u32,
}

impl HitBody {
    /// Bytes of the payload without any record: count, port, address, speed;
    /// vendor, length and flags of the hit descriptor; servent identifier.
    pub const BARE_BYTES: usize = 11 + 7 + Guid::BYTES;

    /// The payload with these records, of which there are at most 255.
    pub fn new(
        provider: Addr,
        speed_kbps: u32,
        push: bool,
        servent: Guid,
        mut records: Vec<Record>,
    ) -> Self {
        records.truncate(usize::from(u8::MAX));
        let bytes = Self::BARE_BYTES + records.iter().map(Record::encoded_len).sum::<usize>();
        Self { provider, speed_kbps, push, servent, records: records.into(), bytes: bytes as u32 }
    }

    /// The files.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Bytes of the payload.
    pub fn encoded_len(&self) -> usize {
        self.bytes as usize
    }
}

/// The payload of a Push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushBody {
    /// Who shall connect.
    pub servent: Guid,
    /// For which of its files.
    pub index: u32,
    /// To whom.
    pub to: Addr,
}

/// The payload of a Bye.
#[derive(Clone, Debug, PartialEq)]
pub struct ByeBody {
    /// Why: 2xx the user's wish, 4xx the peer's fault, 5xx an error inside.
    pub code: u16,
    /// Hosts to turn to instead, at most [`MAX_TRY`].
    pub hosts: Box<[Addr]>,
}

/// Hosts that a refusal or a Bye names at most.
pub const MAX_TRY: usize = 10;
