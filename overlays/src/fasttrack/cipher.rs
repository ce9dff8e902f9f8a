//! The stream cipher of a connection between a node and its supernode.
//!
//! Both ends send a seed in the clear and a kind of cipher behind a mask; each
//! direction is then combined with a stream of bytes that follows from the
//! seeds alone. So it hides what is said from clients that do not know the
//! algorithm, and from nobody else: an obfuscation, no protection. These are
//! the kinds 0x00, 0x01, 0x08 and 0x09, which the description of
//! giFT-FastTrack (2004) covers; Kazaa's own clients asked for more.

use crypto_bigint::U2048;
use crypto_bigint::modular::ConstMontyForm;
use md5::{Digest as _, Md5};

crypto_bigint::const_monty_params!(
    Modulus,
    U2048,
    "d453ec0a34eb20ca0a532f6aae08473dc6f2dc0e96e62735dd331dd5522f69d1\
     0d7a00501928851271a157acde7aa2fedbd26bb04d23ffc1b6a31787315d5780\
     51be98b0da2d7944ed64060a96e537a7a4037cdbde3c6725e9db63418443fd05\
     0829ee6d18e4dd48d61a70558606342ac3741ca71e4970e510a931f8b42d2df0\
     5250e6fe0a7703d88781ab210032a3dfe957a9b5d238b5b8363dc15e2c0054b3\
     390a5a36b15e221669f29f9af97bb445695b3ca272f554fce475aa9e6e37192e\
     91fd3a9ebc8c0457e7ee26ad19d2974dc11f00e38d5b5eb2e84b25f81b32a36f\
     ba1519a15efa55ffe569c5fc96d7f927bf77b6d6193bbd8f31c4a05eeb96841d"
);

/// Bytes of the pad.
const PAD_BYTES: usize = 63;

/// The bit of a kind that asks for a substitution after the pad.
const SUBSTITUTES: u8 = 0x08;

/// One direction of an enciphered connection.
#[derive(Clone)]
pub struct Cipher {
    pad: [u8; PAD_BYTES],
    /// The next byte of the pad.
    at: usize,
    substitution: [u8; 256],
    /// What is added before the substitution: it grows with each turn of the
    /// pad, in the kinds that substitute.
    shift: u8,
    substitutes: bool,
}

/// One step of the generator of pseudo-random numbers behind it all.
const fn step(state: u32) -> u32 {
    state.wrapping_mul(0x0001_0dcd).wrapping_add(0x4271)
}

/// A number below `limit`, at most 256, from the upper half of a state.
const fn below(state: u32, limit: u32) -> usize {
    (((state >> 16) * limit) >> 16) as usize
}

impl Cipher {
    /// The cipher of this kind, one of 0x00, 0x01, 0x08 and 0x09, for a seed:
    /// the supernode's for what it sends, both seeds combined by exclusive or
    /// for what the node sends.
    pub fn new(seed: u32, kind: u8) -> Self {
        let mut state = seed;
        let mut base = [1; 256];
        for byte in &mut base[..255] {
            state = step(state);
            *byte = ((state >> 17) % 0xe0) as u8;
        }
        let base = ConstMontyForm::<Modulus, { U2048::LIMBS }>::new(&U2048::from_le_slice(&base));
        let cube = (base.square() * base).retrieve().to_le_bytes();
        let mut pad = [0; PAD_BYTES];
        pad.copy_from_slice(&cube.as_ref()[..PAD_BYTES]);
        if pad.iter().all(|byte| byte % 2 == 0) {
            pad[0] |= 0x71;
        }
        let substitutes = kind & SUBSTITUTES != 0;
        let substitution =
            if substitutes { shuffled(&pad) } else { core::array::from_fn(|i| i as u8) };
        let at = below(step(state), PAD_BYTES as u32);
        let mut cipher = Self { pad, at, substitution, shift: 0, substitutes };
        cipher.mix(at);
        cipher
    }

    /// Enciphers what comes next, or deciphers it: both are the same.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte ^= self.next_byte();
        }
    }

    fn next_byte(&mut self) -> u8 {
        let before = self.pad[self.at.checked_sub(1).unwrap_or(PAD_BYTES - 1)];
        let byte = self.pad[self.at].wrapping_add(before);
        self.pad[self.at] = byte;
        if self.at == 7 && byte & 0x70 == 0 {
            self.mix(usize::from(byte) + usize::from(self.pad[2]));
        }
        self.at += 1;
        if self.at == PAD_BYTES {
            self.at = 0;
            self.shift = self.shift.wrapping_add(u8::from(self.substitutes));
        }
        self.substitution[usize::from(self.shift.wrapping_add(byte))]
    }

    /// Changes the pad: five bytes somewhere are sorted, every third of all is
    /// replaced.
    fn mix(&mut self, x: usize) {
        let from = (x * x + 2) % 59;
        self.pad[from..from + 5].sort_unstable_by_key(|byte| byte ^ 0x20);
        for at in (5..PAD_BYTES).step_by(3) {
            self.pad[at] = (!self.pad[at]).wrapping_add(at as u8) | 1;
        }
    }
}

impl core::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Cipher").field("at", &self.at).finish_non_exhaustive()
    }
}

/// All bytes in an order that follows from the pad.
fn shuffled(pad: &[u8; PAD_BYTES]) -> [u8; 256] {
    let digest = Md5::digest(pad);
    let mut state = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
    let mut bytes: [u8; 256] = core::array::from_fn(|i| i as u8);
    for i in 0..256 {
        state = step(state);
        bytes.swap(i, i + below(state, 256 - i as u32));
    }
    bytes
}
