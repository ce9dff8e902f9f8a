//! Messages of ut_pex: what is read is within bounds, and written and read the
//! same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transfer::wire::extended::{MAX_PEX_READ, MAX_PEX_SENT, Pex};

fuzz_target!(|input: &[u8]| {
    let Ok(mut pex) = Pex::decode(input) else { return };
    assert!(pex.added.len() <= MAX_PEX_READ && pex.dropped.len() <= MAX_PEX_READ);
    pex.added.truncate(MAX_PEX_SENT);
    pex.dropped.truncate(MAX_PEX_SENT);
    assert_eq!(Pex::decode(&pex.encode()), Ok(pex));
});
