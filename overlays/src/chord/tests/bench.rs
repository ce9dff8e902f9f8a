//! A small ring.

use crate::Key;
use crate::chord::{Chord, Config};

pub(super) type Bench = crate::bench::Bench<Chord>;

impl Bench {
    /// Nodes 0.. with these identifiers, in the top `id_bits` bits, in their
    /// places on the ring.
    pub(super) fn settled(config: Config, ids: &[u64], shared: &[(usize, &str)]) -> Self {
        let bits = config.id_bits;
        let keys: Vec<Key> = ids.iter().map(|id| Key::from_top_bits(*id, bits)).collect();
        Self::settled_at(config, &keys, shared)
    }
}
