//! The info dictionary from peers (BEP 9).

use super::read_dict;
use crate::bencode::{dict_with, int, string};
use crate::wire::WireError;

/// The length in bytes of a block of the info dictionary, but for the last.
pub const METADATA_BLOCK_LEN: u32 = 16 * 1024;

const REQUEST: i64 = 0;
const DATA: i64 = 1;
const REJECT: i64 = 2;

/// A message about a block of the info dictionary; BEP 9 calls blocks pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// Send me this block.
    Request {
        /// The block's index.
        piece: u32,
    },
    /// This block.
    Data {
        /// The block's index.
        piece: u32,
        /// The size of the whole info dictionary in bytes.
        total_size: u32,
        /// The block's bytes.
        bytes: Vec<u8>,
    },
    /// The sender does not send this block.
    Reject {
        /// The block's index.
        piece: u32,
    },
}

impl Metadata {
    /// How many blocks an info dictionary of `total_size` bytes has.
    #[must_use]
    pub const fn blocks(total_size: u32) -> u32 {
        total_size.div_ceil(METADATA_BLOCK_LEN)
    }

    /// The length of a block in bytes; 0 if the dictionary ends before it.
    #[must_use]
    pub fn block_len(piece: u32, total_size: u32) -> u32 {
        match piece.checked_mul(METADATA_BLOCK_LEN) {
            Some(begin) => total_size.saturating_sub(begin).min(METADATA_BLOCK_LEN),
            None => 0,
        }
    }

    /// Its bytes: the payload of the extension message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, piece, total_size, bytes) = match self {
            Self::Request { piece } => (REQUEST, *piece, None, &[][..]),
            Self::Data { piece, total_size, bytes } => {
                (DATA, *piece, Some(*total_size), &bytes[..])
            }
            Self::Reject { piece } => (REJECT, *piece, None, &[][..]),
        };
        let mut out = Vec::with_capacity(64 + bytes.len());
        dict_with(&mut out, |out| {
            string(out, "msg_type");
            int(out, kind);
            string(out, "piece");
            int(out, piece.into());
            if let Some(total_size) = total_size {
                string(out, "total_size");
                int(out, total_size.into());
            }
        });
        out.extend_from_slice(bytes);
        out
    }

    /// Reads one; `None` is a message of a kind that is unknown, which is to be
    /// passed over (BEP 9).
    ///
    /// # Errors
    ///
    /// If a field is missing or wrong, or a block has another length than it
    /// must have in a dictionary of that size.
    pub fn decode(payload: &[u8]) -> Result<Option<Self>, WireError> {
        let (dict, rest) = read_dict(payload)?;
        let field = |key: &'static str| {
            let number = dict.int(key).and_then(|number| u32::try_from(number).ok());
            number.ok_or(WireError::Extension(key))
        };
        let kind = dict.int("msg_type").ok_or(WireError::Extension("msg_type"))?;
        Ok(Some(match kind {
            REQUEST => Self::Request { piece: field("piece")? },
            DATA => {
                let (piece, total_size) = (field("piece")?, field("total_size")?);
                let len = Self::block_len(piece, total_size);
                if len == 0 || rest.len() != len as usize {
                    return Err(WireError::Extension("the block's length"));
                }
                Self::Data { piece, total_size, bytes: rest.to_vec() }
            }
            REJECT => Self::Reject { piece: field("piece")? },
            _ => return Ok(None),
        }))
    }
}
