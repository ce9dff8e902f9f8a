//! How a node finds its supernode: a list, five probes, the nearest.
//!
//! The same way leads in at the start, to another supernode when the old one is
//! gone, and away from one that sends its ordinary nodes elsewhere; then the
//! old one serves until the new one has accepted.

use core::mem;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::message::{Message, NodeList};
use super::peer::{Context, Peer};
use super::{Seed, Timer, watch};
use crate::seam::{Addr, Cause, Note, OpId, Outcome, Reason, Span, Time};

/// A join that has not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joining {
    pub op: OpId,
    pub cause: Cause,
}

/// A candidate that was pinged.
#[derive(Clone, Copy, Debug)]
struct Probe {
    candidate: Addr,
    rtt: Option<Span>,
}

/// How far the search for a supernode is.
#[derive(Debug)]
enum Stage {
    /// A source was asked for a list.
    Listing {
        /// Which of the sources.
        at: usize,
    },
    /// Candidates were pinged.
    Probing { since: Time, again: bool, probes: Vec<Probe> },
    /// A candidate was asked to take this node.
    Asking {
        candidate: Addr,
        /// Whether it has answered the greeting and was told who asks.
        told: bool,
        /// Those that come next, the nearest last.
        others: Vec<Addr>,
    },
    /// It became a supernode itself and registers.
    Registering,
}

/// The search for a supernode.
#[derive(Debug)]
pub(super) struct Homing {
    /// Absent when the node was in the network before.
    joining: Option<Joining>,
    /// Whether the candidates come from a source that should know.
    listed: bool,
    /// Candidates not tried yet; the next ones last.
    candidates: Vec<Addr>,
    stage: Stage,
}

impl Homing {
    /// The join that waits for it.
    pub const fn joining(&self) -> Option<Joining> {
        self.joining
    }
}

impl Peer {
    /// Asks for a list of supernodes.
    pub(super) fn look_for_home(&mut self, cx: &mut Context<'_>, joining: Option<Joining>) {
        let stage = Stage::Listing { at: 0 };
        self.homing =
            Some(Box::new(Homing { joining, listed: true, candidates: Vec::new(), stage }));
        self.ask_source(cx, 0);
    }

    fn ask_source(&mut self, cx: &mut Context<'_>, at: usize) {
        self.attempt = self.attempt.wrapping_add(1);
        let Some(homing) = &mut self.homing else { return };
        homing.stage = Stage::Listing { at };
        if let Some(&source) = self.sources.get(at) {
            cx.send(source, Message::ListRequest);
            return watch(cx, self.config.answer_timeout, Timer::Homing(self.attempt));
        }
        // No source answers. What was remembered must do.
        homing.listed = false;
        homing.candidates = self.known.iter().map(|entry| entry.addr).collect();
        homing.candidates.shuffle(cx.rng());
        self.probe_next(cx);
    }

    /// The supernode sends this node away, such as to the first of the list.
    pub(super) fn on_move(&mut self, cx: &mut Context<'_>, from: Addr, list: &NodeList) {
        if self.home != Some(from) || self.homing.is_some() {
            return;
        }
        self.learn(cx, list);
        let mut candidates: Vec<Addr> = list.iter().map(|entry| entry.addr).collect();
        candidates.retain(|&addr| addr != cx.me() && addr != from);
        if let Some((_, rest)) = candidates.split_first_mut() {
            rest.shuffle(cx.rng());
        }
        candidates.reverse();
        let stage = Stage::Listing { at: 0 };
        self.homing = Some(Box::new(Homing { joining: None, listed: false, candidates, stage }));
        self.probe_next(cx);
    }

    /// A list came from a source that was asked for it.
    pub(super) fn on_list(&mut self, cx: &mut Context<'_>, from: Addr, list: &NodeList) {
        let Some(homing) = &mut self.homing else { return };
        match homing.stage {
            Stage::Listing { at } if self.sources.get(at) == Some(&from) => {
                if self.home != Some(from) {
                    cx.close(from);
                }
                homing.candidates = list.iter().map(|entry| entry.addr).collect();
                homing.candidates.retain(|&addr| addr != cx.me());
                homing.candidates.shuffle(cx.rng());
                self.learn(cx, list);
                self.probe_next(cx);
            }
            Stage::Asking { candidate, .. } if candidate == from => {
                self.learn(cx, list);
                self.arrive(cx, from);
            }
            Stage::Registering if self.sources.contains(&from) => self.end_homing(cx),
            _ => {}
        }
    }

    /// Pings the next few candidates.
    fn probe_next(&mut self, cx: &mut Context<'_>) {
        self.attempt = self.attempt.wrapping_add(1);
        let Some(homing) = &mut self.homing else { return };
        let left = homing.candidates.len();
        let some = left.saturating_sub(usize::from(self.config.candidates));
        let probes: Vec<Probe> = homing
            .candidates
            .drain(some..)
            .map(|candidate| Probe { candidate, rtt: None })
            .collect();
        if probes.is_empty() {
            return self.on_no_candidate(cx);
        }
        for probe in &probes {
            cx.send(probe.candidate, Message::Ping { tag: self.attempt });
        }
        homing.stage = Stage::Probing { since: cx.now(), again: false, probes };
        watch(cx, self.config.probe_timeout, Timer::Homing(self.attempt));
    }

    /// A candidate answered a probe: with its distance, or that it takes
    /// nobody.
    pub(super) fn on_probed(&mut self, cx: &mut Context<'_>, from: Addr, tag: u32, takes: bool) {
        if tag != self.attempt {
            return;
        }
        let Some(homing) = &mut self.homing else { return };
        let Stage::Probing { since, probes, .. } = &mut homing.stage else { return };
        let rtt = cx.now().since(*since);
        match probes.iter().position(|p| p.candidate == from && p.rtt.is_none()) {
            Some(at) if takes => probes[at].rtt = Some(rtt),
            Some(at) => _ = probes.swap_remove(at),
            None => return,
        }
        if probes.iter().all(|p| p.rtt.is_some()) {
            self.choose(cx);
        }
    }

    /// Turns to the nearest of the candidates that answered.
    fn choose(&mut self, cx: &mut Context<'_>) {
        let Some(homing) = &mut self.homing else { return };
        let Stage::Probing { probes, .. } = &mut homing.stage else { return };
        probes.retain(|p| p.rtt.is_some());
        probes.sort_unstable_by_key(|p| core::cmp::Reverse((p.rtt, p.candidate)));
        let others = probes.iter().map(|p| p.candidate).collect();
        self.ask_next(cx, others);
    }

    fn ask_next(&mut self, cx: &mut Context<'_>, mut others: Vec<Addr>) {
        let Some(candidate) = others.pop() else { return self.probe_next(cx) };
        self.attempt = self.attempt.wrapping_add(1);
        let Some(homing) = &mut self.homing else { return };
        homing.stage = Stage::Asking { candidate, told: false, others };
        cx.send(candidate, Message::Greeting);
        watch(cx, self.config.answer_timeout, Timer::Homing(self.attempt));
    }

    /// The candidate has answered the greeting: it is told who asks.
    pub(super) fn on_greeted(&mut self, cx: &mut Context<'_>, from: Addr, seed: Seed) {
        let Some(homing) = &mut self.homing else { return };
        let Stage::Asking { candidate, told, .. } = &mut homing.stage else { return };
        if *candidate == from && !*told {
            *told = true;
            let (addr, bandwidth, firewalled) = (cx.me(), self.bandwidth, self.firewalled);
            cx.send(from, Message::NetworkName { seed });
            cx.send(from, Message::UserInfo { addr, bandwidth, firewalled });
        }
    }

    /// The supernode that was asked says no, or is gone.
    pub(super) fn on_not_taken(&mut self, cx: &mut Context<'_>, from: Addr) {
        let Some(homing) = &mut self.homing else { return };
        match &mut homing.stage {
            Stage::Asking { candidate, others, .. } if *candidate == from => {
                let others = mem::take(others);
                self.ask_next(cx, others);
            }
            _ => {}
        }
    }

    /// A peer that homing may wait for cannot be reached or is gone.
    pub(super) fn on_lost_while_homing(&mut self, cx: &mut Context<'_>, peer: Addr) {
        let Some(homing) = &self.homing else { return };
        match homing.stage {
            Stage::Listing { at } if self.sources.get(at) == Some(&peer) => {
                self.ask_source(cx, at + 1);
            }
            Stage::Asking { candidate, .. } if candidate == peer => self.on_not_taken(cx, peer),
            Stage::Registering if self.sources.contains(&peer) => self.end_homing(cx),
            _ => {}
        }
    }

    /// The supernode takes this node: all files are told at once, and the old
    /// supernode is left.
    fn arrive(&mut self, cx: &mut Context<'_>, supernode: Addr) {
        if let Some(old) = self.home.replace(supernode)
            && old != supernode
        {
            self.searches.on_home_lost(cx);
            cx.close(old);
        }
        self.failures = 0;
        cx.note(|| Note::TableChange { table: "supernode", slot: 0, peer: Some(supernode) });
        for item in self.shares.values() {
            cx.send(supernode, Message::Share(item.clone()));
        }
        self.ask_again(cx);
        self.end_homing(cx);
    }

    /// The node has its place.
    fn end_homing(&mut self, cx: &mut Context<'_>) {
        self.attempt = self.attempt.wrapping_add(1);
        if let Some(homing) = self.homing.take()
            && let Some(joining) = homing.joining
        {
            cx.on_behalf_of(joining.cause).finish(joining.op, Outcome::Done);
        }
    }

    /// Nobody on the list takes this node. If others can reach it, it becomes
    /// a supernode: so does whoever comes first.
    fn on_no_candidate(&mut self, cx: &mut Context<'_>) {
        let Some(homing) = &self.homing else { return };
        if self.home.is_some() {
            // Sent away, but nobody else has room: it stays where it is.
            self.homing = None;
        } else if homing.listed && !self.firewalled {
            self.become_supernode(cx);
        } else {
            self.give_up_round(cx);
        }
    }

    /// Registers at the sources; the join ends when one has answered.
    pub(super) fn register_as_supernode(&mut self, cx: &mut Context<'_>, load: u8) {
        self.attempt = self.attempt.wrapping_add(1);
        for &source in &self.sources {
            cx.send(source, Message::Register { load });
        }
        if self.sources.is_empty() {
            self.end_homing(cx);
        } else if let Some(homing) = &mut self.homing {
            homing.stage = Stage::Registering;
            watch(cx, self.config.answer_timeout, Timer::Homing(self.attempt));
        }
    }

    /// A join fails; a node that was in the network tries again later.
    fn give_up_round(&mut self, cx: &mut Context<'_>) {
        let Some(homing) = self.homing.take() else { return };
        match homing.joining {
            Some(joining) => {
                self.member = false;
                let reason = if homing.listed { Reason::Refused } else { Reason::NoContact };
                cx.on_behalf_of(joining.cause).finish(joining.op, Outcome::Failed(reason));
            }
            None => self.wait_for_home(cx),
        }
    }

    /// Waits before it looks for a supernode. The wait doubles with each
    /// failure, and is spread so that not all nodes of a supernode come at
    /// once.
    pub(super) fn wait_for_home(&mut self, cx: &mut Context<'_>) {
        self.attempt = self.attempt.wrapping_add(1);
        let doubled = self.config.rehome_after * (1 << self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        let wait_us = doubled.min(self.config.rehome_max).as_us().max(1_000);
        let spread_us = cx.rng().random_range(0..=wait_us);
        let wait = Span::from_us(wait_us / 2 + spread_us);
        cx.wake_upkeep(wait, Timer::Homing(self.attempt));
    }

    /// An answer is overdue, or the wait is over.
    pub(super) fn on_homing_timer(&mut self, cx: &mut Context<'_>, attempt: u32) {
        if attempt != self.attempt || !self.member {
            return;
        }
        let Some(homing) = &mut self.homing else {
            if self.home.is_none() && self.supernode.is_none() {
                self.look_for_home(cx, None);
            }
            return;
        };
        let cause = homing.joining.map_or(Cause::UPKEEP, |joining| joining.cause);
        let cx = &mut cx.on_behalf_of(cause);
        match &mut homing.stage {
            Stage::Listing { at } => {
                let at = *at;
                self.ask_source(cx, at + 1);
            }
            Stage::Probing { probes, .. } if probes.iter().any(|p| p.rtt.is_some()) => {
                self.choose(cx);
            }
            Stage::Probing { since, again, probes } if !*again => {
                // Probes are datagrams: all of them may have been lost.
                *again = true;
                *since = cx.now();
                for probe in probes {
                    cx.send(probe.candidate, Message::Ping { tag: attempt });
                }
                watch(cx, self.config.probe_timeout, Timer::Homing(attempt));
            }
            Stage::Probing { .. } => self.probe_next(cx),
            Stage::Asking { candidate, others, .. } => {
                cx.close(*candidate);
                let others = mem::take(others);
                self.ask_next(cx, others);
            }
            Stage::Registering => self.end_homing(cx),
        }
    }
}
