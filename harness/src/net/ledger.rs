//! The books of a live network: what each operation cost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use overlays::{Cause, OpId, Outcome, Time, Wire};

use crate::sim::{Operation, Traffic, Verb};

/// The most operations that one ledger records.
const MAX_OPERATIONS: usize = 1 << 20;

/// The most receivers of forward messages that are recorded per operation.
const MAX_RECEIVERS: usize = 1 << 16;

/// The books of a network, shared by its nodes: the same accounts of
/// operations and traffic that the simulator keeps. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Mutex<Books>>);

#[derive(Debug)]
struct Books {
    operations: Vec<Operation>,
    traffic: Traffic,
}

impl Ledger {
    /// Empty books for messages of type `M`.
    pub fn new<M: Wire>() -> Self {
        let books = Books { operations: Vec::new(), traffic: Traffic::new::<M>() };
        Self(Arc::new(Mutex::new(books)))
    }

    /// The books stay usable when a task panicked while holding them: each
    /// entry is made in one step.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the account of an operation at node number `node`; `None` when
    /// the books are full.
    pub fn start(&self, verb: Verb, node: u32, now: Time) -> Option<OpId> {
        let mut books = self.books();
        let number = books.operations.len() + 1;
        if number > MAX_OPERATIONS {
            return None;
        }
        let op = OpId(u32::try_from(number).expect("the limit on operations is under 2^32"));
        books.operations.push(Operation::new(op, verb, node, now, 0));
        Some(op)
    }

    /// Charges a message to the operation that caused it, or to upkeep. The
    /// cause may have come from a stranger, so an unknown operation counts as
    /// upkeep.
    pub fn sent<M: Wire>(&self, cause: Cause, message: &M) {
        let bytes = message.encoded_len() as u64;
        let mut books = self.books();
        let caused = match books.operation(cause.op) {
            Some(operation) => {
                operation.count_sent(bytes);
                // Until it arrives; see `received`.
                operation.timeouts += 1;
                true
            }
            None => false,
        };
        books.traffic.count_sent(message.kind(), bytes, !caused);
    }

    /// Notes that a message arrived at node number `node`.
    pub fn received<M: Wire>(&self, cause: Cause, node: u32, message: &M) {
        let mut books = self.books();
        books.traffic.delivered += 1;
        if let Some(operation) = books.operation(cause.op) {
            operation.timeouts = operation.timeouts.saturating_sub(1);
            if !message.is_reply() && operation.receivers.len() < MAX_RECEIVERS {
                operation.receivers.push(node);
            }
        }
    }

    /// Notes an answer to an operation that goes on.
    pub fn answered(&self, op: OpId, cause: Cause, now: Time) {
        if let Some(operation) = self.books().operation(op) {
            operation.answer(cause, now);
        }
    }

    /// Notes the end of an operation.
    pub fn finished(&self, op: OpId, cause: Cause, outcome: &Outcome, now: Time) {
        if let Some(operation) = self.books().operation(op) {
            operation.finish(cause, now, outcome);
        }
    }

    /// All operations so far, in the order of their start. While messages are
    /// under way, they count as timeouts.
    pub fn operations(&self) -> Vec<Operation> {
        self.books().operations.clone()
    }

    /// One operation.
    pub fn operation(&self, op: OpId) -> Option<Operation> {
        self.books().operation(op).cloned()
    }

    /// What was sent and arrived so far.
    pub fn traffic(&self) -> Traffic {
        self.books().traffic.clone()
    }

    /// How many messages operations have caused.
    pub fn caused(&self) -> u64 {
        let books = self.books();
        books.traffic.sent - books.traffic.upkeep
    }
}

impl Books {
    fn operation(&mut self, op: OpId) -> Option<&mut Operation> {
        let index = (op.0 as usize).checked_sub(1)?;
        self.operations.get_mut(index)
    }
}
