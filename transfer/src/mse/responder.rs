//! The side that is connected to.

use super::ciphers::{Ciphers, Established, Shared, TorrentTag};
use super::error::MseError;
use super::exchange::KEY_LEN;
use super::initiator::after;
use super::policy::{Encryption, Method, Methods};
use super::random::{Random, Seed};
use super::{MAX_INITIAL, MAX_PAD, VC_LEN};
use crate::identity::InfoHash;
use crate::wire::Handshake;

/// The first bytes of whoever connected to us: finds out whether they are a
/// handshake in plain, and goes through the one of encryption if not.
pub struct Responder {
    policy: Encryption,
    seed: Seed,
    buffer: Vec<u8>,
    state: State,
}

/// How a peer connected.
#[derive(Debug)]
pub enum Accepted {
    /// In plain. These are all bytes so far, from the handshake's first.
    Plain(Vec<u8>),
    /// With the encryption handshake.
    Encrypted(Established),
}

/// What the initiator sends next.
enum State {
    /// A plain handshake's first bytes, or a public key's.
    Detect,
    /// Its public key.
    Key,
    /// A hash of the secret, somewhere within its padding's length, and that of
    /// the torrent.
    Sync { shared: Box<Shared>, random: Box<Random> },
    /// Eight zeros, what it offers, and the length of more padding.
    Offer { info_hash: InfoHash, ciphers: Box<Ciphers>, random: Box<Random> },
    /// That padding and the length of the first payload, decrypted up to here.
    Pad { info_hash: InfoHash, ciphers: Box<Ciphers>, method: Method, pad: usize },
    /// The first payload.
    Initial { info_hash: InfoHash, ciphers: Box<Ciphers>, method: Method, len: usize },
    /// Nothing: the handshake has succeeded or failed.
    Over,
}

/// Where a machine goes.
enum Step {
    /// On, if there are bytes.
    Go(State),
    /// Nowhere without more bytes.
    Wait(State),
    /// To the end.
    Done(Accepted),
}

impl Responder {
    /// For a peer that has just connected.
    #[must_use]
    pub const fn new(policy: Encryption, seed: Seed) -> Self {
        Self { policy, seed, buffer: Vec::new(), state: State::Detect }
    }

    /// Takes what the peer sent, and appends to `out` what is to be sent back.
    /// `find` says which torrent has a tag. The result is `None` until it is
    /// known how the peer connects, and the encryption handshake is done.
    ///
    /// # Errors
    ///
    /// When the peer does not keep to the protocol, wants a torrent that is not
    /// there, or what the policy does not allow.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        find: impl Fn(TorrentTag) -> Option<InfoHash>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Accepted>, MseError> {
        self.buffer.extend_from_slice(bytes);
        loop {
            let step = match core::mem::replace(&mut self.state, State::Over) {
                State::Detect => self.detect()?,
                State::Key => self.read_key(out)?,
                State::Sync { shared, random } => self.find_sync(shared, random, &find)?,
                State::Offer { info_hash, ciphers, random } => {
                    self.read_offer(info_hash, ciphers, random, out)?
                }
                State::Pad { info_hash, ciphers, method, pad } => {
                    self.read_pad(info_hash, ciphers, method, pad)?
                }
                State::Initial { info_hash, ciphers, method, len } => {
                    self.read_initial(info_hash, ciphers, method, len)
                }
                State::Over => return Err(MseError::Over),
            };
            match step {
                Step::Go(state) => self.state = state,
                Step::Wait(state) => {
                    self.state = state;
                    return Ok(None);
                }
                Step::Done(accepted) => return Ok(Some(accepted)),
            }
        }
    }

    /// A public key that begins like a handshake is one of 2^160.
    fn detect(&mut self) -> Result<Step, MseError> {
        let compared = self.buffer.len().min(Handshake::PREFIX.len());
        if self.buffer[..compared] != Handshake::PREFIX[..compared] {
            let allowed = self.policy.accepts_encrypted();
            return if allowed { Ok(Step::Go(State::Key)) } else { Err(MseError::NotBitTorrent) };
        }
        if compared < Handshake::PREFIX.len() {
            return Ok(Step::Wait(State::Detect));
        }
        if !self.policy.accepts_plain() {
            return Err(MseError::Plain);
        }
        Ok(Step::Done(Accepted::Plain(core::mem::take(&mut self.buffer))))
    }

    fn read_key(&mut self, out: &mut Vec<u8>) -> Result<Step, MseError> {
        let Some(key) = self.buffer.first_chunk::<KEY_LEN>() else {
            return Ok(Step::Wait(State::Key));
        };
        let mut random = Box::new(Random::new(self.seed));
        let secret = random.secret();
        let shared = Box::new(Shared(secret.shared(key)?));
        self.buffer.drain(..KEY_LEN);
        out.extend_from_slice(&secret.public_key());
        random.pad(out);
        Ok(Step::Go(State::Sync { shared, random }))
    }

    fn find_sync(
        &mut self,
        shared: Box<Shared>,
        random: Box<Random>,
        find: impl Fn(TorrentTag) -> Option<InfoHash>,
    ) -> Result<Step, MseError> {
        let sync = shared.sync();
        let Some(end) = after(&self.buffer, &sync) else {
            if self.buffer.len() >= MAX_PAD + sync.len() {
                return Err(MseError::NoSync);
            }
            return Ok(Step::Wait(State::Sync { shared, random }));
        };
        let Some(masked) = self.buffer[end..].first_chunk() else {
            return Ok(Step::Wait(State::Sync { shared, random }));
        };
        let tag = shared.mask(TorrentTag(*masked));
        self.buffer.drain(..end + tag.0.len());
        let info_hash = find(tag).ok_or(MseError::UnknownTorrent)?;
        let ciphers = Box::new(shared.responder(info_hash));
        Ok(Step::Go(State::Offer { info_hash, ciphers, random }))
    }

    fn read_offer(
        &mut self,
        info_hash: InfoHash,
        mut ciphers: Box<Ciphers>,
        mut random: Box<Random>,
        out: &mut Vec<u8>,
    ) -> Result<Step, MseError> {
        let Some(mut fields) = self.decrypt::<{ VC_LEN + 6 }>(&mut ciphers) else {
            return Ok(Step::Wait(State::Offer { info_hash, ciphers, random }));
        };
        let (zeros, fields) = fields.split_at_mut(VC_LEN);
        if zeros != [0; VC_LEN] {
            return Err(MseError::Verification);
        }
        let offered = u32::from_be_bytes([fields[0], fields[1], fields[2], fields[3]]);
        let method = self.policy.select(Methods(offered)).ok_or(MseError::Method(offered))?;
        let pad = usize::from(u16::from_be_bytes([fields[4], fields[5]]));
        if pad > MAX_PAD {
            return Err(MseError::TooLong(pad));
        }
        let ours = random.pad_len();
        let plain = out.len();
        out.extend_from_slice(&[0; VC_LEN]);
        out.extend_from_slice(&(method as u32).to_be_bytes());
        out.extend_from_slice(&(ours as u16).to_be_bytes());
        out.resize(out.len() + ours, 0);
        ciphers.send.apply(&mut out[plain..]);
        Ok(Step::Go(State::Pad { info_hash, ciphers, method, pad }))
    }

    fn read_pad(
        &mut self,
        info_hash: InfoHash,
        mut ciphers: Box<Ciphers>,
        method: Method,
        pad: usize,
    ) -> Result<Step, MseError> {
        if self.buffer.len() < pad + 2 {
            return Ok(Step::Wait(State::Pad { info_hash, ciphers, method, pad }));
        }
        ciphers.receive.apply(&mut self.buffer[..pad]);
        self.buffer.drain(..pad);
        let fields = self.decrypt::<2>(&mut ciphers).unwrap_or_default();
        let len = usize::from(u16::from_be_bytes(fields));
        if len > MAX_INITIAL {
            return Err(MseError::TooLong(len));
        }
        Ok(Step::Go(State::Initial { info_hash, ciphers, method, len }))
    }

    fn read_initial(
        &mut self,
        info_hash: InfoHash,
        mut ciphers: Box<Ciphers>,
        method: Method,
        len: usize,
    ) -> Step {
        if self.buffer.len() < len {
            return Step::Wait(State::Initial { info_hash, ciphers, method, len });
        }
        let mut received = core::mem::take(&mut self.buffer);
        let encrypted = match method {
            Method::Rc4 => received.len(),
            Method::Plain => len,
        };
        ciphers.receive.apply(&mut received[..encrypted]);
        let ciphers = (method == Method::Rc4).then_some(ciphers);
        Step::Done(Accepted::Encrypted(Established { info_hash, ciphers, received }))
    }

    /// The next `N` bytes, decrypted, once they are all there.
    fn decrypt<const N: usize>(&mut self, ciphers: &mut Ciphers) -> Option<[u8; N]> {
        let mut bytes = *self.buffer.first_chunk::<N>()?;
        self.buffer.drain(..N);
        ciphers.receive.apply(&mut bytes);
        Some(bytes)
    }
}
