//! The `info` dictionary: what a torrent shares.

use core::fmt;
use core::ops::Range;

use sha1::{Digest, Sha1};

use super::error::{MetainfoError, MetainfoFault};
use super::field::{Field, Fields};
use super::{Limits, fields_of};
use crate::identity::InfoHash;
use crate::layout::{FileEntry, Layout};
use crate::path::{FilePath, PathError, PathRule};

/// Bytes of a piece's hash (SHA-1).
pub const HASH_LEN: usize = 20;

/// The version of the protocol that a torrent was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Version {
    /// BEP 3.
    V1,
    /// BEP 3 and BEP 52 in one; here its first part alone counts.
    Hybrid,
}

/// What a torrent shares: names, lengths and hashes, and the exact bytes that
/// say so.
#[derive(Clone, PartialEq, Eq)]
pub struct Info {
    bytes: Vec<u8>,
    info_hash: InfoHash,
    layout: Layout,
    /// Where the hashes stand in `bytes`.
    hashes: Range<usize>,
    name: String,
    is_single_file: bool,
    is_private: bool,
    source: Option<String>,
    version: Version,
}

impl Info {
    /// Reads the dictionary alone, as peers send it (BEP 9).
    ///
    /// # Errors
    /// As [`Metainfo::decode`](super::Metainfo::decode).
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, MetainfoError> {
        Self::from_fields(fields_of(bytes, "info", limits)?, limits)
    }

    pub(super) fn from_fields(info: Fields<'_>, limits: &Limits) -> Result<Self, MetainfoError> {
        let version = version(&info)?;
        let name = utf8_or_plain(&info, "name")?;
        let title = name.text().map_err(|_| not_utf8(&name))?;
        let piece_len = info.need("piece length")?.int(1, i64::from(limits.piece_len))?;
        let (is_single_file, entries) = files(&info, &name, title, limits)?;
        let layout = Layout::new(piece_len as u32, entries).map_err(|error| {
            let key = if is_single_file { "length" } else { "files" };
            info.error(key, MetainfoFault::Layout(error))
        })?;
        let pieces = info.need("pieces")?;
        let hashes = pieces.bytes()?.len();
        if hashes as u64 != u64::from(layout.pieces()) * HASH_LEN as u64 {
            let fault = MetainfoFault::Hashes { bytes: hashes, pieces: layout.pieces() };
            return Err(pieces.error(fault));
        }
        let private = info.get("private").map(|field| field.int(i64::MIN, i64::MAX));
        // A string's bytes are the last of its encoding.
        let hashes_end = pieces.value.span().end - info.dict.span().start;
        Ok(Self {
            bytes: info.dict.raw().to_vec(),
            info_hash: InfoHash(Sha1::digest(info.dict.raw()).into()),
            layout,
            hashes: hashes_end - hashes..hashes_end,
            name: title.to_string(),
            is_single_file,
            is_private: private.transpose()? == Some(1),
            source: info.get("source").map(|field| field.prose()).transpose()?,
            version,
        })
    }

    /// The exact bytes of the dictionary.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The hash over those bytes, which names the torrent.
    pub const fn info_hash(&self) -> InfoHash {
        self.info_hash
    }

    /// The pieces, blocks and files.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The hash of a piece, if there is such a piece.
    pub fn hash(&self, piece: u32) -> Option<&[u8; HASH_LEN]> {
        self.hashes().get(piece as usize)
    }

    /// The hashes of all pieces, in order.
    pub fn hashes(&self) -> &[[u8; HASH_LEN]] {
        self.bytes.get(self.hashes.clone()).unwrap_or_default().as_chunks().0
    }

    /// The name of the only file, or of the folder of all.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether there is one file of the torrent's name and no folder.
    pub const fn is_single_file(&self) -> bool {
        self.is_single_file
    }

    /// Whether peers may come from its trackers alone (BEP 27).
    pub const fn is_private(&self) -> bool {
        self.is_private
    }

    /// Where the torrent says that it comes from: with another word in it, the
    /// same files have another info-hash.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The version of the protocol that it was made for.
    pub const fn version(&self) -> Version {
        self.version
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Info")
            .field("info_hash", &self.info_hash)
            .field("name", &self.name)
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

fn version(info: &Fields<'_>) -> Result<Version, MetainfoError> {
    let is_v2 = match info.get("meta version") {
        None => false,
        Some(field) => field.int(i64::MIN, i64::MAX)? >= 2,
    };
    match (is_v2, info.get("pieces")) {
        (false, _) => Ok(Version::V1),
        (true, Some(_)) => Ok(Version::Hybrid),
        (true, None) => Err(info.error("meta version", MetainfoFault::OnlyV2)),
    }
}

/// The field under `key`, or rather the one that says to be its UTF-8 form.
fn utf8_or_plain<'a>(fields: &Fields<'a>, key: &str) -> Result<Field<'a>, MetainfoError> {
    fields.get(&format!("{key}.utf-8")).map_or_else(|| fields.need(key), Ok)
}

fn not_utf8(field: &Field<'_>) -> MetainfoError {
    let path = String::from_utf8_lossy(field.value.as_bytes().unwrap_or_default()).into_owned();
    match field.value.as_bytes() {
        Some(_) => field.error(MetainfoFault::Path(PathError { path, rule: PathRule::NotUtf8 })),
        None => field.error(MetainfoFault::Not("a string")),
    }
}

/// Whether there is one file alone, and the files.
fn files(
    info: &Fields<'_>,
    name: &Field<'_>,
    title: &str,
    limits: &Limits,
) -> Result<(bool, Vec<FileEntry>), MetainfoError> {
    let path_error = |error| name.error(MetainfoFault::Path(error));
    let path = FilePath::new([title]).map_err(path_error)?;
    match (info.get("length"), info.get("files")) {
        (Some(_), Some(_)) => Err(info.error("files", MetainfoFault::Both("length", "files"))),
        (None, None) => Err(info.error("length", MetainfoFault::Missing)),
        (Some(len), None) => {
            let len = len.int(0, i64::MAX)?.unsigned_abs();
            Ok((true, vec![FileEntry { len, path, padding: false }]))
        }
        (None, Some(list)) => {
            let entries = list.entries(limits.files)?.into_iter().enumerate();
            let files = entries.map(|(i, entry)| file(&entry.dict()?, title, i));
            Ok((false, files.collect::<Result<_, _>>()?))
        }
    }
}

/// An entry of `files`.
fn file(fields: &Fields<'_>, title: &str, at: usize) -> Result<FileEntry, MetainfoError> {
    let len = fields.need("length")?.int(0, i64::MAX)?.unsigned_abs();
    let attributes = match fields.get("attr") {
        Some(field) => field.bytes()?,
        None => &[],
    };
    if attributes.contains(&b'l') {
        return Err(fields.error("attr", MetainfoFault::Link));
    }
    let padding = attributes.contains(&b'p');
    if padding {
        // Its own path means nothing, and several may have the same (BEP 47).
        let number = at.to_string();
        let path = FilePath::new([title, ".pad", &number])
            .map_err(|error| fields.error("path", MetainfoFault::Path(error)))?;
        return Ok(FileEntry { len, path, padding });
    }
    let path = utf8_or_plain(fields, "path")?;
    let mut components = vec![title];
    // One more than a path may have is enough to refuse it.
    for component in path.entries(crate::path::MAX_COMPONENTS)? {
        components.push(component.text().map_err(|_| not_utf8(&component))?);
    }
    if components.len() == 1 {
        let empty = PathError { path: String::new(), rule: PathRule::Empty };
        return Err(path.error(MetainfoFault::Path(empty)));
    }
    let path = FilePath::new(components).map_err(|error| path.error(MetainfoFault::Path(error)))?;
    Ok(FileEntry { len, path, padding })
}
