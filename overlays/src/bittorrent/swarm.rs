//! One peer's part in one swarm: its connections and what it knows of others.

use super::Context;
use super::message::{MAX_PEX, Message, Pex};
use crate::seam::{Addr, Key, Span, Time};

/// The least time between two PEX messages of a peer that are listened to
/// (BEP 11: no more than one a minute, give or take the way).
const PEX_MIN_GAP: Span = Span::from_s(45);

/// Addresses kept for later connections.
const MAX_CANDIDATES: usize = 200;

/// A peer that this one is connected to for a torrent.
#[derive(Clone, Copy, Debug)]
pub struct Neighbour {
    /// Where it is.
    pub addr: Addr,
    /// Whether it has yet to be told of all others (BEP 11: the first message
    /// lists everyone).
    is_new: bool,
    /// When its last PEX message came.
    heard: Time,
}

/// What changes all the time, and only in a young swarm.
#[derive(Debug, Default)]
struct Fresh {
    /// Handshakes that were not answered yet.
    dialing: Vec<Addr>,
    /// Peers heard of and not tried yet.
    candidates: Vec<Addr>,
    /// Connected since the last PEX round.
    added: Vec<Addr>,
    /// Disconnected since the last PEX round.
    dropped: Vec<Addr>,
}

/// One peer's part in one swarm.
#[derive(Debug, Default)]
pub struct Swarm {
    neighbours: Vec<Neighbour>,
    /// Boxed, since a swarm at rest has none.
    fresh: Option<Box<Fresh>>,
}

impl Swarm {
    /// A part with these connections.
    pub fn settled(neighbours: impl Iterator<Item = Addr>) -> Self {
        let neighbour = |addr| Neighbour { addr, is_new: false, heard: Time::ZERO };
        Self { neighbours: neighbours.map(neighbour).collect(), fresh: None }
    }

    /// The peers it is connected to.
    pub fn neighbours(&self) -> impl ExactSizeIterator<Item = Addr> {
        self.neighbours.iter().map(|neighbour| neighbour.addr)
    }

    /// Whether it is connected to `peer`.
    pub fn is_neighbour(&self, peer: Addr) -> bool {
        self.neighbours.iter().any(|neighbour| neighbour.addr == peer)
    }

    /// Whether the stream to `peer` is needed here.
    pub fn uses(&self, peer: Addr) -> bool {
        self.is_neighbour(peer) || self.fresh.as_ref().is_some_and(|f| f.dialing.contains(&peer))
    }

    /// Hears of peers.
    pub fn hear_of(&mut self, peers: &[Addr], me: Addr) {
        for &peer in peers {
            if peer == me || self.is_neighbour(peer) {
                continue;
            }
            let fresh = self.fresh.get_or_insert_default();
            if fresh.candidates.len() < MAX_CANDIDATES && !fresh.candidates.contains(&peer) {
                fresh.candidates.push(peer);
            }
        }
    }

    /// Connects to `peer`, unless there is no room for it.
    pub fn connect(&mut self, peer: Addr, max_peers: usize) -> bool {
        if self.is_neighbour(peer) {
            return true;
        }
        if self.neighbours.len() >= max_peers {
            return false;
        }
        self.neighbours.push(Neighbour { addr: peer, is_new: true, heard: Time::ZERO });
        let fresh = self.fresh.get_or_insert_default();
        fresh.candidates.retain(|&other| other != peer);
        fresh.dropped.retain(|&other| other != peer);
        if fresh.added.len() < MAX_PEX {
            fresh.added.push(peer);
        }
        true
    }

    /// The handshake to `peer` was answered. Whether this part had asked.
    pub fn answered(&mut self, peer: Addr, max_peers: usize) -> bool {
        let Some(fresh) = &mut self.fresh else { return false };
        let Some(at) = fresh.dialing.iter().position(|&other| other == peer) else { return false };
        fresh.dialing.remove(at);
        self.connect(peer, max_peers)
    }

    /// The connection to `peer` is over, or never came to be.
    pub fn disconnect(&mut self, peer: Addr) {
        if let Some(fresh) = &mut self.fresh {
            fresh.dialing.retain(|&other| other != peer);
            fresh.candidates.retain(|&other| other != peer);
        }
        let Some(at) = self.neighbours.iter().position(|n| n.addr == peer) else { return };
        self.neighbours.remove(at);
        let fresh = self.fresh.get_or_insert_default();
        if let Some(at) = fresh.added.iter().position(|&other| other == peer) {
            // Nobody has been told of it.
            fresh.added.remove(at);
        } else if fresh.dropped.len() < MAX_PEX {
            fresh.dropped.push(peer);
        }
    }

    /// News from a neighbour. Whoever is no neighbour, or brings news too
    /// often, is not listened to.
    pub fn on_pex(&mut self, from: Addr, pex: &Pex, me: Addr, now: Time) {
        let Some(neighbour) = self.neighbours.iter_mut().find(|n| n.addr == from) else { return };
        if neighbour.heard > Time::ZERO && now.since(neighbour.heard) < PEX_MIN_GAP {
            return;
        }
        neighbour.heard = now;
        self.hear_of(&pex.added, me);
        if let Some(fresh) = &mut self.fresh {
            fresh.candidates.retain(|peer| !pex.dropped.contains(peer));
        }
    }

    /// The PEX round of every minute: newcomers hear of everyone, the others
    /// of what changed.
    pub fn exchange(&mut self, cx: &mut Context<'_>, info_hash: Key) {
        let Some(fresh) = &mut self.fresh else { return };
        let added = core::mem::take(&mut fresh.added);
        let dropped = core::mem::take(&mut fresh.dropped);
        for at in 0..self.neighbours.len() {
            let to = self.neighbours[at].addr;
            let is_new = core::mem::take(&mut self.neighbours[at].is_new);
            let others = |peer: &Addr| *peer != to;
            let pex = if is_new {
                let added = self.neighbours().filter(others).take(MAX_PEX).collect();
                Pex { info_hash, added, dropped: Box::default() }
            } else {
                let added = added.iter().copied().filter(others).collect();
                Pex { info_hash, added, dropped: dropped.iter().copied().filter(others).collect() }
            };
            if !(pex.added.is_empty() && pex.dropped.is_empty()) {
                cx.send(to, Message::Pex(Box::new(pex)));
            }
        }
    }

    /// The peers to shake hands with now, so that it comes to `want`
    /// connections. What was dialed in the round before and stayed silent is
    /// given up.
    pub fn dial(&mut self, want: usize) -> Vec<Addr> {
        let Some(fresh) = &mut self.fresh else { return Vec::new() };
        fresh.dialing.clear();
        let missing = want.saturating_sub(self.neighbours.len());
        let dialed: Vec<Addr> =
            fresh.candidates.drain(..missing.min(fresh.candidates.len())).collect();
        fresh.dialing.extend_from_slice(&dialed);
        let is_idle = dialed.is_empty()
            && fresh.candidates.is_empty()
            && fresh.added.is_empty()
            && fresh.dropped.is_empty();
        if is_idle {
            self.fresh = None;
        }
        dialed
    }

    /// Forgets what changed, where peers do not tell each other.
    pub fn forget_news(&mut self) {
        if let Some(fresh) = &mut self.fresh {
            fresh.added.clear();
            fresh.dropped.clear();
        }
    }

    /// Bytes on the heap, roughly.
    pub fn heap_bytes(&self) -> usize {
        let fresh = self.fresh.as_ref().map_or(0, |fresh| {
            let lists = [&fresh.dialing, &fresh.candidates, &fresh.added, &fresh.dropped];
            size_of::<Fresh>()
                + lists.iter().map(|list| list.capacity() * size_of::<Addr>()).sum::<usize>()
        });
        self.neighbours.capacity() * size_of::<Neighbour>() + fresh
    }
}
