//! A store in memory.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use super::Store;

/// Keeps the content in memory: for tests, and for small things that need no
/// file.
#[derive(Debug)]
pub struct MemoryStore {
    bytes: RwLock<Vec<u8>>,
    /// From here on writes fail as on a full disk.
    full_at: AtomicU64,
}

impl MemoryStore {
    /// An empty store of `len` bytes.
    pub fn new(len: usize) -> Self {
        Self::with_content(vec![0; len])
    }

    /// A store with content.
    pub fn with_content(bytes: Vec<u8>) -> Self {
        Self { bytes: RwLock::new(bytes), full_at: AtomicU64::new(u64::MAX) }
    }

    /// A store whose disk is full from that offset on.
    pub fn full_at(len: usize, offset: u64) -> Self {
        Self { full_at: AtomicU64::new(offset), ..Self::new(len) }
    }

    /// From now on nothing is full.
    pub fn make_room(&self) {
        self.full_at.store(u64::MAX, Ordering::Relaxed);
    }

    /// A copy of the content.
    pub fn content(&self) -> Vec<u8> {
        self.bytes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "beyond the end of the content")
}

impl Store for MemoryStore {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes.read().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).map_err(|_| outside())?;
        let end = start.checked_add(into.len()).ok_or_else(outside)?;
        into.copy_from_slice(bytes.get(start..end).ok_or_else(outside)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if offset + bytes.len() as u64 > self.full_at.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut content = self.bytes.write().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).map_err(|_| outside())?;
        let end = start.checked_add(bytes.len()).ok_or_else(outside)?;
        content.get_mut(start..end).ok_or_else(outside)?.copy_from_slice(bytes);
        Ok(())
    }
}
