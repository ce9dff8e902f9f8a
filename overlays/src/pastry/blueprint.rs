//! A converged network, computed once for everyone.

use super::config::Config;
use super::contact::{Contact, Entry, Rtt, is_closer};
use super::leaf_set::{Leaf, closest_of};
use super::{Context, Pastry, Phase};
use crate::parts::postings::{Posting, WHOLE};
use crate::{Addr, Census, Distances, Hit, Holding, Key};

use rand::RngExt as _;

/// Candidates for a cell of a routing table that are looked at. Where there are
/// more, this many are drawn at random and the nearest of them is taken: a
/// joined node has not seen all of them either.
const CELL_SAMPLE: usize = 32;
/// Candidates for the neighbourhood set that are looked at for each place in
/// it.
const NEIGHBOURHOOD_SAMPLE: usize = 8;

/// The circle of all nodes, how far apart they are, and what they share.
#[derive(Debug)]
pub struct Blueprint {
    /// All nodes, by identifier.
    ring: Vec<Contact>,
    /// What the peers share, by the item's key.
    holdings: Vec<Holding>,
    /// The same by provider: indices into `holdings`.
    by_provider: Vec<u32>,
    /// The records under words, where there are any: the word's key, and the
    /// index into `holdings`.
    postings: Vec<(Key, u32)>,
    distances: Distances,
    id_bits: u32,
}

impl Blueprint {
    /// The network of everyone in the census. Where two identifiers coincide,
    /// the node that comes first in the census has the place, as if it had
    /// joined first; the other stays outside.
    pub fn new(config: &Config, census: Census) -> Self {
        let id_bits = config.id_bits;
        let contact = |m: &crate::Profile| Contact { id: m.id.truncated(id_bits), addr: m.addr };
        let mut ring: Vec<Contact> = census.peers.iter().map(contact).collect();
        drop(census.peers);
        ring.sort_by_key(|c| c.id);
        ring.dedup_by_key(|c| c.id);
        let holdings = census.holdings;
        let mut by_provider: Vec<u32> = (0..holdings.len() as u32).collect();
        by_provider.sort_by_key(|i| holdings[*i as usize].provider);
        let postings = if config.keywords { postings_of(&holdings) } else { Vec::new() };
        let distances = census.distances;
        Self { ring, holdings, by_provider, postings, distances, id_bits }
    }

    /// All nodes, by identifier.
    pub fn ring(&self) -> &[Contact] {
        &self.ring
    }

    /// The node numerically closest to `key`; `None` in an empty network.
    pub fn root(&self, key: Key) -> Option<Contact> {
        let key = key.truncated(self.id_bits);
        let n = self.ring.len();
        let at = self.ring.partition_point(|c| c.id < key);
        let (after, before) = (self.ring.get(at % n.max(1))?, self.ring.get((at + n - 1) % n)?);
        Some(if is_closer(before.id, after.id, key) { *before } else { *after })
    }

    /// The `k` nodes closest to `key`, closest first.
    pub fn holders(&self, key: Key, k: usize) -> Vec<Contact> {
        let key = key.truncated(self.id_bits);
        let n = self.ring.len();
        let at = self.ring.partition_point(|c| c.id < key);
        let k = k.min(n);
        let around: Vec<Contact> = if 2 * k >= n {
            self.ring.clone()
        } else {
            (0..2 * k).map(|i| self.ring[(at + n - k + i) % n]).collect()
        };
        closest_of(around.into_iter(), key, k)
    }

    fn rtt(&self, a: Addr, b: Addr) -> Rtt {
        Rtt::from_span(self.distances.rtt(a, b))
    }

    fn entry(&self, me: Addr, place: usize) -> Entry {
        let contact = self.ring[place];
        Entry::new(contact, self.rtt(me, contact.addr))
    }

    /// The nearest of the nodes at `from..to`, or of a sample of them.
    fn nearest(&self, cx: &mut Context<'_>, from: usize, to: usize) -> Option<Entry> {
        let me = cx.me();
        if to - from <= CELL_SAMPLE {
            // Of equally near ones, not everybody may take the same.
            let first = cx.rng().random_range(from..to);
            return (first..to).chain(from..first).map(|i| self.entry(me, i)).min_by_key(|e| e.rtt);
        }
        let sample = (0..CELL_SAMPLE).map(|_| {
            let place = cx.rng().random_range(from..to);
            self.entry(me, place)
        });
        sample.min_by_key(|e| e.rtt)
    }

    /// The records that the node at `place` may have to keep, and some more:
    /// under items' own keys, and under words.
    fn held_around(&self, place: usize, k: usize) -> impl Iterator<Item = (Key, Hit)> {
        let hit =
            |Holding { item, provider }: &Holding| Hit { item: item.clone(), provider: *provider };
        let own = self.around(place, k, &self.holdings, |h| h.item.key());
        let words = self.around(place, k, &self.postings, |(list, _)| *list);
        let own = own.map(move |h| (h.item.key(), hit(h)));
        own.chain(words.map(move |(list, at)| (*list, hit(&self.holdings[*at as usize]))))
    }

    /// Those of `all`, sorted by key, whose keys are around `place`.
    fn around<'a, T>(
        &self,
        place: usize,
        k: usize,
        all: &'a [T],
        key_of: impl Fn(&T) -> Key,
    ) -> impl Iterator<Item = &'a T> {
        // Whoever is among the k closest to a key has at most k - 1 nodes
        // between itself and the key.
        let n = self.ring.len();
        let reach = k.min(n);
        let upto = |key: Key| all.partition_point(|t| key_of(t).truncated(self.id_bits) <= key);
        let after = self.ring[(place + n - reach) % n].id;
        let last = self.ring[(place + reach) % n].id;
        let (from, to) = (upto(after), upto(last));
        let (first, second) = if 2 * reach >= n {
            (all, &all[..0])
        } else if after < last {
            (&all[from..to], &all[..0])
        } else {
            (&all[from..], &all[..to])
        };
        first.iter().chain(second)
    }

    /// What `provider` shares.
    fn shared_by(&self, provider: Addr) -> impl Iterator<Item = &Holding> {
        let holding = |i: &u32| &self.holdings[*i as usize];
        let from = self.by_provider.partition_point(|i| holding(i).provider < provider);
        self.by_provider[from..]
            .iter()
            .map(move |i| &self.holdings[*i as usize])
            .take_while(move |h| h.provider == provider)
    }
}

/// All records of the holdings under words, by the word's key.
fn postings_of(holdings: &[Holding]) -> Vec<(Key, u32)> {
    let mut postings = Vec::new();
    for (at, Holding { item, provider }) in (0..).zip(holdings) {
        let hit = Hit { item: item.clone(), provider: *provider };
        let words = Posting::all(&hit, true).filter(|posting| posting.word != WHOLE);
        postings.extend(words.map(|posting| (posting.key(), at)));
    }
    postings.sort_unstable();
    postings
}

impl Pastry {
    /// Takes this node's place in the converged network.
    pub(super) fn take_place(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint) {
        let me = self.me;
        let place = blueprint.ring.partition_point(|c| c.id < me.id);
        if blueprint.ring.get(place) != Some(&me) {
            return;
        }
        self.phase = Phase::Member;
        self.version = 1;
        self.aside = None;
        self.settle_leaves(blueprint, place);
        self.settle_table(cx, blueprint);
        self.settle_neighbourhood(cx, blueprint, place);
        self.start_upkeep(cx);
        if !blueprint.holdings.is_empty() {
            self.settle_records(cx, blueprint, place);
        }
        self.start_republishing(cx);
    }

    fn settle_leaves(&mut self, blueprint: &Blueprint, place: usize) {
        let n = blueprint.ring.len();
        let half = usize::from(self.config.leaf_set / 2).min(n - 1);
        let around = (1..=half).flat_map(|k| [(place + k) % n, (place + n - k) % n]);
        // The other members have version 1 of their sets, and nothing new to
        // tell.
        let leaf = |at: usize| Leaf { entry: blueprint.entry(self.me.addr, at), seen: 1 };
        let leaves = around.map(leaf).collect();
        self.leaves.fill(leaves);
    }

    /// Each cell gets the nearest node that belongs there. The identifiers
    /// with a common prefix lie side by side in the sorted circle, so that
    /// every row narrows the range of the one before.
    fn settle_table(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint) {
        let b = u32::from(self.config.b);
        let ring = &blueprint.ring;
        let me = self.me.id;
        let (mut from, mut to) = (0, ring.len());
        for row in 0..self.config.id_bits.div_ceil(b) {
            if to - from <= 1 {
                break;
            }
            let mine = me.digit(row, b);
            let mut start = from;
            let mut next = (from, to);
            for column in 0..1 << b {
                let end = start + ring[start..to].partition_point(|c| c.id.digit(row, b) <= column);
                if column == mine {
                    next = (start, end);
                } else if end > start
                    && let Some(entry) = blueprint.nearest(cx, start, end)
                {
                    self.table.offer(entry);
                }
                start = end;
            }
            (from, to) = next;
        }
        self.table.shrink();
    }

    fn settle_neighbourhood(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint, place: usize) {
        let n = blueprint.ring.len();
        let size = self.config.neighbourhood;
        let me = self.me.addr;
        let sample = size * NEIGHBOURHOOD_SAMPLE;
        let entries: Vec<Entry> = if n <= sample + 1 {
            (0..n).filter(|i| *i != place).map(|i| blueprint.entry(me, i)).collect()
        } else {
            let mut places: Vec<usize> =
                (0..sample).map(|_| cx.rng().random_range(0..n)).filter(|i| *i != place).collect();
            places.sort_unstable();
            places.dedup();
            places.into_iter().map(|i| blueprint.entry(me, i)).collect()
        };
        self.neighbourhood.fill(entries, size);
    }

    fn settle_records(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint, place: usize) {
        let k = self.config.replicas;
        for (key, hit) in blueprint.held_around(place, k) {
            if self.holders(self.ring_key(key)).contains(&self.me) {
                self.settle_record(key, hit);
            }
        }
        for holding in blueprint.shared_by(cx.me()) {
            let shared = &mut self.holdings.get_or_insert_default().shared;
            shared.insert(holding.item.key(), holding.item.clone());
        }
        self.settle_placed();
    }
}
