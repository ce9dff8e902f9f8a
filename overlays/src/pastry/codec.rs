//! How messages are written.
//!
//! The paper defines no wire format; this is the lab's own, version 1. Each
//! message is one datagram: the version (one byte, 1), the kind (one byte, the
//! index in [`Message::KINDS`]), then the fields in the order of the variant's
//! declaration. Numbers are big-endian. A key takes 20 bytes, an identifier
//! its 16 significant ones, an address 6, a contact 22 (identifier, address),
//! an entry 24 (contact, round-trip time in steps of 100 µs); an optional field
//! is a flag byte and, if that is 1, the field; a list is a 16-bit count and
//! its entries; an item is its name behind a length byte, then a 64-bit size.
//! An [`Errand`] is a tag byte (0 get, 1 store, 2 remove, 3 join, 4 sift) and its
//! fields; the optional one of [`Message::Route`] has tag 255 for none.

use std::sync::Arc;

use super::contact::{Contact, Entry, ID_BYTES, Rtt, decode_id, encode_id};
use super::message::{
    Arrival, Contacts, Errand, MAX_CONTACTS, MAX_RECORDS, Message, Placed, State, Verdict,
};
use crate::parts::postings::{Sift, Sifted};
use crate::{Addr, Hit, Key, Query, Reader, Wire, WireError, Writer};

/// The version this module reads and writes.
const VERSION: u8 = 1;
/// The tag of an absent errand.
const NO_ERRAND: u8 = 255;
/// Name length, size and provider: the least that a hit takes.
const MIN_HIT_BYTES: usize = 15;

impl Errand {
    fn encoded_len(&self) -> usize {
        1 + match self {
            Self::Get { .. } | Self::Join { .. } => 3,
            Self::Store(hit) => hit.encoded_len(),
            Self::Remove { .. } => Key::BYTES + Addr::BYTES,
            Self::Sift { sift, .. } => 1 + sift.encoded_len(),
        }
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            Self::Get { limit, passed_on } => {
                w.u8(0);
                w.u16(*limit);
                w.bool(*passed_on);
            }
            Self::Store(hit) => {
                w.u8(1);
                hit.encode(w);
            }
            Self::Remove { item, provider } => {
                w.u8(2);
                w.key(*item);
                w.addr(*provider);
            }
            Self::Join { stations, rows } => {
                w.u8(3);
                w.u16(*stations);
                w.u8(*rows);
            }
            Self::Sift { sift, passed_on } => {
                w.u8(4);
                w.bool(*passed_on);
                sift.encode(w);
            }
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Option<Box<Self>>, WireError> {
        Ok(Some(Box::new(match r.u8()? {
            0 => Self::Get { limit: r.u16()?.clamp(1, Query::MAX_LIMIT), passed_on: r.bool()? },
            1 => Self::Store(Hit::decode(r)?),
            2 => Self::Remove { item: r.key()?, provider: r.addr()? },
            3 => Self::Join { stations: r.u16()?, rows: r.u8()? },
            4 => Self::Sift { passed_on: r.bool()?, sift: Box::new(Sift::decode(r)?) },
            NO_ERRAND => return Ok(None),
            other => return Err(r.invalid("errand", u64::from(other))),
        })))
    }
}

impl Verdict {
    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match r.u8()? {
            0 => Self::Done,
            1 => Self::NotFound,
            2 => Self::Full,
            other => return Err(r.invalid("verdict", u64::from(other))),
        })
    }
}

fn encode_list<T>(list: &[T], w: &mut Writer, encode: impl Fn(&T, &mut Writer)) {
    w.count(list.len());
    for one in list {
        encode(one, w);
    }
}

fn decode_contacts(r: &mut Reader<'_>) -> Result<Vec<Contact>, WireError> {
    let n = r.count("contacts", MAX_CONTACTS, Contact::BYTES)?;
    (0..n).map(|_| Contact::decode(r)).collect()
}

fn decode_entries(r: &mut Reader<'_>) -> Result<Vec<Entry>, WireError> {
    let n = r.count("entries", MAX_CONTACTS, Entry::BYTES)?;
    (0..n).map(|_| Entry::decode(r)).collect()
}

impl Contacts {
    fn encoded_len(&self) -> usize {
        2 + self.as_slice().len() * Contact::BYTES
    }

    fn encode(&self, w: &mut Writer) {
        encode_list(self.as_slice(), w, Contact::encode);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(decode_contacts(r)?.into_iter().collect())
    }
}

impl State {
    fn encoded_len(&self) -> usize {
        Contact::BYTES
            + 3
            + 6
            + (self.table.len() + self.neighbourhood.len()) * Entry::BYTES
            + self.leaves.len() * Contact::BYTES
    }

    fn encode(&self, w: &mut Writer) {
        self.sender.encode(w);
        w.u16(self.station);
        w.bool(self.is_last);
        encode_list(&self.table, w, Entry::encode);
        encode_list(&self.leaves, w, Contact::encode);
        encode_list(&self.neighbourhood, w, Entry::encode);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            sender: Contact::decode(r)?,
            station: r.u16()?,
            is_last: r.bool()?,
            table: decode_entries(r)?,
            leaves: decode_contacts(r)?,
            neighbourhood: decode_entries(r)?,
        })
    }
}

impl Arrival {
    fn encoded_len(&self) -> usize {
        Entry::BYTES + 2 + self.row.len() * Entry::BYTES
    }

    fn encode(&self, w: &mut Writer) {
        self.newcomer.encode(w);
        w.u16(self.rtt.0);
        encode_list(&self.row, w, Entry::encode);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { newcomer: Contact::decode(r)?, rtt: Rtt(r.u16()?), row: decode_entries(r)? })
    }
}

impl Placed {
    /// Bytes that it takes in a message.
    pub(super) fn encoded_len(&self) -> usize {
        Key::BYTES + self.hit.encoded_len()
    }

    fn encode(&self, w: &mut Writer) {
        w.key(self.key);
        self.hit.encode(w);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { key: r.key()?, hit: Hit::decode(r)? })
    }
}

impl Wire for Message {
    const KINDS: &'static [&'static str] = &[
        "Route",
        "Received",
        "Located",
        "Hits",
        "Judged",
        "Refused",
        "State",
        "GetState",
        "GetEntry",
        "CellEntry",
        "Announce",
        "Ping",
        "Pong",
        "KeepAlive",
        "Alive",
        "Transfer",
        "Kept",
        "Erase",
        "Leaving",
        "Sifted",
    ];

    fn kind(&self) -> usize {
        match self {
            Self::Route { .. } => 0,
            Self::Received { .. } => 1,
            Self::Located { .. } => 2,
            Self::Hits { .. } => 3,
            Self::Judged { .. } => 4,
            Self::Refused { .. } => 5,
            Self::State { .. } => 6,
            Self::GetState { .. } => 7,
            Self::GetEntry { .. } => 8,
            Self::CellEntry { .. } => 9,
            Self::Announce(_) => 10,
            Self::Ping { .. } => 11,
            Self::Pong { .. } => 12,
            Self::KeepAlive { .. } => 13,
            Self::Alive { .. } => 14,
            Self::Transfer { .. } => 15,
            Self::Kept { .. } => 16,
            Self::Erase { .. } => 17,
            Self::Leaving { .. } => 18,
            Self::Sifted(_) => 19,
        }
    }

    fn is_reply(&self) -> bool {
        matches!(
            self,
            Self::Received { .. }
                | Self::Located { .. }
                | Self::Hits { .. }
                | Self::Judged { .. }
                | Self::Refused { .. }
                | Self::State { .. }
                | Self::CellEntry { .. }
                | Self::Pong { .. }
                | Self::Alive { .. }
                | Self::Kept { .. }
                | Self::Sifted(_)
        )
    }

    fn encoded_len(&self) -> usize {
        2 + match self {
            Self::Route { errand, .. } => {
                let errand = errand.as_ref().map_or(1, |e| e.encoded_len());
                4 + Addr::BYTES + Key::BYTES + 3 + errand
            }
            Self::Received { .. } => 4 + Addr::BYTES,
            Self::Located { .. } => 4 + Contact::BYTES,
            Self::Hits { hits, .. } => 6 + hits.iter().map(Hit::encoded_len).sum::<usize>(),
            Self::Judged { .. } | Self::Kept { .. } => 5,
            Self::Refused { .. } | Self::Ping { .. } => 4,
            Self::State { state, .. } => 4 + state.encoded_len(),
            Self::GetState { row, .. } => 5 + usize::from(row.is_some()),
            Self::GetEntry { .. } => 4 + Contact::BYTES,
            Self::CellEntry { entry, .. } => 5 + entry.map_or(0, |_| Contact::BYTES),
            Self::Announce(arrival) => arrival.encoded_len(),
            Self::Pong { .. } => 4 + ID_BYTES,
            Self::KeepAlive { .. } => 8 + ID_BYTES,
            Self::Alive { leaves, .. } => 8 + ID_BYTES + leaves.encoded_len(),
            Self::Transfer { records, .. } => {
                6 + records.iter().map(Placed::encoded_len).sum::<usize>()
            }
            Self::Erase { .. } => 2 * Key::BYTES + Addr::BYTES,
            Self::Leaving { leaves, .. } => ID_BYTES + leaves.encoded_len(),
            Self::Sifted(sifted) => sifted.encoded_len(),
        }
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        w.u8(self.kind() as u8);
        match self {
            Self::Route { .. }
            | Self::Received { .. }
            | Self::Located { .. }
            | Self::Hits { .. }
            | Self::Judged { .. }
            | Self::Refused { .. } => self.encode_routing(w),
            Self::Transfer { .. } | Self::Kept { .. } | Self::Erase { .. } => {
                self.encode_records(w);
            }
            Self::Sifted(sifted) => sifted.encode(w),
            _ => self.encode_state(w),
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let version = r.u8()?;
        if version != VERSION {
            return Err(r.invalid("version", u64::from(version)));
        }
        match r.u8()? {
            kind @ 0..=5 => Self::decode_routing(kind, r),
            kind @ (6..=14 | 18) => Self::decode_state(kind, r),
            kind @ 15..=17 => Self::decode_records(kind, r),
            19 => Ok(Self::Sifted(Box::new(Sifted::decode(r)?))),
            other => Err(r.invalid("kind", u64::from(other))),
        }
    }
}

/// The three families of messages, each with its writer beside its reader.
impl Message {
    fn encode_routing(&self, w: &mut Writer) {
        match self {
            Self::Route { request, origin, key, ttl, ack, errand } => {
                w.u32(*request);
                w.addr(*origin);
                w.key(*key);
                w.u16(*ttl);
                w.bool(*ack);
                match errand {
                    Some(errand) => errand.encode(w),
                    None => w.u8(NO_ERRAND),
                }
            }
            Self::Received { request, origin } => {
                w.u32(*request);
                w.addr(*origin);
            }
            Self::Located { request, root } => {
                w.u32(*request);
                root.encode(w);
            }
            Self::Hits { request, hits } => {
                w.u32(*request);
                encode_list(hits, w, Hit::encode);
            }
            Self::Judged { request, verdict } => {
                w.u32(*request);
                w.u8(match verdict {
                    Verdict::Done => 0,
                    Verdict::NotFound => 1,
                    Verdict::Full => 2,
                });
            }
            Self::Refused { request } => w.u32(*request),
            _ => unreachable!("other kinds have writers of their own"),
        }
    }

    fn decode_routing(kind: u8, r: &mut Reader<'_>) -> Result<Self, WireError> {
        let request = r.u32()?;
        Ok(match kind {
            0 => Self::Route {
                request,
                origin: r.addr()?,
                key: r.key()?,
                ttl: r.u16()?,
                ack: r.bool()?,
                errand: Errand::decode(r)?,
            },
            1 => Self::Received { request, origin: r.addr()? },
            2 => Self::Located { request, root: Contact::decode(r)? },
            3 => {
                let n = r.count("hits", Query::MAX_LIMIT.into(), MIN_HIT_BYTES)?;
                let hits: Result<Box<[Hit]>, WireError> = (0..n).map(|_| Hit::decode(r)).collect();
                Self::Hits { request, hits: hits? }
            }
            4 => Self::Judged { request, verdict: Verdict::decode(r)? },
            _ => Self::Refused { request },
        })
    }

    fn encode_records(&self, w: &mut Writer) {
        match self {
            Self::Transfer { request, records } => {
                w.u32(*request);
                encode_list(records, w, Placed::encode);
            }
            Self::Kept { request, keep } => {
                w.u32(*request);
                w.bool(*keep);
            }
            Self::Erase { key, item, provider } => {
                w.key(*key);
                w.key(*item);
                w.addr(*provider);
            }
            _ => unreachable!("other kinds have writers of their own"),
        }
    }

    fn decode_records(kind: u8, r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match kind {
            15 => {
                let request = r.u32()?;
                let n = r.count("records", MAX_RECORDS, Key::BYTES + MIN_HIT_BYTES)?;
                let records: Result<Arc<[Placed]>, WireError> =
                    (0..n).map(|_| Placed::decode(r)).collect();
                Self::Transfer { request, records: records? }
            }
            16 => Self::Kept { request: r.u32()?, keep: r.bool()? },
            _ => Self::Erase { key: r.key()?, item: r.key()?, provider: r.addr()? },
        })
    }

    fn encode_state(&self, w: &mut Writer) {
        match self {
            Self::State { request, state } => {
                w.u32(*request);
                state.encode(w);
            }
            Self::GetState { request, row } => {
                w.u32(*request);
                w.bool(row.is_some());
                if let Some(row) = row {
                    w.u8(*row);
                }
            }
            Self::GetEntry { request, failed } => {
                w.u32(*request);
                failed.encode(w);
            }
            Self::CellEntry { request, entry } => {
                w.u32(*request);
                w.bool(entry.is_some());
                if let Some(entry) = entry {
                    entry.encode(w);
                }
            }
            Self::Announce(arrival) => arrival.encode(w),
            Self::Ping { nonce } => w.u32(*nonce),
            Self::Pong { nonce, id } => {
                w.u32(*nonce);
                encode_id(*id, w);
            }
            Self::KeepAlive { nonce, id, seen } => {
                w.u32(*nonce);
                encode_id(*id, w);
                w.u32(*seen);
            }
            Self::Alive { nonce, id, version, leaves } => {
                w.u32(*nonce);
                encode_id(*id, w);
                w.u32(*version);
                leaves.encode(w);
            }
            Self::Leaving { id, leaves } => {
                encode_id(*id, w);
                leaves.encode(w);
            }
            _ => unreachable!("other kinds have writers of their own"),
        }
    }

    fn decode_state(kind: u8, r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match kind {
            6 => Self::State { request: r.u32()?, state: Box::new(State::decode(r)?) },
            7 => {
                let request = r.u32()?;
                let row = if r.bool()? { Some(r.u8()?) } else { None };
                Self::GetState { request, row }
            }
            8 => Self::GetEntry { request: r.u32()?, failed: Contact::decode(r)? },
            9 => {
                let request = r.u32()?;
                let entry = if r.bool()? { Some(Contact::decode(r)?) } else { None };
                Self::CellEntry { request, entry }
            }
            10 => Self::Announce(Box::new(Arrival::decode(r)?)),
            11 => Self::Ping { nonce: r.u32()? },
            12 => Self::Pong { nonce: r.u32()?, id: decode_id(r)? },
            13 => Self::KeepAlive { nonce: r.u32()?, id: decode_id(r)?, seen: r.u32()? },
            14 => Self::Alive {
                nonce: r.u32()?,
                id: decode_id(r)?,
                version: r.u32()?,
                leaves: Contacts::decode(r)?,
            },
            _ => Self::Leaving { id: decode_id(r)?, leaves: Contacts::decode(r)? },
        })
    }
}
