//! Keys against byte-wise models of the same arithmetic.

use overlays::Key;
use proptest::prelude::*;

use super::any_key;

/// Addition modulo 2^160, byte by byte from the right.
fn model_plus(a: Key, b: Key) -> Key {
    let mut sum = [0; 20];
    let mut carry = 0;
    for i in (0..20).rev() {
        let s = u16::from(a.to_bytes()[i]) + u16::from(b.to_bytes()[i]) + carry;
        sum[i] = s as u8;
        carry = s >> 8;
    }
    Key::from_bytes(sum)
}

/// The two's complement: what added to `a` gives zero.
fn model_negative(a: Key) -> Key {
    let mut one = [0; 20];
    one[19] = 1;
    model_plus(Key::from_bytes(a.to_bytes().map(|byte| !byte)), Key::from_bytes(one))
}

/// The bits from the most significant on.
fn model_bits(key: Key) -> Vec<bool> {
    key.to_bytes().iter().flat_map(|byte| (0..8).map(move |i| byte >> (7 - i) & 1 == 1)).collect()
}

/// Keys that lie close together, where intervals are interesting.
fn near_key() -> impl Strategy<Value = Key> {
    (0..8_u64).prop_map(|n| Key::from_top_bits(n, 3))
}

fn some_key() -> impl Strategy<Value = Key> {
    prop_oneof![any_key(), near_key(), Just(Key::ZERO), Just(Key::MAX)]
}

/// Walks the ring of eight points clockwise from `after` and says whether
/// `key` is met before the walk ends.
fn walk_meets(key: u64, after: u64, end: u64, with_end: bool) -> bool {
    let mut at = (after + 1) % 8;
    loop {
        if at == end {
            return with_end && at == key;
        }
        if at == key {
            return true;
        }
        at = (at + 1) % 8;
    }
}

proptest! {
    #[test]
    fn sums_and_differences(a in some_key(), b in some_key()) {
        prop_assert_eq!(a.plus(b), model_plus(a, b));
        prop_assert_eq!(a.minus(b), model_plus(a, model_negative(b)));
        prop_assert_eq!(a.distance_to(b), model_plus(b, model_negative(a)));
        prop_assert_eq!(a.plus(a.distance_to(b)), b);
    }

    #[test]
    fn order_is_that_of_the_bytes(a in some_key(), b in some_key()) {
        prop_assert_eq!(a.cmp(&b), a.to_bytes().cmp(&b.to_bytes()));
        prop_assert_eq!(a.partial_cmp(&b), Some(a.cmp(&b)));
    }

    #[test]
    fn xor_is_a_metric(a in some_key(), b in some_key(), c in some_key()) {
        let mut bytes = a.to_bytes();
        bytes.iter_mut().zip(b.to_bytes()).for_each(|(x, y)| *x ^= y);
        prop_assert_eq!(a.xor(b), Key::from_bytes(bytes));
        prop_assert_eq!(a.xor(b), b.xor(a));
        prop_assert_eq!(a.xor(a), Key::ZERO);
        // d(a, c) <= d(a, b) + d(b, c), unless the sum wraps around.
        let sum = a.xor(b).plus(b.xor(c));
        prop_assert!(a.xor(c) <= sum || sum < a.xor(b));
    }

    #[test]
    fn intervals_by_distance(key in some_key(), after in some_key(), upto in some_key()) {
        let end = after.distance_to(upto);
        let here = after.distance_to(key);
        let lone = after == upto;
        prop_assert_eq!(key.in_half_open(after, upto), lone || (key != after && here <= end));
        prop_assert_eq!(key.in_open(after, upto), key != after && (lone || here < end));
        // The two arcs between two points cover the ring once.
        if !lone {
            prop_assert_ne!(key.in_half_open(after, upto), key.in_half_open(upto, after));
        }
    }

    #[test]
    fn bits_digits_and_prefixes(a in some_key(), b in some_key(), width in 1..=8_u32) {
        let (bits, others) = (model_bits(a), model_bits(b));
        for (i, &bit) in bits.iter().enumerate() {
            prop_assert_eq!(a.bit(i as u32), bit);
        }
        prop_assert!(!a.bit(160));
        for digit in 0..=160_u32.div_ceil(width) {
            let start = (digit * width) as usize;
            let value = (start..start + width as usize)
                .fold(0, |v, i| v << 1 | u32::from(bits.get(i).copied().unwrap_or(false)));
            prop_assert_eq!(a.digit(digit, width), value);
        }
        let shared = bits.iter().zip(&others).take_while(|(x, y)| x == y).count() as u32;
        prop_assert_eq!(a.common_prefix_bits(b), shared);
        prop_assert_eq!(a.common_prefix_digits(b, width), shared / width);
        prop_assert_eq!(a.leading_zeros(), bits.iter().take_while(|bit| !**bit).count() as u32);
    }

    #[test]
    fn truncation_clears_the_tail(a in some_key(), kept in 0..=170_u32) {
        let truncated = a.truncated(kept);
        for i in 0..160 {
            prop_assert_eq!(truncated.bit(i), i < kept && a.bit(i));
        }
    }

    #[test]
    fn short_identifiers_stand_at_the_top(value in any::<u64>(), bits in 1..=64_u32) {
        let key = Key::from_top_bits(value, bits);
        let kept = if bits == 64 { value } else { value & ((1 << bits) - 1) };
        prop_assert_eq!(key.top_bits(bits), kept);
        prop_assert_eq!(key.truncated(bits), key);
        // Arithmetic on them is arithmetic modulo 2^bits.
        let one = Key::power_of_two(160 - bits);
        let next = kept.wrapping_add(1);
        let next = if bits == 64 { next } else { next & ((1 << bits) - 1) };
        prop_assert_eq!(key.plus(one), Key::from_top_bits(next, bits));
    }

    #[test]
    fn hexadecimal_round_trip(key in some_key()) {
        let text = key.to_string();
        prop_assert_eq!(text.len(), 40);
        prop_assert_eq!(Key::from_hex(&text), Some(key));
        prop_assert_eq!(Key::from_hex(&text.to_uppercase()), Some(key));
        prop_assert_eq!(format!("{key:?}"), &text[..16]);
        prop_assert_eq!(key.prefix64(), u64::from_str_radix(&text[..16], 16).unwrap());
    }

    #[test]
    fn odd_text_is_no_key(text in any::<String>()) {
        let digits = text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
        prop_assert_eq!(Key::from_hex(&text).is_some(), digits);
    }
}

#[test]
fn intervals_on_a_ring_of_eight_points() {
    let point = |n| Key::from_top_bits(n, 3);
    for after in 0..8 {
        for end in 0..8 {
            for key in 0..8 {
                let case = format!("{key} between {after} and {end}");
                let half_open = if after == end { true } else { walk_meets(key, after, end, true) };
                assert_eq!(point(key).in_half_open(point(after), point(end)), half_open, "{case}");
                let open = walk_meets(key, after, end, false);
                assert_eq!(point(key).in_open(point(after), point(end)), open, "{case}");
            }
        }
    }
}

#[test]
fn powers_of_two() {
    let mut power = Key::from_hex("0000000000000000000000000000000000000001").unwrap();
    for exponent in 0..160 {
        assert_eq!(Key::power_of_two(exponent), power);
        assert_eq!(power.leading_zeros(), 159 - exponent);
        power = power.plus(power);
    }
    assert_eq!(power, Key::ZERO, "2^160 wraps around");
    assert_eq!(Key::power_of_two(160), Key::ZERO);
    assert_eq!(Key::power_of_two(u32::MAX), Key::ZERO);
}

#[test]
fn golden_hash() {
    // FIPS 180-4's examples of SHA-1.
    assert_eq!(Key::hash(b"abc").to_string(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(Key::hash(b"").to_string(), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

#[test]
fn the_edges_of_the_index_space() {
    assert_eq!(Key::MAX.digit(20, 8), 0);
    assert_eq!(Key::MAX.digit(u32::MAX, 8), 0, "far beyond the end");
    assert_eq!(Key::MAX.digit(22, 7), 0b111_1110, "two bits hang over the end");
    assert_eq!(Key::ZERO.leading_zeros(), 160);
    assert_eq!(Key::MAX.plus(Key::power_of_two(0)), Key::ZERO);
    assert_eq!(Key::from_top_bits(5, 0), Key::from_top_bits(1, 1), "widths are brought into range");
    assert_eq!(Key::from_top_bits(5, 99), Key::from_top_bits(5, 64));
    assert_eq!((Key::MAX.top_bits(0), Key::MAX.top_bits(99)), (1, u64::MAX));
    assert_eq!((size_of::<Key>(), align_of::<Key>()), (20, 4));
}
