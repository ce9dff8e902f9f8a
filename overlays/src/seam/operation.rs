//! Operations of the user: identity, cause and outcome.

use core::fmt;

use super::addr::Addr;
use super::item::Hit;

/// One call of a verb, numbered by the host. Zero is no operation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct OpId(pub u32);

impl OpId {
    /// The id that stands for no operation.
    pub const NONE: Self = Self(0);
}

/// Why an event happens: the operation that led to it and how far along its
/// causal chain the event stands.
///
/// Effects inherit the cause of the event that pushed them, so the host can
/// charge messages, bytes and path length to operations without a counting
/// line in any overlay.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cause {
    /// The operation, or [`OpId::NONE`] for upkeep.
    pub op: OpId,
    /// Messages along the chain that went forward (not replies): the hops from
    /// the node where the operation started.
    pub hops: u16,
    /// All messages along the chain, replies included.
    pub legs: u16,
}

impl Cause {
    /// The cause of what belongs to no operation.
    pub const UPKEEP: Self = Self { op: OpId::NONE, hops: 0, legs: 0 };

    /// The first cause of operation `op`.
    pub const fn start(op: OpId) -> Self {
        Self { op, hops: 0, legs: 0 }
    }

    /// The cause one message further along.
    #[inline]
    #[must_use]
    pub const fn next(self, is_reply: bool) -> Self {
        Self {
            op: self.op,
            hops: self.hops.saturating_add(!is_reply as u16),
            legs: self.legs.saturating_add(1),
        }
    }
}

/// How an operation ended. Every operation ends exactly once.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A search found these, each item at a provider; never empty.
    Found(Vec<Hit>),
    /// A locate found the node responsible for the key.
    Located(Addr),
    /// A join, leave, insert or delete took effect.
    Done,
    /// A search ended and nothing matched.
    NotFound,
    /// The overlay, as configured, has no such operation.
    Unsupported,
    /// It could not be carried out.
    Failed(Reason),
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// No answer came in time, retries included.
    Timeout,
    /// None of the contacts given to `join` could be reached, or none were given.
    NoContact,
    /// The node is not (or no longer) part of the network.
    NotJoined,
    /// The other side said no.
    Refused,
    /// A bounded table was full.
    Full,
    /// The node stopped before the operation ended. Hosts report this one.
    NodeDown,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "no answer in time",
            Self::NoContact => "no contact could be reached",
            Self::NotJoined => "not joined",
            Self::Refused => "refused",
            Self::Full => "a table was full",
            Self::NodeDown => "the node went down",
        })
    }
}
