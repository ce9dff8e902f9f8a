//! Bencoded values: all of a checked one can be walked, and is within the input.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transfer::bencode::{KeyOrder, Kind, Limits, Value};

fuzz_target!(|input: &[u8]| {
    let limits = Limits::new(input.len());
    for limits in [limits, limits.key_order(KeyOrder::Any).depth(5)] {
        let _ = Value::parse_first(input, &limits);
        if let Ok(value) = Value::parse(input, &limits) {
            assert_eq!(value.span(), 0..input.len());
            walk(value, input);
        }
    }
});

fn walk(value: Value<'_>, input: &[u8]) {
    assert_eq!(value.bytes(), &input[value.span()]);
    match value.kind() {
        Kind::Int(_) | Kind::Bytes(_) => {}
        Kind::List(list) => list.iter().for_each(|item| walk(item, input)),
        Kind::Dict(dict) => dict.iter().for_each(|(_, item)| walk(item, input)),
    }
}
