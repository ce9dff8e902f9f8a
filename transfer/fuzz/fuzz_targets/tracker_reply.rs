//! What HTTP trackers answer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transfer::tracker_wire::http::{parse_announce_reply, parse_scrape_reply};

fuzz_target!(|input: &[u8]| {
    let _ = parse_announce_reply(input);
    let _ = parse_scrape_reply(input);
});
