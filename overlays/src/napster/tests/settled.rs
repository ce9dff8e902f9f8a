//! A settled network is a joined one.

use std::collections::BTreeMap;

use super::*;
use crate::seam::{Census, Holding, Profile, Role};

/// Nodes and the messages between them, delivered in order and at once.
struct Network {
    nodes: BTreeMap<Addr, Bench>,
    outcomes: Vec<(u32, Outcome)>,
}

impl Network {
    fn new(config: &Config, servers: u32, peers: u32) -> Self {
        let servers = (0..servers).map(|i| Profile::server(Addr::from_index(1000 + i)));
        let profiles = servers.chain((0..peers).map(|i| Profile::peer(peer(i))));
        let nodes = profiles.map(|p| (p.addr, Bench::new(config, &p))).collect();
        Self { nodes, outcomes: Vec::new() }
    }

    /// Carries out effects until nothing is under way; timers never fire.
    fn run(&mut self, from: Addr, effects: Effects) {
        let mut queue: std::collections::VecDeque<_> =
            effects.into_iter().map(|e| (from, e)).collect();
        while let Some((from, effect)) = queue.pop_front() {
            match effect.action {
                Action::Send { to, message } => {
                    let effects = self.nodes.get_mut(&to).unwrap().receive(from, message);
                    queue.extend(effects.into_iter().map(|e| (to, e)));
                }
                Action::Finish { op, outcome } => self.outcomes.push((op.0, outcome)),
                Action::Close { peer } => {
                    let effects = self.nodes.get_mut(&peer).unwrap().lose(from);
                    queue.extend(effects.into_iter().map(|e| (peer, e)));
                }
                Action::Wake { .. }
                | Action::Upkeep { .. }
                | Action::Answer { .. }
                | Action::Note(_) => {}
            }
        }
    }

    fn at(&mut self, addr: Addr, f: impl FnOnce(&mut Bench) -> Effects) {
        let effects = f(self.nodes.get_mut(&addr).unwrap());
        self.run(addr, effects);
    }

    fn audit(&self) -> Vec<String> {
        let nodes: Vec<_> = self.nodes.iter().map(|(&a, bench)| (a, &bench.node)).collect();
        Napster::audit(&nodes)
    }

    fn outcome(&mut self, user: u32, query: &Query) -> Outcome {
        self.at(peer(user), |bench| bench.search(9, query));
        let (op, outcome) = self.outcomes.pop().expect("the search ends");
        assert_eq!(op, 9);
        outcome
    }
}

/// What peer `i` shares.
fn names(i: u32) -> Vec<String> {
    (0..i % 4).map(|n| format!("song {} by {}", (i + n) % 5, n)).collect()
}

fn joined(config: &Config, servers: u32, peers: u32) -> Network {
    let mut network = Network::new(config, servers, peers);
    let mut up = Vec::new();
    for i in 0..servers {
        let addr = Addr::from_index(1000 + i);
        network.at(addr, |bench| bench.join(1, &up));
        up.push(addr);
    }
    for i in (0..peers).rev() {
        for name in names(i) {
            network.at(peer(i), |bench| bench.insert(2, &name));
        }
        network.at(peer(i), |bench| bench.join(3, &up));
    }
    assert!(network.outcomes.iter().all(|(_, outcome)| *outcome == Outcome::Done));
    network
}

fn settled(config: &Config, servers: u32, peers: u32) -> Network {
    let mut network = Network::new(config, servers, peers);
    let members = (0..peers).map(|i| Profile::peer(peer(i))).collect();
    let servers = (0..servers).map(|i| Profile::server(Addr::from_index(1000 + i)));
    let servers = servers.filter(|p| p.role == Role::Server).map(|p| p.addr).collect();
    let holdings = (0..peers).flat_map(|i| {
        names(i).into_iter().map(move |n| Holding { item: item(&n), provider: peer(i) })
    });
    let census = Census::new(members, servers, holdings.collect());
    let mut rng = Stream::Protocol.rng(1);
    let blueprint = Napster::blueprint(config, census, &mut rng).expect("there is a server");
    let addrs: Vec<Addr> = network.nodes.keys().copied().collect();
    let settle = |addr: Addr| {
        let bench = network.nodes.get_mut(&addr).unwrap();
        (addr, bench.call(0, |node, cx| node.settle(cx, &blueprint)))
    };
    // Everybody is in place before the first message arrives.
    let effects: Vec<_> = addrs.into_iter().map(settle).collect();
    for (addr, effects) in effects {
        network.run(addr, effects);
    }
    network
}

#[test]
fn settled_equals_joined() {
    for servers in [1, 3] {
        let config = Config { servers, ..Config::default() };
        let mut joined = joined(&config, servers, 40);
        let mut settled = settled(&config, servers, 40);
        assert_eq!(joined.audit(), [""; 0]);
        assert_eq!(settled.audit(), [""; 0]);
        for (addr, bench) in &joined.nodes {
            let other = &settled.nodes[addr];
            assert_eq!(bench.node.footprint(), other.node.footprint(), "{addr}");
            let neighbours = |bench: &Bench| {
                let mut list = Vec::new();
                bench.node.neighbours(&mut |peer| list.push(peer));
                list
            };
            assert_eq!(neighbours(bench), neighbours(other), "{addr}");
        }
        for text in ["song", "song 3", "by 2", "4 by 1", "nothing"] {
            let query = Query::keywords(text);
            assert_eq!(joined.outcome(0, &query), settled.outcome(0, &query), "{text}");
        }
        let query = Query::exact(item("song 3 by 2").key());
        let outcome = joined.outcome(0, &query);
        assert!(matches!(&outcome, Outcome::Found(hits) if hits.len() == 1), "{outcome:?}");
        assert_eq!(outcome, settled.outcome(0, &query));
    }
}

#[test]
fn the_audit_sees_what_is_wrong() {
    let config = Config::default();
    let mut network = joined(&config, 1, 5);
    network.nodes.get_mut(&SERVER).unwrap().lose(peer(3));
    let broken = network.audit();
    assert_eq!(broken.len(), 2, "users and index: {broken:?}");

    let mut network = joined(&config, 1, 2);
    network.nodes.remove(&SERVER);
    assert_eq!(network.audit().len(), 2, "two clients believe in a server that is gone");
}

#[test]
fn without_a_server_there_is_no_converged_network() {
    let member = Profile::peer(peer(1));
    let census = Census::new(vec![member], vec![], vec![]);
    let mut rng = Stream::Protocol.rng(1);
    assert!(Napster::blueprint(&Config::default(), census, &mut rng).is_none());
}
