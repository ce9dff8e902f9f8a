//! Making an `info` dictionary.

use super::Limits;
use super::error::MetainfoError;
use super::info::{HASH_LEN, Info};
use crate::bencode::{dict_with, int, list_with, string};
use crate::layout::{FileSpan, Layout};

/// What an `info` dictionary is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfoDraft {
    /// The pieces and files. The first component of every path is the
    /// torrent's name; a single file has no other.
    pub layout: Layout,
    /// Whether there is one file alone, and no folder.
    pub is_single_file: bool,
    /// The hash of each piece.
    pub hashes: Vec<[u8; HASH_LEN]>,
    /// Whether peers may come from its trackers alone (BEP 27).
    pub is_private: bool,
    /// Where it comes from, if that shall make another torrent of it.
    pub source: Option<String>,
}

impl InfoDraft {
    /// The dictionary, read back from its bytes.
    ///
    /// # Errors
    /// When it would be refused: hashes that are not as many as the pieces, or
    /// a figure beyond the default limits.
    pub fn finish(&self) -> Result<Info, MetainfoError> {
        let mut out = Vec::new();
        dict_with(&mut out, |out| self.write(out));
        Info::decode(&out, &Limits::DEFAULT)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let files = self.layout.files();
        if !self.is_single_file {
            string(out, "files");
            list_with(out, |out| files.iter().for_each(|file| write_file(out, file)));
        } else if let Some(file) = files.first() {
            string(out, "length");
            int(out, file.len as i64);
        }
        let name = files.first().and_then(|file| file.path.components().next());
        string(out, "name");
        string(out, name.unwrap_or_default());
        string(out, "piece length");
        int(out, i64::from(self.layout.piece_len()));
        string(out, "pieces");
        string(out, self.hashes.as_flattened());
        if self.is_private {
            string(out, "private");
            int(out, 1);
        }
        if let Some(source) = &self.source {
            string(out, "source");
            string(out, source);
        }
    }
}

fn write_file(out: &mut Vec<u8>, file: &FileSpan) {
    dict_with(out, |out| {
        if file.padding {
            string(out, "attr");
            string(out, "p");
        }
        string(out, "length");
        int(out, file.len as i64);
        string(out, "path");
        list_with(out, |out| file.path.components().skip(1).for_each(|part| string(out, part)));
    });
}
