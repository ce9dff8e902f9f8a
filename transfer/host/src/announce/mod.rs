//! When to announce a torrent, to whom, and what its trackers say (BEP 3, 12).

mod ask;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use transfer::tracker_wire::Event;

pub use ask::ask;

/// Between announces at least, whatever a tracker says (10 s), and at most (1 h).
const INTERVAL_S: std::ops::RangeInclusive<u32> = 10..=3600;
/// Between announces for more peers at least, where a tracker names no minimum.
const MORE_US: u64 = 60_000_000;
/// After all trackers failed, at first; it doubles up to the longest.
const FIRST_RETRY_US: u64 = 15_000_000;
const LONGEST_RETRY_US: u64 = 1_800_000_000;
/// How long a tracker has for its answer.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long one has for the answer to our leaving.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// Trackers of one torrent that are used.
const MAX_TRACKERS: usize = 200;

/// What a tracker is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The torrent.
    pub torrent: u32,
    /// The tracker.
    pub url: String,
    /// Why.
    pub event: Event,
    /// What it gave us to say again.
    pub tracker_id: Option<Vec<u8>>,
    /// How long it may take.
    pub patience: Duration,
}

/// What a tracker said, or why it did not.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What it was asked.
    pub question: Question,
    /// What it said.
    pub outcome: Result<Peers, Refusal>,
}

/// The peers that a tracker named, and when it wants to be asked again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    /// Seconds until the next regular announce.
    pub interval_s: u32,
    /// Seconds until any announce.
    pub min_interval_s: Option<u32>,
    /// Peers.
    pub peers: Vec<SocketAddr>,
    /// What it has against us although it answers.
    pub warning: Option<String>,
    /// To be said next time.
    pub tracker_id: Option<Vec<u8>>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For people.
    pub reason: String,
    /// Whether it says never to ask again (BEP 31).
    pub never: bool,
}

/// The trackers of one torrent.
///
/// The trackers of a tier are tried in a random order, and the first that
/// answers is tried first from then on; only if all of a tier fail is the next
/// tried (BEP 12).
#[derive(Debug)]
pub struct Announcer {
    tiers: Vec<Vec<String>>,
    /// The one to be asked next.
    tier: usize,
    place: usize,
    is_waiting: bool,
    next_us: u64,
    /// From when on more peers may be asked for.
    more_us: u64,
    retry_us: u64,
    /// Whether all has been fetched and no tracker was told.
    must_complete: bool,
    /// Trackers that know of us, and what they gave us to say again.
    known_to: BTreeMap<String, Option<Vec<u8>>>,
}

impl Announcer {
    /// The trackers in their tiers, each of which is shuffled.
    pub fn new(tiers: Vec<Vec<String>>, rng: &mut Xoshiro256PlusPlus) -> Self {
        let mut left = MAX_TRACKERS;
        let mut shuffled = Vec::new();
        for mut tier in tiers {
            tier.shuffle(rng);
            tier.truncate(left);
            left -= tier.len();
            if !tier.is_empty() {
                shuffled.push(tier);
            }
        }
        Self {
            tiers: shuffled,
            tier: 0,
            place: 0,
            is_waiting: false,
            next_us: 0,
            more_us: 0,
            retry_us: FIRST_RETRY_US,
            must_complete: false,
            known_to: BTreeMap::new(),
        }
    }

    /// When something is to be asked; never while an answer is waited for.
    pub fn next_us(&self) -> u64 {
        if self.is_waiting || self.tiers.is_empty() { u64::MAX } else { self.next_us }
    }

    /// What to ask now, if it is time.
    pub fn question(&mut self, torrent: u32, now_us: u64) -> Option<Question> {
        if self.next_us() > now_us {
            return None;
        }
        let url = self.tiers.get(self.tier)?.get(self.place)?.clone();
        self.is_waiting = true;
        let tracker_id = self.known_to.get(&url).cloned().flatten();
        let event = match (self.known_to.contains_key(&url), self.must_complete) {
            // It has not heard of us, so that for it we begin only now.
            (false, _) => Event::Started,
            (true, true) => Event::Completed,
            (true, false) => Event::Regular,
        };
        Some(Question { torrent, url, event, tracker_id, patience: PATIENCE })
    }

    /// All has been fetched: tell it soon.
    pub fn completed(&mut self, now_us: u64) {
        self.must_complete = true;
        self.next_us = now_us;
    }

    /// More peers would be welcome.
    pub fn want_peers(&mut self, now_us: u64) {
        if !self.known_to.is_empty() {
            self.next_us = self.next_us.min(self.more_us.max(now_us));
        }
    }

    /// What to tell those who know of us when we leave.
    pub fn farewells(&self, torrent: u32) -> Vec<Question> {
        let known = self.known_to.iter();
        known
            .map(|(url, tracker_id)| Question {
                torrent,
                url: url.clone(),
                event: Event::Stopped,
                tracker_id: tracker_id.clone(),
                patience: STOP_PATIENCE,
            })
            .collect()
    }

    /// A tracker answered, or did not.
    pub fn answered(&mut self, answer: &Answer, now_us: u64) {
        self.is_waiting = false;
        match &answer.outcome {
            Ok(peers) => self.succeeded(&answer.question, peers, now_us),
            Err(refusal) => self.failed(&answer.question.url, refusal.never, now_us),
        }
    }

    fn succeeded(&mut self, question: &Question, peers: &Peers, now_us: u64) {
        let least_s = peers.min_interval_s.unwrap_or(0);
        let interval_s =
            peers.interval_s.max(least_s).clamp(*INTERVAL_S.start(), *INTERVAL_S.end());
        self.next_us = now_us + u64::from(interval_s) * 1_000_000;
        let more_us = peers.min_interval_s.map_or(MORE_US, |s| u64::from(s) * 1_000_000);
        self.more_us = now_us + more_us.max(MORE_US);
        self.retry_us = FIRST_RETRY_US;
        self.must_complete &= question.event != Event::Completed;
        let tracker_id = peers.tracker_id.clone().or_else(|| question.tracker_id.clone());
        self.known_to.insert(question.url.clone(), tracker_id);
        if let Some(tier) = self.tiers.get_mut(self.tier)
            && self.place < tier.len()
        {
            tier[..=self.place].rotate_right(1);
        }
        // A completion that came meanwhile goes to this one at once.
        if self.must_complete {
            self.next_us = now_us;
        }
        self.tier = 0;
        self.place = 0;
        // The one that answered is asked again, also if it is of a later tier.
        if let Some(tier) = self.tiers.iter().position(|tier| tier.contains(&question.url)) {
            self.tier = tier;
        }
    }

    fn failed(&mut self, url: &str, never: bool, now_us: u64) {
        if never {
            for tier in &mut self.tiers {
                tier.retain(|one| one != url);
            }
            self.tiers.retain(|tier| !tier.is_empty());
        } else {
            self.place += 1;
        }
        if self.tiers.get(self.tier).is_none_or(|tier| self.place >= tier.len()) {
            self.tier += 1;
            self.place = 0;
        }
        self.next_us = now_us;
        if self.tier >= self.tiers.len() {
            self.tier = 0;
            self.next_us = now_us + self.retry_us;
            self.retry_us = (2 * self.retry_us).min(LONGEST_RETRY_US);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn announcer(tiers: &[&[&str]]) -> Announcer {
        let tiers = tiers.iter().map(|tier| tier.iter().map(|url| url.to_string()).collect());
        Announcer::new(tiers.collect(), &mut Xoshiro256PlusPlus::seed_from_u64(1))
    }

    fn answer(question: Question, outcome: Result<Peers, Refusal>) -> Answer {
        Answer { question, outcome }
    }

    fn refusal() -> Refusal {
        Refusal { reason: "no".into(), never: false }
    }

    fn peers(interval_s: u32) -> Peers {
        Peers { interval_s, ..Peers::default() }
    }

    #[test]
    fn without_trackers_nothing_is_asked() {
        let mut none = announcer(&[&[]]);
        assert_eq!(none.next_us(), u64::MAX);
        assert!(none.question(0, 5).is_none());
        none.completed(5);
        assert!(none.farewells(0).is_empty());
    }

    #[test]
    fn it_begins_goes_on_completes_and_leaves() {
        let mut trackers = announcer(&[&["a"]]);
        let question = trackers.question(0, 0).unwrap();
        assert_eq!((question.url.as_str(), question.event), ("a", Event::Started));
        assert!(trackers.question(0, 0).is_none(), "one at a time");
        trackers.answered(&answer(question, Ok(peers(100))), 1_000_000);
        assert_eq!(trackers.next_us(), 101_000_000);
        let question = trackers.question(0, 101_000_000).unwrap();
        assert_eq!(question.event, Event::Regular);
        // It completes while the regular one is on its way.
        trackers.completed(102_000_000);
        trackers.answered(&answer(question, Ok(peers(100))), 103_000_000);
        let question = trackers.question(0, 103_000_000).unwrap();
        assert_eq!(question.event, Event::Completed);
        trackers.answered(&answer(question, Ok(peers(100))), 104_000_000);
        let farewells = trackers.farewells(0);
        assert_eq!(farewells.len(), 1);
        assert_eq!(farewells[0].event, Event::Stopped);
    }

    #[test]
    fn tiers_are_tried_in_turn_and_who_answers_comes_first() {
        let mut trackers = announcer(&[&["a", "b"], &["c"]]);
        let first = trackers.question(0, 0).unwrap();
        let first_url = first.url.clone();
        trackers.answered(&answer(first, Err(refusal())), 0);
        let second = trackers.question(0, 0).unwrap();
        let second_url = second.url.clone();
        assert_ne!(first_url, second_url);
        trackers.answered(&answer(second, Ok(peers(30))), 0);
        let again = trackers.question(0, 30_000_000).unwrap();
        assert_eq!(again.url, second_url);
        trackers.answered(&answer(again, Err(refusal())), 30_000_000);
        let other = trackers.question(0, 30_000_000).unwrap();
        assert_eq!(other.url, first_url);
        trackers.answered(&answer(other, Err(refusal())), 30_000_000);
        let last = trackers.question(0, 30_000_000).unwrap();
        assert_eq!((last.url.as_str(), last.event), ("c", Event::Started));
        trackers.answered(&answer(last, Err(refusal())), 30_000_000);
        assert_eq!(trackers.next_us(), 45_000_000, "all failed: wait");
    }

    #[test]
    fn waiting_doubles_and_who_says_never_is_not_asked_again() {
        let mut trackers = announcer(&[&["a"]]);
        let mut now_us = 0;
        for wait_us in [15_000_000, 30_000_000, 60_000_000] {
            let question = trackers.question(0, now_us).unwrap();
            trackers.answered(&answer(question, Err(refusal())), now_us);
            assert_eq!(trackers.next_us(), now_us + wait_us);
            now_us += wait_us;
        }
        let question = trackers.question(0, now_us).unwrap();
        let never = Refusal { reason: "gone".into(), never: true };
        trackers.answered(&answer(question, Err(never)), now_us);
        assert_eq!(trackers.next_us(), u64::MAX);
    }

    #[test]
    fn more_peers_are_not_asked_for_before_the_minimum() {
        let mut trackers = announcer(&[&["a"]]);
        let question = trackers.question(0, 0).unwrap();
        let reply = Peers { interval_s: 1800, min_interval_s: Some(120), ..Peers::default() };
        trackers.answered(&answer(question, Ok(reply)), 0);
        trackers.want_peers(1);
        assert_eq!(trackers.next_us(), 120_000_000);
    }
}
