//! Zones, points and distances.

use proptest::prelude::*;

use crate::can::zone::{Destination, Interval, Point, Zone};

fn zone() -> impl Strategy<Value = Zone> {
    (any::<u64>(), 0..40_u32).prop_map(|(point, depth)| Zone::around(Point(point), depth))
}

/// The zone with these x and y halvings, as `01` paths.
fn path(text: &str) -> Zone {
    let bits = text.bytes().fold(0, |bits: u64, b| bits << 1 | u64::from(b == b'1'));
    let depth = text.len() as u32;
    let start = if depth == 0 { 0 } else { bits << (64 - depth) };
    Zone::around(Point(start), depth)
}

#[test]
fn paths_are_split_in_turn_along_x_and_y() {
    let half = |text: &str, axis| path(text).interval(axis, 2);
    assert_eq!(half("", 0), Interval { start: 0, length: 1 << 32 });
    assert_eq!(half("1", 0), Interval { start: 1 << 31, length: 1 << 31 });
    assert_eq!(half("1", 1), Interval { start: 0, length: 1 << 32 });
    assert_eq!(half("01", 1), Interval { start: 1 << 31, length: 1 << 31 });
    assert_eq!(half("011", 0), Interval { start: 1 << 30, length: 1 << 30 });
    assert_eq!(path("011").to_string(), "011");
    assert_eq!(Zone::WHOLE.to_string(), "-");
    assert_eq!(path("011").sibling(), Some(path("010")));
    assert_eq!(path("011").parent(), Some(path("01")));
    assert_eq!(Zone::WHOLE.parent(), None);
    assert_eq!(Zone::WHOLE.sibling(), None);
    assert_eq!(Zone::from_bits(0), None);
}

#[test]
fn distances_go_the_short_way_around() {
    let quarter = 1 << 30;
    let interval = Interval { start: quarter, length: 1 << 30 };
    assert_eq!(interval.distance(quarter), 0);
    assert_eq!(interval.distance(2 * quarter - 1), 0);
    assert_eq!(interval.distance(2 * quarter), 1);
    assert_eq!(interval.distance(quarter - 1), 1);
    assert_eq!(interval.distance(3 * quarter), quarter + 1);
    assert_eq!(interval.distance(0), quarter);
    assert_eq!(interval.distance(u32::MAX), quarter + 1);
    let whole = Interval { start: 0, length: 1 << 32 };
    assert_eq!(whole.distance(12345), 0);
}

#[test]
fn zones_that_touch_at_a_corner_are_no_neighbours() {
    assert!(path("00").is_neighbour(path("01"), 2));
    assert!(path("00").is_neighbour(path("10"), 2));
    assert!(!path("00").is_neighbour(path("11"), 2));
    assert!(!path("00").is_neighbour(path("00"), 2));
    // Around the torus: the first and last quarter of the x axis.
    assert!(path("0000").is_neighbour(path("1010"), 2));
    assert!(!path("0000").is_neighbour(path("1000"), 2));
    // In one dimension zones of any size abut.
    assert!(path("000").is_neighbour(path("1"), 1));
    assert!(path("001").is_neighbour(path("01"), 1));
    assert!(!path("000").is_neighbour(path("01"), 1));
}

#[test]
fn the_smallest_and_largest_zones_have_their_limits() {
    let smallest = Zone::around(Point(7), Zone::MAX_DEPTH);
    assert_eq!(smallest.halves(), None);
    assert_eq!(smallest.depth(), 63);
    assert_eq!(smallest.volume(), 1);
    assert_eq!(Zone::around(Point(7), 99), smallest);
    assert_eq!(Zone::WHOLE.volume(), 1 << 63);
    assert_eq!(Zone::WHOLE.first(), Point(0));
    assert_eq!(Zone::WHOLE.last(), Point(u64::MAX));
    assert_eq!(Zone::WHOLE.beside(0, true, 3), None);
}

proptest! {
    #[test]
    fn halves_make_up_their_parent(zone in zone()) {
        let (lower, upper) = zone.halves().unwrap();
        prop_assert_eq!(lower.parent(), Some(zone));
        prop_assert_eq!(upper.parent(), Some(zone));
        prop_assert_eq!(lower.sibling(), Some(upper));
        prop_assert_eq!(upper.sibling(), Some(lower));
        prop_assert_eq!(lower.first(), zone.first());
        prop_assert_eq!(upper.last(), zone.last());
        prop_assert_eq!(lower.last().0 + 1, upper.first().0);
        prop_assert_eq!(lower.volume() + upper.volume(), zone.volume());
        prop_assert!(zone.covers(lower) && zone.covers(upper) && !lower.overlaps(upper));
    }

    #[test]
    fn what_is_left_without_a_part_is_the_rest(a in zone(), depth in 0..20_u32, point in any::<u64>()) {
        let point = Point(a.first().0 | (point & (a.last().0 - a.first().0)));
        let part = Zone::around(point, a.depth() + depth);
        let rest = a.without(part);
        prop_assert_eq!(rest.len() as u32, depth);
        let volume: u64 = rest.iter().map(|z| z.volume()).sum();
        prop_assert_eq!(volume + part.volume(), a.volume());
        prop_assert!(rest.iter().all(|z| a.covers(*z) && !z.overlaps(part)));
    }

    #[test]
    fn points_keep_their_coordinates(x in any::<u32>(), y in any::<u32>()) {
        let point = Point::at(&[x, y]);
        prop_assert_eq!((point.coordinate(0, 2), point.coordinate(1, 2)), (x, y));
        prop_assert_eq!(Point::at(&[x]).coordinate(0, 1), x);
        let third = Point::at(&[x, y, x]);
        // 64 bits for three axes leave the first 22 bits, the others 21.
        prop_assert_eq!(third.coordinate(0, 3), x & !0 << 10);
        prop_assert_eq!(third.coordinate(1, 3), y & !0 << 11);
    }

    #[test]
    fn a_point_is_where_its_coordinates_are(zone in zone(), point in any::<u64>(), d in 1..=16_u32) {
        prop_assume!(zone.depth() <= 32 * d);
        let point = Point(point);
        let destination = Destination::new(point, d);
        let inside = (0..d).all(|axis| {
            zone.interval(axis, d).distance(point.coordinate(axis, d)) == 0
        });
        prop_assert_eq!(zone.contains(point), inside);
        prop_assert_eq!(destination.distance_squared(zone) == 0, inside);
    }

    #[test]
    fn neighbours_are_mutual_and_what_lies_beside_is_one(zone in zone(), other in zone(), d in 1..=16_u32) {
        prop_assume!(zone.depth() <= 32 * d && other.depth() <= 32 * d);
        prop_assert_eq!(zone.is_neighbour(other, d), other.is_neighbour(zone, d));
        prop_assert!(!(zone.overlaps(other) && zone.is_neighbour(other, d)));
        for axis in 0..d {
            for larger in [false, true] {
                if let Some(beside) = zone.beside(axis, larger, d) {
                    prop_assert!(beside.is_neighbour(zone, d));
                    prop_assert_eq!(beside.beside(axis, !larger, d), Some(zone));
                }
            }
        }
    }

    #[test]
    fn a_step_towards_a_point_comes_nearer(zone in zone(), point in any::<u64>(), d in 1..=10_u32) {
        prop_assume!(zone.depth() <= 32 * d);
        let destination = Destination::new(Point(point), d);
        let own = destination.distance_squared(zone);
        let beside = (0..d).flat_map(|axis| {
            [false, true].into_iter().filter_map(move |larger| zone.beside(axis, larger, d))
        });
        let nearest = beside.map(|z| destination.distance_squared(z)).min();
        // Greedy routing cannot get stuck where all neighbours are known.
        prop_assert!(own == 0 || nearest.unwrap() < own);
    }
}
