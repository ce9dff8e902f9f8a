//! Taking over the zones of failed neighbours (§2.3).

use std::sync::Arc;

use super::message::{Claim, Contact, Errand, Message, Routed, State};
use super::space::{Failing, Neighbour};
use super::{Can, Context, Phase, Timer, Zone};
use crate::{Addr, Cause, Span};

/// The most failed neighbours that are being taken over at a time.
const MAX_FAILING: usize = 64;
/// The most nodes that are told of a takeover.
const MAX_TOLD: usize = 64;
/// The number of a probe that only asks for a sign of life.
pub(super) const SIGN_OF_LIFE: u32 = 2;

impl Can {
    /// Finds neighbours that have missed too many updates, and starts a timer
    /// for each, in proportion to this node's own volume.
    pub(super) fn bury_silent(&mut self, cx: &mut Context<'_>, at: usize) {
        let (now, patience) = (cx.now(), self.patience());
        let silent = |n: &&Neighbour| now.since(n.heard) > patience;
        let mates = self.spaces[at].mates.iter();
        let gone = mates.filter(|m| now.since(m.heard) > patience);
        let gone: Vec<Addr> = gone.map(|m| m.addr).collect();
        for mate in gone {
            self.remember(at, mate);
        }
        self.spaces[at].keep_mates(|m| now.since(m.heard) <= patience);
        let silent: Vec<Addr> =
            self.spaces[at].neighbours.iter().filter(silent).map(|n| n.addr).collect();
        for addr in silent {
            self.give_up_neighbour(cx, at, addr);
        }
    }

    /// How long nothing may be heard of a neighbour.
    pub(super) fn patience(&self) -> Span {
        self.longest_periods(f64::from(self.config.missed_updates) + 0.5)
    }

    /// So many times the longest that a neighbour lets pass between updates.
    pub(super) fn longest_periods(&self, n: f64) -> Span {
        let period_us = self.config.update.as_us() as f64 * (1.0 + self.config.jitter);
        Span::from_us((period_us * n) as u64)
    }

    /// Asks a neighbour that did not acknowledge messages whether it lives.
    pub(super) fn question(&mut self, cx: &mut Context<'_>, addr: Addr) {
        let cx = &mut cx.on_behalf_of(Cause::UPKEEP);
        for (reality, space) in (0..).zip(&self.spaces) {
            if space.neighbour(addr).is_some() {
                cx.send(addr, Message::Probe { reality, nonce: SIGN_OF_LIFE });
            }
        }
        cx.wake(self.config.request_timeout, Timer::Doubt(addr));
    }

    /// A neighbour that was asked whether it lives has had time to answer.
    pub(super) fn on_doubt_timer(&mut self, cx: &mut Context<'_>, addr: Addr) {
        let most = Neighbour::DOUBTFUL.saturating_add(self.config.retries);
        let mut again = false;
        for at in 0..self.spaces.len() {
            let Some(neighbour) = self.spaces[at].neighbour_mut(addr) else { continue };
            if neighbour.is_responsive() {
                continue;
            }
            neighbour.silent = neighbour.silent.saturating_add(1);
            if neighbour.silent <= most {
                again = true;
            } else {
                self.give_up_neighbour(cx, at, addr);
            }
        }
        if again {
            self.question(cx, addr);
        }
    }

    /// A neighbour is taken for dead.
    fn give_up_neighbour(&mut self, cx: &mut Context<'_>, at: usize, addr: Addr) {
        if let Some(neighbour) = self.spaces[at].forget(addr) {
            if self.shares_zones() {
                self.ask_peers_of(cx, at, addr, &neighbour.state);
            }
            self.bury(cx, at, neighbour);
        }
    }

    fn bury(&mut self, cx: &mut Context<'_>, at: usize, neighbour: Neighbour) {
        let (addr, state) = (neighbour.addr, neighbour.state);
        let takeover = self.config.takeover;
        let own = self.spaces[at].volume();
        let number = self.round_of_failures;
        self.round_of_failures = number.wrapping_add(1);
        self.remember(at, addr);
        let is_held = |c: &Claim| self.spaces[at].is_represented(c.zone);
        if self.shares_zones() && state.claims.iter().all(is_held) {
            return;
        }
        let aside = self.spaces[at].aside();
        if aside.failing.len() >= MAX_FAILING || self.phase != Phase::Member {
            return;
        }
        let failed = state.claims.iter().fold(0_u64, |v, c| v.saturating_add(c.zone.volume()));
        // In proportion to the own volume, and for all who compete with one
        // factor, which the failed node's volume gives.
        let ratio = (own as f64 / failed.max(1) as f64).clamp(1.0 / 16.0, 32.0);
        let after = Span::from_us((takeover.as_us() as f64 * ratio) as u64);
        aside.failing.push(Failing {
            addr,
            number,
            state,
            told: Vec::new(),
            agreed: 0,
            searched: false,
        });
        cx.wake(after, Timer::Takeover { reality: at as u8, number });
        // It may live and only not know that it has this neighbour.
        cx.send(addr, Message::Probe { reality: at as u8, nonce: 0 });
    }

    /// Keeps the address of a node that fell silent, to tell it of this one now
    /// and then.
    pub(super) fn remember(&mut self, at: usize, addr: Addr) {
        let most = self.config.remember_lost;
        let lost = &mut self.spaces[at].aside().lost;
        if most > 0 && !lost.contains(&addr) {
            if lost.len() >= most {
                lost.remove(0);
            }
            lost.push(addr);
        }
    }

    fn failing(&mut self, at: usize, number: u16) -> Option<&mut Failing> {
        let aside = self.spaces[at].aside.as_mut()?;
        aside.failing.iter_mut().find(|f| f.number == number)
    }

    /// The takeover timer of a failed neighbour ran out, or the wait for
    /// objections.
    pub(super) fn on_takeover_timer(&mut self, cx: &mut Context<'_>, reality: u8, number: u16) {
        let Some(at) = self.reality(reality) else { return };
        if self.phase != Phase::Member || !self.spaces[at].is_placed() {
            return;
        }
        let shares_zones = self.shares_zones();
        let Some(failing) = self.failing(at, number) else { return };
        if failing.told.is_empty() && !failing.searched {
            return self.announce_takeover(cx, at, number);
        }
        if (failing.is_little_known() || shares_zones) && !failing.searched {
            failing.searched = true;
            return self.search_around(cx, at, number);
        }
        self.take_over(cx, at, number);
    }

    /// Tells all neighbours of the failed node how large this one's zones are.
    fn announce_takeover(&mut self, cx: &mut Context<'_>, at: usize, number: u16) {
        let (me, d) = (cx.me(), self.config.dimensions);
        let volume = self.spaces[at].volume();
        let Some(failing) = self.failing(at, number) else { return };
        let (failed, state) = (failing.addr, failing.state.clone());
        let adjoins = |n: &&Neighbour| {
            n.zones().any(|zone| state.claims.iter().any(|c| c.zone.is_neighbour(zone, d)))
        };
        let own = self.spaces[at].neighbours.iter().filter(adjoins).map(|n| n.addr);
        // Those who share this node's zone may take over as well.
        let mates = self.spaces[at].mates.iter().map(|m| m.addr);
        let contacts = state.contacts.iter().map(|c| c.addr);
        let mut told: Vec<Addr> = contacts.chain(own).chain(mates).collect();
        told.sort_unstable();
        told.dedup();
        told.retain(|addr| *addr != me && *addr != failed);
        told.truncate(MAX_TOLD);
        if told.is_empty() {
            if let Some(failing) = self.failing(at, number) {
                failing.searched = true;
            }
            return self.search_around(cx, at, number);
        }
        for to in &told {
            cx.send(*to, Message::Takeover { reality: at as u8, failed, volume });
        }
        if let Some(failing) = self.failing(at, number) {
            failing.told = told;
        }
        cx.wake(self.config.request_timeout, Timer::Takeover { reality: at as u8, number });
    }

    /// Fewer than half of the failed node's neighbours answered, or nobody knows
    /// who they are: look for who else lives around it before taking over
    /// (§2.3). Messages to the points beside
    /// its zones find them, through expanding rings where need be. Where zones
    /// are shared, a peer of the failed node may hold them whom none of those
    /// knew who were told, so messages go to points in its zones as well.
    fn search_around(&mut self, cx: &mut Context<'_>, at: usize, number: u16) {
        let d = self.config.dimensions;
        let Some(failing) = self.failing(at, number) else { return };
        let zones: Vec<_> = failing.state.claims.iter().map(|c| c.zone).take(8).collect();
        let is_little_known = failing.is_little_known();
        let sides = (0..d).flat_map(|axis| [(axis, false), (axis, true)]);
        let beside = |zone: Zone| {
            sides.clone().filter_map(move |(axis, larger)| zone.beside(axis, larger, d))
        };
        let mut sought: Vec<Zone> = Vec::new();
        if is_little_known || !self.shares_zones() {
            sought.extend(zones.iter().copied().flat_map(beside));
        }
        if self.shares_zones() {
            sought.extend(self.spaces[at].without_held(zones));
        }
        for zone in sought {
            let errand = Arc::new(Errand::Introduce);
            let mut routed = Routed::errand_of(cx.me(), zone.first(), errand, self.config.ttl);
            routed.reality = at as u8;
            self.set_out(cx, routed);
        }
        cx.wake(self.config.request_timeout * 2, Timer::Takeover { reality: at as u8, number });
    }

    /// Takes over what nobody else holds of a failed node's zones.
    fn take_over(&mut self, cx: &mut Context<'_>, at: usize, number: u16) {
        let (now, me, d) = (cx.now(), cx.me(), self.config.dimensions);
        let space = &mut self.spaces[at];
        let Some(aside) = space.aside.as_mut() else { return };
        let Some(place) = aside.failing.iter().position(|f| f.number == number) else { return };
        let failed = aside.failing.swap_remove(place);
        let orphans = space.without_held(failed.state.claims.iter().map(|c| c.zone).collect());
        if orphans.is_empty() {
            return;
        }
        space.acquire(orphans.into_iter().map(|zone| Claim { zone, firm: false }));
        let lives = |c: &&Contact| c.addr != failed.addr;
        let contacts: Vec<Contact> = failed.state.contacts.iter().filter(lives).copied().collect();
        space.note_contacts(&contacts, me, now, d);
        self.tell_all(cx, at);
        self.tidy(cx, at);
    }

    /// Somebody is about to take over a failed node's zones.
    pub(super) fn on_takeover(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        reality: u8,
        failed: Addr,
        volume: u64,
    ) {
        let Some(at) = self.reality(reality).filter(|at| self.spaces[*at].is_placed()) else {
            return;
        };
        if failed == cx.me() || self.spaces[at].is_mate(failed) {
            // The failed node's zone is this one's too.
            return self.tell(cx, at, from);
        }
        if let Some(neighbour) = self.spaces[at].neighbour_mut(failed)
            && neighbour.is_responsive()
        {
            // It may have failed unnoticed from here.
            neighbour.silent = Neighbour::DOUBTFUL;
            self.question(cx, failed);
        }
        let own = self.spaces[at].volume();
        let smaller = (volume, from) < (own, cx.me());
        let Some(aside) = self.spaces[at].aside.as_mut() else {
            return cx.send(from, Message::Agree { reality, failed });
        };
        let before = aside.failing.len();
        // Of a zone with several peers some know one, and some another.
        let concerns = |f: &Failing| {
            let is_peer = |c: &Contact| f.state.claims.iter().any(|own| own.zone == c.zone);
            f.addr == failed || f.state.contacts.iter().any(|c| c.addr == failed && is_peer(c))
        };
        let competes = aside.failing.iter().any(concerns);
        if competes && !smaller {
            return cx.send(from, Message::Takeover { reality, failed, volume: own });
        }
        aside.failing.retain(|f| !concerns(f));
        if aside.failing.len() < before || !competes {
            cx.send(from, Message::Agree { reality, failed });
        }
    }

    /// Somebody agrees to a takeover.
    pub(super) fn on_agree(&mut self, reality: u8, from: Addr, failed: Addr) {
        let Some(at) = self.reality(reality) else { return };
        let Some(aside) = self.spaces[at].aside.as_mut() else { return };
        if let Some(failing) = aside.failing.iter_mut().find(|f| f.addr == failed)
            && failing.told.contains(&from)
        {
            failing.agreed = failing.agreed.saturating_add(1);
        }
    }

    /// Calls takeovers off: of a node that lives, and of zones that somebody
    /// else holds by now.
    pub(super) fn call_off(&mut self, at: usize, from: Addr, state: &State) {
        let Some(aside) = self.spaces[at].aside.as_mut() else { return };
        aside.lost.retain(|addr| *addr != from);
        aside.failing.retain(|f| {
            let held = |zone| state.claims.iter().any(|c: &Claim| c.zone.covers(zone));
            f.addr != from && !f.state.claims.iter().all(|c| held(c.zone))
        });
    }

    /// Background zone reassignment (§2.3): a node with several zones gets rid
    /// of one. A zone goes to whoever holds its sibling, if that was not split
    /// further; else two sibling zones are looked for in the sibling's part of
    /// the tree of splits, of which one merges and sets its holder free.
    pub(super) fn tidy(&mut self, cx: &mut Context<'_>, at: usize) {
        let space = &self.spaces[at];
        let idle = self.phase == Phase::Member && space.grant().is_none();
        if space.claims.len() < 2 || !idle || self.is_handing_over() {
            return;
        }
        if !space.mates.is_empty() {
            return self.part_with_shared(cx, at);
        }
        let d = self.config.dimensions;
        for claim in space.claims.iter().filter(|c| space.can_spare(c.zone, d)) {
            if let Some(to) = self.holder_of(at, claim.zone.sibling()) {
                let claim = *claim;
                return self.hand_over(cx, at, claim, to);
            }
        }
        let smallest = space.claims.iter().max_by_key(|c| c.zone.depth()).map(|c| c.zone);
        let next = smallest.and_then(|zone| Some((zone, self.inside(at, zone.sibling()?)?)));
        if let Some((zone, to)) = next {
            let (holder, reality) = (cx.me(), at as u8);
            let cx = &mut cx.on_behalf_of(Cause::UPKEEP);
            let ttl = super::Zone::MAX_DEPTH as u8;
            cx.send(to, Message::Reassign { holder, reality, zone, ttl });
        }
    }

    /// The neighbour that holds exactly `zone`.
    fn holder_of(&self, at: usize, zone: Option<super::Zone>) -> Option<Addr> {
        let zone = zone?;
        let mut live = self.spaces[at].neighbours.iter().filter(|n| n.is_responsive());
        live.find(|n| n.zones().any(|z| z == zone)).map(|n| n.addr)
    }

    /// A neighbour with a zone inside `zone`.
    fn inside(&self, at: usize, zone: super::Zone) -> Option<Addr> {
        let mut live = self.spaces[at].neighbours.iter().filter(|n| n.is_responsive());
        live.find(|n| n.zones().any(|z| zone.covers(z))).map(|n| n.addr)
    }

    /// The search for two sibling zones has come here.
    pub(super) fn on_reassign(
        &mut self,
        cx: &mut Context<'_>,
        holder: Addr,
        reality: u8,
        zone: super::Zone,
        ttl: u8,
    ) {
        let Some(at) = self.reality(reality) else { return };
        let [own] = self.spaces[at].claims[..] else { return };
        let within = zone.sibling().is_some_and(|sibling| sibling.covers(own.zone));
        let idle = self.spaces[at].grant().is_none() && !self.is_handing_over();
        if self.phase != Phase::Member || holder == cx.me() || !within || !idle {
            return;
        }
        let has_mates = !self.spaces[at].mates.is_empty();
        if has_mates || self.holder_of(at, own.zone.sibling()).is_some() {
            self.spaces[at].aside().offered = Some((holder, zone));
            return cx.send(holder, Message::Offer { reality, zone });
        }
        let next = own.zone.sibling().and_then(|sibling| self.inside(at, sibling));
        if let Some(to) = next.filter(|_| ttl > 0) {
            cx.send(to, Message::Reassign { holder, reality, zone, ttl: ttl.min(64) - 1 });
        }
    }

    /// Somebody can take over a zone that this node has too many.
    pub(super) fn on_offer(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        reality: u8,
        zone: super::Zone,
    ) {
        let Some(at) = self.reality(reality) else { return };
        let space = &self.spaces[at];
        let idle =
            self.phase == Phase::Member && space.grant().is_none() && !self.is_handing_over();
        let claim = space.claims.iter().find(|c| c.zone == zone).copied();
        let spare = space.claims.len() > 1 && space.can_spare(zone, self.config.dimensions);
        if let Some(claim) = claim.filter(|_| idle && spare) {
            self.hand_over(cx, at, claim, from);
        }
    }
}
