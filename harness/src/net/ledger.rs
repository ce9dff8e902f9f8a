//! The books of a live network: what each operation cost.

use std::fmt;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use overlays::{Addr, Cause, OpId, Outcome, Span, Target, Time};

use super::run::Call;

/// The most operations that one ledger records.
const MAX_OPERATIONS: usize = 1 << 20;

/// Which verb an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationKind {
    /// Entering the network.
    Join,
    /// Leaving it politely.
    Leave,
    /// Sharing an item.
    Insert,
    /// Ceasing to share it.
    Delete,
    /// A search by key.
    Search,
    /// A search by keywords.
    KeywordSearch,
    /// Finding the node responsible for a key.
    Locate,
}

impl OperationKind {
    /// Which verb a call is.
    pub const fn of(call: &Call) -> Self {
        match call {
            Call::Join(_) => Self::Join,
            Call::Leave => Self::Leave,
            Call::Insert(_) => Self::Insert,
            Call::Delete(_) => Self::Delete,
            Call::Search(query) => match query.target {
                Target::Exact(_) => Self::Search,
                Target::Keywords(_) => Self::KeywordSearch,
            },
            Call::Locate(_) => Self::Locate,
        }
    }

    /// Its name in results.
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

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Messages and their bytes, without framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Traffic {
    /// How many messages.
    pub messages: u64,
    /// Bytes of their encodings.
    pub bytes: u64,
}

impl Traffic {
    /// Adds one message.
    pub const fn add(&mut self, bytes: u64) {
        self.messages += 1;
        self.bytes += bytes;
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

/// One operation: how it ended and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationRecord {
    /// Its number.
    pub op: OpId,
    /// Which verb.
    pub kind: OperationKind,
    /// The node it was called on.
    pub node: Addr,
    /// When it started.
    pub started: Time,
    /// How it ended; `None` while it is under way.
    pub outcome: Option<Outcome>,
    /// Forward messages between this node and the one that answered first; of
    /// an operation without answers, along the chain that ended it.
    pub hops: u16,
    /// From start to outcome.
    pub latency: Span,
    /// From start to the first answer; `None` without one.
    pub first_answer: Option<Span>,
    /// Everything sent because of it so far, replies included, by any node.
    pub traffic: Traffic,
}

/// The books of a network, shared by its nodes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    books: Arc<Mutex<Books>>,
    kinds: &'static [&'static str],
}

#[derive(Debug)]
struct Books {
    operations: Vec<OperationRecord>,
    upkeep: Traffic,
    by_kind: Vec<Traffic>,
}

impl Ledger {
    /// Empty books for messages of these kinds.
    pub fn new(kinds: &'static [&'static str]) -> Self {
        let by_kind = vec![Traffic::default(); kinds.len()];
        let books = Books { operations: Vec::new(), upkeep: Traffic::default(), by_kind };
        Self { books: Arc::new(Mutex::new(books)), kinds }
    }

    /// The books stay usable when a task panicked while holding them: each
    /// entry is made in one step.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the record of an operation; `None` when the books are full.
    pub fn start(&self, kind: OperationKind, node: Addr, now: Time) -> Option<OpId> {
        let mut books = self.books();
        let number = books.operations.len() + 1;
        if number > MAX_OPERATIONS {
            return None;
        }
        let op = OpId(u32::try_from(number).expect("the limit on operations is under 2^32"));
        books.operations.push(OperationRecord {
            op,
            kind,
            node,
            started: now,
            outcome: None,
            hops: 0,
            latency: Span::ZERO,
            first_answer: None,
            traffic: Traffic::default(),
        });
        Some(op)
    }

    /// Charges a message to the operation that caused it, or to upkeep. The
    /// cause may have come from a stranger, so an unknown operation counts as
    /// upkeep.
    pub fn sent(&self, cause: Cause, kind: usize, bytes: u64) {
        let mut books = self.books();
        if let Some(traffic) = books.by_kind.get_mut(kind) {
            traffic.add(bytes);
        }
        match books.record(cause.op) {
            Some(record) => record.traffic.add(bytes),
            None => books.upkeep.add(bytes),
        }
    }

    /// Notes an answer to an operation that goes on.
    pub fn answered(&self, op: OpId, cause: Cause, now: Time) {
        if let Some(record) = self.books().record(op) {
            record.answered(cause, now);
        }
    }

    /// Closes the record of an operation.
    pub fn finished(&self, op: OpId, cause: Cause, outcome: &Outcome, now: Time) {
        if let Some(record) = self.books().record(op) {
            if matches!(outcome, Outcome::Found(_) | Outcome::Located(_)) {
                record.answered(cause, now);
            } else if record.first_answer.is_none() {
                record.hops = cause.hops;
            }
            record.latency = now.since(record.started);
            record.outcome = Some(outcome.clone());
        }
    }

    /// All operations so far, in the order of their start.
    pub fn operations(&self) -> Vec<OperationRecord> {
        self.books().operations.clone()
    }

    /// What belongs to no operation.
    pub fn upkeep(&self) -> Traffic {
        self.books().upkeep
    }

    /// Messages by kind, with the kinds' names.
    pub fn by_kind(&self) -> Vec<(&'static str, Traffic)> {
        self.kinds.iter().copied().zip(self.books().by_kind.iter().copied()).collect()
    }

    /// Everything sent because of operations.
    pub fn caused(&self) -> Traffic {
        let mut sum = Traffic::default();
        for record in &self.books().operations {
            sum += record.traffic;
        }
        sum
    }
}

impl Books {
    fn record(&mut self, op: OpId) -> Option<&mut OperationRecord> {
        let index = (op.0 as usize).checked_sub(1)?;
        self.operations.get_mut(index)
    }
}

impl OperationRecord {
    fn answered(&mut self, cause: Cause, now: Time) {
        if self.first_answer.is_none() {
            self.first_answer = Some(now.since(self.started));
            self.hops = cause.hops;
        }
    }
}
