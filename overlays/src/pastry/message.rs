//! What Pastry nodes say to each other.

use std::sync::Arc;

use super::contact::{Contact, Entry, Rtt};
use crate::parts::postings::{Sift, Sifted};
use crate::{Addr, Hit, Key};

/// The most contacts in one list: a full leaf set, neighbourhood set or table.
pub(super) const MAX_CONTACTS: usize = 2048;
/// The most records in one transfer.
pub(super) const MAX_RECORDS: usize = 1024;
/// The most bytes of records in one transfer.
pub(super) const MAX_RECORD_BYTES: usize = 16 * 1024;

/// What the node that a message is routed to shall do.
#[derive(Clone, Debug, PartialEq)]
pub enum Errand {
    /// Send up to `limit` records that are kept under the key. The first node
    /// on the way that keeps any answers.
    Get {
        /// How many hits are enough.
        limit: u16,
        /// Whether a newcomer has passed it on already, since its neighbours
        /// may still be handing over what is now its own.
        passed_on: bool,
    },
    /// Keep this record under the key, which need not be the item's own.
    Store(Hit),
    /// Drop the record of this item and provider that is kept under the key.
    Remove {
        /// The item's key.
        item: Key,
        /// Who provided it.
        provider: Addr,
    },
    /// Meet the posting list of one of the query's words, whose key this is,
    /// and tell the asker.
    Sift {
        /// The query.
        sift: Box<Sift>,
        /// Whether a newcomer has passed it on already, as with a get.
        passed_on: bool,
    },
    /// Let the origin, whose identifier is the key, in: every node on the way
    /// sends it state.
    Join {
        /// How many nodes have sent theirs.
        stations: u16,
        /// How many rows the nodes before have sent.
        rows: u8,
    },
}

/// A record as it is handed over: an item, its provider, and the key under
/// which they are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The key.
    pub key: Key,
    /// The item and its provider.
    pub hit: Hit,
}

/// How a store or remove ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Done,
    /// There was no such record.
    NotFound,
    /// There is no room.
    Full,
}

/// What a node tells of its state.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Whose it is.
    pub sender: Contact,
    /// For a joining node: how many nodes were on the way before this one.
    pub station: u16,
    /// For a joining node: whether this is the node closest to it.
    pub is_last: bool,
    /// Entries of the routing table.
    pub table: Vec<Entry>,
    /// The leaf set.
    pub leaves: Vec<Contact>,
    /// The neighbourhood set.
    pub neighbourhood: Vec<Entry>,
}

/// A newcomer's announcement of itself to the nodes it has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// Who has arrived.
    pub newcomer: Contact,
    /// How far away the receiver is, as the newcomer measured.
    pub rtt: Rtt,
    /// The row of the newcomer's table that matches a row of the receiver's.
    pub row: Vec<Entry>,
}

/// A leaf set behind one pointer, so that messages stay small; empty lists
/// allocate nothing.
#[derive(Clone, Debug, PartialEq, Default)]
#[expect(clippy::box_collection, reason = "8 bytes in every message instead of 24")]
pub struct Contacts(pub(super) Option<Box<Vec<Contact>>>);

impl Contacts {
    /// The list.
    pub fn as_slice(&self) -> &[Contact] {
        self.0.as_ref().map_or(&[], |list| list.as_slice())
    }
}

impl FromIterator<Contact> for Contacts {
    fn from_iter<I: IntoIterator<Item = Contact>>(contacts: I) -> Self {
        let list: Vec<Contact> = contacts.into_iter().take(MAX_CONTACTS).collect();
        Self((!list.is_empty()).then(|| Box::new(list)))
    }
}

/// What Pastry nodes say to each other.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Pass this on towards the node closest to the key.
    Route {
        /// The origin's number for this request.
        request: u32,
        /// Who is answered.
        origin: Addr,
        /// The key, in all its bits.
        key: Key,
        /// Hops that are left.
        ttl: u16,
        /// Whether the sender wants to know that it arrived.
        ack: bool,
        /// What to do; without, the node is only looked for.
        errand: Option<Box<Errand>>,
    },
    /// A `Route` arrived.
    Received {
        /// Its request.
        request: u32,
        /// Its origin.
        origin: Addr,
    },
    /// This node is the closest to the key.
    Located {
        /// Which request this answers.
        request: u32,
        /// The node.
        root: Contact,
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
    /// The identifier that wants to join is taken.
    Refused {
        /// Which request this answers.
        request: u32,
    },
    /// State of a node: for one that joins, or that asked for it.
    State {
        /// Which request this answers.
        request: u32,
        /// The state.
        state: Box<State>,
    },
    /// What do you know? For the second stage and table maintenance.
    GetState {
        /// The asker's number for this request.
        request: u32,
        /// A single row of the table, or all of the state.
        row: Option<u8>,
    },
    /// Who stands in this cell of your table? For repair.
    GetEntry {
        /// The asker's number for this request.
        request: u32,
        /// A node that belongs into the cell, and is dead.
        failed: Contact,
    },
    /// The node in that cell, if there is one.
    CellEntry {
        /// Which request this answers.
        request: u32,
        /// Who stands there.
        entry: Option<Contact>,
    },
    /// I have arrived.
    Announce(Box<Arrival>),
    /// Are you there, and how far?
    Ping {
        /// The asker's number for this probe.
        nonce: u32,
    },
    /// Here.
    Pong {
        /// Which probe this answers.
        nonce: u32,
        /// The identifier of who is here.
        id: Key,
    },
    /// Are you there, and has your leaf set changed?
    KeepAlive {
        /// The asker's number for this probe.
        nonce: u32,
        /// The asker's identifier.
        id: Key,
        /// Which version of the receiver's leaf set the asker has seen.
        seen: u32,
    },
    /// Here.
    Alive {
        /// Which probe this answers.
        nonce: u32,
        /// The identifier of who is here.
        id: Key,
        /// The version of its leaf set.
        version: u32,
        /// The leaf set, if the asker has not seen this version.
        leaves: Contacts,
    },
    /// Keep these records.
    Transfer {
        /// The sender's number for this transfer.
        request: u32,
        /// The records.
        records: Arc<[Placed]>,
    },
    /// A transfer was taken in.
    Kept {
        /// Which one.
        request: u32,
        /// Whether the receiver counts the sender among the holders of these
        /// records, so that the sender must not drop them.
        keep: bool,
    },
    /// Drop your copy of this record.
    Erase {
        /// The key under which it is kept.
        key: Key,
        /// The item's key.
        item: Key,
        /// Who provided it.
        provider: Addr,
    },
    /// A member of your leaf set leaves, and this is its own.
    Leaving {
        /// Its identifier.
        id: Key,
        /// Its leaf set.
        leaves: Contacts,
    },
    /// What was found for a keyword query.
    Sifted(Box<Sifted>),
}
