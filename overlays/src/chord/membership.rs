//! Joining and leaving.
//!
//! A joiner looks up its own identifier through a member, asks the owner for
//! its neighbours and takes its place only when it fits between the two (Zave
//! 2017: a join needs a successor list that was read from one node at one
//! time).

use super::contact::Contact;
use super::message::{Contacts, Farewell, Message};
use super::request::{Client, Finding};
use super::vnode::VirtualNode;
use super::{Chord, Context, Phase, Timer};
use crate::{Addr, Key, OpId, Outcome, Reason, Span};

/// Contacts that a join tries, at most.
const MAX_VIA: usize = 64;
/// Nodes that a joiner asks for their neighbours in a row, at most.
const MAX_STEPS: u16 = 1024;

/// A join or leave under way.
#[derive(Debug)]
pub(super) enum Passage {
    /// Taking places on the ring.
    In(Joining),
    /// Announcing what is shared; then the join is done.
    Announcing(OpId),
    /// Withdrawing what is shared; then records are handed over.
    Withdrawing(OpId),
    /// Handing records over; then the leave is done.
    HandingOver(OpId),
}

/// How far a join has come.
#[derive(Debug)]
pub(super) struct Joining {
    op: OpId,
    via: Vec<Addr>,
    /// Which of `via` is being tried.
    at: usize,
    /// How often all of them were tried in vain.
    rounds: u8,
    /// The virtual node that is joining.
    vnode: u16,
    /// Its successor to be, while it is being asked.
    asking: Option<Contact>,
    /// Whether it was asked twice.
    again: bool,
    /// How many were asked in a row.
    steps: u16,
    /// Tells stale timers.
    wait: u16,
}

impl Chord {
    /// Enters the ring that `via` belong to, or founds one.
    pub(super) fn enter(&mut self, cx: &mut Context<'_>, op: OpId, via: &[Addr]) {
        if self.phase != Phase::Outside {
            return cx.finish(op, Outcome::Failed(Reason::Refused));
        }
        let others = via.iter().copied().filter(|a| *a != cx.me());
        let via: Vec<Addr> = others.take(MAX_VIA).collect();
        let founds = via.is_empty();
        self.phase = if founds { Phase::Member } else { Phase::Joining };
        self.set_passage(Some(Passage::In(Joining {
            op,
            via,
            at: 0,
            rounds: 0,
            vnode: 0,
            asking: None,
            again: false,
            steps: 0,
            wait: 0,
        })));
        if founds {
            self.start_upkeep(cx, 0);
            self.next_vnode(cx);
        } else {
            self.seek(cx);
        }
    }

    fn joining(&mut self) -> Option<&mut Joining> {
        match self.aside.as_mut().and_then(|a| a.passage.as_deref_mut()) {
            Some(Passage::In(joining)) => Some(joining),
            _ => None,
        }
    }

    fn joining_key(&self, vnode: u16) -> Key {
        Contact::id_of(self.primary.me.key, vnode, self.config.id_bits)
    }

    /// Looks up the identifier that is joining.
    fn seek(&mut self, cx: &mut Context<'_>) {
        let Some(joining) = self.joining() else { return };
        joining.asking = None;
        joining.steps = 0;
        let vnode = joining.vnode;
        let via = joining.via.get(joining.at).copied();
        let key = self.joining_key(vnode);
        match via {
            Some(via) if vnode == 0 => self.look_up_via(cx, via, key, Client::Join),
            _ => self.look_up(cx, key, Client::Join, None),
        }
    }

    /// The identifier that is joining was looked up.
    pub(super) fn on_join_lookup(&mut self, cx: &mut Context<'_>, finding: Finding) {
        let Some(joining) = self.joining() else { return };
        let vnode = joining.vnode;
        let key = self.joining_key(vnode);
        match finding {
            Finding::Owner(owner) if owner.key != key => self.ask_successor(cx, owner),
            Finding::Owner(owner) if owner.addr != cx.me() || owner.vnode != vnode => {
                self.refuse(cx);
            }
            // Nobody answered, or the ring has not noticed yet that this node
            // was gone.
            _ => self.next_contact(cx),
        }
    }

    /// Asks the successor to be for its neighbours.
    fn ask_successor(&mut self, cx: &mut Context<'_>, successor: Contact) {
        let timeout = self.config.request_timeout;
        let Some(joining) = self.joining() else { return };
        joining.steps += 1;
        if joining.steps > MAX_STEPS {
            return self.next_contact(cx);
        }
        joining.asking = Some(successor);
        joining.again = false;
        joining.wait = joining.wait.wrapping_add(1);
        let (wait, asker) = (joining.wait, joining.vnode);
        if successor.addr == cx.me() {
            let neighbours = self
                .vnode(successor.vnode)
                .map(|n| (n.predecessor, n.successors().copied().collect::<Contacts>()));
            return match neighbours {
                Some((p, list)) => self.on_join_neighbours(cx, p, list.as_slice()),
                None => self.next_contact(cx),
            };
        }
        cx.send(successor.addr, Message::GetNeighbours { vnode: successor.vnode, asker });
        cx.wake(timeout, Timer::Join(wait));
    }

    /// The join or leave under way.
    pub(super) fn passage(&self) -> Option<&Passage> {
        self.aside.as_ref().and_then(|a| a.passage.as_deref())
    }

    fn set_passage(&mut self, passage: Option<Passage>) {
        self.aside.get_or_insert_default().passage = passage.map(Box::new);
    }

    /// Whether this is the answer that a join waits for.
    pub(super) fn is_joining_through(&self, from: Addr, vnode: u16, responder: u16) -> bool {
        match self.passage() {
            Some(Passage::In(joining)) => {
                joining.vnode == vnode
                    && joining.asking.is_some_and(|s| (s.addr, s.vnode) == (from, responder))
            }
            _ => false,
        }
    }

    /// Whether a message is one that a node on its way in waits for.
    pub(super) fn concerns_joiner(&self, message: &Message) -> bool {
        self.phase == Phase::Joining
            && matches!(
                message,
                Message::Closer { .. }
                    | Message::Owner { .. }
                    | Message::Located { .. }
                    | Message::Received { .. }
                    | Message::Neighbours { .. }
            )
    }

    /// The successor to be named its neighbours: take the place between, or
    /// go on to a nearer one.
    pub(super) fn on_join_neighbours(
        &mut self,
        cx: &mut Context<'_>,
        predecessor: Option<Contact>,
        successors: &[Contact],
    ) {
        let Some(joining) = self.joining() else { return };
        let Some(successor) = joining.asking.take() else { return };
        let vnode = joining.vnode;
        let key = self.joining_key(vnode);
        let itself = |c: &Contact| c.addr == cx.me() && c.vnode == vnode;
        // A stranger's pointer to an earlier life of this very node says
        // nothing.
        let predecessor = predecessor.filter(|p| !itself(p));
        if let Some(p) = predecessor {
            if p.key == key {
                return self.refuse(cx);
            }
            if p.key.in_open(key, successor.key) {
                return self.ask_successor(cx, p);
            }
        }
        let me = Contact { key, addr: cx.me(), vnode };
        let mut node = VirtualNode::alone(me);
        let list = core::iter::once(successor).chain(successors.iter().copied());
        let config = self.config.clone();
        node.adopt(list, &config);
        node.predecessor = predecessor;
        if vnode == 0 {
            self.primary = node;
            self.phase = Phase::Member;
        } else {
            self.aside.get_or_insert_default().others.push(node);
        }
        self.start_upkeep(cx, vnode);
        self.notify(cx, successor, me);
        self.fix_all_fingers(cx, vnode);
        self.next_vnode(cx);
    }

    /// Goes on with the next virtual node, or with the announcements.
    fn next_vnode(&mut self, cx: &mut Context<'_>) {
        let wanted = self.config.virtual_nodes;
        let Some(joining) = self.joining() else { return };
        joining.vnode += 1;
        joining.rounds = 0;
        if joining.vnode < wanted {
            return self.seek(cx);
        }
        self.announce(cx);
    }

    fn announce(&mut self, cx: &mut Context<'_>) {
        let Some(joining) = self.joining() else { return };
        let op = joining.op;
        self.set_passage(Some(Passage::Announcing(op)));
        self.start_republishing(cx);
        self.announce_all(cx);
    }

    /// Tries the next member, or all of them again after a pause.
    fn next_contact(&mut self, cx: &mut Context<'_>) {
        let (retries, timeout) = (self.config.retries, self.config.request_timeout);
        let Some(joining) = self.joining() else { return };
        joining.asking = None;
        joining.at += 1;
        if joining.vnode == 0 && joining.at < joining.via.len() {
            return self.seek(cx);
        }
        joining.at = 0;
        joining.rounds = joining.rounds.saturating_add(1);
        joining.wait = joining.wait.wrapping_add(1);
        let wait = joining.wait;
        if joining.rounds <= retries {
            // The ring may need to notice a death first, so the pauses grow.
            let factor = 4_u64.saturating_pow(joining.rounds.into());
            let pause = Span::from_us(timeout.as_us().saturating_mul(factor));
            return cx.wake(pause, Timer::Join(wait));
        }
        if joining.vnode > 0 {
            // Part of the ring with fewer places than planned.
            return self.announce(cx);
        }
        self.fail_join(cx, Reason::NoContact);
    }

    /// Another node has this identifier.
    fn refuse(&mut self, cx: &mut Context<'_>) {
        let Some(joining) = self.joining() else { return };
        if joining.vnode > 0 {
            return self.announce(cx);
        }
        self.fail_join(cx, Reason::Refused);
    }

    fn fail_join(&mut self, cx: &mut Context<'_>, reason: Reason) {
        let Some(joining) = self.joining() else { return };
        let op = joining.op;
        self.set_passage(None);
        self.phase = Phase::Outside;
        cx.finish(op, Outcome::Failed(reason));
    }

    /// The successor to be has not answered, or a pause is over.
    pub(super) fn on_join_timer(&mut self, cx: &mut Context<'_>, wait: u16) {
        let timeout = self.config.request_timeout;
        let Some(joining) = self.joining() else { return };
        if joining.wait != wait {
            return;
        }
        match joining.asking {
            None => self.seek(cx),
            Some(_) if joining.again => self.next_contact(cx),
            Some(successor) => {
                joining.again = true;
                let asker = joining.vnode;
                cx.send(successor.addr, Message::GetNeighbours { vnode: successor.vnode, asker });
                cx.wake(timeout, Timer::Join(wait));
            }
        }
    }

    /// Leaves the ring.
    pub(super) fn depart(&mut self, cx: &mut Context<'_>, op: OpId) {
        match (self.phase, self.aside.as_mut().and_then(|a| a.passage.take()).map(|p| *p)) {
            (Phase::Outside, _) => return cx.finish(op, Outcome::Failed(Reason::NotJoined)),
            (Phase::Leaving, passage) => {
                self.set_passage(passage);
                return cx.finish(op, Outcome::Failed(Reason::Refused));
            }
            (Phase::Joining, passage) => {
                if let Some(Passage::In(joining)) = passage {
                    cx.finish(joining.op, Outcome::Failed(Reason::NotJoined));
                }
                self.phase = Phase::Outside;
                return cx.finish(op, Outcome::Done);
            }
            // In the ring already, though not all is announced.
            (
                Phase::Member,
                Some(Passage::In(Joining { op: join, .. }) | Passage::Announcing(join)),
            ) => {
                cx.finish(join, Outcome::Done);
            }
            (Phase::Member, _) => {}
        }
        self.phase = Phase::Leaving;
        self.set_passage(Some(Passage::Withdrawing(op)));
        self.withdraw_all(cx);
    }

    /// All items of a batch are through.
    pub(super) fn on_batch_done(&mut self, cx: &mut Context<'_>) {
        match self.passage() {
            Some(Passage::Announcing(op)) => {
                let op = *op;
                self.set_passage(None);
                cx.finish(op, Outcome::Done);
            }
            Some(Passage::Withdrawing(op)) => {
                self.set_passage(Some(Passage::HandingOver(*op)));
                self.hand_over_all(cx);
            }
            _ => {}
        }
    }

    /// Everything was handed over, or nobody took it: say goodbye.
    pub(super) fn on_handed_over(&mut self, cx: &mut Context<'_>) {
        let Some(Passage::HandingOver(op)) = self.passage() else { return };
        let op = *op;
        self.set_passage(None);
        let me = cx.me();
        for node in self.vnodes() {
            let farewell = Farewell {
                leaver: node.me,
                predecessor: self.foreign_predecessor(node),
                successors: node.successors().filter(|s| s.addr != me).copied().collect(),
            };
            let neighbours = node.predecessor.iter().chain(node.successors().take(1));
            let mut told: Vec<Contact> = Vec::new();
            for neighbour in neighbours.filter(|c| c.addr != me) {
                if !told.contains(neighbour) {
                    told.push(*neighbour);
                    let farewell = Box::new(farewell.clone());
                    cx.send(neighbour.addr, Message::Leaving { vnode: neighbour.vnode, farewell });
                }
            }
        }
        self.phase = Phase::Outside;
        if let Some(aside) = &mut self.aside {
            aside.others.clear();
        }
        cx.finish(op, Outcome::Done);
    }

    /// The nearest predecessor that is not one of its own virtual nodes.
    fn foreign_predecessor(&self, node: &VirtualNode) -> Option<Contact> {
        let mut at = node.predecessor;
        for _ in 0..=self.others().len() {
            match at {
                Some(p) if p.addr == node.me.addr => {
                    at = self.vnode(p.vnode).and_then(|n| n.predecessor);
                }
                other => return other,
            }
        }
        None
    }
}
