//! The finger table, stored by its distinct contacts.

use super::contact::{Contact, nearer, nearer_by_prefix, reach};
use crate::{Addr, Key, prefetch};

/// A node's fingers: finger i (0-based) is the first node at or after
/// `id + 2^i` (SIGCOMM 2001, Table 1), in units of the m-bit ring.
///
/// In a network of N nodes only about log2 N of the m fingers differ, so each
/// distinct contact is kept once, in clockwise order, with a bitmap of the
/// finger at which it begins. Fingers past the last contact are the node
/// itself: unknown, or all the way round.
///
/// A million tables have to fit into memory, and a search must not wait for
/// more of it than it needs. So the identifiers are split: the first 64 bits
/// decide all but ties and stand with the address, 16 bytes together; the rest
/// is kept apart, and not at all on a ring of 64 bits or fewer.
#[derive(Clone, Debug, Default)]
pub(super) struct FingerTable {
    heads: Box<[Head]>,
    /// The rest of each identifier, unless all of them end in zeros.
    #[expect(clippy::box_collection, reason = "8 bytes in every table instead of 24")]
    tails: Option<Box<Vec<Tail>>>,
    /// Bit i is set when finger i differs from finger i - 1.
    begins: [u32; 5],
}

/// What decides most searches.
#[derive(Clone, Copy, Debug)]
struct Head {
    /// The first 64 bits of the identifier.
    prefix: u64,
    addr: Addr,
    vnode: u16,
}

/// The last 96 bits of an identifier.
type Tail = [u8; Key::BYTES - 8];

/// The most fingers a node has.
const MAX: usize = 160;

impl FingerTable {
    /// The start of finger `index` on a ring of `bits` bits.
    pub(super) fn start(me: Key, index: u32, bits: u32) -> Key {
        me.plus(Key::power_of_two(Key::BITS - bits + index))
    }

    /// The table of these (first finger, contact) pairs, in order of both;
    /// fingers from `end` on are the node itself.
    pub(super) fn from_runs(runs: &[(u32, Contact)], end: u32) -> Self {
        let mut begins = [0; 5];
        let end = (end > 0 && end < MAX as u32).then_some(end);
        for index in runs.iter().map(|(index, _)| *index).chain(end) {
            begins[(index / 32) as usize] |= 1 << (index % 32);
        }
        let head = |c: &Contact| Head { prefix: c.key.prefix64(), addr: c.addr, vnode: c.vnode };
        let tail = |c: &Contact| *c.key.to_bytes().last_chunk().expect("a key is longer");
        let mut tails = None;
        if runs.iter().any(|(_, contact)| tail(contact) != Tail::default()) {
            tails = Some(Box::new(runs.iter().map(|(_, contact)| tail(contact)).collect()));
        }
        Self { heads: runs.iter().map(|(_, contact)| head(contact)).collect(), tails, begins }
    }

    /// How many contacts begin at or before finger `index`.
    #[inline]
    fn rank(&self, index: u32) -> usize {
        let [a, b, c, d, e] = self.begins.map(u64::from);
        let (low, middle) = (a | b << 32, c | d << 32);
        // The bits of a word up to and including one of them.
        let upto = |word: u64, bit: u32| word << (63 - bit % 64);
        let count = match index / 64 {
            0 => upto(low, index).count_ones(),
            1 => low.count_ones() + upto(middle, index).count_ones(),
            _ => low.count_ones() + middle.count_ones() + upto(e, index).count_ones(),
        };
        count as usize
    }

    /// The contact at `place` among the distinct ones.
    #[inline]
    fn at(&self, place: usize) -> Option<Contact> {
        let head = self.heads.get(place)?;
        let mut key = [0; Key::BYTES];
        key[..8].copy_from_slice(&head.prefix.to_be_bytes());
        if let Some(tails) = &self.tails {
            key[8..].copy_from_slice(tails.get(place)?);
        }
        Some(Contact { key: Key::from_bytes(key), addr: head.addr, vnode: head.vnode })
    }

    /// Finger `index` (below 160), or `None` when it is the node itself.
    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<Contact> {
        self.rank(index).checked_sub(1).and_then(|place| self.at(place))
    }

    /// The distinct contacts, clockwise.
    pub(super) fn contacts(&self) -> impl DoubleEndedIterator<Item = Contact> {
        (0..self.heads.len()).filter_map(|place| self.at(place))
    }

    /// Starts fetching what a search will read.
    #[inline]
    pub(super) fn warm(&self) {
        prefetch(&*self.heads);
    }

    /// Which finger's interval `[id + 2^i, id + 2^(i+1))` holds `key`.
    #[inline]
    pub(super) fn interval(me: Key, key: Key, bits: u32) -> u32 {
        let prefixes = key.prefix64().wrapping_sub(me.prefix64());
        // What the bits after the prefix borrow changes the highest bit of
        // the distance only where the others are zero.
        let zeros = if prefixes & prefixes.wrapping_sub(1) != 0 {
            prefixes.leading_zeros()
        } else {
            me.distance_to(key).leading_zeros()
        };
        match (Key::BITS - 1).checked_sub(zeros) {
            Some(top) => top.saturating_sub(Key::BITS - bits),
            // The node's own key lies at the end of the last interval.
            None => bits - 1,
        }
    }

    /// The fingers that lie strictly between `me` and `key`, farthest first.
    ///
    /// No finger above the key's interval can precede the key, so the search
    /// starts there instead of at the top: one or two contacts are looked at
    /// however long the table is.
    #[inline]
    pub(super) fn preceding(&self, me: Key, key: Key, bits: u32) -> impl Iterator<Item = Contact> {
        let end = self.rank(Self::interval(me, key, bits)).min(self.heads.len());
        let (from, to) = (me.prefix64(), key.prefix64());
        let mut last = end;
        while let Some(head) = self.heads[..last].last() {
            let place = last - 1;
            let precedes = nearer_by_prefix(from, head.prefix, to)
                .unwrap_or_else(|| self.at(place).is_some_and(|c| nearer(me, c.key, key)));
            if precedes {
                break;
            }
            last = place;
        }
        (0..last).rev().filter_map(|place| self.at(place))
    }

    /// Records that `contact` is the first node at or after the start of
    /// finger `index`. Returns whether the table changed.
    ///
    /// What it implies for other fingers is applied too: it is the first node
    /// for every higher finger that starts before it, and it serves each lower
    /// finger that knew only a farther node. So the contacts stay in clockwise
    /// order. A contact that lies before the finger's start is refused.
    pub(super) fn set(&mut self, me: Key, index: u32, contact: &Contact, bits: u32) -> bool {
        let far = reach(me, contact.key);
        if self.get(index).map_or(contact.key == me, |c| c == *contact) {
            return false;
        }
        let too_near = |i: u32| far < reach(me, Self::start(me, i, bits));
        if index >= bits || too_near(index) {
            return false;
        }
        self.rebuild(bits, |i, old| {
            let old_far = old.map_or(Key::MAX, |c| reach(me, c.key));
            let replace = i >= index || far < old_far;
            if !replace || too_near(i) {
                old
            } else if contact.key == me {
                None
            } else {
                Some(*contact)
            }
        });
        true
    }

    /// Forgets a contact; the next one clockwise takes over its fingers until
    /// they are refreshed. Returns whether it was there.
    pub(super) fn remove(&mut self, contact: &Contact, bits: u32) -> bool {
        let Some(place) = self.contacts().position(|c| c == *contact) else { return false };
        let next = self.at(place + 1);
        self.rebuild(bits, |_, old| if old.as_ref() == Some(contact) { next } else { old });
        true
    }

    fn rebuild(&mut self, bits: u32, change: impl Fn(u32, Option<Contact>) -> Option<Contact>) {
        let mut runs: Vec<(u32, Contact)> = Vec::with_capacity(self.heads.len() + 1);
        let mut end = bits;
        for i in 0..bits {
            match change(i, self.get(i)) {
                Some(c) if runs.last().is_some_and(|(_, last)| *last == c) => {}
                Some(c) => runs.push((i, c)),
                // Unknown fingers have no known ones above them.
                None => {
                    end = i;
                    break;
                }
            }
        }
        *self = Self::from_runs(&runs, end);
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let tails = self.tails.as_ref().map_or(0, |t| size_of::<Vec<Tail>>() + size_of_val(&***t));
        size_of_val(&*self.heads) + tails
    }
}
