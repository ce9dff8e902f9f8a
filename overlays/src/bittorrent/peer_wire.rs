//! How peers talk: the handshake and extension messages (BEP 3, 6, 9, 10, 11).
//!
//! What follows the handshake carries one key more than the BEPs say,
//! `info_hash`, since peers share one stream for all their torrents.

use std::sync::Arc;

use super::message::{MAX_PEX, Message, Pex};
use super::tracker_wire::{compact, compact_len, read_compact};
use crate::parts::bencode::{Dict, Value, int, int_len, string, string_len};
use crate::seam::{Item, Key, Reader, WireError, Writer};

const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";
/// Reserved bits: extension protocol (BEP 10), fast extension (BEP 6), DHT
/// (BEP 5).
const RESERVED: [u8; 8] = [0, 0, 0, 0, 0, 0x10, 0, 0x05];
const HANDSHAKE_BYTES: usize = 68;

/// Message ids: have-all, have-none (BEP 6), extended (BEP 10).
const HAVE_ALL: u8 = 0x0e;
const HAVE_NONE: u8 = 0x0f;
const EXTENDED: u8 = 20;

/// The ids of our extensions, as the extension handshake would assign them.
const UT_PEX: u8 = 1;
const UT_METADATA: u8 = 2;
const GOODBYE: u8 = 3;
const DECLINE: u8 = 4;

/// The longest extension message that is read, in bytes.
const MAX_EXTENDED_BYTES: usize = 4_096;

/// `9:info_hash20:` and the hash.
const INFO_HASH_LEN: usize = string_len(9) + string_len(Key::BYTES);
/// `8:msg_typei0e5:piecei0e`.
const FIRST_PIECE_LEN: usize = string_len(8) + int_len(0) + string_len(5) + int_len(0);

/// Bytes that [`encode`] writes.
pub fn encoded_len(message: &Message) -> usize {
    match message {
        Message::Connect { .. } => HANDSHAKE_BYTES,
        Message::Accept { .. } => HANDSHAKE_BYTES + 5,
        Message::KeepAlive => 4,
        other => 4 + 2 + extended_len(other),
    }
}

fn extended_len(message: &Message) -> usize {
    match message {
        Message::Decline(_) | Message::Goodbye(_) => 2 + INFO_HASH_LEN,
        Message::MetadataRequest(_) => 2 + INFO_HASH_LEN + FIRST_PIECE_LEN,
        Message::Metadata(item) => {
            let info = info_len(item);
            2 + FIRST_PIECE_LEN + string_len(10) + int_len(info as i64) + info
        }
        Message::Pex(pex) => {
            let lists = compact_len(&pex.added) + compact_len(&pex.dropped);
            2 + string_len(5) + string_len(7) + lists + INFO_HASH_LEN
        }
        _ => 0,
    }
}

/// The numbers that BEP 3 has in an info dictionary are signed; a larger size
/// than any file's is written as the largest there is.
fn length(item: &Item) -> i64 {
    i64::try_from(item.size_bytes()).unwrap_or(i64::MAX)
}

fn info_len(item: &Item) -> usize {
    2 + string_len(6) + int_len(length(item)) + string_len(4) + string_len(item.name().len())
}

/// Writes what peers say to each other.
pub fn encode(message: &Message, w: &mut Writer) {
    match message {
        Message::Connect { info_hash, peer_id } => handshake(w, *info_hash, *peer_id),
        Message::Accept { info_hash, peer_id, complete } => {
            handshake(w, *info_hash, *peer_id);
            w.u32(1);
            w.u8(if *complete { HAVE_ALL } else { HAVE_NONE });
        }
        Message::KeepAlive => w.u32(0),
        other => {
            let len = 2 + extended_len(other);
            w.u32(u32::try_from(len).expect("our lists and names are short"));
            w.u8(EXTENDED);
            extended(other, w);
        }
    }
}

fn handshake(w: &mut Writer, info_hash: Key, peer_id: Key) {
    w.bytes(PROTOCOL);
    w.bytes(&RESERVED);
    w.key(info_hash);
    w.key(peer_id);
}

fn info_hash(w: &mut Writer, key: Key) {
    string(w, b"info_hash");
    string(w, &key.to_bytes());
}

fn first_piece(w: &mut Writer, kind: i64) {
    string(w, b"msg_type");
    int(w, kind);
    string(w, b"piece");
    int(w, 0);
}

fn extended(message: &Message, w: &mut Writer) {
    match message {
        Message::Decline(key) | Message::Goodbye(key) => {
            let is_over = matches!(message, Message::Goodbye(_));
            w.u8(if is_over { GOODBYE } else { DECLINE });
            w.u8(b'd');
            info_hash(w, *key);
            w.u8(b'e');
        }
        Message::MetadataRequest(key) => {
            w.u8(UT_METADATA);
            w.u8(b'd');
            info_hash(w, *key);
            first_piece(w, 0);
            w.u8(b'e');
        }
        Message::Metadata(item) => {
            w.u8(UT_METADATA);
            w.u8(b'd');
            first_piece(w, 1);
            string(w, b"total_size");
            int(w, info_len(item) as i64);
            w.u8(b'e');
            // The info dictionary follows the message's own (BEP 9).
            w.u8(b'd');
            string(w, b"length");
            int(w, length(item));
            string(w, b"name");
            string(w, item.name().as_bytes());
            w.u8(b'e');
        }
        Message::Pex(pex) => {
            w.u8(UT_PEX);
            w.u8(b'd');
            string(w, b"added");
            compact(w, &pex.added);
            string(w, b"dropped");
            compact(w, &pex.dropped);
            info_hash(w, pex.info_hash);
            w.u8(b'e');
        }
        _ => {}
    }
}

/// Reads what a peer says.
///
/// # Errors
/// When it is no handshake and no extension message that we know.
pub fn decode(r: &mut Reader<'_>) -> Result<Message, WireError> {
    if r.clone().u8()? == PROTOCOL[0] {
        return read_handshake(r);
    }
    let len = r.u32()? as usize;
    if len == 0 {
        return Ok(Message::KeepAlive);
    }
    if len > MAX_EXTENDED_BYTES {
        return Err(r.too_long("message", len as u64));
    }
    let mut inner = Reader::new(r.take(len, "message")?);
    let id = inner.u8()?;
    if id != EXTENDED {
        return Err(inner.invalid("message id", u64::from(id)));
    }
    let extension = inner.u8()?;
    let value = Value::read(&mut inner)?;
    let wrong = inner.invalid("extension", u64::from(extension));
    let dict = value.as_dict().ok_or(wrong)?;
    let message = match extension {
        UT_PEX => read_pex(dict).ok_or(wrong)?,
        GOODBYE => Message::Goodbye(read_info_hash(dict).ok_or(wrong)?),
        DECLINE => Message::Decline(read_info_hash(dict).ok_or(wrong)?),
        UT_METADATA if dict.int("msg_type") == Some(0) => {
            Message::MetadataRequest(read_info_hash(dict).ok_or(wrong)?)
        }
        UT_METADATA if dict.int("msg_type") == Some(1) => {
            let info = Value::read(&mut inner)?;
            Message::Metadata(read_info(&info).ok_or(wrong)?)
        }
        _ => return Err(wrong),
    };
    inner.finish()?;
    Ok(message)
}

fn read_handshake(r: &mut Reader<'_>) -> Result<Message, WireError> {
    let protocol = r.take(PROTOCOL.len(), "protocol")?;
    if protocol != PROTOCOL {
        return Err(r.invalid("protocol", u64::from(protocol[0])));
    }
    r.take(RESERVED.len(), "reserved bits")?;
    let (info_hash, peer_id) = (r.key()?, r.key()?);
    if r.remaining() == 0 {
        return Ok(Message::Connect { info_hash, peer_id });
    }
    match (r.u32()?, r.u8()?) {
        (1, id @ (HAVE_ALL | HAVE_NONE)) => {
            Ok(Message::Accept { info_hash, peer_id, complete: id == HAVE_ALL })
        }
        (_, id) => Err(r.invalid("message id", u64::from(id))),
    }
}

fn read_info_hash(dict: &Dict<'_>) -> Option<Key> {
    dict.bytes("info_hash")?.try_into().ok().map(Key::from_bytes)
}

fn read_pex(dict: &Dict<'_>) -> Option<Message> {
    let list = |key| read_compact(dict.bytes(key)?, MAX_PEX);
    let pex =
        Pex { info_hash: read_info_hash(dict)?, added: list("added")?, dropped: list("dropped")? };
    Some(Message::Pex(Box::new(pex)))
}

fn read_info(info: &Value<'_>) -> Option<Arc<Item>> {
    let dict = info.as_dict()?;
    let size_bytes = u64::try_from(dict.int("length")?).ok()?;
    let name = core::str::from_utf8(dict.bytes("name")?).ok()?;
    Some(Arc::new(Item::new(name, size_bytes)))
}
