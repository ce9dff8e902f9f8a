//! Which files of a torrent are wanted.

use std::io;

use transfer::Layout;

use crate::settings::Selection;

/// Whether each file is wanted.
///
/// # Errors
/// When a pattern fits no file.
pub fn wanted(layout: &Layout, selection: &Selection) -> io::Result<Vec<bool>> {
    let files = layout.files();
    let Selection::Matching(patterns) = selection else { return Ok(vec![true; files.len()]) };
    let mut wanted = vec![false; files.len()];
    for pattern in patterns {
        let mut fits = false;
        if let Some(number) = pattern.parse::<usize>().ok().filter(|number| *number > 0)
            && let Some(place) = wanted.get_mut(number - 1)
        {
            *place = true;
            fits = true;
        }
        for (file, place) in files.iter().zip(&mut wanted) {
            let path = file.path.as_str();
            let below = path.split_once('/').map_or(path, |(_, below)| below);
            if matches(pattern, path)
                || matches(pattern, below)
                || matches(pattern, file.path.file_name())
            {
                *place = true;
                fits = true;
            }
        }
        if !fits {
            let text = format!("no file fits the selection `{pattern}`");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
    }
    Ok(wanted)
}

/// Whether a text fits a pattern, in which `*` stands for anything and `?` for
/// one character.
///
/// In time of the product of both lengths, whatever the pattern.
fn matches(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // Whether the pattern so far fits the first n characters.
    let mut fits = vec![false; text.len() + 1];
    fits[0] = true;
    for wanted in pattern.chars() {
        if wanted == '*' {
            let first = fits.iter().position(|fit| *fit).unwrap_or(fits.len());
            fits[first..].fill(true);
        } else {
            for at in (0..text.len()).rev() {
                fits[at + 1] = fits[at] && (wanted == '?' || wanted == text[at]);
            }
            fits[0] = false;
        }
    }
    fits.last().copied().unwrap_or(false)
}

/// The pieces of which no file is wanted.
pub fn unwanted_pieces(layout: &Layout, wanted: &[bool]) -> Vec<u32> {
    let mut is_wanted = vec![false; layout.pieces() as usize];
    for (at, _) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted) {
        if !layout.files()[at].padding {
            for piece in layout.pieces_of(at) {
                is_wanted[piece as usize] = true;
            }
        }
    }
    (0..layout.pieces()).filter(|piece| !is_wanted[*piece as usize]).collect()
}

#[cfg(test)]
mod tests {
    use transfer::{FileEntry, FilePath};

    use super::*;

    fn layout() -> Layout {
        let entry = |path: &str, len| FileEntry {
            len,
            path: FilePath::new(path.split('/')).unwrap(),
            padding: false,
        };
        let files = vec![entry("t/a.txt", 10), entry("t/b/c.txt", 30), entry("t/d.bin", 24)];
        Layout::new(16, files).unwrap()
    }

    fn select(patterns: &[&str]) -> io::Result<Vec<bool>> {
        let patterns = patterns.iter().map(|pattern| pattern.to_string()).collect();
        wanted(&layout(), &Selection::Matching(patterns))
    }

    #[test]
    fn patterns_fit_as_people_expect() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "abc", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "acd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*.txt", "x/y.txt", true),
            ("**a**a**", "banana", true),
            ("ä?", "äö", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn files_are_chosen_by_number_path_or_pattern() {
        assert_eq!(select(&["1"]).unwrap(), [true, false, false]);
        assert_eq!(select(&["*.txt"]).unwrap(), [true, true, false]);
        assert_eq!(select(&["b/c.txt", "d.bin"]).unwrap(), [false, true, true]);
        assert!(select(&["0"]).is_err() && select(&["4"]).is_err());
        let error = select(&["1", "*.avi"]).unwrap_err();
        assert!(error.to_string().contains("*.avi"));
        assert_eq!(wanted(&layout(), &Selection::All).unwrap(), [true; 3]);
    }

    #[test]
    fn a_piece_of_two_files_is_wanted_for_either() {
        // Pieces of 16: a is in 0, b in 0 to 2, d in 2 and 3.
        assert_eq!(unwanted_pieces(&layout(), &[true, false, false]), [1, 2, 3]);
        assert_eq!(unwanted_pieces(&layout(), &[false, true, false]), [3]);
        assert_eq!(unwanted_pieces(&layout(), &[false; 3]), [0, 1, 2, 3]);
    }
}
