//! What is wrong with a catalogue file, and where.

use core::fmt;
use std::io;

use overlays::MAX_NAME_BYTES;

use super::catalog::Catalog;

/// A catalogue that was refused.
#[derive(Debug)]
pub struct CatalogError {
    /// The file, as it was named.
    pub file: String,
    /// The line on which the bad row starts, from 1, when one row is to blame.
    pub line: Option<u64>,
    /// The column, when one field is to blame.
    pub field: Option<&'static str>,
    /// What is wrong.
    pub problem: CatalogProblem,
}

/// What was wrong with a catalogue.
#[derive(Debug)]
pub enum CatalogProblem {
    /// The file could not be opened or read.
    Unreadable(io::Error),
    /// There is nothing in it, not even a header.
    Empty,
    /// There is a header but no row.
    NoRows,
    /// The header lacks the column.
    MissingColumn,
    /// The header names the column twice.
    RepeatedColumn,
    /// The row has another number of fields than the header.
    FieldCount {
        /// Fields of the row.
        found: usize,
        /// Fields of the header.
        expected: usize,
    },
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The size is not a whole number of bytes.
    NotANumber(String),
    /// The name is empty.
    EmptyName,
    /// The name has neither a letter nor a digit, so that no keyword finds it.
    NoWord(String),
    /// The field is this many bytes long.
    TooLong {
        /// Bytes of the field.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// An earlier row has the same name.
    Duplicate {
        /// The name.
        name: String,
        /// The line of the earlier row.
        first_line: u64,
    },
    /// There are more than [`Catalog::MAX_ITEMS`] rows.
    TooManyRows,
    /// The file is longer than [`Catalog::MAX_FILE_BYTES`].
    TooManyBytes,
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(field) = self.field {
            write!(f, ": {field}")?;
        }
        f.write_str(": ")?;
        self.problem.fmt(f)
    }
}

impl fmt::Display for CatalogProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEADER: &str = "name,size_bytes,section,description";
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::Empty => write!(f, "the file is empty: start it with the line `{HEADER}`"),
            Self::NoRows => f.write_str("no items follow the header: add at least one row"),
            Self::MissingColumn => {
                write!(f, "the header lacks this column: the first line must be `{HEADER}`")
            }
            Self::RepeatedColumn => f.write_str("the header names this column twice"),
            Self::FieldCount { found, expected } if found > expected => write!(
                f,
                "{found} fields where the header has {expected}: \
                 put quotes around a field that contains a comma"
            ),
            Self::FieldCount { found, expected } => {
                write!(
                    f,
                    "{found} fields where the header has {expected}: \
                     one is missing, or a quote is left open"
                )
            }
            Self::NotUtf8 => f.write_str("not UTF-8: save the file in that encoding"),
            Self::NotANumber(text) => {
                write!(f, "`{text}` is not a whole number of bytes such as 1048576")
            }
            Self::EmptyName => f.write_str("an item needs a name"),
            Self::NoWord(name) => {
                write!(f, "`{name}` has no letter or digit, so no keyword could find it")
            }
            Self::TooLong { bytes, limit } => {
                write!(f, "{bytes} bytes long, at most {limit} are allowed")
            }
            Self::Duplicate { name, first_line } => {
                write!(f, "`{name}` already stands on line {first_line}: names must differ")
            }
            Self::TooManyRows => {
                write!(f, "more than {} items: split the file", Catalog::MAX_ITEMS)
            }
            Self::TooManyBytes => {
                write!(f, "longer than {} bytes: split the file", Catalog::MAX_FILE_BYTES)
            }
        }
    }
}

impl std::error::Error for CatalogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            CatalogProblem::Unreadable(error) => Some(error),
            _ => None,
        }
    }
}

/// The most bytes of a name.
pub(super) const MAX_NAME: usize = MAX_NAME_BYTES;
/// The most bytes of a section.
pub(super) const MAX_SECTION: usize = 255;
/// The most bytes of a description.
pub(super) const MAX_DESCRIPTION: usize = 4096;

/// A text cut to what an error message can bear.
pub(super) fn excerpt(text: &str) -> String {
    const CHARS: usize = 60;
    if text.chars().count() <= CHARS {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(CHARS).collect();
    cut.push('…');
    cut
}
