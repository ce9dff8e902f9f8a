//! CAN without a host.

mod bench;
mod codec;
mod geometry;
mod layouts;
mod protocol;
