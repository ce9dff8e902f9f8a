//! Random choices without repetition.

use rand::RngExt as _;

use crate::seam::Rng;

/// `count` different numbers below `below` in random order; all of them when
/// there are no more.
pub fn sample(rng: &mut Rng, below: usize, count: usize) -> Vec<usize> {
    let count = count.min(below);
    if below <= 4 * count {
        // The first places of a shuffle (Fisher and Yates).
        let mut numbers: Vec<usize> = (0..below).collect();
        for at in 0..count {
            let other = rng.random_range(at..below);
            numbers.swap(at, other);
        }
        numbers.truncate(count);
        return numbers;
    }
    // Few of very many: a repetition is rare, and drawn again.
    let mut numbers = Vec::with_capacity(count);
    while numbers.len() < count {
        let number = rng.random_range(0..below);
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    numbers
}
