//! Delays like those measured between the Internet's name servers.

use overlays::{Rng, Span};

use super::draw::Salt;

/// The median round trip of the King data set, in milliseconds (Li et al.,
/// INFOCOM 2005: 1,024 name servers).
pub const MEDIAN_RTT_MS: f64 = 156.0;
/// Its mean round trip, in milliseconds.
pub const MEAN_RTT_MS: f64 = 178.0;

/// Intervals of the quantile table.
const STEPS: u32 = 4096;

/// The model `king`: one-way delays are log-normal, one for each pair of
/// nodes, with half the median and mean of the data set's round trips.
///
/// The outermost half step of the table on either side is cut off, which
/// bounds delays to 11.6 ms..525 ms.
#[derive(Clone, Debug)]
pub struct King {
    salt: Salt,
    /// The delay in microseconds that a fraction i / `STEPS` of pairs stay below.
    quantiles_us: Box<[u32]>,
}

impl King {
    /// The delays of one run.
    pub fn new(rng: &mut Rng) -> Self {
        // Logarithms and exponentials are libm's, which are the same on every
        // machine. A log-normal variable has median exp(mu), mean exp(mu + sigma^2 / 2).
        let sigma = (2.0 * libm::log(MEAN_RTT_MS / MEDIAN_RTT_MS)).sqrt();
        let quantiles_us = normal_quantiles()
            .into_iter()
            .map(|z| (MEDIAN_RTT_MS / 2.0 * 1e3 * libm::exp(sigma * z)).round() as u32)
            .collect();
        Self { salt: Salt::new(rng), quantiles_us }
    }

    /// The delay between two nodes.
    #[inline]
    pub fn one_way(&self, a: u32, b: u32) -> Span {
        let draw = self.salt.of_pair(a, b).0;
        // The top 12 bits choose the interval, the next 32 the place in it.
        let step = (draw >> 52) as usize;
        let place = (draw >> 20) & 0xffff_ffff;
        let low = u64::from(self.quantiles_us[step]);
        let high = u64::from(self.quantiles_us[step + 1]);
        Span::from_us(low + (((high - low) * place) >> 32))
    }
}

/// The standard normal quantiles of i / `STEPS`, i = 0..=`STEPS`, the first and
/// last taken half a step further in; by summing the density.
fn normal_quantiles() -> Vec<f64> {
    const DZ: f64 = 1.0 / 1024.0;
    let density = |z: f64| libm::exp(-z * z / 2.0) / std::f64::consts::TAU.sqrt();
    let half_step = 0.5 / f64::from(STEPS);
    // The sum starts where next to nothing lies below.
    let (mut z, mut below) = (-6.0, 0.0);
    let mut quantiles = Vec::with_capacity(STEPS as usize + 1);
    for i in 0..=STEPS {
        let target = (f64::from(i) / f64::from(STEPS)).clamp(half_step, 1.0 - half_step);
        let mut slice = density(z + DZ / 2.0) * DZ;
        while below + slice < target {
            below += slice;
            z += DZ;
            slice = density(z + DZ / 2.0) * DZ;
        }
        quantiles.push(z + DZ * (target - below) / slice);
    }
    quantiles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        let q = normal_quantiles();
        let at = |p: f64| q[(p * f64::from(STEPS)) as usize];
        assert!(at(0.5).abs() < 1e-5);
        // Phi(0.6744898) = 0.75, Phi(1.1503494) = 0.875, Phi(-1.5341206) = 1/16.
        assert!((at(0.75) - 0.674_489_8).abs() < 1e-5);
        assert!((at(0.875) - 1.150_349_4).abs() < 1e-5);
        assert!((at(0.0625) + 1.534_120_6).abs() < 1e-5);
        assert!(q.is_sorted() && (q[0] + q[STEPS as usize]).abs() < 1e-4);
        assert!((q[0] + 3.667).abs() < 0.01, "Phi(-3.667) = 1/8192: {}", q[0]);
    }
}
