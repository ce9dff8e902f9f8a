//! Message stream encryption: how peers hide what they speak.
//!
//! Two peers agree on a secret (Diffie-Hellman), prove with it that they mean
//! the same torrent without naming it, and go on in RC4 or, when both allow it,
//! in plain. There is no BEP about it; what is here is what Azureus, µTorrent,
//! libtorrent, Transmission and aria2 speak. It keeps gateways from telling
//! BitTorrent from other traffic; it is no protection against whoever knows the
//! info-hash and sits between the peers.
//!
//! [`Initiator`] and [`Responder`] are the two sides as machines without I/O:
//! received bytes go in, bytes to send come out, and at the end an
//! [`Established`] stream. In the order of the wire:
//!
//! 1. initiator: public key, up to 512 random bytes;
//! 2. responder: the same;
//! 3. initiator: a hash of the secret to find the end of the random bytes by, a
//!    hash of the torrent, then in RC4: eight zeros, the methods it offers,
//!    up to 512 bytes of padding, and its first payload, mostly the handshake;
//! 4. responder, in RC4: eight zeros, the method that it selects, padding;
//!    then its payload, in that method.

mod ciphers;
mod error;
mod exchange;
mod initiator;
mod policy;
mod random;
mod rc4;
mod responder;
#[cfg(test)]
mod tests;

pub use ciphers::{Ciphers, Established, TorrentTag};
pub use error::MseError;
pub use initiator::Initiator;
pub use policy::{Encryption, Method, Methods};
pub use random::Seed;
pub use rc4::Rc4;
pub use responder::{Accepted, Responder};

/// The most bytes of each of the four paddings.
const MAX_PAD: usize = 512;
/// The verification constant, eight zeros: what an encrypted part begins with.
const VC_LEN: usize = 8;
/// The longest first payload that a responder takes, in bytes. Clients send a
/// handshake (68) or nothing.
pub const MAX_INITIAL: usize = 4096;
