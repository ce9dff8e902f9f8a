//! A keyword query at the owner of one of its words.

use std::sync::Arc;

use super::posting::keyword_key;
use crate::seam::{Addr, Hit, Key, Keywords, Query, Reader, WireError, Writer};

/// The most hits that an answer brings and a query carries.
pub const PAGE: usize = Query::MAX_LIMIT as usize;
/// The fewest bytes of a hit.
const MIN_HIT_BYTES: usize = 1 + 8 + Addr::BYTES;

/// A place in a posting list: behind this item of this provider.
pub type Place = (Key, Addr);

/// How a query goes about its words.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// The asker wants this word's whole list, from here on.
    List {
        /// Where to go on; nothing asks for the start.
        after: Option<Place>,
    },
    /// The query finds what it can here, and goes on if it must.
    Path {
        /// The words whose owners it has been to, as bits by number.
        seen: u32,
        /// What it has found there.
        found: Vec<Hit>,
        /// How many hits are enough, 1..=100.
        limit: u16,
    },
}

/// A query on its way to the owner of one of its words.
#[derive(Clone, Debug, PartialEq)]
pub struct Sift {
    /// Who asks.
    pub asker: Addr,
    /// The asker's number for it.
    pub ticket: u32,
    /// All words of the query.
    pub words: Arc<Keywords>,
    /// Which of them it is going to.
    pub word: u8,
    /// How it goes about the others.
    pub way: Way,
}

/// The posting list that a query finds.
#[derive(Debug)]
pub struct List<I> {
    /// Its records, in any order.
    pub hits: I,
    /// Whether it is cut short.
    pub is_hot: bool,
}

/// What an owner tells the asker.
#[derive(Clone, Debug, PartialEq)]
pub struct Sifted {
    /// Which query this answers.
    pub ticket: u32,
    /// The word whose owner answers.
    pub word: u8,
    /// What was found.
    pub hits: Vec<Hit>,
    /// Where the rest of the list starts, when there is more to fetch.
    pub next: Option<Place>,
    /// Whether something may be missing, since every list was cut short.
    pub is_hot: bool,
}

/// Where a query goes from an owner.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Back to the asker.
    Answer(Sifted),
    /// To the owner of another word.
    On(Sift),
}

fn place_of(hit: &Hit) -> Place {
    (hit.item.key(), hit.provider)
}

/// The number of the longest word that `seen` does not have, the first of
/// several: long words are rare ones, and nobody knows better before asking.
pub(super) fn longest_unseen(words: &Keywords, seen: u32) -> Option<u8> {
    let unseen = words.words().take(32).enumerate().filter(|(at, _)| seen & (1 << at) == 0);
    let longest = unseen.max_by_key(|(at, word)| (word.len(), core::cmp::Reverse(*at)));
    longest.map(|(at, _)| at as u8)
}

impl Sift {
    /// Where the list is kept that it is going to.
    pub fn key(&self) -> Key {
        let word = self.words.words().nth(usize::from(self.word));
        keyword_key(word.unwrap_or_default())
    }

    /// Meets the list of its word.
    pub fn meet(self, list: List<impl Iterator<Item = Hit>>) -> Step {
        match self.way {
            Way::List { after } => {
                let mut hits: Vec<Hit> =
                    list.hits.filter(|hit| Some(place_of(hit)) > after).collect();
                hits.sort_by_key(place_of);
                let more = hits.len() > PAGE;
                hits.truncate(PAGE);
                let next = if more { hits.last().map(place_of) } else { None };
                let (ticket, word) = (self.ticket, self.word);
                Step::Answer(Sifted { ticket, word, hits, next, is_hot: list.is_hot })
            }
            Way::Path { seen, mut found, limit } => {
                let enough = usize::from(limit).min(PAGE);
                let matching = list.hits.filter(|h| h.item.keywords().contains_all(&self.words));
                for hit in matching {
                    if found.len() >= enough {
                        break;
                    }
                    if !found.contains(&hit) {
                        found.push(hit);
                    }
                }
                let seen = seen | (1_u32.checked_shl(self.word.into()).unwrap_or(0));
                let is_short = list.is_hot && found.len() < enough;
                match longest_unseen(&self.words, seen).filter(|_| is_short) {
                    Some(word) => {
                        Step::On(Self { word, way: Way::Path { seen, found, limit }, ..self })
                    }
                    None => Step::Answer(Sifted {
                        ticket: self.ticket,
                        word: self.word,
                        hits: found,
                        next: None,
                        is_hot: is_short,
                    }),
                }
            }
        }
    }

    /// Bytes that [`Sift::encode`] writes.
    pub fn encoded_len(&self) -> usize {
        let way = match &self.way {
            Way::List { after } => 1 + place_len(*after),
            Way::Path { found, .. } => 1 + 4 + 2 + hits_len(found),
        };
        Addr::BYTES + 4 + 1 + self.words.text_len() + 1 + way
    }

    /// Writes asker, number, words and way.
    pub fn encode(&self, w: &mut Writer) {
        w.addr(self.asker);
        w.u32(self.ticket);
        w.short_text(&self.words.to_text());
        w.u8(self.word);
        match &self.way {
            Way::List { after } => {
                w.u8(0);
                encode_place(*after, w);
            }
            Way::Path { seen, found, limit } => {
                w.u8(1);
                w.u32(*seen);
                w.u16(*limit);
                encode_hits(found, w);
            }
        }
    }

    /// Reads what [`Sift::encode`] wrote.
    ///
    /// # Errors
    /// When the input ends early, or the query has no such word.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let (asker, ticket) = (r.addr()?, r.u32()?);
        let words = Arc::new(Keywords::of(r.short_text()?));
        let word = r.u8()?;
        if usize::from(word) >= words.words().len() {
            return Err(r.invalid("word", u64::from(word)));
        }
        let way = match r.u8()? {
            0 => Way::List { after: decode_place(r)? },
            1 => {
                let seen = r.u32()?;
                let limit = r.u16()?.clamp(1, Query::MAX_LIMIT);
                Way::Path { seen, limit, found: decode_hits(r)? }
            }
            other => return Err(r.invalid("way", u64::from(other))),
        };
        Ok(Self { asker, ticket, words, word, way })
    }
}

impl Sifted {
    /// Bytes that [`Sifted::encode`] writes.
    pub fn encoded_len(&self) -> usize {
        4 + 1 + hits_len(&self.hits) + place_len(self.next) + 1
    }

    /// Writes number, word, hits and what may be missing.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.ticket);
        w.u8(self.word);
        encode_hits(&self.hits, w);
        encode_place(self.next, w);
        w.bool(self.is_hot);
    }

    /// Reads what [`Sifted::encode`] wrote.
    ///
    /// # Errors
    /// When the input ends early or holds too many hits.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            ticket: r.u32()?,
            word: r.u8()?,
            hits: decode_hits(r)?,
            next: decode_place(r)?,
            is_hot: r.bool()?,
        })
    }
}

fn hits_len(hits: &[Hit]) -> usize {
    2 + hits.iter().map(Hit::encoded_len).sum::<usize>()
}

fn encode_hits(hits: &[Hit], w: &mut Writer) {
    w.count(hits.len());
    hits.iter().for_each(|hit| hit.encode(w));
}

fn decode_hits(r: &mut Reader<'_>) -> Result<Vec<Hit>, WireError> {
    let count = r.count("hits", PAGE, MIN_HIT_BYTES)?;
    (0..count).map(|_| Hit::decode(r)).collect()
}

fn place_len(place: Option<Place>) -> usize {
    1 + place.map_or(0, |_| Key::BYTES + Addr::BYTES)
}

fn encode_place(place: Option<Place>, w: &mut Writer) {
    w.bool(place.is_some());
    if let Some((key, provider)) = place {
        w.key(key);
        w.addr(provider);
    }
}

fn decode_place(r: &mut Reader<'_>) -> Result<Option<Place>, WireError> {
    Ok(if r.bool()? { Some((r.key()?, r.addr()?)) } else { None })
}
