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

/// Half a line of the cache, since each answer to a lookup goes through the
/// whole list.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    contact: Contact,
    state: State,
    /// Whether it answered that it has nothing.
    empty: bool,
    /// Where among the tokens the right to store at it stands, counted from 1;
    /// 0 where there is none.
    token: u16,
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
    /// The first bits of each candidate's distance, in the same order: most of
    /// them differ there already, in a tenth of the memory.
    distances: Vec<u32>,
    /// The tokens of those who gave one, in the order in which they came.
    tokens: Vec<Box<[u8]>>,
    /// How many candidates were asked and have not answered.
    asked: usize,
    /// Answers and timeouts in a row that brought nobody closer.
    fruitless: usize,
}

impl Shortlist {
    pub(super) fn new(target: Key) -> Self {
        Self {
            target,
            candidates: Vec::new(),
            distances: Vec::new(),
            tokens: Vec::new(),
            asked: 0,
            fruitless: 0,
        }
    }

    pub(super) fn target(&self) -> Key {
        self.target
    }

    /// Adds a candidate, unless it is known; says whether it is the closest.
    pub(super) fn add(&mut self, contact: Contact) -> bool {
        let place = self.place_for(contact);
        if place >= MOST || self.position_from(place, &contact).is_some() {
            return false;
        }
        if self.candidates.len() >= MOST {
            self.remove(self.candidates.len() - 1);
        }
        let fresh = Candidate { contact, state: State::Fresh, empty: false, token: 0 };
        self.insert(place, fresh);
        place == 0
    }

    /// The first place that is no closer to the target than `contact`.
    fn place_for(&self, contact: Contact) -> usize {
        let first = self.first_bits(contact);
        let from = self.distances.partition_point(|other| *other < first);
        let same = self.distances[from..].iter().take_while(|other| **other == first).count();
        let distance = contact.distance(self.target);
        let same = &self.candidates[from..from + same];
        from + same.partition_point(|c| c.contact.distance(self.target) < distance)
    }

    /// The first bits of a contact's distance.
    fn first_bits(&self, contact: Contact) -> u32 {
        contact.distance(self.target).top_bits(32) as u32
    }

    /// Puts in a candidate at its place.
    fn insert(&mut self, place: usize, candidate: Candidate) {
        self.distances.insert(place, self.first_bits(candidate.contact));
        self.candidates.insert(place, candidate);
    }

    /// Takes out the candidate at `place`.
    fn remove(&mut self, place: usize) -> Candidate {
        let candidate = self.candidates.remove(place);
        self.distances.remove(place);
        self.asked -= usize::from(candidate.state == State::Asked);
        candidate
    }

    /// Notes how far the lookup has got with the candidate at `place`.
    fn set_state(&mut self, place: usize, state: State) {
        let before = core::mem::replace(&mut self.candidates[place].state, state);
        self.asked += usize::from(state == State::Asked);
        self.asked -= usize::from(before == State::Asked);
    }

    /// Adds a node of which only the address is known. It stands at the end,
    /// as if it were as far from the target as can be, until it answers.
    pub(super) fn add_unknown(&mut self, addr: Addr) {
        self.add(Contact { id: self.target.xor(Key::MAX), addr });
    }

    fn position(&self, contact: &Contact) -> Option<usize> {
        self.position_from(self.place_for(*contact), contact)
    }

    /// Where `contact` stands among those that are as far as the first at
    /// `place`: one identifier, at several addresses.
    fn position_from(&self, place: usize, contact: &Contact) -> Option<usize> {
        let same = self.candidates[place..].iter().take_while(|c| c.contact.id == contact.id);
        same.zip(place..).find(|(c, _)| c.contact == *contact).map(|(_, at)| at)
    }

    /// The next node to ask. `alpha` requests go on at a time; when as many
    /// answers in a row have brought nobody closer, all of the `k` closest are
    /// asked at once (§2.3).
    pub(super) fn next(&mut self, alpha: usize, k: usize) -> Option<Contact> {
        let most = if self.fruitless >= alpha { alpha.max(k) } else { alpha };
        if self.asked >= most {
            return None;
        }
        let live = self.candidates.iter().zip(0..).filter(|(c, _)| c.state != State::Silent);
        let (next, place) = live.take(k).find(|(c, _)| c.state == State::Fresh)?;
        let contact = next.contact;
        self.set_state(place, State::Asked);
        Some(contact)
    }

    /// The candidate at `place`, known by its address only, turns out to be
    /// `contact`, and moves to the place that is returned.
    fn rename(&mut self, place: usize, contact: Contact) -> usize {
        let mut candidate = self.remove(place);
        candidate.contact = contact;
        if let Some(twice) = self.position(&contact) {
            self.remove(twice);
        }
        let place = self.place_for(contact);
        self.asked += usize::from(candidate.state == State::Asked);
        self.insert(place, candidate);
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
            self.set_state(place, State::Answered);
            let token = self.keep_token(token);
            let candidate = &mut self.candidates[place];
            candidate.token = token;
            candidate.empty = empty;
        }
        let mut closer = false;
        for node in nodes {
            closer |= self.add(*node);
        }
        self.fruitless = if closer { 0 } else { self.fruitless + 1 };
    }

    /// Keeps a token and returns its number; one too many is not kept, as if
    /// it had not been given.
    fn keep_token(&mut self, token: Option<Box<[u8]>>) -> u16 {
        let Some(token) = token else { return 0 };
        let Ok(number) = u16::try_from(self.tokens.len() + 1) else { return 0 };
        self.tokens.push(token);
        number
    }

    fn token_of(&self, candidate: &Candidate) -> Option<Box<[u8]>> {
        let place = usize::from(candidate.token).checked_sub(1)?;
        self.tokens.get(place).cloned()
    }

    /// `asked` gave no answer in time.
    pub(super) fn silent(&mut self, asked: &Contact) {
        if let Some(place) = self.position(asked) {
            self.set_state(place, State::Silent);
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
            .map(|c| Closest { contact: c.contact, token: self.token_of(c) })
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
