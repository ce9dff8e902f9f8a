//! Organs that several overlays share.

pub mod bencode;
mod index;

pub use index::Index;
