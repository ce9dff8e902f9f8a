//! A converged network, computed once for everyone.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::config::{Config, Settings};
use super::contact::Contact;
use super::dialect::Dialect;
use super::records::{Keep, RecordId, tag};
use super::table::Table;
use crate::{Addr, Census, Distances, Holding, Item, Key, Rng};
use rand::Rng as _;

/// How many contacts are weighed for each place when near ones are preferred.
const WEIGHED_PER_PLACE: usize = 3;

/// Everyone by identifier, and who keeps what.
#[derive(Debug)]
pub struct Blueprint {
    /// The nodes that can be in tables, by identifier.
    nodes: Vec<Contact>,
    /// What the peers share.
    holdings: Vec<Holding>,
    /// The same by provider: indices into `holdings`.
    by_provider: Vec<u32>,
    /// What is published: a key, and an index into `holdings`.
    postings: Vec<(Key, u32)>,
    /// Who keeps which posting: indices into `nodes` and `postings`, sorted.
    kept: Vec<(u32, u32)>,
    distances: Distances,
    bits: u32,
    names_items: bool,
}

impl Blueprint {
    /// The network that everyone in the census would converge to.
    pub(super) fn new<D: Dialect>(config: &Config<D>, census: Census) -> Self {
        let bits = config.bits();
        let in_tables = census.peers.iter().filter(|p| !(config.read_only && p.firewalled));
        let mut nodes: Vec<Contact> =
            in_tables.map(|p| Contact { id: D::id(config, p), addr: p.addr }).collect();
        nodes.sort_unstable();
        let mut by_provider: Vec<u32> = (0..census.holdings.len() as u32).collect();
        by_provider.sort_by_key(|i| census.holdings[*i as usize].provider);
        let mut blueprint = Self {
            nodes,
            holdings: census.holdings,
            by_provider,
            postings: Vec::new(),
            kept: Vec::new(),
            distances: census.distances,
            bits,
            names_items: D::NAMES_ITEMS,
        };
        blueprint.publish(config);
        blueprint
    }

    /// Works out which nodes keep what.
    fn publish<D: Dialect>(&mut self, settings: &Config<D>) {
        let mut under: BTreeMap<Key, usize> = BTreeMap::new();
        for (index, holding) in self.holdings.iter().enumerate() {
            let mut keys = vec![holding.item.key().truncated(self.bits)];
            if settings.keywords {
                let words = holding.item.keywords().words();
                keys.extend(words.map(|w| D::word_key(w).truncated(self.bits)));
            }
            for key in keys {
                let count = under.entry(key).or_default();
                *count += 1;
                if *count <= settings.max_providers {
                    self.postings.push((key, index as u32));
                }
            }
        }
        // Postings of one key have the same keepers.
        self.postings.sort_unstable();
        let mut at = 0;
        while at < self.postings.len() {
            let key = self.postings[at].0;
            let next = at + self.postings[at..].partition_point(|p| p.0 == key);
            let keepers = self.closest(key, settings.replicas);
            for posting in at..next {
                let provider = self.holdings[self.postings[posting].1 as usize].provider;
                let others = keepers.iter().filter(|k| self.nodes[**k].addr != provider);
                self.kept.extend(others.map(|k| (*k as u32, posting as u32)));
            }
            at = next;
        }
        self.kept.sort_unstable();
    }

    /// All nodes that can be in tables, by identifier.
    pub fn nodes(&self) -> &[Contact] {
        &self.nodes
    }

    /// The node closest to `key`.
    pub fn owner(&self, key: Key) -> Option<Contact> {
        let found = self.closest(key.truncated(self.bits), 1);
        found.first().map(|at| self.nodes[*at])
    }

    /// Indices of the `n` nodes closest to `key`, the closest first.
    pub(super) fn closest(&self, key: Key, n: usize) -> Vec<usize> {
        let mut found = Vec::new();
        self.collect(0..self.nodes.len(), 0, key, n, &mut found);
        found.sort_by_key(|at| self.nodes[*at].distance(key));
        found.truncate(n);
        found
    }

    /// Where in `range`, whose nodes share the first `bit` bits, those begin
    /// that have a one next.
    fn middle(&self, range: &Range<usize>, bit: u32) -> usize {
        range.start + self.nodes[range.clone()].partition_point(|c| !c.id.bit(bit))
    }

    fn collect(&self, range: Range<usize>, bit: u32, key: Key, n: usize, found: &mut Vec<usize>) {
        if found.len() >= n || range.is_empty() {
            return;
        }
        if found.len() + range.len() <= n || bit >= Key::BITS {
            return found.extend(range);
        }
        let middle = self.middle(&range, bit);
        let (zeros, ones) = (range.start..middle, middle..range.end);
        let (near, far) = if key.bit(bit) { (ones, zeros) } else { (zeros, ones) };
        self.collect(near, bit + 1, key, n, found);
        self.collect(far, bit + 1, key, n, found);
    }

    /// The table of the node `me`: each bucket filled at random from its
    /// range, as traffic would have filled it.
    pub(super) fn table_of<D: Dialect>(
        &self,
        me: Contact,
        config: &Config<D>,
        rng: &mut Rng,
    ) -> Table {
        let mut table = Table::new(me.id);
        let mut range = 0..self.nodes.len();
        let mut bit = 0;
        // The last bucket splits when more than k others are in its range.
        while range.len() > config.k + 1 && bit + 1 < self.bits {
            let middle = self.middle(&range, bit);
            let (zeros, ones) = (range.start..middle, middle..range.end);
            let (own, other) = if me.id.bit(bit) { (ones, zeros) } else { (zeros, ones) };
            table.settle_bucket(self.sample(me, other, config, rng), 0);
            range = own;
            bit += 1;
        }
        table.settle_bucket(self.sample(me, range, config, rng), 0);
        table
    }

    /// Up to k nodes of `range` at random, without `me`.
    fn sample(
        &self,
        me: Contact,
        range: Range<usize>,
        settings: &Settings,
        rng: &mut Rng,
    ) -> Vec<Contact> {
        let k = settings.k;
        let draws = if settings.proximity { k * WEIGHED_PER_PLACE } else { k };
        let mut chosen: Vec<usize> = if range.len() <= draws + 1 {
            range.collect()
        } else {
            let mut chosen = Vec::with_capacity(draws);
            while chosen.len() < draws {
                let at = range.start + (rng.next_u64() % range.len() as u64) as usize;
                if !chosen.contains(&at) {
                    chosen.push(at);
                }
            }
            chosen
        };
        chosen.retain(|at| self.nodes[*at].id != me.id);
        if settings.proximity {
            chosen.sort_by_key(|at| self.distances.rtt(me.addr, self.nodes[*at].addr));
        } else if chosen.len() > k {
            chosen.swap_remove((rng.next_u64() % chosen.len() as u64) as usize);
        }
        let places = chosen.into_iter().take(k);
        let mut contacts: Vec<Contact> = Vec::with_capacity(places.len());
        contacts.extend(places.map(|at| self.nodes[at]));
        contacts
    }

    /// What `provider` shares.
    pub(super) fn shared_by(&self, provider: Addr) -> impl Iterator<Item = &Arc<Item>> {
        let holding = |i: &u32| &self.holdings[*i as usize];
        let from = self.by_provider.partition_point(|i| holding(i).provider < provider);
        self.by_provider[from..]
            .iter()
            .map(|i| &self.holdings[*i as usize])
            .take_while(move |h| h.provider == provider)
            .map(|h| &h.item)
    }

    /// The records that the node `me` keeps.
    pub(super) fn records_of<D: Dialect>(
        &self,
        me: Contact,
        config: &Config<D>,
        rng: &mut Rng,
    ) -> Vec<Keep> {
        let Ok(at) = self.nodes.binary_search(&me) else { return Vec::new() };
        let from = self.kept.partition_point(|(node, _)| (*node as usize) < at);
        let mine = self.kept[from..].iter().take_while(|(node, _)| *node as usize == at);
        let whole = |span: crate::Span| (span.as_us() / 1_000_000) as u32;
        let replicate_s = whole(config.replicate);
        mine.map(|(_, posting)| {
            let (key, holding) = self.postings[*posting as usize];
            let Holding { item, provider } = &self.holdings[holding as usize];
            let is_keyword = item.key().truncated(self.bits) != key;
            let lifetime = if is_keyword { config.keyword_expire } else { config.expire };
            Keep {
                id: RecordId {
                    key,
                    item: if self.names_items { tag(item.key()) } else { 0 },
                    provider: *provider,
                },
                item: self.names_items.then(|| item.clone()),
                lifetime_s: whole(lifetime),
                replicate_after_s: (replicate_s > 0).then(|| rng.next_u32() % replicate_s),
            }
        })
        .collect()
    }
}
