//! Magnet links with nothing but an info-hash, and one peer; the info
//! dictionary is longer than the 16 KiB of one metadata message (BEP 9).

use crate::content::{Content, Place};
use crate::libtorrent::Libtorrent;
use crate::ours::Ours;

/// 1,221 hashes of 20 bytes: 24 KB of info dictionary.
const LEN: usize = 20_000_123;
const PIECE_LEN: u32 = 16 * 1024;

fn magnet(content: &Content) -> String {
    format!("magnet:?xt=urn:btih:{}", content.info_hash)
}

#[test]
fn we_ask_libtorrent() {
    let place = Place::new("magnet-ours");
    let content = Content::single(&place, LEN, PIECE_LEN, None);
    let torrent = content.torrent.to_string_lossy();
    let seed = Libtorrent::start(&torrent, &content.source, &["--seed-mode"]);
    let target = place.dir("target");
    let mut get = Ours::get(&magnet(&content), &target, &["--peer", &seed.addr]);
    get.wait_until_done();
    content.assert_in(&target);
}

#[test]
fn libtorrent_asks_us() {
    let place = Place::new("magnet-libtorrent");
    let content = Content::single(&place, LEN, PIECE_LEN, None);
    let mut seed = Ours::seed(&content.torrent, &content.source, &[]);
    seed.wait_until_ready();
    let target = place.dir("target");
    let mut leech = Libtorrent::start(&magnet(&content), &target, &["--peer", &seed.addr]);
    leech.wait_until_done();
    content.assert_in(&target);
}
