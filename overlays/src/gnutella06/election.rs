//! Who becomes an ultrapeer, and who ceases to be one.
//!
//! A servent is fit to be one by its access link and by being reachable. It
//! comes as one when everyone whom it knows had no room for it as a leaf: at
//! once if it has no ultrapeer, and if it lacks only some, once it has been up
//! for a while, with a chance that makes as many new ultrapeers as the missing
//! links call for. The acceptor of the handshake has the last word (leaf
//! guidance, Ultrapeers 1.0 §3.2): while it has leaf slots to spare it says
//! that it needs no ultrapeer, and the dialler becomes its leaf. An ultrapeer
//! with few leaves asks for the same guidance, and steps down in the end.

use std::sync::Arc;

use rand::RngExt as _;

use super::links::State;
use super::{Config, Gnutella06, Rank, Timer};
use crate::parts::servent::MAX_TRY;
use crate::seam::{Addr, Cx, Profile, Time};

/// Whether a servent is fit to be an ultrapeer: reachable, and with enough
/// bandwidth both ways.
pub(super) fn is_capable(config: &Config, profile: &Profile) -> bool {
    let enough = |bps: u64, kbps: u32| bps >= u64::from(kbps) * 1000;
    !profile.firewalled
        && enough(profile.upload_bps, config.min_upload_kbps)
        && enough(profile.download_bps, config.min_download_kbps)
}

impl Gnutella06 {
    /// Whether it would rather have another ultrapeer than another leaf.
    pub(super) fn needs_ultrapeers(&self) -> bool {
        self.config.calls_for_ultrapeers(self.leaves())
    }

    /// Whether it is a leaf, or would be one, without any ultrapeer.
    pub(super) fn is_stranded(&self) -> bool {
        self.state != State::Outside && self.rank == Rank::Leaf && self.ultrapeers() == 0
    }

    /// Whether it has no ultrapeer, and somebody who may take it is asked.
    pub(super) fn may_be_taken(&self) -> bool {
        self.is_stranded() && (!self.dials.is_empty() || self.asked_cache.is_some())
    }

    /// Everyone known was asked, and nobody took it. Says whether it goes on
    /// as an ultrapeer.
    pub(super) fn comes_as_ultrapeer(&mut self, cx: &mut Cx<'_, Self>) -> bool {
        let Some(peer) = self.needed_by.take() else { return false };
        if self.rank == Rank::Ultrapeer || !(self.is_stranded() || self.offers_itself(cx)) {
            return false;
        }
        self.dial(cx, peer, true);
        true
    }

    /// Whether a leaf that lacks some of its links shall be an ultrapeer.
    ///
    /// Leaves cannot know of each other, so chance decides, once a round: a
    /// new ultrapeer has room for `leaves` links, and so many missing links
    /// make one of them in two rounds, for the news of it takes a round.
    fn offers_itself(&mut self, cx: &mut Cx<'_, Self>) -> bool {
        let due = core::mem::take(&mut self.offer_due);
        let lacking = self.missing() as u32;
        let old_enough = cx.now().since(self.up_since) >= self.config.min_uptime;
        // What it searches for is on its way to it as a leaf.
        due && old_enough
            && self.searches.is_empty()
            && cx.rng().random_range(0..2 * self.config.leaves) < lacking
    }

    /// A leaf that nobody took looks again soon, some times, and then with each
    /// round of upkeep.
    pub(super) fn look_again(&mut self, cx: &mut Cx<'_, Self>) {
        if self.is_stranded() && !self.looking && self.looks_left > 0 {
            self.looks_left -= 1;
            self.looking = true;
            cx.wake_upkeep(self.config.join_retry, Timer::Choose);
        }
    }

    /// Becomes an ultrapeer: says goodbye to those whose leaf it was.
    pub(super) fn become_ultrapeer(&mut self, cx: &mut Cx<'_, Self>) {
        if self.rank == Rank::Ultrapeer {
            return;
        }
        if self.state == State::Member && self.links.is_empty() {
            // It has lost its ultrapeers, and those around it have as well.
            self.stays_until = cx.now() + self.config.min_uptime;
        }
        self.part_from_all(cx, &[]);
        self.rank = Rank::Ultrapeer;
        self.table = Arc::new(self.fresh_table());
    }

    /// Founds a network, or what is left of one.
    pub(super) fn found(&mut self, cx: &mut Cx<'_, Self>) {
        if !self.firewalled {
            self.become_ultrapeer(cx);
        }
        self.state = State::Member;
    }

    /// Whether an ultrapeer would step down if it were told to: it has few
    /// leaves, nobody waits for what it searches, and the network around it is
    /// not about to mend.
    fn would_step_down(&self, now: Time) -> bool {
        let idle = self.searches.is_empty() && self.dynamic.is_empty();
        let is_sparse = self.rank == Rank::Ultrapeer && self.config.is_sparse(self.leaves());
        is_sparse && idle && now >= self.stays_until
    }

    /// An ultrapeer with few leaves asks one of its ultrapeers for guidance, by
    /// another handshake on the link. Where few links come and go it would
    /// otherwise never hear that it is not needed.
    pub(super) fn ask_for_guidance(&mut self, cx: &mut Cx<'_, Self>) {
        if !self.would_step_down(cx.now()) || !self.dials.is_empty() || self.ultrapeers() == 0 {
            return;
        }
        let nth = cx.rng().random_range(0..self.ultrapeers());
        let Some(peer) = self.peers_of(Rank::Ultrapeer).nth(nth) else { return };
        self.guide = Some(peer);
        self.dial(cx, peer, true);
    }

    /// Takes the guidance of `acceptor` on whether ultrapeers are needed.
    pub(super) fn follow_guidance(
        &mut self,
        cx: &mut Cx<'_, Self>,
        acceptor: Addr,
        offered: bool,
        needed: bool,
    ) {
        if self.rank == Rank::Leaf {
            if offered && needed {
                self.become_ultrapeer(cx);
            }
            return;
        }
        // If all who are not needed went at once, too few would be left.
        let asked = self.guide.take_if(|guide| *guide == acceptor).is_some();
        if asked && !needed && self.would_step_down(cx.now()) {
            let heeds = cx.rng().random_range(0..self.config.guidance) == 0;
            if heeds {
                self.step_down(cx, acceptor);
            }
        }
    }

    /// Becomes a leaf of `acceptor`: says goodbye to all, and names its
    /// ultrapeers, where there may be room.
    fn step_down(&mut self, cx: &mut Cx<'_, Self>, acceptor: Addr) {
        self.remove_link(cx, acceptor);
        let others = self.peers_of(Rank::Ultrapeer);
        let mut hosts: Vec<Addr> = core::iter::once(acceptor).chain(others).collect();
        for host in &hosts {
            self.hosts.learn(*host);
        }
        hosts.truncate(MAX_TRY);
        self.part_from_all(cx, &hosts);
        self.drop_handshakes(cx);
        self.rank = Rank::Leaf;
        self.table = Arc::new(self.fresh_table());
    }
}
