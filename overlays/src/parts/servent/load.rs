//! How much a servent can take.

use crate::seam::{Span, Time};

/// A token bucket in the protocol's time: `rate` messages per second with a
/// burst of one second's worth.
///
/// Kept as the time at which the work accepted so far will be done; a message
/// is accepted while that lies less than a second ahead.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    busy_until: Time,
}

impl Load {
    /// Takes one message on, or says that it is too much. A rate of zero is no
    /// limit.
    #[inline]
    pub fn accept(&mut self, rate_per_s: u32, now: Time) -> bool {
        if rate_per_s == 0 {
            return true;
        }
        let cost = Span::from_us(1_000_000 / u64::from(rate_per_s));
        let done = self.busy_until.max(now) + cost;
        if done > now + Span::from_s(1).max(cost) {
            return false;
        }
        self.busy_until = done;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_one_second_then_the_rate() {
        let mut load = Load::default();
        let accepted = (0..100).filter(|_| load.accept(10, Time::ZERO)).count();
        assert_eq!(accepted, 10);
        let later = Time::ZERO + Span::from_ms(250);
        assert_eq!((0..100).filter(|_| load.accept(10, later)).count(), 2);
        assert!((0..1_000).all(|_| load.accept(0, later)));
    }

    #[test]
    fn one_per_second_is_one() {
        let mut load = Load::default();
        assert!(load.accept(1, Time::ZERO));
        assert!(!load.accept(1, Time::ZERO));
        assert!(load.accept(1, Time::ZERO + Span::from_s(1)));
    }
}
