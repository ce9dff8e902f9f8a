//! What peers are like.

use overlays::{Addr, Profile, Stream};

use crate::workload::draw;

/// Access links and how common they are, after the measurements of Saroiu,
/// Gummadi and Gribble (MMCN 2002): 22 % of Gnutella peers at or under
/// 100 kb/s upstream, 8 % at 10 Mb/s or more, 92 % with 100 kb/s downstream or
/// more. The fractions between those points are ours.
const LINKS: [(f64, u64, u64); 5] = [
    (0.08, 33_000, 56_000),
    (0.14, 100_000, 128_000),
    (0.45, 256_000, 1_500_000),
    (0.25, 1_000_000, 3_000_000),
    (0.08, 10_000_000, 10_000_000),
];

/// The fraction of peers that nobody can open a connection to. Our choice:
/// figures of the time lie between 20 % and 40 %.
const FIREWALLED: f64 = 0.25;

/// The profile of the peer at `addr`: the same in every overlay.
///
/// Peers are drawn one by one from their own streams, so that a larger network
/// is a smaller one with more peers.
pub(crate) fn profile(addr: Addr, peer: u32, seed: u64) -> Profile {
    let mut rng = Stream::Peers.rng_of(seed, 1 + u64::from(peer));
    let weights: Vec<f64> = LINKS.iter().map(|l| l.0).collect();
    let (_, upload_bps, download_bps) = LINKS[draw::weighted(&mut rng, &weights)];
    // The first peer founds the network, so others must reach it.
    let firewalled = draw::chance(&mut rng, FIREWALLED) && peer != 0;
    // The id depends on the peer, not on its address, which servers shift.
    let id = Addr::from_index(peer).key();
    Profile { firewalled, upload_bps, download_bps, ..Profile::peer(addr).with_id(id) }
}
