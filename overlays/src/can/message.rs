//! What CAN nodes say to each other.

use std::sync::Arc;

use super::zone::{Point, Zone};
use crate::parts::postings::{Posting, Sift, Sifted};
use crate::{Addr, Hit, Key};

/// The most contacts in one list.
pub(super) const MAX_CONTACTS: usize = 1024;
/// The most zones that a node claims in one reality.
pub(super) const MAX_CLAIMS: usize = 256;
/// The most records in one transfer.
pub(super) const MAX_RECORDS: usize = 1024;
/// The most bytes of records in one transfer.
pub(super) const MAX_RECORD_BYTES: usize = 16 * 1024;

/// What is wanted of the owner of a point.
#[derive(Clone, Debug, PartialEq)]
pub enum Errand {
    /// Say who you are.
    Locate,
    /// Up to `limit` records with this key.
    Fetch {
        /// The key.
        key: Key,
        /// How many hits are enough.
        limit: u16,
    },
    /// Keep this record under this key.
    Store {
        /// The key; the item's own, or that of a word in its name.
        key: Key,
        /// The item and its provider.
        hit: Hit,
    },
    /// Drop the record of this provider's item under this key.
    Remove {
        /// The key.
        key: Key,
        /// Who provided it.
        provider: Addr,
        /// The item's own key.
        item: Key,
    },
    /// Split your zone with the sender (§2.2).
    Join {
        /// Whether a larger zone was looked for already (§3.7).
        chosen: bool,
    },
    /// Tell the sender of yourself: it knows nobody who owns this point.
    Introduce,
    /// Look in a word's list for what a keyword search wants.
    Sift(Box<Sift>),
}

/// How the owner of a point answered a store or remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Done,
    /// There was no such record.
    NotFound,
    /// There is no room.
    Full,
}

/// A zone that a node holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The zone.
    pub zone: Zone,
    /// Whether the node came by it through a split or a handover, and not
    /// because its owner seemed to have failed.
    pub firm: bool,
}

/// A neighbour and a zone of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Who.
    pub addr: Addr,
    /// The zone; a neighbour with several has as many contacts.
    pub zone: Zone,
}

/// What a node tells its neighbours of itself (§2.3): its zones, and its
/// neighbours with theirs.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct State {
    /// Its zones; none when it leaves.
    pub claims: Vec<Claim>,
    /// Its neighbours.
    pub contacts: Arc<[Contact]>,
}

/// A record as it is handed on.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The point it is kept at.
    pub point: Point,
    /// The key it is kept under.
    pub key: Key,
    /// The item and its provider.
    pub hit: Hit,
    /// The provider's number for its announcement; zero where zones are not
    /// shared.
    pub edition: u32,
}

impl Stored {
    /// Bytes that it takes in a transfer.
    pub(super) fn encoded_len(&self) -> usize {
        8 + Key::BYTES + self.hit.encoded_len() + 4
    }
}

/// How far apart two numbers of one life of a provider may lie to be compared.
const LONGEST_LEAD: u32 = 1 << 24;

/// Whether the announcement or withdrawal with the number `this` was made after
/// the one with the number `other`, by the same provider. Numbers that lie far
/// apart are of two lives of it, and tell nothing.
pub(super) const fn is_later(this: u32, other: u32) -> bool {
    let ahead = this.wrapping_sub(other);
    0 < ahead && ahead <= LONGEST_LEAD
}

/// A message on its way to the owner of a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Routed {
    /// Who is answered.
    pub origin: Addr,
    /// The origin's number for this request.
    pub request: u32,
    /// Which of the request's copies this is.
    pub leg: u8,
    /// The reality it must stay in; [`Routed::ANY_REALITY`] for any.
    pub reality: u8,
    /// The destination.
    pub point: Point,
    /// Hops that are left.
    pub ttl: u16,
    /// What its owner is to do.
    pub errand: Arc<Errand>,
}

impl Routed {
    /// In place of a reality: whichever is nearest at each hop.
    pub const ANY_REALITY: u8 = 255;
}

/// A record that is to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The point it is kept at.
    pub point: Point,
    /// The key it is kept under.
    pub key: Key,
    /// Who provided it.
    pub provider: Addr,
    /// The item's own key.
    pub item: Key,
    /// The provider's number for the withdrawal; zero where zones are not shared.
    pub edition: u32,
}

impl Erased {
    /// Whether it withdraws this announcement of the record.
    pub(super) const fn undoes(&self, edition: u32) -> bool {
        self.edition == edition || is_later(self.edition, edition)
    }
}

/// The search for a way on where no neighbour is nearer to a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Ring {
    /// The asker's number for this search.
    pub search: u32,
    /// Who asks.
    pub asker: Addr,
    /// In which reality.
    pub reality: u8,
    /// The point.
    pub point: Point,
    /// The square of the asker's own distance to it.
    pub distance_squared: u128,
}

/// What CAN nodes say to each other.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Pass this on towards its point.
    Route {
        /// The sender's number, to be acknowledged; zero for none.
        parcel: u32,
        /// What is passed on.
        routed: Box<Routed>,
    },
    /// A numbered message arrived and was taken.
    Received {
        /// Its number.
        parcel: u32,
    },
    /// A numbered message arrived and cannot be taken.
    Declined {
        /// Its number.
        parcel: u32,
    },
    /// This node owns that point.
    Located {
        /// Which request this answers.
        request: u32,
        /// Which of its copies.
        leg: u8,
        /// The owner; of several peers of a zone, the one with the lowest
        /// address.
        owner: Addr,
    },
    /// The records that were asked for.
    Hits {
        /// Which request this answers.
        request: u32,
        /// Which of its copies.
        leg: u8,
        /// The records.
        hits: Box<[Hit]>,
    },
    /// How a store or remove went.
    Judged {
        /// Which request this answers.
        request: u32,
        /// Which of its copies.
        leg: u8,
        /// How it went.
        verdict: Verdict,
    },
    /// Half of the sender's zone is yours, and these will be your neighbours.
    Accept {
        /// Which join this answers.
        request: u32,
        /// In which reality.
        reality: u8,
        /// The half.
        claim: Claim,
        /// The neighbours of the zone before it was split, and the sender.
        contacts: Arc<[Contact]>,
    },
    /// The zone cannot be split now: try another point.
    Refuse {
        /// Which join this answers.
        request: u32,
    },
    /// The sender's zones and neighbours.
    Update {
        /// In which reality.
        reality: u8,
        /// The number of the probe that this answers; zero for none.
        nonce: u32,
        /// Zones and neighbours.
        state: Arc<State>,
    },
    /// Send an update with this number: to confirm a zone, to measure the round
    /// trip, or as a sign of life.
    Probe {
        /// In which reality.
        reality: u8,
        /// The number.
        nonce: u32,
    },
    /// The sender is about to take over a failed node's zones (§2.3).
    Takeover {
        /// In which reality.
        reality: u8,
        /// The failed node.
        failed: Addr,
        /// The volume of the sender's own zones.
        volume: u64,
    },
    /// Go ahead with that takeover.
    Agree {
        /// In which reality.
        reality: u8,
        /// The failed node.
        failed: Addr,
    },
    /// Take this zone: the sender leaves, or has one too many.
    HandOver {
        /// The sender's number, to be acknowledged.
        parcel: u32,
        /// In which reality.
        reality: u8,
        /// The zone.
        claim: Claim,
        /// The neighbours of the zone.
        contacts: Arc<[Contact]>,
    },
    /// Keep these records: they lie in your zone.
    Transfer {
        /// The sender's number, to be acknowledged.
        parcel: u32,
        /// In which reality.
        reality: u8,
        /// The records.
        records: Arc<[Stored]>,
    },
    /// Who of you is nearer to this point than I am? (§2.1, expanding ring)
    Ring {
        /// Rings that are left.
        ttl: u8,
        /// What is asked.
        ring: Box<Ring>,
    },
    /// The sender is, or knows somebody who is.
    Nearer {
        /// Which search this answers.
        search: u32,
    },
    /// Find two sibling zones, of which one can take over this zone (background
    /// zone reassignment, §2.3).
    Reassign {
        /// Who holds the zone.
        holder: Addr,
        /// In which reality.
        reality: u8,
        /// The zone.
        zone: Zone,
        /// Steps that are left.
        ttl: u8,
    },
    /// What a keyword search found at the owner of a word.
    Sifted(Box<Sifted>),
    /// A zone that its peers share is split, and these are the halves that each
    /// of them, and a joiner, has from now on (§3.4).
    Divide {
        /// In which reality.
        reality: u8,
        /// The zone.
        zone: Zone,
        /// Who has which half.
        members: Arc<[Contact]>,
    },
    /// A peer of the same zone was told to drop this record.
    Erase {
        /// The sender's number, to be acknowledged.
        parcel: u32,
        /// In which reality.
        reality: u8,
        /// What is to be dropped.
        record: Box<Erased>,
    },
    /// Answer requests for this key in the sender's place: there are too many
    /// (§3.8).
    Replicate {
        /// The key.
        key: Key,
        /// Its records.
        hits: Arc<[Hit]>,
    },
    /// The sender's zone has a sibling to merge with, so it can take over that
    /// zone.
    Offer {
        /// In which reality.
        reality: u8,
        /// The zone.
        zone: Zone,
    },
}

impl Errand {
    /// To store a record where it belongs.
    pub(super) fn storing(posting: Posting) -> Self {
        Self::Store { key: posting.key(), hit: posting.hit }
    }

    /// To remove a record from where it belongs.
    pub(super) fn removing(posting: &Posting) -> Self {
        let (provider, item) = (posting.hit.provider, posting.hit.item.key());
        Self::Remove { key: posting.key(), provider, item }
    }
}
