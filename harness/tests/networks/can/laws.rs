//! CAN keeps the laws with each improvement of its paper switched on.

use std::sync::Arc;

use harness::conformance;
use overlays::can::{Can, Config};

use crate::laws::keep_the_laws;

#[test]
fn with_several_peers_in_a_zone() {
    for peers in ["2", "3", "4"] {
        keep_the_laws("can", "peers", peers);
    }
}

#[test]
fn with_several_realities() {
    keep_the_laws("can", "realities", "2");
}

#[test]
fn with_several_hash_functions() {
    keep_the_laws("can", "hashes", "3");
}

#[test]
fn with_uniform_partitioning() {
    keep_the_laws("can", "uniform", "on");
}

#[test]
fn with_routing_by_round_trip_times() {
    keep_the_laws("can", "weighting", "rtt");
}

#[test]
fn with_landmarks() {
    keep_the_laws("can", "landmarks", "4");
}

#[test]
fn in_more_dimensions() {
    for dimensions in ["3", "10"] {
        keep_the_laws("can", "dimensions", dimensions);
    }
}

#[test]
fn with_caches() {
    keep_the_laws("can", "cache", "16");
}

/// Networks in which a node used to lose touch with all others: one that was
/// displaced while it was about to take a zone over, one that knew nobody around
/// the zone that it took and gave the other away, and one whose half its giver
/// had given to somebody else.
#[test]
fn nobody_is_cut_off_by_deaths_or_loss() {
    let trials = [
        ("deaths-are-survived", &[187, 433, 1190][..]),
        ("loss-is-borne", &[129, 354, 395, 540, 705, 1431]),
    ];
    for (law, seeds) in trials {
        for seed in seeds {
            let config = Arc::new(Config::default());
            let report = conformance::try_one::<Can>(law, &config, *seed).expect("a law");
            assert!(!report.is_broken(), "{report}");
        }
    }
}
