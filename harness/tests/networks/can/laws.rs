//! CAN keeps the laws with each improvement of its paper switched on.

use harness::registry::{self, Assignment};

/// Tries all laws with this setting.
fn keep_the_laws(name: &str, value: &str) {
    let set = [Assignment { name: name.into(), value: value.into() }];
    let can = registry::find("can").expect("CAN is registered");
    for report in can.laws(&set, &[1, 2]).expect("a parameter of CAN") {
        assert!(!report.is_broken(), "{name}={value}: {report}");
    }
}

#[test]
fn with_several_peers_in_a_zone() {
    for peers in ["2", "3", "4"] {
        keep_the_laws("peers", peers);
    }
}

#[test]
fn with_several_realities() {
    keep_the_laws("realities", "2");
}

#[test]
fn with_several_hash_functions() {
    keep_the_laws("hashes", "3");
}

#[test]
fn with_uniform_partitioning() {
    keep_the_laws("uniform", "on");
}

#[test]
fn with_routing_by_round_trip_times() {
    keep_the_laws("weighting", "rtt");
}

#[test]
fn with_landmarks() {
    keep_the_laws("landmarks", "4");
}
