//! Which class of growth a series of measurements follows.

use overlays::Growth;
use serde::{Deserialize, Serialize};

use super::student::t_975;

/// Values whose standard deviation is below this fraction of their mean do not
/// grow: the class is constant.
const NEGLIGIBLE_VARIATION: f64 = 0.05;

/// A class that explains less of the variance than this describes nothing,
/// however many points there are.
const LEAST_R2: f64 = 0.5;

/// The share of the variance that a line through so many points must explain
/// for its slope to differ from zero at the 95 % level: Student's t test of the
/// slope, solved for r². Where no class reaches it, the values scatter without
/// a trend and count as constant.
fn least_r2(points: usize) -> f64 {
    let freedom = points.saturating_sub(2) as u64;
    let t2 = t_975(freedom).powi(2);
    let r2 = if t2.is_finite() { t2 / (t2 + freedom as f64) } else { 1.0 };
    r2.max(LEAST_R2)
}

/// A simpler class is preferred while its r² is at most this much below the
/// best one's: such a difference is noise. (n and n log n over eight doublings
/// differ by about 0.003, so the margin must stay below that.)
const R2_MARGIN: f64 = 0.001;

/// How a measure grows with the number of peers n: `fit` in the JSON contract.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The class that describes the measurements best.
    #[serde(with = "growth_text")]
    pub class: Growth,
    /// b in y = a + b f(n), logarithms to base 2; the mean where the class is
    /// constant.
    pub coefficient: f64,
    /// The share of the variance that the class explains. A constant leaves no
    /// variance to explain, so for it this is the share of the mean square,
    /// 1 − (sd / mean)² within 0 to 1.
    pub r2: f64,
    /// What theory predicts.
    #[serde(with = "growth_text")]
    pub theory: Growth,
    /// Whether the class is the predicted one, with the number of super-peers
    /// in proportion to n.
    pub agrees: bool,
    /// a in y = a + b f(n); zero where the class is constant.
    #[serde(default)]
    pub intercept: f64,
}

/// f(n) of a class. What depends on the number of super-peers C is taken with
/// C in proportion to n: a super-peer serves so many peers and no more, so a
/// network that grows elects more of them.
fn shape(class: Growth, n: f64) -> f64 {
    match class {
        Growth::Constant | Growth::PerSuperPeer => 1.0,
        Growth::Log | Growth::LogSuperPeers => n.log2(),
        Growth::Root(d) => n.powf(1.0 / f64::from(d.max(1))),
        Growth::Linear | Growth::SuperPeers => n,
        Growth::Linearithmic => n * n.log2(),
    }
}

/// The class in terms of n alone, the number of super-peers in proportion to n.
const fn in_terms_of_n(class: Growth) -> Growth {
    match class {
        Growth::PerSuperPeer => Growth::Constant,
        Growth::LogSuperPeers => Growth::Log,
        Growth::SuperPeers | Growth::Root(0 | 1) => Growth::Linear,
        other => other,
    }
}

/// A straight line through (f(n), y).
struct Line {
    intercept: f64,
    slope: f64,
    r2: f64,
}

/// Ordinary least squares of y on f(n); nothing where f does not vary.
fn least_squares(points: &[(f64, f64)], class: Growth) -> Option<Line> {
    let k = points.len() as f64;
    let mean_x = points.iter().map(|&(n, _)| shape(class, n)).sum::<f64>() / k;
    let mean_y = points.iter().map(|&(_, y)| y).sum::<f64>() / k;
    let (mut sxx, mut sxy, mut syy) = (0.0, 0.0, 0.0);
    for &(n, y) in points {
        let (dx, dy) = (shape(class, n) - mean_x, y - mean_y);
        sxx += dx * dx;
        sxy += dx * dy;
        syy += dy * dy;
    }
    let usable = sxx > 0.0 && syy > 0.0 && sxx.is_finite() && syy.is_finite();
    usable.then(|| {
        let slope = sxy / sxx;
        Line { intercept: mean_y - slope * mean_x, slope, r2: (slope * sxy / syy).clamp(0.0, 1.0) }
    })
}

impl Fit {
    /// Fits points (n, y) by least squares and compares with `theory`.
    ///
    /// Points that are not finite or have n below 1 are left out; with fewer
    /// than three different n there is nothing to fit. A falling series is in
    /// none of the classes and counts as constant, with a low `r2` to show for
    /// it.
    pub fn of(points: &[(f64, f64)], theory: Growth) -> Option<Self> {
        let points: Vec<(f64, f64)> = points
            .iter()
            .copied()
            .filter(|&(n, y)| n.is_finite() && y.is_finite() && n >= 1.0)
            .collect();
        let mut sizes: Vec<f64> = points.iter().map(|&(n, _)| n).collect();
        sizes.sort_unstable_by(f64::total_cmp);
        sizes.dedup();
        if sizes.len() < 3 {
            return None;
        }
        let mean = points.iter().map(|&(_, y)| y).sum::<f64>() / points.len() as f64;
        let square = points.iter().map(|&(_, y)| (y - mean).powi(2)).sum::<f64>();
        let variation = (square / points.len() as f64).sqrt();
        let expected = in_terms_of_n(theory);
        let grown = if variation <= NEGLIGIBLE_VARIATION * mean.abs() {
            None
        } else {
            best_line(&points, expected)
        };
        let (class, line) = grown.unwrap_or_else(|| {
            let ratio = if mean == 0.0 { f64::from(variation > 0.0) } else { variation / mean };
            let r2 = (1.0 - ratio * ratio).clamp(0.0, 1.0);
            (Growth::Constant, Line { intercept: 0.0, slope: mean, r2 })
        });
        Some(Self {
            class,
            coefficient: line.slope,
            r2: line.r2,
            theory,
            agrees: class == expected,
            intercept: line.intercept,
        })
    }

    /// The points fitted with a class that is given, to draw its curve. The
    /// class stands as its own theory.
    pub fn with_class(points: &[(f64, f64)], class: Growth) -> Option<Self> {
        let class = in_terms_of_n(class);
        let line = if class == Growth::Constant {
            let sum: f64 = points.iter().map(|&(_, y)| y).sum();
            let mean = (!points.is_empty()).then(|| sum / points.len() as f64)?;
            Line { intercept: 0.0, slope: mean, r2: 0.0 }
        } else {
            least_squares(points, class)?
        };
        Some(Self {
            class,
            coefficient: line.slope,
            r2: line.r2,
            theory: class,
            agrees: true,
            intercept: line.intercept,
        })
    }

    /// The fitted curve's value at n peers.
    pub fn at(&self, n: f64) -> f64 {
        self.intercept + self.coefficient * shape(self.class, n)
    }
}

/// The simplest rising class whose r² comes within the margin of the best.
/// Classes stand in order of growth; the theory's own root joins them.
fn best_line(points: &[(f64, f64)], expected: Growth) -> Option<(Growth, Line)> {
    let mut classes = vec![Growth::Log, Growth::Root(2), Growth::Linear, Growth::Linearithmic];
    if let Growth::Root(d @ 3..) = expected {
        classes.insert(1, Growth::Root(d));
    }
    let lines: Vec<(Growth, Line)> = classes
        .into_iter()
        .filter_map(|class| Some((class, least_squares(points, class)?)))
        .filter(|(_, line)| line.slope > 0.0)
        .collect();
    let best = lines.iter().map(|(_, line)| line.r2).fold(0.0, f64::max);
    if best < least_r2(points.len()) {
        return None;
    }
    lines.into_iter().find(|(_, line)| line.r2 >= best - R2_MARGIN)
}

/// Reads a class as [`Growth`] prints it, such as `log n`.
pub fn parse_growth(text: &str) -> Option<Growth> {
    Some(match text {
        "1" => Growth::Constant,
        "log n" => Growth::Log,
        "sqrt n" => Growth::Root(2),
        "n" => Growth::Linear,
        "n log n" => Growth::Linearithmic,
        "C" => Growth::SuperPeers,
        "log C" => Growth::LogSuperPeers,
        "n/C" => Growth::PerSuperPeer,
        _ => Growth::Root(text.strip_prefix("n^(1/")?.strip_suffix(')')?.parse().ok()?),
    })
}

/// A class of growth as text in JSON.
mod growth_text {
    use overlays::Growth;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(class: &Growth, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(class)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Growth, D::Error> {
        let text = String::deserialize(from)?;
        super::parse_growth(&text)
            .ok_or_else(|| D::Error::custom(format_args!("`{text}` is not a class of growth")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// 2^6 to 2^14, as the reference asks.
    fn sizes() -> impl Iterator<Item = f64> {
        (6..=14).map(|k| f64::from(1 << k))
    }

    fn series(f: impl FnMut(f64) -> f64) -> Vec<(f64, f64)> {
        let mut f = f;
        sizes().map(|n| (n, f(n))).collect()
    }

    fn with_noise(noise: f64, seed: u64, f: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        series(|n| f(n) * (1.0 + noise * rng.random_range(-1.0..1.0)))
    }

    const CLASSES: [Growth; 5] =
        [Growth::Constant, Growth::Log, Growth::Root(2), Growth::Linear, Growth::Linearithmic];

    #[test]
    fn every_class_is_told_from_every_other() {
        for class in CLASSES {
            let points = series(|n| 3.0 + 0.5 * shape(class, n));
            let fit = Fit::of(&points, class).unwrap();
            assert_eq!(fit.class, class);
            assert!(fit.agrees && fit.r2 > 0.999, "{fit:?}");
            if class != Growth::Constant {
                assert!((fit.coefficient - 0.5).abs() < 1e-6, "{fit:?}");
            }
            for other in CLASSES.into_iter().filter(|&other| other != class) {
                assert!(!Fit::of(&points, other).unwrap().agrees);
            }
        }
    }

    #[test]
    fn noise_of_two_percent_does_not_mislead() {
        for class in [Growth::Constant, Growth::Log, Growth::Root(2), Growth::Linear] {
            for seed in 0..200 {
                let points = with_noise(0.02, seed, |n| shape(class, n));
                let fit = Fit::of(&points, class).unwrap();
                assert!(fit.agrees, "seed {seed}: {fit:?} from {points:?}");
            }
        }
    }

    #[test]
    fn chance_seldom_makes_a_trend() {
        // Uniform noise of 40 % around a constant: with a test at the 95 %
        // level, and three correlated classes to choose from, about one series
        // in thirty rises by chance.
        let rising = (0..1000)
            .filter(|&seed| {
                Fit::of(&with_noise(0.4, seed, |_| 10.0), Growth::Constant)
                    .is_some_and(|fit| !fit.agrees)
            })
            .count();
        assert!(rising < 60, "{rising} of 1000");
        assert!((least_r2(9) - 0.5).abs() < 1e-12 && (least_r2(5) - 0.771).abs() < 1e-3);
    }

    #[test]
    fn chord_paths_have_slope_one_half() {
        let fit = Fit::of(&with_noise(0.01, 1, |n| 0.5 * n.log2()), Growth::Log).unwrap();
        assert!(fit.agrees && (fit.coefficient - 0.5).abs() < 0.05 && fit.r2 > 0.98, "{fit:?}");
    }

    #[test]
    fn a_root_of_the_theory_is_tried() {
        let fit = Fit::of(&series(|n| 0.75 * n.cbrt()), Growth::Root(3)).unwrap();
        assert_eq!((fit.class, fit.agrees), (Growth::Root(3), true));
    }

    #[test]
    fn super_peers_grow_with_the_network() {
        assert!(Fit::of(&series(|n| (n / 70.0).log2()), Growth::LogSuperPeers).unwrap().agrees);
        assert!(Fit::of(&series(|n| n / 70.0), Growth::SuperPeers).unwrap().agrees);
        assert!(Fit::of(&series(|_| 70.0), Growth::PerSuperPeer).unwrap().agrees);
    }

    #[test]
    fn scatter_and_falling_series_are_constant_with_a_low_r2() {
        let mut high = false;
        let points = series(|_| {
            high = !high;
            if high { 10.0 } else { 20.0 }
        });
        let fit = Fit::of(&points, Growth::Constant).unwrap();
        assert!(fit.class == Growth::Constant && fit.r2 < 0.95, "{fit:?}");
        let falling = Fit::of(&series(|n| 1e6 / n), Growth::Log).unwrap();
        assert!(falling.class == Growth::Constant && falling.r2 < 0.5 && !falling.agrees);
    }

    #[test]
    fn a_given_class_is_fitted_even_if_another_is_better() {
        let points = series(f64::log2);
        let line = Fit::with_class(&points, Growth::Linear).unwrap();
        assert_eq!(line.class, Growth::Linear);
        assert!(line.r2 < 0.8 && line.coefficient > 0.0, "{line:?}");
        let flat = Fit::with_class(&points, Growth::Constant).unwrap();
        assert!((flat.at(5.0) - 10.0).abs() < 1e-9, "{flat:?}");
        assert_eq!(Fit::with_class(&[], Growth::Log), None);
    }

    #[test]
    fn too_few_or_broken_points() {
        let t = Growth::Log;
        assert_eq!(Fit::of(&[], t), None);
        assert_eq!(Fit::of(&[(64.0, 1.0), (128.0, 2.0)], t), None);
        assert_eq!(Fit::of(&[(64.0, 1.0); 9], t), None);
        assert_eq!(Fit::of(&[(64.0, f64::NAN), (128.0, 1.0), (256.0, 2.0)], t), None);
        assert_eq!(Fit::of(&[(0.0, 1.0), (128.0, 1.0), (256.0, 2.0)], t), None);
        let zeros = Fit::of(&series(|_| 0.0), Growth::Constant).unwrap();
        assert!(zeros.agrees && zeros.coefficient == 0.0 && zeros.r2 == 1.0, "{zeros:?}");
        let huge = Fit::of(&series(|n| n * 1e300), Growth::Linear).unwrap();
        assert!(huge.r2.is_finite() && huge.coefficient.is_finite());
    }

    #[test]
    fn classes_survive_text_and_json() {
        let more = [Growth::Root(3), Growth::SuperPeers, Growth::LogSuperPeers];
        for class in CLASSES.into_iter().chain(more).chain([Growth::PerSuperPeer]) {
            assert_eq!(parse_growth(&class.to_string()), Some(class));
        }
        assert_eq!(parse_growth("n^(1/x)"), None);
        let fit = Fit::of(&series(f64::log2), Growth::Log).unwrap();
        let json = serde_json::to_string(&fit).unwrap();
        assert!(json.contains("\"class\":\"log n\"") && json.contains("\"agrees\":true"));
        assert_eq!(serde_json::from_str::<Fit>(&json).unwrap(), fit);
    }
}
