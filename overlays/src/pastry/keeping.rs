//! Keeping records where they belong: announcing, copying, handing over.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::contact::Contact;
use super::leaf_set::closest_of;
use super::message::{Errand, MAX_RECORD_BYTES, MAX_RECORDS, Message, Placed, Verdict};
use super::records::Store;
use super::request::{Client, Request, What};
use super::{Context, Pastry, Phase, Timer};
use crate::parts::batch;
use crate::parts::postings::{KeywordWork, Posting, PostingHost as _};
use crate::{Addr, Hit, Item, Key, Note, OpId, Outcome, Span, Time};

/// Periods without announcement after which a record expires.
const EXPIRY_PERIODS: u64 = 3;

/// Everything a node has to do with items.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// What its user shares.
    pub(super) shared: BTreeMap<Key, Arc<Item>>,
    /// What it keeps for the network.
    pub(super) store: Store,
    /// Keyword searches, and inserts and deletes of several records.
    pub(super) keywords: Option<Box<KeywordWork>>,
    /// The leaf set when records were last put in place.
    placed: Vec<Contact>,
    /// Whether records may be out of place.
    misplaced: bool,
    /// Whether holders may be without what they were given.
    untaken: bool,
    /// Items still to announce or withdraw, one by one.
    batch: VecDeque<(Key, Errand)>,
    /// How many of them are on their way.
    under_way: usize,
    /// Whether the batch is being worked on further up the call stack.
    pumping: bool,
}

impl Holdings {
    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>()
            + self.store.heap_bytes()
            + self.shared.len() * (size_of::<Key>() + size_of::<Arc<Item>>())
            + self.placed.capacity() * size_of::<Contact>()
            + self.keywords.as_ref().map_or(0, |work| work.bytes())
    }
}

/// The user's items.
impl Pastry {
    /// Shares an item from this node.
    pub(super) fn share(&mut self, cx: &mut Context<'_>, op: OpId, item: &Arc<Item>) {
        if self.phase == Phase::Leaving {
            return cx.finish(op, Outcome::Failed(crate::Reason::NotJoined));
        }
        self.holdings.get_or_insert_default().shared.insert(item.key(), item.clone());
        if self.phase != Phase::Member {
            return cx.finish(op, Outcome::Done);
        }
        let hit = Hit { item: item.clone(), provider: cx.me() };
        if self.config.keywords {
            return self.send_records(cx, op, &hit, true);
        }
        self.ask(cx, item.key(), Client::Op(op), Some(Errand::Store(hit)));
    }

    /// Stops sharing an item.
    pub(super) fn withdraw(&mut self, cx: &mut Context<'_>, op: OpId, key: Key) {
        let shared = self.holdings.as_mut().and_then(|h| h.shared.remove(&key));
        match (shared, self.phase) {
            (None, _) => cx.finish(op, Outcome::NotFound),
            (Some(item), Phase::Member) if self.config.keywords => {
                let hit = Hit { item, provider: cx.me() };
                self.send_records(cx, op, &hit, false);
            }
            (Some(_), Phase::Member) => {
                let errand = Errand::Remove { item: key, provider: cx.me() };
                self.ask(cx, key, Client::Op(op), Some(errand));
            }
            (Some(_), _) => cx.finish(op, Outcome::Done),
        }
    }

    /// Announces everything shared, a few items at a time.
    pub(super) fn announce_all(&mut self, cx: &mut Context<'_>) {
        let (provider, keywords) = (cx.me(), self.config.keywords);
        if let Some(h) = &mut self.holdings {
            h.batch.clear();
            for item in h.shared.values() {
                let hit = Hit { item: item.clone(), provider };
                h.batch.extend(Posting::all(&hit, keywords).map(|p| errand_for(p, true)));
            }
        }
        self.pump(cx);
    }

    /// Withdraws everything shared, a few items at a time.
    pub(super) fn withdraw_all(&mut self, cx: &mut Context<'_>) {
        let (provider, keywords) = (cx.me(), self.config.keywords);
        if let Some(h) = &mut self.holdings {
            h.batch.clear();
            for item in core::mem::take(&mut h.shared).into_values() {
                let hit = Hit { item, provider };
                h.batch.extend(Posting::all(&hit, keywords).map(|p| errand_for(p, false)));
            }
        }
        self.pump(cx);
    }

    /// One item of the batch is through.
    pub(super) fn on_batch_step(&mut self, cx: &mut Context<'_>) {
        if let Some(h) = &mut self.holdings {
            h.under_way = h.under_way.saturating_sub(1);
            if !h.pumping {
                self.pump(cx);
            }
        }
    }

    /// Starts items of the batch while there is room in the window.
    fn pump(&mut self, cx: &mut Context<'_>) {
        let window = batch::window(self.config.max_requests);
        while let Some(h) = &mut self.holdings {
            h.pumping = true;
            if h.under_way >= window {
                break;
            }
            let Some((key, errand)) = h.batch.pop_front() else { break };
            h.under_way += 1;
            self.ask(cx, key, Client::Batch, Some(errand));
        }
        let mut idle = true;
        if let Some(h) = &mut self.holdings {
            h.pumping = false;
            idle = h.under_way == 0 && h.batch.is_empty();
        }
        if idle {
            self.on_batch_done(cx);
        }
    }

    /// Starts the periodic announcement, if there is to be one.
    pub(super) fn start_republishing(&mut self, cx: &mut Context<'_>) {
        if self.config.republish > Span::ZERO {
            self.rearm(cx, self.config.republish, Timer::Republish(self.epoch));
        }
    }

    /// Shared items are due to be announced again, and records that nobody
    /// announces any more to expire.
    pub(super) fn on_republish_timer(&mut self, cx: &mut Context<'_>, epoch: u16) {
        if self.phase != Phase::Member || epoch != self.epoch {
            return;
        }
        self.start_republishing(cx);
        let age = self.config.republish * EXPIRY_PERIODS;
        let limit = cx.now().as_us().saturating_sub(age.as_us());
        let Some(h) = &mut self.holdings else { return };
        h.store.expire(Time::from_us(limit));
        if self.passage().is_none() {
            self.announce_all(cx);
        }
    }
}

/// The network's records.
impl Pastry {
    /// The k nodes that are to keep the records under `key`, closest first, as
    /// far as this node knows.
    pub(super) fn holders(&self, ring_key: Key) -> Vec<Contact> {
        self.holders_among(&self.leaf_contacts(), ring_key)
    }

    /// The same if its leaf set were `leaves`. A leaving node does not count
    /// itself.
    fn holders_among(&self, leaves: &[Contact], ring_key: Key) -> Vec<Contact> {
        let me = (self.phase != Phase::Leaving).then_some(self.me);
        closest_of(leaves.iter().copied().chain(me), ring_key, self.config.replicas)
    }

    /// Up to `limit` records under `key`, if this node keeps any.
    pub(super) fn records_for(&self, key: Key, limit: u16) -> Option<Vec<Hit>> {
        let hits = self.holdings.as_ref()?.store.get(key, limit);
        (!hits.is_empty()).then_some(hits)
    }

    /// Keeps a record as the root of its key, and gives copies to the other
    /// holders.
    pub(super) fn store(&mut self, cx: &mut Context<'_>, key: Key, hit: Hit) -> Verdict {
        let verdict = self.keep(cx, key, hit.clone());
        if verdict == Verdict::Done && self.config.replicas > 1 {
            for holder in self.holders(self.ring_key(key)) {
                self.hand_records(cx, holder, &[Placed { key, hit: hit.clone() }]);
            }
        }
        verdict
    }

    fn keep(&mut self, cx: &mut Context<'_>, key: Key, hit: Hit) -> Verdict {
        let (item, provider) = (hit.item.key(), hit.provider);
        let h = self.holdings.get_or_insert_default();
        let verdict = h.store.put(key, hit, cx.now(), &self.config);
        if verdict == Verdict::Done {
            cx.note(|| Note::Store { key: item, provider, stored: true });
        }
        verdict
    }

    /// Drops a record as the root of its key, and has the other holders drop
    /// their copies.
    pub(super) fn remove(
        &mut self,
        cx: &mut Context<'_>,
        key: Key,
        item: Key,
        provider: Addr,
    ) -> Verdict {
        for holder in self.holders(self.ring_key(key)) {
            if holder.addr != cx.me() {
                cx.send(holder.addr, Message::Erase { key, item, provider });
            }
        }
        if self.erase(cx, key, item, provider) { Verdict::Done } else { Verdict::NotFound }
    }

    /// Drops a record.
    pub(super) fn erase(
        &mut self,
        cx: &mut Context<'_>,
        key: Key,
        item: Key,
        provider: Addr,
    ) -> bool {
        let Some(h) = &mut self.holdings else { return false };
        let was_there = h.store.remove(key, item, provider);
        if was_there {
            cx.note(|| Note::Store { key: item, provider, stored: false });
        }
        was_there
    }

    /// Sends records in chunks, each until it is acknowledged.
    fn hand_records(&mut self, cx: &mut Context<'_>, to: Contact, records: &[Placed]) {
        if to.addr == cx.me() {
            return;
        }
        for chunk in chunks(records) {
            if self.requests.len() >= self.config.max_requests {
                // The next keep-alive goes on with it.
                return self.note_misplaced();
            }
            let id = self.requests.number();
            let records: Arc<[Placed]> = chunk.into();
            cx.send(to.addr, Message::Transfer { request: id, records: records.clone() });
            cx.wake(self.config.request_timeout, Timer::Request { id, step: 0 });
            let what = What::Transfer { to, records };
            self.requests.put(Request { id, step: 0, attempts: 0, client: Client::Keeping, what });
        }
    }

    /// A transfer was not acknowledged in time.
    pub(super) fn transfer_again(&mut self, cx: &mut Context<'_>, mut request: Request) {
        let What::Transfer { to, records } = &request.what else { return };
        if request.attempts >= self.config.retries {
            let to = *to;
            self.suspect(cx, to);
            if let Some(h) = &mut self.holdings {
                // Whoever did not take its records is to be given them again.
                h.untaken = true;
            }
            self.note_misplaced();
            return self.on_transfer_over(cx);
        }
        request.attempts += 1;
        request.step = request.step.wrapping_add(1);
        let message = Message::Transfer { request: request.id, records: records.clone() };
        cx.send(to.addr, message);
        cx.wake(self.config.request_timeout, Timer::Request { id: request.id, step: request.step });
        self.requests.put(request);
    }

    /// A transfer was taken in: what was handed over and is not this node's to
    /// keep is dropped.
    pub(super) fn on_kept(&mut self, cx: &mut Context<'_>, from: Addr, id: u32, keep: bool) {
        let Some(request) = self.requests.get(id) else { return };
        let What::Transfer { to, records } = &request.what else { return };
        if to.addr != from {
            return;
        }
        let records = records.clone();
        self.requests.take(id);
        let mine = |p: &&Placed| self.holders(self.ring_key(p.key)).contains(&self.me);
        let others: Vec<Placed> = records.iter().filter(|p| !mine(p)).cloned().collect();
        if keep && !others.is_empty() && self.phase != Phase::Leaving {
            // The other knows of a death or a leave that this node has yet to
            // notice. The next keep-alive looks again.
            return self.note_misplaced();
        }
        for Placed { key, hit } in others {
            self.erase(cx, key, hit.item.key(), hit.provider);
        }
        self.on_transfer_over(cx);
    }

    fn transfers_under_way(&self) -> bool {
        self.requests.iter().any(|r| matches!(r.what, What::Transfer { .. }))
    }

    fn on_transfer_over(&mut self, cx: &mut Context<'_>) {
        if self.transfers_under_way() {
            return;
        }
        match self.phase {
            Phase::Leaving => self.on_handed_over(cx),
            _ => self.tend_records(cx),
        }
    }

    /// The leaf set has changed, or a transfer failed: records may be out of
    /// place.
    pub(super) fn note_misplaced(&mut self) {
        if let Some(h) = &mut self.holdings {
            h.misplaced = true;
        }
    }

    /// Puts records where they belong after the leaf set has changed. For each
    /// key, the closest of its former holders that is still there sends the
    /// records to those who have become holders, or, if it has only become the
    /// closest by the death of another, to all of them, since the dead may not
    /// have done so. Who is no holder any more drops the records once they are
    /// elsewhere.
    pub(super) fn tend_records(&mut self, cx: &mut Context<'_>) {
        let due = self.holdings.as_ref().is_some_and(|h| h.misplaced);
        if !due || self.phase != Phase::Member || self.transfers_under_way() {
            return;
        }
        let leaves = self.leaf_contacts();
        let Some(h) = &mut self.holdings else { return };
        h.misplaced = false;
        let untaken = core::mem::take(&mut h.untaken);
        let placed = core::mem::replace(&mut h.placed, leaves.clone());
        let keys: Vec<Key> = h.store.keys().collect();
        let mut moves: BTreeMap<Addr, (Contact, Vec<Placed>)> = BTreeMap::new();
        for key in keys {
            let ring_key = self.ring_key(key);
            let now = self.holders_among(&leaves, ring_key);
            let before = self.holders_among(&placed, ring_key);
            let plan = self.plan_for(&now, &before, &leaves, untaken);
            let Some(h) = &mut self.holdings else { return };
            for to in plan.give_to {
                let records = h.store.under(key);
                moves.entry(to.addr).or_insert((to, Vec::new())).1.extend(records);
            }
            if plan.drop {
                h.store.drop_all(key);
            }
        }
        // What a change of the neighbours moves is nobody's operation.
        for (to, records) in moves.into_values() {
            self.hand_records(cx, to, &records);
        }
    }

    fn plan_for(
        &self,
        now: &[Contact],
        before: &[Contact],
        leaves: &[Contact],
        untaken: bool,
    ) -> Plan {
        let me = self.me;
        let had = before.iter().position(|c| *c == me || leaves.contains(c));
        let gives = had.is_some_and(|at| before[at] == me);
        let is_first = had == Some(0) && !untaken;
        let needy = |c: &&Contact| gives && **c != me && !(is_first && before.contains(c));
        let give_to: Vec<Contact> = now.iter().filter(needy).copied().collect();
        if now.contains(&me) {
            return Plan { give_to, drop: false };
        }
        if give_to.is_empty() {
            // Not this node's to keep. If it was, the closest holder sees to
            // it; if not, the record strayed here.
            let drop = before.contains(&me) && now.iter().any(|c| before.contains(c));
            let root = now.first().copied().filter(|_| !drop);
            return Plan { give_to: root.into_iter().collect(), drop };
        }
        Plan { give_to, drop: false }
    }

    /// Records come in.
    pub(super) fn on_transfer(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        request: u32,
        records: &[Placed],
    ) {
        if self.phase == Phase::Leaving {
            // What is on its way out must not come back; the sender tries
            // again and finds this node gone.
            return;
        }
        let (mut all, mut strays, mut keep) = (true, false, false);
        for placed in records {
            let kept = self.keep(cx, placed.key, placed.hit.clone()) == Verdict::Done;
            // A list that is hot does not take it however often it is sent.
            all &= kept || placed.key != placed.hit.item.key();
            let holders = self.holders(self.ring_key(placed.key));
            strays = strays || !holders.contains(&self.me);
            keep = keep || holders.iter().any(|h| h.addr == from);
        }
        if all {
            cx.send(from, Message::Kept { request, keep });
        }
        if strays {
            self.note_misplaced();
        }
    }

    /// Hands everything over to those who hold it without this node, on
    /// leaving.
    pub(super) fn hand_over_all(&mut self, cx: &mut Context<'_>) {
        let mut moves: BTreeMap<Addr, (Contact, Vec<Placed>)> = BTreeMap::new();
        if let Some(h) = &self.holdings {
            for key in h.store.keys() {
                // With k holders, all but the last have it already.
                if let Some(heir) = self.holders(self.ring_key(key)).last().copied() {
                    let records = h.store.under(key);
                    moves.entry(heir.addr).or_insert((heir, Vec::new())).1.extend(records);
                }
            }
        }
        for (heir, records) in moves.into_values() {
            self.hand_records(cx, heir, &records);
        }
        if !self.transfers_under_way() {
            self.on_handed_over(cx);
        }
    }

    /// Takes over a record without telling anyone, for a converged start.
    pub(super) fn settle_record(&mut self, key: Key, hit: Hit) {
        let h = self.holdings.get_or_insert_default();
        h.store.put(key, hit, Time::ZERO, &self.config);
    }

    /// Notes that records are in place, for a converged start.
    pub(super) fn settle_placed(&mut self) {
        let leaves = self.leaf_contacts();
        if let Some(h) = &mut self.holdings {
            h.placed = leaves;
        }
    }
}

/// Where a record belongs, and what is asked of the root there.
pub(super) fn errand_for(posting: Posting, stores: bool) -> (Key, Errand) {
    let key = posting.key();
    let hit = posting.hit;
    let errand = match stores {
        true => Errand::Store(hit),
        false => Errand::Remove { item: hit.item.key(), provider: hit.provider },
    };
    (key, errand)
}

/// What to do with the records under a key.
struct Plan {
    /// Who is to have them.
    give_to: Vec<Contact>,
    /// Whether to drop them at once.
    drop: bool,
}

/// Cuts a list of records into pieces that fit a message.
fn chunks(records: &[Placed]) -> impl Iterator<Item = &[Placed]> {
    let mut rest = records;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let fits = |placed: &&Placed| {
            bytes += placed.encoded_len();
            bytes <= MAX_RECORD_BYTES
        };
        let n = rest.iter().take(MAX_RECORDS).take_while(fits).count().max(1);
        let (chunk, others) = rest.split_at(n);
        rest = others;
        Some(chunk)
    })
}
