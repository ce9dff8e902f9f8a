//! Ping and Pong: who else is there.

use super::links::State;
use super::message::Message;
use super::{Gnutella, Timer};
use crate::parts::servent::{Guid, PongHost, Way};
use crate::seam::{Addr, Cx};

impl Gnutella {
    /// Sends a ping of its own to one permanent peer.
    pub(super) fn ping(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        let guid = Guid::fresh(cx.rng());
        self.pings.remember(guid, self.me, cx.now());
        cx.send(peer, Message::Ping { guid, way: Way::start(self.config.ping_ttl) });
    }

    /// The periodic pings; also the time to look for missing permanent peers
    /// and to clear away what nobody came back for.
    pub(super) fn on_upkeep(&mut self, cx: &mut Cx<'_, Self>) {
        cx.wake_upkeep(self.config.ping_interval, Timer::Upkeep);
        self.dials_left = self.config.dials_per_interval;
        self.drop_stale_walkers(cx.now());
        if self.state != State::Member {
            return;
        }
        // Flooded pings are costly, so without caches a full servent sends
        // none: its streams tell it of losses.
        let missing = self.links.len() < self.config.degree as usize;
        if self.config.pong_caching || missing {
            for i in 0..self.links.len() {
                self.ping(cx, self.links[i].peer);
            }
        }
        if self.links.is_empty() {
            self.learn_contacts();
        }
        self.refill(cx);
        self.try_lost_peer(cx);
    }

    pub(super) fn on_ping(&mut self, cx: &mut Cx<'_, Self>, from: Addr, guid: Guid, way: Way) {
        let spacing = self.config.ping_spacing;
        let now = cx.now();
        let Some(link) = self.links.iter_mut().find(|l| l.peer == from) else { return };
        let Some(way) = way.arrived(self.config.max_ttl) else { return };
        if self.config.pong_caching {
            if now < link.next_ping_at {
                return;
            }
            link.next_ping_at = now + spacing;
        }
        if !self.load.accept(self.config.capacity_per_s, now) {
            return;
        }
        if self.config.pong_caching {
            self.answer_from_cache(cx, from, guid, way);
        } else if self.pings.remember(guid, from, now) {
            self.answer_with_own_pong(cx, from, guid, way);
            if way.ttl > 0 {
                for link in self.links.iter().filter(|l| l.peer != from) {
                    cx.send(link.peer, Message::Ping { guid, way });
                }
            }
        }
    }

    fn answer_with_own_pong(&self, cx: &mut Cx<'_, Self>, to: Addr, guid: Guid, way: Way) {
        if self.takes_newcomers() {
            let files = u32::try_from(self.shares.count()).unwrap_or(u32::MAX);
            let host = PongHost { addr: self.me, files, kilobytes: self.shares.kilobytes() };
            cx.send(to, Message::Pong { guid, way: Way::start(way.hops), host });
        }
    }

    /// Its own pong and cached ones of hosts that the ping could have reached,
    /// each looking as if it had just come from as far as it did.
    fn answer_from_cache(&mut self, cx: &mut Cx<'_, Self>, to: Addr, guid: Guid, way: Way) {
        self.answer_with_own_pong(cx, to, guid, way);
        let count = self.config.cached_pongs as usize;
        let now = cx.now();
        let pongs = self.hosts.spread(cx.rng(), now, count, way.ttl, |a| a != to);
        for (host, hops) in pongs {
            cx.send(to, Message::Pong { guid, way: Way { ttl: way.hops, hops }, host });
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
        if !self.linked(from) {
            return;
        }
        let Some(via) = self.pings.via(guid) else { return };
        if host.addr != self.me {
            let fit_until = cx.now() + self.config.pong_lifetime;
            self.hosts.learn_pong(host, way.hops, fit_until, cx.now());
        }
        if via != from && way.ttl > 0 && self.linked(via) {
            cx.send(via, Message::Pong { guid, way, host });
        }
    }
}
