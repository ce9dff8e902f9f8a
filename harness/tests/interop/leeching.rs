//! libtorrent seeds, we leech; the tracker brings us together.

use crate::content::{Content, Place};
use crate::libtorrent::Libtorrent;
use crate::ours::Ours;
use crate::process::wait_for;
use crate::tracker::{Kind, Tracker};

const LEN: usize = 20_000_123;
const PIECE_LEN: u32 = 256 * 1024;

fn leech_through(kind: Kind, url: fn(&Tracker) -> String) {
    let place = Place::new("leech");
    let tracker = Tracker::start(kind, &place);
    let content = Content::single(&place, LEN, PIECE_LEN, Some(&url(&tracker)));
    tracker.allow(&content.info_hash);
    let torrent = content.torrent.to_string_lossy();
    let seed = Libtorrent::start(&torrent, &content.source, &[]);
    let seeding = || seed.process.values().iter().any(|line| line["done"] == true);
    wait_for("libtorrent's check", seeding, || seed.process.output());
    let target = place.dir("target");
    let mut get = Ours::get(&torrent, &target, &[]);
    get.wait_until_done();
    content.assert_in(&target);
}

#[test]
fn through_opentracker_over_http() {
    leech_through(Kind::Opentracker, Tracker::http);
}

#[test]
fn through_opentracker_over_udp() {
    leech_through(Kind::Opentracker, Tracker::udp);
}

#[test]
fn through_our_tracker_over_http() {
    leech_through(Kind::Ours, Tracker::http);
}

#[test]
fn through_our_tracker_over_udp() {
    leech_through(Kind::Ours, Tracker::udp);
}

#[test]
fn from_aria2() {
    let place = Place::new("from-aria2");
    let content = Content::single(&place, LEN, PIECE_LEN, None);
    let (aria2, addr) = crate::aria2::seed(&content.torrent, &content.source);
    let target = place.dir("target");
    let mut get = Ours::get(&content.torrent.to_string_lossy(), &target, &["--peer", &addr]);
    get.wait_until_done();
    content.assert_in(&target);
    drop(aria2);
}

#[test]
fn from_transmission() {
    let place = Place::new("from-transmission");
    let content = Content::single(&place, LEN, PIECE_LEN, None);
    let (transmission, addr) =
        crate::transmission::start(&place, &content.torrent, &content.source);
    let target = place.dir("target");
    let mut get = Ours::get(&content.torrent.to_string_lossy(), &target, &["--peer", &addr]);
    get.wait_until_done();
    content.assert_in(&target);
    drop(transmission);
}
