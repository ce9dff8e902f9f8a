//! Transcripts: a short script of operations goes in, what the nodes say to
//! each other comes out as text and is compared with `transcripts/*.txt`.
//!
//! Delays are 10 ms between any two nodes and upkeep is off, so that every
//! line follows from the script. With `UPDATE_SNAPSHOTS=1` in the environment
//! the files are written instead, for a person to review.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use harness::network::{Latency, Network};
use harness::sim::{NoDriver, Recorder, Request, Settings, Sim};
use overlays::chord::{self, Chord, Routing};
use overlays::gnutella::{self, Gnutella};
use overlays::napster::{self, Napster};
use overlays::{Addr, Item, Key, Overlay, Profile, Query, Role, Span};
use serde_json::Value;

use crate::snapshot;

/// A recording that stays readable while it is written.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<u8>>>);

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics while holding it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tape {
    /// What was recorded since the last call.
    fn take(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.0.lock().expect("nobody panics while holding it"));
        let text = String::from_utf8(bytes).expect("recordings are text");
        text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }
}

/// The nodes of a script: the servers that the overlay needs come first.
#[derive(Clone, Copy)]
struct Cast {
    nodes: u32,
    /// How many of them are a converged network when the script starts.
    settled: u32,
    firewalled: Option<u32>,
}

/// One line of a script: the node, the verb and what it is about.
fn parse(line: &str) -> (u32, Request) {
    let mut words = line.splitn(3, ' ');
    let node = |word: &str| -> u32 {
        word.strip_prefix('n').and_then(|n| n.parse().ok()).expect("nodes are called n0, n1, ...")
    };
    let who = node(words.next().expect("a line starts with its node"));
    let (verb, rest) = (words.next().expect("a verb follows"), words.next().unwrap_or(""));
    let key = || Key::hash(rest.as_bytes());
    let request = match verb {
        "join" => Request::Join(
            rest.split_whitespace().map(|word| Addr::from_index(node(word))).collect(),
        ),
        "leave" => Request::Leave,
        "insert" => Request::Insert(Arc::new(Item::new(rest, 1_000_000))),
        "delete" => Request::Delete(key()),
        "search" => Request::Search(Query::exact(key())),
        "find" => Request::Search(Query::keywords(rest)),
        "locate" => Request::Locate(key()),
        _ => panic!("there is no verb `{verb}`"),
    };
    (who, request)
}

/// Runs `script` line by line, each until all it causes is over, and renders
/// what happened.
fn play<O: Overlay>(config: O::Config, cast: Cast, script: &[&str]) -> String {
    let network = Network::new(Latency::Constant(Span::from_ms(10)), 0.0).expect("no loss");
    let settings = Settings { seed: 1, maintenance: false, ..Settings::default() };
    let servers = O::servers(&config);
    let mut sim: Sim<O> = Sim::new(Arc::new(config), network, settings);
    let mut text = String::new();
    for node in 0..cast.nodes {
        if node == cast.settled && node > 0 {
            sim.settle(&[]).expect("the overlay can start converged");
        }
        let role = if node < servers { Role::Server } else { Role::Peer };
        let firewalled = cast.firewalled == Some(node);
        let profile = Profile::peer(Addr::from_index(node));
        sim.add_node(Profile { role, firewalled, ..profile });
    }
    let tape = Tape::default();
    sim.record(Recorder::new(Box::new(tape.clone()), O::ABOUT.name, 1));
    tape.take();
    for line in script {
        let (node, request) = parse(line);
        let start = sim.now();
        sim.start(node, &request, 0);
        assert!(sim.run_operations(start + Span::from_s(600), &mut NoDriver), "{line}: no end");
        // What it set off beyond its own account, such as streams that close.
        let quiet = sim.now() + Span::from_s(5);
        sim.run_until(quiet, &mut NoDriver);
        writeln!(text, "{line}").expect("memory takes everything");
        for event in tape.take() {
            if let Some(told) = tell(&event) {
                let ms = (event["t_us"].as_u64().unwrap_or(0) - start.as_us()) as f64 / 1e3;
                writeln!(text, "{ms:>10.3} ms  {told}").expect("memory takes everything");
            }
        }
        text.push('\n');
    }
    text
}

/// One event as a person would tell it; sends stand for their receipts.
fn tell(event: &Value) -> Option<String> {
    let word = |field: &str| event[field].as_str().unwrap_or("?");
    let (node, peer) = (&event["node"], &event["peer"]);
    let cause = match (event["op"].as_u64(), event["hops"].as_u64()) {
        (Some(op), Some(hops)) => format!("op {op}, hop {hops}"),
        _ => "upkeep".into(),
    };
    Some(match word("event") {
        "send" => format!("n{node} -> n{peer}  {:<16} {cause}", word("kind")),
        "drop" => format!("n{peer} -x n{node}  {:<16} {cause}", word("why")),
        "link" if event["open"] == true => format!("n{node} == n{peer}  stream opens"),
        "link" => format!("n{node} =/ n{peer}  stream closes"),
        "node_down" => format!("n{node} is down"),
        "operation_end" => {
            let hits = event["hits"].as_u64().map(|n| format!(", hits: {n}")).unwrap_or_default();
            format!("n{node}: {}{hits}  ({cause})", word("outcome"))
        }
        _ => return None,
    })
}

/// Compares with `transcripts/NAME.txt`.
fn check(name: &str, actual: &str) {
    snapshot::check(&format!("transcripts/{name}.txt"), actual);
}

#[test]
fn napster_logs_in_shares_searches_and_withdraws() {
    let cast = Cast { nodes: 4, settled: 0, firewalled: None };
    let script = [
        "n0 join",
        "n1 insert blue train.mp3",
        "n1 join n0",
        "n2 join n0",
        "n2 insert blue monday.mp3",
        "n3 join n0",
        "n3 find blue",
        "n3 search blue monday.mp3",
        "n2 delete blue monday.mp3",
        "n3 search blue monday.mp3",
        "n1 leave",
        "n3 find blue",
    ];
    check("napster", &play::<Napster>(napster::Config::default(), cast, &script));
}

#[test]
fn gnutella_pings_floods_and_pushes() {
    let config = gnutella::Config {
        degree: 2,
        max_degree: 2,
        ttl: 3,
        ping_ttl: 3,
        pong_caching: false,
        push: true,
        ..gnutella::Config::default()
    };
    let cast = Cast { nodes: 4, settled: 0, firewalled: Some(3) };
    let script = [
        "n0 join",
        "n1 join n0",
        "n2 join n1",
        "n3 join n2",
        "n0 insert so what.mp3",
        "n3 insert blue train.mp3",
        "n1 search so what.mp3",
        "n1 find blue",
        "n2 search nobody has this",
        "n2 leave",
    ];
    check("gnutella", &play::<Gnutella>(config, cast, &script));
}

fn chord_transcript(routing: Routing) -> String {
    let config = chord::Config { successors: 2, routing, ..chord::Config::default() };
    let cast = Cast { nodes: 4, settled: 3, firewalled: None };
    let script = [
        "n0 insert so what.mp3",
        "n1 insert blue train.mp3",
        "n3 join n0",
        "n3 search so what.mp3",
        "n0 search blue train.mp3",
        "n2 locate giant steps.mp3",
        "n1 delete blue train.mp3",
        "n0 search blue train.mp3",
        "n3 leave",
        "n2 search so what.mp3",
    ];
    play::<Chord>(config, cast, &script)
}

#[test]
fn chord_joins_looks_up_and_leaves_iteratively() {
    check("chord_iterative", &chord_transcript(Routing::Iterative));
}

#[test]
fn chord_joins_looks_up_and_leaves_recursively() {
    check("chord_recursive", &chord_transcript(Routing::Recursive));
}
