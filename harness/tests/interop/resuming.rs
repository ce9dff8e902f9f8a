//! Downloads that one client began and another ends.

use crate::content::{Content, Place};
use crate::libtorrent::Libtorrent;
use crate::ours::Ours;
use crate::process::wait_for;

const LEN: usize = 16_000_123;
const PIECE_LEN: u32 = 128 * 1024;

#[test]
fn we_resume_what_libtorrent_began() {
    let place = Place::new("resume-ours");
    let content = Content::single(&place, LEN, PIECE_LEN, None);
    let torrent = content.torrent.to_string_lossy();
    let seed =
        Libtorrent::start(&torrent, &content.source, &["--seed-mode", "--upload-limit", "8000000"]);
    let target = place.dir("target");
    let half = ["--peer", &seed.addr, "--stop-at", "0.4", "--download-limit", "8000000"];
    let mut began = Libtorrent::start(&torrent, &target, &half);
    began.process.line("libtorrent's stop half-way", |line| line["stopped"].as_bool());
    assert_eq!(began.process.code(), 0, "{}", began.process.output());
    assert!(!content.is_in(&target), "libtorrent was to stop half-way");

    let before = seed.latest("uploaded");
    let mut get = Ours::get(&torrent, &target, &["--peer", &seed.addr]);
    get.wait_until_done();
    content.assert_in(&target);
    let again = || seed.latest("uploaded") > before;
    wait_for("the seed's figures", again, || seed.process.output());
    let fetched = seed.latest("uploaded") - before;
    let most = (LEN as f64 * 0.7) as u64;
    assert!(fetched < most, "fetched {fetched} bytes although 40 % of {LEN} were there");
}

#[test]
fn libtorrent_resumes_what_we_began() {
    let place = Place::new("resume-libtorrent");
    let content = Content::single(&place, LEN, PIECE_LEN, None);
    let torrent = content.torrent.to_string_lossy();
    let seed = Libtorrent::start(&torrent, &content.source, &["--seed-mode"]);
    let target = place.dir("target");
    let slowly = ["--peer", &seed.addr, "--max-download", "8MB/s"];
    let mut began = Ours::get(&torrent, &target, &slowly);
    let half = LEN as u64 / 2;
    began.process.line("half of the download", |line| {
        line["stored_bytes"].as_u64().filter(|stored| *stored >= half)
    });
    assert_eq!(began.process.interrupt(), 130, "{}", began.process.output());
    assert!(!content.is_in(&target), "we were to stop half-way");

    let mut resumed = Libtorrent::start(&torrent, &target, &["--peer", &seed.addr]);
    resumed.wait_until_done();
    content.assert_in(&target);
    let fetched = resumed.latest("downloaded");
    let most = (LEN as f64 * 0.7) as u64;
    assert!(fetched < most, "libtorrent fetched {fetched} bytes although half of {LEN} was there");
}
