//! The side that connects.

use super::ciphers::{Ciphers, Established, Shared, TorrentTag};
use super::error::MseError;
use super::exchange::{KEY_LEN, Secret};
use super::policy::{Method, Methods};
use super::random::{Random, Seed};
use super::{MAX_PAD, VC_LEN};
use crate::identity::InfoHash;

/// The encryption handshake of the side that connects.
pub struct Initiator {
    info_hash: InfoHash,
    offer: Methods,
    initial: Vec<u8>,
    random: Random,
    buffer: Vec<u8>,
    state: State,
}

/// What the responder sends next.
enum State {
    /// Its public key.
    Key(Secret),
    /// Eight zeros, encrypted, somewhere within its padding's length.
    Sync { ciphers: Box<Ciphers>, zeros: [u8; VC_LEN] },
    /// The method and the length of more padding.
    Select(Box<Ciphers>),
    /// That padding.
    Pad { ciphers: Box<Ciphers>, method: Method, len: usize },
    /// Nothing: the handshake has succeeded or failed.
    Over,
}

impl Initiator {
    /// Begins: appends to `out` what is to be sent first.
    ///
    /// `initial` is the first payload, the handshake of BEP 3, which saves a
    /// round trip when it goes along here.
    ///
    /// # Panics
    ///
    /// If `initial` is longer than [`MAX_INITIAL`](super::MAX_INITIAL).
    #[must_use]
    pub fn new(
        info_hash: InfoHash,
        offer: Methods,
        initial: &[u8],
        seed: Seed,
        out: &mut Vec<u8>,
    ) -> Self {
        assert!(initial.len() <= super::MAX_INITIAL, "no one takes so much at first");
        let mut random = Random::new(seed);
        let secret = random.secret();
        out.extend_from_slice(&secret.public_key());
        random.pad(out);
        let initial = initial.to_vec();
        let state = State::Key(secret);
        Self { info_hash, offer, initial, random, buffer: Vec::new(), state }
    }

    /// Takes what the responder sent, and appends to `out` what is to be sent
    /// back. The result is `None` until the handshake is done.
    ///
    /// # Errors
    ///
    /// When the responder does not keep to the protocol, or selects no method
    /// that was offered.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Established>, MseError> {
        self.buffer.extend_from_slice(bytes);
        loop {
            let state = match core::mem::replace(&mut self.state, State::Over) {
                State::Key(secret) => self.read_key(secret, out)?,
                State::Sync { ciphers, zeros } => self.find_sync(ciphers, zeros)?,
                State::Select(ciphers) => self.read_select(ciphers)?,
                State::Pad { ciphers, method, len } => {
                    if self.buffer.len() >= len {
                        return Ok(Some(self.establish(ciphers, method, len)));
                    }
                    Step::Wait(State::Pad { ciphers, method, len })
                }
                State::Over => return Err(MseError::Over),
            };
            match state {
                Step::Go(state) => self.state = state,
                Step::Wait(state) => {
                    self.state = state;
                    return Ok(None);
                }
            }
        }
    }

    fn read_key(&mut self, secret: Secret, out: &mut Vec<u8>) -> Result<Step, MseError> {
        let Some(key) = self.buffer.first_chunk::<KEY_LEN>() else {
            return Ok(Step::Wait(State::Key(secret)));
        };
        let shared = Shared(secret.shared(key)?);
        self.buffer.drain(..KEY_LEN);
        out.extend_from_slice(&shared.sync());
        out.extend_from_slice(&shared.mask(TorrentTag::of(self.info_hash)).0);

        let mut ciphers = Box::new(shared.initiator(self.info_hash));
        let pad = self.random.pad_len();
        let plain = out.len();
        out.extend_from_slice(&[0; VC_LEN]);
        out.extend_from_slice(&self.offer.0.to_be_bytes());
        out.extend_from_slice(&(pad as u16).to_be_bytes());
        out.resize(out.len() + pad, 0);
        out.extend_from_slice(&(self.initial.len() as u16).to_be_bytes());
        out.append(&mut self.initial);
        ciphers.send.apply(&mut out[plain..]);

        let mut zeros = [0; VC_LEN];
        ciphers.receive.apply(&mut zeros);
        Ok(Step::Go(State::Sync { ciphers, zeros }))
    }

    fn find_sync(&mut self, ciphers: Box<Ciphers>, zeros: [u8; VC_LEN]) -> Result<Step, MseError> {
        match after(&self.buffer, &zeros) {
            Some(end) => {
                self.buffer.drain(..end);
                Ok(Step::Go(State::Select(ciphers)))
            }
            None if self.buffer.len() >= MAX_PAD + VC_LEN => Err(MseError::NoSync),
            None => Ok(Step::Wait(State::Sync { ciphers, zeros })),
        }
    }

    fn read_select(&mut self, mut ciphers: Box<Ciphers>) -> Result<Step, MseError> {
        let Some(fields) = self.buffer.first_chunk::<6>() else {
            return Ok(Step::Wait(State::Select(ciphers)));
        };
        let mut fields = *fields;
        self.buffer.drain(..fields.len());
        ciphers.receive.apply(&mut fields);
        let [select @ .., high, low] = fields;
        let bits = u32::from_be_bytes(select);
        let method = self.offer.selected(bits).ok_or(MseError::Method(bits))?;
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len > MAX_PAD {
            return Err(MseError::TooLong(len));
        }
        Ok(Step::Go(State::Pad { ciphers, method, len }))
    }

    fn establish(&mut self, mut ciphers: Box<Ciphers>, method: Method, pad: usize) -> Established {
        let mut received = core::mem::take(&mut self.buffer);
        let encrypted = match method {
            Method::Rc4 => received.len(),
            Method::Plain => pad,
        };
        ciphers.receive.apply(&mut received[..encrypted]);
        received.drain(..pad);
        let ciphers = (method == Method::Rc4).then_some(ciphers);
        Established { info_hash: self.info_hash, ciphers, received }
    }
}

/// Where a machine goes.
enum Step {
    /// On, if there are bytes.
    Go(State),
    /// Nowhere without more bytes.
    Wait(State),
}

/// Where the bytes after the first `pattern` begin, if it ends within the
/// longest padding and itself.
pub(super) fn after(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    let bytes = &bytes[..bytes.len().min(MAX_PAD + pattern.len())];
    let at = bytes.windows(pattern.len()).position(|window| window == pattern)?;
    Some(at + pattern.len())
}
