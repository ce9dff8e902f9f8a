//! How many peers have each piece, and the rarest of those to be begun.

use rand::Rng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::draw;
use crate::pieces::PieceSet;

/// Priorities: 0 is not wanted, the highest comes first.
pub(super) const PRIORITIES: usize = 8;
/// Pieces looked at before the search goes over the peer's pieces instead.
const PROBES: usize = 128;

/// The counts of all pieces, and those that can be begun in buckets by priority
/// and count. A peer who has everything is counted once for all pieces, so
/// that a seed costs nothing to add.
#[derive(Debug)]
pub(super) struct Rarity {
    counts: Vec<u32>,
    seeds: u32,
    /// By priority, by count without seeds: the pieces, in any order.
    buckets: [Vec<Vec<u32>>; PRIORITIES],
    /// Where in its bucket a piece stands; [`ABSENT`] if it cannot be begun.
    places: Vec<u32>,
    priorities: Vec<u8>,
    listed: u32,
}

const ABSENT: u32 = u32::MAX;

impl Rarity {
    pub(super) fn new(pieces: u32) -> Self {
        let len = pieces as usize;
        Self {
            counts: vec![0; len],
            seeds: 0,
            buckets: Default::default(),
            places: vec![ABSENT; len],
            priorities: vec![4; len],
            listed: 0,
        }
    }

    /// How many connected peers have `piece`.
    pub(super) fn count(&self, piece: u32) -> u32 {
        self.seeds + self.counts.get(piece as usize).copied().unwrap_or(0)
    }

    /// Whether some piece that can be begun is had by somebody.
    pub(super) fn some_to_begin(&self) -> bool {
        if self.seeds > 0 {
            return self.listed > 0;
        }
        let of_nobody: usize =
            self.buckets.iter().filter_map(|counts| counts.first()).map(Vec::len).sum();
        self.listed as usize > of_nobody
    }

    pub(super) fn priority(&self, piece: u32) -> u8 {
        self.priorities.get(piece as usize).copied().unwrap_or(0)
    }

    pub(super) fn set_priority(&mut self, piece: u32, priority: u8) {
        let listed = self.places[piece as usize] != ABSENT;
        if listed {
            self.unlist(piece);
        }
        self.priorities[piece as usize] = priority;
        if listed && priority > 0 {
            self.list(piece);
        }
    }

    /// From now on `piece` can be begun.
    pub(super) fn list(&mut self, piece: u32) {
        debug_assert_eq!(self.places[piece as usize], ABSENT, "listed twice");
        let count = self.counts[piece as usize] as usize;
        let counts = &mut self.buckets[usize::from(self.priorities[piece as usize])];
        if counts.len() <= count {
            counts.resize_with(count + 1, Vec::new);
        }
        self.places[piece as usize] = counts[count].len() as u32;
        counts[count].push(piece);
        self.listed += 1;
    }

    /// From now on it cannot.
    pub(super) fn unlist(&mut self, piece: u32) {
        let place = core::mem::replace(&mut self.places[piece as usize], ABSENT);
        if place == ABSENT {
            return;
        }
        let priority = usize::from(self.priorities[piece as usize]);
        let bucket = &mut self.buckets[priority][self.counts[piece as usize] as usize];
        bucket.swap_remove(place as usize);
        if let Some(&moved) = bucket.get(place as usize) {
            self.places[moved as usize] = place;
        }
        self.listed -= 1;
    }

    /// One more peer has `piece`.
    pub(super) fn gain(&mut self, piece: u32) {
        self.recount(piece, 1);
    }

    fn recount(&mut self, piece: u32, by: i32) {
        let listed = self.places[piece as usize] != ABSENT;
        if listed {
            self.unlist(piece);
        }
        let count = &mut self.counts[piece as usize];
        *count = count.saturating_add_signed(by);
        if listed {
            self.list(piece);
        }
    }

    /// A peer with these pieces came.
    pub(super) fn add_peer(&mut self, pieces: &PieceSet) {
        if pieces.is_full() {
            self.seeds += 1;
        } else {
            pieces.iter().for_each(|piece| self.recount(piece, 1));
        }
    }

    /// A peer with these pieces left.
    pub(super) fn remove_peer(&mut self, pieces: &PieceSet) {
        if pieces.is_full() {
            self.seeds = self.seeds.saturating_sub(1);
        } else {
            pieces.iter().for_each(|piece| self.recount(piece, -1));
        }
    }

    /// One peer less has `piece`.
    pub(super) fn lose(&mut self, piece: u32) {
        self.recount(piece, -1);
    }

    /// A peer, whose pieces were counted one by one, has all of them now.
    pub(super) fn completed(&mut self) {
        for piece in 0..self.counts.len() as u32 {
            self.recount(piece, -1);
        }
        self.seeds += 1;
    }

    /// The rarest piece that can be begun and is in `peer`, or the most
    /// frequent one, of the highest priority there is; at random among equals.
    pub(super) fn pick(
        &self,
        peer: &PieceSet,
        rarest: bool,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Option<u32> {
        let mut probes = 0;
        for counts in self.buckets.iter().rev() {
            for nth in 0..counts.len() {
                let bucket = &counts[if rarest { nth } else { counts.len() - 1 - nth }];
                if bucket.is_empty() {
                    continue;
                }
                let start = draw::below(rng, bucket.len() as u32) as usize;
                for &piece in bucket[start..].iter().chain(&bucket[..start]) {
                    if peer.contains(piece) {
                        return Some(piece);
                    }
                    probes += 1;
                    if probes > PROBES {
                        return self.pick_of_peer(peer, rarest, rng);
                    }
                }
            }
        }
        None
    }

    /// The same by going over the peer's pieces: quicker when it has few.
    fn pick_of_peer(
        &self,
        peer: &PieceSet,
        rarest: bool,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Option<u32> {
        let mut salt = rng.next_u64();
        let listed = peer.iter().filter(|&piece| self.places[piece as usize] != ABSENT);
        listed.min_by_key(|&piece| {
            let count = self.counts[piece as usize];
            salt = salt.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let by_count = if rarest { count } else { !count };
            (core::cmp::Reverse(self.priorities[piece as usize]), by_count, salt >> 33)
        })
    }

    /// How many pieces how many peers have; `ours` counts as one of them.
    pub(super) fn histogram(&self, ours: &PieceSet) -> Vec<u32> {
        let mut histogram = Vec::new();
        for piece in 0..self.counts.len() as u32 {
            let copies = (self.count(piece) + u32::from(ours.contains(piece))) as usize;
            if histogram.len() <= copies {
                histogram.resize(copies + 1, 0);
            }
            histogram[copies] += 1;
        }
        histogram
    }

    #[cfg(test)]
    pub(super) fn check(&self, peers: &[&PieceSet], listed: &PieceSet) {
        for piece in 0..self.counts.len() as u32 {
            let count = peers.iter().filter(|peer| peer.contains(piece)).count();
            assert_eq!(self.count(piece) as usize, count, "peers who have piece {piece}");
            let place = self.places[piece as usize];
            assert_eq!(place != ABSENT, listed.contains(piece), "piece {piece} is listed");
            if place != ABSENT {
                let counts = &self.buckets[usize::from(self.priority(piece))];
                let bucket = &counts[self.counts[piece as usize] as usize];
                assert_eq!(bucket[place as usize], piece);
            }
        }
        let sum: usize = self.buckets.iter().flatten().map(Vec::len).sum();
        assert_eq!(sum as u32, self.listed);
        assert_eq!(self.listed, listed.count());
    }
}
