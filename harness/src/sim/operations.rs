//! The account book of operations: what each caused and how it ended.

use overlays::{Cause, OpId, Outcome, Time};

/// Which verb an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Entering the network.
    Join,
    /// Leaving it politely.
    Leave,
    /// Sharing an item.
    Insert,
    /// Withdrawing an item.
    Delete,
    /// Searching by key.
    Search,
    /// Searching by words.
    KeywordSearch,
    /// Finding the node responsible for a key.
    Locate,
}

impl Verb {
    /// All verbs, in the order of reports.
    pub const ALL: [Self; 7] = [
        Self::Search,
        Self::KeywordSearch,
        Self::Locate,
        Self::Insert,
        Self::Delete,
        Self::Join,
        Self::Leave,
    ];

    /// The name in JSON and traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Insert => "insert",
            Self::Delete => "delete",
            Self::Search => "search",
            Self::KeywordSearch => "keyword_search",
            Self::Locate => "locate",
        }
    }
}

/// One operation and what it has caused so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Its number.
    pub id: OpId,
    /// The verb.
    pub verb: Verb,
    /// The node where it started.
    pub node: u32,
    /// When it started.
    pub started: Time,
    /// When its first answer came, or when it ended without any.
    pub first_answer: Option<Time>,
    /// When it ended.
    pub ended: Option<Time>,
    /// Hops until the node that answered was reached.
    pub hops: u16,
    /// Messages it caused, replies included.
    pub messages: u32,
    /// Bytes of them.
    pub bytes: u64,
    /// Messages of it that nobody received: lost, or sent to a node that was
    /// down. Each is a timeout for whoever waits for the answer.
    pub timeouts: u32,
    /// How often it ended: more than once is a bug of the overlay.
    pub ends: u32,
    /// A word for the driver's own use, such as a grade.
    pub tag: u64,
    /// The receivers of its forward messages, where reach is measured.
    pub receivers: Vec<u32>,
    /// Events under way on its behalf.
    pending: u32,
}

impl Operation {
    /// An operation that starts now; `tag` is the driver's own mark.
    pub const fn new(id: OpId, verb: Verb, node: u32, started: Time, tag: u64) -> Self {
        Self {
            id,
            verb,
            node,
            started,
            first_answer: None,
            ended: None,
            hops: 0,
            messages: 0,
            bytes: 0,
            timeouts: 0,
            ends: 0,
            tag,
            receivers: Vec::new(),
            // The start itself is under way until its effects are carried out.
            pending: 1,
        }
    }

    /// Counts a message that it caused.
    #[inline]
    pub const fn count_sent(&mut self, bytes: u64) {
        self.messages += 1;
        self.bytes += bytes;
    }

    /// Notes an answer: the first one fixes the hops.
    pub const fn answer(&mut self, cause: Cause, now: Time) {
        if self.first_answer.is_none() && self.ends == 0 {
            self.first_answer = Some(now);
            self.hops = cause.hops;
        }
    }

    /// Notes the end. Returns whether it was the first; a second end is
    /// counted but changes nothing.
    pub const fn finish(&mut self, cause: Cause, now: Time, outcome: &Outcome) -> bool {
        // What is not supported was not done, so it has no hops to speak of.
        if !matches!(outcome, Outcome::Unsupported) {
            self.answer(cause, now);
        }
        self.ends += 1;
        if self.ends > 1 {
            return false;
        }
        self.ended = Some(now);
        true
    }

    /// Whether it has ended and nothing it caused is under way any more.
    const fn is_closed(&self) -> bool {
        self.pending == 0 && self.ends > 0
    }
}

/// The operations under way, by id. Those that are done are handed out, so
/// that a run of a billion operations takes no more memory than one.
#[derive(Debug, Default)]
pub(super) struct Operations {
    /// Slot of each operation ever started, by id - 1; `GONE` once handed out.
    slots: Vec<u32>,
    live: Vec<Option<Operation>>,
    free: Vec<u32>,
    /// How many have not ended.
    unended: usize,
}

const GONE: u32 = u32::MAX;

impl Operations {
    /// Enters a new operation.
    pub fn start(&mut self, verb: Verb, node: u32, now: Time, tag: u64) -> OpId {
        let id = OpId(u32::try_from(self.slots.len() + 1).expect("fewer than 2^32 operations"));
        let operation = Operation::new(id, verb, node, now, tag);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.live[slot as usize] = Some(operation);
                slot
            }
            None => {
                self.live.push(Some(operation));
                (self.live.len() - 1) as u32
            }
        };
        self.slots.push(slot);
        self.unended += 1;
        id
    }

    #[inline]
    pub fn get_mut(&mut self, id: OpId) -> Option<&mut Operation> {
        let slot = *self.slots.get((id.0 as usize).wrapping_sub(1))?;
        self.live.get_mut(slot as usize)?.as_mut()
    }

    pub fn get(&self, id: OpId) -> Option<&Operation> {
        let slot = *self.slots.get((id.0 as usize).wrapping_sub(1))?;
        self.live.get(slot as usize)?.as_ref()
    }

    #[inline]
    pub fn count_sent(&mut self, cause: Cause, bytes: u64) {
        if let Some(op) = self.get_mut(cause.op) {
            op.count_sent(bytes);
        }
    }

    #[inline]
    pub fn count_timeout(&mut self, cause: Cause) {
        if let Some(op) = self.get_mut(cause.op) {
            op.timeouts += 1;
        }
    }

    /// Notes that an event on behalf of the operation was scheduled.
    #[inline]
    pub fn hold(&mut self, id: OpId) {
        if id != OpId::NONE
            && let Some(op) = self.get_mut(id)
        {
            op.pending += 1;
        }
    }

    /// Notes that an event on behalf of the operation is over; hands out the
    /// operation if that was all.
    #[inline]
    pub fn release(&mut self, id: OpId) -> Option<Operation> {
        if id == OpId::NONE {
            return None;
        }
        let op = self.get_mut(id)?;
        op.pending = op.pending.saturating_sub(1);
        if op.is_closed() { self.take(id) } else { None }
    }

    fn take(&mut self, id: OpId) -> Option<Operation> {
        let entry = self.slots.get_mut((id.0 as usize).wrapping_sub(1))?;
        let slot = std::mem::replace(entry, GONE);
        let taken = self.live.get_mut(slot as usize)?.take();
        if taken.is_some() {
            self.free.push(slot);
        }
        taken
    }

    /// Notes an answer.
    pub fn answer(&mut self, id: OpId, cause: Cause, now: Time) {
        if let Some(op) = self.get_mut(id) {
            op.answer(cause, now);
        }
    }

    /// Notes the end. Returns whether it was the first.
    pub fn finish(&mut self, id: OpId, cause: Cause, now: Time, outcome: &Outcome) -> bool {
        let is_first = self.get_mut(id).is_some_and(|op| op.finish(cause, now, outcome));
        self.unended -= usize::from(is_first);
        is_first
    }

    /// The operations that started at `node` and have not ended.
    pub fn unended_at(&self, node: u32) -> Vec<OpId> {
        let mut ids: Vec<OpId> = self
            .live
            .iter()
            .flatten()
            .filter(|op| op.node == node && op.ends == 0)
            .map(|op| op.id)
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Hands out all that are left, by id.
    pub fn drain(&mut self) -> Vec<Operation> {
        let mut left: Vec<Operation> = self.live.iter_mut().filter_map(Option::take).collect();
        left.sort_unstable_by_key(|op| op.id);
        self.slots.fill(GONE);
        self.live.clear();
        self.free.clear();
        self.unended = 0;
        left
    }

    /// How many operations have not ended.
    pub const fn unended(&self) -> usize {
        self.unended
    }

    /// How many operations are under way.
    pub const fn len(&self) -> usize {
        self.live.len() - self.free.len()
    }
}
