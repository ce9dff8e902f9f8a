//! The coordinate space: points, zones and the distances between them.
//!
//! The space is a d-dimensional torus whose axes run from 0 to 1. A zone is
//! split in half along the axes in a fixed cyclic order, x, y, z, x, ... (§2.2),
//! so a zone is told in full by the sequence of halves that lead to it, its
//! *path* in the binary tree of splits. A point is the path to itself: the bits
//! of its coordinates, taken from the axes in turn. Points of one zone then
//! share a prefix, and the order of points is the order of the tree's leaves.
//! All arithmetic is exact.

use core::fmt;

use crate::{Key, Reader, WireError, Writer};

/// The most dimensions.
pub const MAX_DIMENSIONS: u32 = 16;
/// Bits of a coordinate on one axis.
const AXIS_BITS: u32 = 32;

/// A point of the space: the bits of its coordinates, interleaved, the most
/// significant of the first axis first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Point(pub u64);

impl Point {
    /// The point that the `copy`th hash function maps a key to (§3.5). Keys
    /// are hashes already, so the first function reads the bits as they are.
    pub fn of_key(key: Key, copy: u8) -> Self {
        if copy == 0 {
            return Self(key.prefix64());
        }
        let mut text = [0; Key::BYTES + 1];
        text[..Key::BYTES].copy_from_slice(&key.to_bytes());
        text[Key::BYTES] = copy;
        Self(Key::hash(&text).prefix64())
    }

    /// The point with these coordinates, each a fraction of 2^32 of its axis.
    pub fn at(coordinates: &[u32]) -> Self {
        let d = coordinates.len().max(1);
        let bit = |place: usize| {
            let shift = AXIS_BITS as usize - 1 - (place / d).min(AXIS_BITS as usize - 1);
            let inside = place / d < AXIS_BITS as usize;
            let coordinate = coordinates.get(place % d).copied().unwrap_or(0);
            u64::from(inside) & u64::from(coordinate >> shift)
        };
        Self((0..64).fold(0, |path, place| path << 1 | bit(place) & 1))
    }

    /// Its coordinate on `axis` of `dimensions`.
    pub fn coordinate(self, axis: u32, dimensions: u32) -> u32 {
        spread(self.0, 64, axis, dimensions)
    }
}

/// Every `dimensions`th bit of the first `depth` bits of `path`, from bit
/// `axis` on, gathered at the top of a coordinate.
#[inline]
fn spread(path: u64, depth: u32, axis: u32, dimensions: u32) -> u32 {
    let mut coordinate = 0;
    let mut to = 1_u32 << (AXIS_BITS - 1);
    let mut at = axis;
    while at < depth && to != 0 {
        if path >> (63 - at) & 1 == 1 {
            coordinate |= to;
        }
        to >>= 1;
        at += dimensions;
    }
    coordinate
}

/// The part of one axis that a zone covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interval {
    /// Where it begins, as a fraction of 2^32.
    pub start: u32,
    /// How long it is, 1 to 2^32.
    pub length: u64,
}

impl Interval {
    /// The distance from a coordinate to the nearest one inside, around the
    /// torus the short way.
    #[inline]
    pub fn distance(self, coordinate: u32) -> u32 {
        let ahead = coordinate.wrapping_sub(self.start);
        if u64::from(ahead) < self.length {
            return 0;
        }
        let beyond = ahead - (self.length - 1) as u32;
        beyond.min(ahead.wrapping_neg())
    }

    /// Whether the two have a stretch in common. Both come from halvings, so
    /// then one contains the other.
    #[inline]
    fn overlaps(self, other: Self) -> bool {
        let mask = !((self.length.max(other.length) - 1) as u32);
        (self.start ^ other.start) & mask == 0
    }

    /// Whether one begins where the other ends.
    #[inline]
    fn abuts(self, other: Self) -> bool {
        self.start.wrapping_add(self.length as u32) == other.start
            || other.start.wrapping_add(other.length as u32) == self.start
    }
}

/// A zone: the path of halvings that leads to it.
///
/// Kept in one word: the path's bits from the top, a one, zeros. Zero is no
/// zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(u64);

impl Zone {
    /// The whole space.
    pub const WHOLE: Self = Self(1 << 63);
    /// The depth of the smallest zones.
    pub const MAX_DEPTH: u32 = 63;
    /// Bytes of a zone on the wire.
    pub const BYTES: usize = 8;

    /// The zone of this depth that contains `point`; depths beyond
    /// [`Zone::MAX_DEPTH`] give the smallest zone.
    pub const fn around(point: Point, depth: u32) -> Self {
        let depth = if depth > Self::MAX_DEPTH { Self::MAX_DEPTH } else { depth };
        let end = 1 << (63 - depth);
        Self(point.0 & !(end | (end - 1)) | end)
    }

    /// The zone with this word.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits)) }
    }

    #[inline]
    const fn end(self) -> u64 {
        self.0 & self.0.wrapping_neg()
    }

    /// How many halvings lead to it.
    #[inline]
    pub const fn depth(self) -> u32 {
        63 - self.0.trailing_zeros()
    }

    /// The smallest of its points in the order of points.
    #[inline]
    pub const fn first(self) -> Point {
        Point(self.0 ^ self.end())
    }

    /// The largest of its points.
    #[inline]
    pub const fn last(self) -> Point {
        Point(self.0 | (self.end() - 1))
    }

    /// Whether the point lies in it.
    #[inline]
    pub const fn contains(self, point: Point) -> bool {
        self.first().0 <= point.0 && point.0 <= self.last().0
    }

    /// Whether all of `other` lies in it.
    #[inline]
    pub const fn covers(self, other: Self) -> bool {
        self.contains(other.first()) && self.contains(other.last())
    }

    /// Whether the two have points in common; then one covers the other.
    #[inline]
    pub const fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// Its two halves, the one with the smaller coordinates first; `None` for
    /// the smallest zones.
    pub const fn halves(self) -> Option<(Self, Self)> {
        let end = self.end();
        if end == 1 {
            return None;
        }
        let half = end >> 1;
        Some((Self(self.0 ^ end | half), Self(self.0 | half)))
    }

    /// The zone it is a half of; `None` for the whole space.
    pub const fn parent(self) -> Option<Self> {
        if self.depth() == 0 {
            return None;
        }
        let end = self.end() << 1;
        Some(Self((self.0 ^ self.end()) & !end | end))
    }

    /// The other half of its parent: what it can merge with.
    pub const fn sibling(self) -> Option<Self> {
        if self.depth() == 0 { None } else { Some(Self(self.0 ^ (self.end() << 1))) }
    }

    /// Its volume in units of the smallest zone's, 2^-63 of the space.
    pub const fn volume(self) -> u64 {
        self.end()
    }

    /// What is left of it without `part`; itself when they do not overlap.
    pub fn without(self, part: Self) -> Vec<Self> {
        if part.covers(self) {
            return Vec::new();
        }
        if !self.covers(part) {
            return vec![self];
        }
        let mut rest = Vec::new();
        let mut at = part;
        while at != self {
            rest.extend(at.sibling());
            let Some(parent) = at.parent() else { break };
            at = parent;
        }
        rest
    }

    /// What it covers of `axis`.
    #[inline]
    pub fn interval(self, axis: u32, dimensions: u32) -> Interval {
        let depth = self.depth();
        let start = spread(self.0, depth, axis, dimensions);
        let halvings = (depth + dimensions - 1 - axis) / dimensions;
        Interval { start, length: 1 << (AXIS_BITS - halvings.min(AXIS_BITS)) }
    }

    /// Whether the two are neighbours: their spans overlap along d-1
    /// dimensions and abut along one (§2).
    pub fn is_neighbour(self, other: Self, dimensions: u32) -> bool {
        let mut apart = 0;
        for axis in 0..dimensions {
            let (a, b) = (self.interval(axis, dimensions), other.interval(axis, dimensions));
            if !a.overlaps(b) {
                apart += 1;
                if apart > 1 || !a.abuts(b) {
                    return false;
                }
            }
        }
        apart == 1
    }

    /// The zone of the same shape beside it along `axis`, on the side of larger
    /// coordinates or the other; `None` where it spans the whole axis.
    pub fn beside(self, axis: u32, larger: bool, dimensions: u32) -> Option<Self> {
        let here = self.interval(axis, dimensions);
        if here.length > u64::from(u32::MAX) {
            return None;
        }
        let step = here.length as u32;
        let mut coordinates = [0; MAX_DIMENSIONS as usize];
        for (of, coordinate) in (0..dimensions).zip(&mut coordinates) {
            *coordinate = self.interval(of, dimensions).start;
        }
        let moved = coordinates.get_mut(axis as usize)?;
        *moved = if larger { moved.wrapping_add(step) } else { moved.wrapping_sub(step) };
        let point = Point::at(coordinates.get(..dimensions as usize)?);
        Some(Self::around(point, self.depth()))
    }

    /// Writes its word.
    pub fn encode(self, w: &mut Writer) {
        w.u64(self.0);
    }

    /// Reads what [`Zone::encode`] wrote.
    ///
    /// # Errors
    /// When the input ends early or is zero, which is no zone.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let bits = r.u64()?;
        Self::from_bits(bits).ok_or_else(|| r.invalid("zone", bits))
    }
}

impl fmt::Display for Zone {
    /// The path: `-` for the whole space, else a digit per halving.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.depth() == 0 {
            return f.write_str("-");
        }
        (0..self.depth()).try_for_each(|at| write!(f, "{}", self.0 >> (63 - at) & 1))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A destination, with its coordinates at hand.
#[derive(Clone, Copy, Debug)]
pub struct Destination {
    coordinates: [u32; MAX_DIMENSIONS as usize],
    dimensions: u32,
}

impl Destination {
    /// A destination in a space of 1 to [`MAX_DIMENSIONS`] dimensions.
    pub fn new(point: Point, dimensions: u32) -> Self {
        let dimensions = dimensions.clamp(1, MAX_DIMENSIONS);
        let mut coordinates = [0; MAX_DIMENSIONS as usize];
        for (axis, coordinate) in (0..dimensions).zip(&mut coordinates) {
            *coordinate = point.coordinate(axis, dimensions);
        }
        Self { coordinates, dimensions }
    }

    /// The square of the distance on the torus from here to the closest point
    /// of `zone`, in units of 2^-32 of an axis.
    #[inline]
    pub fn distance_squared(&self, zone: Zone) -> u128 {
        let mut sum = 0;
        for (axis, coordinate) in (0..self.dimensions).zip(self.coordinates) {
            let apart = u128::from(zone.interval(axis, self.dimensions).distance(coordinate));
            sum += apart * apart;
        }
        sum
    }
}
