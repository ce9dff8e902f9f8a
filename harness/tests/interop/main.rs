//! Our transfer layer against other people's software, over loopback.
//!
//! Each test starts the real programs, moves real files and compares them byte
//! by byte. A program that is missing fails the test with the command that
//! installs it. A plain `cargo test` leaves this target out, so that it asks for
//! nothing but Rust:
//!
//! ```console
//! $ cargo test -p harness --test interop
//! ```

mod aria2;
mod content;
mod encryption;
mod hardship;
mod leeching;
mod libtorrent;
mod magnets;
mod ours;
mod process;
mod resuming;
mod seeding;
mod selection;
mod swarms;
mod tracker;
mod transmission;
