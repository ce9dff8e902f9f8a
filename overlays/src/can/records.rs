//! The records that a node keeps in one reality: who provides what.

use std::collections::BTreeMap;

use super::config::Config;
use super::message::{Erased, Stored, Verdict, is_later};
use super::zone::{Point, Zone};
use crate::parts::postings::{HotLists, List};
use crate::{Addr, Hit, Key, Time};

/// One provider of one item, as kept for the network.
#[derive(Clone, Debug)]
struct Record {
    hit: Hit,
    /// When it was last announced, in ticks.
    announced: u32,
    /// The provider's number for that announcement.
    edition: u32,
}

/// Half of a word for the time of an announcement: ticks of 2^16 microseconds
/// go on for nearly nine years.
fn ticks(time: Time) -> u32 {
    (time.as_us() >> 16) as u32
}

impl Record {
    fn is(&self, provider: Addr, item: Key) -> bool {
        self.hit.provider == provider && self.hit.item.key() == item
    }

    fn stored(&self, point: Point, key: Key) -> Stored {
        Stored { point, key, hit: self.hit.clone(), edition: self.edition }
    }
}

/// Records by point and key, those of one key in order of announcement.
#[derive(Debug, Default)]
pub(super) struct Store {
    records: BTreeMap<(Point, Key), Vec<Record>>,
    count: usize,
    hot: HotLists,
}

impl Store {
    /// How many records it holds.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Keeps a record; one already there is refreshed.
    pub(super) fn put(&mut self, stored: Stored, now: Time, config: &Config) -> Verdict {
        let Stored { point, key, hit, edition } = stored;
        let announced = ticks(now);
        let full = self.count >= config.max_records;
        let place = (point, key);
        let known = self.records.get_mut(&place);
        let count = known.as_ref().map_or(0, |records| records.len());
        let item = hit.item.key();
        if let Some(known) =
            known.and_then(|records| records.iter_mut().find(|r| r.is(hit.provider, item)))
        {
            if !is_later(known.edition, edition) {
                *known = Record { hit, announced, edition };
            }
            return Verdict::Done;
        }
        let admitted = match key == item {
            true => count < config.max_providers,
            false => self.hot.admits(key, count, config.max_postings),
        };
        if full || !admitted {
            return Verdict::Full;
        }
        let records = self.records.entry(place).or_default();
        // Most keys have one provider, so room for one at first.
        records.reserve_exact(usize::from(records.is_empty()));
        records.push(Record { hit, announced, edition });
        self.count += 1;
        Verdict::Done
    }

    /// Whether it holds this record.
    pub(super) fn has(&self, stored: &Stored) -> bool {
        let records = self.records.get(&(stored.point, stored.key));
        let (provider, item) = (stored.hit.provider, stored.hit.item.key());
        records.is_some_and(|records| records.iter().any(|r| r.is(provider, item)))
    }

    /// Up to `limit` records under this key at this point.
    pub(super) fn fetch(&self, point: Point, key: Key, limit: u16) -> Vec<Hit> {
        let records = self.records.get(&(point, key)).map_or(&[][..], Vec::as_slice);
        records.iter().take(limit.into()).map(|r| r.hit.clone()).collect()
    }

    /// The posting list of the word with this key at this point.
    pub(super) fn list(&self, point: Point, key: Key, max_postings: usize) -> List<Vec<Hit>> {
        let list = self.records.get(&(point, key)).map_or(&[][..], Vec::as_slice);
        List {
            hits: list.iter().map(|r| r.hit.clone()).collect(),
            is_hot: self.hot.is_hot(key, list.len(), max_postings),
        }
    }

    /// Removes a record. Returns whether there was one.
    pub(super) fn remove(&mut self, point: Point, key: Key, provider: Addr, item: Key) -> bool {
        let Some(records) = self.records.get_mut(&(point, key)) else { return false };
        let Some(at) = records.iter().position(|r| r.is(provider, item)) else { return false };
        records.remove(at);
        if records.is_empty() {
            self.records.remove(&(point, key));
            self.hot.remove(key);
        }
        self.count -= 1;
        true
    }

    /// Removes a record, unless it was announced again since. Returns
    /// whether there was one.
    pub(super) fn erase(&mut self, erased: &Erased) -> bool {
        let Erased { point, key, provider, item, .. } = *erased;
        let mut records = self.records.get(&(point, key)).into_iter().flatten();
        let known = records.find(|r| r.is(provider, item));
        known.is_some_and(|r| erased.undoes(r.edition)) && self.remove(point, key, provider, item)
    }

    /// The records that lie in `zone`.
    pub(super) fn within(&self, zone: Zone) -> impl Iterator<Item = Stored> + '_ {
        let range = (zone.first(), Key::ZERO)..=(zone.last(), Key::MAX);
        self.records
            .range(range)
            .flat_map(|((point, key), records)| records.iter().map(|r| r.stored(*point, *key)))
    }

    /// The records at points that `owns` says no to.
    pub(super) fn strays(&self, owns: impl Fn(Point) -> bool) -> impl Iterator<Item = Stored> {
        let strays = self.records.iter().filter(move |((point, _), _)| !owns(*point));
        strays.flat_map(|((point, key), records)| records.iter().map(|r| r.stored(*point, *key)))
    }

    /// Drops what was last announced before `limit`.
    pub(super) fn expire(&mut self, limit: Time) {
        let (mut count, limit) = (0, ticks(limit));
        self.records.retain(|_, records| {
            records.retain(|r| r.announced >= limit);
            count += records.len();
            !records.is_empty()
        });
        self.count = count;
    }

    /// Bytes on the heap, roughly: items are shared with their providers in
    /// the simulator, and not counted.
    pub(super) fn heap_bytes(&self) -> usize {
        let place = size_of::<(Point, Key)>() + size_of::<Vec<Record>>();
        self.records.len() * place + self.count * size_of::<Record>() + self.hot.bytes()
    }
}
