//! The compact wire format of Kademlia and KAD: neither paper defines one.
//!
//! `opening 1 · opcode 1 · transaction 4 · read-only 1 · sender id · body`,
//! with identifiers of 20 or 16 bytes and numbers big-endian.

use std::sync::Arc;

use super::contact::Contact;
use super::dialect::Dialect;
use super::message::{
    Body, MAX_CONTACTS, MAX_RECORDS, MAX_TEXT_BYTES, MAX_TOKEN_BYTES, Message, Record, Store,
    Transaction, Values, Wanted,
};
use crate::parts::postings::{Sift, Sifted};
use crate::{Addr, Item, Key, Keywords, Reader, WireError, Writer};

/// Which kind a body is, by its place among a dialect's names and opcodes.
/// Bodies that only Mainline has do not occur; queries of the keyword index only
/// where the dialect has opcodes for them.
pub(crate) fn kind(body: &Body) -> usize {
    match body {
        Body::Ping => 0,
        Body::Ack => 1,
        Body::FindNode(_) => 2,
        Body::Nodes(_) => 3,
        Body::FindValue(_) => 4,
        Body::Values(_) => 5,
        Body::Store(_) => 6,
        Body::Withdraw { .. } => 7,
        Body::Error(_) | Body::Announce(_) | Body::WhatIs(_) => 8,
        Body::Unknown(_) | Body::Metadata(_) => 8,
        Body::Sift(_) => 9,
        Body::Sifted(_) => 10,
    }
}

/// How a dialect opens its messages and what it calls their kinds.
pub(crate) struct Format {
    /// The first byte.
    pub(crate) opening: u8,
    /// The second byte by kind.
    pub(crate) opcodes: &'static [u8],
}

fn key<D: Dialect>(w: &mut Writer, key: Key) {
    w.bytes(&key.to_bytes()[..D::KEY_BYTES]);
}

fn read_key<D: Dialect>(r: &mut Reader<'_>) -> Result<Key, WireError> {
    let mut bytes = [0; Key::BYTES];
    bytes[..D::KEY_BYTES].copy_from_slice(r.take(D::KEY_BYTES, "identifier")?);
    Ok(Key::from_bytes(bytes))
}

/// The length of a message.
pub(crate) fn encoded_len<D: Dialect>(message: &Message<D>) -> usize {
    let key = D::KEY_BYTES;
    7 + key
        + match &message.body {
            Body::FindNode(_) => key,
            Body::FindValue(w) => key + 3 + w.words.as_ref().map_or(0, |w| 1 + w.text_len()),
            Body::Store(s) => key + s.item.encoded_len() + Addr::BYTES + 4,
            Body::Withdraw { .. } => key + 4,
            Body::Nodes(nodes) => 2 + nodes.len() * (key + Addr::BYTES),
            Body::Values(v) => {
                let records: usize = v.records.iter().map(record_len).sum();
                let token = v.token.as_ref().map_or(0, |t| t.len());
                1 + token + 2 + records + 2 + v.nodes.len() * (key + Addr::BYTES)
            }
            Body::Error(e) => 1 + e.1.len().min(MAX_TEXT_BYTES) + 8,
            Body::Sift(sift) => sift.encoded_len(),
            Body::Sifted(sifted) => sifted.encoded_len(),
            _ => 0,
        }
}

fn record_len(record: &Record) -> usize {
    record.item.as_ref().map_or(0, |i| i.encoded_len()) + Addr::BYTES
}

/// Writes a message.
pub(crate) fn encode<D: Dialect>(format: &Format, message: &Message<D>, w: &mut Writer) {
    w.u8(format.opening);
    w.u8(format.opcodes[kind(&message.body)]);
    w.u32(message.transaction.number().unwrap_or_default());
    w.bool(message.read_only);
    key::<D>(w, message.sender);
    match &message.body {
        Body::FindNode(target) => key::<D>(w, *target),
        Body::FindValue(wanted) => {
            key::<D>(w, wanted.key);
            w.u16(wanted.limit);
            w.bool(wanted.words.is_some());
            if let Some(words) = &wanted.words {
                w.short_text(&words.to_text());
            }
        }
        Body::Store(store) => {
            key::<D>(w, store.key);
            store.item.encode(w);
            w.addr(store.provider);
            w.u32(store.lifetime_s);
        }
        Body::Withdraw { key: at, item } => {
            key::<D>(w, *at);
            w.u32(*item);
        }
        Body::Nodes(nodes) => encode_nodes::<D>(w, nodes),
        Body::Values(values) => {
            let token = values.token.as_deref().unwrap_or_default();
            w.u8(token.len() as u8);
            w.bytes(token);
            w.count(values.records.len());
            for record in &values.records {
                if let Some(item) = &record.item {
                    item.encode(w);
                }
                w.addr(record.provider);
            }
            encode_nodes::<D>(w, &values.nodes);
        }
        Body::Error(error) => {
            w.u64(error.0 as u64);
            w.short_text(&error.1);
        }
        Body::Sift(sift) => sift.encode(w),
        Body::Sifted(sifted) => sifted.encode(w),
        _ => {}
    }
}

fn encode_nodes<D: Dialect>(w: &mut Writer, nodes: &[Contact]) {
    w.count(nodes.len());
    for node in nodes {
        key::<D>(w, node.id);
        w.addr(node.addr);
    }
}

fn decode_nodes<D: Dialect>(r: &mut Reader<'_>) -> Result<Box<[Contact]>, WireError> {
    let n = r.count("contacts", MAX_CONTACTS, D::KEY_BYTES + Addr::BYTES)?;
    (0..n).map(|_| Ok(Contact { id: read_key::<D>(r)?, addr: r.addr()? })).collect()
}

fn decode_values<D: Dialect>(r: &mut Reader<'_>) -> Result<Values, WireError> {
    let len = usize::from(r.u8()?);
    if len > MAX_TOKEN_BYTES {
        return Err(r.too_long("token", len as u64));
    }
    let token = (len > 0).then(|| r.take(len, "token").map(Into::into)).transpose()?;
    // Name length, size and provider take 15 bytes at least.
    let n = r.count("records", MAX_RECORDS, 15)?;
    let record = |r: &mut Reader<'_>| {
        Ok(Record { item: Some(Arc::new(Item::decode(r)?)), provider: r.addr()? })
    };
    let records = (0..n).map(|_| record(r)).collect::<Result<_, WireError>>()?;
    Ok(Values { token, records, nodes: decode_nodes::<D>(r)? })
}

/// Reads a message.
pub(crate) fn decode<D: Dialect>(
    format: &Format,
    r: &mut Reader<'_>,
) -> Result<Message<D>, WireError> {
    let opening = r.u8()?;
    if opening != format.opening {
        return Err(r.invalid("opening", u64::from(opening)));
    }
    let opcode = r.u8()?;
    let transaction = Transaction::numbered(r.u32()?);
    let read_only = r.bool()?;
    let sender = read_key::<D>(r)?;
    let body = match format.opcodes.iter().position(|o| *o == opcode) {
        Some(0) => Body::Ping,
        Some(1) => Body::Ack,
        Some(2) => Body::FindNode(read_key::<D>(r)?),
        Some(3) => Body::Nodes(decode_nodes::<D>(r)?),
        Some(4) => {
            let (key, limit) = (read_key::<D>(r)?, r.u16()?);
            let words = if r.bool()? { Some(Keywords::of(r.short_text()?).into()) } else { None };
            Body::FindValue(Box::new(Wanted { key, limit, words }))
        }
        Some(5) => Body::Values(Box::new(decode_values::<D>(r)?)),
        Some(6) => Body::Store(Box::new(Store {
            key: read_key::<D>(r)?,
            item: Arc::new(Item::decode(r)?),
            provider: r.addr()?,
            lifetime_s: r.u32()?,
        })),
        Some(7) => Body::Withdraw { key: read_key::<D>(r)?, item: r.u32()? },
        Some(8) => {
            let code = r.u64()? as i64;
            let text = r.short_text()?;
            if text.len() > MAX_TEXT_BYTES {
                return Err(r.too_long("text", text.len() as u64));
            }
            Body::Error(Box::new((code, text.into())))
        }
        Some(9) => Body::Sift(Box::new(Sift::decode(r)?)),
        Some(10) => Body::Sifted(Box::new(Sifted::decode(r)?)),
        _ => return Err(r.invalid("opcode", u64::from(opcode))),
    };
    Ok(Message::new(transaction, sender, read_only, body))
}
