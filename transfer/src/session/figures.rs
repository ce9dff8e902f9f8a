//! What can be read off a session.

use std::net::SocketAddr;

use super::Session;
use super::effect::LinkId;
use crate::identity::PeerId;
use crate::pieces::PieceSet;

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

impl Session {
    /// How far we are.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let links = self.linked as u32;
        let seeds = self.peers().filter(|(_, peer)| peer.is_seed()).count() as u32;
        let Some(picker) = &self.picker else {
            return Progress { links, seeds, ..Progress::default() };
        };
        Progress {
            pieces: picker.geometry().pieces(),
            have: picker.have().count(),
            missing: picker.wanted().count(),
            have_bytes: picker.have_bytes(),
            missing_bytes: picker.wanted_bytes(),
            links,
            seeds,
        }
    }

    /// What went over the connections.
    #[must_use]
    pub fn traffic(&self, now_us: u64) -> Traffic {
        let (download_rate, upload_rate) =
            (self.down.recent_per_s(now_us), self.up.recent_per_s(now_us));
        Traffic { download_rate, upload_rate, ..self.traffic }
    }

    /// How well the torrent is spread. Takes time in proportion to pieces and
    /// pairs of peers: to be asked about once a second.
    #[must_use]
    pub fn availability(&self) -> Availability {
        let Some(picker) = &self.picker else { return Availability::default() };
        let histogram = picker.rarity.histogram(picker.have());
        let least = histogram.iter().position(|&pieces| pieces > 0).unwrap_or(0);
        let pieces = picker.geometry().pieces();
        let above = pieces - histogram.get(least).copied().unwrap_or(0);
        let copies = least as f64 + f64::from(above) / f64::from(pieces.max(1));
        Availability { histogram, copies, entropy: self.entropy(picker.have()) }
    }

    fn entropy(&self, ours: &PieceSet) -> f64 {
        let theirs = self.peers().map(|(_, peer)| &peer.have);
        let sets: Vec<&PieceSet> =
            theirs.chain([ours]).filter(|set| !set.is_full()).take(MAX_IN_ENTROPY).collect();
        let mut pairs = 0_u32;
        let mut interested = 0_u32;
        for (n, giver) in sets.iter().enumerate() {
            for (m, taker) in sets.iter().enumerate() {
                if n != m {
                    pairs += 1;
                    interested += u32::from(giver.common(taker) < giver.count());
                }
            }
        }
        if pairs == 0 { 1.0 } else { f64::from(interested) / f64::from(pairs) }
    }

    /// The connections, by number.
    pub fn peer_rows(&self, now_us: u64) -> impl Iterator<Item = PeerRow> + '_ {
        self.peers().map(move |(link, peer)| PeerRow {
            link,
            addr: peer.addr,
            peer_id: peer.peer_id,
            incoming: peer.incoming,
            encrypted: peer.encrypted,
            have: peer.have.count(),
            am_choking: peer.am_choking,
            am_interested: peer.am_interested,
            peer_choking: peer.peer_choking,
            peer_interested: peer.peer_interested,
            snubbed: peer.snubbed,
            outstanding: peer.pipeline.len(),
            depth: peer.pipeline.depth(),
            queued: peer.uploads.len() as u32,
            downloaded: peer.downloaded,
            uploaded: peer.uploaded,
            download_rate: peer.down.per_s(now_us),
            upload_rate: peer.up.per_s(now_us),
        })
    }
}

/// Peers whose pairs are looked at for the entropy.
const MAX_IN_ENTROPY: usize = 64;
