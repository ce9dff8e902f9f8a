//! How clients and trackers talk: announces and scrapes over HTTP with
//! bencoded replies (BEP 3, BEP 23, BEP 48).

use super::http::{self, Request, Response};
use super::message::{Announce, Counts, Event, MAX_PEERS, MAX_SCRAPE, Message, Peers, Refusal};
use super::text;
use crate::parts::bencode::{Dict, Value, decimal, decimal_len, int, int_len, string, string_len};
use crate::seam::{Addr, Key, Writer};

const SCRAPE: &[u8] = b"/scrape";
const INFO_HASH: &[u8] = b"info_hash=";

impl Event {
    /// The text of the `event` parameter; none for the announce of every
    /// interval.
    const fn text(self) -> &'static [u8] {
        match self {
            Self::Interval => b"",
            Self::Started => b"started",
            Self::Stopped => b"stopped",
            Self::Completed => b"completed",
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let all = [Self::Interval, Self::Started, Self::Stopped, Self::Completed];
        all.into_iter().find(|event| event.text() == text)
    }
}

impl Refusal {
    const ALL: [Self; 4] = [Self::NotServedHere, Self::Full, Self::TooOften, Self::Other];

    /// The text that the user of a client reads.
    const fn text(self) -> &'static [u8] {
        match self {
            Self::NotServedHere => b"not served here",
            Self::Full => b"no room for more",
            Self::TooOften => b"announced too often",
            Self::Other => b"refused",
        }
    }

    fn parse(text: &[u8]) -> Self {
        Self::ALL.into_iter().find(|refusal| refusal.text() == text).unwrap_or(Self::Other)
    }
}

/// Bytes that [`encode`] writes.
pub fn encoded_len(message: &Message) -> usize {
    match message {
        Message::Announce(announce) => http::get_len(b"GET", announce_len(announce)),
        Message::Peers(peers) => http::ok_len(peers_len(peers)),
        Message::Scrape(keys) => {
            let hashes = keys.iter().map(|key| 1 + INFO_HASH.len() + key_len(*key)).sum::<usize>();
            http::get_len(b"GET", SCRAPE.len() + hashes)
        }
        Message::Scraped(files) => http::ok_len(scraped_len(files)),
        Message::Refused(refusal) => http::ok_len(refused_len(*refusal)),
        _ => 0,
    }
}

/// Writes what belongs to trackers.
pub fn encode(message: &Message, w: &mut Writer) {
    match message {
        Message::Announce(announce) => {
            http::write_get(w, b"GET", |w| write_announce(w, announce));
        }
        Message::Peers(peers) => {
            http::write_ok(w, peers_len(peers));
            write_peers(w, peers);
        }
        Message::Scrape(keys) => http::write_get(w, b"GET", |w| {
            w.bytes(SCRAPE);
            for (at, key) in keys.iter().enumerate() {
                w.u8(if at == 0 { b'?' } else { b'&' });
                w.bytes(INFO_HASH);
                text::escape(w, &key.to_bytes());
            }
        }),
        Message::Scraped(files) => {
            http::write_ok(w, scraped_len(files));
            write_scraped(w, files);
        }
        Message::Refused(refusal) => {
            http::write_ok(w, refused_len(*refusal));
            w.u8(b'd');
            string(w, b"failure reason");
            string(w, refusal.text());
            w.u8(b'e');
        }
        _ => {}
    }
}

fn key_len(key: Key) -> usize {
    text::escaped_len(&key.to_bytes())
}

/// The numbers of an announce, with the names of their parameters.
fn numbers(announce: &Announce) -> [(&'static [u8], u64); 6] {
    [
        (b"&port=", u64::from(announce.port)),
        (b"&uploaded=", announce.uploaded),
        (b"&downloaded=", announce.downloaded),
        (b"&left=", announce.left),
        (b"&numwant=", u64::from(announce.numwant)),
        (b"&compact=", 1),
    ]
}

fn write_announce(w: &mut Writer, announce: &Announce) {
    w.bytes(b"/announce?");
    w.bytes(INFO_HASH);
    text::escape(w, &announce.info_hash.to_bytes());
    w.bytes(b"&peer_id=");
    text::escape(w, &announce.peer_id.to_bytes());
    for (name, value) in numbers(announce) {
        w.bytes(name);
        decimal(w, value);
    }
    if announce.event != Event::Interval {
        w.bytes(b"&event=");
        w.bytes(announce.event.text());
    }
}

fn announce_len(announce: &Announce) -> usize {
    let event = match announce.event {
        Event::Interval => 0,
        event => 7 + event.text().len(),
    };
    let numbers: usize =
        numbers(announce).iter().map(|(name, value)| name.len() + decimal_len(*value)).sum();
    10 + INFO_HASH.len()
        + key_len(announce.info_hash)
        + 9
        + key_len(announce.peer_id)
        + numbers
        + event
}

/// The announce behind a request for `/announce`.
pub fn read_announce(request: &Request<'_>) -> Option<Message> {
    let (mut info_hash, mut peer_id, mut port) = (None, None, None);
    let (mut uploaded, mut downloaded, mut left) = (0, 0, 0);
    let mut event = Event::Interval;
    let mut numwant = 50;
    for (key, value) in text::pairs(request.query) {
        match key {
            b"info_hash" => info_hash = Some(text::unescape_key(value)?),
            b"peer_id" => peer_id = Some(text::unescape_key(value)?),
            b"port" => port = Some(u16::try_from(text::number(value)?).ok()?),
            b"uploaded" => uploaded = text::number(value)?,
            b"downloaded" => downloaded = text::number(value)?,
            b"left" => left = text::number(value)?,
            b"event" => event = Event::parse(value)?,
            // A client may ask for more than a reply can hold.
            b"numwant" => numwant = text::number(value)?.min(u64::from(u16::MAX)) as u16,
            _ => {}
        }
    }
    let (info_hash, peer_id, port) = (info_hash?, peer_id?, port?);
    let announce =
        Announce { info_hash, peer_id, port, uploaded, downloaded, left, event, numwant };
    Some(Message::Announce(Box::new(announce)))
}

/// The numbers of a tracker's reply before its peers, in order of their keys.
fn reply_numbers(peers: &Peers) -> impl Iterator<Item = (&'static [u8], i64)> {
    let pair = |key: &'static str, value: u32| (key.as_bytes(), i64::from(value));
    [
        Some(pair("complete", peers.complete)),
        Some(pair("incomplete", peers.incomplete)),
        Some(pair("interval", peers.interval_s)),
        peers.min_interval_s.map(|s| pair("min interval", s)),
    ]
    .into_iter()
    .flatten()
}

/// Writes the body of a tracker's reply.
pub fn write_peers(w: &mut Writer, peers: &Peers) {
    w.u8(b'd');
    for (key, value) in reply_numbers(peers) {
        string(w, key);
        int(w, value);
    }
    string(w, b"peers");
    compact(w, &peers.peers);
    w.u8(b'e');
}

fn peers_len(peers: &Peers) -> usize {
    let numbers: usize =
        reply_numbers(peers).map(|(key, value)| string_len(key.len()) + int_len(value)).sum();
    2 + numbers + string_len(5) + compact_len(&peers.peers)
}

/// Writes addresses as one string of six bytes each (BEP 23).
pub fn compact(w: &mut Writer, peers: &[Addr]) {
    decimal(w, (peers.len() * Addr::BYTES) as u64);
    w.u8(b':');
    for peer in peers {
        w.addr(*peer);
    }
}

/// Bytes that [`compact`] writes.
pub const fn compact_len(peers: &[Addr]) -> usize {
    string_len(peers.len() * Addr::BYTES)
}

/// Up to `limit` addresses of six bytes each.
pub fn read_compact(bytes: &[u8], limit: usize) -> Option<Box<[Addr]>> {
    let (peers, rest) = bytes.as_chunks::<{ Addr::BYTES }>();
    let sound = rest.is_empty() && peers.len() <= limit;
    sound.then(|| peers.iter().map(|bytes| Addr::from_bytes(*bytes)).collect())
}

fn count_pairs(counts: &Counts) -> [(&'static [u8], u32); 3] {
    [
        (b"complete", counts.complete),
        (b"downloaded", counts.downloaded),
        (b"incomplete", counts.incomplete),
    ]
}

fn write_scraped(w: &mut Writer, files: &[(Key, Counts)]) {
    w.bytes(b"d5:filesd");
    for (key, counts) in files {
        string(w, &key.to_bytes());
        w.u8(b'd');
        for (name, count) in count_pairs(counts) {
            string(w, name);
            int(w, i64::from(count));
        }
        w.u8(b'e');
    }
    w.bytes(b"ee");
}

fn scraped_len(files: &[(Key, Counts)]) -> usize {
    let numbers = |counts: &Counts| {
        let pairs = count_pairs(counts);
        pairs.iter().map(|(name, n)| string_len(name.len()) + int_len(i64::from(*n))).sum::<usize>()
    };
    let file = |(_, counts): &(Key, Counts)| string_len(Key::BYTES) + 2 + numbers(counts);
    11 + files.iter().map(file).sum::<usize>()
}

const fn refused_len(refusal: Refusal) -> usize {
    2 + string_len(14) + string_len(refusal.text().len())
}

/// The scrape behind a request for `/scrape`. Without info-hashes it would ask
/// for everything a tracker has; nobody here serves that.
pub fn read_scrape(request: &Request<'_>) -> Option<Message> {
    let mut keys = Vec::new();
    for (key, value) in text::pairs(request.query) {
        if key == b"info_hash" {
            if keys.len() == MAX_SCRAPE {
                return None;
            }
            keys.push(text::unescape_key(value)?);
        }
    }
    (!keys.is_empty()).then(|| Message::Scrape(keys.into()))
}

fn small(dict: &Dict<'_>, key: &str) -> Option<u32> {
    u32::try_from(dict.int(key)?).ok()
}

/// The reply behind a response of a tracker.
pub fn read_response(response: &Response<'_>) -> Option<Message> {
    if response.status != 200 {
        return Some(Message::Refused(Refusal::NotServedHere));
    }
    let value = Value::from_bytes(response.body).ok()?;
    let dict = value.as_dict()?;
    if let Some(reason) = dict.bytes("failure reason") {
        return Some(Message::Refused(Refusal::parse(reason)));
    }
    if let Some(files) = dict.dict("files") {
        return read_scraped(files);
    }
    let peers = Peers {
        complete: small(dict, "complete").unwrap_or(0),
        incomplete: small(dict, "incomplete").unwrap_or(0),
        interval_s: small(dict, "interval")?,
        min_interval_s: small(dict, "min interval"),
        peers: read_compact(dict.bytes("peers")?, MAX_PEERS)?,
    };
    Some(Message::Peers(Box::new(peers)))
}

fn read_scraped(files: &Dict<'_>) -> Option<Message> {
    if files.pairs().len() > MAX_SCRAPE {
        return None;
    }
    let file = |(key, value): &(&[u8], Value<'_>)| {
        let key = Key::from_bytes((*key).try_into().ok()?);
        let dict = value.as_dict()?;
        let counts = Counts {
            complete: small(dict, "complete")?,
            downloaded: small(dict, "downloaded")?,
            incomplete: small(dict, "incomplete")?,
        };
        Some((key, counts))
    };
    files.pairs().iter().map(file).collect::<Option<_>>().map(Message::Scraped)
}
