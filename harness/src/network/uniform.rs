//! Delays uniform over an interval, one for each pair of nodes.

use overlays::Span;

use super::draw::Salt;

/// The model `uniform`.
#[derive(Clone, Debug)]
pub struct Uniform {
    pub(super) salt: Salt,
    pub(super) min_us: u32,
    pub(super) max_us: u32,
}

impl Uniform {
    /// The delay between two nodes.
    #[inline]
    pub fn one_way(&self, a: u32, b: u32) -> Span {
        let spread = self.max_us - self.min_us;
        Span::from_us(u64::from(self.min_us + self.salt.of_pair(a, b).below(spread + 1)))
    }
}
