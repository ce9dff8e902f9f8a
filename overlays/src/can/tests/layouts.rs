//! Converged networks: their shape, and the paths through them.

use rand::RngExt;

use super::bench::Bench;
use crate::can::audit::adjoining;
use crate::can::{Blueprint, Config, Layout, Point, Zone};
use crate::{Addr, Rng, Stream};

fn blueprint(config: &Config, n: u32) -> Blueprint {
    Blueprint::new(config, Bench::census(n, &[]), &mut Stream::Protocol.rng(3))
}

/// The mean number of hops between random nodes and points.
fn mean_hops(blueprint: &Blueprint, routes: u32, rng: &mut Rng) -> f64 {
    let zones = blueprint.zones(0);
    let mut hops = 0;
    for _ in 0..routes {
        let from = zones[rng.random_range(0..zones.len())].1;
        let point = Point(rng.random_range(0..=u64::MAX));
        let path = blueprint.route(0, from, point);
        assert_eq!(path.last(), blueprint.holder(0, point).map(|(_, a)| a).as_ref());
        hops += path.len() - 1;
    }
    hops as f64 / f64::from(routes)
}

/// §2.1: (d/4) n^(1/d) hops and 2d neighbours on equal zones, here on grids of
/// `side` zones along each axis.
fn perfect_grid(dimensions: u32, side: u32, routes: u32) {
    let theory = f64::from(dimensions) / 4.0 * f64::from(side);
    equal_zones(dimensions, side.pow(dimensions), theory, routes);
}

/// `n` zones of one volume: exactly 2d neighbours, and paths as long as
/// `theory` has it, within 2 %.
fn equal_zones(dimensions: u32, n: u32, theory: f64, routes: u32) {
    let config = Config { dimensions, layout: Layout::Grid, ..Config::default() };
    let blueprint = blueprint(&config, n);
    for (zone, addr) in blueprint.zones(0) {
        assert_eq!(zone.depth(), n.ilog2());
        assert_eq!(blueprint.neighbours(0, *addr).len() as u32, 2 * dimensions);
    }
    let measured = mean_hops(&blueprint, routes, &mut Stream::Workload.rng(5));
    let error = (measured / theory - 1.0).abs();
    assert!(error < 0.02, "d={dimensions}, n={n}: {measured} hops, not {theory}");
}

#[test]
fn paths_on_a_perfect_grid_are_as_long_as_the_formula_says() {
    perfect_grid(2, 16, 20_000);
    perfect_grid(3, 8, 20_000);
    perfect_grid(4, 4, 20_000);
    perfect_grid(4, 16, 10_000);
}

#[test]
fn paths_on_the_largest_grids_are_as_long_as_the_formula_says() {
    perfect_grid(2, 512, 4_000);
    perfect_grid(3, 64, 4_000);
    // Halvings make no perfect fourth power between 16^4 and 32^4. 2^18 zones
    // lie 32 along two axes and 16 along two: a quarter of each.
    equal_zones(4, 1 << 18, 24.0, 4_000);
}

/// How many nodes the search for a zone that can merge visits (§2.3, Table 6):
/// the holder of the sibling of a zone that is one too many, if it is whole,
/// else nodes deeper and deeper in the sibling's part of the tree.
fn reassignment_steps(blueprint: &Blueprint, zone: Zone, holder: Addr, dimensions: u32) -> u32 {
    let holds = |addr: Addr| {
        let contacts = blueprint.neighbours(0, addr);
        contacts.iter().map(|c| (c.zone, c.addr)).collect::<Vec<_>>()
    };
    let (mut at, mut zone, mut steps) = (holder, zone, 1);
    while let Some(sibling) = zone.sibling() {
        let near: Vec<(Zone, Addr)> =
            holds(at).into_iter().filter(|(z, _)| zone.is_neighbour(*z, dimensions)).collect();
        if near.iter().any(|(z, _)| *z == sibling) {
            return steps;
        }
        let Some((deeper, next)) = near.into_iter().find(|(z, _)| sibling.covers(*z)) else {
            break;
        };
        (at, zone, steps) = (next, deeper, steps + 1);
    }
    panic!("the sibling of {zone} is neither held nor split");
}

/// Table 6: 1.12, 1.09 and 1.07 steps on average for d = 2, 3 and 4, three at
/// most.
#[test]
#[expect(clippy::disallowed_macros, reason = "prints the figures that the chapter quotes")]
fn a_zone_that_can_merge_is_near() {
    for dimensions in [2, 3, 4] {
        for uniform in [false, true] {
            let config = Config { dimensions, uniform, ..Config::default() };
            let blueprint = blueprint(&config, 1024);
            let steps: Vec<u32> = blueprint
                .zones(0)
                .iter()
                .map(|(zone, addr)| reassignment_steps(&blueprint, *zone, *addr, dimensions))
                .collect();
            let mean = f64::from(steps.iter().sum::<u32>()) / steps.len() as f64;
            let most = steps.iter().max().unwrap();
            println!("d={dimensions}, uniform={uniform}: {mean:.3} steps, {most} at most");
            assert!(mean < 2.0 && *most <= 8, "d={dimensions}: {mean}, {most}");
        }
    }
}

#[test]
fn random_splits_tile_the_space_and_every_route_arrives() {
    for dimensions in [1, 2, 3, 5, 10, 16] {
        let config = Config { dimensions, ..Config::default() };
        let blueprint = blueprint(&config, 300);
        let zones = blueprint.zones(0);
        assert_eq!(zones.len(), 300);
        let volume = zones.iter().fold(0_u64, |sum, (z, _)| sum + z.volume());
        assert_eq!(volume, 1 << 63);
        for (zone, addr) in zones {
            // The quick enumeration finds just the pairs that the definition
            // calls neighbours.
            let due: Vec<_> = zones
                .iter()
                .filter(|(other, _)| zone.is_neighbour(*other, dimensions))
                .map(|(_, a)| *a)
                .collect();
            let mut known: Vec<_> = blueprint.neighbours(0, *addr).iter().map(|c| c.addr).collect();
            let mut due = due;
            due.sort_unstable();
            known.sort_unstable();
            assert_eq!(known, due, "d={dimensions}, {zone}");
        }
        mean_hops(&blueprint, 2_000, &mut Stream::Workload.rng(6));
    }
}

/// Random splits leave paths clearly shorter than equal zones would.
#[test]
fn random_zones_have_shorter_paths_than_equal_ones() {
    let n = 4096;
    let config = Config::default();
    let measured = mean_hops(&blueprint(&config, n), 5_000, &mut Stream::Workload.rng(7));
    let theory = f64::from(n).sqrt() / 2.0;
    assert!((0.75..0.98).contains(&(measured / theory)), "{measured} against {theory}");
}

/// §3.7: with the volume check most nodes have a zone of the fair volume.
#[test]
fn the_volume_check_evens_out_the_zones() {
    let n = 4096_u32;
    let fair = (1_u64 << 63) / u64::from(n);
    let share = |uniform| {
        let config = Config { uniform, ..Config::default() };
        let blueprint = blueprint(&config, n);
        let zones = blueprint.zones(0);
        let exact = zones.iter().filter(|(z, _)| z.volume() == fair).count();
        let most = zones.iter().map(|(z, _)| z.volume() / fair).max().unwrap();
        (exact as f64 / f64::from(n), most)
    };
    let (without, most_without) = share(false);
    let (with, most_with) = share(true);
    assert!(without < 0.5, "{without} of the zones are fair by chance");
    assert!(with > 0.7, "only {with} of the zones are fair");
    assert!(most_with < most_without, "{most_with}, {most_without}");
}

#[test]
fn a_network_of_any_size_has_a_layout() {
    for layout in [Layout::Joined, Layout::Grid] {
        for n in [0, 1, 2, 3, 7, 100] {
            let config = Config { layout, realities: 2, ..Config::default() };
            let blueprint = blueprint(&config, n);
            for reality in 0..2 {
                assert_eq!(blueprint.zones(reality).len() as u32, n);
            }
            assert_eq!(blueprint.owner(crate::Key::hash(b"x")).is_some(), n > 0);
        }
    }
}

#[test]
fn what_adjoins_a_zone_of_a_tiny_network_is_found_once() {
    let blueprint = blueprint(&Config::default(), 2);
    let holders =
        blueprint.zones(0).iter().map(|(zone, addr)| (zone.first(), (*zone, *addr))).collect();
    for (zone, _) in blueprint.zones(0) {
        assert_eq!(adjoining(&holders, *zone, 2).len(), 1);
    }
}
