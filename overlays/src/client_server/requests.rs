//! What a client has asked and not been answered.

use std::collections::BTreeMap;

use super::message::Message;
use super::{ClientServer, Config, Timer, guard};
use crate::seam::{Addr, Cause, Cx, Hit, OpId, Outcome, Query, Reason};

/// The most requests under way at a time; further ones fail.
const MAX_REQUESTS: usize = 4_096;

/// What was asked.
#[derive(Debug)]
pub enum Request {
    /// A change, of this server.
    Write(Addr),
    /// A search.
    Search {
        /// The server asked.
        server: Addr,
        /// What for.
        query: Query,
        /// How many servers were asked so far.
        tried: usize,
    },
}

#[derive(Debug)]
struct Open {
    op: OpId,
    cause: Cause,
    request: Request,
}

/// The requests under way, by tag.
#[derive(Debug, Default)]
pub struct Requests {
    open: BTreeMap<u32, Open>,
    last_tag: u32,
}

type Context<'a> = Cx<'a, ClientServer>;

impl Requests {
    /// Notes a request and returns its tag, never 0. Without room the
    /// operation fails.
    pub fn start(
        &mut self,
        cx: &mut Context<'_>,
        config: &Config,
        op: OpId,
        request: Request,
    ) -> Option<u32> {
        if self.open.len() >= MAX_REQUESTS {
            cx.finish(op, Outcome::Failed(Reason::Full));
            return None;
        }
        self.last_tag = self.last_tag.wrapping_add(1).max(1);
        let tag = self.last_tag;
        self.open.insert(tag, Open { op, cause: cx.cause(), request });
        guard(cx, config.reply_timeout, Timer::Reply(tag));
        Some(tag)
    }

    /// The server made a change, or refused to.
    pub fn on_confirm(&mut self, cx: &mut Context<'_>, from: Addr, tag: u32, made: bool) {
        if !matches!(self.open.get(&tag), Some(Open { request: Request::Write(s), .. }) if *s == from)
        {
            return;
        }
        let Some(Open { op, .. }) = self.open.remove(&tag) else { return };
        let outcome = if made { Outcome::Done } else { Outcome::Failed(Reason::Refused) };
        cx.finish(op, outcome);
    }

    /// The server answered a search. What does not match is not believed.
    pub fn on_results(&mut self, cx: &mut Context<'_>, from: Addr, tag: u32, mut hits: Vec<Hit>) {
        let Some(Open { op, request: Request::Search { server, query, .. }, .. }) =
            self.open.get(&tag)
        else {
            return;
        };
        if *server != from {
            return;
        }
        hits.retain(|hit| query.matches(&hit.item));
        hits.truncate(usize::from(query.limit));
        cx.finish_search(*op, hits);
        self.open.remove(&tag);
    }

    /// The server asked cannot answer and names another.
    pub fn on_elsewhere(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        tag: u32,
        to: Addr,
        servers: usize,
    ) {
        if let Some(open) = self.open.get_mut(&tag)
            && let Request::Search { server, query, tried } = &mut open.request
            && *server == from
            && *tried <= servers
        {
            *server = to;
            *tried += 1;
            cx.send(to, Message::Get { tag, query: query.clone() });
        }
    }

    /// A server is gone: its writes fail, its searches go to the next server
    /// of `servers` until all were asked.
    pub fn on_lost(&mut self, cx: &mut Context<'_>, peer: Addr, servers: &[Addr]) {
        self.end_writes(cx, peer);
        let mut ended = Vec::new();
        for (&tag, open) in &mut self.open {
            let Request::Search { server, query, tried } = &mut open.request else { continue };
            if *server != peer {
                continue;
            }
            let mut cx = cx.on_behalf_of(open.cause);
            let next = servers.iter().position(|s| *s == peer).map_or(0, |at| at + 1);
            let next = servers.get(next).or_else(|| servers.first()).copied();
            match next.filter(|next| *tried < servers.len() && *next != peer) {
                Some(next) => {
                    *server = next;
                    *tried += 1;
                    cx.send(next, Message::Get { tag, query: query.clone() });
                }
                None => {
                    cx.finish(open.op, Outcome::Failed(Reason::Timeout));
                    ended.push(tag);
                }
            }
        }
        ended.iter().for_each(|tag| _ = self.open.remove(tag));
    }

    /// The changes asked of `server` fail: it no longer takes them.
    pub fn end_writes(&mut self, cx: &mut Context<'_>, server: Addr) {
        let to_end = |open: &Open| matches!(open.request, Request::Write(s) if s == server);
        self.end(cx, Reason::NotJoined, to_end);
    }

    /// Everything fails, since the client leaves.
    pub fn end_all(&mut self, cx: &mut Context<'_>) {
        self.end(cx, Reason::NotJoined, |_| true);
    }

    fn end(&mut self, cx: &mut Context<'_>, reason: Reason, to_end: impl Fn(&Open) -> bool) {
        self.open.retain(|_, open| {
            let ends = to_end(open);
            if ends {
                cx.on_behalf_of(open.cause).finish(open.op, Outcome::Failed(reason));
            }
            !ends
        });
    }

    /// The answer had its time.
    pub fn on_overdue(&mut self, cx: &mut Context<'_>, tag: u32) {
        if let Some(open) = self.open.remove(&tag) {
            cx.on_behalf_of(open.cause).finish(open.op, Outcome::Failed(Reason::Timeout));
        }
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        self.open.len() * size_of::<Open>()
    }
}
