//! Telling peers of other peers (BEP 11).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::config::SECOND_US;
use crate::wire::extended::MAX_PEX_SENT;

/// Messages are this far apart.
pub(super) const INTERVAL_US: u64 = 60 * SECOND_US;
/// Messages that come sooner than this are ignored.
const SOONEST_US: u64 = 50 * SECOND_US;

/// What one peer was told of others, and tells us.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    told: BTreeSet<SocketAddr>,
    next_us: Option<u64>,
    heard_us: Option<u64>,
}

impl Exchange {
    /// Who is to be added and dropped at the peer `to`, if it is time and there
    /// is something to say.
    pub(super) fn news(
        &mut self,
        connected: &BTreeSet<SocketAddr>,
        to: SocketAddr,
        now_us: u64,
    ) -> Option<(Vec<SocketAddr>, Vec<SocketAddr>)> {
        if self.next_us.is_some_and(|next_us| now_us < next_us) {
            return None;
        }
        let new = connected.difference(&self.told).filter(|addr| **addr != to);
        let added: Vec<SocketAddr> = new.take(MAX_PEX_SENT).copied().collect();
        let dropped: Vec<SocketAddr> =
            self.told.difference(connected).take(MAX_PEX_SENT).copied().collect();
        if added.is_empty() && dropped.is_empty() {
            return None;
        }
        self.next_us = Some(now_us + INTERVAL_US);
        self.told.extend(&added);
        dropped.iter().for_each(|addr| {
            self.told.remove(addr);
        });
        Some((added, dropped))
    }

    /// Whether a message may come now; one that may not is ignored.
    pub(super) fn may_come(&mut self, now_us: u64) -> bool {
        let may = self.heard_us.is_none_or(|heard_us| now_us >= heard_us + SOONEST_US);
        if may {
            self.heard_us = Some(now_us);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(n: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, n], 6881))
    }

    #[test]
    fn fifty_a_minute_and_only_what_changed() {
        let mut exchange = Exchange::default();
        let mut connected: BTreeSet<SocketAddr> = (0..71).map(addr).collect();
        let (added, dropped) = exchange.news(&connected, addr(3), 0).unwrap();
        assert_eq!((added.len(), dropped.len()), (50, 0));
        assert!(!added.contains(&addr(3)), "nobody is told of himself");
        assert_eq!(exchange.news(&connected, addr(3), INTERVAL_US - 1), None);
        connected.remove(&addr(0));
        let (added, dropped) = exchange.news(&connected, addr(3), INTERVAL_US).unwrap();
        assert_eq!((added.len(), dropped), (20, vec![addr(0)]));
        assert_eq!(exchange.news(&connected, addr(3), 2 * INTERVAL_US), None);
    }

    #[test]
    fn who_tells_too_often_is_not_heard() {
        let mut exchange = Exchange::default();
        assert!(exchange.may_come(0));
        assert!(!exchange.may_come(SECOND_US));
        assert!(exchange.may_come(INTERVAL_US));
    }
}
