//! The bounded memory of descriptors seen, which is also the way back.

use super::guid::Guid;
use crate::seam::{Addr, Span, Time};

/// Slots of the smallest generation that holds anything.
const MIN_SLOTS: usize = 16;

/// Remembers for each GUID where it first came from: duplicates are told by
/// it, and replies find their way back through it.
///
/// Entries are of two generations. New ones are young; when the young ones are
/// half the capacity, or the lifetime is over, the old generation is forgotten
/// and the young one becomes the old. So an entry lives for one to two
/// lifetimes, the table never holds more than its capacity, and forgetting
/// costs nothing per entry.
///
/// It is an open-addressing table that starts empty and doubles. A slot holds
/// not the GUID but a hash of it under a secret, of 63 bits, so that four slots
/// share a cache line: on a flood nearly all the time goes into fetching them.
/// Two of 8,192 GUIDs are mistaken for each other once in 10^11 tables, and
/// without the secret nobody can bring it about.
#[derive(Debug)]
pub struct Routes {
    slots: Vec<Slot>,
    young: usize,
    old: usize,
    /// The lowest bit of young entries' tags.
    young_bit: u64,
    half: usize,
    lifetime: Span,
    turned: Time,
    secret: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The hash with the generation in its lowest bit; zero when empty.
    tag: u64,
    via: Addr,
    used: u16,
}

const EMPTY: Slot = Slot { tag: 0, via: Addr::from_index(0), used: 0 };

impl Slot {
    #[inline]
    fn is(&self, tag: u64) -> bool {
        self.tag | 1 == tag | 1
    }
}

impl Routes {
    /// A table of at most `capacity` entries that keeps each for at least
    /// `lifetime` unless it fills up first.
    pub fn new(capacity: usize, lifetime: Span) -> Self {
        Self {
            slots: Vec::new(),
            young: 0,
            old: 0,
            young_bit: 0,
            half: (capacity / 2).max(1),
            lifetime,
            turned: Time::ZERO,
            secret: 0,
        }
    }

    /// Sets the secret of the hash and forgets everything.
    pub fn reset(&mut self, secret: u64) {
        self.slots = Vec::new();
        (self.young, self.old) = (0, 0);
        self.secret = secret;
    }

    /// Remembers that `guid` came from `via`. False when it is known already,
    /// or when it is the zero GUID, which identifies nothing.
    pub fn remember(&mut self, guid: Guid, via: Addr, now: Time) -> bool {
        if guid == Guid::ZERO {
            return false;
        }
        self.age(now);
        if self.find(guid).is_some() {
            return false;
        }
        if self.young >= self.half {
            self.turn(now);
        }
        if (self.young + self.old + 1) * 4 > self.slots.len() * 3 {
            let doubled = (self.slots.len() * 2).max(MIN_SLOTS);
            self.rebuild(doubled, |_| true);
        }
        let tag = self.tag(guid) | self.young_bit;
        self.place(Slot { tag, via, used: 0 });
        self.young += 1;
        true
    }

    /// Remembers that `guid` is now reached through `via`, whatever was known.
    pub fn update(&mut self, guid: Guid, via: Addr, now: Time) {
        match self.find(guid) {
            Some(at) => self.slots[at].via = via,
            None => {
                self.remember(guid, via, now);
            }
        }
    }

    /// Where `guid` first came from.
    pub fn via(&self, guid: Guid) -> Option<Addr> {
        self.find(guid).map(|at| self.slots[at].via)
    }

    /// The links over which walkers with this GUID left, one bit per link.
    pub fn used_mut(&mut self, guid: Guid) -> Option<&mut u16> {
        let at = self.find(guid)?;
        Some(&mut self.slots[at].used)
    }

    /// Entries held.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.young + self.old
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.slots.len() * size_of::<Slot>()
    }

    /// The hash of `guid` with room for the generation; never zero.
    #[inline]
    fn tag(&self, guid: Guid) -> u64 {
        (guid.mixed(self.secret) & !1).max(2)
    }

    #[inline]
    fn find(&self, guid: Guid) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let tag = self.tag(guid);
        let mask = self.slots.len() - 1;
        let mut at = (tag >> 1) as usize & mask;
        // Ends because a quarter of the slots are empty.
        loop {
            let slot = &self.slots[at];
            if slot.is(tag) {
                return Some(at);
            }
            if slot.tag == 0 {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    fn place(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = (slot.tag >> 1) as usize & mask;
        while self.slots[at].tag != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    /// Moves the entries that are worth keeping to a table of `size` slots.
    fn rebuild(&mut self, size: usize, keep: impl Fn(&Slot) -> bool) {
        let slots = core::mem::replace(&mut self.slots, vec![EMPTY; size]);
        for slot in slots.into_iter().filter(|s| s.tag != 0 && keep(s)) {
            self.place(slot);
        }
    }

    fn age(&mut self, now: Time) {
        let age = now.since(self.turned);
        if age < self.lifetime {
            return;
        }
        self.turn(now);
        if age >= self.lifetime * 2 {
            // Nothing was heard for so long that the young are stale as well.
            self.turn(now);
        }
    }

    /// Forgets the old generation and makes the young one old.
    fn turn(&mut self, now: Time) {
        self.turned = now;
        let young_bit = self.young_bit;
        self.young_bit ^= 1;
        self.old = core::mem::take(&mut self.young);
        // Room for as many again, so that steady traffic needs no doubling.
        let size = match self.old {
            0 => 0,
            kept => (kept * 3).next_power_of_two().max(MIN_SLOTS),
        };
        self.rebuild(size, |slot| slot.tag & 1 == young_bit);
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
    fn four_entries_share_a_cache_line() {
        assert_eq!(size_of::<Slot>(), 16);
    }

    #[test]
    fn a_flood_of_guids_stays_within_the_capacity() {
        let mut routes = Routes::new(1_000, Span::from_s(60));
        routes.reset(7);
        for n in 0..100_000 {
            assert!(routes.remember(guid(n), addr(n), Time::ZERO));
            assert!(routes.count() <= 1_000);
        }
        // The latest half is certainly there, the first long forgotten.
        for n in 99_500..100_000 {
            assert_eq!(routes.via(guid(n)), Some(addr(n)));
        }
        assert_eq!(routes.via(guid(0)), None);
        assert!(routes.bytes() <= 2_048 * size_of::<Slot>());
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
            prop_assert_eq!(routes.count(), model.len());
            for id in 0..200 {
                prop_assert_eq!(routes.via(guid(id)), model.get(&id).map(|v| addr(*v)));
            }
        }
    }
}
