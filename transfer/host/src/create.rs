//! Making a torrent of files on disk.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use transfer::metainfo::{InfoDraft, Limits};
use transfer::{Info, Layout, LayoutError, MetainfoError, PathError};

use crate::hashing::{Stopped, Watch, hash_pieces};
use crate::walk::walk;

/// The shortest piece that is made, in bytes: one block.
pub const MIN_PIECE_LEN: u32 = 16 << 10;
/// The longest piece that is made, in bytes, what is read by default.
pub const MAX_PIECE_LEN: u32 = Limits::DEFAULT.piece_len;
/// The longest piece that is chosen unasked, in bytes: those who download hold
/// whole pieces in memory.
const MAX_CHOSEN_PIECE_LEN: u32 = 16 << 20;
/// The most pieces that are chosen unasked, before pieces become that long.
const MAX_CHOSEN_PIECES: u64 = 2048;

/// What can be said of a torrent that is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateOptions {
    /// The length of a piece in bytes, a power of two from [`MIN_PIECE_LEN`]
    /// to [`MAX_PIECE_LEN`]; as [`piece_len_for`] has it if absent.
    pub piece_len: Option<u32>,
    /// Whether peers may come from its trackers alone (BEP 27).
    pub is_private: bool,
    /// Where it comes from, if that shall make another torrent of it.
    pub source: Option<String>,
}

/// Why no torrent was made.
#[derive(Debug)]
pub enum CreateError {
    /// A file or folder could not be read.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The path names nothing, such as `/`.
    NoName(PathBuf),
    /// A name is not UTF-8.
    NotUtf8(PathBuf),
    /// It is neither a file nor a folder.
    Special(PathBuf),
    /// A link to a folder that it lies in, or folders without end.
    Loop(PathBuf),
    /// A name that no torrent can have.
    Path(PathError),
    /// Files that no torrent can hold together.
    Layout(LayoutError),
    /// A length of pieces that is not allowed.
    PieceLen(u32),
    /// A file became shorter while it was read.
    Changed(PathBuf),
    /// The torrent would be over a limit.
    Metainfo(MetainfoError),
    /// The watch said so.
    Cancelled,
}

impl CreateError {
    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), error }
    }
}

/// The length of pieces that suits so many bytes: the least power of two from
/// [`MIN_PIECE_LEN`] on with at most 2,048 pieces, but no more than 16 MiB.
pub const fn piece_len_for(total_len: u64) -> u32 {
    let mut piece_len = MIN_PIECE_LEN;
    while piece_len < MAX_CHOSEN_PIECE_LEN
        && total_len.div_ceil(piece_len as u64) > MAX_CHOSEN_PIECES
    {
        piece_len *= 2;
    }
    piece_len
}

/// Makes the `info` dictionary of a torrent of the file or folder at `root`.
///
/// Files are sorted by their paths, so that the same files always make the same
/// torrent. Links are followed; what is neither file nor folder is refused.
///
/// # Errors
/// When something cannot be read, has a name that no torrent can have, changes
/// meanwhile, or the watch cancels.
pub fn create(
    root: &Path,
    options: &CreateOptions,
    watch: &mut Watch<'_>,
) -> Result<Info, CreateError> {
    let (is_single_file, files) = walk(root)?;
    let (paths, entries): (Vec<_>, Vec<_>) =
        files.into_iter().map(|file| (file.path, file.entry)).unzip();
    let total = entries.iter().map(|entry| entry.len).fold(0, u64::saturating_add);
    let piece_len = options.piece_len.unwrap_or_else(|| piece_len_for(total));
    if !piece_len.is_power_of_two() || !(MIN_PIECE_LEN..=MAX_PIECE_LEN).contains(&piece_len) {
        return Err(CreateError::PieceLen(piece_len));
    }
    let layout = Layout::new(piece_len, entries).map_err(CreateError::Layout)?;
    let pieces = hash_pieces(&layout, &paths, watch).map_err(|stopped| match stopped {
        Stopped::Cancelled => CreateError::Cancelled,
        Stopped::Io(file, error) => CreateError::io(&paths[file], error),
    })?;
    let hashes = pieces.into_iter().collect::<Result<Vec<_>, usize>>();
    let hashes = hashes.map_err(|file| CreateError::Changed(paths[file].clone()))?;
    let draft = InfoDraft {
        layout,
        is_single_file,
        hashes,
        is_private: options.is_private,
        source: options.source.clone(),
    };
    draft.finish().map_err(CreateError::Metainfo)
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::NoName(path) => {
                write!(f, "{}: it has no name that a torrent could have", path.display())
            }
            Self::NotUtf8(path) => {
                write!(f, "{}: its name is not UTF-8; rename it", path.display())
            }
            Self::Special(path) => {
                write!(f, "{}: it is neither a file nor a folder; take it away", path.display())
            }
            Self::Loop(path) => {
                write!(f, "{}: it leads back to a folder that it lies in", path.display())
            }
            Self::Path(error) => write!(f, "{error}; rename it"),
            Self::Layout(error) => write!(f, "no torrent can be made of this: {error}"),
            Self::PieceLen(len) => write!(
                f,
                "pieces of {len} bytes: their length must be a power of two from 16 KiB to 256 MiB"
            ),
            Self::Changed(path) => {
                write!(f, "{}: it became shorter while it was read; try again", path.display())
            }
            Self::Metainfo(error) => write!(f, "the torrent would be refused: {error}"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for CreateError {}
