//! Blocks that go: who is unchoked, what was requested.

use super::choker::Suitor;
use super::effect::{Effect, LinkId, Violation};
use super::{LeechChoking, Session};
use crate::block::Block;
use crate::wire::{Message, allowed_fast};

impl Session {
    /// The next block to send to a peer, if there is any. The host asks when
    /// its socket takes more, so that a cancel or a choke still finds it here.
    pub fn next_upload(&mut self, link: LinkId, _now_us: u64) -> Option<Block> {
        self.peer_mut(link)?.uploads.pop_front()
    }

    /// A block of [`Self::next_upload`] has been sent.
    pub fn upload_done(&mut self, link: LinkId, block: Block, now_us: u64) {
        self.traffic.uploaded += u64::from(block.len);
        self.up.add(block.len, now_us);
        if let Some(peer) = self.peer_mut(link) {
            peer.sent_us = now_us;
            peer.refused = 0;
            peer.uploaded += u64::from(block.len);
            peer.up.add(block.len, now_us);
        }
    }

    pub(super) fn on_request(&mut self, link: LinkId, block: Block, now_us: u64) {
        let Some(picker) = &self.picker else {
            return self.refuse(link, block, now_us);
        };
        if !picker.geometry().contains(&block) {
            return self.violated(link, Violation::BadRequest, now_us);
        }
        let have = picker.have().contains(block.piece);
        let reqq = usize::from(self.config.reqq);
        let Some(peer) = self.links.get_mut(link.0 as usize).and_then(|peer| peer.as_deref_mut())
        else {
            return;
        };
        if !have && !peer.fast {
            return self.violated(link, Violation::RequestOfMissing, now_us);
        }
        let may = !peer.am_choking || peer.allowed_out.contains(&block.piece);
        if !have || !may || peer.uploads.len() >= reqq {
            return self.refuse(link, block, now_us);
        }
        peer.uploads.push_back(block);
        if peer.uploads.len() == 1 {
            self.effects.push_back(Effect::UploadReady { link });
        }
    }

    /// A request is not answered. Too many of those are a flood.
    fn refuse(&mut self, link: LinkId, block: Block, now_us: u64) {
        let most = 8 * u32::from(self.config.reqq);
        let Some(peer) = self.peer_mut(link) else { return };
        peer.refused += 1;
        if peer.refused > most {
            self.violated(link, Violation::RequestFlood, now_us);
        } else if peer.fast {
            self.send(link, Message::Reject(block), now_us);
        }
    }

    pub(super) fn on_cancel(&mut self, link: LinkId, block: Block, now_us: u64) {
        let Some(peer) = self.peer_mut(link) else { return };
        let Some(place) = peer.uploads.iter().position(|other| *other == block) else { return };
        peer.uploads.remove(place);
        if peer.fast {
            // BEP 6: each request is answered, one way or the other.
            self.send(link, Message::Reject(block), now_us);
        }
    }

    pub(super) fn on_interested(&mut self, link: LinkId, now_us: u64) {
        let Some(peer) = self.peer_mut(link) else { return };
        peer.peer_interested = true;
        let beside = peer.is_local();
        let serves = self.config.leech_choking != LeechChoking::FreeRider;
        if serves && beside && self.config.local_beside_slots {
            self.unchoke(link, now_us);
        } else if self.peer(link).is_some_and(|peer| !peer.am_choking) {
            // It kept its slot while it wanted nothing, and somebody filled in.
            let suitors = self.suitors(now_us);
            for link in self.choker.excess(&suitors, self.finished, &self.config) {
                self.choke(link, now_us);
            }
        } else {
            self.fill_slots(now_us);
        }
    }

    pub(super) fn on_not_interested(&mut self, link: LinkId, now_us: u64) {
        let Some(peer) = self.peer_mut(link) else { return };
        peer.peer_interested = false;
        self.fill_slots(now_us);
        self.close_if_both_seed(link, now_us);
    }

    fn suitors(&self, now_us: u64) -> Vec<Suitor> {
        let suitor = |(link, peer): (LinkId, &super::peer::Peer)| Suitor {
            link,
            interested: peer.peer_interested,
            gives: peer.down.per_s(now_us),
            takes: peer.up.per_s(now_us),
            snubs: peer.snubbed,
            unchoked: !peer.am_choking,
            unchoked_us: peer.unchoked_us,
            beside: self.config.local_beside_slots && peer.is_local(),
        };
        self.peers().map(suitor).collect()
    }

    /// Gives free slots to those who wait for one, without waiting for the
    /// next round.
    pub(super) fn fill_slots(&mut self, now_us: u64) {
        let mut suitors = self.suitors(now_us);
        while let Some(link) = self.choker.fill(&suitors, &self.config, &mut self.rng) {
            self.unchoke(link, now_us);
            suitors.iter_mut().filter(|s| s.link == link).for_each(|s| s.unchoked = true);
        }
    }

    /// Decides anew who is unchoked.
    pub(super) fn choke_round(&mut self, now_us: u64) {
        let suitors = self.suitors(now_us);
        let unchoked =
            self.choker.decide(&suitors, self.finished, &self.config, &mut self.rng, now_us);
        for suitor in suitors {
            if unchoked.binary_search(&suitor.link).is_ok() {
                self.unchoke(suitor.link, now_us);
            } else {
                self.choke(suitor.link, now_us);
            }
        }
    }

    fn unchoke(&mut self, link: LinkId, now_us: u64) {
        let Some(peer) = self.peer_mut(link) else { return };
        if peer.am_choking {
            peer.am_choking = false;
            peer.unchoked_us = Some(now_us);
            self.send(link, Message::Unchoke, now_us);
        }
    }

    fn choke(&mut self, link: LinkId, now_us: u64) {
        let Some(peer) = self.peer_mut(link) else { return };
        if peer.am_choking {
            return;
        }
        peer.am_choking = true;
        let fast = peer.fast;
        let queued = core::mem::take(&mut peer.uploads);
        let (kept, gone): (Vec<Block>, Vec<Block>) =
            queued.into_iter().partition(|block| peer.allowed_out.contains(&block.piece));
        peer.uploads.extend(kept);
        self.send(link, Message::Choke, now_us);
        if fast {
            for block in gone {
                self.send(link, Message::Reject(block), now_us);
            }
        }
    }

    /// Tells a newcomer which pieces it may have although it is choked.
    pub(super) fn offer_allowed_fast(&mut self, link: LinkId, now_us: u64) {
        let Some(picker) = &self.picker else { return };
        let pieces = picker.geometry().pieces();
        let Some(peer) = self.peer(link) else { return };
        let serves = self.config.leech_choking != LeechChoking::FreeRider;
        if !serves
            || !peer.fast
            || peer.have.count() >= u32::from(self.config.allowed_fast)
            || pieces == 0
        {
            return;
        }
        let count = usize::from(self.config.allowed_fast);
        let mut allowed = allowed_fast(self.info_hash, peer.addr.ip(), pieces, count);
        allowed.retain(|&piece| picker.have().contains(piece));
        for &piece in &allowed {
            self.send(link, Message::AllowedFast(piece), now_us);
        }
        if let Some(peer) = self.peer_mut(link) {
            peer.allowed_out = allowed;
        }
    }
}
