//! Peer-to-peer overlays as deterministic state machines.
//!
//! An overlay is a state machine without I/O. A *host* (the simulator, or real
//! sockets) feeds it messages, timers and the calls of its user, and carries
//! out the effects it pushes into the [`Cx`] it was handed. The same compiled
//! code runs under both hosts; no overlay knows which one it has.
//!
//! * [`seam`] is the vocabulary that machines and hosts share.
//! * [`parts`] are organs that several overlays use.
//! * Each other module is one overlay.

// Lets a module say `use overlays::...` as a program outside does, so that an
// overlay can move here from the examples without a change.
extern crate self as overlays;

#[cfg(test)]
mod bench;
pub mod bittorrent;
pub mod can;
pub mod chord;
pub mod client_server;
pub mod fasttrack;
pub mod gnutella;
pub mod gnutella06;
pub mod kad;
pub mod kademlia;
pub mod mainline;
pub mod napster;
pub mod parts;
pub mod pastry;
pub mod replication;
pub mod seam;

pub use seam::*;
