//! What the nodes say to each other, whatever the bytes it is written in.

use core::marker::PhantomData;
use std::sync::Arc;

use super::contact::Contact;
use super::dialect::Dialect;
use crate::parts::postings::{Sift, Sifted};
use crate::{Addr, Item, Key, Keywords, Reader, Wire, WireError, Writer};

/// The most contacts in one answer.
pub const MAX_CONTACTS: usize = 64;
/// The most records in one answer.
pub const MAX_RECORDS: usize = 100;
/// The longest token that is kept, in bytes.
pub const MAX_TOKEN_BYTES: usize = 64;
/// The longest text in an error or an unknown method's name, in bytes.
pub const MAX_TEXT_BYTES: usize = 128;

/// The number of a request, which its answer carries: up to eight bytes of the
/// asker's choice. Ours have four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    len: u8,
    bytes: [u8; 8],
}

impl Transaction {
    /// The transaction with these bytes; `None` if there are more than eight.
    pub fn from_slice(slice: &[u8]) -> Option<Self> {
        let mut bytes = [0; 8];
        bytes.get_mut(..slice.len())?.copy_from_slice(slice);
        Some(Self { len: slice.len() as u8, bytes })
    }

    /// Its bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The transaction numbered `number`.
    pub fn numbered(number: u32) -> Self {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Self { len: 4, bytes }
    }

    /// Its number, if it is one of ours.
    pub fn number(&self) -> Option<u32> {
        self.as_slice().try_into().ok().map(u32::from_be_bytes)
    }
}

/// A provider under a key, as a node keeps it for others.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The item, where the dialect's records name it.
    pub item: Option<Arc<Item>>,
    /// Who provides it.
    pub provider: Addr,
}

/// What a search asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The key it is stored under.
    pub key: Key,
    /// How many records are enough.
    pub limit: u16,
    /// Words that the items' names must all have.
    pub words: Option<Arc<Keywords>>,
}

/// What a node has for a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// The right to store at this node, for a while.
    pub token: Option<Box<[u8]>>,
    /// Records under the key.
    pub records: Vec<Record>,
    /// The nodes it knows closest to the key.
    pub nodes: Box<[Contact]>,
}

/// A record to keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// Under which key; need not be the item's own.
    pub key: Key,
    /// The item.
    pub item: Arc<Item>,
    /// Who provides it.
    pub provider: Addr,
    /// For how long at the most, in seconds.
    pub lifetime_s: u32,
}

/// BEP 5's announcement: the sender provides what has this info-hash.
#[derive(Clone, Debug, PartialEq)]
pub struct Announce {
    /// The key.
    pub info_hash: Key,
    /// Where it is reached, unless the sender's own port counts.
    pub port: u16,
    /// Whether the port it is sent from counts.
    pub implied_port: bool,
    /// The right to store.
    pub token: Box<[u8]>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Are you there? (PING)
    Ping,
    /// Which nodes do you know closest to this? (FIND_NODE)
    FindNode(Key),
    /// What do you have under this key, or who is closer? (FIND_VALUE)
    FindValue(Box<Wanted>),
    /// Keep this. (STORE)
    Store(Box<Store>),
    /// Keep me under this key. (announce_peer)
    Announce(Box<Announce>),
    /// Forget me under this key for this item.
    Withdraw {
        /// The key.
        key: Key,
        /// The item's tag: the top 32 bits of its key.
        item: u32,
    },
    /// What is the item with this key, that you are said to provide? Stands
    /// for the metadata exchange between BitTorrent peers (BEP 9).
    WhatIs(Key),
    /// What do you keep under this word? A query of the keyword index.
    Sift(Box<Sift>),
    /// A request of a kind that this lab does not know.
    Unknown(Box<str>),
    /// Yes; done. Answers pings and stores.
    Ack,
    /// The closest nodes known.
    Nodes(Box<[Contact]>),
    /// What there is under the key.
    Values(Box<Values>),
    /// The item that was asked about, if it is provided here.
    Metadata(Option<Arc<Item>>),
    /// What a query of the keyword index found. Comes unasked, too: from where
    /// the query was passed on to.
    Sifted(Box<Sifted>),
    /// No.
    Error(Box<(i64, Box<str>)>),
}

impl Body {
    /// Whether it is a request of the DHT, from which tables learn; what peers
    /// ask each other is none.
    pub const fn is_query(&self) -> bool {
        matches!(
            self,
            Self::Ping
                | Self::FindNode(_)
                | Self::FindValue(_)
                | Self::Store(_)
                | Self::Announce(_)
                | Self::Withdraw { .. }
                | Self::Sift(_)
                | Self::Unknown(_)
        )
    }

    /// Whether it answers a request.
    pub fn is_reply(&self) -> bool {
        matches!(
            self,
            Self::Ack
                | Self::Nodes(_)
                | Self::Values(_)
                | Self::Metadata(_)
                | Self::Sifted(_)
                | Self::Error(_)
        )
    }
}

/// A message: who speaks, about which request, and what.
#[derive(Clone, Debug, PartialEq)]
pub struct Message<D> {
    /// Which request this is or answers.
    pub transaction: Transaction,
    /// The sender's identifier.
    pub sender: Key,
    /// Whether the sender must not be put into tables (BEP 43).
    pub read_only: bool,
    /// What it says.
    pub body: Body,
    dialect: PhantomData<D>,
}

impl<D> Message<D> {
    /// A message.
    pub const fn new(transaction: Transaction, sender: Key, read_only: bool, body: Body) -> Self {
        Self { transaction, sender, read_only, body, dialect: PhantomData }
    }
}

impl<D: Dialect> Wire for Message<D> {
    const KINDS: &'static [&'static str] = D::KINDS;

    fn kind(&self) -> usize {
        D::kind(&self.body)
    }

    fn is_reply(&self) -> bool {
        self.body.is_reply()
    }

    fn encoded_len(&self) -> usize {
        D::encoded_len(self)
    }

    fn encode(&self, w: &mut Writer) {
        D::encode(self, w);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        D::decode(r)
    }
}
