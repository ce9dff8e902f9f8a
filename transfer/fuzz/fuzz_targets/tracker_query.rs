//! What HTTP trackers are asked.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transfer::tracker::{Query, scraped};
use transfer::tracker_wire::http::{parse_announce_query, parse_scrape_query};

fuzz_target!(|input: &[u8]| {
    let _ = parse_announce_query(input);
    let _ = parse_scrape_query(input, 64);
    if let Ok(text) = core::str::from_utf8(input) {
        let _ = Query::read(text);
        scraped(text).for_each(drop);
    }
});
