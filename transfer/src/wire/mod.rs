//! What peers say to each other (BEP 3, 5, 6, 9, 10, 11).

mod allowed_fast;
mod error;
pub mod extended;
mod frame;
mod handshake;
mod limits;
mod message;
#[cfg(test)]
mod tests;

pub use allowed_fast::allowed_fast;
pub use error::WireError;
pub use frame::{Frame, parse};
pub use handshake::{Handshake, Reserved};
pub use limits::Limits;
pub use message::Message;
