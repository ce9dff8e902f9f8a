//! Handshakes of the extension protocol: what is read is written and read the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transfer::wire::extended::Handshake;

fuzz_target!(|input: &[u8]| {
    if let Ok(handshake) = Handshake::decode(input) {
        assert_eq!(Handshake::decode(&handshake.encode()), Ok(handshake));
    }
});
