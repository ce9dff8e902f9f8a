//! The body of a reply.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::super::{Peer, Scrape};
use super::request::is_reachable;
use crate::bencode::{
    BencodeError, Dict, KeyOrder, Kind, Limits, Value, decimal, dict_with, int, list_with, string,
};
use crate::identity::{InfoHash, PeerId};

/// The most bytes of a reply that are read: a scrape of 10,000 torrents, or
/// far more peers than anybody wants.
pub const MAX_REPLY_BYTES: usize = 1 << 20;
/// The most peers that are taken from one reply.
pub const MAX_PEERS: usize = 5000;
/// The seconds between announces where a tracker does not say.
pub const DEFAULT_INTERVAL_S: u32 = 1800;

/// Bytes of a peer in `peers`, and in `peers6`: an address and a port.
const COMPACT_V4: usize = 6;
const COMPACT_V6: usize = 18;

/// A tracker's answer to an announce.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnounceReply {
    /// Seconds to wait before the next regular announce.
    pub interval_s: u32,
    /// Seconds to wait at least before any announce.
    pub min_interval_s: Option<u32>,
    /// Peers that have all of the torrent.
    pub seeds: Option<u32>,
    /// Peers that lack some of it.
    pub leechers: Option<u32>,
    /// How often it was downloaded to the end.
    pub downloaded: Option<u32>,
    /// To be sent with the next announce.
    pub tracker_id: Option<Vec<u8>>,
    /// What the tracker has against the client, though it answers.
    pub warning: Option<String>,
    /// The client's address, as the tracker sees it (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// Peers of the torrent.
    pub peers: Vec<Peer>,
}

/// What a tracker knows of torrents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrapeReply {
    /// Each torrent's figures.
    pub torrents: Vec<(InfoHash, Scrape)>,
    /// Seconds to wait before the next scrape.
    pub min_interval_s: Option<u32>,
}

/// A tracker's refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it says, for people.
    pub reason: String,
    /// When to try again (BEP 31).
    pub retry: Retry,
}

/// When to try a tracker again that refused (BEP 31).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retry {
    /// It does not say.
    #[default]
    Unsaid,
    /// After this many minutes.
    Minutes(u32),
    /// Never.
    Never,
}

/// Why a body is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// The tracker refused.
    Failure(Failure),
    /// The body is not bencoded.
    Bencode(BencodeError),
    /// A field is missing, or not of its form.
    Field(&'static str),
}

/// Reads the reply to an announce. Peers that cannot be (port 0, no address, a
/// name instead of one) are left out, and those beyond [`MAX_PEERS`].
///
/// # Errors
/// When the tracker refused, or the body is no reply.
pub fn parse_announce_reply(body: &[u8]) -> Result<AnnounceReply, ReplyError> {
    let dict = reply_dict(body)?;
    let text = |key| dict.bytes(key).map(|b| String::from_utf8_lossy(b).into_owned());
    let mut peers = Vec::new();
    match dict.get("peers").map(Value::kind) {
        Some(Kind::Bytes(compact)) => read_compact_v4(compact, &mut peers)?,
        Some(Kind::List(list)) => {
            peers.extend(list.iter().filter_map(|value| peer(value.as_dict()?)).take(MAX_PEERS));
        }
        Some(_) => return Err(ReplyError::Field("peers")),
        None => {}
    }
    match dict.get("peers6").map(Value::kind) {
        Some(Kind::Bytes(compact)) => read_compact_v6(compact, &mut peers)?,
        Some(_) => return Err(ReplyError::Field("peers6")),
        None => {}
    }
    peers.truncate(MAX_PEERS);
    Ok(AnnounceReply {
        interval_s: figure(dict, "interval")?.unwrap_or(DEFAULT_INTERVAL_S),
        min_interval_s: figure(dict, "min interval")?,
        seeds: figure(dict, "complete")?,
        leechers: figure(dict, "incomplete")?,
        downloaded: figure(dict, "downloaded")?,
        tracker_id: dict.bytes("tracker id").map(<[u8]>::to_vec),
        warning: text("warning message"),
        external_ip: dict.bytes("external ip").and_then(address),
        peers,
    })
}

/// Reads the reply to a scrape.
///
/// # Errors
/// When the tracker refused, or the body is no reply.
pub fn parse_scrape_reply(body: &[u8]) -> Result<ScrapeReply, ReplyError> {
    let dict = reply_dict(body)?;
    let files = dict.dict("files").ok_or(ReplyError::Field("files"))?;
    let mut torrents = Vec::new();
    for (key, value) in files.iter() {
        let hash = key.try_into().map_err(|_| ReplyError::Field("files"))?;
        let file = value.as_dict().ok_or(ReplyError::Field("files"))?;
        let figure = |key| figure(file, key).map(Option::unwrap_or_default);
        let scrape = Scrape {
            seeds: figure("complete")?,
            downloaded: figure("downloaded")?,
            leechers: figure("incomplete")?,
        };
        torrents.push((InfoHash(hash), scrape));
    }
    let min_interval_s = match dict.dict("flags") {
        Some(flags) => figure(flags, "min_request_interval")?,
        None => None,
    };
    Ok(ScrapeReply { torrents, min_interval_s })
}

/// Trackers in the wild do not all sort their keys, and nothing is hashed here.
fn reply_dict(body: &[u8]) -> Result<Dict<'_>, ReplyError> {
    let limits = Limits::new(MAX_REPLY_BYTES).depth(8).key_order(KeyOrder::Any);
    let value = Value::parse(body, &limits).map_err(ReplyError::Bencode)?;
    let dict = value.as_dict().ok_or(ReplyError::Field("reply"))?;
    let Some(reason) = dict.bytes("failure reason") else { return Ok(dict) };
    let retry = match dict.get("retry in").map(Value::kind) {
        Some(Kind::Int(minutes)) => Retry::Minutes(clamped(minutes)),
        Some(Kind::Bytes(b"never")) => Retry::Never,
        Some(Kind::Bytes(digits)) => {
            let minutes = core::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
            minutes.map_or(Retry::Unsaid, Retry::Minutes)
        }
        _ => Retry::Unsaid,
    };
    let reason = String::from_utf8_lossy(reason).into_owned();
    Err(ReplyError::Failure(Failure { reason, retry }))
}

/// A count or a time; one below 0 is 0, and one beyond 32 bits the most.
fn figure(dict: Dict<'_>, key: &'static str) -> Result<Option<u32>, ReplyError> {
    match dict.get(key).map(Value::kind) {
        None => Ok(None),
        Some(Kind::Int(number)) => Ok(Some(clamped(number))),
        Some(_) => Err(ReplyError::Field(key)),
    }
}

fn clamped(number: i64) -> u32 {
    number.clamp(0, i64::from(u32::MAX)) as u32
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).into());
    }
    Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into())
}

/// A peer as a dictionary.
fn peer(dict: Dict<'_>) -> Option<Peer> {
    let ip: IpAddr = dict.str("ip")?.parse().ok()?;
    let addr = SocketAddr::new(ip, u16::try_from(dict.int("port")?).ok()?);
    let id = dict.bytes("peer id").and_then(|id| id.try_into().ok()).map(PeerId);
    is_reachable(&addr).then_some(Peer { addr, id })
}

fn read_compact_v4(bytes: &[u8], peers: &mut Vec<Peer>) -> Result<(), ReplyError> {
    let (chunks, []) = bytes.as_chunks::<COMPACT_V4>() else {
        return Err(ReplyError::Field("peers"));
    };
    let addrs = chunks.iter().map(|[a, b, c, d, high, low]| {
        SocketAddr::from(([*a, *b, *c, *d], u16::from_be_bytes([*high, *low])))
    });
    peers.extend(addrs.filter(is_reachable).take(MAX_PEERS).map(Peer::from));
    Ok(())
}

fn read_compact_v6(bytes: &[u8], peers: &mut Vec<Peer>) -> Result<(), ReplyError> {
    let (chunks, []) = bytes.as_chunks::<COMPACT_V6>() else {
        return Err(ReplyError::Field("peers6"));
    };
    let addrs = chunks
        .iter()
        .map(|[ip @ .., high, low]| SocketAddr::from((*ip, u16::from_be_bytes([*high, *low]))));
    peers.extend(addrs.filter(is_reachable).take(MAX_PEERS).map(Peer::from));
    Ok(())
}

/// Writes the reply to an announce, with the peers as strings (BEP 23, 7) or,
/// if not `compact`, as dictionaries with the ids that are known.
pub fn write_announce_reply(out: &mut Vec<u8>, reply: &AnnounceReply, compact: bool) {
    dict_with(out, |out| {
        write_figure(out, "complete", reply.seeds);
        write_figure(out, "downloaded", reply.downloaded);
        if let Some(ip) = reply.external_ip {
            string(out, "external ip");
            match ip {
                IpAddr::V4(ip) => string(out, ip.octets()),
                IpAddr::V6(ip) => string(out, ip.octets()),
            }
        }
        write_figure(out, "incomplete", reply.leechers);
        write_figure(out, "interval", Some(reply.interval_s));
        write_figure(out, "min interval", reply.min_interval_s);
        match compact {
            true => write_compact(out, &reply.peers),
            false => {
                string(out, "peers");
                list_with(out, |out| reply.peers.iter().for_each(|peer| write_peer(out, peer)));
            }
        }
        if let Some(id) = &reply.tracker_id {
            string(out, "tracker id");
            string(out, id);
        }
        if let Some(warning) = &reply.warning {
            string(out, "warning message");
            string(out, warning);
        }
    });
}

/// As [`write_announce_reply`], for a tracker that keeps its peers in compact
/// form: 6 bytes each in `peers` (BEP 23), 18 each in `peers6` (BEP 7).
pub fn write_compact_reply(
    out: &mut Vec<u8>,
    (interval_s, min_interval_s): (u32, u32),
    figures: Scrape,
    peers: &[u8],
    peers6: &[u8],
) {
    dict_with(out, |out| {
        write_figure(out, "complete", Some(figures.seeds));
        write_figure(out, "downloaded", Some(figures.downloaded));
        write_figure(out, "incomplete", Some(figures.leechers));
        write_figure(out, "interval", Some(interval_s));
        write_figure(out, "min interval", Some(min_interval_s));
        string(out, "peers");
        string(out, peers);
        if !peers6.is_empty() {
            string(out, "peers6");
            string(out, peers6);
        }
    });
}

/// Writes a refusal in place of any reply.
pub fn write_failure(out: &mut Vec<u8>, failure: &Failure) {
    dict_with(out, |out| {
        string(out, "failure reason");
        string(out, &failure.reason);
        match failure.retry {
            Retry::Unsaid => {}
            Retry::Minutes(minutes) => write_figure(out, "retry in", Some(minutes)),
            Retry::Never => {
                string(out, "retry in");
                string(out, "never");
            }
        }
    });
}

/// Writes the reply to a scrape. The torrents need not be in order; one that
/// stands twice is written once.
pub fn write_scrape_reply(out: &mut Vec<u8>, reply: &ScrapeReply) {
    let mut torrents: Vec<_> = reply.torrents.iter().collect();
    torrents.sort_unstable_by_key(|(hash, _)| *hash);
    torrents.dedup_by_key(|(hash, _)| *hash);
    dict_with(out, |out| {
        string(out, "files");
        dict_with(out, |out| {
            for (hash, scrape) in torrents {
                string(out, hash.0);
                dict_with(out, |out| {
                    write_figure(out, "complete", Some(scrape.seeds));
                    write_figure(out, "downloaded", Some(scrape.downloaded));
                    write_figure(out, "incomplete", Some(scrape.leechers));
                });
            }
        });
        if reply.min_interval_s.is_some() {
            string(out, "flags");
            dict_with(out, |out| write_figure(out, "min_request_interval", reply.min_interval_s));
        }
    });
}

fn write_figure(out: &mut Vec<u8>, key: &str, figure: Option<u32>) {
    if let Some(figure) = figure {
        string(out, key);
        int(out, i64::from(figure));
    }
}

/// `peers` is always there, `peers6` if there is one.
fn write_compact(out: &mut Vec<u8>, peers: &[Peer]) {
    let v6 = peers.iter().filter(|peer| peer.addr.is_ipv6()).count();
    string(out, "peers");
    decimal(out, ((peers.len() - v6) * COMPACT_V4) as u64);
    out.push(b':');
    for peer in peers {
        if let SocketAddr::V4(addr) = peer.addr {
            out.extend_from_slice(&addr.ip().octets());
            out.extend_from_slice(&addr.port().to_be_bytes());
        }
    }
    if v6 == 0 {
        return;
    }
    string(out, "peers6");
    decimal(out, (v6 * COMPACT_V6) as u64);
    out.push(b':');
    for peer in peers {
        if let SocketAddr::V6(addr) = peer.addr {
            out.extend_from_slice(&addr.ip().octets());
            out.extend_from_slice(&addr.port().to_be_bytes());
        }
    }
}

fn write_peer(out: &mut Vec<u8>, peer: &Peer) {
    dict_with(out, |out| {
        string(out, "ip");
        string(out, peer.addr.ip().to_string());
        if let Some(id) = peer.id {
            string(out, "peer id");
            string(out, id.0);
        }
        string(out, "port");
        int(out, i64::from(peer.addr.port()));
    });
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(Failure { reason, .. }) => {
                write!(f, "the tracker refuses: {}", reason.escape_debug())
            }
            Self::Bencode(error) => write!(f, "the tracker's reply is not bencoded: {error}"),
            Self::Field(name) => {
                write!(f, "`{name}` of the tracker's reply is missing or not of its form")
            }
        }
    }
}

impl core::error::Error for ReplyError {}
