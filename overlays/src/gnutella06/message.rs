//! What servents of 0.6 and their web caches say to each other.

use std::sync::Arc;

use super::handshake::Headers;
use super::qrp::PatchBody;
use crate::parts::servent::{ByeBody, Guid, HitBody, PongHost, PushBody, Way};
use crate::seam::{Addr, Target};

/// The flags of a Query, as 0.6 has them in place of the slowest speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u16);

impl Flags {
    /// The field holds flags and no speed.
    pub const VALID: u16 = 0x8000;
    /// The searcher is behind a firewall.
    pub const FIREWALLED: u16 = 0x4000;
    /// The leaf tells its ultrapeer how many hits it kept.
    pub const LEAF_GUIDED: u16 = 0x1000;

    /// Whether this flag is set, in a field that holds flags.
    pub const fn has(self, flag: u16) -> bool {
        self.0 & Self::VALID != 0 && self.0 & flag != 0
    }
}

/// What a leaf answers when it wants no more hits.
pub const ENOUGH: u16 = 0xffff;

/// A message between two servents, or between a servent and a web cache.
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
    /// Who has this?
    Query {
        /// Its identifier.
        guid: Guid,
        /// TTL and hops.
        way: Way,
        /// What the searcher is like.
        flags: Flags,
        /// What is looked for.
        target: Target,
    },
    /// These files match; answers a Query with the same identifier.
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
        /// Who shall connect to whom.
        body: Box<PushBody>,
    },
    /// I am the servent that you pushed (`GIV`, in text).
    Giv {
        /// The servent's identifier.
        servent: Guid,
        /// The file's number.
        index: u32,
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
    /// QRP: my table starts anew.
    Reset {
        /// Slots of the table, a power of two.
        size: u32,
        /// The value of a slot that is out of reach.
        infinity: u8,
    },
    /// QRP: my table changes.
    Patch {
        /// How; shared by all who get it.
        body: Arc<PatchBody>,
    },
    /// An ultrapeer asks its leaf how many hits it kept (BEAR 11).
    Status {
        /// The query's identifier.
        guid: Guid,
    },
    /// A leaf says how many hits it kept, or [`ENOUGH`] (BEAR 12).
    Kept {
        /// The query's identifier.
        guid: Guid,
        /// How many.
        hits: u16,
    },
    /// An ultrapeer tells its leaf that it asks nobody any more.
    Over {
        /// The query's identifier.
        guid: Guid,
    },
    /// Handshake: `GNUTELLA CONNECT/0.6`.
    Connect {
        /// The headers.
        headers: Box<Headers>,
    },
    /// Handshake: `GNUTELLA/0.6` and a code, first by the acceptor, then by the
    /// dialler.
    Answer {
        /// The code: 200, or why not.
        code: u16,
        /// The headers.
        headers: Box<Headers>,
    },
    /// Web cache: `?hostfile=1`.
    HostFile,
    /// Web cache: hosts, one in a line.
    Hosts {
        /// Who.
        hosts: Arc<[Addr]>,
    },
    /// Web cache: `?ip=`, remember this host.
    Update {
        /// Who.
        host: Addr,
    },
    /// Web cache: `OK` or `ERROR`.
    Updated {
        /// Which of them.
        ok: bool,
    },
}
