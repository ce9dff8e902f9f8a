//! More than two peers.

use crate::content::{Content, Place};
use crate::libtorrent::Libtorrent;
use crate::ours::Ours;
use crate::process::wait_for;

const LEN: usize = 20_000_123;
const PIECE_LEN: u32 = 256 * 1024;
/// Eight seconds of the slow seed.
const FOUR_LEN: usize = 64_000_123;

/// We know one peer, who has nothing and knows the seed: peer exchange
/// (BEP 11) finds the seed. He says so within a minute; after that the seed
/// sends us at least some of the blocks itself.
#[test]
fn peer_exchange_finds_the_second_peer() {
    let place = Place::new("pex");
    let content = Content::single(&place, LEN, PIECE_LEN, None);
    let torrent = content.torrent.to_string_lossy();
    // So slow that the exchange comes before the end.
    let seed =
        Libtorrent::start(&torrent, &content.source, &["--seed-mode", "--upload-limit", "300000"]);
    let between = place.dir("between");
    let slow = ["--peer", &seed.addr, "--download-limit", "20000"];
    let middle = Libtorrent::start(&torrent, &between, &slow);
    let target = place.dir("target");
    let mut get = Ours::get(&torrent, &target, &["--peer", &middle.addr]);
    get.wait_until_ready();
    let both = || seed.most("peers") >= 2;
    let report = || format!("{}\n{}", get.process.output(), middle.process.output());
    wait_for("a second peer at the seed", both, report);
}

/// A seed limited to 8 MB/s and four leechers who share what they have: the
/// seed sends at most two copies.
#[test]
fn four_leechers_take_at_most_two_copies_from_a_slow_seed() {
    let place = Place::new("four");
    let content = Content::single(&place, FOUR_LEN, PIECE_LEN, None);
    let torrent = content.torrent.to_string_lossy();
    let options = ["--seed-mode", "--upload-limit", "8000000"];
    let seed = Libtorrent::start(&torrent, &content.source, &options);
    let mut leechers: Vec<Ours> = Vec::new();
    for number in 0..4 {
        let target = place.dir(&format!("target-{number}"));
        let mut options = vec!["--peer".to_owned(), seed.addr.clone()];
        for other in &leechers {
            options.extend(["--peer".to_owned(), other.addr.clone()]);
        }
        // They go on sharing until all are done.
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        let mut leecher = Ours::stay(&torrent, &target, &options);
        leecher.wait_until_ready();
        leechers.push(leecher);
    }
    for (number, leecher) in leechers.iter().enumerate() {
        let target = place.dir(&format!("target-{number}"));
        wait_for("a leecher's end", || content.is_in(&target), || leecher.process.output());
    }
    let sent = seed.latest("uploaded");
    let copies = sent as f64 / FOUR_LEN as f64;
    assert!(copies <= 2.0, "the seed sent {copies:.2} copies");
}

/// The same with our seed and libtorrent's leechers, whose sharing is not
/// ours to answer for: the limit is kept and all arrive.
#[test]
fn our_slow_seed_serves_two_of_libtorrent() {
    let place = Place::new("slow-seed");
    let content = Content::single(&place, LEN, PIECE_LEN, None);
    let torrent = content.torrent.to_string_lossy();
    let mut seed = Ours::seed(&content.torrent, &content.source, &["--max-upload", "8MB/s"]);
    seed.wait_until_ready();
    let targets = [place.dir("one"), place.dir("two")];
    let one = Libtorrent::start(&torrent, &targets[0], &["--peer", &seed.addr]);
    let both = ["--peer", &seed.addr, "--peer", &one.addr];
    let mut two = Libtorrent::start(&torrent, &targets[1], &both);
    two.wait_until_done();
    wait_for("the first leecher", || content.is_in(&targets[0]), || one.process.output());
    content.assert_in(&targets[1]);
}
