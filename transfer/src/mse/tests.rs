//! Both sides against each other, the bytes of one handshake, and peers that
//! mean no good.

use proptest::prelude::*;

use super::*;
use crate::InfoHash;

const TORRENT: InfoHash = InfoHash([0xaa; 20]);
const OTHER: InfoHash = InfoHash([0xbb; 20]);
const HANDSHAKE: &[u8; 68] =
    b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x05aaaaaaaaaaaaaaaaaaaa-OL0001-bbbbbbbbbbbb";

fn find(tag: TorrentTag) -> Option<InfoHash> {
    [OTHER, TORRENT].into_iter().find(|torrent| TorrentTag::of(*torrent) == tag)
}

fn seed(byte: u8) -> Seed {
    Seed([byte; 32])
}

/// What goes one way, in parts of these lengths over and over.
struct Pipe {
    bytes: Vec<u8>,
    parts: Vec<usize>,
    turn: usize,
}

impl Pipe {
    fn new(parts: &[usize]) -> Self {
        Self { bytes: Vec::new(), parts: parts.to_vec(), turn: 0 }
    }

    fn take(&mut self) -> Vec<u8> {
        let len = self.parts[self.turn % self.parts.len()].clamp(1, self.bytes.len());
        self.turn += 1;
        self.bytes.drain(..len).collect()
    }
}

/// Runs a handshake to its end, with what each side got.
fn run(
    offer: Methods,
    policy: Encryption,
    initial: &[u8],
    seeds: [u8; 2],
    parts: &[usize],
) -> Result<(Established, Established), MseError> {
    let (mut to_responder, mut to_initiator) = (Pipe::new(parts), Pipe::new(parts));
    let mut initiator =
        Initiator::new(TORRENT, offer, initial, seed(seeds[0]), &mut to_responder.bytes);
    let mut responder = Responder::new(policy, seed(seeds[1]));
    let (mut ours, mut theirs) = (None, None);
    while ours.is_none() || theirs.is_none() {
        if theirs.is_none() && !to_responder.bytes.is_empty() {
            let bytes = to_responder.take();
            theirs = match responder.receive(&bytes, find, &mut to_initiator.bytes)? {
                Some(Accepted::Encrypted(established)) => Some(established),
                Some(Accepted::Plain(_)) => panic!("nothing here is plain"),
                None => None,
            };
        } else {
            assert!(ours.is_none() && !to_initiator.bytes.is_empty(), "both sides wait");
            let bytes = to_initiator.take();
            ours = initiator.receive(&bytes, &mut to_responder.bytes)?;
        }
    }
    // What is still under way belongs to the payload; there is none yet.
    assert!(to_responder.bytes.is_empty() && to_initiator.bytes.is_empty());
    Ok((ours.unwrap(), theirs.unwrap()))
}

#[test]
fn what_is_spoken_by_offer_and_policy() {
    use Encryption::{Allowed, Off, Preferred, Required};
    for (offer, policy, method) in [
        (Methods::BOTH, Off, Err(MseError::NotBitTorrent)),
        (Methods::BOTH, Allowed, Ok(Method::Plain)),
        (Methods::BOTH, Preferred, Ok(Method::Rc4)),
        (Methods::BOTH, Required, Ok(Method::Rc4)),
        (Methods::RC4, Allowed, Ok(Method::Rc4)),
        (Methods::RC4, Preferred, Ok(Method::Rc4)),
        (Methods::RC4, Required, Ok(Method::Rc4)),
        (Methods::PLAIN, Allowed, Ok(Method::Plain)),
        (Methods::PLAIN, Preferred, Ok(Method::Plain)),
        (Methods::PLAIN, Required, Err(MseError::Method(1))),
        (Methods(4), Preferred, Err(MseError::Method(4))),
        (Methods(0), Allowed, Err(MseError::Method(0))),
    ] {
        let result = run(offer, policy, HANDSHAKE, [1, 2], &[10_000]);
        match (&result, method) {
            (Ok((ours, theirs)), Ok(method)) => {
                assert_eq!((ours.method(), theirs.method()), (method, method));
                assert_eq!((ours.info_hash, theirs.info_hash), (TORRENT, TORRENT));
                assert_eq!(theirs.received, HANDSHAKE);
                assert!(ours.received.is_empty());
            }
            (Err(error), Err(expected)) => assert_eq!(*error, expected),
            _ => panic!("{offer:?}, {policy:?}: {result:?}"),
        }
    }
    assert_eq!([Off, Allowed].map(Encryption::offer), [None; 2]);
    assert_eq!(Preferred.offer(), Some(Methods::BOTH));
    assert_eq!(Required.offer(), Some(Methods::RC4));
}

#[test]
fn plain_handshakes_are_told_apart() {
    for policy in [Encryption::Off, Encryption::Allowed, Encryption::Preferred] {
        let mut responder = Responder::new(policy, seed(1));
        let mut out = Vec::new();
        for byte in &HANDSHAKE[..19] {
            assert!(responder.receive(&[*byte], find, &mut out).unwrap().is_none());
        }
        match responder.receive(&HANDSHAKE[19..], find, &mut out).unwrap() {
            Some(Accepted::Plain(bytes)) => assert_eq!(bytes, HANDSHAKE),
            other => panic!("{other:?}"),
        }
        assert!(out.is_empty());
        assert!(matches!(responder.receive(&[], find, &mut out), Err(MseError::Over)));
    }
    let mut responder = Responder::new(Encryption::Required, seed(1));
    let refused = responder.receive(HANDSHAKE, find, &mut Vec::new());
    assert!(matches!(refused, Err(MseError::Plain)));
    let mut responder = Responder::new(Encryption::Off, seed(1));
    let refused = responder.receive(b"\x13Bitt", find, &mut Vec::new());
    assert!(matches!(refused, Err(MseError::NotBitTorrent)));
}

#[test]
fn a_torrent_that_is_not_there_is_refused() {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let unknown = InfoHash([0xcc; 20]);
    let mut initiator = Initiator::new(unknown, Methods::BOTH, &[], seed(1), &mut up);
    let mut responder = Responder::new(Encryption::Allowed, seed(2));
    assert!(responder.receive(&up, find, &mut down).unwrap().is_none());
    up.clear();
    assert!(initiator.receive(&down, &mut up).unwrap().is_none());
    let refused = responder.receive(&up, find, &mut down);
    assert!(matches!(refused, Err(MseError::UnknownTorrent)));
}

/// A peer of Azureus may pad with anything, but not for ever.
#[test]
fn no_one_waits_for_ever_in_the_padding() {
    let mut out = Vec::new();
    let mut responder = Responder::new(Encryption::Allowed, seed(1));
    assert!(responder.receive(&[7; 96 + 531], find, &mut out).unwrap().is_none());
    assert!(matches!(responder.receive(&[7], find, &mut out), Err(MseError::NoSync)));
    assert!((96..=96 + 512).contains(&out.len()));
    let mut initiator = Initiator::new(TORRENT, Methods::BOTH, &[], seed(1), &mut out);
    assert!(initiator.receive(&[7; 96 + 519], &mut out).unwrap().is_none());
    assert!(matches!(initiator.receive(&[7], &mut out), Err(MseError::NoSync)));
}

#[test]
fn keys_that_are_none_are_refused() {
    let mut out = Vec::new();
    let mut responder = Responder::new(Encryption::Allowed, seed(1));
    assert!(matches!(responder.receive(&[0; 96], find, &mut out), Err(MseError::Key)));
    assert!(out.is_empty());
    let mut initiator = Initiator::new(TORRENT, Methods::BOTH, &[], seed(1), &mut out);
    assert!(matches!(initiator.receive(&[0xff; 96], &mut out), Err(MseError::Key)));
}

/// An initiator that fills in the third step what it likes.
fn third_step(fields: &[u8]) -> Result<Option<Accepted>, MseError> {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let mut random = random::Random::new(seed(1));
    let secret = random.secret();
    up.extend_from_slice(&secret.public_key());
    let mut responder = Responder::new(Encryption::Preferred, seed(2));
    assert!(responder.receive(&up, find, &mut down).unwrap().is_none());
    let shared = ciphers::Shared(secret.shared(down.first_chunk().unwrap()).unwrap());
    let mut step = [shared.sync(), shared.mask(TorrentTag::of(TORRENT)).0].concat();
    let mut fields = fields.to_vec();
    shared.initiator(TORRENT).send.apply(&mut fields);
    step.append(&mut fields);
    responder.receive(&step, find, &mut down)
}

#[test]
fn a_third_step_out_of_bounds_is_refused() {
    for (fields, error) in [
        (&b"\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\0"[..], MseError::Verification),
        (b"\0\0\0\0\0\0\0\0\0\0\0\x04\0\0\0\0", MseError::Method(4)),
        (b"\0\0\0\0\0\0\0\0\0\0\0\x02\x02\x01", MseError::TooLong(513)),
        (b"\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\x10\x01", MseError::TooLong(4097)),
    ] {
        match third_step(fields) {
            Err(refused) => assert_eq!(refused, error),
            other => panic!("{error:?}: {other:?}"),
        }
    }
    match third_step(b"\0\0\0\0\0\0\0\0\0\0\0\x03\0\x01x\0\x01yz").unwrap() {
        Some(Accepted::Encrypted(established)) => assert_eq!(established.received, b"yz"),
        other => panic!("{other:?}"),
    }
}

/// A responder that answers the third step with what it likes.
fn fourth_step(fields: &[u8]) -> Result<Option<Established>, MseError> {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let mut initiator = Initiator::new(TORRENT, Methods::RC4, &[], seed(1), &mut up);
    let secret = random::Random::new(seed(2)).secret();
    let shared = ciphers::Shared(secret.shared(up.first_chunk().unwrap()).unwrap());
    down.extend_from_slice(&secret.public_key());
    let mut fields = [&[0; 8], fields].concat();
    shared.responder(TORRENT).send.apply(&mut fields);
    down.append(&mut fields);
    initiator.receive(&down, &mut up)
}

#[test]
fn a_fourth_step_out_of_bounds_is_refused() {
    for (fields, error) in [
        (b"\0\0\0\x01\0\0", MseError::Method(1)),
        (b"\0\0\0\x03\0\0", MseError::Method(3)),
        (b"\0\0\0\0\0\0", MseError::Method(0)),
        (b"\0\0\0\x02\x02\x01", MseError::TooLong(513)),
    ] {
        match fourth_step(fields) {
            Err(refused) => assert_eq!(refused, error),
            other => panic!("{error:?}: {other:?}"),
        }
    }
    assert_eq!(fourth_step(b"\0\0\0\x02\0\x01xyz").unwrap().unwrap().received, b"yz");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_sides_agree_however_the_streams_are_cut(
        seeds in any::<[u8; 2]>(),
        parts in prop::collection::vec(1..200_usize, 1..10),
        initial in prop::collection::vec(any::<u8>(), 0..200),
        rc4 in any::<bool>(),
        payload in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let policy = if rc4 { Encryption::Preferred } else { Encryption::Allowed };
        let (ours, theirs) = run(Methods::BOTH, policy, &initial, seeds, &parts).unwrap();
        prop_assert_eq!(&theirs.received, &initial);
        prop_assert_eq!(ours.ciphers.is_some(), rc4);
        if let (Some(mut ours), Some(mut theirs)) = (ours.ciphers, theirs.ciphers) {
            let mut bytes = payload.clone();
            ours.send.apply(&mut bytes);
            theirs.receive.apply(&mut bytes);
            prop_assert_eq!(&bytes, &payload);
            theirs.send.apply(&mut bytes);
            ours.receive.apply(&mut bytes);
            prop_assert_eq!(&bytes, &payload);
        }
    }

    #[test]
    fn any_bytes_end_in_an_error_or_wait_within_bounds(
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
        parts in prop::collection::vec(1..500_usize, 1..6),
    ) {
        let mut pipe = Pipe::new(&parts);
        pipe.bytes.clone_from(&bytes);
        let mut responder = Responder::new(Encryption::Allowed, seed(1));
        let mut out = Vec::new();
        let mut read = 0;
        while !pipe.bytes.is_empty() {
            let part = pipe.take();
            read += part.len();
            match responder.receive(&part, find, &mut out) {
                Ok(None) => prop_assert!(read < 96 + 532),
                Ok(Some(accepted)) => panic!("{accepted:?}"),
                Err(_) => break,
            }
        }
        prop_assert!(out.len() <= 96 + 512);
        let mut initiator = Initiator::new(TORRENT, Methods::BOTH, &[], seed(1), &mut out);
        let result = initiator.receive(&bytes, &mut out);
        prop_assert!(result.is_err() || bytes.len() < 96 + 520);
    }
}
