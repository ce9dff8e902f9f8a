//! A network cut into groups.

/// Which nodes can reach each other.
#[derive(Clone, Debug, Default)]
pub struct Partition {
    /// The group of each node; empty while the network is whole.
    group_of: Box<[u32]>,
}

impl Partition {
    /// Groups that cannot reach each other, by node index. Nodes beyond the
    /// list belong to group 0.
    pub fn into_groups(group_of: &[u32]) -> Self {
        Self { group_of: group_of.into() }
    }

    /// The group of `node`.
    #[inline]
    pub fn group_of(&self, node: u32) -> u32 {
        self.group_of.get(node as usize).copied().unwrap_or(0)
    }

    /// Whether two nodes are in the same group.
    #[inline]
    pub fn reachable(&self, a: u32, b: u32) -> bool {
        self.group_of.is_empty() || self.group_of(a) == self.group_of(b)
    }
}
