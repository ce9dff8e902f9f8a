//! Zipf's law over ranks.

use overlays::Rng;
use rand::Rng as _;

/// Draws ranks `0..n` with probability in proportion to (rank + 1)^-alpha.
///
/// The distribution function is a table of 64-bit integers, so a draw is one
/// random word and a binary search: no rounding, and the same on every
/// machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zipf {
    /// Below `bounds[r]` lie the words that mean a rank of at most r. The last
    /// rank's bound, 2^64, is not stored.
    bounds: Box<[u64]>,
}

/// The largest exponent accepted: beyond it nearly all draws give rank 0.
pub const MAX_ALPHA: f64 = 10.0;

impl Zipf {
    /// The law over `n` ranks with exponent `alpha`; 0 is the uniform law.
    ///
    /// # Panics
    /// When `n` is zero or `alpha` is not in 0..=[`MAX_ALPHA`]: configurations
    /// are checked where they are read.
    pub fn new(n: u32, alpha: f64) -> Self {
        assert!(n > 0, "a law needs at least one rank");
        assert!((0.0..=MAX_ALPHA).contains(&alpha), "exponent {alpha} is out of range");
        let mut sums = Vec::with_capacity(n as usize);
        let mut sum = 0.0;
        for rank in 1..=n {
            sum += libm::pow(f64::from(rank), -alpha);
            sums.push(sum);
        }
        sums.pop();
        // 2^64; the conversion to an integer saturates at u64::MAX.
        let scale = 18_446_744_073_709_551_616.0 / sum;
        Self { bounds: sums.iter().map(|s| (s * scale) as u64).collect() }
    }

    /// The number of ranks.
    pub fn ranks(&self) -> u32 {
        self.bounds.len() as u32 + 1
    }

    /// A rank; 0 is the most popular.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> u32 {
        let word = rng.next_u64();
        self.bounds.partition_point(|bound| *bound <= word) as u32
    }

    /// The probability of `rank`; zero beyond the last.
    pub fn probability(&self, rank: u32) -> f64 {
        let rank = rank as usize;
        let last = self.bounds.len();
        if rank > last {
            return 0.0;
        }
        let low = if rank == 0 { 0 } else { u128::from(self.bounds[rank - 1]) };
        let high = if rank == last { 1 << 64 } else { u128::from(self.bounds[rank]) };
        (high - low) as f64 / 18_446_744_073_709_551_616.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlays::Stream;
    use proptest::prelude::*;

    #[test]
    fn bounds_do_not_change_between_versions() {
        // Golden values: the same table must come out on every machine.
        let zipf = Zipf::new(4, 1.0);
        let bounds: Vec<u64> = zipf.bounds.to_vec();
        let twelve_25ths = 18_446_744_073_709_551_616.0 * 12.0 / 25.0;
        assert!((bounds[0] as f64 - twelve_25ths).abs() < 1e4, "{bounds:?}");
        assert!((zipf.probability(0) - 0.48).abs() < 1e-12);
        assert!((zipf.probability(3) - 0.12).abs() < 1e-12);
        assert_eq!(zipf.probability(4), 0.0);
    }

    #[test]
    fn one_rank_is_always_drawn() {
        let zipf = Zipf::new(1, 0.8);
        assert_eq!(zipf.draw(&mut Stream::Workload.rng(1)), 0);
        assert_eq!(zipf.probability(0), 1.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn frequencies_follow_the_law(n in 1_u32..300, alpha in 0.0..2.0, seed: u64) {
            let zipf = Zipf::new(n, alpha);
            let mut rng = Stream::Workload.rng(seed);
            let draws = 40_000_u32;
            let mut counts = vec![0_u32; n as usize];
            for _ in 0..draws {
                counts[zipf.draw(&mut rng) as usize] += 1;
            }
            let norm: f64 = (1..=n).map(|r| f64::from(r).powf(-alpha)).sum();
            let mut total = 0.0;
            for (rank, count) in counts.iter().enumerate() {
                let p = (rank as f64 + 1.0).powf(-alpha) / norm;
                prop_assert!((zipf.probability(rank as u32) - p).abs() < 1e-9);
                // Six standard deviations, and a little for very rare ranks.
                let slack = 6.0 * (p * (1.0 - p) * f64::from(draws)).sqrt() + 6.0;
                prop_assert!((f64::from(*count) - p * f64::from(draws)).abs() < slack);
                total += zipf.probability(rank as u32);
            }
            prop_assert!((total - 1.0).abs() < 1e-9);
        }
    }
}
