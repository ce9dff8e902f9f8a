//! Numbers as people read them, with their units. Exact values stand in the
//! JSON document; what is printed here is rounded.

use crate::stats::Summary;

/// A figure that cannot be given.
pub const NONE: &str = "–";

/// `text` with a comma between groups of three digits.
fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A whole number in full: `37,612,533`.
pub fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// Decimals that leave a value of this size about three significant digits.
fn decimals(x: f64) -> usize {
    match x.abs() {
        0.0 => 0,
        x if x < 0.001 => 5,
        x if x < 0.01 => 4,
        x if x < 0.1 => 3,
        x if x < 9.995 => 2,
        x if x < 99.95 => 1,
        _ => 0,
    }
}

/// `x` with this many decimals and its thousands grouped.
fn fixed(x: f64, decimals: usize) -> String {
    let text = format!("{:.*}", decimals, x.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let sign = if x < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { "−" } else { "" };
    format!("{sign}{}{rest}", grouped(whole))
}

/// The power of a thousand by which to shorten a value of this size.
fn shortening(x: f64) -> (f64, &'static str) {
    match x.abs() {
        x if x < 9_999.5 => (1.0, ""),
        x if x < 999_500.0 => (1e3, "k"),
        x if x < 999.5e6 => (1e6, "M"),
        x if x < 999.5e9 => (1e9, "G"),
        _ => (1e12, "T"),
    }
}

/// A figure with about three significant digits: `0.017`, `5.03`, `182`,
/// `2,911`, `48.7k`, `1.23M`.
pub fn figure(x: f64) -> String {
    if !x.is_finite() {
        return NONE.into();
    }
    let (unit, suffix) = shortening(x);
    let x = x / unit;
    let plain = x.fract() == 0.0 && x.abs() < 1000.0;
    fixed(x, if plain { 0 } else { decimals(x) }) + suffix
}

/// A round value beside an axis: as [`figure`], without zeros at the end.
pub fn tick(x: f64) -> String {
    let text = figure(x);
    match text.contains('.') && text.ends_with('0') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    }
}

/// A mean and half its 95 % interval, to the same place: `5.00 ± 0.02`.
pub fn plus_minus(s: &Summary) -> String {
    let half = (s.ci95[1] - s.ci95[0]) / 2.0;
    if !s.mean.is_finite() || !half.is_finite() {
        return NONE.into();
    }
    let (unit, suffix) = shortening(s.mean);
    let (mean, half) = (s.mean / unit, half / unit);
    let plain = half == 0.0 && mean.fract() == 0.0;
    let places = if plain { 0 } else { decimals(mean).max(usize::from(half < 0.95)) };
    let places = if mean == 0.0 { decimals(half) } else { places };
    format!("{} ± {}{suffix}", fixed(mean, places), fixed(half, places))
}

/// A length of time given in milliseconds, with its unit: `182 ms`, `1.24 s`.
pub fn time_ms(ms: f64) -> String {
    match ms.abs() {
        x if !x.is_finite() => NONE.into(),
        0.0 => "0 ms".into(),
        x if x < 0.9995 => format!("{} µs", figure(ms * 1e3)),
        x if x < 9_999.5 => format!("{} ms", figure(ms)),
        x if x < 600_000.0 => format!("{} s", figure(ms / 1e3)),
        x if x < 36e6 => format!("{} min", figure(ms / 60e3)),
        _ => format!("{} h", figure(ms / 3.6e6)),
    }
}

/// A size in bytes, with its unit: `512 B`, `46.1 MiB`.
pub fn bytes(b: f64) -> String {
    if !b.is_finite() {
        return NONE.into();
    }
    let mut size = b;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if size.abs() < 1023.5 {
            break;
        }
        size /= 1024.0;
        unit = larger;
    }
    let whole = unit == "B" && size.abs() >= 10.0;
    format!("{} {unit}", figure(if whole { size.round() } else { size }))
}

/// A share of 0 to 1 as a percentage without its sign: `98.6`. A share just
/// below 1 never reads as 100, nor one just above 0 as 0.
pub fn percentage(share: f64) -> String {
    if !share.is_finite() {
        return NONE.into();
    }
    let percent = share * 100.0;
    match percent {
        0.0 => "0".into(),
        100.0 => "100".into(),
        x if x > 0.0 && x < 0.1 => "<0.1".into(),
        x if x > 99.9 && x < 100.0 => ">99.9".into(),
        x => format!("{x:.1}"),
    }
}

/// Text from a file without what could confuse a terminal or a layout:
/// control characters, and marks that change the direction of writing.
pub fn plain(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if odd(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn figures_keep_three_digits() {
        for (x, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (0.01664, "0.017"),
            (0.5, "0.50"),
            (5.034, "5.03"),
            (9.999, "10.0"),
            (99.96, "100"),
            (182.4, "182"),
            (2911.2, "2,911"),
            (48_712.0, "48.7k"),
            (999_700.0, "1.00M"),
            (37_612_533.0, "37.6M"),
            (-12.5, "−12.5"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ] {
            assert_eq!(figure(x), text, "{x}");
        }
    }

    #[test]
    fn ticks_end_without_zeros() {
        for (x, text) in [(0.5, "0.5"), (100.0, "100"), (1.5, "1.5"), (20.0, "20"), (0.0, "0")] {
            assert_eq!(tick(x), text);
        }
    }

    #[test]
    fn intervals_share_the_place_of_their_mean() {
        let of = |mean: f64, half: f64| {
            plus_minus(&Summary { mean, ci95: [mean - half, mean + half], ..Summary::default() })
        };
        assert_eq!(of(5.0, 0.021), "5.00 ± 0.02");
        assert_eq!(of(2.0, 0.0), "2 ± 0");
        assert_eq!(of(2911.4, 8.3), "2,911 ± 8");
        assert_eq!(of(543.2, 0.3), "543.2 ± 0.3");
        assert_eq!(of(48_712.0, 1_234.0), "48.7 ± 1.2k");
        assert_eq!(of(0.0, 0.0), "0 ± 0");
        assert_eq!(of(f64::NAN, 1.0), "–");
    }

    #[test]
    fn units_are_chosen_by_size() {
        assert_eq!(time_ms(182.0), "182 ms");
        assert_eq!(time_ms(0.25), "250 µs");
        assert_eq!(time_ms(12_400.0), "12.4 s");
        assert_eq!(time_ms(7.2e6), "120 min");
        assert_eq!(bytes(512.0), "512 B");
        assert_eq!(bytes(48_300_000.0), "46.1 MiB");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
    }

    #[test]
    fn percentages_do_not_round_up_to_perfection() {
        assert_eq!(percentage(1.0), "100");
        assert_eq!(percentage(0.9999), ">99.9");
        assert_eq!(percentage(0.986), "98.6");
        assert_eq!(percentage(0.0), "0");
        assert_eq!(percentage(0.0002), "<0.1");
    }

    #[test]
    fn control_characters_are_made_visible() {
        assert_eq!(plain("a\u{1b}[31mb\n\u{202e}c"), "a\u{fffd}[31mb\u{fffd}\u{fffd}c");
    }

    proptest! {
        #[test]
        fn figures_are_short_and_right(x in -1e12f64..1e12) {
            let text = figure(x);
            prop_assert!(text.chars().count() <= 7, "{text}");
            let number: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
            let scale = match text.chars().last() {
                Some('k') => 1e3, Some('M') => 1e6, Some('G') => 1e9, Some('T') => 1e12, _ => 1.0,
            };
            let value = number.parse::<f64>().unwrap() * scale;
            prop_assert!((value - x.abs()).abs() <= x.abs() * 0.006 + 1e-5, "{x}: {text}");
        }
    }
}
