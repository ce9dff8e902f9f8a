//! What peers say, and how it is written.

use std::sync::Arc;

use super::block::Block;
use super::origin::Version;
use crate::seam::{Addr, Reader, Wire, WireError, Writer};

/// Into how many buckets peers are spread for comparing.
pub const BUCKETS: usize = 256;
/// The most versions a message lists.
pub const MAX_VERSIONS: usize = 2_048;
/// The most blocks a page holds.
const MAX_BLOCKS: usize = 2_048;

/// A place in a copy: behind this change of this peer.
pub type Place = (Addr, u32);

/// What one side knows of the peers in some buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Versions {
    /// Which buckets.
    pub buckets: Vec<u8>,
    /// Whether these are all versions in them.
    pub complete: bool,
    /// The versions, by address.
    pub list: Vec<(Addr, Version)>,
}

/// Everything that peers say.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Newcomer to member: what comes behind this place of the index?
    Fetch {
        /// The place; nothing asks for the start.
        after: Option<Place>,
    },
    /// Member to newcomer: this.
    Page {
        /// The next part.
        blocks: Vec<Block>,
        /// Where it ends; nothing when that was all.
        next: Option<Place>,
    },
    /// A peer's changes.
    News(Arc<Block>),
    /// Let us be neighbours.
    Link,
    /// We are, or I have no room.
    Linked(bool),
    /// I am here, and this is the digest of my index.
    Beat {
        /// The digest.
        digest: u64,
        /// Whether the sender counts the receiver among its neighbours.
        linked: bool,
    },
    /// So am I, and this is mine.
    Echo {
        /// The digest.
        digest: u64,
    },
    /// The digests differ: these are mine of each bucket.
    Buckets(Box<[u32; BUCKETS]>),
    /// This is what I know in the buckets that differ.
    Versions(Box<Versions>),
    /// You know more of these peers than I: send me what is new.
    Want(Vec<(Addr, Version)>),
}

/// Bytes of an address and a version.
const VERSION_BYTES: usize = Addr::BYTES + 8 + 1 + 4;

fn encode_versions(list: &[(Addr, Version)], w: &mut Writer) {
    w.count(list.len());
    for (addr, version) in list {
        w.addr(*addr);
        w.u64(version.epoch);
        w.bool(version.gone);
        w.u32(version.seq);
    }
}

fn decode_versions(r: &mut Reader<'_>) -> Result<Vec<(Addr, Version)>, WireError> {
    let count = r.count("versions", MAX_VERSIONS, VERSION_BYTES)?;
    let mut read = || {
        let addr = r.addr()?;
        Ok((addr, Version { epoch: r.u64()?, gone: r.bool()?, seq: r.u32()? }))
    };
    (0..count).map(|_| read()).collect()
}

fn place_len(place: Option<Place>) -> usize {
    1 + place.map_or(0, |_| Addr::BYTES + 4)
}

fn encode_place(place: Option<Place>, w: &mut Writer) {
    w.bool(place.is_some());
    if let Some((addr, seq)) = place {
        w.addr(addr);
        w.u32(seq);
    }
}

fn decode_place(r: &mut Reader<'_>) -> Result<Option<Place>, WireError> {
    Ok(if r.bool()? { Some((r.addr()?, r.u32()?)) } else { None })
}

impl Wire for Message {
    const KINDS: &'static [&'static str] =
        &["fetch", "page", "news", "link", "linked", "beat", "echo", "buckets", "versions", "want"];

    fn kind(&self) -> usize {
        match self {
            Self::Fetch { .. } => 0,
            Self::Page { .. } => 1,
            Self::News(_) => 2,
            Self::Link => 3,
            Self::Linked(_) => 4,
            Self::Beat { .. } => 5,
            Self::Echo { .. } => 6,
            Self::Buckets(_) => 7,
            Self::Versions(_) => 8,
            Self::Want(_) => 9,
        }
    }

    fn is_reply(&self) -> bool {
        matches!(self, Self::Page { .. } | Self::Linked(_) | Self::Echo { .. } | Self::Versions(_))
    }

    fn encoded_len(&self) -> usize {
        1 + match self {
            Self::Fetch { after } => place_len(*after),
            Self::Page { blocks, next } => {
                2 + blocks.iter().map(Block::encoded_len).sum::<usize>() + place_len(*next)
            }
            Self::News(block) => block.encoded_len(),
            Self::Link => 0,
            Self::Linked(_) => 1,
            Self::Beat { .. } => 9,
            Self::Echo { .. } => 8,
            Self::Buckets(_) => 4 * BUCKETS,
            Self::Versions(v) => 2 + v.buckets.len() + 1 + 2 + v.list.len() * VERSION_BYTES,
            Self::Want(list) => 2 + list.len() * VERSION_BYTES,
        }
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(self.kind() as u8);
        match self {
            Self::Fetch { after } => encode_place(*after, w),
            Self::Page { blocks, next } => {
                w.count(blocks.len());
                blocks.iter().for_each(|block| block.encode(w));
                encode_place(*next, w);
            }
            Self::News(block) => block.encode(w),
            Self::Link => {}
            Self::Linked(accepted) => w.bool(*accepted),
            Self::Beat { digest, linked } => {
                w.u64(*digest);
                w.bool(*linked);
            }
            Self::Echo { digest } => w.u64(*digest),
            Self::Buckets(digests) => digests.iter().for_each(|digest| w.u32(*digest)),
            Self::Versions(versions) => {
                w.count(versions.buckets.len());
                w.bytes(&versions.buckets);
                w.bool(versions.complete);
                encode_versions(&versions.list, w);
            }
            Self::Want(list) => encode_versions(list, w),
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match r.u8()? {
            0 => Self::Fetch { after: decode_place(r)? },
            1 => {
                let count = r.count("blocks", MAX_BLOCKS, Block::MIN_BYTES)?;
                let blocks = (0..count).map(|_| Block::decode(r)).collect::<Result<_, _>>()?;
                Self::Page { blocks, next: decode_place(r)? }
            }
            2 => Self::News(Arc::new(Block::decode(r)?)),
            3 => Self::Link,
            4 => Self::Linked(r.bool()?),
            5 => Self::Beat { digest: r.u64()?, linked: r.bool()? },
            6 => Self::Echo { digest: r.u64()? },
            7 => {
                let mut digests = Box::new([0; BUCKETS]);
                for digest in digests.iter_mut() {
                    *digest = r.u32()?;
                }
                Self::Buckets(digests)
            }
            8 => {
                let count = r.count("buckets", BUCKETS, 1)?;
                let buckets = r.take(count, "buckets")?.to_vec();
                let complete = r.bool()?;
                Self::Versions(Box::new(Versions { buckets, complete, list: decode_versions(r)? }))
            }
            9 => Self::Want(decode_versions(r)?),
            other => return Err(r.invalid("kind", u64::from(other))),
        })
    }
}
