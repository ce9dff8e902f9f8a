//! Reading and writing wire formats: bounded, and never panicking on input.

use core::fmt;

use super::addr::Addr;
use super::key::Key;

/// A message enum that can cross a wire.
pub trait Wire: Clone + fmt::Debug + PartialEq + Send + 'static {
    /// The names of the message kinds, as the reports print them.
    const KINDS: &'static [&'static str];

    /// The largest encoding that is accepted, in bytes.
    const MAX_BYTES: usize = 64 * 1024;

    /// Which of [`Wire::KINDS`] this message is.
    fn kind(&self) -> usize;

    /// Whether it answers an earlier message rather than going forward.
    /// Replies do not count as hops.
    fn is_reply(&self) -> bool;

    /// How many bytes [`Wire::encode`] writes; must take constant or nearly
    /// constant time, since the simulator asks it of every message.
    fn encoded_len(&self) -> usize;

    /// Writes the message.
    fn encode(&self, w: &mut Writer);

    /// Reads one message. The host checks that nothing is left over.
    ///
    /// # Errors
    /// When the bytes are not a message; the host counts and drops it.
    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError>;

    /// The encoding as fresh bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(self.encoded_len());
        self.encode(&mut w);
        w.into_bytes()
    }

    /// Reads a message that must fill `bytes` exactly.
    ///
    /// # Errors
    /// When the bytes are not exactly one message.
    fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let message = Self::decode(&mut r)?;
        r.finish()?;
        Ok(message)
    }
}

/// Why bytes could not be read as a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireError {
    /// Bytes read before the trouble.
    pub offset: usize,
    /// What was being read.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What was wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The input ended this many bytes early.
    Short(usize),
    /// The value is not one the field can have.
    Invalid(u64),
    /// Text that is not UTF-8.
    NotText,
    /// This many bytes follow the message.
    Trailing(usize),
    /// A count or length above the limit.
    TooLong(u64),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {}: {}: ", self.offset, self.field)?;
        match self.problem {
            Problem::Short(by) => write!(f, "{by} bytes are missing"),
            Problem::Invalid(value) => write!(f, "{value} is not a valid value"),
            Problem::NotText => f.write_str("not UTF-8"),
            Problem::Trailing(by) => write!(f, "{by} bytes too many"),
            Problem::TooLong(value) => write!(f, "{value} is over the limit"),
        }
    }
}

impl std::error::Error for WireError {}

/// Reads fields from a slice. Multi-byte numbers are big-endian unless the
/// name ends in `_le`.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes not read yet.
    pub const fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Bytes read so far.
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// The error for a field with an impossible value.
    pub const fn invalid(&self, field: &'static str, value: u64) -> WireError {
        WireError { offset: self.at, field, problem: Problem::Invalid(value) }
    }

    /// The error for a count or length over its limit.
    pub const fn too_long(&self, field: &'static str, value: u64) -> WireError {
        WireError { offset: self.at, field, problem: Problem::TooLong(value) }
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn take(&mut self, n: usize, field: &'static str) -> Result<&'a [u8], WireError> {
        let rest = &self.bytes[self.at..];
        match rest.get(..n) {
            Some(taken) => {
                self.at += n;
                Ok(taken)
            }
            None => {
                Err(WireError { offset: self.at, field, problem: Problem::Short(n - rest.len()) })
            }
        }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, field)?);
        Ok(array)
    }

    /// One byte.
    ///
    /// # Errors
    /// When the input ends early; so for all readers below.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>("byte")?[0])
    }

    /// A byte that must be 0 or 1.
    ///
    /// # Errors
    /// When it is neither, or missing.
    pub fn bool(&mut self) -> Result<bool, WireError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.invalid("flag", u64::from(other))),
        }
    }

    /// A 16-bit number.
    ///
    /// # Errors
    /// When the input ends early.
    pub fn u16(&mut self) -> Result<u16, WireError> {
        self.array("16-bit number").map(u16::from_be_bytes)
    }

    /// A 32-bit number.
    ///
    /// # Errors
    /// When the input ends early.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        self.array("32-bit number").map(u32::from_be_bytes)
    }

    /// A 64-bit number.
    ///
    /// # Errors
    /// When the input ends early.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        self.array("64-bit number").map(u64::from_be_bytes)
    }

    /// A little-endian 16-bit number.
    ///
    /// # Errors
    /// When the input ends early.
    pub fn u16_le(&mut self) -> Result<u16, WireError> {
        self.array("16-bit number").map(u16::from_le_bytes)
    }

    /// A little-endian 32-bit number.
    ///
    /// # Errors
    /// When the input ends early.
    pub fn u32_le(&mut self) -> Result<u32, WireError> {
        self.array("32-bit number").map(u32::from_le_bytes)
    }

    /// A key.
    ///
    /// # Errors
    /// When the input ends early.
    pub fn key(&mut self) -> Result<Key, WireError> {
        self.array("key").map(Key::from_bytes)
    }

    /// An address.
    ///
    /// # Errors
    /// When the input ends early.
    pub fn addr(&mut self) -> Result<Addr, WireError> {
        self.array("address").map(Addr::from_bytes)
    }

    /// A text of up to 255 bytes behind its length in one byte.
    ///
    /// # Errors
    /// When the input ends early or is not UTF-8.
    pub fn short_text(&mut self) -> Result<&'a str, WireError> {
        let len = self.u8()?;
        let bytes = self.take(usize::from(len), "text")?;
        core::str::from_utf8(bytes).map_err(|_| WireError {
            offset: self.at,
            field: "text",
            problem: Problem::NotText,
        })
    }

    /// A 16-bit count of things that take at least `min_bytes` each: refused
    /// above `limit` or when the input cannot hold that many, so that nothing
    /// is reserved on a stranger's word.
    ///
    /// # Errors
    /// When the count is missing, over the limit, or more than what follows.
    pub fn count(
        &mut self,
        field: &'static str,
        limit: usize,
        min_bytes: usize,
    ) -> Result<usize, WireError> {
        let count = usize::from(self.u16()?);
        if count > limit {
            return Err(self.too_long(field, count as u64));
        }
        let need = count * min_bytes;
        if need > self.remaining() {
            let problem = Problem::Short(need - self.remaining());
            return Err(WireError { offset: self.at, field, problem });
        }
        Ok(count)
    }

    /// Checks that everything was read.
    ///
    /// # Errors
    /// When bytes are left over.
    pub fn finish(&self) -> Result<(), WireError> {
        match self.remaining() {
            0 => Ok(()),
            n => Err(WireError { offset: self.at, field: "end", problem: Problem::Trailing(n) }),
        }
    }
}

/// Appends fields to bytes. Multi-byte numbers are big-endian unless the name
/// ends in `_le`.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// An empty writer with room for `n` bytes.
    pub fn with_capacity(n: usize) -> Self {
        Self { bytes: Vec::with_capacity(n) }
    }

    /// What was written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Raw bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// 0 or 1.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// A 16-bit number.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// A 32-bit number.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// A 64-bit number.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    /// A little-endian 16-bit number.
    pub fn u16_le(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    /// A little-endian 32-bit number.
    pub fn u32_le(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    /// A key.
    pub fn key(&mut self, key: Key) {
        self.bytes(&key.to_bytes());
    }

    /// An address.
    pub fn addr(&mut self, addr: Addr) {
        self.bytes(&addr.to_bytes());
    }

    /// A text behind its length in one byte; cut at 255 bytes.
    pub fn short_text(&mut self, text: &str) {
        let mut end = text.len().min(255);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.u8(end as u8);
        self.bytes(&text.as_bytes()[..end]);
    }

    /// A count of things that follow. Senders keep their lists within limits
    /// far below 65,535; a longer list is a bug of ours.
    pub fn count(&mut self, count: usize) {
        self.u16(u16::try_from(count).expect("lists in messages are kept under 65,536 entries"));
    }
}
