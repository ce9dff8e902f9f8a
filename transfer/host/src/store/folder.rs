//! A folder that nothing leaves.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Mode, OFlags, RawMode};
use rustix::io::Errno;
use transfer::FilePath;

/// The folder of a download, and the only way to its files.
///
/// A path is walked component by component from the open folder and no symbolic
/// link is followed below it. So neither a name in a torrent nor a link that
/// somebody has put there, at whatever moment, leads out of the folder.
#[derive(Debug)]
pub struct Folder {
    handle: OwnedFd,
    path: PathBuf,
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To read; it must be there.
    Read,
    /// To read and write; it must be there.
    Write,
    /// To read and write; it is made if it is missing, with its folders.
    Create,
}

const FILE_MODE: RawMode = 0o666;
const FOLDER_MODE: RawMode = 0o777;

impl Folder {
    /// Opens a folder, and makes it first if it is missing.
    ///
    /// # Errors
    /// When it cannot be made or opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path).map_err(|error| describe(path, "", error))?;
        Self::open_existing(path)
    }

    /// Opens a folder that is there.
    ///
    /// # Errors
    /// When it is not, or cannot be opened.
    pub fn open_existing(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = fs::open(path, flags, Mode::empty())
            .map_err(|error| describe(path, "", error.into()))?;
        Ok(Self { handle, path: path.to_path_buf() })
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file in it.
    ///
    /// # Errors
    /// When it cannot be opened, also since a component is a symbolic link.
    pub fn open_file(&self, path: &FilePath, access: Access) -> io::Result<File> {
        self.try_open(path, access).map_err(|error| self.explain(path, error))
    }

    /// The length of a file, or none if there is no file.
    ///
    /// # Errors
    /// When it cannot be found out.
    pub fn file_len(&self, path: &FilePath) -> io::Result<Option<u64>> {
        match self.try_open(path, Access::Read) {
            Ok(file) => Ok(Some(file.metadata()?.len())),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.explain(path, error)),
        }
    }

    /// Gives a file directly in the folder the name of another, which it
    /// replaces, and makes sure that this survives a loss of power.
    ///
    /// # Errors
    /// When it cannot.
    pub fn rename(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        fs::renameat(&self.handle, from.as_str(), &self.handle, to.as_str())
            .and_then(|()| fs::fsync(&self.handle))
            .map_err(|error| describe(&self.path, to.as_str(), error.into()))
    }

    /// Removes a file directly in the folder.
    ///
    /// # Errors
    /// When it cannot.
    pub fn remove(&self, path: &FilePath) -> io::Result<()> {
        fs::unlinkat(&self.handle, path.as_str(), AtFlags::empty())
            .map_err(|error| describe(&self.path, path.as_str(), error.into()))
    }

    fn try_open(&self, path: &FilePath, access: Access) -> Result<File, Errno> {
        let mut parent: Option<OwnedFd> = None;
        let mut components = path.components().peekable();
        while let Some(name) = components.next() {
            let at = parent.as_ref().unwrap_or(&self.handle);
            if components.peek().is_some() {
                let next = step(at, name, access)?;
                parent = Some(next);
            } else {
                return leaf(at, name, access).map(File::from);
            }
        }
        Err(Errno::INVAL)
    }

    fn explain(&self, path: &FilePath, error: Errno) -> io::Error {
        if error == Errno::LOOP || (error == Errno::NOTDIR && self.has_link(path)) {
            let text = format!(
                "{}: a symbolic link below {}, which is not followed",
                path.as_str(),
                self.path.display()
            );
            return io::Error::new(io::ErrorKind::PermissionDenied, text);
        }
        describe(&self.path, path.as_str(), error.into())
    }

    /// Whether the path goes through a symbolic link; only for the message.
    fn has_link(&self, path: &FilePath) -> bool {
        let mut parent: Option<OwnedFd> = None;
        for name in path.components() {
            let at = parent.as_ref().unwrap_or(&self.handle);
            let Ok(stat) = fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW) else { return false };
            if fs::FileType::from_raw_mode(stat.st_mode) == fs::FileType::Symlink {
                return true;
            }
            let Ok(next) = step(at, name, Access::Read) else { return false };
            parent = Some(next);
        }
        false
    }
}

fn step(at: &OwnedFd, name: &str, access: Access) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match fs::openat(at, name, flags, Mode::empty()) {
        Err(Errno::NOENT) if access == Access::Create => {
            match fs::mkdirat(at, name, Mode::from_raw_mode(FOLDER_MODE)) {
                Ok(()) | Err(Errno::EXIST) => fs::openat(at, name, flags, Mode::empty()),
                Err(error) => Err(error),
            }
        }
        other => other,
    }
}

fn leaf(at: &OwnedFd, name: &str, access: Access) -> Result<OwnedFd, Errno> {
    // Without NONBLOCK a pipe of that name would hold the thread for ever.
    let common = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let flags = match access {
        Access::Read => OFlags::RDONLY,
        Access::Write => OFlags::RDWR,
        Access::Create => OFlags::RDWR | OFlags::CREATE,
    };
    let file = fs::openat(at, name, flags | common, Mode::from_raw_mode(FILE_MODE))?;
    let kind = fs::FileType::from_raw_mode(fs::fstat(&file)?.st_mode);
    match kind {
        fs::FileType::RegularFile => Ok(file),
        fs::FileType::Directory => Err(Errno::ISDIR),
        _ => Err(Errno::NXIO),
    }
}

fn describe(folder: &Path, path: &str, error: io::Error) -> io::Error {
    let place = if path.is_empty() { folder.to_path_buf() } else { folder.join(path) };
    io::Error::new(error.kind(), format!("{}: {error}", place.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn path(text: &str) -> FilePath {
        FilePath::new(text.split('/')).unwrap()
    }

    #[test]
    fn files_are_made_with_their_folders() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().join("new/deep")).unwrap();
        assert_eq!(folder.file_len(&path("a/b/c")).unwrap(), None);
        assert!(folder.open_file(&path("a/b/c"), Access::Write).is_err());
        folder.open_file(&path("a/b/c"), Access::Create).unwrap();
        assert_eq!(folder.file_len(&path("a/b/c")).unwrap(), Some(0));
        let error = folder.open_file(&path("a/b"), Access::Create).unwrap_err();
        assert!(error.to_string().contains("a/b"), "{error}");
    }

    #[test]
    fn no_symbolic_link_is_followed() {
        let place = tempfile::tempdir().unwrap();
        let outside = place.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("secret"), b"secret").unwrap();
        let inside = place.path().join("inside");
        let folder = Folder::open(&inside).unwrap();
        symlink(&outside, inside.join("folder")).unwrap();
        symlink(outside.join("secret"), inside.join("file")).unwrap();
        symlink(outside.join("new"), inside.join("dangling")).unwrap();
        for (name, access) in [
            ("folder/secret", Access::Read),
            ("folder/new", Access::Create),
            ("file", Access::Read),
            ("file", Access::Create),
            ("dangling", Access::Create),
        ] {
            let error = folder.open_file(&path(name), access).unwrap_err();
            assert!(error.to_string().contains("symbolic link"), "{name}: {error}");
        }
        assert!(!outside.join("new").exists());
    }

    #[test]
    fn the_folder_itself_may_be_a_link() {
        let place = tempfile::tempdir().unwrap();
        let real = place.path().join("real");
        std::fs::create_dir(&real).unwrap();
        symlink(&real, place.path().join("link")).unwrap();
        let folder = Folder::open(&place.path().join("link")).unwrap();
        folder.open_file(&path("a"), Access::Create).unwrap();
        assert!(real.join("a").exists());
    }
}
