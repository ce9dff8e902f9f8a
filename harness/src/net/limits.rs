//! What a node allows others to make it hold.

use std::time::Duration;

/// The limits of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Streams open to known peers at once.
    pub streams: usize,
    /// Accepted connections at once that have not told who they are. Kept
    /// apart, so that strangers cannot take the places of peers.
    pub strangers: usize,
    /// Frames that wait to be written to one stream. Enough for a Napster
    /// client that announces a large collection, each file in a frame of its
    /// own; the bytes below bound the memory.
    pub queued_frames: usize,
    /// Bytes that wait to be written to one stream.
    pub queued_bytes: usize,
    /// Decoded messages that streams have read and the node has not handled.
    /// When it is full, readers wait, and TCP slows the senders down.
    pub events: usize,
    /// Timers pending.
    pub timers: usize,
    /// Operations of the user under way.
    pub operations: usize,
    /// Calls of the user that the node has not taken up. When it is full,
    /// callers wait.
    pub commands: usize,
    /// How long a new connection may take to be established, and how long one
    /// that was accepted may take to send its first whole frame.
    pub handshake: Duration,
    /// How long a stream that is being closed may take to write what is
    /// queued, and how long a stopping node waits for its streams.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 256,
            strangers: 64,
            queued_frames: 8192,
            queued_bytes: 1 << 20,
            events: 256,
            timers: 65_536,
            operations: 1024,
            commands: 64,
            handshake: Duration::from_secs(5),
            linger: Duration::from_millis(300),
        }
    }
}
