//! Who sent which blocks: also those who have left since.

use std::net::SocketAddr;

use crate::identity::PeerId;

/// The number of a contributor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ContributorId(pub(super) u32);

/// A peer on one connection, which may have ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contributor {
    pub(super) addr: SocketAddr,
    pub(super) peer_id: PeerId,
    /// Where it listens, if it said so.
    pub(super) listens: Option<SocketAddr>,
    /// It was part of a piece that failed, and may only send whole pieces.
    pub(super) parole: bool,
    /// Who still refers to it: its connection, blocks, suspicions.
    refs: u32,
}

/// All contributors that something refers to.
#[derive(Debug, Default)]
pub(super) struct Contributors {
    all: Vec<Contributor>,
    unused: Vec<u32>,
}

impl Contributors {
    /// A new one, to which its connection refers.
    pub(super) fn add(&mut self, addr: SocketAddr, peer_id: PeerId) -> ContributorId {
        let new = Contributor { addr, peer_id, listens: None, parole: false, refs: 1 };
        if let Some(place) = self.unused.pop() {
            self.all[place as usize] = new;
            return ContributorId(place);
        }
        self.all.push(new);
        ContributorId(self.all.len() as u32 - 1)
    }

    pub(super) fn get(&self, id: ContributorId) -> &Contributor {
        &self.all[id.0 as usize]
    }

    pub(super) fn get_mut(&mut self, id: ContributorId) -> &mut Contributor {
        &mut self.all[id.0 as usize]
    }

    /// Something more refers to it.
    pub(super) fn hold(&mut self, id: ContributorId) {
        self.all[id.0 as usize].refs += 1;
    }

    /// Something no longer does.
    pub(super) fn release(&mut self, id: ContributorId) {
        let refs = &mut self.all[id.0 as usize].refs;
        debug_assert!(*refs > 0, "released more often than held");
        *refs = refs.saturating_sub(1);
        if *refs == 0 {
            self.unused.push(id.0);
        }
    }

    /// How many something refers to.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len() - self.unused.len()
    }
}
