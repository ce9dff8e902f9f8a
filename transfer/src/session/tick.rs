//! What happens once a second, or rarer.

use super::effect::{CloseReason, LinkId};
use super::{SECOND_US, Session};
use crate::wire::Message;

impl Session {
    pub(super) fn tick(&mut self, now_us: u64) {
        self.tick_us = now_us + SECOND_US;
        let round = now_us >= self.choker.next_us;
        let exchange = self.config.peer_exchange
            && self.torrent.as_ref().is_some_and(|torrent| !torrent.private);
        let connectable = exchange.then(|| self.connectable());
        for n in 0..self.links.len() {
            let link = LinkId(n as u32);
            self.look_after(link, now_us);
            if let Some(connectable) = &connectable {
                self.tell_peers(link, connectable, now_us);
            }
        }
        if round {
            self.choke_round(now_us);
            self.make_room();
        }
        self.metadata_tick(now_us);
        self.connect_more(now_us);
        self.want_more(now_us);
    }

    /// Keeps one connection alive, or gives it up.
    fn look_after(&mut self, link: LinkId, now_us: u64) {
        let (keep_alive_us, idle_us, snub_us) =
            (self.config.keep_alive_us, self.config.idle_us, self.config.snub_us);
        let Some(peer) = self.links.get_mut(link.0 as usize).and_then(|peer| peer.as_deref_mut())
        else {
            return;
        };
        if now_us >= peer.heard_us + idle_us {
            return self.close(link, CloseReason::Idle, now_us);
        }
        let still = now_us >= peer.pipeline.moved_us + snub_us;
        if still && peer.arriving.is_some() && now_us >= peer.heard_us + snub_us {
            // It holds a block that others could send.
            return self.close(link, CloseReason::Idle, now_us);
        }
        let speaks_late = now_us >= peer.sent_us + keep_alive_us;
        let snubs = still && peer.pipeline.len() > 0;
        let recent = peer.down.recent_per_s(now_us);
        peer.pipeline.slowed(recent, &self.config);
        if snubs {
            peer.snubbed = true;
            peer.pipeline.stalled();
            self.withdraw_all(link);
        }
        if self.peer(link).is_some_and(|peer| peer.peer_choking || peer.snubbed) {
            self.give_up_exclusive(link);
        }
        if speaks_late {
            self.send(link, Message::KeepAlive, now_us);
        }
        self.refill(link, now_us);
    }

    /// Gives up a piece that nobody goes on with, if somebody could begin
    /// another one instead.
    fn make_room(&mut self) {
        let hungry = self.peers().any(|(_, peer)| {
            peer.may_be_asked() && peer.hungry_at.is_some() && peer.pipeline.len() == 0
        });
        let stale = self.picker.as_ref().and_then(|picker| picker.stale());
        if let (true, Some(piece)) = (hungry, stale) {
            self.give_up(piece);
        }
    }
}
