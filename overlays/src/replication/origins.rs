//! A table of peers by address, for being asked about one at a time.

use std::sync::Arc;

use super::origin::Origin;
use super::replica::{bits_of, mixed};
use crate::seam::{Addr, prefetch};

/// The places of the smallest table.
const LEAST_PLACES: usize = 8;

/// A peer and what is known of it, or nobody.
type Place = Option<(Addr, Arc<Origin>)>;

/// What is known of each peer, by hash: an open-addressed table, in which a
/// peer stands at the first free place from its own on.
///
/// Every update asks each replica for one peer, and all replicas together are
/// far larger than a processor's cache. Here a peer is found in one read of
/// memory, whose place is known beforehand, so that it can be fetched ahead.
/// Nobody goes through the table: no order depends on the hash.
#[derive(Debug, Default)]
pub struct Origins {
    /// Nothing, or a power of two of places, a quarter of them free at least.
    places: Box<[Place]>,
    len: usize,
}

impl Origins {
    /// Bytes taken by the places.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.places)
    }

    /// The place where a peer stands if nobody else does.
    #[inline]
    fn home_of(&self, addr: Addr) -> usize {
        // The table is no longer than memory, so the cast loses nothing of
        // what the mask leaves.
        mixed(bits_of(addr)) as usize & (self.places.len().wrapping_sub(1))
    }

    /// Where a peer stands, or the free place where it would.
    #[inline]
    fn place_of(&self, addr: Addr) -> Result<usize, usize> {
        let mut at = self.home_of(addr);
        loop {
            match self.places.get(at) {
                Some(Some((other, _))) if *other == addr => return Ok(at),
                Some(Some(_)) => at = (at + 1) & (self.places.len() - 1),
                Some(None) | None => return Err(at),
            }
        }
    }

    /// Starts fetching the memory that [`Self::get`] will read.
    #[inline]
    pub fn prefetch(&self, addr: Addr) {
        if let Some(place) = self.places.get(self.home_of(addr)) {
            prefetch(place);
        }
    }

    /// What is known of a peer.
    #[inline]
    pub fn get(&self, addr: Addr) -> Option<&Arc<Origin>> {
        let at = self.place_of(addr).ok()?;
        self.places[at].as_ref().map(|(_, origin)| origin)
    }

    /// What is known of a peer, to be changed.
    #[inline]
    pub fn get_mut(&mut self, addr: Addr) -> Option<&mut Arc<Origin>> {
        let at = self.place_of(addr).ok()?;
        self.places[at].as_mut().map(|(_, origin)| origin)
    }

    /// Notes what is known of a peer, and hands out what was known before.
    #[inline]
    pub fn insert(&mut self, addr: Addr, origin: Arc<Origin>) -> Option<Arc<Origin>> {
        let free = match self.place_of(addr) {
            Ok(at) => return self.places[at].replace((addr, origin)).map(|(_, before)| before),
            Err(free) => free,
        };
        self.len += 1;
        if self.len * 4 <= self.places.len() * 3 {
            self.places[free] = Some((addr, origin));
        } else {
            self.grow();
            self.settle(addr, origin);
        }
        None
    }

    /// Puts a peer that is not there into a table that has room.
    fn settle(&mut self, addr: Addr, origin: Arc<Origin>) {
        if let Err(free) = self.place_of(addr) {
            self.places[free] = Some((addr, origin));
        }
    }

    /// Doubles the places.
    #[cold]
    fn grow(&mut self) {
        let places = (self.places.len() * 2).max(LEAST_PLACES);
        let fresh = std::iter::repeat_with(|| None).take(places).collect();
        for (addr, origin) in std::mem::replace(&mut self.places, fresh).into_iter().flatten() {
            self.settle(addr, origin);
        }
    }

    /// Forgets a peer. Whoever stands behind it moves up, where it would be
    /// found no more past the gap (Knuth, *The Art of Computer Programming*,
    /// 6.4, algorithm R).
    pub fn remove(&mut self, addr: Addr) {
        let Ok(mut gap) = self.place_of(addr) else { return };
        self.len -= 1;
        self.places[gap] = None;
        let mask = self.places.len() - 1;
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let Some((other, _)) = &self.places[at] else { return };
            // How far it stands behind its own place, and behind the gap.
            let home = self.home_of(*other);
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(gap) & mask {
                self.places[gap] = self.places[at].take();
                gap = at;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A peer that can be told from others by its epoch.
    fn known(epoch: u64) -> Arc<Origin> {
        Arc::new(Origin::new(epoch, std::iter::empty()))
    }

    fn epoch_of(origin: Option<&Arc<Origin>>) -> Option<u64> {
        origin.map(|origin| origin.version().epoch)
    }

    #[test]
    fn an_empty_table_takes_no_memory_and_knows_nobody() {
        let mut origins = Origins::default();
        assert_eq!(origins.bytes(), 0);
        let addr = Addr::from_index(1);
        origins.prefetch(addr);
        origins.remove(addr);
        assert!(origins.get(addr).is_none() && origins.get_mut(addr).is_none());
        assert_eq!(origins.len, 0);
    }

    proptest! {
        /// It says what an ordered map says, whatever is put in and taken out.
        /// Few addresses make long runs of places, and much moving up.
        #[test]
        fn it_agrees_with_an_ordered_map(
            steps in prop::collection::vec((0_u32..40, 0_u64..1000, any::<bool>()), 0..400)
        ) {
            let mut origins = Origins::default();
            let mut model = BTreeMap::new();
            for (index, epoch, put) in steps {
                let addr = Addr::from_index(index);
                if put {
                    let before = origins.insert(addr, known(epoch));
                    prop_assert_eq!(epoch_of(before.as_ref()), model.insert(index, epoch));
                } else {
                    origins.remove(addr);
                    model.remove(&index);
                }
                prop_assert_eq!(origins.len, model.len());
                for index in 0..40 {
                    let addr = Addr::from_index(index);
                    prop_assert_eq!(epoch_of(origins.get(addr)), model.get(&index).copied());
                }
            }
        }
    }
}
