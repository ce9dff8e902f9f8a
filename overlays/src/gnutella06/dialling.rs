//! The handshake from both sides: dialling, being dialled, and what comes of it.

use rand::seq::SliceRandom as _;

use super::handshake::Headers;
use super::links::State;
use super::message::Message;
use super::{Gnutella06, Rank, Timer};
use crate::parts::servent::MAX_TRY;
use crate::seam::{Addr, Cx, Time};

/// Handshakes that an acceptor has open at most.
const MAX_GREETED: usize = 64;

/// Agreed.
const OK: u16 = 200;
/// No room, or not the right one to ask.
const UNAVAILABLE: u16 = 503;

/// A host that was sent the first block of a handshake.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dial {
    pub peer: Addr,
    pub since: Time,
    /// Whether as an ultrapeer.
    pub offered: bool,
}

/// A host that was sent the second block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Greeted {
    pub peer: Addr,
    pub since: Time,
}

impl Gnutella06 {
    pub(super) fn dialling(&self, peer: Addr) -> bool {
        self.dials.iter().any(|d| d.peer == peer)
    }

    /// Breaks off all handshakes.
    pub(super) fn drop_handshakes(&mut self, cx: &mut Cx<'_, Self>) {
        let dialled = self.dials.drain(..).map(|dial| dial.peer);
        let peers: Vec<Addr> = dialled.chain(self.greeted.drain(..).map(|g| g.peer)).collect();
        peers.into_iter().for_each(|peer| cx.close(peer));
    }

    /// The headers of this servent.
    fn headers(&self, ultrapeer: bool) -> Headers {
        Headers {
            ultrapeer: Some(ultrapeer),
            listen: (!self.firewalled).then_some(self.me),
            degree: ultrapeer.then_some(self.config.degree as u8),
            max_ttl: ultrapeer.then_some(self.config.max_ttl),
            ..Headers::default()
        }
    }

    pub(super) fn dial(&mut self, cx: &mut Cx<'_, Self>, peer: Addr, offered: bool) {
        self.dials_left = self.dials_left.saturating_sub(1);
        self.dials.push(Dial { peer, since: cx.now(), offered });
        self.hosts.defer(peer, cx.now() + self.config.ping_interval);
        let mut headers = Box::new(self.headers(offered));
        // A leaf that has no ultrapeer says so.
        headers.ultrapeer_needed = (!offered && self.is_stranded()).then_some(true);
        cx.send(peer, Message::Connect { headers });
        cx.wake(self.config.connect_timeout, Timer::Dial(peer));
    }

    /// Ends the attempt to reach `peer`, if there is one.
    pub(super) fn end_dial(&mut self, peer: Addr) -> Option<Dial> {
        let at = self.dials.iter().position(|d| d.peer == peer)?;
        Some(self.dials.swap_remove(at))
    }

    /// Ends the handshake that `peer` began, if there is one.
    pub(super) fn end_greeting(&mut self, peer: Addr) -> bool {
        let at = self.greeted.iter().position(|g| g.peer == peer);
        at.map(|at| self.greeted.swap_remove(at)).is_some()
    }

    /// The first block of a handshake.
    pub(super) fn on_connect(&mut self, cx: &mut Cx<'_, Self>, from: Addr, headers: &Headers) {
        if self.firewalled {
            // As if the connection could not be opened.
            return cx.close(from);
        }
        let offered = headers.ultrapeer == Some(true);
        let seeks_guidance = offered && self.is_among_ultrapeers(from);
        if self.linked(from) && !seeks_guidance {
            // The other side must have forgotten; it dials again after this.
            self.remove_link(cx, from);
            return cx.close(from);
        }
        if self.dialling(from) {
            // Both dial: the lower address goes on, the other gives way.
            if self.me < from {
                return;
            }
            self.end_dial(from);
        }
        if self.state != State::Member || self.greeted.len() >= MAX_GREETED {
            return self.turn_away(cx, from, None);
        }
        if self.rank == Rank::Leaf && self.links.is_empty() {
            // Whoever asks may be all that is left of a network, too.
            self.become_ultrapeer(cx);
        }
        if self.rank == Rank::Leaf {
            return self.turn_away(cx, from, None);
        }
        let needed = self.needs_ultrapeers();
        let stranded = !offered && headers.ultrapeer_needed == Some(true);
        let as_leaf = self.config.takes_leaf(self.leaves(), stranded);
        let as_ultrapeer = offered && (seeks_guidance || self.has_room(Rank::Ultrapeer));
        if !(as_ultrapeer || as_leaf && !(offered && needed)) {
            return self.turn_away(cx, from, Some(needed || !as_leaf));
        }
        self.greeted.retain(|g| g.peer != from);
        self.greeted.push(Greeted { peer: from, since: cx.now() });
        let mut answer = self.headers(true);
        answer.ultrapeer_needed = Some(needed || !as_leaf);
        cx.send(from, Message::Answer { code: OK, headers: Box::new(answer) });
    }

    /// Refuses a handshake. If it gave way to it, it dials another itself.
    fn turn_away(&mut self, cx: &mut Cx<'_, Self>, from: Addr, needed: Option<bool>) {
        self.refuse(cx, from, needed);
        self.refill(cx);
    }

    /// Refuses a handshake and names hosts to try instead.
    fn refuse(&mut self, cx: &mut Cx<'_, Self>, to: Addr, needed: Option<bool>) {
        let mut headers = self.headers(self.rank == Rank::Ultrapeer);
        headers.ultrapeer_needed = needed;
        // Those it is linked with are surely there; pongs tell of others.
        let mut hosts: Vec<Addr> = self.peers_of(Rank::Ultrapeer).filter(|a| *a != to).collect();
        hosts.shuffle(cx.rng());
        hosts.truncate(MAX_TRY / 2);
        let fits = |a| a != to && !hosts.contains(&a);
        let more = self.hosts.sample(cx.rng(), MAX_TRY, fits);
        hosts.extend(more);
        hosts.truncate(MAX_TRY);
        headers.try_ultrapeers = hosts;
        cx.send(to, Message::Answer { code: UNAVAILABLE, headers: Box::new(headers) });
    }

    /// The second block of a handshake, or the third.
    pub(super) fn on_answer(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Addr,
        code: u16,
        headers: &Headers,
    ) {
        if let Some(dial) = self.end_dial(from) {
            self.learn_hosts(&headers.try_ultrapeers);
            if code == OK && (!self.linked(from) || self.is_among_ultrapeers(from)) {
                self.agree(cx, from, dial.offered, headers);
            } else {
                self.on_refused(cx, from, dial.offered, headers);
            }
        } else if self.end_greeting(from) {
            let rank = if headers.ultrapeer == Some(true) { Rank::Ultrapeer } else { Rank::Leaf };
            if code != OK || self.linked(from) && !self.is_among_ultrapeers(from) {
                return;
            }
            if self.linked(from) {
                if rank == Rank::Ultrapeer {
                    return;
                }
                // It was told to step down, and does.
                self.remove_link(cx, from);
            }
            if self.rank == Rank::Ultrapeer && self.has_room(rank) {
                self.add_link(cx, from, rank, headers);
            } else {
                self.say_bye(cx, from, UNAVAILABLE, &[]);
            }
        }
    }

    /// The acceptor agrees: the third block says as what the dialler comes.
    fn agree(&mut self, cx: &mut Cx<'_, Self>, from: Addr, offered: bool, headers: &Headers) {
        let is_ultrapeer = headers.ultrapeer == Some(true);
        if is_ultrapeer {
            self.follow_guidance(cx, from, offered, headers.ultrapeer_needed != Some(false));
        }
        let stays = self.linked(from);
        if !is_ultrapeer || !stays && !self.has_room(Rank::Ultrapeer) {
            let headers = Box::new(self.headers(self.rank == Rank::Ultrapeer));
            cx.send(from, Message::Answer { code: UNAVAILABLE, headers });
            cx.close(from);
            return self.refill(cx);
        }
        let answer = Box::new(self.headers(self.rank == Rank::Ultrapeer));
        cx.send(from, Message::Answer { code: OK, headers: answer });
        if stays {
            // The other side may have lost the link in the meantime.
            self.send_table(cx, from);
        } else {
            self.add_link(cx, from, Rank::Ultrapeer, headers);
        }
    }

    fn on_refused(&mut self, cx: &mut Cx<'_, Self>, from: Addr, offered: bool, headers: &Headers) {
        if headers.ultrapeer == Some(false) {
            // A leaf takes nobody.
            self.hosts.forget(from);
        }
        if headers.ultrapeer_needed == Some(true) && self.capable && !offered {
            self.needed_by = Some(from);
        }
        if !self.linked(from) {
            cx.close(from);
        }
        self.refill(cx);
    }

    pub(super) fn learn_hosts(&mut self, hosts: &[Addr]) {
        for host in hosts.iter().take(MAX_TRY).filter(|a| **a != self.me) {
            self.hosts.learn(*host);
        }
    }

    pub(super) fn on_dial_timeout(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        self.no_answer_of_cache(cx, peer);
        let timeout = self.config.connect_timeout;
        let over = |d: &Dial| d.peer == peer && cx.now().since(d.since) >= timeout;
        if self.dials.iter().any(over) {
            self.end_dial(peer);
            let was_linked = self.remove_link(cx, peer);
            self.unreachable(peer);
            cx.close(peer);
            self.look_at_once(cx, was_linked);
        }
    }

    /// Forgets handshakes that the dialler has not confirmed in time.
    pub(super) fn drop_stale_greetings(&mut self, now: Time) {
        let timeout = self.config.connect_timeout;
        self.greeted.retain(|g| now.since(g.since) < timeout);
    }
}
