//! Whole downloads.

use std::sync::Arc;

use sha1::{Digest as _, Sha1};

use super::net::*;
use crate::session::*;
use crate::wire::Reserved;
use crate::{InfoHash, PieceSet};

const MB: u64 = 1_000_000;

fn finished(nodes: &[usize]) -> impl FnMut(&Net) -> bool + use<> {
    let nodes = nodes.to_vec();
    move |net| nodes.iter().all(|&n| net.nodes[n].finished_us.is_some())
}

#[test]
fn one_seed_to_one_leecher() {
    let torrent = torrent(65_536, 1_000_001);
    let mut net = Net::new(1);
    let (seed, leecher) = (net.add_seed(&torrent, MB), net.add_leecher(&torrent, MB));
    net.connect(leecher, seed);
    net.run(10 * SECOND_US, finished(&[leecher]));
    let took_us = net.nodes[leecher].finished_us.expect("the download ends");
    assert!((1_000_000..1_300_000).contains(&took_us), "{took_us} us for a second's bytes");
    let session = &net.nodes[leecher].session;
    let traffic = session.traffic(net.now_us);
    assert_eq!((traffic.downloaded, traffic.duplicate), (1_000_001, 0));
    assert_eq!(session.progress().have, 16);
    assert_eq!(net.nodes[seed].session.traffic(net.now_us).uploaded, 1_000_001);
    let requests = net.nodes[leecher].sent["request"];
    assert_eq!(requests, 62, "each block is requested once");
    net.run(20 * SECOND_US, |_| false);
    assert_eq!(net.nodes[leecher].closed, [CloseReason::BothSeeds]);
    assert_eq!(net.nodes[leecher].session.contributors.len(), 0, "nothing refers to anybody");
}

#[test]
fn it_starts_without_waiting_for_any_timer() {
    let torrent = torrent(16_384, 16_384);
    let mut net = Net::new(1);
    let (seed, leecher) = (net.add_seed(&torrent, 1_000 * MB), net.add_leecher(&torrent, MB));
    net.connect(leecher, seed);
    net.run(SECOND_US, finished(&[leecher]));
    let took_us = net.nodes[leecher].finished_us.expect("the download ends");
    // Pieces, interested, unchoke, request, block: five times the latency.
    assert!(took_us <= 5 * net.latency_us + 100, "{took_us} us");
}

#[test]
fn without_the_fast_extension() {
    let torrent = torrent(65_536, 600_000);
    let mut net = Net::new(1);
    let (seed, leecher) = (net.add_seed(&torrent, MB), net.add_leecher(&torrent, MB));
    net.connect_as(leecher, seed, Reserved([0; 8]));
    net.run(10 * SECOND_US, finished(&[leecher]));
    assert!(net.nodes[leecher].finished_us.is_some());
}

/// One seeder of 8 MB/s and one of 40 kB/s: the slow one must neither hold the
/// end up nor send much in vain.
#[test]
fn a_slow_seeder_does_not_hold_up_the_end() {
    let torrent = torrent(262_144, 32 << 20);
    let mut net = Net::new(1);
    let fast = net.add_seed(&torrent, 8 * MB);
    let slow = net.add_seed(&torrent, 40_000);
    let leecher = net.add_leecher(&torrent, MB);
    net.connect(leecher, slow);
    net.connect(leecher, fast);
    net.run(20 * SECOND_US, finished(&[leecher]));
    let took_us = net.nodes[leecher].finished_us.expect("the download ends");
    // 4.2 s are the least; the last block of the slow one takes 0.4 s.
    assert!(took_us < 4_700_000, "{took_us} us");
    let traffic = net.nodes[leecher].session.traffic(net.now_us);
    let sent: u64 =
        [fast, slow].iter().map(|&n| net.nodes[n].session.traffic(net.now_us).uploaded).sum();
    assert!(traffic.duplicate * 200 < 32 << 20, "{} bytes came twice", traffic.duplicate);
    assert!(sent < (32 << 20) * 1005 / 1000, "{sent} bytes were sent");
}

#[test]
fn leechers_help_each_other() {
    let torrent = torrent(65_536, 4 << 20);
    let mut net = Net::new(1);
    let seed = net.add_seed(&torrent, MB);
    let leechers: Vec<usize> = (0..4).map(|_| net.add_leecher(&torrent, MB)).collect();
    for &a in &leechers {
        net.connect(a, seed);
        for &b in leechers.iter().filter(|&&b| b > a) {
            net.connect(a, b);
        }
    }
    net.run(60 * SECOND_US, finished(&leechers));
    assert!(finished(&leechers)(&net));
    let uploaded = net.nodes[seed].session.traffic(net.now_us).uploaded;
    let copies = uploaded as f64 / f64::from(4 << 20);
    assert!(copies < 2.0, "the seed sent {copies:.2} copies");
}

#[test]
fn a_liar_beside_an_honest_seed_is_banned() {
    let torrent = torrent(65_536, 2 << 20);
    for liar_first in [false, true] {
        let mut net = Net::new(1);
        let (honest, liar) = (net.add_seed(&torrent, MB), net.add_seed(&torrent, MB));
        net.nodes[liar].lies = |block| (block.piece * 4 + block.begin / 16_384) % 10 == 3;
        let leecher = net.add_leecher(&torrent, MB);
        let order = if liar_first { [liar, honest] } else { [honest, liar] };
        for seed in order {
            net.connect(leecher, seed);
        }
        net.run(60 * SECOND_US, finished(&[leecher]));
        let node = &net.nodes[leecher];
        assert!(node.finished_us.is_some(), "the honest seed is enough");
        let ban = Banned::Address(addr(liar).ip());
        assert_eq!(node.banned.iter().collect::<Vec<_>>(), [&ban], "the liar and nobody else");
        assert!(node.session.traffic(net.now_us).bad > 0);
    }
}

#[test]
fn the_info_dictionary_comes_from_peers() {
    let info: Arc<[u8]> = (0..40_000_u32).map(|n| (n * 7 / 3) as u8).collect();
    let info_hash = InfoHash(Sha1::digest(&info).into());
    let mut full = torrent(65_536, 300_000);
    full.info = Arc::clone(&info);
    // Two peers have it. The network's handshakes name HASH, so the session
    // that looks for another hash is connected by hand.
    let mut net = Net::new(1);
    let seeds = [net.add_seed(&full, MB), net.add_seed(&full, MB)];
    let config = net.config();
    let magnet = net.add(Session::from_magnet(config, info_hash, rng(9), 0), MB);
    for seed in seeds {
        net.connect_hash(magnet, seed, info_hash);
    }
    net.run(5 * SECOND_US, |net| net.nodes[magnet].metadata.is_some());
    assert_eq!(net.nodes[magnet].metadata.as_deref(), Some(&info[..]));
    let found = Torrent { info_hash, ..full };
    let none = PieceSet::empty(found.geometry.pieces());
    net.nodes[magnet].session.metadata_accepted(found, none, net.now_us);
    net.drain(magnet);
    net.run(20 * SECOND_US, finished(&[magnet]));
    assert!(net.nodes[magnet].finished_us.is_some());
}

#[test]
fn false_metadata_is_dropped_and_the_right_one_found() {
    let info: Arc<[u8]> = (0..40_000_u32).map(|n| (n * 7 / 3) as u8).collect();
    let info_hash = InfoHash(Sha1::digest(&info).into());
    let mut right = torrent(65_536, 300_000);
    right.info = Arc::clone(&info);
    let mut wrong = right.clone();
    wrong.info = info.iter().map(|byte| byte ^ 1).collect();
    let mut net = Net::new(1);
    let peers = [&wrong, &right, &wrong].map(|torrent| net.add_seed(torrent, MB));
    let config = net.config();
    let magnet = net.add(Session::from_magnet(config, info_hash, rng(9), 0), MB);
    for peer in peers {
        net.connect_hash(magnet, peer, info_hash);
    }
    net.run(5 * SECOND_US, |net| net.nodes[magnet].metadata.is_some());
    assert_eq!(net.nodes[magnet].metadata.as_deref(), Some(&info[..]));
    assert!(!net.nodes[magnet].banned.contains(&Banned::Address(addr(peers[1]).ip())));
}

#[test]
fn peer_exchange_finds_the_third() {
    let torrent = torrent(65_536, 3 << 20);
    let mut net = Net::new(1);
    net.dials = true;
    let seed = net.add_seed(&torrent, MB / 4);
    let [a, b] = [net.add_leecher(&torrent, MB), net.add_leecher(&torrent, MB)];
    net.connect(a, seed);
    net.connect(b, seed);
    net.run(5 * SECOND_US, |_| false);
    let linked = |net: &Net, a: usize, b: usize| {
        net.nodes[a].session.peer_rows(net.now_us).any(|row| row.peer_id == name(b))
    };
    assert!(linked(&net, a, b) && linked(&net, b, a), "the seed told them of each other");
}

#[test]
fn a_full_disk_pauses_and_loses_nothing() {
    let torrent = torrent(65_536, 1 << 20);
    let mut net = Net::new(1);
    let (seed, leecher) = (net.add_seed(&torrent, MB), net.add_leecher(&torrent, MB));
    net.connect(leecher, seed);
    net.run(SECOND_US / 2, |_| false);
    net.nodes[leecher].stores = false;
    net.run(3 * SECOND_US, |_| false);
    let before = net.nodes[leecher].session.progress();
    assert!(before.have > 0 && before.missing > 0);
    let requests = net.nodes[leecher].sent["request"];
    net.run(6 * SECOND_US, |_| false);
    assert_eq!(net.nodes[leecher].sent["request"], requests, "nothing is requested");
    net.nodes[leecher].stores = true;
    net.nodes[leecher].session.resume(net.now_us);
    net.drain(leecher);
    net.run(20 * SECOND_US, finished(&[leecher]));
    assert!(net.nodes[leecher].finished_us.is_some());
}

#[test]
fn a_stream_comes_in_order_and_skipped_pieces_do_not_come() {
    let torrent = torrent(65_536, 2 << 20);
    let mut net = Net::new(1);
    let (seed, leecher) = (net.add_seed(&torrent, MB), net.add_leecher(&torrent, MB));
    let session = &mut net.nodes[leecher].session;
    session.set_priority(0..8, 0, 0);
    session.set_window(20..26, 0);
    net.connect(leecher, seed);
    net.run(SECOND_US / 2, |_| false);
    let have = net.nodes[leecher].session.have().unwrap();
    assert!((20..26).all(|piece| have.contains(piece)), "{:?}", have.iter().collect::<Vec<_>>());
    net.run(20 * SECOND_US, finished(&[leecher]));
    let have = net.nodes[leecher].session.have().unwrap();
    assert_eq!(have.iter().collect::<Vec<_>>(), (8..32).collect::<Vec<_>>());
}

#[test]
fn open_pieces_are_bounded() {
    let torrent = torrent(262_144, 16 << 20);
    let mut net = Net::new(1);
    let seeds: Vec<usize> = (0..6).map(|_| net.add_seed(&torrent, MB)).collect();
    let none = PieceSet::empty(torrent.geometry.pieces());
    let leecher = net.add_with(&torrent, none, MB, |config| config.open_bytes = 1 << 20);
    for seed in seeds {
        net.connect(leecher, seed);
    }
    // Net::run checks the bound after each event.
    net.run(20 * SECOND_US, finished(&[leecher]));
    assert!(net.nodes[leecher].finished_us.is_some());
}

#[test]
fn two_runs_are_the_same() {
    let run = || {
        let torrent = torrent(65_536, 2 << 20);
        let mut net = Net::new(1);
        let seed = net.add_seed(&torrent, MB);
        let leechers: Vec<usize> = (0..5).map(|_| net.add_leecher(&torrent, MB)).collect();
        for &a in &leechers {
            net.connect(a, seed);
            for &b in leechers.iter().filter(|&&b| b > a) {
                net.connect(a, b);
            }
        }
        net.run(60 * SECOND_US, finished(&leechers));
        net.nodes.iter().map(|n| (n.finished_us, n.sent.clone())).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
