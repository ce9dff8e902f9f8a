//! Everyone in a network: the input to a converged start.

use std::sync::Arc;

use super::addr::Addr;
use super::item::Item;
use super::key::Key;

/// One node of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its identifier.
    pub id: Key,
    /// Its address.
    pub addr: Addr,
}

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
    pub peers: Vec<Member>,
    /// The dedicated servers, by address.
    pub servers: Vec<Addr>,
    /// What the peers share, by the item's key, then provider.
    pub holdings: Vec<Holding>,
}

impl Census {
    /// A census from lists in any order.
    pub fn new(mut peers: Vec<Member>, mut servers: Vec<Addr>, mut holdings: Vec<Holding>) -> Self {
        peers.sort_unstable_by_key(|m| (m.id, m.addr));
        servers.sort_unstable();
        holdings.sort_by_key(|h| (h.item.key(), h.provider));
        Self { peers, servers, holdings }
    }
}
