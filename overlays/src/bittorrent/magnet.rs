//! Magnet links (BEP 9): a torrent's name in one line of text.

use std::net::SocketAddrV4;
use std::sync::Arc;

use super::text;
use crate::seam::{Addr, Item, Key, Writer};

/// The most trackers in a magnet link.
pub const MAX_TRACKERS: usize = 8;

/// The longest link that is read, in bytes: every byte of a name of 255 bytes
/// may take three.
pub const MAX_LINK_BYTES: usize = 2_048;

const SCHEME: &[u8] = b"magnet:?";
const TOPIC: &str = "urn:btih:";
const ANNOUNCE: (&str, &str) = ("http://", "/announce");

/// A magnet link: what suffices to find and check a torrent.
#[derive(Clone, Debug, PartialEq)]
pub struct Magnet {
    /// The torrent's identity: in this lab the key of its item, SHA-1 of the
    /// name, since catalogues hold no contents (BEP 3: SHA-1 of the info
    /// dictionary).
    pub info_hash: Key,
    /// Name and size, where the link tells both (`dn`, `xl`). The name hashes
    /// to the info-hash.
    pub item: Option<Arc<Item>>,
    /// The trackers, in the order of trial.
    pub trackers: Arc<[Addr]>,
}

impl Magnet {
    /// A link to `item`, announced at `trackers`.
    pub fn of(item: &Arc<Item>, trackers: &Arc<[Addr]>) -> Self {
        let item = Arc::clone(item);
        Self { info_hash: item.key(), item: Some(item), trackers: Arc::clone(trackers) }
    }

    /// Writes the link.
    pub fn write(&self, w: &mut Writer) {
        w.bytes(SCHEME);
        w.bytes(b"xt=");
        w.bytes(TOPIC.as_bytes());
        text::hex(w, self.info_hash);
        if let Some(item) = &self.item {
            w.bytes(b"&dn=");
            text::escape(w, item.name().as_bytes());
            w.bytes(b"&xl=");
            crate::parts::bencode::decimal(w, item.size_bytes());
        }
        for tracker in self.trackers.iter() {
            w.bytes(b"&tr=");
            text::escape(w, announce_url(*tracker).as_bytes());
        }
    }

    /// The link as text.
    pub fn to_link(&self) -> String {
        let mut w = Writer::new();
        self.write(&mut w);
        String::from_utf8(w.into_bytes()).expect("a link is ASCII")
    }

    /// Reads a link; parameters that this lab has no use for are passed over.
    /// `None` when it names no torrent, tells a name that does not hash to it,
    /// or is too long.
    pub fn parse(link: &[u8]) -> Option<Self> {
        if link.len() > MAX_LINK_BYTES {
            return None;
        }
        let mut info_hash = None;
        let (mut name, mut size_bytes) = (None, None);
        let mut trackers = Vec::new();
        for (key, value) in text::pairs(link.strip_prefix(SCHEME)?) {
            match key {
                b"xt" => {
                    let topic = core::str::from_utf8(value).ok()?;
                    info_hash = Some(Key::from_hex(topic.strip_prefix(TOPIC)?)?);
                }
                b"dn" => name = Some(String::from_utf8(text::unescape(value)?).ok()?),
                b"xl" => size_bytes = Some(text::number(value)?),
                b"tr" if trackers.len() < MAX_TRACKERS => {
                    trackers.extend(tracker_of(&text::unescape(value)?));
                }
                _ => {}
            }
        }
        let info_hash = info_hash?;
        let item = match (name, size_bytes) {
            (Some(name), Some(size_bytes)) => Some(Arc::new(Item::new(&name, size_bytes))),
            _ => None,
        };
        let sound = item.as_ref().is_none_or(|item| item.key() == info_hash);
        sound.then(|| Self { info_hash, item, trackers: trackers.into() })
    }

    /// Bytes that [`Magnet::write`] writes.
    pub fn encoded_len(&self) -> usize {
        let item = self.item.as_ref().map_or(0, |item| {
            8 + text::escaped_len(item.name().as_bytes())
                + crate::parts::bencode::decimal_len(item.size_bytes())
        });
        let trackers: usize = self
            .trackers
            .iter()
            .map(|tracker| 4 + text::escaped_len(announce_url(*tracker).as_bytes()))
            .sum();
        SCHEME.len() + 3 + TOPIC.len() + 40 + item + trackers
    }
}

/// Where the tracker at `addr` takes announces.
fn announce_url(addr: Addr) -> String {
    format!("{}{}{}", ANNOUNCE.0, addr.to_socket(), ANNOUNCE.1)
}

/// The tracker behind an announce URL; others than HTTP over IPv4 are none to
/// this lab.
fn tracker_of(url: &[u8]) -> Option<Addr> {
    let url = core::str::from_utf8(url).ok()?;
    let socket = url.strip_prefix(ANNOUNCE.0)?.strip_suffix(ANNOUNCE.1)?;
    socket.parse::<SocketAddrV4>().ok().map(Addr::from_socket)
}
