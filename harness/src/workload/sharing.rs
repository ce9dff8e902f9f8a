//! How unequally peers share.

/// How much the most generous peers share, as fractions of all shares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Concentration {
    /// What the top 1 % of all peers share, free riders counted as peers.
    pub top_1_percent: f64,
    /// What the top 20 % of all peers share.
    pub top_20_percent: f64,
}

impl Concentration {
    /// As measured on Gnutella in August 2000 over 33,335 peers (Adar and
    /// Huberman, First Monday 5(10), 2000): 37 % and 98 %.
    pub const GNUTELLA_2000: Self = Self { top_1_percent: 0.37, top_20_percent: 0.98 };
}

/// How many items the sharers share, from the most generous on: the sharer at
/// fraction u of the way down shares in proportion to (-ln u)^p + c.
///
/// This is a Weibull law lifted by a constant. Its two numbers are fitted to
/// the two published points of [`Concentration`]. The fit to the points of 2000
/// (p = 2.30) also meets a third one that it was not told: it puts the peer at
/// 73 % from below at 11 % of the mean, that is 10.7 files of 93, where the
/// measurement says that 73 % of peers share ten files or fewer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SharingLaw {
    power: f64,
    floor: f64,
}

/// Peers of the imaginary network on which the law is fitted.
const GRID: usize = 10_000;

impl SharingLaw {
    /// All sharers share equally many items.
    pub const EQUAL: Self = Self { power: 0.0, floor: 0.0 };

    /// The law under which `free_riders` of the peers share nothing and the
    /// others meet `target`.
    ///
    /// # Errors
    /// A sentence, when no law of this form meets the target.
    pub fn fit(free_riders: f64, target: Concentration) -> Result<Self, String> {
        let sharers = ((1.0 - free_riders) * GRID as f64).round().max(1.0) as usize;
        let (mut low, mut high) = (0.0, 16.0);
        // More power makes the law steeper; the floor that then keeps the top
        // 1 % where it must be moves shares down, away from the top 20 %.
        for _ in 0..60 {
            let power = f64::midpoint(low, high);
            match Self::with_power(power, sharers, target.top_1_percent) {
                Some(law) if law.top_share(sharers, GRID / 5) < target.top_20_percent => {
                    high = power;
                }
                _ => low = power,
            }
        }
        let law = Self::with_power(high, sharers, target.top_1_percent);
        law.filter(|law| (law.top_share(sharers, GRID / 5) - target.top_20_percent).abs() < 1e-6)
            .ok_or_else(|| {
                format!(
                    "no sharing law gives the top 1 % of peers {} and the top 20 % {} of all \
                     shares when {free_riders} of them share nothing: try 0.37, 0.98 and 0.66",
                    target.top_1_percent, target.top_20_percent
                )
            })
    }

    /// The law of this power whose top 1 % of peers have `top`, if its floor
    /// is not below zero.
    fn with_power(power: f64, sharers: usize, top: f64) -> Option<Self> {
        let bare = Self { power, floor: 0.0 };
        let hundredth = (GRID / 100).min(sharers);
        let sum_to = |count: usize| (0..count).map(|i| bare.weight(i, sharers)).sum::<f64>();
        // Solves (S(1 %) + c h) / (S + c m) = top for the floor c.
        let floor =
            (sum_to(hundredth) - top * sum_to(sharers)) / (top * sharers as f64 - hundredth as f64);
        (floor.is_finite() && floor >= 0.0).then_some(Self { power, floor })
    }

    /// The share of the first `count` among `sharers`.
    fn top_share(self, sharers: usize, count: usize) -> f64 {
        let sum = |count: usize| (0..count).map(|i| self.weight(i, sharers)).sum::<f64>();
        sum(count.min(sharers)) / sum(sharers)
    }

    /// How much the sharer in place `i` of `sharers` shares, against others.
    fn weight(self, i: usize, sharers: usize) -> f64 {
        if self.power == 0.0 {
            return 1.0;
        }
        let fraction = (i as f64 + 0.5) / sharers as f64;
        libm::pow(-libm::log(fraction), self.power) + self.floor
    }

    /// How much each of `sharers` sharers shares against the others, falling.
    pub fn weights(self, sharers: usize) -> Vec<f64> {
        (0..sharers).map(|i| self.weight(i, sharers)).collect()
    }
}

/// Splits `total` into whole parts in proportion to `weights`, each part in
/// `1..=most`; `total` is first brought between the number of parts and what
/// all parts can hold.
///
/// Parts are rounded by the running sum, so that they add up exactly.
pub fn apportion(weights: &[f64], total: u64, most: u32) -> Vec<u32> {
    let parts = weights.len() as u64;
    let total = total.clamp(parts, parts * u64::from(most.max(1)));
    let most = f64::from(most.max(1));
    // The factor that makes the clamped parts add up to the total.
    let (mut low, mut high) = (0.0, 1.0);
    let sum = |factor: f64| weights.iter().map(|w| (w * factor).clamp(1.0, most)).sum::<f64>();
    while sum(high) < total as f64 && high < 1e18 {
        high *= 2.0;
    }
    for _ in 0..64 {
        let factor = f64::midpoint(low, high);
        if sum(factor) < total as f64 { low = factor } else { high = factor }
    }
    let scale = total as f64 / sum(high);
    let (mut running, mut given) = (0.0, 0_u64);
    let mut result: Vec<u32> = weights
        .iter()
        .map(|w| {
            running += (w * high).clamp(1.0, most) * scale;
            let part = (running.round() as u64).saturating_sub(given);
            let part = part.clamp(1, most as u64);
            given += part;
            part as u32
        })
        .collect();
    settle_rest(&mut result, total, most as u32);
    result
}

/// Corrects the last units that rounding left over, from the largest part on.
fn settle_rest(parts: &mut [u32], total: u64, most: u32) {
    let mut given: u64 = parts.iter().map(|p| u64::from(*p)).sum();
    while given != total {
        let before = given;
        for part in parts.iter_mut() {
            if given < total && *part < most {
                *part += 1;
                given += 1;
            } else if given > total && *part > 1 {
                *part -= 1;
                given -= 1;
            }
        }
        if before == given {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_fit_meets_two_published_points_and_predicts_a_third() {
        let law = SharingLaw::fit(0.66, Concentration::GNUTELLA_2000).unwrap();
        assert!((law.power - 2.30).abs() < 0.01, "{law:?}");
        assert!((law.top_share(3_400, 100) - 0.37).abs() < 1e-6);
        assert!((law.top_share(3_400, 2_000) - 0.98).abs() < 1e-6);
        // 73 % of the peers share at most ten of the 93 files of the mean.
        let mean = law.weights(3_400).iter().sum::<f64>() / 10_000.0;
        let files = law.weight(2_700, 3_400) / mean * 3_100_464.0 / 33_335.0;
        assert!((9.0..12.0).contains(&files), "{files}");
    }

    #[test]
    fn impossible_targets_are_refused() {
        for (free_riders, top_1_percent, top_20_percent) in [
            (0.66, 0.01, 0.98),
            (0.66, 0.99, 0.5),
            (0.66, 0.37, 1.5),
            (0.9, 0.5, 0.9),
            (0.0, 1.0, 1.0),
        ] {
            let target = Concentration { top_1_percent, top_20_percent };
            let error = SharingLaw::fit(free_riders, target).unwrap_err();
            assert!(error.contains("try 0.37, 0.98 and 0.66"), "{error}");
        }
    }

    #[test]
    fn equal_sharing_is_equal() {
        assert_eq!(apportion(&SharingLaw::EQUAL.weights(4), 20, 100), [5, 5, 5, 5]);
    }

    proptest! {
        #[test]
        fn parts_add_up_and_stay_in_range(
            weights in prop::collection::vec(0.0_f64..1e6, 1..80),
            total in 0_u64..100_000,
            most in 1_u32..5_000,
        ) {
            let parts = apportion(&weights, total, most);
            let sum: u64 = parts.iter().map(|p| u64::from(*p)).sum();
            let n = weights.len() as u64;
            prop_assert!(parts.iter().all(|p| (1..=most).contains(p)));
            prop_assert_eq!(sum, total.clamp(n, n * u64::from(most)));
        }
    }
}
