//! What nodes tell each other of their state, and what is taken from it: the
//! second stage of a join, the announcement, and table maintenance.

use super::config::TableInit;
use super::contact::{Contact, Entry, Rtt};
use super::message::{Arrival, Message, State};
use super::probes::Purpose;
use super::routing_table::Cell;
use super::{Context, Pastry, Timer};
use crate::{Addr, Span};

/// Candidates for the neighbourhood set that are measured after one exchange
/// of state, at most.
const NEAR_CANDIDATES: usize = 4;

/// An exchange of state under way: the building of a joiner's tables, or a
/// round of maintenance. What the others tell is gathered first, and when it
/// ends, only the most promising node for each cell is measured: to compare
/// all candidates is free in the paper, and most of a join's messages here.
#[derive(Debug)]
pub(super) struct Stage {
    /// The number that answers carry.
    request: u32,
    /// Whether a joiner announces itself after it.
    announces: bool,
    /// For each cell, the node to which the way by the one who told of it is
    /// shortest, and how long that is; at most one for each cell.
    best: Vec<(Cell, Entry)>,
    /// The same for the neighbourhood set, nearest first.
    near: Vec<Entry>,
}

impl Stage {
    /// Keeps a candidate for a cell if none is nearer by estimate.
    fn gather_for(&mut self, cell: Cell, candidate: Entry) {
        match self.best.iter_mut().find(|(c, _)| *c == cell) {
            Some((_, best)) if candidate.rtt < best.rtt => *best = candidate,
            Some(_) => {}
            None => self.best.push((cell, candidate)),
        }
    }

    /// Keeps a candidate for the neighbourhood set if it is among the nearest.
    fn gather_near(&mut self, candidate: Entry) {
        if let Some(at) = self.near.iter().position(|e| e.addr == candidate.addr) {
            if self.near[at].rtt <= candidate.rtt {
                return;
            }
            self.near.remove(at);
        }
        let at = self.near.partition_point(|e| e.rtt <= candidate.rtt);
        self.near.insert(at, candidate);
        self.near.truncate(NEAR_CANDIDATES);
    }
}

impl Pastry {
    /// The distance to a node, if it has been measured.
    pub(super) fn rtt_of(&self, addr: Addr) -> Option<Rtt> {
        let leaf = self.leaves.get(addr).map(|l| &l.entry);
        let entry = leaf.or_else(|| self.neighbourhood.find(addr));
        entry.or_else(|| self.table.find(addr)).map(|e| e.rtt)
    }

    /// Looks at nodes that another told of, and measures at once those that
    /// might be taken in. `rtt` is the distance to the one who told, and each
    /// entry's own distance is seen from there. A node is worth measuring if
    /// its cell is empty and nobody is being measured for it, or if the way to
    /// it by the one who told is shorter than that to the node in the cell.
    pub(super) fn consider(&mut self, cx: &mut Context<'_>, entries: &[Entry], rtt: Rtt) {
        for entry in entries {
            let contact = self.cut(entry.contact());
            if contact.addr == cx.me() || contact.id == self.me.id {
                continue;
            }
            if self.is_lost(contact.addr) {
                continue;
            }
            let estimate = Rtt(entry.rtt.0.saturating_add(rtt.0));
            if self.is_candidate(contact, estimate) {
                self.probe(cx, contact, Purpose::Distance);
            }
        }
    }

    /// Looks at nodes that one at the distance `rtt` told of, and notes the
    /// best of them for the end of the stage.
    pub(super) fn gather(&mut self, me: Addr, entries: &[Entry], rtt: Rtt) {
        for entry in entries {
            let contact = self.cut(entry.contact());
            let is_known = contact.addr == me || contact.id == self.me.id;
            if is_known || self.is_lost(contact.addr) || self.rtt_of(contact.addr).is_some() {
                continue;
            }
            let Some(cell) = self.table.cell_of(contact.id) else { continue };
            let estimate = Rtt(entry.rtt.0.saturating_add(rtt.0));
            let for_table = self.table.get(cell).is_none_or(|there| estimate < there.rtt);
            let size = self.config.neighbourhood;
            let is_near = self.neighbourhood.wants(contact.addr, estimate, size);
            let Some(stage) = self.aside.as_mut().and_then(|a| a.stage.as_mut()) else { return };
            let candidate = Entry::new(contact, estimate);
            if for_table {
                stage.gather_for(cell, candidate);
            }
            if is_near {
                stage.gather_near(candidate);
            }
        }
    }

    /// A joiner looks at nodes that a station on its way told of: it measures
    /// one for each cell that is empty, and neighbours of the first station
    /// while there is room for them.
    pub(super) fn fill_gaps(&mut self, cx: &mut Context<'_>, table: &[Entry], near: &[Entry]) {
        let purpose = match self.config.table_init {
            TableInit::WholeThenFetch => Purpose::Fetch,
            TableInit::Single | TableInit::Whole => Purpose::Distance,
        };
        let candidates = near.iter().map(|e| (e, true)).chain(table.iter().map(|e| (e, false)));
        for (entry, is_near) in candidates {
            let contact = self.cut(entry.contact());
            if contact.addr == cx.me() || contact.id == self.me.id || self.is_lost(contact.addr) {
                continue;
            }
            let is_gap = self.table.next_for(contact.id).is_none();
            let wanted = match is_near {
                true => self.neighbours_under_way() < self.config.neighbourhood,
                false => is_gap && !self.is_measuring_for(contact),
            };
            if wanted && self.rtt_of(contact.addr).is_none() {
                self.probe(cx, contact, purpose);
            }
        }
    }

    /// The members of the neighbourhood set, and those being measured that may
    /// become some.
    fn neighbours_under_way(&self) -> usize {
        let probes = self.aside.as_ref().map_or(0, |a| a.probes.candidates().count());
        self.neighbourhood.entries().len() + probes
    }

    /// Whether a node at about this distance would improve a table.
    fn is_candidate(&self, contact: Contact, estimate: Rtt) -> bool {
        let size = self.config.neighbourhood;
        let for_table = match self.table.next_for(contact.id) {
            Some(there) => there.addr != contact.addr && estimate < there.rtt,
            None => !self.is_measuring_for(contact),
        };
        for_table || self.neighbourhood.wants(contact.addr, estimate, size)
    }

    /// Whether a node is being measured that would stand in the same cell.
    fn is_measuring_for(&self, contact: Contact) -> bool {
        let cell = self.table.cell_of(contact.id);
        self.aside
            .as_ref()
            .is_some_and(|a| a.probes.candidates().any(|c| self.table.cell_of(c.id) == cell))
    }

    /// A node has been measured: it may enter the tables.
    pub(super) fn measured(&mut self, cx: &mut Context<'_>, contact: Contact, rtt: Rtt) {
        let entry = Entry::new(contact, rtt);
        if self.table.offer(entry) {
            self.note_cell(cx, contact, true);
        }
        self.neighbourhood.offer(entry, self.config.neighbourhood);
        self.leaves.measured(contact.addr, rtt);
        if self.leaves.wants(contact.id) {
            self.consider_leaf(cx, contact);
        }
    }

    /// The joiner's tables stand: it announces itself to everyone in routing
    /// table and neighbourhood set. Its leaves know it already.
    pub(super) fn on_announce_timer(&mut self, cx: &mut Context<'_>) {
        if !self.is_member() {
            return;
        }
        let entries = self.table.entries().iter().chain(self.neighbourhood.entries());
        let mut all: Vec<Contact> = entries.map(|e| e.contact()).collect();
        all.sort_by_key(|c| c.addr);
        all.dedup_by_key(|c| c.addr);
        for contact in &all {
            let row = self.table.shared_digits(contact.id) as usize;
            let arrival = Arrival {
                newcomer: self.me,
                rtt: self.rtt_of(contact.addr).unwrap_or(Rtt(u16::MAX)),
                row: self.table.row(row).to_vec(),
            };
            cx.send(contact.addr, Message::Announce(Box::new(arrival)));
        }
    }

    /// Begins an exchange of state that lasts for so long; answers to the one
    /// before are stale. A joiner announces itself after its own.
    pub(super) fn begin_stage(
        &mut self,
        cx: &mut Context<'_>,
        lasts: Span,
        announces: bool,
    ) -> u32 {
        let request = self.requests.number();
        let stage = Stage { request, announces, best: Vec::new(), near: Vec::new() };
        self.aside.get_or_insert_default().stage = Some(Box::new(stage));
        cx.wake(lasts, Timer::Stage(request));
        request
    }

    /// Whether a joiner is still building its tables.
    pub(super) fn is_building(&self) -> bool {
        self.aside.as_ref().and_then(|a| a.stage.as_ref()).is_some_and(|s| s.announces)
    }

    /// An exchange of state is over: the best of what was heard is measured.
    pub(super) fn on_stage_timer(&mut self, cx: &mut Context<'_>, request: u32) {
        let Some(aside) = &mut self.aside else { return };
        let Some(stage) = aside.stage.take_if(|s| s.request == request) else { return };
        for (cell, candidate) in &stage.best {
            if self.table.get(*cell).is_none_or(|there| candidate.rtt < there.rtt) {
                self.probe(cx, candidate.contact(), Purpose::Distance);
            }
        }
        for candidate in &stage.near {
            let size = self.config.neighbourhood;
            if self.neighbourhood.wants(candidate.addr, candidate.rtt, size) {
                self.probe(cx, candidate.contact(), Purpose::Distance);
            }
        }
        if stage.announces && self.is_member() {
            // By then the candidates have been measured.
            cx.wake(self.config.request_timeout, Timer::Announce);
        }
    }

    /// Somebody asks for this node's state, or a row of its table.
    pub(super) fn on_get_state(
        &self,
        cx: &mut Context<'_>,
        from: Addr,
        request: u32,
        row: Option<u8>,
    ) {
        let state = match row {
            Some(row) => State {
                sender: self.me,
                station: 0,
                is_last: false,
                table: self.table.row(row.into()).to_vec(),
                leaves: Vec::new(),
                neighbourhood: Vec::new(),
            },
            None => State {
                sender: self.me,
                station: 0,
                is_last: false,
                table: self.table.entries().to_vec(),
                leaves: self.leaf_contacts(),
                neighbourhood: self.neighbourhood.entries().to_vec(),
            },
        };
        cx.send(from, Message::State { request, state: Box::new(state) });
    }

    /// State that this node asked for.
    pub(super) fn on_state(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        request: u32,
        state: &State,
    ) {
        if self.is_station_of(request) {
            return self.on_station(cx, from, request, state);
        }
        let id = state.sender.id;
        let rtt = if let Some((probe, rtt)) = self.answered(cx, from, request, id) {
            self.measured(cx, probe.contact, rtt);
            rtt
        } else {
            let stage = self.aside.as_ref().and_then(|a| a.stage.as_ref());
            if stage.is_none_or(|s| s.request != request) {
                return;
            }
            // Only nodes of the tables were asked, and all of them are measured.
            let Some(rtt) = self.rtt_of(from) else { return };
            rtt
        };
        self.gather(cx.me(), &state.table, rtt);
        self.gather(cx.me(), &state.neighbourhood, rtt);
        for leaf in &state.leaves {
            self.consider_leaf(cx, *leaf);
        }
        self.tidy();
    }

    /// A newcomer announces itself.
    pub(super) fn on_announce(&mut self, cx: &mut Context<'_>, from: Addr, arrival: &Arrival) {
        if arrival.newcomer.addr != from {
            return;
        }
        self.found(from);
        self.consider(cx, &[Entry::new(arrival.newcomer, arrival.rtt)], Rtt(0));
        // The row helps those who have gaps in it; nearer nodes are found by
        // maintenance, or every arrival would have everybody measure again.
        let gap = |e: &&Entry| self.table.next_for(self.cut(e.contact()).id).is_none();
        let gaps: Vec<Entry> = arrival.row.iter().filter(gap).copied().collect();
        self.consider(cx, &gaps, arrival.rtt);
        self.consider_leaf(cx, self.cut(arrival.newcomer));
    }
}
