//! The seam between an overlay and its host: the words both sides use.

mod about;
mod addr;
mod census;
mod context;
mod footprint;
mod item;
mod key;
mod machine;
mod operation;
mod parameters;
mod prefetch;
mod rng;
mod time;
pub mod wire;

pub use about::{About, Growth, SearchPower, Theory};
pub use addr::Addr;
pub use census::{Census, Distances, Holding};
pub use context::{Action, Cx, Effect, Note};
pub use footprint::Footprint;
pub use item::{Hit, Item, Keywords, MAX_NAME_BYTES, Query, Target};
pub use key::Key;
pub use machine::{Machine, Overlay, Profile, Role, Transport};
pub use operation::{Cause, OpId, Outcome, Reason};
pub use parameters::{Parameter, ParameterError, ParameterValue, Parameters, show_range};
pub use prefetch::prefetch;
pub use rng::{Rng, Stream};
pub use time::{Span, Time};
pub use wire::{Reader, Wire, WireError, Writer};
