//! A torrent that this client seeds.

use std::sync::Arc;

use super::Context;
use super::config::Tiers;
use super::swarm::Swarm;
use crate::seam::{Addr, Cause, Item, OpId, Reason, Time};
use rand::seq::SliceRandom as _;

/// A torrent on its way into the network.
#[derive(Clone, Copy, Debug)]
pub struct Entering {
    /// The insert that waits for it; none when the client is joining.
    pub op: Option<OpId>,
    /// On whose behalf.
    pub cause: Cause,
    /// Whether the index site has yet to reply.
    pub publishing: bool,
    /// Whether the trackers have yet to reply.
    pub announcing: bool,
    /// Whether the DHT has yet to take the announcement.
    pub storing: bool,
    /// Why nobody can find it yet; `None` once somebody can.
    pub trouble: Option<Reason>,
}

/// A torrent that this client seeds.
#[derive(Debug)]
pub struct Torrent {
    /// What it holds.
    pub item: Arc<Item>,
    /// The trackers in the order of trial.
    pub trackers: Arc<[Addr]>,
    /// The tracker that lists us.
    pub listed_at: Option<Addr>,
    /// Whether an announce is under way.
    pub announcing: bool,
    /// When to announce next, at the latest.
    pub due: Time,
    /// Announces in a row that no tracker answered.
    pub failures: u32,
    /// Whether the index site has it.
    pub published: bool,
    /// Who waits for it to be known to the network.
    pub entering: Option<Box<Entering>>,
    /// The connections for it.
    pub swarm: Swarm,
}

impl Torrent {
    /// A torrent that nobody knows of.
    pub fn new(item: &Arc<Item>) -> Self {
        Self {
            item: Arc::clone(item),
            trackers: Arc::default(),
            listed_at: None,
            announcing: false,
            due: Time::ZERO,
            failures: 0,
            published: false,
            entering: None,
            swarm: Swarm::default(),
        }
    }

    /// Moves the tracker that answered to the front of its tier (BEP 12), so
    /// that it is asked first from now on.
    pub fn prefer(&mut self, place: usize, tiers: Tiers) {
        if tiers == Tiers::Shared && place > 0 && place < self.trackers.len() {
            let mut order = self.trackers.to_vec();
            order[..=place].rotate_right(1);
            self.trackers = order.into();
        }
    }
}

/// The order in which a client tries a torrent's trackers: tiers one after the
/// other, each shuffled (BEP 12).
pub fn order_of_trial(cx: &mut Context<'_>, trackers: &Arc<[Addr]>, tiers: Tiers) -> Arc<[Addr]> {
    if tiers == Tiers::Ordered || trackers.len() < 2 {
        return Arc::clone(trackers);
    }
    let mut order = trackers.to_vec();
    order.shuffle(cx.rng());
    order.into()
}
