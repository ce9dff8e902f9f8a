//! The queries of HTTP clients, as a tracker reads them (BEP 3, 7, 48).

use core::fmt;
use core::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use super::Event;
use crate::InfoHash;

/// What the query of an announce says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The port the peer listens on.
    pub port: u16,
    /// Bytes left to download; 0 is a seed.
    pub left: u64,
    /// What it tells beside.
    pub event: Event,
    /// What only this client knows, as 32 bits; 0 if it tells nothing.
    pub key: u32,
    /// How many peers it wants, if it says so.
    pub want: Option<u32>,
    /// The address it wants to be reached at, if it says so.
    pub ip: Option<IpAddr>,
}

/// Why a query is not understood; the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// A field that has to be there is missing.
    Missing(&'static str),
    /// A field has a value that it cannot have.
    Bad(&'static str),
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "{field} is missing"),
            Self::Bad(field) => write!(f, "{field} is malformed"),
        }
    }
}

impl std::error::Error for QueryError {}

impl Query {
    /// Reads the query of an announce. Fields that are not known, such as
    /// `compact` (all replies are), are skipped.
    ///
    /// # Errors
    /// When `info_hash` or `port` is missing, or a field is malformed.
    pub fn read(query: &str) -> Result<Self, QueryError> {
        let (mut info_hash, mut port) = (None, None);
        let (mut left, mut event, mut key, mut want, mut ip) = (None, Event::None, 0, None, None);
        for (name, value) in fields(query) {
            match name {
                "info_hash" => info_hash = Some(hash(value)?),
                "port" => port = Some(number::<u16>(name, value)?),
                "left" => left = Some(number::<u64>(name, value)?),
                "event" => {
                    event = match value {
                        "started" => Event::Started,
                        "stopped" => Event::Stopped,
                        "completed" => Event::Completed,
                        // Such as `empty`, or `paused` of BEP 21.
                        _ => Event::None,
                    };
                }
                "key" => key = key_of(value),
                // Below 0 stands for the tracker's default.
                "numwant" if value.starts_with('-') || value.is_empty() => {}
                "numwant" => want = Some(number::<u32>("numwant", value)?),
                // A name instead of an address is allowed by BEP 3; no tracker
                // looks it up.
                "ip" => ip = value.parse().ok(),
                _ => {}
            }
        }
        Ok(Self {
            info_hash: info_hash.ok_or(QueryError::Missing("info_hash"))?,
            port: port.ok_or(QueryError::Missing("port"))?,
            // Who does not say how much is left is no seed.
            left: left.unwrap_or(u64::MAX),
            event,
            key,
            want,
            ip,
        })
    }
}

/// The torrents that the query of a scrape names.
///
/// # Errors
/// Each that is no hash.
pub fn scraped(query: &str) -> impl Iterator<Item = Result<InfoHash, QueryError>> {
    fields(query).filter(|(name, _)| *name == "info_hash").map(|(_, value)| hash(value))
}

fn fields(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').map(|field| field.split_once('=').unwrap_or((field, "")))
}

fn number<N: core::str::FromStr>(name: &str, value: &str) -> Result<N, QueryError> {
    let known = ["port", "left", "numwant"].into_iter().find(|known| *known == name);
    value.parse().map_err(|_| QueryError::Bad(known.unwrap_or("a number")))
}

/// Twenty bytes, each as itself or as `%` and two hexadecimal digits.
fn hash(value: &str) -> Result<InfoHash, QueryError> {
    const BAD: QueryError = QueryError::Bad("info_hash");
    let digit = |byte: Option<u8>| match byte {
        Some(byte @ b'0'..=b'9') => Ok(byte - b'0'),
        Some(byte @ b'a'..=b'f') => Ok(byte - b'a' + 10),
        Some(byte @ b'A'..=b'F') => Ok(byte - b'A' + 10),
        _ => Err(BAD),
    };
    let mut bytes = value.bytes();
    let mut hash = [0; 20];
    for slot in &mut hash {
        *slot = match bytes.next().ok_or(BAD)? {
            b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
            byte => byte,
        };
    }
    if bytes.next().is_some() { Err(BAD) } else { Ok(InfoHash(hash)) }
}

/// Most clients send the 32 bits of the UDP protocol in hexadecimal; of any
/// other text, a hash stands for it.
fn key_of(value: &str) -> u32 {
    u32::from_str_radix(value, 16).unwrap_or_else(|_| {
        let mut hasher = SipHasher13::new();
        hasher.write(value.as_bytes());
        hasher.finish() as u32
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "info_hash=%33%82%0d%b6%dd%5e%59%28%d2%3b%c8%11%bb%ac%2fJ%e9L%b8%82";

    fn read(rest: &str) -> Result<Query, QueryError> {
        Query::read(&format!("{HASH}&{rest}"))
    }

    #[test]
    fn a_whole_query_is_read() {
        let query = read(
            "peer_id=-UT1810-%2f&port=6881&uploaded=0&downloaded=0&left=65&key=A1b2C3d4\
             &event=started&numwant=200&compact=1&no_peer_id=1&ip=192.0.2.7",
        )
        .unwrap();
        assert_eq!(query.info_hash.to_string(), "33820db6dd5e5928d23bc811bbac2f4ae94cb882");
        assert_eq!((query.port, query.left, query.key), (6881, 65, 0xa1b2_c3d4));
        assert_eq!((query.event, query.want), (Event::Started, Some(200)));
        assert_eq!(query.ip, Some([192, 0, 2, 7].into()));
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let query = read("port=1&numwant=-1&event=paused&ip=example.org").unwrap();
        assert_eq!(
            (query.left, query.event, query.want, query.ip),
            (u64::MAX, Event::None, None, None)
        );
        assert_eq!(query.key, 0);
        assert_ne!(read("port=1&key=neither+hex").unwrap().key, 0);
    }

    #[test]
    fn what_is_malformed_is_named() {
        assert_eq!(Query::read(""), Err(QueryError::Missing("info_hash")));
        assert_eq!(read(""), Err(QueryError::Missing("port")));
        for field in ["port", "left", "numwant"] {
            assert_eq!(
                read(&format!("port=1&{field}=99999999999999999999")),
                Err(QueryError::Bad(field))
            );
        }
        for hash in ["", "abc", "%", "%3", "%zz", "012345678901234567890"] {
            assert_eq!(
                Query::read(&format!("info_hash={hash}&port=1")),
                Err(QueryError::Bad("info_hash"))
            );
        }
    }

    #[test]
    fn a_scrape_names_torrents() {
        let query = format!("{HASH}&x=y&info_hash=01234567890123456789&info_hash=1");
        let hashes: Vec<_> = scraped(&query).collect();
        assert_eq!(hashes.len(), 3);
        assert_eq!(hashes[1], Ok(InfoHash(*b"01234567890123456789")));
        assert_eq!(hashes[2], Err(QueryError::Bad("info_hash")));
    }

    proptest! {
        #[test]
        fn any_hash_is_read(bytes: [u8; 20]) {
            let encoded: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(hash(&encoded), Ok(InfoHash(bytes)));
        }

        #[test]
        fn no_text_does_harm(text: String) {
            // What is read is checked above; here nothing may panic.
            let _ = Query::read(&text);
            prop_assert!(scraped(&text).count() <= text.len());
        }
    }
}
