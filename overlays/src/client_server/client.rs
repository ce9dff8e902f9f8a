//! The client: keeps a session with the server that takes the writes, reads
//! from the server of its choice, and goes over to another when one dies.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt as _;

use super::config::Reads;
use super::message::{MAX_SERVERS, Message};
use super::requests::{Request, Requests};
use super::store::sum_of;
use super::{Blueprint, ClientServer, Config, Timer, guard};
use crate::seam::{
    Addr, Cause, Cx, Footprint, Item, Key, Note, OpId, Outcome, Query, Reason, Span,
};

/// A join that has not ended.
#[derive(Clone, Copy, Debug)]
struct Joining {
    op: OpId,
    cause: Cause,
}

/// The state of the session with the primary.
#[derive(Debug)]
enum Session {
    /// Not wanted.
    Out,
    /// This server was asked to open it.
    Opening {
        server: Addr,
        /// How many servers of this round were asked, redirections included.
        asked: usize,
        /// The sum of the items that the server was told of.
        sum: u64,
        /// Absent when opening again.
        joining: Option<Joining>,
    },
    /// Open with this server.
    Open(Addr),
    /// Lost; the next round is to come.
    Waiting,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    config: Arc<Config>,
    /// The servers, sorted.
    servers: Vec<Addr>,
    session: Session,
    /// Where it reads.
    reader: Option<Addr>,
    /// Whether the first pong decides where.
    pinging: bool,
    /// Numbers the attempts to open a session, so that a stale timer or pong
    /// is known.
    attempt: u32,
    /// Rounds over all servers that failed since the last session.
    failed_rounds: u32,
    items: BTreeMap<Key, Arc<Item>>,
    requests: Requests,
}

type Context<'a> = Cx<'a, ClientServer>;

impl Client {
    /// A client without a session.
    pub(super) fn new(config: &Arc<Config>) -> Self {
        Self {
            config: Arc::clone(config),
            servers: Vec::new(),
            session: Session::Out,
            reader: None,
            pinging: false,
            attempt: 0,
            failed_rounds: 0,
            items: BTreeMap::new(),
            requests: Requests::default(),
        }
    }

    /// The server that takes its writes.
    pub(super) const fn primary(&self) -> Option<Addr> {
        match self.session {
            Session::Open(server) => Some(server),
            _ => None,
        }
    }

    /// Whether it takes part in the network.
    pub(super) const fn is_in(&self) -> bool {
        !matches!(self.session, Session::Out)
    }

    /// Where it reads.
    pub(super) const fn reader(&self) -> Option<Addr> {
        self.reader
    }

    /// The keys of its items, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.items.keys().copied()
    }

    /// Opens a session with one of the servers in `via`.
    pub(super) fn join(&mut self, cx: &mut Context<'_>, op: OpId, via: &[Addr]) {
        match self.session {
            Session::Open(_) => return cx.finish(op, Outcome::Done),
            // One attempt at a time; its operation will end by itself.
            Session::Opening { .. } => return cx.finish(op, Outcome::Failed(Reason::Refused)),
            Session::Out | Session::Waiting => {}
        }
        self.learn(cx.me(), via);
        let joining = Joining { op, cause: cx.cause() };
        self.open_next(cx, 0, Some(joining), Reason::NoContact);
    }

    /// Closes the streams; the server drops the items by itself.
    pub(super) fn leave(&mut self, cx: &mut Context<'_>, op: OpId) {
        self.requests.end_all(cx);
        match core::mem::replace(&mut self.session, Session::Out) {
            Session::Open(server) => cx.close(server),
            Session::Opening { server, joining, .. } => {
                cx.close(server);
                if let Some(Joining { op, cause }) = joining {
                    cx.on_behalf_of(cause).finish(op, Outcome::Failed(Reason::NotJoined));
                }
            }
            Session::Out | Session::Waiting => {}
        }
        if let Some(reader) = self.reader.take() {
            cx.close(reader);
        }
        cx.finish(op, Outcome::Done);
    }

    /// Stores an item with the primary. Without a session it waits for the
    /// next one.
    pub(super) fn insert(&mut self, cx: &mut Context<'_>, op: OpId, item: &Arc<Item>) {
        let known = self.items.contains_key(&item.key());
        if !known && self.items.len() >= self.config.max_items as usize {
            return cx.finish(op, Outcome::Failed(Reason::Full));
        }
        match self.session {
            Session::Open(server) if !known => {
                let Some(tag) = self.requests.start(cx, &self.config, op, Request::Write(server))
                else {
                    return;
                };
                cx.send(server, Message::Put { tag, item: Arc::clone(item) });
            }
            _ => cx.finish(op, Outcome::Done),
        }
        self.items.insert(item.key(), Arc::clone(item));
    }

    /// Removes an item from the servers. Without a session the next one tells
    /// them.
    pub(super) fn delete(&mut self, cx: &mut Context<'_>, op: OpId, key: &Key) {
        if !self.items.contains_key(key) {
            return cx.finish(op, Outcome::NotFound);
        }
        if let Session::Open(server) = self.session {
            let Some(tag) = self.requests.start(cx, &self.config, op, Request::Write(server))
            else {
                return;
            };
            cx.send(server, Message::Remove { tag, key: *key });
        } else {
            cx.finish(op, Outcome::Done);
        }
        self.items.remove(key);
    }

    /// Asks the server it reads from.
    pub(super) fn search(&mut self, cx: &mut Context<'_>, op: OpId, query: &Query) {
        let any = self.reader.or_else(|| self.primary()).or_else(|| self.servers.first().copied());
        let (false, Some(server)) = (matches!(self.session, Session::Out), any) else {
            return cx.finish(op, Outcome::Failed(Reason::NotJoined));
        };
        let search = Request::Search { server, query: query.clone(), tried: 1 };
        if let Some(tag) = self.requests.start(cx, &self.config, op, search) {
            cx.send(server, Message::Get { tag, query: query.clone() });
        }
    }

    /// Takes its place in a converged network. One message each opens the
    /// streams, without which neither side would notice that the other is
    /// gone.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint) {
        let me = cx.me();
        self.servers.clone_from(&blueprint.servers);
        let Some(&primary) = self.servers.first() else { return };
        self.session = Session::Open(primary);
        let reader = match self.config.reads {
            Reads::Nearest => {
                let nearest = |s: &&Addr| (blueprint.distances.rtt(me, **s), **s);
                self.servers.iter().min_by_key(nearest).copied()
            }
            Reads::Random => self.any_server(cx),
            Reads::Primary => Some(primary),
        };
        self.reader = reader;
        cx.send(primary, Message::Present);
        if let Some(reader) = reader.filter(|reader| *reader != primary) {
            cx.send(reader, Message::Present);
        }
        let items = blueprint.items.get(&me).into_iter().flatten();
        self.items = items.map(|item| (item.key(), Arc::clone(item))).collect();
    }

    /// Handles what servers say. Whoever takes it for a server is cut off, so
    /// that it tries elsewhere.
    pub(super) fn on_message(&mut self, cx: &mut Context<'_>, from: Addr, message: Message) {
        match message {
            Message::Opened { store_anew, servers } => {
                self.on_opened(cx, from, store_anew, &servers);
            }
            Message::Redirect(server) => self.on_redirect(cx, from, server),
            Message::Refused => self.on_refused(cx, from),
            Message::Confirm { tag, made } => self.requests.on_confirm(cx, from, tag, made),
            Message::Results { tag, hits } => self.requests.on_results(cx, from, tag, hits),
            Message::Elsewhere { tag, server } => {
                if self.servers.contains(&server) {
                    self.requests.on_elsewhere(cx, from, tag, server, self.servers.len());
                }
            }
            Message::Pong { tag } => self.on_pong(cx, from, tag),
            Message::Open { .. }
            | Message::Put { .. }
            | Message::Remove { .. }
            | Message::Get { .. }
            | Message::Link { .. }
            | Message::Copy { .. }
            | Message::Replicate { .. } => cx.close(from),
            Message::Present
            | Message::Ping { .. }
            | Message::Linked { .. }
            | Message::Complete
            | Message::Page(_)
            | Message::Replicated { .. } => {}
        }
    }

    /// An answer is overdue, or it is time to look for a server again.
    pub(super) fn on_timer(&mut self, cx: &mut Context<'_>, timer: Timer) {
        match timer {
            Timer::Open(attempt) if attempt == self.attempt => {
                if let Session::Opening { server, .. } = self.session {
                    cx.close(server);
                    self.go_on(cx, Reason::Timeout);
                }
            }
            Timer::Reopen(attempt) if attempt == self.attempt => {
                if matches!(self.session, Session::Waiting) {
                    self.open_next(cx, 0, None, Reason::NoContact);
                }
            }
            Timer::Reply(tag) => self.requests.on_overdue(cx, tag),
            _ => {}
        }
    }

    /// A server could not be reached, or is gone: its searches go to the next
    /// one, and so does the session.
    pub(super) fn on_lost(&mut self, cx: &mut Context<'_>, peer: Addr) {
        if self.reader == Some(peer) {
            let others: Vec<Addr> = self.servers.iter().copied().filter(|&s| s != peer).collect();
            self.reader = match others.len() {
                0 => None,
                n => Some(others[cx.rng().random_range(0..n)]),
            };
        }
        self.requests.on_lost(cx, peer, &self.servers);
        match self.session {
            Session::Opening { server, .. } if server == peer => {
                self.go_on(cx, Reason::NoContact);
            }
            Session::Open(server) if server == peer => {
                cx.note(|| Note::TableChange { table: "server", slot: 0, peer: None });
                self.failed_rounds = 0;
                if self.servers.len() > 1 {
                    self.open_next(&mut cx.on_behalf_of(Cause::UPKEEP), 0, None, Reason::NoContact);
                } else {
                    self.wait(cx);
                }
            }
            _ => {}
        }
    }

    /// Remembers servers, up to a limit.
    fn learn(&mut self, me: Addr, servers: &[Addr]) {
        for &server in servers {
            let at = self.servers.binary_search(&server);
            if let Err(at) = at
                && server != me
                && self.servers.len() < MAX_SERVERS
            {
                self.servers.insert(at, server);
            }
        }
    }

    fn any_server(&self, cx: &mut Context<'_>) -> Option<Addr> {
        let n = self.servers.len();
        (n > 0).then(|| self.servers[cx.rng().random_range(0..n)])
    }

    /// Asks the server whose turn it is to open a session. Redirections count
    /// too, so that servers that disagree cannot send a client around.
    fn open_next(
        &mut self,
        cx: &mut Context<'_>,
        asked: usize,
        joining: Option<Joining>,
        trouble: Reason,
    ) {
        match self.servers.get(asked) {
            Some(&server) => self.open(cx, server, asked + 1, joining),
            None => self.give_up_round(cx, joining, trouble),
        }
    }

    fn open(&mut self, cx: &mut Context<'_>, server: Addr, asked: usize, joining: Option<Joining>) {
        self.attempt = self.attempt.wrapping_add(1);
        let items = self.items.len() as u32;
        let sum = sum_of(self.items.keys());
        self.session = Session::Opening { server, asked, sum, joining };
        cx.send(server, Message::Open { items, sum });
        guard(cx, self.config.reply_timeout, Timer::Open(self.attempt));
    }

    /// Tries the next server after the last one asked in turn.
    fn go_on(&mut self, cx: &mut Context<'_>, trouble: Reason) {
        let Session::Opening { asked, joining, .. } = self.session else { return };
        let cause = joining.map_or(Cause::UPKEEP, |joining| joining.cause);
        self.open_next(&mut cx.on_behalf_of(cause), asked, joining, trouble);
    }

    /// No server opened a session: a join fails, a client that was in the
    /// network tries again later.
    fn give_up_round(&mut self, cx: &mut Context<'_>, joining: Option<Joining>, trouble: Reason) {
        if let Some(Joining { op, .. }) = joining {
            self.session = Session::Out;
            return cx.finish(op, Outcome::Failed(trouble));
        }
        self.failed_rounds = self.failed_rounds.saturating_add(1);
        self.wait(cx);
    }

    /// Waits before the next round. The wait doubles with each failed round,
    /// and is spread so that not all clients of a server come back at once.
    fn wait(&mut self, cx: &mut Context<'_>) {
        self.session = Session::Waiting;
        self.attempt = self.attempt.wrapping_add(1);
        let doubled = self.config.reopen_after * (1 << self.failed_rounds.min(20));
        let wait_us = doubled.min(self.config.reopen_max).as_us().max(1_000);
        let spread_us = cx.rng().random_range(0..=wait_us);
        let wait = Span::from_us(wait_us / 2 + spread_us);
        cx.wake_upkeep(wait, Timer::Reopen(self.attempt));
    }

    fn on_opened(&mut self, cx: &mut Context<'_>, from: Addr, anew: bool, servers: &[Addr]) {
        let Session::Opening { server, asked, sum, joining } = self.session else { return };
        if server != from {
            return;
        }
        if sum != sum_of(self.items.keys()) && asked <= MAX_SERVERS {
            // Something changed while the server was asked: tell it again.
            return self.open(cx, server, asked + 1, joining);
        }
        self.session = Session::Open(from);
        self.attempt = self.attempt.wrapping_add(1);
        self.failed_rounds = 0;
        cx.note(|| Note::TableChange { table: "server", slot: 0, peer: Some(from) });
        self.learn(cx.me(), servers);
        if anew {
            for item in self.items.values() {
                cx.send(from, Message::Put { tag: 0, item: Arc::clone(item) });
            }
        }
        self.choose_reader(cx, from);
        if let Some(joining) = joining {
            cx.finish(joining.op, Outcome::Done);
        }
    }

    /// Decides where to read, unless that is settled.
    fn choose_reader(&mut self, cx: &mut Context<'_>, primary: Addr) {
        match self.config.reads {
            _ if self.servers.len() < 2 => self.reader = Some(primary),
            Reads::Primary => self.reader = Some(primary),
            _ if self.reader.is_some() => {}
            Reads::Random => self.reader = self.any_server(cx),
            Reads::Nearest => {
                self.pinging = true;
                for &server in &self.servers {
                    cx.send(server, Message::Ping { tag: self.attempt });
                }
            }
        }
    }

    /// The first pong comes from the nearest server.
    fn on_pong(&mut self, _: &mut Context<'_>, from: Addr, tag: u32) {
        if self.pinging && tag == self.attempt && self.servers.contains(&from) {
            self.pinging = false;
            self.reader = Some(from);
        }
    }

    fn on_redirect(&mut self, cx: &mut Context<'_>, from: Addr, to: Addr) {
        if to == cx.me() {
            return;
        }
        match self.session {
            Session::Opening { server, asked, joining, .. } if server == from => {
                self.learn(cx.me(), &[to]);
                // Servers that disagree may send a client around for a while.
                if asked < 2 * MAX_SERVERS && self.servers.contains(&to) {
                    self.open(cx, to, asked + 1, joining);
                } else {
                    self.go_on(cx, Reason::Refused);
                }
            }
            Session::Open(server) if server == from => {
                self.learn(cx.me(), &[to]);
                self.requests.end_writes(cx, from);
                self.open(cx, to, self.servers.len().saturating_sub(1), None);
            }
            _ => {}
        }
    }

    fn on_refused(&mut self, cx: &mut Context<'_>, from: Addr) {
        if matches!(self.session, Session::Opening { server, .. } if server == from) {
            self.go_on(cx, Reason::Refused);
        }
    }

    /// The servers it knows. Its own items are no index: nobody asks a client
    /// what it has.
    pub(super) fn footprint(&self) -> Footprint {
        let bytes = self.servers.len() * size_of::<Addr>() + self.requests.bytes();
        let contacts = self.primary().into_iter().chain(self.reader);
        let mut contacts: Vec<Addr> = contacts.collect();
        contacts.dedup();
        Footprint { routing_entries: contacts.len() as u64, index_entries: 0, bytes: bytes as u64 }
    }
}
