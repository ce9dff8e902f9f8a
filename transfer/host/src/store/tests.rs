//! The stores against a plain vector of bytes.

use std::io::IoSliceMut;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use transfer::{FileEntry, FilePath, InfoHash, Layout};

use super::*;

fn layout(lens: &[(u64, bool)]) -> Option<Arc<Layout>> {
    let entries = lens.iter().enumerate().map(|(at, (len, padding))| FileEntry {
        len: *len,
        path: FilePath::new(["t", &format!("f{at}")]).unwrap(),
        padding: *padding,
    });
    Layout::new(16, entries.collect()).ok().map(Arc::new)
}

fn open(folder: &Path, layout: &Arc<Layout>, wanted: &[bool]) -> FileStore {
    let hash = InfoHash([1; 20]);
    FileStore::open(folder, Arc::clone(layout), hash, wanted, Allocation::Sparse).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is written over any files, wanted or not, reads back, but for
    /// padding, which reads as zeros; and files that are not wanted are not made.
    #[test]
    fn files_hold_what_is_written(
        lens in proptest::collection::vec((0u64..60, any::<bool>()), 1..7),
        wanted in proptest::collection::vec(any::<bool>(), 7),
        writes in proptest::collection::vec((0u64..300, 1usize..80, any::<u8>()), 1..12),
    ) {
        let Some(layout) = layout(&lens) else { return Ok(()) };
        let place = tempfile::tempdir().unwrap();
        let store = open(place.path(), &layout, &wanted);
        store.make_files(true).unwrap();
        let mut model = vec![0; layout.total_len() as usize];
        for (offset, len, byte) in writes {
            let offset = (offset % layout.total_len()) as usize;
            let len = len.min(model.len() - offset);
            let bytes: Vec<u8> = (0..len).map(|at| byte.wrapping_add(at as u8)).collect();
            store.write_at(offset as u64, &bytes).unwrap();
            model[offset..offset + len].copy_from_slice(&bytes);
            prop_assert!(store.write_at(layout.total_len() - 1, &[0; 2]).is_err());
        }
        for span in layout.files() {
            let at = span.offset as usize;
            if span.padding {
                model[at..at + span.len as usize].fill(0);
            }
        }
        for (at, span) in layout.files().iter().enumerate() {
            let path = place.path().join(span.path.as_str());
            let is_made = wanted[at] && !span.padding;
            prop_assert_eq!(path.exists(), is_made, "{}", span.path.as_str());
            let begin = span.offset as usize;
            if is_made {
                let bytes = std::fs::read(path).unwrap();
                prop_assert_eq!(&bytes, &model[begin..begin + span.len as usize]);
            }
        }
        store.sync().unwrap();
        check_reads(&store, &layout, &wanted, &model)?;
    }

    #[test]
    fn synthetic_content_is_the_same_however_it_is_read(
        seed: u64,
        len in 1u64..5000,
        cuts in proptest::collection::vec(1usize..200, 1..20),
    ) {
        let store = SyntheticStore::new(seed, len);
        let mut whole = vec![0; len as usize];
        store.read_at(0, &mut whole).unwrap();
        let mut at = 0;
        for cut in cuts {
            let cut = cut.min(whole.len() - at);
            let mut part = vec![0; cut];
            store.read_at(at as u64, &mut part).unwrap();
            prop_assert_eq!(&part, &whole[at..at + cut]);
            at += cut;
        }
        prop_assert!(store.write_at(0, &whole).is_ok());
        whole[0] ^= 1;
        prop_assert!(store.write_at(0, &whole).is_err());
    }
}

/// Reads what was written in wanted files, in one and in several parts.
fn check_reads(
    store: &FileStore,
    layout: &Layout,
    wanted: &[bool],
    model: &[u8],
) -> Result<(), TestCaseError> {
    for (at, span) in layout.files().iter().enumerate() {
        if !(wanted[at] || span.padding) || span.len == 0 {
            continue;
        }
        let begin = span.offset as usize;
        let expected = &model[begin..begin + span.len as usize];
        let mut bytes = vec![1; expected.len()];
        store.read_at(span.offset, &mut bytes).unwrap();
        prop_assert_eq!(&bytes, expected);
        bytes.fill(1);
        let (one, two) = bytes.split_at_mut(expected.len() / 3);
        let mut slices = [IoSliceMut::new(one), IoSliceMut::new(two)];
        store.read_vectored_at(span.offset, &mut slices).unwrap();
        prop_assert_eq!(&bytes, expected);
    }
    Ok(())
}

#[test]
fn a_file_that_becomes_wanted_takes_its_part_of_shared_pieces_along() {
    // Pieces of 16: the first is shared by f0 and f1, the last by f1 and f2.
    let layout = layout(&[(10, false), (30, false), (8, false)]).unwrap();
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), &layout, &[true, false, true]);
    store.make_files(true).unwrap();
    let content: Vec<u8> = (1..=48).collect();
    store.write_at(0, &content[..16]).unwrap();
    store.write_at(32, &content[32..]).unwrap();
    assert!(!place.path().join("t/f1").exists());
    store.want(1).unwrap();
    store.write_at(16, &content[16..32]).unwrap();
    assert_eq!(std::fs::read(place.path().join("t/f1")).unwrap(), &content[10..40]);
    assert_eq!(std::fs::read(place.path().join("t/f0")).unwrap(), &content[..10]);
}

#[test]
fn holes_are_told_from_data() {
    let len = 1 << 20;
    let layout = layout(&[(len, false)]).unwrap();
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), &layout, &[true]);
    assert!(!store.is_begun().unwrap());
    assert!(!store.has_data(0, len).unwrap(), "no file at all");
    store.make_files(true).unwrap();
    assert!(store.is_begun().unwrap());
    store.write_at(len / 2, &[1; 100]).unwrap();
    assert!(store.has_data(len / 2, 100).unwrap());
    assert!(store.has_data(0, len).unwrap());
}

#[test]
fn a_file_system_that_only_reads_will_do_for_seeding() {
    use std::os::unix::fs::PermissionsExt;
    let layout = layout(&[(4, false)]).unwrap();
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("t")).unwrap();
    let path = place.path().join("t/f0");
    std::fs::write(&path, b"abcd").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    let store = open(place.path(), &layout, &[true]);
    let mut bytes = [0; 4];
    store.read_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"abcd");
}

#[test]
fn a_full_disk_says_so() {
    let store = MemoryStore::full_at(100, 50);
    store.write_at(0, &[1; 50]).unwrap();
    let error = store.write_at(40, &[1; 20]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    store.make_room();
    store.write_at(40, &[1; 20]).unwrap();
}
