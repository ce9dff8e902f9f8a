//! A network of peers whose identifiers follow from the seed, for the tests of
//! several overlays.

use std::collections::BTreeMap;
use std::sync::Arc;

use harness::network::{Latency, LatencySpec, Network};
use harness::sim::{Driver, NoDriver, Operation, Request, Settings, Sim};
use overlays::{Addr, Item, Key, OpId, Outcome, Overlay, Profile, Rng, Span, Stream};
use rand::RngExt as _;

/// Keeps what the simulator tells.
#[derive(Default)]
pub struct Log {
    pub outcomes: BTreeMap<OpId, Outcome>,
    pub closed: Vec<Operation>,
}

impl<O: Overlay> Driver<O> for Log {
    fn ended(&mut self, _sim: &mut Sim<O>, op: OpId, outcome: &Outcome) {
        assert!(self.outcomes.insert(op, outcome.clone()).is_none(), "{op:?} ended twice");
    }

    fn closed(&mut self, operation: Operation) {
        self.closed.push(operation);
    }
}

pub struct Lab<O: Overlay> {
    pub sim: Sim<O>,
    pub log: Log,
    pub latency: Latency,
    /// The test's own dice.
    pub rng: Rng,
    pub seed: u64,
}

impl<O: Overlay> Lab<O> {
    /// `nodes` that are up and have joined nothing.
    pub fn new(config: O::Config, nodes: u32, settings: Settings) -> Self {
        let mut topology = Stream::Topology.rng(settings.seed);
        let latency = Latency::build(&LatencySpec::King, &mut topology).expect("reads no file");
        Self::on(latency, config, nodes, settings)
    }

    /// The same on another network.
    pub fn on(latency: Latency, config: O::Config, nodes: u32, settings: Settings) -> Self {
        let seed = settings.seed;
        let network = Network::new(latency.clone(), 0.0).expect("a possible loss");
        let sim = Sim::new(Arc::new(config), network, settings);
        let mut lab =
            Self { sim, log: Log::default(), latency, rng: Stream::Churn.rng(seed), seed };
        for _ in 0..nodes {
            lab.add();
        }
        lab
    }

    /// One more node, with an identifier that depends on the seed.
    pub fn add(&mut self) -> u32 {
        let index = self.sim.len() as u32;
        let mut text = self.seed.to_be_bytes().to_vec();
        text.extend(index.to_be_bytes());
        let addr = Addr::from_index(index);
        self.sim.add_node(Profile::peer(addr).with_id(Key::hash(&text)))
    }

    pub fn settled(
        config: O::Config,
        nodes: u32,
        settings: Settings,
        shares: &[(u32, Arc<Item>)],
    ) -> Self {
        let mut lab = Self::new(config, nodes, settings);
        assert!(lab.sim.settle(shares).is_some());
        lab
    }

    /// Brings the network up by joins, one every 100 ms, each through a random
    /// member; several are on their way in at any time.
    pub fn join_all(mut self, has_joined: fn(&O) -> bool) -> Self {
        let lab = &mut self;
        let nodes = lab.sim.len() as u32;
        lab.sim.start(0, &Request::Join(Vec::new()), 0);
        for node in 1..nodes {
            let members: Vec<u32> =
                lab.sim.live().filter(|n| has_joined(lab.sim.machine(*n))).collect();
            let via = Addr::from_index(members[lab.rng.random_range(0..members.len())]);
            lab.sim.start(node, &Request::Join(vec![via]), 0);
            lab.run_ms(100);
        }
        self
    }

    pub fn run(&mut self, span: Span) {
        let until = self.sim.now() + span;
        self.sim.run_until(until, &mut self.log);
    }

    pub fn run_ms(&mut self, ms: u64) {
        self.run(Span::from_ms(ms));
    }

    pub fn run_s(&mut self, s: u64) {
        self.run_ms(1000 * s);
    }

    /// Runs until all operations are over.
    pub fn finish(&mut self) {
        let until = self.sim.now() + Span::from_s(3600);
        assert!(self.sim.run_operations(until, &mut self.log), "operations do not end");
    }

    pub fn set_loss(&mut self, loss: f64) {
        let network = Network::new(self.latency.clone(), loss).expect("a possible loss");
        *self.sim.network_mut() = network;
    }

    pub fn random_live(&mut self) -> u32 {
        let live: Vec<u32> = self.sim.live().collect();
        live[self.rng.random_range(0..live.len())]
    }

    pub fn random_key(&mut self) -> Key {
        let mut bytes = [0; 20];
        self.rng.fill(&mut bytes);
        Key::from_bytes(bytes)
    }

    /// Stops this fraction of all nodes at once.
    pub fn crash_fraction(&mut self, fraction: f64) {
        let mut live: Vec<u32> = self.sim.live().collect();
        for _ in 0..(live.len() as f64 * fraction).round() as usize {
            let at = self.rng.random_range(0..live.len());
            self.sim.crash(live.swap_remove(at));
        }
    }

    pub fn audit(&self) -> Vec<String> {
        O::audit(&self.sim.population())
    }

    pub fn assert_clean(&self, what: &str) {
        assert_eq!(self.audit(), Vec::<String>::new(), "{what}, seed {}", self.seed);
    }
}

pub fn items(n: u32) -> Vec<Arc<Item>> {
    (0..n).map(|i| Arc::new(Item::new(&format!("item {i}"), 1))).collect()
}

pub fn seeded(seed: u64) -> Settings {
    Settings { seed, ..Settings::default() }
}

/// The same seed leaves the same trace and another seed another; and what goes
/// on in a network whose users do nothing is upkeep.
pub fn assert_repeats<O: Overlay>(joined: impl Fn(u64) -> Sim<O>) {
    let hash = |seed| {
        let mut sim = joined(seed);
        let before = sim.traffic().clone();
        let until = sim.now() + Span::from_s(300);
        sim.run_until(until, &mut NoDriver);
        let idle = sim.traffic().since(&before);
        assert!(idle.sent > 0 && idle.sent == idle.upkeep);
        sim.trace_hash()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}
