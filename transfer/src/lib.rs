//! The transfer layer: BitTorrent without I/O, shared by every overlay.
//!
//! What a search finds (providers and a content id) is all that overlays and
//! this crate exchange. Sockets, files, threads and clocks belong to a host:
//! the package `transfer-host` for real networks, the simulator for
//! experiments. Both drive the same state machine.

pub mod bencode;
mod block;
mod host_port;
mod identity;
mod layout;
mod magnet;
pub mod metainfo;
pub mod mse;
mod path;
mod percent;
mod pieces;
pub mod resume;
pub mod session;
pub mod tracker;
pub mod tracker_wire;
pub mod web_seed;
pub mod wire;

pub use block::{BLOCK_LEN, Block};
pub use host_port::{HostPort, HostPortError};
pub use identity::{InfoHash, PeerId};
pub use layout::{FileEntry, FilePart, FileSpan, Layout, LayoutError};
pub use magnet::{Magnet, MagnetError};
pub use metainfo::{Info, Metainfo, MetainfoError};
pub use path::{
    FilePath, MAX_COMPONENT_BYTES, MAX_COMPONENTS, MAX_PATH_BYTES, PathError, PathRule,
};
pub use pieces::{BitfieldError, PieceSet};
