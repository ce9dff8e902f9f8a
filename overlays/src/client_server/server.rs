//! The server: stores its clients' items and answers searches.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::message::{Change, Message, Page};
use super::replicas::Replicas;
use super::store::Store;
use super::{Blueprint, ClientServer, Config, Timer};
use crate::seam::{Addr, Cause, Cx, Footprint, Hit, Key, Note, OpId, Outcome, Query};

/// A server.
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    serving: bool,
    store: Store,
    /// The clients whose writes this server takes.
    sessions: BTreeSet<Addr>,
    replicas: Replicas,
}

type Context<'a> = Cx<'a, ClientServer>;

impl Server {
    /// A server that does not serve yet.
    pub(super) fn new(config: &Arc<Config>) -> Self {
        Self {
            config: Arc::clone(config),
            serving: false,
            store: Store::default(),
            sessions: BTreeSet::new(),
            replicas: Replicas::default(),
        }
    }

    /// Starts serving, alone or as a replica of the servers in `via`.
    pub(super) fn join(&mut self, cx: &mut Context<'_>, op: OpId, via: &[Addr]) {
        self.serving = true;
        self.replicas.join(cx, self.config.servers, via, self.config.reply_timeout);
        self.review(cx);
        cx.finish(op, Outcome::Done);
    }

    /// Stops serving: the streams go down, and with them the store.
    pub(super) fn leave(&mut self, cx: &mut Context<'_>, op: OpId) {
        for &client in &self.sessions {
            cx.close(client);
        }
        for server in self.replicas.others() {
            cx.close(server);
        }
        *self = Self::new(&self.config);
        cx.finish(op, Outcome::Done);
    }

    /// Takes up the service of a converged network.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint) {
        self.serving = true;
        self.replicas.settle(cx, &blueprint.servers);
        let is_primary = self.is_primary(cx.me());
        for (&client, items) in &blueprint.items {
            if is_primary {
                self.sessions.insert(client);
            }
            for item in items {
                self.store.put(item, client);
            }
        }
    }

    fn is_primary(&self, me: Addr) -> bool {
        self.replicas.primary() == Some(me)
    }

    /// Handles what clients and other servers say; what only a server may say
    /// to a client is dropped.
    pub(super) fn on_message(&mut self, cx: &mut Context<'_>, from: Addr, message: Message) {
        if !self.serving {
            return cx.close(from);
        }
        match message {
            Message::Open { items, sum } => self.open(cx, from, items, sum),
            Message::Put { tag, item } => {
                self.write(cx, from, tag, Change::Put(Hit { item, provider: from }));
            }
            Message::Remove { tag, key } => {
                self.write(cx, from, tag, Change::Remove(key, from));
            }
            Message::Get { tag, query } => self.search(cx, from, tag, &query),
            Message::Link { complete } => {
                if !self.replicas.on_link(cx, self.config.servers, from, complete) {
                    return cx.close(from);
                }
                self.review(cx);
            }
            Message::Linked { complete, servers } => {
                self.replicas.on_linked(cx, self.config.servers, from, complete, &servers);
                self.review(cx);
            }
            Message::Complete => {
                self.replicas.on_complete(from);
                self.review(cx);
            }
            Message::Copy { after } if self.is_primary(cx.me()) => {
                cx.send(from, Message::Page(self.store.page(after)));
            }
            Message::Page(page) => self.on_page(cx, from, &page),
            Message::Replicate { id, change } => self.on_replicate(cx, from, id, &change),
            Message::Replicated { id } => self.replicas.on_replicated(cx, from, id),
            Message::Copy { .. }
            | Message::Opened { .. }
            | Message::Redirect(_)
            | Message::Refused
            | Message::Present
            | Message::Confirm { .. }
            | Message::Results { .. }
            | Message::Elsewhere { .. }
            | Message::Ping { .. }
            | Message::Pong { .. } => {}
        }
    }

    /// A wait is over.
    pub(super) fn on_timer(&mut self, cx: &mut Context<'_>, timer: Timer) {
        if !self.serving {
            return;
        }
        match timer {
            Timer::Called => {
                self.replicas.on_called(cx, self.config.relink_every);
                self.review(cx);
            }
            Timer::Relink => self.replicas.on_relink(cx, self.config.relink_every),
            Timer::Replicated(id) => self.replicas.on_overdue(cx, id),
            Timer::Grace => self.forget_strays(cx),
            Timer::Open(_) | Timer::Reopen(_) | Timer::Reply(_) => {}
        }
    }

    /// A client or a server is gone. The store drops the client's items: in
    /// this lab an item is shared as long as its peer is there.
    pub(super) fn on_lost(&mut self, cx: &mut Context<'_>, peer: Addr) {
        self.replicas.forget(peer);
        if self.sessions.remove(&peer) {
            self.make(cx, peer, 0, &Change::Forget(peer));
        }
        self.replicas.on_lost(cx, peer, self.config.relink_every);
        self.review(cx);
    }

    /// After a change among the servers: a new primary waits for the clients
    /// of the old one, a former one sends its clients to the new one.
    fn review(&mut self, cx: &mut Context<'_>) {
        let me = cx.me();
        let Some(former) = self.replicas.review(cx) else { return };
        let mut cx = cx.on_behalf_of(Cause::UPKEEP);
        if self.is_primary(me) {
            cx.wake_upkeep(self.config.grace, Timer::Grace);
        } else if let Some(primary) = self.replicas.primary()
            && former == Some(me)
        {
            for client in core::mem::take(&mut self.sessions) {
                cx.send(client, Message::Redirect(primary));
            }
        }
    }

    fn open(&mut self, cx: &mut Context<'_>, from: Addr, items: u32, sum: u64) {
        if !self.is_primary(cx.me()) {
            return match self.replicas.primary() {
                Some(primary) => cx.send(from, Message::Redirect(primary)),
                None => cx.send(from, Message::Refused),
            };
        }
        let is_full = self.sessions.len() >= self.config.max_clients as usize;
        if is_full && !self.sessions.contains(&from) {
            return cx.send(from, Message::Refused);
        }
        self.sessions.insert(from);
        let store_anew = !self.store.agrees(from, items, sum);
        if store_anew {
            self.make(cx, from, 0, &Change::Forget(from));
        }
        let servers = self.replicas.servers(cx.me()).into();
        cx.send(from, Message::Opened { store_anew, servers });
    }

    /// A client's write: only the server that has its session takes it.
    fn write(&mut self, cx: &mut Context<'_>, from: Addr, tag: u32, change: Change) {
        if !self.sessions.contains(&from) || !self.make(cx, from, tag, &change) {
            // Nobody waits for the confirmation of tag 0.
            if tag != 0 {
                cx.send(from, Message::Confirm { tag, made: false });
            }
        }
    }

    /// Makes a change here and at the replicas; false when it changes nothing.
    fn make(&mut self, cx: &mut Context<'_>, client: Addr, tag: u32, change: &Change) -> bool {
        if !self.store.apply(change, self.config.max_items) {
            return false;
        }
        note(cx, change);
        self.replicas.replicate(cx, self.config.replica_timeout, client, tag, change);
        true
    }

    fn search(&mut self, cx: &mut Context<'_>, from: Addr, tag: u32, query: &Query) {
        if self.replicas.is_complete() {
            let limit = usize::from(query.limit.min(self.config.max_results));
            let hits = self.store.search(query, limit);
            return cx.send(from, Message::Results { tag, hits });
        }
        match self.replicas.primary() {
            Some(server) => cx.send(from, Message::Elsewhere { tag, server }),
            None => cx.close(from),
        }
    }

    fn on_page(&mut self, cx: &mut Context<'_>, from: Addr, page: &Page) {
        if self.replicas.awaits_page(from, page.after) {
            let next = self.store.take_over(page);
            self.replicas.on_page(cx, from, next);
            self.review(cx);
        }
    }

    fn on_replicate(&mut self, cx: &mut Context<'_>, from: Addr, id: u32, change: &Change) {
        if self.replicas.primary() == Some(from) {
            self.store.apply(change, self.config.max_items);
            note(cx, change);
        }
        cx.send(from, Message::Replicated { id });
    }

    /// Drops the items of clients that have not come over since this server
    /// took over.
    fn forget_strays(&mut self, cx: &mut Context<'_>) {
        if !self.is_primary(cx.me()) {
            return;
        }
        let clients = self.store.clients().filter(|client| !self.sessions.contains(client));
        for client in clients.collect::<Vec<_>>() {
            self.make(cx, client, 0, &Change::Forget(client));
        }
    }

    /// The clients whose writes this server takes.
    pub(super) fn sessions(&self) -> impl Iterator<Item = Addr> {
        self.sessions.iter().copied()
    }

    /// What is stored.
    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    /// Who takes the writes.
    pub(super) const fn primary(&self) -> Option<Addr> {
        self.replicas.primary()
    }

    /// Clients and servers as routing entries, items as index entries.
    pub(super) fn footprint(&self) -> Footprint {
        let contacts = self.sessions.len() + self.replicas.len();
        Footprint {
            routing_entries: contacts as u64,
            index_entries: self.store.records() as u64,
            bytes: (self.store.bytes() + contacts * 2 * size_of::<Addr>()) as u64,
        }
    }

    /// The clients and the other servers.
    pub(super) fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        self.sessions().chain(self.replicas.others()).for_each(visit);
    }
}

fn note(cx: &mut Context<'_>, change: &Change) {
    let (key, provider, stored): (Key, Addr, bool) = match change {
        Change::Put(hit) => (hit.item.key(), hit.provider, true),
        Change::Remove(key, client) => (*key, *client, false),
        Change::Forget(_) => return,
    };
    cx.note(|| Note::Store { key, provider, stored });
}
