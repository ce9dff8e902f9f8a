//! Results as files: whole or not at all.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::document::Document;

/// Why a result could not be written.
#[derive(Debug)]
pub struct OutputError {
    /// The file that was to be written; `-` for standard output.
    pub path: PathBuf,
    /// What was being done.
    pub doing: &'static str,
    /// What the system said.
    pub source: io::Error,
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "cannot write {path}: {}: {}", self.doing, self.source)?;
        let advice = match self.source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "choose a place that you may write to"
            }
            io::ErrorKind::NotADirectory => "a file stands where the path needs a directory",
            io::ErrorKind::IsADirectory => "name a file, not a directory",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room and try again",
            _ => return Ok(()),
        };
        write!(f, " ({advice})")
    }
}

impl std::error::Error for OutputError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The document as JSON that people can read, with a newline at the end.
pub fn json(document: &Document) -> String {
    let mut text = serde_json::to_string_pretty(document)
        .expect("a document has only text keys, and numbers that are not finite become null");
    text.push('\n');
    text
}

/// Writes `contents` to the file at `path`, or to standard output for `-`.
///
/// Missing directories are made. A file is written under another name beside
/// its place and then renamed, so that a reader, or an interruption, finds the
/// old contents or the new, never a part. What is not a regular file (a pipe,
/// a device such as `/dev/stdout`) is written to directly. A reader that closes
/// standard output early, as `head` does, is no error.
///
/// # Errors
/// With the path, the step and the system's reason.
pub fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<(), OutputError> {
    let contents = contents.as_ref();
    let fail = |doing| move |source| OutputError { path: path.to_path_buf(), doing, source };
    if path == Path::new("-") {
        let mut out = io::stdout().lock();
        return match out.write_all(contents).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(fail("writing to standard output")),
        };
    }
    let Some(name) = path.file_name() else {
        let source = io::Error::from(io::ErrorKind::IsADirectory);
        return Err(fail("opening it")(source));
    };
    // A link is followed, so that the file it names is replaced, not the link.
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    match fs::metadata(&place) {
        Ok(there) if there.is_dir() => {
            return Err(fail("opening it")(io::ErrorKind::IsADirectory.into()));
        }
        Ok(there) if !there.is_file() => {
            return fs::write(&place, contents).map_err(fail("writing"));
        }
        _ => {}
    }
    if let Some(parent) = place.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(fail("making its directory"))?;
    }
    let mut temporary_name = OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(format!(".{}.part", std::process::id()));
    let temporary = place.with_file_name(temporary_name);
    let written = fill(&temporary, contents)
        .map_err(fail("writing its temporary file"))
        .and_then(|()| fs::rename(&temporary, &place).map_err(fail("moving it into place")));
    if written.is_err() {
        // Best effort: the error to report is the one that led here.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn fill(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::sample;

    /// An empty directory of this test's own.
    fn place(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("overlab-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn files_are_replaced_whole_and_leave_nothing_behind() {
        let dir = place("whole");
        let path = dir.join("new/deep/result.json");
        write(&path, "first").unwrap();
        write(&path, "second").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        let beside: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(beside.len(), 1, "{beside:?}");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn errors_name_the_path_and_the_reason() {
        let dir = place("errors");
        let error = write(&dir, "x").unwrap_err().to_string();
        assert!(error.contains(dir.to_str().unwrap()) && error.contains("not a directory"));
        let file = dir.join("file");
        fs::write(&file, "").unwrap();
        let error = write(&file.join("below"), "x").unwrap_err().to_string();
        assert!(error.contains("below") && error.contains("directory"), "{error}");
        let error = write(Path::new("/"), "x").unwrap_err().to_string();
        assert!(error.starts_with("cannot write /:"), "{error}");
        let error = write(&dir.join(".."), "x").unwrap_err().to_string();
        assert!(error.contains("directory"), "{error}");
        fs::remove_dir_all(dir).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_devices_written_to() {
        let dir = place("links");
        let (target, link) = (dir.join("target"), dir.join("link"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write(&link, "new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        write(Path::new("/dev/null"), "x").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn json_reads_back() {
        let document = sample::comparison();
        let text = json(&document);
        assert!(text.ends_with("}\n"));
        assert!(Document::from_json(&text).unwrap() == document);
    }
}
