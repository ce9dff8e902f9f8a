//! From values to places on an axis.

/// Positive values that span more than this factor get a logarithmic axis.
const WIDE: f64 = 40.0;

/// The share of a logarithmic axis that is kept for zero.
const ZERO_SHARE: f64 = 0.1;

/// An axis: a range of values laid along a range of pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    lo: f64,
    hi: f64,
    from: f64,
    to: f64,
    log: bool,
    /// Whether a logarithmic axis has a place for zero at its start.
    zero: bool,
}

impl Scale {
    /// A linear axis over `values` from 0, or from below it where they go
    /// there, up to the next round number.
    pub fn linear(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut lo, mut hi) = (0.0f64, 0.0f64);
        for value in values.into_iter().filter(|v| v.is_finite()) {
            lo = lo.min(value);
            hi = hi.max(value);
        }
        if hi <= lo {
            hi = lo + 1.0;
        }
        let step = nice_step(hi - lo, 4);
        hi = (hi / step).ceil() * step;
        lo = (lo / step).floor() * step;
        Self { lo, hi, from, to, log: false, zero: false }
    }

    /// A logarithmic axis over the positive `values`; with a place for zero at
    /// its start if there are others. Linear if there is no positive one.
    pub fn log(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut lo, mut hi, mut zero) = (f64::INFINITY, 0.0f64, false);
        for value in values.into_iter().filter(|v| v.is_finite()) {
            if value > 0.0 {
                lo = lo.min(value);
                hi = hi.max(value);
            } else {
                zero = true;
            }
        }
        if hi <= 0.0 {
            return Self::linear([], from, to);
        }
        if hi / lo < 1.5 {
            (lo, hi) = (lo / 1.5, hi * 1.5);
        }
        Self { lo, hi, from, to, log: true, zero }
    }

    /// The axis that suits the values: logarithmic where they span a wide
    /// range, linear elsewhere.
    pub fn fitting(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        let positive = || values.iter().copied().filter(|&v| v > 0.0);
        let lo = positive().fold(f64::INFINITY, f64::min);
        let hi = positive().fold(0.0, f64::max);
        if hi / lo > WIDE { Self::log(values, from, to) } else { Self::linear(values, from, to) }
    }

    /// Whether the axis is logarithmic.
    pub const fn is_log(&self) -> bool {
        self.log
    }

    /// The place of a value; values outside stand at the nearer end.
    pub fn at(&self, value: f64) -> f64 {
        if value.is_nan() {
            return self.from;
        }
        let share = if self.log {
            let start = if self.zero { ZERO_SHARE } else { 0.0 };
            if value < self.lo && (self.zero || value <= 0.0) {
                0.0
            } else {
                let share = (value / self.lo).ln() / (self.hi / self.lo).ln();
                start + share.clamp(0.0, 1.0) * (1.0 - start)
            }
        } else {
            ((value - self.lo) / (self.hi - self.lo)).clamp(0.0, 1.0)
        };
        self.from + share * (self.to - self.from)
    }

    /// Round values to mark, about `wanted` of them, ascending and all within
    /// the axis.
    pub fn ticks(&self, wanted: usize) -> Vec<f64> {
        if !self.log {
            let step = nice_step(self.hi - self.lo, wanted);
            let first = (self.lo / step).ceil() as i64;
            let last = (self.hi / step + 1e-9).floor() as i64;
            return (first..=last).map(|i| i as f64 * step).collect();
        }
        let mut ticks = self.round_numbers(&[1.0]);
        if ticks.len() < 3 {
            ticks = self.round_numbers(&[1.0, 2.0, 5.0]);
        }
        let mut ticks = thinned(ticks, wanted);
        if self.zero {
            ticks.insert(0, 0.0);
        }
        ticks
    }

    /// Powers of two within a logarithmic axis, about `wanted` of them; the
    /// usual ticks of a linear one.
    pub fn powers_of_two(&self, wanted: usize) -> Vec<f64> {
        if !self.log {
            return self.ticks(wanted);
        }
        let (first, last) = (self.lo.log2().ceil() as i32, self.hi.log2().floor() as i32);
        thinned((first..=last).map(|k| 2f64.powi(k)).collect(), wanted)
    }

    /// The multiples of powers of ten within the axis.
    fn round_numbers(&self, multiples: &[f64]) -> Vec<f64> {
        let (first, last) = (self.lo.log10().floor() as i32, self.hi.log10().ceil() as i32);
        (first..=last)
            .flat_map(|k| multiples.iter().map(move |m| m * 10f64.powi(k)))
            .filter(|v| (self.lo * (1.0 - 1e-9)..=self.hi * (1.0 + 1e-9)).contains(v))
            .collect()
    }
}

/// Every second value, or third, until there are at most `wanted` and one.
fn thinned(values: Vec<f64>, wanted: usize) -> Vec<f64> {
    let every = values.len().div_ceil(wanted.max(1) + 1).max(1);
    values.into_iter().step_by(every).collect()
}

/// 1, 2 or 5 times a power of ten, so that about `wanted` steps fill `span`.
fn nice_step(span: f64, wanted: usize) -> f64 {
    let rough = span / wanted.max(1) as f64;
    if !(rough.is_finite() && rough > 0.0) {
        return 1.0;
    }
    let power = 10f64.powf(rough.log10().floor());
    if !(power.is_finite() && power > 0.0) {
        return rough;
    }
    let multiple = match rough / power {
        x if x <= 1.0 + 1e-9 => 1.0,
        x if x <= 2.0 + 1e-9 => 2.0,
        x if x <= 5.0 + 1e-9 => 5.0,
        _ => 10.0,
    };
    multiple * power
}
