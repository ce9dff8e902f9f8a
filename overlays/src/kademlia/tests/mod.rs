//! Tests of the core on its own: the table, a lookup's shortlist, the records,
//! and one node among fabricated messages.

mod bench;
mod codec;
mod keywords;
mod protocol;
mod records;
mod shortlist;
mod table;
mod work;

use super::{Contact, Settings};
use crate::{Addr, Key};

/// The contact with this identifier in its top eight bits, and an address of
/// the same number.
fn contact(id: u8) -> Contact {
    Contact { id: id8(id), addr: Addr::from_index(u32::from(id)) }
}

fn id8(id: u8) -> Key {
    Key::from_top_bits(u64::from(id), 8)
}

/// Small buckets.
fn settings(k: usize) -> Settings {
    Settings { k, replicas: k, ..Settings::default() }
}
