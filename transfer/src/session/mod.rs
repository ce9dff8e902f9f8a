//! One torrent among its peers: which blocks are requested of whom, who is
//! unchoked, who is banned (BEP 3, 5, 6, 9, 10, 11).
//!
//! A session is a state machine without I/O. The host tells it what happened
//! and when, and carries out what [`Session::poll_effect`] returns, until it
//! returns nothing. Bytes of blocks never pass through it: it says where they
//! belong, and counts them.
//!
//! All times are microseconds since any moment that the host chose, and never
//! go back.

mod config;
mod effect;
mod figures;
mod torrent;

use std::collections::VecDeque;
use std::net::SocketAddr;

use rand_xoshiro::Xoshiro256PlusPlus;

pub use config::{
    Endgame, LeechChoking, PerAddress, PieceOrder, SECOND_US, SeedChoking, SessionConfig,
};
pub use effect::{
    Admission, Banned, BlockDigest, CloseReason, Effect, LinkId, Source, StoreError, Verdict,
    Violation,
};
pub use figures::{Availability, PeerRow, Progress, Traffic};
pub use torrent::{Geometry, Torrent};

use crate::block::Block;
use crate::identity::{InfoHash, PeerId};
use crate::pieces::PieceSet;
use crate::wire::{Handshake, Message};

/// One torrent among its peers.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    info_hash: InfoHash,
    torrent: Option<Torrent>,
    have: PieceSet,
    links: Vec<Option<Link>>,
    traffic: Traffic,
    effects: VecDeque<Effect>,
    #[expect(dead_code, reason = "the picker draws from it")]
    rng: Xoshiro256PlusPlus,
}

#[derive(Debug)]
struct Link {
    addr: SocketAddr,
    peer_id: PeerId,
    incoming: bool,
    encrypted: bool,
}

impl Session {
    /// A session of a torrent of which the pieces in `have` are stored.
    #[must_use]
    pub fn new(
        config: SessionConfig,
        torrent: Torrent,
        have: PieceSet,
        rng: Xoshiro256PlusPlus,
        _now_us: u64,
    ) -> Self {
        let mut session = Self::from_magnet(config, torrent.info_hash, rng, _now_us);
        session.torrent = Some(torrent);
        session.have = have;
        session
    }

    /// A session of a torrent whose metadata has to come from peers first
    /// (BEP 9).
    #[must_use]
    pub fn from_magnet(
        config: SessionConfig,
        info_hash: InfoHash,
        rng: Xoshiro256PlusPlus,
        _now_us: u64,
    ) -> Self {
        Self {
            config,
            info_hash,
            torrent: None,
            have: PieceSet::empty(0),
            links: Vec::new(),
            traffic: Traffic::default(),
            effects: VecDeque::new(),
            rng,
        }
    }

    /// The metadata of [`Effect::MetadataComplete`] was good: this is the
    /// torrent, of which the pieces in `have` are stored.
    pub fn metadata_accepted(&mut self, torrent: Torrent, have: PieceSet, _now_us: u64) {
        self.torrent = Some(torrent);
        self.have = have;
    }

    /// The metadata of [`Effect::MetadataComplete`] has the right hash, but
    /// cannot be used: nothing more is fetched.
    pub fn metadata_refused(&mut self, now_us: u64) {
        self.stop(now_us);
    }

    /// There may be a peer at `addr`.
    pub fn peer_found(&mut self, addr: SocketAddr, _source: Source, _now_us: u64) {
        let linked = self.links.iter().flatten().any(|link| link.addr == addr);
        if !linked && self.links.iter().flatten().count() < usize::from(self.config.max_links) {
            self.effects.push_back(Effect::Connect(addr));
        }
    }

    /// A connection stands: both handshakes were read. `handshake` is the
    /// peer's, `incoming` whether it came to us.
    ///
    /// The first messages, or [`Effect::Close`], follow.
    pub fn link_opened(
        &mut self,
        link: LinkId,
        addr: SocketAddr,
        incoming: bool,
        handshake: &Handshake,
        encrypted: bool,
        _now_us: u64,
    ) {
        let reason = if handshake.info_hash != self.info_hash {
            Some(CloseReason::OtherTorrent)
        } else if handshake.peer_id == self.config.peer_id {
            Some(CloseReason::Oneself)
        } else {
            None
        };
        if let Some(reason) = reason {
            self.effects.push_back(Effect::Close { link, reason });
            return;
        }
        let place = link.0 as usize;
        if self.links.len() <= place {
            self.links.resize_with(place + 1, || None);
        }
        self.links[place] = Some(Link { addr, peer_id: handshake.peer_id, incoming, encrypted });
        let fast = handshake.reserved.supports_fast();
        let message = match (fast, self.have.is_empty(), self.have.is_full()) {
            (true, true, _) => Message::HaveNone,
            (true, _, true) => Message::HaveAll,
            (false, true, _) => return,
            _ => Message::Bitfield(self.have.to_bitfield()),
        };
        self.effects.push_back(Effect::Send { link, message });
    }

    /// [`Effect::Connect`] failed.
    pub fn connect_failed(&mut self, _addr: SocketAddr, _now_us: u64) {}

    /// A connection was closed, not by [`Effect::Close`].
    pub fn link_closed(&mut self, link: LinkId, _now_us: u64) {
        if let Some(place) = self.links.get_mut(link.0 as usize) {
            *place = None;
        }
    }

    /// A message came; [`Message::Piece`] is none, see [`Self::block_begins`].
    pub fn message(&mut self, link: LinkId, message: Message, now_us: u64) {
        if let Message::Extended { .. } = message {
            return;
        }
        if self.torrent.is_none() {
            self.malformed(link, now_us);
        }
    }

    /// What came cannot be read: the peer is closed, and remembered for it.
    pub fn malformed(&mut self, link: LinkId, _now_us: u64) {
        if let Some(place) = self.links.get_mut(link.0 as usize)
            && place.take().is_some()
        {
            let reason = CloseReason::Violation(Violation::Malformed);
            self.effects.push_back(Effect::Close { link, reason });
        }
    }

    /// The header of a `piece` message came.
    pub fn block_begins(&mut self, link: LinkId, _block: Block, _now_us: u64) -> Admission {
        let reason = CloseReason::Violation(Violation::UnsolicitedBlock);
        self.effects.push_back(Effect::Close { link, reason });
        Admission::Refuse
    }

    /// The bytes of a block that was admitted with [`Admission::Receive`] lie
    /// in the buffer of their piece.
    pub fn block_received(&mut self, _link: LinkId, block: Block, _now_us: u64) {
        self.traffic.downloaded += u64::from(block.len);
    }

    /// What [`Effect::Check`] asked.
    pub fn piece_checked(&mut self, piece: u32, verdict: Verdict, _now_us: u64) {
        if let Verdict::Bad { .. } = verdict {
            self.effects.push_back(Effect::Forget { piece });
        }
    }

    /// A good piece is written: it is announced to the peers.
    pub fn piece_stored(&mut self, piece: u32, _now_us: u64) {
        if self.have.insert(piece) && self.have.is_full() {
            self.effects.push_back(Effect::Finished);
        }
    }

    /// A good piece could not be written. It will be fetched again after
    /// [`Self::resume`]; until then nothing is requested.
    pub fn store_failed(&mut self, piece: u32, _error: StoreError, _now_us: u64) {
        self.effects.push_back(Effect::Forget { piece });
    }

    /// There is room again after [`Self::store_failed`].
    pub fn resume(&mut self, _now_us: u64) {}

    /// The next block to send to a peer, if there is any. The host asks when
    /// its socket takes more, so that a cancel or a choke still finds it here.
    pub fn next_upload(&mut self, _link: LinkId, _now_us: u64) -> Option<Block> {
        None
    }

    /// A block of [`Self::next_upload`] has been sent.
    pub fn upload_done(&mut self, _link: LinkId, block: Block, _now_us: u64) {
        self.traffic.uploaded += u64::from(block.len);
    }

    /// Whatever [`Self::next_wake_us`] was for.
    pub fn wake(&mut self, _now_us: u64) {}

    /// When to call [`Self::wake`]; `None` if there is nothing to wait for.
    #[must_use]
    pub fn next_wake_us(&self) -> Option<u64> {
        None
    }

    /// Closes every connection, and opens no more.
    pub fn stop(&mut self, _now_us: u64) {
        for place in 0..self.links.len() {
            if self.links[place].take().is_some() {
                let link = LinkId(place as u32);
                self.effects.push_back(Effect::Close { link, reason: CloseReason::Stopped });
            }
        }
    }

    /// The next thing for the host to do.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The name of the torrent.
    #[must_use]
    pub fn info_hash(&self) -> InfoHash {
        self.info_hash
    }

    /// The torrent, once its metadata is there.
    #[must_use]
    pub fn torrent(&self) -> Option<&Torrent> {
        self.torrent.as_ref()
    }

    /// The pieces that are stored.
    #[must_use]
    pub fn have(&self) -> &PieceSet {
        &self.have
    }

    /// What went over the connections.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// The connections, by number.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, SocketAddr, PeerId, bool, bool)> {
        self.links.iter().enumerate().filter_map(|(place, link)| {
            let link = link.as_ref()?;
            Some((LinkId(place as u32), link.addr, link.peer_id, link.incoming, link.encrypted))
        })
    }
}
