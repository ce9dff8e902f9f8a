//! Harness.

pub mod network;
pub mod stats;
