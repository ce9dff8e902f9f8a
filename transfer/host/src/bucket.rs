//! Rate limits.

/// A token bucket over bytes.
///
/// It fills with the clock, not by a timer: whoever may not go on asks when he
/// may, and sleeps until then.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    rate_bytes_s: Option<u64>,
    /// Bytes that may pass; below zero after more have passed than might.
    tokens: i64,
    /// What has been earned but is less than a byte, in millionths.
    fraction: u64,
    filled_us: u64,
}

/// How much a bucket holds at most, in microseconds of its rate. A burst of
/// 100 ms keeps the number of wake-ups low.
const BURST_US: u64 = 100_000;
/// A bucket holds at least one request's worth, else slow rates never get one.
const BURST_MIN_BYTES: i64 = 16 * 1024;
/// Whoever waits does so for this much of the burst, not for one byte.
const WAIT_US: u64 = 10_000;

impl TokenBucket {
    /// A bucket of that rate in bytes per second; without one there is no limit.
    pub fn new(rate_bytes_s: Option<u64>, now_us: u64) -> Self {
        let mut bucket = Self { rate_bytes_s, tokens: 0, fraction: 0, filled_us: now_us };
        bucket.tokens = bucket.burst();
        bucket
    }

    /// Changes the rate.
    pub fn set_rate(&mut self, rate_bytes_s: Option<u64>, now_us: u64) {
        self.fill(now_us);
        self.rate_bytes_s = rate_bytes_s;
        self.tokens = self.tokens.min(self.burst());
    }

    /// How many bytes may pass now.
    pub fn available(&mut self, now_us: u64) -> u64 {
        if self.rate_bytes_s.is_none() {
            return u64::MAX;
        }
        self.fill(now_us);
        self.tokens.max(0).unsigned_abs()
    }

    /// Takes tokens for bytes that passed. Whoever took more than there were, as
    /// a block goes whole or not at all, waits the longer for the next.
    pub fn spend(&mut self, bytes: u64) {
        if self.rate_bytes_s.is_some() {
            self.tokens = self.tokens.saturating_sub_unsigned(bytes);
        }
    }

    /// When it makes sense to ask again, in microseconds.
    pub fn ready_us(&self) -> u64 {
        match self.rate_bytes_s {
            None => self.filled_us,
            Some(rate) => {
                let debt = u128::from((1 - self.tokens).max(0).unsigned_abs());
                let debt_us = (debt * 1_000_000).div_ceil(u128::from(rate.max(1)));
                self.filled_us + WAIT_US.max(u64::try_from(debt_us).unwrap_or(u64::MAX / 2))
            }
        }
    }

    fn burst(&self) -> i64 {
        self.rate_bytes_s.map_or(0, |rate| {
            let burst = u128::from(rate) * u128::from(BURST_US) / 1_000_000;
            i64::try_from(burst).unwrap_or(i64::MAX).max(BURST_MIN_BYTES)
        })
    }

    fn fill(&mut self, now_us: u64) {
        let Some(rate) = self.rate_bytes_s else {
            self.filled_us = now_us;
            return;
        };
        let elapsed_us = now_us.saturating_sub(self.filled_us);
        self.filled_us = self.filled_us.max(now_us);
        let earned = u128::from(elapsed_us) * u128::from(rate) + u128::from(self.fraction);
        let bytes = i64::try_from(earned / 1_000_000).unwrap_or(i64::MAX);
        self.fraction = (earned % 1_000_000) as u64;
        self.tokens = self.tokens.saturating_add(bytes).min(self.burst());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_a_rate_all_passes() {
        let mut bucket = TokenBucket::new(None, 0);
        assert_eq!(bucket.available(0), u64::MAX);
        bucket.spend(1 << 40);
        assert_eq!(bucket.available(0), u64::MAX);
    }

    #[test]
    fn a_slow_rate_still_gets_a_block() {
        let mut bucket = TokenBucket::new(Some(1000), 0);
        assert_eq!(bucket.available(0), 16 * 1024);
        bucket.spend(16 * 1024);
        assert_eq!(bucket.available(0), 0);
        assert_eq!(bucket.ready_us(), 10_000);
        assert_eq!(bucket.available(1_000_000), 1000);
        bucket.spend(3000);
        assert_eq!(bucket.available(1_000_000), 0);
        assert_eq!(bucket.ready_us(), 3_001_000, "after its debt of 2,000 and a byte");
        assert_eq!(bucket.available(3_001_000), 1);
    }

    proptest! {
        /// Over any time and in any steps, no more passes than rate times time
        /// and one burst; and he who takes all gets nearly that.
        #[test]
        fn the_rate_is_kept(rate in 1u64..2_000_000_000, steps in proptest::collection::vec(1u64..50_000, 1..200)) {
            let mut bucket = TokenBucket::new(Some(rate), 0);
            let burst = bucket.available(0);
            let (mut now_us, mut passed) = (0, 0u64);
            for step in steps {
                now_us += step;
                let tokens = bucket.available(now_us);
                bucket.spend(tokens);
                passed += tokens;
            }
            let earned = (u128::from(rate) * u128::from(now_us) / 1_000_000) as u64;
            prop_assert!(passed <= earned + burst);
            prop_assert!(passed + 1 >= earned.min(burst));
        }
    }
}
