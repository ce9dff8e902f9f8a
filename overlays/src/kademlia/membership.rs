//! Entering, leaving, and the jobs of a node (§2.3).

use std::sync::Arc;

use super::contact::Contact;
use super::dialect::Dialect;
use super::table::Seen;
use super::token::Tokens;
use super::work::{End, Errand, Job, Purpose};
use super::{Context, Node, Phase, Share, seconds};
use crate::{Addr, Item, Key, OpId, Outcome, Reason, Span, Time};
use rand::Rng as _;

/// Errands of one job that go on at a time.
const ERRANDS_AT_A_TIME: usize = 3;
/// Contacts that a newcomer asks at first.
const MAX_CONTACTS: usize = 16;

impl<D: Dialect> Node<D> {
    /// A message from `contact` came in: the table learns (§2.2).
    pub(super) fn see(
        &mut self,
        cx: &mut Context<'_, D>,
        contact: Contact,
        answered: bool,
        read_only: bool,
    ) {
        if read_only || contact.addr == self.me.addr || !D::may_be_known(&self.config, &contact) {
            return;
        }
        match self.table.see(contact, answered, seconds(cx.now()), &self.config) {
            Seen::Added if self.config.verify && !answered => self.ping(cx, contact),
            Seen::Check(oldest) => self.ping(cx, oldest),
            Seen::Added | Seen::Known | Seen::Refused => {}
        }
    }

    /// Enters through `via`: a lookup of the own identifier, which also tells
    /// the nearest nodes of the newcomer.
    pub(super) fn enter(&mut self, cx: &mut Context<'_, D>, op: OpId, via: &[Addr]) {
        match self.phase {
            Phase::Member => return cx.finish(op, Outcome::Done),
            Phase::Joining | Phase::Leaving => {
                return cx.finish(op, Outcome::Failed(Reason::Refused));
            }
            Phase::Outside => {}
        }
        self.tokens = Tokens::new(cx.rng().next_u64());
        if via.is_empty() {
            self.phase = Phase::Joining;
            return self.entered(cx, op);
        }
        let others: Vec<Addr> =
            via.iter().copied().filter(|a| *a != self.me.addr).take(MAX_CONTACTS).collect();
        if others.is_empty() {
            return cx.finish(op, Outcome::Failed(Reason::NoContact));
        }
        self.phase = Phase::Joining;
        self.look_up_from(cx, &others, op);
    }

    /// None of the contacts answered.
    pub(super) fn entry_failed(&mut self, cx: &mut Context<'_, D>, op: OpId, reason: Reason) {
        if self.phase == Phase::Joining {
            self.phase = Phase::Outside;
        }
        cx.finish(op, Outcome::Failed(reason));
    }

    /// The own neighbourhood is known. What remains is to refresh all that is
    /// farther away than the closest neighbour, and to announce what is shared.
    pub(super) fn entered(&mut self, cx: &mut Context<'_, D>, op: OpId) {
        let farther = self.table.len().saturating_sub(1);
        let bits = self.config.bits();
        let mut targets: Vec<Key> =
            (0..farther).map(|bucket| self.table.random_in(bucket, bits, cx.rng())).collect();
        targets.extend(self.table.gaps(self.config.k, bits, cx.rng()));
        let mut errands: Vec<Errand> = targets.into_iter().map(Errand::Refresh).collect();
        let shared = self.shares.iter();
        errands.extend(Errand::publish(
            shared.flat_map(|(key, share)| self.announced(*key, &share.item)),
        ));
        let (due, words_due) = self.next_due(cx.now());
        for share in self.shares.values_mut() {
            (share.due, share.words_due) = (due, words_due);
        }
        self.work.put_job(End::Join(op), errands);
    }

    /// Leaves. Kademlia has no farewell: what this node provides expires, unless
    /// it is to be withdrawn; what it keeps for others they have too.
    pub(super) fn depart(&mut self, cx: &mut Context<'_, D>, op: OpId) {
        if self.phase != Phase::Member {
            return cx.finish(op, Outcome::Done);
        }
        self.phase = Phase::Leaving;
        let mut shares = core::mem::take(&mut self.shares);
        if !self.config.farewell {
            shares.clear();
        }
        let errands: Vec<Errand> =
            shares.iter().flat_map(|(key, s)| self.withdrawal(*key, &s.item)).collect();
        self.work.put_job(End::Leave(op), errands);
    }

    /// When what is announced now is to be announced again.
    fn next_due(&self, now: Time) -> (Time, Time) {
        (now + self.config.republish, now + self.config.keyword_republish)
    }

    /// Shares `item` under `key`.
    pub(super) fn share(&mut self, cx: &mut Context<'_, D>, op: OpId, key: Key, item: &Arc<Item>) {
        let (due, words_due) = self.next_due(cx.now());
        let share = Share { item: item.clone(), due, words_due };
        match self.phase {
            Phase::Outside => {
                self.shares.insert(key, share);
                cx.finish(op, Outcome::Done);
            }
            Phase::Joining => {
                self.shares.insert(key, share);
                let errands = Errand::publish(self.announced(key, item));
                if let Some(job) = self.work.job_for(|end| matches!(end, End::Join(_))) {
                    job.queue.extend(errands);
                }
                cx.finish(op, Outcome::Done);
            }
            Phase::Member => {
                self.shares.insert(key, share);
                let errands = Errand::publish(self.announced(key, item));
                self.work.put_job(End::Insert(op), errands);
            }
            Phase::Leaving => cx.finish(op, Outcome::Failed(Reason::NotJoined)),
        }
    }

    /// Stops sharing what is shared under `key`.
    pub(super) fn unshare(&mut self, cx: &mut Context<'_, D>, op: OpId, key: Key) {
        let Some(share) = self.shares.remove(&key) else {
            return cx.finish(op, Outcome::NotFound);
        };
        // What is about to be announced would outlive the withdrawal.
        let places = self.places(key, &share.item);
        self.work.drop_publications(&places, &share.item);
        if self.phase == Phase::Outside {
            return cx.finish(op, Outcome::Done);
        }
        let errands = self.withdrawal(key, &share.item);
        self.work.put_job(End::Delete(op), errands);
    }

    /// Lets all jobs go on that can. Every call into the node ends here.
    pub(super) fn run_jobs(&mut self, cx: &mut Context<'_, D>) {
        while let Some(id) = self.work.next_ready() {
            let Some(job) = self.work.job(id) else { continue };
            if job.running >= ERRANDS_AT_A_TIME {
                continue;
            }
            if let Some(errand) = job.queue.pop_front() {
                job.running += 1;
                self.work.make_ready(id);
                let target = errand.key();
                self.look_up(cx, target, Purpose::Errand { job: id, errand });
            } else if job.running == 0
                && let Some(job) = self.work.take_job(id)
            {
                self.job_done(cx, &job);
            }
        }
    }

    fn job_done(&mut self, cx: &mut Context<'_, D>, job: &Job) {
        // Where something was to be stored, somebody must have taken it.
        let effect = |wanted: bool| {
            if wanted { Outcome::Done } else { Outcome::Failed(Reason::Timeout) }
        };
        match job.end {
            End::Insert(op) => cx.finish(op, effect(job.done > 0)),
            End::Delete(op) => cx.finish(op, Outcome::Done),
            End::Join(op) => {
                if self.phase == Phase::Joining {
                    self.phase = Phase::Member;
                    self.start_upkeep(cx);
                }
                cx.finish(op, Outcome::Done);
            }
            End::Leave(op) => {
                self.phase = Phase::Outside;
                cx.finish(op, Outcome::Done);
            }
            End::Upkeep => {}
        }
    }

    /// Takes a place in the converged network.
    pub(super) fn take_place(&mut self, cx: &mut Context<'_, D>, blueprint: &super::Blueprint) {
        self.phase = Phase::Member;
        self.tokens = Tokens::new(cx.rng().next_u64());
        self.table = blueprint.table_of(self.me, &self.config, cx.rng());
        let own = blueprint.shared_by(self.me.addr);
        self.shares = own
            .map(|item| {
                let due = cx.now() + some_of(self.config.republish, cx);
                let words_due = cx.now() + some_of(self.config.keyword_republish, cx);
                (item.key(), Share { item: item.clone(), due, words_due })
            })
            .collect();
        if !self.is_read_only {
            let now_s = seconds(cx.now());
            let records = blueprint.records_of(self.me, &self.config, cx.rng());
            self.records.settle(records, now_s);
        }
        self.start_upkeep(cx);
    }
}

/// A random part of `span`, so that not everything falls due at once.
fn some_of<D: Dialect>(span: Span, cx: &mut Context<'_, D>) -> Span {
    Span::from_us(cx.rng().next_u64() % span.as_us().max(1))
}
