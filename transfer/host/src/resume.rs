//! The fast-resume file: which pieces are there, without hashing them again.
//!
//! It claims only what was hashed and written, and is itself written after the
//! files are safe on the disk: into a temporary file that then takes its place.
//! With it stand the lengths and times of the files. When those differ, because
//! the last run was killed after it wrote more, or somebody else touched a file,
//! nothing is believed and all is hashed. So a wrong piece never passes for a
//! good one, at whatever moment a run ends.

use std::io::{self, Read, Write};

use transfer::bencode::{self, Kind, Value};
use transfer::{FilePath, Info, InfoHash, PieceSet};

use crate::store::{Access, FileStore, Folder, Stamp, Store};

const VERSION: i64 = 1;
/// The most bytes that are read of a fast-resume file.
const MAX_BYTES: u64 = 64 << 20;

fn name(info_hash: InfoHash, ending: &str) -> io::Result<FilePath> {
    FilePath::new([format!(".{info_hash}.{ending}").as_str()])
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
}

/// Writes the fast-resume file of a torrent of which the pieces in `have` were
/// hashed and written.
///
/// # Errors
/// When the files or it cannot be written or made safe; then what stood there
/// before still does.
pub fn save(files: &FileStore, info_hash: InfoHash, have: &PieceSet) -> io::Result<()> {
    files.sync()?;
    let bytes = encode(info_hash, have, &files.stamps()?);
    let folder = Folder::open_existing(files.folder())?;
    let temporary = name(info_hash, "resume.new")?;
    let mut file = folder.open_file(&temporary, Access::Create)?;
    file.set_len(0)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    folder.rename(&temporary, &name(info_hash, "resume")?)
}

/// The pieces that a fast-resume file claims, if there is one, it is this
/// torrent's, and nobody has touched the files since.
pub fn load(files: &FileStore, info: &Info) -> Option<PieceSet> {
    let folder = Folder::open_existing(files.folder()).ok()?;
    let path = name(info.info_hash(), "resume").ok()?;
    let file = folder.open_file(&path, Access::Read).ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    let (have, stamps) = decode(&bytes, info)?;
    (stamps == files.stamps().ok()?).then_some(have)
}

fn encode(info_hash: InfoHash, have: &PieceSet, stamps: &[Option<Stamp>]) -> Vec<u8> {
    let mut out = Vec::new();
    bencode::dict_with(&mut out, |out| {
        bencode::string(out, "files");
        bencode::list_with(out, |out| {
            for stamp in stamps {
                bencode::list_with(out, |out| {
                    if let Some(stamp) = stamp {
                        bencode::string(out, stamp.len.to_be_bytes());
                        bencode::string(out, stamp.modified_ns.to_be_bytes());
                    }
                });
            }
        });
        bencode::string(out, "info hash");
        bencode::string(out, info_hash.0);
        bencode::string(out, "pieces");
        bencode::string(out, have.to_bitfield());
        bencode::string(out, "version");
        bencode::int(out, VERSION);
    });
    out
}

fn decode(bytes: &[u8], info: &Info) -> Option<(PieceSet, Vec<Option<Stamp>>)> {
    let value = Value::parse(bytes, &bencode::Limits::new(MAX_BYTES as usize)).ok()?;
    let dict = value.as_dict()?;
    let is_ours = matches!(dict.get("version")?.kind(), Kind::Int(VERSION))
        && dict.bytes("info hash")? == info.info_hash().0;
    if !is_ours {
        return None;
    }
    let have = PieceSet::from_bitfield(dict.bytes("pieces")?, info.layout().pieces()).ok()?;
    let Kind::List(list) = dict.get("files")?.kind() else { return None };
    let stamps = list.iter().map(stamp).collect::<Option<_>>()?;
    Some((have, stamps))
}

/// A stamp, or none where there was no file; nothing if it is neither.
fn stamp(value: Value<'_>) -> Option<Option<Stamp>> {
    let Kind::List(fields) = value.kind() else { return None };
    let mut fields = fields.iter();
    let Some(len) = fields.next() else { return Some(None) };
    let len = u64::from_be_bytes(len.as_bytes()?.try_into().ok()?);
    let modified_ns = i128::from_be_bytes(fields.next()?.as_bytes()?.try_into().ok()?);
    Some(Some(Stamp { len, modified_ns }))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    use proptest::prelude::*;
    use transfer::metainfo::InfoDraft;
    use transfer::{FileEntry, Layout};

    use super::*;
    use crate::store::Allocation;

    fn info() -> Info {
        let entry = |path: &str, len| FileEntry {
            len,
            path: FilePath::new(path.split('/')).unwrap(),
            padding: false,
        };
        let layout = Layout::new(16, vec![entry("t/a", 40), entry("t/b", 24)]).unwrap();
        let hashes = vec![[7; 20]; 4];
        let draft =
            InfoDraft { layout, is_single_file: false, hashes, is_private: false, source: None };
        draft.finish().unwrap()
    }

    fn store(folder: &Path, info: &Info) -> FileStore {
        let layout = Arc::new(info.layout().clone());
        FileStore::open(folder, layout, info.info_hash(), &[], Allocation::Sparse).unwrap()
    }

    #[test]
    fn claims_hold_until_a_file_is_touched() {
        let place = tempfile::tempdir().unwrap();
        let info = info();
        let files = store(place.path(), &info);
        files.make_files(true).unwrap();
        files.write_at(16, &[1; 16]).unwrap();
        let mut have = PieceSet::empty(4);
        have.insert(1);
        save(&files, info.info_hash(), &have).unwrap();
        drop(files);
        let again = store(place.path(), &info);
        assert_eq!(load(&again, &info), Some(have.clone()));
        // Somebody cuts a file and puts it back to its length.
        let path = place.path().join("t/b");
        fs::write(&path, [0; 24]).unwrap();
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
        fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        assert_eq!(load(&again, &info), None);
        save(&again, info.info_hash(), &have).unwrap();
        assert_eq!(load(&again, &info), Some(have));
        fs::remove_file(place.path().join("t/a")).unwrap();
        assert_eq!(load(&store(place.path(), &info), &info), None);
    }

    #[test]
    fn no_file_of_another_torrent_is_believed() {
        let have = PieceSet::full(4);
        let bytes = encode(InfoHash([3; 20]), &have, &[]);
        assert!(decode(&bytes, &info()).is_none());
        let short = encode(info().info_hash(), &PieceSet::full(3), &[]);
        assert!(decode(&short, &info()).is_some_and(|(have, _)| !have.is_full()));
    }

    proptest! {
        #[test]
        fn whatever_stands_there_does_no_harm(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..300, bit in 0u8..8) {
            let _ = decode(&bytes, &info());
            let stamps = [None, Some(Stamp { len: 24, modified_ns: -5 }), None];
            bytes = encode(info().info_hash(), &PieceSet::full(4), &stamps);
            prop_assert_eq!(decode(&bytes, &info()), Some((PieceSet::full(4), stamps.to_vec())));
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let _ = decode(&bytes, &info());
        }
    }
}
