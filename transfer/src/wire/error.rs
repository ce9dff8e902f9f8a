//! Why bytes of a peer are refused.

use core::fmt;

/// What a peer sent against the protocol; whoever meets one closes the
/// connection and counts it against the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// A handshake does not begin with `\x13BitTorrent protocol` (BEP 3).
    NotBitTorrent,
    /// The number of a message is none that we know. What no extension was
    /// agreed on for is not sent (BEP 3, 4), so that lost framing shows here.
    UnknownMessage(u8),
    /// A message is longer or shorter than its number says.
    Length {
        /// The message's number.
        id: u8,
        /// The length that it gives, its number included, in bytes.
        len: u32,
    },
    /// A message, or a block that it is about, is longer than [`Limits`] say.
    ///
    /// [`Limits`]: super::Limits
    TooLong {
        /// The message's number.
        id: u8,
        /// The length that it gives in bytes.
        len: u32,
        /// The longest that is taken.
        limit: u32,
    },
    /// A request, a block, a cancel or a reject is about no byte at all, or
    /// about bytes past the 32 bits of an offset.
    EmptyBlock {
        /// The message's number.
        id: u8,
    },
    /// The payload of an extension message is not what its BEP says: the field
    /// that is wrong.
    Extension(&'static str),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBitTorrent => f.write_str("not a BitTorrent handshake"),
            Self::UnknownMessage(id) => write!(f, "message {id} is unknown"),
            Self::Length { id, len } => write!(f, "message {id} cannot have {len} bytes"),
            Self::TooLong { id, len, limit } => {
                write!(f, "message {id}: {len} bytes are over the limit of {limit}")
            }
            Self::EmptyBlock { id } => write!(f, "message {id} is about no byte of a piece"),
            Self::Extension(field) => write!(f, "extension message: {field} is invalid"),
        }
    }
}

impl core::error::Error for WireError {}
