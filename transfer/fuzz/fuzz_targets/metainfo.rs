//! Metainfo, as a file and as peers send it: what is read is written and read the
//! same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transfer::metainfo::Limits;
use transfer::{Info, Metainfo};

fuzz_target!(|input: &[u8]| {
    let _ = Info::decode(input, &Limits::DEFAULT);
    if let Ok(metainfo) = Metainfo::decode(input, &Limits::DEFAULT) {
        let again = Metainfo::decode(&metainfo.encode(), &Limits::DEFAULT);
        assert_eq!(again.map(|again| again.info), Ok(metainfo.info));
    }
});
