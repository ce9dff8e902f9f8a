//! The state of an iterative lookup: whom it has heard of and whom it has
//! asked (Kademlia §2.3).

use super::contact::Contact;
use crate::{Addr, Key};

/// Candidates that a lookup remembers.
const MOST: usize = 256;

/// How far the lookup has got with a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not asked yet.
    Fresh,
    /// Asked, and no answer yet.
    Asked,
    /// It has answered.
    Answered,
    /// It gave no answer in time.
    Silent,
}

#[derive(Clone, Debug)]
struct Candidate {
    contact: Contact,
    state: State,
    /// The right to store at it.
    token: Option<Box<[u8]>>,
    /// Whether it answered that it has nothing.
    empty: bool,
}

/// A node that a lookup ended with.
#[derive(Clone, Debug)]
pub(super) struct Closest {
    pub(super) contact: Contact,
    pub(super) token: Option<Box<[u8]>>,
}

/// The candidates of a lookup, closest first.
#[derive(Clone, Debug)]
pub(super) struct Shortlist {
    target: Key,
    candidates: Vec<Candidate>,
    /// Answers and timeouts in a row that brought nobody closer.
    fruitless: usize,
}

impl Shortlist {
    pub(super) fn new(target: Key) -> Self {
        Self { target, candidates: Vec::new(), fruitless: 0 }
    }

    pub(super) fn target(&self) -> Key {
        self.target
    }

    /// Adds a candidate, unless it is known; says whether it is the closest.
    pub(super) fn add(&mut self, contact: Contact) -> bool {
        let distance = contact.distance(self.target);
        let place = self.candidates.partition_point(|c| c.contact.distance(self.target) < distance);
        let same = |c: &&Candidate| c.contact.id == contact.id;
        if self.candidates[place..].iter().take_while(same).any(|c| c.contact == contact)
            || place >= MOST
        {
            return false;
        }
        let fresh = Candidate { contact, state: State::Fresh, token: None, empty: false };
        self.candidates.insert(place, fresh);
        self.candidates.truncate(MOST);
        place == 0
    }

    /// Adds a node of which only the address is known. It stands at the end,
    /// as if it were as far from the target as can be, until it answers.
    pub(super) fn add_unknown(&mut self, addr: Addr) {
        self.add(Contact { id: self.target.xor(Key::MAX), addr });
    }

    fn position(&self, contact: &Contact) -> Option<usize> {
        self.candidates.iter().position(|c| c.contact == *contact)
    }

    /// The next node to ask. `alpha` requests go on at a time; when as many
    /// answers in a row have brought nobody closer, all of the `k` closest are
    /// asked at once (§2.3).
    pub(super) fn next(&mut self, alpha: usize, k: usize) -> Option<Contact> {
        let most = if self.fruitless >= alpha { alpha.max(k) } else { alpha };
        let asked = self.candidates.iter().filter(|c| c.state == State::Asked).count();
        if asked >= most {
            return None;
        }
        let next = self
            .candidates
            .iter_mut()
            .filter(|c| c.state != State::Silent)
            .take(k)
            .find(|c| c.state == State::Fresh)?;
        next.state = State::Asked;
        Some(next.contact)
    }

    /// The candidate at `place`, known by its address only, turns out to be
    /// `contact`, and moves to the place that is returned.
    fn rename(&mut self, place: usize, contact: Contact) -> usize {
        let mut candidate = self.candidates.remove(place);
        candidate.contact = contact;
        if let Some(twice) = self.position(&contact) {
            self.candidates.remove(twice);
        }
        let distance = contact.distance(self.target);
        let place = self.candidates.partition_point(|c| c.contact.distance(self.target) < distance);
        self.candidates.insert(place, candidate);
        place
    }

    /// `asked` has answered with these nodes, and is `contact`: the same, but
    /// for one that was known by its address only.
    pub(super) fn answered(
        &mut self,
        asked: &Contact,
        contact: Contact,
        nodes: &[Contact],
        token: Option<Box<[u8]>>,
        empty: bool,
    ) {
        if let Some(place) = self.position(asked) {
            let place = if *asked == contact { place } else { self.rename(place, contact) };
            let candidate = &mut self.candidates[place];
            candidate.state = State::Answered;
            candidate.token = token;
            candidate.empty = empty;
        }
        let mut closer = false;
        for node in nodes {
            closer |= self.add(*node);
        }
        self.fruitless = if closer { 0 } else { self.fruitless + 1 };
    }

    /// `asked` gave no answer in time.
    pub(super) fn silent(&mut self, asked: &Contact) {
        if let Some(place) = self.position(asked) {
            self.candidates[place].state = State::Silent;
            self.fruitless += 1;
        }
    }

    /// Whether the `k` closest that are not silent have all answered.
    pub(super) fn is_finished(&self, k: usize) -> bool {
        let mut live = self.candidates.iter().filter(|c| c.state != State::Silent).take(k);
        live.all(|c| c.state == State::Answered)
    }

    /// The closest `n` that have answered.
    pub(super) fn closest(&self, n: usize) -> impl Iterator<Item = Closest> + '_ {
        self.candidates
            .iter()
            .filter(|c| c.state == State::Answered)
            .take(n)
            .map(|c| Closest { contact: c.contact, token: c.token.clone() })
    }

    /// The closest node that answered that it has nothing, and how many nodes
    /// are known to be closer.
    pub(super) fn closest_without(&self) -> Option<(Contact, usize)> {
        let live = self.candidates.iter().filter(|c| c.state != State::Silent).enumerate();
        let mut without = live.filter(|(_, c)| c.empty && c.state == State::Answered);
        without.next().map(|(rank, c)| (c.contact, rank))
    }

    /// Whether anybody has answered.
    pub(super) fn has_answers(&self) -> bool {
        self.candidates.iter().any(|c| c.state == State::Answered)
    }

    /// How many candidates there are.
    pub(super) fn len(&self) -> usize {
        self.candidates.len()
    }

    /// Whether there was anybody to ask.
    pub(super) fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }
}
