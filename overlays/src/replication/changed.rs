//! The peers that a replica knows otherwise than its base does.

use std::collections::BTreeMap;
#[expect(clippy::disallowed_types, reason = "asked by key alone, never gone through")]
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::origin::Origin;
use super::replica::{bits_of, mixed};
use crate::seam::{Addr, Time};

/// Peers by address: those in the network, and those who went.
///
/// Every update asks each replica for one peer, several times over, and all
/// replicas together are far larger than a processor's cache. So a peer is
/// found by hash, in one or two reads of memory; who goes through all of them
/// takes the two ordered lists instead, and no order depends on the hash.
#[derive(Debug, Default)]
pub struct Changed {
    #[expect(clippy::disallowed_types, reason = "asked by key alone, never gone through")]
    origins: HashMap<u64, Arc<Origin>, BuildHasherDefault<AddrHasher>>,
    /// All of them, sorted.
    order: Vec<Addr>,
    /// How many have not gone.
    members: usize,
    /// When the others went, as long as that is remembered.
    gone: BTreeMap<Addr, Time>,
}

/// Hashes the bits of an address.
#[derive(Clone, Copy, Debug, Default)]
pub struct AddrHasher(u64);

impl Hasher for AddrHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, bits: u64) {
        self.0 = mixed(self.0 ^ bits);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

impl Changed {
    /// What is known of a peer.
    #[inline]
    pub fn get(&self, addr: Addr) -> Option<&Arc<Origin>> {
        // Most replicas of a converged network hold nothing here for long.
        if self.origins.is_empty() { None } else { self.origins.get(&bits_of(addr)) }
    }

    /// Whether anything is known of a peer.
    pub fn contains(&self, addr: Addr) -> bool {
        self.get(addr).is_some()
    }

    /// How many have not gone.
    pub const fn members(&self) -> usize {
        self.members
    }

    /// How many went and are remembered.
    pub fn gone(&self) -> usize {
        self.gone.len()
    }

    /// All, by address.
    pub fn order(&self) -> &[Addr] {
        &self.order
    }

    /// One of those who went and are remembered, by number.
    pub fn gone_at(&self, at: usize) -> Option<Addr> {
        self.gone.keys().nth(at).copied()
    }

    /// All from `start` on, by address.
    pub fn from(&self, start: Addr) -> impl Iterator<Item = (Addr, &Arc<Origin>)> {
        let from = self.order.partition_point(|addr| *addr < start);
        self.order[from..].iter().filter_map(|&addr| Some((addr, self.get(addr)?)))
    }

    /// Takes up what is known of a peer at `now`.
    pub fn put(&mut self, addr: Addr, origin: Arc<Origin>, now: Time) {
        let gone = origin.version().gone;
        let before = self.origins.insert(bits_of(addr), origin);
        self.note(addr, before.map(|origin| origin.version().gone), gone, now);
    }

    /// Changes what is known of a peer, which is `before` where nothing is.
    pub fn change(
        &mut self,
        addr: Addr,
        before: impl FnOnce() -> Arc<Origin>,
        change: impl FnOnce(&mut Origin),
        now: Time,
    ) {
        let bits = bits_of(addr);
        let was_gone = self.origins.get(&bits).map(|origin| origin.version().gone);
        let origin = self.origins.entry(bits).or_insert_with(before);
        change(Arc::make_mut(origin));
        let gone = origin.version().gone;
        self.note(addr, was_gone, gone, now);
    }

    /// Keeps the lists in step with a peer that had gone or not, or was not
    /// there.
    fn note(&mut self, addr: Addr, was_gone: Option<bool>, gone: bool, now: Time) {
        if was_gone.is_none()
            && let Err(at) = self.order.binary_search(&addr)
        {
            self.order.insert(at, addr);
        }
        self.members += usize::from(!gone && was_gone != Some(false));
        self.members -= usize::from(gone && was_gone == Some(false));
        if gone {
            self.gone.insert(addr, now);
        } else if was_gone == Some(true) {
            self.gone.remove(&addr);
        }
    }

    /// No longer remembers who went at `time` or before, and forgets them
    /// altogether but for those to `keep`.
    pub fn forget_gone(&mut self, time: Time, keep: impl Fn(Addr) -> bool) {
        let Self { origins, order, gone, .. } = self;
        gone.retain(|&addr, went| {
            let stays = *went > time;
            if !stays && !keep(addr) {
                origins.remove(&bits_of(addr));
                if let Ok(at) = order.binary_search(&addr) {
                    order.remove(at);
                }
            }
            stays
        });
    }

    /// Memory taken, roughly, as if no peer's state were shared.
    pub fn bytes(&self) -> usize {
        // A hash table is about two thirds full.
        const PLACE_BYTES: usize = (size_of::<u64>() + size_of::<Arc<Origin>>()) * 3 / 2;
        let states: usize = self.origins.len() * PLACE_BYTES;
        let origins: usize = self.from(Addr::from_index(0)).map(|(_, o)| o.bytes()).sum();
        states
            + origins
            + self.order.len() * size_of::<Addr>()
            + self.gone.len() * (size_of::<Addr>() + size_of::<Time>())
    }
}
