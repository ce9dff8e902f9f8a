//! The index that a converged network starts with: one copy for all replicas.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::BUCKETS;
use super::origin::Origin;
use super::replica::{bucket_of, digest_of};
use crate::parts::Index;
use crate::seam::{Addr, Hit, Item, Query};

/// An index that is never changed.
#[derive(Debug, Default)]
pub struct Base {
    origins: BTreeMap<Addr, Arc<Origin>>,
    members: Vec<Addr>,
    index: Index,
    by_bucket: Vec<Vec<Addr>>,
    digest: u64,
    buckets: Vec<u32>,
    bytes: usize,
}

impl Base {
    /// The index of what these peers share.
    pub fn new(items: &BTreeMap<Addr, Vec<Arc<Item>>>) -> Self {
        let mut base = Self {
            by_bucket: vec![Vec::new(); BUCKETS],
            buckets: vec![0; BUCKETS],
            ..Self::default()
        };
        for (&addr, items) in items {
            items.iter().for_each(|item| _ = base.index.add(item, addr));
            let origin = Arc::new(Origin::new(0, items.iter().map(Arc::clone)));
            let digest = digest_of(addr, origin.version());
            base.digest ^= digest;
            base.buckets[bucket_of(addr)] ^= digest as u32;
            base.by_bucket[bucket_of(addr)].push(addr);
            base.bytes += origin.bytes();
            base.origins.insert(addr, origin);
            base.members.push(addr);
        }
        base.bytes += base.index.bytes();
        base
    }

    /// What it says of a peer.
    pub fn get(&self, addr: Addr) -> Option<&Arc<Origin>> {
        self.origins.get(&addr)
    }

    /// Everyone in it, by address.
    pub fn members(&self) -> &[Addr] {
        &self.members
    }

    /// How many there are.
    pub const fn size(&self) -> usize {
        self.members.len()
    }

    /// Everyone from `start` on.
    pub fn origins_from(&self, start: Addr) -> impl Iterator<Item = (Addr, &Arc<Origin>)> {
        self.origins.range(start..).map(|(addr, origin)| (*addr, origin))
    }

    /// Those in a bucket.
    pub fn in_bucket(&self, bucket: usize) -> &[Addr] {
        self.by_bucket.get(bucket).map_or(&[], Vec::as_slice)
    }

    /// The digest over everyone.
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// The digest of a bucket.
    pub fn bucket(&self, bucket: usize) -> u32 {
        self.buckets.get(bucket).copied().unwrap_or(0)
    }

    /// (item, provider) records.
    pub const fn records(&self) -> usize {
        self.index.files()
    }

    /// Memory taken, roughly.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Up to `limit` records of `usable` providers that answer `query`.
    pub fn search(
        &self,
        turn: u64,
        query: &Query,
        limit: usize,
        usable: impl Fn(Addr) -> bool,
    ) -> Vec<Hit> {
        self.index.search_at(turn, query, limit, usable)
    }
}
