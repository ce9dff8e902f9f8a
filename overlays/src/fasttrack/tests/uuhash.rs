//! UUHash against values computed with other implementations of MD5 and CRC-32,
//! and what it does not see.

use proptest::prelude::*;

use crate::fasttrack::{UuHash, covered};
use crate::seam::Key;

/// A file of `size` bytes in which every part differs from every other.
fn contents(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 7 + (i >> 8) * 13 + (i >> 16) * 29) as u8).collect()
}

fn hex(hash: UuHash) -> String {
    hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn golden_hashes() {
    // The first is the reference's vector for the empty file; its second half
    // of 1,024 bytes shows the size inverted. The others were computed with
    // Python's hashlib and zlib, at sizes where the samples change.
    let golden = [
        (0, "d41d8cd98f00b204e9800998ecf8427effffffff"),
        (1_024, "08da22d8978f7417f5f035946d36103dfffbffff"),
        (307_200, "2c7ee4a1816cabd593be0adbe1e2b64bff4ffbff"),
        (307_201, "2c7ee4a1816cabd593be0adbe1e2b64b32052667"),
        (614_400, "2c7ee4a1816cabd593be0adbe1e2b64beab64a57"),
        (1_048_576, "2c7ee4a1816cabd593be0adbe1e2b64bd472d458"),
        (1_662_976, "2c7ee4a1816cabd593be0adbe1e2b64b93dbb473"),
        (1_662_977, "2c7ee4a1816cabd593be0adbe1e2b64be950eae4"),
        (5_000_000, "2c7ee4a1816cabd593be0adbe1e2b64b13aad159"),
    ];
    for (size, hash) in golden {
        assert_eq!(hex(UuHash::of(&contents(size))), hash, "{size} bytes");
    }
    assert_eq!(UuHash::of(b"").checksum(), 0x2a81);
}

#[test]
fn samples_lie_at_powers_of_two() {
    const CHUNK: u64 = 307_200;
    const MIB: u64 = 1 << 20;
    let parts: Vec<_> = covered(5_000_000).collect();
    let expected = [
        0..CHUNK,
        MIB..MIB + CHUNK,
        2 * MIB..2 * MIB + CHUNK,
        4 * MIB..4 * MIB + CHUNK,
        5_000_000 - CHUNK..5_000_000,
    ];
    assert_eq!(parts, expected);
    // The end yields to the beginning in a file too short for both.
    assert_eq!(covered(400_000).collect::<Vec<_>>(), [0..CHUNK, CHUNK..400_000]);
    assert!(covered(1_000).eq(core::iter::once(0..1_000)), "the beginning is everything");
    // Even the longest file that a number can tell is covered by few samples.
    assert!(covered(u64::MAX / 4).count() < 48);
}

#[test]
fn a_song_altered_between_the_samples_keeps_its_hash() {
    let song = contents(5_000_000);
    let mut altered = song.clone();
    // Most of the second half of the first MiB, and so on: all that no sample
    // covers.
    let mut last = 0;
    for part in covered(song.len() as u64) {
        altered[last..part.start as usize].fill(0xff);
        last = part.end as usize;
    }
    let changed = song.iter().zip(&altered).filter(|(a, b)| a != b).count();
    assert!(changed > song.len() * 6 / 10, "{changed} bytes of 5,000,000 are noise");
    assert_eq!(UuHash::of(&song), UuHash::of(&altered));
    assert_ne!(Key::hash(&song), Key::hash(&altered));
}

proptest! {
    /// A changed byte is seen exactly where the hash covers the file.
    #[test]
    fn sees_what_it_covers(size in 1..3_000_000_usize, at in any::<prop::sample::Index>()) {
        let file = contents(size);
        let at = at.index(size);
        let mut changed = file.clone();
        changed[at] ^= 0x40;
        let is_covered = covered(size as u64).any(|part| part.contains(&(at as u64)));
        prop_assert_eq!(UuHash::of(&file) != UuHash::of(&changed), is_covered);
    }
}
