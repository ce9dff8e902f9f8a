//! The transfer layer over real sockets and files.
//!
//! `transfer` decides, this package carries out: it owns the sockets, the
//! files, the threads and the clock.

mod announce;
mod assembly;
mod bucket;
mod check;
mod client;
mod create;
mod disk;
mod hashing;
mod inbox;
mod link;
mod outbox;
mod pool;
mod reactor;
mod resume;
mod select;
mod settings;
mod shared;
pub mod store;
mod stream;
mod torrent;
pub mod tracker;
mod verify;
mod walk;
mod web;

pub use bucket::TokenBucket;
pub use client::{Client, TorrentHandle};
pub use create::{CreateError, CreateOptions, MAX_PIECE_LEN, MIN_PIECE_LEN, create, piece_len_for};
pub use hashing::Watch;
pub use settings::{AddTorrent, Checking, Held, Origin, Place, Selection, Settings};
pub use shared::{Event, Phase, Status};
pub use stream::Stream;
pub use verify::{Verified, VerifyError, verify};
