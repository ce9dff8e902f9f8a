//! Memory of the pieces that are being received.

/// A buffer for one whole piece.
///
/// Blocks are received straight into it, it is hashed and written from it, and
/// then it is used again: in the steady state a download allocates nothing.
#[derive(Debug)]
pub struct PieceBuffer {
    bytes: Vec<u8>,
}

impl PieceBuffer {
    /// The bytes of the piece.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of the piece, to receive into.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

/// The piece buffers of a process: those that came back are used again.
#[derive(Debug)]
pub struct BufferPool {
    free: Vec<Vec<u8>>,
    in_use_bytes: usize,
    limit_bytes: usize,
}

impl BufferPool {
    /// A pool that keeps up to `limit_bytes` for use.
    pub fn new(limit_bytes: usize) -> Self {
        Self { free: Vec::new(), in_use_bytes: 0, limit_bytes }
    }

    /// A buffer of `len` bytes. How many are out is bounded by the sessions, each
    /// of which begins no more pieces than its open bytes allow.
    pub fn take(&mut self, len: usize) -> PieceBuffer {
        self.in_use_bytes += len;
        let kept = self.free.iter().rposition(|bytes| bytes.capacity() >= len);
        let mut bytes = match kept {
            Some(at) => self.free.swap_remove(at),
            None => {
                // Only buffers of another, shorter piece length are left: their
                // memory counts no longer, so it goes.
                self.free.clear();
                Vec::new()
            }
        };
        bytes.resize(len, 0);
        PieceBuffer { bytes }
    }

    /// Takes a buffer back.
    pub fn give(&mut self, buffer: PieceBuffer) {
        self.in_use_bytes -= buffer.bytes.len();
        let kept: usize = self.free.iter().map(Vec::capacity).sum();
        if kept + self.in_use_bytes + buffer.bytes.capacity() <= self.limit_bytes {
            self.free.push(buffer.bytes);
        }
    }

    /// The bytes of all buffers that are out.
    #[cfg(test)]
    fn in_use_bytes(&self) -> usize {
        self.in_use_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_used_again_up_to_the_limit() {
        let mut pool = BufferPool::new(100);
        let first = pool.take(60);
        let address = first.bytes().as_ptr();
        pool.give(first);
        let again = pool.take(60);
        assert_eq!(again.bytes().as_ptr(), address);
        let beyond = pool.take(60);
        assert_eq!(pool.in_use_bytes(), 120);
        pool.give(beyond);
        assert!(pool.free.is_empty(), "more than the limit is not kept");
        pool.give(again);
        assert_eq!((pool.in_use_bytes(), pool.free.len()), (0, 1));
    }

    #[test]
    fn another_length_gets_its_own_buffers() {
        let mut pool = BufferPool::new(100);
        let short = pool.take(10);
        pool.give(short);
        let long = pool.take(90);
        assert_eq!(long.bytes().len(), 90);
        pool.give(long);
        let shorter = pool.take(5);
        assert_eq!(shorter.bytes().len(), 5);
    }
}
