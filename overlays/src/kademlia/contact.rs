//! What a node knows of another.

use crate::{Addr, Key};

/// A node as others know it: its identifier and where it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contact {
    /// Its identifier.
    pub id: Key,
    /// Its address.
    pub addr: Addr,
}

impl Contact {
    /// Its XOR distance from `target`.
    #[inline]
    pub fn distance(&self, target: Key) -> Key {
        self.id.xor(target)
    }
}
