//! Permanent peers: the handshake, refilling, and coming and going.

use std::sync::Arc;

use super::message::Message;
use super::{Gnutella, Timer};
use crate::parts::servent::{ByeBody, Guid, MAX_TRY};
use crate::seam::{Addr, Cx, Note, OpId, Outcome, Reason, Time};

/// Known members that are remembered from `join`.
const MAX_CONTACTS: usize = 8;

/// No room for another permanent peer.
const NO_ROOM: u16 = 503;
/// Bye: the user's wish.
const LEAVING: u16 = 200;
/// Bye: a newcomer takes the place.
const MAKING_ROOM: u16 = 201;

/// Whether the servent is part of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Outside,
    Joining {
        op: OpId,
        /// Rounds through the contacts that are left.
        tries: u32,
    },
    Member,
}

/// A permanent peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub peer: Addr,
    /// A small number no other link has, so that a set of links is a few bits.
    pub slot: u8,
    /// Before this, further pings from it are dropped.
    pub next_ping_at: Time,
}

/// A host that was sent a Connect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dial {
    pub peer: Addr,
    pub since: Time,
}

impl Gnutella {
    #[inline]
    pub(super) fn linked(&self, peer: Addr) -> bool {
        self.links.iter().any(|l| l.peer == peer)
    }

    fn dialling(&self, peer: Addr) -> bool {
        self.dials.iter().any(|d| d.peer == peer)
    }

    /// Whether it would take a newcomer, now or by making room: only then does
    /// it answer pings with its own address.
    pub(super) fn takes_newcomers(&self) -> bool {
        let room = self.config.make_room || self.links.len() < self.config.most_links();
        room && !self.firewalled && self.state == State::Member
    }

    pub(super) fn enter(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: &[Addr]) {
        if self.state != State::Outside {
            let outcome = match self.state {
                State::Member => Outcome::Done,
                _ => Outcome::Failed(Reason::Refused),
            };
            return cx.finish(op, outcome);
        }
        self.start_upkeep(cx);
        if via.is_empty() {
            self.state = State::Member;
            return cx.finish(op, Outcome::Done);
        }
        self.state = State::Joining { op, tries: self.config.join_tries };
        self.contacts = via.iter().copied().filter(|a| *a != self.me).take(MAX_CONTACTS).collect();
        self.learn_contacts();
        self.refill(cx);
    }

    /// Puts the contacts among the hosts to dial, whatever became of earlier
    /// attempts.
    pub(super) fn learn_contacts(&mut self) {
        for contact in self.contacts.iter().copied().chain(self.lost.addrs()) {
            // Taken out first, so that an earlier refusal does not count.
            self.hosts.forget(contact);
            self.hosts.learn(contact);
        }
    }

    /// Tries to reach a peer again whose link broke, though no link is missing.
    pub(super) fn try_lost_peer(&mut self, cx: &mut Cx<'_, Self>) {
        let now = cx.now();
        let Some(peer) = self.lost.due(cx.rng(), now, self.config.lost_interval) else { return };
        if !self.linked(peer) && !self.dialling(peer) {
            self.dial(cx, peer);
        }
    }

    /// Says goodbye to all and forgets the network.
    pub(super) fn quit(&mut self, cx: &mut Cx<'_, Self>) {
        if let State::Joining { op, .. } = self.state {
            cx.finish(op, Outcome::Failed(Reason::NotJoined));
        }
        self.state = State::Outside;
        self.end_searches(cx);
        while let Some(link) = self.links.pop() {
            self.say_bye(cx, link.peer, LEAVING, &[]);
        }
        while let Some(dial) = self.dials.pop() {
            cx.close(dial.peer);
        }
        self.parked.clear();
        self.lost.clear();
    }

    fn say_bye(&mut self, cx: &mut Cx<'_, Self>, peer: Addr, code: u16, hosts: &[Addr]) {
        let guid = Guid::fresh(cx.rng());
        let body = Arc::new(ByeBody { code, hosts: hosts.into() });
        cx.send(peer, Message::Bye { guid, body });
        cx.close(peer);
    }

    /// Dials hosts from the cache, chosen at random, while permanent peers are
    /// missing.
    ///
    /// At most half of the missing ones at a time: a full servent that makes
    /// room brings two.
    pub(super) fn refill(&mut self, cx: &mut Cx<'_, Self>) {
        let missing = (self.config.degree as usize).saturating_sub(self.links.len());
        let at_once = match self.state {
            State::Outside => 0,
            State::Joining { .. } => 1,
            State::Member => missing.div_ceil(2),
        };
        while self.dials.len() < at_once && self.dials_left > 0 {
            let me = self.me;
            let fits = |a| a != me && !self.linked(a) && !self.dialling(a);
            let now = cx.now();
            let Some(peer) = self.hosts.pick(cx.rng(), now, fits) else { break };
            self.dial(cx, peer);
        }
        if let State::Joining { op, tries } = self.state
            && self.dials.is_empty()
        {
            self.try_contacts_again(cx, op, tries);
        }
    }

    /// Nobody known took the newcomer in. Contacts that are there may do so
    /// later; those that could not be reached are no longer among them.
    fn try_contacts_again(&mut self, cx: &mut Cx<'_, Self>, op: OpId, tries: u32) {
        if tries > 1 && !self.contacts.is_empty() {
            self.state = State::Joining { op, tries: tries - 1 };
            cx.wake(self.config.join_retry, Timer::Choose);
        } else {
            self.state = State::Outside;
            cx.finish(op, Outcome::Failed(Reason::NoContact));
        }
    }

    /// It is time to choose permanent peers: among the senders of pongs, or,
    /// as long as there is no link to get pongs through, once more among the
    /// contacts.
    pub(super) fn choose(&mut self, cx: &mut Cx<'_, Self>) {
        if matches!(self.state, State::Joining { .. }) && self.dials.is_empty() {
            self.dials_left = self.config.dials_per_interval;
            self.learn_contacts();
        }
        self.refill(cx);
    }

    /// Strikes off a host that could not be reached.
    fn unreachable(&mut self, peer: Addr) {
        self.hosts.forget(peer);
        if matches!(self.state, State::Joining { .. }) {
            self.contacts.retain(|c| *c != peer);
        }
    }

    fn dial(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        let links = self.links.len() + self.dials.len();
        self.dials_left = self.dials_left.saturating_sub(1);
        self.dials.push(Dial { peer, since: cx.now() });
        self.hosts.defer(peer, cx.now() + self.config.ping_interval);
        cx.send(peer, Message::Connect { links: u8::try_from(links).unwrap_or(u8::MAX) });
        cx.wake(self.config.connect_timeout, Timer::Dial(peer));
    }

    /// Ends the attempt to reach `peer`, if there is one.
    fn end_dial(&mut self, peer: Addr) -> bool {
        let at = self.dials.iter().position(|d| d.peer == peer);
        at.map(|at| self.dials.swap_remove(at)).is_some()
    }

    fn add_link(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        self.end_dial(peer);
        let free = |slot: &u8| !self.links.iter().any(|l| l.slot == *slot);
        let slot = (0..u8::MAX).find(free).expect("there are at most 16 links");
        self.links.push(Link { peer, slot, next_ping_at: Time::ZERO });
        self.lost.found(peer);
        cx.note(|| Note::TableChange { table: "link", slot: u32::from(slot), peer: Some(peer) });
        if let State::Joining { op, .. } = self.state {
            self.state = State::Member;
            cx.finish(op, Outcome::Done);
            self.ping(cx, peer);
            cx.wake(self.config.pong_wait, Timer::Choose);
        }
    }

    fn remove_link(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) -> bool {
        let Some(at) = self.links.iter().position(|l| l.peer == peer) else { return false };
        let slot = u32::from(self.links.swap_remove(at).slot);
        cx.note(|| Note::TableChange { table: "link", slot, peer: None });
        true
    }

    pub(super) fn on_connect(&mut self, cx: &mut Cx<'_, Self>, from: Addr, its_links: u8) {
        if self.firewalled {
            // As if the connection could not be opened.
            return cx.close(from);
        }
        if self.state != State::Member {
            let hosts: Arc<[Addr]> = Arc::new([]);
            return cx.send(from, Message::Refuse { code: NO_ROOM, hosts });
        }
        // One that was cut off gets its place back.
        let needy = u32::from(its_links) + 2 <= self.config.degree || self.lost.contains(from);
        let room = self.links.len() < self.config.most_links();
        if self.linked(from) || room || (needy && self.config.make_room) {
            if !self.linked(from) && !room {
                self.make_room(cx, from);
            }
            let links = u8::try_from(self.links.len()).unwrap_or(u8::MAX);
            cx.send(from, Message::Accept { links });
            if !self.linked(from) {
                self.add_link(cx, from);
            }
        } else {
            let hosts = self.hosts.sample(cx.rng(), MAX_TRY, |a| a != from).into();
            cx.send(from, Message::Refuse { code: NO_ROOM, hosts });
        }
    }

    /// Gives up a random permanent peer and points it to the newcomer.
    fn make_room(&mut self, cx: &mut Cx<'_, Self>, newcomer: Addr) {
        use rand::RngExt as _;
        if self.links.is_empty() {
            return;
        }
        let victim = self.links[cx.rng().random_range(0..self.links.len())].peer;
        self.remove_link(cx, victim);
        self.say_bye(cx, victim, MAKING_ROOM, &[newcomer]);
    }

    pub(super) fn on_accept(&mut self, cx: &mut Cx<'_, Self>, from: Addr) {
        if self.linked(from) {
            self.end_dial(from);
            return;
        }
        let awaited = self.end_dial(from);
        if awaited && self.links.len() >= self.config.most_links() && self.lost.contains(from) {
            self.make_room(cx, from);
        }
        if awaited && self.links.len() < self.config.most_links() {
            self.add_link(cx, from);
            if self.links.len() > 1 {
                self.refill(cx);
            }
        } else {
            // The other side counts the link already, so it must be told.
            self.say_bye(cx, from, LEAVING, &[]);
        }
    }

    pub(super) fn on_refuse(&mut self, cx: &mut Cx<'_, Self>, from: Addr, hosts: &[Addr]) {
        if !self.end_dial(from) {
            return;
        }
        self.learn_hosts(hosts);
        if !self.linked(from) {
            cx.close(from);
        }
        self.refill(cx);
    }

    fn learn_hosts(&mut self, hosts: &[Addr]) {
        for host in hosts.iter().take(MAX_TRY).filter(|a| **a != self.me) {
            self.hosts.learn(*host);
        }
    }

    pub(super) fn on_bye(&mut self, cx: &mut Cx<'_, Self>, from: Addr, body: &ByeBody) {
        let was_linked = self.remove_link(cx, from);
        if !was_linked && !self.end_dial(from) {
            return;
        }
        cx.close(from);
        self.learn_hosts(&body.hosts);
        if body.code == LEAVING {
            self.hosts.forget(from);
            self.lost.found(from);
        }
        let newcomer = body.hosts.first().copied();
        let fits = |a: Addr| a != self.me && !self.linked(a) && !self.dialling(a);
        let missing = self.links.len() + self.dials.len() < self.config.degree as usize;
        if let Some(peer) = newcomer.filter(|a| fits(*a))
            && missing
            && self.state == State::Member
            && self.dials_left > 0
        {
            self.dial(cx, peer);
        }
        self.refill(cx);
    }

    pub(super) fn on_dial_timeout(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        let timeout = self.config.connect_timeout;
        let over = |d: &Dial| d.peer == peer && cx.now().since(d.since) >= timeout;
        if self.dials.iter().any(over) {
            self.end_dial(peer);
            self.unreachable(peer);
            cx.close(peer);
            self.refill(cx);
        }
    }

    pub(super) fn on_stream_lost(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        self.parked.retain(|p| p.originator() != Some(peer));
        let was_linked = self.remove_link(cx, peer);
        if was_linked && self.state == State::Member {
            let now = cx.now();
            self.lost.note(peer, cx.rng(), now, self.config.lost_interval);
        }
        let was_dialled = self.end_dial(peer);
        if was_linked || was_dialled {
            self.unreachable(peer);
            self.refill(cx);
        }
    }

    /// Closes a stream that was opened for one exchange, unless it serves a
    /// link as well.
    pub(super) fn close_unless_linked(&self, cx: &mut Cx<'_, Self>, peer: Addr) {
        if !self.linked(peer) && !self.dialling(peer) {
            cx.close(peer);
        }
    }
}
