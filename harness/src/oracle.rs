//! The oracle: it knows the truth and grades every operation.
//!
//! No overlay can see it. It is told of every insert and delete, and of every
//! node that stops, by the experiment.

use std::collections::BTreeMap;

use overlays::{Key, Outcome, Query, Target, Time};

/// How an operation ended, in the eyes of one who knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// All that was asked for, and nothing untrue.
    Correct,
    /// Something was found, but less than there is and was asked for.
    Incomplete,
    /// Something was returned that is not so, such as a provider long gone.
    Wrong,
    /// Nothing came of it though it could have.
    Failed,
    /// The overlay has no such operation.
    Unsupported,
}

/// One peer's sharing of one item over time.
///
/// An item is *valid* from the start of its insert until its delete has ended,
/// and *expected* from the end of the insert until the start of the delete. A
/// search that overlaps a change may see it or not; both are right.
#[derive(Clone, Copy, Debug)]
struct Share {
    valid_from: Time,
    expected_from: Time,
    expected_until: Time,
    valid_until: Time,
}

/// What is shared by whom, and since when.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// By key, then provider: a popular item has very many.
    shares: BTreeMap<Key, BTreeMap<u32, Share>>,
    keys_of: BTreeMap<u32, Vec<Key>>,
}

impl Truth {
    /// An insert of `key` by `provider` starts.
    pub fn insert_starts(&mut self, key: Key, provider: u32, now: Time) {
        self.keys_of.entry(provider).or_default().push(key);
        let share = Share {
            valid_from: now,
            expected_from: Time::NEVER,
            expected_until: Time::NEVER,
            valid_until: Time::NEVER,
        };
        self.shares.entry(key).or_default().insert(provider, share);
    }

    /// That insert has ended well: searches must find it from now on.
    pub fn insert_ends(&mut self, key: Key, provider: u32, now: Time) {
        if let Some(share) = self.share(key, provider) {
            share.expected_from = now;
        }
    }

    /// A delete of `key` by `provider` starts: searches need not find it.
    pub fn delete_starts(&mut self, key: Key, provider: u32, now: Time) {
        if let Some(share) = self.share(key, provider) {
            share.expected_until = share.expected_until.min(now);
        }
    }

    /// That delete has ended well: searches must not find it from now on.
    pub fn delete_ends(&mut self, key: Key, provider: u32, now: Time) {
        if let Some(share) = self.share(key, provider) {
            share.valid_until = share.valid_until.min(now);
        }
    }

    /// A node stops, and with it all that it shares.
    pub fn node_stops(&mut self, provider: u32, now: Time) {
        for key in self.keys_of.remove(&provider).unwrap_or_default() {
            if let Some(share) = self.share(key, provider) {
                share.expected_until = share.expected_until.min(now);
                share.valid_until = share.valid_until.min(now);
            }
        }
    }

    fn share(&mut self, key: Key, provider: u32) -> Option<&mut Share> {
        self.shares.get_mut(&key)?.get_mut(&provider)
    }

    /// Whether anyone but `asker` has shared `key` all the time from `since`
    /// to `now`.
    pub fn is_shared(&self, key: Key, asker: u32, since: Time, now: Time) -> bool {
        self.expected(key, asker, since, now, 1) > 0
    }

    /// How many peers but `asker` have shared `key` all that time, counted up
    /// to `most`.
    fn expected(&self, key: Key, asker: u32, since: Time, now: Time, most: usize) -> usize {
        let Some(shares) = self.shares.get(&key) else { return 0 };
        let expected = shares.iter().filter(|(provider, s)| {
            **provider != asker && s.expected_from <= since && s.expected_until >= now
        });
        expected.take(most).count()
    }

    /// Grades the outcome of a search that `asker` started at `since` and that
    /// ended `now`. `matching` are the keys of all items that match the query;
    /// for an exact query it is not looked at.
    ///
    /// What the asker shares itself is not expected among the hits, since some
    /// overlays leave it out.
    pub fn grade_search(
        &self,
        query: &Query,
        matching: &[Key],
        asker: u32,
        since: Time,
        now: Time,
        outcome: &Outcome,
    ) -> Verdict {
        let most = usize::from(query.limit);
        let keys: &[Key] = match &query.target {
            Target::Exact(key) => std::slice::from_ref(key),
            Target::Keywords(_) => matching,
        };
        let there: usize =
            keys.iter().map(|key| self.expected(*key, asker, since, now, most)).sum();
        let wanted = there.min(most) as u64;
        let verdict = |grade, found| Verdict { grade, found, wanted };
        let hits = match outcome {
            Outcome::Unsupported => return verdict(Grade::Unsupported, 0),
            Outcome::Found(hits) => hits.as_slice(),
            Outcome::NotFound => &[],
            _ => return verdict(Grade::Failed, 0),
        };
        let is_valid = |key: Key, provider: u32| {
            let share = self.shares.get(&key).and_then(|shares| shares.get(&provider));
            share.is_some_and(|s| s.valid_from <= now && s.valid_until >= since)
        };
        let all_true = hits
            .iter()
            .all(|hit| query.matches(&hit.item) && is_valid(hit.item.key(), hit.provider.index()));
        if !all_true {
            return verdict(Grade::Wrong, 0);
        }
        let mut found: Vec<(Key, u32)> =
            hits.iter().map(|hit| (hit.item.key(), hit.provider.index())).collect();
        found.sort_unstable();
        found.dedup();
        let found = found.len() as u64;
        match (found, wanted) {
            (found, wanted) if found >= wanted => verdict(Grade::Correct, wanted),
            (0, _) => verdict(Grade::Failed, 0),
            _ => verdict(Grade::Incomplete, found),
        }
    }
}

/// How a search did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The grade.
    pub grade: Grade,
    /// Hits that were wanted and found; none if any hit was untrue.
    pub found: u64,
    /// Hits that were asked for and existed.
    pub wanted: u64,
}

/// Grades the outcome of an operation that either takes effect or does not.
pub const fn grade_effect(outcome: &Outcome) -> Grade {
    match outcome {
        Outcome::Done => Grade::Correct,
        Outcome::Unsupported => Grade::Unsupported,
        _ => Grade::Failed,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use overlays::{Addr, Hit, Item, Reason};

    use super::*;

    fn at(s: u64) -> Time {
        Time::from_us(s * 1_000_000)
    }

    fn hit(item: &Arc<Item>, provider: u32) -> Hit {
        Hit { item: Arc::clone(item), provider: Addr::from_index(provider) }
    }

    fn shared(item: &Item, provider: u32) -> Truth {
        let mut truth = Truth::default();
        truth.insert_starts(item.key(), provider, at(1));
        truth.insert_ends(item.key(), provider, at(2));
        truth
    }

    #[test]
    fn a_search_is_graded_by_what_was_shared_while_it_ran() {
        let item = Arc::new(Item::new("song.ogg", 1));
        let query = Query::exact(item.key());
        let mut truth = shared(&item, 7);
        let found = Outcome::Found(vec![hit(&item, 7)]);
        let grade = |truth: &Truth, since, now, outcome: &Outcome| {
            truth.grade_search(&query, &[], 1, at(since), at(now), outcome).grade
        };
        assert_eq!(grade(&truth, 3, 4, &found), Grade::Correct);
        assert_eq!(grade(&truth, 3, 4, &Outcome::NotFound), Grade::Failed);
        assert_eq!(grade(&truth, 3, 4, &Outcome::Failed(Reason::Timeout)), Grade::Failed);
        assert_eq!(grade(&truth, 3, 4, &Outcome::Unsupported), Grade::Unsupported);
        let liar = Outcome::Found(vec![hit(&item, 8)]);
        assert_eq!(grade(&truth, 3, 4, &liar), Grade::Wrong);
        // While the insert runs, both answers are right.
        assert_eq!(grade(&truth, 1, 4, &Outcome::NotFound), Grade::Correct);
        assert_eq!(grade(&truth, 1, 4, &found), Grade::Correct);
        truth.node_stops(7, at(5));
        assert_eq!(grade(&truth, 3, 6, &found), Grade::Correct);
        assert_eq!(grade(&truth, 6, 7, &found), Grade::Wrong);
        assert_eq!(grade(&truth, 6, 7, &Outcome::NotFound), Grade::Correct);
    }

    #[test]
    fn a_deleted_item_must_not_be_found() {
        let item = Arc::new(Item::new("song.ogg", 1));
        let query = Query::exact(item.key());
        let mut truth = shared(&item, 7);
        truth.delete_starts(item.key(), 7, at(5));
        truth.delete_ends(item.key(), 7, at(6));
        let found = Outcome::Found(vec![hit(&item, 7)]);
        assert_eq!(truth.grade_search(&query, &[], 1, at(7), at(8), &found).grade, Grade::Wrong);
        assert_eq!(truth.grade_search(&query, &[], 1, at(5), at(8), &found).grade, Grade::Correct);
    }

    #[test]
    fn fewer_hits_than_there_are_is_incomplete() {
        let one = Arc::new(Item::new("red song.ogg", 1));
        let two = Arc::new(Item::new("blue song.ogg", 1));
        let mut truth = shared(&one, 7);
        truth.insert_starts(two.key(), 8, at(1));
        truth.insert_ends(two.key(), 8, at(2));
        let query = Query::keywords("song");
        let matching = [one.key(), two.key()];
        let grade = |hits: Vec<Hit>| {
            let outcome = Outcome::Found(hits);
            truth.grade_search(&query, &matching, 1, at(3), at(4), &outcome).grade
        };
        assert_eq!(grade(vec![hit(&one, 7)]), Grade::Incomplete);
        assert_eq!(grade(vec![hit(&one, 7), hit(&one, 7)]), Grade::Incomplete);
        assert_eq!(grade(vec![hit(&one, 7), hit(&two, 8)]), Grade::Correct);
    }

    #[test]
    fn a_hit_that_does_not_match_is_wrong() {
        let item = Arc::new(Item::new("song.ogg", 1));
        let truth = shared(&item, 7);
        let query = Query::keywords("film");
        let outcome = Outcome::Found(vec![hit(&item, 7)]);
        assert_eq!(truth.grade_search(&query, &[], 1, at(3), at(4), &outcome).grade, Grade::Wrong);
    }
}
