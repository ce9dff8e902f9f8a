//! How clients and the index site talk: HTTP with magnet links.
//!
//! Index sites never had a common protocol. This one has the shape of what
//! they do: a site that is up, links posted to it, and pages of links for
//! words. A list of links is bencoded.

use std::sync::Arc;

use super::http::{self, Request, Response};
use super::magnet::Magnet;
use super::message::Message;
use super::text;
use crate::parts::bencode::{Value, decimal, decimal_len, string, string_len};
use crate::seam::{Keywords, Query, Target, Writer};

const TORRENTS: &[u8] = b"/torrents";
const NO_CONTENT: u16 = 204;
const CREATED: u16 = 201;
const INSUFFICIENT_STORAGE: u16 = 507;

/// Bytes that [`encode`] writes.
pub fn encoded_len(message: &Message) -> usize {
    match message {
        Message::Visit => http::get_len(b"HEAD", 1),
        Message::Welcome => http::status_len(NO_CONTENT),
        Message::Publish(magnet) => http::post_len(TORRENTS, magnet.encoded_len()),
        Message::Published { accepted } => http::status_len(published(*accepted)),
        Message::Browse(query) => http::get_len(b"GET", TORRENTS.len() + query_len(query)),
        Message::Listing(magnets) => http::ok_len(listing_len(magnets)),
        _ => 0,
    }
}

/// Writes what belongs to the index site.
pub fn encode(message: &Message, w: &mut Writer) {
    match message {
        Message::Visit => http::write_get(w, b"HEAD", |w| w.u8(b'/')),
        Message::Welcome => http::write_status(w, NO_CONTENT),
        Message::Publish(magnet) => {
            http::write_post(w, TORRENTS, magnet.encoded_len());
            magnet.write(w);
        }
        Message::Published { accepted } => http::write_status(w, published(*accepted)),
        Message::Browse(query) => http::write_get(w, b"GET", |w| {
            w.bytes(TORRENTS);
            write_query(w, query);
        }),
        Message::Listing(magnets) => {
            http::write_ok(w, listing_len(magnets));
            w.u8(b'l');
            for magnet in magnets {
                string(w, magnet.to_link().as_bytes());
            }
            w.u8(b'e');
        }
        _ => {}
    }
}

const fn published(accepted: bool) -> u16 {
    if accepted { CREATED } else { INSUFFICIENT_STORAGE }
}

fn listing_len(magnets: &[Magnet]) -> usize {
    2 + magnets.iter().map(|magnet| string_len(magnet.encoded_len())).sum::<usize>()
}

fn write_query(w: &mut Writer, query: &Query) {
    match &query.target {
        Target::Exact(key) => {
            w.bytes(b"?hash=");
            text::hex(w, *key);
        }
        Target::Keywords(words) => {
            w.bytes(b"?q=");
            text::escape(w, words.to_text().as_bytes());
        }
    }
    w.bytes(b"&limit=");
    decimal(w, u64::from(query.limit));
}

fn query_len(query: &Query) -> usize {
    let target = match &query.target {
        Target::Exact(_) => 6 + 40,
        // A space between two words takes three bytes.
        Target::Keywords(words) => {
            let spaces = words.words().len().saturating_sub(1);
            3 + words.words().map(|w| text::escaped_len(w.as_bytes())).sum::<usize>() + 3 * spaces
        }
    };
    target + 7 + decimal_len(u64::from(query.limit))
}

/// The message behind a request that is not for a tracker.
pub fn read_request(request: &Request<'_>) -> Option<Message> {
    match (request.method, request.path) {
        (b"HEAD", b"/") => Some(Message::Visit),
        (b"POST", TORRENTS) => {
            let magnet = Magnet::parse(request.body)?;
            Some(Message::Publish(Box::new(magnet)))
        }
        (b"GET", TORRENTS) => read_query(request.query).map(Box::new).map(Message::Browse),
        _ => None,
    }
}

fn read_query(query: &[u8]) -> Option<Query> {
    let mut target = None;
    let mut limit = 1;
    for (key, value) in text::pairs(query) {
        match key {
            b"hash" => {
                let hex = core::str::from_utf8(value).ok()?;
                target = Some(Target::Exact(crate::seam::Key::from_hex(hex)?));
            }
            b"q" => {
                let words = String::from_utf8(text::unescape(value)?).ok()?;
                target = Some(Target::Keywords(Arc::new(Keywords::of(&words))));
            }
            b"limit" => limit = text::number(value)?,
            _ => {}
        }
    }
    let limit = limit.clamp(1, u64::from(Query::MAX_LIMIT)) as u16;
    Some(Query { target: target?, limit })
}

/// The message behind a response, unless a tracker gave it.
pub fn read_response(response: &Response<'_>) -> Option<Message> {
    match response.status {
        NO_CONTENT => Some(Message::Welcome),
        CREATED => Some(Message::Published { accepted: true }),
        INSUFFICIENT_STORAGE => Some(Message::Published { accepted: false }),
        200 => {
            let Ok(Value::List(links)) = Value::from_bytes(response.body) else { return None };
            if links.len() > usize::from(Query::MAX_LIMIT) {
                return None;
            }
            let magnets = links.iter().map(|link| Magnet::parse(link.as_bytes()?));
            magnets.collect::<Option<_>>().map(Message::Listing)
        }
        _ => None,
    }
}
