//! The servers among themselves: who takes the writes, how a write reaches
//! the others, and how a server that was away catches up.

use std::collections::BTreeMap;

use super::message::{Change, MAX_SERVERS, Message, Place};
use super::{ClientServer, Timer, guard};
use crate::seam::{Addr, Cause, Cx, Note, Span};

/// The most writes that wait for replicas at a time; further ones are
/// confirmed without.
const MAX_WAITING: usize = 65_536;

/// The link to another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// It was called and has not answered.
    Calling,
    /// Up; the other's store is complete, or not.
    Up {
        /// Whether it is.
        complete: bool,
    },
    /// Broken; to be called again.
    Down,
}

/// A write that waits for the replicas.
#[derive(Debug)]
struct Waiting {
    client: Addr,
    tag: u32,
    cause: Cause,
    /// The replicas that have not confirmed it.
    awaiting: Vec<Addr>,
}

/// What a server knows of the others.
#[derive(Debug, Default)]
pub struct Replicas {
    links: BTreeMap<Addr, Link>,
    /// Whether this server's own store is complete.
    complete: bool,
    primary: Option<Addr>,
    /// Where the page of the copy starts that is to come.
    copying: Option<Option<Place>>,
    waiting: BTreeMap<u32, Waiting>,
    last_id: u32,
    relinking: bool,
}

type Context<'a> = Cx<'a, ClientServer>;

impl Replicas {
    /// The server that takes the writes, as far as this one knows: the lowest
    /// address among those with a complete store.
    pub const fn primary(&self) -> Option<Addr> {
        self.primary
    }

    /// Whether this server's store is complete.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// How many other servers are known.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// The other servers.
    pub fn others(&self) -> impl Iterator<Item = Addr> {
        self.links.keys().copied()
    }

    /// All servers that are up as far as this one knows, itself included.
    pub fn servers(&self, me: Addr) -> Vec<Addr> {
        let mut servers: Vec<Addr> = self.up().chain([me]).collect();
        servers.sort_unstable();
        servers
    }

    fn up(&self) -> impl Iterator<Item = Addr> {
        self.links.iter().filter(|(_, l)| matches!(l, Link::Up { .. })).map(|(&s, _)| s)
    }

    /// Calls the servers in `via` and catches up with them; with none, this
    /// store is all there is.
    pub fn join(&mut self, cx: &mut Context<'_>, servers: u32, via: &[Addr], timeout: Span) {
        self.call(cx, servers, via);
        guard(cx, timeout, Timer::Called);
    }

    /// Links with all of `servers`, complete. Of each two, one opens the
    /// stream.
    pub fn settle(&mut self, cx: &mut Context<'_>, servers: &[Addr]) {
        let me = cx.me();
        self.complete = true;
        self.primary = servers.first().copied();
        let others = servers.iter().copied().filter(|&s| s != me);
        self.links = others.map(|server| (server, Link::Up { complete: true })).collect();
        for &server in servers.iter().filter(|&&s| s > me) {
            cx.send(server, Message::Present);
        }
    }

    fn call(&mut self, cx: &mut Context<'_>, servers: u32, via: &[Addr]) {
        for &server in via {
            let has_room = self.links.len() + 1 < (servers as usize).min(MAX_SERVERS);
            if server != cx.me() && has_room && !self.links.contains_key(&server) {
                self.links.insert(server, Link::Calling);
                cx.send(server, Message::Link { complete: self.complete });
            }
        }
    }

    /// Another server asks for a link; false when there is no room for it.
    pub fn on_link(
        &mut self,
        cx: &mut Context<'_>,
        servers: u32,
        from: Addr,
        complete: bool,
    ) -> bool {
        let known = self.links.contains_key(&from);
        if !known && self.links.len() + 1 >= servers as usize {
            return false;
        }
        self.links.insert(from, Link::Up { complete });
        let servers = self.servers(cx.me()).into();
        cx.send(from, Message::Linked { complete: self.complete, servers });
        true
    }

    /// Another server granted a link.
    pub fn on_linked(
        &mut self,
        cx: &mut Context<'_>,
        servers: u32,
        from: Addr,
        complete: bool,
        others: &[Addr],
    ) {
        if let Some(link) = self.links.get_mut(&from) {
            *link = Link::Up { complete };
            self.call(cx, servers, others);
        }
    }

    /// Another server's store is complete.
    pub fn on_complete(&mut self, from: Addr) {
        if let Some(link @ Link::Up { .. }) = self.links.get_mut(&from) {
            *link = Link::Up { complete: true };
        }
    }

    /// Those who were called have had their time.
    pub fn on_called(&mut self, cx: &mut Context<'_>, every: Span) {
        let silent = self.links.iter().filter(|(_, l)| **l == Link::Calling);
        let silent: Vec<Addr> = silent.map(|(&server, _)| server).collect();
        for server in silent {
            self.on_lost(cx, server, every);
        }
    }

    /// The link to a server broke, or could not be made.
    pub fn on_lost(&mut self, cx: &mut Context<'_>, peer: Addr, every: Span) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        *link = Link::Down;
        let ids: Vec<u32> = self.waiting.keys().copied().collect();
        for id in ids {
            self.on_replicated(cx, peer, id);
        }
        if !self.relinking {
            self.relinking = true;
            cx.wake_upkeep(every, Timer::Relink);
        }
    }

    /// Calls the servers to which the link broke.
    pub fn on_relink(&mut self, cx: &mut Context<'_>, every: Span) {
        self.relinking = false;
        for (&server, _) in self.links.iter().filter(|(_, l)| **l == Link::Down) {
            self.relinking = true;
            cx.send(server, Message::Link { complete: self.complete });
        }
        if self.relinking {
            cx.wake_upkeep(every, Timer::Relink);
        }
    }

    /// Works out who takes the writes, after anything that may change it.
    /// Returns the former one when it is somebody else now.
    ///
    /// When nobody has a complete store and nobody is left to wait for, the
    /// lowest address takes its own for complete: the clients then store anew
    /// what is missing.
    pub fn review(&mut self, cx: &mut Context<'_>) -> Option<Option<Addr>> {
        let me = cx.me();
        let calling = self.links.values().any(|l| *l == Link::Calling);
        let mut complete = self.links.iter().filter(|(_, l)| **l == Link::Up { complete: true });
        let other = complete.next().map(|(&server, _)| server);
        let is_lowest = self.up().all(|server| server > me);
        if !self.complete && other.is_none() && !calling && is_lowest {
            self.set_complete(cx);
        }
        let own = self.complete.then_some(me);
        let primary = own.into_iter().chain(other).min();
        let former = core::mem::replace(&mut self.primary, primary);
        if former == primary {
            return None;
        }
        cx.note(|| Note::TableChange { table: "primary", slot: 0, peer: primary });
        self.copying = None;
        if let Some(primary) = primary
            && primary != me
        {
            self.copying = Some(None);
            cx.on_behalf_of(Cause::UPKEEP).send(primary, Message::Copy { after: None });
        }
        Some(former)
    }

    fn set_complete(&mut self, cx: &mut Context<'_>) {
        self.complete = true;
        for server in self.up() {
            cx.send(server, Message::Complete);
        }
    }

    /// Whether a page that starts at `after` is the one to come, from `from`.
    pub fn awaits_page(&self, from: Addr, after: Option<Place>) -> bool {
        self.primary == Some(from) && self.copying == Some(after)
    }

    /// A page was taken over; asks for the next at `next`, or is done.
    pub fn on_page(&mut self, cx: &mut Context<'_>, from: Addr, next: Option<Place>) {
        if next.is_some() {
            self.copying = Some(next);
            return cx.send(from, Message::Copy { after: next });
        }
        self.copying = None;
        if !self.complete {
            self.set_complete(cx);
        }
    }

    /// Passes a change that `client` asked for on to the replicas. The client
    /// is told when all have confirmed it; tag 0 wants no word.
    pub fn replicate(
        &mut self,
        cx: &mut Context<'_>,
        timeout: Span,
        client: Addr,
        tag: u32,
        change: &Change,
    ) {
        let awaiting: Vec<Addr> = self.up().collect();
        self.last_id = self.last_id.wrapping_add(1);
        let id = self.last_id;
        for &server in &awaiting {
            cx.send(server, Message::Replicate { id, change: change.clone() });
        }
        if tag == 0 {
            return;
        }
        if awaiting.is_empty() || self.waiting.len() >= MAX_WAITING {
            return cx.send(client, Message::Confirm { tag, made: true });
        }
        let cause = cx.cause();
        guard(cx, timeout, Timer::Replicated(id));
        self.waiting.insert(id, Waiting { client, tag, cause, awaiting });
    }

    /// A replica made the change.
    pub fn on_replicated(&mut self, cx: &mut Context<'_>, from: Addr, id: u32) {
        let Some(waiting) = self.waiting.get_mut(&id) else { return };
        let before = waiting.awaiting.len();
        waiting.awaiting.retain(|&server| server != from);
        if waiting.awaiting.is_empty() && before > 0 {
            self.confirm(cx, id);
        }
    }

    /// The replicas have had their time.
    pub fn on_overdue(&mut self, cx: &mut Context<'_>, id: u32) {
        self.confirm(cx, id);
    }

    fn confirm(&mut self, cx: &mut Context<'_>, id: u32) {
        if let Some(Waiting { client, tag, cause, .. }) = self.waiting.remove(&id) {
            // A confirmation in the replica's own chain has its length; one
            // that nobody's message led to goes on from the write.
            let cause = if cx.cause().op == cause.op { cx.cause() } else { cause };
            cx.on_behalf_of(cause).send(client, Message::Confirm { tag, made: true });
        }
    }

    /// A client is gone: nobody waits for its writes any more.
    pub fn forget(&mut self, client: Addr) {
        self.waiting.retain(|_, waiting| waiting.client != client);
    }
}
