//! Reading a file of a torrent while it is fetched.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use transfer::Info;

use crate::client::TorrentHandle;
use crate::shared::{Phase, lock};
use crate::store::Store;

/// How far ahead of the reader pieces are fetched before all others, in bytes.
const AHEAD_BYTES: u64 = 8 << 20;

/// A file of a torrent as a stream of bytes, in order.
///
/// A read waits until its piece is there. The pieces that come next are fetched
/// first, so that a film can be watched while it is fetched; wherever the stream
/// is set to, fetching follows. All else is fetched besides.
#[derive(Debug)]
pub struct Stream {
    handle: TorrentHandle,
    info: Arc<Info>,
    store: Arc<dyn Store>,
    /// Where the file lies in the torrent.
    file: Range<u64>,
    position: u64,
    /// The pieces that were asked for last.
    window: Range<u32>,
}

impl Stream {
    /// A stream of a file, once the metadata is there: waits for it.
    ///
    /// # Errors
    /// When the torrent cannot go on, or has no such file.
    pub fn open(handle: &TorrentHandle, file: usize) -> io::Result<Self> {
        let shared = Arc::clone(&handle.shared);
        let ready = shared.wait(None, |state| match (&state.info, &state.store) {
            (Some(info), Some(store)) => Some(Ok((Arc::clone(info), Arc::clone(store)))),
            _ if matches!(state.phase, Phase::Paused | Phase::Stopped) => {
                let text =
                    state.failure.clone().unwrap_or_else(|| "the torrent was stopped".into());
                Some(Err(io::Error::other(text)))
            }
            _ => None,
        });
        let (info, store) = ready.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))?;
        let span = info.layout().files().get(file).ok_or_else(|| {
            let text = format!("there is no file {file} in {}", info.name());
            io::Error::new(io::ErrorKind::NotFound, text)
        })?;
        let file = span.offset..span.offset + span.len;
        lock(&shared.state).streams += 1;
        Ok(Self { handle: handle.clone(), info, store, file, position: 0, window: 0..0 })
    }

    /// The length of the file in bytes.
    pub fn len(&self) -> u64 {
        self.file.end - self.file.start
    }

    /// Whether the file has no byte.
    pub fn is_empty(&self) -> bool {
        self.file.is_empty()
    }

    /// Asks for the pieces from a place of the torrent on.
    fn ask_for(&mut self, at: u64) {
        let piece_len = u64::from(self.info.layout().piece_len());
        let end = (at + AHEAD_BYTES.max(piece_len)).min(self.file.end);
        let window = (at / piece_len) as u32..end.div_ceil(piece_len) as u32;
        if window != self.window {
            self.window = window.clone();
            self.handle.set_window(window);
        }
    }

    fn wait_for(&self, piece: u32) -> io::Result<()> {
        let waited = self.handle.shared.wait(None, |state| {
            if state.have.contains(piece) {
                return Some(Ok(()));
            }
            matches!(state.phase, Phase::Paused | Phase::Stopped).then(|| {
                let text =
                    state.failure.clone().unwrap_or_else(|| "the torrent was stopped".into());
                Err(io::Error::other(text))
            })
        });
        waited.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let at = self.file.start.saturating_add(self.position);
        if into.is_empty() || at >= self.file.end {
            return Ok(0);
        }
        self.ask_for(at);
        let piece_len = u64::from(self.info.layout().piece_len());
        let piece = (at / piece_len) as u32;
        self.wait_for(piece)?;
        // To the end of what is there, at most the piece's.
        let end = ((at / piece_len + 1) * piece_len).min(self.file.end);
        let len = into.len().min((end - at) as usize);
        self.store.read_at(at, &mut into[..len])?;
        self.position += len as u64;
        Ok(len)
    }
}

impl Seek for Stream {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "before the beginning of the file")
        })?;
        Ok(self.position)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = lock(&self.handle.shared.state);
        state.streams -= 1;
        if state.streams == 0 {
            drop(state);
            self.handle.set_window(0..0);
        }
    }
}
