//! What clients, trackers, the index site and peers say to each other.
//!
//! Each kind has its historical form: HTTP between clients and servers, with
//! bencoded replies (BEP 3, 23, 48), and the peer wire protocol with its
//! extension messages between peers (BEP 3, 6, 9, 10, 11). Two peers share one
//! stream for all torrents they have in common, where BitTorrent opens one for
//! each; so what follows the handshake names its torrent.

use std::sync::Arc;

use super::dht::DhtMessage;
use super::magnet::Magnet;
use super::{index_wire, peer_wire, tracker_wire};
use crate::seam::{Addr, Item, Key, Query, Reader, Wire, WireError, Writer};

/// The most peers in a tracker's reply.
pub const MAX_PEERS: usize = 200;

/// The most torrents in one scrape (trackers commonly take 50 to 74).
pub const MAX_SCRAPE: usize = 50;

/// The most peers that a PEX message adds, and that it drops (BEP 11).
pub const MAX_PEX: usize = 50;

/// What an announce is about (BEP 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing happened: the announce of every interval.
    Interval,
    /// The client enters the swarm.
    Started,
    /// The client leaves the swarm.
    Stopped,
    /// The client has got everything.
    Completed,
}

/// A client's announce to a tracker (BEP 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The torrent.
    pub info_hash: Key,
    /// The client's identity: client, version and random bytes.
    pub peer_id: Key,
    /// The port on which the client takes connections.
    pub port: u16,
    /// Bytes sent to others in this session.
    pub uploaded: u64,
    /// Bytes got from others in this session.
    pub downloaded: u64,
    /// Bytes that the client still lacks; a seed lacks none.
    pub left: u64,
    /// What happened.
    pub event: Event,
    /// How many peers the client wants to hear of.
    pub numwant: u16,
}

/// A tracker's reply to an announce (BEP 3, BEP 23).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Peers {
    /// How many seeds there are.
    pub complete: u32,
    /// How many others.
    pub incomplete: u32,
    /// When to announce again, in seconds.
    pub interval_s: u32,
    /// When to announce again at the earliest, in seconds, if the tracker says.
    pub min_interval_s: Option<u32>,
    /// Some peers, at random.
    pub peers: Box<[Addr]>,
}

/// The size of a swarm (BEP 48).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Seeds.
    pub complete: u32,
    /// Clients that ever reported completion.
    pub downloaded: u32,
    /// Peers that lack something.
    pub incomplete: u32,
}

/// Why a server refuses: the `failure reason` of a tracker's reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// This node is no such server.
    NotServedHere,
    /// The server knows as many torrents or peers as it can.
    Full,
    /// The client announces more often than the tracker asked it to.
    TooOften,
    /// Something else.
    Other,
}

/// News of a swarm's members from one of them (BEP 11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pex {
    /// The torrent.
    pub info_hash: Key,
    /// Peers that the sender is connected to since its last message.
    pub added: Box<[Addr]>,
    /// Peers that it is no longer connected to.
    pub dropped: Box<[Addr]>,
}

/// Everything that BitTorrent's nodes say about who has what.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Client to index site: are you there?
    Visit,
    /// Index site to client: here I am.
    Welcome,
    /// Client to index site: list this torrent.
    Publish(Box<Magnet>),
    /// Index site to client: listed, or not for want of room.
    Published {
        /// Whether it is listed.
        accepted: bool,
    },
    /// Client to index site: which torrents match?
    Browse(Box<Query>),
    /// Index site to client: these.
    Listing(Box<[Magnet]>),
    /// Client to tracker.
    Announce(Box<Announce>),
    /// Tracker to client.
    Peers(Box<Peers>),
    /// Index site to tracker: how large are these swarms?
    Scrape(Box<[Key]>),
    /// Tracker to index site: this large; unknown ones are left out.
    Scraped(Box<[(Key, Counts)]>),
    /// A server says no.
    Refused(Refusal),
    /// Peer to peer: the handshake, for one torrent.
    Connect {
        /// The torrent.
        info_hash: Key,
        /// Who speaks.
        peer_id: Key,
    },
    /// Peer to peer: the handshake back, and whether the peer has everything
    /// or nothing (BEP 6).
    Accept {
        /// The torrent.
        info_hash: Key,
        /// Who speaks.
        peer_id: Key,
        /// Whether the peer is a seed.
        complete: bool,
    },
    /// Peer to peer: I do not have this torrent.
    Decline(Key),
    /// Peer to peer: this torrent is over between us.
    Goodbye(Key),
    /// Peer to peer: what is this torrent called? (BEP 9)
    MetadataRequest(Key),
    /// Peer to peer: this.
    Metadata(Arc<Item>),
    /// Peer to peer: news of the swarm.
    Pex(Box<Pex>),
    /// Peer to peer: nothing, which opens the stream or keeps it open.
    KeepAlive,
    /// From DHT node to DHT node (BEP 5).
    Dht(Box<DhtMessage>),
}

impl Wire for Message {
    const KINDS: &'static [&'static str] = &[
        "visit",
        "welcome",
        "publish",
        "published",
        "browse",
        "listing",
        "announce",
        "peers",
        "scrape",
        "scraped",
        "refused",
        "connect",
        "accept",
        "decline",
        "goodbye",
        "metadata-request",
        "metadata",
        "pex",
        "keep-alive",
        "dht-ping",
        "dht-response",
        "dht-find_node",
        "dht-nodes",
        "dht-get_peers",
        "dht-peers",
        "dht-announce_peer",
        "dht-error",
        "dht-unknown",
        "dht-metadata_request",
        "dht-metadata",
    ];

    /// A listing of 100 links of the longest kind.
    const MAX_BYTES: usize = 256 * 1024;

    fn kind(&self) -> usize {
        match self {
            Self::Visit => 0,
            Self::Welcome => 1,
            Self::Publish(_) => 2,
            Self::Published { .. } => 3,
            Self::Browse(_) => 4,
            Self::Listing(_) => 5,
            Self::Announce(_) => 6,
            Self::Peers(_) => 7,
            Self::Scrape(_) => 8,
            Self::Scraped(_) => 9,
            Self::Refused(_) => 10,
            Self::Connect { .. } => 11,
            Self::Accept { .. } => 12,
            Self::Decline(_) => 13,
            Self::Goodbye(_) => 14,
            Self::MetadataRequest(_) => 15,
            Self::Metadata(_) => 16,
            Self::Pex(_) => 17,
            Self::KeepAlive => 18,
            Self::Dht(message) => 19 + message.kind(),
        }
    }

    fn is_reply(&self) -> bool {
        if let Self::Dht(message) = self {
            return message.is_reply();
        }
        matches!(
            self,
            Self::Welcome
                | Self::Published { .. }
                | Self::Listing(_)
                | Self::Peers(_)
                | Self::Scraped(_)
                | Self::Refused(_)
                | Self::Accept { .. }
                | Self::Decline(_)
                | Self::Metadata(_)
        )
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::Visit
            | Self::Welcome
            | Self::Publish(_)
            | Self::Published { .. }
            | Self::Browse(_)
            | Self::Listing(_) => index_wire::encoded_len(self),
            Self::Announce(_)
            | Self::Peers(_)
            | Self::Scrape(_)
            | Self::Scraped(_)
            | Self::Refused(_) => tracker_wire::encoded_len(self),
            Self::Connect { .. }
            | Self::Accept { .. }
            | Self::Decline(_)
            | Self::Goodbye(_)
            | Self::MetadataRequest(_)
            | Self::Metadata(_)
            | Self::Pex(_)
            | Self::KeepAlive => peer_wire::encoded_len(self),
            Self::Dht(message) => message.encoded_len(),
        }
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            Self::Visit
            | Self::Welcome
            | Self::Publish(_)
            | Self::Published { .. }
            | Self::Browse(_)
            | Self::Listing(_) => index_wire::encode(self, w),
            Self::Announce(_)
            | Self::Peers(_)
            | Self::Scrape(_)
            | Self::Scraped(_)
            | Self::Refused(_) => tracker_wire::encode(self, w),
            Self::Connect { .. }
            | Self::Accept { .. }
            | Self::Decline(_)
            | Self::Goodbye(_)
            | Self::MetadataRequest(_)
            | Self::Metadata(_)
            | Self::Pex(_)
            | Self::KeepAlive => peer_wire::encode(self, w),
            Self::Dht(message) => message.encode(w),
        }
    }

    /// The first bytes tell the protocol: a method or `HTTP`, a dictionary of
    /// the DHT, else the peer wire, whose handshake starts with 19 and whose other messages with a
    /// length below 2^24.
    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        match r.clone().u8()? {
            b'G' | b'P' => {
                let request = super::http::read_request(r)?;
                let message = match request.path {
                    b"/announce" => tracker_wire::read_announce(&request),
                    b"/scrape" => tracker_wire::read_scrape(&request),
                    _ => index_wire::read_request(&request),
                };
                message.ok_or_else(|| r.invalid("request", 0))
            }
            b'H' if r.clone().take(4, "method")? == b"HEAD" => {
                let request = super::http::read_request(r)?;
                index_wire::read_request(&request).ok_or_else(|| r.invalid("request", 0))
            }
            b'H' => {
                let response = super::http::read_response(r)?;
                let message = index_wire::read_response(&response)
                    .or_else(|| tracker_wire::read_response(&response));
                message.ok_or_else(|| r.invalid("response", u64::from(response.status)))
            }
            b'd' => DhtMessage::decode(r).map(Box::new).map(Self::Dht),
            _ => peer_wire::decode(r),
        }
    }
}
