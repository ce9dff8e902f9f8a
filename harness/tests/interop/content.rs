//! What the tests move: files of random bytes, and torrents made of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process::Process;

/// A directory of a test's own, removed when the test passes.
pub struct Place {
    path: PathBuf,
}

impl Place {
    /// A new one.
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("overlab-{}-{number}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        Self { path }
    }

    /// A directory below it, made if need be.
    pub fn dir(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        path
    }

    /// A path below it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the files of this test are kept in {}", self.path.display());
        } else {
            // A program that is just ending may still write here.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// `len` bytes that no compression and no lucky guess produces, the same for
/// the same seed (SplitMix64).
pub fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut words = std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    });
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        out.extend_from_slice(&words.next().expect("endless").to_le_bytes());
    }
    out.truncate(len);
    out
}

/// A torrent and the directory that holds all of its files.
pub struct Content {
    /// The `.torrent` file.
    pub torrent: PathBuf,
    /// The directory with the files.
    pub source: PathBuf,
    /// The files below it, relative, in the torrent's order.
    pub files: Vec<PathBuf>,
    /// Its info-hash in hexadecimal.
    pub info_hash: String,
}

impl Content {
    /// One file of `len` bytes, announced to `tracker` if one is given.
    pub fn single(place: &Place, len: usize, piece_len: u32, tracker: Option<&str>) -> Self {
        let source = place.dir("source");
        fs::write(source.join("payload.bin"), bytes(7, len)).expect("writable");
        Self::make(place, &source, "payload.bin", vec!["payload.bin".into()], piece_len, tracker)
    }

    /// Several files, whose ends fall within pieces.
    pub fn several(place: &Place, lens: &[usize], piece_len: u32, tracker: Option<&str>) -> Self {
        let source = place.dir("source");
        let root = source.join("album");
        let mut files = Vec::new();
        for (number, len) in lens.iter().enumerate() {
            let name = format!("disc {}/track {number:02}.bin", 1 + number % 2);
            let path = root.join(&name);
            fs::create_dir_all(path.parent().expect("below root")).expect("writable");
            fs::write(path, bytes(100 + number as u64, *len)).expect("writable");
            files.push(PathBuf::from("album").join(name));
        }
        files.sort();
        Self::make(place, &source, "album", files, piece_len, tracker)
    }

    fn make(
        place: &Place,
        source: &Path,
        name: &str,
        files: Vec<PathBuf>,
        piece_len: u32,
        tracker: Option<&str>,
    ) -> Self {
        let torrent = place.file("content.torrent");
        let mut command = Command::new(env!("CARGO_BIN_EXE_overlab"));
        command.args(["torrent", "create", "--quiet", "--piece-length", &piece_len.to_string()]);
        command.arg("-o").arg(&torrent).arg(source.join(name));
        if let Some(url) = tracker {
            command.args(["--announce", url]);
        }
        let mut create = Process::start(command, "cargo build");
        assert_eq!(create.code(), 0, "{}", create.output());
        let info_hash = crate::libtorrent::info_hash(&torrent);
        Self { torrent, source: source.into(), files, info_hash }
    }

    /// Whether all of its files lie in `dir`, byte by byte the same.
    pub fn is_in(&self, dir: &Path) -> bool {
        self.files.iter().all(|file| same(&self.source.join(file), &dir.join(file)))
    }

    /// Fails unless all of its files lie in `dir`, byte by byte the same.
    pub fn assert_in(&self, dir: &Path) {
        for file in &self.files {
            assert!(
                same(&self.source.join(file), &dir.join(file)),
                "{} differs",
                dir.join(file).display()
            );
        }
    }
}

/// Whether two files exist and hold the same bytes.
pub fn same(one: &Path, other: &Path) -> bool {
    match (fs::read(one), fs::read(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
