//! Organs that several overlays share.

pub mod batch;
pub mod bencode;
mod index;
pub mod postings;
pub mod servent;

pub use index::Index;
