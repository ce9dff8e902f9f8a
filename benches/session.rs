//! The transfer session without a network: two of them, a seed and a leecher,
//! whose messages go from one to the other through memory. No block is copied
//! or hashed; what is measured is what the protocol itself costs a block. Beside
//! it the cipher of encrypted streams.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use overlays::{Rng, Stream};
use transfer::mse::Rc4;
use transfer::session::{
    Admission, Effect, Geometry, LinkId, Session, SessionConfig, Torrent, Verdict,
};
use transfer::wire::{Handshake, Message, Reserved};
use transfer::{InfoHash, PeerId, PieceSet};

const INFO_HASH: InfoHash = InfoHash([7; 20]);
const LINK: LinkId = LinkId(0);
/// Pieces of 16 blocks.
const PIECE_LEN: u32 = 256 * 1024;
const PIECES: u32 = 1024;

/// A session and what the other one has sent it.
struct Side {
    session: Session,
    inbox: VecDeque<Message>,
}

fn side(name: u8, has_all: bool) -> Side {
    let geometry = Geometry::new(PIECE_LEN, u64::from(PIECE_LEN) * u64::from(PIECES));
    let torrent = Torrent {
        info_hash: INFO_HASH,
        geometry: geometry.expect("these pieces are not absurd"),
        private: false,
        info: Arc::from([]),
    };
    let config = SessionConfig { peer_id: PeerId([name; 20]), ..SessionConfig::default() };
    let have = if has_all { PieceSet::full(PIECES) } else { PieceSet::empty(PIECES) };
    let rng: Rng = Stream::Protocol.rng(u64::from(name));
    let mut session = Session::new(config, torrent, have, rng, 0);
    let other = PeerId([1 - name; 20]);
    let handshake = Handshake { reserved: Reserved::OURS, info_hash: INFO_HASH, peer_id: other };
    let addr = ([127, 0, 0, 1], 6881).into();
    session.link_opened(LINK, addr, name == 1, &handshake, false, 0);
    Side { session, inbox: VecDeque::new() }
}

/// Takes what has come, and carries out what the session wants; blocks that are
/// to be sent go straight to the other side. Returns whether anything happened.
fn turn(this: &mut Side, other: &mut Side, now_us: u64) -> bool {
    let mut happened = false;
    while let Some(message) = this.inbox.pop_front() {
        this.session.message(LINK, message, now_us);
        happened = true;
    }
    while let Some(effect) = this.session.poll_effect() {
        happened = true;
        match effect {
            Effect::Send { message, .. } => other.inbox.push_back(message),
            Effect::UploadReady { .. } => {
                while let Some(block) = this.session.next_upload(LINK, now_us) {
                    this.session.upload_done(LINK, block, now_us);
                    if other.session.block_begins(LINK, block, now_us) == Admission::Receive {
                        other.session.block_received(LINK, block, now_us);
                    }
                }
            }
            Effect::Check { piece, .. } => {
                this.session.piece_checked(piece, Verdict::GOOD, now_us);
                this.session.piece_stored(piece, now_us);
            }
            _ => {}
        }
    }
    happened
}

/// Moves the whole torrent.
fn transfer() -> u64 {
    let (mut seed, mut leecher) = (side(0, true), side(1, false));
    let mut now_us = 0;
    while turn(&mut seed, &mut leecher, now_us) | turn(&mut leecher, &mut seed, now_us) {
        now_us += 10;
    }
    assert!(leecher.session.is_finished(), "the leecher got everything");
    leecher.session.traffic(now_us).downloaded
}

fn session(c: &mut Criterion) {
    let blocks = u64::from(PIECES) * 16;
    let mut group = c.benchmark_group("session");
    group.throughput(Throughput::Elements(blocks));
    group.sample_size(20);
    group.bench_function("blocks from a seed to a leecher", |b| b.iter(|| black_box(transfer())));
    group.finish();
}

fn cipher(c: &mut Criterion) {
    let mut bytes = vec![0; 64 * 1024];
    let mut rc4 = Rc4::new(b"a key of twenty bytes");
    let mut group = c.benchmark_group("session");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("RC4", |b| b.iter(|| rc4.apply(black_box(&mut bytes))));
    group.finish();
}

criterion_group!(benches, session, cipher);
criterion_main!(benches);
