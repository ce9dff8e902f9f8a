//! What a node keeps.

/// What one node stores, as its overlay counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Distinct other nodes it keeps contact details of for routing.
    pub routing_entries: u64,
    /// Index entries it holds on behalf of the network: (item, provider)
    /// records. The files that a peer shares itself are not an index.
    pub index_entries: u64,
    /// Bytes of memory that routing state and index take, roughly.
    pub bytes: u64,
}
