//! The socket host: overlays over UDP and TCP on this machine.
//!
//! [`LiveNetwork`] starts nodes, [`NodeHandle`] is what the user of one node
//! holds, [`live`] runs a whole [`Script`] and returns what it measured, and
//! [`run`] does so with the phases of the comparison. The
//! overlay's code is the one that the simulator drives; only the host differs.
//!
//! # One node, one task
//!
//! A node binds a UDP socket and a TCP listener to the same port; that socket
//! address is the node's [`Addr`](overlays::Addr). Its task owns the machine,
//! its random stream, its effects and its timers, so no lock is ever taken
//! around protocol state. Each stream has a task of its own, which reads,
//! decodes and writes; it reaches the node through one bounded channel.
//!
//! # The wire format, version 1
//!
//! All numbers are big-endian. A frame is
//!
//! | bytes | field | |
//! |---|---|---|
//! | 1 | version | 1 |
//! | 1 | flags | bit 0: a trace context follows; the others are zero |
//! | 6 | sender | the sender's listening address: IPv4, port |
//! | 4 | operation | only with bit 0: the operation's number |
//! | 2 | hops | only with bit 0: forward messages along the causal chain |
//! | 2 | legs | only with bit 0: all messages along the causal chain |
//! | rest | message | the overlay's own encoding, at most `Wire::MAX_BYTES` |
//!
//! The trace context is [`Cause`](overlays::Cause); a frame without it belongs
//! to no operation and stands at the start of its chain. It is what makes a
//! live network measurable like a simulated one.
//!
//! *Datagrams*: one frame each, at most [`frame::MAX_DATAGRAM_BYTES`]. The
//! sender field must equal the datagram's source. A message that does not fit
//! is refused at the sender and counted: a silent move to a stream would change
//! what the overlay asked for.
//!
//! *Streams*: each frame stands behind its length in four bytes. The length is
//! checked before anything is read or reserved. The first frame tells who
//! opened the connection (its source port is not its listening port); it must
//! come in time, all further frames must carry the same sender, and the
//! sender's IPv4 address must be the connection's. Frames are not
//! authenticated beyond that: a program on the same machine can pretend to be
//! another node.
//!
//! # Streams between two nodes
//!
//! The first message opens the connection, both sides use it. When both open
//! at the same moment, both connections stay: each side keeps sending on the
//! one it opened and reads from both, so that order is kept in each direction
//! and nothing is negotiated. A second connection from a peer that had opened
//! the first one replaces it: that peer has given the first one up.
//! When the connection that a node sends on ends, its machine is told through
//! `on_lost`, once: the end of the second of two connections is news only if
//! something has gone over it since the end of the first.
//!
//! # Limits
//!
//! Everything that another node can make grow has a limit in [`Limits`]. What
//! a limit or a broken frame costs is counted in [`Counters`]. A peer that
//! reads too slowly loses its stream once the queue towards it is full: a slow
//! peer costs a connection, never memory. A stream that carries something other
//! than frames is closed; a datagram that is not a frame is dropped.

mod counters;
pub mod frame;
mod handle;
mod judge;
mod ledger;
mod limits;
mod links;
mod network;
mod node;
mod run;
mod standard;
mod stream;
mod timers;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod toy;

pub use counters::Counters;
pub use handle::NodeHandle;
pub use ledger::Ledger;
pub use limits::Limits;
pub use network::{LiveMeasures, LiveNetwork, LiveOptions};
pub use run::{Script, Step, live};
pub use standard::run;
