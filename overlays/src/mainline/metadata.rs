//! What is this info-hash? A stand-in for the metadata exchange of BEP 9.
//!
//! Mainline's records hold addresses only. A BitTorrent client then connects to
//! the peers and has the torrent's description from one of them. Here two
//! datagrams do that: they belong to the peer protocol, not to the DHT, and
//! open with the peer protocol's first byte, 19:
//!
//! `19 · kind 1 · transaction 4 · sender id 20 · info-hash 20` asks (kind 0),
//! `19 · kind 1 · transaction 4 · sender id 20 · item` answers (kind 1), and
//! kind 2 without an item says that there is none.

use std::sync::Arc;

use super::Krpc;
use crate::kademlia::Message;
use crate::kademlia::message::{Body, Transaction};
use crate::{Item, Key, Reader, WireError, Writer};

/// The first byte: the length of the text `BitTorrent protocol`.
pub(super) const OPENING: u8 = 19;

const HEAD_BYTES: usize = 6 + Key::BYTES;

/// The length of a message.
pub(super) fn encoded_len(body: &Body) -> usize {
    HEAD_BYTES
        + match body {
            Body::WhatIs(_) => Key::BYTES,
            Body::Metadata(Some(item)) => item.encoded_len(),
            _ => 0,
        }
}

/// Writes a message.
pub(super) fn encode(message: &Message<Krpc>, w: &mut Writer) {
    w.u8(OPENING);
    w.u8(match &message.body {
        Body::WhatIs(_) => 0,
        Body::Metadata(Some(_)) => 1,
        _ => 2,
    });
    w.u32(message.transaction.number().unwrap_or_default());
    w.key(message.sender);
    match &message.body {
        Body::WhatIs(key) => w.key(*key),
        Body::Metadata(Some(item)) => item.encode(w),
        _ => {}
    }
}

/// Reads what follows the first byte.
pub(super) fn decode(r: &mut Reader<'_>) -> Result<Message<Krpc>, WireError> {
    let kind = r.u8()?;
    let transaction = Transaction::numbered(r.u32()?);
    let sender = r.key()?;
    let body = match kind {
        0 => Body::WhatIs(r.key()?),
        1 => Body::Metadata(Some(Arc::new(Item::decode(r)?))),
        2 => Body::Metadata(None),
        other => return Err(r.invalid("kind", u64::from(other))),
    };
    Ok(Message::new(transaction, sender, false, body))
}
