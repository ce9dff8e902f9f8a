//! What a client has asked servers and still waits for.
//!
//! A tracker's reply does not say what it replies to. As in HTTP, replies come
//! in the order of the requests on one stream, which is closed when nothing is
//! waited for any more.

use std::collections::{BTreeMap, VecDeque};

use super::message::{Event, Message};
use super::{Context, Timer};
use crate::seam::{Addr, Cause, Key, Span};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To see whether the index site is there, to join.
    Visit,
    /// To have a torrent listed.
    Publish(Key),
    /// To find torrents for a search.
    Browse(u32),
    /// To be listed as a seed.
    Announce {
        /// The torrent.
        info_hash: Key,
        /// What is announced.
        event: Event,
        /// Which place in the list of trackers is being tried.
        place: usize,
    },
    /// To find peers for a search.
    Find {
        /// The search.
        search: u32,
        /// The torrent.
        info_hash: Key,
    },
    /// To be listed no longer; nobody waits for the reply.
    Stop,
}

/// A request that was not answered yet.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry {
    id: u32,
    /// What for.
    pub ask: Ask,
    /// On whose behalf.
    pub cause: Cause,
}

/// All requests that were not answered yet, by server, in order.
#[derive(Debug, Default)]
pub struct Inquiries {
    lines: BTreeMap<Addr, VecDeque<Inquiry>>,
    last: u32,
}

impl Inquiries {
    /// Sends a request and notes what it is for.
    pub fn ask(
        &mut self,
        cx: &mut Context<'_>,
        server: Addr,
        message: Message,
        ask: Ask,
        timeout: Span,
    ) {
        self.last = self.last.wrapping_add(1);
        let inquiry = Inquiry { id: self.last, ask, cause: cx.cause() };
        self.lines.entry(server).or_default().push_back(inquiry);
        cx.send(server, message);
        // On nobody's account, or hosts would keep the books of every answered
        // operation open until it is due.
        cx.on_behalf_of(Cause::UPKEEP).wake(timeout, Timer::Reply(self.last));
    }

    /// What the reply that just came from `server` is for.
    pub fn answered(&mut self, cx: &mut Context<'_>, server: Addr) -> Option<Inquiry> {
        let line = self.lines.get_mut(&server)?;
        let inquiry = line.pop_front()?;
        if line.is_empty() {
            self.lines.remove(&server);
            cx.close(server);
        }
        Some(inquiry)
    }

    /// The stream to `server` broke: what will not be answered.
    pub fn lost(&mut self, server: Addr) -> VecDeque<Inquiry> {
        self.lines.remove(&server).unwrap_or_default()
    }

    /// The time for a reply is over. If it is still waited for, the server is
    /// taken to be dead: what will not be answered.
    pub fn overdue(&mut self, cx: &mut Context<'_>, id: u32) -> VecDeque<Inquiry> {
        let overdue = |line: &VecDeque<Inquiry>| line.iter().any(|inquiry| inquiry.id == id);
        let server = self.lines.iter().find(|(_, line)| overdue(line)).map(|(&server, _)| server);
        let Some(server) = server else { return VecDeque::new() };
        cx.close(server);
        self.lost(server)
    }

    /// Forgets all requests, since the client leaves.
    pub fn forget(&mut self) {
        self.lines.clear();
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        let waiting: usize = self.lines.values().map(VecDeque::len).sum();
        waiting * size_of::<Inquiry>()
    }
}
