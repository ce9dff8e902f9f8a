//! Items that peers share, queries for them and the hits that answer.

use std::sync::Arc;

use super::addr::Addr;
use super::key::Key;
use super::wire::{Reader, WireError, Writer};

/// The longest item name and the longest keyword query, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// The most words that a name or query is split into; further ones are ignored.
const MAX_WORDS: usize = 32;

/// A thing that a peer shares, known by its name.
#[derive(Debug, PartialEq)]
pub struct Item {
    name: Box<str>,
    size_bytes: u64,
    key: Key,
    content: Key,
    keywords: Keywords,
}

impl Item {
    /// The item called `name` of `size_bytes` bytes.
    ///
    /// A name longer than [`MAX_NAME_BYTES`] is cut at a character boundary.
    pub fn new(name: &str, size_bytes: u64) -> Self {
        let name = cut(name, MAX_NAME_BYTES);
        let mut identity = Vec::with_capacity(name.len() + 9);
        identity.extend_from_slice(name.as_bytes());
        identity.push(0);
        identity.extend_from_slice(&size_bytes.to_be_bytes());
        Self {
            name: name.into(),
            size_bytes,
            key: Key::hash(name.as_bytes()),
            content: Key::hash(&identity),
            keywords: Keywords::of(name),
        }
    }

    /// The file name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The key under which it is looked up: SHA-1 of the name.
    pub fn key(&self) -> Key {
        self.key
    }

    /// The content id under which the transfer layer fetches it. Catalogues
    /// hold no contents, so it is SHA-1 over name and size; a real torrent's
    /// info-hash takes its place when there is one.
    pub fn content(&self) -> Key {
        self.content
    }

    /// The words of the name.
    pub fn keywords(&self) -> &Keywords {
        &self.keywords
    }

    /// Bytes that [`Item::encode`] writes.
    pub fn encoded_len(&self) -> usize {
        1 + self.name.len() + 8
    }

    /// Writes name and size; the rest follows from them.
    pub fn encode(&self, w: &mut Writer) {
        w.short_text(&self.name);
        w.u64(self.size_bytes);
    }

    /// Reads what [`Item::encode`] wrote.
    ///
    /// # Errors
    /// When the input ends early or the name is not UTF-8.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let name = r.short_text()?;
        let size_bytes = r.u64()?;
        Ok(Self::new(name, size_bytes))
    }
}

/// A set of lower-case words, as a name is split or a user types them.
///
/// Words are runs of letters and digits; an apostrophe counts as a letter.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Keywords {
    words: Box<[Box<str>]>,
    /// One bit per word, by hash: rules out most non-matches in one operation.
    signature: u64,
}

impl Keywords {
    /// The words of `text`, at most 32, sorted and without repeats.
    pub fn of(text: &str) -> Self {
        // Lower-casing can lengthen a text, so it is cut once more: what is
        // written to the wire must fit there and read back the same.
        let lower = cut(text, MAX_NAME_BYTES).to_lowercase();
        let mut words: Vec<Box<str>> = cut(&lower, MAX_NAME_BYTES)
            .split(|c: char| !(c.is_alphanumeric() || c == '\''))
            .filter(|w| !w.is_empty())
            .take(MAX_WORDS)
            .map(Into::into)
            .collect();
        words.sort_unstable();
        words.dedup();
        let signature = words.iter().fold(0, |bits, w| bits | signature_bit(w));
        Self { words: words.into(), signature }
    }

    /// The words, sorted.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &str> {
        self.words.iter().map(|w| &**w)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether every word of `query` is among these; an empty query matches
    /// nothing.
    pub fn contains_all(&self, query: &Self) -> bool {
        self.signature & query.signature == query.signature
            && !query.is_empty()
            && query.words.iter().all(|w| self.words.binary_search(w).is_ok())
    }

    /// The words with single spaces between them.
    pub fn to_text(&self) -> String {
        self.words.join(" ")
    }

    /// Bytes of [`Keywords::to_text`].
    pub fn text_len(&self) -> usize {
        self.words.iter().map(|w| w.len() + 1).sum::<usize>().saturating_sub(1)
    }
}

fn signature_bit(word: &str) -> u64 {
    // FNV-1a; any fixed hash serves.
    let hash = word
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    1 << (hash >> 58)
}

fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// What a search looks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// The item whose name hashes to this key.
    Exact(Key),
    /// Items whose names contain all of these words.
    Keywords(Arc<Keywords>),
}

/// A search as the user asks it.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What to look for.
    pub target: Target,
    /// How many hits are enough, 1..=100. Overlays stop looking once they have
    /// them, and never return more.
    pub limit: u16,
}

impl Query {
    /// The most hits a query may ask for (Napster's MAX_RESULTS cap).
    pub const MAX_LIMIT: u16 = 100;

    /// A search for one provider of the item with this key.
    pub const fn exact(key: Key) -> Self {
        Self { target: Target::Exact(key), limit: 1 }
    }

    /// A search for up to [`Query::MAX_LIMIT`] items with all words of `text`.
    pub fn keywords(text: &str) -> Self {
        Self { target: Target::Keywords(Arc::new(Keywords::of(text))), limit: Self::MAX_LIMIT }
    }

    /// Whether `item` answers it.
    pub fn matches(&self, item: &Item) -> bool {
        match &self.target {
            Target::Exact(key) => item.key == *key,
            Target::Keywords(words) => item.keywords.contains_all(words),
        }
    }

    /// Bytes that [`Query::encode`] writes.
    pub fn encoded_len(&self) -> usize {
        3 + match &self.target {
            Target::Exact(_) => Key::BYTES,
            Target::Keywords(words) => 1 + words.text_len(),
        }
    }

    /// Writes limit, kind and target.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(self.limit);
        match &self.target {
            Target::Exact(key) => {
                w.u8(0);
                w.key(*key);
            }
            Target::Keywords(words) => {
                w.u8(1);
                w.short_text(&words.to_text());
            }
        }
    }

    /// Reads what [`Query::encode`] wrote; the limit is brought into its range.
    ///
    /// # Errors
    /// When the input ends early or is of no known kind.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let limit = r.u16()?.clamp(1, Self::MAX_LIMIT);
        let target = match r.u8()? {
            0 => Target::Exact(r.key()?),
            1 => Target::Keywords(Arc::new(Keywords::of(r.short_text()?))),
            kind => return Err(r.invalid("query kind", u64::from(kind))),
        };
        Ok(Self { target, limit })
    }
}

/// One answer to a search: an item and a peer that has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The item found.
    pub item: Arc<Item>,
    /// Who provides it.
    pub provider: Addr,
}

impl Hit {
    /// Bytes that [`Hit::encode`] writes.
    pub fn encoded_len(&self) -> usize {
        self.item.encoded_len() + Addr::BYTES
    }

    /// Writes item and provider.
    pub fn encode(&self, w: &mut Writer) {
        self.item.encode(w);
        w.addr(self.provider);
    }

    /// Reads what [`Hit::encode`] wrote.
    ///
    /// # Errors
    /// When the input ends early or the name is not UTF-8.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let item = Arc::new(Item::decode(r)?);
        let provider = r.addr()?;
        Ok(Self { item, provider })
    }
}
