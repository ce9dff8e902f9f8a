//! Bytes that come from a peer.
//!
//! A peer answers requests in their order, so that what comes next is mostly
//! known: the rest of this block, the header of the next, its bytes, and so on.
//! The bytes are therefore received straight into their places in the pieces,
//! many blocks with one call, and only the headers are looked at. What turns out
//! to be something else is copied out and read in the ordinary way; the place
//! where it lay was that of a missing block, in which nothing was lost.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSliceMut, Read};

use smallvec::SmallVec;
use transfer::mse::Rc4;
use transfer::session::{Admission, LinkId, Session};
use transfer::wire::{self, Frame, Limits, WireError};
use transfer::{BLOCK_LEN, Block};

use crate::assembly::{Assemblies, Assembly, BlockState};
use crate::outbox::{BLOCK_HEADER_LEN, block_header};
use crate::pool::BufferPool;

/// The most blocks that one call receives.
const FORECAST: usize = 16;
/// The most pieces that they may lie in.
const FORECAST_PIECES: usize = 4;
/// What is read at a time when nothing is known of what comes.
const READ_LEN: usize = 16 * 1024;
/// Requests whose order is remembered. More only makes the forecast worse.
const MAX_EXPECTED: usize = 2048;

/// What has been received of one connection and not yet understood.
#[derive(Debug, Default)]
pub struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    current: Option<Current>,
    expected: VecDeque<Block>,
    cipher: Option<Rc4>,
}

/// The block whose bytes come next.
#[derive(Clone, Copy, Debug)]
struct Current {
    block: Block,
    got: u32,
    /// Whether it is read only to be dropped.
    discard: bool,
}

/// Where what is received goes.
pub struct Desk<'a> {
    /// What decides.
    pub session: &'a mut Session,
    /// The pieces that are being received.
    pub assemblies: &'a mut Assemblies,
    /// Where their buffers are from.
    pub pool: &'a mut BufferPool,
    /// Who sends.
    pub link: LinkId,
    /// How long messages may be.
    pub limits: Limits,
    /// The time.
    pub now_us: u64,
}

/// Why nothing more is received.
#[derive(Debug)]
pub enum ReceiveError {
    /// The connection is gone; an end between messages is `UnexpectedEof` too.
    Io(io::Error),
    /// What came cannot be read.
    Malformed(WireError),
    /// The session closes the connection.
    Refused,
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Malformed(error) => error.fmt(f),
            Self::Refused => f.write_str("a block that is not admitted"),
        }
    }
}

impl From<WireError> for ReceiveError {
    fn from(error: WireError) -> Self {
        Self::Malformed(error)
    }
}

/// A stretch of what is expected.
#[derive(Clone, Copy)]
enum Stretch {
    /// The rest of a block's header.
    Header { block: Block, len: usize },
    /// Bytes of a block, from `from` on in the piece that was taken out as
    /// number `slot`.
    Payload { slot: usize, from: usize, len: usize },
}

impl Stretch {
    fn len(&self) -> usize {
        match self {
            Self::Header { len, .. } | Self::Payload { len, .. } => *len,
        }
    }
}

/// What is expected next, and the pieces that it goes to.
struct Forecast {
    stretches: SmallVec<[Stretch; 2 * FORECAST]>,
    taken: SmallVec<[(u32, Assembly); FORECAST_PIECES]>,
}

type Headers = [u8; BLOCK_HEADER_LEN * FORECAST];

impl Inbox {
    /// From now on what is received is decrypted.
    pub fn decrypt_with(&mut self, cipher: Rc4) {
        self.cipher = Some(cipher);
    }

    /// Adds bytes that were received, and decrypted, elsewhere.
    pub fn preload(&mut self, bytes: &[u8]) {
        self.append(bytes);
    }

    /// Notes a request, whose answer is expected after those of all before it.
    pub fn expect(&mut self, block: Block) {
        if self.expected.len() == MAX_EXPECTED {
            self.expected.pop_front();
        }
        self.expected.push_back(block);
    }

    /// Notes that a request was withdrawn.
    pub fn expect_not(&mut self, block: Block) {
        if let Some(at) = self.expected.iter().position(|expected| *expected == block) {
            self.expected.remove(at);
        }
    }

    /// The block that is being received into its place, if any.
    pub fn receiving(&self) -> Option<Block> {
        self.current.filter(|current| !current.discard).map(|current| current.block)
    }

    /// Drops the rest of a block of that piece, if one is being received.
    pub fn forget_piece(&mut self, piece: u32) {
        if let Some(current) = self.current.as_mut().filter(|now| now.block.piece == piece) {
            current.discard = true;
        }
    }

    /// The bytes that wait to be understood.
    pub fn waiting(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes `n` of the waiting bytes away.
    pub fn consume(&mut self, n: usize) {
        self.start += n;
        if self.start >= self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Receives bytes without looking at them: during handshakes.
    ///
    /// # Errors
    /// What the connection says; [`io::ErrorKind::UnexpectedEof`] at its end.
    pub fn fill(&mut self, stream: &mut impl Read, limit: usize) -> io::Result<(usize, bool)> {
        self.reserve(READ_LEN.min(limit));
        let room = (self.buffer.len() - self.end).min(limit);
        let n = stream.read(&mut self.buffer[self.end..self.end + room])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.decrypt(self.end, n);
        self.end += n;
        Ok((n, n == room))
    }

    /// Receives at most `limit` bytes and passes them on. Returns how many they
    /// were, and whether there may be more.
    ///
    /// # Errors
    /// When the connection is gone, or the peer broke the protocol.
    pub fn receive(
        &mut self,
        stream: &mut impl Read,
        limit: usize,
        desk: &mut Desk<'_>,
    ) -> Result<(usize, bool), ReceiveError> {
        if self.current.is_some_and(|current| current.discard) {
            return self.discard(stream, limit);
        }
        let forecast = self.forecast(limit, desk);
        if forecast.stretches.is_empty() {
            put_back(forecast, desk.assemblies);
            let (n, full) = self.fill(stream, limit).map_err(ReceiveError::Io)?;
            self.parse(desk)?;
            return Ok((n, full));
        }
        self.receive_forecast(stream, limit, forecast, desk)
    }

    /// Passes on what waits already.
    ///
    /// # Errors
    /// When the peer broke the protocol.
    pub fn parse(&mut self, desk: &mut Desk<'_>) -> Result<(), ReceiveError> {
        loop {
            if self.current.is_some() {
                self.take_payload(desk);
                if self.current.is_some() {
                    return Ok(());
                }
            }
            let Some((frame, len)) = wire::parse(self.waiting(), &desk.limits)? else {
                return Ok(());
            };
            self.consume(len);
            match frame {
                Frame::Message(message) => desk.session.message(desk.link, message, desk.now_us),
                Frame::Block(block) => {
                    if let Some(at) = self.expected.iter().position(|one| *one == block) {
                        // Those before it were skipped by the peer.
                        self.expected.drain(..=at);
                    }
                    self.begin(block, &mut [], desk)?;
                }
            }
        }
    }

    /// What comes next, as far as it is known.
    fn forecast(&self, limit: usize, desk: &mut Desk<'_>) -> Forecast {
        let mut forecast = Forecast { stretches: SmallVec::new(), taken: SmallVec::new() };
        let mut room = limit;
        let mut ends: SmallVec<[usize; FORECAST_PIECES]> = SmallVec::new();
        if let Some(Current { block, got, .. }) = self.current {
            let Some(slot) = take(&mut forecast, &mut ends, &block, desk.assemblies) else {
                return forecast;
            };
            let from = (block.begin + got) as usize;
            let len = (block.len - got) as usize;
            ends[slot] = from + len;
            forecast.stretches.push(Stretch::Payload { slot, from, len });
            room = room.saturating_sub(len);
        }
        let waiting = self.waiting();
        let mut header_got = waiting.len();
        for block in self.expected.iter().take(FORECAST - 1) {
            if room < BLOCK_HEADER_LEN || !block_header(block).starts_with(&waiting[..header_got]) {
                break;
            }
            let Some(slot) = take(&mut forecast, &mut ends, block, desk.assemblies) else { break };
            let assembly = &forecast.taken[slot].1;
            let from = block.begin as usize;
            let fits = assembly.contains(block)
                && assembly.state(block) == Some(BlockState::Missing)
                && from >= ends[slot];
            if !fits {
                break;
            }
            let len = block.len as usize;
            ends[slot] = from + len;
            let header_len = BLOCK_HEADER_LEN - header_got;
            forecast.stretches.push(Stretch::Header { block: *block, len: header_len });
            forecast.stretches.push(Stretch::Payload { slot, from, len });
            room = room.saturating_sub(header_len + len);
            header_got = 0;
        }
        forecast
    }

    fn receive_forecast(
        &mut self,
        stream: &mut impl Read,
        limit: usize,
        mut forecast: Forecast,
        desk: &mut Desk<'_>,
    ) -> Result<(usize, bool), ReceiveError> {
        let mut headers: Headers = [0; BLOCK_HEADER_LEN * FORECAST];
        let read = read_into(stream, limit, &mut forecast, &mut headers, desk.pool);
        let result = match read {
            Ok((0, _)) => Err(ReceiveError::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok((n, full)) => {
                self.walk(n, &mut forecast, &mut headers, desk).map(|parse| (n, full, parse))
            }
            Err(error) => Err(ReceiveError::Io(error)),
        };
        put_back(forecast, desk.assemblies);
        let (n, full, must_parse) = result?;
        if must_parse {
            self.parse(desk)?;
        }
        Ok((n, full))
    }

    /// Looks at what has been received by a forecast. Returns whether something
    /// else came, which now waits in the buffer.
    fn walk(
        &mut self,
        received: usize,
        forecast: &mut Forecast,
        headers: &mut [u8],
        desk: &mut Desk<'_>,
    ) -> Result<bool, ReceiveError> {
        let mut left = received;
        let mut headers = headers;
        for at in 0..forecast.stretches.len() {
            if left == 0 {
                break;
            }
            let stretch = forecast.stretches[at];
            let here = left.min(stretch.len());
            match stretch {
                Stretch::Payload { slot, from, .. } => {
                    if let Some(cipher) = &mut self.cipher {
                        let bytes = forecast.taken[slot].1.buffer(desk.pool).bytes_mut();
                        cipher.apply(&mut bytes[from..from + here]);
                    }
                    self.advance(here, &mut forecast.taken, desk);
                }
                Stretch::Header { block, len } => {
                    let (header, later) = headers.split_at_mut(len);
                    let came = &mut header[..here];
                    if let Some(cipher) = &mut self.cipher {
                        cipher.apply(came);
                    }
                    let expected = &block_header(&block)[BLOCK_HEADER_LEN - len..];
                    if here < len || came != expected {
                        self.append(came);
                        self.spill(left - here, at + 1, forecast, later);
                        return Ok(true);
                    }
                    headers = later;
                    // Its first bytes may have been waiting here.
                    self.consume(BLOCK_HEADER_LEN - len);
                    self.expected.pop_front();
                    self.begin(block, &mut forecast.taken, desk)?;
                    if self.current.is_some_and(|current| current.discard) {
                        // What is left is read in the ordinary way, which drops it.
                        self.spill(left - here, at + 1, forecast, headers);
                        return Ok(true);
                    }
                }
            }
            left -= here;
        }
        Ok(false)
    }

    /// Counts bytes of a block that is dropped; returns how many they were.
    fn drop_payload(&mut self, available: usize) -> usize {
        let Some(current) = &mut self.current else { return 0 };
        let len = available.min((current.block.len - current.got) as usize);
        current.got += len as u32;
        if current.got == current.block.len {
            self.current = None;
        }
        len
    }

    /// Copies to the buffer what lies in the places of stretches from `at` on.
    fn spill(&mut self, mut left: usize, at: usize, forecast: &Forecast, headers: &[u8]) {
        let mut headers = headers;
        let begin = self.end - self.start;
        for stretch in &forecast.stretches[at..] {
            let here = left.min(stretch.len());
            match *stretch {
                Stretch::Header { len, .. } => {
                    let (header, later) = headers.split_at(len);
                    self.append(&header[..here]);
                    headers = later;
                }
                Stretch::Payload { slot, from, .. } => {
                    if let Some(bytes) = forecast.taken[slot].1.bytes() {
                        self.append(&bytes[from..from + here]);
                    }
                }
            }
            left -= here;
        }
        let from = self.start + begin;
        self.decrypt(from, self.end - from);
    }

    fn decrypt(&mut self, from: usize, len: usize) {
        if let Some(cipher) = &mut self.cipher {
            cipher.apply(&mut self.buffer[from..from + len]);
        }
    }

    /// Asks whether a block is admitted.
    fn begin(
        &mut self,
        block: Block,
        taken: &mut [(u32, Assembly)],
        desk: &mut Desk<'_>,
    ) -> Result<(), ReceiveError> {
        let admission = desk.session.block_begins(desk.link, block, desk.now_us);
        let discard = match admission {
            Admission::Receive => false,
            Admission::Discard => true,
            Admission::Refuse => return Err(ReceiveError::Refused),
        };
        if !discard {
            match find(taken, desk.assemblies, block.piece) {
                Some(assembly) if assembly.contains(&block) => {
                    assembly.set_state(&block, BlockState::Receiving);
                }
                // A block that was never requested here: a bug, but no reason to
                // write where it does not belong.
                _ => return Err(ReceiveError::Refused),
            }
        }
        self.current = Some(Current { block, got: 0, discard });
        Ok(())
    }

    /// Counts bytes of the current block that lie in their place.
    fn advance(&mut self, n: usize, taken: &mut [(u32, Assembly)], desk: &mut Desk<'_>) {
        let Some(current) = &mut self.current else { return };
        current.got += n as u32;
        let block = current.block;
        if current.got < block.len {
            return;
        }
        let discarded = current.discard;
        self.current = None;
        if !discarded {
            if let Some(assembly) = find(taken, desk.assemblies, block.piece) {
                assembly.set_state(&block, BlockState::Full);
            }
            desk.session.block_received(desk.link, block, desk.now_us);
        }
    }

    /// Moves waiting bytes of the current block to their place.
    fn take_payload(&mut self, desk: &mut Desk<'_>) {
        let Some(current) = self.current else { return };
        let len = ((current.block.len - current.got) as usize).min(self.waiting().len());
        if len == 0 {
            return;
        }
        if !current.discard
            && let Some(assembly) = desk.assemblies.get_mut(current.block.piece)
        {
            let from = (current.block.begin + current.got) as usize;
            let bytes = assembly.buffer(desk.pool).bytes_mut();
            bytes[from..from + len].copy_from_slice(&self.buffer[self.start..self.start + len]);
        }
        self.consume(len);
        self.advance(len, &mut [], desk);
    }

    fn discard(
        &mut self,
        stream: &mut impl Read,
        limit: usize,
    ) -> Result<(usize, bool), ReceiveError> {
        let mut waste = [0; BLOCK_LEN as usize];
        let Some(current) = self.current else { return Ok((0, true)) };
        let room = waste.len().min(limit).min((current.block.len - current.got) as usize);
        let n = stream.read(&mut waste[..room]).map_err(ReceiveError::Io)?;
        if n == 0 {
            return Err(ReceiveError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Some(cipher) = &mut self.cipher {
            cipher.apply(&mut waste[..n]);
        }
        self.drop_payload(n);
        Ok((n, n == room))
    }

    fn append(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.buffer[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    fn reserve(&mut self, len: usize) {
        if self.end + len > self.buffer.len() && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end + len > self.buffer.len() {
            self.buffer.resize(self.end + len, 0);
        }
    }
}

/// Takes the block's piece out, if it is there; its number among those taken.
fn take(
    forecast: &mut Forecast,
    ends: &mut SmallVec<[usize; FORECAST_PIECES]>,
    block: &Block,
    assemblies: &mut Assemblies,
) -> Option<usize> {
    if let Some(slot) = forecast.taken.iter().position(|(piece, _)| *piece == block.piece) {
        return Some(slot);
    }
    if forecast.taken.len() == FORECAST_PIECES {
        return None;
    }
    forecast.taken.push((block.piece, assemblies.take(block.piece)?));
    ends.push(0);
    Some(forecast.taken.len() - 1)
}

fn put_back(forecast: Forecast, assemblies: &mut Assemblies) {
    for (piece, assembly) in forecast.taken {
        assemblies.put_back(piece, assembly);
    }
}

fn find<'a>(
    taken: &'a mut [(u32, Assembly)],
    assemblies: &'a mut Assemblies,
    piece: u32,
) -> Option<&'a mut Assembly> {
    match taken.iter_mut().find(|(one, _)| *one == piece) {
        Some((_, assembly)) => Some(assembly),
        None => assemblies.get_mut(piece),
    }
}

/// One call that receives into all places of the forecast. Returns how many
/// bytes came, and whether that was all that there was room for.
fn read_into(
    stream: &mut impl Read,
    limit: usize,
    forecast: &mut Forecast,
    headers: &mut Headers,
    pool: &mut BufferPool,
) -> io::Result<(usize, bool)> {
    let mut rests: SmallVec<[(usize, &mut [u8]); FORECAST_PIECES]> = forecast
        .taken
        .iter_mut()
        .map(|(_, assembly)| (0, assembly.buffer(pool).bytes_mut()))
        .collect();
    let mut headers: &mut [u8] = headers;
    let mut room = limit;
    let mut slices: SmallVec<[IoSliceMut<'_>; 2 * FORECAST]> = SmallVec::new();
    for stretch in &forecast.stretches {
        let len = stretch.len().min(room);
        if len == 0 {
            break;
        }
        room -= len;
        match *stretch {
            Stretch::Header { .. } => {
                let (header, later) = std::mem::take(&mut headers).split_at_mut(stretch.len());
                slices.push(IoSliceMut::new(&mut header[..len]));
                headers = later;
            }
            Stretch::Payload { slot, from, .. } => {
                // The blocks of a piece come in order, so that the rest of its
                // buffer only ever shrinks from the front.
                let (at, rest) = &mut rests[slot];
                let (_, rest_from) = std::mem::take(rest).split_at_mut(from - *at);
                let (place, later) = rest_from.split_at_mut(len);
                *at = from + len;
                *rest = later;
                slices.push(IoSliceMut::new(place));
            }
        }
    }
    let n = stream.read_vectored(&mut slices)?;
    Ok((n, n == limit - room))
}
