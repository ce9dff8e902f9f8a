//! How peers come and go.

use core::fmt;

use overlays::{Rng, Span, Time};

use super::draw;
use super::lifetime::Lifetime;

/// A model of churn: peers alternate between sessions and gaps, independently
/// of each other.
///
/// Peers differ in nothing but luck here. Measured peers do not: the lengths of
/// one peer's sessions are correlated (Stutzbach and Rejaie, IMC 2006).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Churn {
    /// How long a peer stays.
    pub session: Lifetime,
    /// How long it then stays away.
    pub gap: Lifetime,
    /// The fraction of sessions that end in a crash rather than a polite
    /// leave. Everyone crashes by default, as in the simulations of Chord
    /// (SIGCOMM 2001, §6.5); 22 %, 70 % and 27 % were seen in three BitTorrent
    /// logs (Stutzbach and Rejaie).
    pub crash: f64,
}

/// What a peer does to the network when its presence changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It joins.
    Join,
    /// It leaves politely.
    Leave,
    /// It is gone without a word.
    Crash,
}

impl Churn {
    /// Reads `SESSION`, `SESSION/GAP` or `SESSION/GAP/CRASHES`, where the first
    /// two are laws as [`Lifetime::parse`] reads them and the last is a
    /// percentage: `exp:60min/exp:30min/22%`. Without a gap, gaps are like
    /// sessions, so that half of the peers are online.
    ///
    /// # Errors
    /// A sentence that says what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, '/');
        let session = Lifetime::parse(parts.next().unwrap_or_default())?;
        let gap = parts.next().map_or(Ok(session), Lifetime::parse)?;
        let crash = parts.next().map_or(Ok(1.0), |share| {
            let number = share.trim().strip_suffix('%').and_then(|n| n.trim().parse::<f64>().ok());
            number.filter(|n| (0.0..=100.0).contains(n)).map(|n| n / 100.0).ok_or_else(|| {
                format!("`{share}` is not a share of crashes: write a percentage such as 22%")
            })
        })?;
        Ok(Self { session, gap, crash })
    }

    /// The fraction of the time that a peer is online.
    pub fn availability(&self) -> f64 {
        let (session, gap) = (self.session.mean().as_s_f64(), self.gap.mean().as_s_f64());
        session / (session + gap)
    }

    /// Whether a peer is online at the start of a run in the steady state, and
    /// how long it remains so.
    pub fn start(&self, rng: &mut Rng) -> (bool, Span) {
        let online = draw::chance(rng, self.availability());
        let law = if online { &self.session } else { &self.gap };
        (online, law.draw_remaining(rng))
    }

    /// How a session ends.
    pub fn departure(&self, rng: &mut Rng) -> Turn {
        if draw::chance(rng, self.crash) { Turn::Crash } else { Turn::Leave }
    }

    /// One peer's comings and goings from `start` on. Give each peer its own
    /// generator of [`overlays::Stream::Churn`]: then its sessions are the same
    /// whatever the overlay and the other peers do.
    pub fn presence(&self, start: Time, mut rng: Rng) -> Presence {
        let (online, remaining) = self.start(&mut rng);
        Presence { churn: *self, rng, online_at_start: online, online, next: start + remaining }
    }
}

impl fmt::Display for Churn {
    /// As [`Churn::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}%", self.session, self.gap, self.crash * 100.0)
    }
}

/// When a peer comes and goes: an iterator over its turns, each later than the
/// one before. It ends only where the next turn would lie at [`Time::NEVER`],
/// which the longest tails can reach.
#[derive(Clone, Debug)]
pub struct Presence {
    churn: Churn,
    rng: Rng,
    online_at_start: bool,
    online: bool,
    next: Time,
}

impl Presence {
    /// Whether the peer is online before its first turn.
    pub const fn online_at_start(&self) -> bool {
        self.online_at_start
    }
}

impl Iterator for Presence {
    type Item = (Time, Turn);

    fn next(&mut self) -> Option<(Time, Turn)> {
        let at = self.next;
        if at == Time::NEVER {
            return None;
        }
        let turn = if self.online { self.churn.departure(&mut self.rng) } else { Turn::Join };
        self.online = !self.online;
        let law = if self.online { &self.churn.session } else { &self.churn.gap };
        self.next = at + law.draw(&mut self.rng);
        Some((at, turn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlays::Stream;
    use proptest::prelude::*;

    #[test]
    fn text_gives_the_model() {
        let churn = Churn::parse("weibull:0.5,10000s").unwrap();
        assert_eq!((churn.session, churn.gap, churn.crash), (Lifetime::KAD, Lifetime::KAD, 1.0));
        let churn = Churn::parse("exp:60min/exp:30min/22%").unwrap();
        assert!((churn.availability() - 2.0 / 3.0).abs() < 1e-12);
        assert!((churn.crash - 0.22).abs() < 1e-12);
        assert_eq!(Churn::parse(&churn.to_string()).unwrap(), churn);
        for (text, part) in [
            ("exp:1h/exp:1h/0.2", "write a percentage such as 22%"),
            ("exp:1h/exp:1h/120%", "write a percentage such as 22%"),
            ("exp:1h/", "a colon after the law is missing"),
            ("", "write exp:60min"),
        ] {
            let error = Churn::parse(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_run_stays_in_the_steady_state_from_its_start() {
        // Heavy-tailed sessions are where a start with fresh draws would show.
        let churn = Churn::parse("weibull:0.5,100s/exp:50s").unwrap();
        let peers = 20_000;
        let moments =
            [0, 1, 10, 60, 300].map(Time::from_us).map(|t| Time::from_us(t.as_us() * 1_000_000));
        let mut online = [0_u32; 5];
        for peer in 0..peers {
            let presence = churn.presence(Time::ZERO, Stream::Churn.rng_of(1, peer));
            let mut turns = presence.clone();
            let mut state = presence.online_at_start();
            let mut at = turns.next().unwrap().0;
            for (moment, count) in moments.into_iter().zip(&mut online) {
                while at <= moment {
                    state = !state;
                    at = turns.next().unwrap().0;
                }
                *count += u32::from(state);
            }
        }
        for count in online {
            let fraction = f64::from(count) / peers as f64;
            assert!((fraction - 2.0 / 3.0).abs() < 0.015, "{online:?}");
        }
    }

    proptest! {
        #[test]
        fn turns_alternate_in_time_order(seed: u64, crash in 0.0..=1.0) {
            let churn = Churn { crash, ..Churn::parse("exp:1us/pareto:1.1,1s").unwrap() };
            let presence = churn.presence(Time::from_us(5), Stream::Churn.rng(seed));
            let mut online = presence.online_at_start();
            let mut before = Time::from_us(5);
            for (at, turn) in presence.take(200) {
                prop_assert!(at > before);
                prop_assert_eq!(turn == Turn::Join, !online);
                online = !online;
                before = at;
            }
        }
    }
}
