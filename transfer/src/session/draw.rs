//! Drawing at random.

use rand::Rng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// A number below `n`, which is not 0. Not perfectly uniform, but off by less
/// than one in four billion.
pub(super) fn below(rng: &mut Xoshiro256PlusPlus, n: u32) -> u32 {
    ((u128::from(rng.next_u64()) * u128::from(n)) >> 64) as u32
}
