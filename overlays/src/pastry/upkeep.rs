//! Keeping leaf set and tables right: keep-alives, repair, maintenance.

use super::contact::{Contact, Entry, Rtt};
use super::message::{Contacts, Message};
use super::probes::Purpose;
use super::routing_table::Cell;
use super::{Context, Pastry, Timer};
use crate::{Addr, Cause, Key, Note, Span, Time};

use rand::RngExt as _;

/// How long a node that fell silent is remembered.
const FORGET_AFTER: Span = Span::from_s(3600);
/// Table cells under repair at a time, at most.
const MAX_REPAIRS: usize = 64;
/// Nodes asked for one cell, at most.
const MAX_ASKED: usize = 8;
/// Lost nodes that are asked in each round of keep-alives.
const LOST_PER_ROUND: usize = 8;
/// Members of the neighbourhood set that are pinged in each round.
const PINGED_PER_ROUND: usize = 4;

/// A node that fell silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost {
    contact: Contact,
    since: Time,
}

/// An empty cell of the table for which a node is sought.
#[derive(Debug)]
pub(super) struct Repair {
    request: u32,
    /// Who stood there.
    failed: Contact,
    cell: Cell,
    asked: Vec<Addr>,
}

/// The leaf set.
impl Pastry {
    /// Starts the periodic upkeep.
    pub(super) fn start_upkeep(&mut self, cx: &mut Context<'_>) {
        let epoch = self.epoch;
        // Nodes that start at once must not stay in step.
        let phase = |cx: &mut Context<'_>, period: Span| {
            Span::from_us(cx.rng().random_range(0..=period.as_us()))
        };
        let (keep_alive, maintain) = (self.config.keep_alive, self.config.maintain);
        let after = phase(cx, keep_alive);
        cx.wake_upkeep(after, Timer::KeepAlive(epoch));
        let after = phase(cx, maintain);
        cx.wake_upkeep(after, Timer::Maintain(epoch));
    }

    /// Asks for a timer after a period, give or take the jitter.
    pub(super) fn rearm(&self, cx: &mut Context<'_>, period: Span, timer: Timer) {
        let stray = self.config.jitter * (cx.rng().random::<f64>() - 0.5);
        let us = period.as_us() as f64 * (1.0 + stray);
        cx.wake_upkeep(Span::from_us(us as u64), timer);
    }

    /// Nodes exchange keep-alives with their leaves (P01 §2.4); an answer
    /// brings the leaf set of the other if it has changed.
    pub(super) fn on_keep_alive_timer(&mut self, cx: &mut Context<'_>, epoch: u16) {
        if epoch != self.epoch || !self.is_member() {
            return;
        }
        self.rearm(cx, self.config.keep_alive, Timer::KeepAlive(epoch));
        // One of the sets is looked at again even if it has not changed:
        // somebody in it may have seemed dead before.
        self.leaves.forget_version_of(cx.rng().random_range(0..=usize::from(u16::MAX)));
        for leaf in self.leaf_contacts() {
            self.probe(cx, leaf, Purpose::Leaf);
        }
        self.ask_lost_ones(cx);
        self.tend_records(cx);
    }

    /// Asks some of the nodes that fell silent whether they are back.
    fn ask_lost_ones(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let Some(aside) = &mut self.aside else { return };
        aside.lost.retain(|l| now.since(l.since) < FORGET_AFTER);
        let asked = aside.lost.len().min(LOST_PER_ROUND);
        // Whoever is asked moves to the back, so that everyone has a turn.
        aside.lost.rotate_left(asked);
        let at = aside.lost.len() - asked;
        let contacts: Vec<Contact> = aside.lost[at..].iter().map(|l| l.contact).collect();
        for contact in contacts {
            self.probe(cx, contact, Purpose::Lost);
        }
    }

    /// Considers a node for the leaf set: if it belongs there, it is asked
    /// whether it is alive, and taken in when it answers. A joiner waits for
    /// the leaf set of the node closest to it.
    pub(super) fn consider_leaf(&mut self, cx: &mut Context<'_>, contact: Contact) {
        let contact = self.cut(contact);
        let is_fit = self.leaves.wants(contact.id) && self.is_among_nearest(contact.id);
        if self.takes_part() && contact.addr != cx.me() && is_fit && !self.is_lost(contact.addr) {
            self.probe(cx, contact, Purpose::Leaf);
        }
    }

    /// Whether a node would still be in the leaf set if all those that are
    /// being asked came in: a set that is being built has room for anyone.
    fn is_among_nearest(&self, id: Key) -> bool {
        let me = self.me.id;
        let (mut before, mut after) = (0, 0);
        let asked = self.aside.as_ref().map_or(&[][..], |a| a.probes.open());
        let asked = asked.iter().filter(|p| p.purpose == Purpose::Leaf).map(|p| p.contact);
        let asked = asked.filter(|c| self.leaves.get(c.addr).is_none());
        for other in self.leaves.members().iter().map(|l| l.contact()).chain(asked) {
            after += u16::from(me.distance_to(other.id) < me.distance_to(id));
            before += u16::from(other.id.distance_to(me) < id.distance_to(me));
        }
        let half = self.config.leaf_set / 2;
        after < half || before < half
    }

    /// A node asks whether this one is alive.
    pub(super) fn on_keep_alive(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        nonce: u32,
        id: Key,
        seen: u32,
    ) {
        let news = seen != self.version;
        let leaves: Contacts = self.leaf_contacts().into_iter().filter(|_| news).collect();
        let (me, version) = (self.me.id, self.version);
        cx.send(from, Message::Alive { nonce, id: me, version, leaves });
        let asker = self.cut(Contact { id, addr: from });
        if asker.id == self.me.id {
            return;
        }
        self.found(from);
        self.consider_leaf(cx, asker);
    }

    /// A leaf, or a candidate for the leaf set, is alive.
    pub(super) fn on_alive(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        nonce: u32,
        id: Key,
        version: u32,
        leaves: &[Contact],
    ) {
        let Some((probe, rtt)) = self.answered(cx, from, nonce, id) else { return };
        let contact = probe.contact;
        if probe.purpose == Purpose::Lost {
            self.found(from);
            let cx = &mut cx.on_behalf_of(Cause::UPKEEP);
            self.seek_other_half(cx, from);
        }
        self.take_leaf(cx, contact, rtt);
        let news = self.leaves.get_mut(from).is_some_and(|leaf| {
            let news = leaf.seen != version;
            leaf.seen = version;
            news
        });
        self.measured(cx, contact, rtt);
        if news || probe.purpose == Purpose::Lost {
            for leaf in leaves {
                self.consider_leaf(cx, *leaf);
            }
        }
        self.tidy();
        self.on_leaf_probe_over(cx);
    }

    /// Takes a living node into the leaf set if it belongs there.
    fn take_leaf(&mut self, cx: &mut Context<'_>, contact: Contact, rtt: Rtt) {
        let (changed, out) = self.leaves.insert(Entry::new(contact, rtt));
        if !changed {
            return;
        }
        cx.note(|| note("leaf", 0, Some(contact.addr)));
        if let Some(out) = out {
            cx.note(|| note("leaf out", 0, Some(out.addr)));
        }
        self.leaves_changed(cx);
    }

    fn leaves_changed(&mut self, cx: &mut Context<'_>) {
        self.version = self.version.wrapping_add(1).max(1);
        self.note_misplaced();
        self.tend_records(cx);
    }

    /// A node has left unanswered all that it was asked: it counts as dead.
    pub(super) fn fell_silent(&mut self, cx: &mut Context<'_>, contact: Contact) {
        let since = cx.now();
        let most = self.config.remember_lost;
        let is_leaf = self.leaves.get(contact.addr).is_some() || self.leaves.wants(contact.id);
        let lost = &mut self.aside.get_or_insert_default().lost;
        if is_leaf && most > 0 && !lost.iter().any(|l| l.contact.addr == contact.addr) {
            if lost.len() >= most {
                lost.remove(0);
            }
            lost.push(Lost { contact, since });
        }
        if self.leaves.wants(contact.id) {
            // It may have kept others out while it was being asked.
            self.leaves.forget_versions();
        }
        self.forget(cx, contact);
    }

    /// Whether a node fell silent and has not been heard of since.
    pub(super) fn is_lost(&self, addr: Addr) -> bool {
        self.aside.as_ref().is_some_and(|a| a.lost.iter().any(|l| l.contact.addr == addr))
    }

    /// A node that was lost has been heard of.
    pub(super) fn found(&mut self, addr: Addr) {
        if let Some(aside) = &mut self.aside {
            aside.lost.retain(|l| l.contact.addr != addr);
        }
    }

    /// Removes a node from all tables, and repairs them.
    pub(super) fn forget(&mut self, cx: &mut Context<'_>, contact: Contact) {
        let cx = &mut cx.on_behalf_of(Cause::UPKEEP);
        if self.leaves.get(contact.addr).is_some_and(|l| l.entry.id == contact.id) {
            self.remove_leaf(cx, contact);
        }
        if self.neighbourhood.remove(contact.addr) && self.is_member() {
            self.ask_a_neighbour(cx);
        }
        if let Some(cell) = self.table.remove(contact) {
            self.note_cell(cx, contact, false);
            if self.is_member() {
                self.start_repair(cx, contact, cell);
            }
        }
    }

    /// Removes a leaf and repairs that side of the set: the live node with the
    /// largest index there is asked for its own leaf set (P01 §2.4).
    pub(super) fn remove_leaf(&mut self, cx: &mut Context<'_>, contact: Contact) {
        let Some(sides) = self.leaves.remove(contact.addr) else { return };
        cx.note(|| note("leaf out", 0, Some(contact.addr)));
        self.leaves.forget_versions();
        let larger = self.leaves.larger().last().filter(|_| sides.larger).map(|l| l.contact());
        let smaller = self.leaves.smaller().last().filter(|_| sides.smaller).map(|l| l.contact());
        for farthest in [larger, smaller].into_iter().flatten() {
            self.probe(cx, farthest, Purpose::Leaf);
        }
        // With a whole side dead, only the tables know anybody beyond it.
        let others: Vec<Contact> = self.known().collect();
        for other in others {
            self.consider_leaf(cx, other);
        }
        self.leaves_changed(cx);
    }

    /// A leaf says that it leaves.
    pub(super) fn on_leaving(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        id: Key,
        leaves: &[Contact],
    ) {
        let leaver = self.cut(Contact { id, addr: from });
        if self.leaves.get(from).is_none_or(|l| l.entry.id != leaver.id) {
            return;
        }
        // Others still name it for a while.
        self.fell_silent(cx, leaver);
        let cx = &mut cx.on_behalf_of(Cause::UPKEEP);
        for leaf in leaves {
            self.consider_leaf(cx, *leaf);
        }
    }
}

/// The routing table and the neighbourhood set.
impl Pastry {
    /// Periodic maintenance (P01 §2.4 and §2.5): a node of each row is asked
    /// for that row, a member of the neighbourhood set for all it has, and
    /// nearer entries are taken from the answers. Some of the neighbourhood
    /// set are pinged.
    pub(super) fn on_maintain_timer(&mut self, cx: &mut Context<'_>, epoch: u16) {
        if epoch != self.epoch || !self.is_member() {
            return;
        }
        self.rearm(cx, self.config.maintain, Timer::Maintain(epoch));
        if self.is_building() {
            return;
        }
        let request = self.begin_stage(cx, self.config.request_timeout, false);
        for row in 0..self.table.rows() {
            let entries = self.table.row(row);
            if entries.is_empty() {
                continue;
            }
            let entry = entries[cx.rng().random_range(0..entries.len())];
            cx.send(entry.addr, Message::GetState { request, row: Some(row as u8) });
            self.probe(cx, entry.contact(), Purpose::Distance);
        }
        let members = self.neighbourhood.entries().len();
        if members > 0 {
            for _ in 0..PINGED_PER_ROUND.min(members) {
                let at = cx.rng().random_range(0..self.neighbourhood.entries().len());
                let contact = self.neighbourhood.entries()[at].contact();
                self.probe(cx, contact, Purpose::Distance);
            }
            let at = cx.rng().random_range(0..members);
            let addr = self.neighbourhood.entries()[at].addr;
            cx.send(addr, Message::GetState { request, row: None });
        }
    }

    /// A member of the neighbourhood set died: the nearest of the others is
    /// asked for its own set.
    fn ask_a_neighbour(&mut self, cx: &mut Context<'_>) {
        if self.is_building() {
            return;
        }
        let request = self.begin_stage(cx, self.config.request_timeout, false);
        if let Some(nearest) = self.neighbourhood.entries().first() {
            cx.send(nearest.addr, Message::GetState { request, row: None });
        }
    }

    /// Seeks another node for the cell of one that failed (P01 §2.4): nodes of
    /// the same row are asked for their entry in that cell, then nodes of the
    /// rows after it.
    fn start_repair(&mut self, cx: &mut Context<'_>, failed: Contact, cell: Cell) {
        let request = self.requests.number();
        let aside = self.aside.get_or_insert_default();
        if aside.repairs.len() >= MAX_REPAIRS || aside.repairs.iter().any(|r| r.cell == cell) {
            return;
        }
        self.ask_for_cell(cx, Repair { request, failed, cell, asked: Vec::new() });
    }

    fn ask_for_cell(&mut self, cx: &mut Context<'_>, mut repair: Repair) {
        let first = usize::from(repair.cell.row);
        let may = |e: &&Entry| !repair.asked.contains(&e.addr) && !self.is_suspect(e.addr);
        let mut others = (first..self.table.rows()).flat_map(|row| self.table.row(row));
        let Some(next) = others.find(may).map(|e| e.addr) else { return };
        if repair.asked.len() >= MAX_ASKED || self.table.get(repair.cell).is_some() {
            return;
        }
        let (request, failed) = (repair.request, repair.failed);
        repair.asked.push(next);
        cx.send(next, Message::GetEntry { request, failed });
        cx.wake(self.config.request_timeout, Timer::Repair(request));
        self.aside.get_or_insert_default().repairs.push(repair);
    }

    /// Somebody seeks a node for a cell.
    pub(super) fn on_get_entry(
        &self,
        cx: &mut Context<'_>,
        from: Addr,
        request: u32,
        failed: Contact,
    ) {
        let failed = self.cut(failed);
        let entry = self.table.next_for(failed.id).map(|e| e.contact());
        let entry = entry.filter(|e| e.addr != failed.addr && !self.is_suspect(e.addr));
        cx.send(from, Message::CellEntry { request, entry });
    }

    /// Somebody named a node for a cell, or has none.
    pub(super) fn on_cell_entry(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        request: u32,
        entry: Option<Contact>,
    ) {
        let Some(repair) = self.take_repair(request, |r| r.asked.last() == Some(&from)) else {
            return;
        };
        let entry = entry.map(|e| self.cut(e));
        match entry.filter(|e| e.addr != cx.me() && self.table.cell_of(e.id) == Some(repair.cell)) {
            // It enters the table when it answers.
            Some(entry) => self.probe(cx, entry, Purpose::Distance),
            None => {
                self.next_for_repair(cx, repair);
            }
        }
    }

    /// Nobody named a node for a cell in time.
    pub(super) fn on_repair_timer(&mut self, cx: &mut Context<'_>, request: u32) {
        if let Some(repair) = self.take_repair(request, |_| true) {
            self.next_for_repair(cx, repair);
        }
    }

    fn next_for_repair(&mut self, cx: &mut Context<'_>, mut repair: Repair) {
        // Each question has a number of its own, so that timers go stale.
        repair.request = self.requests.number();
        self.ask_for_cell(cx, repair);
    }

    fn take_repair(&mut self, request: u32, which: impl Fn(&Repair) -> bool) -> Option<Repair> {
        let repairs = &mut self.aside.as_mut()?.repairs;
        let at = repairs.iter().position(|r| r.request == request && which(r))?;
        Some(repairs.swap_remove(at))
    }

    /// A node answered a ping.
    pub(super) fn on_pong(&mut self, cx: &mut Context<'_>, from: Addr, nonce: u32, id: Key) {
        if let Some((probe, rtt)) = self.answered(cx, from, nonce, id) {
            self.found(from);
            self.measured(cx, probe.contact, rtt);
            self.tidy();
        }
    }

    /// Records a change of the table.
    pub(super) fn note_cell(&self, cx: &mut Context<'_>, contact: Contact, entered: bool) {
        let columns = 1 << self.config.b;
        let cell = self.table.cell_of(contact.id);
        cx.note(|| {
            let slot = cell.map_or(0, |c| u32::from(c.row) * columns + u32::from(c.column));
            note("routing table", slot, entered.then_some(contact.addr))
        });
    }
}

fn note(table: &'static str, slot: u32, peer: Option<Addr>) -> Note {
    Note::TableChange { table, slot, peer }
}
