//! The whole index, as one peer has it.

use std::sync::Arc;

use rand::RngExt as _;

use super::base::Base;
use super::block::{Block, Shared};
use super::changed::Changed;
use super::message::{BUCKETS, Place};
use super::origin::{Meaning, Origin, Version};
use crate::seam::{Addr, Hit, Query, Rng, Time, prefetch};

/// How many bytes of blocks a page holds before it is sent: with one more
/// block it still fits a message.
const PAGE_BYTES: usize = 40_000;

/// A replica of the index: what a converged network started with, which all
/// replicas of a simulation share and none changes, and over it everything
/// that changed since. A peer that changed at all is in the second part whole;
/// what is known of it is shared too, among those who know the same.
///
/// A real peer would keep an inverted index of all of it. A simulation keeps
/// as many replicas as it has peers, so that the second part is a plain list
/// that searches run through; it costs no messages either way.
#[derive(Debug, Default)]
pub struct Replica {
    base: Arc<Base>,
    changed: Changed,
    /// The digest, and that of each bucket; of the latter only the difference
    /// to the base's, and nothing while there is none.
    digest: u64,
    bucket_changes: Vec<u32>,
    records: usize,
    searches: u64,
}

impl Replica {
    /// The replica of a network that starts converged.
    pub fn of(base: &Arc<Base>) -> Self {
        Self {
            base: Arc::clone(base),
            digest: base.digest(),
            records: base.records(),
            ..Self::default()
        }
    }

    /// What is known of a peer.
    #[inline]
    pub fn get(&self, addr: Addr) -> Option<&Arc<Origin>> {
        self.changed.get(addr).or_else(|| self.base.get(addr))
    }

    /// Starts fetching what news of a peer will touch.
    #[inline]
    pub fn warm_for(&self, addr: Addr) {
        self.changed.prefetch(addr);
        if let Some(change) = self.bucket_changes.get(bucket_of(addr)) {
            prefetch(change);
        }
    }

    /// How far a peer is known.
    pub fn version(&self, addr: Addr) -> Option<Version> {
        self.get(addr).map(|origin| origin.version())
    }

    /// Whether a peer is in the network, as far as is known.
    pub fn is_member(&self, addr: Addr) -> bool {
        self.version(addr).is_some_and(|version| !version.gone)
    }

    /// (item, provider) records.
    pub const fn records(&self) -> usize {
        self.records
    }

    /// Roughly how many members there are, without counting.
    pub fn size(&self) -> usize {
        self.base.size() + self.changed.members()
    }

    /// The digest over all members' versions.
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// The digests of the buckets.
    pub fn buckets(&self) -> Box<[u32; BUCKETS]> {
        let mut digests = Box::new([0; BUCKETS]);
        for (at, digest) in digests.iter_mut().enumerate() {
            let change = self.bucket_changes.get(at).copied().unwrap_or(0);
            *digest = self.base.bucket(at) ^ change;
        }
        digests
    }

    /// Memory taken, roughly, as if nothing were shared.
    pub fn bytes(&self) -> usize {
        self.base.bytes() + self.changed.bytes()
    }

    /// Takes up a block, if it is news and there is room.
    pub fn apply(&mut self, block: &Block, now: Time, room: Room) -> Meaning {
        let addr = block.origin;
        let known = self.get(addr);
        let version = known.map(|origin| origin.version());
        let meaning = Origin::meaning(version, block);
        if meaning != Meaning::News {
            return meaning;
        }
        let log_len = known.map_or(0, |origin| origin.log_len()) + block.entries.len();
        if log_len > room.log || (version.is_none() && self.known() >= room.peers) {
            return Meaning::Old;
        }
        let items = known.map_or(0, |origin| origin.item_count());
        let state = match known {
            Some(origin) => origin.after(block),
            None => Origin::default().after(block),
        };
        let items_now = match state {
            Some(state) => {
                let items_now = state.item_count();
                self.changed.put(addr, state, now);
                items_now
            }
            None => {
                let base = &self.base;
                let before = || base.get(addr).cloned().unwrap_or_default();
                self.changed.change(addr, before, |origin| origin.apply(block), now);
                self.get(addr).map_or(0, |origin| origin.item_count())
            }
        };
        self.records = self.records + items_now - items;
        let before = version.map_or(0, |version| digest_of(addr, version));
        self.note_digest(addr, before ^ digest_of(addr, block.version()));
        Meaning::News
    }

    /// The state of a peer, to be told with a block that leads to it.
    pub fn shared(&self, addr: Addr) -> Shared {
        Shared(self.get(addr).cloned())
    }

    /// How many peers are known, at least.
    fn known(&self) -> usize {
        self.size() + self.changed.gone()
    }

    fn note_digest(&mut self, addr: Addr, change: u64) {
        self.digest ^= change;
        if self.bucket_changes.is_empty() {
            self.bucket_changes = vec![0; BUCKETS];
        }
        self.bucket_changes[bucket_of(addr)] ^= change as u32;
    }

    /// Forgets who went before `time`, unless the base still knows them.
    pub fn forget_gone(&mut self, time: Time) {
        let base = &self.base;
        self.changed.forget_gone(time, |addr| base.get(addr).is_some());
    }

    /// A member drawn at random; now and then none is found among those of the
    /// base that have changed and those that have gone.
    pub fn any_member(&self, rng: &mut Rng) -> Option<Addr> {
        let (base, changed) = (self.base.members(), self.changed.order());
        let total = base.len() + changed.len();
        if total == 0 {
            return None;
        }
        for _ in 0..16 {
            let at = rng.random_range(0..total);
            match base.get(at) {
                Some(addr) if self.changed.contains(*addr) => {}
                Some(addr) => return Some(*addr),
                None => {
                    let addr = changed[at - base.len()];
                    if self.is_member(addr) {
                        return Some(addr);
                    }
                }
            }
        }
        changed.iter().copied().find(|addr| self.is_member(*addr))
    }

    /// One of those who went, drawn at random.
    pub fn any_gone(&self, rng: &mut Rng) -> Option<Addr> {
        match self.changed.gone() {
            0 => None,
            n => self.changed.gone_at(rng.random_range(0..n)),
        }
    }

    /// Everyone known from `start` on, those who went included, by address.
    pub fn origins_from(&self, start: Addr) -> impl Iterator<Item = (Addr, &Arc<Origin>)> {
        let base = self.base.origins_from(start).filter(|(addr, _)| !self.changed.contains(*addr));
        let mut base = base.peekable();
        let mut later = self.changed.from(start).peekable();
        std::iter::from_fn(move || match (base.peek(), later.peek()) {
            (Some(b), Some(l)) if b.0 < l.0 => base.next(),
            (Some(_), None) => base.next(),
            _ => later.next(),
        })
    }

    /// The versions of everyone in these buckets.
    pub fn versions_in(&self, buckets: &[u8]) -> impl Iterator<Item = (Addr, Version)> {
        let mut wanted = [false; BUCKETS];
        buckets.iter().for_each(|bucket| wanted[usize::from(*bucket)] = true);
        let base = (0..BUCKETS).filter(move |bucket| wanted[*bucket]);
        let base = base.flat_map(|bucket| self.base.in_bucket(bucket).iter().copied());
        let base = base.filter(|addr| !self.changed.contains(*addr));
        let changed = self.changed.order().iter().copied();
        let changed = changed.filter(move |addr| wanted[bucket_of(*addr)]);
        base.chain(changed).filter_map(|addr| Some((addr, self.version(addr)?)))
    }

    /// The next part of the index behind `after`, and where it ends unless
    /// that is all.
    pub fn page(&self, after: Option<Place>) -> (Vec<Block>, Option<Place>) {
        let (start, seq) = after.unwrap_or((Addr::from_index(0), 0));
        let mut blocks = Vec::new();
        let mut bytes = 0;
        for (addr, origin) in self.origins_from(start) {
            let known = (addr == start && after.is_some()).then(|| origin.version());
            let known = known.map(|version| Version { seq, gone: false, ..version });
            if known.is_some_and(|known| known.seq >= origin.version().seq) {
                continue;
            }
            for block in origin.blocks_for(addr, known) {
                bytes += block.encoded_len();
                let place = (addr, block.upto);
                blocks.push(block);
                if bytes >= PAGE_BYTES {
                    return (blocks, Some(place));
                }
            }
        }
        (blocks, None)
    }

    /// Up to `limit` records that answer `query`. When there are more, each
    /// search starts at another place.
    pub fn search(&mut self, query: &Query, rng: &mut Rng) -> Vec<Hit> {
        let limit = usize::from(query.limit);
        self.searches += 1;
        let unchanged = |addr: Addr| !self.changed.contains(addr);
        let mut hits = self.base.search(self.searches, query, limit, unchanged);
        let turn = Addr::from_index(rng.random());
        let behind = self.changed.from(turn);
        let before = self.changed.from(Addr::from_index(0)).take_while(|(addr, _)| *addr < turn);
        for (addr, origin) in behind.chain(before) {
            if hits.len() >= limit {
                break;
            }
            let matching = origin.items().filter(|item| query.matches(item));
            let room = limit - hits.len();
            hits.extend(
                matching.take(room).map(|item| Hit { item: Arc::clone(item), provider: addr }),
            );
        }
        hits
    }
}

/// How much a replica may take up.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Peers.
    pub peers: usize,
    /// Changes of one peer.
    pub log: usize,
}

/// The bucket of a peer.
pub fn bucket_of(addr: Addr) -> usize {
    (mixed(bits_of(addr)) >> 56) as usize
}

/// An address as a number.
pub const fn bits_of(addr: Addr) -> u64 {
    (addr.index() as u64) << 16 | addr.port() as u64
}

/// What a peer adds to the digest; nothing when it has gone, since those who
/// went are forgotten sooner here and later there.
pub fn digest_of(addr: Addr, version: Version) -> u64 {
    if version.gone {
        return 0;
    }
    let addr = mixed(bits_of(addr));
    mixed(mixed(addr ^ version.epoch) ^ u64::from(version.seq))
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
pub const fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
