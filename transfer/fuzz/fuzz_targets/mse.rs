//! Encryption handshakes: both sides against any bytes, in any parts, after which
//! they wait within bounds or have failed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transfer::InfoHash;
use transfer::mse::{Encryption, Initiator, MAX_INITIAL, Methods, Responder, Seed, TorrentTag};

const TORRENT: InfoHash = InfoHash([0xaa; 20]);
const POLICIES: [Encryption; 3] = [Encryption::Off, Encryption::Allowed, Encryption::Required];

/// The longest that either side can send before its payload.
const LONGEST: usize = 96 + 512 + 40 + 14 + 512 + 2 + MAX_INITIAL;

fuzz_target!(|input: &[u8]| {
    let Some((&[cut, policy], input)) = input.split_first_chunk() else { return };
    let parts = usize::from(cut) + 1;
    // No fuzzer finds by itself what follows from the secret, so half of the
    // inputs are a real handshake with one byte changed.
    let is_real = policy & 0x80 != 0;
    let policy = POLICIES[usize::from(policy % 3)];
    let mut out = Vec::new();
    let mut responder = Responder::new(policy, Seed([1; 32]));
    let input = if is_real { real(input, policy) } else { input.to_vec() };
    for part in input.chunks(parts) {
        match responder.receive(part, find, &mut out) {
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => break,
        }
    }
    assert!(out.len() <= LONGEST);
    out.clear();
    let mut initiator = Initiator::new(TORRENT, Methods::BOTH, &[], Seed([2; 32]), &mut out);
    for part in input.chunks(parts) {
        match initiator.receive(part, &mut out) {
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => break,
        }
    }
    assert!(out.len() <= LONGEST);
});

fn find(tag: TorrentTag) -> Option<InfoHash> {
    (tag == TorrentTag::of(TORRENT)).then_some(TORRENT)
}

/// What an initiator that knows the torrent sends to a responder of that seed,
/// with one byte changed after the padding, where every byte is looked at.
fn real(input: &[u8], policy: Encryption) -> Vec<u8> {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let initial = &input[..input.len().min(200)];
    let mut initiator = Initiator::new(TORRENT, Methods::BOTH, initial, Seed([3; 32]), &mut up);
    let mut responder = Responder::new(policy, Seed([1; 32]));
    if responder.receive(&up, find, &mut down).is_ok() {
        let _ = initiator.receive(&down, &mut up);
    }
    if let [high, low, with, ..] = input {
        let back = usize::from(u16::from_be_bytes([*high, *low])) % up.len();
        let at = up.len() - 1 - back;
        up[at] ^= with;
    }
    up
}
