//! Expected output in files beside the tests.

use std::path::PathBuf;

/// Compares with a file below `harness/tests`. With `UPDATE_SNAPSHOTS=1` in the
/// environment the file is written instead, for a person to review.
pub fn check(name: &str, actual: &str) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", name].iter().collect();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.with_file_name("")).expect("the folder can be made");
        std::fs::write(&path, actual).expect("the file can be written");
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        expected == actual,
        "{} differs; run again with UPDATE_SNAPSHOTS=1 if this is right:\n{actual}",
        path.display()
    );
}
