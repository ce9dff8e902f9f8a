//! A small simulated network for the trials, and whoever uses it.

use std::collections::BTreeMap;
use std::sync::Arc;

use overlays::{
    Addr, Item, Key, OpId, Outcome, Overlay, Profile, Query, Rng, Span, Stream, Target,
};

use super::{Findings, Trial};
use crate::network::{Latency, LatencySpec, Network};
use crate::oracle::{Grade, Truth, Verdict};
use crate::sim::{Driver, Request, Settings, Sim};
use crate::workload::draw;

/// How often a network is asked whether it has come to rest.
const REST_CHECK: Span = Span::from_s(30);
/// How long it may take to.
const REST_LIMIT: Span = Span::from_s(2 * 3600);
/// How long an operation may take before it counts as never ending.
pub const OPERATION_LIMIT: Span = Span::from_s(3600);
/// The number of the item that a peer inserts after hard times.
const NEW: u32 = 9;
/// How many members a newcomer is told of.
const CONTACTS: usize = 3;

/// How operations ended, as the simulator told.
#[derive(Debug, Default)]
pub struct Ends {
    outcomes: BTreeMap<OpId, Outcome>,
    /// Searches under way: what was asked, by whom, and what matches.
    asked: BTreeMap<OpId, (Query, Vec<Key>)>,
    verdicts: BTreeMap<OpId, Verdict>,
    truth: Truth,
}

impl<O: Overlay> Driver<O> for Ends {
    fn ended(&mut self, sim: &mut Sim<O>, op: OpId, outcome: &Outcome) {
        let operation = sim.operation(op).map(|o| (o.node, o.started));
        if let (Some((node, started)), Some((query, matching))) = (operation, self.asked.get(&op)) {
            let verdict =
                self.truth.grade_search(query, matching, node, started, sim.now(), outcome);
            self.verdicts.insert(op, verdict);
        }
        self.outcomes.insert(op, outcome.clone());
    }
}

/// How a lab's world is made.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// The fraction of datagrams lost.
    pub loss: f64,
    /// Whether upkeep runs.
    pub maintenance: bool,
    /// Whether every fourth peer is firewalled.
    pub mixed_peers: bool,
}

impl Default for Conditions {
    fn default() -> Self {
        Self { loss: 0.0, maintenance: true, mixed_peers: false }
    }
}

/// A simulated network and its user.
#[derive(Debug)]
pub struct Lab<O: Overlay> {
    pub sim: Sim<O>,
    pub ends: Ends,
    pub rng: Rng,
    servers: u32,
    mixed_peers: bool,
    /// The peers that have joined and not left.
    pub joined: Vec<u32>,
    /// What each peer shares, in order of insertion.
    pub shares: Vec<(u32, Arc<Item>)>,
}

impl<O: Overlay> Lab<O> {
    /// A world with the servers the overlay needs, up but not started.
    fn bare(trial: &Trial<O>, conditions: Conditions) -> Self {
        let topology = &mut Stream::Topology.rng(trial.seed);
        let latency = Latency::build(&LatencySpec::King, topology).expect("the model has no file");
        let network = Network::new(latency, conditions.loss).expect("the laws' losses are valid");
        let settings = Settings {
            seed: trial.seed,
            maintenance: conditions.maintenance,
            ..Settings::default()
        };
        let mut lab = Self {
            sim: Sim::new(Arc::clone(&trial.config), network, settings),
            ends: Ends::default(),
            rng: Stream::Workload.rng(trial.seed),
            servers: O::servers(&trial.config),
            mixed_peers: conditions.mixed_peers,
            joined: Vec::new(),
            shares: Vec::new(),
        };
        for server in 0..lab.servers {
            lab.sim.add_node(Profile::server(Addr::from_index(server)));
        }
        lab
    }

    /// A world with the overlay's servers running and no peers.
    pub fn new(trial: &Trial<O>, conditions: Conditions) -> Self {
        let mut lab = Self::bare(trial, conditions);
        for server in 0..lab.servers {
            let via = (0..server).map(Addr::from_index).collect();
            lab.ask(server, &Request::Join(via));
        }
        lab.run(Span::from_s(5));
        lab
    }

    /// A network of `n` peers that joined one after another and came to rest.
    pub fn joined(trial: &Trial<O>, n: u32) -> Self {
        let mut lab = Self::new(trial, Conditions::default());
        for _ in 0..n {
            let peer = lab.add_peer();
            lab.join(peer);
        }
        lab.rest();
        lab
    }

    /// A network of `n` peers that starts converged with two items each;
    /// `None` when the overlay only starts by joining.
    pub fn settled(
        trial: &Trial<O>,
        n: u32,
        conditions: Conditions,
    ) -> Option<(Self, O::Blueprint)> {
        let mut lab = Self::bare(trial, conditions);
        for _ in 0..n {
            let peer = lab.add_peer();
            lab.joined.push(peer);
            for item in [own_item(peer, 0), own_item(peer, 1)] {
                lab.ends.truth.insert_starts(item.key(), peer, lab.sim.now());
                lab.ends.truth.insert_ends(item.key(), peer, lab.sim.now());
                lab.shares.push((peer, item));
            }
        }
        let blueprint = lab.sim.settle(&lab.shares)?;
        lab.run(Span::from_s(5));
        Some((lab, blueprint))
    }

    /// The server nodes.
    pub fn servers(&self) -> impl Iterator<Item = u32> + use<O> {
        0..self.servers
    }

    /// Adds a peer that has not joined.
    pub fn add_peer(&mut self) -> u32 {
        let index = self.sim.len() as u32;
        let profile = Profile::peer(Addr::from_index(index));
        let firewalled = self.mixed_peers && index % 4 == 3;
        self.sim.add_node(Profile { firewalled, ..profile })
    }

    /// Whom a newcomer is told of: the servers, or a few members.
    pub fn contacts(&mut self, newcomer: u32) -> Vec<Addr> {
        if self.servers > 0 {
            return (0..self.servers).map(Addr::from_index).collect();
        }
        let mut members: Vec<u32> =
            self.joined.iter().copied().filter(|&n| n != newcomer && self.sim.is_up(n)).collect();
        draw::shuffle(&mut self.rng, &mut members);
        members.into_iter().take(CONTACTS).map(Addr::from_index).collect()
    }

    /// Starts an operation and tells the truth of it.
    pub fn ask(&mut self, node: u32, request: &Request) -> OpId {
        let now = self.sim.now();
        match request {
            Request::Insert(item) => self.ends.truth.insert_starts(item.key(), node, now),
            Request::Delete(key) => self.ends.truth.delete_starts(*key, node, now),
            _ => {}
        }
        let op = self.sim.start(node, request, 0);
        if let Request::Search(query) = request {
            let matching = self.matching(query);
            self.ends.asked.insert(op, (query.clone(), matching));
        }
        op
    }

    fn matching(&self, query: &Query) -> Vec<Key> {
        let Target::Keywords(_) = query.target else { return Vec::new() };
        let mut keys: Vec<Key> = self
            .shares
            .iter()
            .filter(|(_, item)| query.matches(item))
            .map(|(_, item)| item.key())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Span) {
        let until = self.sim.now() + span;
        self.sim.run_until(until, &mut self.ends);
    }

    /// Lets everything that operations caused come to an end, or an hour pass.
    pub fn drain(&mut self) -> bool {
        let limit = self.sim.now() + OPERATION_LIMIT;
        self.sim.run_operations(limit, &mut self.ends)
    }

    /// Lets time pass until `op` has ended, an hour at the most.
    pub fn outcome(&mut self, op: OpId) -> Option<Outcome> {
        let limit = self.sim.now() + OPERATION_LIMIT;
        loop {
            // An operation that ended at once is reported only by a run.
            let until = self.sim.now() + Span::from_ms(100);
            self.sim.run_until(until, &mut self.ends);
            if let Some(outcome) = self.ends.outcomes.get(&op) {
                return Some(outcome.clone());
            }
            if self.sim.now() >= limit {
                return None;
            }
        }
    }

    /// The end of `op`, if it has ended.
    pub fn ended(&self, op: OpId) -> Option<&Outcome> {
        self.ends.outcomes.get(&op)
    }

    /// Lets `peer` join through some members and waits for the end.
    pub fn join(&mut self, peer: u32) -> Option<Outcome> {
        let via = self.contacts(peer);
        let op = self.ask(peer, &Request::Join(via));
        let outcome = self.outcome(op);
        if outcome == Some(Outcome::Done) {
            self.note_joined(peer);
        }
        outcome
    }

    /// Notes that `peer` has joined: what it shares must now be found.
    pub fn note_joined(&mut self, peer: u32) {
        self.joined.push(peer);
        for (_, item) in self.shares.iter().filter(|(node, _)| *node == peer) {
            self.ends.truth.insert_ends(item.key(), peer, self.sim.now());
        }
    }

    /// Lets `peer` share `item` and waits for the end.
    pub fn insert(&mut self, peer: u32, item: &Arc<Item>) -> Option<Outcome> {
        let op = self.ask(peer, &Request::Insert(Arc::clone(item)));
        self.shares.push((peer, Arc::clone(item)));
        let outcome = self.outcome(op);
        if outcome == Some(Outcome::Done) && self.joined.contains(&peer) {
            self.ends.truth.insert_ends(item.key(), peer, self.sim.now());
        }
        outcome
    }

    /// Lets every member share two items of its own.
    pub fn insert_own(&mut self, findings: &mut Findings) {
        for peer in self.joined.clone() {
            for item in [own_item(peer, 0), own_item(peer, 1)] {
                let outcome = self.insert(peer, &item);
                findings.demand(outcome == Some(Outcome::Done), || {
                    format!("n{peer} inserts `{}`: {outcome:?}", item.name())
                });
            }
        }
        self.drain();
    }

    /// Lets `peer` withdraw the item with `key` and waits for the end and all
    /// that it causes.
    pub fn delete(&mut self, peer: u32, key: Key) -> Option<Outcome> {
        let op = self.ask(peer, &Request::Delete(key));
        let outcome = self.outcome(op);
        self.drain();
        if outcome == Some(Outcome::Done) {
            self.ends.truth.delete_ends(key, peer, self.sim.now());
            self.shares.retain(|(node, item)| (*node, item.key()) != (peer, key));
        }
        outcome
    }

    /// Lets `peer` leave politely and waits for the end and all that it causes.
    pub fn leave(&mut self, peer: u32) -> Option<Outcome> {
        for (_, item) in self.shares.iter().filter(|(node, _)| *node == peer) {
            self.ends.truth.delete_starts(item.key(), peer, self.sim.now());
        }
        let op = self.ask(peer, &Request::Leave);
        let outcome = self.outcome(op);
        self.drain();
        self.ends.truth.node_stops(peer, self.sim.now());
        self.joined.retain(|&n| n != peer);
        self.shares.retain(|(node, _)| *node != peer);
        outcome
    }

    /// Stops `peer` without a word.
    pub fn crash(&mut self, peer: u32) {
        self.ends.truth.node_stops(peer, self.sim.now());
        self.sim.crash(peer);
        self.joined.retain(|&n| n != peer);
        self.shares.retain(|(node, _)| *node != peer);
    }

    /// What the overlay's audit finds wrong.
    pub fn audit(&self) -> Vec<String> {
        O::audit(&self.sim.population())
    }

    /// Waits until the audit is content, two hours at the most, and returns
    /// what it still finds wrong.
    pub fn rest(&mut self) -> Vec<String> {
        let limit = self.sim.now() + REST_LIMIT;
        loop {
            self.run(REST_CHECK);
            let audit = self.audit();
            if audit.is_empty() || self.sim.now() >= limit {
                return audit;
            }
        }
    }

    /// Asks `questions`, each from a peer, a few at a time, and waits for all
    /// of them and what they cause.
    pub fn search(&mut self, questions: &[(u32, Query)]) -> Vec<Answer> {
        let mut ops = Vec::with_capacity(questions.len());
        for (peer, query) in questions {
            ops.push(self.ask(*peer, &Request::Search(query.clone())));
            self.run(Span::from_ms(20));
        }
        self.drain();
        ops.iter()
            .map(|op| Answer {
                verdict: self.ends.verdicts.get(op).copied(),
                outcome: self.ends.outcomes.get(op).cloned(),
            })
            .collect()
    }

    /// Every member searches everything that is shared by key.
    pub fn exact_questions(&self) -> Vec<(u32, Query)> {
        let mut questions = Vec::new();
        for &peer in &self.joined {
            for (_, item) in self.shares.iter().filter(|(provider, _)| *provider != peer) {
                questions.push((peer, Query::exact(item.key())));
            }
        }
        questions
    }
}

/// How a search ended and what the oracle says to it; `None` if it did not.
#[derive(Clone, Debug)]
pub struct Answer {
    verdict: Option<Verdict>,
    pub outcome: Option<Outcome>,
}

impl Answer {
    /// Whether it names a provider that is none.
    pub fn is_wrong(&self) -> bool {
        self.verdict.is_some_and(|v| v.grade == Grade::Wrong)
    }
}

/// The fraction of what was wanted that these answers found.
pub fn recall(answers: &[Answer]) -> f64 {
    let verdicts = || answers.iter().filter_map(|answer| answer.verdict);
    let wanted: u64 = verdicts().map(|v| v.wanted).sum();
    let found: u64 = verdicts().map(|v| v.found).sum();
    if wanted == 0 { 1.0 } else { found as f64 / wanted as f64 }
}

/// Demands that `questions` were answered truly and with the recall that the
/// overlay owes, and returns that recall.
pub fn judge<O: Overlay>(
    trial: &Trial<O>,
    findings: &mut Findings,
    what: &str,
    questions: &[(u32, Query)],
    answers: &[Answer],
) -> f64 {
    let (mut found, mut wanted) = (0, 0);
    let mut missed = None;
    for ((peer, query), answer) in questions.iter().zip(answers) {
        found += answer.verdict.map_or(0, |v| v.found);
        wanted += answer.verdict.map_or(0, |v| v.wanted);
        match answer.verdict.map(|v| v.grade) {
            Some(Grade::Correct) => {}
            Some(Grade::Incomplete | Grade::Failed) => {
                missed.get_or_insert((peer, query, answer));
            }
            _ => findings.complain(format!(
                "{what}: n{peer} asks {:?}: {:?}, {:?}",
                query.target, answer.verdict, answer.outcome
            )),
        }
    }
    let recall = if wanted == 0 { 1.0 } else { found as f64 / wanted as f64 };
    let least = trial.least_recall();
    if let Some((peer, query, answer)) = missed
        && (recall < least || least == 1.0)
    {
        findings.complain(format!(
            "{what}: {found} of {wanted} hits; first miss: n{peer} asks {:?}: {:?}",
            query.target, answer.outcome
        ));
    }
    recall
}

/// Demands that every member can insert something new, and that all others find
/// it.
pub fn new_items_are_found<O: Overlay>(
    trial: &Trial<O>,
    lab: &mut Lab<O>,
    findings: &mut Findings,
    when: &str,
) {
    if !O::search_power(&trial.config).exact {
        return;
    }
    let mut questions = Vec::new();
    for peer in lab.joined.clone() {
        let item = own_item(peer, NEW);
        let outcome = lab.insert(peer, &item);
        findings.demand(outcome == Some(Outcome::Done), || {
            format!("n{peer} inserts {when}: {outcome:?}")
        });
        let askers = lab.joined.iter().filter(|&&asker| asker != peer);
        questions.extend(askers.map(|&asker| (asker, Query::exact(item.key()))));
    }
    lab.drain();
    let answers = lab.search(&questions);
    let recall = judge(trial, findings, when, &questions, &answers);
    findings.figure("recall afterwards", recall);
}

/// The `number`th item that only `peer` shares. All of them have the word
/// `shared` in common.
pub fn own_item(peer: u32, number: u32) -> Arc<Item> {
    let name = format!("shared tune{number} by peer{peer}.ogg");
    Arc::new(Item::new(&name, 1_000_000 + u64::from(peer)))
}
