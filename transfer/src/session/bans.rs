//! Who is banned, and who is about to be.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::contributors::Contributor;
use super::effect::{Banned, Violation};
use crate::identity::PeerId;

/// Bans and scores that are kept; beyond, the first in order go.
const MOST: usize = 4096;

/// Who is banned, and how much the others have broken the protocol.
#[derive(Debug, Default)]
pub(super) struct Bans {
    banned: BTreeSet<Banned>,
    /// Of banned peers who share their address with others.
    names: BTreeSet<PeerId>,
    scores: BTreeMap<Banned, u32>,
}

impl Bans {
    /// How a peer at `addr` would be banned.
    fn of(addr: SocketAddr, shared: bool) -> Banned {
        if shared { Banned::Port(addr) } else { Banned::Address(addr.ip().to_canonical()) }
    }

    pub(super) fn contains(&self, addr: SocketAddr, peer_id: Option<PeerId>) -> bool {
        self.banned.contains(&Self::of(addr, true))
            || self.banned.contains(&Self::of(addr, false))
            || peer_id.is_some_and(|name| self.names.contains(&name))
    }

    /// Bans a peer; `shared` if others may be at its address. Says what the
    /// host must know.
    pub(super) fn ban(&mut self, who: &Contributor, shared: bool) -> Vec<Banned> {
        let mut new = vec![Self::of(who.addr, shared)];
        if shared {
            new.extend(who.listens.map(Banned::Port));
            keep(&mut self.names, who.peer_id);
        }
        new.retain(|banned| keep(&mut self.banned, *banned));
        new
    }

    /// A peer broke the protocol; whether it is to be banned for it.
    pub(super) fn violated(&mut self, addr: SocketAddr, shared: bool, how: Violation) -> bool {
        let who = Self::of(addr, shared);
        if self.scores.len() >= MOST && !self.scores.contains_key(&who) {
            self.scores.pop_first();
        }
        let score = self.scores.entry(who).or_default();
        *score = score.saturating_add(how.score());
        *score >= Violation::BAN_SCORE
    }
}

fn keep<T: Ord>(set: &mut BTreeSet<T>, new: T) -> bool {
    if set.len() >= MOST {
        set.pop_first();
    }
    set.insert(new)
}
