//! The peers that a replica knows otherwise than its base does.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::origin::Origin;
use super::origins::Origins;
use crate::seam::{Addr, Time};

/// Peers by address: those in the network, and those who went.
///
/// A peer is found by hash; who goes through all of them takes the ordered
/// lists instead.
#[derive(Debug, Default)]
pub struct Changed {
    origins: Origins,
    /// All of them, sorted.
    order: Vec<Addr>,
    /// How many have not gone.
    members: usize,
    /// When the others went, as long as that is remembered.
    gone: BTreeMap<Addr, Time>,
}

impl Changed {
    /// What is known of a peer.
    #[inline]
    pub fn get(&self, addr: Addr) -> Option<&Arc<Origin>> {
        self.origins.get(addr)
    }

    /// Starts fetching the memory that [`Self::get`] will read.
    #[inline]
    pub fn prefetch(&self, addr: Addr) {
        self.origins.prefetch(addr);
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
        let before = self.origins.insert(addr, origin);
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
        let (was_gone, gone);
        if let Some(origin) = self.origins.get_mut(addr) {
            was_gone = Some(origin.version().gone);
            change(Arc::make_mut(origin));
            gone = origin.version().gone;
        } else {
            let mut origin = before();
            was_gone = None;
            change(Arc::make_mut(&mut origin));
            gone = origin.version().gone;
            self.origins.insert(addr, origin);
        }
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
                origins.remove(addr);
                if let Ok(at) = order.binary_search(&addr) {
                    order.remove(at);
                }
            }
            stays
        });
    }

    /// Memory taken, roughly, as if no peer's state were shared.
    pub fn bytes(&self) -> usize {
        let origins: usize = self.from(Addr::from_index(0)).map(|(_, o)| o.bytes()).sum();
        self.origins.bytes()
            + origins
            + self.order.len() * size_of::<Addr>()
            + self.gone.len() * (size_of::<Addr>() + size_of::<Time>())
    }
}
