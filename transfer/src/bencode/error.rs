//! What is wrong with an input that should be bencoded.

use core::fmt;

/// Where and why an input is not bencoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BencodeError {
    /// The offset of the byte that is wrong.
    pub offset: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The input ends within a value.
    Ends,
    /// No value begins with this byte.
    Type(u8),
    /// A number with a byte in it that is no digit, or with none at all.
    Digit,
    /// A number with a leading zero, or a negative zero.
    Zero,
    /// A number that 64 bits with a sign do not hold.
    Number,
    /// A byte string longer than what is left of the input.
    Length,
    /// Lists and dictionaries within each other beyond the limit.
    Depth(usize),
    /// A key that should stand before the one before it.
    Order,
    /// A key that stands twice in its dictionary.
    Twice,
    /// A key without a value.
    NoValue,
    /// More bytes after the value.
    Trailing,
    /// More bytes than the limit.
    Size(usize),
}

impl BencodeError {
    pub(super) const fn new(offset: usize, fault: Fault) -> Self {
        Self { offset, fault }
    }
}

impl fmt::Display for BencodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: ", self.offset)?;
        match self.fault {
            Fault::Ends => f.write_str("the input ends within a value"),
            Fault::Type(byte) => {
                write!(f, "no bencoded value begins with `{}`", byte.escape_ascii())
            }
            Fault::Digit => f.write_str("a digit is missing"),
            Fault::Zero => f.write_str("a number has a leading or a negative zero"),
            Fault::Number => f.write_str("a number does not fit 64 bits"),
            Fault::Length => f.write_str("a string is longer than what is left"),
            Fault::Depth(limit) => write!(f, "lists or dictionaries nest deeper than {limit}"),
            Fault::Order => f.write_str("a key of a dictionary is out of order"),
            Fault::Twice => f.write_str("a key stands twice in its dictionary"),
            Fault::NoValue => f.write_str("a key has no value"),
            Fault::Trailing => f.write_str("something follows the value"),
            Fault::Size(limit) => write!(f, "the input is longer than {limit} bytes"),
        }
    }
}

impl core::error::Error for BencodeError {}
