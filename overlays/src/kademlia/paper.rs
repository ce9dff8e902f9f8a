//! Kademlia as the paper has it: k = 20, alpha = 3, 160 bits.

use super::Node;
use super::compact::{self, Format};
use super::config::Settings;
use super::dialect::Dialect;
use super::message::{Body, Message};
use crate::{About, Growth, Reader, Theory, WireError, Writer};

/// A Kademlia node.
pub type Kademlia = Node<Paper>;

/// The paper's own dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paper {}

const FORMAT: Format = Format { opening: 1, opcodes: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10] };

impl Dialect for Paper {
    const ABOUT: About = About {
        name: "kademlia",
        title: "Kademlia",
        source: "Maymounkov and Mazières, IPTPS 2002",
        idea: "Keys live at the nodes closest by XOR; lookups ask several nodes at a time for closer ones.",
        theory: Theory {
            search_latency: Growth::Log,
            search_messages: Growth::Log,
            update_messages: Growth::Log,
            storage_max: Growth::Log,
            storage_mean: Growth::Log,
        },
        caveat: "Storage is routing state; each record is kept k times on top of it. A constant of about 2k messages for asking and storing at the k closest nodes hides the log n of an insert in small networks, and with buckets of 20 most searches take one or two hops until there are very many peers. Upkeep shows as 0, since no bucket is refreshed before it has been quiet for an hour, which is longer than a comparison lasts.",
    };
    const KINDS: &'static [&'static str] = &[
        "Ping",
        "Ack",
        "FindNode",
        "Nodes",
        "FindValue",
        "Values",
        "Store",
        "Withdraw",
        "Error",
        "Sift",
        "Sifted",
    ];
    const SIFTS: bool = true;

    fn settings() -> Settings {
        Settings::default()
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
