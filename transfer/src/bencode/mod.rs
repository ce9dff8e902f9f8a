//! Bencoding (BEP 3): numbers, byte strings, lists and dictionaries.
//!
//! Strict: a number has no leading zeros and no negative zero, a dictionary's
//! keys are sorted and differ, nothing follows. So every value has one encoding.
//!
//! A [`Value`] is a checked part of the input and not a tree: reading one
//! reserves nothing on the word of the input, a hostile input costs no more
//! memory than itself, every value has its exact bytes (which an info-hash is
//! taken over), and what nests without end is refused without recursion.
//!
//! `overlays` has a bencode of its own, for the packets of the DHT and of the
//! BitTorrent model. The two packages do not depend on each other, and want
//! different things: there a packet becomes a small tree through the `Reader`
//! and `Writer` of all overlays' messages, and its bytes are counted without
//! writing it; here files of 64 MiB are read in place.

mod check;
mod error;
mod value;
mod write;

pub use check::{KeyOrder, Limits};
pub use error::{BencodeError, Fault};
pub use value::{Dict, Kind, List, Value};
pub use write::{decimal, decimal_len, dict_with, int, int_len, list_with, string, string_len};
