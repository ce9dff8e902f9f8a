//! Sending and receiving QRP tables.

use std::sync::Arc;

use super::links::State;
use super::message::Message;
use super::qrp::{INFINITY, Incoming, PatchBody, Table, patches};
use super::{Gnutella06, Rank, Timer};
use crate::seam::{Addr, Cx};

impl Gnutella06 {
    /// What can be found here: for a leaf its own shares, for an ultrapeer
    /// those of its leaves as well. Never what other ultrapeers sent.
    pub(super) fn fresh_table(&self) -> Table {
        let bits = self.config.table_bits;
        let own = Table::of(bits, self.shares.items().chain(self.copies.items()));
        if self.rank == Rank::Leaf {
            return own;
        }
        let leaves = self.links.iter().filter(|l| l.rank == Rank::Leaf);
        let theirs = leaves.filter_map(|l| l.incoming.as_ref()).map(|i| &**i.table());
        Table::union(bits, theirs.chain([&own]))
    }

    /// Whether it tells this link of its table.
    fn tells(&self, rank: Rank) -> bool {
        rank == Rank::Ultrapeer && (self.rank == Rank::Leaf || self.config.last_hop_qrp)
    }

    /// Sends a new link the whole table, as it was last sent to the others.
    pub(super) fn send_table(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        if !self.tells(Rank::Ultrapeer) {
            return;
        }
        let empty = Table::empty(self.config.table_bits);
        cx.send(peer, Message::Reset { size: empty.size(), infinity: INFINITY });
        if !self.table.is_empty() {
            for body in patches(&empty, &self.table, self.entry_bits()) {
                cx.send(peer, Message::Patch { body });
            }
        }
    }

    fn entry_bits(&self) -> u8 {
        if self.config.patch_bits < 8 { 4 } else { 8 }
    }

    /// The servent's own shares have changed: a leaf says so at once, an
    /// ultrapeer with the next patches.
    pub(super) fn tell_shares(&mut self, cx: &mut Cx<'_, Self>) {
        match (self.state, self.rank) {
            (State::Outside, _) => {}
            (_, Rank::Leaf) => self.tell_changes(cx),
            (_, Rank::Ultrapeer) => self.table_changed(cx),
        }
    }

    /// The merged table may have changed: looks at it after a while, so that
    /// many changes make one round of patches.
    pub(super) fn table_changed(&mut self, cx: &mut Cx<'_, Self>) {
        if !self.table_due && self.rank == Rank::Ultrapeer && self.state == State::Member {
            self.table_due = true;
            cx.wake_upkeep(self.config.table_delay, Timer::Tables);
        }
    }

    pub(super) fn on_tables_due(&mut self, cx: &mut Cx<'_, Self>) {
        self.table_due = false;
        if self.rank == Rank::Ultrapeer && self.state == State::Member {
            self.tell_changes(cx);
        }
    }

    /// Sends what has changed since the table was last sent.
    fn tell_changes(&mut self, cx: &mut Cx<'_, Self>) {
        let fresh = self.fresh_table();
        if fresh == *self.table {
            return;
        }
        if self.tells(Rank::Ultrapeer) && self.ultrapeers() > 0 {
            let bodies = patches(&self.table, &fresh, self.entry_bits());
            for peer in self.peers_of(Rank::Ultrapeer) {
                for body in &bodies {
                    cx.send(peer, Message::Patch { body: body.clone() });
                }
            }
        }
        self.table = Arc::new(fresh);
    }

    pub(super) fn on_reset(&mut self, cx: &mut Cx<'_, Self>, from: Addr, size: u32) {
        if self.rank == Rank::Leaf {
            return;
        }
        let Some(link) = self.links.iter_mut().find(|l| l.peer == from) else { return };
        link.incoming = Incoming::reset(size).map(Box::new);
        if link.rank == Rank::Leaf {
            self.table_changed(cx);
        }
    }

    pub(super) fn on_patch(&mut self, cx: &mut Cx<'_, Self>, from: Addr, body: &PatchBody) {
        let Some(link) = self.links.iter_mut().find(|l| l.peer == from) else { return };
        let rank = link.rank;
        // A patch before any RESET has nothing to change.
        let Some(incoming) = &mut link.incoming else { return };
        if incoming.take(body) && rank == Rank::Leaf {
            self.table_changed(cx);
        }
    }
}
