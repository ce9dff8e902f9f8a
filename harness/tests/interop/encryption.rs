//! libtorrent that takes nothing but encrypted connections, both ways.

use crate::content::{Content, Place};
use crate::libtorrent::Libtorrent;
use crate::ours::Ours;

const LEN: usize = 5_000_123;
const PIECE_LEN: u32 = 128 * 1024;

#[test]
fn libtorrent_seeds_encrypted() {
    let place = Place::new("encrypted-seed");
    let content = Content::single(&place, LEN, PIECE_LEN, None);
    let torrent = content.torrent.to_string_lossy();
    let options = ["--forced-encryption", "--seed-mode"];
    let seed = Libtorrent::start(&torrent, &content.source, &options);
    let target = place.dir("target");
    let mut get = Ours::get(&torrent, &target, &["--peer", &seed.addr, "--encryption", "required"]);
    get.wait_until_done();
    content.assert_in(&target);
}

/// With encryption merely allowed, we find out by ourselves that he wants it.
#[test]
fn libtorrent_wants_what_we_only_allow() {
    let place = Place::new("encrypted-allowed");
    let content = Content::single(&place, LEN, PIECE_LEN, None);
    let torrent = content.torrent.to_string_lossy();
    let options = ["--forced-encryption", "--seed-mode"];
    let seed = Libtorrent::start(&torrent, &content.source, &options);
    let target = place.dir("target");
    let mut get = Ours::get(&torrent, &target, &["--peer", &seed.addr]);
    get.wait_until_done();
    content.assert_in(&target);
}

#[test]
fn libtorrent_leeches_encrypted() {
    let place = Place::new("encrypted-leech");
    let content = Content::single(&place, LEN, PIECE_LEN, None);
    let mut seed = Ours::seed(&content.torrent, &content.source, &[]);
    seed.wait_until_ready();
    let target = place.dir("target");
    let options = ["--forced-encryption", "--peer", &seed.addr];
    let mut leech = Libtorrent::start(&content.torrent.to_string_lossy(), &target, &options);
    leech.wait_until_done();
    content.assert_in(&target);
}
