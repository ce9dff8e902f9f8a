//! The files below a path, in an order that does not depend on the file system.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use transfer::{FileEntry, FilePath, MAX_COMPONENTS};

use crate::create::CreateError;

/// A file on disk, and what a torrent calls it.
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) entry: FileEntry,
}

/// What lies at `root`: one file, or all files of a folder sorted by their
/// paths. Links are followed. The first component of every path is the name of
/// `root` itself.
///
/// Returns whether it is one file alone, and the files.
pub(crate) fn walk(root: &Path) -> Result<(bool, Vec<Found>), CreateError> {
    // A path such as `.` has a name only once it is resolved.
    let resolved = match root.file_name() {
        Some(_) => root.to_path_buf(),
        None => root.canonicalize().map_err(|error| CreateError::io(root, error))?,
    };
    let name = resolved.file_name().ok_or_else(|| CreateError::NoName(root.to_path_buf()))?;
    let name = name.to_str().ok_or_else(|| CreateError::NotUtf8(root.to_path_buf()))?;
    let metadata = fs::metadata(root).map_err(|error| CreateError::io(root, error))?;
    if metadata.is_file() {
        let path = FilePath::new([name]).map_err(CreateError::Path)?;
        let entry = FileEntry { len: metadata.len(), path, padding: false };
        return Ok((true, vec![Found { path: root.to_path_buf(), entry }]));
    }
    let mut files = Vec::new();
    let mut folders = vec![(root.to_path_buf(), vec![name.to_string()])];
    while let Some((folder, components)) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| CreateError::io(&folder, error))?;
        for entry in entries {
            let path = entry.map_err(|error| CreateError::io(&folder, error))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| CreateError::NotUtf8(path.clone()))?;
            let components = [components.as_slice(), &[name.to_string()]].concat();
            let metadata = fs::metadata(&path).map_err(|error| CreateError::io(&path, error))?;
            if metadata.is_dir() {
                check_no_loop(&path, components.len())?;
                folders.push((path, components));
            } else if metadata.is_file() {
                let torrent_path = FilePath::new(components.iter().map(String::as_str))
                    .map_err(CreateError::Path)?;
                let entry = FileEntry { len: metadata.len(), path: torrent_path, padding: false };
                files.push(Found { path, entry });
            } else {
                return Err(CreateError::Special(path));
            }
        }
    }
    files.sort_by(|a, b| a.entry.path.components().cmp(b.entry.path.components()));
    Ok((false, files))
}

/// A link to a folder that it lies in would be followed without end.
fn check_no_loop(folder: &Path, depth: usize) -> Result<(), CreateError> {
    let io = |error: io::Error| CreateError::io(folder, error);
    if depth > MAX_COMPONENTS {
        return Err(CreateError::Loop(folder.to_path_buf()));
    }
    if !fs::symlink_metadata(folder).map_err(io)?.is_symlink() {
        return Ok(());
    }
    let target = folder.canonicalize().map_err(io)?;
    let holder = folder.parent().unwrap_or(folder).canonicalize().map_err(io)?;
    match holder.starts_with(&target) {
        true => Err(CreateError::Loop(folder.to_path_buf())),
        false => Ok(()),
    }
}
