//! The lab around the overlays: hosts that run them, workloads, measures and
//! reports.

pub mod cli;
pub mod conformance;
pub mod document;
pub mod experiment;
pub mod graph;
pub mod net;
pub mod network;
pub mod oracle;
pub mod registry;
pub mod report;
pub mod sim;
pub mod stats;
pub mod swarm;
pub mod workload;
