//! A whole network over sockets on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use overlays::{Addr, Footprint, Hit, OpId, Outcome, Overlay, Profile, Role, Span};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::counters::Counters;
use super::handle::{Command, NodeHandle};
use super::judge::Judge;
use super::ledger::Ledger;
use super::limits::Limits;
use super::node::{self, Shared, Sockets};
use crate::oracle::Grade;
use crate::sim::{Operation, Request, Traffic};

/// How long nothing may be sent on behalf of an operation for the network to
/// count as at rest.
const QUIET: Duration = Duration::from_millis(20);

/// How long to wait for that at most.
const QUIET_LIMIT: Duration = Duration::from_secs(2);

/// How long the nodes may take to stop before they are aborted.
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(900);

/// What a live network is like.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// How many peers. Servers that the overlay needs come on top.
    pub peers: u32,
    /// The seed of the nodes' random streams.
    pub seed: u64,
    /// Whether upkeep timers run.
    pub maintenance: bool,
    /// How many times as often as configured they run, so that a network of
    /// protocols which tidy up every half minute comes to rest in seconds.
    /// Timeouts of requests are not touched. At least 1.
    pub upkeep_speed: u32,
    /// The limits of each node.
    pub limits: Limits,
    /// What the nodes are like, servers first, then peers; their addresses are
    /// ignored, since each node gets the one it has bound. Nodes beyond the
    /// list are unremarkable; such a peer's identifier is the hash of its
    /// number among the peers, so that it does not depend on the port.
    pub profiles: Vec<Profile>,
}

impl LiveOptions {
    /// Unremarkable peers with upkeep and the default limits.
    pub fn new(peers: u32, seed: u64) -> Self {
        let limits = Limits::default();
        Self { peers, seed, maintenance: true, upkeep_speed: 1, limits, profiles: Vec::new() }
    }
}

/// What was measured of a live network.
#[derive(Clone, Debug)]
pub struct LiveMeasures {
    /// The overlay's name.
    pub overlay: &'static str,
    /// How many peers it had.
    pub peers: u32,
    /// How many servers.
    pub servers: u32,
    /// The seed.
    pub seed: u64,
    /// How long it ran.
    pub elapsed: Span,
    /// All operations in the order of their start. Those that an interruption
    /// cut short have failed.
    pub operations: Vec<Operation>,
    /// The grades of those that were graded: what peers were asked by a script
    /// or through [`LiveNetwork::ask`] and had an outcome in time.
    pub grades: BTreeMap<OpId, Grade>,
    /// What was sent and arrived.
    pub traffic: Traffic,
    /// What each node still running at the end kept, with its role.
    pub footprints: Vec<(Role, Footprint)>,
    /// What went wrong, over all nodes.
    pub counters: Counters,
    /// Tasks that did not end by themselves at the shutdown; always 0 unless
    /// this host has a fault.
    pub aborted_tasks: usize,
    /// Whether the run was cut short.
    pub interrupted: bool,
}

/// A running network: the overlay's servers first, then the peers, as in the
/// simulator. Nobody has joined anything yet.
pub struct LiveNetwork<O: Overlay> {
    nodes: Vec<NodeHandle>,
    servers: usize,
    tasks: JoinSet<()>,
    shared: Shared,
    judge: Arc<Mutex<Judge<O>>>,
    indices: Arc<BTreeMap<Addr, u32>>,
}

impl<O: Overlay> LiveNetwork<O> {
    /// Binds the sockets and starts the nodes.
    ///
    /// # Errors
    /// When a socket cannot be bound.
    pub async fn start(config: &Arc<O::Config>, options: &LiveOptions) -> io::Result<Self> {
        let shared = Shared {
            epoch: Instant::now(),
            seed: options.seed,
            maintenance: options.maintenance,
            upkeep_speed: u64::from(options.upkeep_speed.max(1)),
            limits: options.limits,
            ledger: Ledger::new::<O::Message>(),
        };
        let servers = O::servers(config);
        let mut tasks = JoinSet::new();
        let mut nodes = Vec::new();
        for index in 0..servers + options.peers {
            let sockets = Sockets::bind().await?;
            let given = options.profiles.get(index as usize).copied();
            let mut profile = given.unwrap_or_else(|| default_profile(index, servers));
            profile.addr = sockets.addr();
            nodes.push(node::start::<O>(config, profile, index, sockets, &shared, &mut tasks));
        }
        let profiles = nodes.iter().map(|node| *node.profile()).collect();
        let judge = Judge::new(config, profiles, options.seed);
        Ok(Self {
            indices: Arc::new((0..).zip(&nodes).map(|(i, node)| (node.addr(), i)).collect()),
            nodes,
            servers: servers as usize,
            tasks,
            shared,
            judge: Arc::new(Mutex::new(judge)),
        })
    }

    /// All nodes: servers, then peers.
    pub fn nodes(&self) -> &[NodeHandle] {
        &self.nodes
    }

    /// The servers.
    pub fn servers(&self) -> &[NodeHandle] {
        &self.nodes[..self.servers]
    }

    /// The peers.
    pub fn peers(&self) -> &[NodeHandle] {
        &self.nodes[self.servers..]
    }

    /// The network's books.
    pub const fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// Asks node number `node` for something; its outcome will be graded.
    /// Contacts of a join, and nodes in the outcome, are given by index as the
    /// simulator does. `None` if there is no such node.
    pub fn ask(
        &self,
        node: u32,
        request: &Request,
    ) -> Option<impl Future<Output = Outcome> + Send + use<O>> {
        let handle = self.nodes.get(node as usize)?.clone();
        let named = request.clone();
        let addressed = match request {
            Request::Join(via) => {
                let addr = |index: &Addr| Some(self.nodes.get(index.index() as usize)?.addr());
                Request::Join(via.iter().filter_map(addr).collect())
            }
            other => other.clone(),
        };
        let (judge, shared) = (Arc::clone(&self.judge), self.shared.clone());
        let indices = Arc::clone(&self.indices);
        Some(async move {
            let since = shared.now();
            lock(&judge).starts(node, &named, since);
            let (op, outcome) = handle.ask(addressed).await;
            let outcome = by_index(&indices, outcome);
            lock(&judge).ends(op, node, &named, since, shared.now(), &outcome);
            outcome
        })
    }

    /// Stops node number `node` at once, as a crash would.
    pub async fn kill(&self, node: u32) {
        if let Some(handle) = self.nodes.get(node as usize) {
            lock(&self.judge).stopped(node, self.shared.now());
            handle.stop().await;
        }
    }

    /// Waits until nothing has been sent on behalf of any operation for a
    /// moment (20 ms), so that the books show an operation's whole cost. Gives
    /// up after two seconds; `false` then.
    pub async fn quiesce(&self) -> bool {
        let mut before = self.ledger().caused();
        let quiet = async {
            loop {
                sleep(QUIET).await;
                let now = self.ledger().caused();
                if now == before {
                    return;
                }
                before = now;
            }
        };
        timeout(QUIET_LIMIT, quiet).await.is_ok()
    }

    /// Whom each node keeps contact details of, by index; nobody for nodes
    /// that have stopped. Addresses that are nobody's are left out.
    pub async fn neighbours(&self) -> Vec<BTreeSet<u32>> {
        let mut all = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let known = node.neighbours().await.unwrap_or_default();
            all.push(known.iter().filter_map(|addr| self.indices.get(addr).copied()).collect());
        }
        all
    }

    /// Stops all nodes at once and returns how many tasks had to be aborted
    /// because they did not end by themselves within a second.
    pub async fn shutdown(mut self) -> usize {
        self.stop_all().await
    }

    /// Stops all nodes and returns what was measured.
    pub async fn close(mut self, interrupted: bool) -> LiveMeasures {
        let mut footprints = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            if let Some(footprint) = node.footprint().await {
                footprints.push((node.profile().role, footprint));
            }
        }
        let elapsed = Span::from_us(self.shared.now().as_us());
        let aborted_tasks = self.stop_all().await;
        let mut counters = Counters::default();
        for node in &self.nodes {
            counters += node.counters();
        }
        LiveMeasures {
            overlay: O::ABOUT.name,
            peers: self.peers().len() as u32,
            servers: self.servers as u32,
            seed: self.shared.seed,
            elapsed,
            operations: self.ledger().operations(),
            grades: lock(&self.judge).grades(),
            traffic: self.ledger().traffic(),
            footprints,
            counters,
            aborted_tasks,
            interrupted,
        }
    }

    async fn stop_all(&mut self) -> usize {
        let stopped = async {
            for node in &self.nodes {
                // An error means that the node has stopped already.
                let _ = node.commands.send(Command::Stop).await;
            }
            while self.tasks.join_next().await.is_some() {}
        };
        let clean = timeout(SHUTDOWN_LIMIT, stopped).await.is_ok();
        let left = if clean { 0 } else { self.tasks.len() };
        self.tasks.shutdown().await;
        left
    }
}

/// An unremarkable node; the first `servers` ones are servers.
fn default_profile(index: u32, servers: u32) -> Profile {
    match index.checked_sub(servers) {
        Some(peer) => Profile::peer(Addr::from_index(peer)),
        None => Profile::server(Addr::from_index(index)),
    }
}

/// An outcome with nodes given by index; an address that is nobody's stays.
fn by_index(indices: &BTreeMap<Addr, u32>, outcome: Outcome) -> Outcome {
    let index = |addr: Addr| indices.get(&addr).map_or(addr, |&i| Addr::from_index(i));
    match outcome {
        Outcome::Located(addr) => Outcome::Located(index(addr)),
        Outcome::Found(hits) => {
            let hit = |hit: Hit| Hit { provider: index(hit.provider), ..hit };
            Outcome::Found(hits.into_iter().map(hit).collect())
        }
        other => other,
    }
}

/// The judge stays usable when a task panicked while holding it: at worst an
/// operation is not graded.
fn lock<O: Overlay>(judge: &Mutex<Judge<O>>) -> MutexGuard<'_, Judge<O>> {
    judge.lock().unwrap_or_else(PoisonError::into_inner)
}
