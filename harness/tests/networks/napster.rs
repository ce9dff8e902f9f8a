//! Small Napster networks in the simulator.

use std::collections::BTreeMap;
use std::sync::Arc;

use harness::network::{Latency, LatencySpec, Network};
use harness::sim::{Driver, Operation, Request, Settings, Sim};
use overlays::napster::{Config, Napster};
use overlays::{
    Addr, Hit, Item, OpId, Outcome, Overlay as _, Profile, Query, Reason, Role, Span, Stream, Time,
};

/// Keeps what the simulator tells.
#[derive(Default)]
struct Log {
    outcomes: BTreeMap<OpId, Outcome>,
    closed: BTreeMap<OpId, Operation>,
}

impl Driver<Napster> for Log {
    fn ended(&mut self, _sim: &mut Sim<Napster>, op: OpId, outcome: &Outcome) {
        assert!(self.outcomes.insert(op, outcome.clone()).is_none(), "{op:?} ended twice");
    }

    fn closed(&mut self, operation: Operation) {
        self.closed.insert(operation.id, operation);
    }
}

/// A network under test: servers first, then peers.
struct Lab {
    sim: Sim<Napster>,
    log: Log,
    servers: u32,
    peers: u32,
    latency: Latency,
}

impl Lab {
    /// Nodes that are up and have joined nothing.
    fn new(config: &Config, peers: u32, loss: f64) -> Self {
        let seed = 11;
        let mut topology = Stream::Topology.rng(seed);
        let latency = Latency::build(&LatencySpec::King, &mut topology).expect("reads no file");
        let network = Network::new(latency.clone(), loss).expect("a possible loss");
        let settings = Settings { seed, ..Settings::default() };
        let mut sim = Sim::new(Arc::new(config.clone()), network, settings);
        for i in 0..config.servers {
            sim.add_node(Profile::server(Addr::from_index(i)));
        }
        for _ in 0..peers {
            sim.add_peer();
        }
        Self { sim, log: Log::default(), servers: config.servers, peers, latency }
    }

    /// A network brought up by messages: every peer notes its files, then
    /// joins.
    fn joined(config: &Config, peers: u32) -> Self {
        let mut lab = Self::new(config, peers, 0.0);
        for server in 0..lab.servers {
            let via = (0..server).map(Addr::from_index).collect();
            lab.done(server, Request::Join(via));
        }
        for (peer, item) in shares(lab.servers, peers) {
            assert_eq!(lab.done(peer, Request::Insert(item)).messages, 0, "nobody to tell yet");
        }
        for peer in lab.peers() {
            lab.done(peer, Request::Join(lab.server_addrs()));
        }
        lab
    }

    /// The same network, converged from the start.
    fn settled(config: &Config, peers: u32) -> Self {
        let mut lab = Self::new(config, peers, 0.0);
        lab.sim.settle(&shares(lab.servers, peers)).expect("there is a server");
        lab.run_s(5);
        lab
    }

    fn peers(&self) -> std::ops::Range<u32> {
        self.servers..self.servers + self.peers
    }

    fn server_addrs(&self) -> Vec<Addr> {
        (0..self.servers).map(Addr::from_index).collect()
    }

    fn run_s(&mut self, s: u64) {
        let until = self.sim.now() + Span::from_s(s);
        self.sim.run_until(until, &mut self.log);
    }

    /// Starts an operation and runs until its account is final.
    fn run(&mut self, node: u32, request: Request) -> (Outcome, Operation) {
        let op = self.sim.start(node, &request, 0);
        let until = self.sim.now() + Span::from_s(600);
        assert!(self.sim.run_operations(until, &mut self.log), "{request:?} does not end");
        (self.log.outcomes[&op].clone(), self.log.closed[&op].clone())
    }

    fn done(&mut self, node: u32, request: Request) -> Operation {
        let (outcome, operation) = self.run(node, request.clone());
        assert_eq!(outcome, Outcome::Done, "{request:?} at {node}");
        operation
    }

    fn search(&mut self, node: u32, query: &Query) -> (Outcome, Operation) {
        self.run(node, Request::Search(query.clone()))
    }

    /// The hits of a search in any order, sorted.
    fn found(&mut self, node: u32, text: &str) -> Vec<(String, u32)> {
        match self.search(node, &Query::keywords(text)).0 {
            Outcome::Found(hits) => sorted(&hits),
            Outcome::NotFound => Vec::new(),
            other => panic!("{other:?}"),
        }
    }

    fn audit(&self) -> Vec<String> {
        Napster::audit(&self.sim.population())
    }
}

fn item(name: &str) -> Arc<Item> {
    Arc::new(Item::new(name, 1_000_000))
}

/// Every third peer shares nothing, the others up to four of twelve files.
fn shares(first: u32, peers: u32) -> Vec<(u32, Arc<Item>)> {
    let files = |i: u32| match i % 3 {
        0 => 0,
        _ => 1 + i % 4,
    };
    let shares = (0..peers).flat_map(|i| {
        (0..files(i)).map(move |n| {
            let number = (5 * i + n) % 12;
            (first + i, item(&format!("Song {number:02} live at {}.ogg", number % 4)))
        })
    });
    shares.collect()
}

/// What a search by words from `asker` must find.
fn expected(shares: &[(u32, Arc<Item>)], asker: u32, text: &str) -> Vec<(String, u32)> {
    let query = Query::keywords(text);
    let hits = shares.iter().filter(|(peer, item)| *peer != asker && query.matches(item));
    let mut list: Vec<_> = hits.map(|(peer, item)| (item.name().to_owned(), *peer)).collect();
    list.sort_unstable();
    list
}

fn sorted(hits: &[Hit]) -> Vec<(String, u32)> {
    let mut list: Vec<_> =
        hits.iter().map(|h| (h.item.name().to_owned(), h.provider.index())).collect();
    list.sort_unstable();
    list
}

#[test]
fn the_server_knows_everything() {
    let mut lab = Lab::joined(&Config::default(), 30);
    assert_eq!(lab.audit(), [""; 0]);
    let shares = shares(1, 30);
    for asker in lab.peers() {
        for text in ["song", "live 3", "song 07", "at 2 ogg", "nothing"] {
            assert_eq!(lab.found(asker, text), expected(&shares, asker, text), "{text}");
        }
        for (peer, item) in shares.iter().step_by(7) {
            let (outcome, _) = lab.search(asker, &Query::exact(item.key()));
            let others = shares.iter().any(|(p, i)| i == item && *p != asker);
            match outcome {
                Outcome::Found(hits) => {
                    assert_eq!(hits.len(), 1);
                    let hit = (hits[0].provider.index(), Arc::clone(item));
                    assert!(hit.0 != asker && shares.contains(&hit), "{hits:?}");
                }
                Outcome::NotFound => assert!(!others && *peer == asker),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(lab.sim.surplus_ends(), 0);
}

/// The cost model of the reference: one request, h results, one end; one
/// message for each file published.
#[test]
fn costs_are_those_of_the_reference() {
    for ping_best in [0, 5] {
        let config = Config { ping_best, ..Config::default() };
        let mut lab = Lab::joined(&config, 30);
        let shares = shares(1, 30);
        for text in ["song", "live 3", "song 07", "nothing"] {
            let (outcome, account) = lab.search(1, &Query::keywords(text));
            let hits = match outcome {
                Outcome::Found(hits) => hits.len() as u32,
                _ => 0,
            };
            let expected = expected(&shares, 1, text);
            assert_eq!(hits as usize, expected.len());
            let mut providers: Vec<u32> = expected.iter().map(|(_, peer)| *peer).collect();
            providers.sort_unstable();
            providers.dedup();
            let pinged = (providers.len() as u32).min(ping_best.into());
            let pings = if pinged < 2 { 0 } else { 2 * pinged };
            assert_eq!(account.messages, 1 + hits + 1 + pings, "{text}");
            assert_eq!(account.hops, 1, "the answer comes from the server");
        }
        let insert = lab.done(1, Request::Insert(item("new song")));
        assert_eq!((insert.messages, insert.bytes), (1, 4 + 1 + 8 + 8 + 16));
        assert_eq!(lab.done(1, Request::Delete(item("new song").key())).messages, 1);
    }
}

#[test]
fn a_join_costs_a_login_and_the_share_list() {
    let mut lab = Lab::joined(&Config::default(), 3);
    let peer = lab.sim.add_peer();
    for n in 0..7 {
        lab.done(peer, Request::Insert(item(&format!("late {n}"))));
    }
    let join = lab.done(peer, Request::Join(vec![Addr::from_index(0)]));
    assert_eq!((join.messages, join.hops), (2 + 7, 1));
    let server = lab.sim.machine(0).footprint();
    assert_eq!(server.routing_entries, 4);
    assert_eq!(server.index_entries as usize, shares(1, 3).len() + 7);
    let client = lab.sim.machine(peer).footprint();
    assert_eq!((client.routing_entries, client.index_entries), (1, 0));

    let leave = lab.done(peer, Request::Leave);
    assert_eq!(leave.messages, 0, "closing the link says it");
    lab.run_s(5);
    assert!(!lab.sim.is_up(peer));
    assert_eq!(lab.sim.machine(0).footprint().index_entries as usize, shares(1, 3).len());
    assert_eq!(lab.audit(), [""; 0]);
}

#[test]
fn the_nearest_provider_comes_first() {
    let config = Config { ping_best: 100, ..Config::default() };
    let mut lab = Lab::joined(&config, 30);
    for asker in lab.peers() {
        let (outcome, _) = lab.search(asker, &Query::keywords("song"));
        let Outcome::Found(hits) = outcome else { panic!("{outcome:?}") };
        let delays: Vec<Span> =
            hits.iter().map(|h| lab.latency.one_way(asker, h.provider.index())).collect();
        assert!(hits.len() > 20 && delays.is_sorted(), "{delays:?}");
    }
}

#[test]
fn lost_pings_cost_time_and_no_hits() {
    let mut lab = Lab::new(&Config::default(), 12, 0.3);
    lab.sim.settle(&shares(1, 12)).unwrap();
    let mut late = 0;
    for asker in lab.peers() {
        let (outcome, account) = lab.search(asker, &Query::keywords("song"));
        let Outcome::Found(hits) = outcome else { panic!("{outcome:?}") };
        assert_eq!(sorted(&hits), expected(&shares(1, 12), asker, "song"));
        let took = account.ended.unwrap().since(account.started);
        late += u32::from(took > Span::from_s(1));
    }
    assert!(late > 0, "with half of the echoes lost, some wait out the ping timeout");
}

#[test]
fn a_dead_peer_leaves_the_index_within_a_delay() {
    for mut lab in [Lab::joined(&Config::default(), 20), Lab::settled(&Config::default(), 20)] {
        let mut left = shares(1, 20);
        for peer in [2, 5, 9] {
            lab.sim.crash(peer);
            left.retain(|(provider, _)| *provider != peer);
        }
        lab.run_s(2);
        assert_eq!(lab.found(1, "song"), expected(&left, 1, "song"));
        assert_eq!(lab.audit(), [""; 0]);

        lab.sim.restart(5);
        lab.done(5, Request::Join(vec![Addr::from_index(0)]));
        assert_eq!(lab.found(5, "song"), expected(&left, 5, "song"), "it came back empty");
        assert_eq!(lab.audit(), [""; 0]);
    }
}

#[test]
fn when_the_server_dies_all_fails_until_it_is_back() {
    for mut lab in [Lab::joined(&Config::default(), 20), Lab::settled(&Config::default(), 20)] {
        lab.sim.crash(0);
        let (outcome, _) = lab.search(1, &Query::keywords("song"));
        assert_eq!(outcome, Outcome::Failed(Reason::NotJoined), "the link broke under it");
        lab.run_s(60);
        for peer in lab.peers() {
            let (outcome, account) = lab.search(peer, &Query::keywords("song"));
            assert_eq!(outcome, Outcome::Failed(Reason::NotJoined));
            assert_eq!(account.messages, 0);
        }
        let newcomer = lab.sim.add_peer();
        let (outcome, _) = lab.run(newcomer, Request::Join(vec![Addr::from_index(0)]));
        assert_eq!(outcome, Outcome::Failed(Reason::NoContact));
        lab.sim.crash(newcomer);

        lab.sim.restart(0);
        lab.done(0, Request::Join(vec![]));
        // By now the waits have grown to minutes at most.
        lab.run_s(600);
        assert_eq!(lab.audit(), [""; 0]);
        assert_eq!(lab.sim.machine(0).footprint().routing_entries, 20, "all came back");
        assert_eq!(lab.found(1, "song"), expected(&shares(1, 20), 1, "song"));
    }
}

#[test]
fn a_server_that_leaves_says_so() {
    let mut lab = Lab::joined(&Config::default(), 5);
    lab.done(0, Request::Leave);
    lab.run_s(2);
    let (outcome, _) = lab.search(1, &Query::keywords("song"));
    assert_eq!(outcome, Outcome::Failed(Reason::NotJoined));
    assert!(!lab.sim.is_up(0));
}

#[test]
fn after_a_partition_the_users_come_back() {
    let mut lab = Lab::joined(&Config::default(), 20);
    let groups: Vec<u32> = (0..21).map(|node| u32::from(node > 10)).collect();
    lab.sim.partition(&groups);
    lab.run_s(60);
    let (outcome, _) = lab.search(15, &Query::keywords("song"));
    assert_eq!(outcome, Outcome::Failed(Reason::NotJoined), "cut off from the server");
    let mut reachable = shares(1, 20);
    reachable.retain(|(peer, _)| *peer <= 10);
    assert_eq!(lab.found(1, "song"), expected(&reachable, 1, "song"));
    lab.sim.heal();
    lab.run_s(600);
    assert_eq!(lab.found(1, "song"), expected(&shares(1, 20), 1, "song"));
    assert_eq!(lab.audit(), [""; 0]);
}

#[test]
fn settled_equals_joined() {
    for (servers, peers) in [(1, 40), (3, 40), (1, 64), (3, 256), (1, 1024), (3, 1024)] {
        let config = Config { servers, ..Config::default() };
        let mut joined = Lab::joined(&config, peers);
        let mut settled = Lab::settled(&config, peers);
        assert_eq!((joined.audit(), settled.audit()), (vec![], vec![]));
        for node in 0..servers + peers {
            let neighbours = |lab: &Lab| {
                let mut list = Vec::new();
                lab.sim.machine(node).neighbours(&mut |peer| list.push(peer));
                list
            };
            let (a, b) = (joined.sim.machine(node), settled.sim.machine(node));
            assert_eq!(a.footprint(), b.footprint(), "node {node}");
            assert_eq!(neighbours(&joined), neighbours(&settled), "node {node}");
        }
        // Up to 64 of them ask, from all over the network.
        for peer in joined.peers().step_by(peers.div_ceil(64) as usize) {
            for text in ["song", "live 3", "nothing"] {
                let query = Query { limit: 10, ..Query::keywords(text) };
                let (a, b) = (joined.search(peer, &query), settled.search(peer, &query));
                assert_eq!(a.0, b.0, "{text} at {peer}");
                assert_eq!((a.1.messages, a.1.hops), (b.1.messages, b.1.hops));
            }
        }
    }
}

#[test]
fn linked_servers_answer_as_one() {
    let config = Config { servers: 3, ..Config::default() };
    let mut lab = Lab::joined(&config, 40);
    assert_eq!(lab.audit(), [""; 0]);
    let all = shares(3, 40);
    let users: Vec<u64> =
        (0..3).map(|s| lab.sim.machine(s).footprint().routing_entries - 2).collect();
    assert!(users.iter().all(|&n| n > 5) && users.iter().sum::<u64>() == 40, "{users:?}");
    for asker in lab.peers() {
        assert_eq!(lab.found(asker, "song"), expected(&all, asker, "song"));
    }
    // Cost: the request, two forwarded, two remote ends, the end; each remote
    // result travels twice; ten for the pings.
    let (_, account) = lab.search(3, &Query::keywords("song"));
    let hits = expected(&all, 3, "song").len() as u32;
    let fixed = 1 + 2 + 2 + 1 + 10;
    assert!((fixed + hits..=fixed + 2 * hits).contains(&account.messages), "{account:?}");

    let alone = Config { servers: 3, forward: false, ..Config::default() };
    let mut lab = Lab::joined(&alone, 40);
    assert!(lab.found(3, "song").len() < hits as usize, "LOCAL sees one server's users");
}

#[test]
fn users_of_a_dead_server_move_to_another() {
    let config = Config { servers: 3, ..Config::default() };
    let mut lab = Lab::joined(&config, 40);
    lab.sim.crash(1);
    lab.run_s(30);
    assert_eq!(lab.audit(), [""; 0]);
    let all = shares(3, 40);
    assert_eq!(lab.found(3, "song"), expected(&all, 3, "song"));
    lab.sim.restart(1);
    lab.done(1, Request::Join(vec![Addr::from_index(0)]));
    lab.run_s(60);
    let newcomers: Vec<u32> = (0..10).map(|_| lab.sim.add_peer()).collect();
    for &peer in &newcomers {
        lab.done(peer, Request::Insert(item(&format!("fresh {peer}"))));
        lab.done(peer, Request::Join(lab.server_addrs()));
    }
    let fresh = lab.found(3, "fresh");
    assert_eq!(fresh.len(), 10, "on whatever server they are");
    let back = lab.sim.machine(1).footprint();
    assert!(back.routing_entries > 2, "the returned server serves again: {back:?}");
}

#[test]
fn one_seed_gives_one_trace() {
    let hash = || {
        let mut lab = Lab::joined(&Config::default(), 10);
        lab.sim.crash(0);
        lab.run_s(100);
        lab.sim.restart(0);
        lab.done(0, Request::Join(vec![]));
        lab.run_s(600);
        lab.found(1, "song");
        lab.sim.trace_hash().to_hex()
    };
    assert_eq!(hash(), hash());
}

#[test]
fn an_idle_network_is_silent() {
    let mut lab = Lab::settled(&Config::default(), 50);
    let before = lab.sim.traffic().clone();
    assert_eq!(before.upkeep, 50, "each client opened its stream");
    lab.run_s(3_600);
    assert_eq!(lab.sim.traffic().since(&before).sent, 0);
    assert_eq!(lab.sim.profile(0).role, Role::Server);
    assert!(lab.sim.now() > Time::from_us(3_600_000_000));
}
