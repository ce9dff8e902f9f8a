//! Frames: what surrounds an overlay's message on a socket.
//!
//! The layout is described in the [module above](super).

use overlays::wire::Problem;
use overlays::{Addr, Cause, OpId, Reader, Wire, WireError, Writer};

/// The version of the framing that is written and read.
pub const VERSION: u8 = 1;

/// The largest frame that goes into a datagram: what UDP over IPv4 can carry.
/// On loopback, which is what this host uses, such a datagram is not
/// fragmented.
pub const MAX_DATAGRAM_BYTES: usize = 65_507;

/// The largest header.
pub const MAX_HEADER_BYTES: usize = 16;

/// The smallest frame: a header without trace context and an empty message.
pub const MIN_BYTES: usize = 8;

/// The flag that says a trace context follows.
const TRACED: u8 = 1;

/// The part of a frame before the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Where the sender listens.
    pub sender: Addr,
    /// Why the message was sent, already counted one leg further.
    pub cause: Cause,
}

impl Header {
    /// Writes the header.
    pub fn encode(&self, w: &mut Writer) {
        let traced = self.cause != Cause::UPKEEP;
        w.u8(VERSION);
        w.u8(if traced { TRACED } else { 0 });
        w.addr(self.sender);
        if traced {
            w.u32(self.cause.op.0);
            w.u16(self.cause.hops);
            w.u16(self.cause.legs);
        }
    }

    /// Reads a header.
    ///
    /// # Errors
    /// When the input is too short, of another version, or has unknown flags.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        match r.u8()? {
            VERSION => {}
            other => return Err(r.invalid("version", u64::from(other))),
        }
        let flags = r.u8()?;
        if flags & !TRACED != 0 {
            return Err(r.invalid("flags", u64::from(flags)));
        }
        let sender = r.addr()?;
        let cause = if flags & TRACED == 0 {
            Cause::UPKEEP
        } else {
            Cause { op: OpId(r.u32()?), hops: r.u16()?, legs: r.u16()? }
        };
        Ok(Self { sender, cause })
    }
}

/// The largest frame that carries a message of type `M`.
pub const fn max_bytes<M: Wire>() -> usize {
    MAX_HEADER_BYTES + M::MAX_BYTES
}

/// A frame as fresh bytes.
pub fn encode<M: Wire>(header: &Header, message: &M) -> Vec<u8> {
    let mut w = Writer::with_capacity(MAX_HEADER_BYTES + message.encoded_len());
    header.encode(&mut w);
    message.encode(&mut w);
    w.into_bytes()
}

/// Reads a frame that must fill `bytes` exactly.
///
/// # Errors
/// When the header or the message cannot be read, or the message is larger
/// than its type allows.
pub fn decode<M: Wire>(bytes: &[u8]) -> Result<(Header, M), WireError> {
    let mut r = Reader::new(bytes);
    let header = Header::decode(&mut r)?;
    let rest = r.remaining();
    if rest > M::MAX_BYTES {
        let problem = Problem::TooLong(rest as u64);
        return Err(WireError { offset: r.offset(), field: "message", problem });
    }
    let message = M::decode(&mut r)?;
    r.finish()?;
    Ok((header, message))
}
