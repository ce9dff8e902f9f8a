//! Hashes of the pieces of files on disk.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use sha1::{Digest, Sha1};
use transfer::Layout;
use transfer::metainfo::HASH_LEN;

/// The hash of a piece.
pub(crate) type Hash = [u8; HASH_LEN];

/// The most threads that hash: more than two cores' worth gain nothing where
/// the bytes come from one disk.
const MAX_THREADS: usize = 2;
/// Bytes read at once: they are hashed while they are in the core's cache.
const CHUNK: usize = 128 * 1024;
/// Bytes of pieces that a thread takes at once.
const JOB_BYTES: u32 = 4 << 20;
/// How often progress is told.
const TELL: Duration = Duration::from_millis(100);

/// What a long work is watched by.
pub struct Watch<'a> {
    /// Set by whoever wants the work to stop.
    pub cancelled: &'a AtomicBool,
    /// Told, ten times a second, how many bytes of how many are done.
    pub progress: &'a mut dyn FnMut(u64, u64),
}

/// Why hashing stopped.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The watch said so.
    Cancelled,
    /// A file, by its number, could not be read.
    Io(usize, io::Error),
}

/// What all threads share.
struct Shared<'a> {
    layout: &'a Layout,
    paths: &'a [PathBuf],
    next: AtomicU32,
    done_bytes: AtomicU64,
    /// A thread failed, and the others need not go on.
    failed: AtomicBool,
    cancelled: &'a AtomicBool,
    /// Of each piece its hash, or the file that lacks some of it.
    found: Mutex<Vec<Result<Hash, usize>>>,
}

/// The hash of every piece of the files at `paths`, which stand beside those of
/// the layout; for a piece that is not all there, the first file that lacks
/// some of it.
pub(crate) fn hash_pieces(
    layout: &Layout,
    paths: &[PathBuf],
    watch: &mut Watch<'_>,
) -> Result<Vec<Result<Hash, usize>>, Stopped> {
    let shared = Shared {
        layout,
        paths,
        next: AtomicU32::new(0),
        done_bytes: AtomicU64::new(0),
        failed: AtomicBool::new(false),
        cancelled: watch.cancelled,
        found: Mutex::new(vec![Err(0); layout.pieces() as usize]),
    };
    let threads = thread::available_parallelism().map_or(1, |n| n.get().min(MAX_THREADS));
    let outcome = thread::scope(|scope| {
        let (ended, ends) = mpsc::channel();
        for _ in 0..threads {
            let (shared, ended) = (&shared, ended.clone());
            scope.spawn(move || {
                let outcome = Hasher::new(shared).run();
                if outcome.is_err() {
                    shared.failed.store(true, Ordering::Relaxed);
                }
                // The receiver stays until every sender is gone.
                ended.send(outcome).unwrap_or_default();
            });
        }
        drop(ended);
        let mut first = Ok(());
        loop {
            match ends.recv_timeout(TELL) {
                Ok(outcome) => first = first.and(outcome),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let done = shared.done_bytes.load(Ordering::Relaxed);
                    (watch.progress)(done, layout.total_len());
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return first,
            }
        }
    });
    outcome?;
    (watch.progress)(layout.total_len(), layout.total_len());
    Ok(shared.found.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// One thread's part of the work.
struct Hasher<'a> {
    shared: &'a Shared<'a>,
    /// The file read last, where it stands, and its number.
    open: Option<(usize, u64, File)>,
    chunk: Vec<u8>,
}

impl<'a> Hasher<'a> {
    fn new(shared: &'a Shared<'a>) -> Self {
        Self { shared, open: None, chunk: vec![0; CHUNK] }
    }

    fn run(&mut self) -> Result<(), Stopped> {
        let layout = self.shared.layout;
        let step = (JOB_BYTES / layout.piece_len()).max(1);
        let mut hashes = Vec::new();
        loop {
            // As many steps as threads may be taken beyond the end.
            let first = self.shared.next.fetch_add(step, Ordering::Relaxed);
            if first >= layout.pieces() || self.shared.failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            let end = first.saturating_add(step).min(layout.pieces());
            hashes.clear();
            for piece in first..end {
                hashes.push(self.piece(piece)?);
                let size = u64::from(layout.piece_size(piece));
                self.shared.done_bytes.fetch_add(size, Ordering::Relaxed);
            }
            let mut found = self.shared.found.lock().unwrap_or_else(PoisonError::into_inner);
            found[first as usize..end as usize].copy_from_slice(&hashes);
        }
    }

    fn piece(&mut self, piece: u32) -> Result<Result<Hash, usize>, Stopped> {
        let layout = self.shared.layout;
        let mut hasher = Sha1::new();
        for part in layout.parts_of(piece) {
            let mut at = part.offset;
            let end = part.offset + part.len;
            while at < end {
                if self.shared.cancelled.load(Ordering::Relaxed) {
                    return Err(Stopped::Cancelled);
                }
                let len = (end - at).min(CHUNK as u64) as usize;
                if layout.files()[part.file].padding {
                    self.chunk[..len].fill(0);
                } else if !self.read(part.file, at, len).map_err(|e| Stopped::Io(part.file, e))? {
                    return Ok(Err(part.file));
                }
                hasher.update(&self.chunk[..len]);
                at += len as u64;
            }
        }
        Ok(Ok(hasher.finalize().into()))
    }

    /// Reads `len` bytes of a file into the chunk; `false` if it has not got
    /// them.
    fn read(&mut self, number: usize, offset: u64, len: usize) -> io::Result<bool> {
        if self.open.as_ref().is_none_or(|(open, ..)| *open != number) {
            self.open = None;
            let Some(file) = open(&self.shared.paths[number])? else { return Ok(false) };
            self.open = Some((number, 0, file));
        }
        let Some((_, at, file)) = &mut self.open else { return Ok(false) };
        if *at != offset {
            file.seek(SeekFrom::Start(offset))?;
        }
        match file.read_exact(&mut self.chunk[..len]) {
            Ok(()) => *at = offset + len as u64,
            Err(error) => {
                // Where it stands now is not known.
                self.open = None;
                let is_short = error.kind() == io::ErrorKind::UnexpectedEof;
                return if is_short { Ok(false) } else { Err(error) };
            }
        }
        Ok(true)
    }
}

/// Opens a file, if it is there. To open a pipe would wait for its writer.
fn open(path: &PathBuf) -> io::Result<Option<File>> {
    use io::ErrorKind::{NotADirectory, NotFound};
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => File::open(path).map(Some),
        Ok(_) => Err(io::Error::other("it is no file")),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}
