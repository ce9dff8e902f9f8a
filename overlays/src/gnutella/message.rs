//! What servents say to each other.

use std::sync::Arc;

use crate::parts::servent::{ByeBody, Guid, HitBody, PongHost, PushBody, Way};
use crate::seam::{Addr, Target};

/// A query that walks: what it looks for and whom to ask whether to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct WalkBody {
    /// What it looks for.
    pub target: Target,
    /// The originator, unless nobody can connect to it.
    pub originator: Option<Addr>,
}

/// A message between two servents.
///
/// The first six are the descriptors of Gnutella 0.4. The others are the
/// handshake, the connection that a pushed servent opens, and the walkers'
/// check-back, of which 0.4 knows nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Who is there?
    Ping {
        /// Its identifier.
        guid: Guid,
        /// TTL and hops.
        way: Way,
    },
    /// A host is there; answers a Ping with the same identifier.
    Pong {
        /// The Ping's identifier.
        guid: Guid,
        /// TTL and hops.
        way: Way,
        /// Who.
        host: PongHost,
    },
    /// Who has this? Flooded.
    Query {
        /// Its identifier.
        guid: Guid,
        /// TTL and hops.
        way: Way,
        /// Slowest upstream wanted, in kilobits per second.
        min_speed_kbps: u16,
        /// What is looked for.
        target: Target,
    },
    /// Who has this? Walks from servent to servent: a Query with an extension.
    Walk {
        /// The identifier that all walkers of a search share.
        guid: Guid,
        /// TTL and hops.
        way: Way,
        /// Slowest upstream wanted, in kilobits per second.
        min_speed_kbps: u16,
        /// What is looked for, and by whom.
        body: Arc<WalkBody>,
    },
    /// These files match; answers a Query or Walk with the same identifier.
    QueryHit {
        /// The query's identifier.
        guid: Guid,
        /// TTL and hops.
        way: Way,
        /// Who has what.
        body: Arc<HitBody>,
    },
    /// Connect to me, since I cannot connect to you.
    Push {
        /// Its identifier.
        guid: Guid,
        /// TTL and hops.
        way: Way,
        /// Who shall connect to whom; set apart to keep messages small.
        body: Box<PushBody>,
    },
    /// Keep a copy of this; it walks until its TTL is used up.
    Copy {
        /// The identifier of the query that found it.
        guid: Guid,
        /// TTL and hops.
        way: Way,
        /// Who has what.
        body: Arc<HitBody>,
    },
    /// This connection ends.
    Bye {
        /// Its identifier.
        guid: Guid,
        /// Why, and whom to ask instead.
        body: Arc<ByeBody>,
    },
    /// Handshake: be my permanent peer.
    Connect {
        /// Permanent peers that the dialler has or is about to have.
        links: u8,
    },
    /// Handshake: agreed.
    Accept {
        /// Permanent peers that the acceptor has.
        links: u8,
    },
    /// Handshake: no.
    Refuse {
        /// Why, in the codes of HTTP; 503 when there is no room.
        code: u16,
        /// Hosts to try instead, at most [`MAX_TRY`](super::MAX_TRY).
        hosts: Arc<[Addr]>,
    },
    /// I am the servent that you pushed; the request for the file may follow.
    Giv {
        /// The servent's identifier.
        servent: Guid,
        /// The file's number.
        index: u32,
    },
    /// A walker asks its originator whether to go on.
    Check {
        /// The search's identifier.
        guid: Guid,
    },
    /// The originator's answer to a walker.
    Verdict {
        /// The search's identifier.
        guid: Guid,
        /// Whether to go on.
        walk_on: bool,
    },
}
