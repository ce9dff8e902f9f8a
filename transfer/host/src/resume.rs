//! When the fast-resume file is written, and when it is believed.
//!
//! It claims only what was hashed and written, and is itself written after the
//! files are safe on the disk: into a temporary file that then takes its place.
//! With it stand the lengths and times of the files. When those differ because
//! somebody else touched a file, nothing is believed and all is hashed.
//!
//! While a download goes on it is written again and again, and each time says
//! that more is to come. After a kill the files are then newer than it, by no
//! more than the time between two of its kind: what it claims is believed, since
//! a piece that is there is never written again, and only the rest is hashed. So
//! a wrong piece never passes for a good one, at whatever moment a run ends.

use std::io::{self, Read, Write};
use std::ops::RangeInclusive;
use std::time::{SystemTime, UNIX_EPOCH};

use transfer::resume::{Claim, MAX_BYTES, Stamp};
use transfer::{FilePath, Info, InfoHash, PieceSet};

use crate::store::{Access, FileStore, Folder, Store};

/// How often the fast-resume file of a download is written (30 s).
pub const SAVE_INTERVAL_US: u64 = 30_000_000;
/// How much later than an open claim its files may have been written to, in
/// nanoseconds: twice the time between two claims.
const GRACE_NS: i128 = 2 * 1_000 * SAVE_INTERVAL_US as i128;
/// A file that was changed within this time before it was looked at may be
/// changed once more without a new time, in nanoseconds.
const SETTLED_NS: i128 = 1_000_000_000;

fn name(info_hash: InfoHash, ending: &str) -> io::Result<FilePath> {
    FilePath::new([format!(".{info_hash}.{ending}").as_str()])
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
}

/// Whether more will be written to the files of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The download goes on.
    Open,
    /// Nothing more is written.
    Final,
}

/// What a fast-resume file is good for.
#[derive(Debug, PartialEq, Eq)]
pub enum Resumed {
    /// These pieces are there and no others.
    All(PieceSet),
    /// These pieces are there; others may be.
    Some(PieceSet),
}

/// Writes the fast-resume file of a torrent of which the pieces in `have` were
/// hashed and written.
///
/// # Errors
/// When the files or it cannot be written or made safe; then what stood there
/// before still does.
pub fn save(
    files: &FileStore,
    info_hash: InfoHash,
    have: &PieceSet,
    standing: Standing,
) -> io::Result<()> {
    files.sync()?;
    let stamps = files.stamps()?;
    let open_ns = (standing == Standing::Open).then(now_ns);
    put(files, info_hash, &Claim { have: have.clone(), stamps, open_ns })
}

/// Writes the fast-resume file of files that were hashed, which were like
/// `before` when that began; nothing if they have changed or may have.
///
/// # Errors
/// As [`save`].
pub fn save_hashed(
    files: &FileStore,
    info_hash: InfoHash,
    have: &PieceSet,
    before: Vec<Option<Stamp>>,
    begun_ns: i128,
) -> io::Result<()> {
    let newest = before.iter().flatten().map(|stamp| stamp.modified_ns).max();
    let settled = newest.is_some_and(|newest| newest + SETTLED_NS <= begun_ns);
    if !settled || files.stamps()? != before {
        return Ok(());
    }
    put(files, info_hash, &Claim { have: have.clone(), stamps: before, open_ns: None })
}

fn put(files: &FileStore, info_hash: InfoHash, claim: &Claim) -> io::Result<()> {
    let bytes = claim.encode(info_hash);
    let folder = Folder::open_existing(files.folder())?;
    let temporary = name(info_hash, "resume.new")?;
    let written = folder.open_file(&temporary, Access::Create).and_then(|mut file| {
        file.set_len(0)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        folder.rename(&temporary, &name(info_hash, "resume")?)
    });
    if written.is_err() {
        // Such as on a full disk; a part of a claim is of use to nobody.
        let _ = folder.remove(&temporary);
    }
    written
}

/// Nanoseconds since 1970, as files have them.
pub fn now_ns() -> i128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128)
}

/// The pieces that a fast-resume file claims, if there is one, it is this
/// torrent's, and nobody else has touched the files since.
pub fn load(files: &FileStore, info: &Info) -> Option<Resumed> {
    let folder = Folder::open_existing(files.folder()).ok()?;
    let path = name(info.info_hash(), "resume").ok()?;
    let file = folder.open_file(&path, Access::Read).ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64).read_to_end(&mut bytes).ok()?;
    let claim = Claim::decode(&bytes, info.info_hash(), info.layout().pieces())?;
    let stamps = files.stamps().ok()?;
    let Some(open_ns) = claim.open_ns else {
        return (claim.stamps == stamps).then_some(Resumed::All(claim.have));
    };
    let window = open_ns..=open_ns.checked_add(GRACE_NS)?;
    let mut pairs = claim.stamps.iter().zip(&stamps);
    let is_ours = claim.stamps.len() == stamps.len()
        && pairs.all(|(then, now)| may_follow(*then, *now, &window));
    is_ours.then_some(Resumed::Some(claim.have))
}

/// Whether a file can have become what it is now by what the same download wrote
/// after it had made an open claim. The part file may be new or longer.
fn may_follow(then: Option<Stamp>, now: Option<Stamp>, window: &RangeInclusive<i128>) -> bool {
    match (then, now) {
        (None, None) => true,
        (Some(_), None) => false,
        (None, Some(now)) => window.contains(&now.modified_ns),
        (Some(then), Some(now)) => {
            let is_longer = now.len >= then.len;
            let is_later = now.modified_ns >= then.modified_ns;
            now == then || (is_longer && is_later && now.modified_ns <= *window.end())
        }
    }
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
    fn a_claim_that_cannot_be_made_leaves_nothing_behind() {
        let (place, info, files, have) = begun();
        let path = |ending| {
            let name = name(info.info_hash(), ending).expect("a hash in hex is a sound name");
            place.path().join(name.as_str())
        };
        // A folder in the place of the file, which cannot be replaced by one.
        fs::create_dir(path("resume")).expect("there is room for a folder");
        save(&files, info.info_hash(), &have, Standing::Final).expect_err("it is a folder");
        assert!(!path("resume.new").exists());
    }

    /// A torrent of four pieces whose second one is there.
    fn begun() -> (tempfile::TempDir, Info, FileStore, PieceSet) {
        let place = tempfile::tempdir().expect("there is room for a folder");
        let info = info();
        let files = store(place.path(), &info);
        files.make_files(true).expect("the files can be made");
        files.write_at(16, &[1; 16]).expect("the files can be written");
        let mut have = PieceSet::empty(4);
        have.insert(1);
        (place, info, files, have)
    }

    #[test]
    fn claims_hold_until_a_file_is_touched() {
        let (place, info, files, have) = begun();
        save(&files, info.info_hash(), &have, Standing::Final).unwrap();
        drop(files);
        let again = store(place.path(), &info);
        assert_eq!(load(&again, &info), Some(Resumed::All(have.clone())));
        // Somebody cuts a file and puts it back to its length.
        let path = place.path().join("t/b");
        fs::write(&path, [0; 24]).unwrap();
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
        fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        assert_eq!(load(&again, &info), None);
        save(&again, info.info_hash(), &have, Standing::Final).unwrap();
        assert_eq!(load(&again, &info), Some(Resumed::All(have)));
        fs::remove_file(place.path().join("t/a")).unwrap();
        assert_eq!(load(&store(place.path(), &info), &info), None);
    }

    #[test]
    fn an_open_claim_outlives_what_is_written_after_it() {
        let (place, info, files, have) = begun();
        save(&files, info.info_hash(), &have, Standing::Open).unwrap();
        // A piece may have been written before the files were looked at.
        assert_eq!(load(&files, &info), Some(Resumed::Some(have.clone())));
        let path = place.path().join("t/a");
        let set_time = |after_s| {
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() + std::time::Duration::from_secs(after_s)).unwrap();
        };
        // The run wrote on and was killed before it could claim more.
        set_time(40);
        assert_eq!(load(&files, &info), Some(Resumed::Some(have.clone())));
        // Too late to have been that run.
        set_time(70);
        assert_eq!(load(&files, &info), None);
        set_time(40);
        fs::File::options().write(true).open(&path).unwrap().set_len(39).unwrap();
        set_time(40);
        assert_eq!(load(&files, &info), None, "a file was cut");
        // Older than the claim: put there by somebody.
        fs::write(&path, [2; 40]).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(UNIX_EPOCH).unwrap();
        assert_eq!(load(&files, &info), None);
        // A last claim is never followed by anything.
        save(&files, info.info_hash(), &have, Standing::Final).unwrap();
        set_time(1);
        assert_eq!(load(&files, &info), None);
    }

    #[test]
    fn what_was_hashed_is_claimed_unless_it_may_have_changed() {
        let (_place, info, files, _) = begun();
        let have = PieceSet::full(4);
        let claim = |before, begun_ns| {
            save_hashed(&files, info.info_hash(), &have, before, begun_ns).unwrap();
            load(&files, &info)
        };
        assert_eq!(claim(files.stamps().unwrap(), now_ns()), None, "it is too new");
        let mut other = files.stamps().unwrap();
        other[0] = None;
        let later_ns = now_ns() + 5_000_000_000;
        assert_eq!(claim(other, later_ns), None, "it was changed meanwhile");
        assert_eq!(claim(files.stamps().unwrap(), later_ns), Some(Resumed::All(have.clone())));
    }
}
