use overlays::Stream;
use proptest::prelude::*;

use super::*;

fn place(items: u32, peers: u32, config: &PlacementConfig, seed: u64) -> (Popularity, Placement) {
    let popularity = Popularity::new(items, 0.8, &mut Stream::Workload.rng(seed));
    let placement = Placement::draw(&popularity, peers, config, &mut Stream::Peers.rng(seed));
    (popularity, placement.expect("the configuration is in range"))
}

#[test]
fn the_published_points_come_out_at_two_sizes() {
    for peers in [1_000, 33_335] {
        let (_, placement) = place(2_354, peers, &PlacementConfig::default(), 1);
        let stats = placement.stats();
        assert_eq!(stats.shares, 10 * u64::from(peers));
        assert!((stats.free_riders - 0.66).abs() < 0.001, "{stats:?}");
        assert!((stats.top_1_percent - 0.37).abs() < 0.01, "{stats:?}");
        assert!((stats.top_20_percent - 0.98).abs() < 0.01, "{stats:?}");
    }
}

#[test]
fn copies_follow_popularity() {
    let config = PlacementConfig { concentration: None, free_riders: 0.0, ..Default::default() };
    let (popularity, placement) = place(1_000, 20_000, &config, 3);
    let copies = |ranks: core::ops::Range<u32>| {
        let width = f64::from(ranks.end - ranks.start);
        let of = |rank| placement.providers(popularity.item(rank).unwrap()).len() as f64;
        ranks.map(of).sum::<f64>() / width
    };
    // Peers hold 10 of 1,000 items each: repeats are rare below the first
    // ranks, so copies fall as rank^-0.8.
    let ratio = copies(50..100) / copies(500..1_000);
    assert!((ratio / 10_f64.powf(0.8) - 1.0).abs() < 0.1, "{ratio}");
    assert!(copies(0..1) > copies(9..10) && copies(9..10) > copies(99..100));

    let uniform = PlacementConfig { replication: 0.0, ..config };
    let (_, placement) = place(1_000, 20_000, &uniform, 3);
    let stats = placement.stats();
    assert!(f64::from(stats.copies_max) < 1.4 * stats.copies_mean, "{stats:?}");
}

#[test]
fn sharing_is_independent_of_the_index_of_a_peer() {
    let (_, placement) = place(2_354, 10_000, &PlacementConfig::default(), 5);
    let sharers = |range: core::ops::Range<u32>| {
        range.filter(|p| !placement.shares(*p).is_empty()).count() as f64
    };
    assert!((sharers(0..5_000) / 1_700.0 - 1.0).abs() < 0.1);
}

#[test]
fn the_seed_decides_everything() {
    let of = |seed| place(300, 100, &PlacementConfig::default(), seed).1;
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
}

#[test]
fn what_cannot_be_is_refused() {
    let popularity = Popularity::new(10, 0.8, &mut Stream::Workload.rng(1));
    let good = PlacementConfig::default();
    let skew = Some(Concentration { top_1_percent: 0.0, top_20_percent: 0.5 });
    for (peers, config, part) in [
        (0, good, "at least one peer"),
        (5, PlacementConfig { free_riders: 1.0, ..good }, "fraction from 0"),
        (5, PlacementConfig { free_riders: f64::NAN, ..good }, "fraction from 0"),
        (5, PlacementConfig { mean_shares: -1.0, ..good }, "mean shares"),
        (5, PlacementConfig { replication: 11.0, ..good }, "exponent"),
        (5, PlacementConfig { concentration: skew, ..good }, "no sharing law"),
        (1_000_000, PlacementConfig { mean_shares: 1e4, ..good }, "lower the mean"),
    ] {
        let error = Placement::draw(&popularity, peers, &config, &mut Stream::Peers.rng(1));
        let error = error.unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_item_has_a_provider_and_counts_sum_up(
        items in 1_u32..200,
        peers in 1_u32..150,
        mean_shares in 0.0..60.0,
        free_riders in 0.0..0.8,
        published: bool,
        replication in 0.0..4.0,
        seed: u64,
    ) {
        let concentration = published.then_some(Concentration::GNUTELLA_2000);
        let free_riders = if published { 0.66 } else { free_riders };
        let config = PlacementConfig { free_riders, concentration, mean_shares, replication };
        let (_, placement) = place(items, peers, &config, seed);
        prop_assert_eq!((placement.items(), placement.peers()), (items, peers));
        let mut total = 0;
        for item in 0..items {
            let providers = placement.providers(item);
            prop_assert!(!providers.is_empty());
            prop_assert!(providers.is_sorted_by(|a, b| a < b));
            prop_assert!(providers.iter().all(|p| placement.shares(*p).contains(&item)));
            total += providers.len();
        }
        let mut place = 0;
        for peer in 0..peers {
            let shares = placement.shares(peer);
            prop_assert!(shares.is_sorted_by(|a, b| a < b));
            for item in shares {
                prop_assert_eq!(placement.share(place), (peer, *item));
                place += 1;
            }
        }
        prop_assert_eq!(total as u64, placement.total());
        prop_assert_eq!(place, placement.total());
        prop_assert_eq!(placement.stats().shares, placement.total());
        let sharers = (0..peers).filter(|p| !placement.shares(*p).is_empty()).count();
        let expected = ((1.0 - free_riders) * f64::from(peers)).round().max(1.0);
        prop_assert_eq!(sharers as f64, expected);
    }
}
