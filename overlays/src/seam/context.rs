//! The context of a call into a machine, and the effects it leaves behind.

use super::addr::Addr;
use super::item::Hit;
use super::key::Key;
use super::machine::Machine;
use super::operation::{Cause, OpId, Outcome};
use super::rng::Rng;
use super::time::{Span, Time};

/// Something a machine wants done, and why.
#[derive(Debug)]
pub struct Effect<M: Machine> {
    /// The cause of the event that asked for it.
    pub cause: Cause,
    /// What to do.
    pub action: Action<M>,
}

/// What a host does for a machine.
#[derive(Debug)]
pub enum Action<M: Machine> {
    /// Send a message.
    Send {
        /// To whom.
        to: Addr,
        /// What.
        message: M::Message,
    },
    /// Call `on_timer` after a while.
    Wake {
        /// How much later.
        after: Span,
        /// With what.
        timer: M::Timer,
    },
    /// Call `on_timer` after a while, for periodic upkeep. A host that has
    /// maintenance switched off ignores it.
    Upkeep {
        /// How much later.
        after: Span,
        /// With what.
        timer: M::Timer,
    },
    /// An operation has a first or further answer but goes on.
    Answer {
        /// The operation.
        op: OpId,
        /// How many hits came.
        hits: u32,
    },
    /// An operation ended.
    Finish {
        /// The operation.
        op: OpId,
        /// How.
        outcome: Outcome,
    },
    /// Close the stream to a peer.
    Close {
        /// Which peer.
        peer: Addr,
    },
    /// Something to record, while a recording is on.
    Note(Note),
}

/// A change of a machine's state that a recording shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// An entry of a routing table changed.
    TableChange {
        /// The table, such as `finger` or `successor`.
        table: &'static str,
        /// The place in it.
        slot: u32,
        /// Who stands there now.
        peer: Option<Addr>,
    },
    /// An index entry was stored or removed.
    Store {
        /// The item's key.
        key: Key,
        /// Who provides it.
        provider: Addr,
        /// Stored, or removed.
        stored: bool,
    },
}

/// What a machine is given with every call: the time, who it is, why this
/// happens, its random stream, and where to put effects.
#[derive(Debug)]
pub struct Cx<'a, M: Machine> {
    now: Time,
    me: Addr,
    cause: Cause,
    recording: bool,
    rng: &'a mut Rng,
    effects: &'a mut Vec<Effect<M>>,
}

impl<'a, M: Machine> Cx<'a, M> {
    /// A context; hosts and tests make these.
    #[inline]
    pub fn new(
        now: Time,
        me: Addr,
        cause: Cause,
        recording: bool,
        rng: &'a mut Rng,
        effects: &'a mut Vec<Effect<M>>,
    ) -> Self {
        Self { now, me, cause, recording, rng, effects }
    }

    /// The time.
    #[inline]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// This node's address.
    #[inline]
    pub const fn me(&self) -> Addr {
        self.me
    }

    /// Why this call happens.
    #[inline]
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// The protocol's random stream.
    #[inline]
    pub const fn rng(&mut self) -> &mut Rng {
        self.rng
    }

    #[inline]
    fn push(&mut self, cause: Cause, action: Action<M>) {
        self.effects.push(Effect { cause, action });
    }

    /// Sends `message` to `to`.
    #[inline]
    pub fn send(&mut self, to: Addr, message: M::Message) {
        self.push(self.cause, Action::Send { to, message });
    }

    /// Asks for `timer` after a while, on behalf of the present cause.
    #[inline]
    pub fn wake(&mut self, after: Span, timer: M::Timer) {
        self.push(self.cause, Action::Wake { after, timer });
    }

    /// Asks for `timer` after a while as upkeep that belongs to no operation,
    /// whatever led here. Periodic maintenance starts this way; a host can
    /// switch it off.
    #[inline]
    pub fn wake_upkeep(&mut self, after: Span, timer: M::Timer) {
        self.push(Cause::UPKEEP, Action::Upkeep { after, timer });
    }

    /// Reports that `op` has `hits` more answers and goes on. Not needed just
    /// before [`Cx::finish`].
    pub fn answer(&mut self, op: OpId, hits: u32) {
        self.push(self.cause, Action::Answer { op, hits });
    }

    /// Ends `op`. Each operation ends exactly once.
    #[inline]
    pub fn finish(&mut self, op: OpId, outcome: Outcome) {
        self.push(self.cause, Action::Finish { op, outcome });
    }

    /// Ends a search: `Found` with the hits, or `NotFound` without any.
    pub fn finish_search(&mut self, op: OpId, hits: Vec<Hit>) {
        let outcome = if hits.is_empty() { Outcome::NotFound } else { Outcome::Found(hits) };
        self.finish(op, outcome);
    }

    /// Closes the stream to `peer`; `peer` learns of it through `on_lost`.
    pub fn close(&mut self, peer: Addr) {
        self.push(self.cause, Action::Close { peer });
    }

    /// Records a change of state. The closure runs only while a recording is
    /// on, so noting costs nothing otherwise.
    #[inline]
    pub fn note(&mut self, note: impl FnOnce() -> Note) {
        if self.recording {
            self.push(self.cause, Action::Note(note()));
        }
    }

    /// Runs a part of this node that is a machine of its own, such as the DHT
    /// inside a BitTorrent client. `run` calls it; `carry` receives each of its
    /// effects, in order, in a context of that effect's cause, and passes it on
    /// in this machine's own messages, timers and operations.
    pub fn embed<P: Machine, R>(
        &mut self,
        run: impl FnOnce(&mut Cx<'_, P>) -> R,
        mut carry: impl FnMut(&mut Cx<'_, M>, Action<P>),
    ) -> R {
        let mut effects = Vec::new();
        let (now, me, cause, recording) = (self.now, self.me, self.cause, self.recording);
        let result = run(&mut Cx::new(now, me, cause, recording, self.rng, &mut effects));
        for effect in effects {
            carry(&mut self.on_behalf_of(effect.cause), effect.action);
        }
        result
    }

    /// The same context on behalf of another cause: to go on with something
    /// that was put aside, or with [`Cause::UPKEEP`] for work that the present
    /// operation merely happened to trigger.
    #[inline]
    pub fn on_behalf_of(&mut self, cause: Cause) -> Cx<'_, M> {
        Cx {
            now: self.now,
            me: self.me,
            cause,
            recording: self.recording,
            rng: self.rng,
            effects: self.effects,
        }
    }
}
