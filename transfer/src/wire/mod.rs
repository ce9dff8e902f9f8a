//! What peers say to each other (BEP 3, 5, 6, 10).

mod message;

pub use message::Message;
