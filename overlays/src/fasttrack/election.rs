//! How ordinary nodes become supernodes, and supernodes ordinary nodes again.
//!
//! A supernode that has many ordinary nodes promotes the most capable of them
//! and sends half of the others to look for another supernode; one that has few
//! retires when another has room for them. Capable is who can be reached, has
//! the bandwidth, and has been there for a while.

use rand::seq::SliceRandom as _;

use super::Timer;
use super::message::{Bandwidth, Message, NodeEntry, NodeList};
use super::peer::Context;
use super::supernode::{Child, Supernode};
use crate::seam::{Addr, Span, Time};

/// How long a promoted node has to show up as a supernode, and those that are
/// sent away to find another.
const PROMOTION_TIME: Span = Span::from_s(30);

impl Supernode {
    /// How capable an ordinary node is of being a supernode; the greater the
    /// better, nothing if it is not.
    fn capability(&self, now: Time, child: &Child) -> Option<(bool, Bandwidth, Span)> {
        let least = Bandwidth::of(u64::from(self.config.min_upload_kbps) * 1_000);
        let uptime = now.since(child.since);
        let capable = !child.firewalled && child.bandwidth >= least;
        capable.then_some((uptime >= self.config.promote_uptime, child.bandwidth, uptime))
    }

    /// Tells the most capable ordinary node to become a supernode, unless one
    /// was told just now. False when there is none.
    pub(super) fn promote_one(&mut self, cx: &mut Context<'_>) -> bool {
        let now = cx.now();
        if self.promoting.is_some_and(|(_, at)| now.since(at) < PROMOTION_TIME) {
            return true;
        }
        let capable = self.children.iter().filter_map(|(&addr, child)| {
            let capability = self.capability(now, child)?;
            Some((capability, core::cmp::Reverse(addr)))
        });
        let Some((_, core::cmp::Reverse(best))) = capable.max() else { return false };
        self.promoting = Some((best, now));
        cx.send(best, Message::Promote);
        true
    }

    /// Sends half of the ordinary nodes, drawn at random, to look for another
    /// supernode, with `newcomer` first on their list.
    pub(super) fn shed(&mut self, cx: &mut Context<'_>, known: &[NodeEntry], newcomer: Addr) {
        let list = list_with(newcomer, known);
        let mut leavers: Vec<Addr> = self.children().collect();
        leavers.shuffle(cx.rng());
        leavers.truncate(leavers.len() / 2);
        for child in leavers {
            cx.send(child, Message::Move(list.clone()));
        }
    }

    /// What a supernode does every now and then.
    pub(super) fn upkeep(&mut self, cx: &mut Context<'_>, sources: &[Addr], known: &[NodeEntry]) {
        if self.retiring.is_none() {
            let load = self.load();
            for &source in sources {
                cx.send(source, Message::Register { load });
            }
            self.links.tell_load(cx, load);
            self.links.shuffle(cx, &self.config, known);
            self.top_up(cx, known);
            if self.children.len() > self.config.children_split as usize {
                self.promote_one(cx);
            } else if self.should_retire(cx.me()) {
                self.retire(cx, sources, known);
            }
            self.tell_stats(cx);
        } else if self.retiring.is_some_and(|since| cx.now() > since) {
            // Those that are still here found nobody else in a whole period.
            for child in self.children().collect::<Vec<_>>() {
                cx.close(child);
                self.remove_child(cx, child);
            }
        }
        cx.wake_upkeep(self.config.upkeep_every, Timer::Upkeep);
    }

    /// Tells the ordinary nodes how large the network is. Those that are gone
    /// are noticed by it.
    fn tell_stats(&mut self, cx: &mut Context<'_>) {
        if cx.now().since(self.last_stats) < self.config.stats_every {
            return;
        }
        self.last_stats = cx.now();
        let (users, files) = (self.children.len() as u32, self.files() as u32);
        for &child in self.children.keys() {
            cx.send(child, Message::Stats { users, files });
        }
    }

    /// Whether it serves so few that a link of it can serve them as well.
    pub(super) fn should_retire(&self, me: Addr) -> bool {
        self.links.loads().any(|(peer, load)| self.can_yield_to(me, peer, load))
    }

    /// Whether it serves so few that `peer`, with this load, can serve them as
    /// well. Of two such, the less loaded one retires, so that one stays.
    pub(super) fn can_yield_to(&self, me: Addr, peer: Addr, load: u8) -> bool {
        let own = self.load();
        self.children.len() < self.config.children_min as usize
            && (load, peer) > (own, me)
            && u32::from(load) + u32::from(own) < 75
    }

    /// Whether a promoted node has yet to take its part of the others.
    pub(super) fn is_splitting(&self) -> bool {
        let has_capable = |now| self.children.values().any(|c| self.capability(now, c).is_some());
        self.children.len() > self.config.children_split as usize && has_capable(Time::NEVER)
    }

    /// Sends everyone to look for another supernode, and serves until they have
    /// found one.
    fn retire(&mut self, cx: &mut Context<'_>, sources: &[Addr], known: &[NodeEntry]) {
        self.retiring = Some(cx.now());
        for &source in sources {
            cx.send(source, Message::Unregister);
        }
        let list = self.list_of_links(known);
        for &child in self.children.keys() {
            cx.send(child, Message::Move(list.clone()));
        }
    }

    /// Whether it has nobody to serve any more.
    pub(super) fn has_retired(&self) -> bool {
        self.retiring.is_some() && self.children.is_empty()
    }

    /// Closes the streams to everyone.
    pub(super) fn close_all(&mut self, cx: &mut Context<'_>) {
        for &child in self.children.keys() {
            cx.close(child);
        }
        for peer in self.links.all() {
            cx.close(peer);
        }
    }

    /// Leaves politely. Without another supernode, the most capable ordinary
    /// node becomes one.
    pub(super) fn leave(&mut self, cx: &mut Context<'_>, sources: &[Addr], known: &[NodeEntry]) {
        for &source in sources {
            cx.send(source, Message::Unregister);
        }
        let mut list = self.list_of_links(known);
        if list.is_empty() {
            self.promoting = None;
            if self.promote_one(cx)
                && let Some((heir, _)) = self.promoting
            {
                list = list_with(heir, &[]);
            }
        }
        let heir = self.promoting.map(|(heir, _)| heir);
        for &child in self.children.keys().filter(|child| Some(**child) != heir) {
            cx.send(child, Message::Move(list.clone()));
        }
        self.close_all(cx);
        for &source in sources {
            cx.close(source);
        }
    }

    /// The linked supernodes, then the known ones.
    fn list_of_links(&self, known: &[NodeEntry]) -> NodeList {
        let entry = |(addr, load)| NodeEntry { addr, seen_min: 0, load };
        let links = self.links.loads().map(entry);
        let further = known.iter().filter(|entry| !self.links.contains(entry.addr)).copied();
        links.chain(further).take(usize::from(self.config.list_entries)).collect()
    }
}

/// `first`, then the rest of `known`.
fn list_with(first: Addr, known: &[NodeEntry]) -> NodeList {
    let first = NodeEntry { addr: first, seen_min: 0, load: 0 };
    let others = known.iter().filter(|entry| entry.addr != first.addr).copied();
    core::iter::once(first).chain(others).collect()
}
