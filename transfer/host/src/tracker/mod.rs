//! A tracker over HTTP and UDP, on one thread.
//!
//! ```no_run
//! use transfer_host::tracker::{Options, Server};
//!
//! let server = Server::bind(&Options::default())?;
//! let stop = server.stop_handle();
//! let thread = std::thread::spawn(move || server.run());
//! // Elsewhere, when it is enough:
//! stop.stop();
//! # let _ = thread.join();
//! # Ok::<(), std::io::Error>(())
//! ```

mod connection;
mod counters;
mod datagrams;
mod head;
mod options;
mod server;
mod service;
mod sockets;

pub use counters::Counters;
pub use options::{DEFAULT_PORT, Options};
pub use server::{Server, Status, StopHandle, Watch};
