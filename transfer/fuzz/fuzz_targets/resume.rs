//! Fast-resume files: what is read is written and read the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transfer::InfoHash;
use transfer::resume::Claim;

/// The torrent of the seeds.
const HASH: InfoHash = InfoHash(*b"aaaaaaaaaaaaaaaaaaaa");

fuzz_target!(|input: &[u8]| {
    // The first byte says how many pieces the torrent has, so that bitfields of
    // many lengths pass.
    let Some((&pieces, input)) = input.split_first() else { return };
    if let Some(claim) = Claim::decode(input, HASH, u32::from(pieces)) {
        let again = Claim::decode(&claim.encode(HASH), HASH, u32::from(pieces));
        assert_eq!(again, Some(claim));
    }
});
