//! We seed; libtorrent, transmission and aria2 leech, through both trackers.

use crate::content::{Content, Place};
use crate::libtorrent::Libtorrent;
use crate::ours::Ours;
use crate::process::wait_for;
use crate::tracker::{Kind, Tracker};

const LEN: usize = 20_000_123;
const PIECE_LEN: u32 = 256 * 1024;

/// A tracker of `kind` and a torrent that it serves.
fn stage(kind: Kind) -> (Place, Tracker, Content) {
    let place = Place::new("seed");
    let tracker = Tracker::start(kind, &place);
    let content = Content::single(&place, LEN, PIECE_LEN, Some(&tracker.http()));
    tracker.allow(&content.info_hash);
    (place, tracker, content)
}

fn libtorrent_leeches(kind: Kind) {
    let (place, _tracker, content) = stage(kind);
    let mut seed = Ours::seed(&content.torrent, &content.source, &[]);
    seed.wait_until_ready();
    let target = place.dir("target");
    let mut leech = Libtorrent::start(&content.torrent.to_string_lossy(), &target, &[]);
    leech.wait_until_done();
    content.assert_in(&target);
}

fn aria2_leeches(kind: Kind) {
    let (place, _tracker, content) = stage(kind);
    let mut seed = Ours::seed(&content.torrent, &content.source, &[]);
    seed.wait_until_ready();
    let target = place.dir("target");
    let mut leech = crate::aria2::leech(&content.torrent, &target);
    assert_eq!(leech.code(), 0, "{}", leech.output());
    content.assert_in(&target);
}

/// transmission never dials 127/8, so it announces first and our seed dials it.
fn transmission_leeches(kind: Kind) {
    let (place, tracker, content) = stage(kind);
    let target = place.dir("target");
    let (leech, _) = crate::transmission::start(&place, &content.torrent, &target);
    tracker.wait_for_a_leecher(&content.info_hash);
    let seed = Ours::seed(&content.torrent, &content.source, &[]);
    let report = || format!("{}\n{}", leech.output(), seed.process.output());
    wait_for("transmission's download", || content.is_in(&target), report);
}

#[test]
fn libtorrent_leeches_through_opentracker() {
    libtorrent_leeches(Kind::Opentracker);
}

#[test]
fn libtorrent_leeches_through_our_tracker() {
    libtorrent_leeches(Kind::Ours);
}

#[test]
fn aria2_leeches_through_opentracker() {
    aria2_leeches(Kind::Opentracker);
}

#[test]
fn aria2_leeches_through_our_tracker() {
    aria2_leeches(Kind::Ours);
}

#[test]
fn transmission_leeches_through_opentracker() {
    transmission_leeches(Kind::Opentracker);
}

#[test]
fn transmission_leeches_through_our_tracker() {
    transmission_leeches(Kind::Ours);
}
