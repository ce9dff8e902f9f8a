//! Inserts and deletes that take several records each.

use std::collections::BTreeMap;

use super::posting::WHOLE;
use crate::seam::{OpId, Outcome};

/// An operation whose records are under way.
#[derive(Debug)]
struct Open {
    left: u8,
    /// How it went with the record under the item's own key.
    outcome: Option<Outcome>,
}

/// The operations that have not ended.
///
/// An operation ends when all its records are through, and as the one under
/// the item's own key did: a word that is too hot to take another record does
/// not make an insert fail.
#[derive(Debug, Default)]
pub struct Publications(BTreeMap<OpId, Open>);

impl Publications {
    /// An operation of `records` records starts.
    pub fn start(&mut self, op: OpId, records: usize) {
        let left = u8::try_from(records).expect("a name has at most 32 words");
        self.0.insert(op, Open { left, outcome: None });
    }

    /// A record is through, the one under word number `word`; returns how the
    /// operation ended if it was the last.
    pub fn on_record(&mut self, op: OpId, word: u8, outcome: Outcome) -> Option<Outcome> {
        let open = self.0.get_mut(&op)?;
        if word == WHOLE {
            open.outcome = Some(outcome);
        }
        open.left = open.left.saturating_sub(1);
        if open.left > 0 {
            return None;
        }
        self.0.remove(&op)?.outcome
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        self.0.len() * size_of::<Open>()
    }
}
