//! Requests under way: what a node waits for, and on whose behalf.

use std::sync::Arc;

use super::contact::Contact;
use super::message::{Errand, Message, Placed, Verdict};
use super::{Context, Pastry, Phase, Timer};
use crate::parts::postings::{KeywordHost as _, PostingHost as _};
use crate::{Cause, Hit, Key, OpId, Outcome, Reason};

/// Who wants to know how a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// The user.
    Op(OpId),
    /// One record of an insert or delete that takes several.
    Record { op: OpId, word: u8 },
    /// A keyword search of this node that is to reach the holder of a word.
    Sift { ticket: u32, word: u8 },
    /// The announcement or withdrawal of many items, one by one.
    Batch,
    /// The keeping of records.
    Keeping,
}

/// How a request ended.
#[derive(Clone, Debug)]
pub(super) enum Finding {
    /// The node closest to the key.
    Root(Contact),
    /// What a get brought.
    Hits(Vec<Hit>),
    /// A store or remove was judged.
    Judged(Verdict),
    /// It was not to be.
    Failed(Reason),
}

impl Finding {
    /// What the user is told.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Root(root) => Outcome::Located(root.addr),
            Self::Hits(hits) if hits.is_empty() => Outcome::NotFound,
            Self::Hits(hits) => Outcome::Found(hits),
            Self::Judged(Verdict::Done) => Outcome::Done,
            Self::Judged(Verdict::NotFound) => Outcome::NotFound,
            Self::Judged(Verdict::Full) => Outcome::Failed(Reason::Full),
            Self::Failed(reason) => Outcome::Failed(reason),
        }
    }
}

/// One thing that a node waits for.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The number that answers carry.
    pub(super) id: u32,
    /// How many waits it has been through: a timer of an earlier one is stale.
    pub(super) step: u16,
    /// How often it started again.
    pub(super) attempts: u8,
    pub(super) client: Client,
    pub(super) what: What,
}

/// What a request is about.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A message routed to a key.
    Routed { key: Key, errand: Option<Box<Errand>> },
    /// Records on their way to another node.
    Transfer { to: Contact, records: Arc<[Placed]> },
}

/// All requests of a node, by number.
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: Vec<Request>,
    last: u32,
}

impl Requests {
    /// A fresh number.
    pub(super) fn number(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.last
    }

    /// Keeps `request` until it is taken.
    pub(super) fn put(&mut self, request: Request) {
        if self.open.len() == self.open.capacity() {
            // Most nodes have one request open or none: room for one at first.
            self.open.reserve_exact(self.open.len().max(1));
        }
        let place = self.open.iter().rposition(|r| r.id < request.id).map_or(0, |i| i + 1);
        self.open.insert(place, request);
    }

    /// The request with this number.
    pub(super) fn get(&self, id: u32) -> Option<&Request> {
        let at = self.open.binary_search_by_key(&id, |r| r.id).ok()?;
        self.open.get(at)
    }

    /// Takes the request with this number out.
    pub(super) fn take(&mut self, id: u32) -> Option<Request> {
        let at = self.open.binary_search_by_key(&id, |r| r.id).ok()?;
        let request = self.open.remove(at);
        if self.open.is_empty() {
            // Few nodes wait for anything at a time: what one gives back,
            // the next takes.
            self.open = Vec::new();
        }
        Some(request)
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// All that are open.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.open.iter()
    }

    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Request>()
    }
}

impl Pastry {
    /// Routes a message with `errand`, if there is one, to `key` and tells
    /// `client` what came of it.
    pub(super) fn ask(
        &mut self,
        cx: &mut Context<'_>,
        key: Key,
        client: Client,
        errand: Option<Errand>,
    ) {
        if self.requests.len() >= self.config.max_requests {
            return self.conclude(cx, client, Finding::Failed(Reason::Full));
        }
        let id = self.requests.number();
        let what = What::Routed { key, errand: errand.map(Box::new) };
        self.set_out(cx, Request { id, step: 0, attempts: 0, client, what });
    }

    fn set_out(&mut self, cx: &mut Context<'_>, mut request: Request) {
        let What::Routed { key, errand } = &request.what else { return };
        let (id, key, errand) = (request.id, *key, errand.clone());
        request.step = request.step.wrapping_add(1);
        let timer = Timer::Request { id, step: request.step };
        self.requests.put(request);
        let (origin, ttl, ack) = (cx.me(), self.config.ttl, false);
        self.route(cx, Message::Route { request: id, origin, key, ttl, ack, errand });
        if self.requests.get(id).is_some() {
            // A guard for longer than routes take: on nobody's account, or it
            // would keep the account of every answered one open.
            cx.on_behalf_of(Cause::UPKEEP).wake(self.config.lookup_timeout, timer);
        }
    }

    /// A request's time is up.
    pub(super) fn on_request_timer(&mut self, cx: &mut Context<'_>, id: u32, step: u16) {
        if self.requests.get(id).is_none_or(|r| r.step != step) {
            return;
        }
        let Some(mut request) = self.requests.take(id) else { return };
        let cause = match request.client {
            Client::Op(op) | Client::Record { op, .. } if cx.cause() == Cause::UPKEEP => {
                Cause::start(op)
            }
            _ => cx.cause(),
        };
        let cx = &mut cx.on_behalf_of(cause);
        if matches!(request.what, What::Transfer { .. }) {
            return self.transfer_again(cx, request);
        }
        if request.attempts >= self.config.retries || !self.is_member() {
            return self.conclude(cx, request.client, Finding::Failed(Reason::Timeout));
        }
        request.attempts += 1;
        self.set_out(cx, request);
    }

    /// A request of this node for a key's root was answered.
    pub(super) fn on_located(&mut self, cx: &mut Context<'_>, id: u32, root: Contact) {
        self.on_answer(cx, id, Finding::Root(root), |errand| errand.is_none());
    }

    /// A get of this node was answered.
    pub(super) fn on_hits(&mut self, cx: &mut Context<'_>, id: u32, hits: Vec<Hit>) {
        let is_get = |errand: Option<&Errand>| matches!(errand, Some(Errand::Get { .. }));
        self.on_answer(cx, id, Finding::Hits(hits), is_get);
    }

    /// A store or remove of this node was answered.
    pub(super) fn on_judged(&mut self, cx: &mut Context<'_>, id: u32, verdict: Verdict) {
        let is_update = |errand: Option<&Errand>| {
            matches!(errand, Some(Errand::Store(_) | Errand::Remove { .. }))
        };
        self.on_answer(cx, id, Finding::Judged(verdict), is_update);
    }

    fn on_answer(
        &mut self,
        cx: &mut Context<'_>,
        id: u32,
        finding: Finding,
        expected: impl Fn(Option<&Errand>) -> bool,
    ) {
        let Some(request) = self.requests.get(id) else { return };
        let What::Routed { errand, .. } = &request.what else { return };
        if !expected(errand.as_deref()) {
            return;
        }
        let Some(request) = self.requests.take(id) else { return };
        let finding = match (finding, &request.what) {
            // Only what was asked for counts. Under an item's own key there
            // are records of that item.
            (Finding::Hits(mut hits), What::Routed { key, errand }) => {
                hits.retain(|h| h.item.key() == *key);
                if let Some(Errand::Get { limit, .. }) = errand.as_deref() {
                    hits.truncate((*limit).into());
                }
                Finding::Hits(hits)
            }
            (finding, _) => finding,
        };
        self.conclude(cx, request.client, finding);
    }

    /// Tells the client of a request how it ended.
    pub(super) fn conclude(&mut self, cx: &mut Context<'_>, client: Client, finding: Finding) {
        match client {
            Client::Op(op) => match finding {
                Finding::Hits(hits) => cx.finish_search(op, hits),
                finding => cx.finish(op, finding.outcome()),
            },
            Client::Record { op, word } => self.on_record(cx, op, word, finding.outcome()),
            Client::Sift { ticket, word } => self.on_unreachable(cx, ticket, word),
            Client::Batch => self.on_batch_step(cx),
            Client::Keeping => {}
        }
    }

    /// Whether this node's user may use the network.
    pub(super) fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Member | Phase::Leaving)
    }

    /// Whether this node routes for others: from the moment its leaf set is
    /// being built.
    pub(super) fn takes_part(&self) -> bool {
        matches!(self.phase, Phase::Arriving | Phase::Member | Phase::Leaving)
    }
}
