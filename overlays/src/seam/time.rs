//! Points in time and lengths of time, in whole microseconds.

use core::fmt;
use core::ops::{Add, AddAssign, Mul, Sub};

/// A point in time: microseconds since the host started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

/// A length of time in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(u64);

impl Time {
    /// When the host started.
    pub const ZERO: Self = Self(0);
    /// Later than anything that happens.
    pub const NEVER: Self = Self(u64::MAX);

    /// The point `us` microseconds after the start.
    #[inline]
    pub const fn from_us(us: u64) -> Self {
        Self(us)
    }

    /// Microseconds since the start.
    #[inline]
    pub const fn as_us(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[inline]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// `us` microseconds.
    #[inline]
    pub const fn from_us(us: u64) -> Self {
        Self(us)
    }

    /// `ms` milliseconds.
    #[inline]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms * 1_000)
    }

    /// `s` seconds.
    #[inline]
    pub const fn from_s(s: u64) -> Self {
        Self(s * 1_000_000)
    }

    /// The nearest span to a number of seconds; negative and NaN give zero.
    pub fn from_s_f64(s: f64) -> Self {
        Self((s * 1e6).round() as u64)
    }

    /// Whole microseconds.
    #[inline]
    pub const fn as_us(self) -> u64 {
        self.0
    }

    /// Milliseconds.
    #[inline]
    pub const fn as_ms_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// Seconds.
    #[inline]
    pub const fn as_s_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Reads a length of time with its unit: `20ms`, `1.5s`, `300us`, `10min`,
    /// `2h`. A bare `0` needs no unit.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let split = text.find(char::is_alphabetic).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let number: f64 = number
            .trim()
            .parse()
            .map_err(|_| format!("`{text}` is not a length of time such as 20ms or 1.5s"))?;
        let us = match unit {
            "us" | "µs" | "μs" => 1.0,
            "ms" => 1e3,
            "s" => 1e6,
            "min" | "m" => 60e6,
            "h" => 3600e6,
            "" if number == 0.0 => 1.0,
            "" => return Err(format!("`{text}` lacks a unit: write {text}ms or {text}s")),
            _ => return Err(format!("`{unit}` is not a unit of time: use us, ms, s, min or h")),
        };
        let us = number * us;
        if !(0.0..=1e18).contains(&us) {
            return Err(format!("`{text}` is not a length of time this lab can hold"));
        }
        Ok(Self(us.round() as u64))
    }
}

impl Add<Span> for Time {
    type Output = Self;
    #[inline]
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    #[inline]
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Add for Span {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Span {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Span {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Mul<u64> for Span {
    type Output = Self;
    #[inline]
    fn mul(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl fmt::Display for Span {
    /// In the largest unit that keeps three digits or fewer before the point.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0;
        let (unit, factor) = match us {
            0 => return f.write_str("0ms"),
            1..1_000 => ("us", 1.0),
            1_000..1_000_000 => ("ms", 1e3),
            1_000_000..600_000_000 => ("s", 1e6),
            600_000_000..36_000_000_000 => ("min", 60e6),
            _ => ("h", 3600e6),
        };
        let text = format!("{:.3}", us as f64 / factor);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))?;
        f.write_str(unit)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}
