//! A network under test.

use std::collections::BTreeMap;
use std::sync::Arc;

use harness::network::{Latency, LatencySpec, Network};
use harness::sim::{Driver, Operation, Request, Settings, Sim};
use overlays::fasttrack::{Config, FastTrack};
use overlays::{Addr, Hit, Item, OpId, Outcome, Overlay as _, Profile, Query, Span, Stream};

/// Keeps what the simulator tells.
#[derive(Default)]
pub struct Log {
    outcomes: BTreeMap<OpId, Outcome>,
    closed: BTreeMap<OpId, Operation>,
}

impl Driver<FastTrack> for Log {
    fn ended(&mut self, _sim: &mut Sim<FastTrack>, op: OpId, outcome: &Outcome) {
        assert!(self.outcomes.insert(op, outcome.clone()).is_none(), "{op:?} ended twice");
    }

    fn closed(&mut self, operation: Operation) {
        self.closed.insert(operation.id, operation);
    }
}

/// A network under test: the list server is node 0, the peers follow.
pub struct Lab {
    pub sim: Sim<FastTrack>,
    pub log: Log,
    pub latency: Latency,
    peers: u32,
}

impl Lab {
    /// Nodes that are up and have joined nothing. Of every five peers, one has
    /// a fast line, and one is firewalled.
    pub fn new(config: &Config, peers: u32, loss: f64, seed: u64) -> Self {
        let mut topology = Stream::Topology.rng(seed);
        let latency = Latency::build(&LatencySpec::King, &mut topology).expect("reads no file");
        let network = Network::new(latency.clone(), loss).expect("a possible loss");
        let settings = Settings { seed, ..Settings::default() };
        let mut sim = Sim::new(Arc::new(config.clone()), network, settings);
        sim.add_node(Profile::server(Addr::from_index(0)));
        let mut lab = Self { sim, log: Log::default(), latency, peers };
        for _ in 0..peers {
            lab.add_peer();
        }
        lab
    }

    /// One more peer, which has not joined.
    pub fn add_peer(&mut self) -> u32 {
        let index = self.sim.len() as u32;
        let upload_bps = if index % 5 == 1 { 5_000_000 } else { 300_000 };
        let profile = Profile::peer(Addr::from_index(index));
        self.sim.add_node(Profile { upload_bps, firewalled: index % 5 == 4, ..profile })
    }

    /// A network brought up by messages, at rest.
    pub fn joined(config: &Config, peers: u32, seed: u64) -> Self {
        let mut lab = Self::new(config, peers, 0.0, seed);
        lab.ask(0, &Request::Join(Vec::new()));
        for (peer, item) in shares(peers) {
            lab.ask(peer, &Request::Insert(item));
        }
        for peer in lab.peers() {
            lab.ask(peer, &Request::Join(vec![Addr::from_index(0)]));
            // Slowly enough that those whom a split sends away, which takes them
            // a second or two, have arrived before the next split is due.
            lab.run(if peer == 1 { Span::from_s(10) } else { Span::from_s(1) });
        }
        lab.rest();
        lab
    }

    /// The same network, converged from the start.
    pub fn settled(config: &Config, peers: u32, seed: u64) -> Self {
        let mut lab = Self::new(config, peers, 0.0, seed);
        lab.sim.settle(&shares(peers)).expect("there is a list server");
        lab.run(Span::from_s(5));
        lab
    }

    pub fn peers(&self) -> std::ops::RangeInclusive<u32> {
        1..=self.peers
    }

    pub fn run(&mut self, span: Span) {
        let until = self.sim.now() + span;
        self.sim.run_until(until, &mut self.log);
    }

    /// Runs until the audit is content.
    pub fn rest(&mut self) {
        for _ in 0..240 {
            self.run(Span::from_s(30));
            if self.audit().is_empty() {
                return;
            }
        }
        panic!("not at rest after two hours: {:?}", self.audit());
    }

    pub fn audit(&self) -> Vec<String> {
        FastTrack::audit(&self.sim.population())
    }

    /// Starts an operation.
    pub fn ask(&mut self, node: u32, request: &Request) -> OpId {
        self.sim.start(node, request, 0)
    }

    /// Starts an operation and runs until its account is final.
    pub fn outcome(&mut self, node: u32, request: &Request) -> (Outcome, Operation) {
        let op = self.ask(node, request);
        let until = self.sim.now() + Span::from_s(600);
        assert!(self.sim.run_operations(until, &mut self.log), "{request:?} does not end");
        (self.log.outcomes[&op].clone(), self.log.closed[&op].clone())
    }

    /// Searches by words; the hits and what it cost.
    pub fn search(&mut self, node: u32, words: &str) -> (Vec<Hit>, Operation) {
        match self.outcome(node, &Request::Search(Query::keywords(words))) {
            (Outcome::Found(hits), account) => (hits, account),
            (_, account) => (Vec::new(), account),
        }
    }

    /// The fraction of live peers' own files that another live peer finds, all
    /// asked for at the same moment.
    pub fn recall(&mut self) -> f64 {
        let live: Vec<u32> = self.sim.live().filter(|&node| node > 0).collect();
        let mut asked = Vec::new();
        for (turn, &provider) in live.iter().enumerate() {
            let asker = live[(turn + live.len() / 2) % live.len()];
            let query = Query::exact(own_item(provider).key());
            asked.push(self.ask(asker, &Request::Search(query)));
        }
        let until = self.sim.now() + Span::from_s(600);
        assert!(self.sim.run_operations(until, &mut self.log), "a search does not end");
        let found = asked.iter().filter(|op| matches!(self.log.outcomes[op], Outcome::Found(_)));
        found.count() as f64 / live.len() as f64
    }

    /// The live supernodes.
    pub fn supernodes(&self) -> Vec<u32> {
        self.sim.live().filter(|&node| self.sim.machine(node).is_supernode()).collect()
    }

    /// How many ordinary nodes each supernode has.
    pub fn families(&self) -> Vec<usize> {
        self.supernodes().into_iter().map(|node| self.sim.machine(node).children()).collect()
    }
}

/// The file that only `peer` shares.
pub fn own_item(peer: u32) -> Arc<Item> {
    Arc::new(Item::new(&format!("own file of peer{peer}.ogg"), 4_000_000))
}

/// Every peer shares a file of its own and one of twenty that many have.
pub fn shares(peers: u32) -> Vec<(u32, Arc<Item>)> {
    let common = |peer| Item::new(&format!("hit parade number{}.mp3", peer % 20), 3_000_000);
    (1..=peers).flat_map(|peer| [(peer, own_item(peer)), (peer, Arc::new(common(peer)))]).collect()
}

/// The mean of some numbers.
pub fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}
