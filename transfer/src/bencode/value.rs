//! Values as parts of a checked input.

use core::fmt;
use core::ops::Range;

use super::check::{self, Limits};
use super::error::{BencodeError, Fault};

/// A bencoded value: a part of the input that was checked as a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    bytes: &'a [u8],
    offset: usize,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// A number, `i42e`.
    Int(i64),
    /// A byte string, `4:spam`.
    Bytes(&'a [u8]),
    /// A list, `l…e`.
    List(List<'a>),
    /// A dictionary, `d…e`.
    Dict(Dict<'a>),
}

/// A list of values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct List<'a> {
    /// All of it, from `l` to `e`.
    bytes: &'a [u8],
    offset: usize,
}

/// A dictionary of values under keys that differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Dict<'a> {
    /// All of it, from `d` to `e`.
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Value<'a> {
    /// The value that fills `bytes` exactly.
    ///
    /// # Errors
    /// When the input is no bencoded value, is over a limit, or goes on behind
    /// the value.
    pub fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Self, BencodeError> {
        if bytes.len() > limits.size {
            return Err(BencodeError::new(limits.size, Fault::Size(limits.size)));
        }
        let value = Self::parse_first(bytes, limits)?;
        match value.bytes.len() {
            len if len < bytes.len() => Err(BencodeError::new(len, Fault::Trailing)),
            _ => Ok(value),
        }
    }

    /// The value that `bytes` begin with; more may follow.
    ///
    /// # Errors
    /// As [`Value::parse`]; the size is that of the value alone.
    pub fn parse_first(bytes: &'a [u8], limits: &Limits) -> Result<Self, BencodeError> {
        let within = &bytes[..bytes.len().min(limits.size)];
        match check::check(within, limits) {
            Ok(len) => Ok(Self { bytes: &bytes[..len], offset: 0 }),
            // What the cut made of it is no news about the input.
            Err(BencodeError { fault: Fault::Ends | Fault::Length, .. })
                if within.len() < bytes.len() =>
            {
                Err(BencodeError::new(limits.size, Fault::Size(limits.size)))
            }
            Err(error) => Err(error),
        }
    }

    /// The bytes of the value itself.
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Where they stand in the input that was parsed.
    pub const fn span(self) -> Range<usize> {
        self.offset..self.offset + self.bytes.len()
    }

    /// What the value is.
    pub fn kind(self) -> Kind<'a> {
        match self.bytes.first() {
            Some(b'i') => Kind::Int(check::int(self.bytes, 0).map_or(0, |(number, _)| number)),
            Some(b'l') => Kind::List(List { bytes: self.bytes, offset: self.offset }),
            Some(b'd') => Kind::Dict(Dict { bytes: self.bytes, offset: self.offset }),
            _ => Kind::Bytes(check::string(self.bytes, 0).map_or(&[], |(bytes, _)| bytes)),
        }
    }

    /// The number, if it is one.
    pub fn as_int(self) -> Option<i64> {
        match self.kind() {
            Kind::Int(number) => Some(number),
            _ => None,
        }
    }

    /// The byte string, if it is one.
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        match self.kind() {
            Kind::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The byte string as text, if it is one and UTF-8.
    pub fn as_str(self) -> Option<&'a str> {
        core::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The list, if it is one.
    pub fn as_list(self) -> Option<List<'a>> {
        match self.kind() {
            Kind::List(list) => Some(list),
            _ => None,
        }
    }

    /// The dictionary, if it is one.
    pub fn as_dict(self) -> Option<Dict<'a>> {
        match self.kind() {
            Kind::Dict(dict) => Some(dict),
            _ => None,
        }
    }
}

impl<'a> List<'a> {
    /// The values, in order.
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        let mut items = Items::new(self.bytes, self.offset);
        core::iter::from_fn(move || items.next_value())
    }

    /// The number of values; counting walks the list.
    pub fn count(self) -> usize {
        self.iter().count()
    }
}

impl<'a> Dict<'a> {
    /// The dictionary that these checked bytes are.
    pub(super) const fn checked(bytes: &'a [u8], offset: usize) -> Self {
        Self { bytes, offset }
    }

    /// The pairs, in the order in which they stand.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], Value<'a>)> {
        let mut items = Items::new(self.bytes, self.offset);
        core::iter::from_fn(move || Some((items.next_value()?.as_bytes()?, items.next_value()?)))
    }

    /// The value under `key`. Looking for one walks the dictionary.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        self.iter().find_map(|(at, value)| (at == key.as_bytes()).then_some(value))
    }

    /// The number under `key`, if a number is there.
    pub fn int(self, key: &str) -> Option<i64> {
        self.get(key)?.as_int()
    }

    /// The byte string under `key`, if one is there.
    pub fn bytes(self, key: &str) -> Option<&'a [u8]> {
        self.get(key)?.as_bytes()
    }

    /// The text under `key`, if a byte string is there and UTF-8.
    pub fn str(self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// The list under `key`, if one is there.
    pub fn list(self, key: &str) -> Option<List<'a>> {
        self.get(key)?.as_list()
    }

    /// The dictionary under `key`, if one is there.
    pub fn dict(self, key: &str) -> Option<Self> {
        self.get(key)?.as_dict()
    }

    /// The bytes of the dictionary itself, from `d` to `e`.
    pub const fn raw(self) -> &'a [u8] {
        self.bytes
    }

    /// Where they stand in the input that was parsed.
    pub const fn span(self) -> Range<usize> {
        self.offset..self.offset + self.bytes.len()
    }
}

/// What stands one behind the other in a list or a dictionary.
struct Items<'a> {
    /// The rest of it, up to and with the `e` that ends it.
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Items<'a> {
    /// Of a list or dictionary, from its first byte on.
    fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { rest: bytes.get(1..).unwrap_or_default(), offset: offset + 1 }
    }

    /// The next value; `None` at the end.
    fn next_value(&mut self) -> Option<Value<'a>> {
        if *self.rest.first()? == b'e' {
            return None;
        }
        let (bytes, rest) = self.rest.split_at_checked(len_of_checked(self.rest)?)?;
        let value = Value { bytes, offset: self.offset };
        self.rest = rest;
        self.offset += bytes.len();
        Some(value)
    }
}

/// The length of the first value of checked bytes.
fn len_of_checked(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        at = match bytes.get(at)? {
            b'i' => check::int(bytes, at).ok()?.1,
            b'l' | b'd' => {
                depth += 1;
                at + 1
            }
            b'e' => {
                depth = depth.checked_sub(1)?;
                at + 1
            }
            _ => check::string(bytes, at).ok()?.1,
        };
        if depth == 0 {
            return Some(at);
        }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} at {})", self.bytes.escape_ascii(), self.offset)
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "List({} at {})", self.bytes.escape_ascii(), self.offset)
    }
}

impl fmt::Debug for Dict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dict({} at {})", self.bytes.escape_ascii(), self.offset)
    }
}

#[cfg(test)]
mod tests;
