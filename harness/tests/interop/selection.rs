//! Torrents of several files, of which only some are wanted.

use crate::content::{Content, Place, same};
use crate::libtorrent::Libtorrent;
use crate::ours::Ours;

/// Lengths that put most ends of files within pieces; one file is empty.
const LENS: [usize; 6] = [1_000_001, 70_000, 0, 2_500_000, 16_384, 900_007];
const PIECE_LEN: u32 = 64 * 1024;

#[test]
fn all_files_from_libtorrent() {
    let place = Place::new("several");
    let content = Content::several(&place, &LENS, PIECE_LEN, None);
    let torrent = content.torrent.to_string_lossy();
    let seed = Libtorrent::start(&torrent, &content.source, &["--seed-mode"]);
    let target = place.dir("target");
    let mut get = Ours::get(&torrent, &target, &["--peer", &seed.addr]);
    get.wait_until_done();
    content.assert_in(&target);
}

#[test]
fn all_files_to_libtorrent() {
    let place = Place::new("several-seed");
    let content = Content::several(&place, &LENS, PIECE_LEN, None);
    let mut seed = Ours::seed(&content.torrent, &content.source, &[]);
    seed.wait_until_ready();
    let target = place.dir("target");
    let torrent = content.torrent.to_string_lossy();
    let mut leech = Libtorrent::start(&torrent, &target, &["--peer", &seed.addr]);
    leech.wait_until_done();
    content.assert_in(&target);
}

#[test]
fn some_files_from_libtorrent() {
    let place = Place::new("selection");
    let content = Content::several(&place, &LENS, PIECE_LEN, None);
    let torrent = content.torrent.to_string_lossy();
    let seed = Libtorrent::start(&torrent, &content.source, &["--seed-mode"]);
    let target = place.dir("target");
    // Files are counted from 1.
    let mut get = Ours::get(&torrent, &target, &["--peer", &seed.addr, "--select", "1,4"]);
    get.wait_until_done();
    for (number, file) in content.files.iter().enumerate() {
        let (from, to) = (content.source.join(file), target.join(file));
        if [1, 4].contains(&(number + 1)) {
            assert!(same(&from, &to), "{} differs", file.display());
        } else {
            assert!(!to.exists(), "{} was not wanted", file.display());
        }
    }
}
