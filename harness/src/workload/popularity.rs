//! Which items are wanted how often.

use overlays::Rng;

use super::draw;
use super::zipf::Zipf;

/// Popularity of the items of a catalogue: Zipf's law over ranks that a seeded
/// shuffle hands out, so that popularity has nothing to do with the order of
/// the file.
#[derive(Clone, Debug)]
pub struct Popularity {
    alpha: f64,
    law: Zipf,
    item_of_rank: Box<[u32]>,
    rank_of_item: Box<[u32]>,
}

impl Popularity {
    /// The default exponent. Web proxies show 0.64 to 0.83 (Breslau et al.,
    /// INFOCOM 1999), file-sharing queries 0.6 to 1.2.
    pub const DEFAULT_ALPHA: f64 = 0.8;

    /// Popularity of `items` items with exponent `alpha`; ranks are shuffled
    /// by `rng`, a generator of [`overlays::Stream::Workload`].
    ///
    /// # Panics
    /// When there are no items or the exponent is not in
    /// 0..=[`super::MAX_ALPHA`].
    pub fn new(items: u32, alpha: f64, rng: &mut Rng) -> Self {
        let law = Zipf::new(items, alpha);
        let mut item_of_rank: Box<[u32]> = (0..items).collect();
        draw::shuffle(rng, &mut item_of_rank);
        let mut rank_of_item = vec![0; items as usize].into_boxed_slice();
        for (rank, item) in item_of_rank.iter().enumerate() {
            rank_of_item[*item as usize] = rank as u32;
        }
        Self { alpha, law, item_of_rank, rank_of_item }
    }

    /// The number of items.
    pub fn items(&self) -> u32 {
        self.law.ranks()
    }

    /// The exponent.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// An item, by popularity.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> u32 {
        self.item_of_rank[self.law.draw(rng) as usize]
    }

    /// The item at `rank`; 0 is the most popular.
    pub fn item(&self, rank: u32) -> Option<u32> {
        self.item_of_rank.get(rank as usize).copied()
    }

    /// The rank of `item`.
    pub fn rank(&self, item: u32) -> Option<u32> {
        self.rank_of_item.get(item as usize).copied()
    }

    /// The probability that a draw gives `item`.
    pub fn probability(&self, item: u32) -> f64 {
        self.rank(item).map_or(0.0, |rank| self.law.probability(rank))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlays::Stream;

    #[test]
    fn ranks_are_a_permutation_that_the_seed_decides() {
        let of = |seed| Popularity::new(500, 0.8, &mut Stream::Workload.rng(seed));
        let (a, b, c) = (of(1), of(1), of(2));
        assert_eq!(a.item_of_rank, b.item_of_rank);
        assert_ne!(a.item_of_rank, c.item_of_rank);
        let mut items = a.item_of_rank.to_vec();
        items.sort_unstable();
        assert_eq!(items, (0..500).collect::<Vec<_>>());
        for rank in 0..500 {
            assert_eq!(a.rank(a.item(rank).unwrap()), Some(rank));
        }
        assert_eq!(a.item(500), None);
        assert!(a.probability(a.item(0).unwrap()) > a.probability(a.item(1).unwrap()));
    }
}
