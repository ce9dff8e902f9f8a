//! The peers that could be connected to, and when.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use super::config::SECOND_US;
use super::effect::Source;

/// The wait after the first failure; it doubles with each. Who still checks its
/// files hangs up on everybody, as rTorrent does, and is there a second later.
const FIRST_WAIT_US: u64 = SECOND_US;
/// A peer that failed more often than this is forgotten, after 17 minutes.
const MAX_FAILURES: u8 = 10;
/// A peer that was connected and went waits as after this many failures.
const FAILURES_WHEN_GONE: u8 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Ready,
    Waiting(u64),
    Connecting,
    Connected,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    source: Source,
    stage: Stage,
    failures: u8,
}

/// The peers that could be connected to.
#[derive(Debug)]
pub(super) struct Candidates {
    known: BTreeMap<SocketAddr, Candidate>,
    ready: VecDeque<SocketAddr>,
    waiting: BTreeSet<(u64, SocketAddr)>,
    connecting: usize,
    max: usize,
}

impl Candidates {
    pub(super) fn new(max: u16) -> Self {
        Self {
            known: BTreeMap::new(),
            ready: VecDeque::new(),
            waiting: BTreeSet::new(),
            connecting: 0,
            max: usize::from(max),
        }
    }

    /// Connections that are being opened.
    pub(super) fn connecting(&self) -> usize {
        self.connecting
    }

    /// Peers that can be connected to at once.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// How `addr` became known.
    pub(super) fn source(&self, addr: &SocketAddr) -> Option<Source> {
        self.known.get(addr).map(|candidate| candidate.source)
    }

    /// There may be a peer here. Who is known already is not taken again, but
    /// the user's word makes it ready.
    pub(super) fn found(&mut self, addr: SocketAddr, source: Source) {
        if addr.port() == 0 || addr.ip().is_unspecified() || addr.ip().is_multicast() {
            return;
        }
        if let Some(candidate) = self.known.get_mut(&addr) {
            if source == Source::User
                && let Stage::Waiting(at_us) = candidate.stage
            {
                candidate.stage = Stage::Ready;
                self.waiting.remove(&(at_us, addr));
                self.ready.push_back(addr);
            }
            return;
        }
        if self.known.len() >= self.max && !self.forget_one() {
            return;
        }
        self.known.insert(addr, Candidate { source, stage: Stage::Ready, failures: 0 });
        self.ready.push_back(addr);
    }

    /// Makes room: whoever would be tried last.
    fn forget_one(&mut self) -> bool {
        let last = self.waiting.pop_last();
        last.is_some_and(|(_, addr)| self.known.remove(&addr).is_some())
    }

    /// The next to connect to; it is being connected to from now on.
    pub(super) fn next(&mut self, now_us: u64) -> Option<SocketAddr> {
        while let Some(&(at_us, addr)) = self.waiting.first()
            && at_us <= now_us
        {
            self.waiting.pop_first();
            self.set(addr, Stage::Ready);
            self.ready.push_back(addr);
        }
        let addr = self.ready.pop_front()?;
        self.set(addr, Stage::Connecting);
        self.connecting += 1;
        Some(addr)
    }

    /// When the next of those who failed is tried again.
    pub(super) fn next_us(&self) -> Option<u64> {
        self.waiting.first().map(|&(at_us, _)| at_us)
    }

    fn set(&mut self, addr: SocketAddr, stage: Stage) {
        if let Some(candidate) = self.known.get_mut(&addr) {
            candidate.stage = stage;
        }
    }

    /// It is no longer ready, waiting or connecting.
    fn take_out(&mut self, addr: SocketAddr) -> Option<Candidate> {
        let candidate = *self.known.get(&addr)?;
        match candidate.stage {
            Stage::Ready => self.ready.retain(|other| *other != addr),
            Stage::Waiting(at_us) => {
                self.waiting.remove(&(at_us, addr));
            }
            Stage::Connecting => self.connecting -= 1,
            Stage::Connected => {}
        }
        Some(candidate)
    }

    /// There is a connection.
    pub(super) fn connected(&mut self, addr: SocketAddr) {
        if self.take_out(addr).is_some() {
            self.set(addr, Stage::Connected);
        }
    }

    /// Connecting failed, or the connection is gone: it is tried again later,
    /// and not given up if `useful`.
    pub(super) fn lost(&mut self, addr: SocketAddr, useful: bool, now_us: u64) {
        let Some(candidate) = self.take_out(addr) else { return };
        let failures = if useful { FAILURES_WHEN_GONE } else { candidate.failures + 1 };
        if failures > MAX_FAILURES {
            self.known.remove(&addr);
            return;
        }
        let at_us = now_us + (FIRST_WAIT_US << (failures - 1));
        self.known.insert(addr, Candidate { failures, stage: Stage::Waiting(at_us), ..candidate });
        self.waiting.insert((at_us, addr));
    }

    /// It is not to be tried again.
    pub(super) fn forget(&mut self, addr: SocketAddr) {
        self.take_out(addr);
        self.known.remove(&addr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(n: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, n], 6881))
    }

    #[test]
    fn who_fails_waits_twice_as_long_each_time() {
        let mut candidates = Candidates::new(10);
        candidates.found(addr(1), Source::Tracker);
        candidates.found(addr(1), Source::Exchange);
        let mut now = 0;
        for failure in 0..MAX_FAILURES {
            assert_eq!(candidates.next(now), Some(addr(1)), "after {failure} failures");
            assert_eq!(candidates.next(now), None);
            candidates.lost(addr(1), false, now);
            assert_eq!(candidates.next_us(), Some(now + (1 << failure) * SECOND_US));
            now += (1 << failure) * SECOND_US;
        }
        assert_eq!(candidates.next(now), Some(addr(1)));
        candidates.lost(addr(1), false, now);
        assert_eq!((candidates.next_us(), candidates.connecting()), (None, 0));
        assert_eq!(candidates.source(&addr(1)), None, "forgotten");
    }

    #[test]
    fn who_was_there_and_went_is_tried_seldom_but_for_good() {
        let mut candidates = Candidates::new(10);
        candidates.found(addr(1), Source::Tracker);
        let mut now = 0;
        for _ in 0..50 {
            assert_eq!(candidates.next(now), Some(addr(1)));
            candidates.connected(addr(1));
            candidates.lost(addr(1), true, now);
            assert_eq!(candidates.next_us(), Some(now + 16 * SECOND_US));
            now += 16 * SECOND_US;
        }
    }

    #[test]
    fn the_table_is_bounded() {
        let mut candidates = Candidates::new(3);
        for n in 1..=200 {
            candidates.found(addr(n), Source::Exchange);
        }
        assert_eq!(candidates.ready(), 3);
        candidates.next(0);
        candidates.lost(addr(1), false, 0);
        candidates.found(addr(9), Source::Tracker);
        assert_eq!((candidates.ready(), candidates.source(&addr(1))), (3, None));
        candidates.found(SocketAddr::from(([0, 0, 0, 0], 1)), Source::User);
        candidates.found(SocketAddr::from(([10, 0, 0, 3], 0)), Source::User);
        assert_eq!(candidates.ready(), 3);
    }
}
