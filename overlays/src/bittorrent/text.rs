//! The text forms that URLs use: percent-encoding, hexadecimal, pairs.

use crate::seam::{Key, Writer};

/// Whether a byte stands for itself in a URL (RFC 3986 §2.3).
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Writes `bytes` percent-encoded.
pub fn escape(w: &mut Writer, bytes: &[u8]) {
    for &byte in bytes {
        if is_unreserved(byte) {
            w.u8(byte);
        } else {
            w.bytes(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

/// Bytes that [`escape`] writes.
pub fn escaped_len(bytes: &[u8]) -> usize {
    bytes.iter().map(|&byte| if is_unreserved(byte) { 1 } else { 3 }).sum()
}

fn digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

/// The bytes behind percent-encoded text; `None` when an escape is broken.
pub fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            bytes.push(high << 4 | low);
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}

/// The twenty bytes behind percent-encoded text.
pub fn unescape_key(text: &[u8]) -> Option<Key> {
    unescape(text)?.try_into().ok().map(Key::from_bytes)
}

/// Writes a key in 40 hexadecimal digits.
pub fn hex(w: &mut Writer, key: Key) {
    w.bytes(key.to_string().as_bytes());
}

/// The number that decimal digits write.
pub fn number(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if digits { core::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// The pairs of `a=1&b=2`, still encoded.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|&byte| byte == b'&').filter_map(|pair| {
        let at = pair.iter().position(|&byte| byte == b'=')?;
        Some((&pair[..at], &pair[at + 1..]))
    })
}
