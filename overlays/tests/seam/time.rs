//! Time: reading, writing and saturation.

use overlays::{ParameterValue, Span, Time};
use proptest::prelude::*;

#[test]
fn units() {
    let us = |text| Span::parse(text).map(Span::as_us);
    assert_eq!(us("20ms"), Ok(20_000));
    assert_eq!(us("1.5s"), Ok(1_500_000));
    assert_eq!(us("300us"), Ok(300));
    assert_eq!(us("300µs"), Ok(300), "the micro sign is a unit too");
    assert_eq!(us("10min"), Ok(600_000_000));
    assert_eq!(us("2h"), Ok(7_200_000_000));
    assert_eq!(us(" 3 s "), Ok(3_000_000));
    assert_eq!(us("0"), Ok(0));
    for bad in ["", "s", "5", "5x", "-1s", "1e400s", "nan", "NaNs", "infs", "1s2", "1 000ms", "ms5"]
    {
        assert!(us(bad).is_err(), "{bad:?}");
    }
    assert!(us("5").unwrap_err().contains("5ms"), "the error shows what to write");
}

#[test]
fn written_in_a_fitting_unit() {
    let text = |us| Span::from_us(us).to_string();
    assert_eq!(text(0), "0ms");
    assert_eq!(text(999), "999us");
    assert_eq!(text(1_000), "1ms");
    assert_eq!(text(1_500), "1.5ms");
    assert_eq!(text(60_000_000), "60s");
    assert_eq!(text(600_000_000), "10min");
    assert_eq!(text(36_000_000_000), "10h");
    assert_eq!(Time::from_us(1_000_001).to_string(), "1.000001s");
}

#[test]
fn arithmetic_saturates() {
    assert_eq!(Time::NEVER + Span::from_us(1), Time::NEVER);
    assert_eq!(Time::from_us(5).since(Time::from_us(7)), Span::ZERO);
    assert_eq!(Span::from_us(5) - Span::from_us(7), Span::ZERO);
    assert_eq!((Span::from_us(u64::MAX) * 2).as_us(), u64::MAX);
    assert_eq!((Span::from_us(u64::MAX) + Span::from_us(1)).as_us(), u64::MAX);
    for (s, us) in [(f64::NAN, 0), (-1.0, 0), (f64::INFINITY, u64::MAX), (0.000_000_6, 1)] {
        assert_eq!(Span::from_s_f64(s).as_us(), us, "{s}");
    }
}

proptest! {
    /// Exact up to 2^53 us, 285 years: what a float holds.
    #[test]
    fn a_parameter_reads_back_as_it_was_written(us in 0..1_u64 << 53, shift in 0..53_u32) {
        let span = Span::from_us(us >> shift);
        let text = ParameterValue::show(&span);
        prop_assert_eq!(<Span as ParameterValue>::parse(&text), Some(span), "{}", text);
    }

    #[test]
    fn the_short_form_is_close(us in 1..1_u64 << 50) {
        let close = Span::parse(&Span::from_us(us).to_string()).unwrap().as_us();
        prop_assert!(close.abs_diff(us) as f64 <= us as f64 * 0.000_51, "{us} as {close}");
    }

    #[test]
    fn no_text_panics(text in any::<String>(), number in any::<f64>(), unit in "[a-zµ]{0,3}") {
        _ = Span::parse(&text);
        if let Ok(span) = Span::parse(&format!("{number}{unit}")) {
            prop_assert!(span.as_us() <= 1_000_000_000_000_000_000);
        }
    }
}
