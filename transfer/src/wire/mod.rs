//! What peers say to each other (BEP 3, 5, 6, 10).

mod error;
mod frame;
mod handshake;
mod limits;
mod message;
#[cfg(test)]
mod tests;

pub use error::WireError;
pub use frame::{Frame, parse};
pub use handshake::{Handshake, Reserved};
pub use limits::Limits;
pub use message::Message;
