//! What nodes tell each other of their state, and what is taken from it: the
//! second stage of a join, the announcement, and table maintenance.

use super::config::TableInit;
use super::contact::{Contact, Entry, Rtt};
use super::message::{Arrival, Message, State};
use super::probes::Purpose;
use super::{Context, Pastry};
use crate::Addr;

use std::collections::BTreeSet;

/// Candidates that are remembered as measured during one stage, at most.
const MAX_MEASURED: usize = 2048;

/// An exchange of state under way: the second stage of a join, or a round of
/// maintenance.
#[derive(Debug)]
pub(super) struct Stage {
    /// The number that answers carry.
    request: u32,
    /// Who was measured, so that nobody is twice.
    measured: BTreeSet<Addr>,
}

impl Pastry {
    /// The distance to a node, if it has been measured.
    pub(super) fn rtt_of(&self, addr: Addr) -> Option<Rtt> {
        let leaf = self.leaves.get(addr).map(|l| &l.entry);
        let entry = leaf.or_else(|| self.neighbourhood.find(addr));
        entry.or_else(|| self.table.find(addr)).map(|e| e.rtt)
    }

    /// Looks at nodes that another told of, and measures those that might be
    /// taken in. `rtt` is the distance to the one who told, and each entry's
    /// own distance is seen from there. A node is worth measuring if its cell
    /// is empty and nobody is being measured for it, or if the way to it by
    /// the one who told is shorter than that to the node in the cell.
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
            let stage = self.aside.as_mut().and_then(|a| a.stage.as_mut());
            let is_measured = stage.as_ref().is_some_and(|s| s.measured.contains(&contact.addr));
            if is_measured || !self.is_candidate(contact, estimate) {
                continue;
            }
            if let Some(stage) = self.aside.as_mut().and_then(|a| a.stage.as_mut())
                && stage.measured.len() < MAX_MEASURED
            {
                stage.measured.insert(contact.addr);
            }
            self.probe(cx, contact, Purpose::Distance);
        }
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

    /// The joiner's tables stand: it announces itself to everyone in them, and
    /// asks them for their state (the second stage).
    pub(super) fn on_announce_timer(&mut self, cx: &mut Context<'_>) {
        if !self.is_member() {
            return;
        }
        let mut all: Vec<Contact> = self.known().collect();
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
        if self.config.table_init == TableInit::WholeThenFetch {
            let request = self.begin_stage();
            let table = self.table.entries().iter().chain(self.neighbourhood.entries());
            let mut asked: Vec<Addr> = table.map(|e| e.addr).collect();
            asked.sort_unstable();
            asked.dedup();
            for addr in asked {
                cx.send(addr, Message::GetState { request, row: None });
            }
        }
    }

    /// Begins an exchange of state; answers to the one before are stale.
    pub(super) fn begin_stage(&mut self) -> u32 {
        let request = self.requests.number();
        let stage = Stage { request, measured: BTreeSet::new() };
        self.aside.get_or_insert_default().stage = Some(Box::new(stage));
        request
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
        let stage = self.aside.as_ref().and_then(|a| a.stage.as_ref());
        if stage.is_none_or(|s| s.request != request) {
            return;
        }
        // Only nodes of the tables were asked, and all of them are measured.
        let Some(rtt) = self.rtt_of(from) else { return };
        self.consider(cx, &state.table, rtt);
        self.consider(cx, &state.neighbourhood, rtt);
        for leaf in &state.leaves {
            self.consider_leaf(cx, *leaf);
        }
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
