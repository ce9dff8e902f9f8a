//! KRPC: Mainline's messages, bencoded dictionaries in datagrams (BEP 5).

use super::sink::{Counter, Sink};
use super::{Krpc, metadata};
use crate::kademlia::message::{
    Announce, Body, MAX_CONTACTS, MAX_RECORDS, MAX_TEXT_BYTES, MAX_TOKEN_BYTES, Record,
    Transaction, Values, Wanted,
};
use crate::kademlia::{Contact, Message};
use crate::parts::bencode::{Dict, Value};
use crate::{Addr, Key, Reader, WireError, Writer, wire::Problem};

/// Bytes of a compact node: identifier, address, port.
const NODE_BYTES: usize = Key::BYTES + Addr::BYTES;

/// How many records a querier is taken to want: KRPC has no field for it, and
/// this many fit one datagram beside the nodes.
pub(super) const WANTED: u16 = 50;

/// Writes a message.
pub(super) fn encode(message: &Message<Krpc>, w: &mut impl Sink) {
    let id = message.sender.to_bytes();
    w.put(b"d");
    match &message.body {
        Body::Error(error) => {
            w.put(b"1:el");
            w.int(error.0);
            w.string(error.1.as_bytes());
            w.put(b"e1:t");
            w.string(message.transaction.as_slice());
            return w.put(b"1:y1:ee");
        }
        body if body.is_reply() => {
            w.put(b"1:rd2:id20:");
            w.put(&id);
            encode_reply(body, w);
            w.put(b"e1:t");
            w.string(message.transaction.as_slice());
            return w.put(b"1:y1:re");
        }
        _ => {}
    }
    w.put(b"1:ad2:id20:");
    w.put(&id);
    let method = encode_arguments(&message.body, w);
    w.put(b"e1:q");
    w.string(method.as_bytes());
    if message.read_only {
        w.put(b"2:roi1e");
    }
    w.put(b"1:t");
    w.string(message.transaction.as_slice());
    w.put(b"1:y1:qe");
}

/// Writes what follows the identifier in a query's arguments; the keys of a
/// dictionary are sorted.
fn encode_arguments<'a>(body: &'a Body, w: &mut impl Sink) -> &'a str {
    match body {
        Body::FindNode(target) => {
            w.put(b"6:target20:");
            w.put(&target.to_bytes());
            "find_node"
        }
        Body::FindValue(wanted) => {
            w.put(b"9:info_hash20:");
            w.put(&wanted.key.to_bytes());
            "get_peers"
        }
        Body::Announce(announce) => {
            if announce.implied_port {
                w.put(b"12:implied_porti1e");
            }
            w.put(b"9:info_hash20:");
            w.put(&announce.info_hash.to_bytes());
            w.put(b"4:port");
            w.int(i64::from(announce.port));
            w.put(b"5:token");
            w.string(&announce.token);
            "announce_peer"
        }
        Body::Unknown(method) => method,
        _ => "ping",
    }
}

fn encode_reply(body: &Body, w: &mut impl Sink) {
    match body {
        Body::Nodes(nodes) => encode_nodes(nodes, w),
        Body::Values(values) => {
            if !values.nodes.is_empty() || values.records.is_empty() {
                encode_nodes(&values.nodes, w);
            }
            if let Some(token) = &values.token {
                w.put(b"5:token");
                w.string(token);
            }
            if !values.records.is_empty() {
                w.put(b"6:valuesl");
                for record in &values.records {
                    w.put(b"6:");
                    w.put(&record.provider.to_bytes());
                }
                w.put(b"e");
            }
        }
        _ => {}
    }
}

fn encode_nodes(nodes: &[Contact], w: &mut impl Sink) {
    w.put(b"5:nodes");
    w.head(nodes.len() * NODE_BYTES);
    for node in nodes {
        w.put(&node.id.to_bytes());
        w.put(&node.addr.to_bytes());
    }
}

/// Reads a message: all that is left in `r`.
pub(super) fn decode(r: &mut Reader<'_>) -> Result<Message<Krpc>, WireError> {
    let input = r.take(r.remaining(), "message")?;
    if input.first() == Some(&metadata::OPENING) {
        let mut rest = Reader::new(&input[1..]);
        let message = metadata::decode(&mut rest)?;
        rest.finish()?;
        return Ok(message);
    }
    let value = Value::from_bytes(input)?;
    read(value.as_dict().ok_or_else(|| missing("dictionary"))?)
}

fn missing(field: &'static str) -> WireError {
    WireError { offset: 0, field, problem: Problem::Short(1) }
}

fn too_long(field: &'static str, len: usize) -> WireError {
    WireError { offset: 0, field, problem: Problem::TooLong(len as u64) }
}

fn key(dict: &Dict<'_>, name: &'static str) -> Result<Key, WireError> {
    let bytes = dict.bytes(name).ok_or_else(|| missing(name))?;
    let bytes: [u8; 20] = bytes.try_into().map_err(|_| too_long(name, bytes.len()))?;
    Ok(Key::from_bytes(bytes))
}

fn read(dict: &Dict<'_>) -> Result<Message<Krpc>, WireError> {
    let transaction = dict.bytes("t").ok_or_else(|| missing("t"))?;
    let transaction =
        Transaction::from_slice(transaction).ok_or_else(|| too_long("t", transaction.len()))?;
    let kind = dict.bytes("y").ok_or_else(|| missing("y"))?;
    match kind {
        b"q" => {
            let arguments = dict.dict("a").ok_or_else(|| missing("a"))?;
            let method = dict.bytes("q").ok_or_else(|| missing("q"))?;
            let read_only = dict.int("ro") == Some(1);
            let body = query(method, arguments)?;
            Ok(Message::new(transaction, key(arguments, "id")?, read_only, body))
        }
        b"r" => {
            let values = dict.dict("r").ok_or_else(|| missing("r"))?;
            Ok(Message::new(transaction, key(values, "id")?, false, reply(values)?))
        }
        b"e" => {
            let list = dict.list("e").ok_or_else(|| missing("e"))?;
            let [Value::Int(code), Value::Bytes(text), ..] = list else {
                return Err(missing("error"));
            };
            let body = Body::Error(Box::new((*code, text_of(text)?)));
            // Errors do not say who speaks.
            Ok(Message::new(transaction, Key::ZERO, false, body))
        }
        other => Err(WireError {
            offset: 0,
            field: "y",
            problem: Problem::Invalid(other.first().copied().unwrap_or_default().into()),
        }),
    }
}

fn text_of(bytes: &[u8]) -> Result<Box<str>, WireError> {
    if bytes.len() > MAX_TEXT_BYTES {
        return Err(too_long("text", bytes.len()));
    }
    let text = core::str::from_utf8(bytes);
    text.map(Into::into).map_err(|_| WireError {
        offset: 0,
        field: "text",
        problem: Problem::NotText,
    })
}

fn query(method: &[u8], arguments: &Dict<'_>) -> Result<Body, WireError> {
    Ok(match method {
        b"ping" => Body::Ping,
        b"find_node" => Body::FindNode(key(arguments, "target")?),
        b"get_peers" => {
            let key = key(arguments, "info_hash")?;
            Body::FindValue(Box::new(Wanted { key, limit: WANTED, words: None }))
        }
        b"announce_peer" => {
            let info_hash = key(arguments, "info_hash")?;
            let implied_port = arguments.int("implied_port").is_some_and(|i| i != 0);
            let port = arguments.int("port").ok_or_else(|| missing("port"))?;
            let port = u16::try_from(port).map_err(|_| too_long("port", port as usize))?;
            let token = arguments.bytes("token").ok_or_else(|| missing("token"))?;
            if token.len() > MAX_TOKEN_BYTES {
                return Err(too_long("token", token.len()));
            }
            let token = token.into();
            Body::Announce(Box::new(Announce { info_hash, port, implied_port, token }))
        }
        other => Body::Unknown(text_of(other)?),
    })
}

fn reply(values: &Dict<'_>) -> Result<Body, WireError> {
    let nodes = values.bytes("nodes").map(nodes).transpose()?;
    let token = values.bytes("token");
    let peers = values.list("values");
    match (nodes, token, peers) {
        (None, None, None) => Ok(Body::Ack),
        (Some(nodes), None, None) => Ok(Body::Nodes(nodes)),
        (nodes, token, peers) => {
            let peers = peers.unwrap_or_default();
            if peers.len() > MAX_RECORDS {
                return Err(too_long("values", peers.len()));
            }
            if token.is_some_and(|t| t.len() > MAX_TOKEN_BYTES) {
                return Err(too_long("token", token.map_or(0, <[u8]>::len)));
            }
            let records = peers.iter().map(peer).collect::<Result<Vec<_>, _>>()?;
            let nodes = nodes.unwrap_or_default();
            // Without values there are nodes, if only none of them.
            Ok(Body::Values(Box::new(Values { token: token.map(Into::into), records, nodes })))
        }
    }
}

fn peer(value: &Value<'_>) -> Result<Record, WireError> {
    let bytes = value.as_bytes().ok_or_else(|| missing("peer"))?;
    let bytes: [u8; 6] = bytes.try_into().map_err(|_| too_long("peer", bytes.len()))?;
    Ok(Record { item: None, provider: Addr::from_bytes(bytes) })
}

fn nodes(bytes: &[u8]) -> Result<Box<[Contact]>, WireError> {
    if !bytes.len().is_multiple_of(NODE_BYTES) || bytes.len() > MAX_CONTACTS * NODE_BYTES {
        return Err(too_long("nodes", bytes.len()));
    }
    let mut r = Reader::new(bytes);
    (0..bytes.len() / NODE_BYTES).map(|_| Ok(Contact { id: r.key()?, addr: r.addr()? })).collect()
}

/// The length of a message.
pub(super) fn encoded_len(message: &Message<Krpc>) -> usize {
    let mut counter = Counter::default();
    encode(message, &mut counter);
    counter.0
}

/// Writes a message of any kind.
pub(super) fn write(message: &Message<Krpc>, w: &mut Writer) {
    match &message.body {
        Body::WhatIs(_) | Body::Metadata(_) => metadata::encode(message, w),
        _ => encode(message, w),
    }
}
