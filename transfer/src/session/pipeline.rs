//! The requests that are outstanding at one peer, and how many there may be.

use std::collections::VecDeque;

use super::config::{SECOND_US, SessionConfig};
use crate::block::{BLOCK_LEN, Block};

/// Requests that were taken back and may still be answered.
const MAX_WITHDRAWN: usize = 1024;

/// The requests that are outstanding at one peer.
///
/// Their number doubles each time as many blocks have come as were allowed,
/// until it is [`SessionConfig::depth_us`] of the rate at which they came. A
/// slow peer thus never holds many, and a fast one is found out within a few
/// round trips. No timer is needed to grow.
#[derive(Debug)]
pub(super) struct Pipeline {
    outstanding: VecDeque<Block>,
    withdrawn: VecDeque<Block>,
    depth: u32,
    /// The peer's own limit (BEP 10, `reqq`).
    pub(super) reqq: u16,
    /// Blocks that came since `window_us`.
    in_window: u32,
    window_us: u64,
    /// How long a block takes, in nanoseconds; `None` while it is not known.
    block_ns: Option<u64>,
    /// When the oldest outstanding request was sent, or something last came.
    pub(super) moved_us: u64,
}

impl Pipeline {
    /// What peers allow who do not say (as libtorrent's).
    const USUAL_REQQ: u16 = 250;

    pub(super) fn new(config: &SessionConfig, now_us: u64) -> Self {
        Self {
            outstanding: VecDeque::new(),
            withdrawn: VecDeque::new(),
            depth: u32::from(config.initial_depth.max(1)),
            reqq: Self::USUAL_REQQ,
            in_window: 0,
            window_us: now_us,
            block_ns: None,
            moved_us: now_us,
        }
    }

    pub(super) fn depth(&self) -> u32 {
        self.depth.min(u32::from(self.reqq))
    }

    pub(super) fn len(&self) -> u32 {
        self.outstanding.len() as u32
    }

    /// Requests that may still be sent.
    pub(super) fn room(&self) -> u32 {
        self.depth().saturating_sub(self.len())
    }

    pub(super) fn outstanding(&self) -> impl DoubleEndedIterator<Item = &Block> {
        self.outstanding.iter()
    }

    pub(super) fn contains(&self, block: &Block) -> bool {
        self.outstanding.contains(block)
    }

    /// When the peer is expected to have sent `more` blocks beside those
    /// outstanding, in nanoseconds from now; `None` if its rate is not known.
    pub(super) fn eta_ns(&self, more: u32) -> Option<u64> {
        Some(self.block_ns?.saturating_mul(u64::from(self.len() + more)))
    }

    /// A request is sent.
    pub(super) fn push(&mut self, block: Block, now_us: u64) {
        if self.outstanding.is_empty() {
            self.moved_us = now_us;
            self.in_window = 0;
            self.window_us = now_us;
        }
        self.outstanding.push_back(block);
    }

    /// The request is answered or refused; whether it was outstanding. Most are
    /// answered in order.
    pub(super) fn remove(&mut self, block: &Block) -> bool {
        if self.outstanding.front() == Some(block) {
            self.outstanding.pop_front();
            return true;
        }
        let Some(place) = self.outstanding.iter().position(|other| other == block) else {
            return false;
        };
        self.outstanding.remove(place);
        true
    }

    /// The request is taken back, but the block may come all the same.
    pub(super) fn withdraw(&mut self, block: &Block) -> bool {
        let was = self.remove(block);
        if was {
            self.remember(*block);
        }
        was
    }

    fn remember(&mut self, block: Block) {
        if self.withdrawn.len() == MAX_WITHDRAWN {
            self.withdrawn.pop_front();
        }
        self.withdrawn.push_back(block);
    }

    /// All requests are taken back, but some blocks may come all the same.
    pub(super) fn withdraw_all(&mut self) -> VecDeque<Block> {
        let all = core::mem::take(&mut self.outstanding);
        all.iter().for_each(|block| self.remember(*block));
        all
    }

    /// All requests are gone.
    pub(super) fn take_all(&mut self) -> VecDeque<Block> {
        core::mem::take(&mut self.outstanding)
    }

    /// Whether the block was taken back; it is forgotten now.
    pub(super) fn late(&mut self, block: &Block) -> bool {
        let place = self.withdrawn.iter().position(|other| other == block);
        place.and_then(|place| self.withdrawn.remove(place)).is_some()
    }

    /// A block has come.
    pub(super) fn received(&mut self, config: &SessionConfig, now_us: u64) {
        self.moved_us = now_us;
        self.in_window += 1;
        if self.in_window < self.depth() {
            return;
        }
        let took_ns = now_us.saturating_sub(self.window_us).max(1) * 1_000;
        let block_ns = (took_ns / u64::from(self.in_window)).max(1);
        self.block_ns = Some(block_ns);
        let by_rate = config.depth_us.saturating_mul(1_000) / block_ns;
        let most = u64::from(config.max_depth);
        let wanted = by_rate.min(u64::from(self.depth()) * 2).min(most);
        self.depth = (wanted as u32).max(u32::from(config.min_depth.max(1)));
        self.in_window = 0;
        self.window_us = now_us;
    }

    /// The peer's rate of the last seconds, in bytes per second: where fewer
    /// requests would do, fewer are allowed.
    pub(super) fn slowed(&mut self, per_s: u64, config: &SessionConfig) {
        if self.len() * 2 < self.depth() || self.block_ns.is_none() {
            return;
        }
        let by_rate = per_s.saturating_mul(config.depth_us / 1_000) / 1_000;
        let enough = (by_rate * 2 / u64::from(BLOCK_LEN)) as u32;
        if enough < self.depth {
            self.depth = enough.max(u32::from(config.min_depth.max(1)));
            let block_ns = u64::from(BLOCK_LEN) * 1_000 * SECOND_US / per_s.max(1);
            self.block_ns = Some(block_ns);
        }
    }

    /// The peer sends nothing: one request at a time is enough until it does.
    pub(super) fn stalled(&mut self) {
        self.depth = 1;
        self.block_ns = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(n: u32) -> Block {
        Block { piece: n / 16, begin: n % 16 * BLOCK_LEN, len: BLOCK_LEN }
    }

    /// The depth after a peer has sent `blocks`, one each `block_us`.
    fn depth_after(blocks: u32, block_us: u64) -> u32 {
        let config = SessionConfig::default();
        let mut pipeline = Pipeline::new(&config, 0);
        pipeline.reqq = 2_000;
        let mut sent = 0;
        for came in 0..blocks {
            while pipeline.room() > 0 {
                pipeline.push(block(sent), u64::from(came) * block_us);
                sent += 1;
            }
            assert!(pipeline.remove(&block(came)));
            pipeline.received(&config, u64::from(came + 1) * block_us);
        }
        pipeline.depth()
    }

    #[test]
    fn depth_follows_the_rate() {
        let us_at = |bytes_per_s: u64| u64::from(BLOCK_LEN) * SECOND_US / bytes_per_s;
        assert_eq!(depth_after(4_000, us_at(1_000_000_000)), 512);
        assert_eq!(depth_after(4_000, us_at(8_000_000)), 512);
        assert!((182..=184).contains(&depth_after(4_000, us_at(1_000_000))));
        assert_eq!(depth_after(100, us_at(40_000)), 7);
        assert_eq!(depth_after(100, us_at(1_000)), 2);
        assert_eq!(depth_after(3, us_at(40_000)), 4, "unknown peers get few");
        assert_eq!(depth_after(4 + 8 + 16, us_at(1_000_000_000)), 32, "it doubles as it drains");
    }

    #[test]
    fn what_was_taken_back_may_come_once() {
        let mut pipeline = Pipeline::new(&SessionConfig::default(), 0);
        pipeline.push(block(1), 0);
        pipeline.push(block(2), 0);
        assert!(pipeline.withdraw(&block(1)));
        assert!(pipeline.late(&block(1)));
        assert!(!pipeline.late(&block(1)) && !pipeline.late(&block(2)));
        assert_eq!(pipeline.withdraw_all(), [block(2)]);
        assert!(pipeline.late(&block(2)));
    }
}
