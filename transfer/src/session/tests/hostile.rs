//! Peers who break the protocol, and networks that lose messages.

use proptest::prelude::*;

use super::net::*;
use crate::session::*;
use crate::wire::{Handshake, Message, Reserved};
use crate::{Block, PieceSet};

const LINK: LinkId = LinkId(0);

/// A session with half of its 10 pieces and one peer.
fn session(reserved: Reserved) -> Session {
    let torrent = torrent(32_768, 10 * 32_768);
    let mut have = PieceSet::empty(10);
    have.extend(0..5);
    let config = SessionConfig { peer_id: name(0), ..SessionConfig::default() };
    let mut session = Session::new(config, torrent, have, rng(1), 0);
    open(&mut session, LINK, 1, reserved);
    session
}

fn open(session: &mut Session, link: LinkId, peer: usize, reserved: Reserved) {
    let handshake = Handshake { reserved, info_hash: HASH, peer_id: name(peer) };
    session.link_opened(link, addr(peer), true, &handshake, false, 0);
}

fn effects(session: &mut Session) -> Vec<Effect> {
    core::iter::from_fn(|| session.poll_effect()).collect()
}

fn closed(session: &mut Session) -> Option<CloseReason> {
    effects(session).into_iter().find_map(|effect| match effect {
        Effect::Close { link: LINK, reason } => Some(reason),
        _ => None,
    })
}

fn block(piece: u32, begin: u32, len: u32) -> Block {
    Block { piece, begin, len }
}

#[test]
fn violations_close_with_their_reason() {
    let fast = Reserved::OURS;
    let plain = Reserved([0; 8]);
    let table = [
        (plain, Message::Bitfield(vec![0; 1]), Violation::Bitfield),
        (plain, Message::Bitfield(vec![0; 3]), Violation::Bitfield),
        (plain, Message::Bitfield(vec![0, 1]), Violation::Bitfield),
        (plain, Message::Have(10), Violation::PieceOutOfRange),
        (fast, Message::Suggest(10), Violation::PieceOutOfRange),
        (fast, Message::AllowedFast(u32::MAX), Violation::PieceOutOfRange),
        (plain, Message::Request(block(0, 16_385, 16_384)), Violation::BadRequest),
        (plain, Message::Request(block(0, 0, 16_385)), Violation::BadRequest),
        (plain, Message::Request(block(0, 0, 0)), Violation::BadRequest),
        (plain, Message::Request(block(0, u32::MAX, 16_384)), Violation::BadRequest),
        (plain, Message::Request(block(11, 0, 16_384)), Violation::BadRequest),
        (plain, Message::Request(block(7, 0, 16_384)), Violation::RequestOfMissing),
        (plain, Message::HaveAll, Violation::NotFast),
        (plain, Message::Reject(block(0, 0, 1)), Violation::NotFast),
        (fast, Message::Extended { id: 0, payload: vec![b'x'] }, Violation::BadExtension),
        (fast, Message::Extended { id: 1, payload: vec![b'd'] }, Violation::BadExtension),
        (fast, Message::Extended { id: 2, payload: b"de".to_vec() }, Violation::BadExtension),
    ];
    for (reserved, message, want) in table {
        let mut session = session(reserved);
        session.message(LINK, message.clone(), 1);
        assert_eq!(closed(&mut session), Some(CloseReason::Violation(want)), "{message:?}");
        session.check();
    }
}

/// aria2 sends another bitfield where many a `have` would be longer.
#[test]
fn later_bitfields_add_pieces_and_take_none_back() {
    for late in [Message::Bitfield(vec![0x7f, 0xc0]), Message::HaveNone] {
        let mut session = session(Reserved::OURS);
        session.message(LINK, Message::Bitfield(vec![0x80, 0]), 1);
        session.message(LINK, late, 1);
        let want = CloseReason::Violation(Violation::LateBitfield);
        assert_eq!(closed(&mut session), Some(want));
    }
    for late in [Message::Bitfield(vec![0xc0, 0x40]), Message::HaveAll] {
        let mut session = session(Reserved::OURS);
        session.message(LINK, Message::Bitfield(vec![0x80, 0]), 1);
        session.message(LINK, late, 1);
        assert_eq!(closed(&mut session), None);
        session.check();
    }
}

#[test]
fn blocks_that_nobody_asked_for_are_refused() {
    let mut session = session(Reserved::OURS);
    session.message(LINK, Message::HaveAll, 1);
    assert_eq!(session.block_begins(LINK, block(7, 0, 16_384), 2), Admission::Refuse);
    let want = CloseReason::Violation(Violation::UnsolicitedBlock);
    assert_eq!(closed(&mut session), Some(want));
}

#[test]
fn floods_end() {
    let floods: [(Message, Violation); 4] = [
        (Message::Have(3), Violation::MessageFlood),
        (Message::Request(block(0, 0, 16_384)), Violation::RequestFlood),
        (Message::Suggest(1), Violation::MessageFlood),
        (Message::Extended { id: 99, payload: Vec::new() }, Violation::MessageFlood),
    ];
    for (message, want) in floods {
        let mut session = session(Reserved::OURS);
        let sent = (0..100_000).find(|_| {
            session.message(LINK, message.clone(), 1);
            closed(&mut session).is_some_and(|reason| {
                assert_eq!(reason, CloseReason::Violation(want));
                true
            })
        });
        assert!(sent.is_some(), "{message:?} for ever");
    }
}

#[test]
fn requests_beyond_the_queue_are_rejected() {
    let mut session = session(Reserved::OURS);
    session.message(LINK, Message::Interested, 1);
    effects(&mut session);
    let reqq = u32::from(session.config().reqq);
    for n in 0..reqq + 7 {
        session.message(LINK, Message::Request(block(n % 5, 0, 16_384)), 1);
    }
    let rejects = effects(&mut session)
        .iter()
        .filter(|e| matches!(e, Effect::Send { message: Message::Reject(_), .. }))
        .count();
    assert_eq!(rejects, 7);
    let queued = core::iter::from_fn(|| session.next_upload(LINK, 1)).count();
    assert_eq!(queued as u32, reqq);
}

#[test]
fn cancel_and_choke_find_what_was_not_sent() {
    let mut session = session(Reserved::OURS);
    session.message(LINK, Message::Interested, 1);
    for n in 0..3 {
        session.message(LINK, Message::Request(block(n, 0, 16_384)), 1);
    }
    session.message(LINK, Message::Cancel(block(1, 0, 16_384)), 1);
    assert_eq!(session.next_upload(LINK, 1), Some(block(0, 0, 16_384)));
    assert_eq!(session.next_upload(LINK, 1), Some(block(2, 0, 16_384)));
    assert_eq!(session.next_upload(LINK, 1), None);
}

#[test]
fn who_goes_on_breaking_the_protocol_is_banned() {
    let mut session = session(Reserved([0; 8]));
    for times in 1..=3 {
        session.message(LINK, Message::Have(10), 1);
        let banned = effects(&mut session).iter().any(|e| matches!(e, Effect::Ban(_)));
        assert_eq!(banned, times == 3);
        open(&mut session, LINK, 1, Reserved([0; 8]));
    }
    assert_eq!(closed(&mut session), Some(CloseReason::Banned));
}

#[test]
fn connections_that_make_no_sense_are_closed() {
    let ours = Reserved::OURS;
    let mut session = session(ours);
    let mut refused = |link: u32, addr: std::net::SocketAddr, handshake: Handshake| {
        session.link_opened(LinkId(link), addr, true, &handshake, false, 1);
        effects(&mut session).into_iter().find_map(|effect| match effect {
            Effect::Close { reason, .. } => Some(reason),
            _ => None,
        })
    };
    let of = |peer| Handshake { reserved: ours, info_hash: HASH, peer_id: name(peer) };
    let other = Handshake { info_hash: crate::InfoHash([8; 20]), ..of(2) };
    assert_eq!(refused(1, addr(2), other), Some(CloseReason::OtherTorrent));
    assert_eq!(refused(1, addr(2), of(0)), Some(CloseReason::Oneself));
    assert_eq!(refused(1, addr(2), of(1)), Some(CloseReason::Duplicate));
    assert_eq!(refused(1, addr(1), of(2)), Some(CloseReason::Duplicate), "one per address");
    assert_eq!(refused(1, ([127, 0, 0, 1], 1).into(), of(2)), None);
    assert_eq!(refused(2, ([127, 0, 0, 1], 2).into(), of(3)), None, "many on this machine");
    for peer in 10..300_u32 {
        let reason = refused(peer, addr(peer as usize), of(peer as usize));
        assert_eq!(reason, (peer > 206).then_some(CloseReason::TooMany), "peer {peer}");
    }
}

fn message() -> impl Strategy<Value = Message> {
    let any_block = (0..12_u32, 0..5_u32, 0..3_u32)
        .prop_map(|(piece, n, odd)| block(piece, n * 8_192, if odd == 0 { 100 } else { 16_384 }));
    prop_oneof![
        Just(Message::Choke),
        Just(Message::Unchoke),
        Just(Message::Interested),
        Just(Message::NotInterested),
        Just(Message::HaveAll),
        Just(Message::KeepAlive),
        (0..12_u32).prop_map(Message::Have),
        (0..12_u32).prop_map(Message::AllowedFast),
        any_block.clone().prop_map(Message::Request),
        any_block.clone().prop_map(Message::Cancel),
        any_block.prop_map(Message::Reject),
        (0..5_u8, proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(id, payload)| Message::Extended { id, payload }),
        (0..5_u8, 0..4_u32, 0..5_i32).prop_map(|(id, piece, kind)| Message::Extended {
            id,
            payload: format!("d8:msg_typei{kind}e5:piecei{piece}ee").into_bytes(),
        }),
    ]
}

proptest! {
    /// Whatever a peer says in whatever order, with honest answers to some of
    /// our requests among it.
    #[test]
    fn no_sequence_of_messages_breaks_it(
        messages in proptest::collection::vec((0..3_u32, message(), 0..4_u8), 0..200),
    ) {
        let mut session = session(Reserved::OURS);
        open(&mut session, LinkId(1), 2, Reserved([0; 8]));
        open(&mut session, LinkId(2), 3, Reserved::OURS);
        let mut now_us = 0;
        let mut requests: Vec<(LinkId, Block)> = Vec::new();
        for (link, message, answers) in messages {
            now_us += 700_000;
            session.message(LinkId(link), message, now_us);
            for _ in 0..answers {
                let Some((link, block)) = requests.pop() else { break };
                if session.block_begins(link, block, now_us) == Admission::Receive {
                    session.block_received(link, block, now_us);
                }
            }
            session.wake(now_us);
            for effect in effects(&mut session) {
                match effect {
                    Effect::Send { link, message: Message::Request(block) } => {
                        requests.push((link, block));
                    }
                    Effect::Check { piece, .. } if answers == 3 => {
                        let digests = vec![[answers; 20]; 2];
                        session.piece_checked(piece, Verdict::Bad { digests }, now_us);
                    }
                    Effect::Check { piece, .. } => {
                        session.piece_checked(piece, Verdict::Good { digests: Vec::new() }, now_us);
                        session.piece_stored(piece, now_us);
                    }
                    Effect::Close { link, .. } => requests.retain(|(other, _)| *other != link),
                    _ => {}
                }
            }
            session.check();
        }
    }
}

/// Messages are lost and connections break at random: whoever stays connected
/// gets everything in the end.
#[test]
fn loss_and_broken_connections_only_delay() {
    for seed in 0..6 {
        let torrent = torrent(65_536, 1 << 20);
        let mut net = Net::new(seed);
        net.loss = 50;
        let seeder = net.add_seed(&torrent, 500_000);
        let leechers: Vec<usize> = (0..3).map(|_| net.add_leecher(&torrent, 500_000)).collect();
        let mut round = 0;
        while leechers.iter().any(|&n| net.nodes[n].finished_us.is_none()) && round < 200 {
            round += 1;
            for &a in &leechers {
                for b in [seeder].into_iter().chain(leechers.iter().copied().filter(|&b| b > a)) {
                    if !net.nodes[a].ends.values().any(|&(other, _)| other == b)
                        && !net.nodes[b].ends.values().any(|&(other, _)| other == a)
                    {
                        net.connect(a, b);
                    }
                }
            }
            let end_us = net.now_us + 5 * SECOND_US;
            net.run(end_us, |_| false);
            net.now_us = net.now_us.max(end_us);
            let node = leechers[round % 3];
            let links: Vec<LinkId> = net.nodes[node].ends.keys().copied().collect();
            if !links.is_empty() {
                let drawn = draw::below(&mut net.rng, links.len() as u32);
                net.break_link(node, links[drawn as usize]);
            }
        }
        let ends: Vec<_> = leechers.iter().map(|&n| net.nodes[n].finished_us).collect();
        assert!(ends.iter().all(Option::is_some), "seed {seed}: {ends:?}");
        let banned: Vec<_> = net.nodes.iter().flat_map(|node| &node.banned).collect();
        assert!(banned.is_empty(), "seed {seed}: {banned:?}");
    }
}
