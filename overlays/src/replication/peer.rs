//! A peer: joining, leaving, its own items, and what it passes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt as _;

use super::block::{Block, Change, Entry, Shared};
use super::config::Spread;
use super::message::{Message, Place};
use super::neighbours::Neighbours;
use super::origin::{Meaning, Origin, Version};
use super::replica::{Replica, Room};
use super::{Blueprint, Replication, Timer, guard, repair};
use crate::seam::{Addr, Cause, Cx, Item, Key, Note, OpId, Outcome, Query, Reason, Span, Time};

/// How far ahead of this peer's clock another's may run. An epoch beyond it is
/// not believed, or nobody could ever begin a later one.
const CLOCK_SKEW: Span = Span::from_s(3600);

/// A join that has not ended.
#[derive(Debug)]
pub(super) struct Joining {
    op: OpId,
    cause: Cause,
    /// The members to copy from, in order of trial.
    via: Box<[Addr]>,
    /// How many of them failed.
    failed: usize,
    /// How far the copy has come.
    copied: Option<Place>,
    /// Numbers the pages asked for, so that a stale timer is known.
    page: u32,
}

/// Whether a peer takes part.
#[derive(Debug)]
pub(super) enum State {
    /// It does not.
    Out,
    /// It copies the index.
    Joining(Box<Joining>),
    /// It does.
    In,
}

pub(super) type Context<'a> = Cx<'a, Replication>;

impl Replication {
    pub(super) fn start_join(&mut self, cx: &mut Context<'_>, op: OpId, via: &[Addr]) {
        match self.state {
            State::In => return cx.finish(op, Outcome::Done),
            // One attempt at a time; its operation will end by itself.
            State::Joining(_) => return cx.finish(op, Outcome::Failed(Reason::Refused)),
            State::Out => {}
        }
        if via.is_empty() {
            self.enter(cx);
            return cx.finish(op, Outcome::Done);
        }
        let mut via: Vec<Addr> = via.iter().copied().filter(|&addr| addr != cx.me()).collect();
        via.truncate(usize::from(self.config.max_links));
        let cause = cx.cause();
        let via = via.into();
        let joining = Joining { op, cause, via, failed: 0, copied: None, page: 0 };
        self.state = State::Joining(Box::new(joining));
        self.fetch(cx, Reason::NoContact);
    }

    /// Asks for the next page, or gives up when every contact has failed.
    fn fetch(&mut self, cx: &mut Context<'_>, trouble: Reason) {
        let State::Joining(joining) = &mut self.state else { return };
        joining.page += 1;
        let mut cx = cx.on_behalf_of(joining.cause);
        let Some(&contact) = joining.via.get(joining.failed) else {
            cx.finish(joining.op, Outcome::Failed(trouble));
            self.reset();
            return;
        };
        cx.send(contact, Message::Fetch { after: joining.copied });
        guard(&mut cx, self.config.page_timeout, Timer::Page(joining.page));
    }

    /// The contact asked is gone or silent: the copy goes on from another.
    pub(super) fn next_contact(&mut self, cx: &mut Context<'_>, trouble: Reason) {
        if let State::Joining(joining) = &mut self.state {
            joining.failed += 1;
            self.fetch(cx, trouble);
        }
    }

    pub(super) fn on_page_overdue(&mut self, cx: &mut Context<'_>, page: u32) {
        if matches!(&self.state, State::Joining(joining) if joining.page == page) {
            self.next_contact(cx, Reason::Timeout);
        }
    }

    pub(super) fn on_stream_lost(&mut self, cx: &mut Context<'_>, peer: Addr) {
        if matches!(&self.state, State::Joining(j) if j.via.get(j.failed) == Some(&peer)) {
            self.next_contact(cx, Reason::NoContact);
        }
    }

    pub(super) fn on_fetch(&mut self, cx: &mut Context<'_>, from: Addr, after: Option<Place>) {
        if !matches!(self.state, State::In) {
            // Tell the newcomer who was sent here, so that it tries elsewhere.
            return cx.close(from);
        }
        let (blocks, next) = self.replica.page(after);
        cx.send(from, Message::Page { blocks, next });
    }

    pub(super) fn on_page(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        blocks: &[Block],
        next: Option<Place>,
    ) {
        let State::Joining(joining) = &mut self.state else { return };
        // A page that does not lead on would keep the copy from ending.
        let leads_on = next.is_none_or(|next| Some(next) > joining.copied);
        if joining.via.get(joining.failed) != Some(&from) || !leads_on {
            return;
        }
        joining.copied = next;
        let (op, cause) = (joining.op, joining.cause);
        for block in blocks {
            if block.origin != cx.me() && self.is_credible(cx, block) {
                self.replica.apply(block, cx.now(), self.room());
            }
        }
        if next.is_some() {
            return self.fetch(cx, Reason::NoContact);
        }
        cx.close(from);
        let mut cx = cx.on_behalf_of(cause);
        self.enter(&mut cx);
        cx.finish(op, Outcome::Done);
    }

    /// Takes part: links up, tells everybody, and begins its upkeep.
    fn enter(&mut self, cx: &mut Context<'_>) {
        self.state = State::In;
        let wanted = usize::from(self.config.links);
        let mut targets: Vec<Addr> = Vec::new();
        for _ in 0..4 * wanted {
            let member = self.replica.any_member(cx.rng());
            targets.extend(member.filter(|m| *m != cx.me() && !targets.contains(m)));
            if targets.len() == wanted {
                break;
            }
        }
        for &target in &targets {
            cx.send(target, Message::Link);
        }
        for block in self.begin_epoch(cx, 0) {
            self.replica.apply(&block, cx.now(), self.room());
            let block = Arc::new(block);
            for &target in &targets {
                cx.send(target, Message::News(Arc::clone(&block)));
            }
        }
        self.schedule_beat(cx);
    }

    /// The next beat; each is a little off, or all peers would beat at once
    /// for ever.
    pub(super) fn schedule_beat(&self, cx: &mut Context<'_>) {
        let beat_us = self.config.beat.as_us();
        let after = Span::from_us(beat_us / 2 + cx.rng().random_range(0..=beat_us));
        cx.wake_upkeep(after, Timer::Beat(self.life));
    }

    /// Everything it shares, numbered anew in an epoch later than `beyond` and
    /// than any before.
    fn begin_epoch(&mut self, cx: &Context<'_>, beyond: u64) -> Vec<Block> {
        let known = self.replica.version(cx.me()).map_or(0, |version| version.epoch + 1);
        self.epoch = cx.now().as_us().max(known).max(self.epoch.max(beyond) + 1);
        let own = Arc::new(Origin::new(self.epoch, self.items.values().map(Arc::clone)));
        own.blocks_for(cx.me(), None).collect()
    }

    /// Others have a version of this peer that it never was: somebody took it
    /// for gone. A new epoch beats that.
    fn refute(&mut self, cx: &mut Context<'_>, beyond: u64) {
        for block in self.begin_epoch(cx, beyond) {
            self.publish(cx, block);
        }
    }

    /// Tells everybody a change of its own, or that somebody has gone.
    pub(super) fn publish(&mut self, cx: &mut Context<'_>, mut block: Block) {
        if self.replica.apply(&block, cx.now(), self.room()) == Meaning::News {
            block.state = self.replica.shared(block.origin);
            self.pass_on(cx, &Arc::new(block), None);
        }
    }

    fn pass_on(&mut self, cx: &mut Context<'_>, block: &Arc<Block>, from: Option<Addr>) {
        match self.config.spread {
            Spread::Flood => {
                for neighbour in self.neighbours.iter().filter(|n| Some(*n) != from) {
                    cx.send(neighbour, Message::News(Arc::clone(block)));
                }
            }
            Spread::Gossip => {
                for _ in 0..self.fanout() {
                    let member = self.replica.any_member(cx.rng());
                    if let Some(to) = member.filter(|m| *m != cx.me() && Some(*m) != from) {
                        cx.send(to, Message::News(Arc::clone(block)));
                    }
                }
            }
        }
    }

    fn fanout(&self) -> u32 {
        match self.config.fanout {
            // ln n to the next whole number above, in whole arithmetic: the
            // binary logarithm times 0.7.
            0 => 3 + (self.replica.size().max(1).ilog2() + 1) * 7 / 10,
            fanout => u32::from(fanout),
        }
    }

    /// How much the index may take up.
    fn room(&self) -> Room {
        Room {
            peers: self.config.max_peers as usize,
            // Additions and as many removals.
            log: 2 * self.config.max_items as usize,
        }
    }

    fn is_credible(&self, cx: &Context<'_>, block: &Block) -> bool {
        block.epoch <= (cx.now() + CLOCK_SKEW).as_us()
    }

    pub(super) fn on_news(&mut self, cx: &mut Context<'_>, from: Addr, block: &Arc<Block>) {
        if !matches!(self.state, State::In) || !self.is_credible(cx, block) {
            return;
        }
        if block.origin == cx.me() {
            let known = self.replica.version(block.origin);
            if known.is_none_or(|known| block.version() > known) {
                self.refute(cx, block.epoch);
            }
            return;
        }
        match self.replica.apply(block, cx.now(), self.room()) {
            Meaning::Old => {}
            Meaning::Gap => {
                let known = self.replica.version(block.origin);
                let epoch = known.filter(|known| known.epoch == block.epoch);
                let have = epoch.unwrap_or_default();
                cx.send(from, Message::Want(vec![(block.origin, have)]));
            }
            Meaning::News => {
                // A neighbour that others take for gone is looked after until
                // it is silent; one that says so itself has gone.
                if block.gone && block.origin == from {
                    self.neighbours.remove(from);
                }
                note(cx, block);
                self.pass_on(cx, block, Some(from));
            }
        }
    }

    pub(super) fn start_leave(&mut self, cx: &mut Context<'_>, op: OpId) {
        match &self.state {
            State::In => self.publish(cx, Block::gone(cx.me(), self.epoch)),
            State::Joining(joining) => {
                let outcome = Outcome::Failed(Reason::NotJoined);
                cx.on_behalf_of(joining.cause).finish(joining.op, outcome);
            }
            State::Out => {}
        }
        self.reset();
        cx.finish(op, Outcome::Done);
    }

    /// Forgets the network, but not its own items and epoch.
    fn reset(&mut self) {
        self.state = State::Out;
        self.life = self.life.wrapping_add(1);
        self.replica = Replica::default();
        self.neighbours = Neighbours::default();
    }

    pub(super) fn start_insert(&mut self, cx: &mut Context<'_>, op: OpId, item: &Arc<Item>) {
        if self.items.contains_key(&item.key()) {
            return cx.finish(op, Outcome::Done);
        }
        if self.items.len() >= self.config.max_items as usize {
            return cx.finish(op, Outcome::Failed(Reason::Full));
        }
        self.items.insert(item.key(), Arc::clone(item));
        self.change_own(cx, Change::Add(Arc::clone(item)));
        cx.finish(op, Outcome::Done);
    }

    pub(super) fn start_delete(&mut self, cx: &mut Context<'_>, op: OpId, key: &Key) {
        if self.items.remove(key).is_none() {
            return cx.finish(op, Outcome::NotFound);
        }
        let added = self.replica.get(cx.me()).and_then(|own| own.added_at(key));
        if let Some(added) = added {
            self.change_own(cx, Change::Remove(added));
        }
        cx.finish(op, Outcome::Done);
    }

    /// Numbers a change of its own and tells everybody. A log that has grown
    /// to twice what it needs is numbered anew.
    fn change_own(&mut self, cx: &mut Context<'_>, change: Change) {
        if !matches!(self.state, State::In) {
            return;
        }
        let Some(own) = self.replica.get(cx.me()) else { return };
        let Version { epoch, seq, .. } = own.version();
        if own.log_len() >= 2 * self.items.len() + 16 {
            return self.refute(cx, epoch);
        }
        let entries = [Entry { seq: seq + 1, change }].into_iter().collect();
        let (origin, from, upto, state) = (cx.me(), seq, seq + 1, Shared::default());
        self.publish(cx, Block { origin, epoch, gone: false, from, upto, entries, state });
    }

    pub(super) fn start_search(&mut self, cx: &mut Context<'_>, op: OpId, query: &Query) {
        if !matches!(self.state, State::In) {
            return cx.finish(op, Outcome::Failed(Reason::NotJoined));
        }
        let hits = self.replica.search(query, cx.rng());
        cx.finish_search(op, hits);
    }

    pub(super) fn take_place(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint) {
        let me = cx.me();
        self.state = State::In;
        self.replica = Replica::of(&blueprint.base);
        self.neighbours = Neighbours::of(blueprint.neighbours_of(me), cx.now());
        self.items = match self.replica.get(me) {
            Some(own) => own.items().map(|item| (item.key(), Arc::clone(item))).collect(),
            None => BTreeMap::new(),
        };
        self.schedule_beat(cx);
    }

    /// Looks after the neighbours and the index.
    pub(super) fn on_beat_due(&mut self, cx: &mut Context<'_>, life: u32) {
        if life != self.life || !matches!(self.state, State::In) {
            return;
        }
        self.schedule_beat(cx);
        let now = cx.now();
        if let Some(before) = now.as_us().checked_sub(self.config.remember.as_us()) {
            self.replica.forget_gone(Time::from_us(before));
        }
        repair::beat(self, cx);
    }
}

fn note(cx: &mut Context<'_>, block: &Block) {
    for entry in block.entries.iter() {
        if let Change::Add(item) = &entry.change {
            let key = item.key();
            cx.note(|| Note::Store { key, provider: block.origin, stored: true });
        }
    }
}
