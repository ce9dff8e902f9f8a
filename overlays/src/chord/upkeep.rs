//! Upkeep of the ring: stabilise, rectify, fix fingers, check the predecessor.
//!
//! The rules are those of P. Zave, "How to Make Chord Correct" (2017), where
//! they differ from the original ones: a successor list is replaced as a whole
//! by the successor's own with the successor in front; a node that turns up in
//! between is asked before it is adopted; a predecessor gives way only to a
//! nearer one, or when it is dead.

use rand::RngExt;

use super::contact::Contact;
use super::finger_table::FingerTable;
use super::message::{Contacts, Farewell, Message};
use super::request::Client;
use super::vnode::VirtualNode;
use super::{Aside, Chord, Context, Timer};
use crate::{Addr, Note, Span};

/// Silences in a row after which a neighbour counts as dead: one answer may be
/// lost on the way.
const SILENCES: u8 = 2;
/// Nodes in between that one round of stabilisation asks, at most.
const ROUND_CANDIDATES: u8 = 16;
/// Fruitless pings after which a lost node is forgotten for good.
const LOST_PINGS: u8 = 120;

/// A node that fell silent and may come back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost {
    pub(super) contact: Contact,
    pings: u8,
}

impl Chord {
    /// Starts the periodic upkeep of a virtual node, each part at a random
    /// point of its period.
    pub(super) fn start_upkeep(&mut self, cx: &mut Context<'_>, vnode: u16) {
        let config = &self.config;
        let timers = [
            (config.stabilise, Timer::Stabilise(vnode)),
            (config.fix_fingers, Timer::FixFingers(vnode)),
            (config.check_predecessor, Timer::CheckPredecessor(vnode)),
        ];
        for (period, timer) in timers {
            let after = Span::from_us(cx.rng().random_range(0..period.as_us()));
            cx.wake_upkeep(after, timer);
        }
    }

    /// Sets the next firing of a periodic timer, spread by the jitter.
    pub(super) fn rearm(&self, cx: &mut Context<'_>, period: Span, timer: Timer) {
        let spread = (period.as_us() as f64 * self.config.jitter) as u64;
        let after = match spread {
            0 => period.as_us(),
            s => period.as_us() - s + cx.rng().random_range(0..=2 * s),
        };
        cx.wake_upkeep(Span::from_us(after.max(1)), timer);
    }

    /// Whether waiting for an upkeep answer needs a timer of its own, or the
    /// next firing comes early enough.
    fn watches(&self, period: Span) -> bool {
        self.config.request_timeout < period
    }

    /// The periodic stabilisation of a virtual node is due.
    pub(super) fn on_stabilise_timer(&mut self, cx: &mut Context<'_>, vnode: u16) {
        if !self.is_member() || self.vnode(vnode).is_none() {
            return;
        }
        self.rearm(cx, self.config.stabilise, Timer::Stabilise(vnode));
        if self.vnode(vnode).is_some_and(|n| n.awaiting_neighbours) {
            self.on_silence(cx, vnode);
        } else {
            self.stabilise(cx, vnode);
        }
        if vnode == 0 {
            self.ask_after_lost(cx);
            self.tend_records(cx);
        }
    }

    /// Asks the successor for its neighbours.
    pub(super) fn stabilise(&mut self, cx: &mut Context<'_>, vnode: u16) {
        let watch = self.watches(self.config.stabilise);
        let Some(node) = self.vnode_mut(vnode) else { return };
        if node.successor.key == node.me.key {
            // Alone until someone notifies it.
            let Some(predecessor) = node.predecessor else { return };
            return self.adopt(cx, vnode, &[predecessor]);
        }
        let target = node.candidate.as_deref().copied().unwrap_or(node.successor);
        node.awaiting_neighbours = true;
        node.round = node.round.wrapping_add(1);
        let round = node.round;
        if target.addr == cx.me() {
            return match self
                .vnode(target.vnode)
                .map(|t| (t.predecessor, t.successors().copied().collect()))
            {
                Some((predecessor, successors)) => {
                    self.on_neighbours(
                        cx,
                        target.addr,
                        vnode,
                        target.vnode,
                        predecessor,
                        successors,
                    );
                }
                None => self.on_silence(cx, vnode),
            };
        }
        cx.send(target.addr, Message::GetNeighbours { vnode: target.vnode, asker: vnode });
        if watch {
            cx.wake(self.config.request_timeout, Timer::Silence { vnode, round });
        }
    }

    /// Another node stabilises with, or wants to join before, this one.
    pub(super) fn on_get_neighbours(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        vnode: u16,
        asker: u16,
    ) {
        let Some(node) = self.vnode(vnode) else { return };
        // The asker puts this node in front and has no room for the last one.
        let room = self.config.successors - 1;
        let message = Message::Neighbours {
            vnode: asker,
            responder: vnode,
            predecessor: node.predecessor,
            successors: node.successors().copied().take(room).collect(),
        };
        cx.send(from, message);
    }

    /// The answer for stabilisation: reconcile the successor list, see whether
    /// someone stands in between, and notify the successor.
    pub(super) fn on_neighbours(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        vnode: u16,
        responder: u16,
        predecessor: Option<Contact>,
        successors: Contacts,
    ) {
        let bits = self.config.id_bits;
        let Some(node) = self.vnode_mut(vnode) else { return };
        let target = node.candidate.as_deref().copied().unwrap_or(node.successor);
        if !node.awaiting_neighbours || (target.addr, target.vnode) != (from, responder) {
            return;
        }
        node.awaiting_neighbours = false;
        node.silences = 0;
        node.candidate = None;
        let me = node.me;
        let still_nearest =
            target == node.successor || target.key.in_open(me.key, node.successor.key);
        if still_nearest && (successors.as_slice() != &*node.further || target != node.successor) {
            let mut list = vec![target];
            list.extend(successors.as_slice().iter().filter(|c| c.key == c.key.truncated(bits)));
            self.adopt(cx, vnode, &list);
        }
        if let Some(between) = predecessor
            && between.key == between.key.truncated(bits)
            && between.key.in_open(me.key, target.key)
        {
            let probes = self.probes_left(vnode);
            if probes {
                return self.consider(cx, vnode, between);
            }
        }
        let Some(node) = self.vnode_mut(vnode) else { return };
        node.candidates_asked = 0;
        let successor = node.successor;
        self.notify(cx, successor, me);
    }

    fn probes_left(&mut self, vnode: u16) -> bool {
        let Some(node) = self.vnode_mut(vnode) else { return false };
        node.candidates_asked = node.candidates_asked.saturating_add(1);
        node.candidates_asked <= ROUND_CANDIDATES
    }

    /// Asks a node that may be a nearer successor, before relying on it.
    pub(super) fn consider(&mut self, cx: &mut Context<'_>, vnode: u16, between: Contact) {
        let Some(node) = self.vnode_mut(vnode) else { return };
        let nearer = between.key.in_open(node.me.key, node.successor.key);
        let itself = between.addr == node.me.addr && between.vnode == vnode;
        if nearer && !itself {
            node.candidate = Some(Box::new(between));
            self.stabilise(cx, vnode);
        }
    }

    /// Tells `successor` of a node that might be its predecessor.
    pub(super) fn notify(&mut self, cx: &mut Context<'_>, successor: Contact, sender: Contact) {
        if successor.key == sender.key {
            return;
        }
        if successor.addr == cx.me() {
            return self.on_notify(cx, cx.me(), successor.vnode, sender);
        }
        cx.send(successor.addr, Message::Notify { vnode: successor.vnode, sender });
    }

    /// Rectify: a node says that it might be the predecessor.
    pub(super) fn on_notify(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        vnode: u16,
        sender: Contact,
    ) {
        let bits = self.config.id_bits;
        let Some(node) = self.vnode_mut(vnode) else { return };
        let honest = sender.addr == from && sender.key == sender.key.truncated(bits);
        if !honest || sender.key == node.me.key {
            return;
        }
        let former = node.predecessor;
        if let Some(p) = former
            && !sender.key.in_open(p.key, node.me.key)
        {
            if p.key.in_open(sender.key, node.me.key) {
                // The sender does not know of the nearer one yet.
                self.nudge(cx, sender);
            }
            return;
        }
        node.predecessor = Some(sender);
        node.pings_due = 0;
        let alone = node.successor.key == node.me.key;
        note(cx, "predecessor", 0, Some(&sender));
        if alone {
            self.adopt(cx, vnode, &[sender]);
            self.stabilise(cx, vnode);
        }
        if let Some(former) = former {
            self.nudge(cx, former);
            self.release_last_holder(cx, vnode, former.key, sender.key);
        }
        self.ring_changed(cx);
    }

    /// Has a node stabilise now: someone stands between it and this one.
    fn nudge(&mut self, cx: &mut Context<'_>, node: Contact) {
        if node.addr == cx.me() {
            self.on_nudge(cx, node.vnode);
        } else {
            cx.send(node.addr, Message::Nudge { vnode: node.vnode });
        }
    }

    /// A node joined right after this one: do not wait for the next round.
    pub(super) fn on_nudge(&mut self, cx: &mut Context<'_>, vnode: u16) {
        if self.vnode(vnode).is_some_and(|n| !n.awaiting_neighbours) {
            self.stabilise(cx, vnode);
        }
    }

    /// Adopts a successor list for a virtual node.
    pub(super) fn adopt(&mut self, cx: &mut Context<'_>, vnode: u16, list: &[Contact]) {
        let config = self.config.clone();
        let Some(node) = self.vnode_mut(vnode) else { return };
        if node.adopt(list.iter().copied(), &config) {
            for (slot, contact) in (0..).zip(list) {
                note(cx, "successor", slot, Some(contact));
            }
            self.ring_changed(cx);
        }
    }

    /// A stabilisation question stayed unanswered until the timer.
    pub(super) fn on_silence_timer(&mut self, cx: &mut Context<'_>, vnode: u16, round: u16) {
        if self.vnode(vnode).is_some_and(|n| n.awaiting_neighbours && n.round == round) {
            self.on_silence(cx, vnode);
        }
    }

    /// The node being stabilised with did not answer: ask again, then go on
    /// to the next one.
    fn on_silence(&mut self, cx: &mut Context<'_>, vnode: u16) {
        let Some(node) = self.vnode_mut(vnode) else { return };
        node.awaiting_neighbours = false;
        node.silences += 1;
        if node.silences >= SILENCES {
            node.silences = 0;
            match node.candidate.take() {
                // It was only hearsay; the successor stands.
                Some(_) => {
                    let (successor, me) = (node.successor, node.me);
                    return self.notify(cx, successor, me);
                }
                None => {
                    let dead = node.successor;
                    self.bury(cx, dead);
                }
            }
        }
        self.stabilise(cx, vnode);
    }

    /// Forgets a dead node everywhere, but remembers to ask after it.
    pub(super) fn bury(&mut self, cx: &mut Context<'_>, dead: Contact) {
        let config = self.config.clone();
        let mut changed = false;
        for vnode in 0..=self.others().len() as u16 {
            if let Some(node) = self.vnode_mut(vnode) {
                changed |= node.predecessor.as_ref() == Some(&dead);
                changed |= node.forget(&dead, &config);
            }
        }
        note(cx, "successor", 0, None);
        self.remember(dead);
        if changed {
            self.ring_changed(cx);
        }
    }

    /// A node does not answer lookups: it is no finger any more and, when
    /// `sure` or not for the first time, is left out of the successor list.
    /// Immediate successor and predecessor have checks of their own.
    pub(super) fn avoid(&mut self, cx: &mut Context<'_>, addr: Addr, vnode: u16, sure: bool) {
        let bits = self.config.id_bits;
        let suspects = self.aside.as_ref().map_or(&[][..], |a| &a.lost);
        let sure =
            sure || suspects.iter().any(|l| (l.contact.addr, l.contact.vnode) == (addr, vnode));
        for at in 0..=self.others().len() as u16 {
            let Some(node) = self.vnode_mut(at) else { return };
            let known = node.fingers.contacts().chain(node.successors().copied());
            let silent = { known }.find(|c| (c.addr, c.vnode) == (addr, vnode));
            let Some(silent) = silent else { continue };
            node.fingers.remove(&silent, bits);
            if sure {
                node.pass_over(&silent);
            }
            let due = node.successor == silent && !node.awaiting_neighbours;
            self.remember(silent);
            if due {
                self.stabilise(cx, at);
            }
        }
    }

    fn remember(&mut self, contact: Contact) {
        if self.config.remember_lost == 0 || contact.addr == self.primary.me.addr {
            return;
        }
        let lost = &mut self.aside.get_or_insert_default().lost;
        if lost.iter().any(|l| l.contact == contact) {
            return;
        }
        if lost.len() >= self.config.remember_lost {
            lost.remove(0);
        }
        lost.push(Lost { contact, pings: 0 });
    }

    /// Pings one lost node per round, in turn.
    fn ask_after_lost(&mut self, cx: &mut Context<'_>) {
        let Some(Aside { lost, .. }) = self.aside.as_deref_mut() else { return };
        if lost.is_empty() {
            return;
        }
        let mut next = lost.remove(0);
        next.pings += 1;
        if next.pings < LOST_PINGS {
            lost.push(next);
        }
        cx.send(next.contact.addr, Message::Ping { vnode: next.contact.vnode, asker: 0 });
    }

    /// The periodic check of the predecessor is due.
    pub(super) fn on_check_timer(&mut self, cx: &mut Context<'_>, vnode: u16) {
        if !self.is_member() || self.vnode(vnode).is_none() {
            return;
        }
        self.rearm(cx, self.config.check_predecessor, Timer::CheckPredecessor(vnode));
        self.check_predecessor(cx, vnode);
    }

    /// A ping may have stayed unanswered.
    pub(super) fn on_ping_timer(&mut self, cx: &mut Context<'_>, vnode: u16) {
        if self.vnode(vnode).is_some_and(|n| n.pings_due > 0) {
            self.check_predecessor(cx, vnode);
        }
    }

    fn check_predecessor(&mut self, cx: &mut Context<'_>, vnode: u16) {
        let watch = self.watches(self.config.check_predecessor);
        let Some(node) = self.vnode_mut(vnode) else { return };
        let Some(predecessor) = node.predecessor else { return };
        if predecessor.addr == cx.me() {
            return;
        }
        if node.pings_due >= SILENCES {
            // Until someone notifies it, a node without predecessor answers
            // for whatever reaches it.
            node.predecessor = None;
            node.pings_due = 0;
            note(cx, "predecessor", 0, None);
            self.remember(predecessor);
            return self.ring_changed(cx);
        }
        node.pings_due += 1;
        cx.send(predecessor.addr, Message::Ping { vnode: predecessor.vnode, asker: vnode });
        if watch {
            cx.wake(self.config.request_timeout, Timer::PingDue(vnode));
        }
    }

    /// A pinged node lives.
    pub(super) fn on_pong(&mut self, cx: &mut Context<'_>, from: Addr, vnode: u16, responder: u16) {
        let Some(node) = self.vnode_mut(vnode) else { return };
        let who = (from, responder);
        if node.predecessor.as_ref().is_some_and(|p| (p.addr, p.vnode) == who) {
            node.pings_due = 0;
        }
        let Some(Aside { lost, .. }) = self.aside.as_deref_mut() else { return };
        let before = lost.len();
        lost.retain(|l| (l.contact.addr, l.contact.vnode) != who);
        if lost.len() < before {
            self.merge_through(cx, from);
        }
    }

    /// A node thought dead answers. After a partition it may be part of
    /// another ring: look for this node's successors there.
    fn merge_through(&mut self, cx: &mut Context<'_>, via: Addr) {
        for vnode in 0..=self.others().len() as u16 {
            if let Some(node) = self.vnode(vnode) {
                let after = FingerTable::start(node.me.key, 0, self.config.id_bits);
                self.look_up_via(cx, via, after, Client::Merge { vnode });
            }
        }
    }

    /// The periodic refresh of fingers is due.
    pub(super) fn on_fix_timer(&mut self, cx: &mut Context<'_>, vnode: u16) {
        if !self.is_member() || self.vnode(vnode).is_none() {
            return;
        }
        self.rearm(cx, self.config.fix_fingers, Timer::FixFingers(vnode));
        if self.config.fingers_per_fix >= self.config.id_bits {
            return self.fix_all_fingers(cx, vnode);
        }
        for _ in 0..self.config.fingers_per_fix {
            let Some(node) = self.vnode_mut(vnode) else { return };
            let index = (u32::from(node.last_fixed) + 1) % self.config.id_bits;
            let Some(node) = self.vnode_mut(vnode) else { return };
            node.last_fixed = index as u8;
            self.fix_finger(cx, vnode, index);
        }
    }

    /// Looks for every finger that lies beyond the successor; the others are
    /// the successor.
    pub(super) fn fix_all_fingers(&mut self, cx: &mut Context<'_>, vnode: u16) {
        let bits = self.config.id_bits;
        let Some(node) = self.vnode_mut(vnode) else { return };
        if node.successor.key == node.me.key {
            return;
        }
        let successor = node.successor;
        node.fingers.set(node.me.key, 0, &successor, bits);
        let beyond = FingerTable::interval(node.me.key, node.successor.key, bits) + 1;
        for index in beyond..bits {
            self.fix_finger(cx, vnode, index);
        }
    }

    fn fix_finger(&mut self, cx: &mut Context<'_>, vnode: u16, index: u32) {
        let Some(node) = self.vnode(vnode) else { return };
        let start = FingerTable::start(node.me.key, index, self.config.id_bits);
        self.look_up(cx, start, Client::Finger { vnode, index: index as u8 }, None);
    }

    /// A finger was looked up.
    pub(super) fn set_finger(
        &mut self,
        cx: &mut Context<'_>,
        vnode: u16,
        index: u8,
        owner: &Contact,
    ) {
        let bits = self.config.id_bits;
        let Some(node) = self.vnode_mut(vnode) else { return };
        let me = node.me.key;
        if owner.key == owner.key.truncated(bits) && node.fingers.set(me, index.into(), owner, bits)
        {
            note(cx, "finger", index.into(), Some(owner));
        }
    }

    /// A neighbour says goodbye and names those beyond it.
    pub(super) fn on_leaving(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        vnode: u16,
        farewell: &Farewell,
    ) {
        let leaver = farewell.leaver;
        if leaver.addr != from {
            return;
        }
        let config = self.config.clone();
        let Some(node) = self.vnode_mut(vnode) else { return };
        if node.predecessor == Some(leaver) {
            node.predecessor = farewell.predecessor.filter(|p| p.key != node.me.key);
            node.pings_due = 0;
        }
        if node.successors().any(|s| *s == leaver) {
            let list = without(node, &leaver, &farewell.successors);
            node.adopt(list.into_iter(), &config);
        }
        for at in 0..=self.others().len() as u16 {
            if let Some(node) = self.vnode_mut(at) {
                node.forget(&leaver, &config);
            }
        }
        self.ring_changed(cx);
    }
}

/// A node's successor list with one that leaves replaced by those beyond it.
fn without(node: &VirtualNode, leaver: &Contact, beyond: &[Contact]) -> Vec<Contact> {
    let me = node.me.key;
    let mut list: Vec<Contact> =
        node.successors().chain(beyond).filter(|s| *s != leaver && s.key != me).copied().collect();
    list.sort_by_key(|s| me.distance_to(s.key));
    list.dedup_by_key(|s| s.key);
    list
}

fn note(cx: &mut Context<'_>, table: &'static str, slot: u32, contact: Option<&Contact>) {
    cx.note(|| Note::TableChange { table, slot, peer: contact.map(|c| c.addr) });
}
