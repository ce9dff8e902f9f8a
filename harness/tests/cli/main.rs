//! The command line as a user meets it: the binary itself, its output, its
//! files and its exit codes.

mod errors;
mod everyday;
#[cfg(unix)]
mod interrupts;
mod json;
#[path = "../../src/report/snapshot.rs"]
mod snapshot;
mod tool;
mod torrent;
#[cfg(unix)]
mod tracker;
mod w1;
