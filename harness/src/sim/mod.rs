//! The simulator: a discrete-event host, deterministic to the bit.

mod event;
mod letters;
mod links;
mod operations;
mod prefetch;
pub mod queue;
mod recorder;
mod samples;
mod trace_hash;
mod traffic;
mod world;

pub use operations::{Operation, Verb};
pub use recorder::{Recorder, TRACE_SCHEMA};
pub use trace_hash::TraceHash;
pub use traffic::Traffic;
pub use world::{Driver, NoDriver, Request, Settings, Sim};
