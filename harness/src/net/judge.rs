//! Grading what a live network does against the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use overlays::{
    Addr, Census, Item, Key, OpId, Outcome, Overlay, Profile, Query, Role, Stream, Time,
};

use crate::oracle::{Grade, Truth, grade_effect};
use crate::sim::Request;

/// Who knows what is shared by whom, and who is there. Nodes go by their
/// index, as in the simulator.
pub(super) struct Judge<O: Overlay> {
    config: Arc<O::Config>,
    profiles: Vec<Profile>,
    seed: u64,
    truth: Truth,
    items: BTreeMap<Key, Arc<Item>>,
    shares: BTreeMap<u32, BTreeSet<Key>>,
    joined: BTreeSet<u32>,
    /// The converged network of those who have joined, once asked for.
    blueprint: Option<Option<O::Blueprint>>,
    grades: BTreeMap<OpId, Grade>,
}

impl<O: Overlay> Judge<O> {
    /// A judge of nodes of which nobody has joined.
    pub(super) fn new(config: &Arc<O::Config>, profiles: Vec<Profile>, seed: u64) -> Self {
        Self {
            config: Arc::clone(config),
            profiles,
            seed,
            truth: Truth::default(),
            items: BTreeMap::new(),
            shares: BTreeMap::new(),
            joined: BTreeSet::new(),
            blueprint: None,
            grades: BTreeMap::new(),
        }
    }

    /// All grades given so far.
    pub(super) fn grades(&self) -> BTreeMap<OpId, Grade> {
        self.grades.clone()
    }

    /// An operation is about to start.
    pub(super) fn starts(&mut self, node: u32, request: &Request, now: Time) {
        match request {
            Request::Insert(item) => {
                self.items.insert(item.key(), Arc::clone(item));
                self.shares.entry(node).or_default().insert(item.key());
                self.truth.insert_starts(item.key(), node, now);
            }
            Request::Delete(key) => self.truth.delete_starts(*key, node, now),
            Request::Leave => {
                // Once it starts to leave, nobody need find what it shares.
                for &key in self.shares.get(&node).into_iter().flatten() {
                    self.truth.delete_starts(key, node, now);
                }
                self.joined.remove(&node);
                self.blueprint = None;
            }
            Request::Join(_) | Request::Search(_) | Request::Locate(_) => {}
        }
    }

    /// A node was stopped without a word.
    pub(super) fn stopped(&mut self, node: u32, now: Time) {
        self.truth.node_stops(node, now);
        self.shares.remove(&node);
        self.joined.remove(&node);
        self.blueprint = None;
    }

    /// An operation that started at `since` has ended. Providers in the
    /// outcome are given by index. What a server's own operations come to, and
    /// inserts that only take effect with a join to come, are not graded.
    pub(super) fn ends(
        &mut self,
        op: OpId,
        node: u32,
        request: &Request,
        since: Time,
        now: Time,
        outcome: &Outcome,
    ) {
        let is_brought = matches!(request, Request::Insert(_)) && !self.joined.contains(&node);
        let is_server = self.profiles.get(node as usize).is_some_and(|p| p.role == Role::Server);
        if *outcome == Outcome::Done {
            self.took_effect(node, request, now);
        }
        let grade = match request {
            Request::Search(query) => self.grade_search(query, node, since, now, outcome),
            Request::Locate(key) => self.grade_locate(*key, outcome),
            _ => grade_effect(outcome),
        };
        if !is_brought && !is_server {
            self.grades.insert(op, grade);
        }
    }

    fn took_effect(&mut self, node: u32, request: &Request, now: Time) {
        match request {
            Request::Insert(item) if self.joined.contains(&node) => {
                self.truth.insert_ends(item.key(), node, now);
            }
            Request::Delete(key) => {
                self.truth.delete_ends(*key, node, now);
                if let Some(shares) = self.shares.get_mut(&node) {
                    shares.remove(key);
                }
            }
            Request::Join(_) => {
                self.joined.insert(node);
                self.blueprint = None;
                for &key in self.shares.get(&node).into_iter().flatten() {
                    self.truth.insert_ends(key, node, now);
                }
            }
            Request::Leave => self.stopped(node, now),
            Request::Insert(_) | Request::Search(_) | Request::Locate(_) => {}
        }
    }

    fn grade_search(
        &self,
        query: &Query,
        node: u32,
        since: Time,
        now: Time,
        outcome: &Outcome,
    ) -> Grade {
        let matching: Vec<Key> =
            self.items.values().filter(|item| query.matches(item)).map(|item| item.key()).collect();
        self.truth.grade_search(query, &matching, node, since, now, outcome).grade
    }

    fn grade_locate(&mut self, key: Key, outcome: &Outcome) -> Grade {
        let Outcome::Located(found) = outcome else { return grade_effect(outcome) };
        let Some(blueprint) = self.blueprint() else { return Grade::Correct };
        match O::owner(blueprint, &key) {
            Some(owner) if owner != *found => Grade::Wrong,
            _ => Grade::Correct,
        }
    }

    /// The converged network of those who have joined, under their indices;
    /// `None` where the overlay has no such thing.
    fn blueprint(&mut self) -> Option<&O::Blueprint> {
        let Self { config, profiles, seed, joined, blueprint, .. } = self;
        blueprint
            .get_or_insert_with(|| {
                let (mut peers, mut servers) = (Vec::new(), Vec::new());
                for &node in joined.iter() {
                    let addr = Addr::from_index(node);
                    match profiles.get(node as usize) {
                        Some(p) if p.role == Role::Peer => peers.push(Profile { addr, ..*p }),
                        _ => servers.push(addr),
                    }
                }
                let census = Census::new(peers, servers, Vec::new());
                O::blueprint(config, census, &mut Stream::Protocol.rng(*seed))
            })
            .as_ref()
    }
}
