//! The datagrams of the UDP protocol, as a tracker reads and writes them
//! (BEP 15). All numbers are big-endian.

use core::fmt;

use super::{Counts, Event};
use crate::InfoHash;

/// What a client sends in place of a connection id to get one.
const PROTOCOL_ID: u64 = 0x0417_2710_1980;

/// How many torrents a scrape names at most: so many answers fit into a
/// datagram.
pub const MAX_SCRAPED: usize = 74;

/// The shortest announce, in bytes.
pub const ANNOUNCE_LEN: usize = 98;

mod action {
    pub(super) const CONNECT: u32 = 0;
    pub(super) const ANNOUNCE: u32 = 1;
    pub(super) const SCRAPE: u32 = 2;
    pub(super) const ERROR: u32 = 3;
}

/// A datagram of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What the client tells its requests apart by.
    pub transaction: u32,
    /// What it asks for.
    pub ask: Ask<'a>,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask<'a> {
    /// A connection id.
    Connect,
    /// Peers.
    Announce {
        /// The id that its address was given.
        connection: u64,
        /// What it tells.
        announce: Announced,
    },
    /// The counts of torrents.
    Scrape {
        /// The id that its address was given.
        connection: u64,
        /// Their hashes.
        torrents: &'a [[u8; 20]],
    },
}

/// The fields of an announce that a tracker looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Bytes left to download; 0 is a seed.
    pub left: u64,
    /// What it tells beside.
    pub event: Event,
    /// The IPv4 address it wants to be reached at; 0 is the one it sends from.
    pub ip: u32,
    /// What only this client knows.
    pub key: u32,
    /// How many peers it wants, if it says so.
    pub want: Option<u32>,
    /// The port the peer listens on.
    pub port: u16,
}

/// A datagram that is none of BEP 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketError {
    /// Shorter than its kind must be.
    Short,
    /// A connect without the protocol's magic number.
    Protocol,
    /// An action that clients cannot ask for.
    Action,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "the datagram is too short",
            Self::Protocol => "the datagram does not begin with the protocol id",
            Self::Action => "the action is none of a client",
        })
    }
}

impl std::error::Error for PacketError {}

/// Reads a client's datagram. What follows behind is skipped (BEP 41 puts
/// options there).
///
/// # Errors
/// When it is none of a client.
pub fn read(datagram: &[u8]) -> Result<Request<'_>, PacketError> {
    let connection = u64::from_be_bytes(field(datagram, 0)?);
    let transaction = u32::from_be_bytes(field(datagram, 12)?);
    let ask = match u32::from_be_bytes(field(datagram, 8)?) {
        action::CONNECT if connection != PROTOCOL_ID => return Err(PacketError::Protocol),
        action::CONNECT => Ask::Connect,
        action::ANNOUNCE => Ask::Announce { connection, announce: announced(datagram)? },
        action::SCRAPE => {
            let (torrents, _) = datagram[16..].as_chunks();
            if torrents.is_empty() {
                return Err(PacketError::Short);
            }
            Ask::Scrape { connection, torrents: &torrents[..torrents.len().min(MAX_SCRAPED)] }
        }
        _ => return Err(PacketError::Action),
    };
    Ok(Request { transaction, ask })
}

fn announced(datagram: &[u8]) -> Result<Announced, PacketError> {
    let want = i32::from_be_bytes(field(datagram, 92)?);
    Ok(Announced {
        info_hash: InfoHash(field(datagram, 16)?),
        left: u64::from_be_bytes(field(datagram, 64)?),
        event: match u32::from_be_bytes(field(datagram, 80)?) {
            1 => Event::Completed,
            2 => Event::Started,
            3 => Event::Stopped,
            _ => Event::None,
        },
        ip: u32::from_be_bytes(field(datagram, 84)?),
        key: u32::from_be_bytes(field(datagram, 88)?),
        want: u32::try_from(want).ok(),
        port: u16::from_be_bytes(field(datagram, 96)?),
    })
}

fn field<const LEN: usize>(datagram: &[u8], at: usize) -> Result<[u8; LEN], PacketError> {
    datagram.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or(PacketError::Short)
}

fn begin(out: &mut Vec<u8>, action: u32, transaction: u32) {
    out.extend_from_slice(&action.to_be_bytes());
    out.extend_from_slice(&transaction.to_be_bytes());
}

/// Appends the answer to a connect.
pub fn write_connect(out: &mut Vec<u8>, transaction: u32, connection: u64) {
    begin(out, action::CONNECT, transaction);
    out.extend_from_slice(&connection.to_be_bytes());
}

/// Appends the answer to an announce; `peers` are in compact form.
pub fn write_announce(
    out: &mut Vec<u8>,
    transaction: u32,
    interval_s: u32,
    counts: Counts,
    peers: &[u8],
) {
    begin(out, action::ANNOUNCE, transaction);
    for number in [interval_s, counts.leechers, counts.seeds] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(peers);
}

/// Appends the answer to a scrape.
pub fn write_scrape(out: &mut Vec<u8>, transaction: u32, counts: impl Iterator<Item = Counts>) {
    begin(out, action::SCRAPE, transaction);
    for Counts { seeds, completed, leechers } in counts {
        for number in [seeds, completed, leechers] {
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

/// Appends an error.
pub fn write_error(out: &mut Vec<u8>, transaction: u32, reason: &str) {
    begin(out, action::ERROR, transaction);
    out.extend_from_slice(reason.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Offsets as the tables of BEP 15 give them.
    fn announce() -> Vec<u8> {
        let mut bytes = vec![0; ANNOUNCE_LEN];
        bytes[..8].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        bytes[11] = 1;
        bytes[12..16].copy_from_slice(&[9, 10, 11, 12]);
        bytes[16..36].fill(0xaa);
        bytes[36..56].fill(0xbb);
        bytes[71] = 77;
        bytes[83] = 2;
        bytes[84..88].copy_from_slice(&[192, 0, 2, 1]);
        bytes[91] = 5;
        bytes[92..96].fill(0xff);
        bytes[96..98].copy_from_slice(&[0x1a, 0xe1]);
        bytes
    }

    #[test]
    fn requests_are_read() {
        let connect = [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 0, 0, 0, 6];
        assert_eq!(read(&connect), Ok(Request { transaction: 6, ask: Ask::Connect }));
        let announce = announce();
        let ask = Ask::Announce {
            connection: 0x0102_0304_0506_0708,
            announce: Announced {
                info_hash: InfoHash([0xaa; 20]),
                left: 77,
                event: Event::Started,
                ip: 0xc000_0201,
                key: 5,
                want: None,
                port: 6881,
            },
        };
        assert_eq!(read(&announce), Ok(Request { transaction: 0x090a_0b0c, ask }));
        let mut scrape = announce[..16].to_vec();
        scrape[11] = 2;
        scrape.extend_from_slice(&[7; 60]);
        let Ok(Request { ask: Ask::Scrape { torrents, .. }, .. }) = read(&scrape) else {
            panic!("it is a scrape")
        };
        assert_eq!(torrents, [[7; 20]; 3]);
        scrape.resize(16 + 20 * 100, 1);
        let Ok(Request { ask: Ask::Scrape { torrents, .. }, .. }) = read(&scrape) else {
            panic!("it is a scrape")
        };
        assert_eq!(torrents.len(), MAX_SCRAPED);
    }

    #[test]
    fn replies_are_as_specified() {
        let mut out = Vec::new();
        write_connect(&mut out, 6, 0x0102_0304_0506_0708);
        assert_eq!(out, [0, 0, 0, 0, 0, 0, 0, 6, 1, 2, 3, 4, 5, 6, 7, 8]);
        out.clear();
        let counts = Counts { seeds: 2, leechers: 3, completed: 4 };
        write_announce(&mut out, 6, 1800, counts, &[10, 0, 0, 1, 0x1a, 0xe1]);
        let expected = [0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 7, 8, 0, 0, 0, 3, 0, 0, 0, 2];
        assert_eq!(out[..20], expected);
        assert_eq!(out[20..], [10, 0, 0, 1, 0x1a, 0xe1]);
        out.clear();
        write_scrape(&mut out, 6, [counts].into_iter());
        assert_eq!(out, [0, 0, 0, 2, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 3]);
        out.clear();
        write_error(&mut out, 6, "no");
        assert_eq!(out, [0, 0, 0, 3, 0, 0, 0, 6, b'n', b'o']);
    }

    #[test]
    fn what_is_short_or_strange_is_refused() {
        let announce = announce();
        for len in 0..ANNOUNCE_LEN {
            assert_eq!(read(&announce[..len]), Err(PacketError::Short), "{len}");
        }
        let mut strange = announce;
        strange[11] = 0;
        assert_eq!(read(&strange), Err(PacketError::Protocol));
        strange[11] = 3;
        assert_eq!(read(&strange), Err(PacketError::Action));
        strange[11] = 2;
        assert_eq!(read(&strange[..35]), Err(PacketError::Short));
    }

    proptest! {
        #[test]
        fn no_datagram_does_harm(bytes: Vec<u8>) {
            if read(&bytes).is_ok() {
                prop_assert!(bytes.len() >= 16);
            }
        }
    }
}
