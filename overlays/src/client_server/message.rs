//! What clients and servers say, and how it is written.

use std::sync::Arc;

use crate::seam::{Addr, Hit, Item, Key, Query, Reader, Wire, WireError, Writer};

/// The most servers a message names.
pub const MAX_SERVERS: usize = 32;
/// The most hits an answer holds: a query may ask for no more.
const MAX_HITS: usize = Query::MAX_LIMIT as usize;
/// The most records a page of a copy holds: 128 of the longest names fit the
/// largest message.
pub const PAGE_RECORDS: usize = 128;

/// A change to the store, as the primary passes it on.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A client's item is stored.
    Put(Hit),
    /// A client's item is removed.
    Remove(Key, Addr),
    /// All items of a client are removed.
    Forget(Addr),
}

impl Change {
    fn encoded_len(&self) -> usize {
        1 + match self {
            Self::Put(hit) => hit.encoded_len(),
            Self::Remove(..) => Key::BYTES + Addr::BYTES,
            Self::Forget(_) => Addr::BYTES,
        }
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            Self::Put(hit) => {
                w.u8(0);
                hit.encode(w);
            }
            Self::Remove(key, client) => {
                w.u8(1);
                w.key(*key);
                w.addr(*client);
            }
            Self::Forget(client) => {
                w.u8(2);
                w.addr(*client);
            }
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match r.u8()? {
            0 => Self::Put(Hit::decode(r)?),
            1 => Self::Remove(r.key()?, r.addr()?),
            2 => Self::Forget(r.addr()?),
            other => return Err(r.invalid("change", u64::from(other))),
        })
    }
}

/// A place in the order of a store's records: behind this one.
pub type Place = (Key, Addr);

/// A part of the primary's store, for a replica that catches up.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Where the part starts.
    pub after: Option<Place>,
    /// All records there, in order.
    pub records: Vec<Hit>,
    /// Whether nothing follows.
    pub is_last: bool,
}

/// Everything that clients and servers say.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Client to server: I am here, and store this many items with you, whose
    /// keys' sum is this.
    Open {
        /// How many items.
        items: u32,
        /// The sum of their keys' first 64 bits.
        sum: u64,
    },
    /// Server to client: welcome. These are all servers.
    Opened {
        /// Whether what the server stores differs from what the client has:
        /// the server dropped it, and the client stores all of it anew.
        store_anew: bool,
        /// The servers, the sender included.
        servers: Arc<[Addr]>,
    },
    /// Server to client: that server takes the writes.
    Redirect(Addr),
    /// Server to client: no more room.
    Refused,
    /// Opens a stream after a converged start. Not answered.
    Present,
    /// Client to primary: store this.
    Put {
        /// Comes back in the confirmation; 0 wants none.
        tag: u32,
        /// What.
        item: Arc<Item>,
    },
    /// Client to primary: remove this.
    Remove {
        /// Comes back in the confirmation.
        tag: u32,
        /// What.
        key: Key,
    },
    /// Primary to client: every server has made the change, or it was refused.
    Confirm {
        /// Of the request.
        tag: u32,
        /// Whether it was made.
        made: bool,
    },
    /// Client to server: who has this?
    Get {
        /// Comes back in the answer.
        tag: u32,
        /// What.
        query: Query,
    },
    /// Server to client: these.
    Results {
        /// Of the request.
        tag: u32,
        /// The hits.
        hits: Vec<Hit>,
    },
    /// Server to client: this server has no complete store; ask that one.
    Elsewhere {
        /// Of the request.
        tag: u32,
        /// Whom to ask.
        server: Addr,
    },
    /// Client to server, as a datagram: how far away are you?
    Ping {
        /// Comes back in the pong.
        tag: u32,
    },
    /// Server to client: this far.
    Pong {
        /// From the ping.
        tag: u32,
    },
    /// Server to server: let us link.
    Link {
        /// Whether the sender's store is complete.
        complete: bool,
    },
    /// Server to server: we are linked.
    Linked {
        /// Whether the sender's store is complete.
        complete: bool,
        /// The servers that the sender knows.
        servers: Arc<[Addr]>,
    },
    /// Server to server: my store is complete from now on.
    Complete,
    /// Replica to primary: what comes behind this place?
    Copy {
        /// The place; nothing asks for the start.
        after: Option<Place>,
    },
    /// Primary to replica: this.
    Page(Page),
    /// Primary to replica: make this change.
    Replicate {
        /// Comes back in the confirmation.
        id: u32,
        /// The change.
        change: Change,
    },
    /// Replica to primary: made.
    Replicated {
        /// Of the change.
        id: u32,
    },
}

fn encode_servers(servers: &[Addr], w: &mut Writer) {
    w.count(servers.len());
    servers.iter().for_each(|server| w.addr(*server));
}

fn decode_servers(r: &mut Reader<'_>) -> Result<Arc<[Addr]>, WireError> {
    let count = r.count("servers", MAX_SERVERS, Addr::BYTES)?;
    (0..count).map(|_| r.addr()).collect()
}

/// The fewest bytes of a hit: an empty name, the size, and the provider.
const MIN_HIT_BYTES: usize = 1 + 8 + Addr::BYTES;

fn encode_hits(hits: &[Hit], w: &mut Writer) {
    w.count(hits.len());
    hits.iter().for_each(|hit| hit.encode(w));
}

fn decode_hits(r: &mut Reader<'_>, limit: usize) -> Result<Vec<Hit>, WireError> {
    let count = r.count("hits", limit, MIN_HIT_BYTES)?;
    (0..count).map(|_| Hit::decode(r)).collect()
}

fn hits_len(hits: &[Hit]) -> usize {
    2 + hits.iter().map(Hit::encoded_len).sum::<usize>()
}

fn place_len(place: Option<&Place>) -> usize {
    1 + place.map_or(0, |_| Key::BYTES + Addr::BYTES)
}

fn encode_place(place: Option<&Place>, w: &mut Writer) {
    w.bool(place.is_some());
    if let Some((key, provider)) = place {
        w.key(*key);
        w.addr(*provider);
    }
}

fn decode_place(r: &mut Reader<'_>) -> Result<Option<Place>, WireError> {
    Ok(if r.bool()? { Some((r.key()?, r.addr()?)) } else { None })
}

impl Wire for Message {
    const KINDS: &'static [&'static str] = &[
        "open",
        "opened",
        "redirect",
        "refused",
        "present",
        "put",
        "remove",
        "confirm",
        "get",
        "results",
        "elsewhere",
        "ping",
        "pong",
        "link",
        "linked",
        "complete",
        "copy",
        "page",
        "replicate",
        "replicated",
    ];

    fn kind(&self) -> usize {
        match self {
            Self::Open { .. } => 0,
            Self::Opened { .. } => 1,
            Self::Redirect(_) => 2,
            Self::Refused => 3,
            Self::Present => 4,
            Self::Put { .. } => 5,
            Self::Remove { .. } => 6,
            Self::Confirm { .. } => 7,
            Self::Get { .. } => 8,
            Self::Results { .. } => 9,
            Self::Elsewhere { .. } => 10,
            Self::Ping { .. } => 11,
            Self::Pong { .. } => 12,
            Self::Link { .. } => 13,
            Self::Linked { .. } => 14,
            Self::Complete => 15,
            Self::Copy { .. } => 16,
            Self::Page(_) => 17,
            Self::Replicate { .. } => 18,
            Self::Replicated { .. } => 19,
        }
    }

    fn is_reply(&self) -> bool {
        matches!(
            self,
            Self::Opened { .. }
                | Self::Redirect(_)
                | Self::Refused
                | Self::Confirm { .. }
                | Self::Results { .. }
                | Self::Elsewhere { .. }
                | Self::Pong { .. }
                | Self::Linked { .. }
                | Self::Page(_)
                | Self::Replicated { .. }
        )
    }

    fn encoded_len(&self) -> usize {
        1 + match self {
            Self::Open { .. } => 12,
            Self::Opened { servers, .. } | Self::Linked { servers, .. } => {
                3 + servers.len() * Addr::BYTES
            }
            Self::Redirect(_) => Addr::BYTES,
            Self::Refused | Self::Present | Self::Complete => 0,
            Self::Put { item, .. } => 4 + item.encoded_len(),
            Self::Remove { .. } => 4 + Key::BYTES,
            Self::Confirm { .. } => 5,
            Self::Get { query, .. } => 4 + query.encoded_len(),
            Self::Results { hits, .. } => 4 + hits_len(hits),
            Self::Elsewhere { .. } => 4 + Addr::BYTES,
            Self::Ping { .. } | Self::Pong { .. } | Self::Replicated { .. } => 4,
            Self::Link { .. } => 1,
            Self::Copy { after } => place_len(after.as_ref()),
            Self::Page(page) => place_len(page.after.as_ref()) + hits_len(&page.records) + 1,
            Self::Replicate { change, .. } => 4 + change.encoded_len(),
        }
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(self.kind() as u8);
        match self {
            Self::Open { items, sum } => {
                w.u32(*items);
                w.u64(*sum);
            }
            Self::Opened { store_anew: flag, servers }
            | Self::Linked { complete: flag, servers } => {
                w.bool(*flag);
                encode_servers(servers, w);
            }
            Self::Redirect(server) => w.addr(*server),
            Self::Refused | Self::Present | Self::Complete => {}
            Self::Put { tag, item } => {
                w.u32(*tag);
                item.encode(w);
            }
            Self::Remove { tag, key } => {
                w.u32(*tag);
                w.key(*key);
            }
            Self::Confirm { tag, made } => {
                w.u32(*tag);
                w.bool(*made);
            }
            Self::Get { tag, query } => {
                w.u32(*tag);
                query.encode(w);
            }
            Self::Results { tag, hits } => {
                w.u32(*tag);
                encode_hits(hits, w);
            }
            Self::Elsewhere { tag, server } => {
                w.u32(*tag);
                w.addr(*server);
            }
            Self::Ping { tag } | Self::Pong { tag } | Self::Replicated { id: tag } => w.u32(*tag),
            Self::Link { complete } => w.bool(*complete),
            Self::Copy { after } => encode_place(after.as_ref(), w),
            Self::Page(page) => {
                encode_place(page.after.as_ref(), w);
                encode_hits(&page.records, w);
                w.bool(page.is_last);
            }
            Self::Replicate { id, change } => {
                w.u32(*id);
                change.encode(w);
            }
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match r.u8()? {
            0 => Self::Open { items: r.u32()?, sum: r.u64()? },
            1 => Self::Opened { store_anew: r.bool()?, servers: decode_servers(r)? },
            2 => Self::Redirect(r.addr()?),
            3 => Self::Refused,
            4 => Self::Present,
            5 => Self::Put { tag: r.u32()?, item: Arc::new(Item::decode(r)?) },
            6 => Self::Remove { tag: r.u32()?, key: r.key()? },
            7 => Self::Confirm { tag: r.u32()?, made: r.bool()? },
            8 => Self::Get { tag: r.u32()?, query: Query::decode(r)? },
            9 => Self::Results { tag: r.u32()?, hits: decode_hits(r, MAX_HITS)? },
            10 => Self::Elsewhere { tag: r.u32()?, server: r.addr()? },
            11 => Self::Ping { tag: r.u32()? },
            12 => Self::Pong { tag: r.u32()? },
            13 => Self::Link { complete: r.bool()? },
            14 => Self::Linked { complete: r.bool()?, servers: decode_servers(r)? },
            15 => Self::Complete,
            16 => Self::Copy { after: decode_place(r)? },
            17 => Self::Page(Page {
                after: decode_place(r)?,
                records: decode_hits(r, PAGE_RECORDS)?,
                is_last: r.bool()?,
            }),
            18 => Self::Replicate { id: r.u32()?, change: Change::decode(r)? },
            19 => Self::Replicated { id: r.u32()? },
            other => return Err(r.invalid("kind", u64::from(other))),
        })
    }
}
