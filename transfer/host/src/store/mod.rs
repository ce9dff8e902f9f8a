//! Where the content of a torrent is kept.

mod files;
mod folder;
mod memory;
mod synthetic;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, IoSliceMut};

pub use files::{Allocation, FileStore};
pub use folder::{Access, Folder};
pub use memory::MemoryStore;
pub use synthetic::SyntheticStore;

/// The content of a torrent as one range of bytes.
///
/// It is read by the event loop and written by the hash-and-write thread at the
/// same time, never in the same place. What the loop would have to wait for is
/// read by that thread first.
pub trait Store: Send + Sync + fmt::Debug {
    /// Reads `into.len()` bytes from `offset`.
    ///
    /// # Errors
    /// When they cannot be read, or were never written.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// Reads consecutive bytes from `offset` into several buffers: the blocks of
    /// one answer, with room for their headers between.
    ///
    /// # Errors
    /// As [`Store::read_at`].
    fn read_vectored_at(&self, offset: u64, into: &mut [IoSliceMut<'_>]) -> io::Result<()> {
        let mut at = offset;
        for buffer in into {
            self.read_at(at, buffer)?;
            at += buffer.len() as u64;
        }
        Ok(())
    }

    /// As [`Store::read_vectored_at`], but without waiting for a disk: returns
    /// whether the bytes were there. A store that cannot tell waits.
    ///
    /// # Errors
    /// As [`Store::read_at`].
    fn read_cached_at(&self, offset: u64, into: &mut [IoSliceMut<'_>]) -> io::Result<bool> {
        self.read_vectored_at(offset, into).map(|()| true)
    }

    /// Writes `bytes` at `offset`.
    ///
    /// # Errors
    /// When they cannot be written; [`io::ErrorKind::StorageFull`] when the disk
    /// is full.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Whether something may have been written there. A store that cannot tell
    /// says yes.
    ///
    /// # Errors
    /// When it cannot be found out.
    fn has_data(&self, offset: u64, len: u64) -> io::Result<bool> {
        let _ = (offset, len);
        Ok(true)
    }

    /// Makes sure that all that was written survives a loss of power.
    ///
    /// # Errors
    /// When it cannot be made sure.
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
