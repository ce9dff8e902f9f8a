//! The seam's vocabulary: keys, time, items, wire formats, parameters, random
//! streams, causes.

mod addr;
mod context;
mod item;
mod key;
mod parameters;
mod rng;
mod time;
mod wire;

use overlays::{Addr, Key};
use proptest::prelude::*;

fn any_key() -> impl Strategy<Value = Key> {
    any::<[u8; 20]>().prop_map(Key::from_bytes)
}

fn any_addr() -> impl Strategy<Value = Addr> {
    any::<[u8; 6]>().prop_map(Addr::from_bytes)
}
