//! Whoever runs an experiment on a simulation.

use overlays::{OpId, Outcome, Overlay};

use super::operations::Operation;
use super::world::Sim;

/// Whoever runs an experiment on a simulation: it sets cues and is told how
/// operations end.
pub trait Driver<O: Overlay> {
    /// A cue set with [`Sim::cue`] is due.
    fn cue(&mut self, sim: &mut Sim<O>, cue: u32) {
        let _ = (sim, cue);
    }

    /// An operation has ended. What it caused may still be under way.
    fn ended(&mut self, sim: &mut Sim<O>, op: OpId, outcome: &Outcome) {
        let _ = (sim, op, outcome);
    }

    /// An operation has ended and nothing that it caused is under way: its
    /// account is final.
    fn closed(&mut self, operation: Operation) {
        let _ = operation;
    }
}

/// A driver that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDriver;

impl<O: Overlay> Driver<O> for NoDriver {}
