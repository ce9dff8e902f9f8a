//! Query and QueryHit as every servent passes and answers them.

use std::sync::Arc;

use super::Gnutella;
use super::message::Message;
use crate::parts::servent::{Guid, HitBody, Way};
use crate::seam::{Addr, Cx, Target};

impl Gnutella {
    /// Answers a query and passes it on, in any case, to all permanent peers
    /// but the one it came from.
    pub(super) fn on_query(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Addr,
        guid: Guid,
        way: Way,
        min_speed_kbps: u16,
        target: Target,
    ) {
        if !self.linked(from) {
            return;
        }
        let Some(way) = way.arrived(self.config.max_ttl) else { return };
        if !self.load.accept(self.config.capacity_per_s, cx.now()) {
            return;
        }
        if !self.queries.remember(guid, from, cx.now()) {
            return;
        }
        self.answer(cx, from, guid, way, min_speed_kbps, &target);
        if way.ttl > 0 {
            for link in self.links.iter().filter(|l| l.peer != from) {
                let target = target.clone();
                cx.send(link.peer, Message::Query { guid, way, min_speed_kbps, target });
            }
        }
    }

    /// Sends a QueryHit the way the query came, if anything matches.
    pub(super) fn answer(
        &mut self,
        cx: &mut Cx<'_, Self>,
        to: Addr,
        guid: Guid,
        way: Way,
        min_speed_kbps: u16,
        target: &Target,
    ) {
        for body in self.copies.matching(target, cx.now()) {
            if body.speed_kbps >= u32::from(min_speed_kbps) && body.provider != self.me {
                cx.send(to, Message::QueryHit { guid, way: Way::start(way.hops), body });
            }
        }
        if self.upload_kbps < u32::from(min_speed_kbps) {
            return;
        }
        let records = self.shares.matching(target, usize::from(self.config.max_records));
        if records.is_empty() {
            return;
        }
        let body = HitBody::new(self.me, self.upload_kbps, self.firewalled, self.servent, records);
        let way = Way::start(way.hops);
        cx.send(to, Message::QueryHit { guid, way, body: Arc::new(body) });
    }

    /// Takes a hit that answers a search of this servent, or passes it back
    /// along the path of its query. A hit for an unknown query is dropped.
    pub(super) fn on_hit(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Addr,
        guid: Guid,
        way: Way,
        body: Arc<HitBody>,
    ) {
        let Some(way) = way.arrived(u8::MAX) else { return };
        if !self.linked(from) {
            return;
        }
        if body.push {
            self.servents.update(body.servent, from, cx.now());
        } else if body.provider != self.me {
            self.hosts.learn_in_passing(body.provider);
        }
        if let Some(at) = self.search_with(guid) {
            self.take_hit(cx, at, from, way, &body);
        } else if let Some(via) = self.queries.via(guid)
            && via != from
            && way.ttl > 0
            && self.linked(via)
        {
            self.copy_passing(cx, &body);
            cx.send(via, Message::QueryHit { guid, way, body });
        }
    }
}
