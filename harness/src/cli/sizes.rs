//! Sizes and rates as people write them.

use super::error::CliError;

/// Units, the longer names first so that none is taken for the end of another.
const UNITS: [(&str, u64); 12] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("K", 1 << 10),
    ("k", 1_000),
    ("M", 1 << 20),
    ("G", 1 << 30),
    ("B", 1),
];

/// A rate in bytes per second: `500kB/s`, `8MB`, `2.5MiB/s`, `1000`.
///
/// # Errors
/// Names the option when the text is none, or the rate is no byte.
pub fn rate(option: &str, text: &str) -> Result<u64, CliError> {
    let size = text.strip_suffix("/s").unwrap_or(text);
    bytes(size).filter(|rate| *rate > 0).ok_or_else(|| {
        CliError::usage(format!(
            "{option} {text}: a rate is a number and a unit, such as 500kB/s, 8MB/s or 2.5MiB/s"
        ))
    })
}

/// A number of bytes with its unit, if the text is one.
pub fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (number, factor) = match unit {
        Some((unit, factor)) => (text.strip_suffix(unit)?.trim_end(), *factor),
        None => (text, 1),
    };
    let number: f64 = number.parse().ok()?;
    let size = number * factor as f64;
    (size.is_finite() && (0.0..9e18).contains(&size)).then_some(size.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1000", Some(1000)),
            ("16B", Some(16)),
            ("256KiB", Some(256 << 10)),
            ("1.5 MiB", Some(3 << 19)),
            ("8MB", Some(8_000_000)),
            ("2M", Some(2 << 20)),
            ("1GiB", Some(1 << 30)),
            ("", None),
            ("KiB", None),
            ("-1", None),
            ("inf", None),
            ("NaN", None),
            ("1e30", None),
            ("1 PB", None),
        ] {
            assert_eq!(bytes(text), expected, "{text:?}");
        }
    }

    #[test]
    fn rates_may_say_per_second_and_are_not_zero() {
        assert_eq!(rate("--max-upload", "8MB/s").unwrap(), 8_000_000);
        assert_eq!(rate("--max-upload", "500kB").unwrap(), 500_000);
        assert!(rate("--max-upload", "0").is_err());
        assert!(rate("--max-upload", "fast").is_err());
    }
}
