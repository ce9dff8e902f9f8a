//! TEST DATA. Documents with invented figures of plausible shape, drawn from
//! fixed seeds, for the tests of documents and reports. Nothing here is measured.

use overlays::{Growth, Theory};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{
    Catalog, Document, Engine, Graph, GrowthFits, GrowthPoints, Kind, Load, Operation, Operations,
    OverlayRow, Reach, SearchPower, Storage, TheoryText, Upkeep, parameter_value,
};
use crate::stats::{Detail, Summary, Tally, across_seeds};

/// Five invented seeds of `count` samples each.
fn seeds(count: u64, stream: u64, draw: impl Fn(&mut Xoshiro256PlusPlus) -> f64) -> Vec<Tally> {
    let seed = |seed| {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(stream * 100 + seed);
        (0..count).map(|_| draw(&mut rng).max(0.0).round() as u64).collect()
    };
    (1..=5).map(seed).collect()
}

fn counts(stream: u64, draw: impl Fn(&mut Xoshiro256PlusPlus) -> f64) -> Option<Summary> {
    across_seeds(&seeds(1000, stream, draw), 1.0, Detail::Histogram)
}

fn times(stream: u64, draw: impl Fn(&mut Xoshiro256PlusPlus) -> f64) -> Option<Summary> {
    across_seeds(&seeds(1000, stream, |rng| draw(rng) * 1000.0), 0.001, Detail::Curve)
}

/// Roughly normal, from twelve uniform draws.
fn bell(rng: &mut Xoshiro256PlusPlus, mean: f64, sd: f64) -> f64 {
    let sum: f64 = (0..12).map(|_| rng.random_range(0.0..1.0)).sum();
    mean + sd * (sum - 6.0)
}

fn operation(stream: u64, correct: u64, hops: f64, ms: f64, messages: f64) -> Operation {
    Operation {
        count: 5000,
        correct,
        incomplete: (5000 - correct) * 2 / 3,
        wrong: 0,
        failed: 5000 - correct - (5000 - correct) * 2 / 3,
        unsupported: 0,
        hops: counts(stream, |rng| bell(rng, hops, hops.sqrt() / 2.0)),
        latency_ms: times(stream + 1, |rng| bell(rng, ms, ms / 3.0).max(4.0)),
        first_answer_ms: None,
        messages: counts(stream + 2, |rng| bell(rng, messages, messages / 12.0)),
        bytes: counts(stream + 3, |rng| bell(rng, messages * 48.0, messages * 4.0)),
        timeouts: counts(stream + 4, |_| 0.0),
        recall: Some(correct as f64 / 5000.0),
    }
}

fn storage(stream: u64, routing: f64, index: f64, fullest: f64) -> Option<Storage> {
    let spread = |stream, mean: f64, fullest: f64| {
        let mut tallies =
            seeds(1000, stream, |rng| -mean * rng.random_range(0.0_f64..1.0).max(1e-9).ln());
        tallies[0].record(fullest as u64);
        across_seeds(&tallies, 1.0, Detail::Histogram)
    };
    Some(Storage {
        routing_entries: counts(stream, |rng| bell(rng, routing, routing.sqrt() / 3.0))?,
        index_entries: spread(stream + 1, index, fullest)?,
        bytes: spread(stream + 2, routing * 26.0 + index * 80.0, fullest * 80.0)?,
    })
}

fn points(stream: u64, curve: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(stream);
    (6..=10)
        .map(|k| f64::from(1 << k))
        .map(|n| (n, curve(n) * rng.random_range(0.99..1.01)))
        .collect()
}

fn engine(messages: u64, wall_s: f64) -> Option<Engine> {
    Some(Engine {
        cpu_s: None,
        messages_per_cpu_s: None,
        events: messages * 5 / 4,
        messages,
        wall_s,
        messages_per_s: messages as f64 / wall_s,
        peak_rss_bytes: Some(48_300_000),
    })
}

fn parameters(list: &[(&str, &str)]) -> Vec<(String, serde_json::Value)> {
    list.iter().map(|&(name, value)| (name.to_string(), parameter_value(value))).collect()
}

fn by_type(list: &[(&str, u64)]) -> Vec<(String, u64)> {
    list.iter().map(|&(name, count)| (name.to_string(), count)).collect()
}

fn with_growth(mut row: OverlayRow, theory: Theory, points: GrowthPoints) -> OverlayRow {
    row.theory = Some(TheoryText::from(theory));
    row.growth = Some(GrowthFits::of_points(&points, &theory));
    row.growth_points = Some(points);
    row
}

fn napster() -> OverlayRow {
    let row = OverlayRow {
        overlay: "napster".into(),
        title: "Napster".into(),
        source: "OpenNap protocol, 2001".into(),
        idea: "Everyone tells one server what they share, and asks it.".into(),
        nodes: 1000,
        servers: 1,
        parameters: parameters(&[("result_limit", "100"), ("ping_candidates", "5")]),
        search_power: Some(SearchPower { exact: true, keywords: true }),
        operations: Operations {
            search: Some(operation(100, 5000, 1.0, 182.0, 2.0)),
            keyword_search: Some(operation(110, 4985, 1.0, 190.0, 2.0)),
            insert: Some(operation(120, 5000, 1.0, 91.0, 1.0)),
            delete: Some(operation(130, 5000, 1.0, 91.0, 1.0)),
            join: Some(operation(140, 5000, 1.0, 181.0, 4.0)),
            leave: Some(operation(150, 5000, 1.0, 0.0, 1.0)),
            ..Operations::default()
        },
        upkeep: Some(Upkeep { messages_per_node_s: 0.0166, bytes_per_node_s: 0.4 }),
        storage: storage(160, 1.0, 2.0, 4871.0),
        load: counts(165, |rng| bell(rng, 9.0, 2.0))
            .map(|messages_received| Load { messages_received }),
        messages_by_type: by_type(&[
            ("Login", 5000),
            ("Share", 24_355),
            ("Search", 10_000),
            ("SearchReply", 10_000),
            ("Ping", 21_870),
            ("Pong", 21_870),
        ]),
        graph: Some(Graph { components: 1, diameter: Some(2), degree: counts(170, |_| 1.0) }),
        engine: engine(93_095, 0.06),
        trace_hash: "5c1d0f3b9a2e4477".into(),
        ..OverlayRow::default()
    };
    let theory = Theory {
        search_latency: Growth::Constant,
        search_messages: Growth::Constant,
        update_messages: Growth::Constant,
        storage_max: Growth::Linear,
        storage_mean: Growth::Constant,
    };
    let points = GrowthPoints {
        search_latency: points(1, |_| 1.0),
        search_messages: points(2, |_| 2.0),
        update_messages: points(3, |_| 1.0),
        storage_max: points(4, |n| 4.87 * n),
        storage_mean: points(5, |_| 4.87),
    };
    with_growth(row, theory, points)
}

fn gnutella() -> OverlayRow {
    let row = OverlayRow {
        overlay: "gnutella".into(),
        title: "Gnutella 0.4".into(),
        source: "Gnutella protocol specification 0.4, 2001".into(),
        idea: "Ask all neighbours, who ask theirs, until the query has run its length.".into(),
        nodes: 1000,
        parameters: parameters(&[("degree", "4"), ("ttl", "7"), ("search", "flood")]),
        search_power: Some(SearchPower { exact: true, keywords: true }),
        operations: Operations {
            search: Some(operation(200, 4931, 3.6, 655.0, 2911.0)),
            keyword_search: Some(operation(210, 4870, 2.4, 480.0, 2954.0)),
            insert: Some(operation(220, 5000, 0.0, 0.0, 0.0)),
            delete: Some(operation(230, 5000, 0.0, 0.0, 0.0)),
            join: Some(operation(240, 5000, 5.1, 910.0, 1870.0)),
            leave: Some(operation(250, 5000, 0.0, 0.0, 0.0)),
            ..Operations::default()
        },
        upkeep: Some(Upkeep { messages_per_node_s: 11.3, bytes_per_node_s: 296.0 }),
        storage: storage(260, 40.0, 5.0, 211.0),
        reach: Some(Reach {
            distinct_nodes: counts(265, |rng| bell(rng, 987.0, 6.0)).unwrap(),
            duplicate_messages: counts(266, |rng| bell(rng, 1875.0, 90.0)).unwrap(),
        }),
        load: counts(268, |rng| bell(rng, 29_000.0, 5100.0))
            .map(|messages_received| Load { messages_received }),
        messages_by_type: by_type(&[
            ("Ping", 4_310_220),
            ("Pong", 3_998_110),
            ("Query", 28_870_331),
            ("QueryHit", 433_872),
            ("Push", 0),
        ]),
        graph: Some(Graph {
            components: 1,
            diameter: Some(8),
            degree: counts(270, |rng| bell(rng, 4.0, 0.9)),
        }),
        engine: engine(37_612_533, 9.4),
        trace_hash: "e80b6612c4d9a053".into(),
        notes: vec!["A query with TTL 7 and degree 4 sees almost all of 1,000 peers.".into()],
        ..OverlayRow::default()
    };
    let theory = Theory {
        search_latency: Growth::Log,
        search_messages: Growth::Linear,
        update_messages: Growth::Constant,
        storage_max: Growth::Constant,
        storage_mean: Growth::Constant,
    };
    let points = GrowthPoints {
        search_latency: points(11, |n| 0.36 * n.log2()),
        search_messages: points(12, |n| 2.9 * n),
        update_messages: points(13, |_| 0.0),
        storage_max: points(14, |n| 60.0 + 12.0 * n.log2()),
        storage_mean: points(15, |_| 44.0),
    };
    with_growth(row, theory, points)
}

fn chord() -> OverlayRow {
    let unsupported = Operation { count: 5000, unsupported: 5000, ..Operation::default() };
    let row = OverlayRow {
        overlay: "chord".into(),
        title: "Chord".into(),
        source: "Stoica et al., SIGCOMM 2001".into(),
        idea: "Each key belongs to the next node on a ring; fingers halve the way to it.".into(),
        nodes: 1000,
        parameters: parameters(&[
            ("bits", "160"),
            ("successors", "8"),
            ("stabilise", "20s"),
            ("routing", "recursive"),
            ("keyword_index", "off"),
        ]),
        search_power: Some(SearchPower { exact: true, keywords: false }),
        operations: Operations {
            search: Some(operation(300, 5000, 5.0, 543.0, 6.0)),
            keyword_search: Some(unsupported),
            insert: Some(operation(320, 5000, 5.0, 540.0, 7.0)),
            delete: Some(operation(330, 5000, 5.0, 541.0, 7.0)),
            join: Some(operation(340, 4998, 5.2, 1240.0, 96.0)),
            leave: Some(operation(350, 5000, 1.0, 95.0, 3.0)),
            ..Operations::default()
        },
        upkeep: Some(Upkeep { messages_per_node_s: 0.61, bytes_per_node_s: 23.4 }),
        storage: storage(360, 18.0, 4.9, 38.0),
        load: counts(365, |rng| bell(rng, 420.0, 130.0))
            .map(|messages_received| Load { messages_received }),
        messages_by_type: by_type(&[
            ("FindSuccessor", 172_443),
            ("Successor", 60_112),
            ("GetPredecessor", 151_060),
            ("Predecessor", 151_058),
            ("Notify", 150_988),
            ("Store", 24_355),
            ("Fetch", 5000),
            ("Providers", 5000),
        ]),
        graph: Some(Graph {
            components: 1,
            diameter: Some(6),
            degree: counts(370, |rng| bell(rng, 17.6, 1.2)),
        }),
        engine: engine(720_016, 0.31),
        trace_hash: "19f7a2c85de60b34".into(),
        ..OverlayRow::default()
    };
    let theory = Theory {
        search_latency: Growth::Log,
        search_messages: Growth::Log,
        update_messages: Growth::Log,
        storage_max: Growth::Log,
        storage_mean: Growth::Log,
    };
    let points = GrowthPoints {
        search_latency: points(21, |n| 0.5 * n.log2()),
        search_messages: points(22, |n| 1.0 + 0.5 * n.log2()),
        update_messages: points(23, |n| 2.0 + 0.5 * n.log2()),
        storage_max: points(24, |n| 4.0 + 2.1 * n.log2()),
        storage_mean: points(25, |n| 8.0 + 0.95 * n.log2()),
    };
    with_growth(row, theory, points)
}

/// An invented comparison of three overlays.
pub(crate) fn comparison() -> Document {
    Document {
        command: "overlab compare --nodes 1000 --searches 1000 --seeds 5 --seed 1".into(),
        version: "0.1.0".into(),
        seed: 1,
        seeds: 5,
        nodes: 1000,
        trace_hash: "8a41c0e7d25b9f36".into(),
        searches: Some(5000),
        latency_model: Some("king".into()),
        loss: Some(0.0),
        catalog: Some(Catalog {
            name: "builtin".into(),
            items: 2400,
            shares: 4871,
            free_riders: 660,
        }),
        notes: vec!["Test data: every figure in this document is invented.".into()],
        overlays: vec![napster(), gnutella(), chord()],
        ..Document::default()
    }
}

/// An invented run of one overlay.
pub(crate) fn simulation() -> Document {
    let mut row = chord();
    row.growth = None;
    row.growth_points = None;
    Document {
        kind: Kind::Sim,
        command: "overlab sim chord --nodes 1000 --searches 1000 --seed 1".into(),
        seeds: 1,
        overlays: vec![row],
        ..comparison()
    }
}
