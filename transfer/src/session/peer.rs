//! What is known of one connection.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::config::SessionConfig;
use super::contributors::ContributorId;
use super::exchange::Exchange;
use super::extension::Extended;
use super::pipeline::Pipeline;
use super::rates::Rate;
use crate::block::Block;
use crate::identity::PeerId;
use crate::pieces::PieceSet;
use crate::wire::Handshake;

/// What a peer said of its pieces while we did not know how many there are.
#[derive(Debug)]
pub(super) enum Early {
    Nothing,
    All,
    Bitfield(Vec<u8>),
}

/// One connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) addr: SocketAddr,
    pub(super) peer_id: PeerId,
    pub(super) incoming: bool,
    pub(super) encrypted: bool,
    pub(super) fast: bool,
    pub(super) extended: bool,
    pub(super) contributor: ContributorId,

    pub(super) have: PieceSet,
    /// Pieces that it has and we want.
    pub(super) interesting: u32,
    pub(super) early: Early,
    pub(super) early_haves: Vec<u32>,
    /// A message other than of the extension protocol has come.
    pub(super) begun: bool,

    pub(super) am_choking: bool,
    pub(super) am_interested: bool,
    pub(super) peer_choking: bool,
    pub(super) peer_interested: bool,
    pub(super) snubbed: bool,

    pub(super) pipeline: Pipeline,
    /// The block that it is sending into a buffer.
    pub(super) arriving: Option<Block>,
    /// The open piece from which its last request came.
    pub(super) current: Option<u32>,
    /// The generation of the picker at which there was nothing to request.
    pub(super) hungry_at: Option<u32>,
    /// Pieces that it gives although it chokes us (BEP 6).
    pub(super) allowed_in: Vec<u32>,
    /// Pieces that we give although we choke it.
    pub(super) allowed_out: Vec<u32>,

    /// What it requested and we have not sent.
    pub(super) uploads: VecDeque<Block>,
    /// Requests that were refused since one was last answered.
    pub(super) refused: u32,
    /// Messages of the kinds that nobody needs many of.
    pub(super) chatter: u32,

    pub(super) down: Rate,
    pub(super) up: Rate,
    pub(super) downloaded: u64,
    pub(super) uploaded: u64,
    pub(super) sent_us: u64,
    pub(super) heard_us: u64,
    pub(super) unchoked_us: Option<u64>,

    pub(super) extension: Extended,
    pub(super) exchange: Exchange,
}

impl Peer {
    pub(super) fn new(
        addr: SocketAddr,
        incoming: bool,
        handshake: &Handshake,
        encrypted: bool,
        contributor: ContributorId,
        config: &SessionConfig,
        now_us: u64,
    ) -> Self {
        Self {
            addr,
            peer_id: handshake.peer_id,
            incoming,
            encrypted,
            fast: handshake.reserved.supports_fast(),
            extended: handshake.reserved.supports_extended(),
            contributor,
            have: PieceSet::empty(0),
            interesting: 0,
            early: Early::Nothing,
            early_haves: Vec::new(),
            begun: false,
            am_choking: true,
            am_interested: false,
            peer_choking: true,
            peer_interested: false,
            snubbed: false,
            pipeline: Pipeline::new(config, now_us),
            arriving: None,
            current: None,
            hungry_at: None,
            allowed_in: Vec::new(),
            allowed_out: Vec::new(),
            uploads: VecDeque::new(),
            refused: 0,
            chatter: 0,
            down: Rate::new(now_us),
            up: Rate::new(now_us),
            downloaded: 0,
            uploaded: 0,
            sent_us: now_us,
            heard_us: now_us,
            unchoked_us: None,
            extension: Extended::default(),
            exchange: Exchange::default(),
        }
    }

    /// Whether the peer is on this machine or in a private network.
    pub(super) fn is_local(&self) -> bool {
        match self.addr.ip().to_canonical() {
            std::net::IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
            std::net::IpAddr::V6(ip) => {
                ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
            }
        }
    }

    /// Whether there is a block that it would send.
    pub(super) fn may_be_asked(&self) -> bool {
        self.am_interested && (!self.peer_choking || !self.allowed_in.is_empty())
    }

    /// Whether it has every piece.
    pub(super) fn is_seed(&self) -> bool {
        !self.have.is_empty() && self.have.is_full()
    }
}
