//! Links: having room for them, refilling, and coming and going.

use std::sync::Arc;

use super::handshake::Headers;
use super::message::Message;
use super::qrp::{Incoming, Products};
use super::{Gnutella06, Rank, Timer};
use crate::parts::servent::{ByeBody, Guid, MAX_TRY};
use crate::seam::{Addr, Cx, Note, OpId, Outcome, Reason, Time};

/// Known members that are remembered from `join`.
pub(super) const MAX_CONTACTS: usize = 8;

/// Bye: the user's wish.
const LEAVING: u16 = 200;

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

/// A link to another servent.
#[derive(Debug)]
pub(super) struct Link {
    pub peer: Addr,
    /// What the other side is.
    pub rank: Rank,
    /// Whether it accepts connections.
    pub reachable: bool,
    /// Links that it keeps to other ultrapeers, as it said.
    pub degree: u8,
    /// Highest TTL that it lets pass, as it said.
    pub max_ttl: u8,
    /// Before this, further pings from it are dropped.
    pub next_ping_at: Time,
    /// The table that it sent.
    pub incoming: Option<Box<Incoming>>,
}

impl Link {
    pub fn new(peer: Addr, rank: Rank, reachable: bool, degree: u8, max_ttl: u8) -> Self {
        let next_ping_at = Time::ZERO;
        Self { peer, rank, reachable, degree, max_ttl, next_ping_at, incoming: None }
    }

    /// Whether something that matches may be found behind it. A leaf that has
    /// sent no table has nothing to offer; an ultrapeer may not know how.
    pub fn may_match(&self, query: &Products) -> bool {
        match &self.incoming {
            Some(incoming) => incoming.table().may_match(query),
            None => self.rank == Rank::Ultrapeer,
        }
    }

    /// Bytes of memory that its table takes.
    pub fn table_bytes(&self) -> usize {
        self.incoming.as_ref().map_or(0, |incoming| incoming.bytes())
    }
}

impl Gnutella06 {
    pub(super) fn linked(&self, peer: Addr) -> bool {
        self.links.iter().any(|l| l.peer == peer)
    }

    /// Whether both are ultrapeers, and linked.
    pub(super) fn is_among_ultrapeers(&self, peer: Addr) -> bool {
        self.rank == Rank::Ultrapeer
            && self.links.iter().any(|l| l.peer == peer && l.rank == Rank::Ultrapeer)
    }

    pub(super) fn leaves(&self) -> usize {
        self.links.iter().filter(|l| l.rank == Rank::Leaf).count()
    }

    pub(super) fn ultrapeers(&self) -> usize {
        self.links.len() - self.leaves()
    }

    /// Whether it can take another link to a servent of this rank.
    pub(super) fn has_room(&self, rank: Rank) -> bool {
        match (self.rank, rank) {
            (Rank::Leaf, Rank::Leaf) => false,
            (Rank::Leaf, Rank::Ultrapeer) => {
                self.ultrapeers() < self.config.leaf_ultrapeers as usize
            }
            (Rank::Ultrapeer, Rank::Leaf) => self.leaves() < self.config.leaves as usize,
            (Rank::Ultrapeer, Rank::Ultrapeer) => self.ultrapeers() < self.config.degree as usize,
        }
    }

    /// Whether it would take a newcomer: only then does it answer pings with
    /// its own address.
    pub(super) fn takes_newcomers(&self) -> bool {
        self.rank == Rank::Ultrapeer
            && self.state == State::Member
            && (self.has_room(Rank::Leaf) || self.has_room(Rank::Ultrapeer))
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
        self.rank = Rank::Leaf;
        self.table = Arc::new(self.fresh_table());
        if via.is_empty() {
            self.found(cx);
            return cx.finish(op, Outcome::Done);
        }
        self.state = State::Joining { op, tries: self.config.join_tries };
        self.contacts = via.iter().copied().filter(|a| *a != self.me).take(MAX_CONTACTS).collect();
        self.learn_contacts(cx);
        self.refill(cx);
    }

    /// Puts the contacts among the hosts to dial, whatever became of earlier
    /// attempts; or asks one of them, when they are web caches.
    pub(super) fn learn_contacts(&mut self, cx: &mut Cx<'_, Self>) {
        let are_web_caches = self.config.web_caches > 0;
        if are_web_caches {
            self.ask_web_cache(cx);
        }
        let contacts = if are_web_caches { &[] } else { &self.contacts[..] };
        for contact in contacts.iter().copied().chain(self.lost.addrs()) {
            // Taken out first, so that an earlier refusal does not count.
            self.hosts.forget(contact);
            self.hosts.learn(contact);
        }
    }

    /// An ultrapeer tries to reach a peer again whose link broke, though no
    /// link is missing. Leaves need not: they join nobody together.
    pub(super) fn try_lost_peer(&mut self, cx: &mut Cx<'_, Self>) {
        if self.rank == Rank::Leaf || !self.has_room(Rank::Ultrapeer) {
            return;
        }
        let now = cx.now();
        let Some(peer) = self.lost.due(cx.rng(), now, self.config.lost_interval) else { return };
        if !self.linked(peer) && !self.dialling(peer) {
            self.dial(cx, peer, true);
        }
    }

    /// Says goodbye to all and forgets the network.
    pub(super) fn quit(&mut self, cx: &mut Cx<'_, Self>) {
        if let State::Joining { op, .. } = self.state {
            cx.finish(op, Outcome::Failed(Reason::NotJoined));
        }
        self.state = State::Outside;
        self.end_searches(cx);
        self.dynamic.clear();
        // Leaves are named where there are few ultrapeers: one of them may
        // have to become the next.
        let mut hosts: Vec<Addr> = self.peers_of(Rank::Ultrapeer).collect();
        hosts.extend(
            self.links.iter().filter(|l| l.rank == Rank::Leaf && l.reachable).map(|l| l.peer),
        );
        hosts.truncate(MAX_TRY);
        self.part_from_all(cx, &hosts);
        self.drop_handshakes(cx);
        self.needed_by = None;
        self.lost.clear();
        self.rank = Rank::Leaf;
        self.asked_cache = None;
        self.next_update_at = Time::ZERO;
    }

    /// The peers of this rank.
    pub(super) fn peers_of(&self, rank: Rank) -> impl Iterator<Item = Addr> {
        self.links.iter().filter(move |l| l.rank == rank).map(|l| l.peer)
    }

    /// Ends all links.
    pub(super) fn part_from_all(&mut self, cx: &mut Cx<'_, Self>, hosts: &[Addr]) {
        while let Some(link) = self.links.pop() {
            let hosts: Vec<Addr> = hosts.iter().copied().filter(|a| *a != link.peer).collect();
            self.say_bye(cx, link.peer, LEAVING, &hosts);
            self.not_asked_any_more(cx, link.peer);
        }
    }

    pub(super) fn say_bye(&mut self, cx: &mut Cx<'_, Self>, peer: Addr, code: u16, hosts: &[Addr]) {
        let guid = Guid::fresh(cx.rng());
        let body = Arc::new(ByeBody { code, hosts: hosts.into() });
        cx.send(peer, Message::Bye { guid, body });
        cx.close(peer);
    }

    /// Links that it lacks to other ultrapeers.
    pub(super) fn missing(&self) -> usize {
        let wanted = match self.rank {
            Rank::Leaf => self.config.leaf_ultrapeers as usize,
            Rank::Ultrapeer => self.config.own_links(),
        };
        wanted.saturating_sub(self.ultrapeers())
    }

    /// Dials hosts from the cache, chosen at random, while links are missing.
    pub(super) fn refill(&mut self, cx: &mut Cx<'_, Self>) {
        let at_once = match self.state {
            State::Outside => 0,
            State::Joining { .. } => 1,
            State::Member => self.missing(),
        };
        while self.dials.len() < at_once && self.dials_left > 0 {
            let me = self.me;
            // Leaves are of use only to one that has no ultrapeer.
            let any = self.ultrapeers() == 0;
            let useful = |a| any || !self.hosts.is_leaf(a);
            let fits = |a| a != me && !self.linked(a) && !self.dialling(a) && useful(a);
            let now = cx.now();
            let Some(peer) = self.hosts.pick(cx.rng(), now, fits) else { break };
            self.dial(cx, peer, self.rank == Rank::Ultrapeer);
        }
        // Only one that nobody takes as a leaf comes as an ultrapeer.
        let wants_more = self.missing() > 0 && self.state != State::Outside;
        if !wants_more || !self.dials.is_empty() || self.asked_cache.is_some() {
            return;
        }
        if self.comes_as_ultrapeer(cx) {
            return;
        }
        match self.state {
            State::Joining { op, tries } => self.try_contacts_again(cx, op, tries),
            State::Member if self.links.is_empty() && self.greeted.is_empty() => {
                self.end_waiting_searches(cx);
                self.look_again(cx);
            }
            _ => {}
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

    /// It is time to dial more hosts: senders of pongs, or, as long as there
    /// is no link to get pongs through, once more the contacts.
    pub(super) fn choose(&mut self, cx: &mut Cx<'_, Self>) {
        self.looking = false;
        if self.dials.is_empty() && self.is_stranded() {
            if matches!(self.state, State::Joining { .. }) {
                self.dials_left = self.config.dials_per_interval;
            }
            self.learn_contacts(cx);
        }
        self.refill(cx);
    }

    /// Strikes off a host that could not be reached.
    pub(super) fn unreachable(&mut self, peer: Addr) {
        self.hosts.forget(peer);
        if matches!(self.state, State::Joining { .. }) {
            self.contacts.retain(|c| *c != peer);
        }
    }

    pub(super) fn add_link(
        &mut self,
        cx: &mut Cx<'_, Self>,
        peer: Addr,
        rank: Rank,
        headers: &Headers,
    ) {
        let degree = headers.degree.unwrap_or(1).max(1);
        let max_ttl = headers.max_ttl.unwrap_or(1).max(1);
        let reachable = headers.listen.is_some();
        let slot = self.links.len() as u32;
        self.links.push(Link::new(peer, rank, reachable, degree, max_ttl));
        self.lost.found(peer);
        cx.note(|| Note::TableChange { table: "link", slot, peer: Some(peer) });
        if rank == Rank::Ultrapeer {
            self.send_table(cx, peer);
            self.looks_left = self.config.join_tries;
        }
        self.wake_waiting_searches(cx);
        if let State::Joining { op, .. } = self.state {
            self.state = State::Member;
            self.needed_by = None;
            cx.finish(op, Outcome::Done);
        }
        if rank == Rank::Ultrapeer && self.missing() > 0 {
            // It may know of others.
            self.ping(cx, peer);
            if !core::mem::replace(&mut self.looking, true) {
                cx.wake(self.config.pong_wait, Timer::Choose);
            }
        }
    }

    pub(super) fn remove_link(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) -> bool {
        let Some(at) = self.links.iter().position(|l| l.peer == peer) else { return false };
        let link = self.links.swap_remove(at);
        cx.note(|| Note::TableChange { table: "link", slot: at as u32, peer: None });
        if link.rank == Rank::Leaf {
            self.table_changed(cx);
        }
        self.not_asked_any_more(cx, peer);
        true
    }

    pub(super) fn on_bye(&mut self, cx: &mut Cx<'_, Self>, from: Addr, body: &ByeBody) {
        let was_linked = self.remove_link(cx, from);
        let was_greeted = self.end_greeting(from);
        if self.end_dial(from).is_none() && !was_linked && !was_greeted {
            return;
        }
        cx.close(from);
        self.learn_hosts(&body.hosts);
        if body.code == LEAVING {
            self.hosts.forget(from);
            self.lost.found(from);
        }
        self.look_at_once(cx, was_linked);
    }

    pub(super) fn on_stream_lost(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        let reachable = self.links.iter().any(|l| l.peer == peer && l.reachable);
        let was_linked = self.remove_link(cx, peer);
        if reachable && self.state == State::Member {
            let now = cx.now();
            self.lost.note(peer, cx.rng(), now, self.config.lost_interval);
        }
        let was_dialled = self.end_dial(peer).is_some();
        self.end_greeting(peer);
        self.no_answer_of_cache(cx, peer);
        if was_linked || was_dialled {
            self.unreachable(peer);
            self.look_at_once(cx, was_linked);
        }
    }

    /// Looks for links that are missing. One whose last link has gone turns to
    /// whom it was told of, and to whom it lost.
    pub(super) fn look_at_once(&mut self, cx: &mut Cx<'_, Self>, was_linked: bool) {
        if was_linked && self.state == State::Member && self.is_stranded() {
            self.learn_contacts(cx);
        }
        self.refill(cx);
    }

    /// Closes a stream that was opened for one exchange, unless it serves a
    /// link as well.
    pub(super) fn close_unless_linked(&self, cx: &mut Cx<'_, Self>, peer: Addr) {
        let shaking = self.dialling(peer) || self.greeted.iter().any(|g| g.peer == peer);
        if !self.linked(peer) && !shaking {
            cx.close(peer);
        }
    }
}
