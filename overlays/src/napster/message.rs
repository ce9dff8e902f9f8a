//! What Napster's clients and servers say to each other, and how it is framed.
//!
//! Frame and type numbers are OpenNap's: length of the payload and type, each
//! 16 bits little-endian, then the payload, of at most 2,048 bytes. Payloads
//! are compact fields instead of OpenNap's quoted text, which cannot carry a
//! name with a double quote; passwords, e-mail addresses and the media fields
//! (bit rate, frequency, seconds) are left out.

use core::fmt;
use std::sync::Arc;

use crate::seam::{Addr, Hit, Item, Key, Query, Reader, Wire, WireError, Writer};

/// The longest payload of a frame, in bytes (OpenNap: commands of at most
/// 2,048 bytes).
pub const MAX_PAYLOAD_BYTES: usize = 2_048;

/// The most servers in a network of linked servers.
pub const MAX_SERVERS: usize = 32;

/// Bytes of the field that OpenNap fills with the MD5 of a file's beginning.
const MD5_BYTES: usize = 16;

/// A user's name on the servers: 1 to 19 printable ASCII characters without
/// spaces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Nick {
    /// Padded with zeros.
    bytes: [u8; Self::MAX_BYTES],
}

impl Nick {
    /// The longest nick (OpenNap: 19).
    pub const MAX_BYTES: usize = 19;

    /// The nick `text`, unless it is not one.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_BYTES).contains(&text.len());
        if !fits || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let mut bytes = [0; Self::MAX_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self { bytes })
    }

    /// The nick of the lab's user at `addr`: `u` and twelve hexadecimal digits.
    pub fn of(addr: Addr) -> Self {
        let mut bytes = [0; Self::MAX_BYTES];
        bytes[0] = b'u';
        for (i, byte) in addr.to_bytes().into_iter().enumerate() {
            bytes[1 + 2 * i] = hex_digit(byte >> 4);
            bytes[2 + 2 * i] = hex_digit(byte & 15);
        }
        Self { bytes }
    }

    /// The nick as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len()]).expect("a nick is ASCII")
    }

    fn len(&self) -> usize {
        self.bytes.iter().position(|&b| b == 0).unwrap_or(Self::MAX_BYTES)
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let text = r.short_text()?;
        Self::new(text).ok_or_else(|| r.invalid("nick", text.len() as u64))
    }
}

const fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + nibble - 10,
    }
}

impl fmt::Debug for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A class of access line as users announce it, 0..=10: unknown, modems of
/// 14.4 to 56.7 kb/s, ISDN of 64 and 128 kb/s, cable, DSL, T1, T3 or better.
///
/// It is hearsay (three users in ten understated theirs: Saroiu et al., MMCN
/// 2002), so clients show it but choose by measured round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LineSpeed(u8);

impl LineSpeed {
    /// Not announced.
    pub const UNKNOWN: Self = Self(0);

    /// The class of a line with this upstream capacity in bits per second.
    /// Nothing is called DSL, since its rates are those of cable.
    pub const fn of(upload_bps: u64) -> Self {
        Self(match upload_bps {
            0 => 0,
            1..=14_400 => 1,
            14_401..=28_800 => 2,
            28_801..=33_600 => 3,
            33_601..=57_600 => 4,
            57_601..=64_000 => 5,
            64_001..=128_000 => 6,
            128_001..=1_543_999 => 7,
            1_544_000..=44_735_999 => 9,
            _ => 10,
        })
    }

    /// OpenNap's number for the class.
    pub const fn code(self) -> u8 {
        self.0
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        match r.u8()? {
            code @ 0..=10 => Ok(Self(code)),
            code => Err(r.invalid("line speed", u64::from(code))),
        }
    }
}

/// Why a server, or a client taken for one, says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// Only users may do this; the link is closed.
    NotLoggedIn,
    /// The server serves as many users as it can; the link is closed.
    ServerFull,
    /// The same user is logged in from elsewhere; the link is closed.
    LoggedInElsewhere,
    /// The node is no server.
    NotAServer,
    /// The user shares this file already.
    DuplicateFile,
    /// The user does not share this file.
    NotShared,
    /// The user shares as many files as one may.
    ShareLimit,
}

impl Complaint {
    const ALL: [Self; 7] = [
        Self::NotLoggedIn,
        Self::ServerFull,
        Self::LoggedInElsewhere,
        Self::NotAServer,
        Self::DuplicateFile,
        Self::NotShared,
        Self::ShareLimit,
    ];

    /// Whether the session ends with it (type 0) or goes on (type 404).
    pub const fn ends_session(self) -> bool {
        match self {
            Self::NotLoggedIn | Self::ServerFull | Self::LoggedInElsewhere | Self::NotAServer => {
                true
            }
            Self::DuplicateFile | Self::NotShared | Self::ShareLimit => false,
        }
    }
}

/// One line of a server's answer: a file and the user who shares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// The file and where to get it.
    pub hit: Hit,
    /// The user who shares it.
    pub nick: Nick,
    /// The speed that this user announced.
    pub speed: LineSpeed,
}

impl Listing {
    fn encoded_len(&self) -> usize {
        self.hit.encoded_len() + MD5_BYTES + 1 + self.nick.len() + 1
    }

    fn encode(&self, w: &mut Writer) {
        encode_item(&self.hit.item, w);
        w.addr(self.hit.provider);
        w.short_text(self.nick.as_str());
        w.u8(self.speed.0);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let item = decode_item(r)?;
        let provider = r.addr()?;
        let nick = Nick::decode(r)?;
        let speed = LineSpeed::decode(r)?;
        Ok(Self { hit: Hit { item, provider }, nick, speed })
    }
}

/// Writes the item and, in the MD5 field, the start of its content id.
fn encode_item(item: &Item, w: &mut Writer) {
    item.encode(w);
    w.bytes(&item.content().to_bytes()[..MD5_BYTES]);
}

fn decode_item(r: &mut Reader<'_>) -> Result<Arc<Item>, WireError> {
    let item = Item::decode(r)?;
    let md5 = r.take(MD5_BYTES, "md5")?;
    if md5 != &item.content().to_bytes()[..MD5_BYTES] {
        return Err(r.invalid("md5", u64::from(md5[0])));
    }
    Ok(Arc::new(item))
}

/// Everything that Napster's nodes say.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Client to server: let me in.
    Login {
        /// Who.
        nick: Nick,
        /// The port at which others fetch files; the server knows the rest of
        /// the address from the link.
        data_port: u16,
        /// Whether nobody can connect to that port (OpenNap: port 0, which
        /// here is every port of the simulator).
        firewalled: bool,
        /// The announced speed.
        speed: LineSpeed,
    },
    /// Server to client: you are in.
    LoginAck,
    /// Server to client: no.
    Error(Complaint),
    /// Client to server: I share this. There is no answer.
    Share(Arc<Item>),
    /// Client to server: I no longer share this. There is no answer.
    Unshare(Key),
    /// Client to server: who has it?
    Search {
        /// Comes back in the answers. OpenNap has no such field: its clients
        /// ask one thing at a time.
        tag: u32,
        /// Not to be forwarded to other servers (OpenNap: LOCAL).
        local: bool,
        /// Words, or a key (not in OpenNap), and MAX_RESULTS.
        query: Query,
    },
    /// Server to client: one answer.
    Found {
        /// Of the search.
        tag: u32,
        /// The answer.
        listing: Listing,
    },
    /// Server to client: that was all.
    EndOfSearch {
        /// Of the search.
        tag: u32,
    },
    /// To a server: are you there? Keeps a link open. OpenNap echoes it; nobody
    /// here waits for the echo.
    ServerPing,
    /// Client to client: how far away are you? Stands for the ICMP echo that
    /// clients sent.
    Ping {
        /// Comes back in the pong.
        tag: u32,
    },
    /// Client to client: this far.
    Pong {
        /// From the ping.
        tag: u32,
    },
    /// Server to server: let us link.
    ServerLogin,
    /// Server to server: we are linked, and these are the servers I know.
    ServerAck(Arc<[Addr]>),
    /// Server to server: what do your users have?
    RemoteSearch {
        /// Comes back in the answers.
        id: u32,
        /// What for.
        query: Query,
    },
    /// Server to server: one answer.
    RemoteFound {
        /// Of the search.
        id: u32,
        /// The answer.
        listing: Listing,
    },
    /// Server to server: that was all.
    RemoteEnd {
        /// Of the search.
        id: u32,
    },
}

/// The type numbers: OpenNap's, but for the pings, which were no part of it.
mod code {
    pub const ERROR: u16 = 0;
    pub const LOGIN: u16 = 2;
    pub const LOGIN_ACK: u16 = 3;
    pub const SHARE: u16 = 100;
    pub const UNSHARE: u16 = 102;
    pub const SEARCH: u16 = 200;
    pub const FOUND: u16 = 201;
    pub const END_OF_SEARCH: u16 = 202;
    pub const COMMAND_ERROR: u16 = 404;
    pub const SERVER_PING: u16 = 750;
    pub const SERVER_LOGIN: u16 = 10_010;
    pub const SERVER_ACK: u16 = 10_011;
    pub const REMOTE_SEARCH: u16 = 10_015;
    pub const REMOTE_FOUND: u16 = 10_016;
    pub const REMOTE_END: u16 = 10_017;
    pub const PING: u16 = 60_001;
    pub const PONG: u16 = 60_002;
}

impl Message {
    fn code(&self) -> u16 {
        match self {
            Self::Login { .. } => code::LOGIN,
            Self::LoginAck => code::LOGIN_ACK,
            Self::Error(complaint) if complaint.ends_session() => code::ERROR,
            Self::Error(_) => code::COMMAND_ERROR,
            Self::Share(_) => code::SHARE,
            Self::Unshare(_) => code::UNSHARE,
            Self::Search { .. } => code::SEARCH,
            Self::Found { .. } => code::FOUND,
            Self::EndOfSearch { .. } => code::END_OF_SEARCH,
            Self::Ping { .. } => code::PING,
            Self::Pong { .. } => code::PONG,
            Self::ServerPing => code::SERVER_PING,
            Self::ServerLogin => code::SERVER_LOGIN,
            Self::ServerAck(_) => code::SERVER_ACK,
            Self::RemoteSearch { .. } => code::REMOTE_SEARCH,
            Self::RemoteFound { .. } => code::REMOTE_FOUND,
            Self::RemoteEnd { .. } => code::REMOTE_END,
        }
    }

    fn payload_len(&self) -> usize {
        match self {
            Self::Login { nick, .. } => 1 + nick.len() + 4,
            Self::LoginAck | Self::ServerPing | Self::ServerLogin => 0,
            Self::Error(_) => 1,
            Self::Share(item) => item.encoded_len() + MD5_BYTES,
            Self::Unshare(_) => Key::BYTES,
            Self::Search { query, .. } => 5 + query.encoded_len(),
            Self::Found { listing, .. } | Self::RemoteFound { listing, .. } => {
                4 + listing.encoded_len()
            }
            Self::EndOfSearch { .. }
            | Self::Ping { .. }
            | Self::Pong { .. }
            | Self::RemoteEnd { .. } => 4,
            Self::ServerAck(servers) => 2 + servers.len() * Addr::BYTES,
            Self::RemoteSearch { query, .. } => 4 + query.encoded_len(),
        }
    }

    fn decode_payload(code: u16, r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match code {
            code::LOGIN => Self::Login {
                nick: Nick::decode(r)?,
                data_port: r.u16()?,
                firewalled: r.bool()?,
                speed: LineSpeed::decode(r)?,
            },
            code::LOGIN_ACK => Self::LoginAck,
            code::ERROR | code::COMMAND_ERROR => {
                let number = r.u8()?;
                let complaint = Complaint::ALL.get(usize::from(number)).copied();
                match complaint {
                    Some(c) if c.ends_session() == (code == code::ERROR) => Self::Error(c),
                    _ => return Err(r.invalid("complaint", u64::from(number))),
                }
            }
            code::SHARE => Self::Share(decode_item(r)?),
            code::UNSHARE => Self::Unshare(r.key()?),
            code::SEARCH => {
                Self::Search { tag: r.u32()?, local: r.bool()?, query: Query::decode(r)? }
            }
            code::FOUND => Self::Found { tag: r.u32()?, listing: Listing::decode(r)? },
            code::END_OF_SEARCH => Self::EndOfSearch { tag: r.u32()? },
            code::PING => Self::Ping { tag: r.u32()? },
            code::PONG => Self::Pong { tag: r.u32()? },
            code::SERVER_PING => Self::ServerPing,
            code::SERVER_LOGIN => Self::ServerLogin,
            code::SERVER_ACK => {
                let count = r.count("servers", MAX_SERVERS, Addr::BYTES)?;
                Self::ServerAck((0..count).map(|_| r.addr()).collect::<Result<_, _>>()?)
            }
            code::REMOTE_SEARCH => Self::RemoteSearch { id: r.u32()?, query: Query::decode(r)? },
            code::REMOTE_FOUND => Self::RemoteFound { id: r.u32()?, listing: Listing::decode(r)? },
            code::REMOTE_END => Self::RemoteEnd { id: r.u32()? },
            other => return Err(r.invalid("type", u64::from(other))),
        })
    }
}

impl Wire for Message {
    const KINDS: &'static [&'static str] = &[
        "login",
        "login-ack",
        "error",
        "share",
        "unshare",
        "search",
        "result",
        "end-of-search",
        "ping",
        "pong",
        "server-login",
        "server-ack",
        "remote-search",
        "remote-result",
        "remote-end",
        "server-ping",
    ];

    const MAX_BYTES: usize = 4 + MAX_PAYLOAD_BYTES;

    fn kind(&self) -> usize {
        match self {
            Self::Login { .. } => 0,
            Self::LoginAck => 1,
            Self::Error(_) => 2,
            Self::Share(_) => 3,
            Self::Unshare(_) => 4,
            Self::Search { .. } => 5,
            Self::Found { .. } => 6,
            Self::EndOfSearch { .. } => 7,
            Self::Ping { .. } => 8,
            Self::Pong { .. } => 9,
            Self::ServerLogin => 10,
            Self::ServerAck(_) => 11,
            Self::RemoteSearch { .. } => 12,
            Self::RemoteFound { .. } => 13,
            Self::RemoteEnd { .. } => 14,
            Self::ServerPing => 15,
        }
    }

    fn is_reply(&self) -> bool {
        matches!(
            self,
            Self::LoginAck
                | Self::Error(_)
                | Self::Found { .. }
                | Self::EndOfSearch { .. }
                | Self::Pong { .. }
                | Self::ServerAck(_)
                | Self::RemoteFound { .. }
                | Self::RemoteEnd { .. }
        )
    }

    fn encoded_len(&self) -> usize {
        4 + self.payload_len()
    }

    fn encode(&self, w: &mut Writer) {
        let len = u16::try_from(self.payload_len()).expect("no payload exceeds 2,048 bytes");
        w.u16_le(len);
        w.u16_le(self.code());
        match self {
            Self::Login { nick, data_port, firewalled, speed } => {
                w.short_text(nick.as_str());
                w.u16(*data_port);
                w.bool(*firewalled);
                w.u8(speed.0);
            }
            Self::LoginAck | Self::ServerPing | Self::ServerLogin => {}
            Self::Error(complaint) => w.u8(*complaint as u8),
            Self::Share(item) => encode_item(item, w),
            Self::Unshare(key) => w.key(*key),
            Self::Search { tag, local, query } => {
                w.u32(*tag);
                w.bool(*local);
                query.encode(w);
            }
            Self::Found { tag: id, listing } | Self::RemoteFound { id, listing } => {
                w.u32(*id);
                listing.encode(w);
            }
            Self::EndOfSearch { tag: id }
            | Self::Ping { tag: id }
            | Self::Pong { tag: id }
            | Self::RemoteEnd { id } => w.u32(*id),
            Self::ServerAck(servers) => {
                w.count(servers.len());
                for server in servers.iter() {
                    w.addr(*server);
                }
            }
            Self::RemoteSearch { id, query } => {
                w.u32(*id);
                query.encode(w);
            }
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let len = usize::from(r.u16_le()?);
        if len > MAX_PAYLOAD_BYTES {
            return Err(r.too_long("frame", len as u64));
        }
        let code = r.u16_le()?;
        let payload = r.take(len, "payload")?;
        let mut r = Reader::new(payload);
        let message = Self::decode_payload(code, &mut r)?;
        r.finish()?;
        Ok(message)
    }
}
