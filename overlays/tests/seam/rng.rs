//! The random streams: portable and independent.

use std::collections::BTreeSet;

use overlays::Stream;
use rand::Rng as _;

const STREAMS: [Stream; 6] = [
    Stream::Topology,
    Stream::Peers,
    Stream::Workload,
    Stream::Churn,
    Stream::Network,
    Stream::Protocol,
];

/// Computed apart from this code, with Python: SHA-1 over name, seed and index
/// seeds SplitMix64, which fills the state of Xoshiro256++.
#[test]
fn golden_values() {
    let first_two = STREAMS.map(|stream| {
        let mut rng = stream.rng(1);
        (rng.next_u64(), rng.next_u64())
    });
    let expected = [
        (0x30c6_b15d_ff31_af51, 0x0f0d_c2b5_2b4c_a92b),
        (0x6934_e07c_f0d5_28a4, 0x4066_fbcc_a9bb_b611),
        (0xbdbf_b2b2_e74a_5812, 0x56ce_3323_b4b2_7784),
        (0x5fd9_5dc2_9a1a_0ddf, 0x7773_cfec_43c8_db5b),
        (0x74a3_fd9f_b782_3b37, 0xd95c_85bc_4f3c_7da5),
        (0x5f2e_c1e1_0386_f045, 0x4e5f_d04f_ee16_c6e9),
    ];
    assert_eq!(first_two, expected);
    assert_eq!(Stream::Protocol.rng_of(1, 7).next_u64(), 0xfd36_bd39_d90a_13a3);
    assert_eq!(Stream::Protocol.rng_of(u64::MAX, u64::MAX).next_u64(), 0xdc10_ebf3_1135_9f99);
}

#[test]
fn streams_seeds_and_indices_differ() {
    let mut seen = BTreeSet::new();
    for stream in STREAMS {
        for seed in 0..20 {
            for index in 0..20 {
                assert!(seen.insert(stream.rng_of(seed, index).next_u64()));
            }
        }
    }
    assert_eq!(Stream::Churn.rng(3), Stream::Churn.rng_of(3, 0));
}
