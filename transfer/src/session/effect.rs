//! What a session and its host say to each other.

use core::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::wire::Message;

/// The host's number of a connection. It may use it again once the connection
/// is closed and [`Session::link_closed`](super::Session::link_closed) was
/// called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// How a peer became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A tracker named it.
    Tracker,
    /// Another peer named it (BEP 11).
    Exchange,
    /// The DHT named it.
    Dht,
    /// The user named it.
    User,
    /// A magnet link named it (BEP 9, `x.pe`).
    Magnet,
    /// It connected to us, and said on which port it listens.
    Incoming,
}

/// What the host does with a block that a peer begins to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It puts the bytes where they belong in the piece's buffer, and then calls
    /// [`Session::block_received`](super::Session::block_received). Until then
    /// no other link is told the same of this block.
    Receive,
    /// It reads the bytes and drops them: a block that was asked for, but came
    /// meanwhile from elsewhere. There is nothing to call.
    Discard,
    /// It reads no further; [`Effect::Close`] follows.
    Refuse,
}

/// The SHA-1 hash of a block.
pub type BlockDigest = [u8; 20];

/// What the hash of a piece said.
///
/// The digests are those of its blocks in order. They find out who sent bad
/// blocks: the ones of a bad piece are always needed, those of a good one only
/// when [`Effect::Check`] asked for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The piece is what the torrent says. It is being written.
    Good {
        /// Of its blocks, if they were asked for; else empty.
        digests: Vec<BlockDigest>,
    },
    /// It is not.
    Bad {
        /// Of its blocks.
        digests: Vec<BlockDigest>,
    },
}

impl Verdict {
    /// A good piece of whose blocks no digests were asked for.
    pub const GOOD: Self = Self::Good { digests: Vec::new() };
}

/// Why a piece could not be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// There is no room. Nothing more is requested until
    /// [`Session::resume`](super::Session::resume).
    Full,
    /// Something else; the same holds.
    Failed,
}

/// What the host is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open a connection to this peer; then
    /// [`Session::link_opened`](super::Session::link_opened) or
    /// [`Session::connect_failed`](super::Session::connect_failed).
    Connect(SocketAddr),
    /// Send a message; never [`Message::Piece`].
    Send {
        /// To whom.
        link: LinkId,
        /// What.
        message: Message,
    },
    /// [`Session::next_upload`](super::Session::next_upload) has something for
    /// this link, and had nothing before.
    UploadReady {
        /// For whom.
        link: LinkId,
    },
    /// Close the connection. The session has forgotten it: there is nothing to
    /// call.
    Close {
        /// Which.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// All blocks of a piece are in its buffer: hash it, call
    /// [`Session::piece_checked`](super::Session::piece_checked); if it was
    /// good write it and call
    /// [`Session::piece_stored`](super::Session::piece_stored) or
    /// [`Session::store_failed`](super::Session::store_failed).
    Check {
        /// Which piece.
        piece: u32,
        /// Whether the digests of its blocks are asked for also if it is good.
        digests: bool,
    },
    /// Drop the buffer of a piece: it was bad, or is no longer wanted.
    Forget {
        /// Which piece.
        piece: u32,
    },
    /// The `info` dictionary, whose hash is right; answer with
    /// [`Session::metadata_accepted`](super::Session::metadata_accepted) or
    /// [`Session::metadata_refused`](super::Session::metadata_refused).
    MetadataComplete(Vec<u8>),
    /// Every piece that is wanted is stored.
    Finished,
    /// More peers would be welcome.
    WantPeers,
    /// This peer runs a DHT node (BEP 5).
    DhtNode(SocketAddr),
    /// Have nothing to do with this peer any more.
    Ban(Banned),
}

/// Who is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Banned {
    /// All of an address.
    Address(IpAddr),
    /// One port of an address which several peers may share.
    Port(SocketAddr),
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseReason {
    /// There are enough connections.
    TooMany,
    /// It is a connection to ourselves.
    Oneself,
    /// There is another connection to this peer.
    Duplicate,
    /// The peer is banned.
    Banned,
    /// Nothing came for too long.
    Idle,
    /// Neither needs anything of the other.
    BothSeeds,
    /// The handshake names another torrent.
    OtherTorrent,
    /// The session is stopped.
    Stopped,
    /// The peer broke the protocol.
    Violation(Violation),
}

/// How a peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// A bitfield of a wrong length or with spare bits.
    Bitfield,
    /// A bitfield, or what stands for it, that was not the first message and takes
    /// back pieces.
    LateBitfield,
    /// A piece that the torrent does not have.
    PieceOutOfRange,
    /// A request beyond its piece, or of no or too many bytes.
    BadRequest,
    /// A request for a piece that we never said to have.
    RequestOfMissing,
    /// More requests than `reqq` allows, again and again.
    RequestFlood,
    /// More messages of some other kind than anybody needs.
    MessageFlood,
    /// A block that was not requested.
    UnsolicitedBlock,
    /// A message of the fast extension, which was not agreed on.
    NotFast,
    /// A message of the extension protocol that is none.
    BadExtension,
    /// `info` bytes that have the wrong hash.
    BadMetadata,
    /// Pieces that fail the hash.
    BadPiece,
    /// A message that cannot be read; told by the host.
    Malformed,
}

impl Violation {
    /// How much it weighs; at [`Violation::BAN_SCORE`] the peer is banned.
    #[must_use]
    pub fn score(self) -> u32 {
        match self {
            Self::BadPiece | Self::BadMetadata => Self::BAN_SCORE,
            Self::RequestFlood | Self::MessageFlood | Self::Bitfield | Self::UnsolicitedBlock => 50,
            _ => 34,
        }
    }

    /// From this score on a peer is banned.
    pub const BAN_SCORE: u32 = 100;
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bitfield => "a bitfield of the wrong length or with spare bits",
            Self::LateBitfield => "a later bitfield that takes pieces back",
            Self::PieceOutOfRange => "a piece that the torrent does not have",
            Self::BadRequest => "a request that fits no piece",
            Self::RequestOfMissing => "a request for a piece that we do not have",
            Self::RequestFlood => "too many requests",
            Self::MessageFlood => "too many messages",
            Self::UnsolicitedBlock => "a block that was not requested",
            Self::NotFast => "a message of an extension that was not agreed on",
            Self::BadExtension => "a malformed extension message",
            Self::BadMetadata => "metadata with the wrong hash",
            Self::BadPiece => "pieces with the wrong hash",
            Self::Malformed => "a malformed message",
        })
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "too many connections",
            Self::Oneself => "connected to ourselves",
            Self::Duplicate => "connected already",
            Self::Banned => "banned",
            Self::Idle => "silent for too long",
            Self::BothSeeds => "both have everything",
            Self::OtherTorrent => "another torrent",
            Self::Stopped => "stopped",
            Self::Violation(violation) => return write!(f, "violation: {violation}"),
        })
    }
}
