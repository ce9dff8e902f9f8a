//! The reader and the writer.

use overlays::wire::Problem;
use overlays::{Reader, Writer};
use proptest::prelude::*;

use super::{any_addr, any_key};

proptest! {
    /// Any sequence of reads over any bytes stays within them, and a read that
    /// fails takes no more than what it was given.
    #[test]
    fn no_read_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        reads in prop::collection::vec((0..12_u8, any::<u16>(), any::<u8>()), 0..30),
    ) {
        let mut r = Reader::new(&bytes);
        for (kind, n, min) in reads {
            let before = r.offset();
            let (n, min) = (usize::from(n), usize::from(min));
            let outcome = match kind {
                0 => r.u8().map(|_| 1),
                1 => r.bool().map(|_| 1),
                2 => r.u16().map(|_| 2),
                3 => r.u32().map(|_| 4),
                4 => r.u64().map(|_| 8),
                5 => r.u16_le().map(|_| 2),
                6 => r.u32_le().map(|_| 4),
                7 => r.key().map(|_| 20),
                8 => r.addr().map(|_| 6),
                9 => r.short_text().map(|text| 1 + text.len()),
                10 => r.take(n, "bytes").map(<[u8]>::len),
                _ => r.count("list", n, min).map(|count| {
                    assert!(count <= n && count * min <= r.remaining());
                    2
                }),
            };
            if let Ok(read) = outcome {
                prop_assert_eq!(r.offset(), before + read);
            }
            prop_assert_eq!(r.offset() + r.remaining(), bytes.len());
        }
        prop_assert_eq!(r.finish().is_ok(), r.remaining() == 0);
    }

    #[test]
    fn fields_round_trip(
        a in any::<u8>(), b in any::<bool>(), c in any::<u16>(), d in any::<u32>(),
        e in any::<u64>(), key in any_key(), addr in any_addr(), text in any::<String>(),
    ) {
        let mut w = Writer::with_capacity(64);
        w.u8(a);
        w.bool(b);
        w.u16(c);
        w.u32(d);
        w.u64(e);
        w.u16_le(c);
        w.u32_le(d);
        w.key(key);
        w.addr(addr);
        w.short_text(&text);
        let bytes = w.into_bytes();
        let mut r = Reader::new(&bytes);
        prop_assert_eq!((r.u8(), r.bool(), r.u16()), (Ok(a), Ok(b), Ok(c)));
        prop_assert_eq!((r.u32(), r.u64()), (Ok(d), Ok(e)));
        prop_assert_eq!((r.u16_le(), r.u32_le()), (Ok(c), Ok(d)));
        prop_assert_eq!((r.key(), r.addr()), (Ok(key), Ok(addr)));
        let read = r.short_text().unwrap();
        prop_assert!(text.starts_with(read), "long texts are cut");
        prop_assert!(read.len() == text.len() || read.len() > 255 - 4);
        prop_assert_eq!(r.finish(), Ok(()));
    }
}

#[test]
fn byte_orders() {
    let mut w = Writer::new();
    w.u16(0x0102);
    w.u32(0x0304_0506);
    w.u16_le(0x0102);
    w.u32_le(0x0304_0506);
    w.count(258);
    assert_eq!(w.as_bytes(), [1, 2, 3, 4, 5, 6, 2, 1, 6, 5, 4, 3, 1, 2]);
}

#[test]
fn errors_say_what_and_where() {
    let mut r = Reader::new(&[7, 2, 0xff, 0xfe, 0, 9]);
    let error = r.bool().unwrap_err();
    assert_eq!((error.offset, error.field, error.problem), (1, "flag", Problem::Invalid(7)));
    assert_eq!(r.short_text().unwrap_err().problem, Problem::NotText);
    assert_eq!(r.finish().unwrap_err().problem, Problem::Trailing(2));
    let error = r.clone().count("peers", 8, 1).unwrap_err();
    assert_eq!(error.to_string(), "offset 6: peers: 9 is over the limit");
    let error = r.clone().count("peers", 9, 6).unwrap_err();
    assert_eq!(error.to_string(), "offset 6: peers: 54 bytes are missing");
    let error = r.u32().unwrap_err();
    assert_eq!(error.to_string(), "offset 4: 32-bit number: 2 bytes are missing");
}
