//! Harness.

pub mod document;
pub mod net;
pub mod network;
pub mod stats;
pub mod workload;
