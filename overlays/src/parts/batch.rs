//! What a peer does for all of its user's items when it comes or goes.

/// Items on their way at a time, at most: some peers share more than a
/// thousand, and a join or leave waits for all of them.
const WINDOW: usize = 512;

/// How many items of a batch are on their way at a time at a node that may have
/// `max_requests` open: at most half of them, so that its user's own find room.
pub fn window(max_requests: usize) -> usize {
    WINDOW.min(max_requests / 2)
}
