//! Messages out of a stream of bytes, and into one.

use super::error::WireError;
use super::limits::Limits;
use super::message::Message;
use crate::block::Block;

/// The length of a message before its number.
pub(super) const PREFIX_LEN: usize = 4;
/// The number, the piece and the offset of a block, or all of a request.
pub(super) const BLOCK_HEADER_LEN: usize = 13;
/// What stands before the bytes of a block within the length of its message.
const PIECE_FIELDS_LEN: u32 = 9;

const CHOKE: u8 = 0;
const UNCHOKE: u8 = 1;
const INTERESTED: u8 = 2;
const NOT_INTERESTED: u8 = 3;
const HAVE: u8 = 4;
const BITFIELD: u8 = 5;
const REQUEST: u8 = 6;
const PIECE: u8 = 7;
const CANCEL: u8 = 8;
const PORT: u8 = 9;
const SUGGEST: u8 = 13;
const HAVE_ALL: u8 = 14;
const HAVE_NONE: u8 = 15;
const REJECT: u8 = 16;
const ALLOWED_FAST: u8 = 17;
const EXTENDED: u8 = 20;

/// What stands next in a peer's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole message; never [`Message::Piece`].
    Message(Message),
    /// The header of a `piece` message: the next `len` bytes of the stream are
    /// the block's.
    Block(Block),
}

/// Reads the next message off `buffer` and says how many bytes it took: all of
/// the message, but of a block its header only. `None` if more bytes are
/// needed.
///
/// # Errors
///
/// A message of a wrong length or over the limits, as soon as its length and
/// number are there; or one that is unknown.
pub fn parse(buffer: &[u8], limits: &Limits) -> Result<Option<(Frame, usize)>, WireError> {
    let Some((prefix, rest)) = buffer.split_first_chunk::<PREFIX_LEN>() else { return Ok(None) };
    let len = u32::from_be_bytes(*prefix);
    if len == 0 {
        return Ok(Some((Frame::Message(Message::KeepAlive), PREFIX_LEN)));
    }
    let Some((&id, rest)) = rest.split_first() else { return Ok(None) };
    check_length(id, len, limits)?;
    if id == PIECE {
        let Some(fields) = rest.first_chunk::<{ PIECE_FIELDS_LEN as usize - 1 }>() else {
            return Ok(None);
        };
        let block = Block {
            piece: read_u32(fields, 0),
            begin: read_u32(fields, 4),
            len: len - PIECE_FIELDS_LEN,
        };
        check_block(id, &block, limits)?;
        return Ok(Some((Frame::Block(block), PREFIX_LEN + PIECE_FIELDS_LEN as usize)));
    }
    let Some(payload) = rest.get(..len as usize - 1) else { return Ok(None) };
    let message = read(id, len, payload, limits)?;
    Ok(Some((Frame::Message(message), PREFIX_LEN + len as usize)))
}

/// Refuses a message by its number and length alone, so that no one waits for
/// the bytes of one that will not be taken.
fn check_length(id: u8, len: u32, limits: &Limits) -> Result<(), WireError> {
    let exact = match id {
        CHOKE | UNCHOKE | INTERESTED | NOT_INTERESTED | HAVE_ALL | HAVE_NONE => 1,
        HAVE | SUGGEST | ALLOWED_FAST => 5,
        REQUEST | CANCEL | REJECT => BLOCK_HEADER_LEN as u32,
        PORT => 3,
        BITFIELD => return at_most(id, len - 1, limits.bitfield),
        PIECE if len < PIECE_FIELDS_LEN => return Err(WireError::Length { id, len }),
        PIECE => return at_most(id, len - PIECE_FIELDS_LEN, limits.block),
        EXTENDED if len < 2 => return Err(WireError::Length { id, len }),
        EXTENDED => return at_most(id, len - 2, limits.extended),
        other => return Err(WireError::UnknownMessage(other)),
    };
    if len == exact { Ok(()) } else { Err(WireError::Length { id, len }) }
}

fn at_most(id: u8, len: u32, limit: u32) -> Result<(), WireError> {
    if len <= limit { Ok(()) } else { Err(WireError::TooLong { id, len, limit }) }
}

fn check_block(id: u8, block: &Block, limits: &Limits) -> Result<(), WireError> {
    if block.len == 0 || block.begin.checked_add(block.len).is_none() {
        return Err(WireError::EmptyBlock { id });
    }
    at_most(id, block.len, limits.block)
}

/// Reads a message whose length [`check_length`] found right.
fn read(id: u8, len: u32, payload: &[u8], limits: &Limits) -> Result<Message, WireError> {
    Ok(match id {
        CHOKE => Message::Choke,
        UNCHOKE => Message::Unchoke,
        INTERESTED => Message::Interested,
        NOT_INTERESTED => Message::NotInterested,
        HAVE => Message::Have(read_u32(payload, 0)),
        BITFIELD => Message::Bitfield(payload.to_vec()),
        REQUEST => Message::Request(read_block(id, payload, limits)?),
        CANCEL => Message::Cancel(read_block(id, payload, limits)?),
        PORT => Message::Port(u16::from_be_bytes([payload[0], payload[1]])),
        SUGGEST => Message::Suggest(read_u32(payload, 0)),
        HAVE_ALL => Message::HaveAll,
        HAVE_NONE => Message::HaveNone,
        REJECT => Message::Reject(read_block(id, payload, limits)?),
        ALLOWED_FAST => Message::AllowedFast(read_u32(payload, 0)),
        EXTENDED => Message::Extended { id: payload[0], payload: payload[1..].to_vec() },
        _ => return Err(WireError::Length { id, len }),
    })
}

fn read_block(id: u8, payload: &[u8], limits: &Limits) -> Result<Block, WireError> {
    let block = Block {
        piece: read_u32(payload, 0),
        begin: read_u32(payload, 4),
        len: read_u32(payload, 8),
    };
    check_block(id, &block, limits)?;
    Ok(block)
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl Message {
    /// Appends its bytes; of a [`Message::Piece`] the 13 before the block's.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::KeepAlive => out.extend_from_slice(&[0; PREFIX_LEN]),
            Self::Choke => header(out, CHOKE, 0),
            Self::Unchoke => header(out, UNCHOKE, 0),
            Self::Interested => header(out, INTERESTED, 0),
            Self::NotInterested => header(out, NOT_INTERESTED, 0),
            Self::Have(piece) => number(out, HAVE, *piece),
            Self::Bitfield(bits) => {
                header(out, BITFIELD, bits.len());
                out.extend_from_slice(bits);
            }
            Self::Request(block) => request(out, REQUEST, block),
            Self::Piece(block) => {
                header(out, PIECE, PIECE_FIELDS_LEN as usize - 1 + block.len as usize);
                out.extend_from_slice(&block.piece.to_be_bytes());
                out.extend_from_slice(&block.begin.to_be_bytes());
            }
            Self::Cancel(block) => request(out, CANCEL, block),
            Self::Port(port) => {
                header(out, PORT, 2);
                out.extend_from_slice(&port.to_be_bytes());
            }
            Self::Suggest(piece) => number(out, SUGGEST, *piece),
            Self::HaveAll => header(out, HAVE_ALL, 0),
            Self::HaveNone => header(out, HAVE_NONE, 0),
            Self::Reject(block) => request(out, REJECT, block),
            Self::AllowedFast(piece) => number(out, ALLOWED_FAST, *piece),
            Self::Extended { id, payload } => {
                header(out, EXTENDED, 1 + payload.len());
                out.push(*id);
                out.extend_from_slice(payload);
            }
        }
    }
}

/// The length and the number of a message with that many bytes after both.
///
/// # Panics
///
/// Of 4 GiB and more, which no message that we build comes near.
fn header(out: &mut Vec<u8>, id: u8, payload: usize) {
    let len = u32::try_from(1 + payload).expect("our messages are short");
    out.extend_from_slice(&len.to_be_bytes());
    out.push(id);
}

fn number(out: &mut Vec<u8>, id: u8, piece: u32) {
    header(out, id, 4);
    out.extend_from_slice(&piece.to_be_bytes());
}

fn request(out: &mut Vec<u8>, id: u8, block: &Block) {
    header(out, id, BLOCK_HEADER_LEN - 1);
    for field in [block.piece, block.begin, block.len] {
        out.extend_from_slice(&field.to_be_bytes());
    }
}
