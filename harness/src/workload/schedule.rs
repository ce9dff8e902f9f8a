//! When which peer does what.

use overlays::{Rng, Span, Time};

use super::draw;
use super::placement::Placement;
use super::query_mix::{Question, Questions};

/// What a user does at a peer.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Searches.
    Search(Question),
    /// Shares one more item, by its index.
    Insert(u32),
    /// Stops sharing an item, by its index.
    Delete(u32),
    /// Starts the peer. Nothing happens if it runs.
    Join,
    /// Stops the peer politely. Nothing happens if it does not run.
    Leave,
}

/// One operation in time.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// When.
    pub at: Time,
    /// At which peer, by index.
    pub peer: u32,
    /// What.
    pub operation: Operation,
}

/// How often each kind of operation happens, in proportion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperationMix {
    /// Searches.
    pub search: f64,
    /// Inserts: a peer drawn uniformly shares an item drawn by popularity.
    pub insert: f64,
    /// Deletes: one of all initial shares, drawn uniformly.
    pub delete: f64,
    /// Joins of a peer drawn uniformly.
    pub join: f64,
    /// Polite leaves of a peer drawn uniformly.
    pub leave: f64,
}

impl OperationMix {
    /// Nothing but searches.
    pub const SEARCHES: Self =
        Self { search: 1.0, insert: 0.0, delete: 0.0, join: 0.0, leave: 0.0 };

    const fn weights(&self) -> [f64; 5] {
        [self.search, self.insert, self.delete, self.join, self.leave]
    }
}

impl Default for OperationMix {
    fn default() -> Self {
        Self::SEARCHES
    }
}

/// How fast operations arrive, in all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Operations per second at each peer.
    PerPeer(f64),
    /// Operations per second in the whole network.
    Total(f64),
}

impl Rate {
    /// Operations per second in a network of `peers` peers.
    pub fn total(self, peers: u32) -> f64 {
        match self {
            Self::PerPeer(rate) => rate * f64::from(peers),
            Self::Total(rate) => rate,
        }
    }
}

/// What happens in a run, and how often: the input of a [`Schedule`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// How fast operations arrive.
    pub rate: Rate,
    /// Of which kinds.
    pub mix: OperationMix,
    /// From when on; the first operation comes one gap later.
    pub start: Time,
    /// Nothing arrives at this time or later; [`Time::NEVER`] for no end.
    pub end: Time,
}

impl Plan {
    /// The highest total rate, in operations per second.
    pub const MAX_RATE: f64 = 1e9;

    /// Searches at `rate` from the start, without an end.
    pub const fn searches(rate: Rate) -> Self {
        Self { rate, mix: OperationMix::SEARCHES, start: Time::ZERO, end: Time::NEVER }
    }
}

/// How often a draw is repeated that does not suit the peer. Bounded, because a
/// peer may share nearly all that is popular.
const RETRIES: u32 = 8;

/// Operations as they arrive: an open loop, that is, users do not wait for
/// answers before they ask again, so that a slow overlay is not spared.
///
/// Arrivals form a Poisson process: gaps are exponential, peers are drawn
/// uniformly and independently. The state is bounded, whatever the length of
/// the run; times never fall.
#[derive(Clone, Debug)]
pub struct Schedule<'a> {
    questions: &'a Questions<'a>,
    placement: &'a Placement,
    weights: [f64; 5],
    gap_mean_us: f64,
    /// What rounding to whole microseconds left over so far, so that it does
    /// not add up at high rates.
    carry_us: f64,
    now: Time,
    end: Time,
    rng: Rng,
}

impl<'a> Schedule<'a> {
    /// The arrivals of `plan` among the peers of `placement`; `rng` is a
    /// generator of [`overlays::Stream::Workload`].
    ///
    /// # Errors
    /// A sentence, when the rate or the mix is out of range, or placement and
    /// questions do not belong to one catalogue.
    pub fn new(
        plan: &Plan,
        questions: &'a Questions<'a>,
        placement: &'a Placement,
        rng: Rng,
    ) -> Result<Self, String> {
        let rate = plan.rate.total(placement.peers());
        if !(rate > 0.0 && rate <= Plan::MAX_RATE) {
            return Err(format!(
                "{rate} operations per second cannot be scheduled: more than 0 and at most {}",
                Plan::MAX_RATE
            ));
        }
        let weights = plan.mix.weights();
        let sum: f64 = weights.iter().sum();
        if weights.iter().any(|w| !(0.0..=1e9).contains(w)) || sum <= 0.0 {
            return Err(format!(
                "the weights of a mix of operations are not negative and not all zero, not {weights:?}"
            ));
        }
        if placement.items() != questions.popularity().items() {
            return Err(format!(
                "{} items are placed but {} can be asked for",
                placement.items(),
                questions.popularity().items()
            ));
        }
        Ok(Self {
            questions,
            placement,
            weights,
            gap_mean_us: 1e6 / rate,
            carry_us: 0.0,
            now: plan.start,
            end: plan.end,
            rng,
        })
    }

    /// The gap to the next arrival.
    fn gap(&mut self) -> Span {
        let exact = draw::exponential(&mut self.rng) * self.gap_mean_us + self.carry_us;
        let whole = exact.round().max(0.0);
        self.carry_us = exact - whole;
        Span::from_us(whole as u64)
    }

    fn any_peer(&mut self) -> u32 {
        draw::below(&mut self.rng, u64::from(self.placement.peers())) as u32
    }

    /// An item by popularity that `peer` did not share at first; after a few
    /// tries any item.
    fn new_item(&mut self, peer: u32) -> u32 {
        let had = self.placement.shares(peer);
        let popularity = self.questions.popularity();
        let mut item = popularity.draw(&mut self.rng);
        for _ in 0..RETRIES {
            if had.binary_search(&item).is_err() {
                break;
            }
            item = popularity.draw(&mut self.rng);
        }
        item
    }

    /// A query for something that `peer` did not share at first, since nobody
    /// searches for what they have; after a few tries for anything.
    fn question(&mut self, peer: u32) -> Question {
        let had = self.placement.shares(peer);
        let has = |wanted: Option<u32>| wanted.is_some_and(|item| had.binary_search(&item).is_ok());
        let mut question = self.questions.draw(&mut self.rng);
        for _ in 0..RETRIES {
            if !has(question.wanted) {
                break;
            }
            question = self.questions.draw(&mut self.rng);
        }
        question
    }

    fn operation(&mut self) -> (u32, Operation) {
        let kind = draw::weighted(&mut self.rng, &self.weights);
        if kind == 2 {
            let place = draw::below(&mut self.rng, self.placement.total());
            let (peer, item) = self.placement.share(place);
            return (peer, Operation::Delete(item));
        }
        let peer = self.any_peer();
        let operation = match kind {
            0 => Operation::Search(self.question(peer)),
            1 => Operation::Insert(self.new_item(peer)),
            3 => Operation::Join,
            _ => Operation::Leave,
        };
        (peer, operation)
    }
}

impl Iterator for Schedule<'_> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        if self.now >= self.end {
            return None;
        }
        let gap = self.gap();
        self.now += gap;
        if self.now >= self.end {
            return None;
        }
        let (peer, operation) = self.operation();
        Some(Arrival { at: self.now, peer, operation })
    }
}

/// Something that every peer does once per period, each at its own phase: the
/// other kind of arrivals. The host keeps it going by asking for the next time
/// whenever one has come, so that no list of all peers is needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periodic {
    period: Span,
}

impl Periodic {
    /// Once per `period`.
    ///
    /// # Errors
    /// A sentence, when the period is zero.
    pub fn new(period: Span) -> Result<Self, String> {
        if period == Span::ZERO {
            return Err("a period must be longer than zero: write 10s, for instance".to_owned());
        }
        Ok(Self { period })
    }

    /// The period.
    pub const fn period(self) -> Span {
        self.period
    }

    /// When a peer that starts at `start` does it first: uniform in
    /// `[start, start + period)`.
    pub fn first(self, start: Time, rng: &mut Rng) -> Time {
        start + draw::phase(rng, self.period)
    }

    /// When it does it again after `at`.
    pub fn after(self, at: Time) -> Time {
        at + self.period
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
