//! How much per second, without a clock.

use super::config::SECOND_US;

const BUCKETS: usize = 10;
const BUCKET_US: u64 = 2 * SECOND_US;

/// A count of bytes over the last 20 s, in steps of two.
#[derive(Clone, Debug)]
pub(super) struct Rate {
    buckets: [u64; BUCKETS],
    /// The number of the newest bucket since time 0.
    newest: u64,
    begun_us: u64,
}

impl Rate {
    pub(super) fn new(now_us: u64) -> Self {
        Self { buckets: [0; BUCKETS], newest: now_us / BUCKET_US, begun_us: now_us }
    }

    pub(super) fn add(&mut self, bytes: u32, now_us: u64) {
        self.roll(now_us);
        self.buckets[self.newest as usize % BUCKETS] += u64::from(bytes);
    }

    fn roll(&mut self, now_us: u64) {
        let now = now_us / BUCKET_US;
        let passed = now.saturating_sub(self.newest);
        for step in 1..=passed.min(BUCKETS as u64) {
            self.buckets[(self.newest + step) as usize % BUCKETS] = 0;
        }
        self.newest = self.newest.max(now);
    }

    /// Bytes per second over the last 20 s, or since it began.
    pub(super) fn per_s(&self, now_us: u64) -> u64 {
        self.over(BUCKETS as u64, now_us)
    }

    /// Bytes per second over the last 4 to 6 s, or since it began.
    pub(super) fn recent_per_s(&self, now_us: u64) -> u64 {
        self.over(3, now_us)
    }

    fn over(&self, buckets: u64, now_us: u64) -> u64 {
        let now = now_us / BUCKET_US;
        let oldest = (now + 1).saturating_sub(buckets);
        let held = self.newest.saturating_sub(BUCKETS as u64 - 1);
        let sum: u64 =
            (oldest.max(held)..=self.newest).map(|n| self.buckets[n as usize % BUCKETS]).sum();
        let since = (oldest * BUCKET_US).max(self.begun_us);
        sum.saturating_mul(SECOND_US) / now_us.saturating_sub(since).max(SECOND_US / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_flow_is_its_own_rate() {
        let mut rate = Rate::new(7 * SECOND_US);
        for ms in 0..40_000 {
            rate.add(100, 7 * SECOND_US + ms * 1000);
            if ms > 1_000 {
                let per_s = rate.per_s(7 * SECOND_US + ms * 1000);
                assert!((99_000..=101_000).contains(&per_s), "{per_s} after {ms} ms");
            }
        }
        let end = 47 * SECOND_US;
        assert!((95_000..=101_000).contains(&rate.recent_per_s(end)));
        assert!((45_000..=55_000).contains(&rate.per_s(end + 10 * SECOND_US)));
        assert_eq!(rate.recent_per_s(end + 10 * SECOND_US), 0);
        assert_eq!(rate.per_s(end + 30 * SECOND_US), 0);
        rate.add(1, end + 1_000 * SECOND_US);
        assert_eq!(rate.per_s(end + 1_000 * SECOND_US), 0, "one byte in twenty seconds");
    }
}
