//! Joining and leaving.
//!
//! A joiner X takes the nearest of the members it is told of (whoever answers
//! a ping first) and has it route a join message to X's own identifier. Every
//! node on the way sends X state; from it X builds its tables (P01 §2.4). X
//! then makes itself known to its leaf set, which takes it in, and announces
//! itself to everyone else it has found.

use super::config::TableInit;
use super::contact::{Contact, Entry, Rtt};
use super::message::{Contacts, Errand, MAX_CONTACTS, Message, State};
use super::{Context, Pastry, Phase, Timer};
use crate::{Addr, Key, OpId, Outcome, Reason, Span, Time};

/// Contacts that a join tries, at most.
const MAX_VIA: usize = 64;
/// How long a node counts as new: until its neighbours have had time to hand
/// over what is now its own.
const NEW_FOR: Span = Span::from_s(20);
/// Nodes on the way of a join message whose state is taken in.
const MAX_STATIONS: u16 = 256;
/// How long a joiner gathers state before it improves its tables, in request
/// timeouts: stations answer within one, and those that they name within
/// another.
const BUILDING_TIMEOUTS: u64 = 2;

/// A join or leave under way.
#[derive(Debug)]
pub(super) enum Passage {
    /// Building tables.
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
    /// Who passes the join message on, once somebody has answered.
    through: Option<Addr>,
    /// How often it was tried in vain.
    rounds: u8,
    /// The number of the present attempt.
    attempt: u32,
    /// How many stations have sent state.
    stations: u16,
    /// Whether the contacts have been pinged, and not a pause is on.
    is_pinging: bool,
}

impl Pastry {
    /// Enters the network that `via` belong to, or founds one.
    pub(super) fn enter(&mut self, cx: &mut Context<'_>, op: OpId, via: &[Addr]) {
        if self.phase != Phase::Outside {
            return cx.finish(op, Outcome::Failed(Reason::Refused));
        }
        let others = via.iter().copied().filter(|a| *a != cx.me());
        let via: Vec<Addr> = others.take(MAX_VIA).collect();
        let founds = via.is_empty();
        self.phase = Phase::Joining;
        let joining = Joining {
            op,
            via,
            through: None,
            rounds: 0,
            attempt: 0,
            stations: 0,
            is_pinging: false,
        };
        self.set_passage(Some(Passage::In(joining)));
        if founds {
            self.become_member(cx);
        } else {
            self.ping_contacts(cx);
        }
    }

    fn joining(&mut self) -> Option<&mut Joining> {
        match self.aside.as_mut().and_then(|a| a.passage.as_deref_mut()) {
            Some(Passage::In(joining)) => Some(joining),
            _ => None,
        }
    }

    /// The join or leave under way.
    pub(super) fn passage(&self) -> Option<&Passage> {
        self.aside.as_ref().and_then(|a| a.passage.as_deref())
    }

    fn set_passage(&mut self, passage: Option<Passage>) {
        self.aside.get_or_insert_default().passage = passage.map(Box::new);
    }

    /// Asks all contacts which of them is the nearest. The paper has the
    /// joiner know a nearby node.
    fn ping_contacts(&mut self, cx: &mut Context<'_>) {
        let attempt = self.requests.number();
        let timeout = self.config.request_timeout;
        let Some(joining) = self.joining() else { return };
        joining.attempt = attempt;
        joining.through = None;
        joining.is_pinging = true;
        for contact in &joining.via {
            cx.send(*contact, Message::Ping { nonce: attempt });
        }
        cx.wake(timeout, Timer::Join(attempt));
    }

    /// A contact answered. The first one to do so is the nearest.
    pub(super) fn on_contact_pong(&mut self, cx: &mut Context<'_>, from: Addr, nonce: u32) {
        let (id, ttl, timeout) = (self.me.id, self.config.ttl, self.config.lookup_timeout);
        let is_awaited = |j: &Joining| {
            j.is_pinging && j.attempt == nonce && j.through.is_none() && j.via.contains(&from)
        };
        if self.phase != Phase::Joining || !self.joining().is_some_and(|j| is_awaited(j)) {
            return;
        }
        // A number of its own, so that the timer of the pings goes stale.
        let attempt = self.requests.number();
        let Some(joining) = self.joining() else { return };
        joining.attempt = attempt;
        joining.through = Some(from);
        joining.stations = 0;
        cx.send(from, join_message(attempt, cx.me(), id, ttl));
        cx.wake(timeout, Timer::Join(attempt));
    }

    /// This node is on the way of a join message: tell the joiner what it may
    /// need. `rows` rows have been sent by the nodes before.
    pub(super) fn send_station(
        &self,
        cx: &mut Context<'_>,
        (request, joiner, key): (u32, Addr, Key),
        station: u16,
        rows: u8,
        is_last: bool,
    ) {
        let shared = self.table.shared_digits(key) as u8;
        let whole = self.config.table_init != TableInit::Single;
        let first = if whole { 0 } else { rows };
        let last = if whole { u8::MAX } else { shared };
        let in_rows = |e: &&Entry| {
            let row = self.table.shared_digits(e.id) as u8;
            (first..=last).contains(&row)
        };
        let leaves = if is_last || whole { self.leaf_contacts() } else { Vec::new() };
        let near = self.neighbourhood.entries();
        let state = State {
            sender: self.me,
            station,
            is_last,
            table: self.table.entries().iter().filter(in_rows).copied().collect(),
            leaves,
            neighbourhood: if station == 0 || whole { near.to_vec() } else { Vec::new() },
        };
        cx.send(joiner, Message::State { request, state: Box::new(state) });
    }

    /// The members of the leaf set.
    pub(super) fn leaf_contacts(&self) -> Vec<Contact> {
        self.leaves.members().iter().map(|l| l.contact()).take(MAX_CONTACTS).collect()
    }

    /// A node on the way of this node's join message sent its state.
    pub(super) fn on_station(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        request: u32,
        state: &State,
    ) {
        if self.is_joining_with(request) {
            let Some(joining) = self.joining() else { return };
            joining.stations += 1;
            if joining.stations > MAX_STATIONS {
                return;
            }
        }
        let sender = Contact { id: state.sender.id, addr: from };
        if self.is_joining_with(request) {
            self.build_from(cx, sender, state);
        } else {
            // A node of another half of the network.
            let far = Rtt(u16::MAX);
            self.consider(cx, &[Entry::new(sender, far)], Rtt(0));
            self.consider(cx, &state.table, Rtt(0));
            self.consider(cx, &state.neighbourhood, Rtt(0));
        }
        if state.is_last {
            self.on_last_station(cx, sender, &state.leaves);
        }
    }

    /// Builds tables from what a station tells.
    fn build_from(&mut self, cx: &mut Context<'_>, sender: Contact, state: &State) {
        let is_first = state.station == 0;
        if is_first && self.config.table_init != TableInit::Single {
            self.begin_stage(cx, self.config.request_timeout * BUILDING_TIMEOUTS, true);
        }
        // Not known yet; the answer to a probe will tell.
        let sender = Entry::new(sender, Rtt(u16::MAX));
        self.fill_gaps(cx, &[sender], &[]);
        let near = if is_first { &state.neighbourhood[..] } else { &[] };
        self.fill_gaps(cx, &state.table, near);
        if self.config.table_init == TableInit::Whole {
            self.gather(cx.me(), &state.table, Rtt(0));
        }
    }

    /// The node closest to this one has sent its leaf set.
    fn on_last_station(&mut self, cx: &mut Context<'_>, sender: Contact, leaves: &[Contact]) {
        if self.phase == Phase::Joining {
            self.phase = Phase::Arriving;
        }
        self.consider_leaf(cx, sender);
        for leaf in leaves {
            self.consider_leaf(cx, *leaf);
        }
        self.on_leaf_probe_over(cx);
    }

    /// Whether this is the number of the join, or of the search for the other
    /// half of a network, that is under way.
    pub(super) fn is_station_of(&self, request: u32) -> bool {
        self.is_joining_with(request)
            || self.aside.as_ref().is_some_and(|a| a.reunion == Some(request))
    }

    fn is_joining_with(&self, request: u32) -> bool {
        match self.passage() {
            Some(Passage::In(j)) => j.attempt == request && j.through.is_some(),
            _ => false,
        }
    }

    /// Leaves have answered or fallen silent: is anybody still to answer? If
    /// not, the joiner has its place.
    pub(super) fn on_leaf_probe_over(&mut self, cx: &mut Context<'_>) {
        if self.phase != Phase::Arriving {
            return;
        }
        let waiting = self.aside.as_ref().map_or(0, |a| a.probes.leaves_under_way());
        if waiting > 0 {
            return;
        }
        if self.leaves.members().is_empty() {
            self.phase = Phase::Joining;
            return self.try_again(cx);
        }
        self.become_member(cx);
    }

    fn become_member(&mut self, cx: &mut Context<'_>) {
        let Some(joining) = self.joining() else { return };
        let op = joining.op;
        self.phase = Phase::Member;
        self.joined_at = cx.now();
        self.set_passage(Some(Passage::Announcing(op)));
        self.start_upkeep(cx);
        self.start_republishing(cx);
        if !self.leaves.members().is_empty() && !self.is_building() {
            // By then the candidates for the table have been measured.
            cx.wake(self.config.request_timeout, Timer::Announce);
        }
        self.announce_all(cx);
    }

    /// Whether this node joined so recently that its neighbours may still be
    /// handing over records.
    pub(super) fn is_new(&self, now: Time) -> bool {
        self.joined_at > Time::ZERO && now.since(self.joined_at) < NEW_FOR
    }

    /// Tries the contacts again after a pause, or gives up.
    fn try_again(&mut self, cx: &mut Context<'_>) {
        let (retries, timeout) = (self.config.retries, self.config.request_timeout);
        let attempt = self.requests.number();
        let Some(joining) = self.joining() else { return };
        joining.through = None;
        joining.is_pinging = false;
        joining.attempt = attempt;
        joining.rounds = joining.rounds.saturating_add(1);
        if joining.rounds > retries {
            return self.fail_join(cx, Reason::NoContact);
        }
        // The network may need to notice a death first, so the pauses grow.
        let factor = 2_u64.saturating_pow(joining.rounds.into());
        cx.wake(Span::from_us(timeout.as_us().saturating_mul(factor)), Timer::Join(attempt));
    }

    /// Another node has this identifier.
    pub(super) fn on_refused(&mut self, cx: &mut Context<'_>, request: u32) {
        if self.is_joining_with(request) && self.phase == Phase::Joining {
            self.fail_join(cx, Reason::Refused);
        }
    }

    fn fail_join(&mut self, cx: &mut Context<'_>, reason: Reason) {
        let Some(joining) = self.joining() else { return };
        let op = joining.op;
        self.step_out();
        cx.finish(op, Outcome::Failed(reason));
    }

    /// Forgets the network, but not what the user shares.
    fn step_out(&mut self) {
        self.set_passage(None);
        self.phase = Phase::Outside;
        self.epoch = self.epoch.wrapping_add(1);
        let fresh = Self::new_tables(&self.config, self.me.id);
        (self.leaves, self.table, self.neighbourhood) = fresh;
        if let Some(aside) = &mut self.aside {
            aside.probes.clear();
            aside.forwards.clear();
            aside.repairs.clear();
            aside.lost.clear();
            aside.reunion = None;
            aside.stage = None;
        }
    }

    /// No contact has answered, the join message was lost, or a pause is over.
    pub(super) fn on_join_timer(&mut self, cx: &mut Context<'_>, attempt: u32) {
        let phase = self.phase;
        let Some(joining) = self.joining() else { return };
        if joining.attempt != attempt {
            return;
        }
        let has_rested = !joining.is_pinging;
        match phase {
            // The last station was heard of: whoever still has to answer is
            // being asked, and that ends by itself.
            Phase::Arriving => {}
            _ if has_rested => self.ping_contacts(cx),
            _ => self.try_again(cx),
        }
    }

    /// Sends a join message of a member through a node that may belong to
    /// another half of the network.
    pub(super) fn seek_other_half(&mut self, cx: &mut Context<'_>, through: Addr) {
        let request = self.requests.number();
        self.aside.get_or_insert_default().reunion = Some(request);
        cx.send(through, join_message(request, cx.me(), self.me.id, self.config.ttl));
    }

    /// Leaves the network.
    pub(super) fn depart(&mut self, cx: &mut Context<'_>, op: OpId) {
        match (self.phase, self.aside.as_mut().and_then(|a| a.passage.take()).map(|p| *p)) {
            (Phase::Outside, _) => return cx.finish(op, Outcome::Failed(Reason::NotJoined)),
            (Phase::Leaving, passage) => {
                self.set_passage(passage);
                return cx.finish(op, Outcome::Failed(Reason::Refused));
            }
            (Phase::Joining | Phase::Arriving, passage) => {
                if let Some(Passage::In(joining)) = passage {
                    cx.finish(joining.op, Outcome::Failed(Reason::NotJoined));
                }
                self.say_farewell(cx);
                self.step_out();
                return cx.finish(op, Outcome::Done);
            }
            // In the network already, though not all is announced.
            (Phase::Member, Some(Passage::Announcing(join))) => cx.finish(join, Outcome::Done),
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
        self.say_farewell(cx);
        self.step_out();
        cx.finish(op, Outcome::Done);
    }

    fn say_farewell(&self, cx: &mut Context<'_>) {
        let leaves: Contacts = self.leaf_contacts().into_iter().collect();
        for leaf in self.leaves.members() {
            let leaves = leaves.clone();
            cx.send(leaf.entry.addr, Message::Leaving { id: self.me.id, leaves });
        }
    }
}

fn join_message(request: u32, origin: Addr, key: Key, ttl: u16) -> Message {
    let errand = Some(Box::new(Errand::Join { stations: 0, rows: 0 }));
    Message::Route { request, origin, key, ttl, ack: false, errand }
}
