//! Bencoding (BEP 3): numbers, byte strings, lists and dictionaries.
//!
//! Strict: a number has no leading zeros and no negative zero, a dictionary's
//! keys are sorted and differ. So every value has one encoding, and what was
//! read writes back to the same bytes. Bounded: no value nests deeper than
//! [`MAX_DEPTH`], and nothing is reserved on the word of the input.

use crate::seam::{Reader, WireError, Writer};

/// How deep lists and dictionaries may lie within each other.
pub const MAX_DEPTH: usize = 8;

/// The most digits of a number or a length: those of 2^63.
const MAX_DIGITS: usize = 19;

/// A value, borrowed from the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number, `i42e`.
    Int(i64),
    /// A byte string, `4:spam`.
    Bytes(&'a [u8]),
    /// A list, `l…e`.
    List(Vec<Value<'a>>),
    /// A dictionary, `d…e`, in order of its keys.
    Dict(Dict<'a>),
}

/// A dictionary: pairs in ascending order of their keys.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Dict<'a> {
    pairs: Vec<(&'a [u8], Value<'a>)>,
}

impl<'a> Dict<'a> {
    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        let at = self.pairs.binary_search_by_key(&key.as_bytes(), |(key, _)| key).ok()?;
        Some(&self.pairs[at].1)
    }

    /// The number under `key`, if a number is there.
    pub fn int(&self, key: &str) -> Option<i64> {
        match self.get(key)? {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The byte string under `key`, if one is there.
    pub fn bytes(&self, key: &str) -> Option<&'a [u8]> {
        match self.get(key)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The list under `key`, if one is there.
    pub fn list(&self, key: &str) -> Option<&[Value<'a>]> {
        match self.get(key)? {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// The dictionary under `key`, if one is there.
    pub fn dict(&self, key: &str) -> Option<&Dict<'a>> {
        match self.get(key)? {
            Value::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// All pairs, in order of their keys.
    pub fn pairs(&self) -> &[(&'a [u8], Value<'a>)] {
        &self.pairs
    }
}

impl<'a> Value<'a> {
    /// The dictionary, if it is one.
    pub const fn as_dict(&self) -> Option<&Dict<'a>> {
        match self {
            Self::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// The byte string, if it is one.
    pub const fn as_bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Reads one value and leaves what follows it.
    ///
    /// # Errors
    /// When the input ends early, nests too deep or is not in the one form
    /// that the value has.
    pub fn read(r: &mut Reader<'a>) -> Result<Self, WireError> {
        let first = r.u8()?;
        Self::read_after(r, first, 0)
    }

    /// Reads the value that fills `bytes` exactly.
    ///
    /// # Errors
    /// As [`Value::read`], and when bytes are left over.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let value = Self::read(&mut r)?;
        r.finish()?;
        Ok(value)
    }

    /// The value whose `first` byte was read already.
    fn read_after(r: &mut Reader<'a>, first: u8, depth: usize) -> Result<Self, WireError> {
        if depth > MAX_DEPTH {
            return Err(r.too_long("bencode depth", depth as u64));
        }
        match first {
            b'i' => read_int(r).map(Self::Int),
            b'0'..=b'9' => read_bytes(r, first).map(Self::Bytes),
            b'l' => {
                let mut list = Vec::new();
                loop {
                    match r.u8()? {
                        b'e' => return Ok(Self::List(list)),
                        first => list.push(Self::read_after(r, first, depth + 1)?),
                    }
                }
            }
            b'd' => {
                let mut pairs: Vec<(&[u8], Self)> = Vec::new();
                loop {
                    let first = match r.u8()? {
                        b'e' => return Ok(Self::Dict(Dict { pairs })),
                        first => first,
                    };
                    let key = read_bytes(r, first)?;
                    if pairs.last().is_some_and(|(last, _)| *last >= key) {
                        return Err(r.invalid("bencode key", pairs.len() as u64));
                    }
                    let first = r.u8()?;
                    pairs.push((key, Self::read_after(r, first, depth + 1)?));
                }
            }
            other => Err(r.invalid("bencode type", u64::from(other))),
        }
    }

    /// Writes the value.
    pub fn write(&self, w: &mut Writer) {
        match self {
            Self::Int(number) => int(w, *number),
            Self::Bytes(bytes) => string(w, bytes),
            Self::List(list) => {
                w.u8(b'l');
                list.iter().for_each(|value| value.write(w));
                w.u8(b'e');
            }
            Self::Dict(dict) => {
                w.u8(b'd');
                for (key, value) in &dict.pairs {
                    string(w, key);
                    value.write(w);
                }
                w.u8(b'e');
            }
        }
    }
}

/// Reads decimal digits up to `end`; `first` is the digit read already.
fn read_digits(r: &mut Reader<'_>, first: u8, end: u8) -> Result<u64, WireError> {
    let mut value = 0_u64;
    let mut digit = first;
    for count in 0..MAX_DIGITS {
        if !digit.is_ascii_digit() {
            return Err(r.invalid("bencode digit", u64::from(digit)));
        }
        value = value * 10 + u64::from(digit - b'0');
        let next = r.u8()?;
        if next == end {
            return if first == b'0' && count > 0 {
                Err(r.invalid("bencode leading zero", value))
            } else {
                Ok(value)
            };
        }
        digit = next;
    }
    Err(r.too_long("bencode digits", MAX_DIGITS as u64))
}

fn read_int(r: &mut Reader<'_>) -> Result<i64, WireError> {
    let first = r.u8()?;
    if first != b'-' {
        let value = read_digits(r, first, b'e')?;
        return i64::try_from(value).map_err(|_| r.too_long("bencode number", value));
    }
    let first = r.u8()?;
    let value = read_digits(r, first, b'e')?;
    if value == 0 {
        return Err(r.invalid("bencode negative zero", 0));
    }
    0_i64.checked_sub_unsigned(value).ok_or_else(|| r.too_long("bencode number", value))
}

fn read_bytes<'a>(r: &mut Reader<'a>, first: u8) -> Result<&'a [u8], WireError> {
    let len = read_digits(r, first, b':')?;
    let len = usize::try_from(len).map_err(|_| r.too_long("bencode string", len))?;
    r.take(len, "bencode string")
}

/// Writes a number.
pub fn int(w: &mut Writer, number: i64) {
    w.u8(b'i');
    if number < 0 {
        w.u8(b'-');
    }
    decimal(w, number.unsigned_abs());
    w.u8(b'e');
}

/// Writes a byte string behind its length.
pub fn string(w: &mut Writer, bytes: &[u8]) {
    decimal(w, bytes.len() as u64);
    w.u8(b':');
    w.bytes(bytes);
}

/// Writes the decimal digits of a number.
pub fn decimal(w: &mut Writer, number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    w.bytes(&digits[at..]);
}

/// How many decimal digits a number has.
pub const fn decimal_len(number: u64) -> usize {
    match number.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}

/// Bytes that [`int`] writes.
pub const fn int_len(number: i64) -> usize {
    2 + (number < 0) as usize + decimal_len(number.unsigned_abs())
}

/// Bytes that [`string`] writes for a string of `len` bytes.
pub const fn string_len(len: usize) -> usize {
    decimal_len(len as u64) + 1 + len
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: &Value<'_>) -> Vec<u8> {
        let mut w = Writer::new();
        value.write(&mut w);
        w.into_bytes()
    }

    #[test]
    fn the_examples_of_bep_3_are_read_and_written() {
        let text: &[u8] = b"d3:bari-3e3:fooli0ei42e4:spame4:spamd1:a1:bee";
        let value = Value::from_bytes(text).expect("bencoded");
        let dict = value.as_dict().expect("a dictionary");
        assert_eq!(dict.int("bar"), Some(-3));
        let list = [Value::Int(0), Value::Int(42), Value::Bytes(b"spam")];
        assert_eq!(dict.list("foo"), Some(&list[..]));
        assert_eq!(dict.dict("spam").and_then(|d| d.bytes("a")), Some(&b"b"[..]));
        assert_eq!((dict.int("foo"), dict.get("nothing")), (None, None));
        assert_eq!(dict.pairs().len(), 3);
        assert_eq!(written(&value), text);
    }

    #[test]
    fn what_has_another_form_is_refused() {
        let refused: [&[u8]; 19] = [
            b"",
            b"i",
            b"ie",
            b"i-e",
            b"i03e",
            b"i-0e",
            b"i-03e",
            b"i 3e",
            b"i+3e",
            b"3:ab",
            b"03:abc",
            b"-1:a",
            b"l",
            b"d",
            b"d1:ae",
            b"d1:bi1e1:ai1ee",
            b"d1:ai1e1:ai1ee",
            b"di1ei1ee",
            b"i1ei2e",
        ];
        for text in refused {
            assert!(Value::from_bytes(text).is_err(), "{}", text.escape_ascii());
        }
        assert_eq!(Value::from_bytes(b"i9223372036854775807e"), Ok(Value::Int(i64::MAX)));
        assert_eq!(Value::from_bytes(b"i-9223372036854775808e"), Ok(Value::Int(i64::MIN)));
        assert!(Value::from_bytes(b"i9223372036854775808e").is_err());
        assert!(Value::from_bytes(b"i-9223372036854775809e").is_err());
        assert!(Value::from_bytes(b"99999999999999999999:a").is_err());
        assert!(Value::from_bytes(&[b'l'; 100_000]).is_err(), "nested without end");
        assert!(Value::from_bytes(&[b'9'; 100_000]).is_err(), "digits without end");
    }

    #[test]
    fn lengths_are_known_beforehand() {
        for number in [0, 1, -1, 9, 10, 99, 100, -100, i64::MAX, i64::MIN] {
            assert_eq!(written(&Value::Int(number)).len(), int_len(number));
        }
        for len in [0, 1, 9, 10, 100, 1000] {
            assert_eq!(written(&Value::Bytes(&vec![7; len])).len(), string_len(len));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_writes_back_to_the_same_bytes(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'e'), Just(b'i'), Just(b'l'), Just(b'd'), Just(b':'), b'0'..=b'9'],
                0..40,
            ),
        ) {
            if let Ok(value) = Value::from_bytes(&bytes) {
                prop_assert_eq!(written(&value), bytes);
            }
        }

        #[test]
        fn pairs_are_found_under_their_keys(
            pairs in proptest::collection::btree_map("[a-z]{0,6}", any::<i64>(), 0..20),
        ) {
            let list = pairs.iter().map(|(k, v)| (k.as_bytes(), Value::Int(*v))).collect();
            let bytes = written(&Value::Dict(Dict { pairs: list }));
            let value = Value::from_bytes(&bytes).expect("just written");
            for (key, number) in &pairs {
                prop_assert_eq!(value.as_dict().and_then(|d| d.int(key)), Some(*number));
            }
        }
    }
}
