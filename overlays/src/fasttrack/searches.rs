//! A user's searches: collecting results, and calling on firewalled providers.
//!
//! Nobody can connect to a firewalled provider, so the searcher sends a push
//! through the supernodes, and the provider connects to the searcher. What
//! cannot be fetched was not found: the search ends without the results of
//! providers that stay silent. Only the first few are tried this way.

use std::collections::BTreeMap;

use rand::RngExt as _;

use super::message::{Callback, Results};
use super::peer::Context;
use super::{Config, Timer, watch};
use crate::seam::{Addr, Cause, Hit, OpId, Outcome, Query, Reason};

/// The most searches that a user has open at a time.
const MAX_OPEN: usize = 256;

/// A firewalled provider that was asked to call.
#[derive(Debug)]
struct Call {
    provider: Addr,
    id: u32,
    came: bool,
}

/// A search that has not ended.
#[derive(Debug)]
struct Open {
    op: OpId,
    cause: Cause,
    query: Query,
    hits: Vec<Hit>,
    calls: Vec<Call>,
    /// Whether the supernode has told everything.
    ended: bool,
}

impl Open {
    /// Whether nothing more is expected.
    fn is_complete(&self) -> bool {
        self.ended && self.calls.iter().all(|call| call.came)
    }
}

/// The searches of a user that have not ended.
#[derive(Debug, Default)]
pub(super) struct Searches {
    open: BTreeMap<u16, Open>,
    last_id: u16,
}

impl Searches {
    /// Starts a search and returns its number, unless too many are open.
    pub fn start(
        &mut self,
        cx: &mut Context<'_>,
        config: &Config,
        op: OpId,
        query: &Query,
    ) -> Option<u16> {
        if self.open.len() >= MAX_OPEN {
            cx.finish(op, Outcome::Failed(Reason::Full));
            return None;
        }
        let mut id = self.last_id.wrapping_add(1);
        while self.open.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        self.last_id = id;
        let open = Open {
            op,
            cause: cx.cause(),
            query: query.clone(),
            hits: Vec::new(),
            calls: Vec::new(),
            ended: false,
        };
        self.open.insert(id, open);
        watch(cx, config.search_timeout, Timer::Search(id));
        Some(id)
    }

    /// Results came. Returns the calls that are needed to reach providers
    /// behind firewalls.
    pub fn on_results(
        &mut self,
        cx: &mut Context<'_>,
        config: &Config,
        firewalled: bool,
        id: u16,
        results: &Results,
    ) -> Vec<Callback> {
        let mut wanted = Vec::new();
        let Some(open) = self.open.get_mut(&id).filter(|open| !open.ended) else { return wanted };
        let me = cx.me();
        let mut answers = 0;
        for listing in &results.listings {
            let hit = &listing.hit;
            let full = open.hits.len() >= usize::from(open.query.limit);
            let repeated = open
                .hits
                .iter()
                .any(|h| h.provider == hit.provider && h.item.key() == hit.item.key());
            if full || repeated || hit.provider == me || !open.query.matches(&hit.item) {
                continue;
            }
            open.hits.push(hit.clone());
            let called = open.calls.iter().any(|call| call.provider == hit.provider);
            // Somebody behind a firewall could not be called either.
            let callable = listing.firewalled && !firewalled;
            if callable && !called && open.calls.len() < usize::from(config.callbacks) {
                let (provider, supernode) = (hit.provider, results.supernode);
                let call = Callback { id: cx.rng().random(), to: me, provider, supernode };
                open.calls.push(Call { provider, id: call.id, came: false });
                wanted.push(call);
            }
            answers += 1;
        }
        if answers > 0 {
            cx.answer(open.op, answers);
        }
        wanted
    }

    /// The supernode has told everything.
    pub fn on_end(&mut self, cx: &mut Context<'_>, config: &Config, id: u16) {
        let Some(open) = self.open.get_mut(&id) else { return };
        open.ended = true;
        if open.is_complete() {
            self.finish(cx, id);
        } else {
            watch(cx, config.callback_timeout, Timer::Calls(id));
        }
    }

    /// A firewalled provider calls. Says whether it was asked to.
    pub fn on_give(&mut self, cx: &mut Context<'_>, from: Addr, call_id: u32) -> bool {
        let expected = self.open.iter_mut().find_map(|(&id, open)| {
            let call = open.calls.iter_mut().find(|c| c.provider == from && c.id == call_id)?;
            call.came = true;
            Some(id)
        });
        if let Some(id) = expected
            && self.open.get(&id).is_some_and(Open::is_complete)
        {
            self.finish(cx, id);
        }
        expected.is_some()
    }

    /// The time for calls is over.
    pub fn on_calls_overdue(&mut self, cx: &mut Context<'_>, id: u16) {
        if let Some(open) = self.open.get(&id).filter(|open| open.ended) {
            let cx = &mut cx.on_behalf_of(open.cause);
            self.finish(cx, id);
        }
    }

    /// The time for the supernode's answers is over: what came must do.
    pub fn on_overdue(&mut self, cx: &mut Context<'_>, id: u16) {
        if let Some(open) = self.open.get(&id) {
            let cx = &mut cx.on_behalf_of(open.cause);
            self.end_early(cx, id, Reason::Timeout);
        }
    }

    /// The supernode is gone, and with it the rest of the answers. Searches
    /// that have none wait for the next supernode.
    pub fn on_home_lost(&mut self, cx: &mut Context<'_>) {
        let answered = self.open.iter().filter(|(_, open)| !open.ended && !open.hits.is_empty());
        let answered: Vec<u16> = answered.map(|(&id, _)| id).collect();
        for id in answered {
            if let Some(open) = self.open.get(&id) {
                let cx = &mut cx.on_behalf_of(open.cause);
                self.finish(cx, id);
            }
        }
    }

    /// What the next supernode is to be asked.
    pub fn waiting(&self) -> Vec<(u16, Cause, Query)> {
        let waiting = self.open.iter().filter(|(_, open)| !open.ended && open.hits.is_empty());
        waiting.map(|(&id, open)| (id, open.cause, open.query.clone())).collect()
    }

    /// Ends all searches, since the user leaves.
    pub fn end_all(&mut self, cx: &mut Context<'_>) {
        while let Some((&id, open)) = self.open.first_key_value() {
            let cx = &mut cx.on_behalf_of(open.cause);
            self.end_early(cx, id, Reason::NotJoined);
        }
    }

    fn end_early(&mut self, cx: &mut Context<'_>, id: u16, reason: Reason) {
        match self.open.get(&id) {
            Some(open) if open.hits.is_empty() => {
                cx.finish(open.op, Outcome::Failed(reason));
                self.open.remove(&id);
            }
            Some(_) => self.finish(cx, id),
            None => {}
        }
    }

    /// Ends a search with the hits whose providers can be reached.
    fn finish(&mut self, cx: &mut Context<'_>, id: u16) {
        let Some(Open { op, mut hits, calls, .. }) = self.open.remove(&id) else { return };
        hits.retain(|hit| !calls.iter().any(|call| call.provider == hit.provider && !call.came));
        cx.finish_search(op, hits);
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        let hits: usize = self.open.values().map(|open| open.hits.len()).sum();
        self.open.len() * size_of::<Open>() + hits * size_of::<Hit>()
    }
}
