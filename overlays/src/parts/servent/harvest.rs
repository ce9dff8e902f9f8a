//! The hits that a search has gathered.

use super::descriptor::HitBody;
use super::guid::Guid;
use crate::seam::{Addr, Hit, Query};

/// What a search looks for and what has come of it: at most as many hits as
/// the query wants, and at most as many again that wait for a Push.
#[derive(Debug)]
pub struct Harvest {
    query: Query,
    hits: Vec<Hit>,
    /// Hits that a Push has yet to make usable.
    awaited: Vec<Awaited>,
}

/// Hits of a firewalled servent that was asked to connect.
#[derive(Debug)]
struct Awaited {
    servent: Guid,
    provider: Addr,
    hits: Vec<Hit>,
}

/// What became of the records of a QueryHit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sifted {
    /// So many new hits count.
    Taken(u32),
    /// They count once a Push for the file with this number has worked.
    Push(u32),
}

impl Harvest {
    /// Nothing yet.
    pub const fn new(query: Query) -> Self {
        Self { query, hits: Vec::new(), awaited: Vec::new() }
    }

    /// What is looked for.
    pub const fn query(&self) -> &Query {
        &self.query
    }

    /// Hits that count.
    pub const fn count(&self) -> usize {
        self.hits.len()
    }

    /// Whether there are as many hits as were wanted.
    pub fn is_full(&self) -> bool {
        self.hits.len() >= self.limit()
    }

    /// Whether hits wait for a Push to work.
    pub const fn is_waiting(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// Hands out the hits.
    pub fn into_hits(self) -> Vec<Hit> {
        self.hits
    }

    fn limit(&self) -> usize {
        usize::from(self.query.limit)
    }

    fn knows(&self, hit: &Hit) -> bool {
        let same = |h: &Hit| h.provider == hit.provider && h.item.key() == hit.item.key();
        self.hits.iter().any(same) || self.awaited.iter().any(|a| a.hits.iter().any(same))
    }

    /// Counts hits up to the limit; how many were taken.
    pub fn take(&mut self, hits: Vec<Hit>) -> u32 {
        let room = self.limit().saturating_sub(self.hits.len());
        let before = self.hits.len();
        self.hits.extend(hits.into_iter().take(room));
        (self.hits.len() - before) as u32
    }

    /// Takes the records of a hit as far as they are what was asked for and
    /// new. `push` says whether hits from behind a firewall need a Push, and
    /// `firewalled` whether the searcher is behind one itself: then neither
    /// side could connect to the other, and such a hit is of no use.
    pub fn sift(&mut self, me: Addr, body: &HitBody, push: bool, firewalled: bool) -> Sifted {
        let mut new: Vec<Hit> = Vec::new();
        let mut index = 0;
        for record in body.records() {
            let hit = Hit { item: record.item.clone(), provider: body.provider };
            let wanted = self.query.matches(&hit.item) && new.len() < self.limit();
            if wanted && !self.knows(&hit) && !new.iter().any(|h| h.item.key() == hit.item.key()) {
                index = record.index;
                new.push(hit);
            }
        }
        if new.is_empty() || body.provider == me {
            return Sifted::Taken(0);
        }
        if !(body.push && push) {
            return Sifted::Taken(self.take(new));
        }
        if firewalled {
            return Sifted::Taken(0);
        }
        if let Some(known) = self.awaited.iter_mut().find(|a| a.servent == body.servent) {
            let room = usize::from(self.query.limit).saturating_sub(known.hits.len());
            known.hits.extend(new.into_iter().take(room));
        } else if self.awaited.len() < usize::from(Query::MAX_LIMIT) {
            let (servent, provider) = (body.servent, body.provider);
            self.awaited.push(Awaited { servent, provider, hits: new });
            return Sifted::Push(index);
        }
        Sifted::Taken(0)
    }

    /// The servent at `from` has connected: how many of its hits count now, if
    /// any were waiting for it.
    pub fn confirm(&mut self, from: Addr, servent: Guid) -> Option<u32> {
        let it = |a: &Awaited| a.servent == servent && a.provider == from;
        let at = self.awaited.iter().position(it)?;
        let confirmed = self.awaited.swap_remove(at).hits;
        Some(self.take(confirmed))
    }
}
