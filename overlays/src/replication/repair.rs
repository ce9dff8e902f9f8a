//! Anti-entropy: who beats, who is dead, and what two replicas do whose
//! digests differ (after Demers et al., *Epidemic algorithms for replicated
//! database maintenance*, PODC 1987; the buckets stand for one level of a
//! hash tree).

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::RngExt as _;

use super::block::Block;
use super::message::{BUCKETS, MAX_VERSIONS, Message, Versions};
use super::origin::Version;
use super::peer::{Context, State};
use super::{Replication, Timer};
use crate::seam::{Addr, Cause, Span, Time};

/// The most buckets whose versions are compared at a time; the others have
/// their turn at later beats.
const MAX_BUCKETS: usize = 32;
/// The most blocks that one comparison sends.
const MAX_BLOCKS: usize = 512;

/// A beat: to every neighbour, to one member drawn at random, and to one of
/// those who went, in case it was cut off and is back.
pub(super) fn beat(peer: &mut Replication, cx: &mut Context<'_>) {
    bury_the_silent(peer, cx);
    find_neighbours(peer, cx);
    let digest = peer.replica.digest();
    for neighbour in peer.neighbours.iter() {
        cx.send(neighbour, Message::Beat { digest, linked: true });
    }
    let probe = match peer.neighbours.probe() {
        Some((addr, tries)) => Some((addr, tries.saturating_add(1))),
        None => peer.replica.any_member(cx.rng()).map(|addr| (addr, 1)),
    };
    let me = cx.me();
    let probe = probe.filter(|(addr, _)| *addr != me && !peer.neighbours.contains(*addr));
    peer.neighbours.set_probe(probe);
    let back = peer.replica.any_gone(cx.rng());
    for addr in probe.map(|(addr, _)| addr).into_iter().chain(back) {
        cx.send(addr, Message::Beat { digest, linked: false });
    }
}

/// Says of neighbours and of the member looked after that they are gone, when
/// they have been silent too long. Whoever lives refutes it.
///
/// A neighbour beats too, so that two losses must meet to miss it; a member is
/// heard of by its echo alone, and has twice as many chances.
fn bury_the_silent(peer: &mut Replication, cx: &mut Context<'_>) {
    let misses = u64::from(peer.config.misses);
    // A beat may come up to half a beat late.
    let patience = Span::from_us(peer.config.beat.as_us() * (2 * misses + 1) / 2);
    let mut dead = Vec::new();
    if let Some(since) = cx.now().as_us().checked_sub(patience.as_us()) {
        dead = peer.neighbours.silent_since(Time::from_us(since));
    }
    if let Some((addr, tries)) = peer.neighbours.probe()
        && tries >= 2 * peer.config.misses
    {
        dead.push(addr);
    }
    for addr in dead {
        peer.neighbours.remove(addr);
        if let Some(Version { epoch, gone: false, .. }) = peer.replica.version(addr) {
            peer.publish(cx, Block::gone(addr, epoch));
        }
    }
}

/// Asks for one more link as long as there are too few.
fn find_neighbours(peer: &Replication, cx: &mut Context<'_>) {
    if peer.neighbours.asked() >= usize::from(peer.config.links) {
        return;
    }
    let member = peer.replica.any_member(cx.rng());
    if let Some(member) = member.filter(|m| *m != cx.me()) {
        cx.send(member, Message::Link);
    }
}

impl Replication {
    pub(super) fn on_link(&mut self, cx: &mut Context<'_>, from: Addr) {
        let most = usize::from(self.config.max_links);
        let is_in = matches!(self.state, State::In) && from != cx.me();
        let accepted = is_in && self.neighbours.add(from, false, cx.now(), most);
        cx.send(from, Message::Linked(accepted));
    }

    pub(super) fn on_linked(&mut self, cx: &mut Context<'_>, from: Addr, accepted: bool) {
        if !matches!(self.state, State::In) || from == cx.me() {
            return;
        }
        if !accepted {
            return self.neighbours.remove(from);
        }
        let most = usize::from(self.config.max_links);
        let asked = self.neighbours.asked() < usize::from(self.config.links);
        if self.neighbours.add(from, asked, cx.now(), most) {
            // What was said between the copy and the link is made up for now.
            let digest = self.replica.digest();
            cx.on_behalf_of(Cause::UPKEEP).send(from, Message::Beat { digest, linked: true });
        }
    }

    pub(super) fn on_beat(&mut self, cx: &mut Context<'_>, from: Addr, linked: bool) {
        if !matches!(self.state, State::In) || from == cx.me() {
            return;
        }
        self.neighbours.heard(from, cx.now());
        let most = usize::from(self.config.max_links);
        if linked && !self.neighbours.add(from, false, cx.now(), most) {
            cx.send(from, Message::Linked(false));
        }
        // After a partition heals, both halves have links enough; only those
        // who find each other back can join the two graphs again.
        if self.replica.version(from).is_some_and(|version| version.gone) {
            cx.send(from, Message::Link);
        }
        cx.send(from, Message::Echo { digest: self.replica.digest() });
    }

    pub(super) fn on_echo(&mut self, cx: &mut Context<'_>, from: Addr, digest: u64) {
        if !matches!(self.state, State::In) {
            return;
        }
        self.neighbours.heard(from, cx.now());
        if digest != self.replica.digest() {
            cx.send(from, Message::Buckets(self.replica.buckets()));
        }
    }

    /// Lists what this replica knows in the buckets that differ.
    pub(super) fn on_buckets(&self, cx: &mut Context<'_>, from: Addr, theirs: &[u32; BUCKETS]) {
        if !matches!(self.state, State::In) {
            return;
        }
        let own = self.replica.buckets();
        let mut buckets: Vec<u8> =
            (0..=u8::MAX).filter(|&b| own[usize::from(b)] != theirs[usize::from(b)]).collect();
        if buckets.len() > MAX_BUCKETS {
            let turn = cx.rng().random_range(0..buckets.len());
            buckets.rotate_left(turn);
            buckets.truncate(MAX_BUCKETS);
        }
        let versions = self.replica.versions_in(&buckets);
        let mut list: Vec<(Addr, Version)> = versions.take(MAX_VERSIONS + 1).collect();
        let complete = list.len() <= MAX_VERSIONS;
        list.truncate(MAX_VERSIONS);
        list.sort_unstable_by_key(|(addr, _)| *addr);
        cx.send(from, Message::Versions(Box::new(Versions { buckets, complete, list })));
    }

    /// Asks for what the other side knows better, and sends what this one
    /// does.
    pub(super) fn on_versions(&mut self, cx: &mut Context<'_>, from: Addr, theirs: &Versions) {
        if !matches!(self.state, State::In) {
            return;
        }
        let mut want = Vec::new();
        let mut give = Vec::new();
        for &(addr, version) in &theirs.list {
            let own = self.replica.version(addr);
            match own {
                Some(own) if own > version => give.push((addr, Some(version))),
                Some(own) if own == version => {}
                _ => want.push((addr, own.unwrap_or_default())),
            }
        }
        if theirs.complete {
            let listed: BTreeSet<Addr> = theirs.list.iter().map(|(addr, _)| *addr).collect();
            let unknown = self.replica.versions_in(&theirs.buckets);
            let unknown = unknown.filter(|(addr, v)| !v.gone && !listed.contains(addr));
            give.extend(unknown.map(|(addr, _)| (addr, None)));
        }
        if !want.is_empty() {
            cx.send(from, Message::Want(want));
        }
        self.give(cx, from, &give);
    }

    pub(super) fn on_want(&self, cx: &mut Context<'_>, from: Addr, wanted: &[(Addr, Version)]) {
        if !matches!(self.state, State::In) {
            return;
        }
        let give: Vec<_> = wanted.iter().map(|&(addr, known)| (addr, Some(known))).collect();
        self.give(cx, from, &give);
    }

    /// Sends what is new to someone who knows those peers that far.
    fn give(&self, cx: &mut Context<'_>, to: Addr, wanted: &[(Addr, Option<Version>)]) {
        let mut sent = 0;
        for &(addr, known) in wanted {
            let Some(origin) = self.replica.get(addr) else { continue };
            if known.is_some_and(|known| known >= origin.version()) {
                continue;
            }
            for block in origin.blocks_for(addr, known) {
                if sent == MAX_BLOCKS {
                    return;
                }
                sent += 1;
                cx.send(to, Message::News(Arc::new(block)));
            }
        }
    }

    pub(super) fn on_timer_due(&mut self, cx: &mut Context<'_>, timer: Timer) {
        match timer {
            Timer::Page(page) => self.on_page_overdue(cx, page),
            Timer::Beat(life) => self.on_beat_due(cx, life),
        }
    }
}
