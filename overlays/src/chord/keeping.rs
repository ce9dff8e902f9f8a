//! Keeping records where they belong: announcing, copying, handing over.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::contact::Contact;
use super::message::{Errand, MAX_RECORD_BYTES, MAX_RECORDS, Message, Posted, Verdict};
use super::records::Store;
use super::request::{Client, Finding, Move, Request, Stage};
use super::{Chord, Context, Phase, Timer};
use crate::parts::batch;
use crate::parts::postings::{KeywordWork, Posting, PostingHost as _, WHOLE};
use crate::{Addr, Hit, Item, Key, Note, OpId, Outcome, Reason, Span, Time};

/// Periods without announcement after which a record expires.
const EXPIRY_PERIODS: u64 = 3;
/// Times that an errand is passed back along predecessors, at most.
const BACK_STEPS: u16 = 16;

/// Everything a node has to do with items.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// What its user shares.
    pub(super) shared: BTreeMap<Key, Arc<Item>>,
    /// What it keeps for the ring.
    pub(super) store: Store,
    /// Who was given copies, by virtual node.
    holders: BTreeMap<u16, Vec<Contact>>,
    /// Whether records may be out of place.
    unsettled: bool,
    /// Items still to announce or withdraw, one by one.
    batch: VecDeque<Errand>,
    /// How many of them are on their way.
    under_way: usize,
    /// Whether the batch is being worked on further up the call stack.
    pumping: bool,
    /// Keyword searches, and inserts and deletes of several records.
    pub(super) keywords: Option<Box<KeywordWork>>,
}

impl Holdings {
    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>()
            + self.store.heap_bytes()
            + self.shared.len() * (size_of::<Key>() + size_of::<Arc<Item>>())
            + self.holders.values().map(|h| size_of_val(h.as_slice())).sum::<usize>()
            + self.keywords.as_ref().map_or(0, |k| k.bytes())
    }
}

impl From<Verdict> for Finding {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Done => Self::Done,
            Verdict::NotFound => Self::NotFound,
            Verdict::Full => Self::Failed(Reason::Full),
        }
    }
}

/// The user's items.
impl Chord {
    /// Shares an item from this node.
    pub(super) fn share(&mut self, cx: &mut Context<'_>, op: OpId, item: &Arc<Item>) {
        if self.phase == Phase::Leaving {
            return cx.finish(op, Outcome::Failed(Reason::NotJoined));
        }
        self.holdings.get_or_insert_default().shared.insert(item.key(), item.clone());
        if self.phase != Phase::Member {
            return cx.finish(op, Outcome::Done);
        }
        let hit = Hit { item: item.clone(), provider: cx.me() };
        if self.config.keywords {
            return self.send_records(cx, op, &hit, true);
        }
        let errand = Errand::Store(hit);
        self.look_up(cx, self.ring_key(item.key()), Client::Op(op), Some(Box::new(errand)));
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
                let errand = Errand::Remove { key, provider: cx.me() };
                self.look_up(cx, self.ring_key(key), Client::Op(op), Some(Box::new(errand)));
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
                h.batch.extend(Posting::all(&hit, keywords).map(Errand::storing));
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
                h.batch.extend(Posting::all(&hit, keywords).map(|p| Errand::removing(&p)));
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
            let Some(errand) = h.batch.pop_front() else { break };
            h.under_way += 1;
            let key = self.ring_key(errand.key());
            self.look_up(cx, key, Client::Batch, Some(Box::new(errand)));
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
            self.rearm(cx, self.config.republish, Timer::Republish);
        }
    }

    /// Shared items are due to be announced again, and records that nobody
    /// announces any more to expire.
    pub(super) fn on_republish_timer(&mut self, cx: &mut Context<'_>) {
        if self.phase != Phase::Member {
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

/// The ring's records.
impl Chord {
    /// Does what an errand asks of the owner of its key.
    pub(super) fn carry_out(&mut self, cx: &mut Context<'_>, errand: &Errand) -> Finding {
        match errand {
            Errand::Fetch { key, limit } => Finding::Hits(
                self.holdings.as_ref().map_or_else(Vec::new, |h| h.store.fetch(*key, *limit)),
            ),
            Errand::Store(hit) => self.keep_as_owner(cx, Posting::from(hit.clone())),
            Errand::Post(posting) => self.keep_as_owner(cx, posting.clone()),
            Errand::Remove { key, provider } => {
                self.drop_as_owner(cx, Posted { list: *key, item: *key, provider: *provider })
            }
            Errand::Unpost(posted) => self.drop_as_owner(cx, *posted),
            Errand::Sift(sift) => {
                self.meet_list(cx, sift.clone());
                Finding::Done
            }
        }
    }

    fn keep_as_owner(&mut self, cx: &mut Context<'_>, posting: Posting) -> Finding {
        let finding = self.keep(cx, posting.clone(), true);
        if matches!(finding, Finding::Done) {
            self.copy_out(cx, core::slice::from_ref(&posting));
        }
        finding
    }

    fn drop_as_owner(&mut self, cx: &mut Context<'_>, posted: Posted) -> Finding {
        let Some(h) = &mut self.holdings else { return Finding::NotFound };
        let Posted { list, item, provider } = posted;
        if !h.store.remove(list, item, provider, |_| true) {
            return Finding::NotFound;
        }
        cx.note(|| Note::Store { key: list, provider, stored: false });
        for holder in self.holders_of(list) {
            let message = if list == item {
                Message::Erase { key: item, provider }
            } else {
                Message::EraseWord(Box::new(posted))
            };
            cx.send(holder.addr, message);
        }
        Finding::Done
    }

    /// Keeps a record, for this node or for its owner.
    pub(super) fn keep(&mut self, cx: &mut Context<'_>, posting: Posting, owned: bool) -> Finding {
        let (key, provider) = (posting.key(), posting.hit.provider);
        let h = self.holdings.get_or_insert_default();
        let finding = h.store.put(key, posting, owned, cx.now(), &self.config);
        if matches!(finding, Finding::Done) {
            cx.note(|| Note::Store { key, provider, stored: true });
        }
        finding
    }

    /// Which virtual node comes first at or after a key: the one to own it, if
    /// any of them does.
    fn nearest_after(&self, key: Key) -> u16 {
        if self.others().is_empty() {
            return 0;
        }
        let key = self.ring_key(key);
        self.vnodes().min_by_key(|n| key.distance_to(n.me.key)).map_or(0, |n| n.me.vnode)
    }

    fn holders_of(&self, key: Key) -> Vec<Contact> {
        if self.config.replicas <= 1 {
            return Vec::new();
        }
        let vnode = self.nearest_after(key);
        self.vnode(vnode).map_or_else(Vec::new, |n| n.replica_holders(&self.config))
    }

    /// Gives copies of records to the next successors of their owner.
    fn copy_out(&mut self, cx: &mut Context<'_>, hits: &[Posting]) {
        if self.config.replicas <= 1 {
            return;
        }
        let mut by_vnode: BTreeMap<u16, Vec<Posting>> = BTreeMap::new();
        for hit in hits {
            by_vnode.entry(self.nearest_after(hit.key())).or_default().push(hit.clone());
        }
        for (vnode, hits) in by_vnode {
            let Some(node) = self.vnode(vnode) else { continue };
            for holder in node.replica_holders(&self.config) {
                self.transfer(cx, holder, false, &hits);
            }
        }
    }

    /// Sends records in chunks, each until it is acknowledged.
    fn transfer(&mut self, cx: &mut Context<'_>, to: Contact, owned: bool, hits: &[Posting]) {
        for chunk in chunks(hits) {
            if self.requests.len() >= self.config.max_requests {
                // The next round of stabilisation goes on with it.
                self.holdings.get_or_insert_default().unsettled = true;
                return;
            }
            let id = self.requests.number();
            let records: Arc<[Posting]> = chunk.into();
            cx.send(to.addr, Message::Transfer { request: id, owned, records: records.clone() });
            cx.wake(self.config.request_timeout, Timer::Request { id, step: 0 });
            self.requests.put(Request {
                id,
                step: 0,
                attempts: 0,
                client: Client::Keeping,
                key: to.key,
                errand: None,
                stage: Stage::Moving(Box::new(Move { to, owned, records })),
            });
        }
    }

    /// A transfer was not acknowledged in time.
    pub(super) fn move_again(&mut self, cx: &mut Context<'_>, mut request: Request) {
        let Stage::Moving(transfer) = &request.stage else { return };
        if request.attempts >= self.config.retries {
            if let Some(h) = &mut self.holdings {
                h.unsettled = true;
                // Whoever did not take its copies is to be given them again.
                let lost = transfer.to;
                h.holders.values_mut().for_each(|holders| holders.retain(|c| *c != lost));
            }
            return self.on_move_done(cx);
        }
        request.attempts += 1;
        request.step = request.step.wrapping_add(1);
        let (owned, records) = (transfer.owned, transfer.records.clone());
        cx.send(transfer.to.addr, Message::Transfer { request: request.id, owned, records });
        cx.wake(self.config.request_timeout, Timer::Request { id: request.id, step: request.step });
        self.requests.put(request);
    }

    /// A transfer was taken in: what was handed over is no longer ours.
    pub(super) fn on_kept(&mut self, cx: &mut Context<'_>, from: Addr, id: u32) {
        let Some(request) = self.requests.get(id) else { return };
        let Stage::Moving(transfer) = &request.stage else { return };
        if transfer.to.addr != from {
            return;
        }
        let (owned, records) = (transfer.owned, transfer.records.clone());
        self.requests.take(id);
        if owned {
            for hit in records.iter() {
                self.give_up(cx, hit);
            }
        }
        self.on_move_done(cx);
    }

    /// Stops owning a record that was handed over; keeps it as a copy where
    /// the ring keeps copies, since the new owner precedes this node.
    fn give_up(&mut self, cx: &mut Context<'_>, posting: &Posting) {
        let (key, provider) = (posting.key(), posting.hit.provider);
        let item = posting.hit.item.key();
        let ring_key = self.ring_key(key);
        if self.phase == Phase::Member && self.vnodes().any(|v| v.owns(ring_key)) {
            return;
        }
        let copies = self.config.replicas > 1 && self.phase == Phase::Member;
        let Some(h) = &mut self.holdings else { return };
        if copies {
            h.store.set_owned(key, item, provider, false);
        } else if h.store.remove(key, item, provider, |_| true) {
            cx.note(|| Note::Store { key, provider, stored: false });
        }
    }

    fn moves_under_way(&self) -> bool {
        self.requests.iter().any(|r| matches!(r.stage, Stage::Moving(_)))
    }

    fn on_move_done(&mut self, cx: &mut Context<'_>) {
        if self.moves_under_way() {
            return;
        }
        match self.phase {
            Phase::Leaving => self.on_handed_over(cx),
            _ => self.tend_records(cx),
        }
    }

    /// Neighbours changed, and with them perhaps who is to keep what.
    pub(super) fn ring_changed(&mut self, cx: &mut Context<'_>) {
        if let Some(h) = &mut self.holdings {
            h.unsettled = true;
            self.tend_records(cx);
        }
    }

    /// Puts records where they belong: hands back what lies before the
    /// predecessor, takes on copies of what has come into its own range, gives
    /// copies to new successors and releases former ones.
    pub(super) fn tend_records(&mut self, cx: &mut Context<'_>) {
        let due = self.holdings.as_ref().is_some_and(|h| h.unsettled);
        if !due || self.phase != Phase::Member || self.moves_under_way() {
            return;
        }
        let (strays, promoted) = self.sort_out();
        if let Some(h) = &mut self.holdings {
            h.unsettled = false;
            for posting in &promoted {
                let (item, provider) = (posting.hit.item.key(), posting.hit.provider);
                h.store.set_owned(posting.key(), item, provider, true);
            }
        }
        for (vnode, hits) in strays {
            let predecessor = self.vnode(vnode).and_then(|n| n.predecessor);
            if let Some(to) = predecessor.filter(|p| p.addr != cx.me()) {
                self.transfer(cx, to, true, &hits);
            }
        }
        if self.config.replicas > 1 {
            self.copy_out(cx, &promoted);
            for vnode in 0..=self.others().len() as u16 {
                self.renew_holders(cx, vnode);
            }
        }
    }

    /// Owned records that are someone else's, by the virtual node whose
    /// predecessor is nearer to them, and copies that are now ours.
    fn sort_out(&self) -> (BTreeMap<u16, Vec<Posting>>, Vec<Posting>) {
        let mut strays: BTreeMap<u16, Vec<Posting>> = BTreeMap::new();
        let mut promoted = Vec::new();
        let Some(h) = &self.holdings else { return (strays, promoted) };
        for (key, record) in h.store.iter() {
            let key = self.ring_key(key);
            let vnode = self.nearest_after(key);
            let Some(node) = self.vnode(vnode) else { continue };
            let Some(predecessor) = &node.predecessor else { continue };
            let ours = key.in_half_open(predecessor.key, node.me.key);
            if record.owned && !ours {
                strays.entry(vnode).or_default().push(record.posting());
            } else if !record.owned && ours {
                promoted.push(record.posting());
            }
        }
        (strays, promoted)
    }

    /// Brings the holders of copies in line with the successor list.
    fn renew_holders(&mut self, cx: &mut Context<'_>, vnode: u16) {
        let Some(node) = self.vnode(vnode) else { return };
        let now = node.replica_holders(&self.config);
        let range = node.predecessor.map(|p| (p.key, node.me.key));
        let Some(h) = &mut self.holdings else { return };
        let before = h.holders.insert(vnode, now.clone()).unwrap_or_default();
        let added: Vec<Contact> = now.iter().filter(|c| !before.contains(c)).copied().collect();
        if !added.is_empty() {
            let ours = self.owned_by(vnode);
            for to in added {
                self.transfer(cx, to, false, &ours);
            }
        }
        if let Some((after, upto)) = range {
            for former in before.iter().filter(|c| !now.contains(c)) {
                cx.send(former.addr, Message::Release { after, upto });
            }
        }
    }

    /// The range `(after, upto]` passes to a new predecessor, which gives
    /// copies to this node and all of its holders but the last.
    pub(super) fn release_last_holder(
        &self,
        cx: &mut Context<'_>,
        vnode: u16,
        after: Key,
        upto: Key,
    ) {
        let Some(node) = self.vnode(vnode) else { return };
        let holders = node.replica_holders(&self.config);
        if holders.len() + 1 == self.config.replicas
            && let Some(last) = holders.last()
        {
            cx.send(last.addr, Message::Release { after, upto });
        }
    }

    fn owned_by(&self, vnode: u16) -> Vec<Posting> {
        let Some(h) = &self.holdings else { return Vec::new() };
        let owned = h.store.iter().filter(|(_, record)| record.owned);
        let ours = owned.filter(|(key, _)| self.nearest_after(*key) == vnode);
        ours.map(|(_, record)| record.posting()).collect()
    }

    /// Hands everything owned to the successors, on leaving.
    pub(super) fn hand_over_all(&mut self, cx: &mut Context<'_>) {
        for vnode in 0..=self.others().len() as u16 {
            let Some(node) = self.vnode(vnode) else { continue };
            let heir = node.successors().find(|s| s.addr != cx.me()).copied();
            if let Some(heir) = heir {
                let hits = self.owned_by(vnode);
                self.transfer(cx, heir, true, &hits);
            }
        }
        if !self.moves_under_way() {
            self.on_handed_over(cx);
        }
    }

    /// An errand came for a key that this node is thought to own.
    pub(super) fn on_deliver(&mut self, cx: &mut Context<'_>, from: Addr, message: Message) {
        let Message::Deliver { request, origin, vnode, ttl, ack, insist, errand } = message else {
            return;
        };
        if ack {
            cx.send(from, Message::Received { request, origin });
        }
        let key = errand.key();
        let ring_key = self.ring_key(key);
        let Some(node) = self.vnode(vnode) else { return };
        if self.phase == Phase::Leaving
            && matches!(*errand, Errand::Store(_) | Errand::Post(_))
            && let Some(heir) = node.successors().find(|s| s.addr != cx.me()).copied()
        {
            let (vnode, ttl) = (heir.vnode, BACK_STEPS);
            let insist = true;
            let message =
                Message::Deliver { request, origin, vnode, ttl, ack: false, insist, errand };
            return cx.send(heir.addr, message);
        }
        // A node may have joined right before this one, and the sender not
        // know it yet.
        let back = node.predecessor.filter(|p| p.addr != cx.me());
        let ours = self.vnodes().any(|v| v.owns(ring_key));
        let known = self.holdings.as_ref().is_some_and(|h| h.store.contains(key));
        let served = matches!(*errand, Errand::Fetch { .. } | Errand::Sift(_)) && known;
        match back {
            Some(back) if !ours && !served && !insist && ttl > 1 => {
                if matches!(*errand, Errand::Remove { .. } | Errand::Unpost(_)) {
                    self.carry_out(cx, &errand);
                }
                let ttl = ttl.min(BACK_STEPS) - 1;
                let vnode = back.vnode;
                let message =
                    Message::Deliver { request, origin, vnode, ttl, ack: false, insist, errand };
                cx.send(back.addr, message);
            }
            _ => self.on_errand(cx, request, origin, Some(errand)),
        }
    }

    /// Records come in: from a former owner, or as copies.
    pub(super) fn on_transfer(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        request: u32,
        owned: bool,
        records: &[Posting],
    ) {
        if self.phase == Phase::Leaving {
            // What is on its way out must not come back; the sender tries
            // again and finds the ring closed behind this node.
            return;
        }
        let mut all = true;
        for posting in records {
            let kept = matches!(self.keep(cx, posting.clone(), owned), Finding::Done);
            // A list that is hot does not take it however often it is sent.
            all &= kept || posting.word != WHOLE;
        }
        if all {
            cx.send(from, Message::Kept { request });
        }
        if owned {
            self.copy_out(cx, records);
        }
        if let Some(h) = &mut self.holdings {
            h.unsettled = true;
        }
    }

    /// An owner no longer needs this node's copies of a range.
    pub(super) fn on_release(&mut self, after: Key, upto: Key) {
        let bits = self.config.id_bits;
        if let Some(h) = &mut self.holdings {
            let held = |key: Key| key.truncated(bits).in_half_open(after, upto);
            h.store.retain(|key, r| r.owned || !held(key));
        }
    }

    /// An owner removed a record that this node has a copy of.
    pub(super) fn on_erase(&mut self, cx: &mut Context<'_>, key: Key, item: Key, provider: Addr) {
        if let Some(h) = &mut self.holdings
            && h.store.remove(key, item, provider, |r| !r.owned)
        {
            cx.note(|| Note::Store { key, provider, stored: false });
        }
    }

    /// Takes over records without telling anyone, for a converged start.
    pub(super) fn settle_record(&mut self, key: Key, posting: Posting, owned: bool) {
        let h = self.holdings.get_or_insert_default();
        h.store.put(key, posting, owned, Time::ZERO, &self.config);
    }

    /// Notes who holds copies already, for a converged start.
    pub(super) fn settle_holders(&mut self) {
        if self.config.replicas > 1 {
            let holders: BTreeMap<u16, Vec<Contact>> =
                self.vnodes().map(|n| (n.me.vnode, n.replica_holders(&self.config))).collect();
            self.holdings.get_or_insert_default().holders = holders;
        }
    }
}

/// Cuts a list of records into pieces that fit a message.
fn chunks(hits: &[Posting]) -> impl Iterator<Item = &[Posting]> {
    let mut rest = hits;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let fits = |hit: &&Posting| {
            bytes += hit.encoded_len();
            bytes <= MAX_RECORD_BYTES
        };
        let n = rest.iter().take(MAX_RECORDS).take_while(fits).count().max(1);
        let (chunk, others) = rest.split_at(n);
        rest = others;
        Some(chunk)
    })
}
