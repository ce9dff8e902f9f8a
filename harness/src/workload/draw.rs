//! Elementary draws that come out the same on every machine.
//!
//! Integers are drawn by integer arithmetic. Where a logarithm or a power is
//! needed it is taken from `libm`, which computes the same bits everywhere;
//! the standard library leaves these functions to the platform.

use overlays::{Rng, Span};
use rand::Rng as _;

/// A uniform integer in `0..n`, without bias (Lemire, ACM TOMACS 29(1), 2019).
///
/// # Panics
/// When `n` is zero.
#[inline]
pub fn below(rng: &mut Rng, n: u64) -> u64 {
    assert!(n > 0, "a draw needs at least one possibility");
    let mut product = u128::from(rng.next_u64()) * u128::from(n);
    if (product as u64) < n {
        let threshold = n.wrapping_neg() % n;
        while (product as u64) < threshold {
            product = u128::from(rng.next_u64()) * u128::from(n);
        }
    }
    (product >> 64) as u64
}

/// A uniform index of a list of `len` things.
///
/// # Panics
/// When `len` is zero.
#[inline]
pub fn index(rng: &mut Rng, len: usize) -> usize {
    below(rng, len as u64) as usize
}

/// A uniform number in (0, 1): a multiple of 2^-53, never 0 or 1, so that its
/// logarithm is finite and not zero.
#[inline]
pub fn open_unit(rng: &mut Rng) -> f64 {
    loop {
        let bits = rng.next_u64() >> 11;
        if bits != 0 {
            return bits as f64 / (1_u64 << 53) as f64;
        }
    }
}

/// An exponential number with mean 1.
#[inline]
pub fn exponential(rng: &mut Rng) -> f64 {
    -libm::log(open_unit(rng))
}

/// A normal number with mean 0 and variance 1 (Box and Muller, 1958).
pub fn normal(rng: &mut Rng) -> f64 {
    let radius = (2.0 * exponential(rng)).sqrt();
    radius * libm::cos(core::f64::consts::TAU * open_unit(rng))
}

/// A gamma number with the given shape, at least 1, and scale 1 (Marsaglia
/// and Tsang, ACM TOMS 26(3), 2000).
pub fn gamma(rng: &mut Rng, shape: f64) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(rng);
        let t = 1.0 + c * x;
        if t > 0.0 {
            let v = t * t * t;
            if libm::log(open_unit(rng)) < 0.5 * x * x + d - d * v + d * libm::log(v) {
                return d * v;
            }
        }
    }
}

/// Whether an event of probability `p` happens; one draw whatever `p` is.
#[inline]
pub fn chance(rng: &mut Rng, p: f64) -> bool {
    ((rng.next_u64() >> 11) as f64) < p * (1_u64 << 53) as f64
}

/// A uniform span in `[0, period)`; zero when the period is.
#[inline]
pub fn phase(rng: &mut Rng, period: Span) -> Span {
    Span::from_us(if period == Span::ZERO { 0 } else { below(rng, period.as_us()) })
}

/// Puts a list into random order (Fisher and Yates).
pub fn shuffle<T>(rng: &mut Rng, list: &mut [T]) {
    for i in (1..list.len()).rev() {
        list.swap(i, index(rng, i + 1));
    }
}

/// The place that a draw in proportion to `weights` falls on. Weights are not
/// negative; if all are zero it is the last place.
///
/// # Panics
/// When there are no weights.
pub fn weighted(rng: &mut Rng, weights: &[f64]) -> usize {
    let mut left = open_unit(rng) * weights.iter().sum::<f64>();
    let last = weights.len().checked_sub(1).expect("a choice needs at least one weight");
    for (place, weight) in weights.iter().enumerate() {
        if left < *weight {
            return place;
        }
        left -= weight;
    }
    // Rounding may leave a remainder: it belongs to the last possible place.
    weights.iter().rposition(|w| *w > 0.0).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlays::Stream;

    #[test]
    fn integers_are_uniform_and_reach_both_ends() {
        let mut rng = Stream::Workload.rng(1);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[index(&mut rng, 7)] += 1;
        }
        assert!(counts.iter().all(|c| (9_600..10_400).contains(c)), "{counts:?}");
    }

    #[test]
    fn moments_of_the_continuous_draws() {
        let mut rng = Stream::Workload.rng(2);
        let n = 200_000;
        let mean = |f: &mut dyn FnMut(&mut Rng) -> f64, rng: &mut Rng| {
            (0..n).map(|_| f(rng)).sum::<f64>() / f64::from(n)
        };
        assert!((mean(&mut exponential, &mut rng) - 1.0).abs() < 0.01);
        assert!(mean(&mut normal, &mut rng).abs() < 0.01);
        assert!((mean(&mut |r| normal(r).powi(2), &mut rng) - 1.0).abs() < 0.02);
        assert!((mean(&mut |r| gamma(r, 3.0), &mut rng) - 3.0).abs() < 0.02);
        assert!((mean(&mut |r| gamma(r, 3.0).powi(2), &mut rng) - 12.0).abs() < 0.2);
    }

    #[test]
    fn weights_that_are_zero_are_never_drawn() {
        let mut rng = Stream::Workload.rng(3);
        let mut counts = [0_u32; 4];
        for _ in 0..40_000 {
            counts[weighted(&mut rng, &[1.0, 0.0, 3.0, 0.0])] += 1;
        }
        assert_eq!((counts[1], counts[3]), (0, 0));
        assert!((9_500..10_500).contains(&counts[0]), "{counts:?}");
        assert!(!chance(&mut rng, 0.0) && chance(&mut rng, 1.0));
    }
}
