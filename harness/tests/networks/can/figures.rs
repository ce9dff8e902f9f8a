//! The paper's tables, over transit-stub networks whose mean path takes about
//! 115 ms, as the paper's did.

use std::sync::Arc;

use harness::network::{Shape, TransitStub};
use overlays::can::{Blueprint, Config, Point, Weighting};
use overlays::{Addr, Census, Distances, Parameters, Profile, Stream};
use rand::RngExt;

/// One transit domain of three routers, each with three stubs of sixteen.
const SHAPE: Shape = Shape { domains: 1, domain_routers: 3, stubs: 3, stub_routers: 16 };
/// Networks that each figure is the mean of.
const SEEDS: u64 = 5;
const ROUTES: u32 = 2_000;

struct Underlay(Arc<TransitStub>);

impl Underlay {
    fn new(seed: u64) -> Self {
        Self(Arc::new(TransitStub::new(&SHAPE, &mut Stream::Topology.rng(seed))))
    }

    fn one_way_ms(&self, a: Addr, b: Addr) -> f64 {
        self.0.one_way(a.index(), b.index()).as_ms_f64()
    }

    /// `n` peers and how far they are from each other.
    fn census(&self, n: u32) -> Census {
        let peers = (0..n).map(|i| Profile::peer(Addr::from_index(i))).collect();
        let delays = Arc::clone(&self.0);
        let rtt = move |a: Addr, b: Addr| delays.one_way(a.index(), b.index()) * 2;
        Census::new(peers, Vec::new(), Vec::new()).with_distances(Distances::new(rtt))
    }
}

/// The mean latency of a hop in milliseconds, and the mean number of hops, over
/// random routes.
fn per_hop_ms(config: &Config, n: u32) -> (f64, f64) {
    let (mut total_ms, mut hops) = (0.0, 0);
    for seed in 0..SEEDS {
        let underlay = Underlay::new(seed);
        let census = underlay.census(n);
        let blueprint = Blueprint::new(config, census, &mut Stream::Protocol.rng(seed));
        let mut rng = Stream::Workload.rng(seed);
        for _ in 0..ROUTES {
            let from = Addr::from_index(rng.random_range(0..n));
            let path = blueprint.route(0, from, Point(rng.random_range(0..=u64::MAX)));
            assert!(!path.is_empty(), "every route arrives");
            total_ms += path.windows(2).map(|hop| underlay.one_way_ms(hop[0], hop[1])).sum::<f64>();
            hops += path.len() - 1;
        }
    }
    (total_ms / hops as f64, hops as f64 / (SEEDS * u64::from(ROUTES)) as f64)
}

#[test]
fn the_mean_path_takes_about_as_long_as_the_papers() {
    let mut sum = 0.0;
    for seed in 0..SEEDS {
        let underlay = Underlay::new(seed);
        let mut rng = Stream::Workload.rng(seed);
        let mut host = || Addr::from_index(rng.random_range(0..100_000));
        sum += (0..5_000).map(|_| underlay.one_way_ms(host(), host())).sum::<f64>() / 5_000.0;
    }
    let mean = sum / SEEDS as f64;
    println!("mean path {mean:.1} ms");
    assert!((100.0..125.0).contains(&mean), "{mean} ms");
}

/// Table 1: weighting progress by round-trip times cuts the latency of a hop by
/// 24 % (d = 2) to 40 % (d = 5).
#[test]
fn rtt_weighting_cuts_the_latency_of_a_hop() {
    for (dimensions, least, most) in
        [(2, 0.20, 0.30), (3, 0.27, 0.40), (4, 0.30, 0.42), (5, 0.32, 0.44)]
    {
        let plain = Config { dimensions, ..Config::default() };
        let weighted = Config { weighting: Weighting::Rtt, ..plain.clone() };
        let (plain_ms, plain_hops) = per_hop_ms(&plain, 1024);
        let (weighted_ms, weighted_hops) = per_hop_ms(&weighted, 1024);
        let cut = 1.0 - weighted_ms / plain_ms;
        println!(
            "d={dimensions}: {plain_ms:.1} ms x {plain_hops:.2} plain, \
             {weighted_ms:.1} ms x {weighted_hops:.2} weighted, cut {:.1} %",
            100.0 * cut
        );
        assert!((100.0..125.0).contains(&plain_ms), "{plain_ms} ms");
        assert!((least..most).contains(&cut), "d={dimensions}: {cut}");
    }
}

/// Table 2: with 2, 3 and 4 peers per zone a hop takes 20 %, 37 % and 45 % less.
#[test]
fn peers_per_zone_cut_the_latency_of_a_hop() {
    let (alone_ms, _) = per_hop_ms(&Config::default(), 1024);
    println!("p=1: {alone_ms:.1} ms");
    for (peers, least, most) in [(2, 0.10, 0.35), (3, 0.25, 0.50), (4, 0.35, 0.58)] {
        let (ms, hops) = per_hop_ms(&Config { peers, ..Config::default() }, 1024);
        let cut = 1.0 - ms / alone_ms;
        println!("p={peers}: {ms:.1} ms x {hops:.2}, cut {:.1} %", 100.0 * cut);
        assert!((least..most).contains(&cut), "p={peers}: {cut}");
    }
}

/// What landmark ordering gives and costs, as means over the networks.
struct Ordered {
    /// The latency of a path, as a multiple of the direct one.
    stretch: f64,
    hops: f64,
    /// The volume of the largest zone, as a multiple of the fair one.
    largest: f64,
}

fn ordered(landmarks: &str, n: u32) -> Ordered {
    let mut config = Config::default();
    config.set("landmarks", landmarks).expect("a number of landmarks");
    let (mut ways_ms, mut direct_ms, mut hops, mut largest) = (0.0, 0.0, 0, 0.0);
    for seed in 0..SEEDS {
        let underlay = Underlay::new(seed);
        let blueprint =
            Blueprint::new(&config, underlay.census(n), &mut Stream::Protocol.rng(seed));
        let volumes = blueprint.zones(0).iter().map(|(zone, _)| zone.volume());
        let fair = (1_u64 << 63) as f64 / f64::from(n);
        largest += volumes.max().map_or(0.0, |v| v as f64 / fair);
        let mut rng = Stream::Workload.rng(seed);
        for _ in 0..ROUTES {
            let mut peer = || Addr::from_index(rng.random_range(0..n));
            let (from, to) = (peer(), peer());
            // To a peer, and not to a point: most points lie in the zones of few.
            let zone = blueprint.zones(0).iter().find(|(_, addr)| *addr == to);
            let (zone, _) = zone.expect("everyone has a zone");
            let path = blueprint.route(0, from, zone.first());
            ways_ms += path.windows(2).map(|hop| underlay.one_way_ms(hop[0], hop[1])).sum::<f64>();
            direct_ms += underlay.one_way_ms(from, to);
            hops += path.len() - 1;
        }
    }
    Ordered {
        stretch: ways_ms / direct_ms,
        hops: hops as f64 / (SEEDS * u64::from(ROUTES)) as f64,
        largest: largest / SEEDS as f64,
    }
}

/// §3.6: with landmarks, paths take less time, and zones differ more.
#[test]
fn landmarks_shorten_the_way_and_unbalance_the_zones() {
    let without = ordered("0", 1024);
    let with = ordered("4", 1024);
    for (m, o) in [(0, &without), (4, &with)] {
        println!(
            "m={m}: stretch {:.1}, {:.1} hops, largest zone {:.0} times the fair one",
            o.stretch, o.hops, o.largest
        );
    }
    assert!(with.stretch < 0.8 * without.stretch, "{} {}", with.stretch, without.stretch);
    assert!(with.largest > without.largest, "{} {}", with.largest, without.largest);
}
