//! Settled networks beside those that grew by joins.

use super::bench::Bench;
use crate::can::{Config, Zone};
use crate::{Key, Outcome};

/// What the two must have in common, as means.
#[derive(Debug)]
struct Shape {
    depth: f64,
    neighbours: f64,
    hops: f64,
}

impl Shape {
    fn of(bench: &mut Bench, n: u32) -> Self {
        let mut zones: Vec<Zone> = bench.nodes.values().flat_map(|n| n.zones(0)).collect();
        zones.sort_unstable();
        zones.dedup();
        let depths: u32 = zones.iter().map(|z| z.depth()).sum();
        let known: usize = bench.nodes.values().map(|n| n.neighbours_in(0).count()).sum();
        bench.sent.clear();
        for turn in 0..200_u32 {
            let located = bench.locate((turn * 7) % n, Key::hash(&turn.to_be_bytes()));
            assert!(matches!(located, Some(Outcome::Located(_))));
        }
        let hops = bench.sent.iter().filter(|s| s.2 == "Route").count();
        Self {
            depth: f64::from(depths) / zones.len() as f64,
            neighbours: known as f64 / f64::from(n),
            hops: hops as f64 / 200.0,
        }
    }
}

/// A joined and a settled network have zones of the same spread of depths, as
/// many neighbours, and paths of the same length.
#[test]
fn a_settled_network_is_as_a_joined_one() {
    let sizes = [(64, 1), (256, 1), (1024, 1), (64, 3), (256, 3)];
    let trials = [2, 3].into_iter().flat_map(|d| sizes.map(|(n, peers)| (d, n, peers)));
    for (dimensions, n, peers) in trials {
        let config = Config { dimensions, peers, ..Config::default() };
        let mut joined = Bench::joined(config.clone(), n);
        joined.rest();
        let joined = Shape::of(&mut joined, n);
        let settled = Shape::of(&mut Bench::settled(config, n, &[]).0, n);
        let close = (joined.depth - settled.depth).abs() < 0.4
            && (joined.neighbours - settled.neighbours).abs() < 0.5
            && (joined.hops / settled.hops - 1.0).abs() < 0.2;
        assert!(close, "d={dimensions}, n={n}, p={peers}: joined {joined:?}, settled {settled:?}");
    }
}
