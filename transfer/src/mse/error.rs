//! Why an encryption handshake fails.

use core::fmt;

/// Why a connection could not be encrypted; it is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MseError {
    /// The peer connects in plain, which is not allowed.
    Plain,
    /// The peer does not begin with a BitTorrent handshake, and encryption is
    /// off.
    NotBitTorrent,
    /// The peer's public key is none: it would make the secret known to all.
    Key,
    /// What the peer should show after its padding never came.
    NoSync,
    /// The peer means a torrent that we do not have.
    UnknownTorrent,
    /// The eight zeros came out as something else.
    Verification,
    /// The peer offers, or selected, nothing that may be spoken.
    Method(u32),
    /// The peer's padding, or its first payload, is longer than may be.
    TooLong(usize),
    /// The handshake is over already.
    Over,
}

impl fmt::Display for MseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("a peer without encryption"),
            Self::NotBitTorrent => f.write_str("not a BitTorrent handshake"),
            Self::Key => f.write_str("encryption: a public key that is none"),
            Self::NoSync => f.write_str("encryption: no end of the padding"),
            Self::UnknownTorrent => f.write_str("encryption: an unknown torrent"),
            Self::Verification => f.write_str("encryption: the verification failed"),
            Self::Method(bits) => write!(f, "encryption: no method in common ({bits:#x})"),
            Self::TooLong(len) => write!(f, "encryption: {len} bytes of padding or payload"),
            Self::Over => f.write_str("encryption: the handshake is over"),
        }
    }
}

impl core::error::Error for MseError {}
