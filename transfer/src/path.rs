//! Names of files in a torrent, safe on every file system.
//!
//! A torrent comes from a stranger, and its paths decide where bytes are
//! written. So the rules are the same everywhere, not those of the machine that
//! happens to read it, and a path that breaks one is refused, never repaired.
//! Whole components are checked: `foo... bar` is a good name, `..` is none.

use core::fmt;

/// The most bytes of a component, what common file systems take.
pub const MAX_COMPONENT_BYTES: usize = 255;
/// The most bytes of a whole path.
pub const MAX_PATH_BYTES: usize = 4096;
/// The most components of a path.
pub const MAX_COMPONENTS: usize = 100;

/// Devices that a name opens in any folder on Windows, also with an extension.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
/// The same, with a digit behind.
const NUMBERED_DEVICES: [&str; 2] = ["COM", "LPT"];

/// A relative path of one or more components, each of them harmless.
///
/// Its text joins them by `/`, and no component contains one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(Box<str>);

/// Why a path was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError {
    /// The path as far as it can be shown, its components joined by `/`.
    pub path: String,
    /// The rule that it breaks.
    pub rule: PathRule,
}

/// The rules that a path can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathRule {
    /// No component at all, or an empty one (which an absolute path begins with).
    Empty,
    /// A component of nothing but dots and spaces, such as `..`.
    Dots,
    /// A separator (`/` or `\`) within a component.
    Separator,
    /// A NUL or another control character.
    Control,
    /// A drive such as `C:`.
    Drive,
    /// A device name of Windows, such as `NUL` or `com1.txt`.
    Device,
    /// A component over [`MAX_COMPONENT_BYTES`], or a path over
    /// [`MAX_PATH_BYTES`] or [`MAX_COMPONENTS`].
    TooLong,
    /// Not UTF-8.
    NotUtf8,
}

impl FilePath {
    /// The path of these components.
    ///
    /// # Errors
    /// When a component or the whole breaks a rule.
    pub fn new<'a>(components: impl IntoIterator<Item = &'a str>) -> Result<Self, PathError> {
        let mut path = String::new();
        let mut broken = None;
        let mut count = 0;
        for component in components {
            count += 1;
            if count > 1 {
                path.push('/');
            }
            // What is shown of a refused path stays short too.
            if count > MAX_COMPONENTS || path.len() + component.len() > MAX_PATH_BYTES {
                path.push('…');
                broken = broken.or(Some(PathRule::TooLong));
                break;
            }
            path.push_str(component);
            broken = broken.or_else(|| broken_rule(component));
        }
        match broken.or((count == 0).then_some(PathRule::Empty)) {
            Some(rule) => Err(PathError { path, rule }),
            None => Ok(Self(path.into())),
        }
    }

    /// The components joined by `/`.
    pub const fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, at least one.
    pub fn components(&self) -> core::str::Split<'_, char> {
        self.0.split('/')
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// A text that is equal for paths that some file system holds for the
    /// same: those that ignore case, and those that drop dots and spaces at the
    /// end of a name. The separator is a NUL, so that the order of these texts
    /// lists a folder directly before all that lies in it.
    pub fn folded(&self) -> String {
        let mut folded = String::with_capacity(self.0.len());
        for (i, component) in self.components().enumerate() {
            if i > 0 {
                folded.push('\0');
            }
            let kept = component.trim_end_matches(['.', ' ']);
            folded.extend(kept.chars().flat_map(char::to_lowercase));
        }
        folded
    }
}

impl AsRef<str> for FilePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The first rule that a component breaks.
fn broken_rule(component: &str) -> Option<PathRule> {
    let bytes = component.as_bytes();
    if bytes.is_empty() {
        Some(PathRule::Empty)
    } else if bytes.len() > MAX_COMPONENT_BYTES {
        Some(PathRule::TooLong)
    } else if bytes.iter().any(|b| matches!(b, b'/' | b'\\')) {
        Some(PathRule::Separator)
    } else if bytes.iter().any(u8::is_ascii_control) {
        Some(PathRule::Control)
    } else if bytes.iter().all(|b| matches!(b, b'.' | b' ')) {
        Some(PathRule::Dots)
    } else if bytes.len() > 1 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' {
        Some(PathRule::Drive)
    } else if is_device(component) {
        Some(PathRule::Device)
    } else {
        None
    }
}

/// Whether the name, without its extension, opens a device on Windows.
fn is_device(component: &str) -> bool {
    let stem = component.split(['.', ':']).next().unwrap_or_default().trim_end_matches(' ');
    if DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)) {
        return true;
    }
    let Some((name, digit)) = stem.split_at_checked(3) else { return false };
    // Windows counts superscript digits as well.
    let is_numbered = matches!(digit, "¹" | "²" | "³")
        || (digit.len() == 1 && digit.as_bytes()[0].is_ascii_digit());
    is_numbered && NUMBERED_DEVICES.iter().any(|device| name.eq_ignore_ascii_case(device))
}

impl fmt::Display for PathRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a part of the path is empty",
            Self::Dots => "a part of the path is nothing but dots",
            Self::Separator => "a part of the path contains a separator",
            Self::Control => "the path contains a control character",
            Self::Drive => "a part of the path is a drive",
            Self::Device => "a part of the path names a device",
            Self::TooLong => "the path is too long",
            Self::NotUtf8 => "the path is not UTF-8",
        })
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is refused: {}", self.path.escape_debug(), self.rule)
    }
}

impl core::error::Error for PathError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn harmless_names_pass() {
        for name in [
            "a",
            "foo... bar",
            "...a",
            ".hidden",
            "a.",
            "ubuntu-8.10-desktop-i386.iso",
            "naïve 中文",
            "console",
            "com",
            "com10",
            "COM¼",
            "NULL",
            "1:2",
            "what?",
        ] {
            let path = FilePath::new(["t", name]).expect(name);
            assert_eq!(path.as_str(), format!("t/{name}"));
            assert_eq!(path.file_name(), name);
            assert_eq!(path.components().collect::<Vec<_>>(), ["t", name]);
        }
    }

    #[test]
    fn names_that_could_do_harm_are_refused() {
        let long = "x".repeat(256);
        let table = [
            ("", PathRule::Empty),
            (".", PathRule::Dots),
            ("..", PathRule::Dots),
            ("...", PathRule::Dots),
            (".. ", PathRule::Dots),
            (" ", PathRule::Dots),
            ("/etc", PathRule::Separator),
            ("a/../../b", PathRule::Separator),
            ("..\\x", PathRule::Separator),
            ("a\0b", PathRule::Control),
            ("a\nb", PathRule::Control),
            ("C:", PathRule::Drive),
            ("c:x", PathRule::Drive),
            ("CON", PathRule::Device),
            ("nul", PathRule::Device),
            ("Nul.txt", PathRule::Device),
            ("NUL .txt", PathRule::Device),
            ("aux.tar.gz", PathRule::Device),
            ("com1", PathRule::Device),
            ("LPT9.log", PathRule::Device),
            ("com²", PathRule::Device),
            ("conin$", PathRule::Device),
            (long.as_str(), PathRule::TooLong),
        ];
        for (name, rule) in table {
            let error = FilePath::new(["t", name, "z"]).expect_err(name);
            assert_eq!(error.rule, rule, "{name}");
            assert!(error.to_string().contains(&*format!("{}", name.escape_debug())), "{error}");
        }
        assert_eq!(FilePath::new([]).map_err(|e| e.rule), Err(PathRule::Empty));
        assert_eq!(FilePath::new(["a"; 101]).map_err(|e| e.rule), Err(PathRule::TooLong));
        let wide = "y".repeat(200);
        let wide = FilePath::new([wide.as_str(); 21]).expect_err("4,220 bytes");
        assert_eq!(wide.rule, PathRule::TooLong);
        assert!(wide.path.len() < 5000);
    }

    #[test]
    fn folded_paths_meet_where_a_file_system_would_join_them() {
        let fold =
            |components: &[&str]| FilePath::new(components.iter().copied()).expect("good").folded();
        assert_eq!(fold(&["A", "Ä.TXT"]), fold(&["a.", "ä.txt  "]));
        assert_ne!(fold(&["a", "b"]), fold(&["ab"]));
        let mut order = [fold(&["a!"]), fold(&["a", "z"]), fold(&["a"])];
        order.sort();
        assert_eq!(order, [fold(&["a"]), fold(&["a", "z"]), fold(&["a!"])]);
    }

    proptest! {
        #[test]
        fn what_passes_stays_below_its_folder(
            components in proptest::collection::vec("[.a/\\\\:\0 C]{0,4}", 0..5),
        ) {
            if let Ok(path) = FilePath::new(components.iter().map(String::as_str)) {
                let native = std::path::Path::new(path.as_str());
                prop_assert!(native.components().all(|c| matches!(c, std::path::Component::Normal(_))));
                prop_assert_eq!(native.components().count(), components.len());
            }
        }
    }
}
