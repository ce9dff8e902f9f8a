//! One script, two hosts: eight nodes over sockets and eight simulated ones
//! come to the same outcomes at the same cost.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::experiment::{Plan, Watch};
use harness::net::{LiveNetwork, LiveOptions, Script, Step};
use harness::network::{Latency, LatencySpec, Network};
use harness::oracle::Grade;
use harness::registry;
use harness::sim::{Driver, Operation, Request, Settings, Sim, Verb};
use harness::workload::Catalog;
use overlays::chord::Chord;
use overlays::gnutella::Gnutella;
use overlays::napster::Napster;
use overlays::{
    Addr, Hit, Item, Key, OpId, Outcome, Overlay, Parameters, Profile, Query, Span, Stream,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const PEERS: u32 = 8;
const SEED: u64 = 7;

/// A step of the script, and what both hosts must agree on beside the outcome.
struct Trial {
    node: u32,
    request: Request,
    /// Whether the number of messages is the protocol's alone: no timer and no
    /// race between two of them decides it.
    exact: bool,
}

/// What a host made of a trial.
#[derive(Debug, PartialEq)]
struct Result {
    outcome: Outcome,
    /// Messages caused, where they are the protocol's alone.
    messages: Option<u32>,
    /// Forward messages that arrived, under the same condition as a search.
    forward: Option<usize>,
}

fn config<O: Overlay>(set: &[(&str, &str)]) -> Arc<O::Config> {
    let mut config = O::Config::default();
    for (name, value) in set {
        config.set(name, value).expect("the overlay has this parameter");
    }
    Arc::new(config)
}

fn items() -> Vec<Arc<Item>> {
    ["amber finch.ogg", "blue heron.ogg", "grey heron.avi", "lone kestrel.txt"]
        .map(|name| Arc::new(Item::new(name, 1000)))
        .to_vec()
}

/// Inserts, hits, misses, a delete, a leave. `is_flood` says that hits take
/// whichever way the first copy of the query came.
fn trials(servers: u32, is_flood: bool) -> Vec<Trial> {
    let items = items();
    let missing = Key::hash(b"nobody has this");
    let mut trials = Vec::new();
    let mut add = |peer: u32, request, exact| {
        trials.push(Trial { node: servers + peer, request, exact });
    };
    for (peer, item) in (1..).zip(&items) {
        add(peer, Request::Insert(Arc::clone(item)), true);
    }
    add(6, Request::Insert(Arc::clone(&items[0])), true);
    for (peer, item) in (2..).zip(&items) {
        let both = Query { limit: 2, ..Query::exact(item.key()) };
        add(peer, Request::Search(both), !is_flood);
    }
    for peer in [0, 3, 7] {
        add(peer, Request::Search(Query::exact(missing)), true);
    }
    add(5, Request::Search(Query::keywords("heron")), !is_flood);
    add(5, Request::Search(Query::keywords("heron ogg")), !is_flood);
    add(5, Request::Search(Query::keywords("heron wren")), true);
    add(0, Request::Locate(missing), true);
    add(2, Request::Delete(items[1].key()), true);
    add(2, Request::Delete(missing), true);
    add(0, Request::Search(Query::exact(items[1].key())), true);
    add(1, Request::Leave, !is_flood);
    // The other provider is still there.
    let one = Query { limit: 1, ..Query::exact(items[0].key()) };
    add(0, Request::Search(one), false);
    trials
}

/// Hits in an order that does not depend on which came first.
fn sorted(outcome: &Outcome) -> Outcome {
    let mut outcome = outcome.clone();
    if let Outcome::Found(hits) = &mut outcome {
        hits.sort_by_key(|hit: &Hit| (hit.item.key(), hit.provider));
    }
    outcome
}

fn result(trial: &Trial, outcome: &Outcome, operation: &Operation) -> Result {
    let is_search = matches!(trial.request, Request::Search(_)) && trial.exact;
    Result {
        outcome: sorted(outcome),
        messages: trial.exact.then_some(operation.messages),
        forward: is_search.then_some(operation.receivers.len()),
    }
}

// --- The simulated network ------------------------------------------------

#[derive(Default)]
struct Log {
    ended: Vec<(OpId, Outcome)>,
    closed: Vec<Operation>,
}

impl<O: Overlay> Driver<O> for Log {
    fn ended(&mut self, _: &mut Sim<O>, op: OpId, outcome: &Outcome) {
        self.ended.push((op, outcome.clone()));
    }

    fn closed(&mut self, operation: Operation) {
        self.closed.push(operation);
    }
}

impl Log {
    fn outcome(&self, op: OpId) -> Outcome {
        self.ended.iter().find(|(id, _)| *id == op).expect("it has ended").1.clone()
    }

    fn operation(&self, op: OpId) -> &Operation {
        self.closed.iter().find(|o| o.id == op).expect("its account is closed")
    }
}

/// Joins everyone and lets the network come to rest.
fn simulated<O: Overlay>(config: &Arc<O::Config>) -> (Sim<O>, Log) {
    let spec: LatencySpec = "constant:1ms".parse().expect("a latency model");
    let latency = Latency::build(&spec, &mut Stream::Topology.rng(SEED)).expect("it is built in");
    let network = Network::new(latency, 0.0).expect("no loss is a loss");
    let settings = Settings { seed: SEED, measure_reach: true, ..Settings::default() };
    let mut sim = Sim::new(Arc::clone(config), network, settings);
    let servers = O::servers(config);
    for i in 0..servers {
        sim.add_node(Profile::server(Addr::from_index(i)));
    }
    for i in 0..PEERS {
        sim.add_node(Profile::peer(Addr::from_index(i)));
    }
    let mut log = Log::default();
    for step in Script::bring_up(servers, PEERS).steps() {
        let op = sim.start(step.node, &step.request, 0);
        sim.run_operations(sim.now() + Span::from_s(60), &mut log);
        assert_eq!(log.outcome(op), Outcome::Done, "node {} joins", step.node);
    }
    sim.run_until(sim.now() + Span::from_s(120), &mut log);
    assert_eq!(O::audit(&sim.population()), Vec::<String>::new());
    (sim, log)
}

fn neighbours_in_sim<O: Overlay>(sim: &Sim<O>) -> Vec<BTreeSet<u32>> {
    let of = |node| {
        let mut known = BTreeSet::new();
        sim.machine(node).neighbours(&mut |peer| {
            known.insert(peer.index());
        });
        known
    };
    (0..sim.len() as u32).map(of).collect()
}

fn try_in_sim<O: Overlay>(sim: &mut Sim<O>, log: &mut Log, trials: &[Trial]) -> Vec<Result> {
    let mut one = |trial: &Trial| {
        let op = sim.start(trial.node, &trial.request, 0);
        assert!(sim.run_operations(sim.now() + Span::from_s(600), log), "it comes to an end");
        result(trial, &log.outcome(op), log.operation(op))
    };
    trials.iter().map(&mut one).collect()
}

// --- The network over sockets ----------------------------------------------

/// Waits until the live network has had the simulated one's links for a
/// second: ten periods of upkeep, in which what the links do not show, such as
/// who stands in which finger, comes to rest as well.
async fn comes_to<O: Overlay>(network: &LiveNetwork<O>, graph: &[BTreeSet<u32>]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut since = Instant::now();
    while since.elapsed() < Duration::from_secs(1) {
        let live = network.neighbours().await;
        if live != graph {
            since = Instant::now();
        }
        assert!(Instant::now() < deadline, "live {live:?}\nsimulated {graph:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn try_live<O: Overlay>(network: &LiveNetwork<O>, trials: &[Trial]) -> Vec<Result> {
    let first = network.ledger().operations().len();
    let step = |trial: &Trial| Step { node: trial.node, request: trial.request.clone() };
    let script =
        trials.iter().fold(Script::default(), |script, trial| script.then(1, vec![step(trial)]));
    let outcomes = network.play(&script).await;
    let operations = network.ledger().operations();
    assert_eq!(operations.len(), first + trials.len());
    trials
        .iter()
        .zip(&outcomes)
        .zip(&operations[first..])
        .map(|((trial, outcome), operation)| result(trial, outcome, operation))
        .collect()
}

async fn throw_garbage_at<O: Overlay>(network: &LiveNetwork<O>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for node in network.nodes() {
        let to = node.addr().to_socket();
        socket.send_to(b"not a frame", to).expect("loopback takes it");
        let mut stream = TcpStream::connect(to).await.expect("the node listens");
        // The node may close the stream before it has all.
        let _ = stream.write_all(&[0xa5; 4096]).await;
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    for node in network.nodes() {
        while node.counters().malformed_datagrams == 0 || node.counters().malformed_streams == 0 {
            assert!(Instant::now() < deadline, "garbage is counted: {:?}", node.counters());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The whole comparison for one overlay.
fn agree<O: Overlay>(set: &[(&str, &str)], is_flood: bool) {
    let config = config::<O>(set);
    let servers = O::servers(&config);
    let trials = trials(servers, is_flood);
    let (mut sim, mut log) = simulated::<O>(&config);
    let graph = neighbours_in_sim(&sim);
    let expected = try_in_sim(&mut sim, &mut log, &trials);

    let runtime = tokio::runtime::Runtime::new().expect("the system has threads");
    runtime.block_on(async {
        let options = LiveOptions::new(PEERS, SEED);
        let network = LiveNetwork::<O>::start(&config, &options).await.expect("sockets");
        let joined = network.play(&Script::bring_up(servers, PEERS)).await;
        assert_eq!(joined, vec![Outcome::Done; (servers + PEERS) as usize]);
        comes_to(&network, &graph).await;
        throw_garbage_at(&network).await;
        let results = try_live(&network, &trials).await;
        for ((trial, live), simulated) in trials.iter().zip(&results).zip(&expected) {
            let Trial { node, request, .. } = trial;
            assert_eq!(live, simulated, "live against simulated: node {node}, {request:?}");
        }
        let measures = network.close(false).await;
        assert_eq!(measures.aborted_tasks, 0, "shutdown is clean");
        assert_eq!(measures.counters.stray_outcomes, 0);
        assert_eq!(measures.counters.malformed_streams, u64::from(servers + PEERS));
        for operation in &measures.operations {
            assert_eq!(operation.ends, 1, "{operation:?}");
            let grade = measures.grades.get(&operation.id);
            let is_wrong = matches!(grade, Some(Grade::Wrong | Grade::Incomplete));
            assert!(!is_wrong, "{grade:?}: {operation:?}");
        }
    });
}

#[test]
fn chord_does_over_sockets_what_it_does_simulated() {
    let quick = [
        ("stabilise", "100ms"),
        ("fix_fingers", "100ms"),
        ("check_predecessor", "100ms"),
        ("request_timeout", "2s"),
    ];
    agree::<Chord>(&quick, false);
}

#[test]
fn napster_does_over_sockets_what_it_does_simulated() {
    agree::<Napster>(&[], false);
}

#[test]
fn gnutella_does_over_sockets_what_it_does_simulated() {
    // Everybody links to everybody, so that the graph is not a matter of luck.
    let full_mesh = [
        ("degree", "7"),
        ("max_degree", "7"),
        ("ping_interval", "200ms"),
        ("ping_spacing", "100ms"),
        ("pong_wait", "100ms"),
        ("search_timeout", "300ms"),
    ];
    agree::<Gnutella>(&full_mesh, true);
}

#[test]
fn napsters_clients_notice_that_the_server_died() {
    let runtime = tokio::runtime::Runtime::new().expect("the system has threads");
    runtime.block_on(async {
        let config = config::<Napster>(&[]);
        let options = LiveOptions::new(3, SEED);
        let network = LiveNetwork::<Napster>::start(&config, &options).await.expect("sockets");
        network.play(&Script::bring_up(1, 3)).await;
        assert_eq!(network.peers()[0].neighbours().await, Some(vec![network.nodes()[0].addr()]));
        network.kill(0).await;
        let deadline = Instant::now() + Duration::from_secs(5);
        for peer in network.peers() {
            while peer.neighbours().await != Some(Vec::new()) {
                assert!(Instant::now() < deadline, "the broken stream is reported");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let search = Request::Search(Query::exact(Key::ZERO));
        let outcome = network.ask(1, &search).expect("there is such a node").await;
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
        let operations = network.ledger().operations();
        assert_eq!(operations.last().map(|o| (o.verb, o.ends)), Some((Verb::Search, 1)));
        assert_eq!(network.shutdown().await, 0);
    });
}

/// The standard experiment over sockets, through the registry.
fn plan(peers: u32, searches: u32) -> Plan {
    let catalog = Arc::new(Catalog::embedded().thinned(50));
    Plan { seed: SEED, searches, ..Plan::standard(peers, catalog) }
}

#[test]
fn every_overlay_runs_the_standard_experiment_over_sockets() {
    for entry in registry::all() {
        let name = entry.about().name;
        let measures = entry.live(&[], &plan(16, 5), &Watch::default()).expect("sockets");
        assert_eq!((measures.nodes, measures.interrupted), (16, false), "{name}");
        assert_eq!(measures.broken_operations, 0, "{name}");
        let graph = measures.graph.as_ref().expect("it was measured");
        assert_eq!(graph.components, 1, "{name}");
        for (verb, count) in [(Verb::Join, 16), (Verb::Search, 5), (Verb::Leave, 2)] {
            let account = &measures.operations[&verb];
            assert_eq!((account.count, account.wrong), (count, 0), "{name}: {verb:?}");
            assert_eq!(account.failed, 0, "{name}: {verb:?}");
        }
        assert!(measures.operations[&Verb::Search].correct > 0, "{name}");
        let sent: u64 = measures.messages_by_kind.iter().map(|(_, n)| n).sum();
        assert!(sent > 0 && measures.upkeep_messages <= sent, "{name}");
        assert!(measures.load.mean().is_some_and(|mean| mean > 0.0), "{name}");
    }
}

/// With this seed and catalogue, only peers behind firewalls share most of what
/// is sought, and two calls of one provider to one searcher come at once.
#[test]
fn what_is_behind_firewalls_is_found_over_sockets() {
    for name in ["bittorrent", "fasttrack"] {
        let entry = registry::find(name).expect("it is registered");
        let plan = Plan { catalog: Arc::new(Catalog::embedded()), ..plan(16, 20) };
        let measures = entry.live(&[], &plan, &Watch::default()).expect("sockets");
        let account = &measures.operations[&Verb::Search];
        assert_eq!((account.count, account.failed), (20, 0), "{name}");
    }
}

#[test]
fn an_interrupted_experiment_returns_what_it_has() {
    let interrupted = Arc::default();
    let progress = |_: f64, phase: &'static str| {
        if phase == "searching" {
            AtomicBool::store(&interrupted, true, Ordering::Relaxed);
        }
    };
    let watch = Watch { progress: Some(&progress), interrupted: Arc::clone(&interrupted) };
    let entry = registry::find("gnutella").expect("it is registered");
    let measures = entry.live(&[], &plan(16, 1000), &watch).expect("sockets");
    assert!(measures.interrupted);
    assert!(measures.operations[&Verb::Join].correct > 0);
    let searches = measures.operations.get(&Verb::Search).map_or(0, |account| account.count);
    assert!(searches < 1000, "{searches}");
}
