//! Liars, and death at any moment.

use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::content::{Content, Place};
use crate::libtorrent::Libtorrent;
use crate::ours::Ours;
use crate::process::Process;

const LEN: usize = 20_000_123;
const PIECE_LEN: u32 = 256 * 1024;
const LIAR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/liar.py");

/// Every tenth block of the liar is wrong. The honest seed is slower, so that
/// the liar gets asked; the download is complete and right, and the liar is
/// banned.
#[test]
fn a_liar_is_banned_and_the_download_completes() {
    let place = Place::new("liar");
    let content = Content::single(&place, LEN, PIECE_LEN, None);
    let torrent = content.torrent.to_string_lossy();
    let mut command = Command::new("python3");
    command.arg(LIAR).arg(&content.info_hash).arg(content.source.join(&content.files[0]));
    command.arg(PIECE_LEN.to_string());
    let mut liar = Process::start(command, "apt-get install python3");
    let port = liar.line("the liar's port", |line| line["listening"].as_u64());
    let options = ["--seed-mode", "--upload-limit", "10000000"];
    let honest = Libtorrent::start(&torrent, &content.source, &options);
    let target = place.dir("target");
    let addr = format!("127.0.0.1:{port}");
    let mut get = Ours::get(&torrent, &target, &["--peer", &addr, "--peer", &honest.addr]);
    get.wait_until_done();
    content.assert_in(&target);
    let banned = get.events("banned");
    let named = |event: &serde_json::Value| event["address"].as_str() == Some(addr.as_str());
    assert!(banned.iter().any(named), "the liar was not banned; {}", get.process.output());
    assert!(banned.iter().all(named), "more than the liar were banned; {}", get.process.output());
}

/// Killed twenty times at moments that differ, and resumed: the file is whole
/// in the end, and no start fetches more than one piece again beyond what the
/// killed one had not yet written.
#[test]
fn twenty_kills_lose_nothing_that_was_written() {
    let place = Place::new("kills");
    let content = Content::single(&place, LEN, PIECE_LEN, None);
    let torrent = content.torrent.to_string_lossy();
    let seed = Libtorrent::start(&torrent, &content.source, &["--seed-mode"]);
    let target = place.dir("target");
    let mut known_good = 0;
    for round in 0..20_u64 {
        let options = ["--peer", &seed.addr, "--max-download", "10MB/s"];
        let mut get = Ours::get(&torrent, &target, &options);
        get.wait_until_ready();
        let resumed =
            get.events("listening")[0]["have_bytes"].as_u64().expect("bytes that are there");
        let lost = known_good - resumed.min(known_good);
        assert!(
            lost <= u64::from(PIECE_LEN),
            "round {round}: {lost} bytes were written and are gone"
        );
        // Spread over the first quarter of a second, never twice the same.
        thread::sleep(Duration::from_millis(5 + (round * 67) % 240));
        get.process.kill();
        let stored =
            get.events("progress").iter().filter_map(|event| event["stored_bytes"].as_u64()).max();
        known_good = stored.unwrap_or(0).max(resumed);
    }
    let mut get = Ours::get(&torrent, &target, &["--peer", &seed.addr]);
    get.wait_until_done();
    content.assert_in(&target);
}
