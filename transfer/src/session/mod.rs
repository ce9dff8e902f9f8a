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

mod bans;
mod candidates;
mod choker;
mod config;
mod contributors;
mod download;
mod draw;
mod effect;
mod exchange;
mod extension;
mod figures;
mod links;
mod messages;
mod metadata;
mod open_piece;
mod peer;
mod picker;
mod pipeline;
mod rarity;
mod rates;
mod smart_ban;
#[cfg(test)]
mod tests;
mod tick;
mod torrent;
mod upload;

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

use crate::identity::InfoHash;
use crate::pieces::PieceSet;
use crate::wire::Message;
use bans::Bans;
use candidates::Candidates;
use choker::Choker;
use contributors::Contributors;
use metadata::MetadataFetch;
use peer::Peer;
use picker::Picker;
use rates::Rate;
use smart_ban::SmartBan;

/// One torrent among its peers.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    info_hash: InfoHash,
    torrent: Option<Torrent>,
    /// The state of the pieces, once the torrent is known.
    picker: Option<Picker>,
    /// By the host's numbers.
    links: Vec<Option<Box<Peer>>>,
    linked: usize,
    contributors: Contributors,
    smart_ban: SmartBan,
    metadata: MetadataFetch,
    bans: Bans,
    candidates: Candidates,
    choker: Choker,
    traffic: Traffic,
    down: Rate,
    up: Rate,
    effects: VecDeque<Effect>,
    rng: Xoshiro256PlusPlus,
    /// When everybody is looked after next.
    tick_us: u64,
    /// When the host was last asked for peers.
    wanted_us: Option<u64>,
    /// The generation of the picker at which everybody was last given work.
    fed: u32,
    /// [`Effect::Finished`] was said.
    finished: bool,
    stopped: bool,
}

impl Session {
    /// A session of a torrent of which the pieces in `have` are stored.
    #[must_use]
    pub fn new(
        config: SessionConfig,
        torrent: Torrent,
        have: PieceSet,
        rng: Xoshiro256PlusPlus,
        now_us: u64,
    ) -> Self {
        let mut session = Self::from_magnet(config, torrent.info_hash, rng, now_us);
        session.metadata_accepted(torrent, have, now_us);
        session
    }

    /// A session of a torrent whose metadata has to come from peers first
    /// (BEP 9).
    #[must_use]
    pub fn from_magnet(
        config: SessionConfig,
        info_hash: InfoHash,
        rng: Xoshiro256PlusPlus,
        now_us: u64,
    ) -> Self {
        Self {
            info_hash,
            torrent: None,
            picker: None,
            links: Vec::new(),
            linked: 0,
            contributors: Contributors::default(),
            smart_ban: SmartBan::default(),
            metadata: MetadataFetch::default(),
            bans: Bans::default(),
            candidates: Candidates::new(config.max_known),
            choker: Choker::new(&config, now_us),
            traffic: Traffic::default(),
            down: Rate::new(now_us),
            up: Rate::new(now_us),
            effects: VecDeque::new(),
            rng,
            tick_us: now_us + SECOND_US,
            wanted_us: None,
            fed: 0,
            finished: false,
            stopped: false,
            config,
        }
    }

    /// The metadata of [`Effect::MetadataComplete`] was good: this is the
    /// torrent, of which the pieces in `have` are stored.
    pub fn metadata_accepted(&mut self, torrent: Torrent, have: PieceSet, now_us: u64) {
        if self.picker.is_some() {
            return;
        }
        self.picker = Some(Picker::new(torrent.geometry, have, &self.config));
        self.torrent = Some(torrent);
        for link in self.link_ids() {
            self.pieces_known(link, now_us);
        }
        self.note_finished(now_us);
        self.settle(now_us);
    }

    /// The metadata of [`Effect::MetadataComplete`] has the right hash, but
    /// cannot be used: nothing more is fetched.
    pub fn metadata_refused(&mut self, now_us: u64) {
        self.stop(now_us);
    }

    /// Whatever [`Self::next_wake_us`] was for.
    pub fn wake(&mut self, now_us: u64) {
        if !self.stopped && now_us >= self.tick_us {
            self.tick(now_us);
        }
        self.settle(now_us);
    }

    /// When to call [`Self::wake`]; `None` if there is nothing to wait for.
    #[must_use]
    pub fn next_wake_us(&self) -> Option<u64> {
        if self.stopped {
            return None;
        }
        let busy = self.linked > 0 || self.candidates.connecting() > 0;
        let retry = self.candidates.next_us();
        if busy { Some(self.tick_us) } else { retry.map(|at_us| at_us.max(self.tick_us)) }
    }

    /// The next thing for the host to do.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Closes every connection, and opens no more.
    pub fn stop(&mut self, now_us: u64) {
        self.stopped = true;
        for link in self.link_ids() {
            self.close(link, CloseReason::Stopped, now_us);
        }
    }

    /// Sets the priority of some pieces: 0 if they are not wanted, 4 is usual, 7
    /// the highest. A piece that has been begun is finished all the same. Those
    /// of a file are its layout's; a piece of two files is wanted if one is.
    pub fn set_priority(&mut self, pieces: impl Iterator<Item = u32>, priority: u8, now_us: u64) {
        let Some(picker) = &mut self.picker else { return };
        let mut changed = false;
        for piece in pieces {
            changed |= picker.set_priority(piece, priority.min(7));
        }
        if changed {
            for link in self.link_ids() {
                self.count_interesting(link, now_us);
            }
            self.finished &= self.picker.as_ref().is_some_and(|picker| picker.wanted().is_empty());
            self.note_finished(now_us);
            self.settle(now_us);
        }
    }

    /// Sets which piece is begun next.
    pub fn set_order(&mut self, order: PieceOrder) {
        self.config.order = order;
        if let Some(picker) = &mut self.picker {
            picker.set_order(order);
        }
    }

    /// The pieces that a stream is about to read, the most urgent first: they
    /// come before all others. An empty window ends it.
    pub fn set_window(&mut self, pieces: impl Iterator<Item = u32>, now_us: u64) {
        if let Some(picker) = &mut self.picker {
            picker.set_window(pieces.take(Self::MAX_WINDOW));
            self.settle(now_us);
        }
    }

    /// The most pieces in a window.
    pub const MAX_WINDOW: usize = 1024;

    fn peer(&self, link: LinkId) -> Option<&Peer> {
        self.links.get(link.0 as usize)?.as_deref()
    }

    fn peer_mut(&mut self, link: LinkId) -> Option<&mut Peer> {
        self.links.get_mut(link.0 as usize)?.as_deref_mut()
    }

    fn peers(&self) -> impl Iterator<Item = (LinkId, &Peer)> {
        let numbered = self.links.iter().enumerate();
        numbered.filter_map(|(n, peer)| Some((LinkId(n as u32), peer.as_deref()?)))
    }

    fn link_ids(&self) -> Vec<LinkId> {
        self.peers().map(|(link, _)| link).collect()
    }

    fn send(&mut self, link: LinkId, message: Message, now_us: u64) {
        if let Some(peer) = self.peer_mut(link) {
            peer.sent_us = now_us;
            self.effects.push_back(Effect::Send { link, message });
        }
    }

    /// Gives work to those who had none, if there is some since; to be called
    /// at the end of every input.
    fn settle(&mut self, now_us: u64) {
        while let Some(picker) = &self.picker
            && picker.generation != self.fed
        {
            self.fed = picker.generation;
            for n in 0..self.links.len() {
                let hungry = self.links[n].as_deref().is_some_and(|peer| peer.hungry_at.is_some());
                if hungry {
                    self.refill(LinkId(n as u32), now_us);
                }
            }
        }
    }

    /// Says that everything wanted is there, once.
    fn note_finished(&mut self, now_us: u64) {
        let done = self.picker.as_ref().is_some_and(|picker| picker.wanted().is_empty());
        if !done || self.finished {
            return;
        }
        self.finished = true;
        self.effects.push_back(Effect::Finished);
        for link in self.link_ids() {
            self.tell_upload_only(link, now_us);
            self.close_if_both_seed(link, now_us);
        }
    }

    /// Whether we have everything that we want.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The parameters.
    #[must_use]
    pub fn config(&self) -> &SessionConfig {
        &self.config
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

    /// The pieces that are stored; `None` while the metadata is missing.
    #[must_use]
    pub fn have(&self) -> Option<&PieceSet> {
        self.picker.as_ref().map(Picker::have)
    }

    /// How `addr` became known, if it is.
    #[must_use]
    pub fn source_of(&self, addr: &SocketAddr) -> Option<Source> {
        self.candidates.source(addr)
    }

    /// Asserts what always holds.
    #[cfg(test)]
    fn check(&self) {
        assert_eq!(self.linked, self.peers().count());
        let Some(picker) = &self.picker else { return };
        picker.check(&self.peers().map(|(_, peer)| &peer.have).collect::<Vec<_>>());
        for (link, peer) in self.peers() {
            assert_eq!(peer.interesting, peer.have.common(picker.wanted()), "{link:?}");
            assert_eq!(peer.am_interested, peer.interesting > 0, "{link:?}");
            assert!(peer.uploads.len() <= usize::from(self.config.reqq));
        }
    }
}
