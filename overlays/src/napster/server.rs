//! The index server: users, their files, and the answers to searches.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::Arc;

use super::mesh::Mesh;
use super::message::{Complaint, LineSpeed, Listing, Message, Nick};
use super::{Blueprint, Config, Napster, Timer, home_server};
use crate::parts::Index;
use crate::seam::{Addr, Cx, Footprint, Hit, Item, Key, Note, OpId, Outcome, Query};

/// A user who is logged in.
#[derive(Debug)]
struct User {
    nick: Nick,
    /// Where others fetch this user's files.
    data: Addr,
    firewalled: bool,
    speed: LineSpeed,
    /// Keys of the files shared, in no order.
    shares: Vec<Key>,
}

/// An index server.
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    serving: bool,
    /// By the address of their link.
    users: BTreeMap<Addr, User>,
    nicks: BTreeMap<Nick, Addr>,
    index: Index,
    mesh: Mesh,
}

type Context<'a> = Cx<'a, Napster>;

impl Server {
    /// A server that does not serve yet.
    pub(super) fn new(config: &Arc<Config>) -> Self {
        Self {
            config: Arc::clone(config),
            serving: false,
            users: BTreeMap::new(),
            nicks: BTreeMap::new(),
            index: Index::default(),
            mesh: Mesh::default(),
        }
    }

    /// Starts serving, and links to the servers in `via`.
    pub(super) fn join(&mut self, cx: &mut Context<'_>, op: OpId, via: &[Addr]) {
        self.serving = true;
        self.mesh.call(cx, via);
        cx.finish(op, Outcome::Done);
    }

    /// Stops serving: the links go down, and with them the index.
    pub(super) fn leave(&mut self, cx: &mut Context<'_>, op: OpId) {
        for &user in self.users.keys() {
            cx.close(user);
        }
        self.mesh.neighbours(&mut |server| cx.close(server));
        *self = Self::new(&self.config);
        cx.finish(op, Outcome::Done);
    }

    /// Takes up the service of a converged network.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint) {
        let me = cx.me();
        self.serving = true;
        self.mesh.settle(cx, &blueprint.servers);
        for (&addr, items) in &blueprint.shares {
            let home = home_server(addr, blueprint.servers.len());
            if blueprint.servers[home] != me {
                continue;
            }
            // The census does not tell speeds and firewalls.
            let user = User {
                nick: Nick::of(addr),
                data: addr,
                firewalled: false,
                speed: LineSpeed::UNKNOWN,
                shares: items.iter().map(|item| item.key()).collect(),
            };
            self.nicks.insert(user.nick, addr);
            self.users.insert(addr, user);
            for item in items {
                self.index.add(item, addr);
            }
        }
    }

    /// Handles what clients and other servers say; what only a server may say
    /// to a client is dropped.
    pub(super) fn on_message(&mut self, cx: &mut Context<'_>, from: Addr, message: Message) {
        if !self.serving {
            return cx.close(from);
        }
        match message {
            Message::Login { nick, data_port, firewalled, speed } => {
                let data = SocketAddrV4::new(*from.to_socket().ip(), data_port);
                let user = User {
                    nick,
                    data: Addr::from_socket(data),
                    firewalled,
                    speed,
                    shares: Vec::new(),
                };
                self.login(cx, from, user);
            }
            Message::Share(item) => self.share(cx, from, &item),
            Message::Unshare(key) => self.unshare(cx, from, &key),
            Message::Search { tag, local, query } => self.search(cx, from, tag, local, query),
            Message::ServerLogin => self.mesh.accept(cx, from),
            Message::ServerAck(servers) => self.mesh.on_ack(cx, from, &servers),
            Message::RemoteSearch { id, query } => self.remote_search(cx, from, id, &query),
            Message::RemoteFound { id, listing } => self.mesh.on_found(cx, from, id, listing),
            Message::RemoteEnd { id } => self.mesh.on_end(cx, from, id),
            Message::ServerPing if !self.knows(from) => refuse(cx, from, Complaint::NotLoggedIn),
            Message::LoginAck
            | Message::Error(_)
            | Message::Found { .. }
            | Message::EndOfSearch { .. }
            | Message::ServerPing
            | Message::Ping { .. }
            | Message::Pong { .. } => {}
        }
    }

    /// Wakes the links to other servers, which alone ask for it.
    pub(super) fn on_timer(&mut self, cx: &mut Context<'_>, timer: Timer) {
        match timer {
            Timer::Merge(id) => self.mesh.on_overdue(cx, id),
            Timer::Relink => self.mesh.on_relink(cx),
            Timer::Login(_) | Timer::Relogin(_) | Timer::Search(_) | Timer::Pings(_) => {}
        }
    }

    /// A user or a server is gone; a user's files leave the index at once.
    pub(super) fn on_lost(&mut self, cx: &mut Context<'_>, peer: Addr) {
        self.remove_user(cx, peer);
        self.mesh.on_lost(cx, peer);
    }

    /// Whether `peer` is a user or a linked server.
    fn knows(&self, peer: Addr) -> bool {
        self.users.contains_key(&peer) || self.mesh.is_linked(peer)
    }

    fn login(&mut self, cx: &mut Context<'_>, from: Addr, user: User) {
        if let Some(&other) = self.nicks.get(&user.nick)
            && other != from
        {
            // Replacing the first login would let anyone throw out anyone.
            return refuse(cx, from, Complaint::LoggedInElsewhere);
        }
        self.remove_user(cx, from);
        if self.users.len() >= self.config.max_users as usize {
            return refuse(cx, from, Complaint::ServerFull);
        }
        self.nicks.insert(user.nick, from);
        self.users.insert(from, user);
        cx.send(from, Message::LoginAck);
    }

    fn remove_user(&mut self, cx: &mut Context<'_>, addr: Addr) {
        let Some(user) = self.users.remove(&addr) else { return };
        self.nicks.remove(&user.nick);
        for key in user.shares {
            self.index.remove(&key, addr);
            cx.note(|| Note::Store { key, provider: addr, stored: false });
        }
    }

    fn share(&mut self, cx: &mut Context<'_>, from: Addr, item: &Arc<Item>) {
        let Some(user) = self.users.get_mut(&from) else {
            return refuse(cx, from, Complaint::NotLoggedIn);
        };
        if user.shares.len() >= self.config.max_shared as usize {
            return cx.send(from, Message::Error(Complaint::ShareLimit));
        }
        if !self.index.add(item, from) {
            return cx.send(from, Message::Error(Complaint::DuplicateFile));
        }
        user.shares.push(item.key());
        cx.note(|| Note::Store { key: item.key(), provider: from, stored: true });
    }

    fn unshare(&mut self, cx: &mut Context<'_>, from: Addr, key: &Key) {
        let Some(user) = self.users.get_mut(&from) else {
            return refuse(cx, from, Complaint::NotLoggedIn);
        };
        if !self.index.remove(key, from) {
            return cx.send(from, Message::Error(Complaint::NotShared));
        }
        if let Some(at) = user.shares.iter().position(|k| k == key) {
            user.shares.swap_remove(at);
        }
        cx.note(|| Note::Store { key: *key, provider: from, stored: false });
    }

    fn search(&mut self, cx: &mut Context<'_>, from: Addr, tag: u32, local: bool, query: Query) {
        let Some(searcher) = self.users.get(&from) else {
            return refuse(cx, from, Complaint::NotLoggedIn);
        };
        let limit = usize::from(query.limit.min(self.config.max_results));
        let usable = |user: Addr| {
            let firewalled = |user| self.users.get(&user).is_some_and(|u| u.firewalled);
            let connectable =
                self.config.firewalled_pairs || !searcher.firewalled || !firewalled(user);
            user != from && connectable
        };
        let hits = self.index.search(&query, limit, usable);
        let left = limit - hits.len();
        for hit in hits {
            let listing = self.listing(hit);
            cx.send(from, Message::Found { tag, listing });
        }
        let forward = self.config.forward && !local && left > 0;
        if !(forward && self.mesh.ask(cx, &self.config, from, tag, left, query)) {
            cx.send(from, Message::EndOfSearch { tag });
        }
    }

    /// Answers another server from the local index alone, so that a search
    /// goes one step and cannot circle.
    fn remote_search(&mut self, cx: &mut Context<'_>, from: Addr, id: u32, query: &Query) {
        if !self.mesh.is_linked(from) {
            return refuse(cx, from, Complaint::NotLoggedIn);
        }
        let limit = usize::from(query.limit.min(self.config.max_results));
        for hit in self.index.search(query, limit, |_| true) {
            let listing = self.listing(hit);
            cx.send(from, Message::RemoteFound { id, listing });
        }
        cx.send(from, Message::RemoteEnd { id });
    }

    /// Completes a hit of the index, whose provider is a user's link, with
    /// what the server knows of the user.
    fn listing(&self, hit: Hit) -> Listing {
        let user = self.users.get(&hit.provider).expect("only users have files in the index");
        let hit = Hit { item: hit.item, provider: user.data };
        Listing { hit, nick: user.nick, speed: user.speed }
    }

    /// The users' links, in order.
    pub(super) fn users(&self) -> impl Iterator<Item = Addr> {
        self.users.keys().copied()
    }

    /// The index.
    pub(super) const fn index(&self) -> &Index {
        &self.index
    }

    /// Users and servers as routing entries, files as index entries.
    pub(super) fn footprint(&self) -> Footprint {
        let users = self.users.len();
        let user_bytes = size_of::<User>() + size_of::<Nick>() + 3 * size_of::<Addr>();
        let bytes = users * user_bytes + self.index.files() * size_of::<Key>() + self.index.bytes();
        Footprint {
            routing_entries: (users + self.mesh.len()) as u64,
            index_entries: self.index.files() as u64,
            bytes: bytes as u64,
        }
    }

    /// The users and the other servers.
    pub(super) fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        for &user in self.users.keys() {
            visit(user);
        }
        self.mesh.neighbours(visit);
    }
}

/// Says why and closes the link.
fn refuse(cx: &mut Context<'_>, to: Addr, complaint: Complaint) {
    cx.send(to, Message::Error(complaint));
    cx.close(to);
}
