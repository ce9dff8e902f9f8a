//! Lookups: asking node after node, each closer to the target (§2.3).

use std::collections::VecDeque;
use std::sync::Arc;

use super::contact::Contact;
use super::dialect::Dialect;
use super::message::{Body, Message, Record, Store, Transaction, Values, Wanted};
use super::shortlist::Shortlist;
use super::work::{Errand, Lookup, Part, Pending, Purpose, Search};
use super::{Context, Node, Timer, seconds};
use crate::parts::postings::KeywordHost as _;
use crate::{Addr, Hit, Item, Key, OpId, Outcome, Query, Reason, Target};
use smallvec::SmallVec;

/// Requests that a node has open at a time; beyond them it pings nobody.
const MAX_PENDING: usize = 4096;
/// The shortest time for which a copy is left on the path of a search.
const SHORTEST_CACHE_S: u32 = 60;
/// Contacts that a lookup goes on with when none of the closest answered.
const REFILL: usize = 128;
/// Providers of one search that are remembered.
const MAX_PROVIDERS: usize = 1024;

impl<D: Dialect> Node<D> {
    /// Sends a request and waits for its answer.
    fn request(&mut self, cx: &mut Context<'_, D>, to: Contact, part: Part, body: Body) {
        let number = self.work.number();
        let known = to.id != Self::unknown_id(&body, self.me.id);
        let message = self.message(Transaction::numbered(number), body.clone());
        self.work.put_pending(Pending { number, to, known, part, body, attempts: 0 });
        cx.send(to.addr, message);
        cx.wake(self.config.request_timeout, Timer::Request(number));
    }

    /// The identifier under which a node stands of which only the address is
    /// known: the farthest from the target.
    fn unknown_id(body: &Body, me: Key) -> Key {
        match body {
            Body::FindNode(target) => target.xor(Key::MAX),
            _ => me,
        }
    }

    /// A message of ours.
    pub(super) fn message(&self, transaction: Transaction, body: Body) -> Message<D> {
        // Mainline's errors bear no name, and what peers say of their files
        // is no business of the DHT.
        let nameless = !D::NAMES_ITEMS && matches!(body, Body::Error(_));
        let sender = if nameless { Key::ZERO } else { self.me.id };
        let read_only = self.is_read_only && body.is_query();
        Message::new(transaction, sender, read_only, body)
    }

    /// Asks a contact whether it lives, unless it is being asked already.
    pub(super) fn ping(&mut self, cx: &mut Context<'_, D>, to: Contact) {
        let pending = self.work.pending();
        if pending.len() < MAX_PENDING && pending.iter().all(|p| p.to != to) {
            let mut cx = cx.on_behalf_of(crate::Cause::UPKEEP);
            self.request(&mut cx, to, Part::Ping, Body::Ping);
        }
    }

    /// Starts a lookup from what the table knows.
    pub(super) fn look_up(&mut self, cx: &mut Context<'_, D>, target: Key, purpose: Purpose) {
        let mut list = Shortlist::new(target);
        for contact in self.table.closest(target, self.config.k, false, &self.config) {
            list.add(contact);
        }
        self.table.touch(target, seconds(cx.now()));
        self.start(cx, list, purpose);
    }

    /// Starts a lookup of this node's own identifier from addresses.
    pub(super) fn look_up_from(&mut self, cx: &mut Context<'_, D>, via: &[Addr], op: OpId) {
        let mut list = Shortlist::new(self.me.id);
        via.iter().for_each(|addr| list.add_unknown(*addr));
        self.start(cx, list, Purpose::Enter(op));
    }

    fn start(&mut self, cx: &mut Context<'_, D>, list: Shortlist, purpose: Purpose) {
        let id = self.work.number();
        let mut lookup = Lookup { id, purpose, list, walking: true, open: 0, delivered: 0 };
        if self.work.lookups() >= self.config.max_lookups {
            return self.give_up(cx, lookup, Reason::Full);
        }
        if let Purpose::Search(search) = &mut lookup.purpose {
            let own = self.local_records(cx, &search.query);
            if self.take_records(cx, &mut lookup, own) {
                return self.conclude(cx, lookup);
            }
        }
        self.go_on(cx, lookup);
    }

    /// Sends what can be sent on behalf of a lookup, and ends it if there is
    /// nothing to wait for.
    fn go_on(&mut self, cx: &mut Context<'_, D>, mut lookup: Lookup) {
        let (alpha, k) = (self.config.alpha, self.config.k);
        if lookup.walking {
            while let Some(to) = lookup.list.next(alpha, k) {
                let body = self.question(&lookup);
                self.request(cx, to, Part::Walk(lookup.id), body);
            }
            if lookup.list.is_finished(k) {
                lookup.walking = false;
                if self.refill(&mut lookup) {
                    lookup.walking = true;
                    return self.go_on(cx, lookup);
                }
                self.arrive(cx, &mut lookup);
            }
        }
        self.verify(cx, &mut lookup);
        self.ask_holder(cx, &mut lookup);
        if lookup.walking || lookup.open > 0 {
            self.work.put_lookup(lookup);
        } else {
            self.conclude(cx, lookup);
        }
    }

    /// When nobody has answered, a lookup goes on with the rest of the table,
    /// once. Says whether there is a rest.
    fn refill(&self, lookup: &mut Lookup) -> bool {
        if lookup.list.has_answers() || matches!(lookup.purpose, Purpose::Enter(_)) {
            return false;
        }
        let before = lookup.list.len();
        let target = lookup.list.target();
        for contact in self.table.closest(target, REFILL, false, &self.config) {
            lookup.list.add(contact);
        }
        lookup.list.len() > before
    }

    /// What a lookup asks each node.
    fn question(&self, lookup: &Lookup) -> Body {
        let key = lookup.list.target();
        match &lookup.purpose {
            Purpose::Search(search) => {
                let words = match &search.query.target {
                    Target::Exact(_) => None,
                    Target::Keywords(words) => Some(words.clone()),
                };
                let limit = D::WANTED.unwrap_or(search.query.limit);
                Body::FindValue(Box::new(Wanted { key, limit, words }))
            }
            // Only who was asked for values gives the token to store some.
            Purpose::Errand { errand: Errand::Publish { .. }, .. } if self.takes_tokens() => {
                let limit = D::WANTED.unwrap_or(1);
                Body::FindValue(Box::new(Wanted { key, limit, words: None }))
            }
            _ => Body::FindNode(key),
        }
    }

    /// An answer came in.
    pub(super) fn on_reply(&mut self, cx: &mut Context<'_, D>, from: Addr, message: Message<D>) {
        let sender = Contact { id: message.sender.truncated(self.config.bits()), addr: from };
        let number = message.transaction.number();
        // Whoever answers under another name is not who was asked; KRPC's
        // errors bear no name.
        let nameless = matches!(message.body, Body::Error(_));
        let asked =
            |p: &Pending| p.to.addr == from && (!p.known || nameless || p.to.id == sender.id);
        let Some(pending) = number.and_then(|n| self.work.take_pending(n, asked)) else {
            // What a query found that was passed on comes from somebody else.
            if let Body::Sifted(sifted) = message.body
                && self.sifts()
            {
                self.on_sifted(cx, *sifted);
            }
            return;
        };
        if !nameless && !matches!(pending.part, Part::Verify(_)) {
            self.see(cx, sender, true, message.read_only);
        }
        let id = match pending.part {
            Part::Walk(id) | Part::Deliver(id) | Part::Verify(id) => id,
            Part::Ping => return,
        };
        let Some(mut lookup) = self.work.take_lookup(id) else { return };
        let satisfied = match (pending.part, message.body) {
            (Part::Walk(_), Body::Nodes(nodes)) => {
                let nodes = self.candidates(&nodes);
                lookup.list.answered(&pending.to, sender, &nodes, None, true);
                false
            }
            (Part::Walk(_), Body::Values(values)) => {
                let Values { token, records, nodes } = *values;
                let nodes = self.candidates(&nodes);
                lookup.list.answered(&pending.to, sender, &nodes, token, records.is_empty());
                self.take_records(cx, &mut lookup, records)
            }
            (Part::Walk(_), _) => {
                lookup.list.silent(&pending.to);
                false
            }
            (_, body) => {
                lookup.open -= 1;
                lookup.delivered += usize::from(body == Body::Ack);
                if let Purpose::Sift(sifting) = &mut lookup.purpose {
                    sifting.on_reply(body);
                    return self.go_on(cx, lookup);
                }
                match body {
                    Body::Metadata(Some(item)) => {
                        let record = Record { item: Some(item), provider: from };
                        self.take_records(cx, &mut lookup, vec![record])
                    }
                    _ => false,
                }
            }
        };
        if satisfied {
            self.leave_copy(cx, &lookup);
            self.conclude(cx, lookup);
        } else {
            self.go_on(cx, lookup);
        }
    }

    /// The nodes of an answer that are worth asking.
    fn candidates(&self, nodes: &[Contact]) -> SmallVec<[Contact; 32]> {
        let bits = self.config.bits();
        let other = |c: &Contact| c.addr != self.me.addr && c.id != self.me.id;
        let cut = |c: &Contact| Contact { id: c.id.truncated(bits), addr: c.addr };
        nodes.iter().map(cut).filter(other).take(self.config.k).collect()
    }

    /// A request was not answered in time.
    pub(super) fn on_request_timer(&mut self, cx: &mut Context<'_, D>, number: u32) {
        let retries = self.config.retries;
        if let Some(pending) = self.work.pending_mut(number)
            && pending.attempts < retries.max(pending.part.least_retries())
        {
            pending.attempts += 1;
            let (to, body) = (pending.to.addr, pending.body.clone());
            let message = self.message(Transaction::numbered(number), body);
            cx.send(to, message);
            return cx.wake(self.config.request_timeout, Timer::Request(number));
        }
        let Some(pending) = self.work.take_pending(number, |_| true) else { return };
        if !matches!(pending.part, Part::Verify(_)) {
            let evict = pending.part == Part::Ping;
            self.table.fail(&pending.to, evict, seconds(cx.now()), &self.config);
        }
        let id = match pending.part {
            Part::Walk(id) | Part::Deliver(id) | Part::Verify(id) => id,
            Part::Ping => return,
        };
        let Some(mut lookup) = self.work.take_lookup(id) else { return };
        match pending.part {
            Part::Walk(_) => lookup.list.silent(&pending.to),
            _ => lookup.open -= 1,
        }
        self.go_on(cx, lookup);
    }

    /// Takes in records that a search found. Says whether it has enough.
    fn take_records(
        &mut self,
        cx: &mut Context<'_, D>,
        lookup: &mut Lookup,
        records: Vec<Record>,
    ) -> bool {
        let Purpose::Search(search) = &mut lookup.purpose else { return false };
        let before = search.hits.len();
        for Record { item, provider } in records {
            if provider == self.me.addr || search.hits.len() >= usize::from(search.query.limit) {
                continue;
            }
            let Some(item) = item.or_else(|| search.item.clone()) else {
                if search.heard.len() < MAX_PROVIDERS && !search.heard.contains(&provider) {
                    search.heard.push(provider);
                    search.unverified.push_back(provider);
                }
                continue;
            };
            let known = |h: &Hit| h.provider == provider && h.item.key() == item.key();
            let right = search.item.is_some() || search.query.matches(&item);
            if right && !search.hits.iter().any(known) {
                search.hits.push(Hit { item, provider });
            }
        }
        let new = search.hits.len() - before;
        let enough = search.hits.len() >= usize::from(search.query.limit);
        if new > 0 && !enough {
            cx.answer(search.op, new as u32);
        }
        enough
    }

    /// Asks providers what they have, as many at a time as hits are missing.
    fn verify(&mut self, cx: &mut Context<'_, D>, lookup: &mut Lookup) {
        let Purpose::Search(search) = &mut lookup.purpose else { return };
        let Target::Exact(key) = search.query.target else { return };
        let missing = usize::from(search.query.limit).saturating_sub(search.hits.len());
        let most = missing.min(self.config.alpha);
        while lookup.open < most
            && let Some(provider) = search.unverified.pop_front()
        {
            lookup.open += 1;
            let to = Contact { id: self.me.id, addr: provider };
            self.request(cx, to, Part::Verify(lookup.id), Body::WhatIs(key));
        }
    }

    /// Leaves a copy of what a search found at the closest node that had none,
    /// for a time that halves with every node known to be closer (§2.3).
    fn leave_copy(&mut self, cx: &mut Context<'_, D>, lookup: &Lookup) {
        let Purpose::Search(search) = &lookup.purpose else { return };
        let Target::Exact(_) = search.query.target else { return };
        let Some((to, rank)) = lookup.list.closest_without() else { return };
        let Some(hit) = search.hits.first().filter(|_| self.config.cache) else { return };
        let lifetime_s = (self.config.expire.as_us() / 1_000_000) as u32 >> rank.min(31);
        if lifetime_s < SHORTEST_CACHE_S {
            return;
        }
        let store = Store {
            key: lookup.list.target(),
            item: hit.item.clone(),
            provider: hit.provider,
            lifetime_s,
        };
        let number = self.work.number();
        let message = self.message(Transaction::numbered(number), Body::Store(Box::new(store)));
        cx.send(to.addr, message);
    }

    /// A lookup cannot be made at all.
    fn give_up(&mut self, cx: &mut Context<'_, D>, lookup: Lookup, reason: Reason) {
        self.work.lookup_over();
        match lookup.purpose {
            Purpose::Enter(op) => self.entry_failed(cx, op, reason),
            Purpose::Locate(op) => cx.finish(op, Outcome::Failed(reason)),
            Purpose::Search(search) => cx.finish(search.op, Outcome::Failed(reason)),
            Purpose::Sift(sifting) => self.sifting_over(cx, *sifting),
            Purpose::Errand { job, .. } => self.work.errand_over(job, false),
        }
    }

    /// A lookup is over, and what followed it too.
    fn conclude(&mut self, cx: &mut Context<'_, D>, lookup: Lookup) {
        self.work.lookup_over();
        let answered = lookup.list.has_answers();
        let alone = lookup.list.is_empty();
        match lookup.purpose {
            Purpose::Enter(op) if answered => self.entered(cx, op),
            Purpose::Enter(op) => self.entry_failed(cx, op, Reason::NoContact),
            Purpose::Locate(op) => {
                let target = lookup.list.target();
                let found = lookup.list.closest(1).next().map(|c| c.contact);
                let me = Some(self.me).filter(|_| !self.is_read_only && (answered || alone));
                let best = found.into_iter().chain(me).min_by_key(|c| c.distance(target));
                let outcome = best
                    .map_or(Outcome::Failed(Reason::Timeout), |best| Outcome::Located(best.addr));
                cx.finish(op, outcome);
            }
            Purpose::Search(search) => {
                if search.hits.is_empty() && !answered && !alone {
                    return cx.finish(search.op, Outcome::Failed(Reason::Timeout));
                }
                cx.finish_search(search.op, search.hits);
            }
            Purpose::Sift(sifting) => self.sifting_over(cx, *sifting),
            Purpose::Errand { job, errand } => {
                let done = match errand {
                    Errand::Refresh(_) => answered,
                    _ => lookup.delivered > 0,
                };
                self.work.errand_over(job, done);
            }
        }
    }

    /// Asks a contact to carry out a store or the like, for a lookup.
    pub(super) fn deliver(
        &mut self,
        cx: &mut Context<'_, D>,
        lookup: &mut Lookup,
        to: Contact,
        body: Body,
    ) {
        lookup.open += 1;
        self.request(cx, to, Part::Deliver(lookup.id), body);
    }

    /// Looks for values under `place`.
    pub(super) fn seek(
        &mut self,
        cx: &mut Context<'_, D>,
        op: OpId,
        place: Key,
        query: &Query,
        item: Option<Arc<Item>>,
    ) {
        let search = Search {
            op,
            query: query.clone(),
            hits: Vec::new(),
            item,
            unverified: VecDeque::new(),
            heard: Vec::new(),
        };
        self.look_up(cx, place, Purpose::Search(Box::new(search)));
    }
}
