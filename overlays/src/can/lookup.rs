//! Requests of this node under way: what it waits for, and on whose behalf.

use std::sync::Arc;

use super::message::{Errand, Message, Routed, Verdict};
use super::zone::Point;
use super::{Can, Context, Timer};
use crate::parts::postings::{KeywordHost as _, PostingHost as _};
use crate::{Addr, Cause, Hit, Key, OpId, Outcome, Reason, Span};

/// Who wants to know how a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// The user.
    Op(OpId),
    /// One record of an insert or delete that takes several.
    Record { op: OpId, word: u8 },
    /// A keyword search of this node that is to reach the owner of a word.
    Sift { ticket: u32, word: u8 },
    /// Somebody else's keyword search on its way to the owner of a word.
    Relay,
    /// The announcement or withdrawal of many items, one by one.
    Batch,
}

/// How a request ended.
#[derive(Clone, Debug)]
pub(super) enum Finding {
    Owner(Addr),
    Hits(Vec<Hit>),
    Done,
    NotFound,
    Failed(Reason),
}

impl Finding {
    /// How an insert or delete ended.
    fn into_outcome(self) -> Outcome {
        match self {
            Self::Done | Self::Owner(_) | Self::Hits(_) => Outcome::Done,
            Self::NotFound => Outcome::NotFound,
            Self::Failed(reason) => Outcome::Failed(reason),
        }
    }
}

/// One request: an errand for all copies of a key.
#[derive(Debug)]
struct Request {
    id: u32,
    /// How many waits it has been through: a timer of an earlier one is stale.
    step: u16,
    attempts: u8,
    client: Client,
    /// The key whose points are sought.
    key: Key,
    errand: Arc<Errand>,
    /// The copies that have not answered, a bit for each.
    pending: u64,
    /// Whether some copy was stored or removed.
    done: bool,
    /// Whether some copy found no room.
    full: bool,
    /// Whether a fetch asks every reality for itself, since the nearest had
    /// nothing.
    widened: bool,
}

/// All requests of a node.
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

    /// Numbers from `first` on.
    pub(super) fn start_at(&mut self, first: u32) {
        self.last = first;
    }

    fn get(&mut self, id: u32) -> Option<&mut Request> {
        self.open.iter_mut().find(|r| r.id == id)
    }

    fn take(&mut self, id: u32) -> Option<Request> {
        let at = self.open.iter().position(|r| r.id == id)?;
        let request = self.open.swap_remove(at);
        if self.open.is_empty() {
            // Few nodes wait for anything at a time: what one gives back, the
            // next takes.
            self.open = Vec::new();
        }
        Some(request)
    }

    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Request>()
    }
}

/// Realities that a leg's number leaves room for.
const LEGS_PER_HASH: u8 = 8;

impl Can {
    /// Sends an errand to the owners of a key's points.
    pub(super) fn look_up(
        &mut self,
        cx: &mut Context<'_>,
        client: Client,
        key: Key,
        errand: Errand,
    ) {
        if self.requests.open.len() >= self.config.max_requests {
            return self.conclude(cx, client, Finding::Failed(Reason::Full));
        }
        let everywhere = matches!(errand, Errand::Store { .. } | Errand::Remove { .. });
        let realities = if everywhere { self.config.realities } else { 1 };
        let once = matches!(errand, Errand::Locate | Errand::Sift(_));
        let hashes = if once { 1 } else { self.config.hashes };
        let mut pending = 0;
        for hash in 0..hashes {
            for reality in 0..realities {
                pending |= 1 << (hash * LEGS_PER_HASH + reality);
            }
        }
        let id = self.requests.number();
        self.requests.open.push(Request {
            id,
            step: 0,
            attempts: 0,
            client,
            key,
            errand: Arc::new(errand),
            pending,
            done: false,
            full: false,
            widened: false,
        });
        self.send_legs(cx, id);
    }

    /// Sends out every copy of a request that has not been answered.
    fn send_legs(&mut self, cx: &mut Context<'_>, id: u32) {
        let wait = self.lookup_wait();
        let Some(request) = self.requests.get(id) else { return };
        request.step = request.step.wrapping_add(1);
        let (pending, key, errand) = (request.pending, request.key, request.errand.clone());
        let timer = Timer::Request { id, step: request.step };
        // A guard for longer than lookups take: on nobody's account, or it
        // would keep the account of every answered one open.
        cx.on_behalf_of(Cause::UPKEEP).wake(wait, timer);
        let everywhere =
            request.widened || matches!(*errand, Errand::Store { .. } | Errand::Remove { .. });
        let locate = matches!(*errand, Errand::Locate);
        for leg in (0..64_u8).filter(|leg| pending >> leg & 1 == 1) {
            let (hash, reality) = (leg / LEGS_PER_HASH, leg % LEGS_PER_HASH);
            let routed = Routed {
                origin: cx.me(),
                request: id,
                leg,
                reality: if everywhere || locate { reality } else { Routed::ANY_REALITY },
                point: Point::of_key(key, hash),
                ttl: self.config.ttl,
                errand: errand.clone(),
            };
            self.set_out(cx, routed);
        }
    }

    /// How long the origin waits for an answer.
    pub(super) fn lookup_wait(&self) -> Span {
        self.config.lookup_timeout + self.config.hop_allowance * self.longest_path()
    }

    /// An answer in time did not come.
    pub(super) fn on_request_timer(&mut self, cx: &mut Context<'_>, id: u32, step: u16) {
        let retries = self.config.retries;
        let Some(request) = self.requests.get(id) else { return };
        if request.step != step {
            return;
        }
        request.attempts = request.attempts.saturating_add(1);
        if request.attempts <= retries {
            let (Client::Op(op) | Client::Record { op, .. }) = request.client else {
                return self.send_legs(cx, id);
            };
            return self.send_legs(&mut cx.on_behalf_of(Cause::start(op)), id);
        }
        if let Some(request) = self.requests.take(id) {
            self.conclude(cx, request.client, Finding::Failed(Reason::Timeout));
        }
    }

    /// Tells the origin of a request what became of it.
    pub(super) fn answer(&mut self, cx: &mut Context<'_>, to: Addr, answer: Message) {
        if to == cx.me() {
            self.on_answer(cx, to, answer);
        } else {
            cx.send(to, answer);
        }
    }

    /// The owner of a point answered.
    pub(super) fn on_answer(&mut self, cx: &mut Context<'_>, from: Addr, answer: Message) {
        let (id, leg) = match &answer {
            Message::Located { request, leg, .. }
            | Message::Hits { request, leg, .. }
            | Message::Judged { request, leg, .. } => (*request, *leg),
            _ => return,
        };
        let Some(request) = self.requests.get(id) else { return };
        if leg >= 64 || request.pending >> leg & 1 == 0 {
            return;
        }
        request.pending &= !(1 << leg);
        let sought = request.key;
        let finding = match (answer, &*request.errand) {
            (Message::Located { owner, .. }, Errand::Locate) => Some(Finding::Owner(owner)),
            (Message::Hits { hits, .. }, Errand::Fetch { .. }) if !hits.is_empty() => {
                Some(Finding::Hits(hits.into_vec()))
            }
            (Message::Judged { verdict, .. }, _) => {
                request.done |= verdict == Verdict::Done;
                request.full |= verdict == Verdict::Full;
                None
            }
            _ => None,
        };
        if request.pending == 0 && finding.is_none() && self.config.realities > 1 {
            let fetches = matches!(&*request.errand, Errand::Fetch { .. });
            if fetches && !request.widened {
                return self.widen(cx, id);
            }
        }
        let over = match (request.pending, request.full, request.done) {
            (1.., _, _) => None,
            (0, true, _) => Some(Finding::Failed(Reason::Full)),
            (0, false, true) => Some(Finding::Done),
            (0, false, false) => Some(Finding::NotFound),
        };
        if let Some(finding) = finding.or(over)
            && let Some(request) = self.requests.take(id)
        {
            if let Finding::Hits(hits) = &finding
                && from != cx.me()
            {
                self.cache_found(cx, sought, hits);
            }
            self.conclude(cx, request.client, finding);
        }
    }

    /// The nearest reality had nothing: asks each for itself, since the owner
    /// in one may have failed and the owner in another not.
    fn widen(&mut self, cx: &mut Context<'_>, id: u32) {
        let (hashes, realities) = (self.config.hashes, self.config.realities);
        let Some(request) = self.requests.get(id) else { return };
        request.widened = true;
        for hash in 0..hashes {
            for reality in 0..realities {
                request.pending |= 1 << (hash * LEGS_PER_HASH + reality);
            }
        }
        self.send_legs(cx, id);
    }

    /// A request is over.
    fn conclude(&mut self, cx: &mut Context<'_>, client: Client, finding: Finding) {
        let op = match (client, &finding) {
            (Client::Op(op), _) => op,
            (Client::Batch, _) => return self.on_batch_step(cx),
            (Client::Record { op, word }, _) => {
                return self.on_record(cx, op, word, finding.into_outcome());
            }
            (Client::Sift { ticket, word }, Finding::Failed(_)) => {
                return self.on_unreachable(cx, ticket, word);
            }
            (Client::Sift { .. } | Client::Relay, _) => return,
        };
        match finding {
            Finding::Owner(owner) => cx.finish(op, Outcome::Located(owner)),
            Finding::Hits(hits) => cx.finish_search(op, hits),
            _ => cx.finish(op, finding.into_outcome()),
        }
    }
}
