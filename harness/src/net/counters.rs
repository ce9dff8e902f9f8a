//! What went wrong at one node, in numbers.

use std::ops::AddAssign;

/// Traffic of one node and all that it refused, dropped or lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counters {
    /// Messages given to the machine.
    pub received_messages: u64,
    /// Datagrams that were not a frame with a message of this overlay, or
    /// whose sender field was not their source.
    pub malformed_datagrams: u64,
    /// Datagrams not sent because the message does not fit into one.
    pub oversized_datagrams: u64,
    /// Datagrams that the operating system did not take.
    pub unsent_datagrams: u64,
    /// Streams closed because they carried something other than frames of this
    /// overlay.
    pub malformed_streams: u64,
    /// Accepted connections that sent no whole frame in time.
    pub silent_streams: u64,
    /// Connections, in or out, refused because as many as allowed were open,
    /// or because the node is firewalled.
    pub refused_streams: u64,
    /// Connections that could not be established.
    pub unreachable_streams: u64,
    /// Streams closed because the peer did not read fast enough.
    pub overflowed_streams: u64,
    /// Timers not set because as many as allowed were pending.
    pub refused_timers: u64,
    /// Operations that failed at once because as many as allowed were under
    /// way.
    pub refused_operations: u64,
    /// Outcomes that the machine reported for operations that were not under
    /// way: a fault of the overlay.
    pub stray_outcomes: u64,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        let Self {
            received_messages,
            malformed_datagrams,
            oversized_datagrams,
            unsent_datagrams,
            malformed_streams,
            silent_streams,
            refused_streams,
            unreachable_streams,
            overflowed_streams,
            refused_timers,
            refused_operations,
            stray_outcomes,
        } = other;
        self.received_messages += received_messages;
        self.malformed_datagrams += malformed_datagrams;
        self.oversized_datagrams += oversized_datagrams;
        self.unsent_datagrams += unsent_datagrams;
        self.malformed_streams += malformed_streams;
        self.silent_streams += silent_streams;
        self.refused_streams += refused_streams;
        self.unreachable_streams += unreachable_streams;
        self.overflowed_streams += overflowed_streams;
        self.refused_timers += refused_timers;
        self.refused_operations += refused_operations;
        self.stray_outcomes += stray_outcomes;
    }
}
