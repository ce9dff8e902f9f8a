//! A small network in the simulator, for the tests of the baselines.

use std::collections::BTreeMap;
use std::sync::Arc;

use harness::network::{Latency, LatencySpec, Network};
use harness::sim::{Driver, Operation, Request, Settings, Sim};
use overlays::{
    Addr, Item, Key, OpId, Outcome, Overlay, Parameters as _, Profile, Query, Span, Stream,
};

/// Keeps what the simulator tells.
#[derive(Default)]
pub struct Log {
    pub outcomes: BTreeMap<OpId, Outcome>,
    pub closed: BTreeMap<OpId, Operation>,
}

impl<O: Overlay> Driver<O> for Log {
    fn ended(&mut self, _sim: &mut Sim<O>, op: OpId, outcome: &Outcome) {
        assert!(self.outcomes.insert(op, outcome.clone()).is_none(), "{op:?} ended twice");
    }

    fn closed(&mut self, operation: Operation) {
        self.closed.insert(operation.id, operation);
    }
}

/// A network under test: servers first, then peers, each with two items.
pub struct Lab<O: Overlay> {
    pub sim: Sim<O>,
    pub log: Log,
    servers: u32,
    peers: u32,
}

/// One of the two items that only `node` shares. All of them have the word
/// `tune` in common.
pub fn item(node: u32, number: u32) -> Arc<Item> {
    Arc::new(Item::new(&format!("tune {number} by node{node}.ogg"), 1_000))
}

impl<O: Overlay> Lab<O> {
    /// Nodes that are up and have joined nothing.
    pub fn new(set: &[(&str, &str)], peers: u32, loss: f64) -> Self {
        let mut config = O::Config::default();
        for (name, value) in set {
            config.set(name, value).expect("a parameter and a value of it");
        }
        let seed = 11;
        let mut topology = Stream::Topology.rng(seed);
        let latency = Latency::build(&LatencySpec::King, &mut topology).expect("reads no file");
        let network = Network::new(latency, loss).expect("a possible loss");
        let settings = Settings { seed, ..Settings::default() };
        let servers = O::servers(&config);
        let mut sim = Sim::new(Arc::new(config), network, settings);
        for i in 0..servers {
            sim.add_node(Profile::server(Addr::from_index(i)));
        }
        for _ in 0..peers {
            sim.add_peer();
        }
        Self { sim, log: Log::default(), servers, peers }
    }

    /// A network brought up by messages: every peer notes its items, then
    /// joins.
    pub fn joined(set: &[(&str, &str)], peers: u32) -> Self {
        let mut lab = Self::new(set, peers, 0.0);
        for server in 0..lab.servers {
            let via = (0..server).map(Addr::from_index).collect();
            lab.done(server, Request::Join(via));
        }
        for peer in lab.peers() {
            lab.done(peer, Request::Insert(item(peer, 0)));
            lab.done(peer, Request::Insert(item(peer, 1)));
            lab.join(peer);
        }
        lab.rest();
        lab
    }

    /// The same network, converged from the start.
    pub fn settled(set: &[(&str, &str)], peers: u32) -> Self {
        let mut lab = Self::new(set, peers, 0.0);
        let shares: Vec<_> = lab.peers().flat_map(|p| [(p, item(p, 0)), (p, item(p, 1))]).collect();
        lab.sim.settle(&shares).expect("the overlay starts converged");
        lab.run_s(5);
        lab
    }

    /// The peers, up or not.
    pub fn peers(&self) -> std::ops::Range<u32> {
        self.servers..self.servers + self.peers
    }

    /// The peers that are up.
    pub fn live_peers(&self) -> Vec<u32> {
        self.peers().filter(|&p| self.sim.is_up(p)).collect()
    }

    /// Lets `peer` join through the servers, or through the first other peer.
    pub fn join(&mut self, peer: u32) -> Operation {
        let via = if self.servers > 0 {
            (0..self.servers).map(Addr::from_index).collect()
        } else {
            let first = self.live_peers().into_iter().find(|&p| p != peer);
            let first = first.filter(|_| peer != self.servers);
            first.into_iter().map(Addr::from_index).collect()
        };
        self.done(peer, Request::Join(via))
    }

    pub fn run_s(&mut self, s: u64) {
        let until = self.sim.now() + Span::from_s(s);
        self.sim.run_until(until, &mut self.log);
    }

    /// Waits until the audit is content, an hour at the most.
    pub fn rest(&mut self) {
        let limit = self.sim.now() + Span::from_s(3600);
        loop {
            let audit = O::audit(&self.sim.population());
            if audit.is_empty() {
                return;
            }
            assert!(self.sim.now() < limit, "no rest: {audit:#?}");
            self.run_s(10);
        }
    }

    /// Starts an operation and runs until its account is final.
    pub fn run(&mut self, node: u32, request: Request) -> (Outcome, Operation) {
        let op = self.sim.start(node, &request, 0);
        let until = self.sim.now() + Span::from_s(600);
        assert!(self.sim.run_operations(until, &mut self.log), "{request:?} does not end");
        (self.log.outcomes[&op].clone(), self.log.closed[&op].clone())
    }

    /// The same for one that must take effect.
    pub fn done(&mut self, node: u32, request: Request) -> Operation {
        let (outcome, operation) = self.run(node, request.clone());
        assert_eq!(outcome, Outcome::Done, "{request:?} at {node}");
        operation
    }

    /// Who provides the item with this key, as `node` is told.
    pub fn providers(&mut self, node: u32, key: Key) -> (Vec<u32>, Operation) {
        let query = Query { limit: 100, ..Query::exact(key) };
        let (outcome, operation) = self.run(node, Request::Search(query));
        let providers = match outcome {
            Outcome::Found(hits) => hits.iter().map(|hit| hit.provider.index()).collect(),
            Outcome::NotFound => Vec::new(),
            other => panic!("{other:?}"),
        };
        (providers, operation)
    }

    /// Demands that every live peer finds the items of every other live peer,
    /// and of nobody else.
    pub fn all_find_all(&mut self) {
        let live = self.live_peers();
        for (at, &asker) in live.iter().enumerate() {
            for other in [live[(at + 1) % live.len()], live[(at + live.len() / 2) % live.len()]] {
                assert_eq!(self.providers(asker, item(other, 1).key()).0, [other], "n{asker} asks");
            }
        }
        for gone in self.peers().filter(|p| !live.contains(p)) {
            assert_eq!(self.providers(live[0], item(gone, 0).key()).0, [0; 0], "n{gone} is gone");
        }
    }
}
