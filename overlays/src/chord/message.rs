//! What Chord nodes say to each other, and how it is written.
//!
//! The papers define no wire format; this is the lab's own, version 1. Each
//! message is one datagram: the version (one byte, 1), the kind (one byte, the
//! index in [`Message::KINDS`]), then the fields in the order of the variant's
//! declaration. Numbers are big-endian. A key takes 20 bytes, an address 6, a
//! contact 28 (key, address, number of the virtual node); an optional contact
//! is a flag byte and, if that is 1, the contact; a list is a 16-bit count and
//! its entries; an item is its name behind a length byte, then a 64-bit size.
//! An [`Errand`] is a tag byte (0 fetch, 1 store, 2 remove, 3 post, 4 unpost, 5
//! sift) and its fields; the optional one of [`Message::Route`] has tag 255 for
//! none. Transferred records are items and providers; where some are kept under
//! a word, bit 1 of the flag `owned` is set and each has a byte more, the word's
//! number or 255.

use std::sync::Arc;

use super::contact::{Contact, ContactList};
use crate::parts::postings::{Posting, Sift, Sifted, WHOLE};
use crate::{Addr, Hit, Key, Query, Reader, Wire, WireError, Writer};

/// The version this module reads and writes.
const VERSION: u8 = 1;
/// The most contacts in one list.
pub(super) const MAX_CONTACTS: usize = 64;
/// The most records in one transfer.
pub(super) const MAX_RECORDS: usize = 1024;
/// The most bytes of records in one transfer.
pub(super) const MAX_RECORD_BYTES: usize = 16 * 1024;

/// What is wanted of the owner of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Errand {
    /// Up to `limit` records with this key.
    Fetch {
        /// The item's key, uncut.
        key: Key,
        /// How many hits are enough.
        limit: u16,
    },
    /// Keep this record.
    Store(Hit),
    /// Drop the record of this provider under this key.
    Remove {
        /// The item's key, uncut.
        key: Key,
        /// Who provided it.
        provider: Addr,
    },
    /// Keep this record under a word.
    Post(Posting),
    /// Drop this provider's record of an item from a word's list.
    Unpost(Posted),
    /// Look in a word's list for what a keyword search wants.
    Sift(Sift),
}

/// Which record of a posting list is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Where the list is kept.
    pub list: Key,
    /// The item's key.
    pub item: Key,
    /// Who provides it.
    pub provider: Addr,
}

impl Posted {
    const BYTES: usize = 2 * Key::BYTES + Addr::BYTES;

    fn encode(&self, w: &mut Writer) {
        w.key(self.list);
        w.key(self.item);
        w.addr(self.provider);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { list: r.key()?, item: r.key()?, provider: r.addr()? })
    }
}

impl Errand {
    /// To store a record where it belongs.
    pub(super) fn storing(posting: Posting) -> Self {
        if posting.word == WHOLE { Self::Store(posting.hit) } else { Self::Post(posting) }
    }

    /// To remove a record from where it belongs.
    pub(super) fn removing(posting: &Posting) -> Self {
        let (item, provider) = (posting.hit.item.key(), posting.hit.provider);
        match posting.word {
            WHOLE => Self::Remove { key: item, provider },
            _ => Self::Unpost(Posted { list: posting.key(), item, provider }),
        }
    }

    /// The key whose owner it is for.
    pub fn key(&self) -> Key {
        match self {
            Self::Fetch { key, .. } | Self::Remove { key, .. } => *key,
            Self::Store(hit) => hit.item.key(),
            Self::Post(posting) => posting.key(),
            Self::Unpost(posted) => posted.list,
            Self::Sift(sift) => sift.key(),
        }
    }

    fn encoded_len(&self) -> usize {
        1 + match self {
            Self::Fetch { .. } => Key::BYTES + 2,
            Self::Store(hit) => hit.encoded_len(),
            Self::Remove { .. } => Key::BYTES + Addr::BYTES,
            Self::Post(posting) => posting.encoded_len(),
            Self::Unpost(_) => Posted::BYTES,
            Self::Sift(sift) => sift.encoded_len(),
        }
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            Self::Fetch { key, limit } => {
                w.u8(0);
                w.key(*key);
                w.u16(*limit);
            }
            Self::Store(hit) => {
                w.u8(1);
                hit.encode(w);
            }
            Self::Remove { key, provider } => {
                w.u8(2);
                w.key(*key);
                w.addr(*provider);
            }
            Self::Post(posting) => {
                w.u8(3);
                posting.encode(w);
            }
            Self::Unpost(posted) => {
                w.u8(4);
                posted.encode(w);
            }
            Self::Sift(sift) => {
                w.u8(5);
                sift.encode(w);
            }
        }
    }

    fn decode_tagged(tag: u8, r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match tag {
            0 => {
                let key = r.key()?;
                Self::Fetch { key, limit: r.u16()?.clamp(1, Query::MAX_LIMIT) }
            }
            1 => Self::Store(Hit::decode(r)?),
            2 => Self::Remove { key: r.key()?, provider: r.addr()? },
            3 => Self::Post(Posting::decode(r)?),
            4 => Self::Unpost(Posted::decode(r)?),
            5 => Self::Sift(Sift::decode(r)?),
            other => return Err(r.invalid("errand", u64::from(other))),
        })
    }
}

/// How the owner of a key answered a store or remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Done,
    /// There was no such record.
    NotFound,
    /// There is no room.
    Full,
}

/// Pointers of a node, for stabilisation, joining and leaving.
#[derive(Clone, Debug, PartialEq)]
pub struct Farewell {
    /// Who leaves.
    pub leaver: Contact,
    /// Its predecessor.
    pub predecessor: Option<Contact>,
    /// Its successor list.
    pub successors: Vec<Contact>,
}

/// A list of contacts behind one pointer, so that messages stay small; empty
/// lists allocate nothing, short ones once.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Contacts(Option<Box<ContactList>>);

impl Contacts {
    /// The list.
    #[inline]
    pub fn as_slice(&self) -> &[Contact] {
        self.0.as_ref().map_or(&[], |list| list.as_slice())
    }

    #[inline]
    fn encoded_len(&self) -> usize {
        2 + self.as_slice().len() * Contact::BYTES
    }

    fn encode(&self, w: &mut Writer) {
        w.count(self.as_slice().len());
        for contact in self.as_slice() {
            contact.encode(w);
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let n = r.count("contacts", MAX_CONTACTS, Contact::BYTES)?;
        (0..n).map(|_| Contact::decode(r)).collect()
    }
}

impl FromIterator<Contact> for Contacts {
    /// The first `MAX_CONTACTS` of the iterator.
    fn from_iter<I: IntoIterator<Item = Contact>>(contacts: I) -> Self {
        contacts.into_iter().take(MAX_CONTACTS).collect::<ContactList>().into()
    }
}

impl From<ContactList> for Contacts {
    fn from(mut list: ContactList) -> Self {
        list.truncate(MAX_CONTACTS);
        Self((!list.is_empty()).then(|| Box::new(list)))
    }
}

/// What Chord nodes say to each other.
///
/// `vnode` names the virtual node of the receiver that is meant; `asker` the
/// sender's, to be named in the answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Which node is next for a lookup of this key (iterative)?
    FindNext {
        /// The asker's number for this request.
        request: u32,
        /// Whose fingers to consult.
        vnode: u16,
        /// The key.
        key: Key,
    },
    /// Ask one of these, best first.
    Closer {
        /// Which request this answers.
        request: u32,
        /// Nodes before the key.
        nodes: Contacts,
    },
    /// The first of these owns the key; the others follow it on the ring.
    Owner {
        /// Which request this answers.
        request: u32,
        /// The owner and its successors.
        nodes: Contacts,
    },
    /// Pass this lookup on towards the key (recursive).
    Route {
        /// The origin's number for this request.
        request: u32,
        /// Who is answered.
        origin: Addr,
        /// The key.
        key: Key,
        /// Whose fingers to consult.
        vnode: u16,
        /// Hops that are left.
        ttl: u16,
        /// Whether the sender wants to know that it arrived.
        ack: bool,
        /// What the owner is to do; without, it is only looked for.
        errand: Option<Box<Errand>>,
    },
    /// A `Route` or `Deliver` arrived.
    Received {
        /// Its request.
        request: u32,
        /// Its origin.
        origin: Addr,
    },
    /// This node owns the key of that lookup.
    Located {
        /// Which request this answers.
        request: u32,
        /// The owner.
        owner: Contact,
    },
    /// Carry this out: you own its key.
    Deliver {
        /// The origin's number for this request.
        request: u32,
        /// Who is answered.
        origin: Addr,
        /// Whose range it is meant for.
        vnode: u16,
        /// How often it may still be passed on.
        ttl: u16,
        /// Whether the sender wants to know that it arrived.
        ack: bool,
        /// Whether the nodes before this one did not answer, so that it must
        /// not be passed back to them.
        insist: bool,
        /// What to do.
        errand: Box<Errand>,
    },
    /// The records that were asked for.
    Hits {
        /// Which request this answers.
        request: u32,
        /// The records.
        hits: Box<[Hit]>,
    },
    /// How a store or remove went.
    Judged {
        /// Which request this answers.
        request: u32,
        /// How it went.
        verdict: Verdict,
    },
    /// Who are your neighbours? (stabilise)
    GetNeighbours {
        /// Whose.
        vnode: u16,
        /// On whose behalf.
        asker: u16,
    },
    /// The neighbours of a node.
    Neighbours {
        /// Who asked.
        vnode: u16,
        /// Whose neighbours these are.
        responder: u16,
        /// Its predecessor.
        predecessor: Option<Contact>,
        /// Its successor list, but for what the asker has no room for.
        successors: Contacts,
    },
    /// I might be your predecessor.
    Notify {
        /// Whose predecessor.
        vnode: u16,
        /// Who says so.
        sender: Contact,
    },
    /// A node stands between you and me: stabilise now.
    Nudge {
        /// After whom.
        vnode: u16,
    },
    /// Are you there?
    Ping {
        /// Which virtual node.
        vnode: u16,
        /// On whose behalf.
        asker: u16,
    },
    /// Still here.
    Pong {
        /// Who asked.
        vnode: u16,
        /// Who is there.
        responder: u16,
    },
    /// Keep these records.
    Transfer {
        /// The sender's number for this transfer.
        request: u32,
        /// As their owner, or as a copy.
        owned: bool,
        /// The records.
        records: Arc<[Posting]>,
    },
    /// A transfer was taken in.
    Kept {
        /// Which one.
        request: u32,
    },
    /// Drop your copies of what lies in (after, upto]: others keep them now.
    Release {
        /// Where the range begins, itself not included.
        after: Key,
        /// Where it ends.
        upto: Key,
    },
    /// Drop your copy of this provider's record.
    Erase {
        /// The item's key.
        key: Key,
        /// Who provided it.
        provider: Addr,
    },
    /// What a keyword search found at the owner of a word.
    Sifted(Box<Sifted>),
    /// Drop your copy of this record of a posting list.
    EraseWord(Box<Posted>),
    /// A neighbour leaves, and these are its pointers.
    Leaving {
        /// Whose neighbour.
        vnode: u16,
        /// Who leaves, and its pointers.
        farewell: Box<Farewell>,
    },
}

#[inline]
fn optional_contact_len(contact: Option<&Contact>) -> usize {
    1 + contact.map_or(0, |_| Contact::BYTES)
}

fn encode_optional_contact(contact: Option<&Contact>, w: &mut Writer) {
    w.bool(contact.is_some());
    if let Some(c) = contact {
        c.encode(w);
    }
}

fn decode_optional_contact(r: &mut Reader<'_>) -> Result<Option<Contact>, WireError> {
    Ok(if r.bool()? { Some(Contact::decode(r)?) } else { None })
}

fn decode_hits(r: &mut Reader<'_>, limit: usize) -> Result<Vec<Hit>, WireError> {
    // Name length, size and provider take 15 bytes at least.
    let n = r.count("records", limit, 15)?;
    (0..n).map(|_| Hit::decode(r)).collect()
}

fn hits_len(hits: &[Hit]) -> usize {
    2 + hits.iter().map(Hit::encoded_len).sum::<usize>()
}

fn encode_hits(hits: &[Hit], w: &mut Writer) {
    w.count(hits.len());
    for hit in hits {
        hit.encode(w);
    }
}

/// In the byte of `owned`: some records are kept under a word.
const WITH_WORDS: u8 = 2;

fn has_words(records: &[Posting]) -> bool {
    records.iter().any(|record| record.word != WHOLE)
}

fn postings_len(records: &[Posting]) -> usize {
    let words = if has_words(records) { records.len() } else { 0 };
    2 + words + records.iter().map(|record| record.hit.encoded_len()).sum::<usize>()
}

fn encode_postings(owned: bool, records: &[Posting], w: &mut Writer) {
    let with_words = has_words(records);
    w.u8(u8::from(owned) | if with_words { WITH_WORDS } else { 0 });
    w.count(records.len());
    for record in records {
        if with_words {
            record.encode(w);
        } else {
            record.hit.encode(w);
        }
    }
}

fn decode_postings(r: &mut Reader<'_>) -> Result<(bool, Arc<[Posting]>), WireError> {
    let flags = r.u8()?;
    if flags > 1 | WITH_WORDS {
        return Err(r.invalid("flag", u64::from(flags)));
    }
    let owned = flags & 1 == 1;
    if flags & WITH_WORDS == 0 {
        let hits = decode_hits(r, MAX_RECORDS)?;
        return Ok((owned, hits.into_iter().map(Posting::from).collect()));
    }
    let n = r.count("records", MAX_RECORDS, 16)?;
    let records: Arc<[Posting]> = (0..n).map(|_| Posting::decode(r)).collect::<Result<_, _>>()?;
    if !has_words(&records) {
        // Each message has one encoding: this one is for records with words.
        return Err(r.invalid("flag", u64::from(flags)));
    }
    Ok((owned, records))
}

impl Wire for Message {
    const KINDS: &'static [&'static str] = &[
        "FindNext",
        "Closer",
        "Owner",
        "Route",
        "Received",
        "Located",
        "Deliver",
        "Hits",
        "Judged",
        "GetNeighbours",
        "Neighbours",
        "Notify",
        "Nudge",
        "Ping",
        "Pong",
        "Transfer",
        "Kept",
        "Release",
        "Erase",
        "Leaving",
        "Sifted",
        "EraseWord",
    ];

    #[inline]
    fn kind(&self) -> usize {
        match self {
            Self::FindNext { .. } => 0,
            Self::Closer { .. } => 1,
            Self::Owner { .. } => 2,
            Self::Route { .. } => 3,
            Self::Received { .. } => 4,
            Self::Located { .. } => 5,
            Self::Deliver { .. } => 6,
            Self::Hits { .. } => 7,
            Self::Judged { .. } => 8,
            Self::GetNeighbours { .. } => 9,
            Self::Neighbours { .. } => 10,
            Self::Notify { .. } => 11,
            Self::Nudge { .. } => 12,
            Self::Ping { .. } => 13,
            Self::Pong { .. } => 14,
            Self::Transfer { .. } => 15,
            Self::Kept { .. } => 16,
            Self::Release { .. } => 17,
            Self::Erase { .. } => 18,
            Self::Leaving { .. } => 19,
            Self::Sifted(_) => 20,
            Self::EraseWord(_) => 21,
        }
    }

    #[inline]
    fn is_reply(&self) -> bool {
        matches!(
            self,
            Self::Closer { .. }
                | Self::Owner { .. }
                | Self::Received { .. }
                | Self::Located { .. }
                | Self::Hits { .. }
                | Self::Judged { .. }
                | Self::Neighbours { .. }
                | Self::Pong { .. }
                | Self::Kept { .. }
                | Self::Sifted(_)
        )
    }

    #[inline]
    fn encoded_len(&self) -> usize {
        2 + match self {
            Self::FindNext { .. } => 6 + Key::BYTES,
            Self::Closer { nodes, .. } | Self::Owner { nodes, .. } => 4 + nodes.encoded_len(),
            Self::Route { errand, .. } => {
                let errand = errand.as_ref().map_or(1, |e| e.encoded_len());
                4 + Addr::BYTES + Key::BYTES + 5 + errand
            }
            Self::Received { .. } => 4 + Addr::BYTES,
            Self::Located { .. } => 4 + Contact::BYTES,
            Self::Deliver { errand, .. } => 4 + Addr::BYTES + 6 + errand.encoded_len(),
            Self::Hits { hits, .. } => 4 + hits_len(hits),
            Self::Judged { .. } => 5,
            Self::GetNeighbours { .. } | Self::Ping { .. } | Self::Pong { .. } => 4,
            Self::Neighbours { predecessor, successors, .. } => {
                4 + optional_contact_len(predecessor.as_ref()) + successors.encoded_len()
            }
            Self::Notify { .. } => 2 + Contact::BYTES,
            Self::Nudge { .. } => 2,
            Self::Transfer { records, .. } => 5 + postings_len(records),
            Self::Kept { .. } => 4,
            Self::Release { .. } => 2 * Key::BYTES,
            Self::Erase { .. } => Key::BYTES + Addr::BYTES,
            Self::Sifted(sifted) => sifted.encoded_len(),
            Self::EraseWord(_) => Posted::BYTES,
            Self::Leaving { farewell, .. } => {
                2 + Contact::BYTES
                    + optional_contact_len(farewell.predecessor.as_ref())
                    + 2
                    + farewell.successors.len() * Contact::BYTES
            }
        }
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        w.u8(self.kind() as u8);
        match self {
            Self::FindNext { .. }
            | Self::Closer { .. }
            | Self::Owner { .. }
            | Self::Route { .. }
            | Self::Received { .. }
            | Self::Located { .. } => self.encode_routing(w),
            Self::Deliver { .. }
            | Self::Hits { .. }
            | Self::Judged { .. }
            | Self::Transfer { .. }
            | Self::Kept { .. }
            | Self::Release { .. }
            | Self::Erase { .. }
            | Self::Sifted(_)
            | Self::EraseWord(_) => self.encode_records(w),
            _ => self.encode_ring(w),
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let version = r.u8()?;
        if version != VERSION {
            return Err(r.invalid("version", u64::from(version)));
        }
        match r.u8()? {
            kind @ 0..=5 => Self::decode_routing(kind, r),
            kind @ (6..=8 | 15..=18 | 20..=21) => Self::decode_records(kind, r),
            kind @ (9..=14 | 19) => Self::decode_ring(kind, r),
            other => Err(r.invalid("kind", u64::from(other))),
        }
    }
}

/// The three families of messages, each with its writer beside its reader.
impl Message {
    fn encode_routing(&self, w: &mut Writer) {
        match self {
            Self::FindNext { request, vnode, key } => {
                w.u32(*request);
                w.u16(*vnode);
                w.key(*key);
            }
            Self::Closer { request, nodes } | Self::Owner { request, nodes } => {
                w.u32(*request);
                nodes.encode(w);
            }
            Self::Route { request, origin, key, vnode, ttl, ack, errand } => {
                w.u32(*request);
                w.addr(*origin);
                w.key(*key);
                w.u16(*vnode);
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
            Self::Located { request, owner } => {
                w.u32(*request);
                owner.encode(w);
            }
            _ => {}
        }
    }

    fn decode_routing(kind: u8, r: &mut Reader<'_>) -> Result<Self, WireError> {
        let request = r.u32()?;
        Ok(match kind {
            0 => Self::FindNext { request, vnode: r.u16()?, key: r.key()? },
            1 => Self::Closer { request, nodes: Contacts::decode(r)? },
            2 => Self::Owner { request, nodes: Contacts::decode(r)? },
            3 => Self::Route {
                request,
                origin: r.addr()?,
                key: r.key()?,
                vnode: r.u16()?,
                ttl: r.u16()?,
                ack: r.bool()?,
                errand: match r.u8()? {
                    NO_ERRAND => None,
                    tag => Some(Box::new(Errand::decode_tagged(tag, r)?)),
                },
            },
            4 => Self::Received { request, origin: r.addr()? },
            _ => Self::Located { request, owner: Contact::decode(r)? },
        })
    }

    fn encode_records(&self, w: &mut Writer) {
        match self {
            Self::Deliver { request, origin, vnode, ttl, ack, insist, errand } => {
                w.u32(*request);
                w.addr(*origin);
                w.u16(*vnode);
                w.u16(*ttl);
                w.bool(*ack);
                w.bool(*insist);
                errand.encode(w);
            }
            Self::Hits { request, hits } => {
                w.u32(*request);
                encode_hits(hits, w);
            }
            Self::Judged { request, verdict } => {
                w.u32(*request);
                w.u8(match verdict {
                    Verdict::Done => 0,
                    Verdict::NotFound => 1,
                    Verdict::Full => 2,
                });
            }
            Self::Transfer { request, owned, records } => {
                w.u32(*request);
                encode_postings(*owned, records, w);
            }
            Self::Kept { request } => w.u32(*request),
            Self::Release { after, upto } => {
                w.key(*after);
                w.key(*upto);
            }
            Self::Erase { key, provider } => {
                w.key(*key);
                w.addr(*provider);
            }
            Self::Sifted(sifted) => sifted.encode(w),
            Self::EraseWord(posted) => posted.encode(w),
            _ => {}
        }
    }

    fn decode_records(kind: u8, r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match kind {
            6 => Self::Deliver {
                request: r.u32()?,
                origin: r.addr()?,
                vnode: r.u16()?,
                ttl: r.u16()?,
                ack: r.bool()?,
                insist: r.bool()?,
                errand: {
                    let tag = r.u8()?;
                    Box::new(Errand::decode_tagged(tag, r)?)
                },
            },
            7 => {
                let request = r.u32()?;
                let hits = decode_hits(r, usize::from(Query::MAX_LIMIT))?;
                Self::Hits { request, hits: hits.into() }
            }
            8 => Self::Judged {
                request: r.u32()?,
                verdict: match r.u8()? {
                    0 => Verdict::Done,
                    1 => Verdict::NotFound,
                    2 => Verdict::Full,
                    other => return Err(r.invalid("verdict", u64::from(other))),
                },
            },
            15 => {
                let request = r.u32()?;
                let (owned, records) = decode_postings(r)?;
                Self::Transfer { request, owned, records }
            }
            16 => Self::Kept { request: r.u32()? },
            17 => Self::Release { after: r.key()?, upto: r.key()? },
            20 => Self::Sifted(Box::new(Sifted::decode(r)?)),
            21 => Self::EraseWord(Box::new(Posted::decode(r)?)),
            _ => Self::Erase { key: r.key()?, provider: r.addr()? },
        })
    }

    fn encode_ring(&self, w: &mut Writer) {
        match self {
            Self::GetNeighbours { vnode, asker } | Self::Ping { vnode, asker } => {
                w.u16(*vnode);
                w.u16(*asker);
            }
            Self::Pong { vnode, responder } => {
                w.u16(*vnode);
                w.u16(*responder);
            }
            Self::Neighbours { vnode, responder, predecessor, successors } => {
                w.u16(*vnode);
                w.u16(*responder);
                encode_optional_contact(predecessor.as_ref(), w);
                successors.encode(w);
            }
            Self::Notify { vnode, sender } => {
                w.u16(*vnode);
                sender.encode(w);
            }
            Self::Nudge { vnode } => w.u16(*vnode),
            Self::Leaving { vnode, farewell } => {
                w.u16(*vnode);
                farewell.leaver.encode(w);
                encode_optional_contact(farewell.predecessor.as_ref(), w);
                w.count(farewell.successors.len());
                for contact in &farewell.successors {
                    contact.encode(w);
                }
            }
            _ => {}
        }
    }

    fn decode_ring(kind: u8, r: &mut Reader<'_>) -> Result<Self, WireError> {
        let vnode = r.u16()?;
        Ok(match kind {
            9 => Self::GetNeighbours { vnode, asker: r.u16()? },
            10 => Self::Neighbours {
                vnode,
                responder: r.u16()?,
                predecessor: decode_optional_contact(r)?,
                successors: Contacts::decode(r)?,
            },
            11 => Self::Notify { vnode, sender: Contact::decode(r)? },
            12 => Self::Nudge { vnode },
            13 => Self::Ping { vnode, asker: r.u16()? },
            14 => Self::Pong { vnode, responder: r.u16()? },
            _ => {
                let leaver = Contact::decode(r)?;
                let predecessor = decode_optional_contact(r)?;
                let n = r.count("contacts", MAX_CONTACTS, Contact::BYTES)?;
                let successors = (0..n).map(|_| Contact::decode(r)).collect::<Result<_, _>>()?;
                Self::Leaving {
                    vnode,
                    farewell: Box::new(Farewell { leaver, predecessor, successors }),
                }
            }
        })
    }
}

/// The tag in place of an errand where there is none.
const NO_ERRAND: u8 = 255;
