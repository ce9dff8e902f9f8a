//! The wire format of 0.6: the handshake and the web cache in text, all else
//! in descriptors.
//!
//! RESET and PATCH are descriptors of type 0x30 with TTL 1. Leaf guidance
//! travels in the vendor messages BEAR 11 and 12 (type 0x31), the end of a
//! dynamic query and copies in two of our own, `OLAB` 7 and 8; all carry the
//! query's identifier in their header.

use std::sync::Arc;

use super::handshake::{self, Block, answer_text, connect_text};
use super::message::{Flags, Message};
use super::qrp::{PATCH_BYTES, PatchBody};
use crate::parts::servent::wire::{
    BYE, HEADER_BYTES, Header, MAX_PAYLOAD, OUR_VENDOR, PING, PONG, PUSH, QUERY, QUERY_HIT,
    QueryText, VENDOR, VENDOR_BYTES, encode_header, encode_query, query_len,
};
use crate::parts::servent::{ByeBody, Guid, HitBody, PongHost, PushBody, Way};
use crate::seam::{Addr, Reader, Wire, WireError, Writer};

/// The type of a query routing message.
const ROUTE_TABLE: u8 = 0x30;
const RESET: u8 = 0;
const PATCH: u8 = 1;

const LEAF_GUIDANCE_VENDOR: &[u8; 4] = b"BEAR";
const STATUS: u16 = 11;
const KEPT: u16 = 12;
const OVER: u16 = 7;
const COPY: u16 = 8;

const HOST_FILE: &str = "GET /?hostfile=1&client=OLAB&version=0.1 HTTP/1.0\r\n\r\n";
const UPDATE_HEAD: &str = "GET /?ip=";
const UPDATE_TAIL: &str = "&client=OLAB&version=0.1 HTTP/1.0\r\n\r\n";
const HTTP_OK: &str = "HTTP/1.0 200 OK";
const GIV: &str = "GIV ";
/// Hosts in a web cache's answer that are read.
pub const MAX_HOSTS: usize = 100;

impl Wire for Message {
    const KINDS: &'static [&'static str] = &[
        "ping",
        "pong",
        "query",
        "query hit",
        "push",
        "giv",
        "bye",
        "qrp reset",
        "qrp patch",
        "status request",
        "status",
        "query over",
        "connect",
        "answer",
        "host file request",
        "host file",
        "cache update",
        "cache answer",
        "copy",
    ];
    const MAX_BYTES: usize = HEADER_BYTES + MAX_PAYLOAD;

    fn kind(&self) -> usize {
        match self {
            Self::Ping { .. } => 0,
            Self::Pong { .. } => 1,
            Self::Query { .. } => 2,
            Self::QueryHit { .. } => 3,
            Self::Push { .. } => 4,
            Self::Giv { .. } => 5,
            Self::Bye { .. } => 6,
            Self::Reset { .. } => 7,
            Self::Patch { .. } => 8,
            Self::Status { .. } => 9,
            Self::Kept { .. } => 10,
            Self::Over { .. } => 11,
            Self::Connect { .. } => 12,
            Self::Answer { .. } => 13,
            Self::HostFile => 14,
            Self::Hosts { .. } => 15,
            Self::Update { .. } => 16,
            Self::Updated { .. } => 17,
            Self::Copy { .. } => 18,
        }
    }

    fn is_reply(&self) -> bool {
        matches!(
            self,
            Self::Pong { .. }
                | Self::QueryHit { .. }
                | Self::Giv { .. }
                | Self::Kept { .. }
                | Self::Over { .. }
                | Self::Answer { .. }
                | Self::Hosts { .. }
                | Self::Updated { .. }
        )
    }

    fn encoded_len(&self) -> usize {
        match self.header() {
            Some((_, _, _, payload)) => HEADER_BYTES + payload,
            None => self.text().len(),
        }
    }

    fn encode(&self, w: &mut Writer) {
        let Some((guid, kind, way, payload)) = self.header() else {
            return w.bytes(self.text().as_bytes());
        };
        encode_header(w, guid, kind, way, payload);
        match self {
            Self::Pong { host, .. } => host.encode(w),
            Self::Query { flags, target, .. } => {
                encode_query(w, flags.0.to_be_bytes(), target, "");
            }
            Self::QueryHit { body, .. } => body.encode(w),
            Self::Push { body, .. } => body.encode(w),
            Self::Bye { body, .. } => body.encode(w),
            Self::Reset { size, infinity } => {
                w.u8(RESET);
                w.u32_le(*size);
                w.u8(*infinity);
            }
            Self::Patch { body } => {
                w.u8(PATCH);
                w.u8(body.seq);
                w.u8(body.of);
                w.bool(body.zlib);
                w.u8(body.entry_bits);
                w.bytes(&body.data);
            }
            Self::Status { .. } => vendor(w, LEAF_GUIDANCE_VENDOR, STATUS),
            Self::Kept { hits, .. } => {
                vendor(w, LEAF_GUIDANCE_VENDOR, KEPT);
                w.u16_le(*hits);
            }
            Self::Over { .. } => vendor(w, OUR_VENDOR, OVER),
            Self::Copy { body, .. } => {
                vendor(w, OUR_VENDOR, COPY);
                body.encode(w);
            }
            // A ping has no payload; the others are text.
            _ => {}
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut ahead = r.clone();
        let first = ahead.take(ahead.remaining().min(9), "message")?;
        if first.starts_with(b"GNUTELLA") {
            return Ok(match handshake::read_block(r)? {
                Block::Connect(headers) => Self::Connect { headers: Box::new(headers) },
                Block::Answer(code, headers) => Self::Answer { code, headers: Box::new(headers) },
            });
        }
        if first.starts_with(GIV.as_bytes()) {
            return decode_giv(r);
        }
        if first.starts_with(b"GET /?") || first.starts_with(b"HTTP/1.") {
            return decode_web(r);
        }
        decode_descriptor(Header::decode(r)?)
    }
}

fn vendor(w: &mut Writer, vendor: &[u8; 4], selector: u16) {
    w.bytes(vendor);
    w.u16_le(selector);
    w.u16_le(1);
}

impl Message {
    /// Identifier, type, way and payload length of a descriptor; nothing for
    /// messages in text.
    fn header(&self) -> Option<(Guid, u8, Way, usize)> {
        let once = Way::start(1);
        Some(match self {
            Self::Ping { guid, way } => (*guid, PING, *way, 0),
            Self::Pong { guid, way, .. } => (*guid, PONG, *way, PongHost::BYTES),
            Self::Query { guid, way, target, .. } => (*guid, QUERY, *way, query_len(target, 0)),
            Self::QueryHit { guid, way, body } => (*guid, QUERY_HIT, *way, body.encoded_len()),
            Self::Push { guid, way, .. } => (*guid, PUSH, *way, PushBody::BYTES),
            Self::Bye { guid, body } => (*guid, BYE, once, body.encoded_len()),
            Self::Copy { guid, way, body } => {
                (*guid, VENDOR, *way, VENDOR_BYTES + body.encoded_len())
            }
            Self::Reset { .. } => (Guid::ZERO, ROUTE_TABLE, once, 6),
            Self::Patch { body } => (Guid::ZERO, ROUTE_TABLE, once, 5 + body.data.len()),
            Self::Status { guid } | Self::Over { guid } => (*guid, VENDOR, once, VENDOR_BYTES),
            Self::Kept { guid, .. } => (*guid, VENDOR, once, VENDOR_BYTES + 2),
            _ => return None,
        })
    }

    /// A message in text; empty for descriptors.
    fn text(&self) -> String {
        match self {
            Self::Connect { headers } => connect_text(headers),
            Self::Answer { code, headers } => answer_text(*code, headers),
            Self::Giv { servent, index } => format!("{GIV}{index}:{servent:?}/\n\n"),
            Self::HostFile => HOST_FILE.into(),
            Self::Update { host } => format!("{UPDATE_HEAD}{}{UPDATE_TAIL}", host.to_socket()),
            Self::Hosts { hosts } => {
                http(&hosts.iter().map(|a| format!("{}\n", a.to_socket())).collect::<String>())
            }
            Self::Updated { ok } => http(if *ok { "OK\n" } else { "ERROR\n" }),
            _ => String::new(),
        }
    }
}

fn http(body: &str) -> String {
    format!("{HTTP_OK}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn decode_descriptor(header: Header<'_>) -> Result<Message, WireError> {
    // Fixed payloads may be followed by GGEP extensions, which are ignored.
    let Header { guid, kind, way, payload: mut p } = header;
    match kind {
        PING => Ok(Message::Ping { guid, way }),
        PONG => Ok(Message::Pong { guid, way, host: PongHost::decode(&mut p)? }),
        QUERY => {
            let QueryText { head, target, .. } = QueryText::decode(&mut p)?;
            Ok(Message::Query { guid, way, flags: Flags(u16::from_be_bytes(head)), target })
        }
        QUERY_HIT => Ok(Message::QueryHit { guid, way, body: Arc::new(HitBody::decode(&mut p)?) }),
        PUSH => Ok(Message::Push { guid, way, body: Box::new(PushBody::decode(&mut p)?) }),
        BYE => Ok(Message::Bye { guid, body: Arc::new(ByeBody::decode(&mut p)?) }),
        ROUTE_TABLE => decode_route_table(&mut p),
        VENDOR => {
            let mut vendor = [0; 4];
            vendor.copy_from_slice(p.take(4, "vendor")?);
            let (selector, version) = (p.u16_le()?, p.u16_le()?);
            match (&vendor, selector, version) {
                (LEAF_GUIDANCE_VENDOR, STATUS, 1) => Ok(Message::Status { guid }),
                (LEAF_GUIDANCE_VENDOR, KEPT, 1) => Ok(Message::Kept { guid, hits: p.u16_le()? }),
                (OUR_VENDOR, OVER, 1) => Ok(Message::Over { guid }),
                (OUR_VENDOR, COPY, 1) => {
                    Ok(Message::Copy { guid, way, body: Arc::new(HitBody::decode(&mut p)?) })
                }
                _ => Err(p.invalid("vendor message", u64::from(selector))),
            }
        }
        kind => Err(p.invalid("descriptor type", u64::from(kind))),
    }
}

fn decode_route_table(p: &mut Reader<'_>) -> Result<Message, WireError> {
    match p.u8()? {
        RESET => Ok(Message::Reset { size: p.u32_le()?, infinity: p.u8()? }),
        PATCH => {
            let (seq, of, compressor, entry_bits) = (p.u8()?, p.u8()?, p.u8()?, p.u8()?);
            if compressor > 1 {
                return Err(p.invalid("compressor", u64::from(compressor)));
            }
            if entry_bits != 4 && entry_bits != 8 {
                return Err(p.invalid("entry bits", u64::from(entry_bits)));
            }
            if p.remaining() > PATCH_BYTES {
                return Err(p.too_long("patch", p.remaining() as u64));
            }
            let data = p.take(p.remaining(), "patch")?.into();
            let body = PatchBody::new(seq, of, compressor == 1, entry_bits, data);
            Ok(Message::Patch { body: Arc::new(body) })
        }
        variant => Err(p.invalid("route table variant", u64::from(variant))),
    }
}

/// `GIV index:guid/name`, ended by two newlines; the name says nothing new.
fn decode_giv(r: &mut Reader<'_>) -> Result<Message, WireError> {
    let mut ahead = r.clone();
    let rest = ahead.take(ahead.remaining().min(1024), "GIV")?;
    let Some(len) = rest.windows(2).position(|end| end == b"\n\n") else {
        return Err(r.invalid("GIV", 0));
    };
    let line = r.take(len + 2, "GIV")?;
    let text = core::str::from_utf8(&line[GIV.len()..len]).unwrap_or_default();
    let giv = text.split_once(':').and_then(|(index, rest)| {
        let digits = rest.split_once('/')?.0;
        let all_hex = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let value = all_hex.then(|| u128::from_str_radix(digits, 16).ok())??;
        let servent = Guid::from_bytes(value.to_be_bytes());
        Some(Message::Giv { servent, index: index.parse().ok()? })
    });
    giv.ok_or_else(|| r.invalid("GIV", 0))
}

/// A web cache's request or answer.
fn decode_web(r: &mut Reader<'_>) -> Result<Message, WireError> {
    let block = handshake::take_block(r)?;
    let mut lines = block.split("\r\n");
    let first = lines.next().unwrap_or_default();
    if let Some(request) = first.strip_prefix("GET /?") {
        let parameters = request.split(' ').next().unwrap_or_default();
        let value = |name: &str| {
            parameters.split('&').filter_map(|p| p.split_once('=')).find(|(n, _)| *n == name)
        };
        if let Some(host) = value("ip").and_then(|(_, host)| host.parse().ok()) {
            return Ok(Message::Update { host: Addr::from_socket(host) });
        }
        return match value("hostfile") {
            Some((_, "1")) => Ok(Message::HostFile),
            _ => Err(r.invalid("web cache request", 0)),
        };
    }
    let headers = lines.filter_map(|line| line.split_once(':'));
    let length = headers.filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-length"));
    let length = length.last().and_then(|(_, value)| value.trim().parse::<u16>().ok());
    let body = r.take(length.map_or(r.remaining(), usize::from), "web cache answer")?;
    match core::str::from_utf8(body).unwrap_or("ERROR").trim() {
        "OK" => Ok(Message::Updated { ok: true }),
        text if text.starts_with("ERROR") => Ok(Message::Updated { ok: false }),
        text => {
            let hosts = text.lines().filter_map(|line| line.trim().parse().ok());
            let hosts = hosts.map(Addr::from_socket).take(MAX_HOSTS).collect();
            Ok(Message::Hosts { hosts })
        }
    }
}
