//! Who sent the bad block of a piece that several peers sent together.
//!
//! When a piece fails its hash, the digest of each block is kept with its
//! sender. The piece then comes from one peer alone. If it is good this time,
//! whoever sent a block with another digest lied; if it is bad again, the one
//! peer did.

use std::collections::BTreeMap;

use super::contributors::{ContributorId, Contributors};
use super::effect::BlockDigest;

/// Pieces whose blocks are under suspicion at a time; of more, no digests are
/// kept.
const MAX_PIECES: usize = 64;
/// Digests kept per piece, over all the times it failed.
const MAX_DIGESTS: usize = 4 * 1024;

#[derive(Clone, Copy, Debug)]
struct Suspicion {
    block: u32,
    digest: BlockDigest,
    by: ContributorId,
}

/// The blocks of pieces that failed.
#[derive(Debug, Default)]
pub(super) struct SmartBan {
    pieces: BTreeMap<u32, Vec<Suspicion>>,
}

impl SmartBan {
    /// Whether blocks of this piece are under suspicion: whether their digests
    /// are needed although the piece is good.
    pub(super) fn suspects(&self, piece: u32) -> bool {
        self.pieces.contains_key(&piece)
    }

    /// A piece of several peers is bad.
    pub(super) fn bad(
        &mut self,
        piece: u32,
        digests: &[BlockDigest],
        by: impl Iterator<Item = ContributorId>,
        contributors: &mut Contributors,
    ) {
        if self.pieces.len() >= MAX_PIECES && !self.suspects(piece) {
            return;
        }
        let kept = self.pieces.entry(piece).or_default();
        for (block, (&digest, by)) in digests.iter().zip(by).enumerate() {
            if kept.len() < MAX_DIGESTS {
                contributors.hold(by);
                kept.push(Suspicion { block: block as u32, digest, by });
            }
        }
    }

    /// A piece is good: those who sent other blocks of it before, each once.
    /// They are no longer held: to be looked at before others come.
    pub(super) fn good(
        &mut self,
        piece: u32,
        digests: &[BlockDigest],
        contributors: &mut Contributors,
    ) -> Vec<ContributorId> {
        let kept = self.pieces.remove(&piece).unwrap_or_default();
        let mut liars = Vec::new();
        for suspicion in &kept {
            let digest = digests.get(suspicion.block as usize);
            if digest.is_some_and(|digest| *digest != suspicion.digest) {
                liars.push(suspicion.by);
            }
        }
        liars.sort_unstable();
        liars.dedup();
        kept.iter().for_each(|suspicion| contributors.release(suspicion.by));
        liars
    }
}
