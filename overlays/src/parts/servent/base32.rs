//! Keys in base 32, as `urn:sha1:` writes them (RFC 4648, without padding).

use crate::seam::Key;

/// Letters of a key of 160 bits.
pub const LETTERS: usize = 32;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The 32 letters of `key`.
pub fn encode(key: Key) -> [u8; LETTERS] {
    core::array::from_fn(|i| ALPHABET[key.digit(i as u32, 5) as usize])
}

/// The key in these letters, of either case.
pub fn decode(letters: &str) -> Option<Key> {
    if letters.len() != LETTERS {
        return None;
    }
    let mut bytes = [0; Key::BYTES];
    for (i, letter) in letters.bytes().enumerate() {
        let value = match letter.to_ascii_uppercase() {
            c @ b'A'..=b'Z' => c - b'A',
            c @ b'2'..=b'7' => c - b'2' + 26,
            _ => return None,
        };
        // Five bits straddle at most two bytes.
        let bit = i * 5;
        let shifted = u16::from(value) << (11 - bit % 8);
        bytes[bit / 8] |= (shifted >> 8) as u8;
        if let Some(next) = bytes.get_mut(bit / 8 + 1) {
            *next |= shifted as u8;
        }
    }
    Some(Key::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_value() {
        // SHA-1 of nothing, in base 32 as Gnutella's magnets carry it.
        let letters = encode(Key::hash(b""));
        assert_eq!(&letters, b"3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ");
        assert_eq!(decode("3i42h3s6nnfq2msvx7xzkyayscx5qbyj"), Some(Key::hash(b"")));
        assert_eq!(decode("3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBY1"), None);
        assert_eq!(decode("3I42"), None);
    }

    proptest! {
        #[test]
        fn letters_read_back(bytes in any::<[u8; 20]>()) {
            let key = Key::from_bytes(bytes);
            let letters = encode(key);
            prop_assert_eq!(decode(core::str::from_utf8(&letters).unwrap()), Some(key));
        }
    }
}
