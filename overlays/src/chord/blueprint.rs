//! A converged ring, computed once for everyone.

use super::config::Config;
use super::contact::Contact;
use super::finger_table::FingerTable;
use super::{Chord, Context, Phase};
use crate::parts::postings::{Posting, WHOLE};
use crate::{Addr, Census, Hit, Holding, Key};

/// The sorted ring of all virtual nodes, and what the peers share.
#[derive(Debug)]
pub struct Blueprint {
    /// All places on the ring, by identifier.
    ring: Vec<Contact>,
    /// What the peers share, by the item's key.
    holdings: Vec<Holding>,
    /// The same by provider: indices into `holdings`.
    by_provider: Vec<u32>,
    /// The records under words, where there are any: by the word's key, the
    /// index into `holdings`, and the word's number.
    postings: Vec<(Key, u32, u8)>,
    id_bits: u32,
}

impl Blueprint {
    /// The ring that everyone in the census would converge to. Where two
    /// identifiers coincide, the node that comes first in the census has the
    /// place, as if it had joined first; a peer whose first identifier is
    /// taken stays outside.
    pub fn new(config: &Config, census: Census) -> Self {
        let bits = config.id_bits;
        let mut ring: Vec<Contact> = census
            .peers
            .iter()
            .map(|m| Contact { key: m.id.truncated(bits), addr: m.addr, vnode: 0 })
            .collect();
        drop(census.peers);
        ring.sort_by_key(|c| c.key);
        ring.dedup_by_key(|c| c.key);
        if config.virtual_nodes > 1 {
            for i in 0..ring.len() {
                let Contact { key, addr, .. } = ring[i];
                ring.extend((1..config.virtual_nodes).map(|vnode| Contact {
                    key: Contact::id_of(key, vnode, bits),
                    addr,
                    vnode,
                }));
            }
            ring.sort_by_key(|c| (c.key, c.vnode));
            ring.dedup_by_key(|c| c.key);
        }
        let holdings = census.holdings;
        let mut by_provider: Vec<u32> = (0..holdings.len() as u32).collect();
        by_provider.sort_by_key(|i| holdings[*i as usize].provider);
        let postings = if config.keywords { postings_of(&holdings) } else { Vec::new() };
        Self { ring, holdings, by_provider, postings, id_bits: bits }
    }

    /// All places on the ring, clockwise from zero.
    pub fn ring(&self) -> &[Contact] {
        &self.ring
    }

    /// The node that owns `key`; `None` on an empty ring.
    pub fn owner(&self, key: Key) -> Option<&Contact> {
        self.ring.get(self.successor_of(key.truncated(self.id_bits), 0)?)
    }

    /// Where `key` would be if identifiers were spaced evenly.
    fn even_place(&self, key: Key) -> isize {
        ((u128::from(key.prefix64()) * self.ring.len() as u128) >> 64) as isize
    }

    /// The place of the first node at or after `key`, searched from a guess:
    /// identifiers are spread evenly, so it is near where it would be if they
    /// were spaced evenly, and the search gallops from there.
    fn successor_of(&self, key: Key, correction: isize) -> Option<usize> {
        let n = self.ring.len();
        if n == 0 {
            return None;
        }
        let guess = self.even_place(key) + correction;
        let guess = guess.clamp(0, n as isize - 1) as usize;
        let before = |i: usize| self.ring[i].key < key;
        // All before `low` come before the key, nothing from `high` on does.
        let mut low;
        let mut high = guess;
        let mut stride = 4;
        if before(guess) {
            loop {
                low = high + 1;
                high = (low + stride).min(n);
                if low >= n || high == n || !before(high) {
                    break;
                }
                stride *= 2;
            }
            low = low.min(high);
        } else {
            loop {
                low = high.saturating_sub(stride);
                if low == 0 || before(low) {
                    break;
                }
                high = low;
                stride *= 2;
            }
        }
        let at = low + self.ring[low..high].partition_point(|c| c.key < key);
        Some(if at == n { 0 } else { at })
    }

    /// Which place a virtual node has.
    fn place_of(&self, me: &Contact) -> Option<usize> {
        let at = self.successor_of(me.key, 0)?;
        (self.ring[at] == *me).then_some(at)
    }

    /// The fingers of the node at `place`.
    fn fingers_of(&self, place: usize) -> FingerTable {
        let bits = self.id_bits;
        let n = self.ring.len();
        let me = self.ring[place].key;
        let successor = &self.ring[(place + 1) % n];
        if successor.key == me {
            return FingerTable::default();
        }
        // How far this node stands from where even spacing would put it; its
        // near fingers are off by about as much.
        let correction = place as isize - self.even_place(me);
        let mut runs = vec![(0, *successor)];
        let beyond = FingerTable::interval(me, successor.key, bits) + 1;
        for index in beyond..bits {
            let start = FingerTable::start(me, index, bits);
            let Some(at) = self.successor_of(start, correction) else { break };
            if at == place {
                return FingerTable::from_runs(&runs, index);
            }
            if runs.last().is_none_or(|(_, last)| *last != self.ring[at]) {
                runs.push((index, self.ring[at]));
            }
        }
        FingerTable::from_runs(&runs, bits)
    }

    /// The items in `(after, upto]` of the ring.
    fn held_between(&self, after: Key, upto: Key) -> impl Iterator<Item = &Holding> {
        let bits = self.id_bits;
        let upto_place =
            |key: Key| self.holdings.partition_point(|h| h.item.key().truncated(bits) <= key);
        let (from, to) = (upto_place(after), upto_place(upto));
        let all = &self.holdings;
        let (first, second) =
            if after < upto { (&all[from..to], &all[..0]) } else { (&all[from..], &all[..to]) };
        first.iter().chain(second)
    }

    /// The records under words in `(after, upto]` of the ring.
    fn posted_between(&self, after: Key, upto: Key) -> impl Iterator<Item = (Key, Posting)> {
        let bits = self.id_bits;
        let upto_place =
            |key: Key| self.postings.partition_point(|(list, ..)| list.truncated(bits) <= key);
        let (from, to) = (upto_place(after), upto_place(upto));
        let all = &self.postings;
        let (first, second) =
            if after < upto { (&all[from..to], &all[..0]) } else { (&all[from..], &all[..to]) };
        first.iter().chain(second).map(|(list, at, word)| {
            let Holding { item, provider } = &self.holdings[*at as usize];
            let hit = Hit { item: item.clone(), provider: *provider };
            (*list, Posting { hit, word: *word })
        })
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

    /// How many places back from `place` begins the range that a node there
    /// keeps copies of, its own range included.
    fn copies_reach_back(&self, place: usize, config: &Config) -> usize {
        let n = self.ring.len();
        let me = self.ring[place].addr;
        let mut between: Vec<Addr> = Vec::new();
        let mut back = 1;
        while back < n && back <= config.successors {
            let owner = &self.ring[(place + n - back) % n];
            // Another place of this peer is nearer to what lies before it.
            if owner.addr == me {
                break;
            }
            if between.iter().filter(|a| **a != owner.addr).count() + 2 > config.replicas {
                break;
            }
            if !between.contains(&owner.addr) {
                between.push(owner.addr);
            }
            back += 1;
        }
        back
    }
}

/// All records of the holdings under words, by the word's key.
fn postings_of(holdings: &[Holding]) -> Vec<(Key, u32, u8)> {
    let mut postings = Vec::new();
    for (at, Holding { item, provider }) in (0..).zip(holdings) {
        let hit = Hit { item: item.clone(), provider: *provider };
        let words = Posting::all(&hit, true).filter(|posting| posting.word != WHOLE);
        postings.extend(words.map(|posting| (posting.key(), at, posting.word)));
    }
    postings.sort_unstable();
    postings
}

impl Chord {
    /// Takes this node's places on the converged ring.
    pub(super) fn take_place(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint) {
        let config = self.config.clone();
        let n = blueprint.ring.len();
        let id = self.primary.me.key;
        self.aside = None;
        for vnode in 0..config.virtual_nodes {
            let key = Contact::id_of(id, vnode, config.id_bits);
            let me = Contact { key, addr: cx.me(), vnode };
            let Some(place) = blueprint.place_of(&me) else { break };
            self.phase = Phase::Member;
            let mut node = super::VirtualNode::alone(me);
            node.fingers = blueprint.fingers_of(place);
            let at = |offset: usize| blueprint.ring[(place + offset) % n];
            if n > 1 {
                node.predecessor = Some(at(n - 1));
                node.successor = at(1);
                node.further = (2..n.min(config.successors + 1)).map(at).collect();
            }
            if vnode == 0 {
                self.primary = node;
            } else {
                self.aside.get_or_insert_default().others.push(node);
            }
            if !blueprint.holdings.is_empty() {
                self.settle_records(blueprint, place);
            }
            self.start_upkeep(cx, vnode);
        }
        if self.phase != Phase::Member {
            return;
        }
        if !blueprint.holdings.is_empty() {
            self.settle_holders();
            for holding in blueprint.shared_by(cx.me()) {
                let shared = &mut self.holdings.get_or_insert_default().shared;
                shared.insert(holding.item.key(), holding.item.clone());
            }
        }
        self.start_republishing(cx);
    }

    /// The records that the node at `place` keeps.
    fn settle_records(&mut self, blueprint: &Blueprint, place: usize) {
        let n = blueprint.ring.len();
        let back = blueprint.copies_reach_back(place, &self.config);
        for step in 0..back {
            let upto = blueprint.ring[(place + n - step) % n].key;
            let after = blueprint.ring[(place + 2 * n - step - 1) % n].key;
            for holding in blueprint.held_between(after, upto) {
                let hit = Hit { item: holding.item.clone(), provider: holding.provider };
                self.settle_record(hit.item.key(), Posting::from(hit), step == 0);
            }
            for (list, posting) in blueprint.posted_between(after, upto) {
                self.settle_record(list, posting, step == 0);
            }
        }
    }
}
