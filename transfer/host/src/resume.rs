//! When the fast-resume file is written, and when it is believed.
//!
//! It claims only what was hashed and written, and is itself written after the
//! files are safe on the disk: into a temporary file that then takes its place.
//! With it stand the lengths and times of the files. When those differ, because
//! the last run was killed after it wrote more, or somebody else touched a file,
//! nothing is believed and all is hashed. So a wrong piece never passes for a
//! good one, at whatever moment a run ends.

use std::io::{self, Read, Write};

use transfer::resume::{Claim, MAX_BYTES};
use transfer::{FilePath, Info, InfoHash, PieceSet};

use crate::store::{Access, FileStore, Folder, Store};

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
    let bytes = Claim { have: have.clone(), stamps: files.stamps()? }.encode(info_hash);
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
    file.take(MAX_BYTES as u64).read_to_end(&mut bytes).ok()?;
    let Claim { have, stamps } = Claim::decode(&bytes, info.info_hash(), info.layout().pieces())?;
    (stamps == files.stamps().ok()?).then_some(have)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

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
}
