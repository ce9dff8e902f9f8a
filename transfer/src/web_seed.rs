//! Where the files of a torrent lie on an HTTP server (BEP 19).

use crate::metainfo::Info;
use crate::percent;

/// The URL of a file of a torrent below the URL of a web seed.
///
/// Of a torrent of one file the web seed is that file, or the folder that holds
/// it if it ends in a slash. Of others it is the folder that holds the
/// torrent's own. `None` if there is no such file, or the URL is not `http` or
/// `https`.
#[must_use]
pub fn file_url(web_seed: &str, info: &Info, file: usize) -> Option<String> {
    let (scheme, _) = web_seed.split_once("://")?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let path = &info.layout().files().get(file)?.path;
    let mut url = web_seed.to_owned();
    if info.is_single_file() && !url.ends_with('/') {
        return Some(url);
    }
    for component in path.components() {
        if !url.ends_with('/') {
            url.push('/');
        }
        percent::escape(&mut url, component);
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::InfoDraft;
    use crate::{FileEntry, FilePath, Layout};

    fn info(paths: &[&str]) -> Info {
        let entry = |path: &&str| FileEntry {
            len: 10,
            path: FilePath::new(path.split('/')).unwrap(),
            padding: false,
        };
        let layout = Layout::new(16, paths.iter().map(entry).collect()).unwrap();
        let hashes = vec![[0; 20]; layout.pieces() as usize];
        let is_single_file = !paths[0].contains('/');
        InfoDraft { layout, is_single_file, hashes, is_private: false, source: None }
            .finish()
            .unwrap()
    }

    #[test]
    fn the_examples_of_the_specification() {
        let one = info(&["michael.txt"]);
        let url = |seed| file_url(seed, &one, 0);
        let file = Some("http://w.example/files/michael.txt".to_owned());
        assert_eq!(url("http://w.example/files/michael.txt"), file);
        assert_eq!(url("http://w.example/files/"), file);
        let many = info(&["michael/test1.txt", "michael/a b/ü#?.txt"]);
        let url = |seed, file| file_url(seed, &many, file);
        let first = Some("http://w.example/pub/michael/test1.txt".to_owned());
        assert_eq!(url("http://w.example/pub/", 0), first);
        assert_eq!(url("http://w.example/pub", 0), first);
        let second = "HTTPS://w.example/michael/a%20b/%C3%BC%23%3F.txt";
        assert_eq!(url("HTTPS://w.example", 1).as_deref(), Some(second));
        assert_eq!(url("http://w.example", 2), None);
        assert_eq!(url("ftp://w.example/", 0), None);
        assert_eq!(url("w.example/", 0), None);
    }
}
