//! The standard experiment: the phases that every overlay goes through.

use std::sync::Arc;

use overlays::{Overlay, Profile, Query, Rng, Span, Stream, Time, Wire};

use super::book::{Action, Book};
use super::plan::{Plan, Watch};
use super::{Measures, RunError, Stopwatch};
use crate::graph::OverlayGraph;
use crate::network::{Latency, Network};
use crate::sim::{Recorder, Request, Settings, Sim};
use crate::workload::{Placement, PlacementConfig, Popularity, QueryMix, Questions, draw};

/// Mean simulated time between two joins while the network is built.
const JOIN_GAP: Span = Span::from_ms(100);
/// Mean simulated time between two operations of all peers together in the
/// measured phases.
const OPERATION_GAP: Span = Span::from_ms(100);
/// Mean simulated time between two peers that leave or return.
const MEMBERSHIP_GAP: Span = Span::from_s(1);
/// The size up to which those gaps hold; a larger network has proportionally
/// shorter ones, as many more peers would.
const GAPS_HOLD_TO: u32 = 1000;
/// How long the searches may take at the most, in simulated node-seconds: they
/// come faster where they would have upkeep run for longer.
const SEARCH_NODE_SECONDS: u64 = 300_000;
/// How often the experiment looks whether a joined network has come to rest.
const REST_CHECK: Span = Span::from_s(30);
/// How long it waits for that at the most.
const REST_LIMIT: Span = Span::from_s(2 * 3600);
/// How long an operation may take before the experiment goes on without it and
/// calls it broken. Under heavy churn a join can honestly take half an hour.
const OPERATION_LIMIT: Span = Span::from_s(2 * 3600);
/// The longest mean session plus gap that the searches are stretched to.
const CHURN_LIMIT: Span = Span::from_s(3 * 3600);
/// How far the simulation runs between two looks at the clock and the user, at
/// the most:
const LONGEST_SLICE: Span = Span::from_s(5);
/// this long, and so many node-seconds, which take a fraction of a second.
const SLICE_NODE_SECONDS: u64 = 20_000;

/// What a phase waits for. Upkeep of a large network takes most of the time that
/// a run needs, so no phase is longer than what follows requires.
#[derive(Clone, Copy, Debug)]
enum Until {
    /// All operations have ended; their accounts close during the next phase.
    Ended,
    /// Nothing that they caused is under way.
    Closed,
}

/// A run of the standard experiment in progress.
pub(super) struct Standard<'a, O: Overlay> {
    plan: &'a Plan,
    watch: &'a Watch<'a>,
    sim: Sim<O>,
    book: Book<O>,
    workload_rng: Rng,
    popularity: Popularity,
    placement: Placement,
    /// The servers that will be killed.
    doomed_servers: Vec<u32>,
    stopwatch: Stopwatch,
}

impl<'a, O: Overlay> Standard<'a, O> {
    pub fn new(
        config: &Arc<O::Config>,
        plan: &'a Plan,
        watch: &'a Watch<'a>,
    ) -> Result<Self, RunError> {
        let servers = O::servers(config);
        let doomed_servers = match &plan.kill_servers {
            Some(kill) if servers > 0 => kill
                .victims(&crate::registry::server_kinds::<O>(config))
                .map_err(|error| RunError::Plan(error.to_string()))?,
            _ => Vec::new(),
        };
        let topology = &mut Stream::Topology.rng(plan.seed);
        let network = Network::new(Latency::build(&plan.latency, topology)?, plan.loss)?;
        let measure_reach = super::floods::<O>();
        let settings = Settings {
            seed: plan.seed,
            maintenance: plan.maintenance,
            measure_reach,
            measure_load: true,
            ..Settings::default()
        };
        let mut sim = Sim::new(Arc::clone(config), network, settings);
        if let Some(path) = &plan.trace {
            sim.record(
                Recorder::create(path, O::ABOUT.name, plan.seed)
                    .map_err(|e| RunError::file(path, e))?,
            );
        }
        let workload_rng = Stream::Workload.rng(plan.seed);
        let mut ranks = Stream::Workload.rng_of(plan.seed, 1);
        let items = plan.catalog.len() as u32;
        let popularity = Popularity::new(items, Popularity::DEFAULT_ALPHA, &mut ranks);
        let placement = Placement::draw(
            &popularity,
            plan.nodes,
            &PlacementConfig::default(),
            &mut Stream::Peers.rng(plan.seed),
        )
        .map_err(RunError::Plan)?;
        let mut book = Book::new(Arc::clone(&plan.catalog), servers, plan.seed, measure_reach);
        book.downloads = plan.downloads;
        book.measures.nodes = plan.nodes;
        book.measures.shares = placement.total();
        book.measures.free_riders =
            (0..plan.nodes).filter(|&p| placement.shares(p).is_empty()).count() as u64;
        Ok(Self {
            plan,
            watch,
            sim,
            book,
            workload_rng,
            popularity,
            placement,
            doomed_servers,
            stopwatch: Stopwatch::start(),
        })
    }

    /// Runs all phases. An interruption ends the run early; what was measured
    /// by then is returned.
    pub fn run(mut self) -> Result<Measures, RunError> {
        self.populate();
        if self.plan.settle {
            self.start_settled()?;
        } else {
            self.start_by_joining();
        }
        self.kill();
        self.searches();
        self.snapshot()?;
        if self.plan.churn.is_none() && !self.watch.is_interrupted() {
            self.updates();
            self.comings_and_goings();
        }
        self.book.measures.interrupted |= self.watch.is_interrupted();
        self.finish()
    }

    fn servers(&self) -> u32 {
        self.book.measures.servers
    }

    fn populate(&mut self) {
        let servers = self.servers();
        self.sim.reserve((self.plan.nodes + servers) as usize);
        for index in 0..servers + self.plan.nodes {
            let addr = overlays::Addr::from_index(index);
            self.sim.add_node(if index < servers {
                Profile::server(addr)
            } else {
                super::peers::profile(addr, index - servers, self.plan.seed)
            });
        }
    }

    /// The nodes of the placement's peers: servers come first.
    fn node_of(&self, peer: u32) -> u32 {
        peer + self.servers()
    }

    fn start_settled(&mut self) -> Result<(), RunError> {
        self.watch.tell(0.0, "settling");
        let mut shares = Vec::new();
        for peer in 0..self.plan.nodes {
            let node = self.node_of(peer);
            for &item in self.placement.shares(peer) {
                let item = self.plan.catalog.item(item);
                self.book.shares_from_start(node, item, Time::ZERO);
                shares.push((node, Arc::clone(item)));
            }
        }
        let Some(blueprint) = self.sim.settle(&shares) else {
            return Err(RunError::NoSettle(O::ABOUT.name));
        };
        self.book.blueprint = Some(blueprint);
        for peer in 0..self.plan.nodes {
            self.book.contacts.set_joined(self.node_of(peer), true);
        }
        Ok(())
    }

    fn start_by_joining(&mut self) {
        for server in 0..self.servers() {
            let via: Vec<u32> = (0..server).collect();
            let via = super::book::addrs(via.into_iter());
            self.book.ask(&mut self.sim, server, &Request::Join(via), false);
        }
        // Whoever comes first founds the network; the others come one by one,
        // in random order, often before the one before them is done.
        let mut order: Vec<u32> = (0..self.plan.nodes).map(|p| self.node_of(p)).collect();
        draw::shuffle(&mut self.workload_rng, &mut order);
        // Nobody could reach a founder behind a firewall.
        let founder = order.iter().position(|&node| !self.sim.profile(node).firewalled);
        order.swap(0, founder.unwrap_or(0));
        let mut at = self.sim.now() + Span::from_s(1);
        for (turn, node) in order.into_iter().enumerate() {
            self.book.plan(&mut self.sim, at, Action::Join(node));
            at += if turn == 0 { Span::from_s(10) } else { self.gap(JOIN_GAP) };
        }
        self.advance(at, 0.0, 0.2, "joining");
        self.drain();
        self.retry_joins();
        self.rest(0.2, "settling");
        self.insert_shares();
        self.rest(0.35, "settling");
    }

    /// Joins that failed, such as through a contact that was just joining, are
    /// tried again as a user would.
    fn retry_joins(&mut self) {
        for _ in 0..5 {
            let waiting: Vec<u32> = (0..self.plan.nodes)
                .map(|p| self.node_of(p))
                .filter(|&n| !self.book.contacts.is_joined(n))
                .collect();
            if waiting.is_empty() || self.watch.is_interrupted() {
                return;
            }
            for node in waiting {
                let at = self.sim.now() + self.gap(JOIN_GAP);
                self.book.plan(&mut self.sim, at, Action::Join(node));
            }
            self.drain();
        }
    }

    fn insert_shares(&mut self) {
        let mut plan = Vec::new();
        for peer in 0..self.plan.nodes {
            let node = self.node_of(peer);
            for &item in self.placement.shares(peer) {
                plan.push(Action::Ask(
                    node,
                    Request::Insert(Arc::clone(self.plan.catalog.item(item))),
                ));
            }
        }
        draw::shuffle(&mut self.workload_rng, &mut plan);
        // Spread over two minutes whatever there is, so that the load per node
        // does not depend on the catalogue.
        let gap = Span::from_us(120_000_000 / plan.len().max(1) as u64);
        self.schedule(plan, gap, 0.2, 0.35, "inserting", Until::Closed);
    }

    /// Waits until the overlay's audit is content, or for two hours.
    fn rest(&mut self, fraction: f64, phase: &'static str) {
        let limit = self.sim.now() + REST_LIMIT;
        if !self.plan.maintenance {
            self.drain();
            return;
        }
        while self.sim.now() < limit && !self.watch.is_interrupted() {
            let until = self.sim.now() + REST_CHECK;
            self.advance(until, fraction, fraction, phase);
            if O::audit(&self.sim.population()).is_empty() {
                break;
            }
        }
    }

    /// Kills peers and servers as planned, and waits.
    fn kill(&mut self) {
        let mut victims = std::mem::take(&mut self.doomed_servers);
        victims.extend(self.doomed_peers());
        if victims.is_empty() {
            return;
        }
        for victim in victims {
            self.book.crash(&mut self.sim, victim);
        }
        self.book.blueprint = None;
        let until = self.sim.now() + self.plan.kill_wait;
        self.advance(until, 0.35, 0.4, "after the kill");
    }

    fn doomed_peers(&self) -> Vec<u32> {
        if self.plan.kill <= 0.0 {
            return Vec::new();
        }
        let mut peers: Vec<u32> = self.book.live_peers(&self.sim);
        peers.sort_unstable();
        let mut rng = Stream::Churn.rng_of(self.plan.seed, 2);
        draw::shuffle(&mut rng, &mut peers);
        // Somebody survives any fraction below 1.
        let most = peers.len().saturating_sub(1);
        let victims = ((peers.len() as f64 * self.plan.kill).round() as usize).min(most);
        peers.truncate(victims);
        peers
    }

    fn searches(&mut self) {
        let mut gap = self.scaled(OPERATION_GAP);
        if let Some(churn) = self.plan.churn {
            let mut peers = self.book.live_peers(&self.sim);
            peers.sort_unstable();
            for peer in peers {
                let rng = Stream::Churn.rng_of(self.plan.seed, 3 + u64::from(peer));
                let presence = churn.presence(self.sim.now(), rng);
                self.book.start_churn(&mut self.sim, peer, presence);
            }
            self.book.blueprint = None;
            // Long enough for every peer to come and go about twice.
            let mean = (churn.session.mean() + churn.gap.mean()).min(CHURN_LIMIT);
            let count = u64::from(self.plan.searches.max(1));
            gap = gap.max(Span::from_us(mean.as_us() / count));
        }
        let plan = self.questions();
        let before = self.sim.traffic().clone();
        let received = self.sim.received().to_vec();
        let started = self.sim.now();
        if self.plan.churn.is_none() {
            let longest_us = SEARCH_NODE_SECONDS * 1_000_000 / u64::from(self.plan.nodes);
            gap = gap.min(Span::from_us(longest_us / plan.len().max(1) as u64));
        }
        // Under churn no phase follows in which the accounts could close.
        let until = if self.plan.churn.is_none() { Until::Ended } else { Until::Closed };
        self.schedule(plan, gap, 0.4, 0.8, "searching", until);
        self.book.stop_churn();
        let traffic = self.sim.traffic().since(&before);
        let measures = &mut self.book.measures;
        measures.upkeep_messages = traffic.upkeep;
        measures.upkeep_bytes = traffic.upkeep_bytes;
        let live = self.sim.live().count() as f64;
        for node in self.sim.live() {
            let node = node as usize;
            measures.load.record(u64::from(self.sim.received()[node] - received[node]));
        }
        measures.node_seconds = live * self.sim.now().since(started).as_s_f64();
    }

    /// The searches, exact ones and keyword ones in turn, each with the peer
    /// that asks.
    fn questions(&mut self) -> Vec<Action> {
        let index = self.book.index();
        let mix = QueryMix::default();
        let questions = Questions::new(&self.plan.catalog, &index, &self.popularity, mix)
            .expect("the default mix is in range and the popularity is this catalogue's");
        let mut queries = Vec::new();
        for _ in 0..self.plan.searches {
            if self.watch.is_interrupted() {
                break;
            }
            queries.push(questions.exact(&mut self.workload_rng).query);
            queries.push(questions.keywords(&mut self.workload_rng).query);
        }
        let mut plan = Vec::with_capacity(queries.len());
        for query in queries {
            if let Some(asker) = self.asker(&query) {
                plan.push(Action::Ask(asker, Request::Search(query)));
            }
        }
        plan
    }

    /// A live peer that does not hold what it asks for, if a few draws find
    /// one.
    fn asker(&mut self, query: &Query) -> Option<u32> {
        let mut asker = None;
        for _ in 0..16 {
            asker = self.book.contacts.pick(&mut self.workload_rng);
            let node = asker?;
            if !self.book.shares_of(node).iter().any(|item| query.matches(item)) {
                break;
            }
        }
        asker
    }

    fn updates(&mut self) {
        let count = (self.plan.searches / 10).clamp(1, 200);
        let mut inserts = Vec::new();
        let mut deletes = Vec::new();
        for turn in 0..count {
            let Some(peer) = self.book.contacts.pick(&mut self.workload_rng) else { return };
            // A name that nobody shares yet, so that insert and delete are
            // each seen on their own.
            let item = Arc::new(overlays::Item::new(&format!("new-file-{turn}.bin"), 1_000_000));
            deletes.push(Action::Ask(peer, Request::Delete(item.key())));
            inserts.push(Action::Ask(peer, Request::Insert(item)));
        }
        let gap = self.scaled(OPERATION_GAP);
        self.schedule(inserts, gap, 0.8, 0.85, "inserting", Until::Ended);
        self.schedule(deletes, gap, 0.85, 0.9, "deleting", Until::Ended);
    }

    /// Some peers leave politely, one after the other, and join again.
    fn comings_and_goings(&mut self) {
        let count = (self.book.contacts.joined_count() / 10).min(50);
        let mut peers = self.book.live_peers(&self.sim);
        peers.sort_unstable();
        draw::shuffle(&mut self.workload_rng, &mut peers);
        peers.truncate(count);
        self.book.blueprint = None;
        let gap = self.scaled(MEMBERSHIP_GAP);
        let leaves = peers.iter().map(|&peer| Action::Leave(peer)).collect();
        self.schedule(leaves, gap, 0.9, 0.95, "leaving", Until::Ended);
        let returns = peers.iter().map(|&peer| Action::Return(peer)).collect();
        self.schedule(returns, gap, 0.95, 1.0, "joining", Until::Closed);
    }

    /// Plans `actions` as an open-loop Poisson stream with mean gap `gap` and
    /// runs until all of them have ended or, as `until` says, are closed.
    fn schedule(
        &mut self,
        actions: Vec<Action>,
        gap: Span,
        from: f64,
        to: f64,
        phase: &'static str,
        until: Until,
    ) {
        let mut at = self.sim.now();
        for action in actions {
            at += self.gap(gap);
            self.book.plan(&mut self.sim, at, action);
        }
        self.advance(at, from, to, phase);
        self.run_out(until);
    }

    /// A gap between operations, for a network of this size.
    fn scaled(&self, gap: Span) -> Span {
        let peers = u64::from(self.plan.nodes.max(GAPS_HOLD_TO));
        Span::from_us(gap.as_us() * u64::from(GAPS_HOLD_TO) / peers)
    }

    fn gap(&mut self, mean: Span) -> Span {
        Span::from_s_f64(mean.as_s_f64() * draw::exponential(&mut self.workload_rng))
    }

    fn advance(&mut self, until: Time, from: f64, to: f64, phase: &'static str) {
        let start = self.sim.now();
        let total = until.since(start).as_s_f64().max(1e-6);
        while self.sim.now() < until {
            if self.watch.is_interrupted() {
                self.book.measures.interrupted = true;
                return;
            }
            let next = (self.sim.now() + self.slice()).min(until);
            self.sim.run_until(next, &mut self.book);
            let done = self.sim.now().since(start).as_s_f64() / total;
            self.watch.tell(from + (to - from) * done, phase);
        }
    }

    /// Lets everything that operations caused come to an end.
    fn drain(&mut self) {
        self.run_out(Until::Closed);
    }

    fn run_out(&mut self, what: Until) {
        let limit = self.sim.now() + OPERATION_LIMIT;
        let mut until = self.sim.now();
        loop {
            if self.watch.is_interrupted() {
                self.book.measures.interrupted = true;
                return;
            }
            until = (until + self.slice()).min(limit);
            let over = match what {
                Until::Ended => self.sim.run_to_ends(until, &mut self.book),
                Until::Closed => self.sim.run_operations(until, &mut self.book),
            };
            if over || until == limit {
                return;
            }
        }
    }

    /// How far the simulation runs between two looks at the clock and the user.
    fn slice(&self) -> Span {
        let nodes = u64::from(self.plan.nodes);
        LONGEST_SLICE.min(Span::from_us(SLICE_NODE_SECONDS * 1_000_000 / nodes))
    }

    fn snapshot(&mut self) -> Result<(), RunError> {
        let mut graph = OverlayGraph::new(self.sim.len() as u32);
        for node in self.sim.live() {
            self.book.measures.storage.record(self.sim.machine(node).footprint());
            let mut neighbours = Vec::new();
            self.sim.machine(node).neighbours(&mut |addr| neighbours.push(addr.index()));
            graph.add(node, neighbours);
        }
        if self.plan.graph && !self.watch.is_interrupted() {
            let mut rng = Stream::Topology.rng_of(self.plan.seed, 2);
            self.book.measures.graph = Some(graph.figures(&mut rng));
        }
        if let Some(path) = &self.plan.graph_file {
            graph.write(path).map_err(|e| RunError::file(path, e))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Measures, RunError> {
        self.watch.tell(1.0, "done");
        self.book.close(&mut self.sim);
        let mut measures = self.book.measures;
        measures.set_traffic(self.sim.traffic(), O::Message::KINDS);
        measures.engine.events = self.sim.events();
        self.stopwatch.stop(&mut measures.engine);
        measures.trace_hash = self.sim.trace_hash();
        if let (Some(recorder), Some(path)) = (self.sim.take_recorder(), &self.plan.trace) {
            recorder.finish().map_err(|e| RunError::file(path, e))?;
        }
        Ok(measures)
    }
}
