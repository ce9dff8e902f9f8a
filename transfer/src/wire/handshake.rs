//! The first bytes of a connection (BEP 3).

use super::error::WireError;
use crate::identity::{InfoHash, PeerId};

/// What each side of a connection sends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The extensions that the sender speaks.
    pub reserved: Reserved,
    /// The torrent that the connection is for.
    pub info_hash: InfoHash,
    /// Who the sender is.
    pub peer_id: PeerId,
}

impl Handshake {
    /// Its length in bytes.
    pub const LEN: usize = 68;

    /// The bytes up to the peer id. Who accepts a connection may answer after
    /// these: some peers hold their id back until then (BEP 3).
    pub const HEAD_LEN: usize = 48;

    /// What it begins with.
    pub const PREFIX: [u8; 20] = *b"\x13BitTorrent protocol";

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..20].copy_from_slice(&Self::PREFIX);
        out[20..28].copy_from_slice(&self.reserved.0);
        out[28..48].copy_from_slice(&self.info_hash.0);
        out[48..].copy_from_slice(&self.peer_id.0);
        out
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`WireError::NotBitTorrent`] if it begins with something else.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Result<Self, WireError> {
        let (head, peer_id) = bytes.split_at(Self::HEAD_LEN);
        let (reserved, info_hash) = Self::decode_head(&array(head))?;
        Ok(Self { reserved, info_hash, peer_id: PeerId(array(peer_id)) })
    }

    /// Reads what comes before the peer id.
    ///
    /// # Errors
    ///
    /// [`WireError::NotBitTorrent`] if it begins with something else.
    pub fn decode_head(bytes: &[u8; Self::HEAD_LEN]) -> Result<(Reserved, InfoHash), WireError> {
        if bytes[..20] != Self::PREFIX {
            return Err(WireError::NotBitTorrent);
        }
        Ok((Reserved(array(&bytes[20..28])), InfoHash(array(&bytes[28..48]))))
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(bytes);
    out
}

/// The reserved bits of a handshake: which extensions its sender speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub struct Reserved(pub [u8; 8]);

impl Reserved {
    /// What this implementation speaks, but for the DHT: the extension protocol
    /// and the fast extension.
    pub const OURS: Self = Self([0, 0, 0, 0, 0, EXTENDED, 0, FAST]);

    /// These and, if `dht`, the bit of a peer with a DHT node.
    #[must_use]
    pub const fn with_dht(mut self, dht: bool) -> Self {
        self.0[7] = if dht { self.0[7] | DHT } else { self.0[7] & !DHT };
        self
    }

    /// Whether the extension protocol is spoken (BEP 10).
    #[must_use]
    pub const fn supports_extended(self) -> bool {
        self.0[5] & EXTENDED != 0
    }

    /// Whether the fast extension is spoken (BEP 6).
    #[must_use]
    pub const fn supports_fast(self) -> bool {
        self.0[7] & FAST != 0
    }

    /// Whether the sender runs a DHT node (BEP 5).
    #[must_use]
    pub const fn supports_dht(self) -> bool {
        self.0[7] & DHT != 0
    }

    /// Whether the sender would rather speak of the second version of the
    /// torrent (BEP 52).
    #[must_use]
    pub const fn supports_v2(self) -> bool {
        self.0[7] & V2 != 0
    }
}

/// In the sixth byte (BEP 10).
const EXTENDED: u8 = 0x10;
/// In the last byte (BEP 5, 6, 52).
const DHT: u8 = 0x01;
const FAST: u8 = 0x04;
const V2: u8 = 0x10;
