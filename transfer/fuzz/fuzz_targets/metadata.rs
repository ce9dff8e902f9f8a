//! Messages of ut_metadata: what is read is written and read the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transfer::wire::extended::{Metadata, decode_dont_have, decode_upload_only};

fuzz_target!(|input: &[u8]| {
    if let Ok(Some(message)) = Metadata::decode(input) {
        assert_eq!(Metadata::decode(&message.encode()), Ok(Some(message)));
    }
    let _ = (decode_dont_have(input), decode_upload_only(input));
});
