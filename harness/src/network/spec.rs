//! Latency models as they are written on the command line.

use core::fmt;
use core::str::FromStr;
use std::path::PathBuf;

use overlays::Span;

use super::error::NetworkError;
use super::transit_stub::Shape;

/// The longest delay that a model may have.
const MAX_DELAY: Span = Span::from_s(3600);

/// A latency model by name and argument. `Display` writes what `FromStr`
/// reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LatencySpec {
    /// `constant:50ms`: the same delay between any two nodes.
    Constant(Span),
    /// `uniform:10ms..90ms`: a delay for each pair of nodes.
    Uniform {
        /// The shortest delay in microseconds.
        min_us: u32,
        /// The longest delay in microseconds.
        max_us: u32,
    },
    /// `king`: log-normal like the delays between name servers.
    #[default]
    King,
    /// `coords:FILE`: from a CSV file of `x_ms,y_ms,height_ms`.
    Coordinates(PathBuf),
    /// `transit-stub` or `transit-stub:10x5x10x10`: a hierarchy of routers.
    TransitStub(Shape),
    /// `access:5ms..45ms`: the sum of two access links.
    Access {
        /// The shortest link in milliseconds.
        min_ms: u32,
        /// The longest link in milliseconds.
        max_ms: u32,
    },
}

impl LatencySpec {
    /// How each model is written.
    pub const FORMS: [&'static str; 6] = [
        "constant:50ms",
        "uniform:10ms..90ms",
        "king",
        "coords:FILE",
        "transit-stub[:10x5x10x10]",
        "access:5ms..45ms",
    ];

    /// The names of the models, in the order of [`LatencySpec::FORMS`].
    const NAMES: [&'static str; 6] =
        ["constant", "uniform", "king", "coords", "transit-stub", "access"];

    /// The name that is meant by a mistyped one.
    fn nearest(name: &str) -> Option<&'static str> {
        Self::NAMES
            .into_iter()
            .map(|known| (strsim::damerau_levenshtein(known, name), known))
            .filter(|(edits, known)| *edits <= known.len() / 2)
            .min()
            .map(|(_, known)| known)
    }
}

impl FromStr for LatencySpec {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        let Some(model) = Self::NAMES.iter().position(|known| *known == name) else {
            let name: String = name.chars().take(64).collect();
            let nearest = Self::nearest(&name);
            return Err(NetworkError::UnknownModel { name, nearest });
        };
        let form = Self::FORMS[model];
        let wrong = |problem: String| NetworkError::Argument { form, problem };
        let needed = || argument.ok_or_else(|| wrong("it lacks what follows the colon".into()));
        match name {
            "constant" => Ok(Self::Constant(delay(needed()?).map_err(wrong)?)),
            "uniform" => {
                let (min, max) = range(needed()?).map_err(wrong)?;
                Ok(Self::Uniform { min_us: min.as_us() as u32, max_us: max.as_us() as u32 })
            }
            "access" => {
                let (min, max) = range(needed()?).map_err(wrong)?;
                let whole_ms = |span: Span| match span.as_us() {
                    us if us.is_multiple_of(1_000) => Ok((us / 1_000) as u32),
                    _ => Err(wrong(format!("{span} is not a whole number of milliseconds"))),
                };
                Ok(Self::Access { min_ms: whole_ms(min)?, max_ms: whole_ms(max)? })
            }
            "coords" if needed()?.is_empty() => Err(wrong("it lacks the file".into())),
            "coords" => Ok(Self::Coordinates(needed()?.into())),
            "transit-stub" => argument
                .map_or_else(|| Ok(Shape::default()), str::parse)
                .map(Self::TransitStub)
                .map_err(wrong),
            _ => match argument {
                None => Ok(Self::King),
                Some(_) => Err(wrong("nothing may follow the name".into())),
            },
        }
    }
}

/// A delay in the range that models take.
fn delay(text: &str) -> Result<Span, String> {
    let span = Span::parse(text)?;
    if (Span::from_us(1)..=MAX_DELAY).contains(&span) {
        Ok(span)
    } else {
        Err(format!("a delay is between 1us and {MAX_DELAY}, not {text}"))
    }
}

fn range(text: &str) -> Result<(Span, Span), String> {
    let (min, max) =
        text.split_once("..").ok_or_else(|| format!("`{text}` is not a range of delays"))?;
    let (min, max) = (delay(min)?, delay(max)?);
    if min > max {
        return Err(format!("{min} is more than {max}: the shorter delay goes first"));
    }
    Ok((min, max))
}

impl fmt::Display for LatencySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(span) => write!(f, "constant:{}", Exact(*span)),
            Self::Uniform { min_us, max_us } => {
                let [min, max] = [*min_us, *max_us].map(|us| Exact(Span::from_us(us.into())));
                write!(f, "uniform:{min}..{max}")
            }
            Self::King => f.write_str("king"),
            Self::Coordinates(path) => write!(f, "coords:{}", path.display()),
            Self::TransitStub(shape) if *shape == Shape::default() => f.write_str("transit-stub"),
            Self::TransitStub(shape) => write!(f, "transit-stub:{shape}"),
            Self::Access { min_ms, max_ms } => write!(f, "access:{min_ms}ms..{max_ms}ms"),
        }
    }
}

/// A span written without rounding: the text repeats a run.
struct Exact(Span);

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_us() {
            us if us.is_multiple_of(1_000_000) => write!(f, "{}s", us / 1_000_000),
            us if us.is_multiple_of(1_000) => write!(f, "{}ms", us / 1_000),
            us => write!(f, "{us}us"),
        }
    }
}
