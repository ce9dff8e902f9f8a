//! Checking files on disk against a torrent.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use transfer::{Info, PieceSet};

use crate::hashing::{Stopped, Watch, hash_pieces};

/// What of a torrent is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The pieces that are there and right.
    pub good: PieceSet,
    /// Pieces that are there in full and wrong.
    pub bad: u32,
    /// Pieces of which some bytes are not there.
    pub missing: u32,
}

/// Why files could not be checked.
#[derive(Debug)]
pub enum VerifyError {
    /// A file is there and could not be read.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The watch said so.
    Cancelled,
}

/// Checks the torrent's files below `folder`. A file that is not there, or too
/// short, is no error: its pieces are missing. What lies behind a file's length
/// is not looked at, nor whether empty files are there. Links are followed, as
/// nothing is written.
///
/// # Errors
/// When a file cannot be read, or the watch cancels.
pub fn verify(info: &Info, folder: &Path, watch: &mut Watch<'_>) -> Result<Verified, VerifyError> {
    let layout = info.layout();
    let paths: Vec<PathBuf> =
        layout.files().iter().map(|file| folder.join(file.path.as_str())).collect();
    let found = hash_pieces(layout, &paths, watch).map_err(|stopped| match stopped {
        Stopped::Cancelled => VerifyError::Cancelled,
        Stopped::Io(file, error) => VerifyError::Io { path: paths[file].clone(), error },
    })?;
    let mut verified = Verified { good: PieceSet::empty(layout.pieces()), bad: 0, missing: 0 };
    for (piece, found) in (0..layout.pieces()).zip(found) {
        match found {
            Ok(hash) if info.hash(piece) == Some(&hash) => {
                verified.good.insert(piece);
            }
            Ok(_) => verified.bad += 1,
            Err(_) => verified.missing += 1,
        }
    }
    Ok(verified)
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for VerifyError {}
