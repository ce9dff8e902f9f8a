//! How a stream between a node and its supernode begins: two seeds and two
//! network names, 32 bytes in all.
//!
//! 1. The node sends 12 bytes: a constant, its seed, and the kind of cipher
//!    that it asks for, behind a mask that depends on the seed.
//! 2. The supernode answers with 8 bytes, its own seed and the kind that it
//!    chose, and with the name of the network, enciphered.
//! 3. The node sends the name as well, enciphered with both seeds.
//!
//! How a mask follows from a seed was never described. A few were measured, so
//! seeds are taken from those: a supernode may, and giFT always sent the same.

use std::sync::LazyLock;

use super::Cipher;

/// The first four bytes of a greeting, as giFT sends them.
const CONSTANT: u32 = 0xfa00_b62b;
/// The seed of all nodes, giFT's, and its mask.
const NODE_SEED: (u32, u32) = (0xfacb_1238, 0x3209_d21b);
/// The seeds that a supernode chooses from, and their masks.
const SUPERNODE_SEEDS: [(u32, u32); 3] =
    [(0x5eed_0001, 0x1020_0104), (0x5eed_0002, 0x7060_20a1), (0x5eed_0003, 0x0000_8051)];
/// The kind of cipher: a pad and a substitution.
const KIND: u8 = 0x09;

/// Bytes of a greeting.
pub(super) const GREETING_BYTES: usize = 12;
/// Bytes of an answer without the name.
const ANSWER_BYTES: usize = 8;
/// The network's name, with the NUL that ends it.
const NAME: [u8; 6] = *b"KaZaA\0";

/// The choice of a supernode: which of its seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u8);

/// The enciphered names for each of the supernode's seeds: its own, and the
/// node's.
static NAMES: LazyLock<[[[u8; 6]; 2]; 3]> = LazyLock::new(|| {
    SUPERNODE_SEEDS.map(|(seed, _)| {
        [seed, NODE_SEED.0 ^ seed].map(|seed| {
            let mut name = NAME;
            Cipher::new(seed, KIND).apply(&mut name);
            name
        })
    })
});

impl Seed {
    /// How many there are.
    pub const COUNT: u8 = SUPERNODE_SEEDS.len() as u8;
    /// Bytes of the answer that tells it.
    pub(super) const ANSWER_BYTES: usize = ANSWER_BYTES + NAME.len();
    /// Bytes of the node's name.
    pub(super) const NAME_BYTES: usize = NAME.len();

    /// The seed with this number below [`Seed::COUNT`]; others are reduced.
    pub const fn new(number: u8) -> Self {
        Self(number % Self::COUNT)
    }

    fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// The supernode's answer.
    pub(super) fn answer(self) -> [u8; Self::ANSWER_BYTES] {
        let (seed, mask) = SUPERNODE_SEEDS[usize::from(self.0)];
        let mut bytes = [0; Self::ANSWER_BYTES];
        bytes[..4].copy_from_slice(&seed.to_be_bytes());
        bytes[4..8].copy_from_slice(&(u32::from(KIND) ^ mask).to_be_bytes());
        bytes[8..].copy_from_slice(&NAMES[usize::from(self.0)][0]);
        bytes
    }

    /// The node's name, which answers the answer.
    pub(super) fn name(self) -> [u8; Self::NAME_BYTES] {
        NAMES[usize::from(self.0)][1]
    }

    /// The seed that these bytes tell, if they are such an answer.
    pub(super) fn of_answer(bytes: &[u8]) -> Option<Self> {
        Self::all().find(|seed| seed.answer() == bytes)
    }

    /// The seed with which a node enciphered its name to these bytes.
    pub(super) fn of_name(bytes: &[u8]) -> Option<Self> {
        Self::all().find(|seed| seed.name() == bytes)
    }

    /// Whether a name or an answer may begin with this byte.
    pub(super) fn begins(first: u8) -> Option<usize> {
        if Self::all().any(|seed| seed.answer()[0] == first) {
            Some(Self::ANSWER_BYTES)
        } else {
            Self::all().any(|seed| seed.name()[0] == first).then_some(Self::NAME_BYTES)
        }
    }
}

/// The greeting of a node.
pub(super) fn greeting() -> [u8; GREETING_BYTES] {
    let (seed, mask) = NODE_SEED;
    let mut bytes = [0; GREETING_BYTES];
    bytes[..4].copy_from_slice(&CONSTANT.to_be_bytes());
    bytes[4..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..].copy_from_slice(&(u32::from(KIND) ^ mask).to_be_bytes());
    bytes
}
