//! Organs that several overlays share.

pub mod bencode;
