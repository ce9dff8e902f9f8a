//! How CAN's messages are written.
//!
//! The paper defines no wire format; this is the lab's own, version 1. Each
//! message is one datagram: the version (one byte, 1), the kind (one byte, the
//! index in [`Message::KINDS`]), then the fields in the order of the variant's
//! declaration. Numbers are big-endian. A key takes 20 bytes, an address 6, a
//! point 8; a zone 8 (the bits of its path from the top, a one, zeros); a claim
//! 9 (zone, flag); a contact 14 (address, zone); a list is a 16-bit count and
//! its entries; an item is its name behind a length byte, then a 64-bit size;
//! a record is point, key, item, provider, edition. An [`Errand`] is a tag byte and its
//! fields.

use std::sync::Arc;

use super::message::{
    Claim, Contact, Erased, Errand, MAX_CLAIMS, MAX_CONTACTS, MAX_RECORDS, Message, Ring, Routed,
    State, Stored, Verdict,
};
use super::zone::{Point, Zone};
use crate::parts::postings::{Sift, Sifted};
use crate::{Addr, Hit, Key, Query, Reader, Wire, WireError, Writer};

/// The version this module reads and writes.
const VERSION: u8 = 1;

impl Wire for Message {
    const KINDS: &'static [&'static str] = &[
        "Route",
        "Received",
        "Declined",
        "Located",
        "Hits",
        "Judged",
        "Accept",
        "Refuse",
        "Update",
        "Probe",
        "Takeover",
        "Agree",
        "HandOver",
        "Transfer",
        "Ring",
        "Nearer",
        "Reassign",
        "Offer",
        "Sifted",
        "Divide",
        "Erase",
        "Replicate",
    ];

    fn kind(&self) -> usize {
        match self {
            Self::Route { .. } => 0,
            Self::Received { .. } => 1,
            Self::Declined { .. } => 2,
            Self::Located { .. } => 3,
            Self::Hits { .. } => 4,
            Self::Judged { .. } => 5,
            Self::Accept { .. } => 6,
            Self::Refuse { .. } => 7,
            Self::Update { .. } => 8,
            Self::Probe { .. } => 9,
            Self::Takeover { .. } => 10,
            Self::Agree { .. } => 11,
            Self::HandOver { .. } => 12,
            Self::Transfer { .. } => 13,
            Self::Ring { .. } => 14,
            Self::Nearer { .. } => 15,
            Self::Reassign { .. } => 16,
            Self::Offer { .. } => 17,
            Self::Sifted(_) => 18,
            Self::Divide { .. } => 19,
            Self::Erase { .. } => 20,
            Self::Replicate { .. } => 21,
        }
    }

    fn is_reply(&self) -> bool {
        matches!(
            self,
            Self::Received { .. }
                | Self::Declined { .. }
                | Self::Located { .. }
                | Self::Hits { .. }
                | Self::Judged { .. }
                | Self::Accept { .. }
                | Self::Refuse { .. }
                | Self::Agree { .. }
                | Self::Nearer { .. }
                | Self::Offer { .. }
                | Self::Sifted(_)
        )
    }

    fn encoded_len(&self) -> usize {
        2 + match self {
            Self::Route { routed, .. } => 4 + Addr::BYTES + 4 + 2 + 8 + 2 + routed.errand.len(),
            Self::Received { .. } | Self::Declined { .. } | Self::Refuse { .. } => 4,
            Self::Located { .. } => 5 + Addr::BYTES,
            Self::Probe { .. } => 5,
            Self::Hits { hits, .. } => 7 + hits.iter().map(Hit::encoded_len).sum::<usize>(),
            Self::Judged { .. } => 6,
            Self::Accept { contacts, .. } | Self::HandOver { contacts, .. } => {
                5 + CLAIM_BYTES + contacts_len(contacts)
            }
            Self::Update { state, .. } => {
                5 + 2 + state.claims.len() * CLAIM_BYTES + contacts_len(&state.contacts)
            }
            Self::Takeover { .. } => 1 + Addr::BYTES + 8,
            Self::Agree { .. } => 1 + Addr::BYTES,
            Self::Transfer { records, .. } => {
                7 + records.iter().map(Stored::encoded_len).sum::<usize>()
            }
            Self::Ring { .. } => 4 + Addr::BYTES + 1 + 8 + 16 + 1,
            Self::Nearer { .. } => 4,
            Self::Reassign { .. } => Addr::BYTES + 1 + Zone::BYTES + 1,
            Self::Offer { .. } => 1 + Zone::BYTES,
            Self::Sifted(sifted) => sifted.encoded_len(),
            Self::Divide { members, .. } => 1 + Zone::BYTES + contacts_len(members),
            Self::Replicate { hits, .. } => {
                Key::BYTES + 2 + hits.iter().map(Hit::encoded_len).sum::<usize>()
            }
            Self::Erase { .. } => 5 + 8 + 2 * Key::BYTES + Addr::BYTES + 4,
        }
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        w.u8(self.kind() as u8);
        match self {
            Self::Route { .. }
            | Self::Received { .. }
            | Self::Declined { .. }
            | Self::Located { .. }
            | Self::Hits { .. }
            | Self::Judged { .. } => self.encode_routing(w),
            Self::Accept { .. }
            | Self::Refuse { .. }
            | Self::Update { .. }
            | Self::Probe { .. }
            | Self::Takeover { .. }
            | Self::Agree { .. } => self.encode_zones(w),
            Self::Sifted(sifted) => sifted.encode(w),
            _ => self.encode_upkeep(w),
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let version = r.u8()?;
        if version != VERSION {
            return Err(r.invalid("version", u64::from(version)));
        }
        match r.u8()? {
            kind @ 0..=5 => Self::decode_routing(kind, r),
            kind @ 6..=11 => Self::decode_zones(kind, r),
            18 => Ok(Self::Sifted(Box::new(Sifted::decode(r)?))),
            kind @ (12..=17 | 19..=21) => Self::decode_upkeep(kind, r),
            other => Err(r.invalid("kind", u64::from(other))),
        }
    }
}

const CLAIM_BYTES: usize = Zone::BYTES + 1;
const CONTACT_BYTES: usize = Addr::BYTES + Zone::BYTES;

fn contacts_len(contacts: &[Contact]) -> usize {
    2 + contacts.len() * CONTACT_BYTES
}

fn encode_claim(claim: Claim, w: &mut Writer) {
    claim.zone.encode(w);
    w.bool(claim.firm);
}

fn decode_claim(r: &mut Reader<'_>) -> Result<Claim, WireError> {
    Ok(Claim { zone: Zone::decode(r)?, firm: r.bool()? })
}

fn encode_contacts(contacts: &[Contact], w: &mut Writer) {
    w.count(contacts.len());
    for contact in contacts {
        w.addr(contact.addr);
        contact.zone.encode(w);
    }
}

fn decode_contacts(r: &mut Reader<'_>) -> Result<Arc<[Contact]>, WireError> {
    let n = r.count("contacts", MAX_CONTACTS, CONTACT_BYTES)?;
    (0..n).map(|_| Ok(Contact { addr: r.addr()?, zone: Zone::decode(r)? })).collect()
}

impl Errand {
    fn len(&self) -> usize {
        1 + match self {
            Self::Locate | Self::Introduce => 0,
            Self::Fetch { .. } => Key::BYTES + 2,
            Self::Store { hit, .. } => Key::BYTES + hit.encoded_len(),
            Self::Remove { .. } => 2 * Key::BYTES + Addr::BYTES,
            Self::Join { .. } => 1,
            Self::Sift(sift) => sift.encoded_len(),
        }
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            Self::Locate => w.u8(0),
            Self::Fetch { key, limit } => {
                w.u8(1);
                w.key(*key);
                w.u16(*limit);
            }
            Self::Store { key, hit } => {
                w.u8(2);
                w.key(*key);
                hit.encode(w);
            }
            Self::Remove { key, provider, item } => {
                w.u8(3);
                w.key(*key);
                w.addr(*provider);
                w.key(*item);
            }
            Self::Join { chosen } => {
                w.u8(4);
                w.bool(*chosen);
            }
            Self::Introduce => w.u8(5),
            Self::Sift(sift) => {
                w.u8(6);
                sift.encode(w);
            }
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match r.u8()? {
            0 => Self::Locate,
            1 => Self::Fetch { key: r.key()?, limit: r.u16()?.clamp(1, Query::MAX_LIMIT) },
            2 => Self::Store { key: r.key()?, hit: Hit::decode(r)? },
            3 => Self::Remove { key: r.key()?, provider: r.addr()?, item: r.key()? },
            4 => Self::Join { chosen: r.bool()? },
            5 => Self::Introduce,
            6 => Self::Sift(Box::new(Sift::decode(r)?)),
            other => return Err(r.invalid("errand", u64::from(other))),
        })
    }
}

/// The three families of messages, each with its writer beside its reader.
impl Message {
    fn encode_routing(&self, w: &mut Writer) {
        match self {
            Self::Route { parcel, routed } => {
                w.u32(*parcel);
                w.addr(routed.origin);
                w.u32(routed.request);
                w.u8(routed.leg);
                w.u8(routed.reality);
                w.u64(routed.point.0);
                w.u16(routed.ttl);
                routed.errand.encode(w);
            }
            Self::Received { parcel } | Self::Declined { parcel } => w.u32(*parcel),
            Self::Located { request, leg, owner } => {
                w.u32(*request);
                w.u8(*leg);
                w.addr(*owner);
            }
            Self::Hits { request, leg, hits } => {
                w.u32(*request);
                w.u8(*leg);
                w.count(hits.len());
                hits.iter().for_each(|hit| hit.encode(w));
            }
            Self::Judged { request, leg, verdict } => {
                w.u32(*request);
                w.u8(*leg);
                w.u8(match verdict {
                    Verdict::Done => 0,
                    Verdict::NotFound => 1,
                    Verdict::Full => 2,
                });
            }
            _ => {}
        }
    }

    fn decode_routing(kind: u8, r: &mut Reader<'_>) -> Result<Self, WireError> {
        let number = r.u32()?;
        Ok(match kind {
            0 => Self::Route {
                parcel: number,
                routed: Box::new(Routed {
                    origin: r.addr()?,
                    request: r.u32()?,
                    leg: r.u8()?,
                    reality: r.u8()?,
                    point: Point(r.u64()?),
                    ttl: r.u16()?,
                    errand: Arc::new(Errand::decode(r)?),
                }),
            },
            1 => Self::Received { parcel: number },
            2 => Self::Declined { parcel: number },
            3 => Self::Located { request: number, leg: r.u8()?, owner: r.addr()? },
            4 => {
                let leg = r.u8()?;
                // Name length, size and provider take 15 bytes at least.
                let n = r.count("hits", usize::from(Query::MAX_LIMIT), 15)?;
                let hits = (0..n).map(|_| Hit::decode(r)).collect::<Result<_, _>>()?;
                Self::Hits { request: number, leg, hits }
            }
            _ => Self::Judged {
                request: number,
                leg: r.u8()?,
                verdict: match r.u8()? {
                    0 => Verdict::Done,
                    1 => Verdict::NotFound,
                    2 => Verdict::Full,
                    other => return Err(r.invalid("verdict", u64::from(other))),
                },
            },
        })
    }

    fn encode_zones(&self, w: &mut Writer) {
        match self {
            Self::Accept { request, reality, claim, contacts } => {
                w.u32(*request);
                w.u8(*reality);
                encode_claim(*claim, w);
                encode_contacts(contacts, w);
            }
            Self::Refuse { request } => w.u32(*request),
            Self::Update { reality, nonce, state } => {
                w.u8(*reality);
                w.u32(*nonce);
                w.count(state.claims.len());
                state.claims.iter().for_each(|claim| encode_claim(*claim, w));
                encode_contacts(&state.contacts, w);
            }
            Self::Probe { reality, nonce } => {
                w.u8(*reality);
                w.u32(*nonce);
            }
            Self::Takeover { reality, failed, volume } => {
                w.u8(*reality);
                w.addr(*failed);
                w.u64(*volume);
            }
            Self::Agree { reality, failed } => {
                w.u8(*reality);
                w.addr(*failed);
            }
            _ => {}
        }
    }

    fn decode_zones(kind: u8, r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match kind {
            6 => Self::Accept {
                request: r.u32()?,
                reality: r.u8()?,
                claim: decode_claim(r)?,
                contacts: decode_contacts(r)?,
            },
            7 => Self::Refuse { request: r.u32()? },
            8 => {
                let (reality, nonce) = (r.u8()?, r.u32()?);
                let n = r.count("claims", MAX_CLAIMS, CLAIM_BYTES)?;
                let claims = (0..n).map(|_| decode_claim(r)).collect::<Result<_, _>>()?;
                let contacts = decode_contacts(r)?;
                Self::Update { reality, nonce, state: Arc::new(State { claims, contacts }) }
            }
            9 => Self::Probe { reality: r.u8()?, nonce: r.u32()? },
            10 => Self::Takeover { reality: r.u8()?, failed: r.addr()?, volume: r.u64()? },
            _ => Self::Agree { reality: r.u8()?, failed: r.addr()? },
        })
    }

    fn encode_upkeep(&self, w: &mut Writer) {
        match self {
            Self::HandOver { parcel, reality, claim, contacts } => {
                w.u32(*parcel);
                w.u8(*reality);
                encode_claim(*claim, w);
                encode_contacts(contacts, w);
            }
            Self::Transfer { parcel, reality, records } => {
                w.u32(*parcel);
                w.u8(*reality);
                w.count(records.len());
                for record in records.iter() {
                    w.u64(record.point.0);
                    w.key(record.key);
                    record.hit.encode(w);
                    w.u32(record.edition);
                }
            }
            Self::Ring { ttl, ring } => {
                w.u8(*ttl);
                w.u32(ring.search);
                w.addr(ring.asker);
                w.u8(ring.reality);
                w.u64(ring.point.0);
                w.bytes(&ring.distance_squared.to_be_bytes());
            }
            Self::Nearer { search } => w.u32(*search),
            Self::Reassign { holder, reality, zone, ttl } => {
                w.addr(*holder);
                w.u8(*reality);
                zone.encode(w);
                w.u8(*ttl);
            }
            Self::Offer { reality, zone } => {
                w.u8(*reality);
                zone.encode(w);
            }
            Self::Divide { reality, zone, members } => {
                w.u8(*reality);
                zone.encode(w);
                encode_contacts(members, w);
            }
            Self::Replicate { key, hits } => {
                w.key(*key);
                w.count(hits.len());
                hits.iter().for_each(|hit| hit.encode(w));
            }
            Self::Erase { parcel, reality, record } => {
                w.u32(*parcel);
                w.u8(*reality);
                w.u64(record.point.0);
                w.key(record.key);
                w.addr(record.provider);
                w.key(record.item);
                w.u32(record.edition);
            }
            _ => {}
        }
    }

    fn decode_upkeep(kind: u8, r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match kind {
            12 => Self::HandOver {
                parcel: r.u32()?,
                reality: r.u8()?,
                claim: decode_claim(r)?,
                contacts: decode_contacts(r)?,
            },
            13 => {
                let (parcel, reality) = (r.u32()?, r.u8()?);
                let n = r.count("records", MAX_RECORDS, 8 + Key::BYTES + 15 + 4)?;
                let record = |r: &mut Reader<'_>| {
                    Ok(Stored {
                        point: Point(r.u64()?),
                        key: r.key()?,
                        hit: Hit::decode(r)?,
                        edition: r.u32()?,
                    })
                };
                let records = (0..n).map(|_| record(r)).collect::<Result<_, _>>()?;
                Self::Transfer { parcel, reality, records }
            }
            14 => Self::Ring {
                ttl: r.u8()?,
                ring: Box::new(Ring {
                    search: r.u32()?,
                    asker: r.addr()?,
                    reality: r.u8()?,
                    point: Point(r.u64()?),
                    distance_squared: u128::from(r.u64()?) << 64 | u128::from(r.u64()?),
                }),
            },
            15 => Self::Nearer { search: r.u32()? },
            16 => Self::Reassign {
                holder: r.addr()?,
                reality: r.u8()?,
                zone: Zone::decode(r)?,
                ttl: r.u8()?,
            },
            17 => Self::Offer { reality: r.u8()?, zone: Zone::decode(r)? },
            19 => Self::Divide {
                reality: r.u8()?,
                zone: Zone::decode(r)?,
                members: decode_contacts(r)?,
            },
            21 => {
                let key = r.key()?;
                let n = r.count("hits", usize::from(Query::MAX_LIMIT), 15)?;
                let hits = (0..n).map(|_| Hit::decode(r)).collect::<Result<_, _>>()?;
                Self::Replicate { key, hits }
            }
            _ => Self::Erase {
                parcel: r.u32()?,
                reality: r.u8()?,
                record: Box::new(Erased {
                    point: Point(r.u64()?),
                    key: r.key()?,
                    provider: r.addr()?,
                    item: r.key()?,
                    edition: r.u32()?,
                }),
            },
        })
    }
}
