//! Mainline: the DHT of BitTorrent.
//!
//! A. Loewenstern, A. Norberg, "DHT Protocol", BEP 5; with A. Norberg, "DHT
//! Security extension", BEP 42 (`secure_ids`), and B. Jones, "Read-only DHT
//! Nodes", BEP 43 (`read_only`). The machine is Kademlia's
//! ([`crate::kademlia`]); this module is its wire format, KRPC, and its
//! constants: k = 8, contacts good for fifteen minutes, tokens, no replication
//! by those who store.
//!
//! A peer announces itself under an info-hash at the eight closest nodes, with
//! the token that each gave it, and again every fifteen minutes. In the lab an
//! item's key takes the info-hash's place.
//!
//! # Deviations
//!
//! * The DHT tells addresses only. A searcher asks each peer it was told of
//!   what it has, in a datagram that stands for BEP 9's metadata exchange
//!   between peers. That also finds out who has left, so there is nothing to
//!   withdraw.
//! * `get_peers` is answered with nodes even where there are peers, as
//!   libtorrent does, so that an announcement finds the closest nodes.
//! * KRPC sends no request twice; `retries` is 0. Only a ping is sent once more
//!   before a contact loses its place, as BEP 5 suggests. A request waits 1.2 s for its
//!   answer: longer than the longest round trip of the delays simulated, 1.05 s,
//!   or two nodes so far apart could never know each other. libtorrent takes
//!   answers for longer still, but asks the next node after a second.
//! * With `secure_ids` (BEP 42) whoever has an identifier that its address does
//!   not allow is answered, but gets no place in a table. Answers do not tell
//!   the asker its own address, which every node here knows.
//! * Transactions longer than eight bytes are not answered.

mod krpc;
mod metadata;
mod secure_id;
mod sink;

#[cfg(test)]
mod tests;

pub use secure_id::{is_secure, secure_id};

use crate::kademlia::message::Body;
use crate::kademlia::{Config, Contact, Dialect, Message, Node, Settings};
use crate::{About, Growth, Key, Profile, Reader, Span, Theory, WireError, Writer};

/// A node of the Mainline DHT.
pub type Mainline = Node<Krpc>;

/// BEP 5's dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Krpc {}

impl Dialect for Krpc {
    const ABOUT: About = About {
        name: "mainline",
        title: "Mainline DHT",
        source: "Loewenstern and Norberg, BEP 5; BEP 42, BEP 43",
        idea: "Kademlia with small buckets: peers announce themselves under an info-hash, with a token, again and again.",
        theory: Theory {
            search_latency: Growth::Log,
            search_messages: Growth::Log,
            update_messages: Growth::Log,
            storage_max: Growth::Log,
            storage_mean: Growth::Log,
        },
        caveat: "Storage is routing state; each announcement is kept eight times on top of it. Firewalled peers are read-only: they know others, but nobody knows them.",
    };
    const KINDS: &'static [&'static str] = &[
        "ping",
        "response",
        "find_node",
        "nodes",
        "get_peers",
        "peers",
        "announce_peer",
        "error",
        "unknown",
        "metadata_request",
        "metadata",
    ];
    const NAMES_ITEMS: bool = false;
    const WANTED: Option<u16> = Some(krpc::WANTED);

    fn settings() -> Settings {
        let minutes = |n: u64| Span::from_s(60 * n);
        Settings {
            k: 8,
            replicas: 8,
            request_timeout: Span::from_ms(1200),
            retries: 0,
            refresh: minutes(15),
            questionable: minutes(15),
            stale: 2,
            verify: true,
            read_only: true,
            replicate: Span::ZERO,
            republish: minutes(15),
            expire: minutes(30),
            cache: false,
            withdraw: false,
            tokens: true,
            ..Settings::default()
        }
    }

    fn id(config: &Config<Self>, profile: &Profile) -> Key {
        if config.secure_ids {
            let ip = secure_id::v4(profile.addr.index());
            let rand = profile.id.to_bytes()[19];
            return secure_id(ip, rand, profile.id);
        }
        profile.id.truncated(config.bits())
    }

    /// BEP 42: whoever chose its identifier gets no place in a table.
    fn may_be_known(config: &Config<Self>, contact: &Contact) -> bool {
        !config.secure_ids || is_secure(contact.id, secure_id::v4(contact.addr.index()))
    }

    fn kind(body: &Body) -> usize {
        match body {
            Body::Ping => 0,
            Body::Ack => 1,
            Body::FindNode(_) => 2,
            Body::Nodes(_) => 3,
            Body::FindValue(_) => 4,
            Body::Values(_) => 5,
            Body::Announce(_) => 6,
            Body::Error(_) => 7,
            Body::Unknown(_) | Body::Store(_) | Body::Withdraw { .. } => 8,
            Body::Sift(_) | Body::Sifted(_) => 8,
            Body::WhatIs(_) => 9,
            Body::Metadata(_) => 10,
        }
    }

    fn encoded_len(message: &Message<Self>) -> usize {
        match &message.body {
            Body::WhatIs(_) | Body::Metadata(_) => metadata::encoded_len(&message.body),
            _ => krpc::encoded_len(message),
        }
    }

    fn encode(message: &Message<Self>, w: &mut Writer) {
        krpc::write(message, w);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Message<Self>, WireError> {
        krpc::decode(r)
    }
}
