//! What HTTP trackers are asked: what is read is written and read the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transfer::tracker_wire::http::{
    announce_url, parse_announce_query, parse_scrape_query, scrape_url,
};

const TRACKER: &str = "http://tracker.example/announce";

fn query(url: &str) -> &[u8] {
    url.split_once('?').map_or(&[], |(_, query)| query.as_bytes())
}

fuzz_target!(|input: &[u8]| {
    if let Ok(request) = parse_announce_query(input) {
        let url = announce_url(TRACKER, &request);
        assert_eq!(parse_announce_query(query(&url)), Ok(request));
    }
    if let Ok(torrents) = parse_scrape_query(input, 64) {
        let url = scrape_url(TRACKER, &torrents).expect("its last part is announce");
        assert_eq!(parse_scrape_query(query(&url), 64), Ok(torrents));
    }
});
