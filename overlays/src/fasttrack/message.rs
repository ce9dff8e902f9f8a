//! What FastTrack's nodes say to each other.

use std::sync::Arc;

use super::Seed;
use crate::seam::{Addr, Hit, Item, Query};

/// The most entries of a list of supernodes in a message.
pub const MAX_LIST: usize = 1_000;

/// The most results in a message.
pub const MAX_RESULTS: usize = 100;

/// The capacity of an access line in FastTrack's one byte: about
/// 14 · log2(kb/s) + 59, so that twice the line is 14 more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Bandwidth(pub u8);

impl Bandwidth {
    /// The byte of lines faster than it can tell ("infinite").
    pub const MOST: Self = Self(0xd1);

    /// The byte for an upstream capacity in bits per second.
    pub const fn of(upload_bps: u64) -> Self {
        let kbps = upload_bps / 1_000;
        if kbps == 0 {
            return Self(0);
        }
        let whole = kbps.ilog2();
        // The fraction of the logarithm in 14 steps: how often the 14th root
        // of two fits into what is left, found by squaring in fixed point.
        let mut left = ((kbps as u128) << 32) >> whole;
        let mut fraction = 0;
        let mut bit = 0;
        while bit < 16 {
            left = (left * left) >> 32;
            fraction <<= 1;
            if left >= 2 << 32 {
                left >>= 1;
                fraction |= 1;
            }
            bit += 1;
        }
        let byte = 59 + 14 * whole as u64 + ((14 * fraction) >> 16);
        if byte < Self::MOST.0 as u64 { Self(byte as u8) } else { Self::MOST }
    }
}

/// A line of a list of supernodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeEntry {
    /// The supernode.
    pub addr: Addr,
    /// Minutes since it was last heard of, at most 255.
    pub seen_min: u8,
    /// Its ordinary nodes in per cent of those it takes, at most 255.
    pub load: u8,
}

/// A list of supernodes.
pub type NodeList = Arc<[NodeEntry]>;

/// One line of a supernode's answer: a file and the user who shares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// The file and who has it.
    pub hit: Hit,
    /// The line of who has it.
    pub bandwidth: Bandwidth,
    /// Whether nobody can connect there: a callback is needed.
    pub firewalled: bool,
}

/// The results that one supernode found in its index.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// Whose index it is; callbacks go through it.
    pub supernode: Addr,
    /// The lines, at most [`MAX_RESULTS`].
    pub listings: Box<[Listing]>,
    /// Bytes of the lines on the wire.
    pub(super) bytes: u32,
}

impl Results {
    /// Results of `supernode`; those over [`MAX_RESULTS`] are dropped.
    pub fn new(supernode: Addr, mut listings: Vec<Listing>) -> Self {
        listings.truncate(MAX_RESULTS);
        let bytes = listings.iter().map(Listing::encoded_len).sum::<usize>();
        // A hundred lines of under 400 bytes.
        Self { supernode, listings: listings.into(), bytes: bytes as u32 }
    }
}

/// Who shall be called back, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Chosen by who wants the call; comes back with it.
    pub id: u32,
    /// Who wants the call.
    pub to: Addr,
    /// The firewalled node that shall call.
    pub provider: Addr,
    /// The supernode where that node is at home.
    pub supernode: Addr,
}

/// Everything that FastTrack's nodes say.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// To a candidate supernode: how far are you, and do you take me? (UDP 0x27)
    Ping {
        /// Comes back in the answer.
        tag: u32,
    },
    /// A supernode's answer (UDP 0x28).
    Pong {
        /// From the ping.
        tag: u32,
        /// As in [`NodeEntry::load`].
        load: u8,
    },
    /// The answer of a supernode that is full, or of what is none (UDP 0x29).
    Refusal {
        /// From the ping.
        tag: u32,
    },
    /// To a list server or any node: which supernodes are there?
    ListRequest,
    /// The supernodes that there are. As answer to [`Message::UserInfo`] it
    /// means: you are in (0x00).
    Nodes(NodeList),
    /// A supernode's answer to one it does not take: try these.
    Refused(NodeList),
    /// A supernode to an ordinary node: look for another supernode, such as
    /// the first of these.
    Move(NodeList),
    /// A supernode to a list server: I am here.
    Register {
        /// As in [`NodeEntry::load`].
        load: u8,
    },
    /// A supernode to a list server: I no longer am one.
    Unregister,
    /// A node that opens a stream to a supernode: my seed, and the cipher that
    /// I ask for.
    Greeting,
    /// The supernode's answer: its seed and the network's name.
    Greeted {
        /// The seed that it has chosen.
        seed: Seed,
    },
    /// The node's answer to that: the network's name, enciphered with both
    /// seeds.
    NetworkName {
        /// The supernode's seed.
        seed: Seed,
    },
    /// An ordinary node to a supernode: take me (0x02).
    UserInfo {
        /// Where others reach it.
        addr: Addr,
        /// Its line.
        bandwidth: Bandwidth,
        /// Whether nobody can connect to it.
        firewalled: bool,
    },
    /// An ordinary node to its supernode: I share this (0x22).
    Share(Arc<Item>),
    /// An ordinary node to its supernode: I no longer share this (0x05).
    Unshare(Arc<Item>),
    /// An ordinary node to its supernode: who has it? (0x06)
    Search {
        /// Comes back in the answers.
        id: u16,
        /// What for.
        query: Query,
    },
    /// A supernode to the searcher: some answers (0x07).
    Result {
        /// Of the search.
        id: u16,
        /// The answers.
        results: Arc<Results>,
    },
    /// A supernode to the searcher: that was all (0x08).
    End {
        /// Of the search.
        id: u16,
    },
    /// A supernode to its ordinary nodes: how large the network is (0x09).
    Stats {
        /// Ordinary nodes of this supernode.
        users: u32,
        /// Files in its index.
        files: u32,
    },
    /// To a supernode: let that firewalled node call me (0x0D).
    Push(Callback),
    /// A supernode to its firewalled node: call there (0x0D).
    Call {
        /// From the push.
        id: u32,
        /// Whom to call.
        to: Addr,
    },
    /// A firewalled node to who wants its files: here I am (`GIVE` of HTTP).
    Give {
        /// From the push.
        id: u32,
    },
    /// Supernode to supernode: let us link.
    Link {
        /// As in [`NodeEntry::load`].
        load: u8,
    },
    /// Supernode to supernode: we are linked.
    LinkAck {
        /// As in [`NodeEntry::load`].
        load: u8,
    },
    /// Supernode to supernode, on a link: this is how loaded I am.
    Load {
        /// As in [`NodeEntry::load`].
        load: u8,
    },
    /// Supernode to supernode: what do your ordinary nodes have?
    Query {
        /// Comes back in the answer.
        id: u16,
        /// What for.
        query: Query,
    },
    /// Supernode to supernode: this.
    QueryResult {
        /// Of the query.
        id: u16,
        /// The answers, possibly none.
        results: Arc<Results>,
    },
    /// A supernode to an ordinary node: become a supernode.
    Promote,
    /// On a stream: I am here. Keeps it open (the bare byte 0x50).
    Alive,
}
