//! The keyword searches of a node that have not ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Intersect;
use super::sift::{Place, Sift, Sifted, Way, longest_unseen};
use crate::seam::{Addr, Cause, Hit, Key, Keywords, OpId, Outcome, Reason};

/// The most searches under way at a time; further ones fail.
const MAX_SEARCHES: usize = 1_024;
/// The most records that are fetched of one list.
const MAX_LIST: usize = 10_000;

/// What has come of one word's list.
#[derive(Debug, Default)]
struct Fetched {
    hits: Vec<Hit>,
    /// Where the page starts that is to come.
    after: Option<Place>,
    ended: bool,
    /// Whether the list is whole, so that it counts out what it lacks.
    is_whole: bool,
}

/// What a search waits for.
#[derive(Debug)]
enum Wait {
    /// The lists of its words, by number.
    Lists(Vec<Fetched>),
    /// The answer to the query on its path, which has gone by these words.
    Path { tried: u32 },
}

#[derive(Debug)]
struct Open {
    op: OpId,
    cause: Cause,
    words: Arc<Keywords>,
    limit: u16,
    wait: Wait,
}

/// How a search ended.
#[derive(Debug, PartialEq)]
pub struct Ended {
    /// The search.
    pub op: OpId,
    /// Why it was going on.
    pub cause: Cause,
    /// How it ended.
    pub outcome: Outcome,
}

/// What is to be done for a search.
#[derive(Debug, PartialEq)]
pub enum Progress {
    /// Nothing for now.
    Wait,
    /// Send these to the owners of their keys.
    Send(Vec<Sift>),
    /// Tell the user.
    End(Ended),
}

/// The searches under way, by ticket.
#[derive(Debug, Default)]
pub struct Searches {
    open: BTreeMap<u32, Open>,
    last_ticket: u32,
}

impl Searches {
    /// Starts a search: its ticket, and what is to be sent to whom.
    ///
    /// # Errors
    /// The outcome of a search that ends at once: one without words, or one
    /// too many.
    pub fn start(
        &mut self,
        (asker, op, cause): (Addr, OpId, Cause),
        words: &Arc<Keywords>,
        limit: u16,
        way: Intersect,
    ) -> Result<(u32, Vec<Sift>), Outcome> {
        let Some(first) = longest_unseen(words, 0) else { return Err(Outcome::NotFound) };
        if self.open.len() >= MAX_SEARCHES {
            return Err(Outcome::Failed(Reason::Full));
        }
        self.last_ticket = self.last_ticket.wrapping_add(1);
        let ticket = self.last_ticket;
        let sift = |word, way| Sift { asker, ticket, words: Arc::clone(words), word, way };
        let (wait, sifts) = match way {
            Intersect::Asker => {
                let numbers = 0..words.words().len() as u8;
                let lists = numbers.clone().map(|_| Fetched::default()).collect();
                let sifts = numbers.map(|word| sift(word, Way::List { after: None })).collect();
                (Wait::Lists(lists), sifts)
            }
            Intersect::Path => {
                let way = Way::Path { seen: 0, found: Vec::new(), limit };
                (Wait::Path { tried: 1 << first }, vec![sift(first, way)])
            }
        };
        self.open.insert(ticket, Open { op, cause, words: Arc::clone(words), limit, wait });
        Ok((ticket, sifts))
    }

    /// An owner answered.
    pub fn on_sifted(&mut self, asker: Addr, sifted: Sifted) -> Progress {
        let Sifted { ticket, word, hits, next, is_hot } = sifted;
        let Some(open) = self.open.get_mut(&ticket) else { return Progress::Wait };
        let Wait::Lists(lists) = &mut open.wait else {
            return self.end(ticket, hits);
        };
        let Some(list) = lists.get_mut(usize::from(word)).filter(|list| !list.ended) else {
            return Progress::Wait;
        };
        let first = hits.first().map(|hit| (hit.item.key(), hit.provider));
        if first.is_some() && first <= list.after {
            // A page that was asked for twice.
            return Progress::Wait;
        }
        list.hits.extend(hits);
        let goes_on = next.filter(|next| Some(*next) > list.after && list.hits.len() < MAX_LIST);
        if let Some(after) = goes_on {
            list.after = Some(after);
            let way = Way::List { after: goes_on };
            let words = Arc::clone(&open.words);
            return Progress::Send(vec![Sift { asker, ticket, words, word, way }]);
        }
        list.ended = true;
        list.is_whole = !is_hot && next.is_none();
        self.review(ticket)
    }

    /// The owner of a word could not be reached: the search makes do without
    /// that list, or goes by another word.
    pub fn on_unreachable(&mut self, asker: Addr, ticket: u32, word: u8) -> Progress {
        let Some(open) = self.open.get_mut(&ticket) else { return Progress::Wait };
        match &mut open.wait {
            Wait::Lists(lists) => {
                if let Some(list) = lists.get_mut(usize::from(word)) {
                    list.ended = true;
                }
                self.review(ticket)
            }
            Wait::Path { tried } => match longest_unseen(&open.words, *tried) {
                Some(word) => {
                    *tried |= 1 << word;
                    let words = Arc::clone(&open.words);
                    let way = Way::Path { seen: *tried, found: Vec::new(), limit: open.limit };
                    Progress::Send(vec![Sift { asker, ticket, words, word, way }])
                }
                None => self.fail(ticket),
            },
        }
    }

    /// The answer has had its time: what came must do.
    pub fn on_overdue(&mut self, ticket: u32) -> Progress {
        match self.open.get_mut(&ticket).map(|open| &mut open.wait) {
            Some(Wait::Lists(lists)) => {
                lists.iter_mut().for_each(|list| list.ended = true);
                self.review(ticket)
            }
            Some(Wait::Path { .. }) => self.fail(ticket),
            None => Progress::Wait,
        }
    }

    /// Puts the lists together once all have come.
    fn review(&mut self, ticket: u32) -> Progress {
        let Some(Open { words, wait: Wait::Lists(lists), .. }) = self.open.get(&ticket) else {
            return Progress::Wait;
        };
        if lists.iter().any(|list| !list.ended) {
            return Progress::Wait;
        }
        if lists.iter().all(|list| list.hits.is_empty() && !list.is_whole) {
            return self.fail(ticket);
        }
        let place = |hit: &Hit| (hit.item.key(), hit.provider);
        let whole: Vec<BTreeSet<(Key, Addr)>> = lists
            .iter()
            .filter(|list| list.is_whole)
            .map(|list| list.hits.iter().map(place).collect())
            .collect();
        let candidates = lists.iter().flat_map(|list| &list.hits);
        let mut hits: BTreeMap<(Key, Addr), Hit> = BTreeMap::new();
        for hit in candidates {
            let on_all = whole.iter().all(|list| list.contains(&place(hit)));
            if on_all && hit.item.keywords().contains_all(words) {
                hits.entry(place(hit)).or_insert_with(|| hit.clone());
            }
        }
        self.end(ticket, hits.into_values().collect())
    }

    fn fail(&mut self, ticket: u32) -> Progress {
        let Some(Open { op, cause, .. }) = self.open.remove(&ticket) else { return Progress::Wait };
        Progress::End(Ended { op, cause, outcome: Outcome::Failed(Reason::Timeout) })
    }

    /// Ends a search with what matches of `hits`; an owner may say anything.
    fn end(&mut self, ticket: u32, mut hits: Vec<Hit>) -> Progress {
        let Some(open) = self.open.remove(&ticket) else { return Progress::Wait };
        hits.retain(|hit| hit.item.keywords().contains_all(&open.words));
        hits.truncate(usize::from(open.limit));
        let outcome = if hits.is_empty() { Outcome::NotFound } else { Outcome::Found(hits) };
        Progress::End(Ended { op: open.op, cause: open.cause, outcome })
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        let lists = |open: &Open| match &open.wait {
            Wait::Lists(lists) => lists.iter().map(|list| list.hits.len() * size_of::<Hit>()).sum(),
            Wait::Path { .. } => 0,
        };
        self.open.values().map(|open| size_of::<Open>() + lists(open)).sum()
    }
}
