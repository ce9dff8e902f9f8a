//! Lists of events in chunks of one size from one pool.

/// Events in a chunk. Half a chunk is what a non-empty list wastes on average,
/// and one jump per chunk is what walking it costs; 32 keeps both small.
const CHUNK: usize = 32;
/// Chunks in a slab: the pool grows by slabs, so that growing copies nothing.
const SLAB: usize = 2048;
/// No chunk.
const NONE: u32 = u32::MAX;

/// An event and the low half of its time in microseconds; the list it is on
/// determines the high half.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<T> {
    /// The time modulo 2^32.
    pub low: u32,
    /// The event.
    pub event: T,
}

/// A first-in, first-out list of entries in a pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    head: u32,
    tail: u32,
    /// Entries of the head chunk that were taken already.
    taken: u32,
    len: u32,
}

impl Chain {
    /// No entries.
    pub const EMPTY: Self = Self { head: NONE, tail: NONE, taken: 0, len: 0 };

    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.len as usize
    }
}

/// The pool of chunks. Emptied chunks are used again, the latest first, while
/// they are still in the cache.
#[derive(Debug)]
pub(super) struct Chunks<T> {
    /// Each slab is reserved whole and filled chunk by chunk, so that memory
    /// no chunk has used is never touched.
    slabs: Vec<Vec<Entry<T>>>,
    /// The chunk after each: in its chain, or in the list of free ones.
    next: Vec<u32>,
    free: u32,
}

impl<T: Copy> Chunks<T> {
    /// An empty pool.
    pub const fn new() -> Self {
        Self { slabs: Vec::new(), next: Vec::new(), free: NONE }
    }

    /// Bytes that the pool has made use of.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.slabs.iter().map(|slab| slab.len() * size_of::<Entry<T>>()).sum::<usize>()
            + self.next.len() * size_of::<u32>()
    }

    #[inline]
    fn chunk(&self, chunk: u32) -> &[Entry<T>] {
        let at = chunk as usize % SLAB * CHUNK;
        &self.slabs[chunk as usize / SLAB][at..at + CHUNK]
    }

    /// A chunk whose first entry is `first`.
    #[inline]
    fn allocate(&mut self, first: Entry<T>) -> u32 {
        let chunk = self.free;
        if chunk == NONE {
            return self.grow(first);
        }
        self.free = self.next[chunk as usize];
        self.next[chunk as usize] = NONE;
        self.slabs[chunk as usize / SLAB][chunk as usize % SLAB * CHUNK] = first;
        chunk
    }

    #[cold]
    fn grow(&mut self, first: Entry<T>) -> u32 {
        let chunk = self.next.len();
        if chunk.is_multiple_of(SLAB) {
            self.slabs.push(Vec::with_capacity(SLAB * CHUNK));
        }
        // Any entry serves to fill the chunk: what is not written is not read.
        self.slabs[chunk / SLAB].extend(std::iter::repeat_n(first, CHUNK));
        self.next.push(NONE);
        u32::try_from(chunk).expect("memory ends long before 2^32 chunks of events")
    }

    #[inline]
    fn release(&mut self, chunk: u32) {
        self.next[chunk as usize] = self.free;
        self.free = chunk;
    }

    /// Appends `entry` to `chain`.
    #[inline]
    pub fn push(&mut self, chain: &mut Chain, entry: Entry<T>) {
        let end = (chain.taken + chain.len) as usize % CHUNK;
        if end != 0 {
            let tail = chain.tail as usize;
            self.slabs[tail / SLAB][tail % SLAB * CHUNK + end] = entry;
        } else {
            let chunk = self.allocate(entry);
            if chain.len == 0 {
                chain.head = chunk;
            } else {
                self.next[chain.tail as usize] = chunk;
            }
            chain.tail = chunk;
        }
        chain.len += 1;
    }

    /// Takes the first entry of `chain`.
    #[inline]
    pub fn pop(&mut self, chain: &mut Chain) -> Option<Entry<T>> {
        if chain.len == 0 {
            return None;
        }
        let entry = self.chunk(chain.head)[chain.taken as usize];
        chain.len -= 1;
        chain.taken += 1;
        if chain.len == 0 {
            self.release(chain.head);
            *chain = Chain::EMPTY;
        } else if chain.taken as usize == CHUNK {
            let next = self.next[chain.head as usize];
            self.release(chain.head);
            chain.head = next;
            chain.taken = 0;
        }
        Some(entry)
    }

    /// The entries of `chain` in order, a chunk at a time.
    #[inline]
    pub fn slices(&self, chain: Chain) -> impl Iterator<Item = &[Entry<T>]> {
        let Chain { head: mut chunk, mut taken, mut len, .. } = chain;
        std::iter::from_fn(move || {
            if len == 0 {
                return None;
            }
            let count = len.min(CHUNK as u32 - taken);
            let slice = &self.chunk(chunk)[taken as usize..(taken + count) as usize];
            chunk = self.next[chunk as usize];
            len -= count;
            taken = 0;
            Some(slice)
        })
    }

    /// Copies out the chunk that `chain` starts with and releases it; returns
    /// the number of entries copied, 0 at the end of the chain.
    pub fn pop_chunk(&mut self, chain: &mut Chain, into: &mut Vec<Entry<T>>) -> usize {
        into.clear();
        let Some(slice) = self.slices(*chain).next() else { return 0 };
        into.extend_from_slice(slice);
        let next = self.next[chain.head as usize];
        self.release(chain.head);
        chain.len -= into.len() as u32;
        chain.taken = 0;
        chain.head = next;
        if chain.len == 0 {
            *chain = Chain::EMPTY;
        }
        into.len()
    }

    /// Releases all chunks of `chain`, whose entries have been read.
    #[inline]
    pub fn release_all(&mut self, chain: &mut Chain) {
        if chain.len != 0 {
            self.next[chain.tail as usize] = self.free;
            self.free = chain.head;
            *chain = Chain::EMPTY;
        }
    }
}
