//! How long peers stay and stay away.

use core::fmt;

use overlays::{Rng, Span};

use super::draw;

/// A law for lengths of time, by its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lifetime {
    shape: Shape,
    mean: Span,
}

/// The form of a law.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// Always the mean.
    Fixed,
    /// Without memory.
    Exponential,
    /// Weibull of this shape: below 1, who has stayed long will stay long.
    Weibull(f64),
    /// Pareto with this tail exponent, above 1.
    Pareto(f64),
    /// Log-normal, with this standard deviation of the logarithm.
    LogNormal(f64),
}

impl Lifetime {
    /// The model of KAD peers that simulators use (Heep, ATNAC 2010, after
    /// Steiner et al., IMC 2007): Weibull of shape 0.5 and mean 10,000 s.
    pub const KAD: Self = Self { shape: Shape::Weibull(0.5), mean: Span::from_s(10_000) };

    /// Exponential lengths.
    pub const fn exponential(mean: Span) -> Self {
        Self { shape: Shape::Exponential, mean }
    }

    /// Reads a law: `exp:60min`, `weibull:0.5,10000s`, `pareto:2.5,1h`,
    /// `lognormal:1.2,30min` or `fixed:10min`. What follows the law's shape, if
    /// it has one, is always the mean.
    ///
    /// # Errors
    /// A sentence that says what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = |why: String| {
            format!(
                "`{text}` is not a length of sessions: {why}; write exp:60min, \
                 weibull:0.5,10000s, pareto:2.5,1h, lognormal:1.2,30min or fixed:10min"
            )
        };
        let (law, rest) =
            text.split_once(':').ok_or_else(|| bad("a colon after the law is missing".into()))?;
        let law = law.trim();
        let (shape, mean) = match law {
            "exp" | "fixed" => (None, rest),
            "weibull" | "pareto" | "lognormal" => {
                let (shape, mean) = rest.split_once(',').ok_or_else(|| {
                    bad(format!("{law} needs a shape and a mean with a comma between them"))
                })?;
                let number: f64 =
                    shape.trim().parse().map_err(|_| bad(format!("`{shape}` is not a number")))?;
                (Some(number), mean)
            }
            _ => return Err(bad(format!("`{law}` is no law of this lab"))),
        };
        let mean = Span::parse(mean).map_err(&bad)?;
        if mean == Span::ZERO {
            return Err(bad("the mean must be above zero".into()));
        }
        let within = |shape: Option<f64>, low: f64, high: f64| {
            shape
                .filter(|s| (low..=high).contains(s))
                .ok_or_else(|| bad(format!("the shape of {law} lies between {low} and {high}")))
        };
        let shape = match law {
            "exp" => Shape::Exponential,
            "fixed" => Shape::Fixed,
            "weibull" => Shape::Weibull(within(shape, 0.1, 20.0)?),
            "pareto" => Shape::Pareto(within(shape, 1.05, 100.0)?),
            _ => Shape::LogNormal(within(shape, 0.0, 5.0)?),
        };
        Ok(Self { shape, mean })
    }

    /// The mean.
    pub const fn mean(&self) -> Span {
        self.mean
    }

    /// A length of time, at least 1 µs.
    pub fn draw(&self, rng: &mut Rng) -> Span {
        let relative = match self.shape {
            Shape::Fixed => 1.0,
            Shape::Exponential => draw::exponential(rng),
            Shape::Weibull(k) => {
                libm::pow(draw::exponential(rng), 1.0 / k) / libm::tgamma(1.0 + 1.0 / k)
            }
            Shape::Pareto(a) => pareto(rng, a, pareto_least(a)),
            Shape::LogNormal(s) => libm::exp(s * draw::normal(rng) - s * s / 2.0),
        };
        self.scaled(relative)
    }

    /// What remains of a length of time that is already running when one looks
    /// in at a random moment, at least 1 µs.
    ///
    /// Such a moment falls into a length with probability in proportion to it
    /// and uniformly within it (the inspection paradox of renewal theory), so a
    /// peer found online has a longer session than most. A network that starts
    /// in its steady state must draw first sessions this way; fresh draws would
    /// start it with too many short ones.
    pub fn draw_remaining(&self, rng: &mut Rng) -> Span {
        let whole = match self.shape {
            Shape::Fixed => 1.0,
            // Each law weighted by its length, and scaled as in `draw`.
            Shape::Exponential => draw::gamma(rng, 2.0),
            Shape::Weibull(k) => {
                let shape = 1.0 + 1.0 / k;
                libm::pow(draw::gamma(rng, shape), 1.0 / k) / libm::tgamma(shape)
            }
            Shape::Pareto(a) => pareto(rng, a - 1.0, pareto_least(a)),
            Shape::LogNormal(s) => libm::exp(s * draw::normal(rng) + s * s / 2.0),
        };
        self.scaled(whole * draw::open_unit(rng))
    }

    fn scaled(&self, relative: f64) -> Span {
        Span::from_s_f64(relative * self.mean.as_s_f64()).max(Span::from_us(1))
    }
}

/// The least value of a Pareto law with tail exponent `a` and mean 1.
fn pareto_least(a: f64) -> f64 {
    (a - 1.0) / a
}

fn pareto(rng: &mut Rng, a: f64, least: f64) -> f64 {
    least * libm::pow(draw::open_unit(rng), -1.0 / a)
}

impl fmt::Display for Lifetime {
    /// As [`Lifetime::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape {
            Shape::Fixed => write!(f, "fixed:"),
            Shape::Exponential => write!(f, "exp:"),
            Shape::Weibull(k) => write!(f, "weibull:{k},"),
            Shape::Pareto(a) => write!(f, "pareto:{a},"),
            Shape::LogNormal(s) => write!(f, "lognormal:{s},"),
        }?;
        // In microseconds where the rounded form would not read back the same.
        let short = self.mean.to_string();
        if Span::parse(&short) == Ok(self.mean) {
            f.write_str(&short)
        } else {
            write!(f, "{}us", self.mean.as_us())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlays::Stream;
    use proptest::prelude::*;

    const LAWS: [&str; 5] =
        ["fixed:10min", "exp:60min", "weibull:0.5,10000s", "pareto:3.5,1h", "lognormal:0.8,30min"];

    fn mean_of(n: u32, mut draw: impl FnMut() -> Span) -> f64 {
        (0..n).map(|_| draw().as_s_f64()).sum::<f64>() / f64::from(n)
    }

    #[test]
    fn means_come_out() {
        let mut rng = Stream::Churn.rng(1);
        for text in LAWS {
            let law = Lifetime::parse(text).unwrap();
            let ratio = mean_of(200_000, || law.draw(&mut rng)) / law.mean().as_s_f64();
            assert!((ratio - 1.0).abs() < 0.02, "{text}: {ratio}");
        }
    }

    #[test]
    fn remaining_lengths_have_the_mean_of_renewal_theory() {
        // E[remaining] = E[X^2] / (2 E[X]); here relative to E[X].
        // Pareto with exponent a: (a - 1)^2 / (a (a - 2)); log-normal: e^(s^2).
        let pareto = 2.5 * 2.5 / (3.5 * 1.5);
        let second_moments = [1.0, 2.0, 6.0, pareto, libm::exp(0.64)];
        let mut rng = Stream::Churn.rng(2);
        for (text, second) in LAWS.into_iter().zip(second_moments) {
            let law = Lifetime::parse(text).unwrap();
            let ratio = mean_of(400_000, || law.draw_remaining(&mut rng)) / law.mean().as_s_f64();
            assert!((ratio / (second / 2.0) - 1.0).abs() < 0.05, "{text}: {ratio} {second}");
        }
    }

    #[test]
    fn the_kad_model_has_its_median() {
        assert_eq!(Lifetime::parse("weibull:0.5,10000s").unwrap(), Lifetime::KAD);
        // The scale is 5,000 s, so the median is 5,000 s * (ln 2)^2 = 2,402 s.
        let mut rng = Stream::Churn.rng(3);
        let mut lengths: Vec<Span> = (0..100_001).map(|_| Lifetime::KAD.draw(&mut rng)).collect();
        lengths.sort_unstable();
        assert!((lengths[50_000].as_s_f64() / 2_402.0 - 1.0).abs() < 0.03);
    }

    #[test]
    fn errors_say_what_to_write() {
        for (text, part) in [
            ("60min", "a colon after the law is missing"),
            ("gauss:1h", "`gauss` is no law"),
            ("weibull:1h", "weibull needs a shape and a mean"),
            ("weibull:x,1h", "`x` is not a number"),
            ("weibull:0,1h", "the shape of weibull lies between 0.1 and 20"),
            ("pareto:1,1h", "the shape of pareto lies between 1.05 and 100"),
            ("lognormal:NaN,1h", "the shape of lognormal lies"),
            ("exp:60", "lacks a unit"),
            ("exp:0", "above zero"),
        ] {
            let error = Lifetime::parse(text).unwrap_err();
            assert!(
                error.starts_with(&format!("`{text}` is not a length of sessions: ")),
                "{error}"
            );
            assert!(error.contains(part) && error.ends_with("or fixed:10min"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(law in 0_usize..5, shape in 1.05_f64..5.0, mean in 1_u64..1_000_000_000_000) {
            let text = match law {
                0 => format!("exp:{mean}us"),
                1 => format!("fixed:{mean}us"),
                2 => format!("weibull:{shape},{mean}us"),
                3 => format!("pareto:{shape},{mean}us"),
                _ => format!("lognormal:{shape},{mean}us"),
            };
            let law = Lifetime::parse(&text).unwrap();
            prop_assert_eq!(Lifetime::parse(&law.to_string()).unwrap(), law);
        }

        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,40}") {
            let _ = Lifetime::parse(&text);
        }
    }
}
