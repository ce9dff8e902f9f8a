//! Random subsets.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// Room to remember what a random subset has drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawn {
    /// A bit per number, all clear between draws.
    bits: Vec<u64>,
    numbers: Vec<u32>,
}

/// Draws random subsets.
#[derive(Debug)]
pub(super) struct Sampler<'a> {
    pub(super) rng: &'a mut Xoshiro256PlusPlus,
    pub(super) drawn: &'a mut Drawn,
}

impl Sampler<'_> {
    /// A random number below `end`, or 0 when that is 0. The error of scaling
    /// instead of rejecting is below 2^-32.
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.rng.next_u64()) * end as u128) >> 64) as usize
    }

    /// Hands out `count` different numbers below `choice` (Floyd's algorithm:
    /// Bentley & Floyd, CACM 30(9), 1987), without touching the others.
    pub(super) fn choose(&mut self, choice: usize, count: usize, take: impl FnMut(usize)) {
        let words = choice.div_ceil(64);
        if self.drawn.bits.len() < words {
            self.drawn.bits.resize(words, 0);
        }
        self.drawn.numbers.clear();
        for last in choice - count..choice {
            let mut number = self.below(last + 1);
            let Drawn { bits, numbers } = self.drawn;
            if bits[number / 64] >> (number % 64) & 1 == 1 {
                number = last;
            }
            bits[number / 64] |= 1 << (number % 64);
            numbers.push(number as u32);
        }
        let Drawn { bits, numbers } = self.drawn;
        for &number in numbers.iter() {
            bits[number as usize / 64] = 0;
        }
        numbers.iter().map(|&number| number as usize).for_each(take);
    }
}
