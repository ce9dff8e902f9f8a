//! The unit of requests.

/// The length of a block in bytes, but for the last of a torrent (BEP 3: peers
/// close the connection on requests for more).
pub const BLOCK_LEN: u32 = 16 * 1024;

/// A part of a piece, as it is requested, sent and cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// The piece's index.
    pub piece: u32,
    /// Where the block begins within its piece, in bytes.
    pub begin: u32,
    /// Its length in bytes.
    pub len: u32,
}
