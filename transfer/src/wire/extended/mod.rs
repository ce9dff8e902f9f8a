//! The payloads of the extension protocol's messages (BEP 10).
//!
//! Each side names in its [`Handshake`] the number under which it wants to get
//! each message. So what we send carries the peer's number, and what we receive
//! one of ours: [`Extension::number`].

mod handshake;
mod metadata;
mod pex;
mod single;
#[cfg(test)]
mod tests;

pub use handshake::{Handshake, Numbers};
pub use metadata::{METADATA_BLOCK_LEN, Metadata};
pub use pex::{MAX_PEX_READ, MAX_PEX_SENT, Pex, PexFlags, PexPeer};
pub use single::{decode_dont_have, decode_upload_only, encode_dont_have, encode_upload_only};

use super::error::WireError;
use crate::bencode::{Dict, KeyOrder, Limits, Value};

/// The number of the handshake itself.
pub const HANDSHAKE: u8 = 0;
/// Ours of peer exchange (BEP 11).
pub const UT_PEX: u8 = 1;
/// Ours of the exchange of metadata (BEP 9).
pub const UT_METADATA: u8 = 2;
/// Ours of the message that changes whether a peer only uploads (BEP 21).
pub const UPLOAD_ONLY: u8 = 3;
/// Ours of the message that takes a `have` back (BEP 54).
pub const DONT_HAVE: u8 = 4;

/// An extension message that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extension {
    /// Peers that the sender knows (BEP 11): [`Pex`].
    Pex,
    /// Parts of the info dictionary (BEP 9): [`Metadata`].
    Metadata,
    /// Whether the sender downloads nothing (BEP 21).
    UploadOnly,
    /// A piece that the sender no longer has (BEP 54).
    DontHave,
}

impl Extension {
    /// All, in the order of their names, which is that of the handshake.
    pub const ALL: [Self; 4] = [Self::DontHave, Self::UploadOnly, Self::Metadata, Self::Pex];

    /// The number under which we receive it.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Pex => UT_PEX,
            Self::Metadata => UT_METADATA,
            Self::UploadOnly => UPLOAD_ONLY,
            Self::DontHave => DONT_HAVE,
        }
    }

    /// Which one of ours has that number; none has that of the handshake.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|extension| extension.number() == number)
    }

    /// Its name in the handshake.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pex => "ut_pex",
            Self::Metadata => "ut_metadata",
            Self::UploadOnly => "upload_only",
            Self::DontHave => "lt_donthave",
        }
    }
}

/// The dictionary that a payload begins with, and what follows it. Its keys may
/// stand in any order: there is nothing to be told from it here, and not every
/// client sorts them.
fn read_dict(payload: &[u8]) -> Result<(Dict<'_>, &[u8]), WireError> {
    let limits = Limits::new(payload.len()).depth(8).key_order(KeyOrder::Any);
    let invalid = WireError::Extension("its dictionary");
    let value = Value::parse_first(payload, &limits).map_err(|_| invalid)?;
    let dict = value.as_dict().ok_or(invalid)?;
    Ok((dict, &payload[value.bytes().len()..]))
}
