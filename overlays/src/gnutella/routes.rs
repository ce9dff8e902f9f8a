//! The bounded memory of descriptors seen, which is also the way back.

use super::guid::Guid;
use crate::seam::{Addr, Span, Time};

/// Slots of the smallest generation that holds anything.
const MIN_SLOTS: usize = 16;

/// Remembers for each GUID where it first came from: duplicates are told by
/// it, and replies find their way back through it.
///
/// It holds two generations. New entries go to the young one; when that is
/// half the capacity, or older than the lifetime, the old generation is
/// forgotten and the young one takes its place. So an entry lives for one to
/// two lifetimes, the table never holds more than its capacity, and no entry
/// is ever evicted one by one. Each generation is an open-addressing table
/// that starts empty and doubles, with a hash no stranger can predict.
#[derive(Debug)]
pub struct Routes {
    young: Generation,
    old: Generation,
    half: usize,
    lifetime: Span,
    turned: Time,
    secret: u64,
}

impl Routes {
    /// A table of at most `capacity` entries that keeps each for at least
    /// `lifetime` unless it fills up first.
    pub fn new(capacity: usize, lifetime: Span) -> Self {
        Self {
            young: Generation::default(),
            old: Generation::default(),
            half: (capacity / 2).max(1),
            lifetime,
            turned: Time::ZERO,
            secret: 0,
        }
    }

    /// Sets the secret of the hash and forgets everything.
    pub fn reset(&mut self, secret: u64) {
        self.young = Generation::default();
        self.old = Generation::default();
        self.secret = secret;
    }

    /// Remembers that `guid` came from `via`. False when it is known already,
    /// or when it is the zero GUID, which identifies nothing.
    pub fn remember(&mut self, guid: Guid, via: Addr, now: Time) -> bool {
        if guid == Guid::ZERO {
            return false;
        }
        self.age(now);
        let hash = guid.mixed(self.secret);
        if self.young.find(guid, hash).is_some() || self.old.find(guid, hash).is_some() {
            return false;
        }
        if self.young.len >= self.half {
            self.turn(now);
        }
        self.young.insert(Slot { guid, via, used: 0 }, self.secret);
        true
    }

    /// Remembers that `guid` is now reached through `via`, whatever was known.
    pub fn update(&mut self, guid: Guid, via: Addr, now: Time) {
        let hash = guid.mixed(self.secret);
        if let Some(at) = self.young.find(guid, hash) {
            self.young.slots[at].via = via;
        } else if let Some(at) = self.old.find(guid, hash) {
            self.old.slots[at].via = via;
        } else {
            self.remember(guid, via, now);
        }
    }

    /// Where `guid` first came from.
    pub fn via(&self, guid: Guid) -> Option<Addr> {
        let hash = guid.mixed(self.secret);
        match self.young.find(guid, hash) {
            Some(at) => Some(self.young.slots[at].via),
            None => self.old.find(guid, hash).map(|at| self.old.slots[at].via),
        }
    }

    /// The links over which walkers with this GUID left, one bit per link.
    pub fn used_mut(&mut self, guid: Guid) -> Option<&mut u16> {
        let hash = guid.mixed(self.secret);
        if let Some(at) = self.young.find(guid, hash) {
            return Some(&mut self.young.slots[at].used);
        }
        let at = self.old.find(guid, hash)?;
        Some(&mut self.old.slots[at].used)
    }

    /// Entries held.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.young.len + self.old.len
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        (self.young.slots.len() + self.old.slots.len()) * size_of::<Slot>()
    }

    fn age(&mut self, now: Time) {
        let age = now.since(self.turned);
        if age < self.lifetime {
            return;
        }
        let idle_long = age >= self.lifetime * 2;
        self.turn(now);
        if idle_long {
            self.old.clear();
        }
    }

    fn turn(&mut self, now: Time) {
        core::mem::swap(&mut self.young, &mut self.old);
        self.young.clear();
        self.turned = now;
    }
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    guid: Guid,
    via: Addr,
    used: u16,
}

const EMPTY: Slot = Slot { guid: Guid::ZERO, via: Addr::from_index(0), used: 0 };

/// An open-addressing table with linear probing, at most 3/4 full.
#[derive(Debug, Default)]
struct Generation {
    slots: Vec<Slot>,
    len: usize,
}

impl Generation {
    #[inline]
    fn find(&self, guid: Guid, hash: u64) -> Option<usize> {
        if self.len == 0 {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        // Ends because a quarter of the slots are empty.
        loop {
            let slot = &self.slots[at];
            if slot.guid == guid {
                return (guid != Guid::ZERO).then_some(at);
            }
            if slot.guid == Guid::ZERO {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    fn insert(&mut self, slot: Slot, secret: u64) {
        if (self.len + 1) * 4 > self.slots.len() * 3 {
            let doubled = (self.slots.len() * 2).max(MIN_SLOTS);
            let slots = core::mem::replace(&mut self.slots, vec![EMPTY; doubled]);
            for slot in slots.into_iter().filter(|s| s.guid != Guid::ZERO) {
                self.place(slot, secret);
            }
        }
        self.place(slot, secret);
        self.len += 1;
    }

    fn place(&mut self, slot: Slot, secret: u64) {
        let mask = self.slots.len() - 1;
        let mut at = slot.guid.mixed(secret) as usize & mask;
        while self.slots[at].guid != Guid::ZERO {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    fn clear(&mut self) {
        // A table grown in a busy hour is given back; a small one is reused.
        if self.len * 8 < self.slots.len() {
            self.slots = Vec::new();
        } else {
            self.slots.fill(EMPTY);
        }
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn guid(n: u64) -> Guid {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(n + 1).to_be_bytes());
        bytes[8] = 0xff;
        Guid::from_bytes(bytes)
    }

    fn addr(n: u64) -> Addr {
        Addr::from_index(n as u32)
    }

    #[test]
    fn an_entry_is_24_bytes() {
        assert_eq!(size_of::<Slot>(), 24);
    }

    #[test]
    fn a_flood_of_guids_stays_within_the_capacity() {
        let mut routes = Routes::new(1_000, Span::from_s(60));
        routes.reset(7);
        for n in 0..100_000 {
            assert!(routes.remember(guid(n), addr(n), Time::ZERO));
            assert!(routes.len() <= 1_000);
        }
        // The latest half is certainly there, the first long forgotten.
        for n in 99_500..100_000 {
            assert_eq!(routes.via(guid(n)), Some(addr(n)));
        }
        assert_eq!(routes.via(guid(0)), None);
        assert!(routes.bytes() <= 2 * 1_024 * size_of::<Slot>());
    }

    #[test]
    fn entries_live_one_to_two_lifetimes() {
        let mut routes = Routes::new(1_000, Span::from_s(60));
        let at = |s| Time::ZERO + Span::from_s(s);
        assert!(routes.remember(guid(1), addr(1), at(10)));
        assert!(!routes.remember(guid(1), addr(2), at(59)));
        assert!(!routes.remember(guid(1), addr(2), at(70)));
        assert_eq!(routes.via(guid(1)), Some(addr(1)));
        assert!(routes.remember(guid(1), addr(2), at(131)));
        assert!(routes.remember(guid(1), addr(3), at(1_000)));
    }

    #[test]
    fn the_zero_guid_is_never_new() {
        let mut routes = Routes::new(10, Span::from_s(1));
        assert!(!routes.remember(Guid::ZERO, addr(1), Time::ZERO));
        assert!(routes.remember(guid(1), addr(1), Time::ZERO));
        assert_eq!(routes.via(Guid::ZERO), None);
        assert!(routes.used_mut(Guid::ZERO).is_none());
    }

    proptest! {
        #[test]
        fn agrees_with_a_map_while_nothing_is_forgotten(
            steps in prop::collection::vec((0_u64..200, 0_u64..50, any::<bool>()), 0..300),
            secret in any::<u64>(),
        ) {
            let mut routes = Routes::new(1_000, Span::from_s(60));
            routes.reset(secret);
            let mut model = std::collections::BTreeMap::new();
            for (id, via, replace) in steps {
                if replace {
                    routes.update(guid(id), addr(via), Time::ZERO);
                    model.insert(id, via);
                } else {
                    let fresh = !model.contains_key(&id);
                    model.entry(id).or_insert(via);
                    prop_assert_eq!(routes.remember(guid(id), addr(via), Time::ZERO), fresh);
                }
            }
            prop_assert_eq!(routes.len(), model.len());
            for id in 0..200 {
                prop_assert_eq!(routes.via(guid(id)), model.get(&id).map(|v| addr(*v)));
            }
        }
    }
}
