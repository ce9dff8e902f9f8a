//! Requests under way: what a node waits for, and on whose behalf.

use std::sync::Arc;

use smallvec::SmallVec;

use super::contact::Contact;
use super::message::Errand;
use crate::parts::postings::Posting;
use crate::{Addr, Hit, Key, OpId, Reason, prefetch};

/// Who wants to know how a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// The user.
    Op(OpId),
    /// A finger that is being refreshed.
    Finger { vnode: u16, index: u8 },
    /// This node's own entry into the ring.
    Join,
    /// A node that fell silent and is back: a lookup of this virtual node's
    /// identifier through it, in case its ring is another one.
    Merge { vnode: u16 },
    /// One record of an insert or delete that takes several.
    Record { op: OpId, word: u8 },
    /// A keyword search of this node that is to reach the owner of a word.
    Sift { ticket: u32, word: u8 },
    /// Somebody else's keyword search on its way to the owner of a word.
    Relay,
    /// The announcement or withdrawal of many items, one by one.
    Batch,
    /// The keeping of records.
    Keeping,
}

/// How a request ended.
#[derive(Clone, Debug)]
pub(super) enum Finding {
    /// The owner of the key.
    Owner(Contact),
    /// What a fetch brought.
    Hits(Vec<Hit>),
    /// A store or remove was carried out.
    Done,
    /// There was nothing to remove.
    NotFound,
    /// It was not to be.
    Failed(Reason),
}

/// One thing that a node waits for.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The number that answers carry.
    pub(super) id: u32,
    /// How many waits it has been through: a timer of an earlier one is stale.
    pub(super) step: u16,
    /// How often it started again.
    pub(super) attempts: u8,
    pub(super) client: Client,
    /// What is looked for, cut to the ring's bits.
    pub(super) key: Key,
    /// What the owner is to do, if anything.
    pub(super) errand: Option<Box<Errand>>,
    pub(super) stage: Stage,
}

impl Request {
    fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }
}

/// What a request waits for.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// The answer to a recursive lookup.
    Routed,
    /// The next step of an iterative lookup.
    Asking(Box<Walk>),
    /// The owner's answer.
    Delivering(Box<Delivery>),
    /// The acknowledgement of a transfer.
    Moving(Box<Move>),
    /// Time to pass before it starts again.
    Resting,
    /// Nothing: it was taken out, and its place is kept for now.
    Gone,
}

/// An iterative lookup: whom to ask next.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk {
    /// Nodes still to ask; the best is last.
    ahead: SmallVec<[Contact; 16]>,
    /// Nodes asked, in order; the last is being waited for.
    asked: SmallVec<[(Addr, u16); 8]>,
    /// Whether the last was asked again.
    pub(super) again: bool,
}

/// Nodes that an iterative lookup keeps in reserve.
const AHEAD: usize = 32;

impl Walk {
    /// Adds nodes to ask, best first, in front of those known before: they
    /// come from nearer the key.
    pub(super) fn add(&mut self, nodes: &[Contact], me: Addr) {
        for node in nodes.iter().rev() {
            let who = node.place();
            if node.addr != me && !self.asked.contains(&who) {
                if let Some(at) = self.ahead.iter().position(|c| c.place() == who) {
                    self.ahead.remove(at);
                }
                self.ahead.push(*node);
            }
        }
        let surplus = self.ahead.len().saturating_sub(AHEAD);
        self.ahead.drain(..surplus);
    }

    /// The next node to ask, unless `ttl` have been asked.
    pub(super) fn next(&mut self, ttl: u16) -> Option<Contact> {
        if self.asked.len() >= usize::from(ttl) {
            return None;
        }
        let next = self.ahead.pop()?;
        self.asked.push((next.addr, next.vnode));
        self.again = false;
        Some(next)
    }

    /// Who is being waited for.
    pub(super) fn waiting_for(&self) -> Option<(Addr, u16)> {
        self.asked.last().copied()
    }
}

/// An errand on its way to the owner: whom it is given to.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    /// The owner and those who follow it.
    pub(super) owners: Vec<Contact>,
    /// Which of them is being waited for.
    pub(super) at: usize,
    /// Whether it was sent again.
    pub(super) again: bool,
}

/// Records on their way to another node.
#[derive(Clone, Debug)]
pub(super) struct Move {
    pub(super) to: Contact,
    pub(super) owned: bool,
    pub(super) records: Arc<[Posting]>,
}

/// All requests of a node, by number.
///
/// One that is taken out leaves its place behind, since mostly it is put back
/// at once, one step further, and a node that refreshes its fingers has more
/// than a hundred open.
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: Vec<Request>,
    /// How many places in `open` are left behind.
    gone: u32,
    last: u32,
}

/// Places left behind that are not worth closing ranks for.
const FEW: usize = 8;

impl Requests {
    /// A fresh number.
    pub(super) fn number(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.last
    }

    /// Keeps `request` until it is taken.
    pub(super) fn put(&mut self, request: Request) {
        if self.open.len() == self.open.capacity() {
            // Most nodes have one request open or none: room for one at first.
            self.open.reserve_exact(self.open.len().max(1));
        }
        if self.open.last().is_none_or(|last| last.id < request.id) {
            return self.open.push(request);
        }
        match self.open.binary_search_by_key(&request.id, |r| r.id) {
            Ok(at) => {
                self.gone -= u32::from(self.open[at].is_gone());
                self.open[at] = request;
            }
            Err(at) => self.open.insert(at, request),
        }
    }

    /// Where the request with this number most likely stands: those that one
    /// refresh of the fingers opens have successive numbers.
    #[inline]
    fn likely_place(&self, id: u32) -> usize {
        self.open.first().map_or(0, |first| id.wrapping_sub(first.id) as usize)
    }

    /// Starts fetching the first places.
    #[inline]
    pub(super) fn warm(&self) {
        prefetch(&self.open[..self.open.len().min(FEW)]);
    }

    /// Starts fetching what the iterative lookup with this number will read.
    #[inline]
    pub(super) fn warm_walk(&self, id: u32) {
        if let Some(Request { stage: Stage::Asking(walk), .. }) =
            self.open.get(self.likely_place(id))
        {
            prefetch(&**walk);
        }
    }

    /// The request with this number.
    pub(super) fn get(&mut self, id: u32) -> Option<&mut Request> {
        let likely = self.likely_place(id);
        let at = match self.open.get(likely) {
            Some(request) if request.id == id => likely,
            _ => self.open.binary_search_by_key(&id, |r| r.id).ok()?,
        };
        self.open.get_mut(at).filter(|r| !r.is_gone())
    }

    /// Takes the request with this number out.
    pub(super) fn take(&mut self, id: u32) -> Option<Request> {
        let request = self.get(id)?;
        let left = Request { errand: None, stage: Stage::Gone, ..*request };
        let request = core::mem::replace(request, left);
        self.gone += 1;
        while self.open.last().is_some_and(Request::is_gone) {
            self.open.pop();
            self.gone -= 1;
        }
        if self.open.is_empty() {
            // Few nodes wait for anything at a time: what one gives back,
            // the next takes.
            self.open = Vec::new();
        } else if self.gone as usize > FEW.max(self.len()) {
            self.open.retain(|r| !r.is_gone());
            self.gone = 0;
        }
        Some(request)
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open.len() - self.gone as usize
    }

    /// All that are open.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.open.iter().filter(|r| !r.is_gone())
    }

    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Request>()
    }
}
