//! FastTrack's messages as bytes.
//!
//! Types and bodies are those of the giFT-FastTrack description where it has
//! them; those between supernodes and to the list server were never published
//! and are ours, with types from 0x80 on. The five bytes before a body are
//! always in the order of a connection's first packet, since the order of later
//! ones depends on the packets before them; neither are bytes encrypted.

use std::sync::Arc;

use super::greeting::{GREETING_BYTES, Seed, greeting};
use super::message::{
    Bandwidth, Callback, Listing, MAX_LIST, MAX_RESULTS, Message, NodeEntry, NodeList, Results,
};
use super::uuhash::checksum14;
use crate::seam::{Addr, Hit, Item, Key, Keywords, Query, Reader, Target, Wire, WireError, Writer};

/// What every packet on a stream begins with.
const PACKET: u8 = 0x4b;
/// The name of the network, as probes and results tell it.
const NETWORK: &[u8] = b"KaZaA";
/// The longest body of a packet: its length has 16 bits.
const MAX_BODY: usize = 0xffff;
/// Bytes of a line of a list of supernodes.
const ENTRY_BYTES: usize = 8;
/// Bytes of the hash of a file: MD5 of its beginning and the small hash.
const HASH_BYTES: usize = 20;
/// Bytes of a user's name: `u` and its address in hexadecimal digits.
const USER_BYTES: usize = 13;
/// The bit in the last fixed byte of the user information that tells of a
/// firewall (ours: the byte's meaning is not known).
const FIREWALLED: u8 = 0x80;

/// The first byte of what is no packet.
mod bare {
    pub const PING: u8 = 0x27;
    pub const PONG: u8 = 0x28;
    pub const REFUSAL: u8 = 0x29;
    /// Not a datagram, but as bare: the ping on a stream.
    pub const ALIVE: u8 = 0x50;
    /// How a stream begins.
    pub const GREETING: u8 = 0xfa;
}

/// The types of packets.
mod kind {
    pub const NODES: u16 = 0x00;
    pub const USER_INFO: u16 = 0x02;
    pub const UNSHARE: u16 = 0x05;
    pub const SEARCH: u16 = 0x06;
    pub const RESULT: u16 = 0x07;
    pub const END: u16 = 0x08;
    pub const STATS: u16 = 0x09;
    pub const PUSH: u16 = 0x0d;
    pub const SHARE: u16 = 0x22;
    pub const LIST_REQUEST: u16 = 0x80;
    pub const REFUSED: u16 = 0x81;
    pub const MOVE: u16 = 0x82;
    pub const REGISTER: u16 = 0x83;
    pub const UNREGISTER: u16 = 0x84;
    pub const GIVE: u16 = 0x85;
    pub const LINK: u16 = 0x86;
    pub const LINK_ACK: u16 = 0x87;
    pub const LOAD: u16 = 0x88;
    pub const QUERY: u16 = 0x89;
    pub const QUERY_RESULT: u16 = 0x8a;
    pub const PROMOTE: u16 = 0x8b;
}

/// The tags of a file.
mod tag {
    /// The file's name.
    pub const FILE_NAME: u64 = 0x02;
    /// Ours: who shares it is behind a firewall. The real network shows a
    /// private address or port 0, which every node of the simulator has.
    pub const FIREWALLED: u64 = 0x7f;
}

/// How a term of a search is compared, and with what.
mod term {
    pub const EQUALS: u8 = 0;
    pub const SUBSTRING: u8 = 5;
    pub const ANY_FIELD: u64 = 0;
    pub const HASH_FIELD: u64 = 3;
    /// All kinds of media.
    pub const REALM_ALL: u8 = 0xbf;
}

/// Bytes of a packed number.
const fn packed_len(value: u64) -> usize {
    match value {
        0 => 1,
        _ => (70 - value.leading_zeros() as usize) / 7,
    }
}

/// Writes a packed number: seven bits a byte, the highest first, the top bit
/// set in all but the last (BER's compressed integer).
fn write_packed(w: &mut Writer, value: u64) {
    for group in (0..packed_len(value)).rev() {
        let bits = (value >> (7 * group)) as u8 & 0x7f;
        w.u8(if group > 0 { bits | 0x80 } else { bits });
    }
}

/// Reads what [`write_packed`] wrote.
fn read_packed(r: &mut Reader<'_>) -> Result<u64, WireError> {
    let mut value = 0_u64;
    loop {
        let byte = r.u8()?;
        if value >> 57 != 0 {
            return Err(r.too_long("packed number", value));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
}

/// What kind of media a name promises: the media type of a shared file.
fn media_type(name: &str) -> u8 {
    let end = name.rsplit('.').next().unwrap_or("");
    let is = |kinds: &[&str]| kinds.iter().any(|kind| end.eq_ignore_ascii_case(kind));
    if is(&["mp3", "ogg", "wav", "wma", "flac"]) {
        1
    } else if is(&["avi", "mpg", "mpeg", "mp4", "mkv", "webm"]) {
        2
    } else if is(&["jpg", "jpeg", "png", "gif", "svg"]) {
        3
    } else if is(&["txt", "pdf", "doc", "html", "md"]) {
        4
    } else {
        5
    }
}

/// Bytes of a file's description.
fn file_len(item: &Item, firewalled: bool) -> usize {
    let name = item.name().len();
    let checksum = u64::from(checksum14(&item.content().to_bytes()));
    let name_tag = packed_len(tag::FILE_NAME) + packed_len(name as u64) + name;
    let wall_tag = if firewalled { packed_len(tag::FIREWALLED) + 1 } else { 0 };
    HASH_BYTES + packed_len(checksum) + packed_len(item.size_bytes()) + 1 + name_tag + wall_tag
}

/// Writes a file: hash, checksum, size and tags. Catalogues hold no contents,
/// so the item's content id stands for the UUHash.
fn write_file(w: &mut Writer, item: &Item, firewalled: bool) {
    let hash = item.content().to_bytes();
    w.bytes(&hash);
    write_packed(w, checksum14(&hash).into());
    write_packed(w, item.size_bytes());
    w.u8(1 + u8::from(firewalled));
    write_packed(w, tag::FILE_NAME);
    write_packed(w, item.name().len() as u64);
    w.bytes(item.name().as_bytes());
    if firewalled {
        write_packed(w, tag::FIREWALLED);
        write_packed(w, 0);
    }
}

/// Reads a file and whether it is behind a firewall; tags that are not known
/// are skipped.
fn read_file(r: &mut Reader<'_>) -> Result<(Arc<Item>, bool), WireError> {
    let hash = r.take(HASH_BYTES, "file hash")?;
    let checksum = read_packed(r)?;
    if checksum != u64::from(checksum14(hash)) {
        return Err(r.invalid("checksum", checksum));
    }
    let size_bytes = read_packed(r)?;
    let tags = read_packed(r)?;
    let mut name = None;
    let mut firewalled = false;
    for _ in 0..tags {
        let kind = read_packed(r)?;
        let len = read_packed(r)?;
        let data = r.take(usize::try_from(len).unwrap_or(usize::MAX), "tag")?;
        match kind {
            tag::FILE_NAME => name = core::str::from_utf8(data).ok(),
            tag::FIREWALLED => firewalled = true,
            _ => {}
        }
    }
    let Some(name) = name else { return Err(r.invalid("file name", tags)) };
    let item = Item::new(name, size_bytes);
    // A catalogue's item is known by its name and size.
    if item.content().to_bytes() != *hash {
        return Err(r.invalid("file hash", u64::from(hash[0])));
    }
    Ok((Arc::new(item), firewalled))
}

impl Listing {
    /// Bytes of the line in a result.
    pub(super) fn encoded_len(&self) -> usize {
        let user = USER_BYTES + 1 + NETWORK.len() + 1;
        Addr::BYTES + 1 + user + file_len(&self.hit.item, self.firewalled)
    }

    fn encode(&self, w: &mut Writer) {
        w.addr(self.hit.provider);
        w.u8(self.bandwidth.0);
        write_user(w, self.hit.provider);
        w.u8(1);
        w.bytes(NETWORK);
        w.u8(0);
        write_file(w, &self.hit.item, self.firewalled);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let provider = r.addr()?;
        let bandwidth = Bandwidth(r.u8()?);
        // The user and the network, or the byte 2: the same as the line before.
        loop {
            match r.u8()? {
                0 | 2 => break,
                _ => {}
            }
        }
        let (item, firewalled) = read_file(r)?;
        Ok(Self { hit: Hit { item, provider }, bandwidth, firewalled })
    }
}

/// Writes a user's name, which the lab takes from the address.
fn write_user(w: &mut Writer, addr: Addr) {
    w.u8(b'u');
    for byte in addr.to_bytes() {
        for nibble in [byte >> 4, byte & 15] {
            w.u8(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
        }
    }
}

fn query_len(query: &Query) -> usize {
    let (field, text) = match &query.target {
        Target::Exact(_) => (term::HASH_FIELD, Key::BYTES),
        Target::Keywords(words) => (term::ANY_FIELD, words.text_len()),
    };
    9 + 1 + packed_len(field) + packed_len(text as u64) + text
}

fn write_query(w: &mut Writer, id: u16, query: &Query) {
    w.bytes(&[0, 1]);
    w.u16(query.limit);
    w.u16(id);
    w.bytes(&[1, term::REALM_ALL, 1]);
    match &query.target {
        Target::Exact(key) => {
            w.u8(term::EQUALS);
            write_packed(w, term::HASH_FIELD);
            write_packed(w, Key::BYTES as u64);
            w.key(*key);
        }
        Target::Keywords(words) => {
            w.u8(term::SUBSTRING);
            write_packed(w, term::ANY_FIELD);
            let text = words.to_text();
            write_packed(w, text.len() as u64);
            w.bytes(text.as_bytes());
        }
    }
}

/// Reads a search of one term, as all searches of giFT are.
fn read_query(r: &mut Reader<'_>) -> Result<(u16, Query), WireError> {
    r.take(2, "search")?;
    let limit = r.u16()?.clamp(1, Query::MAX_LIMIT);
    let id = r.u16()?;
    r.take(2, "realm")?;
    let terms = r.u8()?;
    if terms != 1 {
        return Err(r.invalid("search terms", terms.into()));
    }
    let compare = r.u8()?;
    let field = read_packed(r)?;
    let len = read_packed(r)?;
    let text = r.take(usize::try_from(len).unwrap_or(usize::MAX), "search text")?;
    let target = match (compare, field) {
        (term::EQUALS, term::HASH_FIELD) => Target::Exact(Reader::new(text).key()?),
        (term::SUBSTRING, term::ANY_FIELD) => {
            let text = core::str::from_utf8(text)
                .map_err(|_| r.invalid("search text", u64::from(compare)))?;
            Target::Keywords(Arc::new(Keywords::of(text)))
        }
        _ => return Err(r.invalid("search term", field)),
    };
    Ok((id, Query { target, limit }))
}

fn write_results(w: &mut Writer, id: u16, results: &Results) {
    w.addr(results.supernode);
    w.u16(id);
    w.count(results.listings.len());
    for listing in &results.listings {
        listing.encode(w);
    }
}

fn read_results(r: &mut Reader<'_>) -> Result<(u16, Arc<Results>), WireError> {
    let supernode = r.addr()?;
    let id = r.u16()?;
    let count = r.count("results", MAX_RESULTS, Addr::BYTES + HASH_BYTES)?;
    let listings = (0..count).map(|_| Listing::decode(r)).collect::<Result<Vec<_>, _>>()?;
    Ok((id, Arc::new(Results::new(supernode, listings))))
}

/// Lists have no count: they fill the packet.
fn read_nodes(r: &mut Reader<'_>) -> Result<NodeList, WireError> {
    if r.remaining() > MAX_LIST * ENTRY_BYTES {
        return Err(r.too_long("supernodes", r.remaining() as u64));
    }
    let count = r.remaining() / ENTRY_BYTES;
    let entry =
        |r: &mut Reader<'_>| Ok(NodeEntry { addr: r.addr()?, seen_min: r.u8()?, load: r.u8()? });
    (0..count).map(|_| entry(r)).collect()
}

fn write_nodes(w: &mut Writer, nodes: &NodeList) {
    for entry in nodes.iter() {
        w.addr(entry.addr);
        w.u8(entry.seen_min);
        w.u8(entry.load);
    }
}

impl Message {
    /// The first byte of those that are no packets.
    fn first_byte(&self) -> Option<u8> {
        match self {
            Self::Ping { .. } => Some(bare::PING),
            Self::Pong { .. } => Some(bare::PONG),
            Self::Refusal { .. } => Some(bare::REFUSAL),
            Self::Alive => Some(bare::ALIVE),
            Self::Greeting => Some(bare::GREETING),
            Self::Greeted { seed } => Some(seed.answer()[0]),
            Self::NetworkName { seed } => Some(seed.name()[0]),
            _ => None,
        }
    }

    /// The type of those that travel on streams.
    const fn packet_type(&self) -> u16 {
        match self {
            Self::Ping { .. }
            | Self::Pong { .. }
            | Self::Refusal { .. }
            | Self::Alive
            | Self::Greeting
            | Self::Greeted { .. }
            | Self::NetworkName { .. }
            | Self::Nodes(_) => kind::NODES,
            Self::ListRequest => kind::LIST_REQUEST,
            Self::Refused(_) => kind::REFUSED,
            Self::Move(_) => kind::MOVE,
            Self::Register { .. } => kind::REGISTER,
            Self::Unregister => kind::UNREGISTER,
            Self::UserInfo { .. } => kind::USER_INFO,
            Self::Share(_) => kind::SHARE,
            Self::Unshare(_) => kind::UNSHARE,
            Self::Search { .. } => kind::SEARCH,
            Self::Result { .. } => kind::RESULT,
            Self::End { .. } => kind::END,
            Self::Stats { .. } => kind::STATS,
            Self::Push(_) | Self::Call { .. } => kind::PUSH,
            Self::Give { .. } => kind::GIVE,
            Self::Link { .. } => kind::LINK,
            Self::LinkAck { .. } => kind::LINK_ACK,
            Self::Load { .. } => kind::LOAD,
            Self::Query { .. } => kind::QUERY,
            Self::QueryResult { .. } => kind::QUERY_RESULT,
            Self::Promote => kind::PROMOTE,
        }
    }

    fn body_len(&self) -> usize {
        match self {
            Self::Ping { .. } => 4 + 1 + NETWORK.len() + 1,
            Self::Pong { .. } => 4 + 5 + NETWORK.len() + 1,
            Self::Refusal { .. } | Self::Give { .. } => 4,
            Self::ListRequest | Self::Unregister | Self::Promote | Self::Alive => 0,
            // The first byte is counted apart.
            Self::Greeting => GREETING_BYTES - 1,
            Self::Greeted { .. } => Seed::ANSWER_BYTES - 1,
            Self::NetworkName { .. } => Seed::NAME_BYTES - 1,
            Self::Nodes(nodes) | Self::Refused(nodes) | Self::Move(nodes) => {
                nodes.len() * ENTRY_BYTES
            }
            Self::Register { .. }
            | Self::Link { .. }
            | Self::LinkAck { .. }
            | Self::Load { .. } => 1,
            Self::UserInfo { .. } => Addr::BYTES + 2 + USER_BYTES,
            Self::Share(item) => 4 + file_len(item, false),
            Self::Unshare(item) => file_len(item, false),
            Self::Search { query, .. } | Self::Query { query, .. } => query_len(query),
            Self::Result { results, .. } | Self::QueryResult { results, .. } => {
                Addr::BYTES + 4 + results.bytes as usize
            }
            Self::End { .. } => 2,
            Self::Stats { .. } => 8,
            Self::Push(_) => 4 + 3 * Addr::BYTES + USER_BYTES,
            Self::Call { .. } => 4 + Addr::BYTES,
        }
    }

    fn encode_body(&self, w: &mut Writer) {
        match self {
            Self::Ping { tag } => {
                // The field asks for a least encryption, which there is none
                // of here: it carries the tag.
                w.u32(*tag);
                w.u8(0x80);
                w.bytes(NETWORK);
                w.u8(0);
            }
            Self::Pong { tag, load } => {
                w.u32(*tag);
                w.bytes(&[0, 0, 0, *load, 0]);
                w.bytes(NETWORK);
                w.u8(0);
            }
            Self::Refusal { tag } => w.u32(*tag),
            Self::ListRequest | Self::Unregister | Self::Promote | Self::Alive => {}
            Self::Greeting => w.bytes(&greeting()[1..]),
            Self::Greeted { seed } => w.bytes(&seed.answer()[1..]),
            Self::NetworkName { seed } => w.bytes(&seed.name()[1..]),
            Self::Nodes(nodes) | Self::Refused(nodes) | Self::Move(nodes) => write_nodes(w, nodes),
            Self::Register { load }
            | Self::Link { load }
            | Self::LinkAck { load }
            | Self::Load { load } => w.u8(*load),
            Self::UserInfo { addr, bandwidth, firewalled } => {
                w.addr(*addr);
                w.u8(bandwidth.0);
                w.u8(if *firewalled { FIREWALLED } else { 0 });
                write_user(w, *addr);
            }
            Self::Share(item) => {
                w.bytes(&[0, media_type(item.name()), 0, 0]);
                write_file(w, item, false);
            }
            Self::Unshare(item) => write_file(w, item, false),
            Self::Search { id, query } | Self::Query { id, query } => write_query(w, *id, query),
            Self::Result { id, results } | Self::QueryResult { id, results } => {
                write_results(w, *id, results);
            }
            Self::End { id } => w.u16(*id),
            Self::Stats { users, files } => {
                w.u32(*users);
                w.u32(*files);
            }
            Self::Push(call) => {
                w.u32(call.id);
                w.addr(call.to);
                w.addr(call.provider);
                w.addr(call.supernode);
                write_user(w, call.provider);
            }
            Self::Call { id, to } => {
                w.u32(*id);
                w.addr(*to);
            }
            Self::Give { id } => w.u32(*id),
        }
    }

    /// Reads what a stream begins with, if this is that.
    fn decode_begin(first: u8, r: &mut Reader<'_>) -> Result<Option<Self>, WireError> {
        let len = match first {
            bare::GREETING => GREETING_BYTES,
            _ => match Seed::begins(first) {
                Some(len) => len,
                None => return Ok(None),
            },
        };
        let mut bytes = vec![first];
        bytes.extend_from_slice(r.take(len - 1, "greeting")?);
        let begin = if bytes == greeting() {
            Some(Self::Greeting)
        } else if let Some(seed) = Seed::of_answer(&bytes) {
            Some(Self::Greeted { seed })
        } else {
            Seed::of_name(&bytes).map(|seed| Self::NetworkName { seed })
        };
        begin.map(Some).ok_or_else(|| r.invalid("greeting", u64::from(first)))
    }

    fn decode_bare(first: u8, r: &mut Reader<'_>) -> Result<Self, WireError> {
        if first == bare::ALIVE {
            return Ok(Self::Alive);
        }
        if let Some(begin) = Self::decode_begin(first, r)? {
            return Ok(begin);
        }
        let tag = r.u32()?;
        let (message, fixed) = match first {
            bare::PING => (Self::Ping { tag }, r.take(1, "ping")?),
            bare::PONG => {
                let fixed = r.take(5, "pong")?;
                (Self::Pong { tag, load: fixed[3] }, fixed)
            }
            bare::REFUSAL => return Ok(Self::Refusal { tag }),
            other => return Err(r.invalid("first byte", u64::from(other))),
        };
        let name = r.take(NETWORK.len() + 1, "network name")?;
        if name.split_last() != Some((&0, NETWORK)) {
            return Err(r.invalid("network name", u64::from(fixed[0])));
        }
        Ok(message)
    }

    fn decode_body(packet: u16, r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match packet {
            kind::NODES => Self::Nodes(read_nodes(r)?),
            kind::REFUSED => Self::Refused(read_nodes(r)?),
            kind::MOVE => Self::Move(read_nodes(r)?),
            kind::LIST_REQUEST => Self::ListRequest,
            kind::UNREGISTER => Self::Unregister,
            kind::PROMOTE => Self::Promote,
            kind::REGISTER => Self::Register { load: r.u8()? },
            kind::LINK => Self::Link { load: r.u8()? },
            kind::LINK_ACK => Self::LinkAck { load: r.u8()? },
            kind::LOAD => Self::Load { load: r.u8()? },
            kind::USER_INFO => {
                let addr = r.addr()?;
                let bandwidth = Bandwidth(r.u8()?);
                let firewalled = r.u8()? & FIREWALLED != 0;
                r.take(r.remaining(), "user name")?;
                Self::UserInfo { addr, bandwidth, firewalled }
            }
            kind::SHARE => {
                r.take(4, "media type")?;
                Self::Share(read_file(r)?.0)
            }
            kind::UNSHARE => Self::Unshare(read_file(r)?.0),
            kind::SEARCH => {
                let (id, query) = read_query(r)?;
                Self::Search { id, query }
            }
            kind::QUERY => {
                let (id, query) = read_query(r)?;
                Self::Query { id, query }
            }
            kind::RESULT => {
                let (id, results) = read_results(r)?;
                Self::Result { id, results }
            }
            kind::QUERY_RESULT => {
                let (id, results) = read_results(r)?;
                Self::QueryResult { id, results }
            }
            kind::END => Self::End { id: r.u16()? },
            kind::STATS => Self::Stats { users: r.u32()?, files: r.u32()? },
            kind::PUSH if r.remaining() == 4 + Addr::BYTES => {
                Self::Call { id: r.u32()?, to: r.addr()? }
            }
            kind::PUSH => {
                let (id, to) = (r.u32()?, r.addr()?);
                let (provider, supernode) = (r.addr()?, r.addr()?);
                r.take(r.remaining(), "user name")?;
                Self::Push(Callback { id, to, provider, supernode })
            }
            kind::GIVE => Self::Give { id: r.u32()? },
            other => return Err(r.invalid("packet type", u64::from(other))),
        })
    }
}

impl Wire for Message {
    const KINDS: &'static [&'static str] = &[
        "ping",
        "pong",
        "refusal",
        "list-request",
        "node-list",
        "refused",
        "move",
        "register",
        "unregister",
        "user-info",
        "share",
        "unshare",
        "search",
        "result",
        "end-of-search",
        "stats",
        "push",
        "call",
        "give",
        "link",
        "link-ack",
        "load",
        "query",
        "query-result",
        "promote",
        "alive",
        "greeting",
        "greeted",
        "network-name",
    ];

    const MAX_BYTES: usize = 5 + MAX_BODY;

    fn kind(&self) -> usize {
        match self {
            Self::Ping { .. } => 0,
            Self::Pong { .. } => 1,
            Self::Refusal { .. } => 2,
            Self::ListRequest => 3,
            Self::Nodes(_) => 4,
            Self::Refused(_) => 5,
            Self::Move(_) => 6,
            Self::Register { .. } => 7,
            Self::Unregister => 8,
            Self::UserInfo { .. } => 9,
            Self::Share(_) => 10,
            Self::Unshare(_) => 11,
            Self::Search { .. } => 12,
            Self::Result { .. } => 13,
            Self::End { .. } => 14,
            Self::Stats { .. } => 15,
            Self::Push(_) => 16,
            Self::Call { .. } => 17,
            Self::Give { .. } => 18,
            Self::Link { .. } => 19,
            Self::LinkAck { .. } => 20,
            Self::Load { .. } => 21,
            Self::Query { .. } => 22,
            Self::QueryResult { .. } => 23,
            Self::Promote => 24,
            Self::Alive => 25,
            Self::Greeting => 26,
            Self::Greeted { .. } => 27,
            Self::NetworkName { .. } => 28,
        }
    }

    fn is_reply(&self) -> bool {
        matches!(
            self,
            Self::Pong { .. }
                | Self::Refusal { .. }
                | Self::Greeted { .. }
                | Self::Nodes(_)
                | Self::Refused(_)
                | Self::Result { .. }
                | Self::End { .. }
                | Self::LinkAck { .. }
                | Self::QueryResult { .. }
        )
    }

    fn encoded_len(&self) -> usize {
        let head = if self.first_byte().is_some() { 1 } else { 5 };
        head + self.body_len()
    }

    fn encode(&self, w: &mut Writer) {
        match self.first_byte() {
            Some(first) => w.u8(first),
            None => {
                let len = u16::try_from(self.body_len()).expect("lists and results are bounded");
                let [type_hi, type_lo] = self.packet_type().to_be_bytes();
                let [len_hi, len_lo] = len.to_be_bytes();
                w.bytes(&[PACKET, type_lo, type_hi, len_hi, len_lo]);
            }
        }
        self.encode_body(w);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let first = r.u8()?;
        if first != PACKET {
            return Self::decode_bare(first, r);
        }
        let head = r.take(4, "packet header")?;
        let packet = u16::from_be_bytes([head[1], head[0]]);
        let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let mut body = Reader::new(r.take(len, "packet")?);
        let message = Self::decode_body(packet, &mut body)?;
        body.finish()?;
        Ok(message)
    }
}
