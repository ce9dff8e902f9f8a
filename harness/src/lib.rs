//! Harness.

pub mod document;
pub mod net;
pub mod network;
pub mod report;
pub mod stats;
pub mod workload;
