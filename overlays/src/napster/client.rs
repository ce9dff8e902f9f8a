//! The client: logs in, pushes its files, searches, and comes back after the
//! server was lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt as _;

use super::message::{Complaint, LineSpeed, MAX_SERVERS, Message, Nick};
use super::searches::Searches;
use super::{Blueprint, Config, Napster, Timer, home_server, watch};
use crate::seam::{
    Addr, Cause, Cx, Footprint, Item, Key, Note, OpId, Outcome, Profile, Query, Reason, Span,
};

/// A join that has not ended.
#[derive(Clone, Copy, Debug)]
struct Joining {
    op: OpId,
    cause: Cause,
    /// What went wrong with the last server tried.
    trouble: Reason,
}

/// The state of the link to the server.
#[derive(Debug)]
enum Link {
    /// Not wanted.
    Out,
    /// A login was sent.
    LoggingIn {
        /// How many servers of this round failed before.
        tried: usize,
        /// Absent when logging in again.
        joining: Option<Joining>,
    },
    /// Logged in to this server.
    LoggedIn(Addr),
    /// The server was lost; the next attempt is to come.
    Waiting,
}

/// A user's client.
#[derive(Debug)]
pub struct Client {
    config: Arc<Config>,
    firewalled: bool,
    speed: LineSpeed,
    /// The servers, in the order in which this client tries them.
    servers: Box<[Addr]>,
    link: Link,
    /// Numbers the attempts to log in, so that a stale timer is known.
    attempt: u32,
    /// Rounds over all servers that failed since the last login.
    failed_rounds: u32,
    shares: BTreeMap<Key, Arc<Item>>,
    searches: Searches,
}

type Context<'a> = Cx<'a, Napster>;

impl Client {
    /// A client that has not logged in.
    pub(super) fn new(config: &Arc<Config>, profile: &Profile) -> Self {
        Self {
            config: Arc::clone(config),
            firewalled: profile.firewalled,
            speed: LineSpeed::of(profile.upload_bps),
            servers: Box::default(),
            link: Link::Out,
            attempt: 0,
            failed_rounds: 0,
            shares: BTreeMap::new(),
            searches: Searches::default(),
        }
    }

    /// The server it is logged in to.
    pub(super) const fn server(&self) -> Option<Addr> {
        match self.link {
            Link::LoggedIn(server) => Some(server),
            _ => None,
        }
    }

    /// The keys of its files, in order.
    pub(super) fn shared_keys(&self) -> impl Iterator<Item = Key> {
        self.shares.keys().copied()
    }

    /// Logs in to one of the servers in `via`.
    pub(super) fn join(&mut self, cx: &mut Context<'_>, op: OpId, via: &[Addr]) {
        match self.link {
            Link::LoggedIn(_) => return cx.finish(op, Outcome::Done),
            // One attempt at a time; its operation will end by itself.
            Link::LoggingIn { .. } => return cx.finish(op, Outcome::Failed(Reason::Refused)),
            Link::Out | Link::Waiting => {}
        }
        self.servers = in_order_of_trial(cx.me(), via);
        let joining = Joining { op, cause: cx.cause(), trouble: Reason::NoContact };
        self.try_server(cx, 0, Some(joining));
    }

    /// Closes the link; the server forgets the user and the files by itself.
    pub(super) fn leave(&mut self, cx: &mut Context<'_>, op: OpId) {
        self.searches.end_all(cx);
        match core::mem::replace(&mut self.link, Link::Out) {
            Link::LoggedIn(server) => cx.close(server),
            Link::LoggingIn { tried, joining } => {
                cx.close(self.servers[tried]);
                if let Some(joining) = joining {
                    let mut cx = cx.on_behalf_of(joining.cause);
                    cx.finish(joining.op, Outcome::Failed(Reason::NotJoined));
                }
            }
            Link::Out | Link::Waiting => {}
        }
        cx.finish(op, Outcome::Done);
    }

    /// Shares a file. The server does not answer; without a server the file
    /// waits for the next login.
    pub(super) fn insert(&mut self, cx: &mut Context<'_>, op: OpId, item: &Arc<Item>) {
        let known = self.shares.contains_key(&item.key());
        if !known && self.shares.len() >= self.config.max_shared as usize {
            return cx.finish(op, Outcome::Failed(Reason::Full));
        }
        if !known {
            self.shares.insert(item.key(), Arc::clone(item));
            if let Link::LoggedIn(server) = self.link {
                cx.send(server, Message::Share(Arc::clone(item)));
            }
        }
        cx.finish(op, Outcome::Done);
    }

    /// Stops sharing a file.
    pub(super) fn delete(&mut self, cx: &mut Context<'_>, op: OpId, key: &Key) {
        if self.shares.remove(key).is_none() {
            return cx.finish(op, Outcome::NotFound);
        }
        if let Link::LoggedIn(server) = self.link {
            cx.send(server, Message::Unshare(*key));
        }
        cx.finish(op, Outcome::Done);
    }

    /// Asks the server; without one, the search fails.
    pub(super) fn search(&mut self, cx: &mut Context<'_>, op: OpId, query: &Query) {
        match self.link {
            Link::LoggedIn(server) => self.searches.start(cx, &self.config, server, op, query),
            _ => cx.finish(op, Outcome::Failed(Reason::NotJoined)),
        }
    }

    /// Takes its place in a converged network. One message opens the stream,
    /// without which neither side would notice that the other is gone.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint) {
        let me = cx.me();
        self.servers = in_order_of_trial(me, &blueprint.servers);
        if let Some(&server) = self.servers.first() {
            self.link = Link::LoggedIn(server);
            cx.send(server, Message::ServerPing);
        }
        let items = blueprint.shares.get(&me).into_iter().flatten();
        self.shares = items.map(|item| (item.key(), Arc::clone(item))).collect();
    }

    /// Handles what its server and other clients say; what only a client may
    /// say to a server is dropped, and so is what other servers say.
    pub(super) fn on_message(&mut self, cx: &mut Context<'_>, from: Addr, message: Message) {
        match message {
            Message::Pong { tag } => self.searches.on_pong(cx, from, tag),
            // Tell the newcomer who was sent here, so that it tries elsewhere.
            Message::Login { .. } | Message::ServerLogin => {
                cx.send(from, Message::Error(Complaint::NotAServer));
            }
            Message::LoginAck => self.on_login_ack(cx, from),
            Message::Error(complaint) if complaint.ends_session() => {
                self.on_refused(cx, from);
            }
            Message::Found { tag, listing } if self.server() == Some(from) => {
                self.searches.on_found(cx, tag, listing.hit);
            }
            Message::EndOfSearch { tag } if self.server() == Some(from) => {
                self.searches.on_end(cx, &self.config, tag);
            }
            _ => {}
        }
    }

    /// An answer is overdue, or it is time to log in again.
    pub(super) fn on_timer(&mut self, cx: &mut Context<'_>, timer: Timer) {
        match timer {
            Timer::Login(attempt) if attempt == self.attempt => {
                if let Link::LoggingIn { tried, .. } = self.link {
                    cx.close(self.servers[tried]);
                    self.try_next(cx, Reason::Timeout);
                }
            }
            Timer::Relogin(attempt) if attempt == self.attempt => {
                if matches!(self.link, Link::Waiting) {
                    self.try_server(cx, 0, None);
                }
            }
            Timer::Search(tag) => self.searches.on_overdue(cx, tag),
            Timer::Pings(tag) => self.searches.on_pings_overdue(cx, tag),
            _ => {}
        }
    }

    /// The server could not be reached, or is gone.
    pub(super) fn on_lost(&mut self, cx: &mut Context<'_>, peer: Addr) {
        match self.link {
            Link::LoggingIn { tried, .. } if self.servers[tried] == peer => {
                self.try_next(cx, Reason::NoContact);
            }
            Link::LoggedIn(server) if server == peer => self.on_server_lost(cx),
            _ => {}
        }
    }

    fn try_server(&mut self, cx: &mut Context<'_>, tried: usize, joining: Option<Joining>) {
        self.attempt = self.attempt.wrapping_add(1);
        let Some(&server) = self.servers.get(tried) else {
            return self.give_up_round(cx, joining);
        };
        self.link = Link::LoggingIn { tried, joining };
        let me = cx.me();
        let login = Message::Login {
            nick: Nick::of(me),
            data_port: me.port(),
            firewalled: self.firewalled,
            speed: self.speed,
        };
        cx.send(server, login);
        watch(cx, self.config.login_timeout, Timer::Login(self.attempt));
    }

    fn try_next(&mut self, cx: &mut Context<'_>, trouble: Reason) {
        let Link::LoggingIn { tried, joining } = self.link else { return };
        let cause = joining.map_or(Cause::UPKEEP, |joining| joining.cause);
        let joining = joining.map(|joining| Joining { trouble, ..joining });
        self.try_server(&mut cx.on_behalf_of(cause), tried + 1, joining);
    }

    /// No server took the user: a join fails, a client that was in the network
    /// tries again later.
    fn give_up_round(&mut self, cx: &mut Context<'_>, joining: Option<Joining>) {
        if let Some(Joining { op, trouble, .. }) = joining {
            self.link = Link::Out;
            cx.finish(op, Outcome::Failed(trouble));
        } else {
            self.failed_rounds = self.failed_rounds.saturating_add(1);
            self.wait(cx);
        }
    }

    /// Waits before the next round. The wait doubles with each failed round,
    /// and is spread so that not all users of a server come back at once.
    fn wait(&mut self, cx: &mut Context<'_>) {
        self.link = Link::Waiting;
        let doubled = self.config.relogin_after * (1 << self.failed_rounds.min(20));
        let wait_us = doubled.min(self.config.relogin_max).as_us().max(1_000);
        let spread_us = cx.rng().random_range(0..=wait_us);
        let wait = Span::from_us(wait_us / 2 + spread_us);
        cx.wake_upkeep(wait, Timer::Relogin(self.attempt));
    }

    fn on_server_lost(&mut self, cx: &mut Context<'_>) {
        self.searches.on_server_lost(cx);
        cx.note(|| Note::TableChange { table: "server", slot: 0, peer: None });
        self.attempt = self.attempt.wrapping_add(1);
        self.failed_rounds = 0;
        self.wait(cx);
    }

    /// The server takes the user: all files are pushed at once, without
    /// waiting for anything.
    fn on_login_ack(&mut self, cx: &mut Context<'_>, from: Addr) {
        let Link::LoggingIn { tried, joining } = self.link else { return };
        if self.servers[tried] != from {
            return;
        }
        self.link = Link::LoggedIn(from);
        self.attempt = self.attempt.wrapping_add(1);
        self.failed_rounds = 0;
        cx.note(|| Note::TableChange { table: "server", slot: 0, peer: Some(from) });
        for item in self.shares.values() {
            cx.send(from, Message::Share(Arc::clone(item)));
        }
        if let Some(joining) = joining {
            cx.finish(joining.op, Outcome::Done);
        }
    }

    fn on_refused(&mut self, cx: &mut Context<'_>, from: Addr) {
        match self.link {
            Link::LoggingIn { tried, .. } if self.servers[tried] == from => {
                self.try_next(cx, Reason::Refused);
            }
            Link::LoggedIn(server) if server == from => {
                self.on_server_lost(cx);
            }
            _ => {}
        }
    }

    /// The link to the server. The client's own files are no index: nobody
    /// asks a client what it has.
    pub(super) fn footprint(&self) -> Footprint {
        let bytes = size_of_val(&*self.servers) + self.searches.bytes();
        Footprint {
            routing_entries: u64::from(self.server().is_some()),
            index_entries: 0,
            bytes: bytes as u64,
        }
    }
}

/// The servers of `via`, from the user's own place in the sorted list onwards.
fn in_order_of_trial(user: Addr, via: &[Addr]) -> Box<[Addr]> {
    let mut servers = via.to_vec();
    servers.sort_unstable();
    servers.dedup();
    let home = home_server(user, servers.len());
    servers.rotate_left(home);
    servers.truncate(MAX_SERVERS);
    servers.into()
}
