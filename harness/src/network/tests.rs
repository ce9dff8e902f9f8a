use std::path::Path;
use std::time::Instant;

use overlays::Stream;
use proptest::prelude::*;

use super::*;

fn build(spec: &str, seed: u64) -> Latency {
    let spec = spec.parse().unwrap();
    Latency::build(&spec, &mut Stream::Topology.rng(seed)).unwrap()
}

fn coordinates(text: &str) -> Result<Coordinates, NetworkError> {
    let mut rng = Stream::Topology.rng(1);
    Coordinates::read(text.as_bytes(), Path::new("places.csv"), &mut rng)
}

/// Five made-up places.
const PLACES: &str = "x_ms,y_ms,height_ms\n\
    0,0,1\n30.0,40.0,2.5\r\n\n-10,5,0\n 100.25 , -60 , 7\n3,4,0.001\n";

fn models(seed: u64) -> Vec<(&'static str, Latency)> {
    let mut models: Vec<_> = [
        "constant:50ms",
        "uniform:10ms..90ms",
        "king",
        "transit-stub",
        "transit-stub:1x4x3x8",
        "access:5ms..45ms",
    ]
    .map(|spec| (spec, build(spec, seed)))
    .into();
    models.push(("coords", Latency::Coordinates(coordinates(PLACES).unwrap())));
    models
}

/// The delays in milliseconds of all pairs of `nodes` nodes, sorted.
fn all_pairs(model: &Latency, nodes: u32) -> Vec<f64> {
    let mut delays = Vec::new();
    for a in 0..nodes {
        for b in 0..a {
            delays.push(model.one_way(a, b).as_ms_f64());
        }
    }
    delays.sort_by(f64::total_cmp);
    delays
}

fn mean(delays: &[f64]) -> f64 {
    delays.iter().sum::<f64>() / delays.len() as f64
}

fn close(value: f64, expected: f64, within: f64) {
    assert!((value - expected).abs() <= within, "{value} is not {expected} +- {within}");
}

#[test]
fn delays_are_symmetric_positive_and_repeatable_for_any_node() {
    let nodes = [0, 1, 2, 77, 9_999, 1_000_000, u32::MAX - 1, u32::MAX];
    for ((name, model), (_, again)) in models(3).into_iter().zip(models(3)) {
        for a in nodes {
            assert_eq!(model.one_way(a, a), Span::from_us(1), "{name}");
            for b in nodes {
                let delay = model.one_way(a, b);
                assert!(delay >= Span::from_us(1), "{name}: {a} to {b}");
                assert_eq!(delay, model.one_way(b, a), "{name}: {a} to {b}");
                assert_eq!(delay, again.one_way(a, b), "{name}: {a} to {b}");
            }
        }
    }
}

#[test]
fn seeds_differ() {
    for ((name, one), (_, other)) in models(1).into_iter().zip(models(2)) {
        let differ = (1..100).any(|b| one.one_way(0, b) != other.one_way(0, b));
        assert_eq!(differ, !name.starts_with("constant") && name != "coords", "{name}");
    }
}

#[test]
fn uniform_fills_its_range() {
    let delays = all_pairs(&build("uniform:10ms..90ms", 1), 600);
    close(mean(&delays), 50.0, 0.3);
    assert!(delays[0] >= 10.0 && delays[0] < 10.1);
    assert!(delays[delays.len() - 1] <= 90.0 && delays[delays.len() - 1] > 89.9);
    close(delays[delays.len() / 4], 30.0, 0.5);
    let point = build("uniform:7ms..7ms", 1);
    assert_eq!(point.one_way(1, 2), Span::from_ms(7));
}

/// Li et al. 2005: round trips with median 156 ms and mean 178 ms.
#[test]
fn king_has_the_median_and_mean_of_the_data_set() {
    let delays = all_pairs(&build("king", 1), 1_000);
    close(2.0 * delays[delays.len() / 2], 156.0, 1.0);
    close(2.0 * mean(&delays), 178.0, 1.5);
    assert!(delays[0] > 11.5 && delays[delays.len() - 1] < 526.0);
    // One standard deviation up: 78 ms * exp(0.5137).
    close(delays[(delays.len() as f64 * 0.841_34) as usize], 130.4, 1.0);
}

#[test]
fn access_is_a_sum_of_whole_milliseconds() {
    let model = build("access:5ms..45ms", 1);
    let delays = all_pairs(&model, 500);
    assert!(delays.iter().all(|ms| ms.fract() == 0.0 && (10.0..=90.0).contains(ms)));
    close(mean(&delays), 50.0, 2.0);
    // A sum of links: d(a,b) + d(c,e) = d(a,c) + d(b,e).
    let sum = |a, b, c, e| model.one_way(a, b) + model.one_way(c, e);
    for a in 0..100 {
        assert_eq!(sum(a, a + 1, a + 2, a + 3), sum(a, a + 2, a + 1, a + 3));
    }
}

#[test]
fn coordinates_give_distance_and_heights() {
    let model = coordinates(PLACES).unwrap();
    let delays = all_pairs(&Latency::Coordinates(model), 60);
    let has = |ms: f64| delays.iter().any(|d| (d - ms).abs() < 1e-9);
    assert!(has(50.0 + 1.0 + 2.5), "the first place to the second");
    assert!(has(5.001 + 1.0), "the first place to the last");
    assert!(has(0.001), "two nodes at the third place: the least delay");
    assert!(has((110.25_f64.hypot(65.0) * 1e3).round() / 1e3 + 7.0), "third to fourth");
}

#[test]
fn broken_rows_are_named() {
    let error = |text: &str| coordinates(text).unwrap_err().to_string();
    assert!(error("").contains("no places"));
    assert!(error("x_ms,y_ms,height_ms\n").contains("no places"));
    assert_eq!(error("1,2,3\n"), "places.csv, line 1: expected the heading x_ms,y_ms,height_ms");
    let rows = |rows: &str| error(&format!("x_ms,y_ms,height_ms\n1,2,3\n{rows}"));
    assert_eq!(rows("1,2\n"), "places.csv, line 3: 2 fields rather than 3");
    assert_eq!(rows("1,b,3\n"), "places.csv, line 3, field y_ms: `b` is not a number");
    assert!(rows("NaN,0,0\n").contains("line 3, field x_ms"));
    assert!(rows("0,inf,0\n").contains("line 3, field y_ms"));
    assert!(rows("0,0,-1\n").contains("line 3, field height_ms: `-1` is not in 0..="));
    assert!(rows(&"9".repeat(5_000)).contains("line 3: the line is longer"));
    let missing = LatencySpec::Coordinates("no/such/file.csv".into());
    let error = Latency::build(&missing, &mut Stream::Topology.rng(1)).unwrap_err();
    assert!(error.to_string().starts_with("no/such/file.csv: "));
}

/// The mean path of the CAN paper's topologies was about 115 ms; their shape
/// is not published. Delays of 115 ms mean about 0.9 transit links on a path,
/// which small cores have; the larger default has more.
#[test]
fn transit_stub_delays_are_made_of_links() {
    let small = all_pairs(&build("transit-stub:1x4x3x8", 1), 400);
    let large = all_pairs(&build("transit-stub", 1), 400);
    println!("mean one-way delay: 1x4x3x8 {} ms, 10x5x10x10 {} ms", mean(&small), mean(&large));
    assert!(small.iter().chain(&large).all(|ms| ms.fract() == 0.0 && *ms >= 2.0));
    // Two host links, two uplinks and at least one transit link between two
    // transit routers; a full mesh of four has 3/4 of a link per path.
    assert!((85.0..165.0).contains(&mean(&small)));
    assert!(mean(&large) > mean(&small));
    // The longest path crosses each of the ten domains at most once.
    assert!(large[large.len() - 1] < 2.0 + 2.0 * 20.0 + 49.0 * 100.0);
}

#[test]
fn transit_stub_is_small_and_quick_to_build() {
    let started = Instant::now();
    build("transit-stub", 1);
    let took = started.elapsed();
    assert!(took.as_secs_f64() < 5.0, "it took {took:?}");
}

#[test]
fn specs_are_read_and_written() {
    for text in [
        "constant:50ms",
        "constant:1500us",
        "uniform:10ms..90ms",
        "uniform:1us..3600s",
        "king",
        "coords:a:b.csv",
        "transit-stub",
        "transit-stub:1x4x3x8",
        "access:5ms..45ms",
    ] {
        assert_eq!(text.parse::<LatencySpec>().unwrap().to_string(), text);
    }
    let spec: LatencySpec = "transit-stub:10x5x10x10".parse().unwrap();
    assert_eq!(spec.to_string(), "transit-stub");
    assert_eq!("constant:0.05s".parse(), Ok(LatencySpec::Constant(Span::from_ms(50))));
}

#[test]
fn wrong_specs_say_what_is_wrong() {
    for (text, part) in [
        ("kign", "did you mean `king`?"),
        ("Uniform:1ms..2ms", "did you mean `uniform`?"),
        ("transitstub", "did you mean `transit-stub`?"),
        ("zzzzzzzz", "models: constant:50ms, uniform:10ms..90ms, king"),
        ("", "there is no latency model ``"),
        ("constant", "as in `constant:50ms`"),
        ("constant:", "is not a length of time"),
        ("constant:50", "lacks a unit"),
        ("constant:0ms", "between 1us and 60min"),
        ("constant:2h", "between 1us and 60min"),
        ("uniform:10ms", "`10ms` is not a range"),
        ("uniform:90ms..10ms", "90ms is more than 10ms"),
        ("access:1500us..3ms", "1.5ms is not a whole number of milliseconds"),
        ("king:1", "nothing may follow"),
        ("coords:", "it lacks the file"),
        ("transit-stub:1x2", "`1x2` is not domains"),
    ] {
        let error = text.parse::<LatencySpec>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let _ = text.parse::<LatencySpec>();
    }

    #[test]
    fn no_argument_panics(
        name in "(constant|uniform|access|transit-stub|coords|king)",
        argument in "[0-9a-z.x:-]{0,24}",
    ) {
        if let Ok(spec) = format!("{name}:{argument}").parse::<LatencySpec>() {
            prop_assert_eq!(spec.to_string().parse(), Ok(spec));
        }
    }

    #[test]
    fn no_file_panics(text in "x_ms,y_ms,height_ms\n([0-9e.,+-]{0,12}\n){0,6}") {
        let _ = coordinates(&text);
    }
}

#[test]
fn a_network_without_loss_draws_nothing() {
    let network = Network::new(build("constant:20ms", 1), 0.0).unwrap();
    let mut rng = Stream::Network.rng(1);
    let before = rng.clone();
    assert_eq!(network.deliver(1, 2, &mut rng), Some(Span::from_ms(20)));
    assert_eq!(network.stream_delay(1, 2, &mut rng), Some(Span::from_ms(20)));
    assert_eq!(rng, before);
}

#[test]
fn loss_is_the_fraction_of_datagrams() {
    let network = Network::new(build("constant:20ms", 1), 0.1).unwrap();
    let mut rng = Stream::Network.rng(1);
    let lost = (0..100_000).filter(|_| network.deliver(1, 2, &mut rng).is_none()).count();
    // Five standard deviations of a binomial count.
    close(lost as f64, 10_000.0, 475.0);
    let all = Network::new(build("constant:20ms", 1), 1.0).unwrap();
    assert_eq!(all.deliver(1, 2, &mut rng), None);
    assert_eq!(all.stream_delay(1, 2, &mut rng), None, "it gives up");
}

#[test]
fn loss_delays_streams_by_their_timeouts() {
    let network = Network::new(build("constant:20ms", 1), 0.5).unwrap();
    let mut rng = Stream::Network.rng(1);
    // Waits of 1, 2, 4, ... s, summed up.
    let mut seen = [0_u32; 9];
    for _ in 0..100_000 {
        let place = match network.stream_delay(1, 2, &mut rng) {
            None => 8,
            Some(delay) => {
                let waited = delay.as_us() - 20_000;
                let waits = [0, 1, 3, 7, 15, 31, 63, 123].map(|s| s * 1_000_000);
                waits.iter().position(|wait| *wait == waited).unwrap()
            }
        };
        seen[place] += 1;
    }
    for (retransmissions, count) in seen[..8].iter().enumerate() {
        let expected = 100_000.0 * 0.5_f64.powi(retransmissions as i32 + 1);
        close(f64::from(*count), expected, 5.0 * expected.sqrt());
    }
    assert!(seen[8] > 0, "one in 256 gives up");
}

#[test]
fn loss_must_be_a_fraction() {
    for bad in [1.5, -0.1, f64::NAN, f64::INFINITY] {
        let error = Network::new(build("king", 1), bad).unwrap_err();
        assert!(matches!(error, NetworkError::Loss(_)), "{bad}");
    }
    let text = Network::check_loss(1.5).unwrap_err().to_string();
    assert_eq!(text, "a loss of 1.5 is not a fraction of packets: use 0 to 1");
}

#[test]
fn partitions_cut_and_heal() {
    let mut network = Network::new(build("constant:20ms", 1), 0.0).unwrap();
    let mut rng = Stream::Network.rng(1);
    network.partition_into(&[0, 0, 1, 1, 2]);
    for (a, b, reachable) in
        [(0, 1, true), (2, 3, true), (1, 2, false), (3, 4, false), (4, 4, true), (0, 9, true)]
    {
        assert_eq!(network.reachable(a, b), reachable, "{a} to {b}");
        assert_eq!(network.reachable(b, a), reachable, "{b} to {a}");
        assert_eq!(network.deliver(a, b, &mut rng).is_some(), reachable);
        assert_eq!(network.stream_delay(a, b, &mut rng).is_some(), reachable);
    }
    network.heal();
    assert!(network.reachable(1, 2));
}
