//! The simulated world: all nodes of one network and what is under way.

use std::collections::VecDeque;
use std::sync::Arc;

use overlays::{
    Addr, Cause, Census, Cx, Distances, Effect, Holding, Item, OpId, Outcome, Overlay, Profile,
    Reason, Role, Stream, Time, prefetch,
};

use super::driver::Driver;
use super::event::{Event, Kind};
use super::letters::{Letter, Letters};
use super::links::Links;
use super::operations::{Operation, Operations, Verb};
use super::outside::{Outside, Status};
use super::queue::EventQueue;
use super::recorder::Recorder;
use super::request::Request;
use super::samples::Samples;
use super::settings::Settings;
use super::trace_hash::TraceHash;
use super::traffic::Traffic;
use crate::network::Network;

/// How many events ahead the memory of a machine is fetched.
const FETCH_AHEAD: usize = 8;
/// How many events ahead a machine is asked to touch its tables.
const WARM_AHEAD: usize = 4;
/// How many events ahead it is asked to touch what a message is about.
const WARM_FOR_AHEAD: usize = 2;

/// One simulated network of overlay `O`.
///
/// Deterministic to the bit: the order of events is total (time, then the
/// order in which they were scheduled), and every random number comes from a
/// stream derived from the seed.
#[derive(Debug)]
pub struct Sim<O: Overlay> {
    config: Arc<O::Config>,
    profiles: Vec<Profile>,
    machines: Vec<O>,
    outside: Outside<O>,
    effects: Vec<Effect<O>>,
    events: u64,
}

impl<O: Overlay> Sim<O> {
    /// An empty world.
    pub fn new(config: Arc<O::Config>, network: Network, settings: Settings) -> Self {
        Self {
            config,
            profiles: Vec::new(),
            machines: Vec::new(),
            outside: Outside {
                now: Time::ZERO,
                settings,
                status: Vec::new(),
                queue: EventQueue::new(),
                letters: Letters::new(),
                links: Links::default(),
                network,
                network_rng: Stream::Network.rng(settings.seed),
                protocol_rng: Stream::Protocol.rng(settings.seed),
                operations: Operations::default(),
                traffic: Traffic::new::<O::Message>(),
                received: Vec::new(),
                trace_hash: TraceHash::default(),
                recorder: None,
                samples: None,
                ended: VecDeque::new(),
                closed: VecDeque::new(),
                surplus_ends: 0,
            },
            effects: Vec::new(),
            events: 0,
        }
    }

    /// Records every event from now on.
    pub fn record(&mut self, recorder: Recorder) {
        self.outside.recorder = Some(recorder);
    }

    /// Stops recording and hands the recorder back.
    pub fn take_recorder(&mut self) -> Option<Recorder> {
        self.outside.recorder.take()
    }

    /// Keeps the first `per_kind` messages of each kind that are sent from now
    /// on.
    pub fn keep_samples(&mut self, per_kind: usize) {
        self.outside.samples = Some(Samples::new(per_kind));
    }

    /// Stops keeping samples and hands out those there are, by kind.
    pub fn take_samples(&mut self) -> Vec<O::Message> {
        self.outside.samples.take().map(Samples::into_messages).unwrap_or_default()
    }

    /// Delivers `message` to node `to` at once as if `from` had sent it: what
    /// an attacker can do. It belongs to no operation and counts as sent.
    pub fn forge(&mut self, from: Addr, to: u32, message: O::Message) {
        self.outside.forge(from, to, message);
    }

    /// Makes room for `n` nodes at once.
    pub fn reserve(&mut self, n: usize) {
        self.profiles.reserve_exact(n);
        self.machines.reserve_exact(n);
        self.outside.status.reserve_exact(n);
    }

    /// Adds a node, up but not joined, and returns its index. Its address in
    /// `profile` is set to that index; its id stays as given.
    pub fn add_node(&mut self, profile: Profile) -> u32 {
        let index = u32::try_from(self.machines.len()).expect("fewer than 2^32 nodes");
        let profile = Profile { addr: Addr::from_index(index), ..profile };
        self.machines.push(O::new(&self.config, &profile));
        self.profiles.push(profile);
        self.outside.status.push(Status { up: true, life: 0 });
        if self.outside.settings.measure_load {
            self.outside.received.push(0);
        }
        self.outside.record(|r, at| r.node(at, index, true));
        index
    }

    /// Adds an unremarkable peer whose id is the hash of its address.
    pub fn add_peer(&mut self) -> u32 {
        let addr = Addr::from_index(self.machines.len() as u32);
        self.add_node(Profile::peer(addr))
    }

    /// The time.
    pub const fn now(&self) -> Time {
        self.outside.now
    }

    /// The overlay's configuration.
    pub fn config(&self) -> &O::Config {
        &self.config
    }

    /// How many nodes there are, up or down.
    pub const fn len(&self) -> usize {
        self.machines.len()
    }

    /// Whether there are no nodes.
    pub const fn is_empty(&self) -> bool {
        self.machines.is_empty()
    }

    /// Whether a node is up.
    pub fn is_up(&self, node: u32) -> bool {
        self.outside.is_up(node)
    }

    /// The indexes of the nodes that are up, ascending.
    pub fn live(&self) -> impl Iterator<Item = u32> {
        (0..self.machines.len() as u32).filter(|&n| self.outside.is_up(n))
    }

    /// What a node is like.
    pub fn profile(&self, node: u32) -> &Profile {
        &self.profiles[node as usize]
    }

    /// A node's machine, for oracles and measures.
    pub fn machine(&self, node: u32) -> &O {
        &self.machines[node as usize]
    }

    /// The machines of all nodes that are up.
    pub fn population(&self) -> Vec<(Addr, &O)> {
        self.live().map(|n| (Addr::from_index(n), self.machine(n))).collect()
    }

    /// What crossed the network so far.
    pub const fn traffic(&self) -> &Traffic {
        &self.outside.traffic
    }

    /// Messages received so far, by node; empty unless the settings ask for it.
    pub fn received(&self) -> &[u32] {
        &self.outside.received
    }

    /// Letters sent that have neither arrived nor been dropped.
    pub const fn in_flight(&self) -> usize {
        self.outside.letters.len()
    }

    /// Events handled so far.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The digest over all deliveries so far.
    pub const fn trace_hash(&self) -> TraceHash {
        self.outside.trace_hash
    }

    /// How often an overlay ended an operation that had ended before.
    pub const fn surplus_ends(&self) -> u64 {
        self.outside.surplus_ends
    }

    /// Operations that are not closed yet.
    pub const fn open_operations(&self) -> usize {
        self.outside.operations.len()
    }

    /// An operation whose account is not final yet.
    pub fn operation(&self, op: OpId) -> Option<&Operation> {
        self.outside.operations.get(op)
    }

    /// Puts the driver's mark on an operation that is not closed yet.
    pub fn set_tag(&mut self, op: OpId, tag: u64) {
        if let Some(operation) = self.outside.operations.get_mut(op) {
            operation.tag = tag;
        }
    }

    /// The network, to change its conditions.
    pub const fn network_mut(&mut self) -> &mut Network {
        &mut self.outside.network
    }

    /// Hands out the operations that are not closed: what a finished run left
    /// unfinished.
    pub fn drain_operations(&mut self) -> Vec<Operation> {
        self.outside.operations.drain()
    }

    /// Calls [`Driver::cue`] with `cue` at time `at`.
    pub fn cue(&mut self, at: Time, cue: u32) {
        let at = at.max(self.outside.now);
        self.outside.queue.push(at, Event { node: cue, kind: Kind::Cue });
    }

    /// Starts an operation at a node; `tag` is the caller's own mark on it. It
    /// may have ended when this returns; the driver is told during the next
    /// [`Sim::run_until`].
    pub fn start(&mut self, node: u32, request: &Request, tag: u64) -> OpId {
        let outside = &mut self.outside;
        let op = outside.operations.start(request.verb(), node, outside.now, tag);
        let cause = Cause::start(op);
        outside.record(|r, at| r.operation_start(at, op, request.verb(), node, &request.text()));
        if !outside.is_up(node) {
            outside.finish(node, cause, op, Outcome::Failed(Reason::NodeDown));
        } else {
            self.call(node, cause, |machine, cx| match request {
                Request::Join(via) => machine.join(cx, op, via),
                Request::Leave => machine.leave(cx, op),
                Request::Insert(item) => machine.insert(cx, op, item),
                Request::Delete(key) => machine.delete(cx, op, key),
                Request::Search(query) => machine.search(cx, op, query),
                Request::Locate(key) => machine.locate(cx, op, key),
            });
        }
        self.outside.release(op);
        op
    }

    /// Calls into a node's machine and carries out what it wants.
    #[inline]
    fn call(&mut self, node: u32, cause: Cause, f: impl FnOnce(&mut O, &mut Cx<'_, O>)) {
        let outside = &mut self.outside;
        let me = Addr::from_index(node);
        let recording = outside.recorder.is_some();
        let rng = &mut outside.protocol_rng;
        let mut cx = Cx::new(outside.now, me, cause, recording, rng, &mut self.effects);
        f(&mut self.machines[node as usize], &mut cx);
        outside.carry_out(node, &mut self.effects);
    }

    /// Everyone who is up and what they share, for a converged start.
    pub fn census(&self, shares: &[(u32, Arc<Item>)]) -> Census {
        let mut peers = Vec::new();
        let mut servers = Vec::new();
        for node in self.live() {
            let profile = &self.profiles[node as usize];
            match profile.role {
                Role::Peer => peers.push(*profile),
                Role::Server => servers.push(profile.addr),
            }
        }
        let holdings = shares
            .iter()
            .map(|(node, item)| Holding {
                item: Arc::clone(item),
                provider: Addr::from_index(*node),
            })
            .collect();
        let latency = self.outside.network.latency();
        let rtt = move |a: Addr, b: Addr| {
            latency.one_way(a.index(), b.index()) + latency.one_way(b.index(), a.index())
        };
        Census::new(peers, servers, holdings).with_distances(Distances::new(rtt))
    }

    /// Starts everyone who is up in a converged network, with `shares` in
    /// place. Returns the blueprint, or `None` when the overlay can only be
    /// joined.
    pub fn settle(&mut self, shares: &[(u32, Arc<Item>)]) -> Option<O::Blueprint> {
        let census = self.census(shares);
        let blueprint = O::blueprint(&self.config, census, &mut self.outside.protocol_rng)?;
        for node in 0..self.machines.len() as u32 {
            if self.outside.is_up(node) {
                self.call(node, Cause::UPKEEP, |machine, cx| machine.settle(cx, &blueprint));
            }
        }
        Some(blueprint)
    }

    /// Stops a node at once, without a word: its process dies. Its system
    /// closes its streams, so those peers notice one delay later; everyone
    /// else finds out by themselves.
    pub fn crash(&mut self, node: u32) {
        self.outside.stop(node);
    }

    /// Starts a stopped node afresh: up, with nothing of its former state.
    pub fn restart(&mut self, node: u32) {
        if self.outside.is_up(node) {
            return;
        }
        let status = &mut self.outside.status[node as usize];
        status.up = true;
        status.life = status.life.wrapping_add(1);
        self.machines[node as usize] = O::new(&self.config, &self.profiles[node as usize]);
        self.outside.record(|r, at| r.node(at, node, true));
    }

    /// Cuts the network into groups that cannot reach each other: `group_of`
    /// gives each node's. Streams between groups break after the stream
    /// timeout.
    pub fn partition(&mut self, group_of: &[u32]) {
        self.outside.network.partition_into(group_of);
        self.outside.break_unreachable();
    }

    /// Ends a partition. Streams that broke stay broken.
    pub fn heal(&mut self) {
        self.outside.network.heal();
    }

    /// Handles all events due up to and including `until`, then sets the time
    /// to it.
    pub fn run_until(&mut self, until: Time, driver: &mut impl Driver<O>) {
        self.report(driver);
        while self.step(until, driver) {}
        self.outside.now = self.outside.now.max(until);
    }

    /// Handles events until nothing but upkeep is left to come, or time
    /// `until`. Returns whether all operations are closed.
    pub fn run_operations(&mut self, until: Time, driver: &mut impl Driver<O>) -> bool {
        self.report(driver);
        while self.outside.operations.len() > 0 && self.step(until, driver) {}
        self.outside.operations.len() == 0
    }

    /// Handles events until every operation has ended, or time `until`. What
    /// they caused may still be under way. Returns whether all have ended.
    pub fn run_to_ends(&mut self, until: Time, driver: &mut impl Driver<O>) -> bool {
        self.report(driver);
        while self.outside.operations.unended() > 0 && self.step(until, driver) {}
        self.outside.operations.unended() == 0
    }

    /// Handles the next event, unless it is due after `until`; whether there
    /// was one.
    #[inline]
    fn step(&mut self, until: Time, driver: &mut impl Driver<O>) -> bool {
        let Some((at, event)) = self.outside.queue.pop_until(until) else { return false };
        self.outside.now = at;
        self.events += 1;
        self.prefetch();
        let node = event.node;
        match event.kind {
            Kind::Letter(slot) => self.deliver(node, slot),
            Kind::Timer { life, timer, cause } => {
                let status = self.outside.status[node as usize];
                if status.up && status.life == life {
                    self.call(node, cause, |machine, cx| machine.on_timer(cx, timer));
                }
                self.outside.release(cause.op);
            }
            Kind::Upkeep { life, timer } => {
                let status = self.outside.status[node as usize];
                if status.up && status.life == life && at <= self.outside.settings.upkeep_until {
                    self.call(node, Cause::UPKEEP, |machine, cx| machine.on_timer(cx, timer));
                }
            }
            Kind::Lost { peer, serial, cause } => {
                if self.outside.lose(node, peer, serial) {
                    let peer = Addr::from_index(peer);
                    self.call(node, cause, |machine, cx| machine.on_lost(cx, peer));
                }
                self.outside.release(cause.op);
            }
            Kind::Cue => driver.cue(self, node),
        }
        if !self.outside.ended.is_empty() || !self.outside.closed.is_empty() {
            self.report(driver);
        }
        true
    }

    /// Starts fetching what coming events will touch.
    #[inline]
    fn prefetch(&self) {
        let Some(event) = self.outside.queue.upcoming(FETCH_AHEAD) else { return };
        match event.kind {
            Kind::Cue => return,
            Kind::Letter(slot) => self.outside.letters.prefetch(slot),
            _ => {}
        }
        if let Some(machine) = self.machines.get(event.node as usize) {
            prefetch(machine);
        }
        if let Some(event) = self.outside.queue.upcoming(WARM_AHEAD)
            && !matches!(event.kind, Kind::Cue)
            && let Some(machine) = self.machines.get(event.node as usize)
        {
            machine.warm();
        }
        if let Some(event) = self.outside.queue.upcoming(WARM_FOR_AHEAD)
            && let Kind::Letter(slot) = event.kind
            && let Some(letter) = self.outside.letters.peek(slot)
            && let Some(machine) = self.machines.get(event.node as usize)
        {
            machine.warm_for(&letter.message);
        }
    }

    #[inline]
    fn deliver(&mut self, to: u32, slot: u32) {
        let letter = self.outside.letters.take(slot);
        let cause = letter.cause;
        if self.outside.admit(to, &letter) {
            let Letter { message, from, .. } = letter;
            self.call(to, cause, |machine, cx| machine.on_message(cx, from, message));
        }
        self.outside.release(cause.op);
    }

    /// Tells the driver of what has ended.
    fn report(&mut self, driver: &mut impl Driver<O>) {
        while !self.outside.ended.is_empty() || !self.outside.closed.is_empty() {
            while let Some((op, outcome)) = self.outside.ended.pop_front() {
                let left = self.outside.operations.get(op).is_some_and(|o| {
                    o.verb == Verb::Leave && outcome == Outcome::Done && self.outside.is_up(o.node)
                });
                if left && let Some(node) = self.outside.operations.get(op).map(|o| o.node) {
                    self.outside.stop(node);
                }
                driver.ended(self, op, &outcome);
                // The end itself held the account open until it was reported.
                self.outside.release(op);
            }
            while let Some(operation) = self.outside.closed.pop_front() {
                driver.closed(operation);
            }
        }
    }
}
