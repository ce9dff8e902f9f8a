//! Magnet links: what is read is written and read the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transfer::{HostPort, Magnet};

fuzz_target!(|input: &str| {
    if let Ok(magnet) = input.parse::<Magnet>() {
        assert_eq!(magnet.to_string().parse::<Magnet>(), Ok(magnet));
    }
    if let Ok(host) = input.parse::<HostPort>() {
        assert_eq!(host.to_string().parse::<HostPort>(), Ok(host));
    }
});
