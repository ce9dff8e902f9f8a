//! The event queue: a hierarchical timing wheel.
//!
//! A time in microseconds is read as four digits: its *era* (the high 32
//! bits, 71.6 minutes each), its *slot* in the era (10 bits, 4.19 s each), its
//! *bucket* in the slot (10 bits, 4.1 ms each) and its *tick* in the bucket (12
//! bits). One bucket is open; events are popped from it. An event is filed by
//! the highest digit in which it differs from the open bucket, and moves down
//! when the wheel gets there: an era is spread over the slots, a slot over the
//! buckets, and a bucket is sorted by tick as it opens.
//!
//! Events at one time come out in the order in which they were pushed, though
//! no order is stored: every list keeps it, spreading is stable, so is the
//! sort, and a list is spread before anything can be pushed past it.
//!
//! A binary heap moves log n entries per event through a cache that they do
//! not fit; here an event is copied two or three times, whatever n is.

mod chunks;
mod level;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use overlays::Time;

use chunks::{Chain, Chunks, Entry};
use level::Level;

// A bucket is as wide as a bitmap of ticks allows, so that even a small network
// has dozens of events in it: what opening it costs is shared among them, and
// their memory is fetched ahead.
const TICK_BITS: u32 = 12;
const BUCKET_BITS: u32 = 10;
const SLOT_BITS: u32 = 10;
const TICKS: usize = 1 << TICK_BITS;
const BUCKETS: usize = 1 << BUCKET_BITS;
const SLOTS: usize = 1 << SLOT_BITS;
/// Buckets that differ in less than this lie in one slot,
const BUCKET_END: u64 = 1 << BUCKET_BITS;
/// and in less than this in one era.
const SLOT_END: u64 = 1 << (BUCKET_BITS + SLOT_BITS);

/// Below this size, the library's sort beats counting ticks.
const COUNTING_SORT_FROM: usize = 1024;

/// Events ordered by time and, at one time, by the order of being pushed.
#[derive(Debug)]
pub struct EventQueue<T> {
    /// The open bucket: the time of its events without the tick.
    open: u64,
    /// What the bucket held when it opened, in the order of being pushed.
    opened: Vec<Entry<T>>,
    /// The order of `opened`: places are sorted, since they are a quarter of
    /// the size of events.
    order: Vec<Place>,
    /// How many of `order` were popped.
    popped: usize,
    /// What was pushed into the bucket after it opened, by tick.
    late: Level<TICKS>,
    late_len: usize,
    /// The other buckets of the open slot.
    buckets: Level<BUCKETS>,
    /// The other slots of the open era.
    slots: Level<SLOTS>,
    /// The later eras.
    eras: BTreeMap<u32, Chain>,
    pool: Chunks<T>,
    scratch: Vec<Entry<T>>,
    len: usize,
    now: Time,
    /// The first time outside the open bucket, if it was asked for since the
    /// bucket opened.
    peeked: Option<Time>,
}

impl<T: Copy> Default for EventQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Copy> EventQueue<T> {
    /// An empty queue at time zero.
    pub fn new() -> Self {
        Self {
            open: 0,
            opened: Vec::new(),
            order: Vec::new(),
            popped: 0,
            late: Level::new(),
            late_len: 0,
            buckets: Level::new(),
            slots: Level::new(),
            eras: BTreeMap::new(),
            pool: Chunks::new(),
            scratch: Vec::new(),
            len: 0,
            now: Time::ZERO,
            peeked: None,
        }
    }

    /// How many events there are.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no event.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an event, behind all that are there for the same time.
    ///
    /// `at` must not lie before the last event popped; if it does, the event
    /// happens at that time.
    #[inline]
    pub fn push(&mut self, at: Time, event: T) {
        debug_assert!(at >= self.now, "an event at {at} is pushed at {}", self.now);
        let at = at.max(self.now);
        self.len += 1;
        let low = at.as_us() as u32;
        let entry = Entry { low, event };
        let pool = &mut self.pool;
        match at.as_us() >> TICK_BITS ^ self.open {
            0 => {
                self.late_len += 1;
                self.late.push(pool, low, entry);
                return;
            }
            1..BUCKET_END => self.buckets.push(pool, low >> TICK_BITS, entry),
            BUCKET_END..SLOT_END => self.slots.push(pool, low >> (TICK_BITS + BUCKET_BITS), entry),
            _ => {
                let era = (at.as_us() >> 32) as u32;
                pool.push(self.eras.entry(era).or_insert(Chain::EMPTY), entry);
            }
        }
        if let Some(first) = &mut self.peeked {
            *first = at.min(*first);
        }
    }

    /// Takes the first event and its time.
    #[inline]
    pub fn pop(&mut self) -> Option<(Time, T)> {
        self.pop_until(Time::NEVER)
    }

    /// Takes the first event and its time, unless that lies after `until`.
    #[inline]
    pub fn pop_until(&mut self, until: Time) -> Option<(Time, T)> {
        loop {
            let sorted = self.order.get(self.popped);
            let (tick, is_late) = match (sorted.map(|place| place.tick), self.first_late()) {
                // What was there when the bucket opened was pushed earlier,
                // and so goes first among equals.
                (Some(tick), Some(late)) if late < tick => (late, true),
                (Some(tick), _) => (tick, false),
                (None, Some(late)) => (late, true),
                (None, None) => {
                    if !self.next_is_due(until) || !self.open_next() {
                        return None;
                    }
                    continue;
                }
            };
            let at = self.time_of(tick);
            if at > until {
                return None;
            }
            let event = if is_late {
                self.late_len -= 1;
                self.late.pop(&mut self.pool, tick)?.event
            } else {
                self.popped += 1;
                self.opened[sorted?.index as usize].event
            };
            self.len -= 1;
            self.now = at;
            return Some((at, event));
        }
    }

    /// The time of the first event. It stays, and earlier ones may be pushed
    /// still.
    #[inline]
    pub fn next_time(&mut self) -> Option<Time> {
        let sorted = self.order.get(self.popped).map(|place| place.tick);
        let tick = match (sorted, self.first_late()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if let Some(tick) = tick {
            return Some(self.time_of(tick));
        }
        if self.peeked.is_none() {
            self.peeked = self.peek_closed();
        }
        self.peeked
    }

    /// The event that is popped after `ahead` others, if it waits in the open
    /// bucket and nothing is pushed before it: a hint for fetching its node's
    /// state into the cache early.
    #[inline]
    pub fn upcoming(&self, ahead: usize) -> Option<&T> {
        let place = self.order.get(self.popped + ahead)?;
        Some(&self.opened[place.index as usize].event)
    }

    /// Whether the first event outside the open bucket comes by `until`.
    fn next_is_due(&mut self, until: Time) -> bool {
        // Mostly the whole next bucket does, and nothing need be looked at.
        let slot = self.open >> BUCKET_BITS << BUCKET_BITS;
        let due = self
            .buckets
            .first()
            .is_some_and(|bucket| (slot | u64::from(bucket)) < until.as_us() >> TICK_BITS);
        due || self.next_time().is_some_and(|at| at <= until)
    }

    #[inline]
    fn first_late(&self) -> Option<u32> {
        if self.late_len == 0 { None } else { self.late.first() }
    }

    /// The time of a tick of the open bucket.
    #[inline]
    const fn time_of(&self, tick: u32) -> Time {
        Time::from_us(self.open << TICK_BITS | tick as u64)
    }

    /// The first time outside the open bucket. Nothing is opened for it: then
    /// an earlier event could not be pushed any more.
    fn peek_closed(&self) -> Option<Time> {
        let (era, chain) = if let Some(bucket) = self.buckets.first() {
            (self.open >> (SLOT_BITS + BUCKET_BITS), self.buckets.chain(bucket))
        } else if let Some(slot) = self.slots.first() {
            (self.open >> (SLOT_BITS + BUCKET_BITS), self.slots.chain(slot))
        } else {
            let (era, chain) = self.eras.first_key_value()?;
            (u64::from(*era), *chain)
        };
        let low = self.pool.slices(chain).flatten().map(|entry| entry.low).min()?;
        Some(Time::from_us(era << 32 | u64::from(low)))
    }

    /// Opens the first bucket that holds anything; false if none does.
    fn open_next(&mut self) -> bool {
        self.peeked = None;
        let mut slot = self.open >> BUCKET_BITS;
        let mut first = self.buckets.first();
        if first.is_none() {
            let mut next = self.slots.first();
            if next.is_none() {
                let Some((era, chain)) = self.eras.pop_first() else { return false };
                slot = u64::from(era) << SLOT_BITS;
                self.spread_era(chain);
                next = self.slots.first();
            }
            let next = next.expect("an era in the map has events");
            slot = slot >> SLOT_BITS << SLOT_BITS | u64::from(next);
            self.spread_slot(next);
            first = self.buckets.first();
        }
        let bucket = first.expect("an occupied slot has events");
        self.open = slot << BUCKET_BITS | u64::from(bucket);
        let chain = self.buckets.take(bucket);
        self.sort(chain);
        true
    }

    /// Spreads an era over its slots, chunk by chunk, so that the chunks it
    /// leaves take in what it becomes.
    fn spread_era(&mut self, mut chain: Chain) {
        while self.pool.pop_chunk(&mut chain, &mut self.scratch) > 0 {
            for entry in &self.scratch {
                let slot = entry.low >> (TICK_BITS + BUCKET_BITS);
                self.slots.push(&mut self.pool, slot, *entry);
            }
        }
    }

    /// Spreads a slot over its buckets.
    fn spread_slot(&mut self, slot: u32) {
        let mut chain = self.slots.take(slot);
        while self.pool.pop_chunk(&mut chain, &mut self.scratch) > 0 {
            for entry in &self.scratch {
                self.buckets.push(&mut self.pool, entry.low >> TICK_BITS, *entry);
            }
        }
    }

    /// Moves a bucket's events into `opened`, and brings their places in order:
    /// by tick and, within a tick, as they were pushed.
    fn sort(&mut self, mut chain: Chain) {
        self.popped = 0;
        self.opened.clear();
        self.order.clear();
        // One huge bucket must not hold its memory for the rest of the run.
        self.opened.shrink_to(chain.len().max(1 << 16));
        self.order.shrink_to(chain.len().max(1 << 16));
        for slice in self.pool.slices(chain) {
            self.opened.extend_from_slice(slice);
        }
        self.pool.release_all(&mut chain);
        let place = |(index, e): (usize, &Entry<T>)| Place { tick: e.tick(), index: index as u32 };
        let places = self.opened.iter().enumerate().map(place);
        if self.opened.len() < COUNTING_SORT_FROM {
            self.order.extend(places);
            self.order.sort_unstable();
        } else {
            counting_sort(places, &mut self.order);
        }
    }
}

/// Where the event stands that is due at a tick. Ordered by tick, then by the
/// place: no two are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    tick: u32,
    index: u32,
}

fn counting_sort(places: impl ExactSizeIterator<Item = Place> + Clone, into: &mut Vec<Place>) {
    // First how many events each tick has, then where the next one goes.
    let mut next = [0_u32; TICKS];
    into.resize(places.len(), Place::default());
    for place in places.clone() {
        next[place.tick as usize] += 1;
    }
    let mut start = 0;
    for count in &mut next {
        start += std::mem::replace(count, start);
    }
    for place in places {
        let at = &mut next[place.tick as usize];
        into[*at as usize] = place;
        *at += 1;
    }
}

impl<T> Entry<T> {
    #[inline]
    const fn tick(&self) -> u32 {
        self.low % TICKS as u32
    }
}
