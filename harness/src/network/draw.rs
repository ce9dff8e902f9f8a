//! Draws that belong to a node or a pair of nodes rather than to a moment.
//!
//! They are hashes of the indices with the run's salt, so that a node or pair
//! keeps its value without a table, in whatever order it is asked for and
//! however many nodes there will be.

use overlays::Rng;
use rand::RngExt;

/// What makes the draws of one run differ from those of another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Salt(u64);

impl Salt {
    /// A fresh salt.
    pub fn new(rng: &mut Rng) -> Self {
        Self(rng.random())
    }

    /// The draw of `node`.
    #[inline]
    pub const fn of_node(self, node: u32) -> Draw {
        Draw(mix(self.0 ^ node as u64))
    }

    /// The draw of the pair of `a` and `b`, in either order.
    #[inline]
    pub const fn of_pair(self, a: u32, b: u32) -> Draw {
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        Draw(mix(self.0 ^ ((low as u64) << 32 | high as u64)))
    }
}

/// A number that is uniform over 64 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw(pub u64);

impl Draw {
    /// Uniform over 0..`end`.
    #[inline]
    pub const fn below(self, end: u32) -> u32 {
        ((self.0 as u128 * end as u128) >> 64) as u32
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014), after one step
/// of its Weyl sequence.
#[inline]
const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
