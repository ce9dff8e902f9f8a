//! The figures that stand for a set of samples.

use serde::{Deserialize, Serialize};

use super::student::{Z_975, t_975};
use super::tally::Tally;

/// The figures of one measure: `stat` in the JSON contract. The field's name
/// in the document tells the unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation of the samples.
    pub sd: f64,
    /// Smallest sample.
    pub min: f64,
    /// 1st percentile.
    pub p1: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest sample.
    pub max: f64,
    /// 95 % confidence interval of the mean: from the spread between seeds
    /// where there are several, else from the samples.
    pub ci95: [f64; 2],
    /// `[value, count]`, ascending, for counts: each value that came, or, with
    /// more than 256 different ones, bins of equal width by their lowest value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<(u64, u64)>,
    /// `[value, fraction]`, ascending: the fraction of the samples that are no
    /// larger, for measures that are drawn as a curve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cumulative: Vec<(f64, f64)>,
}

/// What a summary carries besides its figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    #[default]
    Figures,
    /// The histogram; for counts.
    Histogram,
    /// The cumulative curve; for times and sizes.
    Curve,
}

/// The most rows of a histogram, so that a document stays readable.
const HISTOGRAM_ROWS: usize = 256;

/// The fractions at which a cumulative curve is given: dense at the ends,
/// where tails matter.
const CURVE: [f64; 27] = [
    0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65,
    0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0,
];

impl Tally {
    /// The figures of the samples, each multiplied by `scale` (0.001 turns
    /// microseconds into milliseconds); nothing without samples.
    ///
    /// The interval of the mean is the normal one over the samples, taken as
    /// independent.
    pub fn summary(&self, scale: f64) -> Option<Summary> {
        self.summary_with(scale, Detail::Figures)
    }

    /// As [`Tally::summary`], with the histogram or the cumulative curve. The
    /// values of a histogram are not scaled.
    pub fn summary_with(&self, scale: f64, detail: Detail) -> Option<Summary> {
        // Dividing by 1000 gives 0.3 where multiplying by 0.001 would give
        // 0.30000000000000004, which a file should not show.
        let scaled = |x: f64| if scale < 1.0 { x / (1.0 / scale) } else { x * scale };
        let mean = scaled(self.mean()?);
        let sd = scaled(self.sd()?);
        let half = Z_975 * sd / (self.count() as f64).sqrt();
        let at = |q: f64| Some(scaled(self.quantile(q)? as f64));
        Some(Summary {
            mean,
            sd,
            min: at(0.0)?,
            p1: at(0.01)?,
            p50: at(0.5)?,
            p90: at(0.9)?,
            p99: at(0.99)?,
            max: at(1.0)?,
            ci95: [mean - half, mean + half],
            histogram: match detail {
                Detail::Histogram => self.histogram(),
                _ => Vec::new(),
            },
            cumulative: match detail {
                Detail::Curve => CURVE.iter().filter_map(|&q| Some((at(q)?, q))).collect(),
                _ => Vec::new(),
            },
        })
    }

    /// The values and their counts in at most [`HISTOGRAM_ROWS`] rows.
    fn histogram(&self) -> Vec<(u64, u64)> {
        let (Some(min), Some(max)) = (self.min(), self.max()) else { return Vec::new() };
        let bars: Vec<(u64, u64)> = self.bars().collect();
        if bars.len() <= HISTOGRAM_ROWS {
            return bars;
        }
        let width = (max - min) / HISTOGRAM_ROWS as u64 + 1;
        let mut rows: Vec<(u64, u64)> = Vec::with_capacity(HISTOGRAM_ROWS);
        for (value, count) in bars {
            // The middle of the first bucket may lie below the minimum.
            let start = min + value.saturating_sub(min) / width * width;
            match rows.last_mut() {
                Some(row) if row.0 == start => row.1 = row.1.saturating_add(count),
                _ => rows.push((start, count)),
            }
        }
        rows
    }
}

/// One summary over runs that differ only in their seed.
///
/// Quantiles, mean and spread are those of all samples together. The interval
/// is Student's t over the means of the runs, since samples within a run share
/// its topology and are not independent; it is centred on the pooled mean. With
/// a single run that has samples it is the normal interval of [`Tally::summary`].
pub fn across_seeds<'a>(
    runs: impl IntoIterator<Item = &'a Tally>,
    scale: f64,
    detail: Detail,
) -> Option<Summary> {
    let mut pooled = Tally::new();
    let mut means = Vec::new();
    for run in runs {
        pooled.merge(run);
        means.extend(run.mean());
    }
    let mut summary = pooled.summary_with(scale, detail)?;
    if means.len() > 1 {
        let k = means.len() as f64;
        let centre = means.iter().sum::<f64>() / k;
        let variance = means.iter().map(|m| (m - centre).powi(2)).sum::<f64>() / (k - 1.0);
        let half = t_975(means.len() as u64 - 1) * (variance / k).sqrt() * scale.abs();
        summary.ci95 = [summary.mean - half, summary.mean + half];
    }
    Some(summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b.abs().max(1.0)
    }

    #[test]
    fn microseconds_become_milliseconds() {
        let tally: Tally = (1..=1000u64).map(|i| i * 1000).collect();
        let s = tally.summary(0.001).unwrap();
        assert!(close(s.mean, 500.5) && close(s.min, 1.0) && close(s.max, 1000.0));
        assert!((s.p50 - 500.0).abs() < 1.0 && (s.p99 - 990.0).abs() < 2.0);
        let half = Z_975 * s.sd / 1000f64.sqrt();
        assert!(close(s.ci95[0], 500.5 - half) && close(s.ci95[1], 500.5 + half));
        assert!(s.histogram.is_empty() && s.cumulative.is_empty());
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(Tally::new().summary(1.0), None);
        assert_eq!(across_seeds([], 1.0, Detail::Figures), None);
        assert_eq!(across_seeds([&Tally::new()], 1.0, Detail::Figures), None);
    }

    #[test]
    fn seeds_give_a_student_interval_over_their_means() {
        let runs: Vec<Tally> = [[9, 11], [10, 12], [11, 13]].map(Tally::from_iter).into();
        let s = across_seeds(&runs, 1.0, Detail::Histogram).unwrap();
        assert!(close(s.mean, 11.0));
        // The means are 10, 11, 12: their standard deviation is 1.
        let half = t_975(2) / 3f64.sqrt();
        assert!(close(s.ci95[0], 11.0 - half) && close(s.ci95[1], 11.0 + half), "{:?}", s.ci95);
        assert_eq!(s.histogram, [(9, 1), (10, 1), (11, 2), (12, 1), (13, 1)]);
    }

    #[test]
    fn a_single_seed_falls_back_to_its_samples() {
        let run: Tally = [1, 2, 3, 4].into_iter().collect();
        let one = across_seeds([&run, &Tally::new()], 1.0, Detail::Figures);
        assert_eq!(one, run.summary(1.0));
    }

    #[test]
    fn a_curve_rises_from_the_minimum_to_the_maximum() {
        let tally: Tally = (0..5000u64).collect();
        let curve = tally.summary_with(1.0, Detail::Curve).unwrap().cumulative;
        assert_eq!((curve[0], curve[curve.len() - 1]), ((0.0, 0.0), (4999.0, 1.0)));
        assert!(curve.windows(2).all(|w| w[0].0 <= w[1].0 && w[0].1 < w[1].1));
    }

    #[test]
    fn a_wide_histogram_is_binned_without_losing_samples() {
        let tally: Tally = (500..90_500u64).collect();
        let rows = tally.summary_with(1.0, Detail::Histogram).unwrap().histogram;
        assert!(rows.len() <= HISTOGRAM_ROWS, "{}", rows.len());
        assert_eq!(rows.iter().map(|row| row.1).sum::<u64>(), 90_000);
        assert_eq!(rows[0].0, 500);
        assert!(rows.windows(2).all(|w| (w[1].0 - w[0].0) % 352 == 0), "{rows:?}");
    }

    #[test]
    fn scaled_figures_are_not_muddied() {
        let s: Summary = [300u64].into_iter().collect::<Tally>().summary(0.001).unwrap();
        assert_eq!(s.p50.to_string(), "0.3");
    }

    #[test]
    fn plain_figures_leave_the_optional_fields_out_of_json() {
        let s: Summary = [4, 4].into_iter().collect::<Tally>().summary(1.0).unwrap();
        let json = serde_json::to_string(&s).unwrap();
        assert!(json.contains("\"ci95\":[4.0,4.0]") && !json.contains("histogram"), "{json}");
        assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), s);
    }
}
