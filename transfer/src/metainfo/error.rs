//! What is wrong with metainfo.

use core::fmt;

use crate::bencode::BencodeError;
use crate::layout::LayoutError;
use crate::path::PathError;

/// Where and why metainfo was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetainfoError {
    /// The field, such as `info.files[3].length`; empty for the whole.
    pub field: String,
    /// Where the field stands in the input, in bytes; where it should stand,
    /// for one that is missing.
    pub offset: usize,
    /// What is wrong with it.
    pub fault: MetainfoFault,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetainfoFault {
    /// The input is not bencoded.
    Bencode(BencodeError),
    /// The field is missing.
    Missing,
    /// The field is something else than this.
    Not(&'static str),
    /// Both of two fields are there that exclude each other.
    Both(&'static str, &'static str),
    /// A number out of its range.
    OutOfRange {
        /// The number.
        value: i64,
        /// The least that it may be.
        min: i64,
        /// The most that it may be.
        max: i64,
    },
    /// More entries than the limit.
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The torrent's hashes are not as many as its pieces.
    Hashes {
        /// Bytes of hashes.
        bytes: usize,
        /// Pieces, each of which has a hash of 20 bytes.
        pieces: u32,
    },
    /// A file's path.
    Path(PathError),
    /// A symbolic link (BEP 47), which could lead out of the torrent.
    Link,
    /// The files and pieces as a whole.
    Layout(LayoutError),
    /// A torrent of the second version alone (BEP 52).
    OnlyV2,
}

impl fmt::Display for MetainfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Such an error says where it is, and more exactly.
        if let MetainfoFault::Bencode(error) = &self.fault {
            return write!(f, "not bencoded: {error}");
        }
        if !self.field.is_empty() {
            write!(f, "`{}` ", self.field)?;
        }
        write!(f, "at byte {}: {}", self.offset, self.fault)
    }
}

impl fmt::Display for MetainfoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bencode(error) => error.fmt(f),
            Self::Missing => f.write_str("it is missing"),
            Self::Not(what) => write!(f, "it is not {what}"),
            Self::Both(one, other) => write!(f, "`{one}` and `{other}` exclude each other"),
            Self::OutOfRange { value, min, max } => {
                write!(f, "{value} is not between {min} and {max}")
            }
            Self::TooMany { limit } => write!(f, "it has more than {limit} entries"),
            Self::Hashes { bytes, pieces } => write!(
                f,
                "{bytes} bytes of hashes do not fit {pieces} pieces, which need {}",
                u64::from(*pieces) * 20
            ),
            Self::Path(error) => error.fmt(f),
            Self::Link => f.write_str("a symbolic link is refused, as it could lead anywhere"),
            Self::Layout(error) => error.fmt(f),
            Self::OnlyV2 => f.write_str(
                "the torrent is of version 2 alone (BEP 52), which is not supported; make a \
                 hybrid or a version 1 torrent",
            ),
        }
    }
}

impl core::error::Error for MetainfoError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.fault {
            MetainfoFault::Bencode(error) => Some(error),
            MetainfoFault::Path(error) => Some(error),
            MetainfoFault::Layout(error) => Some(error),
            _ => None,
        }
    }
}
