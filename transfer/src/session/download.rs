//! Blocks that come: what is requested, admitted, checked and stored.

use super::config::Endgame;
use super::contributors::{ContributorId, Contributors};
use super::effect::{Admission, CloseReason, Effect, LinkId, StoreError, Verdict, Violation};
use super::picker::Asked;
use super::{Session, peer::Peer};
use crate::block::Block;
use crate::wire::Message;

impl Session {
    /// The header of a `piece` message came: what becomes of the bytes.
    pub fn block_begins(&mut self, link: LinkId, block: Block, now_us: u64) -> Admission {
        let Some(peer) = self.links.get_mut(link.0 as usize).and_then(|peer| peer.as_deref_mut())
        else {
            return Admission::Refuse;
        };
        peer.heard_us = now_us;
        if let (Some(unfinished), Some(picker)) = (peer.arriving.take(), &mut self.picker) {
            picker.breaks_off(&unfinished);
        }
        let asked = peer.pipeline.remove(&block);
        let (true, Some(picker)) = (asked || peer.pipeline.late(&block), &mut self.picker) else {
            self.violated(link, Violation::UnsolicitedBlock, now_us);
            self.settle(now_us);
            return Admission::Refuse;
        };
        let admission = picker.arrives(&block, !asked);
        if admission == Admission::Receive {
            peer.arriving = Some(block);
            return admission;
        }
        if asked {
            picker.withdraw(&block);
            peer.pipeline.received(&self.config, now_us);
        }
        peer.down.add(block.len, now_us);
        self.traffic.duplicate += u64::from(block.len);
        self.refill(link, now_us);
        admission
    }

    /// The bytes of a block that was admitted with [`Admission::Receive`] lie
    /// in the buffer of their piece.
    pub fn block_received(&mut self, link: LinkId, block: Block, now_us: u64) {
        let Some(peer) = self.links.get_mut(link.0 as usize).and_then(|peer| peer.as_deref_mut())
        else {
            return;
        };
        let Some(picker) = &mut self.picker else { return };
        if peer.arriving != Some(block) {
            return;
        }
        peer.arriving = None;
        peer.heard_us = now_us;
        peer.snubbed = false;
        peer.downloaded += u64::from(block.len);
        peer.down.add(block.len, now_us);
        peer.pipeline.received(&self.config, now_us);
        self.down.add(block.len, now_us);
        let by = peer.contributor;
        match picker.received(&block, by) {
            None => self.traffic.duplicate += u64::from(block.len),
            Some((others, whole)) => {
                self.traffic.downloaded += u64::from(block.len);
                self.contributors.hold(by);
                if whole {
                    let digests = self.smart_ban.suspects(block.piece);
                    self.effects.push_back(Effect::Check { piece: block.piece, digests });
                }
                if others > 0 {
                    self.cancel_elsewhere(&block, now_us);
                }
            }
        }
        self.refill(link, now_us);
        self.settle(now_us);
    }

    /// A block has come that was requested of others too.
    fn cancel_elsewhere(&mut self, block: &Block, now_us: u64) {
        let mut freed = Vec::new();
        for (n, peer) in self.links.iter_mut().enumerate() {
            let Some(peer) = peer.as_deref_mut() else { continue };
            if peer.pipeline.withdraw(block) {
                peer.sent_us = now_us;
                let link = LinkId(n as u32);
                self.effects.push_back(Effect::Send { link, message: Message::Cancel(*block) });
                freed.push(link);
            }
        }
        for link in freed {
            self.refill(link, now_us);
        }
    }

    /// Requests blocks of a peer while it may have more outstanding.
    pub(super) fn refill(&mut self, link: LinkId, now_us: u64) {
        let Some(peer) = self.links.get_mut(link.0 as usize).and_then(|peer| peer.as_deref_mut())
        else {
            return;
        };
        let Some(picker) = &mut self.picker else { return };
        let mut more = peer.may_be_asked();
        while more && peer.pipeline.room() > 0 {
            let mut current = peer.current;
            let asked = asked(link, peer, &self.contributors);
            let always = (self.config.endgame == Endgame::Always).then(|| {
                picker.pick_always(asked, &mut self.rng, |block| peer.pipeline.contains(block))
            });
            let block = match always.flatten() {
                Some(block) => Some(block),
                None if peer.hungry_at == Some(picker.generation) => None,
                None => picker.pick(asked, &mut current, &mut self.rng),
            };
            peer.current = current;
            peer.hungry_at = block.is_none().then_some(picker.generation);
            let Some(block) = block else { break };
            peer.pipeline.push(block, now_us);
            peer.sent_us = now_us;
            self.effects.push_back(Effect::Send { link, message: Message::Request(block) });
            more = peer.may_be_asked();
        }
        if more && peer.hungry_at.is_some() {
            self.endgame(link, now_us);
        }
    }

    /// When every block is requested: requests some again of a peer who is
    /// expected to be sooner than the slowest who was asked.
    fn endgame(&mut self, link: LinkId, now_us: u64) {
        let all = self.picker.as_ref().is_some_and(|picker| picker.all_requested());
        if self.config.endgame != Endgame::WhenAllRequested || !all {
            return;
        }
        while self.peer(link).is_some_and(|peer| peer.pipeline.room() > 0) {
            let Some(block) = self.rescue(link) else { return };
            let Some(peer) = self.peer_mut(link) else { return };
            peer.pipeline.push(block, now_us);
            self.send(link, Message::Request(block), now_us);
        }
    }

    /// The block that would come last, if the peer is expected to send it
    /// sooner; it counts as requested of it too.
    fn rescue(&mut self, link: LinkId) -> Option<Block> {
        let peer = self.links.get(link.0 as usize)?.as_deref()?;
        let picker = self.picker.as_mut()?;
        // Whose rate is not known gets one block to show it.
        let ours_ns = match peer.pipeline.eta_ns(1) {
            Some(eta_ns) => eta_ns,
            None if peer.pipeline.len() == 0 => 0,
            None => return None,
        };
        let asked = asked(link, peer, &self.contributors);
        let mut best: Option<(u64, Block)> = None;
        for (n, other) in self.links.iter().enumerate() {
            let Some(other) = other.as_deref() else { continue };
            let eta_ns = if other.snubbed { None } else { other.pipeline.eta_ns(0) };
            let eta_ns = eta_ns.unwrap_or(u64::MAX);
            let worse = eta_ns > ours_ns && best.is_none_or(|(most_ns, _)| eta_ns > most_ns);
            if n == link.0 as usize || other.pipeline.len() == 0 || !worse {
                continue;
            }
            let copies = self.config.endgame_copies;
            let mut last_first = other.pipeline.outstanding().rev();
            let fits = last_first.find(|block| {
                picker.can_also(block, asked, copies) && !peer.pipeline.contains(block)
            });
            if let Some(block) = fits {
                best = Some((eta_ns, *block));
            }
        }
        let (_, block) = best?;
        picker.also(&block);
        Some(block)
    }

    /// What [`Effect::Check`] asked.
    pub fn piece_checked(&mut self, piece: u32, verdict: Verdict, now_us: u64) {
        let Some(picker) = &mut self.picker else { return };
        if !picker.is_checking(piece) {
            return;
        }
        let by: Vec<_> = picker.contributors(piece).collect();
        let alone = by.first().copied().filter(|first| by.iter().all(|other| other == first));
        let mut liars = Vec::new();
        match verdict {
            Verdict::Good { digests } => {
                picker.good(piece);
                if let Some(alone) = alone {
                    self.contributors.get_mut(alone).parole = false;
                }
                liars = self.smart_ban.good(piece, &digests, &mut self.contributors);
            }
            Verdict::Bad { digests } => {
                self.traffic.bad += u64::from(picker.geometry().piece_size(piece));
                picker.bad(piece);
                self.effects.push_back(Effect::Forget { piece });
                if let Some(alone) = alone {
                    liars.push(alone);
                } else {
                    let all = by.iter().copied();
                    self.smart_ban.bad(piece, &digests, all, &mut self.contributors);
                    for &one in &by {
                        self.contributors.get_mut(one).parole = true;
                    }
                }
            }
        }
        for liar in liars {
            self.throw_out(liar, Violation::BadPiece, now_us);
        }
        by.iter().for_each(|&one| self.contributors.release(one));
        self.settle(now_us);
    }

    /// Closes and bans a contributor, who may be gone already.
    pub(super) fn throw_out(&mut self, who: ContributorId, how: Violation, now_us: u64) {
        let data = *self.contributors.get(who);
        let of_him = |peer: &Peer| peer.contributor == who && peer.addr == data.addr;
        let link = self.peers().find(|(_, peer)| of_him(peer)).map(|(link, _)| link);
        if let Some(link) = link {
            self.close(link, CloseReason::Violation(how), now_us);
        }
        self.ban(&data, now_us);
    }

    /// A good piece is written: it is announced to the peers who lack it.
    pub fn piece_stored(&mut self, piece: u32, now_us: u64) {
        let Some(picker) = &mut self.picker else { return };
        let wanted = picker.wanted().contains(piece);
        if !picker.stored(piece) {
            return;
        }
        let mut bored = Vec::new();
        for (n, peer) in self.links.iter_mut().enumerate() {
            let Some(peer) = peer.as_deref_mut() else { continue };
            let link = LinkId(n as u32);
            if !peer.have.contains(piece) {
                // Who has it need not be told (have suppression).
                peer.sent_us = now_us;
                self.effects.push_back(Effect::Send { link, message: Message::Have(piece) });
            } else if wanted {
                peer.interesting = peer.interesting.saturating_sub(1);
                if peer.interesting == 0 {
                    bored.push(link);
                }
            }
        }
        for link in bored {
            self.update_interest(link, now_us);
        }
        self.note_finished(now_us);
        self.settle(now_us);
    }

    /// A good piece could not be written. It will be fetched again after
    /// [`Self::resume`]; until then nothing is requested.
    pub fn store_failed(&mut self, piece: u32, _error: StoreError, _now_us: u64) {
        if let Some(picker) = &mut self.picker
            && picker.is_storing(piece)
        {
            picker.paused = true;
            picker.give_up(piece);
            self.effects.push_back(Effect::Forget { piece });
        }
    }

    /// There is room again after [`Self::store_failed`].
    pub fn resume(&mut self, now_us: u64) {
        if let Some(picker) = &mut self.picker
            && picker.paused
        {
            picker.paused = false;
            picker.generation = picker.generation.wrapping_add(1);
            self.settle(now_us);
        }
    }

    /// Pieces that only one peer is asked for, but who gives none, come from
    /// somebody else, and from the beginning.
    pub(super) fn give_up_exclusive(&mut self, link: LinkId) {
        let arriving = self.peer(link).and_then(|peer| peer.arriving).map(|block| block.piece);
        let Some(picker) = &self.picker else { return };
        for piece in picker.only_of(link) {
            if Some(piece) != arriving {
                self.give_up(piece);
            }
        }
    }

    /// Nothing of a partial piece counts any more.
    pub(super) fn give_up(&mut self, piece: u32) {
        let Some(picker) = &mut self.picker else { return };
        for one in picker.contributors(piece) {
            self.contributors.release(one);
        }
        picker.give_up(piece);
        self.effects.push_back(Effect::Forget { piece });
    }

    /// Takes all requests of a peer back. The blocks may still come.
    pub(super) fn withdraw_all(&mut self, link: LinkId) {
        let Some(peer) = self.links.get_mut(link.0 as usize).and_then(|peer| peer.as_deref_mut())
        else {
            return;
        };
        let blocks = peer.pipeline.withdraw_all();
        peer.current = None;
        if let Some(picker) = &mut self.picker {
            blocks.iter().for_each(|block| picker.withdraw(block));
        }
    }
}

/// A peer as the picker sees it.
fn asked<'a>(link: LinkId, peer: &'a Peer, contributors: &Contributors) -> Asked<'a> {
    Asked {
        link,
        have: &peer.have,
        allowed: peer.peer_choking.then_some(&peer.allowed_in[..]),
        parole: contributors.get(peer.contributor).parole,
    }
}
