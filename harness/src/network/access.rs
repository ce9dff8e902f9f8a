//! Delays that are the sum of two access links.

use overlays::Span;

use super::draw::Salt;

/// The model `access`: each node's link to the core takes a whole number of
/// milliseconds, and the core takes nothing. The reference workload W1 is
/// defined on it.
#[derive(Clone, Debug)]
pub struct Access {
    pub(super) salt: Salt,
    pub(super) min_ms: u32,
    pub(super) max_ms: u32,
}

impl Access {
    /// The delay between two nodes.
    #[inline]
    pub fn one_way(&self, a: u32, b: u32) -> Span {
        Span::from_ms(u64::from(self.link_ms(a) + self.link_ms(b)))
    }

    #[inline]
    const fn link_ms(&self, node: u32) -> u32 {
        self.min_ms + self.salt.of_node(node).below(self.max_ms - self.min_ms + 1)
    }
}
