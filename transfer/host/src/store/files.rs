//! A store in the files of a folder.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::SeekFrom;
use rustix::io::Errno;
use transfer::resume::Stamp;
use transfer::{FilePart, FilePath, InfoHash, Layout};

use super::Store;
use super::folder::{Access, Folder};

/// How the room of files is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allocation {
    /// As they fill: files have their full length at once, but no blocks.
    #[default]
    Sparse,
    /// At the start: a disk that is too small shows before the first byte.
    Full,
}

/// The most files that are open at a time.
const OPEN_FILES: usize = 128;

/// Keeps the content in the files that the torrent names.
///
/// A file that is not wanted is not made. Where it shares a piece with one that
/// is, its part of that piece goes to a hidden file beside them, a sparse image
/// of the torrent that holds nothing else. A padding file reads as zeros and is
/// never made.
#[derive(Debug)]
pub struct FileStore {
    layout: Arc<Layout>,
    folder: Folder,
    allocation: Allocation,
    parts_path: FilePath,
    open: Mutex<OpenFiles>,
}

#[derive(Debug)]
struct OpenFiles {
    /// By the file's index; the part file comes last.
    handles: Vec<Option<Arc<File>>>,
    /// Those that are open, the one that was opened first at the front.
    order: VecDeque<usize>,
    /// Whether a file is kept under its own name.
    is_wanted: Vec<bool>,
    /// Files that were written to since the last sync, at first all: an earlier
    /// run may have been killed before it made them safe.
    is_dirty: Vec<bool>,
}

impl FileStore {
    /// A store below `folder`, which is made if it is missing. Files whose
    /// `wanted` is false are not made; one that is there already is used.
    ///
    /// # Errors
    /// When the folder cannot be had.
    pub fn open(
        folder: &Path,
        layout: Arc<Layout>,
        info_hash: InfoHash,
        wanted: &[bool],
        allocation: Allocation,
    ) -> io::Result<Self> {
        let folder = Folder::open(folder)?;
        let parts_path = FilePath::new([format!(".{info_hash}.parts").as_str()])
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
        let files = layout.files().len();
        let mut is_wanted = Vec::with_capacity(files);
        for (at, file) in layout.files().iter().enumerate() {
            let asked = wanted.get(at).copied().unwrap_or(true);
            is_wanted.push(asked || (!file.padding && folder.file_len(&file.path)?.is_some()));
        }
        let open = OpenFiles {
            handles: vec![None; files + 1],
            order: VecDeque::new(),
            is_wanted,
            is_dirty: vec![true; files + 1],
        };
        Ok(Self { layout, folder, allocation, parts_path, open: Mutex::new(open) })
    }

    /// Makes the wanted files in their full length. Those that are there are
    /// cut or lengthened only if `may_resize`.
    ///
    /// # Errors
    /// When a file cannot be made, or with [`Allocation::Full`] the disk is too
    /// small.
    pub fn make_files(&self, may_resize: bool) -> io::Result<()> {
        for at in 0..self.layout.files().len() {
            if self.layout.files()[at].padding || !self.lock().is_wanted[at] {
                continue;
            }
            self.make_file(at, may_resize)?;
        }
        Ok(())
    }

    fn make_file(&self, at: usize, may_resize: bool) -> io::Result<()> {
        let span = &self.layout.files()[at];
        let len = self.folder.file_len(&span.path)?;
        if len == Some(span.len) || (len.is_some() && !may_resize) {
            return Ok(());
        }
        let file = self.handle(at, Access::Create)?;
        let sized = match self.allocation {
            Allocation::Full if span.len > 0 => allocate(&file, span.len),
            _ => Ok(()),
        };
        sized.and_then(|()| file.set_len(span.len)).map_err(|error| self.name(at, &error))
    }

    /// From now on keeps a file under its own name. What of it lies in the part
    /// file is copied over.
    ///
    /// # Errors
    /// When that fails; then nothing is changed.
    pub fn want(&self, at: usize) -> io::Result<()> {
        let Some(span) = self.layout.files().get(at) else { return Ok(()) };
        if span.padding || self.lock().is_wanted[at] {
            return Ok(());
        }
        self.make_file(at, true)?;
        let pieces = self.layout.pieces_of(at);
        let edges = [pieces.start, pieces.end.saturating_sub(1)];
        if self.folder.file_len(&self.parts_path)?.is_some() && !pieces.is_empty() {
            let parts = self.handle(self.parts_index(), Access::Write)?;
            let file = self.handle(at, Access::Write)?;
            for piece in edges {
                for part in self.layout.parts_of(piece).filter(|part| part.file == at) {
                    let mut bytes = vec![0; part.len as usize];
                    let from = span.offset + part.offset;
                    match parts.read_exact_at(&mut bytes, from) {
                        Ok(()) => file.write_all_at(&bytes, part.offset)?,
                        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                        Err(error) => return Err(self.name(self.parts_index(), &error)),
                    }
                }
            }
        }
        self.lock().is_wanted[at] = true;
        Ok(())
    }

    /// The stamps of all files that are kept under their own names, and of the
    /// part file; none for one that is missing.
    ///
    /// # Errors
    /// When a file cannot be looked at.
    pub fn stamps(&self) -> io::Result<Vec<Option<Stamp>>> {
        let files = self.layout.files();
        let mut stamps = Vec::with_capacity(files.len() + 1);
        for at in 0..=files.len() {
            let is_kept = at == files.len() || (!files[at].padding && self.lock().is_wanted[at]);
            let stamp = match is_kept.then(|| self.handle(at, Access::Read)) {
                None => None,
                Some(Ok(file)) => {
                    let about = file.metadata().map_err(|error| self.name(at, &error))?;
                    let modified_ns =
                        i128::from(about.mtime()) * 1_000_000_000 + i128::from(about.mtime_nsec());
                    Some(Stamp { len: about.len(), modified_ns })
                }
                Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => None,
                Some(Err(error)) => return Err(error),
            };
            stamps.push(stamp);
        }
        Ok(stamps)
    }

    /// Whether one of the files, or the part file, is there.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn is_begun(&self) -> io::Result<bool> {
        for file in self.layout.files().iter().filter(|file| !file.padding && file.len > 0) {
            if self.folder.file_len(&file.path)?.is_some() {
                return Ok(true);
            }
        }
        Ok(self.folder.file_len(&self.parts_path)?.is_some())
    }

    /// The folder that the files are in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn lock(&self) -> MutexGuard<'_, OpenFiles> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parts_index(&self) -> usize {
        self.layout.files().len()
    }

    fn path_of(&self, at: usize) -> &FilePath {
        self.layout.files().get(at).map_or(&self.parts_path, |file| &file.path)
    }

    fn name(&self, at: usize, error: &io::Error) -> io::Error {
        let place = self.folder.path().join(self.path_of(at).as_str());
        io::Error::new(error.kind(), format!("{}: {error}", place.display()))
    }

    /// The open file, which is opened if it is not.
    fn handle(&self, at: usize, access: Access) -> io::Result<Arc<File>> {
        if let Some(file) = &self.lock().handles[at] {
            return Ok(Arc::clone(file));
        }
        let path = self.path_of(at);
        let file = match access {
            Access::Create => self.folder.open_file(path, Access::Create)?,
            // For both, since the handle is kept; a medium that only reads will do.
            Access::Read | Access::Write => match self.folder.open_file(path, Access::Write) {
                Err(error) if is_read_only(&error) => self.folder.open_file(path, Access::Read)?,
                other => other?,
            },
        };
        let file = Arc::new(file);
        let mut open = self.lock();
        if open.order.len() >= OPEN_FILES
            && let Some(oldest) = open.order.pop_front()
        {
            open.handles[oldest] = None;
        }
        if open.handles[at].replace(Arc::clone(&file)).is_none() {
            open.order.push_back(at);
        }
        Ok(file)
    }

    /// The file that holds a part, and where; none for padding.
    fn locate(&self, part: &FilePart) -> Option<(usize, u64)> {
        let span = &self.layout.files()[part.file];
        if span.padding {
            None
        } else if self.lock().is_wanted[part.file] {
            Some((part.file, part.offset))
        } else {
            Some((self.parts_index(), span.offset + part.offset))
        }
    }

    fn check_range(&self, offset: u64, len: u64) -> io::Result<()> {
        match offset.checked_add(len) {
            Some(end) if end <= self.layout.total_len() => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "beyond the end of the torrent")),
        }
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn allocate(file: &File, len: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, len) {
        // The file system cannot; then it is as with sparse files.
        Err(Errno::OPNOTSUPP) => Ok(()),
        other => other.map_err(io::Error::from),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn allocate(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

impl Store for FileStore {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.check_range(offset, into.len() as u64)?;
        let mut rest = into;
        let len = rest.len() as u64;
        for part in self.layout.parts(offset, len) {
            let (here, after) = rest.split_at_mut(part.len as usize);
            rest = after;
            match self.locate(&part) {
                None => here.fill(0),
                Some((at, place)) => self
                    .handle(at, Access::Read)?
                    .read_exact_at(here, place)
                    .map_err(|error| self.name(at, &error))?,
            }
        }
        Ok(())
    }

    fn read_vectored_at(&self, offset: u64, into: &mut [IoSliceMut<'_>]) -> io::Result<()> {
        let len: usize = into.iter().map(|buffer| buffer.len()).sum();
        let mut parts = self.layout.parts(offset, len as u64);
        // Nearly always all lies in one file and comes at once.
        if let Some(part) = parts.next()
            && part.len == len as u64
            && let Some((at, place)) = self.locate(&part)
        {
            let file = self.handle(at, Access::Read)?;
            match rustix::io::preadv(&*file, into, place) {
                Ok(read) if read == len => return Ok(()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(self.name(at, &error.into())),
            }
        }
        let mut at = offset;
        for buffer in into {
            self.read_at(at, buffer)?;
            at += buffer.len() as u64;
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn read_cached_at(&self, offset: u64, into: &mut [IoSliceMut<'_>]) -> io::Result<bool> {
        use rustix::io::ReadWriteFlags;
        let len: usize = into.iter().map(|buffer| buffer.len()).sum();
        if let Some(part) = self.layout.parts(offset, len as u64).next()
            && part.len == len as u64
            && let Some((at, place)) = self.locate(&part)
        {
            let file = self.handle(at, Access::Read)?;
            match rustix::io::preadv2(&*file, into, place, ReadWriteFlags::NOWAIT) {
                Ok(read) if read == len => return Ok(true),
                // A part of it is there, or nothing.
                Ok(1..) | Err(Errno::AGAIN) => return Ok(false),
                // The end of the file, or a file system that never waits, as one
                // in memory, or one that cannot tell.
                _ => {}
            }
        }
        self.read_vectored_at(offset, into).map(|()| true)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.check_range(offset, bytes.len() as u64)?;
        let mut rest = bytes;
        for part in self.layout.parts(offset, bytes.len() as u64) {
            let (here, after) = rest.split_at(part.len as usize);
            rest = after;
            if let Some((at, place)) = self.locate(&part) {
                let file = self.handle(at, Access::Create)?;
                file.write_all_at(here, place).map_err(|error| self.name(at, &error))?;
                self.lock().is_dirty[at] = true;
            }
        }
        Ok(())
    }

    fn has_data(&self, offset: u64, len: u64) -> io::Result<bool> {
        for part in self.layout.parts(offset, len) {
            let Some((at, place)) = self.locate(&part) else { continue };
            let file = match self.handle(at, Access::Read) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            };
            if file.metadata()?.len() < place + part.len {
                return Ok(false);
            }
            if next_data(&file, place)?.is_some_and(|data| data < place + part.len) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn sync(&self) -> io::Result<()> {
        let dirty: Vec<usize> = {
            let mut open = self.lock();
            let dirty = (0..open.is_dirty.len()).filter(|at| open.is_dirty[*at]).collect();
            open.is_dirty.fill(false);
            dirty
        };
        for at in dirty {
            if self.layout.files().get(at).is_some_and(|file| file.padding) {
                continue;
            }
            let synced = match self.handle(at, Access::Write) {
                Ok(file) => file.sync_data().map_err(|error| self.name(at, &error)),
                // It was not made, or somebody removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = synced {
                self.lock().is_dirty[at] = true;
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Where the next bytes lie that are no hole, at or after `place`.
#[cfg(any(target_os = "linux", target_os = "freebsd", target_vendor = "apple"))]
fn next_data(file: &File, place: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, SeekFrom::Data(place)) {
        Ok(at) => Ok(Some(at)),
        Err(Errno::NXIO) => Ok(None),
        // The file system does not know.
        Err(Errno::INVAL) => Ok(Some(place)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "freebsd", target_vendor = "apple")))]
fn next_data(_: &File, place: u64) -> io::Result<Option<u64>> {
    Ok(Some(place))
}
