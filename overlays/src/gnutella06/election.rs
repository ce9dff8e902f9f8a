//! Who becomes an ultrapeer.
//!
//! A servent is fit to be one by its access link and by being reachable. It
//! offers to be one once it has been up for a while, or when an ultrapeer had
//! no room for it as a leaf. The acceptor of the handshake has the last word
//! (leaf guidance, Ultrapeers 1.0 §3.2): while it has leaf slots to spare it
//! says that it needs no ultrapeer, and the dialler becomes its leaf.

use std::sync::Arc;

use super::links::State;
use super::{Config, Gnutella06, Rank};
use crate::seam::{Cx, Profile, Time};

/// Whether a servent is fit to be an ultrapeer: reachable, and with enough
/// bandwidth both ways.
pub(super) fn is_capable(config: &Config, profile: &Profile) -> bool {
    let enough = |bps: u64, kbps: u32| bps >= u64::from(kbps) * 1000;
    !profile.firewalled
        && enough(profile.upload_bps, config.min_upload_kbps)
        && enough(profile.download_bps, config.min_download_kbps)
}

impl Gnutella06 {
    /// Whether it is an ultrapeer, or offers to become one.
    pub(super) fn offers_ultrapeer(&self, now: Time) -> bool {
        let old_enough = now.since(self.up_since) >= self.config.min_uptime;
        self.rank == Rank::Ultrapeer || self.capable && (old_enough && self.state == State::Member)
    }

    /// Whether it would rather have another ultrapeer than another leaf.
    pub(super) fn needs_ultrapeers(&self) -> bool {
        self.config.calls_for_ultrapeers(self.leaves())
    }

    /// Becomes an ultrapeer: says goodbye to those whose leaf it was.
    pub(super) fn become_ultrapeer(&mut self, cx: &mut Cx<'_, Self>) {
        if self.rank == Rank::Ultrapeer {
            return;
        }
        self.part_from_all(cx, &[]);
        self.rank = Rank::Ultrapeer;
        self.table = Arc::new(self.fresh_table());
    }

    /// Founds a network, or what is left of one.
    pub(super) fn found(&mut self, cx: &mut Cx<'_, Self>) {
        self.state = State::Member;
        if !self.firewalled {
            self.become_ultrapeer(cx);
        }
    }
}
