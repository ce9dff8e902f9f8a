//! Query and QueryHit as they pass through a servent.

use std::sync::Arc;

use super::message::{Flags, Message};
use super::qrp::Products;
use super::{Gnutella06, Rank};
use crate::parts::servent::{Guid, HitBody, Way};
use crate::seam::{Addr, Cx, Target};

/// The mark of a query that this servent sends on itself, step by step: no
/// duplicate of it is passed on.
pub(super) const OWN: u16 = u16::MAX;

/// A query on its way.
#[derive(Clone, Debug)]
pub(super) struct Passing {
    pub guid: Guid,
    pub flags: Flags,
    pub target: Target,
    pub products: Products,
}

impl Gnutella06 {
    pub(super) fn on_query(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Addr,
        guid: Guid,
        way: Way,
        flags: Flags,
        target: Target,
    ) {
        let Some(link) = self.links.iter().find(|l| l.peer == from) else { return };
        let from_rank = link.rank;
        // The hop from the leaf comes on top of those between ultrapeers.
        let Some(way) = way.arrived(self.config.max_ttl.saturating_add(1)) else { return };
        if !self.load.accept(self.config.capacity_per_s, cx.now()) {
            return;
        }
        let fresh = self.queries.remember(guid, from, cx.now());
        if fresh {
            self.answer(cx, from, guid, way, &target);
        }
        if self.rank == Rank::Leaf {
            return;
        }
        let products = Products::of(&target);
        let query = Passing { guid, flags, target, products };
        if from_rank == Rank::Leaf {
            return self.search_for_leaf(cx, from, query, way.hops, fresh);
        }
        // How far this copy can go from here. A later one that can go farther
        // is passed on again, to ultrapeers alone.
        let reach = u16::from(way.ttl) + 1;
        let Some(reached) = self.queries.used_mut(guid) else { return };
        if reach <= *reached {
            return;
        }
        *reached = reach;
        if fresh {
            self.to_leaves(cx, from, &query, way.hops);
        }
        if way.ttl > 0 {
            self.to_ultrapeers(cx, from, &query, way);
        }
    }

    /// Passes a query on to the leaves that may have something. Returns how
    /// many that are.
    pub(super) fn to_leaves(
        &self,
        cx: &mut Cx<'_, Self>,
        from: Addr,
        query: &Passing,
        hops: u8,
    ) -> usize {
        let mut sent = 0;
        for link in self.links.iter().filter(|l| l.rank == Rank::Leaf && l.peer != from) {
            if link.may_match(&query.products) {
                self.send_query(cx, link.peer, query, Way { ttl: 1, hops });
                sent += 1;
            }
        }
        sent
    }

    /// Passes a query on to the other ultrapeers: on the last hop, only to
    /// those behind which something may be found.
    fn to_ultrapeers(&self, cx: &mut Cx<'_, Self>, from: Addr, query: &Passing, way: Way) {
        for link in self.links.iter().filter(|l| l.rank == Rank::Ultrapeer && l.peer != from) {
            if way.ttl > 1 || link.may_match(&query.products) {
                self.send_query(cx, link.peer, query, way);
            }
        }
    }

    pub(super) fn send_query(&self, cx: &mut Cx<'_, Self>, to: Addr, query: &Passing, way: Way) {
        let (guid, flags, target) = (query.guid, query.flags, query.target.clone());
        cx.send(to, Message::Query { guid, way, flags, target });
    }

    /// The way of a hit: a little longer than that of the query, since the
    /// copy that came here may have overtaken the one that laid the way back.
    fn way_back(&self, way: Way) -> Way {
        Way::start(way.hops.saturating_add(self.config.max_ttl))
    }

    /// Sends a QueryHit the way the query came, if anything matches. Returns
    /// how many records it had.
    pub(super) fn answer(
        &mut self,
        cx: &mut Cx<'_, Self>,
        to: Addr,
        guid: Guid,
        way: Way,
        target: &Target,
    ) -> u32 {
        for body in self.copies.matching(target, cx.now()) {
            if body.provider != self.me {
                cx.send(to, Message::QueryHit { guid, way: self.way_back(way), body });
            }
        }
        let records = self.shares.matching(target, usize::from(self.config.max_records));
        let count = records.len() as u32;
        if count > 0 {
            let speed = self.upload_kbps;
            let body = HitBody::new(self.me, speed, self.firewalled, self.servent, records);
            let way = self.way_back(way);
            cx.send(to, Message::QueryHit { guid, way, body: Arc::new(body) });
        }
        count
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
        }
        self.count_hits(guid, body.records().len());
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
