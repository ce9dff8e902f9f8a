//! Lookups: from a key to its owner, iteratively or recursively.

use super::config::Routing;
use super::contact::{Contact, ContactList};
use super::forward::Forward;
use super::message::{Errand, Message, Verdict};
use super::request::{Client, Delivery, Finding, Request, Stage, Walk};
use super::vnode::{Step, VirtualNode};
use super::{Chord, Context, Phase, Timer};
use crate::parts::postings::KeywordHost as _;
use crate::{Addr, Cause, Hit, Key, Outcome, Reason};

/// Nodes that a `Closer` answer names, so that the asker can go around the
/// dead.
const CANDIDATES: usize = 8;

/// What this node knows about a key, all its virtual nodes consulted.
enum Known {
    /// The owner, and those who follow it.
    Owner(Contact, u16),
    /// The next hop, as seen from this virtual node.
    Next(Contact, u16),
}

impl Chord {
    /// Looks for the owner of `key`, has it carry out `errand` if there is
    /// one, and tells `client`.
    pub(super) fn look_up(
        &mut self,
        cx: &mut Context<'_>,
        key: Key,
        client: Client,
        errand: Option<Box<Errand>>,
    ) {
        if self.requests.len() >= self.config.max_requests {
            return self.conclude(cx, client, Finding::Failed(Reason::Full));
        }
        let id = self.requests.number();
        let stage = Stage::Routed;
        self.begin(cx, Request { id, step: 0, attempts: 0, client, key, errand, stage });
    }

    /// Looks for the owner of `key` by asking `via`, a node of a ring that
    /// this node is not, or perhaps not, part of.
    pub(super) fn look_up_via(
        &mut self,
        cx: &mut Context<'_>,
        via: Addr,
        key: Key,
        client: Client,
    ) {
        if self.requests.len() >= self.config.max_requests {
            return self.conclude(cx, client, Finding::Failed(Reason::Full));
        }
        let id = self.requests.number();
        let attempts = self.config.retries;
        let contact = Contact { key, addr: via, vnode: 0 };
        let stage = Stage::Routed;
        let request = Request { id, step: 0, attempts, client, key, errand: None, stage };
        self.set_out(cx, request, &[contact]);
    }

    /// The first step of a lookup, or of a fresh attempt at it.
    fn begin(&mut self, cx: &mut Context<'_>, mut request: Request) {
        if let Some(errand) = &request.errand
            && self.vnodes().any(|v| v.owns(request.key))
        {
            let errand = errand.clone();
            let finding = self.carry_out(cx, &errand);
            return self.conclude(cx, request.client, finding);
        }
        let start = self.nearest_before(request.key);
        match self.consult(start, request.key) {
            Some(Known::Owner(owner, vnode)) => {
                if request.errand.is_none() {
                    return self.conclude(cx, request.client, Finding::Owner(owner));
                }
                let owners = self.owners(vnode, owner).into_vec();
                self.deliver(cx, request, owners);
            }
            Some(Known::Next(next, vnode)) => match self.config.routing {
                Routing::Recursive => self.set_out(cx, request, &[next]),
                Routing::Iterative => {
                    let nodes = self.candidates(vnode, request.key);
                    self.set_out(cx, request, &nodes);
                }
            },
            None => {
                request.stage = Stage::Resting;
                self.start_over(cx, request);
            }
        }
    }

    /// Sends the first message of a lookup.
    fn set_out(&mut self, cx: &mut Context<'_>, mut request: Request, nodes: &[Contact]) {
        match (self.config.routing, nodes.first()) {
            (Routing::Recursive, Some(next)) => {
                let message = Message::Route {
                    request: request.id,
                    origin: cx.me(),
                    key: request.key,
                    vnode: next.vnode,
                    ttl: self.config.ttl,
                    ack: self.config.hop_acks,
                    errand: request.errand.clone(),
                };
                request.stage = Stage::Routed;
                request.step = request.step.wrapping_add(1);
                let timer = Timer::Request { id: request.id, step: request.step };
                self.requests.put(request);
                self.pass_on(cx, *next, 0, message, &[]);
                // A guard for longer than lookups take: on nobody's account, or
                // it would keep the account of every answered one open.
                cx.on_behalf_of(Cause::UPKEEP).wake(self.config.lookup_timeout, timer);
            }
            (Routing::Iterative, _) => {
                let mut walk = Walk::default();
                walk.add(nodes, cx.me());
                request.stage = Stage::Asking(Box::new(walk));
                self.ask_next(cx, request);
            }
            (Routing::Recursive, None) => self.start_over(cx, request),
        }
    }

    /// Asks the next node of an iterative lookup.
    fn ask_next(&mut self, cx: &mut Context<'_>, mut request: Request) {
        let Stage::Asking(walk) = &mut request.stage else { return };
        match walk.next(self.config.ttl) {
            Some(next) => self.ask(cx, request, next.addr, next.vnode),
            None => self.start_over(cx, request),
        }
    }

    fn ask(&mut self, cx: &mut Context<'_>, mut request: Request, to: Addr, vnode: u16) {
        request.step = request.step.wrapping_add(1);
        cx.send(to, Message::FindNext { request: request.id, vnode, key: request.key });
        let timer = Timer::Request { id: request.id, step: request.step };
        cx.wake(self.config.request_timeout, timer);
        self.requests.put(request);
    }

    /// Gives the errand to the first of `owners` that is not known to be dead.
    fn deliver(&mut self, cx: &mut Context<'_>, mut request: Request, owners: Vec<Contact>) {
        request.stage = Stage::Delivering(Box::new(Delivery { owners, at: 0, again: false }));
        self.deliver_next(cx, request);
    }

    fn deliver_next(&mut self, cx: &mut Context<'_>, mut request: Request) {
        let Stage::Delivering(delivery) = &request.stage else { return };
        let Some(errand) = &request.errand else { return };
        let Some(owner) = delivery.owners.get(delivery.at).copied() else {
            return self.start_over(cx, request);
        };
        if owner.addr == cx.me() {
            let errand = errand.clone();
            let finding = self.carry_out(cx, &errand);
            return self.conclude(cx, request.client, finding);
        }
        let message = Message::Deliver {
            request: request.id,
            origin: cx.me(),
            vnode: owner.vnode,
            ttl: self.config.ttl,
            ack: false,
            insist: delivery.at > 0,
            errand: errand.clone(),
        };
        cx.send(owner.addr, message);
        request.step = request.step.wrapping_add(1);
        cx.wake(self.config.request_timeout, Timer::Request { id: request.id, step: request.step });
        self.requests.put(request);
    }

    /// Tries a lookup once more from the start, after a pause in which the
    /// ring may heal, or gives it up.
    fn start_over(&mut self, cx: &mut Context<'_>, mut request: Request) {
        if request.attempts >= self.config.retries || !self.is_member() {
            return self.conclude(cx, request.client, Finding::Failed(Reason::Timeout));
        }
        request.attempts += 1;
        request.step = request.step.wrapping_add(1);
        request.stage = Stage::Resting;
        cx.wake(self.config.request_timeout, Timer::Request { id: request.id, step: request.step });
        self.requests.put(request);
    }

    /// A request's time is up.
    pub(super) fn on_request_timer(&mut self, cx: &mut Context<'_>, id: u32, step: u16) {
        if self.requests.get(id).is_none_or(|r| r.step != step) {
            return;
        }
        let Some(mut request) = self.requests.take(id) else { return };
        let cause = match request.client {
            Client::Op(op) if cx.cause() == Cause::UPKEEP => Cause::start(op),
            _ => cx.cause(),
        };
        let cx = &mut cx.on_behalf_of(cause);
        match &mut request.stage {
            Stage::Routed => {
                request.stage = Stage::Resting;
                self.start_over(cx, request);
            }
            Stage::Resting => self.begin(cx, request),
            Stage::Gone => {}
            Stage::Asking(walk) => {
                let Some((addr, vnode)) = walk.waiting_for() else { return };
                // Datagrams get lost: a second question before the verdict.
                if walk.again {
                    self.avoid(cx, addr, vnode, true);
                    self.ask_next(cx, request);
                } else {
                    walk.again = true;
                    self.ask(cx, request, addr, vnode);
                }
            }
            Stage::Delivering(delivery) => {
                if delivery.again {
                    let silent = delivery.owners.get(delivery.at).copied();
                    delivery.at += 1;
                    if let Some(silent) = silent {
                        self.avoid(cx, silent.addr, silent.vnode, true);
                    }
                }
                let Stage::Delivering(delivery) = &mut request.stage else { return };
                delivery.again = !delivery.again;
                self.deliver_next(cx, request);
            }
            Stage::Moving(_) => self.move_again(cx, request),
        }
    }

    /// What this node, starting from one of its virtual nodes, knows about the
    /// way to `key`. Steps between its own virtual nodes cost nothing.
    fn consult(&self, start: u16, key: Key) -> Option<Known> {
        let mut at = start;
        for _ in 0..=self.others().len() {
            let node = self.vnode(at)?;
            match node.step(key, &self.config) {
                Step::Owner(owner) => return Some(Known::Owner(owner, at)),
                Step::Forward(next) if next.addr == node.me.addr && next.vnode != at => {
                    at = next.vnode;
                }
                Step::Forward(next) if next.addr == node.me.addr => return None,
                Step::Forward(next) => return Some(Known::Next(next, at)),
            }
        }
        None
    }

    fn candidates(&self, vnode: u16, key: Key) -> ContactList {
        let candidates = |v: &VirtualNode| v.candidates(key, CANDIDATES, &self.config);
        self.vnode(vnode).map_or_else(ContactList::new, candidates)
    }

    /// The owner of a key and those who follow it, as a virtual node sees it.
    fn owners(&self, vnode: u16, owner: Contact) -> ContactList {
        let owners = self.vnode(vnode).map(|v| v.owners_from(&owner));
        owners.unwrap_or_else(|| core::iter::once(owner).collect())
    }

    /// Answers a step of another node's iterative lookup.
    pub(super) fn on_find_next(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        request: u32,
        vnode: u16,
        key: Key,
    ) {
        let key = key.truncated(self.config.id_bits);
        match self.consult(vnode, key) {
            Some(Known::Owner(owner, at)) => {
                let nodes = self.owners(at, owner).into();
                cx.send(from, Message::Owner { request, nodes });
            }
            Some(Known::Next(_, at)) => {
                let nodes = self.candidates(at, key).into();
                cx.send(from, Message::Closer { request, nodes });
            }
            None => {}
        }
    }

    /// A step of this node's iterative lookup was answered.
    pub(super) fn on_step(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        id: u32,
        nodes: &[Contact],
        owners: bool,
    ) {
        let Some(request) = self.requests.get(id) else { return };
        let Stage::Asking(walk) = &mut request.stage else { return };
        if walk.waiting_for().is_none_or(|(addr, _)| addr != from) {
            return;
        }
        if !owners {
            walk.add(nodes, cx.me());
        }
        let Some(request) = self.requests.take(id) else { return };
        match nodes.first() {
            Some(owner) if owners && request.errand.is_none() => {
                // A node that comes back is still in others' lists; its
                // successor is the one after itself.
                let others = nodes.iter().find(|n| n.addr != cx.me());
                let owner =
                    if request.client == Client::Join { others } else { None }.unwrap_or(owner);
                self.conclude(cx, request.client, Finding::Owner(*owner));
            }
            Some(_) if owners => self.deliver(cx, request, nodes.to_vec()),
            _ => self.ask_next(cx, request),
        }
    }

    /// Moves another node's (or, come full circle, its own) recursive lookup
    /// along.
    pub(super) fn on_route(&mut self, cx: &mut Context<'_>, from: Addr, message: Message) {
        let Message::Route { request, origin, key, vnode, ttl, ack, errand } = message else {
            return;
        };
        if ack {
            cx.send(from, Message::Received { request, origin });
        }
        if errand.is_some() && self.vnodes().any(|v| v.owns(key)) {
            return self.on_errand(cx, request, origin, errand);
        }
        match self.consult(vnode, key) {
            Some(Known::Owner(owner, at)) => match errand {
                None if origin == cx.me() => self.on_located(cx, request, owner),
                None => cx.send(origin, Message::Located { request, owner }),
                Some(_) if owner.addr == cx.me() => self.on_errand(cx, request, origin, errand),
                Some(errand) => {
                    let owners = self.owners(at, owner);
                    let message = Message::Deliver {
                        request,
                        origin,
                        vnode: owner.vnode,
                        ttl: ttl.saturating_sub(1),
                        ack: self.config.hop_acks,
                        insist: false,
                        errand,
                    };
                    self.pass_on(cx, owner, at, message, &owners);
                }
            },
            Some(Known::Next(next, at)) if ttl > 1 => {
                let (vnode, ttl, ack) = (next.vnode, ttl - 1, self.config.hop_acks);
                let message = Message::Route { request, origin, key, vnode, ttl, ack, errand };
                self.pass_on(cx, next, at, message, &[]);
            }
            _ => {}
        }
    }

    /// Sends a `Route` or `Deliver`, and keeps it until it is acknowledged if
    /// hops are. `owners` are the nodes a `Deliver` can go to, in turn.
    pub(super) fn pass_on(
        &mut self,
        cx: &mut Context<'_>,
        to: Contact,
        at: u16,
        message: Message,
        owners: &[Contact],
    ) {
        if self.config.hop_acks {
            let forward = Forward::new(to, at, message.clone(), owners);
            if let Some(id) = self.aside.get_or_insert_default().forwards.put(forward) {
                cx.wake(self.config.request_timeout, Timer::Forward(id));
            }
        }
        cx.send(to.addr, message);
    }

    /// The owner of a recursively routed key is known.
    pub(super) fn on_located(&mut self, cx: &mut Context<'_>, id: u32, owner: Contact) {
        if let Some(request) = self.requests.get(id)
            && matches!(request.stage, Stage::Routed)
            && request.errand.is_none()
            && let Some(request) = self.requests.take(id)
        {
            self.conclude(cx, request.client, Finding::Owner(owner));
        }
    }

    /// The owner of a key answered an errand of this node.
    pub(super) fn on_finding(&mut self, cx: &mut Context<'_>, id: u32, finding: Finding) {
        let Some(request) = self.requests.get(id) else { return };
        let fetch = matches!(request.errand.as_deref(), Some(Errand::Fetch { .. }));
        let expected = request.errand.is_some() && fetch == matches!(finding, Finding::Hits(_));
        if expected && let Some(request) = self.requests.take(id) {
            let finding = match (finding, request.errand.as_deref()) {
                // Only what was asked for counts.
                (Finding::Hits(mut hits), Some(Errand::Fetch { key, limit })) => {
                    hits.retain(|h: &Hit| h.item.key() == *key);
                    hits.truncate(usize::from(*limit));
                    Finding::Hits(hits)
                }
                (finding, _) => finding,
            };
            self.conclude(cx, request.client, finding);
        }
    }

    /// Carries an errand out and answers its origin.
    pub(super) fn on_errand(
        &mut self,
        cx: &mut Context<'_>,
        request: u32,
        origin: Addr,
        errand: Option<Box<Errand>>,
    ) {
        let Some(errand) = errand else { return };
        let finding = self.carry_out(cx, &errand);
        if origin == cx.me() {
            return self.on_finding(cx, request, finding);
        }
        let judged = |verdict| Message::Judged { request, verdict };
        let answer = match finding {
            Finding::Hits(hits) => Message::Hits { request, hits: hits.into() },
            Finding::NotFound => judged(Verdict::NotFound),
            Finding::Failed(_) => judged(Verdict::Full),
            Finding::Done | Finding::Owner(_) => judged(Verdict::Done),
        };
        cx.send(origin, answer);
    }

    /// Tells the client of a request how it ended.
    pub(super) fn conclude(&mut self, cx: &mut Context<'_>, client: Client, finding: Finding) {
        match client {
            Client::Op(op) => match finding {
                Finding::Owner(owner) => cx.finish(op, Outcome::Located(owner.addr)),
                Finding::Hits(hits) => cx.finish_search(op, hits),
                Finding::Done => cx.finish(op, Outcome::Done),
                Finding::NotFound => cx.finish(op, Outcome::NotFound),
                Finding::Failed(reason) => cx.finish(op, Outcome::Failed(reason)),
            },
            Client::Finger { vnode, index } => {
                if let Finding::Owner(owner) = finding {
                    self.set_finger(cx, vnode, index, &owner);
                }
            }
            Client::Merge { vnode } => {
                if let Finding::Owner(owner) = finding {
                    self.consider(cx, vnode, owner);
                }
            }
            Client::Join => self.on_join_lookup(cx, finding),
            Client::Record { op, word } => self.on_record_through(cx, op, word, &finding),
            Client::Sift { ticket, word } => {
                if let Finding::Failed(_) = finding {
                    self.on_unreachable(cx, ticket, word);
                }
            }
            Client::Batch => self.on_batch_step(cx),
            Client::Keeping | Client::Relay => {}
        }
    }

    /// Whether this node takes part in the ring.
    pub(super) fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Member | Phase::Leaving)
    }
}
