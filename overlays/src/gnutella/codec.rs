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

use super::base32;
use super::guid::Guid;
use super::message::{
    ByeBody, HitBody, MAX_TRY, Message, PongHost, PushBody, Record, WalkBody, Way,
};
use crate::seam::wire::Problem;
use crate::seam::{Addr, Item, Keywords, Reader, Target, Wire, WireError, Writer};

/// Bytes of a descriptor's header.
pub const HEADER_BYTES: usize = 23;

/// The largest payload; a peer that announces more is broken.
pub const MAX_PAYLOAD: usize = 64 * 1024;

const PING: u8 = 0x00;
const PONG: u8 = 0x01;
const BYE: u8 = 0x02;
const VENDOR: u8 = 0x31;
const PUSH: u8 = 0x40;
const QUERY: u8 = 0x80;
const QUERY_HIT: u8 = 0x81;

const OUR_VENDOR: &[u8; 4] = b"OLAB";
const CONNECT: u16 = 1;
const ACCEPT: u16 = 2;
const REFUSE: u16 = 3;
const GIV: u16 = 4;
const CHECK: u16 = 5;
const VERDICT: u16 = 6;
/// Vendor, selector and version.
const VENDOR_BYTES: usize = 8;

const NAME_URN: &str = "urn:x-name-sha1:";
const WALK: &str = "x-walk:";
const SIZE: &str = "x-size:";
const EXTENSION_BREAK: char = '\u{1c}';
/// In a QueryHit's flag bytes: in the first, that a Push is needed; in the
/// second, that the first means it. The other flags have it the other way round.
const PUSH_FLAG: u8 = 0x01;

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
                Self::Pong { .. } => 14,
                Self::Query { target, .. } => 4 + target_len(target),
                Self::Walk { body, .. } => 4 + target_len(&body.target) + walk_len(body),
                Self::QueryHit { body, .. } => body.encoded_len(),
                Self::Push { .. } => 26,
                Self::Bye { body, .. } => 2 + bye_text_len(body) + 1,
                Self::Connect { .. } | Self::Accept { .. } => VENDOR_BYTES + 1,
                Self::Refuse { hosts, .. } => VENDOR_BYTES + 4 + hosts.len() * Addr::BYTES,
                Self::Giv { .. } => VENDOR_BYTES + 20,
                Self::Check { .. } => VENDOR_BYTES,
                Self::Verdict { .. } => VENDOR_BYTES + 1,
            }
    }

    fn encode(&self, w: &mut Writer) {
        let payload = self.encoded_len() - HEADER_BYTES;
        let (guid, kind, way) = self.header();
        guid.encode(w);
        w.u8(kind);
        w.u8(way.ttl);
        w.u8(way.hops);
        w.u32_le(u32::try_from(payload).expect("payloads are kept under 64 KiB"));
        match self {
            Self::Ping { .. } => {}
            Self::Pong { host, .. } => {
                encode_port_first(w, host.addr);
                w.u32_le(host.files);
                w.u32_le(host.kilobytes);
            }
            Self::Query { min_speed_kbps, target, .. } => {
                encode_query(w, *min_speed_kbps, target, None);
            }
            Self::Walk { min_speed_kbps, body, .. } => {
                encode_query(w, *min_speed_kbps, &body.target, Some(body));
            }
            Self::QueryHit { body, .. } => body.encode(w),
            Self::Push { body, .. } => {
                body.servent.encode(w);
                w.u32_le(body.index);
                encode_ip_first(w, body.to);
            }
            Self::Bye { body, .. } => {
                w.u16_le(body.code);
                encode_bye_text(w, body);
                w.u8(0);
            }
            _ => self.encode_vendor(w),
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let guid = Guid::decode(r)?;
        let kind = r.u8()?;
        let way = Way { ttl: r.u8()?, hops: r.u8()? };
        let len = r.u32_le()?;
        if len as usize > MAX_PAYLOAD {
            return Err(r.too_long("payload length", u64::from(len)));
        }
        // Fixed payloads may be followed by GGEP extensions, which are ignored.
        let mut p = Reader::new(r.take(len as usize, "payload")?);
        match kind {
            PING => Ok(Self::Ping { guid, way }),
            PONG => {
                let addr = decode_port_first(&mut p)?;
                let host = PongHost { addr, files: p.u32_le()?, kilobytes: p.u32_le()? };
                Ok(Self::Pong { guid, way, host })
            }
            QUERY => decode_query(&mut p, guid, way),
            QUERY_HIT => Ok(Self::QueryHit { guid, way, body: Arc::new(HitBody::decode(&mut p)?) }),
            PUSH => {
                let servent = Guid::decode(&mut p)?;
                let body = PushBody { servent, index: p.u32_le()?, to: decode_ip_first(&mut p)? };
                Ok(Self::Push { guid, way, body: Box::new(body) })
            }
            BYE => Ok(Self::Bye { guid, body: Arc::new(decode_bye(&mut p)?) }),
            VENDOR => decode_vendor(&mut p, guid),
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
            _ => {}
        }
    }
}

fn decode_vendor(p: &mut Reader<'_>, guid: Guid) -> Result<Message, WireError> {
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
        other => Err(p.invalid("vendor message selector", u64::from(other))),
    }
}

/// Port little-endian, then the address in network order, as in Pong and
/// QueryHit.
fn encode_port_first(w: &mut Writer, addr: Addr) {
    w.u16_le(addr.port());
    w.u32(addr.index());
}

fn decode_port_first(r: &mut Reader<'_>) -> Result<Addr, WireError> {
    let port = r.u16_le()?;
    Ok(addr_of(r.u32()?, port))
}

/// The address in network order, then the port little-endian, as in Push.
fn encode_ip_first(w: &mut Writer, addr: Addr) {
    w.u32(addr.index());
    w.u16_le(addr.port());
}

fn decode_ip_first(r: &mut Reader<'_>) -> Result<Addr, WireError> {
    let ip = r.u32()?;
    Ok(addr_of(ip, r.u16_le()?))
}

fn addr_of(ip: u32, port: u16) -> Addr {
    let (ip, port) = (ip.to_be_bytes(), port.to_be_bytes());
    Addr::from_bytes([ip[0], ip[1], ip[2], ip[3], port[0], port[1]])
}

/// Text and name extension without the two NULs.
fn target_len(target: &Target) -> usize {
    match target {
        Target::Exact(_) => NAME_URN.len() + base32::LETTERS,
        Target::Keywords(words) => words.text_len(),
    }
}

fn walk_len(body: &WalkBody) -> usize {
    let separator = usize::from(matches!(body.target, Target::Exact(_)));
    separator + WALK.len() + if body.originator.is_some() { 2 * Addr::BYTES } else { 0 }
}

fn encode_query(w: &mut Writer, min_speed_kbps: u16, target: &Target, walk: Option<&WalkBody>) {
    w.u16_le(min_speed_kbps);
    if let Target::Keywords(words) = target {
        let mut separator: &[u8] = b"";
        for word in words.words() {
            w.bytes(separator);
            w.bytes(word.as_bytes());
            separator = b" ";
        }
    }
    w.u8(0);
    if let Target::Exact(key) = target {
        w.bytes(NAME_URN.as_bytes());
        w.bytes(&base32::encode(*key));
    }
    if let Some(walk) = walk {
        if matches!(target, Target::Exact(_)) {
            w.u8(EXTENSION_BREAK as u8);
        }
        w.bytes(WALK.as_bytes());
        if let Some(originator) = walk.originator {
            for byte in originator.to_bytes() {
                w.bytes(format!("{byte:02x}").as_bytes());
            }
        }
    }
    w.u8(0);
}

fn decode_query(p: &mut Reader<'_>, guid: Guid, way: Way) -> Result<Message, WireError> {
    let min_speed_kbps = p.u16_le()?;
    let text = until_nul(p, "search text")?;
    // 0.4 queries may end after the text.
    let extensions = if p.remaining() == 0 { "" } else { until_nul(p, "query extensions")? };
    let mut exact = None;
    let mut walk = None;
    for extension in extensions.split(EXTENSION_BREAK) {
        if let Some(letters) = extension.strip_prefix(NAME_URN) {
            exact = base32::decode(letters);
        } else if let Some(digits) = extension.strip_prefix(WALK) {
            walk = Some(addr_from_hex(digits));
        }
    }
    let target = match exact {
        Some(key) => Target::Exact(key),
        None => Target::Keywords(Arc::new(Keywords::of(text))),
    };
    Ok(match walk {
        Some(originator) => {
            let body = Arc::new(WalkBody { target, originator });
            Message::Walk { guid, way, min_speed_kbps, body }
        }
        None => Message::Query { guid, way, min_speed_kbps, target },
    })
}

fn addr_from_hex(digits: &str) -> Option<Addr> {
    if digits.len() != 2 * Addr::BYTES || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let value = u64::from_str_radix(digits, 16).ok()?;
    let b = value.to_be_bytes();
    Some(Addr::from_bytes([b[2], b[3], b[4], b[5], b[6], b[7]]))
}

/// Text up to the next NUL, which is taken as well.
fn until_nul<'a>(r: &mut Reader<'a>, field: &'static str) -> Result<&'a str, WireError> {
    let mut ahead = r.clone();
    let rest = ahead.take(ahead.remaining(), field)?;
    let Some(len) = rest.iter().position(|b| *b == 0) else {
        return Err(WireError { offset: r.offset(), field, problem: Problem::Short(1) });
    };
    let text = r.take(len + 1, field)?;
    core::str::from_utf8(&text[..len]).map_err(|_| WireError {
        offset: r.offset(),
        field,
        problem: Problem::NotText,
    })
}

impl Record {
    /// Bytes of it in a QueryHit.
    pub fn encoded_len(&self) -> usize {
        8 + self.item.name().len() + 1 + self.size_extension().len() + 1
    }

    /// Nothing for files under 4 GiB.
    fn size_extension(&self) -> String {
        if self.item.size_bytes() < u64::from(u32::MAX) {
            return String::new();
        }
        format!("{SIZE}{}", self.item.size_bytes())
    }

    fn encode(&self, w: &mut Writer) {
        w.u32_le(self.index);
        w.u32_le(u32::try_from(self.item.size_bytes()).unwrap_or(u32::MAX));
        w.bytes(self.item.name().as_bytes());
        w.u8(0);
        w.bytes(self.size_extension().as_bytes());
        w.u8(0);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let index = r.u32_le()?;
        let mut size = u64::from(r.u32_le()?);
        let name = until_nul(r, "file name")?;
        // Real extension blocks may be binary, so only ours must be text.
        let mut ahead = r.clone();
        let rest = ahead.take(ahead.remaining(), "record extensions")?;
        let len = rest.iter().position(|b| *b == 0).unwrap_or(rest.len());
        let extensions = &r.take((len + 1).min(rest.len()), "record extensions")?[..len];
        for extension in extensions.split(|b| *b == EXTENSION_BREAK as u8) {
            let digits = extension.strip_prefix(SIZE.as_bytes());
            let text = digits.and_then(|d| core::str::from_utf8(d).ok());
            size = text.and_then(|t| t.parse().ok()).unwrap_or(size);
        }
        Ok(Self { index, item: Arc::new(Item::new(name, size)) })
    }
}

impl HitBody {
    fn encode(&self, w: &mut Writer) {
        w.u8(u8::try_from(self.records().len()).expect("a hit has at most 255 records"));
        encode_port_first(w, self.provider);
        w.u32_le(self.speed_kbps);
        for record in self.records() {
            record.encode(w);
        }
        w.bytes(OUR_VENDOR);
        w.u8(2);
        w.u8(if self.push { PUSH_FLAG } else { 0 });
        w.u8(PUSH_FLAG);
        self.servent.encode(w);
    }

    fn decode(p: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = p.u8()?;
        let provider = decode_port_first(p)?;
        let speed_kbps = p.u32_le()?;
        let mut records = Vec::new();
        for _ in 0..count {
            records.push(Record::decode(p)?);
        }
        // The servent identifier is the last 16 bytes; whatever stands between
        // it and the records is the vendor's hit descriptor, or nothing.
        let middle = p.remaining().saturating_sub(Guid::BYTES);
        let vendor = p.take(middle, "hit descriptor")?;
        let push = match vendor {
            [_, _, _, _, open, enable, set, ..] if *open >= 2 => enable & set & PUSH_FLAG != 0,
            _ => false,
        };
        let servent = Guid::decode(p)?;
        Ok(Self::new(provider, speed_kbps, push, servent, records))
    }
}

/// The reason phrase that goes with a code.
fn reason(code: u16) -> &'static str {
    match code {
        200 => "Leaving",
        201 => "Making room",
        _ => "Closing",
    }
}

const BYE_HEADER: &str = "\r\nX-Try: ";
const BYE_END: &str = "\r\n\r\n";

/// Hosts are written in 12 hexadecimal digits each, with commas between.
fn bye_text_len(body: &ByeBody) -> usize {
    let hosts = body.hosts.len();
    let header = BYE_HEADER.len() + hosts * (2 * Addr::BYTES + 1) + BYE_END.len();
    reason(body.code).len() + if hosts == 0 { 0 } else { header - 1 }
}

fn encode_bye_text(w: &mut Writer, body: &ByeBody) {
    w.bytes(reason(body.code).as_bytes());
    let mut lead = BYE_HEADER;
    for host in &body.hosts {
        w.bytes(lead.as_bytes());
        for byte in host.to_bytes() {
            w.bytes(format!("{byte:02x}").as_bytes());
        }
        lead = ",";
    }
    if !body.hosts.is_empty() {
        w.bytes(BYE_END.as_bytes());
    }
}

fn decode_bye(p: &mut Reader<'_>) -> Result<ByeBody, WireError> {
    let code = p.u16_le()?;
    let text = if p.remaining() == 0 { "" } else { until_nul(p, "reason")? };
    let list = text.split_once(BYE_HEADER).map_or("", |(_, rest)| rest);
    let list = list.split_once("\r\n").map_or(list, |(line, _)| line);
    let hosts = list.split(',').filter_map(addr_from_hex).take(MAX_TRY).collect();
    Ok(ByeBody { code, hosts })
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
