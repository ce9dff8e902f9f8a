//! Which pieces a newcomer may have although he is choked (BEP 6).

use std::net::IpAddr;

use sha1::{Digest, Sha1};

use crate::identity::InfoHash;

/// The pieces of a torrent of `pieces` that a peer at `addr` may request while
/// he is choked: `count` of them, or all if there are fewer.
///
/// They follow from the address's network and the torrent, so that a peer gets
/// no more by connecting anew, nor from another address nearby. BEP 6 knows
/// IPv4 only, where the network is the first three bytes; of IPv6 we take the
/// first eight, which is what one site has.
#[must_use]
pub fn allowed_fast(info_hash: InfoHash, addr: IpAddr, pieces: u32, count: usize) -> Vec<u32> {
    let count = count.min(pieces as usize);
    let mut chosen = Vec::with_capacity(count);
    let mut seed = match addr {
        IpAddr::V4(v4) => [&v4.octets()[..3], &[0], &info_hash.0].concat(),
        IpAddr::V6(v6) => [&v6.octets()[..8], &info_hash.0].concat(),
    };
    while chosen.len() < count {
        let digest = Sha1::digest(&seed);
        for word in digest.chunks_exact(4) {
            let piece = u32::from_be_bytes([word[0], word[1], word[2], word[3]]) % pieces;
            if chosen.len() < count && !chosen.contains(&piece) {
                chosen.push(piece);
            }
        }
        seed = digest.to_vec();
    }
    chosen
}
