//! The messages after the handshake.

use crate::block::Block;

/// A message between peers.
///
/// The bytes of a block are not in here: whoever sends or receives
/// [`Message::Piece`] has them in a buffer or a file and moves them himself, so
/// that no block is copied on its way and the simulator needs none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Nothing; keeps the connection open (BEP 3).
    KeepAlive,
    /// Requests will not be answered from now on.
    Choke,
    /// Requests will be answered from now on.
    Unchoke,
    /// The sender wants pieces that the receiver has.
    Interested,
    /// The sender wants none of the receiver's pieces.
    NotInterested,
    /// The sender has got this piece.
    Have(u32),
    /// The pieces that the sender has, one bit each, the highest bit first.
    Bitfield(Vec<u8>),
    /// Send me this block.
    Request(Block),
    /// This block, whose bytes follow.
    Piece(Block),
    /// No longer send me this block.
    Cancel(Block),
    /// The UDP port of the sender's DHT node (BEP 5).
    Port(u16),
    /// This piece is cheap for the sender to give (BEP 6).
    Suggest(u32),
    /// The sender has all pieces (BEP 6).
    HaveAll,
    /// The sender has no piece (BEP 6).
    HaveNone,
    /// This request will not be answered (BEP 6).
    Reject(Block),
    /// This piece may be requested although choked (BEP 6).
    AllowedFast(u32),
    /// A message of the extension protocol (BEP 10): 0 is its handshake, other
    /// numbers are those that the receiver gave out in his.
    Extended {
        /// The receiver's number of the message, or 0.
        id: u8,
        /// What follows it.
        payload: Vec<u8>,
    },
}
