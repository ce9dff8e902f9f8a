//! The staged search of a supernode: its own index first, then a few others,
//! then more.
//!
//! Every stage is asked by the supernode where the search began, so a query
//! goes one step and cannot circle. A stage is so much wider than the one
//! before it that the number of stages grows with the logarithm of the number
//! of supernodes asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::{Message, Results};
use super::peer::Context;
use super::{Config, Timer, watch};
use crate::seam::{Addr, Cause, Query};

/// The most searches under way at a supernode; further ones are answered from
/// its own index alone.
const MAX_OPEN: usize = 4_096;

/// Who searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// An ordinary node, under its own number for the search.
    Child(Addr, u16),
    /// The supernode's own user.
    Me(u16),
}

/// What the supernode's own user is told.
#[derive(Debug)]
pub(super) enum Own {
    /// Some results.
    Results(Arc<Results>),
    /// That was all.
    End,
}

/// A search for which other supernodes are asked.
#[derive(Debug)]
struct Open {
    asker: Asker,
    cause: Cause,
    query: Query,
    /// How many results so far.
    found: usize,
    /// How many more results the searcher gets.
    left: usize,
    /// The supernodes not asked yet; the next ones last.
    unasked: Vec<Addr>,
    /// Those asked in this stage or an earlier one that have not answered.
    awaiting: Vec<Addr>,
    /// The number of the present stage, from 0.
    stage: u16,
}

/// The searches under way at a supernode.
#[derive(Debug, Default)]
pub(super) struct Queries {
    open: BTreeMap<u16, Open>,
    last_id: u16,
    /// What the supernode's own user is to be told.
    pub own: Vec<(u16, Own)>,
}

impl Queries {
    /// Passes results to the searcher.
    pub fn tell(&mut self, cx: &mut Context<'_>, asker: Asker, results: Arc<Results>) {
        match asker {
            Asker::Child(addr, id) => cx.send(addr, Message::Result { id, results }),
            Asker::Me(id) => self.own.push((id, Own::Results(results))),
        }
    }

    /// Tells the searcher that that was all.
    pub fn tell_end(&mut self, cx: &mut Context<'_>, asker: Asker) {
        match asker {
            Asker::Child(addr, id) => cx.send(addr, Message::End { id }),
            Asker::Me(id) => self.own.push((id, Own::End)),
        }
    }

    /// Whether there is room for one more search.
    pub fn has_room(&self) -> bool {
        self.open.len() < MAX_OPEN
    }

    /// Asks `others`, the last ones first, for what the own index did not have.
    pub fn start(
        &mut self,
        cx: &mut Context<'_>,
        config: &Config,
        asker: Asker,
        query: &Query,
        found: usize,
        others: Vec<Addr>,
    ) {
        let mut id = self.last_id.wrapping_add(1);
        while self.open.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        self.last_id = id;
        let left = usize::from(query.limit).saturating_sub(found);
        let open = Open {
            asker,
            cause: cx.cause(),
            query: query.clone(),
            found,
            left,
            unasked: others,
            awaiting: Vec::new(),
            stage: 0,
        };
        self.open.insert(id, open);
        self.ask(cx, config, id);
    }

    /// Asks the supernodes of the present stage, or ends the search when there
    /// are enough results or nobody is left.
    fn ask(&mut self, cx: &mut Context<'_>, config: &Config, id: u16) {
        let Some(open) = self.open.get_mut(&id) else { return };
        let enough = open.left == 0 || open.found >= usize::from(config.enough);
        if enough || open.unasked.is_empty() {
            let asker = open.asker;
            self.open.remove(&id);
            return self.tell_end(cx, asker);
        }
        let growth = usize::from(config.stage_growth).saturating_pow(u32::from(open.stage));
        let width = usize::from(config.stage_first).saturating_mul(growth);
        let asked = open.unasked.len().saturating_sub(width);
        let limit = u16::try_from(open.left).unwrap_or(open.query.limit);
        for supernode in open.unasked.split_off(asked) {
            let query = Query { target: open.query.target.clone(), limit };
            cx.send(supernode, Message::Query { id, query });
            open.awaiting.push(supernode);
        }
        watch(cx, config.stage_timeout, Timer::Stage(id, open.stage));
    }

    fn next_stage(&mut self, cx: &mut Context<'_>, config: &Config, id: u16) {
        if let Some(open) = self.open.get_mut(&id) {
            open.stage = open.stage.saturating_add(1);
            self.ask(cx, config, id);
        }
    }

    /// A supernode answered a query. Results that were not asked for, or go
    /// over the limit, are dropped.
    pub fn on_result(
        &mut self,
        cx: &mut Context<'_>,
        config: &Config,
        from: Addr,
        id: u16,
        results: Arc<Results>,
    ) {
        let Some(open) = self.open.get_mut(&id) else { return };
        let Some(at) = open.awaiting.iter().position(|&a| a == from) else { return };
        open.awaiting.swap_remove(at);
        let matching = results.listings.iter().filter(|l| open.query.matches(&l.hit.item)).count();
        let is_clean = matching == results.listings.len() && matching <= open.left;
        let results = if is_clean && results.supernode == from {
            results
        } else {
            let own = results.listings.iter().filter(|l| open.query.matches(&l.hit.item));
            Arc::new(Results::new(from, own.take(open.left).cloned().collect()))
        };
        let count = results.listings.len();
        open.found += count;
        open.left -= count;
        let (asker, done) = (open.asker, open.awaiting.is_empty());
        if count > 0 {
            self.tell(cx, asker, results);
        }
        if done {
            self.next_stage(cx, config, id);
        }
    }

    /// The time for the answers of a stage is over; those that come during a
    /// later one still count.
    pub fn on_stage_overdue(&mut self, cx: &mut Context<'_>, config: &Config, id: u16, stage: u16) {
        if let Some(open) = self.open.get(&id).filter(|open| open.stage == stage) {
            let cx = &mut cx.on_behalf_of(open.cause);
            self.next_stage(cx, config, id);
        }
    }

    /// Whether an answer of `peer` is awaited.
    pub fn awaits(&self, peer: Addr) -> bool {
        self.open.values().any(|open| open.awaiting.contains(&peer))
    }

    /// A peer is gone: nobody waits for it, and nobody searches for it.
    pub fn on_lost(&mut self, cx: &mut Context<'_>, config: &Config, peer: Addr) {
        self.open.retain(|_, open| !matches!(open.asker, Asker::Child(addr, _) if addr == peer));
        let awaited = self.open.iter_mut().filter_map(|(&id, open)| {
            let at = open.awaiting.iter().position(|&a| a == peer)?;
            open.awaiting.swap_remove(at);
            open.awaiting.is_empty().then_some((id, open.cause))
        });
        let idle: Vec<(u16, Cause)> = awaited.collect();
        for (id, cause) in idle {
            self.next_stage(&mut cx.on_behalf_of(cause), config, id);
        }
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        let lists = |open: &Open| open.unasked.capacity() + open.awaiting.capacity();
        let addrs: usize = self.open.values().map(lists).sum();
        self.open.len() * size_of::<Open>() + addrs * size_of::<Addr>()
    }
}
