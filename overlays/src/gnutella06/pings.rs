//! Ping and Pong: who else is there. Pings are never passed on; each servent
//! answers from its cache.

use super::links::{Link, State};
use super::message::Message;
use super::{Gnutella06, Rank, Timer};
use crate::parts::servent::{Guid, PongHost, Way};
use crate::seam::{Addr, Cx};
use rand::seq::SliceRandom as _;

/// Leaves that an ultrapeer which knows few others tells of in an answer.
const LEAF_PONGS: usize = 3;

impl Gnutella06 {
    /// Sends a ping to one peer.
    pub(super) fn ping(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        let guid = Guid::fresh(cx.rng());
        self.pings.remember(guid, self.me, cx.now());
        cx.send(peer, Message::Ping { guid, way: Way::start(1) });
    }

    /// The periodic round: pings, missing links, and what nobody came back for.
    pub(super) fn on_upkeep(&mut self, cx: &mut Cx<'_, Self>) {
        cx.wake_upkeep(self.config.ping_interval, Timer::Upkeep);
        self.dials_left = self.config.dials_per_interval;
        self.drop_stale_greetings(cx.now());
        if self.state != State::Member {
            return;
        }
        let mut peers: Vec<Addr> = self.peers_of(Rank::Ultrapeer).collect();
        if peers.is_empty() {
            // Its leaves may know of others.
            peers.extend(self.peers_of(Rank::Leaf));
        }
        peers.shuffle(cx.rng());
        for peer in peers.into_iter().take(self.config.pings as usize) {
            self.ping(cx, peer);
        }
        // An ultrapeer without others may have founded one network of two.
        if self.ultrapeers() == 0 {
            self.learn_contacts(cx);
        }
        self.update_web_cache(cx);
        self.offer_due = true;
        self.ask_for_guidance(cx);
        self.refill(cx);
        self.try_lost_peer(cx);
    }

    pub(super) fn on_ping(&mut self, cx: &mut Cx<'_, Self>, from: Addr, guid: Guid, way: Way) {
        let spacing = self.config.ping_spacing;
        let now = cx.now();
        let Some(link) = self.links.iter_mut().find(|l| l.peer == from) else { return };
        if way.ttl == 0 || now < link.next_ping_at {
            return;
        }
        link.next_ping_at = now + spacing;
        if !self.load.accept(self.config.capacity_per_s, now) {
            return;
        }
        if self.takes_newcomers() {
            let files = u32::try_from(self.shares.count()).unwrap_or(u32::MAX);
            // A power of two, at least 8, is the mark of an ultrapeer.
            let kilobytes = self.shares.kilobytes().max(8);
            let kilobytes = kilobytes.checked_next_power_of_two().unwrap_or(1 << 31);
            let host = PongHost { addr: self.me, files, kilobytes };
            cx.send(from, Message::Pong { guid, way: Way::start(1), host });
        }
        let count = self.config.cached_pongs as usize;
        let pongs = self.hosts.spread(cx.rng(), now, count, u8::MAX - 1, |a| a != from);
        let known = pongs.len();
        for (host, hops) in pongs {
            // Each looks as if it had just come from as far as it did.
            cx.send(from, Message::Pong { guid, way: Way { ttl: 1, hops }, host });
        }
        self.answer_with_leaves(cx, from, guid, count.saturating_sub(known).min(LEAF_PONGS));
    }

    /// An ultrapeer that knows few others tells of its leaves: one of them may
    /// have to be the next. Their pongs do not have the mark.
    fn answer_with_leaves(&self, cx: &mut Cx<'_, Self>, to: Addr, guid: Guid, count: usize) {
        let fits = |l: &&Link| l.rank == Rank::Leaf && l.reachable && l.peer != to;
        let mut leaves: Vec<Addr> = self.links.iter().filter(fits).map(|l| l.peer).collect();
        leaves.shuffle(cx.rng());
        for addr in leaves.into_iter().take(count) {
            let host = PongHost { addr, files: 0, kilobytes: 0 };
            cx.send(to, Message::Pong { guid, way: Way { ttl: 1, hops: 1 }, host });
        }
    }

    pub(super) fn on_pong(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Addr,
        guid: Guid,
        way: Way,
        host: PongHost,
    ) {
        let Some(way) = way.arrived(u8::MAX) else { return };
        if self.linked(from) && self.pings.via(guid).is_some() && host.addr != self.me {
            let fit_until = cx.now() + self.config.pong_lifetime;
            if host.is_of_ultrapeer() {
                self.hosts.learn_pong(host, way.hops, fit_until, cx.now());
            } else if self.rank == Rank::Leaf {
                self.hosts.learn_leaf(host, way.hops, fit_until, cx.now());
            }
        }
    }
}
