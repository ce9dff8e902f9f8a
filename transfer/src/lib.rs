//! The transfer layer: BitTorrent without I/O, shared by every overlay.
//!
//! What a search finds (providers and a content id) is all that overlays and
//! this crate exchange. Sockets, files, threads and clocks belong to a host:
//! the package `transfer-host` for real networks, the simulator for
//! experiments. Both drive the same state machine.

mod block;
mod identity;
mod pieces;
pub mod session;
pub mod wire;

pub use block::{BLOCK_LEN, Block};
pub use identity::{InfoHash, PeerId};
pub use pieces::{BitfieldError, PieceSet};
