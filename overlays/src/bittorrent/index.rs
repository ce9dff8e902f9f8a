//! The index site: which torrents there are, by info-hash and by word.
//!
//! The one part of BitTorrent that searches, and no part of the protocol: "the
//! .torrent is found out of band". It lists links, never peers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::Config;
use super::magnet::Magnet;
use super::message::{Counts, MAX_SCRAPE, Message};
use super::{Context, Timer};
use crate::seam::{Addr, Cause, Footprint, Item, Key, Keywords, Note, Query, Target};

/// The most trackers that one round of scrapes asks: a link may name any
/// address, and the site must not be turned against strangers.
const MAX_SCRAPED_TRACKERS: usize = 32;

/// A torrent on the site.
#[derive(Debug)]
struct Listing {
    item: Arc<Item>,
    trackers: Arc<[Addr]>,
    /// Scrapes in a row that found no seed.
    seedless: u32,
}

/// The index site.
#[derive(Debug)]
pub struct IndexSite {
    config: Arc<Config>,
    listings: BTreeMap<Key, Listing>,
    /// For each word the torrents whose names have it, sorted.
    by_word: BTreeMap<Box<str>, Vec<Key>>,
    /// Numbers the searches, so that long lists are walked from another place
    /// each time.
    searches: u64,
}

impl IndexSite {
    /// A site that lists nothing yet.
    pub(super) fn new(config: &Arc<Config>) -> Self {
        Self {
            config: Arc::clone(config),
            listings: BTreeMap::new(),
            by_word: BTreeMap::new(),
            searches: 0,
        }
    }

    /// Its parameters.
    pub(super) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config)
    }

    /// Starts its upkeep.
    pub(super) fn start(&self, cx: &mut Context<'_>) {
        cx.wake_upkeep(self.config.scrape_interval, Timer::Scrape);
    }

    /// Answers clients, and takes note of what trackers say.
    pub(super) fn on_message(&mut self, cx: &mut Context<'_>, from: Addr, message: Message) {
        match message {
            Message::Visit => cx.send(from, Message::Welcome),
            Message::Publish(magnet) => {
                let accepted = self.list(&magnet);
                if accepted {
                    let note = Note::Store { key: magnet.info_hash, provider: from, stored: true };
                    cx.note(|| note);
                }
                cx.send(from, Message::Published { accepted });
            }
            Message::Browse(query) => {
                let listing = self.search(&query);
                cx.send(from, Message::Listing(listing.into()));
            }
            Message::Scraped(files) => {
                for (key, counts) in &files {
                    self.on_scraped(from, *key, *counts);
                }
            }
            Message::Announce(_) | Message::Scrape(_) => {
                cx.send(from, Message::Refused(super::Refusal::NotServedHere));
            }
            _ => {}
        }
    }

    /// Lists a torrent; one that is listed already stays as it is. False when
    /// the link tells no name or there is no room.
    pub(super) fn list(&mut self, magnet: &Magnet) -> bool {
        let Some(item) = &magnet.item else { return false };
        if self.listings.contains_key(&item.key()) {
            return true;
        }
        if self.listings.len() >= self.config.max_torrents as usize {
            return false;
        }
        for word in item.keywords().words() {
            match self.by_word.get_mut(word) {
                Some(keys) => {
                    let at = keys.partition_point(|key| *key < item.key());
                    keys.insert(at, item.key());
                }
                None => _ = self.by_word.insert(word.into(), vec![item.key()]),
            }
        }
        let trackers = Arc::clone(&magnet.trackers);
        let listing = Listing { item: Arc::clone(item), trackers, seedless: 0 };
        self.listings.insert(item.key(), listing);
        true
    }

    fn drop_listing(&mut self, key: Key) {
        let Some(listing) = self.listings.remove(&key) else { return };
        for word in listing.item.keywords().words() {
            let Some(keys) = self.by_word.get_mut(word) else { continue };
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.by_word.remove(word);
            }
        }
    }

    /// The links that answer `query`, as many as it asks for and the site
    /// gives.
    pub(super) fn search(&mut self, query: &Query) -> Vec<Magnet> {
        let turn = self.searches;
        self.searches += 1;
        let limit = usize::from(query.limit.min(self.config.max_results));
        let keys = match &query.target {
            Target::Exact(key) => vec![*key],
            Target::Keywords(words) => self.matching(words, limit, turn),
        };
        let listings = keys.iter().filter_map(|key| self.listings.get(key));
        listings.map(|listing| Magnet::of(&listing.item, &listing.trackers)).collect()
    }

    /// Up to `limit` torrents with all of the words, along the shortest of the
    /// words' lists, from another place in it each time.
    fn matching(&self, words: &Keywords, limit: usize, turn: u64) -> Vec<Key> {
        let lists: Option<Vec<&Vec<Key>>> =
            words.words().map(|word| self.by_word.get(word)).collect();
        let shortest = lists.and_then(|lists| lists.into_iter().min_by_key(|list| list.len()));
        let Some(list) = shortest else { return Vec::new() };
        // Multiples of the golden ratio spread evenly.
        let fraction = u128::from(turn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let start = ((fraction * list.len() as u128) >> 64) as usize;
        let (before, after) = list.split_at(start);
        let matches = |key: &&Key| self.listings[key].item.keywords().contains_all(words);
        after.iter().chain(before).filter(matches).take(limit).copied().collect()
    }

    /// Asks the trackers how large the swarms are. Each torrent is looked up
    /// at its first tracker.
    pub(super) fn on_scrape(&mut self, cx: &mut Context<'_>) {
        let mut by_tracker: BTreeMap<Addr, Vec<Key>> = BTreeMap::new();
        for (key, listing) in &self.listings {
            let Some(tracker) = listing.trackers.first() else { continue };
            if by_tracker.len() < MAX_SCRAPED_TRACKERS || by_tracker.contains_key(tracker) {
                by_tracker.entry(*tracker).or_default().push(*key);
            }
        }
        let mut upkeep = cx.on_behalf_of(Cause::UPKEEP);
        for (tracker, keys) in by_tracker {
            for keys in keys.chunks(MAX_SCRAPE) {
                upkeep.send(tracker, Message::Scrape(keys.into()));
            }
        }
        cx.wake_upkeep(self.config.scrape_interval, Timer::Scrape);
    }

    /// A torrent without seeds for several scrapes is dead and goes.
    fn on_scraped(&mut self, from: Addr, key: Key, counts: Counts) {
        let Some(listing) = self.listings.get_mut(&key) else { return };
        if listing.trackers.first() != Some(&from) {
            return;
        }
        listing.seedless = if counts.complete > 0 { 0 } else { listing.seedless + 1 };
        if listing.seedless >= self.config.dead_scrapes {
            self.drop_listing(key);
        }
    }

    /// Whether a torrent is listed; for audits.
    pub(super) fn lists(&self, key: &Key) -> bool {
        self.listings.contains_key(key)
    }

    /// Whether the lists agree with each other; for audits.
    pub(super) fn is_consistent(&self) -> bool {
        let words: usize =
            self.listings.values().map(|listing| listing.item.keywords().words().len()).sum();
        let posted: usize = self.by_word.values().map(Vec::len).sum();
        words == posted
            && self.by_word.iter().all(|(word, keys)| {
                keys.is_sorted_by(|a, b| a < b)
                    && keys.iter().all(|key| {
                        let listing = self.listings.get(key);
                        listing.is_some_and(|l| l.item.keywords().words().any(|w| *w == **word))
                    })
            })
    }

    /// Torrents as index entries.
    pub(super) fn footprint(&self) -> Footprint {
        // A word costs its text, its list's header and its share of the tree.
        const WORD_BYTES: usize = 64;
        let posted: usize = self.by_word.values().map(Vec::len).sum();
        let bytes = self.listings.len() * (size_of::<Key>() + size_of::<Listing>() + 64)
            + posted * size_of::<Key>()
            + self.by_word.len() * WORD_BYTES;
        let index_entries = self.listings.len() as u64;
        Footprint { routing_entries: 0, index_entries, bytes: bytes as u64 }
    }
}
