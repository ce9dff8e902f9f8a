//! How a simulation is run.

use overlays::{Span, Time};

/// How a simulation is run, apart from the network and the overlay.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The seed of all random streams.
    pub seed: u64,
    /// Whether periodic upkeep runs at all.
    pub maintenance: bool,
    /// When periodic upkeep stops: timers due later are dropped.
    pub upkeep_until: Time,
    /// Whether to keep, for each operation, who received its forward messages:
    /// the reach of a flood. Costs memory and time.
    pub measure_reach: bool,
    /// Whether to count the messages that each node receives.
    pub measure_load: bool,
    /// How long both ends of a stream need to notice that nothing comes
    /// through any more, when the network and not the other end is at fault.
    pub stream_timeout: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            maintenance: true,
            upkeep_until: Time::NEVER,
            measure_reach: false,
            measure_load: false,
            stream_timeout: Span::from_s(10),
        }
    }
}
