//! What a node has under way: lookups, single requests, and jobs of several
//! lookups.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::contact::Contact;
use super::message::Body;
use super::shortlist::Shortlist;
use super::sifting::Sifting;
use crate::{Addr, Hit, Item, Key, OpId, Query};

/// What a job wants done at one key.
#[derive(Clone, Debug)]
pub(super) enum Errand {
    /// Look around there, to fill the bucket.
    Refresh(Key),
    /// Have the closest nodes keep that this node provides the items.
    Publish {
        /// Under which key.
        key: Key,
        /// What.
        items: Vec<Arc<Item>>,
    },
    /// Have the closest nodes forget it.
    Withdraw {
        /// Under which key.
        key: Key,
        /// The item's tag.
        item: u32,
    },
    /// Have the closest nodes keep what this node keeps under the key.
    Replicate(Key),
}

/// Items that one errand announces at most.
const MAX_ITEMS: usize = 16;

impl Errand {
    /// The errands that announce items, each at a place. Those at one place
    /// share a lookup, as those that have a word in common do in eMule.
    pub(super) fn publish(announced: impl IntoIterator<Item = (Key, Arc<Item>)>) -> Vec<Self> {
        let mut by_place: BTreeMap<Key, Vec<Arc<Item>>> = BTreeMap::new();
        for (key, item) in announced {
            by_place.entry(key).or_default().push(item);
        }
        let chunks = by_place.iter().flat_map(|(key, items)| {
            items.chunks(MAX_ITEMS).map(|some| Self::Publish { key: *key, items: some.to_vec() })
        });
        chunks.collect()
    }

    /// The key it is about.
    pub(super) fn key(&self) -> Key {
        match self {
            Self::Refresh(key) | Self::Replicate(key) => *key,
            Self::Publish { key, .. } | Self::Withdraw { key, .. } => *key,
        }
    }
}

/// What follows when a job is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// An insert ends.
    Insert(OpId),
    /// A delete ends.
    Delete(OpId),
    /// The node is a member.
    Join(OpId),
    /// The node is gone.
    Leave(OpId),
    /// Nothing: it was upkeep.
    Upkeep,
}

/// Several errands, a few of them at a time.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: u32,
    pub(super) end: End,
    pub(super) queue: VecDeque<Errand>,
    pub(super) running: usize,
    pub(super) done: usize,
}

/// A search for values.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) op: OpId,
    pub(super) query: Query,
    pub(super) hits: Vec<Hit>,
    /// The item itself, where the user knows it.
    pub(super) item: Option<Arc<Item>>,
    /// Providers to be asked what they have.
    pub(super) unverified: VecDeque<Addr>,
    /// All providers heard of, to take each one once.
    pub(super) heard: Vec<Addr>,
}

/// Why a lookup is made.
#[derive(Debug)]
pub(super) enum Purpose {
    /// To enter the network: a lookup of the node's own identifier.
    Enter(OpId),
    /// To name the closest node.
    Locate(OpId),
    /// To find values.
    Search(Box<Search>),
    /// To take a query of the keyword index to who keeps its word's list.
    Sift(Box<Sifting>),
    /// For a job.
    Errand {
        /// Which.
        job: u32,
        /// What for.
        errand: Errand,
    },
}

/// A lookup and what follows it.
#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) id: u32,
    pub(super) purpose: Purpose,
    pub(super) list: Shortlist,
    /// Whether the closest nodes are still being looked for.
    pub(super) walking: bool,
    /// Other requests under way on its behalf: stores and verifications.
    pub(super) open: usize,
    /// Nodes that took what was to be stored.
    pub(super) delivered: usize,
}

/// What a request is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The walk of a lookup.
    Walk(u32),
    /// The storing after a lookup.
    Deliver(u32),
    /// The verification of a provider, for a search.
    Verify(u32),
    /// A check whether a contact lives; if not, it loses its place at once.
    Ping,
}

impl Part {
    /// How often a request is sent again whatever the dialect's rule: peers
    /// exchange metadata over a transport that repeats what is lost, and a
    /// contact is asked once more before it loses its place (BEP 5).
    pub(super) const fn least_retries(self) -> u8 {
        match self {
            Self::Verify(_) => 2,
            Self::Ping => 1,
            Self::Walk(_) | Self::Deliver(_) => 0,
        }
    }
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) number: u32,
    pub(super) to: Contact,
    /// Whether the identifier of `to` is known.
    pub(super) known: bool,
    pub(super) part: Part,
    pub(super) body: Body,
    pub(super) attempts: u8,
}

/// Everything under way at a node.
#[derive(Debug, Default)]
pub(super) struct Work {
    lookups: Vec<Lookup>,
    pending: Vec<Pending>,
    jobs: Vec<Job>,
    /// Jobs that can go on.
    ready: Vec<u32>,
    last: u32,
}

impl Work {
    /// A fresh number.
    pub(super) fn number(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.last
    }

    pub(super) fn lookups(&self) -> usize {
        self.lookups.len()
    }

    pub(super) fn put_lookup(&mut self, lookup: Lookup) {
        if self.lookups.len() == self.lookups.capacity() {
            // Most nodes have one or none under way.
            self.lookups.reserve_exact(self.lookups.len().max(1));
        }
        self.lookups.push(lookup);
    }

    pub(super) fn take_lookup(&mut self, id: u32) -> Option<Lookup> {
        let at = self.lookups.iter().position(|l| l.id == id)?;
        Some(self.lookups.swap_remove(at))
    }

    /// A lookup that was taken out will not be put back.
    pub(super) fn lookup_over(&mut self) {
        if self.lookups.is_empty() {
            self.lookups = Vec::new();
        }
    }

    pub(super) fn pending(&self) -> &[Pending] {
        &self.pending
    }

    pub(super) fn put_pending(&mut self, pending: Pending) {
        self.pending.push(pending);
    }

    pub(super) fn pending_mut(&mut self, number: u32) -> Option<&mut Pending> {
        self.pending.iter_mut().find(|p| p.number == number)
    }

    /// Takes out the request with this number if `which` agrees.
    pub(super) fn take_pending(
        &mut self,
        number: u32,
        which: impl Fn(&Pending) -> bool,
    ) -> Option<Pending> {
        let at = self.pending.iter().position(|p| p.number == number && which(p))?;
        let pending = self.pending.swap_remove(at);
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
        Some(pending)
    }

    /// Starts a job; it runs when the node comes to it.
    pub(super) fn put_job(&mut self, end: End, errands: impl IntoIterator<Item = Errand>) {
        let id = self.number();
        let queue = errands.into_iter().collect();
        self.jobs.push(Job { id, end, queue, running: 0, done: 0 });
        self.ready.push(id);
    }

    pub(super) fn next_ready(&mut self) -> Option<u32> {
        self.ready.pop()
    }

    pub(super) fn job(&mut self, id: u32) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|j| j.id == id)
    }

    /// Lets a job go on.
    pub(super) fn make_ready(&mut self, id: u32) {
        self.ready.push(id);
    }

    /// Drops publications of `item` that have not begun.
    pub(super) fn drop_publications(&mut self, places: &[Key], item: &Item) {
        for job in &mut self.jobs {
            job.queue.retain_mut(|errand| match errand {
                Errand::Publish { key, items } if places.contains(key) => {
                    items.retain(|i| i.key() != item.key());
                    !items.is_empty()
                }
                _ => true,
            });
        }
    }

    /// Whether upkeep is under way.
    pub(super) fn is_tending(&self) -> bool {
        self.jobs.iter().any(|j| j.end == End::Upkeep)
    }

    /// The job with this end.
    pub(super) fn job_for(&mut self, which: impl Fn(End) -> bool) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|j| which(j.end))
    }

    pub(super) fn take_job(&mut self, id: u32) -> Option<Job> {
        let at = self.jobs.iter().position(|j| j.id == id)?;
        Some(self.jobs.swap_remove(at))
    }

    /// An errand of a job is over.
    pub(super) fn errand_over(&mut self, id: u32, done: bool) {
        if let Some(job) = self.job(id) {
            job.running -= 1;
            job.done += usize::from(done);
            self.ready.push(id);
        }
    }

    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        self.lookups.len() * (size_of::<Lookup>() + 2048)
            + self.pending.capacity() * size_of::<Pending>()
            + self.jobs.capacity() * size_of::<Job>()
    }
}
