//! How a torrent's bytes lie in pieces, blocks and files.

use core::fmt;

use crate::block::{BLOCK_LEN, Block};
use crate::path::FilePath;

/// One file of a torrent, and where its bytes stand in the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSpan {
    /// Where the file begins within the torrent, in bytes.
    pub offset: u64,
    /// Its length in bytes; 0 for an empty file.
    pub len: u64,
    /// Where it belongs below the folder of the download: for a torrent of
    /// several files, the torrent's name comes first. A padding file has a made
    /// up path.
    pub path: FilePath,
    /// Bytes that only fill up a piece (BEP 47): zeros, never written to disk.
    pub padding: bool,
}

/// A file before it has a place in a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its length in bytes.
    pub len: u64,
    /// Its path below the folder of the download.
    pub path: FilePath,
    /// Whether it only fills up a piece (BEP 47).
    pub padding: bool,
}

/// A run of bytes within one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilePart {
    /// The file's index in [`Layout::files`].
    pub file: usize,
    /// Where the run begins within the file, in bytes.
    pub offset: u64,
    /// Its length in bytes, at least 1.
    pub len: u64,
}

/// The pieces, blocks and files of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    piece_len: u32,
    total_len: u64,
    pieces: u32,
    files: Vec<FileSpan>,
}

/// Why there is no such layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// No file, or none that has a byte.
    Empty,
    /// Pieces of no length.
    PieceLenZero,
    /// The lengths of all files do not fit 63 bits.
    TotalTooLong,
    /// More pieces than 32 bits count.
    TooManyPieces {
        /// How many it would be.
        pieces: u64,
    },
    /// Two files of the same path, or of paths that a file system without
    /// upper and lower case holds for the same.
    Duplicate {
        /// The one.
        path: FilePath,
        /// The other.
        other: FilePath,
    },
    /// A file where another path needs a folder.
    FileIsFolder {
        /// The file.
        file: FilePath,
        /// The path through it.
        path: FilePath,
    },
}

impl Layout {
    /// The layout of these files, one behind the other, in pieces of
    /// `piece_len` bytes.
    ///
    /// # Errors
    /// When there is nothing to lay out, a figure does not fit, or two files
    /// need the same place. Padding files are never written, so their paths may
    /// be anything.
    pub fn new(piece_len: u32, files: Vec<FileEntry>) -> Result<Self, LayoutError> {
        if piece_len == 0 {
            return Err(LayoutError::PieceLenZero);
        }
        let mut total_len = 0_u64;
        let mut spans = Vec::with_capacity(files.len());
        for FileEntry { len, path, padding } in files {
            spans.push(FileSpan { offset: total_len, len, path, padding });
            total_len = total_len
                .checked_add(len)
                .filter(|total| *total <= i64::MAX as u64)
                .ok_or(LayoutError::TotalTooLong)?;
        }
        if total_len == 0 {
            return Err(LayoutError::Empty);
        }
        let pieces = total_len.div_ceil(u64::from(piece_len));
        let pieces = u32::try_from(pieces).map_err(|_| LayoutError::TooManyPieces { pieces })?;
        check_clashes(&spans)?;
        Ok(Self { piece_len, total_len, pieces, files: spans })
    }

    /// The length of every piece but the last, in bytes.
    pub const fn piece_len(&self) -> u32 {
        self.piece_len
    }

    /// The length of all files together, in bytes; at least 1.
    pub const fn total_len(&self) -> u64 {
        self.total_len
    }

    /// The number of pieces; at least 1.
    pub const fn pieces(&self) -> u32 {
        self.pieces
    }

    /// The files, in the order of their bytes.
    pub fn files(&self) -> &[FileSpan] {
        &self.files
    }

    /// Where a piece begins within the torrent, in bytes.
    pub const fn piece_offset(&self, piece: u32) -> u64 {
        piece as u64 * self.piece_len as u64
    }

    /// The length of a piece in bytes; 0 when there is no such piece.
    pub fn piece_size(&self, piece: u32) -> u32 {
        let rest = self.total_len.saturating_sub(self.piece_offset(piece));
        // Not above the piece length, which is a u32.
        rest.min(u64::from(self.piece_len)) as u32
    }

    /// The number of blocks of a piece; 0 when there is no such piece.
    pub fn blocks_in(&self, piece: u32) -> u32 {
        self.piece_size(piece).div_ceil(BLOCK_LEN)
    }

    /// Block `n` of a piece; of length 0 when there is no such block.
    pub fn block(&self, piece: u32, n: u32) -> Block {
        let size = self.piece_size(piece);
        let begin = n.saturating_mul(BLOCK_LEN).min(size);
        Block { piece, begin, len: (size - begin).min(BLOCK_LEN) }
    }

    /// Whether the block has bytes and all of them are in the torrent. It need
    /// not be one of those that [`Layout::block`] gives: peers ask for others.
    pub fn contains(&self, block: &Block) -> bool {
        let end = u64::from(block.begin) + u64::from(block.len);
        block.len > 0 && end <= u64::from(self.piece_size(block.piece))
    }

    /// The files that `len` bytes from `offset` on lie in, in order, without
    /// the empty ones. What lies beyond the end is left out.
    pub fn parts(&self, offset: u64, len: u64) -> impl Iterator<Item = FilePart> + '_ {
        let end = offset.saturating_add(len).min(self.total_len);
        let first = self.files.partition_point(|file| file.offset + file.len <= offset);
        let files = self.files[first..].iter().enumerate();
        files.take_while(move |(_, file)| file.offset < end).filter_map(move |(i, file)| {
            let from = offset.max(file.offset);
            let to = end.min(file.offset + file.len);
            (from < to).then(|| FilePart {
                file: first + i,
                offset: from - file.offset,
                len: to - from,
            })
        })
    }

    /// The files that a piece lies in.
    pub fn parts_of(&self, piece: u32) -> impl Iterator<Item = FilePart> + '_ {
        self.parts(self.piece_offset(piece), u64::from(self.piece_size(piece)))
    }

    /// The pieces that the file touches; none if it is empty or not there.
    pub fn pieces_of(&self, file: usize) -> core::ops::Range<u32> {
        let Some(file) = self.files.get(file).filter(|file| file.len > 0) else { return 0..0 };
        let piece_len = u64::from(self.piece_len);
        // Not above the number of pieces, which is a u32.
        let last = (file.offset + file.len - 1) / piece_len;
        (file.offset / piece_len) as u32..last as u32 + 1
    }
}

/// Sorted by their folded texts, a path stands beside one that needs its place.
fn check_clashes(files: &[FileSpan]) -> Result<(), LayoutError> {
    let mut folded: Vec<(String, &FilePath)> = files
        .iter()
        .filter(|file| !file.padding)
        .map(|file| (file.path.folded(), &file.path))
        .collect();
    folded.sort();
    for pair in folded.windows(2) {
        let [(text, path), (next_text, next)] = pair else { continue };
        let Some(rest) = next_text.strip_prefix(text.as_str()) else { continue };
        if rest.is_empty() {
            return Err(LayoutError::Duplicate { path: (*path).clone(), other: (*next).clone() });
        }
        if rest.starts_with('\0') {
            return Err(LayoutError::FileIsFolder { file: (*path).clone(), path: (*next).clone() });
        }
    }
    Ok(())
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is not one byte in its files"),
            Self::PieceLenZero => f.write_str("its pieces have no length"),
            Self::TotalTooLong => f.write_str("its files are longer than 63 bits count"),
            Self::TooManyPieces { pieces } => {
                write!(f, "its {pieces} pieces are more than 32 bits count")
            }
            Self::Duplicate { path, other } => write!(
                f,
                "the files `{path}` and `{other}` would be one where case and dots at the end do \
                 not count"
            ),
            Self::FileIsFolder { file, path } => {
                write!(f, "`{file}` is a file, but `{path}` needs it as a folder")
            }
        }
    }
}

impl core::error::Error for LayoutError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(path: &str, len: u64) -> FileEntry {
        FileEntry { len, path: FilePath::new(path.split('/')).expect(path), padding: false }
    }

    fn layout(piece_len: u32, files: &[(&str, u64)]) -> Result<Layout, LayoutError> {
        Layout::new(piece_len, files.iter().map(|(path, len)| entry(path, *len)).collect())
    }

    /// The .torrent of the reference: 1,397 pieces of 512 KiB and a shorter one.
    #[test]
    fn ubuntu_8_10_has_1398_pieces() {
        let ubuntu = layout(524_288, &[("ubuntu-8.10-desktop-i386.iso", 732_766_208)]).unwrap();
        assert_eq!((ubuntu.pieces(), ubuntu.piece_size(0)), (1398, 524_288));
        assert_eq!((ubuntu.piece_size(1397), ubuntu.piece_size(1398)), (335_872, 0));
        assert_eq!((ubuntu.blocks_in(0), ubuntu.blocks_in(1397)), (32, 21));
        assert_eq!(ubuntu.block(1397, 20), Block { piece: 1397, begin: 327_680, len: 8192 });
        assert_eq!(ubuntu.block(1397, 21).len, 0);
        assert_eq!(ubuntu.block(u32::MAX, u32::MAX).len, 0);
    }

    #[test]
    fn blocks_must_lie_within_a_piece() {
        let torrent = layout(40_000, &[("a", 100_000)]).unwrap();
        let table = [
            (0, 0, 16_384, true),
            (0, 23_616, 16_384, true),
            (0, 23_617, 16_384, false),
            (0, 39_999, 1, true),
            (0, 40_000, 1, false),
            (0, 0, 0, false),
            (2, 16_384, 3616, true),
            (2, 16_384, 3617, false),
            (3, 0, 1, false),
            (u32::MAX, u32::MAX, u32::MAX, false),
        ];
        for (piece, begin, len, inside) in table {
            let block = Block { piece, begin, len };
            assert_eq!(torrent.contains(&block), inside, "{block:?}");
        }
    }

    #[test]
    fn parts_skip_empty_files_and_what_lies_beyond() {
        let files = [("t/a", 10), ("t/empty", 0), ("t/b", 5), ("t/c", 20), ("t/last", 0)];
        let torrent = layout(16, &files).unwrap();
        let part = |file, offset, len| FilePart { file, offset, len };
        assert_eq!(
            torrent.parts_of(0).collect::<Vec<_>>(),
            [part(0, 0, 10), part(2, 0, 5), part(3, 0, 1)]
        );
        assert_eq!(torrent.parts_of(2).collect::<Vec<_>>(), [part(3, 17, 3)]);
        assert_eq!(torrent.parts(10, 1).collect::<Vec<_>>(), [part(2, 0, 1)]);
        assert_eq!(torrent.parts(35, 9).count(), 0);
        assert_eq!(torrent.parts(u64::MAX, u64::MAX).count(), 0);
        assert_eq!((torrent.pieces_of(0), torrent.pieces_of(2)), (0..1, 0..1));
        assert_eq!((torrent.pieces_of(3), torrent.pieces_of(1)), (0..3, 0..0));
    }

    #[test]
    fn figures_that_do_not_fit_are_refused() {
        assert_eq!(layout(0, &[("a", 1)]), Err(LayoutError::PieceLenZero));
        assert_eq!(layout(1, &[]), Err(LayoutError::Empty));
        assert_eq!(layout(1, &[("a", 0)]), Err(LayoutError::Empty));
        assert_eq!(
            layout(1 << 14, &[("a", i64::MAX as u64), ("b", 1)]),
            Err(LayoutError::TotalTooLong)
        );
        assert_eq!(layout(1 << 14, &[("a", u64::MAX), ("b", 1)]), Err(LayoutError::TotalTooLong));
        let pieces = i64::MAX as u64;
        assert_eq!(layout(1, &[("a", pieces)]), Err(LayoutError::TooManyPieces { pieces }));
        assert!(layout(1, &[("a", u64::from(u32::MAX))]).is_ok());
    }

    #[test]
    fn two_files_never_need_the_same_place() {
        let clash = |files: &[&str]| {
            let files: Vec<_> = files.iter().map(|path| (*path, 1)).collect();
            layout(16, &files).err()
        };
        assert!(matches!(clash(&["t/a", "t/a"]), Some(LayoutError::Duplicate { .. })));
        assert!(matches!(clash(&["t/a", "t/b", "t/A"]), Some(LayoutError::Duplicate { .. })));
        assert!(matches!(clash(&["t/D/x", "t/d./X"]), Some(LayoutError::Duplicate { .. })));
        let through = clash(&["t/a/b", "t/a!", "t/A"]).expect("a file as a folder");
        assert_eq!(through.to_string(), "`t/A` is a file, but `t/a/b` needs it as a folder");
        assert_eq!(clash(&["t/a/b", "t/a!", "t/a b", "t/A/c"]), None);
        let padding = FileEntry { padding: true, ..entry(".pad/1", 1) };
        let files = vec![entry("t/a", 1), padding.clone(), padding];
        assert_eq!(Layout::new(16, files).unwrap().pieces(), 1);
    }

    proptest! {
        #[test]
        fn pieces_blocks_and_parts_cover_every_byte_once(
            piece_len in 1_u32..70_000,
            lens in proptest::collection::vec(0_u64..100_000, 1..8),
        ) {
            let files = lens.iter().enumerate().map(|(i, len)| entry(&format!("t/{i}"), *len));
            let Ok(torrent) = Layout::new(piece_len, files.collect()) else {
                prop_assert_eq!(lens.iter().sum::<u64>(), 0);
                return Ok(());
            };
            let mut file_bytes = vec![0; lens.len()];
            let mut total = 0;
            for piece in 0..torrent.pieces() {
                for n in 0..torrent.blocks_in(piece) {
                    let block = torrent.block(piece, n);
                    prop_assert!(torrent.contains(&block));
                    prop_assert_eq!(torrent.piece_offset(piece) + u64::from(block.begin), total);
                    total += u64::from(block.len);
                }
                for part in torrent.parts_of(piece) {
                    prop_assert_eq!(part.offset, file_bytes[part.file]);
                    prop_assert!(torrent.pieces_of(part.file).contains(&piece));
                    file_bytes[part.file] += part.len;
                }
            }
            prop_assert_eq!(total, torrent.total_len());
            prop_assert_eq!(file_bytes, lens);
        }
    }
}
