//! What can be read off a session.

use std::net::SocketAddr;

use super::effect::LinkId;
use crate::identity::PeerId;

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Progress {
    /// Pieces of the torrent; 0 while its metadata is missing.
    pub pieces: u32,
    /// Pieces that are stored.
    pub have: u32,
    /// Pieces that are wanted and not yet stored.
    pub missing: u32,
    /// Bytes of the pieces that are stored.
    pub have_bytes: u64,
    /// Bytes of the pieces that are wanted and not yet stored.
    pub missing_bytes: u64,
    /// Open connections.
    pub links: u32,
    /// Connections to peers who have all.
    pub seeds: u32,
}

/// What went over the connections, in bytes of blocks since the session began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Received and put to use; also those that failed their hash.
    pub downloaded: u64,
    /// Sent.
    pub uploaded: u64,
    /// Received although we had them already, and dropped.
    pub duplicate: u64,
    /// Received in pieces that failed their hash.
    pub bad: u64,
    /// Bytes per second received, over the last seconds.
    pub download_rate: u64,
    /// Bytes per second sent, over the last seconds.
    pub upload_rate: u64,
}

/// How well the torrent is spread among the connected peers and us.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Availability {
    /// At place n, how many pieces n of them have.
    pub histogram: Vec<u32>,
    /// Whole copies, and the part of pieces of which there is one more: 1.5
    /// says that every piece is there once and half of them twice.
    pub copies: f64,
    /// The fraction of ordered pairs of connected leechers (and us) of whom the
    /// first has something that the second lacks; 1 is ideal (Legout et al.
    /// 2006). 1 if there is no pair.
    pub entropy: f64,
}

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerRow {
    /// The host's number of it.
    pub link: LinkId,
    /// The other end.
    pub addr: SocketAddr,
    /// What the peer calls itself.
    pub peer_id: PeerId,
    /// Whether it connected to us.
    pub incoming: bool,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// Pieces that it has.
    pub have: u32,
    /// Whether we choke it.
    pub am_choking: bool,
    /// Whether we want something of it.
    pub am_interested: bool,
    /// Whether it chokes us.
    pub peer_choking: bool,
    /// Whether it wants something of us.
    pub peer_interested: bool,
    /// Whether it has sent nothing for long, although we asked.
    pub snubbed: bool,
    /// Requests that it has not answered yet.
    pub outstanding: u32,
    /// Requests that we allow ourselves.
    pub depth: u32,
    /// Requests of it that we have not answered yet.
    pub queued: u32,
    /// Bytes of blocks received from it.
    pub downloaded: u64,
    /// Bytes of blocks sent to it.
    pub uploaded: u64,
    /// Bytes per second received from it over the last 20 s.
    pub download_rate: u64,
    /// Bytes per second sent to it over the last 20 s.
    pub upload_rate: u64,
}
