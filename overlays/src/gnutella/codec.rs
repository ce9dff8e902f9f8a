//! The wire format: the descriptors of Gnutella 0.4, byte for byte.
//!
//! A descriptor is a header of 23 bytes (GUID 16, type, TTL, hops, payload
//! length as four bytes little-endian) and its payload. What 0.4 has no
//! descriptor for travels as a vendor message (type 0x31: vendor four letters,
//! selector and version two bytes each, little-endian, then a body) of the
//! vendor `OLAB`, until the historical handshake in text takes its place.
//!
//! A Query's extension block, between the NUL after the text and the final
//! NUL, holds extensions parted by 0x1c, as in HUGE. Ours are
//! `urn:x-name-sha1:` + 32 letters of base 32, an exact query for the item
//! whose name has this SHA-1, and `x-walk:` + the originator's address and
//! port in 12 hexadecimal digits or nothing, the mark of a walker. A record's
//! extension block may hold `x-size:` + decimal digits, for a file too large
//! for the four bytes of its size. Others are ignored.

use std::sync::Arc;

use super::message::{Message, WalkBody};
use crate::parts::servent::wire::{
    BYE, EXTENSION_BREAK, HEADER_BYTES, Header, MAX_PAYLOAD, OUR_VENDOR, PING, PONG, PUSH, QUERY,
    QUERY_HIT, QueryText, VENDOR, VENDOR_BYTES, addr_from_hex, addr_to_hex, encode_header,
    encode_query, query_len,
};
use crate::parts::servent::{ByeBody, Guid, HitBody, MAX_TRY, PongHost, PushBody, Way};
use crate::seam::{Addr, Reader, Wire, WireError, Writer};

const CONNECT: u16 = 1;
const ACCEPT: u16 = 2;
const REFUSE: u16 = 3;
const GIV: u16 = 4;
const CHECK: u16 = 5;
const VERDICT: u16 = 6;
const COPY: u16 = 8;
const WALK: &str = "x-walk:";

impl Wire for Message {
    const KINDS: &'static [&'static str] = &[
        "ping",
        "pong",
        "query",
        "walk",
        "query hit",
        "push",
        "bye",
        "connect",
        "accept",
        "refuse",
        "giv",
        "check",
        "verdict",
        "copy",
    ];
    const MAX_BYTES: usize = HEADER_BYTES + MAX_PAYLOAD;

    fn kind(&self) -> usize {
        match self {
            Self::Ping { .. } => 0,
            Self::Pong { .. } => 1,
            Self::Query { .. } => 2,
            Self::Walk { .. } => 3,
            Self::QueryHit { .. } => 4,
            Self::Push { .. } => 5,
            Self::Bye { .. } => 6,
            Self::Connect { .. } => 7,
            Self::Accept { .. } => 8,
            Self::Refuse { .. } => 9,
            Self::Giv { .. } => 10,
            Self::Check { .. } => 11,
            Self::Verdict { .. } => 12,
            Self::Copy { .. } => 13,
        }
    }

    fn is_reply(&self) -> bool {
        matches!(
            self,
            Self::Pong { .. }
                | Self::QueryHit { .. }
                | Self::Accept { .. }
                | Self::Refuse { .. }
                | Self::Giv { .. }
                | Self::Verdict { .. }
        )
    }

    fn encoded_len(&self) -> usize {
        HEADER_BYTES
            + match self {
                Self::Ping { .. } => 0,
                Self::Pong { .. } => PongHost::BYTES,
                Self::Query { target, .. } => query_len(target, 0),
                Self::Walk { body, .. } => query_len(&body.target, walk_len(body)),
                Self::QueryHit { body, .. } => body.encoded_len(),
                Self::Push { .. } => PushBody::BYTES,
                Self::Bye { body, .. } => body.encoded_len(),
                Self::Connect { .. } | Self::Accept { .. } => VENDOR_BYTES + 1,
                Self::Refuse { hosts, .. } => VENDOR_BYTES + 4 + hosts.len() * Addr::BYTES,
                Self::Giv { .. } => VENDOR_BYTES + 20,
                Self::Copy { body, .. } => VENDOR_BYTES + body.encoded_len(),
                Self::Check { .. } => VENDOR_BYTES,
                Self::Verdict { .. } => VENDOR_BYTES + 1,
            }
    }

    fn encode(&self, w: &mut Writer) {
        let (guid, kind, way) = self.header();
        encode_header(w, guid, kind, way, self.encoded_len() - HEADER_BYTES);
        match self {
            Self::Ping { .. } => {}
            Self::Pong { host, .. } => host.encode(w),
            Self::Query { min_speed_kbps, target, .. } => {
                encode_query(w, min_speed_kbps.to_le_bytes(), target, "");
            }
            Self::Walk { min_speed_kbps, body, .. } => {
                encode_query(w, min_speed_kbps.to_le_bytes(), &body.target, &walk_text(body));
            }
            Self::QueryHit { body, .. } => body.encode(w),
            Self::Push { body, .. } => body.encode(w),
            Self::Bye { body, .. } => body.encode(w),
            _ => self.encode_vendor(w),
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        // Fixed payloads may be followed by GGEP extensions, which are ignored.
        let Header { guid, kind, way, payload: mut p } = Header::decode(r)?;
        match kind {
            PING => Ok(Self::Ping { guid, way }),
            PONG => Ok(Self::Pong { guid, way, host: PongHost::decode(&mut p)? }),
            QUERY => decode_query(&mut p, guid, way),
            QUERY_HIT => Ok(Self::QueryHit { guid, way, body: Arc::new(HitBody::decode(&mut p)?) }),
            PUSH => Ok(Self::Push { guid, way, body: Box::new(PushBody::decode(&mut p)?) }),
            BYE => Ok(Self::Bye { guid, body: Arc::new(ByeBody::decode(&mut p)?) }),
            VENDOR => decode_vendor(&mut p, guid, way),
            kind => Err(r.invalid("descriptor type", u64::from(kind))),
        }
    }
}

impl Message {
    fn header(&self) -> (Guid, u8, Way) {
        let once = Way::start(1);
        match self {
            Self::Ping { guid, way } => (*guid, PING, *way),
            Self::Pong { guid, way, .. } => (*guid, PONG, *way),
            Self::Query { guid, way, .. } | Self::Walk { guid, way, .. } => (*guid, QUERY, *way),
            Self::QueryHit { guid, way, .. } => (*guid, QUERY_HIT, *way),
            Self::Push { guid, way, .. } => (*guid, PUSH, *way),
            Self::Copy { guid, way, .. } => (*guid, VENDOR, *way),
            // A Bye has TTL 1 and hops 0: it is for the neighbour alone.
            Self::Bye { guid, .. } => (*guid, BYE, once),
            Self::Check { guid } | Self::Verdict { guid, .. } => (*guid, VENDOR, once),
            Self::Connect { .. } | Self::Accept { .. } | Self::Refuse { .. } | Self::Giv { .. } => {
                (Guid::ZERO, VENDOR, once)
            }
        }
    }

    fn encode_vendor(&self, w: &mut Writer) {
        let selector = match self {
            Self::Connect { .. } => CONNECT,
            Self::Accept { .. } => ACCEPT,
            Self::Refuse { .. } => REFUSE,
            Self::Giv { .. } => GIV,
            Self::Check { .. } => CHECK,
            Self::Verdict { .. } => VERDICT,
            Self::Copy { .. } => COPY,
            // The descriptors of 0.4 never come here.
            _ => return,
        };
        w.bytes(OUR_VENDOR);
        w.u16_le(selector);
        w.u16_le(1);
        match self {
            Self::Connect { links } | Self::Accept { links } => w.u8(*links),
            Self::Refuse { code, hosts } => {
                w.u16_le(*code);
                w.count(hosts.len());
                for host in hosts.iter() {
                    w.addr(*host);
                }
            }
            Self::Giv { servent, index } => {
                servent.encode(w);
                w.u32_le(*index);
            }
            Self::Verdict { walk_on, .. } => w.bool(*walk_on),
            Self::Copy { body, .. } => body.encode(w),
            _ => {}
        }
    }
}

fn decode_vendor(p: &mut Reader<'_>, guid: Guid, way: Way) -> Result<Message, WireError> {
    let vendor = p.take(4, "vendor")?;
    if vendor != OUR_VENDOR {
        return Err(p.invalid("vendor", 0));
    }
    let selector = p.u16_le()?;
    let version = p.u16_le()?;
    if version != 1 {
        return Err(p.invalid("vendor message version", u64::from(version)));
    }
    match selector {
        CONNECT => Ok(Message::Connect { links: p.u8()? }),
        ACCEPT => Ok(Message::Accept { links: p.u8()? }),
        REFUSE => {
            let code = p.u16_le()?;
            let count = p.count("hosts to try", MAX_TRY, Addr::BYTES)?;
            let hosts: Result<Vec<_>, _> = (0..count).map(|_| p.addr()).collect();
            Ok(Message::Refuse { code, hosts: hosts?.into() })
        }
        GIV => Ok(Message::Giv { servent: Guid::decode(p)?, index: p.u32_le()? }),
        CHECK => Ok(Message::Check { guid }),
        VERDICT => Ok(Message::Verdict { guid, walk_on: p.bool()? }),
        COPY => Ok(Message::Copy { guid, way, body: Arc::new(HitBody::decode(p)?) }),
        other => Err(p.invalid("vendor message selector", u64::from(other))),
    }
}

/// Bytes of [`walk_text`].
fn walk_len(body: &WalkBody) -> usize {
    WALK.len() + if body.originator.is_some() { 2 * Addr::BYTES } else { 0 }
}

/// The extension that marks a walker.
fn walk_text(body: &WalkBody) -> String {
    WALK.to_string() + &body.originator.map_or_else(String::new, addr_to_hex)
}

fn decode_query(p: &mut Reader<'_>, guid: Guid, way: Way) -> Result<Message, WireError> {
    let QueryText { head, target, extensions } = QueryText::decode(p)?;
    let min_speed_kbps = u16::from_le_bytes(head);
    let walk = extensions.split(EXTENSION_BREAK).filter_map(|e| e.strip_prefix(WALK));
    Ok(match walk.map(addr_from_hex).next_back() {
        Some(originator) => {
            let body = Arc::new(WalkBody { target, originator });
            Message::Walk { guid, way, min_speed_kbps, body }
        }
        None => Message::Query { guid, way, min_speed_kbps, target },
    })
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
