//! The simulator: a discrete-event host, deterministic to the bit.

mod driver;
mod event;
mod letters;
mod links;
mod operations;
mod outside;
pub mod queue;
mod recorder;
mod request;
mod samples;
mod settings;
mod trace_hash;
mod traffic;
mod world;

pub use driver::{Driver, NoDriver};
pub use operations::{Operation, Verb};
pub use recorder::{Recorder, TRACE_SCHEMA};
pub use request::Request;
pub use settings::Settings;
pub use trace_hash::TraceHash;
pub use traffic::Traffic;
pub use world::Sim;
