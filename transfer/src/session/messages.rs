//! What each message does.

use super::Session;
use super::effect::{Effect, LinkId, Violation};
use super::peer::Early;
use crate::pieces::PieceSet;
use crate::wire::Message;

/// Pieces that a peer may name before we know how many there are.
const MAX_EARLY: usize = 16 * 1024;
/// The longest bitfield that is kept until then, in bytes.
const MAX_EARLY_BITFIELD: usize = super::Geometry::MAX_PIECES as usize / 8;
/// Messages without news that one peer may send.
const MAX_CHATTER: u32 = 2_000;
/// Pieces that a peer may allow us while it chokes us.
const MAX_ALLOWED: usize = 64;

impl Session {
    /// A message came; [`Message::Piece`] is none, see [`Self::block_begins`].
    pub fn message(&mut self, link: LinkId, message: Message, now_us: u64) {
        let Some(peer) = self.peer_mut(link) else { return };
        peer.heard_us = now_us;
        let first = !peer.begun;
        // Some say their extensions before their pieces.
        peer.begun |= !matches!(message, Message::Extended { .. } | Message::KeepAlive);
        let fast = peer.fast;
        if !fast && is_fast(&message) {
            return self.violated(link, Violation::NotFast, now_us);
        }
        match message {
            Message::KeepAlive | Message::Piece(_) => {}
            Message::Choke => self.on_choke(link, now_us),
            Message::Unchoke => self.on_unchoke(link, now_us),
            Message::Interested => self.on_interested(link, now_us),
            Message::NotInterested => self.on_not_interested(link, now_us),
            Message::Have(piece) => self.on_have(link, piece, now_us),
            Message::HaveNone if !first => self.violated(link, Violation::LateBitfield, now_us),
            // aria2 says so again instead of many a `have`.
            Message::Bitfield(_) | Message::HaveAll if !first => {
                self.on_later_pieces(link, &message, now_us);
            }
            Message::Bitfield(bytes) => self.on_bitfield(link, &bytes, now_us),
            Message::HaveAll => self.on_have_all(link, now_us),
            Message::HaveNone => self.offer_allowed_fast(link, now_us),
            Message::Request(block) => self.on_request(link, block, now_us),
            Message::Cancel(block) => self.on_cancel(link, block, now_us),
            Message::Port(port) => self.on_port(link, port),
            Message::Suggest(piece) => {
                self.in_range(link, piece, now_us);
                self.chatter(link, now_us);
            }
            Message::Reject(block) => self.on_reject(link, &block, now_us),
            Message::AllowedFast(piece) => self.on_allowed_fast(link, piece, now_us),
            Message::Extended { id, payload } => self.on_extended(link, id, &payload, now_us),
        }
        self.settle(now_us);
    }

    /// A message that brought nothing. Whoever sends many is thrown out.
    pub(super) fn chatter(&mut self, link: LinkId, now_us: u64) {
        let Some(peer) = self.peer_mut(link) else { return };
        peer.chatter += 1;
        if peer.chatter > MAX_CHATTER {
            self.violated(link, Violation::MessageFlood, now_us);
        }
    }

    /// Whether the torrent has this piece, as far as we know; else the peer is
    /// thrown out.
    fn in_range(&mut self, link: LinkId, piece: u32, now_us: u64) -> bool {
        let known = self.picker.as_ref().map(|picker| picker.geometry().pieces());
        let fits = piece < known.unwrap_or(super::Geometry::MAX_PIECES);
        if !fits {
            self.violated(link, Violation::PieceOutOfRange, now_us);
        }
        fits
    }

    fn on_choke(&mut self, link: LinkId, now_us: u64) {
        let Some(peer) = self.peer_mut(link) else { return };
        if peer.peer_choking {
            return self.chatter(link, now_us);
        }
        peer.peer_choking = true;
        // With the fast extension each request is rejected by itself (BEP 6).
        if !peer.fast {
            self.withdraw_all(link);
            self.give_up_exclusive(link);
        }
    }

    fn on_unchoke(&mut self, link: LinkId, now_us: u64) {
        let Some(peer) = self.peer_mut(link) else { return };
        if !peer.peer_choking {
            return self.chatter(link, now_us);
        }
        peer.peer_choking = false;
        peer.hungry_at = None;
        self.refill(link, now_us);
    }

    pub(super) fn on_have(&mut self, link: LinkId, piece: u32, now_us: u64) {
        if !self.in_range(link, piece, now_us) {
            return;
        }
        let Some(peer) = self.links.get_mut(link.0 as usize).and_then(|peer| peer.as_deref_mut())
        else {
            return;
        };
        let Some(picker) = &mut self.picker else {
            if peer.early_haves.len() < MAX_EARLY {
                peer.early_haves.push(piece);
                return;
            }
            return self.chatter(link, now_us);
        };
        if !peer.have.insert(piece) {
            return self.chatter(link, now_us);
        }
        picker.rarity.gain(piece);
        if peer.have.is_full() {
            picker.rarity.completed();
        }
        if picker.wanted().contains(piece) {
            peer.interesting += 1;
            peer.hungry_at = None;
            self.update_interest(link, now_us);
            self.refill(link, now_us);
        }
        self.close_if_both_seed(link, now_us);
    }

    /// It has a piece no longer (BEP 54).
    pub(super) fn on_dont_have(&mut self, link: LinkId, piece: u32, now_us: u64) {
        if !self.in_range(link, piece, now_us) {
            return;
        }
        self.chatter(link, now_us);
        let Some(peer) = self.links.get_mut(link.0 as usize).and_then(|peer| peer.as_deref_mut())
        else {
            return;
        };
        let Some(picker) = &mut self.picker else {
            peer.early_haves.retain(|&other| other != piece);
            return;
        };
        let seed = peer.have.is_full();
        if seed {
            picker.rarity.remove_peer(&peer.have);
        }
        if !peer.have.remove(piece) {
            return;
        }
        if seed {
            picker.rarity.add_peer(&peer.have);
        } else {
            picker.rarity.lose(piece);
        }
        self.count_interesting(link, now_us);
    }

    pub(super) fn on_bitfield(&mut self, link: LinkId, bytes: &[u8], now_us: u64) {
        let Some(picker) = &self.picker else {
            let fits = bytes.len() <= MAX_EARLY_BITFIELD;
            match self.peer_mut(link) {
                Some(peer) if fits => peer.early = Early::Bitfield(bytes.to_vec()),
                _ => self.violated(link, Violation::Bitfield, now_us),
            }
            return;
        };
        match PieceSet::from_bitfield(bytes, picker.geometry().pieces()) {
            Ok(pieces) => self.peer_has(link, pieces, now_us),
            Err(_) => self.violated(link, Violation::Bitfield, now_us),
        }
    }

    fn on_have_all(&mut self, link: LinkId, now_us: u64) {
        let Some(picker) = &self.picker else {
            if let Some(peer) = self.peer_mut(link) {
                peer.early = Early::All;
            }
            return;
        };
        let all = PieceSet::full(picker.geometry().pieces());
        self.peer_has(link, all, now_us);
    }

    /// A bitfield, or what stands for it, that was not the first message: it may
    /// add pieces, but take none back.
    fn on_later_pieces(&mut self, link: LinkId, message: &Message, now_us: u64) {
        self.chatter(link, now_us);
        let (Some(picker), Some(peer)) = (&self.picker, self.peer(link)) else {
            return match message {
                Message::Bitfield(bytes) => self.on_bitfield(link, bytes, now_us),
                _ => self.on_have_all(link, now_us),
            };
        };
        let pieces = match message {
            Message::Bitfield(bytes) => PieceSet::from_bitfield(bytes, peer.have.len()),
            _ => Ok(PieceSet::full(picker.geometry().pieces())),
        };
        match pieces {
            Ok(pieces) if peer.have.common(&pieces) == peer.have.count() => {
                self.peer_has(link, pieces, now_us);
            }
            Ok(_) => self.violated(link, Violation::LateBitfield, now_us),
            Err(_) => self.violated(link, Violation::Bitfield, now_us),
        }
    }

    /// What a peer says of all its pieces.
    pub(super) fn peer_has(&mut self, link: LinkId, pieces: PieceSet, now_us: u64) {
        let Some(peer) = self.links.get_mut(link.0 as usize).and_then(|peer| peer.as_deref_mut())
        else {
            return;
        };
        let Some(picker) = &mut self.picker else { return };
        picker.rarity.remove_peer(&peer.have);
        picker.rarity.add_peer(&pieces);
        peer.have = pieces;
        self.count_interesting(link, now_us);
        self.offer_allowed_fast(link, now_us);
        self.close_if_both_seed(link, now_us);
    }

    /// Counts anew which of a peer's pieces we want.
    pub(super) fn count_interesting(&mut self, link: LinkId, now_us: u64) {
        let Some(picker) = &self.picker else { return };
        let Some(peer) = self.links.get_mut(link.0 as usize).and_then(|peer| peer.as_deref_mut())
        else {
            return;
        };
        peer.interesting = peer.have.common(picker.wanted());
        peer.hungry_at = None;
        self.update_interest(link, now_us);
        self.refill(link, now_us);
    }

    /// Says whether we want something of a peer, if that has changed.
    pub(super) fn update_interest(&mut self, link: LinkId, now_us: u64) {
        let Some(peer) = self.peer_mut(link) else { return };
        let interested = peer.interesting > 0;
        if interested != peer.am_interested {
            peer.am_interested = interested;
            let message = if interested { Message::Interested } else { Message::NotInterested };
            self.send(link, message, now_us);
        }
    }

    fn on_port(&mut self, link: LinkId, port: u16) {
        let private = self.torrent.as_ref().is_some_and(|torrent| torrent.private);
        let Some(peer) = self.peer(link) else { return };
        if port != 0 && self.config.dht_port.is_some() && !private {
            let mut addr = peer.addr;
            addr.set_port(port);
            self.effects.push_back(Effect::DhtNode(addr));
        }
    }

    fn on_reject(&mut self, link: LinkId, block: &crate::block::Block, now_us: u64) {
        let Some(peer) = self.links.get_mut(link.0 as usize).and_then(|peer| peer.as_deref_mut())
        else {
            return;
        };
        if peer.pipeline.remove(block) {
            if let Some(picker) = &mut self.picker {
                picker.withdraw(block);
            }
            // It is not asked again before something else happens, or else two
            // would go on for ever.
            if peer.peer_choking && peer.pipeline.len() == 0 {
                self.give_up_exclusive(link);
            }
        } else if !peer.pipeline.late(block) {
            self.chatter(link, now_us);
        }
    }

    fn on_allowed_fast(&mut self, link: LinkId, piece: u32, now_us: u64) {
        if !self.in_range(link, piece, now_us) {
            return;
        }
        let Some(peer) = self.peer_mut(link) else { return };
        if peer.allowed_in.len() >= MAX_ALLOWED || peer.allowed_in.contains(&piece) {
            return self.chatter(link, now_us);
        }
        peer.allowed_in.push(piece);
        peer.hungry_at = None;
        self.refill(link, now_us);
    }
}

fn is_fast(message: &Message) -> bool {
    matches!(
        message,
        Message::Suggest(_)
            | Message::HaveAll
            | Message::HaveNone
            | Message::Reject(_)
            | Message::AllowedFast(_)
    )
}
