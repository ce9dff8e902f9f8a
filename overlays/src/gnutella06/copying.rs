//! Keeping copies of what searches find (Lv et al., ICS 2002, §5): among
//! ultrapeers on the way and at random, and at the searcher.

use std::sync::Arc;

use rand::RngExt as _;

use super::message::Message;
use super::{Gnutella06, Rank};
use crate::parts::servent::{Guid, HitBody, Replication, Way};
use crate::seam::{Addr, Cause, Cx};

impl Gnutella06 {
    /// Keeps a copy, and tells of its words as of those of its own shares: on
    /// nobody's account, for the search is over.
    fn keep_copy(&mut self, cx: &mut Cx<'_, Self>, body: &HitBody) {
        self.copies.keep(body, cx.now());
        self.tell_shares(&mut cx.on_behalf_of(Cause::UPKEEP));
    }

    /// A hit has brought something new to a search of this servent, `hops`
    /// away: keeps a copy, or has others keep some.
    pub(super) fn copy_found(
        &mut self,
        cx: &mut Cx<'_, Self>,
        guid: Guid,
        hops: u8,
        body: &Arc<HitBody>,
    ) {
        match self.config.replication {
            Replication::None => {}
            Replication::Owner | Replication::Path => self.keep_copy(cx, body),
            Replication::Random => {
                let cx = &mut cx.on_behalf_of(Cause::UPKEEP);
                for _ in 0..hops {
                    let way = Way::start(self.config.copy_steps);
                    self.step_copy(cx, self.me, guid, way, body.clone());
                }
            }
        }
    }

    /// A hit passes on its way to the searcher.
    pub(super) fn copy_passing(&mut self, cx: &mut Cx<'_, Self>, body: &HitBody) {
        if self.config.replication == Replication::Path {
            self.keep_copy(cx, body);
        }
    }

    /// Sends a copy to a random ultrapeer other than the one it came from.
    /// False when there is none.
    fn step_copy(
        &self,
        cx: &mut Cx<'_, Self>,
        from: Addr,
        guid: Guid,
        way: Way,
        body: Arc<HitBody>,
    ) -> bool {
        let ahead: Vec<Addr> = self.peers_of(Rank::Ultrapeer).filter(|a| *a != from).collect();
        if ahead.is_empty() {
            return false;
        }
        let to = ahead[cx.rng().random_range(0..ahead.len())];
        cx.send(to, Message::Copy { guid, way, body });
        true
    }

    pub(super) fn on_copy(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Addr,
        guid: Guid,
        way: Way,
        body: Arc<HitBody>,
    ) {
        let wanted = self.config.replication == Replication::Random && self.linked(from);
        let Some(way) = way.arrived(self.config.copy_steps) else { return };
        if !wanted || !self.load.accept(self.config.capacity_per_s, cx.now()) {
            return;
        }
        if way.ttl == 0 || !self.step_copy(cx, from, guid, way, body.clone()) {
            self.keep_copy(cx, &body);
        }
    }
}
