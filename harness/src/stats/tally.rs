//! Counts samples in bounded memory.

/// Values below this are counted one by one.
const EXACT: u64 = 1 << EXACT_BITS;
const EXACT_BITS: u32 = 10;

/// Above [`EXACT`] each power of two is divided into `2^STEP_BITS` buckets of
/// equal width. A bucket is at most 1/256 of its lowest value wide, so its
/// middle lies within 1/512 of every value in it.
const STEP_BITS: u32 = 8;

/// An accumulator of unsigned samples in bounded memory.
///
/// Count, sum, sum of squares, minimum and maximum are exact; so are counts of
/// values below 1,024. Larger values fall into log-linear buckets, as in an
/// HDR histogram, and quantiles among them are right within 1/512 of the value.
/// Nothing is allocated before the first sample; the most that can be is about
/// 120 KB, and 40 KB where no sample is above 2^24 (17 s in microseconds).
///
/// Units are the caller's: hops, messages, bytes, or microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    count: u64,
    sum: u128,
    sum_of_squares: u128,
    min: u64,
    max: u64,
    /// How often each value below [`EXACT`] came, up to the largest seen.
    exact: Vec<u64>,
    /// How often each bucket was hit, up to the largest seen.
    buckets: Vec<u64>,
}

/// The bucket of a value of at least [`EXACT`].
fn bucket_of(value: u64) -> usize {
    let octave = 63 - value.leading_zeros();
    let step = (value >> (octave - STEP_BITS)) & ((1 << STEP_BITS) - 1);
    (((octave - EXACT_BITS) as usize) << STEP_BITS) | step as usize
}

/// The value in the middle of a bucket.
fn middle_of(bucket: usize) -> u64 {
    let octave = (bucket >> STEP_BITS) as u32 + EXACT_BITS;
    let step = (bucket & ((1 << STEP_BITS) - 1)) as u64;
    let width = 1u64 << (octave - STEP_BITS);
    (1u64 << octave) + step * width + width / 2
}

/// Adds to a counter, making room for it first.
fn bump(counters: &mut Vec<u64>, index: usize, times: u64) {
    if index >= counters.len() {
        counters.resize(index + 1, 0);
    }
    counters[index] = counters[index].saturating_add(times);
}

impl Tally {
    /// A tally without samples.
    pub const fn new() -> Self {
        Self {
            count: 0,
            sum: 0,
            sum_of_squares: 0,
            min: 0,
            max: 0,
            exact: Vec::new(),
            buckets: Vec::new(),
        }
    }

    /// Adds one sample.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_times(value, 1);
    }

    /// Adds the same sample `times` times.
    pub fn record_times(&mut self, value: u64, times: u64) {
        if times == 0 {
            return;
        }
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count = self.count.saturating_add(times);
        let product = u128::from(value) * u128::from(times);
        self.sum = self.sum.saturating_add(product);
        let squares = product.saturating_mul(u128::from(value));
        self.sum_of_squares = self.sum_of_squares.saturating_add(squares);
        if value < EXACT {
            bump(&mut self.exact, value as usize, times);
        } else {
            bump(&mut self.buckets, bucket_of(value), times);
        }
    }

    /// Adds all samples of another tally.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.sum_of_squares = self.sum_of_squares.saturating_add(other.sum_of_squares);
        for (mine, theirs) in [(&mut self.exact, &other.exact), (&mut self.buckets, &other.buckets)]
        {
            if mine.len() < theirs.len() {
                mine.resize(theirs.len(), 0);
            }
            for (a, b) in mine.iter_mut().zip(theirs) {
                *a = a.saturating_add(*b);
            }
        }
    }

    /// How many samples there are.
    #[inline]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Whether there is no sample.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The sum of the samples.
    pub const fn sum(&self) -> u128 {
        self.sum
    }

    /// The smallest sample.
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The largest sample.
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// The arithmetic mean.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The standard deviation of the sample (with n − 1 in the denominator);
    /// zero for a single sample.
    pub fn sd(&self) -> Option<f64> {
        if self.count < 2 {
            return (self.count == 1).then_some(0.0);
        }
        let n = u128::from(self.count);
        // In integers, n Σx² − (Σx)² suffers no cancellation. Where it does not
        // fit 128 bits, floating point is the best there is.
        let scaled = match (n.checked_mul(self.sum_of_squares), self.sum.checked_mul(self.sum)) {
            (Some(a), Some(b)) => a.saturating_sub(b) as f64,
            _ => {
                let sum = self.sum as f64;
                (n as f64 * self.sum_of_squares as f64 - sum * sum).max(0.0)
            }
        };
        Some((scaled / n as f64 / (n - 1) as f64).sqrt())
    }

    /// The smallest value that at least the fraction `q` of the samples do not
    /// exceed (nearest rank); `q` is held within 0 to 1. Exact below 1,024 and
    /// at both ends, within 1/512 elsewhere.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let rank = (q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64;
        if rank <= 1 {
            return Some(self.min);
        }
        if rank >= self.count {
            return Some(self.max);
        }
        let mut seen = 0u64;
        for (value, count) in self.bars() {
            seen = seen.saturating_add(count);
            if seen >= rank {
                return Some(value.clamp(self.min, self.max));
            }
        }
        Some(self.max)
    }

    /// The values that came and how often, ascending: each value below 1,024
    /// on its own, larger ones by the middle of their bucket.
    pub fn bars(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let exact = self.exact.iter().enumerate().map(|(value, &count)| (value as u64, count));
        let rest = self.buckets.iter().enumerate().map(|(at, &count)| (middle_of(at), count));
        exact.chain(rest).filter(|&(_, count)| count > 0)
    }
}

impl Extend<u64> for Tally {
    fn extend<I: IntoIterator<Item = u64>>(&mut self, samples: I) {
        for sample in samples {
            self.record(sample);
        }
    }
}

impl FromIterator<u64> for Tally {
    fn from_iter<I: IntoIterator<Item = u64>>(samples: I) -> Self {
        let mut tally = Self::new();
        tally.extend(samples);
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_tally_has_no_figures_and_no_heap() {
        let tally = Tally::new();
        assert!(tally.is_empty());
        assert_eq!((tally.min(), tally.max(), tally.quantile(0.5)), (None, None, None));
        assert_eq!((tally.mean(), tally.sd()), (None, None));
        assert_eq!(tally.exact.capacity() + tally.buckets.capacity(), 0);
        assert!(size_of::<Tally>() <= 112);
    }

    #[test]
    fn one_sample_is_every_quantile_and_has_no_spread() {
        let tally: Tally = [7_654_321].into_iter().collect();
        for q in [0.0, 0.01, 0.5, 0.99, 1.0] {
            assert_eq!(tally.quantile(q), Some(7_654_321));
        }
        assert_eq!(tally.sd(), Some(0.0));
    }

    #[test]
    fn textbook_mean_and_sd() {
        let tally: Tally = [2, 4, 4, 4, 5, 5, 7, 9].into_iter().collect();
        assert_eq!(tally.mean(), Some(5.0));
        let sd = tally.sd().unwrap();
        assert!((sd - (32.0f64 / 7.0).sqrt()).abs() < 1e-12, "{sd}");
        assert_eq!(tally.quantile(0.5), Some(4));
        assert_eq!(tally.quantile(0.51), Some(5));
    }

    #[test]
    fn the_ends_of_the_range_do_not_overflow() {
        let tally: Tally = [0, 1023, 1024, u64::MAX, u64::MAX].into_iter().collect();
        assert_eq!(tally.quantile(1.0), Some(u64::MAX));
        assert_eq!(tally.quantile(0.0), Some(0));
        assert_eq!(tally.quantile(0.4), Some(1023));
        assert!(tally.sd().unwrap().is_finite());
        assert_eq!(bucket_of(u64::MAX), 54 * 256 - 1);
    }

    #[test]
    fn weights_count_as_repetitions() {
        let mut weighted = Tally::new();
        weighted.record_times(3, 4);
        weighted.record_times(5000, 2);
        weighted.record_times(9, 0);
        let single: Tally = [3, 3, 3, 3, 5000, 5000].into_iter().collect();
        assert_eq!(weighted, single);
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_values_within_one_in_512(value in EXACT..=u64::MAX) {
            let error = middle_of(bucket_of(value)).abs_diff(value);
            prop_assert!(error as f64 <= value as f64 / 512.0, "{value}: {error}");
        }

        #[test]
        fn quantiles_stand_beside_the_sorted_samples(
            mut samples in prop::collection::vec(
                prop_oneof![0u64..2_000, 0u64..20_000_000, any::<u64>()], 1..300),
            q in 0.0f64..=1.0,
        ) {
            let tally: Tally = samples.iter().copied().collect();
            samples.sort_unstable();
            let rank = ((q * samples.len() as f64).ceil() as usize).max(1);
            let truth = samples[rank - 1];
            let got = tally.quantile(q).unwrap();
            prop_assert!(got.abs_diff(truth) as f64 <= truth as f64 / 512.0, "{got} for {truth}");
            if truth < EXACT {
                prop_assert_eq!(got, truth);
            }
        }

        #[test]
        fn merging_equals_recording_everything(
            a in prop::collection::vec(any::<u64>(), 0..50),
            b in prop::collection::vec(0u64..3_000, 0..50),
        ) {
            let mut merged: Tally = a.iter().copied().collect();
            merged.merge(&b.iter().copied().collect());
            let whole: Tally = a.iter().chain(&b).copied().collect();
            prop_assert_eq!(merged, whole);
        }
    }
}
