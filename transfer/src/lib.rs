//! The transfer layer: BitTorrent without I/O, shared by every overlay.
//!
//! What a search finds (providers and a content id) is all that the two crates
//! exchange. The protocol itself is not written yet; only the identity under
//! which an overlay hands content over stands here.

/// The SHA-1 hash that names a torrent's content on the wire (BEP 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InfoHash(pub [u8; 20]);
