//! Harness.

pub mod stats;
