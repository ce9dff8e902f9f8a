//! What a node keeps.

/// What one node stores, as its overlay counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Distinct other nodes it keeps contact details of for routing.
    pub routing_entries: u64,
    /// Index entries it holds: (item, provider) records for anyone, its own
    /// shares included where it answers queries about them.
    pub index_entries: u64,
    /// Bytes of memory that routing state and index take, roughly.
    pub bytes: u64,
}
