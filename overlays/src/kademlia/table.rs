//! The routing table: k-buckets by distance (Kademlia §2.2, §2.4, §4.1).

use std::collections::BTreeMap;

use super::config::Settings;
use super::contact::Contact;
use crate::{Addr, Key, Rng, Span};
use rand::Rng as _;
use smallvec::SmallVec;

/// One contact and what is known of it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    contact: Contact,
    /// Requests in a row that it left unanswered.
    fails: u8,
    /// Whether it has ever answered.
    answered: bool,
    /// When it was last heard of, in seconds.
    seen_s: u32,
}

/// One k-bucket, the least recently seen contact first.
#[derive(Clone, Debug, Default)]
struct Bucket {
    entries: Vec<Entry>,
    /// When something in its range was last looked up, in seconds.
    touched_s: u32,
}

/// The subtrees of nobody known that are looked into at a time: a forged
/// neighbour very close by makes many.
const MAX_GAPS: usize = 8;

/// A random identifier that shares `shared` leading bits with `prefix`.
fn random_below(prefix: Key, shared: u32, bits: u32, rng: &mut Rng) -> Key {
    let mut bytes = [0; Key::BYTES];
    rng.fill_bytes(&mut bytes);
    let random = Key::from_bytes(bytes);
    prefix.truncated(shared).xor(random.xor(random.truncated(shared))).truncated(bits)
}

/// What became of a contact that was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It was known.
    Known,
    /// It has a place now.
    Added,
    /// Its bucket is full, and it waits. The least recently seen contact there
    /// is worth a ping.
    Check(Contact),
    /// Its bucket is full of contacts in good standing, or its identifier is
    /// taken.
    Refused,
}

/// All contacts of a node.
///
/// The tree of §2.4 in a list: bucket `i` but for the last holds contacts that
/// share exactly `i` leading bits with the node, the last one all that share
/// more. Only the last bucket's range holds the node itself, so only it splits.
#[derive(Debug)]
pub(super) struct Table {
    me: Key,
    buckets: Vec<Bucket>,
    /// Newcomers to full buckets, the latest last; most tables have none.
    waiting: BTreeMap<u8, Vec<Contact>>,
}

impl Table {
    pub(super) fn new(me: Key) -> Self {
        Self { me, buckets: Vec::new(), waiting: BTreeMap::new() }
    }

    /// Which bucket an identifier belongs to.
    fn bucket_of(&self, id: Key) -> usize {
        let last = self.buckets.len().saturating_sub(1);
        (self.me.common_prefix_bits(id) as usize).min(last)
    }

    /// How many buckets there are.
    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// A message came from `contact`; an answer, if `answered`.
    pub(super) fn see(
        &mut self,
        contact: Contact,
        answered: bool,
        now_s: u32,
        settings: &Settings,
    ) -> Seen {
        if contact.id == self.me {
            return Seen::Refused;
        }
        if self.buckets.is_empty() {
            self.buckets.push(Bucket { entries: Vec::new(), touched_s: now_s });
        }
        let at = self.bucket_of(contact.id);
        let entries = &mut self.buckets[at].entries;
        if let Some(place) = entries.iter().position(|e| e.contact.id == contact.id) {
            let known = &mut entries[place];
            let same = known.contact.addr == contact.addr;
            // Whoever comes with the identifier of a contact in good standing
            // must not take its place.
            if !same && known.fails < settings.stale {
                return Seen::Refused;
            }
            known.contact = contact;
            known.answered = answered || same && known.answered;
            // Anyone can send a request in another's name; only an answer
            // proves that the contact lives.
            if answered {
                known.fails = 0;
            }
            known.seen_s = now_s;
            entries[place..].rotate_left(1);
            return Seen::Known;
        }
        let entry = Entry { contact, fails: 0, answered, seen_s: now_s };
        self.insert(entry, now_s, settings)
    }

    /// Finds a place for a contact that has none.
    fn insert(&mut self, entry: Entry, now_s: u32, settings: &Settings) -> Seen {
        loop {
            let at = self.bucket_of(entry.contact.id);
            let entries = &mut self.buckets[at].entries;
            if entries.len() < settings.k {
                // Most buckets fill up, so room for all at once beyond a few.
                if entries.len() == entries.capacity() {
                    let more = if entries.len() < 4 { 4 } else { settings.k - entries.len() };
                    entries.reserve_exact(more);
                }
                entries.push(entry);
                return Seen::Added;
            }
            if let Some(stale) = entries.iter().position(|e| e.fails >= settings.stale) {
                entries.remove(stale);
                entries.push(entry);
                return Seen::Added;
            }
            if at + 1 == self.buckets.len() && self.split(settings.id_bits) {
                continue;
            }
            return self.queue(entry.contact, at, now_s, settings);
        }
    }

    /// Splits the last bucket; `false` when its range is a single identifier.
    fn split(&mut self, bits: u32) -> bool {
        let index = self.buckets.len() - 1;
        if index as u32 + 1 >= bits {
            return false;
        }
        let me = self.me;
        let last = &mut self.buckets[index];
        let touched_s = last.touched_s;
        let deeper = |e: &Entry| me.common_prefix_bits(e.contact.id) as usize > index;
        let moved: Vec<Entry> = last.entries.iter().copied().filter(deeper).collect();
        last.entries.retain(|e| !deeper(e));
        self.buckets.push(Bucket { entries: moved, touched_s });
        true
    }

    /// Lets a newcomer to a full bucket wait for a place.
    fn queue(&mut self, contact: Contact, at: usize, now_s: u32, settings: &Settings) -> Seen {
        if settings.replacements > 0 {
            let waiting = self.waiting.entry(at as u8).or_default();
            waiting.retain(|c| c.id != contact.id);
            if waiting.len() >= settings.replacements {
                waiting.remove(0);
            }
            waiting.push(contact);
        }
        let oldest = self.buckets[at].entries[0];
        let quiet = Span::from_s(u64::from(now_s.saturating_sub(oldest.seen_s)));
        if quiet >= settings.questionable { Seen::Check(oldest.contact) } else { Seen::Refused }
    }

    /// `contact` left a request unanswered. It loses its place once it is
    /// stale, or at once if `evict`, provided that another waits for it.
    pub(super) fn fail(&mut self, contact: &Contact, evict: bool, now_s: u32, settings: &Settings) {
        let at = self.bucket_of(contact.id);
        let Some(bucket) = self.buckets.get_mut(at) else { return };
        let Some(place) = bucket.entries.iter().position(|e| e.contact == *contact) else { return };
        let entry = &mut bucket.entries[place];
        entry.fails = entry.fails.saturating_add(1);
        if !evict && entry.fails < settings.stale {
            return;
        }
        let Some(waiting) = self.waiting.get_mut(&(at as u8)) else {
            return;
        };
        let Some(next) = waiting.pop() else { return };
        bucket.entries.remove(place);
        if bucket.entries.iter().all(|e| e.contact.id != next.id) {
            bucket.entries.push(Entry { contact: next, fails: 0, answered: false, seen_s: now_s });
        }
    }

    /// Drops stale contacts that were last heard of before `limit_s`.
    pub(super) fn forget(&mut self, limit_s: u32, settings: &Settings) {
        for bucket in &mut self.buckets {
            bucket.entries.retain(|e| e.fails < settings.stale || e.seen_s >= limit_s);
        }
    }

    /// A stale contact to ask once more whether it is back.
    pub(super) fn some_stale(&self, settings: &Settings, rng: &mut Rng) -> Option<Contact> {
        let stale: Vec<Contact> = self
            .buckets
            .iter()
            .flat_map(|b| &b.entries)
            .filter(|e| e.fails >= settings.stale)
            .map(|e| e.contact)
            .collect();
        let at = (!stale.is_empty()).then(|| rng.next_u32() as usize % stale.len())?;
        Some(stale[at])
    }

    /// The buckets by how far their contacts are from `target`, the nearest
    /// first: every contact of one is nearer than any of the next.
    ///
    /// Those in the target's own bucket share most bits with it. Where the
    /// target and the node differ next, the bucket of that bit comes next,
    /// since its contacts agree with the target there; where they agree, its
    /// contacts are farther than all in deeper buckets. Shallower buckets come
    /// last, in turn.
    fn by_distance(&self, target: Key) -> impl Iterator<Item = usize> {
        let own = self.bucket_of(target);
        let deepest = self.buckets.len().saturating_sub(1);
        let differing = self.me.xor(target);
        let nearer = (own + 1..deepest).filter(move |i| differing.bit(*i as u32));
        let farther = (own + 1..deepest).rev().filter(move |i| !differing.bit(*i as u32));
        let deepest = (own < deepest).then_some(deepest);
        let deeper = nearer.chain(deepest).chain(farther);
        core::iter::once(own).chain(deeper).chain((0..own).rev())
    }

    /// The `n` contacts closest to `target`, best first: those in use, and
    /// those that owe no answer only, if `to_tell` others.
    pub(super) fn closest(
        &self,
        target: Key,
        n: usize,
        to_tell: bool,
        settings: &Settings,
    ) -> SmallVec<[Contact; 64]> {
        let mut found = SmallVec::new();
        let fails = if to_tell { 1 } else { settings.stale };
        let proven = to_tell && settings.verify;
        for at in self.by_distance(target) {
            let Some(bucket) = self.buckets.get(at) else { break };
            let start = found.len();
            let usable =
                bucket.entries.iter().filter(|e| e.fails < fails && (e.answered || !proven));
            found.extend(usable.map(|e| e.contact));
            found[start..].sort_unstable_by_key(|c: &Contact| c.distance(target));
            if found.len() >= n {
                break;
            }
        }
        found.truncate(n);
        found
    }

    /// How many contacts in use are closer to `key` than the node itself, up
    /// to `limit`.
    pub(super) fn closer(&self, key: Key, limit: usize, settings: &Settings) -> usize {
        let differing = self.me.xor(key);
        let deepest = self.buckets.len().saturating_sub(1);
        let buckets = self.buckets.iter().enumerate().skip(self.bucket_of(key));
        // A bucket's contacts first differ from the node in its bit. Where the
        // key does so too, they are all closer; where it does not, none is.
        // Only the deepest bucket holds some of either kind.
        let buckets = buckets.filter(|(at, _)| *at == deepest || differing.bit(*at as u32));
        let closer = buckets.flat_map(|(at, bucket)| {
            let is_closer = move |c: &Contact| at < deepest || c.distance(key) < differing;
            let in_use = bucket.entries.iter().filter(|e| e.fails < settings.stale);
            in_use.filter(move |e| is_closer(&e.contact))
        });
        closer.take(limit).count()
    }

    /// Something in the range of `target`'s bucket is looked up.
    pub(super) fn touch(&mut self, target: Key, now_s: u32) {
        let at = self.bucket_of(target);
        if let Some(bucket) = self.buckets.get_mut(at) {
            bucket.touched_s = now_s;
        }
    }

    /// A random identifier in the range of bucket `index`.
    pub(super) fn random_in(&self, index: usize, bits: u32, rng: &mut Rng) -> Key {
        if index + 1 == self.buckets.len() {
            return random_below(self.me, index as u32, bits, rng);
        }
        random_below(self.beyond(index as u32), index as u32 + 1, bits, rng)
    }

    /// How many leading bits each contact shares with the node, the nearest
    /// contact first.
    fn depths(&self) -> Vec<u32> {
        let mut depths: Vec<u32> =
            self.contacts().map(|c| self.me.common_prefix_bits(c.id)).collect();
        depths.sort_unstable_by_key(|depth| core::cmp::Reverse(*depth));
        depths
    }

    /// A random identifier in each subtree of nobody known that is farther away
    /// than the `k` closest neighbours (§2.3). A look around the own place
    /// finds those, but where all of them are in a smaller subtree nobody farther
    /// away turns up by himself: a split leaves buckets empty, and the last one
    /// splits only when it is full.
    pub(super) fn gaps(&self, k: usize, bits: u32, rng: &mut Rng) -> Vec<Key> {
        let depths = self.depths();
        let near = depths.get(k - 1).copied().unwrap_or(0);
        let unknown = (0..near).filter(|depth| !depths.contains(depth)).take(MAX_GAPS);
        unknown.map(|depth| random_below(self.beyond(depth), depth + 1, bits, rng)).collect()
    }

    /// The node's own identifier with bit `depth` turned over.
    fn beyond(&self, depth: u32) -> Key {
        self.me.xor(Key::power_of_two(Key::BITS - 1 - depth))
    }

    /// The buckets in whose range nothing was looked up since `limit_s`.
    pub(super) fn untouched(&self, limit_s: u32) -> Vec<usize> {
        (0..self.buckets.len()).filter(|i| self.buckets[*i].touched_s <= limit_s).collect()
    }

    /// Takes a bucket's place in a converged network; buckets come in order.
    pub(super) fn settle_bucket(&mut self, contacts: Vec<Contact>, now_s: u32) {
        let entry = |contact| Entry { contact, fails: 0, answered: true, seen_s: now_s };
        let entries = contacts.into_iter().map(entry).collect();
        self.buckets.push(Bucket { entries, touched_s: now_s });
    }

    /// All contacts, those that are stale included, nearest bucket last.
    pub(super) fn contacts(&self) -> impl Iterator<Item = Contact> + '_ {
        self.buckets.iter().flat_map(|b| &b.entries).map(|e| e.contact)
    }

    /// The contacts of each bucket.
    pub(super) fn buckets(&self) -> impl Iterator<Item = Vec<Contact>> + '_ {
        self.buckets.iter().map(|b| b.entries.iter().map(|e| e.contact).collect())
    }

    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        let entries: usize = self.buckets.iter().map(|b| b.entries.capacity()).sum();
        let waiting: usize =
            self.waiting.values().map(|w| w.capacity() * size_of::<Contact>() + 32).sum();
        self.buckets.capacity() * size_of::<Bucket>() + entries * size_of::<Entry>() + waiting
    }

    /// Reads the first lines of memory that a lookup needs.
    pub(super) fn warm(&self) {
        crate::prefetch(self.buckets.as_slice());
    }

    /// Starts fetching the bucket that a message from `id` will touch.
    pub(super) fn warm_for(&self, id: Key) {
        if let Some(bucket) = self.buckets.get(self.bucket_of(id)) {
            crate::prefetch(bucket.entries.as_slice());
        }
    }

    /// Shows each contact's address.
    pub(super) fn addresses(&self, visit: &mut dyn FnMut(Addr)) {
        for bucket in &self.buckets {
            bucket.entries.iter().for_each(|e| visit(e.contact.addr));
        }
    }
}
