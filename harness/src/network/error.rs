//! What can be wrong with the description of a network.

use core::fmt;
use std::path::{Path, PathBuf};

/// Why a network could not be built.
#[derive(Clone, Debug, PartialEq)]
pub enum NetworkError {
    /// There is no latency model of this name.
    UnknownModel {
        /// The name.
        name: String,
        /// The name of a model that resembles it.
        nearest: Option<&'static str>,
    },
    /// The model exists, but not with this argument.
    Argument {
        /// How the model is written.
        form: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A fraction of lost packets outside 0..=1.
    Loss(f64),
    /// A file that cannot be used.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, and the field in it, if they are at fault.
        place: Option<(usize, &'static str)>,
        /// What is wrong.
        problem: String,
    },
}

impl NetworkError {
    pub(super) fn file(path: &Path, problem: String) -> Self {
        Self::File { path: path.into(), place: None, problem }
    }

    pub(super) fn row(path: &Path, line: usize, field: &'static str, problem: String) -> Self {
        Self::File { path: path.into(), place: Some((line, field)), problem }
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownModel { name, nearest } => {
                write!(f, "there is no latency model `{name}`")?;
                if let Some(nearest) = nearest {
                    write!(f, "; did you mean `{nearest}`?")?;
                }
                write!(f, " (models: {})", super::LatencySpec::FORMS.join(", "))
            }
            Self::Argument { form, problem } => write!(f, "{problem}; write it as in `{form}`"),
            Self::Loss(loss) => {
                write!(f, "a loss of {loss} is not a fraction of packets: use 0 to 1")
            }
            Self::File { path, place, problem } => {
                write!(f, "{}", path.display())?;
                match place {
                    Some((line, "")) => write!(f, ", line {line}")?,
                    Some((line, field)) => write!(f, ", line {line}, field {field}")?,
                    None => {}
                }
                write!(f, ": {problem}")
            }
        }
    }
}

impl std::error::Error for NetworkError {}
