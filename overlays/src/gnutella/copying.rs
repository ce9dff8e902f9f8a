//! Keeping copies of what searches find (Lv et al., ICS 2002, §5).

use std::sync::Arc;

use rand::RngExt as _;

use super::Gnutella;
use super::message::Message;
use crate::parts::servent::{Guid, HitBody, Replication, Way};
use crate::seam::{Addr, Cause, Cx};

impl Gnutella {
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
            Replication::Owner | Replication::Path => self.copies.keep(body, cx.now()),
            Replication::Random => {
                // They are on nobody's account: the search is over.
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
            self.copies.keep(body, cx.now());
        }
    }

    /// Sends a copy to a random peer other than the one it came from.
    fn step_copy(
        &self,
        cx: &mut Cx<'_, Self>,
        from: Addr,
        guid: Guid,
        way: Way,
        body: Arc<HitBody>,
    ) {
        let ahead = self.links.iter().filter(|l| l.peer != from);
        let count = ahead.clone().count();
        if count > 0 {
            let chosen = cx.rng().random_range(0..count);
            if let Some(link) = ahead.clone().nth(chosen) {
                cx.send(link.peer, Message::Copy { guid, way, body });
            }
        }
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
        if way.ttl > 0 && self.links.len() > 1 {
            self.step_copy(cx, from, guid, way, body);
        } else {
            self.copies.keep(&body, cx.now());
        }
    }
}
