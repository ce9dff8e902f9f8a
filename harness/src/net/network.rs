//! A whole network over sockets on this machine.

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use overlays::{Addr, Footprint, Overlay, Profile, Role, Span, Wire};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::counters::Counters;
use super::handle::{Command, NodeHandle};
use super::ledger::{Ledger, OperationRecord, Traffic};
use super::limits::Limits;
use super::node::{self, Shared, Sockets};

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
    pub peers: usize,
    /// The seed of the nodes' random streams.
    pub seed: u64,
    /// Whether upkeep timers run.
    pub maintenance: bool,
    /// The limits of each node.
    pub limits: Limits,
    /// What the nodes are like, peers first, then servers; their addresses are
    /// ignored, since each node gets the one it has bound. Nodes beyond the
    /// list are unremarkable, with the identifier that the simulator's node of
    /// the same index has by default.
    pub profiles: Vec<Profile>,
}

impl LiveOptions {
    /// Unremarkable peers with upkeep and the default limits.
    pub fn new(peers: usize, seed: u64) -> Self {
        let limits = Limits::default();
        Self { peers, seed, maintenance: true, limits, profiles: Vec::new() }
    }
}

/// What was measured of a live network.
#[derive(Clone, Debug)]
pub struct LiveMeasures {
    /// The overlay's name.
    pub overlay: &'static str,
    /// How many peers it had.
    pub peers: usize,
    /// How many servers.
    pub servers: usize,
    /// The seed.
    pub seed: u64,
    /// How long it ran.
    pub elapsed: Span,
    /// All operations in the order of their start. Those that an interruption
    /// cut short have failed with `NodeDown`.
    pub operations: Vec<OperationRecord>,
    /// Traffic that belongs to no operation.
    pub upkeep: Traffic,
    /// Traffic by kind of message.
    pub by_kind: Vec<(&'static str, Traffic)>,
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

/// A running network: peers first, then the overlay's servers. Nobody has
/// joined anything yet.
#[derive(Debug)]
pub struct LiveNetwork<O: Overlay> {
    nodes: Vec<NodeHandle>,
    peers: usize,
    tasks: JoinSet<()>,
    shared: Shared,
    overlay: PhantomData<fn() -> O>,
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
            limits: options.limits,
            ledger: Ledger::new(O::Message::KINDS),
        };
        let servers = O::servers(config) as usize;
        let mut network = Self {
            nodes: Vec::with_capacity(options.peers + servers),
            peers: options.peers,
            tasks: JoinSet::new(),
            shared,
            overlay: PhantomData,
        };
        for i in 0..options.peers + servers {
            let sockets = Sockets::bind().await?;
            let index = Addr::from_index(u32::try_from(i).map_err(io::Error::other)?);
            let default = || match i < options.peers {
                true => Profile::peer(index),
                false => Profile::server(index),
            };
            let mut profile = options.profiles.get(i).copied().unwrap_or_else(default);
            profile.addr = sockets.addr();
            let shared = &network.shared;
            let tasks = &mut network.tasks;
            let node = node::start::<O>(config, profile, i as u64, sockets, shared, tasks);
            network.nodes.push(node);
        }
        Ok(network)
    }

    /// All nodes: peers, then servers.
    pub fn nodes(&self) -> &[NodeHandle] {
        &self.nodes
    }

    /// The peers.
    pub fn peers(&self) -> &[NodeHandle] {
        &self.nodes[..self.peers]
    }

    /// The servers.
    pub fn servers(&self) -> &[NodeHandle] {
        &self.nodes[self.peers..]
    }

    /// The network's books.
    pub const fn ledger(&self) -> &Ledger {
        &self.shared.ledger
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
            peers: self.peers,
            servers: self.nodes.len() - self.peers,
            seed: self.shared.seed,
            elapsed,
            operations: self.ledger().operations(),
            upkeep: self.ledger().upkeep(),
            by_kind: self.ledger().by_kind(),
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
