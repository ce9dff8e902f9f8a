//! KAD: eMule's Kademlia, in which words lead to files.
//!
//! There is no specification. Constants follow M. Steiner, T. En-Najjary, E. W.
//! Biersack, "A Global View of KAD", IMC 2007, and the eMule client: 128-bit
//! identifiers, ten contacts per bucket, publishing to ten nodes, sources kept
//! for five hours and keywords for a day. The machine is Kademlia's
//! ([`crate::kademlia`]); what this dialect adds is that items are published
//! under the hash of every word of their names beside their own key, so that
//! word searches are answered at one place.
//!
//! A word search goes to the nodes closest to the hash of one of its words, the
//! longest. They pick the records whose names have the other words too. A list
//! that has grown to `max_providers` takes no more: KAD turns away publishers
//! of hot words, and what they shared is then found by its other words.
//!
//! # Deviations
//!
//! * A keyword's records name the file and its publisher in one, where eMule
//!   returns files first and looks for their sources then.
//! * Words are hashed with SHA-1, cut to 128 bits, where eMule uses MD4; words
//!   of one or two letters are published too.
//! * Messages carry the opcodes of eMule's version 2 messages in the lab's own
//!   layout, with transaction and sender, which eMule's lack. Withdrawals and
//!   refusals have opcodes of their own.
//! * A node outside the tolerance zone of a key, whose first eight bits differ,
//!   still keeps it if it knows fewer than k nodes that are closer: else small
//!   networks could keep nothing.
//! * A delete withdraws what was published (`withdraw`). Who leaves just goes,
//!   as eMule does, and what it published expires.
//! * Firewalled peers have no buddy. They ask and publish, and are in nobody's
//!   table.

#[cfg(test)]
mod tests;

use crate::kademlia::compact::{self, Format};
use crate::kademlia::message::Body;
use crate::kademlia::{Dialect, Message, Node, Settings};
use crate::{About, Growth, Key, Reader, Span, Theory, WireError, Writer};

/// A node of KAD.
pub type Kad = Node<Emule>;

/// eMule's dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emule {}

/// eMule's protocol byte for KAD; then ping, pong, request, response, search,
/// search result, publish, and two of the lab's own.
const FORMAT: Format =
    Format { opening: 0xe4, opcodes: &[0x60, 0x61, 0x21, 0x29, 0x33, 0x3b, 0x43, 0x70, 0x71] };

impl Dialect for Emule {
    const ABOUT: About = About {
        name: "kad",
        title: "KAD",
        source: "eMule; Steiner, En-Najjary and Biersack, IMC 2007",
        idea: "Kademlia whose records are also filed under every word of a name, so that words find files.",
        theory: Theory {
            search_latency: Growth::Log,
            search_messages: Growth::Log,
            update_messages: Growth::Log,
            storage_max: Growth::Log,
            storage_mean: Growth::Log,
        },
        caveat: "Storage is routing state; each record is kept ten times, under its key and under every word of its name, on top of it, and the nodes at popular words hold far more than others. An insert costs one publication per word.",
    };
    const KINDS: &'static [&'static str] = &[
        "Ping",
        "Pong",
        "Req",
        "Res",
        "SearchReq",
        "SearchRes",
        "PublishReq",
        "Withdraw",
        "Refuse",
    ];
    const KEY_BYTES: usize = 16;

    fn settings() -> Settings {
        let hours = |n: u64| Span::from_s(3600 * n);
        Settings {
            id_bits: 128,
            k: 10,
            replicas: 10,
            stale: 2,
            verify: true,
            read_only: true,
            replicate: Span::ZERO,
            republish: hours(5),
            expire: hours(5),
            keyword_republish: hours(24),
            keyword_expire: hours(24),
            cache: false,
            keywords: true,
            tolerance_bits: 8,
            ..Settings::default()
        }
    }

    fn word_key(word: &str) -> Key {
        Key::hash(word.as_bytes())
    }

    fn kind(body: &Body) -> usize {
        compact::kind(body)
    }

    fn encoded_len(message: &Message<Self>) -> usize {
        compact::encoded_len(message)
    }

    fn encode(message: &Message<Self>, w: &mut Writer) {
        compact::encode(&FORMAT, message, w);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Message<Self>, WireError> {
        compact::decode(&FORMAT, r)
    }
}
