//! What goes wrong on the command line, and the exit code it gives.

use std::fmt;
use std::process::ExitCode;

use crate::experiment::RunError;
use crate::registry::EntryError;

/// An error for the user: what, where, and what to do.
#[derive(Debug)]
pub struct CliError {
    code: u8,
    message: String,
}

/// The run failed.
const FAILED: u8 = 1;
/// Usage, or a bad input file.
const USAGE: u8 = 2;
/// A threshold of the scenario is not met.
const THRESHOLD: u8 = 3;
/// An invariant broke, or two runs differed.
const INVARIANT: u8 = 4;
/// Interrupted by the user.
const INTERRUPTED: u8 = 130;

impl CliError {
    /// The run failed.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self { code: FAILED, message: message.to_string() }
    }

    /// The command line or an input file is wrong.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self { code: USAGE, message: message.to_string() }
    }

    /// A threshold is not met.
    pub fn threshold(message: impl fmt::Display) -> Self {
        Self { code: THRESHOLD, message: message.to_string() }
    }

    /// An invariant broke, or two runs differed.
    pub fn invariant(message: impl fmt::Display) -> Self {
        Self { code: INVARIANT, message: message.to_string() }
    }

    /// The user interrupted; partial results were written.
    pub fn interrupted() -> Self {
        Self { code: INTERRUPTED, message: "interrupted; the results are partial".into() }
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

/// Some bad input shows only when a run begins, such as a broken file of
/// coordinates.
impl From<EntryError> for CliError {
    fn from(error: EntryError) -> Self {
        match &error {
            EntryError::Run(RunError::File { .. } | RunError::Sockets(_)) => Self::failed(error),
            EntryError::Parameter(..)
            | EntryError::Run(RunError::Network(_) | RunError::NoSettle(_) | RunError::Plan(_)) => {
                Self::usage(error)
            }
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}
