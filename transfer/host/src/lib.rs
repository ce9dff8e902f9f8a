//! The transfer layer over real sockets and files.
//!
//! `transfer` decides, this package carries out: it owns the sockets, the
//! files, the threads and the clock.

mod create;
mod hashing;
pub mod tracker;
mod verify;
mod walk;

pub use create::{CreateError, CreateOptions, MAX_PIECE_LEN, MIN_PIECE_LEN, create, piece_len_for};
pub use hashing::Watch;
pub use verify::{Verified, VerifyError, verify};
