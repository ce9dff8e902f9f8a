//! Records of a DHT: an item under its own key, or under one of its words.

use std::collections::BTreeSet;

use crate::seam::{Hit, Item, Key, Reader, WireError, Writer};

/// In place of a word's number: the item itself, under its own key.
pub const WHOLE: u8 = u8::MAX;

/// Where the posting list of a word is kept.
///
/// The hash is not that of the word alone, or the list would lie on top of an
/// item that is called just so.
pub fn keyword_key(word: &str) -> Key {
    let mut text = Vec::with_capacity(8 + word.len());
    text.extend_from_slice(b"keyword:");
    text.extend_from_slice(word.as_bytes());
    Key::hash(&text)
}

/// A record and what it is kept under.
#[derive(Clone, Debug, PartialEq)]
pub struct Posting {
    /// An item and who provides it.
    pub hit: Hit,
    /// Which word of the item's name it is kept under, or [`WHOLE`].
    pub word: u8,
}

impl From<Hit> for Posting {
    /// The record under the item's own key.
    fn from(hit: Hit) -> Self {
        Self { hit, word: WHOLE }
    }
}

impl Posting {
    /// All records of a hit: under its own key, and with `keywords` under each
    /// word of its name too.
    pub fn all(hit: &Hit, keywords: bool) -> impl Iterator<Item = Self> + '_ {
        let words = if keywords { hit.item.keywords().words().len() as u8 } else { 0 };
        core::iter::once(WHOLE).chain(0..words).map(|word| Self { hit: hit.clone(), word })
    }

    /// What it is kept under.
    pub fn key(&self) -> Key {
        place_of(&self.hit.item, self.word)
    }

    /// Bytes that [`Posting::encode`] writes.
    pub fn encoded_len(&self) -> usize {
        1 + self.hit.encoded_len()
    }

    /// Writes the word's number and the hit.
    pub fn encode(&self, w: &mut Writer) {
        w.u8(self.word);
        self.hit.encode(w);
    }

    /// Reads what [`Posting::encode`] wrote.
    ///
    /// # Errors
    /// When the input ends early, or the name has no such word.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let word = r.u8()?;
        let hit = Hit::decode(r)?;
        if word != WHOLE && usize::from(word) >= hit.item.keywords().words().len() {
            return Err(r.invalid("word", u64::from(word)));
        }
        Ok(Self { hit, word })
    }
}

/// The key under which a record of `item` is kept: that of its word number
/// `word`, or its own.
fn place_of(item: &Item, word: u8) -> Key {
    match item.keywords().words().nth(usize::from(word)) {
        Some(word) => keyword_key(word),
        None => item.key(),
    }
}

/// Which posting lists have refused a record. A list stays hot until it is
/// gone: what it refused is missing even if it has room again.
#[derive(Debug, Default)]
pub struct HotLists(BTreeSet<Key>);

impl HotLists {
    /// A list of `len` records that may have `most` is asked to take one more:
    /// whether it does.
    pub fn admits(&mut self, list: Key, len: usize, most: usize) -> bool {
        if len >= most {
            self.0.insert(list);
        }
        len < most
    }

    /// Whether a list of `len` records that may have `most` is cut short: it
    /// refused one, or it is full and may have done so at a former owner.
    pub fn is_hot(&self, list: Key, len: usize, most: usize) -> bool {
        len >= most || self.0.contains(&list)
    }

    /// Forgets the lists that `is_there` no longer knows.
    pub fn retain(&mut self, is_there: impl Fn(Key) -> bool) {
        self.0.retain(|list| is_there(*list));
    }

    /// A list is gone.
    pub fn remove(&mut self, list: Key) {
        self.0.remove(&list);
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        self.0.len() * size_of::<Key>()
    }
}
