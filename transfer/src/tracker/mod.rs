//! A tracker without I/O: who shares what, and whom to tell of whom (BEP 3).
//!
//! [`Swarms`] is a state machine: it takes an announce, the time and a
//! generator, and writes a reply. What clients send and read stands in
//! [`tracker_wire`](crate::tracker_wire). [`ConnectionIds`] is what keeps UDP clients
//! from speaking in another's name (BEP 15). Sockets belong to a host.

mod announce;
mod config;
mod connection;
mod crowd;
mod family;
mod sampler;
mod swarm;
mod swarms;

pub use announce::{Announce, Refusal, Reply};
pub use config::Config;
pub use connection::ConnectionIds;
pub use swarms::{Figures, Swarms};
