//! Announces and scrapes over UDP (BEP 15): one datagram each way, numbers in
//! network order. Options behind an announce (BEP 41) are skipped.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Announce, Event, Scrape};
use crate::identity::{InfoHash, PeerId};

/// What a connect request begins with, in place of a connection's number.
pub const PROTOCOL_ID: u64 = 0x417_2710_1980;
/// The most torrents of one scrape.
pub const MAX_SCRAPE: usize = 74;
/// For how many seconds a client may use the number of a connection.
pub const CONNECTION_CLIENT_S: u32 = 60;
/// For how many seconds a tracker must accept it.
pub const CONNECTION_TRACKER_S: u32 = 120;
/// The most bytes of a datagram that are read: what a datagram can hold.
pub const MAX_DATAGRAM: usize = 65_535;

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// Seconds to wait for a reply after a request was sent for the `n`th time
/// (from 0): 15 · 2^n, and no more than 3,840 (BEP 15).
pub const fn timeout_s(n: u32) -> u32 {
    15 << if n < 8 { n } else { 8 }
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Asks for a connection's number, without which no address is believed.
    Connect {
        /// The client's number of the request, which the reply repeats.
        transaction: u32,
    },
    /// Announces.
    Announce {
        /// The connection's number.
        connection: u64,
        /// The client's number of the request.
        transaction: u32,
        /// What is announced. An `ip` of IPv6 cannot be said here.
        announce: Announce,
    },
    /// Asks for figures.
    Scrape {
        /// The connection's number.
        connection: u64,
        /// The client's number of the request.
        transaction: u32,
        /// The torrents, at most [`MAX_SCRAPE`].
        torrents: Vec<InfoHash>,
    },
}

/// What a tracker sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A connection's number.
    Connect {
        /// The client's number of the request.
        transaction: u32,
        /// The connection's number.
        connection: u64,
    },
    /// Peers.
    Announce {
        /// The client's number of the request.
        transaction: u32,
        /// Seconds to wait before the next regular announce.
        interval_s: u32,
        /// Peers that lack some of the torrent.
        leechers: u32,
        /// Peers that have all of it.
        seeds: u32,
        /// Peers, all of the family that carries the datagram.
        peers: Vec<SocketAddr>,
    },
    /// Figures of the torrents, in the order of the request.
    Scrape {
        /// The client's number of the request.
        transaction: u32,
        /// Each torrent's figures.
        torrents: Vec<Scrape>,
    },
    /// A refusal.
    Error {
        /// The client's number of the request.
        transaction: u32,
        /// What the tracker says, for people.
        message: String,
    },
}

/// The family of addresses that carries a datagram, and that peers are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Peers of 6 bytes.
    V4,
    /// Peers of 18 bytes.
    V6,
}

impl Family {
    /// The family of an address.
    pub const fn of(addr: &SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }
}

/// Why a datagram was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdpError {
    /// It ends early, or has a length that its kind cannot have.
    Length,
    /// Its first number is none that a connect request has.
    Protocol,
    /// There is no such action.
    Action(u32),
    /// There is no such event.
    Event(u32),
}

/// What is left of a datagram.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], UdpError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(UdpError::Length)?;
        self.0 = rest;
        Ok(*head)
    }

    fn u16(&mut self) -> Result<u16, UdpError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, UdpError> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, UdpError> {
        self.array().map(u64::from_be_bytes)
    }
}

impl Request {
    /// Reads a datagram that a tracker received.
    ///
    /// # Errors
    /// When it is no request.
    pub fn decode(datagram: &[u8]) -> Result<Self, UdpError> {
        let mut rest = Rest(datagram);
        let connection = rest.u64()?;
        let action = rest.u32()?;
        let transaction = rest.u32()?;
        match action {
            CONNECT if connection == PROTOCOL_ID => Ok(Self::Connect { transaction }),
            CONNECT => Err(UdpError::Protocol),
            ANNOUNCE => {
                let announce = read_announce(&mut rest)?;
                Ok(Self::Announce { connection, transaction, announce })
            }
            SCRAPE => {
                let (torrents, []) = rest.0.as_chunks::<20>() else { return Err(UdpError::Length) };
                if torrents.is_empty() || torrents.len() > MAX_SCRAPE {
                    return Err(UdpError::Length);
                }
                let torrents = torrents.iter().copied().map(InfoHash).collect();
                Ok(Self::Scrape { connection, transaction, torrents })
            }
            other => Err(UdpError::Action(other)),
        }
    }

    /// Writes the datagram.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (connection, action, transaction) = match self {
            Self::Connect { transaction } => (PROTOCOL_ID, CONNECT, *transaction),
            Self::Announce { connection, transaction, .. } => (*connection, ANNOUNCE, *transaction),
            Self::Scrape { connection, transaction, .. } => (*connection, SCRAPE, *transaction),
        };
        out.extend_from_slice(&connection.to_be_bytes());
        out.extend_from_slice(&action.to_be_bytes());
        out.extend_from_slice(&transaction.to_be_bytes());
        match self {
            Self::Connect { .. } => {}
            Self::Announce { announce, .. } => write_announce(out, announce),
            Self::Scrape { torrents, .. } => {
                torrents.iter().for_each(|torrent| out.extend_from_slice(&torrent.0));
            }
        }
    }
}

/// Writes, behind an announce, the path and query of the tracker's URL (BEP 41),
/// without which a tracker with accounts cannot tell whose announce it is.
pub fn write_url_data(out: &mut Vec<u8>, path_and_query: &str) {
    const URL_DATA: u8 = 2;
    for chunk in path_and_query.as_bytes().chunks(255) {
        out.extend_from_slice(&[URL_DATA, chunk.len() as u8]);
        out.extend_from_slice(chunk);
    }
}

fn read_announce(rest: &mut Rest<'_>) -> Result<Announce, UdpError> {
    let info_hash = InfoHash(rest.array()?);
    let peer_id = PeerId(rest.array()?);
    let (downloaded, left, uploaded) = (rest.u64()?, rest.u64()?, rest.u64()?);
    let event = match rest.u32()? {
        0 => Event::Regular,
        1 => Event::Completed,
        2 => Event::Started,
        3 => Event::Stopped,
        other => return Err(UdpError::Event(other)),
    };
    let ip = Ipv4Addr::from(rest.u32()?);
    let key = rest.u32()?;
    // Below 0 means as many as the tracker likes.
    let num_want = i32::from_be_bytes(rest.array()?);
    let port = rest.u16()?;
    Ok(Announce {
        info_hash,
        peer_id,
        port,
        uploaded,
        downloaded,
        left,
        event,
        num_want: u32::try_from(num_want).ok(),
        key: Some(key),
        ip: (!ip.is_unspecified()).then_some(IpAddr::V4(ip)),
    })
}

fn write_announce(out: &mut Vec<u8>, announce: &Announce) {
    out.extend_from_slice(&announce.info_hash.0);
    out.extend_from_slice(&announce.peer_id.0);
    for figure in [announce.downloaded, announce.left, announce.uploaded] {
        out.extend_from_slice(&figure.to_be_bytes());
    }
    let event: u32 = match announce.event {
        Event::Regular => 0,
        Event::Completed => 1,
        Event::Started => 2,
        Event::Stopped => 3,
    };
    out.extend_from_slice(&event.to_be_bytes());
    match announce.ip {
        Some(IpAddr::V4(ip)) => out.extend_from_slice(&ip.octets()),
        _ => out.extend_from_slice(&[0; 4]),
    }
    out.extend_from_slice(&announce.key.unwrap_or(0).to_be_bytes());
    let num_want = announce.num_want.map(|n| i32::try_from(n).unwrap_or(i32::MAX));
    out.extend_from_slice(&num_want.unwrap_or(-1).to_be_bytes());
    out.extend_from_slice(&announce.port.to_be_bytes());
}

impl Reply {
    /// Reads a datagram that a client received by an address of this family.
    /// Peers without a port are left out.
    ///
    /// # Errors
    /// When it is no reply.
    pub fn decode(datagram: &[u8], family: Family) -> Result<Self, UdpError> {
        let mut rest = Rest(datagram);
        let action = rest.u32()?;
        let transaction = rest.u32()?;
        match action {
            CONNECT => Ok(Self::Connect { transaction, connection: rest.u64()? }),
            ANNOUNCE => {
                let (interval_s, leechers, seeds) = (rest.u32()?, rest.u32()?, rest.u32()?);
                let peers = read_peers(rest.0, family)?;
                Ok(Self::Announce { transaction, interval_s, leechers, seeds, peers })
            }
            SCRAPE => {
                if !rest.0.len().is_multiple_of(12) {
                    return Err(UdpError::Length);
                }
                let mut torrents = Vec::with_capacity(rest.0.len() / 12);
                while !rest.0.is_empty() {
                    let (seeds, downloaded, leechers) = (rest.u32()?, rest.u32()?, rest.u32()?);
                    torrents.push(Scrape { seeds, downloaded, leechers });
                }
                Ok(Self::Scrape { transaction, torrents })
            }
            ERROR => {
                let message = String::from_utf8_lossy(rest.0);
                let message = message.trim_end_matches('\0').to_string();
                Ok(Self::Error { transaction, message })
            }
            other => Err(UdpError::Action(other)),
        }
    }

    /// The client's number of the request that is answered.
    pub const fn transaction(&self) -> u32 {
        match self {
            Self::Connect { transaction, .. }
            | Self::Announce { transaction, .. }
            | Self::Scrape { transaction, .. }
            | Self::Error { transaction, .. } => *transaction,
        }
    }

    /// Writes the datagram for a client of this family; peers of the other one
    /// are left out.
    pub fn encode(&self, out: &mut Vec<u8>, family: Family) {
        let action = match self {
            Self::Connect { .. } => CONNECT,
            Self::Announce { .. } => ANNOUNCE,
            Self::Scrape { .. } => SCRAPE,
            Self::Error { .. } => ERROR,
        };
        out.extend_from_slice(&action.to_be_bytes());
        out.extend_from_slice(&self.transaction().to_be_bytes());
        match self {
            Self::Connect { connection, .. } => out.extend_from_slice(&connection.to_be_bytes()),
            Self::Announce { interval_s, leechers, seeds, peers, .. } => {
                for figure in [interval_s, leechers, seeds] {
                    out.extend_from_slice(&figure.to_be_bytes());
                }
                peers.iter().for_each(|peer| write_peer(out, peer, family));
            }
            Self::Scrape { torrents, .. } => {
                let figures = |s: &Scrape| [s.seeds, s.downloaded, s.leechers];
                for figure in torrents.iter().flat_map(figures) {
                    out.extend_from_slice(&figure.to_be_bytes());
                }
            }
            Self::Error { message, .. } => out.extend_from_slice(message.as_bytes()),
        }
    }
}

/// As [`Reply::Announce`], for a tracker that keeps its peers in compact form:
/// all of the family that carries the datagram.
pub fn write_compact_reply(
    out: &mut Vec<u8>,
    transaction: u32,
    interval_s: u32,
    figures: Scrape,
    peers: &[u8],
) {
    for figure in [ANNOUNCE, transaction, interval_s, figures.leechers, figures.seeds] {
        out.extend_from_slice(&figure.to_be_bytes());
    }
    out.extend_from_slice(peers);
}

fn read_peers(bytes: &[u8], family: Family) -> Result<Vec<SocketAddr>, UdpError> {
    let peers: Vec<SocketAddr> = match family {
        Family::V4 => {
            let (chunks, []) = bytes.as_chunks::<6>() else { return Err(UdpError::Length) };
            let addr = |[a, b, c, d, high, low]: &[u8; 6]| {
                SocketAddr::from(([*a, *b, *c, *d], u16::from_be_bytes([*high, *low])))
            };
            chunks.iter().map(addr).collect()
        }
        Family::V6 => {
            let (chunks, []) = bytes.as_chunks::<18>() else { return Err(UdpError::Length) };
            let addr = |[ip @ .., high, low]: &[u8; 18]| {
                SocketAddr::from((*ip, u16::from_be_bytes([*high, *low])))
            };
            chunks.iter().map(addr).collect()
        }
    };
    Ok(peers.into_iter().filter(|peer| peer.port() != 0).collect())
}

fn write_peer(out: &mut Vec<u8>, peer: &SocketAddr, family: Family) {
    match (peer, family) {
        (SocketAddr::V4(peer), Family::V4) => out.extend_from_slice(&peer.ip().octets()),
        (SocketAddr::V6(peer), Family::V6) => out.extend_from_slice(&peer.ip().octets()),
        _ => return,
    }
    out.extend_from_slice(&peer.port().to_be_bytes());
}

impl fmt::Display for UdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("the datagram has a length that its kind cannot have"),
            Self::Protocol => f.write_str("a connect request without the protocol's number"),
            Self::Action(action) => write!(f, "there is no action {action}"),
            Self::Event(event) => write!(f, "there is no event {event}"),
        }
    }
}

impl core::error::Error for UdpError {}
