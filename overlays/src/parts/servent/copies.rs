//! Copies of answers: who was found to have what, kept by others to answer
//! later searches sooner.
//!
//! Cohen and Shenker (SIGCOMM 2002) and Lv et al. (ICS 2002, §5) ask how many
//! copies of each item an unstructured network should keep. A copy here is a
//! record of an item and its provider, as in their model: it answers for the
//! provider, who still has the file.

use std::collections::VecDeque;
use std::sync::Arc;

use super::descriptor::{HitBody, Record};
use super::wire::MAX_PAYLOAD;
use crate::seam::{Item, Query, Span, Target, Time};

crate::choice! {
    /// Who keeps a copy of what a search has found.
    pub enum Replication {
        /// Nobody.
        None = "none",
        /// The searcher.
        Owner = "owner",
        /// Everyone on the way of the hit.
        Path = "path",
        /// As many servents as the way of the hit is long, at random.
        Random = "random",
    }
}

/// Copies in an answer at most.
const MAX_ANSWERS: usize = 10;

#[derive(Clone, Debug)]
struct Copy {
    /// The one record, and its provider.
    body: Arc<HitBody>,
    item: Arc<Item>,
    since: Time,
}

/// A bounded store of copies. The oldest goes first, whether it was asked for
/// or not: a store that kept what is asked for would not converge to the
/// square root of popularity (Cohen and Shenker, §5).
#[derive(Debug)]
pub struct Copies {
    copies: VecDeque<Copy>,
    capacity: usize,
    lifetime: Span,
}

impl Copies {
    /// An empty store for `capacity` copies, each for `lifetime`.
    pub const fn new(capacity: usize, lifetime: Span) -> Self {
        Self { copies: VecDeque::new(), capacity, lifetime }
    }

    /// Keeps a copy of each record of a hit that it does not have.
    pub fn keep(&mut self, body: &HitBody, now: Time) {
        self.drop_old(now);
        for record in body.records().iter().take(self.capacity) {
            let same =
                |c: &Copy| c.item.key() == record.item.key() && c.body.provider == body.provider;
            if self.copies.iter().any(same) {
                continue;
            }
            if self.copies.len() >= self.capacity {
                self.copies.pop_front();
            }
            let (provider, speed) = (body.provider, body.speed_kbps);
            let item = record.item.clone();
            let record = Record { index: record.index, item: item.clone() };
            let body = HitBody::new(provider, speed, body.push, body.servent, vec![record]);
            self.copies.push_back(Copy { body: Arc::new(body), item, since: now });
        }
    }

    fn drop_old(&mut self, now: Time) {
        let lifetime = self.lifetime;
        while self.copies.front().is_some_and(|c| now.since(c.since) > lifetime) {
            self.copies.pop_front();
        }
    }

    /// The hits that the copies answer `target` with.
    pub fn matching(&mut self, target: &Target, now: Time) -> Vec<Arc<HitBody>> {
        self.drop_old(now);
        if self.copies.is_empty() {
            return Vec::new();
        }
        let query = Query { target: target.clone(), limit: Query::MAX_LIMIT };
        let found = self.copies.iter().filter(|c| query.matches(&c.item));
        let fits = found.filter(|c| c.body.encoded_len() <= MAX_PAYLOAD);
        fits.map(|c| c.body.clone()).take(MAX_ANSWERS).collect()
    }

    /// The items that there are copies of.
    pub fn items(&self) -> impl Iterator<Item = &Arc<Item>> {
        self.copies.iter().map(|copy| &copy.item)
    }

    /// Copies kept.
    pub fn count(&self) -> usize {
        self.copies.len()
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.copies.capacity() * size_of::<Copy>()
            + self.copies.len() * (size_of::<HitBody>() + size_of::<Record>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::servent::Guid;
    use crate::seam::Addr;

    fn body(provider: u32, names: &[String]) -> HitBody {
        let item = |name: &String| Arc::new(Item::new(name, 1));
        let records =
            (0..).zip(names).map(|(index, name)| Record { index, item: item(name) }).collect();
        HitBody::new(Addr::from_index(provider), 1, false, Guid::ZERO, records)
    }

    fn at(s: u64) -> Time {
        Time::ZERO + Span::from_s(s)
    }

    #[test]
    fn the_oldest_goes_first_however_often_it_was_asked_for() {
        let mut copies = Copies::new(3, Span::from_s(100));
        let name = |n: u64| format!("word {n}");
        let query = |n: u64| Query::exact(Item::new(&name(n), 1).key()).target;
        for n in 0..5 {
            copies.keep(&body(7, &[name(n)]), at(n));
            copies.keep(&body(7, &[name(n)]), at(n));
            assert!(copies.count() <= 3);
            if n < 3 {
                assert_eq!(copies.matching(&query(0), at(n)).len(), 1);
            }
        }
        assert_eq!(copies.matching(&query(0), at(5)).len(), 0);
        assert_eq!(copies.matching(&query(4), at(5))[0].provider, Addr::from_index(7));
        // And all of them go in time.
        assert_eq!(copies.matching(&query(4), at(104)).len(), 1);
        assert_eq!(copies.matching(&query(4), at(105)).len(), 0);
    }

    #[test]
    fn a_large_hit_fills_no_more_than_the_store() {
        let mut copies = Copies::new(8, Span::from_s(100));
        let names: Vec<String> = (0..255).map(|n| format!("word {n}")).collect();
        copies.keep(&body(7, &names), at(0));
        copies.keep(&body(8, &names), at(0));
        assert_eq!(copies.count(), 8);
        let found = copies.matching(&Query::keywords("word").target, at(1));
        assert!(found.iter().all(|b| b.provider == Addr::from_index(8) && b.records().len() == 1));
        let mut none = Copies::new(0, Span::from_s(100));
        none.keep(&body(7, &names), at(0));
        assert_eq!(none.count(), 0);
    }
}
