//! Everyone in a network: the input to a converged start.

use core::fmt;
use std::sync::Arc;

use super::addr::Addr;
use super::item::Item;
use super::machine::Profile;
use super::time::Span;

/// An item that a peer shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    /// The item.
    pub item: Arc<Item>,
    /// Who shares it.
    pub provider: Addr,
}

/// All live nodes of a network and all that they share.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// The peers, by identifier, then address.
    pub peers: Vec<Profile>,
    /// The dedicated servers, by address.
    pub servers: Vec<Addr>,
    /// What the peers share, by the item's key, then provider.
    pub holdings: Vec<Holding>,
    /// How far apart nodes are, for overlays that mind the network below them.
    pub distances: Distances,
}

/// The round-trip times between all nodes, as a converged network would have
/// measured them. Unknown where no model of the network is at hand: then every
/// distance is zero and nobody is nearer than anybody else.
#[derive(Clone, Default)]
pub struct Distances(Option<Arc<RttOf>>);

type RttOf = dyn Fn(Addr, Addr) -> Span + Send + Sync;

impl Distances {
    /// Distances told by `rtt`.
    pub fn new(rtt: impl Fn(Addr, Addr) -> Span + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(rtt)))
    }

    /// The round-trip time between two nodes.
    pub fn rtt(&self, a: Addr, b: Addr) -> Span {
        self.0.as_ref().map_or(Span::ZERO, |rtt| rtt(a, b))
    }
}

impl fmt::Debug for Distances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Distances(known)" } else { "Distances(unknown)" })
    }
}

impl Census {
    /// A census from lists in any order, with unknown distances.
    pub fn new(
        mut peers: Vec<Profile>,
        mut servers: Vec<Addr>,
        mut holdings: Vec<Holding>,
    ) -> Self {
        peers.sort_unstable_by_key(|m| (m.id, m.addr));
        servers.sort_unstable();
        holdings.sort_by_key(|h| (h.item.key(), h.provider));
        Self { peers, servers, holdings, distances: Distances::default() }
    }

    /// The same with these distances.
    #[must_use]
    pub fn with_distances(mut self, distances: Distances) -> Self {
        self.distances = distances;
        self
    }
}
