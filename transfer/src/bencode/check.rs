//! The one pass over the input that finds out whether it is bencoded.

use super::error::{BencodeError, Fault};
use super::value::Dict;
use super::write::string_len;

/// What an input may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes.
    pub size: usize,
    /// How deep lists and dictionaries may lie within each other: 1 lets one
    /// hold numbers and strings alone.
    pub depth: usize,
    /// The order that the keys of a dictionary must have.
    pub key_order: KeyOrder,
}

/// The order that the keys of a dictionary must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyOrder {
    /// Ascending as raw bytes, as BEP 3 wants it.
    #[default]
    Sorted,
    /// Any. Some programs write metainfo that way, and as an info-hash is taken
    /// over the bytes as they are, it means the same to all who read it. Even
    /// so no key may stand twice, for readers differ in which one counts.
    Any,
}

impl Limits {
    /// Values within `size` bytes, nested up to 100 deep, keys in order.
    pub const fn new(size: usize) -> Self {
        Self { size, depth: 100, key_order: KeyOrder::Sorted }
    }

    /// The same with another depth.
    #[must_use]
    pub const fn depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// The same with another order of keys.
    #[must_use]
    pub const fn key_order(self, key_order: KeyOrder) -> Self {
        Self { key_order, ..self }
    }
}

/// A list or dictionary that has not ended yet.
enum Open<'a> {
    List,
    Dict { start: usize, last_key: Option<&'a [u8]>, is_sorted: bool },
}

/// The length of the value that the input begins with.
pub(super) fn check(bytes: &[u8], limits: &Limits) -> Result<usize, BencodeError> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut at = 0;
    loop {
        let first = *bytes.get(at).ok_or(BencodeError::new(at, Fault::Ends))?;
        let ends = first == b'e' && !open.is_empty();
        if ends {
            at += 1;
            if let Some(Open::Dict { start, is_sorted: false, .. }) = open.pop() {
                check_no_key_twice(&bytes[start..at], start)?;
            }
        } else {
            if let Some(Open::Dict { last_key, is_sorted, .. }) = open.last_mut() {
                at = key(bytes, at, limits.key_order, last_key, is_sorted)?;
            }
            let first = *bytes.get(at).ok_or(BencodeError::new(at, Fault::Ends))?;
            let start = at;
            at = match first {
                b'i' => int(bytes, at)?.1,
                b'0'..=b'9' => string(bytes, at)?.1,
                b'l' | b'd' => {
                    if open.len() == limits.depth {
                        return Err(BencodeError::new(at, Fault::Depth(limits.depth)));
                    }
                    open.push(match first {
                        b'l' => Open::List,
                        _ => Open::Dict { start, last_key: None, is_sorted: true },
                    });
                    at + 1
                }
                b'e' if !open.is_empty() => return Err(BencodeError::new(at, Fault::NoValue)),
                other => return Err(BencodeError::new(at, Fault::Type(other))),
            };
        }
        if open.is_empty() {
            return Ok(at);
        }
    }
}

/// Checks the key at `at` against the one before it, and returns where its
/// value begins.
fn key<'a>(
    bytes: &'a [u8],
    at: usize,
    order: KeyOrder,
    last_key: &mut Option<&'a [u8]>,
    is_sorted: &mut bool,
) -> Result<usize, BencodeError> {
    let (key, end) = string(bytes, at)?;
    if let Some(last) = *last_key {
        if last == key {
            return Err(BencodeError::new(at, Fault::Twice));
        }
        if last > key {
            if order == KeyOrder::Sorted {
                return Err(BencodeError::new(at, Fault::Order));
            }
            *is_sorted = false;
        }
    }
    *last_key = Some(key);
    Ok(end)
}

/// Keys out of order can stand twice without standing beside each other.
fn check_no_key_twice(dict: &[u8], start: usize) -> Result<(), BencodeError> {
    let mut keys: Vec<(&[u8], usize)> =
        Dict::checked(dict, start).iter().map(|(key, value)| (key, value.span().start)).collect();
    keys.sort_unstable();
    match keys.array_windows().find(|[(key, _), (next, _)]| key == next) {
        // A key stands directly before its value.
        Some([_, (key, value_at)]) => {
            Err(BencodeError::new(value_at - string_len(key.len()), Fault::Twice))
        }
        None => Ok(()),
    }
}

/// The number that begins at `at` with an `i`, and where it ends.
pub(super) fn int(bytes: &[u8], at: usize) -> Result<(i64, usize), BencodeError> {
    let is_negative = bytes.get(at + 1) == Some(&b'-');
    let digits_at = at + 1 + usize::from(is_negative);
    let (magnitude, end) = digits(bytes, digits_at, b'e')?;
    let number = match is_negative {
        false => i64::try_from(magnitude).ok(),
        true if magnitude == 0 => return Err(BencodeError::new(at, Fault::Zero)),
        true => 0_i64.checked_sub_unsigned(magnitude),
    };
    Ok((number.ok_or(BencodeError::new(at, Fault::Number))?, end))
}

/// The byte string that begins at `at` with a digit, and where it ends.
pub(super) fn string(bytes: &[u8], at: usize) -> Result<(&[u8], usize), BencodeError> {
    let (len, start) = digits(bytes, at, b':')?;
    let end = usize::try_from(len).ok().and_then(|len| start.checked_add(len));
    let found = end.and_then(|end| Some((bytes.get(start..end)?, end)));
    found.ok_or(BencodeError::new(at, Fault::Length))
}

/// Decimal digits up to the byte `end`, and the offset behind that.
fn digits(bytes: &[u8], start: usize, end: u8) -> Result<(u64, usize), BencodeError> {
    let mut value = 0_u64;
    let mut at = start;
    loop {
        match bytes.get(at) {
            None => return Err(BencodeError::new(at, Fault::Ends)),
            Some(&byte) if byte == end && at > start => break,
            Some(&byte) if byte.is_ascii_digit() => {
                if at > start && bytes[start] == b'0' {
                    return Err(BencodeError::new(start, Fault::Zero));
                }
                let more =
                    value.checked_mul(10).and_then(|v| v.checked_add(u64::from(byte - b'0')));
                value = more.ok_or(BencodeError::new(start, Fault::Number))?;
            }
            Some(_) => return Err(BencodeError::new(at, Fault::Digit)),
        }
        at += 1;
    }
    Ok((value, at + 1))
}
