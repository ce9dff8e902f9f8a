//! The cipher of encrypted streams.

use core::fmt;

/// RC4, of which the first 1,024 bytes are thrown away.
///
/// It is here for its speed: the library's is made for keys of any kind and
/// stops at half the rate of this one. The state is one word an entry
/// and the next entry is loaded before the two of this step are written, which
/// takes a store and a load out of the chain that each byte waits for.
#[derive(Clone)]
pub struct Rc4 {
    state: [u32; 256],
    i: usize,
    j: u32,
}

/// The bytes that are thrown away: the first ones tell of the key.
const DROP: usize = 1024;

impl Rc4 {
    /// The cipher of a key of 1 to 256 bytes.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        let mut state = core::array::from_fn(|at| at as u32);
        let mut j = 0;
        for (i, key) in (0..256).zip(key.iter().cycle()) {
            j = (j + state[i] + u32::from(*key)) & 255;
            state.swap(i, j as usize);
        }
        let mut cipher = Self { state, i: 0, j: 0 };
        cipher.apply(&mut [0; DROP]);
        cipher
    }

    /// Encrypts or decrypts the stream's next bytes in place.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        let mut words = bytes.chunks_exact_mut(8);
        for word in &mut words {
            let key = self.next_word::<8>();
            for (byte, key) in word.iter_mut().zip(key.to_le_bytes()) {
                *byte ^= key;
            }
        }
        for byte in words.into_remainder() {
            *byte ^= self.next_word::<1>() as u8;
        }
    }

    /// The next `N` bytes of the key stream, the first one lowest.
    #[inline(always)]
    fn next_word<const N: usize>(&mut self) -> u64 {
        let state = &mut self.state;
        let (mut i, mut j, mut word) = (self.i, self.j, 0);
        let mut x = state[(i + 1) & 255];
        for n in 0..N {
            i = (i + 1) & 255;
            j = (j + x) & 255;
            let ahead = state[(i + 1) & 255];
            let y = state[j as usize];
            state[i] = y;
            state[j as usize] = x;
            word |= u64::from(state[((x + y) & 255) as usize]) << (8 * n);
            // The entry ahead was just written if it was the one to swap.
            x = if j as usize == (i + 1) & 255 { x } else { ahead };
        }
        (self.i, self.j) = (i, j);
        word
    }
}

impl fmt::Debug for Rc4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rc4")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 6229, keys of 40 and of 128 bits:
    /// the key stream from offset 1024 on.
    #[test]
    fn key_stream_of_rfc_6229() {
        let cases: [(&[u8], [u8; 32]); 2] = [
            (
                &[1, 2, 3, 4, 5],
                hex("30abbcc7c20b01609f23ee2d5f6bb7df73262dec31a8a8ff5f9f977001c90b72"),
            ),
            (
                &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
                hex("bdf0324e6083dcc6d3cedd3ca8c53c167e5cb90bc6802a7a3df2ddec55017396"),
            ),
        ];
        for (key, stream) in cases {
            let mut bytes = [0; 32];
            Rc4::new(key).apply(&mut bytes);
            assert_eq!(bytes, stream);
        }
    }

    fn hex(text: &str) -> [u8; 32] {
        core::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    }

    /// RC4 as it is usually written down.
    fn plainly(key: &[u8], len: usize) -> Vec<u8> {
        let mut state: Vec<u8> = (0..=255).collect();
        let mut j = 0_u8;
        for i in 0..256 {
            j = j.wrapping_add(state[i]).wrapping_add(key[i % key.len()]);
            state.swap(i, j.into());
        }
        let (mut i, mut j) = (0_u8, 0_u8);
        let mut stream = Vec::new();
        for _ in 0..len {
            i = i.wrapping_add(1);
            j = j.wrapping_add(state[usize::from(i)]);
            state.swap(i.into(), j.into());
            let at = state[usize::from(i)].wrapping_add(state[usize::from(j)]);
            stream.push(state[usize::from(at)]);
        }
        stream.split_off(DROP)
    }

    proptest! {
        #[test]
        fn key_stream_however_it_is_cut(
            key in prop::collection::vec(any::<u8>(), 1..40),
            parts in prop::collection::vec(0..70_usize, 0..40),
        ) {
            let mut cipher = Rc4::new(&key);
            let mut stream = Vec::new();
            for part in parts {
                let mut bytes = vec![0; part];
                cipher.apply(&mut bytes);
                stream.extend(bytes);
            }
            prop_assert_eq!(&stream, &plainly(&key, DROP + stream.len()));
        }
    }
}
