//! Landmark ordering (§3.6).

use rand::RngExt;

use super::bench::Bench;
use crate::can::landmarks::{Landmarks, portion};
use crate::can::{Blueprint, Config};
use crate::{Addr, Distances, Key, Outcome, ParameterValue, Parameters, Span, Stream};

/// All orders of `m` things.
fn orders(m: usize) -> Vec<Vec<usize>> {
    if m == 0 {
        return vec![Vec::new()];
    }
    let longer = |order: Vec<usize>| {
        (0..m).map(move |at| {
            let mut order = order.clone();
            order.insert(at, m - 1);
            order
        })
    };
    orders(m - 1).into_iter().flat_map(longer).collect()
}

/// The m! portions are of one volume, apart from each other, and fill the
/// space.
#[test]
fn each_ordering_has_its_portion_of_the_space() {
    for (m, d) in [(1, 2), (2, 2), (3, 2), (4, 2), (4, 3), (3, 1), (4, 10)] {
        let portions: Vec<_> = orders(m).iter().map(|order| portion(order, d)).collect();
        let volume = |spans: &[(u64, u64)]| -> f64 {
            spans.iter().map(|(start, end)| (end - start) as f64 / 4_294_967_296.0).product()
        };
        let sum: f64 = portions.iter().map(|p| volume(p)).sum();
        assert!((sum - 1.0).abs() < 1e-6, "m={m}, d={d}: {sum}");
        for (at, one) in portions.iter().enumerate() {
            let share = volume(one) * portions.len() as f64;
            assert!((share - 1.0).abs() < 1e-6, "m={m}, d={d}: {share}");
            for other in &portions[at + 1..] {
                let apart = one.iter().zip(other).any(|(a, b)| a.1 <= b.0 || b.1 <= a.0);
                assert!(apart, "{one:?} {other:?}");
            }
        }
    }
    // The nearest landmark chooses the third of x, the second the half of y.
    let whole = 1_u64 << 32;
    assert_eq!(portion(&[2, 0, 1], 2)[..2], [(whole * 2 / 3, whole), (0, whole / 2)]);
    assert_eq!(portion(&[0, 2, 1], 2)[..2], [(0, whole / 3), (whole / 2, whole)]);
}

#[test]
fn landmarks_are_a_number_or_addresses() {
    let mut config = Config::default();
    assert!(config.landmarks.is_empty());
    config.set("landmarks", "4").unwrap();
    assert_eq!(config.landmarks.addrs()[3], Addr::from_index(3));
    assert_eq!(config.landmarks.show(), "4");
    let live = "192.0.2.1:4000+192.0.2.2:4001";
    config.set("landmarks", live).unwrap();
    assert_eq!(config.landmarks.show(), live);
    for wrong in ["9", "99999999", "-1", "a", "1.2.3.4", "", "+"] {
        assert_eq!(Landmarks::parse(wrong), None, "{wrong}");
    }
}

/// Every message takes 10 ms here, so that all landmarks are as near and their
/// numbers decide, but for one that is down and counts as the farthest.
#[test]
fn joiners_measure_the_landmarks_and_join_in_their_portion() {
    let mut config = Config::default();
    config.set("landmarks", "3").unwrap();
    let mut bench = Bench::joined(config, 4);
    bench.rest();
    let inside = |bench: &Bench, order: &[usize], node: u32| {
        let spans = portion(order, 2);
        bench.zones(node).iter().any(|zone| {
            (0..2).zip(spans).all(|(axis, (start, end))| {
                let own = zone.interval(axis, 2);
                let from = u64::from(own.start);
                from < end && start < from + own.length
            })
        })
    };
    // Right after its join: whoever splits with a later joiner keeps the half
    // that the joiner did not ask for.
    for node in 4..40 {
        bench.enlist(node);
        assert_eq!(bench.join(node, 0), Some(Outcome::Done));
        assert!(inside(&bench, &[0, 1, 2], node), "n{node}");
    }
    assert!(bench.sent.iter().any(|s| s.2 == "Probe" && s.1 == 2));
    bench.crash(1);
    bench.run(300);
    bench.rest();
    for node in 40..50 {
        bench.enlist(node);
        assert_eq!(bench.join(node, 0), Some(Outcome::Done));
        assert!(inside(&bench, &[0, 2, 1], node), "n{node}");
    }
    bench.rest();
    assert!(matches!(bench.locate(45, Key::hash(b"x")), Some(Outcome::Located(_))));
}

/// One-way delays in milliseconds between hosts of four regions with four
/// sites each: 2 within a site, 22 within a region, and across regions 100 for
/// each step around a ring more.
fn delay_ms(a: Addr, b: Addr) -> u64 {
    let site = |addr: Addr| addr.key().prefix64() % 16;
    let (a, b) = (site(a), site(b));
    let steps = (a / 4).abs_diff(b / 4);
    match (a == b, steps.min(4 - steps)) {
        (true, _) => 2,
        (false, steps) => 22 + 100 * steps,
    }
}

/// The latency of paths between random nodes as a multiple of the direct one,
/// and the volume of the largest zone as a multiple of the fair one.
fn stretch(landmarks: &str, n: u32) -> (f64, f64) {
    let mut config = Config::default();
    config.set("landmarks", landmarks).unwrap();
    let rtt = |a: Addr, b: Addr| Span::from_ms(2 * delay_ms(a, b));
    let census = Bench::census(n, &[]).with_distances(Distances::new(rtt));
    let blueprint = Blueprint::new(&config, census, &mut Stream::Protocol.rng(3));
    let zones = blueprint.zones(0);
    assert_eq!(zones.len() as u32, n, "everyone has a zone");
    let mut rng = Stream::Workload.rng(4);
    let (mut way_ms, mut direct_ms) = (0, 0);
    for _ in 0..2000 {
        let (_, from) = zones[rng.random_range(0..zones.len())];
        let (zone, to) = zones[rng.random_range(0..zones.len())];
        let path = blueprint.route(0, from, zone.first());
        assert_eq!(path.last(), Some(&to));
        way_ms += path.windows(2).map(|hop| delay_ms(hop[0], hop[1])).sum::<u64>();
        direct_ms += if from == to { 0 } else { delay_ms(from, to) };
    }
    let largest = zones.iter().map(|(zone, _)| zone.volume()).max().unwrap();
    let fair = (1_u64 << 63) / u64::from(n);
    (way_ms as f64 / direct_ms as f64, largest as f64 / fair as f64)
}

#[test]
#[expect(clippy::disallowed_macros, reason = "prints the figures that the chapter quotes")]
fn near_nodes_become_neighbours_and_zones_unequal() {
    let (without, fair) = stretch("0", 1024);
    let (with, largest) = stretch("4", 1024);
    println!("stretch {without:.1} without landmarks, {with:.1} with four");
    println!("largest zone {fair:.1} times the fair one without, {largest:.1} with four");
    assert!(with < 0.8 * without, "{with} against {without}");
    assert!(largest > fair, "{largest} against {fair}");
}
