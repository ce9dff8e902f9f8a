//! Which pieces of a torrent are there.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sha1::{Digest, Sha1};
use transfer::{Info, PieceSet};

use crate::resume::{self, Resumed};
use crate::select;
use crate::settings::{AddTorrent, Checking, Held, Place};
use crate::store::{FileStore, Store};

/// What was found of a torrent when it was added, or its metadata came.
#[derive(Debug)]
pub struct Found {
    /// What is shared.
    pub info: Arc<Info>,
    /// Where it is kept.
    pub store: Arc<dyn Store>,
    /// The same, if it is kept in files.
    pub files: Option<Arc<FileStore>>,
    /// Which files are wanted.
    pub wanted: Vec<bool>,
    /// The pieces that are there.
    pub have: PieceSet,
    /// Whether a fast-resume file said so, at least of some of them.
    pub resumed: bool,
}

/// Hashes all pieces that may be there, but those that are `known` to be, and
/// returns those that are.
///
/// # Errors
/// When the store fails otherwise than by what is missing.
pub fn check(
    info: &Info,
    store: &dyn Store,
    known: &PieceSet,
    threads: usize,
) -> io::Result<PieceSet> {
    let pieces = info.layout().pieces();
    let next = AtomicU32::new(0);
    let work = || -> io::Result<Vec<u32>> {
        let mut good = Vec::new();
        let mut buffer = Vec::new();
        let mut zeros = Zeros::default();
        loop {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= pieces {
                return Ok(good);
            }
            if known.contains(piece) || is_good(info, store, piece, &mut buffer, &mut zeros)? {
                good.push(piece);
            }
        }
    };
    let found: Vec<io::Result<Vec<u32>>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mine = work();
        let theirs = workers.into_iter().map(|worker| {
            worker.join().unwrap_or_else(|_| Err(io::Error::other("a checking thread panicked")))
        });
        std::iter::once(mine).chain(theirs).collect()
    });
    let mut have = PieceSet::empty(pieces);
    for good in found {
        for piece in good? {
            have.insert(piece);
        }
    }
    Ok(have)
}

/// Whether a piece is there and has the hash that it must have.
fn is_good(
    info: &Info,
    store: &dyn Store,
    piece: u32,
    buffer: &mut Vec<u8>,
    zeros: &mut Zeros,
) -> io::Result<bool> {
    let layout = info.layout();
    let (offset, len) = (layout.piece_offset(piece), layout.piece_size(piece) as usize);
    let Some(expected) = info.hash(piece) else { return Ok(false) };
    // A hole reads as zeros, which may be what belongs there.
    if !store.has_data(offset, len as u64)? && *expected != zeros.hash(len) {
        return Ok(false);
    }
    buffer.resize(len, 0);
    match store.read_at(offset, &mut buffer[..len]) {
        Ok(()) => {}
        Err(error) if is_missing(&error) => return Ok(false),
        Err(error) => return Err(error),
    }
    Ok(<[u8; 20]>::from(Sha1::digest(&buffer[..len])) == *expected)
}

/// The hash of a piece of zeros, of the length that was asked for last.
#[derive(Default)]
struct Zeros {
    len: usize,
    hash: [u8; 20],
}

impl Zeros {
    fn hash(&mut self, len: usize) -> [u8; 20] {
        if self.len != len {
            *self = Self { len, hash: Sha1::digest(vec![0; len]).into() };
        }
        self.hash
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
}

/// Opens the store of a torrent and finds out which pieces are there.
///
/// # Errors
/// When the store cannot be had or read.
pub fn look_for(setup: &AddTorrent, info: Arc<Info>) -> io::Result<Found> {
    let wanted = select::wanted(info.layout(), &setup.selection)?;
    let pieces = info.layout().pieces();
    match &setup.place {
        Place::Store(store, held) => {
            let have = match held {
                Held::Nothing => PieceSet::empty(pieces),
                Held::All => PieceSet::full(pieces),
            };
            let store = Arc::clone(store);
            Ok(Found { info, store, files: None, wanted, have, resumed: false })
        }
        Place::Folder(folder) => {
            let layout = Arc::new(info.layout().clone());
            let store =
                FileStore::open(folder, layout, info.info_hash(), &wanted, setup.allocation)?;
            let store = Arc::new(store);
            let (have, resumed) = match (setup.checking, store.is_begun()?) {
                (Checking::TrustAll, _) => (PieceSet::full(pieces), false),
                (_, false) => (PieceSet::empty(pieces), false),
                (Checking::Auto, true) => match resume::load(&store, &info) {
                    Some(Resumed::All(have)) => (have, true),
                    Some(Resumed::Some(have)) => (hash_rest(&info, &*store, &have)?, true),
                    None => (hash_all(&info, &store)?, false),
                },
                (Checking::Always, true) => (hash_all(&info, &store)?, false),
            };
            if !have.is_full() {
                store.make_files(true)?;
            }
            Ok(Found { info, store: store.clone(), files: Some(store), wanted, have, resumed })
        }
    }
}

/// Hashes all pieces. When all are there, it is noted for the next time.
fn hash_all(info: &Info, files: &FileStore) -> io::Result<PieceSet> {
    let begun_ns = resume::now_ns();
    let before = files.stamps()?;
    let have = hash_rest(info, files, &PieceSet::empty(info.layout().pieces()))?;
    if have.is_full()
        && let Err(error) = resume::save_hashed(files, info.info_hash(), &have, before, begun_ns)
    {
        // Such as in a folder that can only be read: then it is hashed each time.
        tracing::info!("the fast-resume file: {error}");
    }
    Ok(have)
}

fn hash_rest(info: &Info, store: &dyn Store, known: &PieceSet) -> io::Result<PieceSet> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    check(info, store, known, threads)
}
