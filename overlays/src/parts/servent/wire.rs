//! The bytes of a descriptor: its header, and the payloads that both
//! Gnutellas share.
//!
//! A descriptor is a header of 23 bytes (GUID 16, type, TTL, hops, payload
//! length as four bytes little-endian) and its payload.
//!
//! A Query's extension block, between the NUL after the text and the final
//! NUL, holds extensions parted by 0x1c, as in HUGE. Ours is
//! `urn:x-name-sha1:` + 32 letters of base 32, an exact query for the item
//! whose name has this SHA-1. A record's extension block may hold `x-size:` +
//! decimal digits, for a file too large for the four bytes of its size. Others
//! are ignored.

use std::sync::Arc;

use super::base32;
use super::descriptor::{ByeBody, HitBody, MAX_TRY, PongHost, PushBody, Record, Way};
use super::guid::Guid;
use crate::seam::wire::Problem;
use crate::seam::{Addr, Item, Key, Keywords, Reader, Target, WireError, Writer};

/// Bytes of a descriptor's header.
pub const HEADER_BYTES: usize = 23;

/// The largest payload; a peer that announces more is broken.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// The type of a Ping.
pub const PING: u8 = 0x00;
/// The type of a Pong.
pub const PONG: u8 = 0x01;
/// The type of a Bye.
pub const BYE: u8 = 0x02;
/// The type of a vendor message.
pub const VENDOR: u8 = 0x31;
/// The type of a Push.
pub const PUSH: u8 = 0x40;
/// The type of a Query.
pub const QUERY: u8 = 0x80;
/// The type of a QueryHit.
pub const QUERY_HIT: u8 = 0x81;

/// The four letters of this lab as a vendor.
pub const OUR_VENDOR: &[u8; 4] = b"OLAB";
/// Bytes of a vendor message before its body: vendor, selector and version.
pub const VENDOR_BYTES: usize = 8;

/// What parts the extensions of a Query or of a record.
pub const EXTENSION_BREAK: char = '\u{1c}';

const NAME_URN: &str = "urn:x-name-sha1:";
const SIZE: &str = "x-size:";
/// In a QueryHit's flag bytes: in the first, that a Push is needed; in the
/// second, that the first means it. The other flags have it the other way round.
const PUSH_FLAG: u8 = 0x01;

/// A descriptor's header, and a reader over exactly its payload.
#[derive(Debug)]
pub struct Header<'a> {
    /// The descriptor's identifier.
    pub guid: Guid,
    /// Its type.
    pub kind: u8,
    /// TTL and hops.
    pub way: Way,
    /// The payload.
    pub payload: Reader<'a>,
}

impl<'a> Header<'a> {
    /// Reads a header and takes its payload.
    ///
    /// # Errors
    /// When the input ends early or the payload is over [`MAX_PAYLOAD`].
    pub fn decode(r: &mut Reader<'a>) -> Result<Self, WireError> {
        let guid = Guid::decode(r)?;
        let kind = r.u8()?;
        let way = Way { ttl: r.u8()?, hops: r.u8()? };
        let len = r.u32_le()?;
        if len as usize > MAX_PAYLOAD {
            return Err(r.too_long("payload length", u64::from(len)));
        }
        let payload = Reader::new(r.take(len as usize, "payload")?);
        Ok(Self { guid, kind, way, payload })
    }
}

/// Writes a descriptor's header.
pub fn encode_header(w: &mut Writer, guid: Guid, kind: u8, way: Way, payload_bytes: usize) {
    guid.encode(w);
    w.u8(kind);
    w.u8(way.ttl);
    w.u8(way.hops);
    w.u32_le(u32::try_from(payload_bytes).expect("payloads are kept under 64 KiB"));
}

impl PongHost {
    /// Bytes of a Pong's payload.
    pub const BYTES: usize = 14;

    /// Writes a Pong's payload.
    pub fn encode(&self, w: &mut Writer) {
        encode_port_first(w, self.addr);
        w.u32_le(self.files);
        w.u32_le(self.kilobytes);
    }

    /// Reads a Pong's payload. GGEP extensions that follow are ignored.
    ///
    /// # Errors
    /// When the input ends early.
    pub fn decode(p: &mut Reader<'_>) -> Result<Self, WireError> {
        let addr = decode_port_first(p)?;
        Ok(Self { addr, files: p.u32_le()?, kilobytes: p.u32_le()? })
    }
}

impl PushBody {
    /// Bytes of a Push's payload.
    pub const BYTES: usize = 26;

    /// Writes a Push's payload.
    pub fn encode(&self, w: &mut Writer) {
        self.servent.encode(w);
        w.u32_le(self.index);
        encode_ip_first(w, self.to);
    }

    /// Reads a Push's payload.
    ///
    /// # Errors
    /// When the input ends early.
    pub fn decode(p: &mut Reader<'_>) -> Result<Self, WireError> {
        let servent = Guid::decode(p)?;
        Ok(Self { servent, index: p.u32_le()?, to: decode_ip_first(p)? })
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

/// The extension by which a Query asks for the item with `key`.
pub fn name_urn(key: Key) -> impl Iterator<Item = u8> {
    NAME_URN.bytes().chain(base32::encode(key))
}

/// Bytes of a Query's payload with an extension of `extension` bytes beside
/// those that the target needs itself.
pub fn query_len(target: &Target, extension: usize) -> usize {
    let separator = extension > 0 && matches!(target, Target::Exact(_));
    4 + target_len(target) + usize::from(separator) + extension
}

/// Writes a Query's payload. The first two bytes, the slowest upstream wanted
/// in 0.4 and flags in 0.6, are given as they stand.
pub fn encode_query(w: &mut Writer, head: [u8; 2], target: &Target, extension: &str) {
    w.bytes(&head);
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
        if !extension.is_empty() {
            w.u8(EXTENSION_BREAK as u8);
        }
    }
    w.bytes(extension.as_bytes());
    w.u8(0);
}

/// A Query's payload as it was read.
#[derive(Debug)]
pub struct QueryText<'a> {
    /// Its first two bytes.
    pub head: [u8; 2],
    /// What it looks for.
    pub target: Target,
    /// Its extensions, parted by [`EXTENSION_BREAK`].
    pub extensions: &'a str,
}

impl<'a> QueryText<'a> {
    /// Reads a Query's payload.
    ///
    /// # Errors
    /// When the input ends early or is not UTF-8.
    pub fn decode(p: &mut Reader<'a>) -> Result<Self, WireError> {
        let head = [p.u8()?, p.u8()?];
        let text = until_nul(p, "search text")?;
        // 0.4 queries may end after the text.
        let extensions = if p.remaining() == 0 { "" } else { until_nul(p, "query extensions")? };
        let urns = extensions.split(EXTENSION_BREAK).filter_map(|e| e.strip_prefix(NAME_URN));
        let target = match urns.filter_map(base32::decode).next_back() {
            Some(key) => Target::Exact(key),
            None => Target::Keywords(Arc::new(Keywords::of(text))),
        };
        Ok(Self { head, target, extensions })
    }
}

/// An address in 12 hexadecimal digits, as our extensions write it.
pub fn addr_to_hex(addr: Addr) -> String {
    addr.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The address in 12 hexadecimal digits.
pub fn addr_from_hex(digits: &str) -> Option<Addr> {
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
    /// Writes a QueryHit's payload.
    pub fn encode(&self, w: &mut Writer) {
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

    /// Reads a QueryHit's payload.
    ///
    /// # Errors
    /// When the input ends early or a name is not UTF-8.
    pub fn decode(p: &mut Reader<'_>) -> Result<Self, WireError> {
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

impl ByeBody {
    /// Bytes of a Bye's payload.
    pub fn encoded_len(&self) -> usize {
        2 + bye_text_len(self) + 1
    }

    /// Writes a Bye's payload.
    pub fn encode(&self, w: &mut Writer) {
        w.u16_le(self.code);
        encode_bye_text(w, self);
        w.u8(0);
    }

    /// Reads a Bye's payload.
    ///
    /// # Errors
    /// When the input ends early or is not UTF-8.
    pub fn decode(p: &mut Reader<'_>) -> Result<Self, WireError> {
        let code = p.u16_le()?;
        let text = if p.remaining() == 0 { "" } else { until_nul(p, "reason")? };
        let list = text.split_once(BYE_HEADER).map_or("", |(_, rest)| rest);
        let list = list.split_once("\r\n").map_or(list, |(line, _)| line);
        let hosts = list.split(',').filter_map(addr_from_hex).take(MAX_TRY).collect();
        Ok(Self { code, hosts })
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
        w.bytes(addr_to_hex(*host).as_bytes());
        lead = ",";
    }
    if !body.hosts.is_empty() {
        w.bytes(BYE_END.as_bytes());
    }
}
