//! Torrents of files on disk, and files on disk against them.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;
use transfer::{Info, PieceSet};
use transfer_host::{CreateError, CreateOptions, Verified, Watch, create, piece_len_for, verify};

/// The hash of a whole piece of a pattern is worth more than that of zeros.
fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|i| (i as u8).wrapping_mul(31).wrapping_add((i >> 8) as u8) ^ seed).collect()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a folder of ours");
    fs::write(path, bytes).expect("a folder of ours");
}

/// A folder `t` with four files: 160,001 bytes, ten pieces of 16 KiB.
fn folder() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    write(folder.path(), "t/b/deep/x", &pattern(70_000, 1));
    write(folder.path(), "t/a", &pattern(40_000, 2));
    write(folder.path(), "t/b.txt", &pattern(50_001, 3));
    write(folder.path(), "t/empty", b"");
    folder
}

fn made(path: &Path, options: &CreateOptions) -> Result<Info, CreateError> {
    let mut told = Vec::new();
    let cancelled = AtomicBool::new(false);
    let mut progress = |done, total| told.push((done, total));
    let info =
        create(path, options, &mut Watch { cancelled: &cancelled, progress: &mut progress })?;
    let total = info.layout().total_len();
    assert_eq!(told.last(), Some(&(total, total)));
    Ok(info)
}

fn checked(info: &Info, folder: &Path) -> Verified {
    let cancelled = AtomicBool::new(false);
    verify(info, folder, &mut Watch { cancelled: &cancelled, progress: &mut |_, _| {} })
        .expect("files of ours can be read")
}

#[test]
fn a_folder_makes_the_same_torrent_every_time() {
    let folder = folder();
    let info = made(&folder.path().join("t"), &CreateOptions::default()).unwrap();
    let layout = info.layout();
    let paths: Vec<_> = layout.files().iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["t/a", "t/b/deep/x", "t/b.txt", "t/empty"], "sorted by components");
    assert_eq!((layout.piece_len(), layout.pieces()), (16_384, 10));
    assert_eq!((info.name(), info.is_single_file()), ("t", false));
    let again = made(&folder.path().join("t/."), &CreateOptions::default()).unwrap();
    assert_eq!(again.info_hash(), info.info_hash());
    let private = CreateOptions { is_private: true, ..CreateOptions::default() };
    let private = made(&folder.path().join("t"), &private).unwrap();
    assert_ne!(private.info_hash(), info.info_hash());
    let sourced = CreateOptions { source: Some("s".into()), ..CreateOptions::default() };
    assert_eq!(made(&folder.path().join("t"), &sourced).unwrap().source(), Some("s"));
    let verified = checked(&info, folder.path());
    assert!(verified.good.is_full());
    assert_eq!((verified.bad, verified.missing), (0, 0));
}

/// Three bytes, whose hash is the example of FIPS 180.
#[test]
fn a_file_is_a_torrent_of_its_own() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "abc", b"abc");
    let info = made(&folder.path().join("abc"), &CreateOptions::default()).unwrap();
    assert!(info.is_single_file());
    let hash: String = info.hashes()[0].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert!(checked(&info, folder.path()).good.is_full());
}

#[test]
fn what_is_wrong_and_what_is_missing_are_told_apart() {
    let folder = folder();
    let info = made(&folder.path().join("t"), &CreateOptions::default()).unwrap();
    let good_but = |wrong: &[u32]| {
        let mut good = PieceSet::full(10);
        wrong.iter().for_each(|piece| {
            good.remove(*piece);
        });
        good
    };
    // Bytes 40,000 to 110,000 are those of `x`: pieces 2 to 6.
    fs::remove_file(folder.path().join("t/b/deep/x")).unwrap();
    let absent = checked(&info, folder.path());
    assert_eq!(absent, Verified { good: good_but(&[2, 3, 4, 5, 6]), bad: 0, missing: 5 });
    let mut bytes = pattern(70_000, 1);
    bytes[30_000] ^= 1;
    write(folder.path(), "t/b/deep/x", &bytes);
    let wrong = checked(&info, folder.path());
    assert_eq!(wrong, Verified { good: good_but(&[4]), bad: 1, missing: 0 });
    write(folder.path(), "t/b/deep/x", &bytes[..60_000]);
    let short = checked(&info, folder.path());
    assert_eq!(short, Verified { good: good_but(&[4, 6]), bad: 1, missing: 1 });
    // A file where a folder should be.
    fs::remove_dir_all(folder.path().join("t/b")).unwrap();
    write(folder.path(), "t/b", b"");
    assert_eq!(checked(&info, folder.path()).missing, 5);
    let nowhere = checked(&info, &folder.path().join("nowhere"));
    assert_eq!((nowhere.missing, nowhere.bad), (10, 0));
}

#[test]
fn what_makes_no_torrent_is_named() {
    let folder = folder();
    let root = folder.path().join("t");
    let refused = |options: &CreateOptions| made(&root, options).unwrap_err().to_string();
    let plain = CreateOptions::default();
    for len in [0, 1, 8192, 16_385, 1 << 29] {
        let options = CreateOptions { piece_len: Some(len), ..CreateOptions::default() };
        assert!(refused(&options).contains("power of two"), "{len}");
    }
    write(&root, "NUL", b"");
    assert!(refused(&plain).contains("t/NUL"));
    fs::rename(root.join("NUL"), root.join("A")).unwrap();
    let clash = refused(&plain);
    assert!(clash.contains("`t/A`") && clash.contains("`t/a`"), "{clash}");
    fs::remove_file(root.join("A")).unwrap();
    let nowhere = made(&folder.path().join("nowhere"), &plain).unwrap_err();
    assert!(nowhere.to_string().contains("nowhere: "), "{nowhere}");
    assert!(matches!(made(Path::new("/"), &plain), Err(CreateError::NoName(_))));
    let empty = TempDir::new().unwrap();
    write(empty.path(), "t/empty", b"");
    let empty = made(&empty.path().join("t"), &plain).unwrap_err();
    assert!(matches!(empty, CreateError::Layout(_)), "{empty}");
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_round_and_round() {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    let folder = folder();
    let root = folder.path().join("t");
    let plain = made(&root, &CreateOptions::default()).unwrap();
    write(folder.path(), "elsewhere/f", b"more");
    symlink("../elsewhere", root.join("linked")).unwrap();
    let info = made(&root, &CreateOptions::default()).unwrap();
    assert_eq!(info.layout().total_len(), plain.layout().total_len() + 4);
    assert!(checked(&info, folder.path()).good.is_full());
    symlink("..", root.join("b/up")).unwrap();
    let error = made(&root, &CreateOptions::default()).unwrap_err();
    assert!(matches!(&error, CreateError::Loop(path) if path.ends_with("b/up")), "{error}");
    fs::remove_file(root.join("b/up")).unwrap();
    let _socket = UnixListener::bind(root.join("socket")).unwrap();
    let error = made(&root, &CreateOptions::default()).unwrap_err();
    assert!(matches!(&error, CreateError::Special(path) if path.ends_with("socket")), "{error}");
    symlink("nowhere", root.join("dangling")).unwrap();
    fs::remove_file(root.join("socket")).unwrap();
    let error = made(&root, &CreateOptions::default()).unwrap_err();
    assert!(error.to_string().contains("dangling"), "{error}");
}

#[test]
fn a_work_can_be_cancelled() {
    let folder = folder();
    let cancelled = AtomicBool::new(true);
    let mut watch = Watch { cancelled: &cancelled, progress: &mut |_, _| {} };
    let root = folder.path().join("t");
    let error = create(&root, &CreateOptions::default(), &mut watch).unwrap_err();
    assert!(matches!(error, CreateError::Cancelled), "{error}");
}

#[test]
fn pieces_grow_with_the_torrent() {
    let table = [
        (1, 16 << 10),
        (32 << 20, 16 << 10),
        ((32 << 20) + 1, 32 << 10),
        (732_766_208, 512 << 10),
        (1 << 30, 512 << 10),
        (32 << 30, 16 << 20),
        (u64::MAX, 16 << 20),
    ];
    for (total, piece_len) in table {
        assert_eq!(piece_len_for(total), piece_len, "{total}");
    }
}
