//! A first lookup: sixteen peers form a Chord ring, one of them shares a file
//! and another one finds it, hop by hop.
//!
//! `cargo run --release --example first_lookup`

use std::fmt::Write as _;
use std::sync::Arc;

use harness::network::{Latency, LatencySpec, Network};
use harness::sim::{Driver, Operation, Request, Settings, Sim};
use overlays::chord::{Chord, Config};
use overlays::{Addr, Item, Key, OpId, Outcome, Profile, Query, Span, Stream};

/// Identifiers of one byte are easy to read.
const BITS: u32 = 8;
const PEERS: u32 = 16;

/// Notes how the operations ended and which nodes they visited.
#[derive(Default)]
struct Notebook {
    outcomes: Vec<(OpId, Outcome)>,
    accounts: Vec<Operation>,
}

impl Driver<Chord> for Notebook {
    fn ended(&mut self, _: &mut Sim<Chord>, op: OpId, outcome: &Outcome) {
        self.outcomes.push((op, outcome.clone()));
    }

    fn closed(&mut self, operation: Operation) {
        self.accounts.push(operation);
    }
}

/// The place of peer `n` on the ring of 256: a step of 99 scatters them.
fn place(n: u32) -> u64 {
    u64::from(n * 99 % 256)
}

/// An empty world with delays as between real hosts.
fn world() -> Sim<Chord> {
    // Short successor lists and no use of them for routing: on a ring this
    // small they would hide the fingers.
    let config = Config { id_bits: BITS, successors: 2, list_routing: false, ..Config::default() };
    let latency = Latency::build(&LatencySpec::King, &mut Stream::Topology.rng(1))
        .expect("the King model needs no file");
    let network = Network::new(latency, 0.0).expect("no loss is a valid loss");
    let settings = Settings { measure_reach: true, ..Settings::default() };
    Sim::new(Arc::new(config), network, settings)
}

/// Lets the peers join one after another, each through the first one.
fn build_ring(sim: &mut Sim<Chord>, notebook: &mut Notebook) {
    for n in 0..PEERS {
        let addr = Addr::from_index(n);
        sim.add_node(Profile::peer(addr).with_id(Key::from_top_bits(place(n), BITS)));
        let via = if n == 0 { Vec::new() } else { vec![Addr::from_index(0)] };
        sim.start(n, &Request::Join(via), 0);
        sim.run_until(sim.now() + Span::from_s(5), notebook);
    }
    // Stabilisation and finger repair take a few rounds of 30 seconds.
    sim.run_until(sim.now() + Span::from_s(600), notebook);
}

/// The whole story, as text.
fn story() -> String {
    let mut sim = world();
    let mut notebook = Notebook::default();
    build_ring(&mut sim, &mut notebook);
    let mut text = String::new();
    let mut ring: Vec<u64> = (0..PEERS).map(place).collect();
    ring.sort_unstable();
    let _ = writeln!(text, "the ring of {PEERS} peers: {ring:?}\n");

    let item = Arc::new(Item::new("Nikola Tesla - My Inventions.epub", 412_000));
    let provider = 3;
    sim.start(provider, &Request::Insert(Arc::clone(&item)), 0);
    sim.run_until(sim.now() + Span::from_s(10), &mut notebook);
    let key = item.key().top_bits(BITS);
    let _ = writeln!(text, "peer {} shares `{}`", place(provider), item.name());
    let _ = writeln!(text, "SHA-1 of the name begins with {key}: the next peer on the ring keeps");
    let _ = writeln!(text, "the record of it\n");

    let asker = 10;
    let search = sim.start(asker, &Request::Search(Query::exact(item.key())), 0);
    sim.run_until(sim.now() + Span::from_s(30), &mut notebook);
    let _ = writeln!(text, "peer {} looks for key {key} and asks:", place(asker));
    if let Some(account) = notebook.accounts.iter().find(|account| account.id == search) {
        for (hop, node) in account.receivers.iter().enumerate() {
            let _ = writeln!(text, "  {}. peer {}", hop + 1, place(*node));
        }
        let _ = writeln!(text, "in {} messages, answers included", account.messages);
    }
    for (_, outcome) in notebook.outcomes.iter().filter(|(op, _)| *op == search) {
        if let Outcome::Found(hits) = outcome {
            for hit in hits {
                let provider = place(hit.provider.index());
                let _ = writeln!(text, "found: `{}` at peer {provider}", hit.item.name());
            }
        }
    }
    text
}

fn main() {
    print!("{}", story());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lookup_goes_round_the_ring_and_finds_the_file() {
        let story = story();
        assert!(story.contains("  1. peer"), "{story}");
        assert!(story.contains("found: `Nikola Tesla"), "{story}");
        assert!(story.ends_with(&format!("at peer {}\n", place(3))), "{story}");
    }
}
