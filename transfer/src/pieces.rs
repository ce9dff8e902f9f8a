//! Sets of pieces, and the bitfield that tells them to peers.

use core::fmt;

/// A set of the pieces of one torrent: a bit each.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PieceSet {
    words: Vec<u64>,
    len: u32,
    count: u32,
}

/// Why a bitfield is none (BEP 3: such a peer is dropped).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitfieldError {
    /// It has this many bytes instead of one per eight pieces, rounded up.
    Length {
        /// Bytes that came.
        got: usize,
        /// Bytes that it must have.
        want: usize,
    },
    /// A bit after the last piece is set.
    SpareBits,
}

impl fmt::Display for BitfieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { got, want } => {
                write!(f, "the bitfield has {got} bytes, but the torrent needs {want}")
            }
            Self::SpareBits => f.write_str("the bitfield has bits set after the last piece"),
        }
    }
}

impl core::error::Error for BitfieldError {}

impl PieceSet {
    /// No piece of `len`.
    #[must_use]
    pub fn empty(len: u32) -> Self {
        Self { words: vec![0; (len as usize).div_ceil(64)], len, count: 0 }
    }

    /// All of `len` pieces.
    #[must_use]
    pub fn full(len: u32) -> Self {
        let mut words = vec![u64::MAX; (len as usize).div_ceil(64)];
        if let (Some(last), spare @ 1..) = (words.last_mut(), len % 64) {
            *last = (1 << spare) - 1;
        }
        Self { words, len, count: len }
    }

    /// What a bitfield says of `len` pieces (BEP 3: the highest bit of the
    /// first byte is piece 0).
    ///
    /// # Errors
    ///
    /// If its length is wrong or a spare bit is set.
    pub fn from_bitfield(bytes: &[u8], len: u32) -> Result<Self, BitfieldError> {
        let want = (len as usize).div_ceil(8);
        if bytes.len() != want {
            return Err(BitfieldError::Length { got: bytes.len(), want });
        }
        let mut set = Self::empty(len);
        for (place, chunk) in bytes.chunks(8).enumerate() {
            let mut word = 0;
            for (at, &byte) in chunk.iter().enumerate() {
                word |= u64::from(byte.reverse_bits()) << (8 * at);
            }
            set.words[place] = word;
        }
        if let (Some(&last), spare @ 1..) = (set.words.last(), len % 64)
            && last >> spare != 0
        {
            return Err(BitfieldError::SpareBits);
        }
        set.count = set.words.iter().map(|word| word.count_ones()).sum();
        Ok(set)
    }

    /// Its bitfield, with spare bits of 0.
    #[must_use]
    pub fn to_bitfield(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.words.len() * 8);
        for word in &self.words {
            bytes.extend(word.to_le_bytes().map(u8::reverse_bits));
        }
        bytes.truncate((self.len as usize).div_ceil(8));
        bytes
    }

    /// How many pieces the torrent has.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// How many pieces are in the set.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether no piece is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether all pieces are in the set.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count == self.len
    }

    /// Whether `piece` is in the set; one out of range is not.
    #[must_use]
    pub fn contains(&self, piece: u32) -> bool {
        self.words.get(piece as usize / 64).is_some_and(|word| word >> (piece % 64) & 1 != 0)
    }

    /// Adds `piece`; whether it was not in the set. One out of range is not
    /// added.
    pub fn insert(&mut self, piece: u32) -> bool {
        let new = piece < self.len && !self.contains(piece);
        if new {
            self.words[piece as usize / 64] |= 1 << (piece % 64);
            self.count += 1;
        }
        new
    }

    /// Takes `piece` out; whether it was in the set.
    pub fn remove(&mut self, piece: u32) -> bool {
        let was = self.contains(piece);
        if was {
            self.words[piece as usize / 64] &= !(1 << (piece % 64));
            self.count -= 1;
        }
        was
    }

    /// Its pieces in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(place, &word)| Bits(word).map(at(place)))
    }

    /// The pieces that are in this set and in `other`, in order, from the
    /// first of `from` on; those before it follow.
    pub fn common_from<'a>(
        &'a self,
        other: &'a Self,
        from: u32,
    ) -> impl Iterator<Item = u32> + use<'a> {
        let places = self.words.len().min(other.words.len());
        let start = (from as usize / 64).min(places);
        let word = move |place: usize| self.words[place] & other.words[place];
        // The word in which it starts is read twice: first its upper bits, at
        // the very end its lower ones.
        let upper = u64::MAX << (from % 64);
        let first = (start..places)
            .flat_map(move |p| Bits(word(p) & if p == start { upper } else { !0 }).map(at(p)));
        let rest = (0..places.min(start + 1))
            .flat_map(move |p| Bits(word(p) & if p == start { !upper } else { !0 }).map(at(p)));
        first.chain(rest)
    }

    /// How many pieces are in this set and in `other`.
    #[must_use]
    pub fn common(&self, other: &Self) -> u32 {
        self.words.iter().zip(&other.words).map(|(a, b)| (a & b).count_ones()).sum()
    }
}

/// From the bit of a word to the piece.
fn at(place: usize) -> impl Fn(u32) -> u32 {
    move |bit| (place * 64) as u32 + bit
}

/// The bits that are set in a word, the lowest first.
struct Bits(u64);

impl Iterator for Bits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        (self.0 != 0).then(|| {
            let bit = self.0.trailing_zeros();
            self.0 &= self.0 - 1;
            bit
        })
    }
}

impl fmt::Debug for PieceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PieceSet({} of {})", self.count, self.len)
    }
}

impl Extend<u32> for PieceSet {
    fn extend<I: IntoIterator<Item = u32>>(&mut self, pieces: I) {
        for piece in pieces {
            self.insert(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    #[test]
    fn the_highest_bit_of_the_first_byte_is_piece_0() {
        let set = PieceSet::from_bitfield(&[0b1000_0001, 0b0100_0000], 10).unwrap();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 7, 9]);
        assert_eq!(set.to_bitfield(), [0b1000_0001, 0b0100_0000]);
    }

    #[test]
    fn wrong_lengths_and_spare_bits_are_refused() {
        let length = |got, want| Err(BitfieldError::Length { got, want });
        assert_eq!(PieceSet::from_bitfield(&[0], 10), length(1, 2));
        assert_eq!(PieceSet::from_bitfield(&[0; 3], 10), length(3, 2));
        assert_eq!(PieceSet::from_bitfield(&[0, 0b0010_0000], 10), Err(BitfieldError::SpareBits));
        assert_eq!(PieceSet::from_bitfield(&[], 0), Ok(PieceSet::empty(0)));
        assert!(PieceSet::from_bitfield(&[255; 8], 64).unwrap().is_full());
    }

    proptest! {
        #[test]
        fn it_is_a_set(len in 0u32..300, pieces in btree_set(0u32..300, 0..100), from in 0u32..320) {
            let mut set = PieceSet::empty(len);
            set.extend(pieces.iter().copied());
            let want: Vec<u32> = pieces.into_iter().filter(|&piece| piece < len).collect();
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), &want[..]);
            prop_assert_eq!(set.count() as usize, want.len());
            let again = PieceSet::from_bitfield(&set.to_bitfield(), len).unwrap();
            prop_assert_eq!(&again, &set);
            let full = PieceSet::full(len);
            prop_assert_eq!(full.count(), len);
            prop_assert_eq!(full.common(&set), set.count());
            let (before, mut turned): (Vec<u32>, Vec<u32>) = want.iter().partition(|&&p| p < from);
            turned.extend(before);
            prop_assert_eq!(set.common_from(&full, from).collect::<Vec<_>>(), turned);
            for piece in want {
                prop_assert!(set.remove(piece) && !set.remove(piece));
            }
            prop_assert!(set.is_empty());
        }
    }
}
