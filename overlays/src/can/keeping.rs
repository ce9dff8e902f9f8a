//! What owners do for others, and what a user's items need.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::lookup::Client;
use super::message::{Erased, Errand, Message, Routed, Stored, Verdict};
use super::{Can, Context, Phase, Timer};
use crate::parts::batch;
use crate::parts::postings::{KeywordWork, Posting, PostingHost as _};
use crate::{Hit, Item, Key, Note, OpId, Outcome, Span, Time};

/// Periods without announcement after which a record expires.
const EXPIRY_PERIODS: u64 = 3;

/// What a node's user shares, and the announcing of it.
#[derive(Debug, Default)]
pub(super) struct Shares {
    pub(super) items: BTreeMap<Key, Arc<Item>>,
    /// Items still to announce or withdraw.
    batch: VecDeque<Errand>,
    /// How many of them are on their way.
    under_way: usize,
    /// Whether the batch is being worked on further up the call stack.
    pumping: bool,
    /// Keyword searches, and inserts and deletes of several records.
    pub(super) keywords: Option<Box<KeywordWork>>,
}

impl Shares {
    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        let keywords = self.keywords.as_ref().map_or(0, |work| work.bytes());
        size_of::<Self>()
            + keywords
            + self.items.len() * (size_of::<Key>() + size_of::<Arc<Item>>())
    }
}

/// The owner's part.
impl Can {
    /// A message has reached the owner of its point.
    pub(super) fn serve(&mut self, cx: &mut Context<'_>, at: usize, routed: &Routed) {
        let &Routed { origin, request, leg, point, .. } = routed;
        match &*routed.errand {
            Errand::Locate => {
                let owner = self.head(at, point, cx.me());
                self.answer(cx, origin, Message::Located { request, leg, owner });
            }
            Errand::Fetch { key, limit } => {
                let hits = self.spaces[at].store.fetch(point, *key, *limit);
                self.watch(cx, *key, &hits);
                let hits = hits.into();
                self.answer(cx, origin, Message::Hits { request, leg, hits });
            }
            Errand::Store { key, hit } => {
                let edition = self.edition(request);
                let stored = Stored { point, key: *key, hit: hit.clone(), edition };
                let verdict = self.keep(cx, at, stored.clone());
                if verdict == Verdict::Done {
                    self.mirror(cx, at, &[stored], None);
                }
                self.answer(cx, origin, Message::Judged { request, leg, verdict });
            }
            Errand::Remove { key, provider, item } => {
                let (key, provider, item) = (*key, *provider, *item);
                let edition = self.edition(request);
                let erased = Erased { point, key, provider, item, edition };
                let removed = self.erase(cx, at, erased, None);
                let verdict = if removed { Verdict::Done } else { Verdict::NotFound };
                self.answer(cx, origin, Message::Judged { request, leg, verdict });
            }
            Errand::Sift(sift) => {
                self.answer(cx, origin, Message::Judged { request, leg, verdict: Verdict::Done });
                self.meet_list(cx, (**sift).clone());
            }
            Errand::Join { chosen } => self.on_join_request(cx, at, routed, *chosen),
            Errand::Introduce => self.introduce(cx, at, origin),
        }
    }

    /// Keeps a record, but for one that is known to have been withdrawn since it
    /// was announced.
    pub(super) fn keep(&mut self, cx: &mut Context<'_>, at: usize, stored: Stored) -> Verdict {
        if self.is_erased(at, &stored) {
            return Verdict::NotFound;
        }
        let (key, provider) = (stored.key, stored.hit.provider);
        let verdict = self.spaces[at].store.put(stored, cx.now(), &self.config);
        if verdict == Verdict::Done {
            cx.note(|| Note::Store { key, provider, stored: true });
        }
        verdict
    }
}

/// The user's part.
impl Can {
    /// Shares an item from this node.
    pub(super) fn share(&mut self, cx: &mut Context<'_>, op: OpId, item: &Arc<Item>) {
        if self.phase == Phase::Leaving {
            return cx.finish(op, Outcome::Failed(crate::Reason::NotJoined));
        }
        self.shares.get_or_insert_default().items.insert(item.key(), item.clone());
        if self.phase != Phase::Member {
            return cx.finish(op, Outcome::Done);
        }
        let (key, hit) = (item.key(), Hit { item: item.clone(), provider: cx.me() });
        if self.config.keywords {
            return self.send_records(cx, op, &hit, true);
        }
        self.look_up(cx, Client::Op(op), key, Errand::Store { key, hit });
    }

    /// Stops sharing an item.
    pub(super) fn withdraw(&mut self, cx: &mut Context<'_>, op: OpId, key: Key) {
        let shared = self.shares.as_mut().and_then(|s| s.items.remove(&key));
        match (shared, self.phase) {
            (None, _) => cx.finish(op, Outcome::NotFound),
            (Some(item), Phase::Member) if self.config.keywords => {
                self.send_records(cx, op, &Hit { item, provider: cx.me() }, false);
            }
            (Some(_), Phase::Member) => {
                let errand = Errand::Remove { key, provider: cx.me(), item: key };
                self.look_up(cx, Client::Op(op), key, errand);
            }
            (Some(_), _) => cx.finish(op, Outcome::Done),
        }
    }

    /// Announces everything shared, a few items at a time.
    pub(super) fn announce_all(&mut self, cx: &mut Context<'_>) {
        let (provider, keywords) = (cx.me(), self.config.keywords);
        if let Some(shares) = &mut self.shares {
            shares.batch.clear();
            for item in shares.items.values() {
                let hit = Hit { item: item.clone(), provider };
                shares.batch.extend(Posting::all(&hit, keywords).map(Errand::storing));
            }
        }
        self.pump(cx);
    }

    /// Withdraws everything shared, a few items at a time.
    pub(super) fn withdraw_all(&mut self, cx: &mut Context<'_>) {
        let (provider, keywords) = (cx.me(), self.config.keywords);
        if let Some(shares) = &mut self.shares {
            shares.batch.clear();
            for item in core::mem::take(&mut shares.items).into_values() {
                let hit = Hit { item, provider };
                shares.batch.extend(Posting::all(&hit, keywords).map(|p| Errand::removing(&p)));
            }
        }
        self.pump(cx);
    }

    /// One item of the batch is through.
    pub(super) fn on_batch_step(&mut self, cx: &mut Context<'_>) {
        if let Some(shares) = &mut self.shares {
            shares.under_way = shares.under_way.saturating_sub(1);
            if !shares.pumping {
                self.pump(cx);
            }
        }
    }

    /// Starts items of the batch while there is room in the window.
    fn pump(&mut self, cx: &mut Context<'_>) {
        let window = batch::window(self.config.max_requests);
        while let Some(shares) = &mut self.shares {
            shares.pumping = true;
            if shares.under_way >= window {
                break;
            }
            let Some(errand) = shares.batch.pop_front() else { break };
            shares.under_way += 1;
            let key = match &errand {
                Errand::Store { key, .. } | Errand::Remove { key, .. } => *key,
                _ => continue,
            };
            self.look_up(cx, Client::Batch, key, errand);
        }
        let mut idle = true;
        if let Some(shares) = &mut self.shares {
            shares.pumping = false;
            idle = shares.under_way == 0 && shares.batch.is_empty();
        }
        if idle {
            self.on_batch_done(cx);
        }
    }

    /// Starts the periodic announcement, if there is to be one.
    pub(super) fn start_republishing(&mut self, cx: &mut Context<'_>) {
        if self.config.republish > Span::ZERO {
            self.rearm(cx, self.config.republish, Timer::Republish(self.round));
        }
    }

    /// Shared items are due to be announced again, and records that nobody
    /// announces any more to expire.
    pub(super) fn on_republish_timer(&mut self, cx: &mut Context<'_>, round: u16) {
        if self.phase != Phase::Member || round != self.round {
            return;
        }
        self.start_republishing(cx);
        let age = self.config.republish * EXPIRY_PERIODS;
        let limit = Time::from_us(cx.now().as_us().saturating_sub(age.as_us()));
        self.spaces.iter_mut().for_each(|space| space.store.expire(limit));
        if self.aside.as_ref().is_none_or(|a| a.passage.is_none()) {
            self.announce_all(cx);
        }
    }
}
