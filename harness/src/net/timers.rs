//! A node's pending timers.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use overlays::Time;

/// Pending timers, soonest first; those due at the same time in the order in
/// which they were set. Holds at most as many as its limit.
#[derive(Debug)]
pub(super) struct Timers<T> {
    heap: BinaryHeap<Reverse<Pending<T>>>,
    set: u64,
    limit: usize,
}

#[derive(Debug)]
struct Pending<T> {
    due: Time,
    order: u64,
    timer: T,
}

impl<T> Timers<T> {
    /// No timers; at most `limit`.
    pub(super) const fn new(limit: usize) -> Self {
        Self { heap: BinaryHeap::new(), set: 0, limit }
    }

    /// Sets a timer; `false` if too many are pending.
    pub(super) fn set(&mut self, due: Time, timer: T) -> bool {
        if self.heap.len() >= self.limit {
            return false;
        }
        self.set += 1;
        self.heap.push(Reverse(Pending { due, order: self.set, timer }));
        true
    }

    /// When the soonest timer is due.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(pending)| pending.due)
    }

    /// The soonest timer, if it is due by `now`.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<T> {
        (self.next_due()? <= now)
            .then(|| self.heap.pop().map(|Reverse(pending)| pending.timer))
            .flatten()
    }
}

impl<T> PartialEq for Pending<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Pending<T> {}

impl<T> PartialOrd for Pending<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Pending<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}
