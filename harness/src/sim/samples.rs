//! Samples of the messages that a run sends.

use overlays::Wire;

/// The first few messages of each kind.
#[derive(Debug)]
pub(super) struct Samples<M> {
    per_kind: usize,
    by_kind: Vec<Vec<M>>,
}

impl<M: Wire> Samples<M> {
    /// Keeps up to `per_kind` messages of each kind.
    pub fn new(per_kind: usize) -> Self {
        Self { per_kind, by_kind: vec![Vec::new(); M::KINDS.len()] }
    }

    /// Keeps a copy of `message` if there is room for its kind.
    pub fn take(&mut self, message: &M) {
        if let Some(kept) = self.by_kind.get_mut(message.kind())
            && kept.len() < self.per_kind
        {
            kept.push(message.clone());
        }
    }

    /// What was kept, by kind.
    pub fn into_messages(self) -> Vec<M> {
        self.by_kind.into_iter().flatten().collect()
    }
}
