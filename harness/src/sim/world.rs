//! The simulated world: all nodes of one network and what is under way.

use std::sync::Arc;

use overlays::{
    Action, Addr, Cause, Census, Cx, Effect, Holding, Item, Key, Member, Note, OpId, Outcome,
    Overlay, Profile, Query, Reason, Rng, Role, Span, Stream, Target, Time, Transport, Wire,
};

use super::event::{Event, Kind};
use super::letters::{Letter, Letters};
use super::links::Links;
use super::operations::{Operation, Operations, Verb};
use super::prefetch::prefetch;
use super::queue::EventQueue;
use super::recorder::Recorder;
use super::samples::Samples;
use super::trace_hash::TraceHash;
use super::traffic::Traffic;
use crate::network::Network;

/// How many events ahead the memory of a machine is fetched.
const FETCH_AHEAD: usize = 8;
/// How many events ahead a machine is asked to touch its tables.
const WARM_AHEAD: usize = 3;

/// How a simulation is run, apart from the network and the overlay.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The seed of all random streams.
    pub seed: u64,
    /// Whether periodic upkeep runs at all.
    pub maintenance: bool,
    /// When periodic upkeep stops: timers due later are dropped.
    pub upkeep_until: Time,
    /// Whether to keep, for each operation, who received its forward messages:
    /// the reach of a flood. Costs memory and time.
    pub measure_reach: bool,
    /// Whether to count the messages that each node receives.
    pub measure_load: bool,
    /// How long both ends of a stream need to notice that nothing comes
    /// through any more, when the network and not the other end is at fault.
    pub stream_timeout: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            maintenance: true,
            upkeep_until: Time::NEVER,
            measure_reach: false,
            measure_load: false,
            stream_timeout: Span::from_s(10),
        }
    }
}

/// What the user of a node asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Enter the network through these members.
    Join(Vec<Addr>),
    /// Leave politely; the node stops when that is done.
    Leave,
    /// Share an item.
    Insert(Arc<Item>),
    /// Stop sharing the item with this key.
    Delete(Key),
    /// Search.
    Search(Query),
    /// Find the node responsible for a key.
    Locate(Key),
}

impl Request {
    /// The verb.
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Join(_) => Verb::Join,
            Self::Leave => Verb::Leave,
            Self::Insert(_) => Verb::Insert,
            Self::Delete(_) => Verb::Delete,
            Self::Search(Query { target: Target::Exact(_), .. }) => Verb::Search,
            Self::Search(_) => Verb::KeywordSearch,
            Self::Locate(_) => Verb::Locate,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Join(via) => format!("via {via:?}"),
            Self::Leave => String::new(),
            Self::Insert(item) => item.name().into(),
            Self::Delete(key) | Self::Locate(key) => key.to_string(),
            Self::Search(query) => match &query.target {
                Target::Exact(key) => key.to_string(),
                Target::Keywords(words) => words.to_text(),
            },
        }
    }
}

/// Whoever runs an experiment on a simulation: it sets cues and is told how
/// operations end.
pub trait Driver<O: Overlay> {
    /// A cue set with [`Sim::cue`] is due.
    fn cue(&mut self, sim: &mut Sim<O>, cue: u32) {
        let _ = (sim, cue);
    }

    /// An operation has ended. What it caused may still be under way.
    fn ended(&mut self, sim: &mut Sim<O>, op: OpId, outcome: &Outcome) {
        let _ = (sim, op, outcome);
    }

    /// An operation has ended and nothing that it caused is under way: its
    /// account is final.
    fn closed(&mut self, operation: Operation) {
        let _ = operation;
    }
}

/// A driver that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDriver;

impl<O: Overlay> Driver<O> for NoDriver {}

#[derive(Clone, Copy, Debug)]
struct Status {
    up: bool,
    /// Counts restarts, so that timers of an earlier life are ignored.
    life: u8,
}

/// Everything of a simulation but the machines, so that a machine and the rest
/// can be borrowed at once.
#[derive(Debug)]
struct Outside<O: Overlay> {
    now: Time,
    settings: Settings,
    status: Vec<Status>,
    queue: EventQueue<Event<O>>,
    letters: Letters<O::Message>,
    links: Links,
    network: Network,
    network_rng: Rng,
    protocol_rng: Rng,
    operations: Operations,
    traffic: Traffic,
    /// Messages received, by node, where that is measured.
    received: Vec<u32>,
    trace_hash: TraceHash,
    recorder: Option<Recorder>,
    samples: Option<Samples<O::Message>>,
    /// Ends to tell the driver of, in order.
    ended: Vec<(OpId, Outcome)>,
    closed: Vec<Operation>,
    /// Ends of operations that had ended before: each is a bug of the overlay.
    surplus_ends: u64,
}

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
                ended: Vec::new(),
                closed: Vec::new(),
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
                Role::Peer => peers.push(Member { id: profile.id, addr: profile.addr }),
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
        Census::new(peers, servers, holdings)
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
        while let Some(at) = self.outside.queue.next_time() {
            if at > until {
                break;
            }
            self.step(driver);
        }
        self.outside.now = self.outside.now.max(until);
    }

    /// Handles events until nothing but upkeep is left to come, or time
    /// `until`. Returns whether all operations are closed.
    pub fn run_operations(&mut self, until: Time, driver: &mut impl Driver<O>) -> bool {
        self.report(driver);
        while self.outside.operations.len() > 0 {
            match self.outside.queue.next_time() {
                Some(at) if at <= until => self.step(driver),
                _ => break,
            }
        }
        self.outside.operations.len() == 0
    }

    /// Handles the next event.
    #[inline]
    fn step(&mut self, driver: &mut impl Driver<O>) {
        let Some((at, event)) = self.outside.queue.pop() else { return };
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
    }

    #[inline]
    fn deliver(&mut self, to: u32, slot: u32) {
        let Letter { message, from, cause, stream } = self.outside.letters.take(slot);
        if self.outside.admit(to, from, cause, stream, &message) {
            self.call(to, cause, |machine, cx| machine.on_message(cx, from, message));
        }
        self.outside.release(cause.op);
    }

    /// Tells the driver of what has ended.
    fn report(&mut self, driver: &mut impl Driver<O>) {
        while !self.outside.ended.is_empty() || !self.outside.closed.is_empty() {
            for (op, outcome) in std::mem::take(&mut self.outside.ended) {
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
            for operation in std::mem::take(&mut self.outside.closed) {
                driver.closed(operation);
            }
        }
    }
}

impl<O: Overlay> Outside<O> {
    fn is_up(&self, node: u32) -> bool {
        self.status.get(node as usize).is_some_and(|s| s.up)
    }

    #[inline]
    fn record(&mut self, f: impl FnOnce(&mut Recorder, Time)) {
        if let Some(recorder) = &mut self.recorder {
            f(recorder, self.now);
        }
    }

    #[inline]
    fn release(&mut self, op: OpId) {
        if let Some(operation) = self.operations.release(op) {
            self.closed.push(operation);
        }
    }

    /// Carries out what the machine of `node` wants.
    #[inline]
    fn carry_out(&mut self, node: u32, effects: &mut Vec<Effect<O>>) {
        for Effect { cause, action } in effects.drain(..) {
            match action {
                Action::Send { to, message } => self.send(node, cause, to, message),
                Action::Wake { after, timer } => {
                    let life = self.status[node as usize].life;
                    self.operations.hold(cause.op);
                    let kind = Kind::Timer { life, timer, cause };
                    self.queue.push(self.now + after, Event { node, kind });
                }
                Action::Upkeep { after, timer } => {
                    let at = self.now + after;
                    if self.settings.maintenance && at <= self.settings.upkeep_until {
                        let life = self.status[node as usize].life;
                        self.queue.push(at, Event { node, kind: Kind::Upkeep { life, timer } });
                    }
                }
                Action::Answer { op, .. } => self.operations.answer(op, cause, self.now),
                Action::Finish { op, outcome } => self.finish(node, cause, op, outcome),
                Action::Close { peer } => self.close(node, peer),
                Action::Note(note) => self.note(node, cause, note),
            }
        }
    }

    fn note(&mut self, node: u32, cause: Cause, note: Note) {
        self.record(|r, at| r.note(at, cause, node, note));
    }

    fn finish(&mut self, node: u32, cause: Cause, op: OpId, outcome: Outcome) {
        if self.operations.finish(op, cause, self.now, &outcome) {
            let cause = Cause { op, ..cause };
            self.record(|r, at| r.operation_end(at, cause, node, &outcome));
            self.operations.hold(op);
            self.ended.push((op, outcome));
        } else {
            self.surplus_ends += 1;
        }
    }

    #[inline]
    fn send(&mut self, from: u32, cause: Cause, to: Addr, message: O::Message) {
        let cause = cause.next(message.is_reply());
        let bytes = message.encoded_len() as u64;
        let kind = message.kind();
        if let Some(samples) = &mut self.samples {
            samples.take(&message);
        }
        self.traffic.count_sent(kind, bytes, cause.op == OpId::NONE);
        self.operations.count_sent(cause, bytes);
        let to = to.index();
        self.record(|r, at| r.send(at, cause, from, to, O::Message::KINDS[kind], bytes));
        let stream = O::transport(&message) == Transport::Stream;
        let (arrival, serial) = if (to as usize) >= self.status.len() {
            // An address that nobody ever had, such as a forged one.
            if stream {
                self.refuse(from, to, cause);
            }
            (None, 0)
        } else if stream {
            self.stream_arrival(from, to, cause)
        } else {
            let delay = self.network.deliver(from, to, &mut self.network_rng);
            (delay.map(|d| self.now + d), 0)
        };
        let from = Addr::from_index(from);
        match arrival {
            Some(at) => {
                self.operations.hold(cause.op);
                let slot = self.letters.post(Letter { message, from, cause, stream: serial });
                self.queue.push(at, Event { node: to, kind: Kind::Letter(slot) });
            }
            None => {
                self.traffic.lost += 1;
                self.operations.count_timeout(cause);
                self.record(|r, at| r.drop(at, cause, to, from, "lost"));
            }
        }
    }

    fn forge(&mut self, from: Addr, to: u32, message: O::Message) {
        let cause = Cause::UPKEEP.next(message.is_reply());
        let (kind, bytes) = (message.kind(), message.encoded_len() as u64);
        self.traffic.count_sent(kind, bytes, true);
        self.record(|r, at| r.send(at, cause, from.index(), to, O::Message::KINDS[kind], bytes));
        let slot = self.letters.post(Letter { message, from, cause, stream: 0 });
        self.queue.push(self.now, Event { node: to, kind: Kind::Letter(slot) });
    }

    /// When a letter sent now on the stream from `from` to `to` arrives, and
    /// the stream's number. Opens the stream if there is none: that takes one
    /// round trip before the first letter can leave, as TCP's handshake does.
    fn stream_arrival(&mut self, from: u32, to: u32, cause: Cause) -> (Option<Time>, u32) {
        let Some(delay) = self.network.stream_delay(from, to, &mut self.network_rng) else {
            if self.links.find(from, to).is_none() {
                let serial = self.links.next_serial();
                self.links.open(from, to, serial, self.now);
                self.schedule_loss(from, to, serial, cause, self.settings.stream_timeout);
            }
            return (None, 0);
        };
        if let Some(link) = self.links.find(from, to) {
            link.last_arrival = link.last_arrival.max(self.now + delay);
            return (Some(link.last_arrival), link.serial);
        }
        if !self.is_up(to) {
            self.refuse(from, to, cause);
            return (None, 0);
        }
        let serial = self.links.next_serial();
        let opened = self.now + delay * 2;
        self.links.open(from, to, serial, opened + delay);
        self.links.open(to, from, serial, opened);
        self.record(|r, at| r.link(at, from, to, true));
        (Some(opened + delay), serial)
    }

    /// A stream to nobody: the attempt is refused after one round trip.
    fn refuse(&mut self, from: u32, to: u32, cause: Cause) {
        let serial = self.links.next_serial();
        self.links.open(from, to, serial, self.now);
        let round_trip = self.network.one_way(from, to) * 2;
        self.schedule_loss(from, to, serial, cause, round_trip);
    }

    fn schedule_loss(&mut self, node: u32, peer: u32, serial: u32, cause: Cause, after: Span) {
        self.operations.hold(cause.op);
        let kind = Kind::Lost { peer, serial, cause };
        self.queue.push(self.now + after, Event { node, kind });
    }

    /// Closes `node`'s end of its stream to `peer`, who learns of it after
    /// everything sent before.
    fn close(&mut self, node: u32, peer: Addr) {
        let peer = peer.index();
        if let Some(link) = self.links.close(node, peer) {
            self.tell_closed(node, link);
        }
    }

    fn tell_closed(&mut self, node: u32, link: super::links::Link) {
        let peer = link.peer;
        self.record(|r, at| r.link(at, node, peer, false));
        if !self.links.is_open(peer, node, link.serial) {
            return;
        }
        let after = match self.network.stream_delay(node, peer, &mut self.network_rng) {
            Some(delay) => (self.now + delay).max(link.last_arrival).since(self.now),
            None => self.settings.stream_timeout,
        };
        self.schedule_loss(peer, node, link.serial, Cause::UPKEEP, after);
    }

    /// Takes away `node`'s end of stream `serial`; whether it was still open.
    fn lose(&mut self, node: u32, peer: u32, serial: u32) -> bool {
        let open = self.links.is_open(node, peer, serial);
        if open {
            self.links.close(node, peer);
        }
        open && self.is_up(node)
    }

    /// Schedules the loss of all streams that cross a partition.
    fn break_unreachable(&mut self) {
        let cut: Vec<(u32, super::links::Link)> = self
            .links
            .iter()
            .filter(|(node, link)| !self.network.reachable(*node, link.peer))
            .collect();
        for (node, link) in cut {
            let timeout = self.settings.stream_timeout;
            self.schedule_loss(node, link.peer, link.serial, Cause::UPKEEP, timeout);
        }
    }

    /// Whether an arriving letter reaches the machine; counts it either way.
    #[inline]
    fn admit(
        &mut self,
        to: u32,
        from: Addr,
        cause: Cause,
        stream: u32,
        message: &O::Message,
    ) -> bool {
        let refused = if !self.status[to as usize].up {
            Some("node down")
        } else if stream != 0 && !self.links.is_open(to, from.index(), stream) {
            Some("stream closed")
        } else {
            None
        };
        if let Some(why) = refused {
            self.traffic.undeliverable += 1;
            self.operations.count_timeout(cause);
            self.record(|r, at| r.drop(at, cause, to, from, why));
            return false;
        }
        let kind = message.kind();
        self.traffic.delivered += 1;
        self.trace_hash.delivery(self.now, from, to, kind, message.encoded_len());
        if self.settings.measure_load {
            self.received[to as usize] += 1;
        }
        let is_reply = message.is_reply();
        if self.settings.measure_reach
            && !is_reply
            && let Some(op) = self.operations.get_mut(cause.op)
        {
            op.receivers.push(to);
        }
        self.record(|r, at| r.receive(at, cause, to, from, O::Message::KINDS[kind], is_reply));
        true
    }

    /// Takes a node down.
    fn stop(&mut self, node: u32) {
        if !self.is_up(node) {
            return;
        }
        self.status[node as usize].up = false;
        self.record(|r, at| r.node(at, node, false));
        for link in self.links.close_all(node) {
            self.tell_closed(node, link);
        }
        for op in self.operations.unended_at(node) {
            self.finish(node, Cause::start(op), op, Outcome::Failed(Reason::NodeDown));
        }
    }
}
