//! The URL of a request.

use core::fmt::{self, Write};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::super::{Announce, Event};
use crate::identity::{InfoHash, PeerId};
use crate::percent::{escape, unescape_array, unescape_bytes};

/// The most bytes of a query that are read.
pub const MAX_QUERY_BYTES: usize = 8 * 1024;
/// The most bytes of a tracker id that are read.
const MAX_TRACKER_ID_BYTES: usize = 256;

/// An announce over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnounceRequest {
    /// What is announced.
    pub announce: Announce,
    /// Whether the peers may come as a string (BEP 23).
    pub compact: bool,
    /// Whether the peers' ids may be left out where the peers are not compact.
    pub no_peer_id: bool,
    /// What the tracker's last reply gave for it.
    pub tracker_id: Option<Vec<u8>>,
    /// Where the client listens by IPv4, if it came by IPv6 (BEP 7).
    pub ipv4: Option<SocketAddrV4>,
    /// Where the client listens by IPv6, if it came by IPv4 (BEP 7).
    pub ipv6: Option<SocketAddrV6>,
}

/// Why a query was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// It is longer than [`MAX_QUERY_BYTES`].
    TooLong,
    /// A parameter is missing.
    Missing(&'static str),
    /// A parameter is not of its form.
    Invalid(&'static str),
    /// It asks for more torrents than the limit.
    TooMany(usize),
}

impl AnnounceRequest {
    /// A request for compact peers, with nothing but the announce.
    pub const fn new(announce: Announce) -> Self {
        Self { announce, compact: true, no_peer_id: true, tracker_id: None, ipv4: None, ipv6: None }
    }
}

/// The URL of an announce at the tracker whose metainfo says `tracker`.
pub fn announce_url(tracker: &str, request: &AnnounceRequest) -> String {
    let AnnounceRequest { announce, compact, no_peer_id, tracker_id, ipv4, ipv6 } = request;
    let mut url = base(tracker);
    url.push_str("info_hash=");
    escape(&mut url, announce.info_hash.0);
    url.push_str("&peer_id=");
    escape(&mut url, announce.peer_id.0);
    // Writing to a string does not fail.
    let _ = write!(
        url,
        "&port={}&uploaded={}&downloaded={}&left={}&compact={}",
        announce.port,
        announce.uploaded,
        announce.downloaded,
        announce.left,
        u8::from(*compact)
    );
    if *no_peer_id {
        url.push_str("&no_peer_id=1");
    }
    let event = match announce.event {
        Event::Regular => None,
        Event::Started => Some("started"),
        Event::Completed => Some("completed"),
        Event::Stopped => Some("stopped"),
    };
    if let Some(event) = event {
        let _ = write!(url, "&event={event}");
    }
    if let Some(num_want) = announce.num_want {
        let _ = write!(url, "&numwant={num_want}");
    }
    if let Some(key) = announce.key {
        let _ = write!(url, "&key={key:08X}");
    }
    let mut escaped = |name: &str, value: &[u8]| {
        url.push_str(name);
        escape(&mut url, value);
    };
    if let Some(ip) = announce.ip {
        escaped("&ip=", ip.to_string().as_bytes());
    }
    if let Some(ipv4) = ipv4 {
        escaped("&ipv4=", ipv4.to_string().as_bytes());
    }
    if let Some(ipv6) = ipv6 {
        escaped("&ipv6=", ipv6.to_string().as_bytes());
    }
    if let Some(id) = tracker_id {
        escaped("&trackerid=", id);
    }
    url
}

/// The URL of a scrape of these torrents (BEP 48), or `None` if the tracker has
/// none: where `announce` does not begin the last part of its path.
pub fn scrape_url(tracker: &str, torrents: &[InfoHash]) -> Option<String> {
    let path_end = tracker.find(['?', '#']).unwrap_or(tracker.len());
    let last = tracker[..path_end].rfind('/')? + 1;
    let rest = tracker[last..].strip_prefix("announce")?;
    let mut url = base(&format!("{}scrape{rest}", &tracker[..last]));
    for (i, torrent) in torrents.iter().enumerate() {
        url.push_str(if i == 0 { "info_hash=" } else { "&info_hash=" });
        escape(&mut url, torrent.0);
    }
    Some(url)
}

/// The tracker's URL, ready for the first parameter. It may have some already,
/// such as a key for its user.
fn base(tracker: &str) -> String {
    let mut url = tracker.split('#').next().unwrap_or_default().to_string();
    match url.find('?') {
        None => url.push('?'),
        Some(at) if at + 1 == url.len() || url.ends_with('&') => {}
        Some(_) => url.push('&'),
    }
    url
}

/// Reads what follows the `?` of an announce's URL. Of a parameter that stands
/// twice the first counts; unknown ones are skipped.
///
/// # Errors
/// When `info_hash`, `peer_id` or `port` is missing, or a parameter is not of
/// its form.
pub fn parse_announce_query(query: &[u8]) -> Result<AnnounceRequest, QueryError> {
    if query.len() > MAX_QUERY_BYTES {
        return Err(QueryError::TooLong);
    }
    let find = |name: &'static str| Parameter {
        name,
        value: parameters(query).find_map(|(key, value)| (key == name.as_bytes()).then_some(value)),
    };
    let announce = Announce {
        info_hash: InfoHash(find("info_hash").array()?),
        peer_id: PeerId(find("peer_id").array()?),
        port: find("port").number()?.ok_or(QueryError::Missing("port"))?,
        uploaded: find("uploaded").number()?.unwrap_or(0),
        downloaded: find("downloaded").number()?.unwrap_or(0),
        // Who does not say is no seed, which would be told of fewer peers.
        left: find("left").number()?.unwrap_or(u64::MAX),
        event: event(find("event"))?,
        num_want: num_want(find("numwant"))?,
        key: find("key").value.map(key),
        ip: find("ip").address()?,
    };
    let is_set = |name| find(name).value == Some(b"1");
    let tracker_id = find("trackerid");
    let ipv4 = match find("ipv4").endpoint(announce.port)? {
        Some(SocketAddr::V4(addr)) => Some(addr),
        _ => None,
    };
    let ipv6 = match find("ipv6").endpoint(announce.port)? {
        Some(SocketAddr::V6(addr)) => Some(addr),
        _ => None,
    };
    Ok(AnnounceRequest {
        compact: is_set("compact"),
        no_peer_id: is_set("no_peer_id"),
        tracker_id: tracker_id.value.map(|_| tracker_id.short_bytes()).transpose()?,
        ipv4,
        ipv6,
        announce,
    })
}

/// Reads what follows the `?` of a scrape's URL: the torrents that it asks for,
/// at most `limit`; none means all.
///
/// # Errors
/// When an `info_hash` is not of its form, or there are more than `limit`.
pub fn parse_scrape_query(query: &[u8], limit: usize) -> Result<Vec<InfoHash>, QueryError> {
    if query.len() > MAX_QUERY_BYTES {
        return Err(QueryError::TooLong);
    }
    let mut torrents = Vec::new();
    for (_, value) in parameters(query).filter(|(key, _)| *key == b"info_hash") {
        if torrents.len() == limit {
            return Err(QueryError::TooMany(limit));
        }
        let hash = unescape_array(value).ok_or(QueryError::Invalid("info_hash"))?;
        torrents.push(InfoHash(hash));
    }
    Ok(torrents)
}

/// The parameters of a query, still escaped.
fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|byte| *byte == b'&').map(|pair| match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, &[][..]),
    })
}

/// A parameter, still escaped, if it is there.
struct Parameter<'a> {
    name: &'static str,
    value: Option<&'a [u8]>,
}

impl Parameter<'_> {
    fn array(&self) -> Result<[u8; 20], QueryError> {
        let value = self.value.ok_or(QueryError::Missing(self.name))?;
        unescape_array(value).ok_or(QueryError::Invalid(self.name))
    }

    fn number<T: core::str::FromStr>(&self) -> Result<Option<T>, QueryError> {
        let Some(value) = self.value else { return Ok(None) };
        let digits = core::str::from_utf8(value).ok().filter(|text| !text.starts_with('+'));
        let number = digits.and_then(|text| text.parse().ok());
        number.map(Some).ok_or(QueryError::Invalid(self.name))
    }

    /// An IP address; a name, which BEP 3 allows too, is skipped, for no
    /// tracker can afford to look it up.
    fn address(&self) -> Result<Option<IpAddr>, QueryError> {
        let Some(text) = self.text()? else { return Ok(None) };
        Ok(text.parse().ok())
    }

    /// An IP address alone, or one with a port.
    fn endpoint(&self, port: u16) -> Result<Option<SocketAddr>, QueryError> {
        let Some(text) = self.text()? else { return Ok(None) };
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let alone = bare.unwrap_or(&text).parse().map(|ip| SocketAddr::new(ip, port));
        let endpoint = text.parse().or(alone);
        endpoint.map(Some).map_err(|_| QueryError::Invalid(self.name))
    }

    fn text(&self) -> Result<Option<String>, QueryError> {
        match self.value {
            None | Some(b"") => Ok(None),
            Some(_) => match String::from_utf8(self.short_bytes()?) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(QueryError::Invalid(self.name)),
            },
        }
    }

    fn short_bytes(&self) -> Result<Vec<u8>, QueryError> {
        let bytes = unescape_bytes(self.value.unwrap_or_default());
        let short = bytes.filter(|bytes| bytes.len() <= MAX_TRACKER_ID_BYTES);
        short.ok_or(QueryError::Invalid(self.name))
    }
}

fn event(parameter: Parameter<'_>) -> Result<Event, QueryError> {
    match parameter.value {
        // `paused` is a leecher that wants no more (BEP 21), and still a peer.
        None | Some(b"" | b"empty" | b"paused") => Ok(Event::Regular),
        Some(b"started") => Ok(Event::Started),
        Some(b"completed") => Ok(Event::Completed),
        Some(b"stopped") => Ok(Event::Stopped),
        Some(_) => Err(QueryError::Invalid("event")),
    }
}

/// Clients write -1 for as many as the tracker likes.
fn num_want(parameter: Parameter<'_>) -> Result<Option<u32>, QueryError> {
    match parameter.number::<i64>()? {
        None => Ok(None),
        Some(number) if number < 0 => Ok(None),
        Some(number) => Ok(Some(u32::try_from(number).unwrap_or(u32::MAX))),
    }
}

/// Clients write what they like for a key: up to eight hexadecimal digits are a
/// number, anything else is hashed to one (FNV-1a).
fn key(value: &[u8]) -> u32 {
    let is_hex = (1..=8).contains(&value.len()) && value.iter().all(u8::is_ascii_hexdigit);
    let digit = |key: u32, byte: &u8| key << 4 | char::from(*byte).to_digit(16).unwrap_or(0);
    match is_hex {
        true => value.iter().fold(0, digit),
        false => value
            .iter()
            .fold(0x811c_9dc5, |key: u32, byte| (key ^ u32::from(*byte)).wrapping_mul(0x0100_0193)),
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the query is longer than {MAX_QUERY_BYTES} bytes"),
            Self::Missing(name) => write!(f, "{name} is missing"),
            Self::Invalid(name) => write!(f, "{name} is not of its form"),
            Self::TooMany(limit) => write!(f, "more than {limit} torrents"),
        }
    }
}

impl core::error::Error for QueryError {}

/// The unspecified address is no address of a peer.
pub(super) const fn is_reachable(addr: &SocketAddr) -> bool {
    let is_unspecified = match addr.ip() {
        IpAddr::V4(ip) => matches!(ip, Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(ip) => matches!(ip, Ipv6Addr::UNSPECIFIED),
    };
    addr.port() != 0 && !is_unspecified
}
