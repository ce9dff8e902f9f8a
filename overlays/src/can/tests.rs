//! CAN without a host.

mod arrival;
mod bench;
mod churn;
mod codec;
mod geometry;
mod landmarks;
mod layouts;
mod protocol;
mod settled;
mod sharing;
