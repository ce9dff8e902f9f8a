//! Chord against the reference, on fabricated contexts and on a small bench
//! that delivers messages between a few nodes.

mod bench;
mod codec;
mod fingers;
mod keywords;
mod protocol;
mod ring;
