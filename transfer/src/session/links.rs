//! Connections: who is connected to, who stays, who is thrown out.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::config::PerAddress;
use super::contributors::Contributor;
use super::effect::{CloseReason, Effect, LinkId, Source, Violation};
use super::peer::{Early, Peer};
use super::{SECOND_US, Session};
use crate::pieces::PieceSet;
use crate::wire::{Handshake, Message};

/// Below this many connections more peers are asked for (mainline).
const FEW_LINKS: usize = 20;
/// The host is asked at most this often.
const WANT_INTERVAL_US: u64 = 30 * SECOND_US;

impl Session {
    /// There may be a peer at `addr`.
    pub fn peer_found(&mut self, addr: SocketAddr, source: Source, now_us: u64) {
        let private = self.torrent.as_ref().is_some_and(|torrent| torrent.private);
        let unwelcome = private && matches!(source, Source::Exchange | Source::Dht);
        if self.stopped || unwelcome || self.bans.contains(addr, None) {
            return;
        }
        self.candidates.found(addr, source);
        self.connect_more(now_us);
    }

    /// Opens connections while there are few and somebody is known.
    pub(super) fn connect_more(&mut self, now_us: u64) {
        let wanted = usize::from(self.config.wanted_links.min(self.config.max_links));
        let half_open = usize::from(self.config.max_half_open);
        while !self.stopped
            && self.linked + self.candidates.connecting() < wanted
            && self.candidates.connecting() < half_open
        {
            let Some(addr) = self.candidates.next(now_us) else { break };
            if self.bans.contains(addr, None) {
                self.candidates.forget(addr);
            } else {
                self.effects.push_back(Effect::Connect(addr));
            }
        }
    }

    /// Asks the host for peers, if there are few.
    pub(super) fn want_more(&mut self, now_us: u64) {
        let due = self.wanted_us.is_none_or(|at_us| now_us >= at_us + WANT_INTERVAL_US);
        let few = self.linked + self.candidates.connecting() + self.candidates.ready() < FEW_LINKS;
        if due && few && !self.finished {
            self.wanted_us = Some(now_us);
            self.effects.push_back(Effect::WantPeers);
        }
    }

    /// [`Effect::Connect`] failed.
    pub fn connect_failed(&mut self, addr: SocketAddr, now_us: u64) {
        self.candidates.lost(addr, false, now_us);
        self.connect_more(now_us);
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
        now_us: u64,
    ) {
        if !incoming {
            self.candidates.connected(addr);
        }
        if let Some(reason) = self.unwelcome(addr, incoming, handshake, now_us) {
            self.candidates.forget(addr);
            self.effects.push_back(Effect::Close { link, reason });
            return;
        }
        let contributor = self.contributors.add(addr, handshake.peer_id);
        let peer =
            Peer::new(addr, incoming, handshake, encrypted, contributor, &self.config, now_us);
        let place = link.0 as usize;
        if self.links.len() <= place {
            self.links.resize_with(place + 1, || None);
        }
        debug_assert!(self.links[place].is_none(), "a link is opened once");
        self.links[place] = Some(Box::new(peer));
        self.linked += 1;
        self.tick_us = self.tick_us.min(now_us + SECOND_US);
        self.greet(link, handshake, now_us);
        self.pieces_known(link, now_us);
        self.settle(now_us);
    }

    fn unwelcome(
        &mut self,
        addr: SocketAddr,
        incoming: bool,
        handshake: &Handshake,
        now_us: u64,
    ) -> Option<CloseReason> {
        if self.stopped {
            return Some(CloseReason::Stopped);
        }
        if handshake.info_hash != self.info_hash {
            return Some(CloseReason::OtherTorrent);
        }
        if handshake.peer_id == self.config.peer_id {
            return Some(CloseReason::Oneself);
        }
        if self.bans.contains(addr, Some(handshake.peer_id)) {
            return Some(CloseReason::Banned);
        }
        let same = self.peers().find(|(_, peer)| peer.peer_id == handshake.peer_id);
        if let Some((old, peer)) = same {
            // Both may have dialled at once. Then both keep the connection that
            // the lower name opened.
            let ours_wins = self.config.peer_id < handshake.peer_id;
            if peer.incoming == incoming || incoming == ours_wins {
                return Some(CloseReason::Duplicate);
            }
            self.close(old, CloseReason::Duplicate, now_us);
        }
        let ip = addr.ip();
        let shared = self.shares_address(addr);
        if !shared && self.peers().any(|(_, peer)| peer.addr.ip() == ip) {
            return Some(CloseReason::Duplicate);
        }
        (self.linked >= usize::from(self.config.max_links)).then_some(CloseReason::TooMany)
    }

    /// Whether several peers may be at this address.
    pub(super) fn shares_address(&self, addr: SocketAddr) -> bool {
        match self.config.per_address {
            PerAddress::One => false,
            PerAddress::ManyOnLoopback => addr.ip().to_canonical().is_loopback(),
            PerAddress::Many => true,
        }
    }

    /// What is said first: our pieces, then our extensions.
    fn greet(&mut self, link: LinkId, handshake: &Handshake, now_us: u64) {
        let fast = handshake.reserved.supports_fast();
        let have = self.picker.as_ref().map(|picker| picker.have());
        let pieces = match have {
            Some(have) if fast && !have.is_empty() && have.is_full() => Some(Message::HaveAll),
            Some(have) if !have.is_empty() => Some(Message::Bitfield(have.to_bitfield())),
            _ => fast.then_some(Message::HaveNone),
        };
        if let Some(message) = pieces {
            self.send(link, message, now_us);
        }
        self.greet_extended(link, now_us);
        if let Some(port) = self.config.dht_port
            && handshake.reserved.supports_dht()
            && self.torrent.as_ref().is_none_or(|torrent| !torrent.private)
        {
            self.send(link, Message::Port(port), now_us);
        }
    }

    /// The number of pieces is known, to a new connection or by new metadata.
    pub(super) fn pieces_known(&mut self, link: LinkId, now_us: u64) {
        let Some(pieces) = self.picker.as_ref().map(|picker| picker.geometry().pieces()) else {
            return;
        };
        let Some(peer) = self.peer_mut(link) else { return };
        peer.have = PieceSet::empty(pieces);
        let early = core::mem::replace(&mut peer.early, Early::Nothing);
        let haves = core::mem::take(&mut peer.early_haves);
        peer.allowed_in.retain(|&piece| piece < pieces);
        match early {
            Early::Nothing => {}
            Early::All => self.peer_has(link, PieceSet::full(pieces), now_us),
            Early::Bitfield(bytes) => self.on_bitfield(link, &bytes, now_us),
        }
        for piece in haves {
            self.on_have(link, piece, now_us);
        }
    }

    /// A connection was closed, not by [`Effect::Close`].
    pub fn link_closed(&mut self, link: LinkId, now_us: u64) {
        if let Some(addr) = self.unlink(link, now_us) {
            self.candidates.lost(addr, true, now_us);
        }
        self.connect_more(now_us);
        self.settle(now_us);
    }

    /// What came cannot be read: the peer is closed, and remembered for it.
    pub fn malformed(&mut self, link: LinkId, now_us: u64) {
        self.violated(link, Violation::Malformed, now_us);
        self.settle(now_us);
    }

    /// Throws a peer out who broke the protocol.
    pub(super) fn violated(&mut self, link: LinkId, how: Violation, now_us: u64) {
        let Some(peer) = self.peer(link) else { return };
        let (addr, contributor) = (peer.addr, *self.contributors.get(peer.contributor));
        let shared = self.shares_address(addr);
        let ban = self.bans.violated(addr, shared, how);
        self.close(link, CloseReason::Violation(how), now_us);
        if ban {
            self.ban(&contributor, now_us);
        }
    }

    /// Bans who may be connected or gone, and closes what is of him.
    pub(super) fn ban(&mut self, who: &Contributor, now_us: u64) {
        let shared = self.shares_address(who.addr);
        for banned in self.bans.ban(who, shared) {
            self.effects.push_back(Effect::Ban(banned));
        }
        self.candidates.forget(who.addr);
        if let Some(listens) = who.listens {
            self.candidates.forget(listens);
        }
        let hit: Vec<LinkId> = self
            .peers()
            .filter(|(_, peer)| self.bans.contains(peer.addr, Some(peer.peer_id)))
            .map(|(link, _)| link)
            .collect();
        for link in hit {
            self.close(link, CloseReason::Banned, now_us);
        }
    }

    /// Closes a connection, if it is open.
    pub(super) fn close(&mut self, link: LinkId, reason: CloseReason, now_us: u64) {
        let Some(addr) = self.unlink(link, now_us) else { return };
        match reason {
            CloseReason::Idle | CloseReason::TooMany => {
                self.candidates.lost(addr, true, now_us);
            }
            CloseReason::Violation(_) => self.candidates.lost(addr, false, now_us),
            _ => self.candidates.forget(addr),
        }
        self.effects.push_back(Effect::Close { link, reason });
    }

    /// Forgets a connection: nothing is requested of it, it has no piece, its
    /// slot is free. Says where the peer is known to be.
    fn unlink(&mut self, link: LinkId, now_us: u64) -> Option<SocketAddr> {
        let mut peer = self.links.get_mut(link.0 as usize)?.take()?;
        self.linked -= 1;
        let listens = self.contributors.get(peer.contributor).listens;
        self.contributors.release(peer.contributor);
        if let Some(picker) = &mut self.picker {
            if let Some(block) = peer.arriving.take() {
                picker.breaks_off(&block);
            }
            peer.pipeline.take_all().iter().for_each(|block| picker.withdraw(block));
            picker.rarity.remove_peer(&peer.have);
        }
        self.give_up_exclusive(link);
        self.metadata_link_gone(link, now_us);
        if !peer.am_choking {
            self.fill_slots(now_us);
        }
        Some(listens.unwrap_or(peer.addr))
    }

    /// Two who have all have nothing to say to each other.
    pub(super) fn close_if_both_seed(&mut self, link: LinkId, now_us: u64) {
        let needless = self.finished
            && self.config.close_between_seeds
            && self.peer(link).is_some_and(|peer| {
                peer.is_seed() || (peer.extension.upload_only && !peer.peer_interested)
            });
        if needless {
            self.close(link, CloseReason::BothSeeds, now_us);
        }
    }

    /// The peers that others may be told of.
    pub(super) fn connectable(&self) -> BTreeSet<SocketAddr> {
        let addr = |peer: &Peer| {
            let listens = self.contributors.get(peer.contributor).listens;
            listens.or((!peer.incoming).then_some(peer.addr))
        };
        self.peers().filter_map(|(_, peer)| addr(peer)).collect()
    }
}
