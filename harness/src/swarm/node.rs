//! One host of a session in the swarm: its access link and its blocks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use transfer::Block;
use transfer::session::{BlockDigest, LinkId, Session};

use super::plan::NodePlan;

/// A block on its way through a downlink.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parcel {
    pub(super) link: LinkId,
    pub(super) block: Block,
    /// Who corrupted it, plus one; 0 if nobody did.
    pub(super) lie: u32,
}

/// One host.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) plan: NodePlan,
    /// `None` before it joins.
    pub(super) session: Option<Session>,
    pub(super) online: bool,
    /// The links that have something to send, in turn.
    pub(super) ready: VecDeque<LinkId>,
    pub(super) sending: bool,
    /// Blocks that wait for the downlink; the first is on it.
    pub(super) inbox: VecDeque<Parcel>,
    /// The other end of each link: node and link there. `None` once it is
    /// closed here.
    pub(super) ends: Vec<Option<(u32, LinkId)>>,
    /// Blocks of pieces that are not yet checked and that are not what they
    /// should be, with who corrupted them.
    pub(super) suspect: BTreeMap<u32, BTreeMap<u32, u32>>,
    /// The same of stored pieces.
    pub(super) rotten: BTreeMap<u32, BTreeMap<u32, u32>>,
    pub(super) wake_us: Option<u64>,
    pub(super) finished_us: Option<u64>,
    pub(super) banned: BTreeSet<transfer::session::Banned>,
    pub(super) sent: u64,
}

impl Node {
    pub(super) fn new(plan: NodePlan) -> Self {
        Self {
            plan,
            session: None,
            online: false,
            ready: VecDeque::new(),
            sending: false,
            inbox: VecDeque::new(),
            ends: Vec::new(),
            suspect: BTreeMap::new(),
            rotten: BTreeMap::new(),
            wake_us: None,
            finished_us: None,
            banned: BTreeSet::new(),
            sent: 0,
        }
    }

    /// The other end of a link that is open here.
    pub(super) fn end(&self, link: LinkId) -> Option<(u32, LinkId)> {
        *self.ends.get(link.0 as usize)?
    }

    /// Who corrupted a stored block, plus one; 0 if nobody did.
    pub(super) fn rot(&self, block: &Block) -> u32 {
        self.rotten.get(&block.piece).and_then(|bad| bad.get(&block.begin)).copied().unwrap_or(0)
    }

    /// What stands for the digests of a piece's blocks: they differ where the
    /// bytes do.
    pub(super) fn digests(&self, piece: u32, blocks: u32) -> Vec<BlockDigest> {
        let bad = self.suspect.get(&piece);
        let digest = |n: u32| {
            let mut digest = [0; 20];
            let lie = bad.and_then(|bad| bad.get(&(n * transfer::BLOCK_LEN))).copied();
            digest[..4].copy_from_slice(&n.to_be_bytes());
            digest[4..8].copy_from_slice(&lie.unwrap_or(0).to_be_bytes());
            digest
        };
        (0..blocks).map(digest).collect()
    }
}
