//! Datagrams from and to UDP trackers: what is read is written and read the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transfer::tracker_wire::udp::{Family, Reply, Request};

fuzz_target!(|input: &[u8]| {
    if let Ok(request) = Request::decode(input) {
        let mut out = Vec::new();
        request.encode(&mut out);
        assert_eq!(Request::decode(&out), Ok(request));
    }
    for family in [Family::V4, Family::V6] {
        let _ = Reply::decode(input, family);
    }
});
