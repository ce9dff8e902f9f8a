//! The links between servers: forwarding searches and merging the results.

use std::collections::BTreeMap;

use super::message::{Listing, MAX_SERVERS, Message};
use super::{Config, Napster, Timer, watch};
use crate::seam::{Addr, Cause, Cx, Query, Span};

/// The most searches that await other servers at a time; further ones are
/// answered from the local index alone.
const MAX_MERGES: usize = 4_096;

/// How often a server calls those to which the link broke.
const RELINK_AFTER: Span = Span::from_s(30);

/// A user's search for which other servers were asked.
#[derive(Debug)]
struct Merge {
    searcher: Addr,
    tag: u32,
    cause: Cause,
    query: Query,
    /// How many more results the user gets.
    left: usize,
    /// The servers that have not ended yet.
    awaiting: Vec<Addr>,
}

/// The other servers of the network; every two are linked.
#[derive(Debug, Default)]
pub struct Mesh {
    /// Every known server, and whether the link to it is up.
    servers: BTreeMap<Addr, bool>,
    merges: BTreeMap<u32, Merge>,
    last_id: u32,
    relinking: bool,
}

type Context<'a> = Cx<'a, Napster>;

impl Mesh {
    /// How many other servers are known.
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// Visits the known servers.
    pub fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        self.servers.keys().copied().for_each(visit);
    }

    /// Whether the link to `server` is up.
    pub fn is_linked(&self, server: Addr) -> bool {
        self.servers.get(&server).copied().unwrap_or(false)
    }

    /// Is linked to all of `servers`. Of each two, one opens the stream.
    pub fn settle(&mut self, cx: &mut Context<'_>, servers: &[Addr]) {
        let me = cx.me();
        self.servers = servers.iter().filter(|&&s| s != me).map(|&s| (s, true)).collect();
        for &server in servers.iter().filter(|&&s| s > me) {
            cx.send(server, Message::ServerPing);
        }
    }

    /// Asks those of `servers` that are new for a link.
    pub fn call(&mut self, cx: &mut Context<'_>, servers: &[Addr]) {
        for &server in servers {
            let known = server == cx.me() || self.servers.contains_key(&server);
            if !known && self.servers.len() < MAX_SERVERS - 1 {
                self.servers.insert(server, false);
                cx.send(server, Message::ServerLogin);
            }
        }
    }

    /// Another server asks for a link.
    pub fn accept(&mut self, cx: &mut Context<'_>, from: Addr) {
        if !self.servers.contains_key(&from) && self.servers.len() >= MAX_SERVERS - 1 {
            return cx.close(from);
        }
        self.servers.insert(from, true);
        let others = self.servers.keys().copied().filter(|&s| s != from).collect();
        cx.send(from, Message::ServerAck(others));
    }

    /// Another server granted a link and names the others.
    pub fn on_ack(&mut self, cx: &mut Context<'_>, from: Addr, others: &[Addr]) {
        if let Some(linked) = self.servers.get_mut(&from) {
            *linked = true;
            self.call(cx, others);
        }
    }

    /// Forwards a search to every linked server; false when there is none to
    /// ask, or no room.
    pub fn ask(
        &mut self,
        cx: &mut Context<'_>,
        config: &Config,
        searcher: Addr,
        tag: u32,
        left: usize,
        query: Query,
    ) -> bool {
        let linked = self.servers.iter().filter(|(_, linked)| **linked);
        let awaiting: Vec<Addr> = linked.map(|(&server, _)| server).collect();
        if awaiting.is_empty() || self.merges.len() >= MAX_MERGES {
            return false;
        }
        self.last_id = self.last_id.wrapping_add(1);
        let id = self.last_id;
        for &server in &awaiting {
            let limit = u16::try_from(left).unwrap_or(query.limit);
            let query = Query { target: query.target.clone(), limit };
            cx.send(server, Message::RemoteSearch { id, query });
        }
        let cause = cx.cause();
        watch(cx, config.link_timeout, Timer::Merge(id));
        self.merges.insert(id, Merge { searcher, tag, cause, query, left, awaiting });
        true
    }

    /// A result from another server: passed on while the user's limit lasts.
    pub fn on_found(&mut self, cx: &mut Context<'_>, from: Addr, id: u32, listing: Listing) {
        let Some(merge) = self.merges.get_mut(&id) else { return };
        let asked = merge.awaiting.contains(&from);
        if asked && merge.left > 0 && merge.query.matches(&listing.hit.item) {
            merge.left -= 1;
            cx.send(merge.searcher, Message::Found { tag: merge.tag, listing });
        }
    }

    /// Another server has no more results.
    pub fn on_end(&mut self, cx: &mut Context<'_>, from: Addr, id: u32) {
        let Some(merge) = self.merges.get_mut(&id) else { return };
        merge.awaiting.retain(|&server| server != from);
        if merge.awaiting.is_empty() {
            self.end(cx, id);
        }
    }

    /// The time for other servers' results is over.
    pub fn on_overdue(&mut self, cx: &mut Context<'_>, id: u32) {
        self.end(cx, id);
    }

    fn end(&mut self, cx: &mut Context<'_>, id: u32) {
        if let Some(merge) = self.merges.remove(&id) {
            let mut cx = cx.on_behalf_of(merge.cause);
            cx.send(merge.searcher, Message::EndOfSearch { tag: merge.tag });
        }
    }

    /// A user or a server is gone: nobody waits for it any more, and a server
    /// is called again later.
    pub fn on_lost(&mut self, cx: &mut Context<'_>, peer: Addr) {
        self.merges.retain(|_, merge| merge.searcher != peer);
        let Some(linked) = self.servers.get_mut(&peer) else { return };
        *linked = false;
        let awaited = self.merges.iter().filter(|(_, merge)| merge.awaiting.contains(&peer));
        let ids: Vec<u32> = awaited.map(|(&id, _)| id).collect();
        for id in ids {
            self.on_end(cx, peer, id);
        }
        if !self.relinking {
            self.relinking = true;
            cx.wake_upkeep(RELINK_AFTER, Timer::Relink);
        }
    }

    /// Calls the servers to which there is no link.
    pub fn on_relink(&mut self, cx: &mut Context<'_>) {
        self.relinking = false;
        for (&server, _) in self.servers.iter().filter(|(_, linked)| !**linked) {
            self.relinking = true;
            cx.send(server, Message::ServerLogin);
        }
        if self.relinking {
            cx.wake_upkeep(RELINK_AFTER, Timer::Relink);
        }
    }
}
