//! The transfer sessions in the simulator: the seam holds, and what the course
//! says of swarms can be measured.

use harness::swarm::Swarm;
use harness::swarm::questions::{
    duplicates, fairness, flash_crowd, pollution, slow_seed, survival,
};
use transfer::session::{Endgame, PieceOrder, SECOND_US};

#[test]
fn a_flash_crowd_of_200_finishes_and_repeats_to_the_bit() {
    let run = || Swarm::new(flash_crowd(1)).run(3_600 * SECOND_US);
    let outcome = run();
    assert_eq!(outcome.finished(), 201);
    // At least what the uplinks of all can carry (Kurose and Ross), and not
    // many times that.
    let uplinks: u64 = flash_crowd(1).nodes.iter().map(|node| node.up).sum();
    let least_s = 200.0 * f64::from(64 * 65_536) / uplinks as f64;
    let mean_s = outcome.mean_finish_s(1..201);
    assert!((0.8 * least_s..3.0 * least_s).contains(&mean_s), "{mean_s} s, least {least_s} s");
    let sent = outcome.nodes[0].uploaded as f64 / f64::from(64 * 65_536);
    assert!(sent < 20.0, "the seed sent {sent} copies to 200 leechers");
    assert_eq!(run(), outcome, "the same seed, the same trace");
    let other = Swarm::new(flash_crowd(2)).run(3_600 * SECOND_US);
    assert_ne!(other.trace, outcome.trace);
}

#[test]
fn rarest_first_keeps_every_piece_alive() {
    for seed in 1..3 {
        let rarest = survival(PieceOrder::RarestFirst, 2.5, seed);
        assert_eq!((rarest.lost, rarest.finished), (0, 40), "seed {seed}: {rarest:?}");
        for order in [PieceOrder::MostFrequentFirst, PieceOrder::Random] {
            let other = survival(order, 2.5, seed);
            assert!(other.least_copies < rarest.least_copies, "seed {seed}, {order:?}: {other:?}");
        }
    }
}

#[test]
fn tit_for_tat_starves_free_riders() {
    for seed in 1..3 {
        let fairness = fairness(seed);
        assert!(fairness.free_riders_s > 1.8 * fairness.contributors_s, "{seed}: {fairness:?}");
    }
}

#[test]
fn hashes_per_piece_stop_pollution() {
    let checked = pollution(true, 1);
    assert_eq!((checked.polluted_nodes, checked.innocent), (0, 0), "{checked:?}");
    assert!(checked.banned_by > 0, "{checked:?}");
    let unchecked = pollution(false, 1);
    assert!(unchecked.polluted_nodes == 40, "{unchecked:?}");
}

#[test]
fn endgame_all_along_wastes_most_of_what_it_carries() {
    let [off, end, always] =
        [Endgame::Off, Endgame::WhenAllRequested, Endgame::Always].map(|mode| duplicates(mode, 1));
    assert_eq!(off.duplicate_percent, 0.0);
    assert!(end.duplicate_percent < 5.0, "{end:?}");
    assert!(end.last_s <= off.last_s, "{end:?}, {off:?}");
    assert!(always.duplicate_percent > 10.0 * end.duplicate_percent.max(1.0), "{always:?}");
}

#[test]
fn a_slow_seed_does_not_hold_up_the_end() {
    let end = slow_seed(Endgame::WhenAllRequested, 1);
    assert!(end.last_s < 5.5 && end.duplicate_percent < 1.0, "{end:?}");
    let off = slow_seed(Endgame::Off, 1);
    assert!(off.last_s > end.last_s + 1.0, "{off:?}");
}
