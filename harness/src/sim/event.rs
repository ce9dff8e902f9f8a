//! What can happen next in a simulation.

use overlays::{Cause, Machine};

/// A scheduled event at a node. Small, since millions are pending at once: a
/// message stands in [`super::letters::Letters`] and is named by its slot.
#[derive(Debug)]
pub(super) struct Event<M: Machine> {
    /// The node it happens at; for a cue, the cue itself.
    pub node: u32,
    pub kind: Kind<M>,
}

#[derive(Debug)]
pub(super) enum Kind<M: Machine> {
    /// A letter arrives.
    Letter(u32),
    /// A timer is due, unless the node has been restarted since.
    Timer { life: u8, timer: M::Timer, cause: Cause },
    /// Like a timer, for periodic upkeep.
    Upkeep { life: u8, timer: M::Timer },
    /// A stream to a peer turns out to be broken.
    Lost { peer: u32, serial: u32, cause: Cause },
    /// The driver of the simulation asked to be called.
    Cue,
}

impl<M: Machine> Clone for Event<M> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M: Machine> Copy for Event<M> {}

impl<M: Machine> Clone for Kind<M> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M: Machine> Copy for Kind<M> {}
