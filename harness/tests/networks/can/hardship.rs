//! Networks in the simulator that are treated badly.

use std::sync::Arc;

use harness::network::{Latency, LatencySpec, Network};
use harness::sim::{Request, Settings, Sim};
use overlays::can::{Can, Config};
use overlays::{Addr, Item, Key, OpId, Outcome, Overlay as _, Profile, Query, Rng, Span, Stream};
use rand::RngExt;

use crate::lab::Log;

struct Lab {
    sim: Sim<Can>,
    log: Log,
    rng: Rng,
}

impl Lab {
    /// `n` settled nodes, each with an item of its own.
    fn settled(config: Config, n: u32, seed: u64, loss: f64) -> Self {
        let mut topology = Stream::Topology.rng(seed);
        let latency = Latency::build(&LatencySpec::King, &mut topology).expect("reads no file");
        let network = Network::new(latency, loss).expect("a possible loss");
        let settings = Settings { seed, ..Settings::default() };
        let mut sim = Sim::new(Arc::new(config), network, settings);
        for index in 0..n {
            sim.add_node(Profile::peer(Addr::from_index(index)));
        }
        let shares: Vec<(u32, Arc<Item>)> = (0..n).map(|i| (i, item(i))).collect();
        assert!(sim.settle(&shares).is_some());
        Self { sim, log: Log::default(), rng: Stream::Workload.rng(seed) }
    }

    fn run(&mut self, span: Span) {
        let until = self.sim.now() + span;
        self.sim.run_until(until, &mut self.log);
    }

    fn ask(&mut self, node: u32, request: &Request) -> OpId {
        self.sim.start(node, request, 0)
    }

    /// Lets time pass until the network is in order; panics after an hour.
    fn rest(&mut self) {
        for _ in 0..120 {
            self.run(Span::from_s(30));
            if Can::audit(&self.sim.population()).is_empty() {
                return;
            }
        }
        let complaints = Can::audit(&self.sim.population());
        assert_eq!(complaints, Vec::<String>::new());
    }

    fn live(&self) -> Vec<u32> {
        self.sim.live().collect()
    }

    /// Has `count` random live nodes locate random keys; the share that ended
    /// at a live node that held the key just then. Later it may not any more:
    /// zones are reassigned also in a network at rest.
    fn located(&mut self, count: u32) -> f64 {
        let live = self.live();
        let (mut open, mut right) = (Vec::new(), 0);
        for turn in 0..count {
            let key = Key::hash(&turn.to_be_bytes());
            let node = live[self.rng.random_range(0..live.len())];
            open.push((self.ask(node, &Request::Locate(key)), key));
            self.run(Span::from_ms(20));
            right += self.take_right(&mut open);
        }
        let end = self.sim.now() + Span::from_s(300);
        while self.sim.now() < end && !open.is_empty() {
            self.run(Span::from_ms(20));
            right += self.take_right(&mut open);
        }
        f64::from(right) / f64::from(count)
    }

    /// Takes the lookups that have ended out of a list, and counts those that
    /// ended at a node which holds the key now.
    fn take_right(&self, open: &mut Vec<(OpId, Key)>) -> u32 {
        let mut right = 0;
        open.retain(|(op, key)| {
            let outcome = self.log.outcomes.get(op);
            if let Some(Outcome::Located(owner)) = outcome {
                let point = overlays::can::Point::of_key(*key, 0);
                let mut zones = self.sim.machine(owner.index()).zones(0);
                right += u32::from(zones.any(|zone| zone.contains(point)));
            }
            outcome.is_none()
        });
        right
    }
}

fn item(peer: u32) -> Arc<Item> {
    Arc::new(Item::new(&format!("item of {peer}"), 1))
}

#[test]
fn three_deaths_in_ten_are_repaired() {
    let mut lab = Lab::settled(Config::default(), 400, 1, 0.0);
    let mut victims = lab.live();
    for at in (1..victims.len()).rev() {
        let other = lab.rng.random_range(0..=at);
        victims.swap(at, other);
    }
    for victim in victims.iter().take(120) {
        lab.sim.crash(*victim);
    }
    lab.rest();
    assert_eq!(lab.located(200), 1.0);
    // Reassignment brings every node back to one zone.
    lab.run(Span::from_s(1800));
    let several = lab.sim.live().filter(|n| lab.sim.machine(*n).zones(0).count() > 1).count();
    assert!(several <= 4, "{several} nodes hold several zones");
}

#[test]
fn lookups_arrive_under_loss() {
    let mut lab = Lab::settled(Config::default(), 300, 2, 0.05);
    assert!(lab.located(200) >= 0.99);
    lab.run(Span::from_s(600));
    assert!(lab.located(200) >= 0.99);
}

#[test]
fn a_partition_heals() {
    let mut lab = Lab::settled(Config::default(), 60, 3, 0.0);
    let groups: Vec<u32> = (0..60).map(|node| u32::from(node % 3 == 0)).collect();
    lab.sim.partition(&groups);
    lab.run(Span::from_s(900));
    lab.sim.heal();
    lab.rest();
    assert_eq!(lab.located(100), 1.0);
}

#[test]
fn everyone_leaves_but_one() {
    let mut lab = Lab::settled(Config::default(), 40, 4, 0.0);
    for leaver in 0..39 {
        let op = lab.ask(leaver, &Request::Leave);
        lab.run(Span::from_s(3));
        if !lab.log.outcomes.contains_key(&op) {
            lab.run(Span::from_s(300));
        }
        assert_eq!(lab.log.outcomes.get(&op), Some(&Outcome::Done), "n{leaver} leaves");
    }
    lab.rest();
    let op = lab.ask(39, &Request::Search(Query::exact(item(39).key())));
    lab.run(Span::from_s(1));
    assert!(matches!(lab.log.outcomes.get(&op), Some(Outcome::Found(_))));
}

/// Peers that stay for half an hour, with updates each ten minutes: parts of the
/// space are without owner for long. Nobody hoards zones meanwhile, which would
/// draw all messages to itself and spread every ring over the whole network.
#[test]
fn nobody_hoards_zones_where_updates_are_rare() {
    const PEERS: u32 = 200;
    let config = Config { update: Span::from_s(600), ..Config::default() };
    let mut lab = Lab::settled(config, PEERS, 1, 0.0);
    for _ in 0..1200 {
        // Three hours, in which each peer goes or comes six times on average.
        lab.run(Span::from_s(9));
        let peer = lab.rng.random_range(0..PEERS);
        if lab.sim.is_up(peer) {
            lab.sim.crash(peer);
        } else {
            let live = lab.live();
            let mut member = || Addr::from_index(live[lab.rng.random_range(0..live.len())]);
            let via = vec![member(), member(), member()];
            lab.sim.restart(peer);
            lab.ask(peer, &Request::Join(via));
        }
        if lab.rng.random_range(0..3) == 0 {
            let live = lab.live();
            let asker = live[lab.rng.random_range(0..live.len())];
            let key = item(lab.rng.random_range(0..PEERS)).key();
            lab.ask(asker, &Request::Search(Query::exact(key)));
        }
    }
    let neighbours = |peer: u32| lab.sim.machine(peer).neighbours_in(0).count();
    let most = lab.live().into_iter().map(neighbours).max();
    println!("at most {most:?} neighbours");
    assert!(most <= Some(24), "{most:?} neighbours");
}

/// A join is told to the neighbours of the split zone, whatever the size of the
/// network: beside the way to the zone its messages do not grow.
#[test]
fn the_cost_of_a_join_does_not_grow_with_the_network() {
    let mut costs = Vec::new();
    for n in [100, 1600] {
        let mut lab = Lab::settled(Config::default(), n, 5, 0.0);
        let mut joins = Vec::new();
        for turn in 0..20 {
            let newcomer = lab.sim.add_node(Profile::peer(Addr::from_index(n + turn)));
            let via = vec![Addr::from_index(lab.rng.random_range(0..n))];
            joins.push(lab.ask(newcomer, &Request::Join(via)));
            lab.run(Span::from_s(30));
        }
        lab.run(Span::from_s(300));
        let told = lab.log.closed.iter().filter(|o| joins.contains(&o.id));
        let beside_the_way =
            told.map(|o| i64::from(o.messages) - 2 * i64::from(o.hops)).sum::<i64>() as f64 / 20.0;
        costs.push(beside_the_way);
    }
    println!("messages of a join beside the way: {costs:?}");
    assert!((costs[1] - costs[0]).abs() < 8.0, "{costs:?}");
}
