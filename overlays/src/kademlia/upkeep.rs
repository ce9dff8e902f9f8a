//! What a node does unasked: refresh, renew, expire (§2.3, §2.5).

use super::dialect::Dialect;
use super::work::{End, Errand};
use super::{Context, Node, Phase, Timer, seconds};
use crate::{Key, Span, Time};
use rand::Rng as _;

/// How many times a node looks around in the time after which an untouched
/// bucket is refreshed.
const LOOKS_PER_REFRESH: u64 = 4;
/// How long a stale contact is remembered in case it comes back.
const REMEMBER: Span = Span::from_s(24 * 3600);

impl<D: Dialect> Node<D> {
    fn look_every(&self) -> Span {
        Span::from_us(self.config.refresh.as_us() / LOOKS_PER_REFRESH)
    }

    pub(super) fn start_upkeep(&mut self, cx: &mut Context<'_, D>) {
        self.wake_for_upkeep(cx);
    }

    /// Half to one and a half periods from now, so that nodes that started
    /// together do not stay in step.
    fn wake_for_upkeep(&self, cx: &mut Context<'_, D>) {
        let period = self.look_every().as_us();
        let after = period / 2 + cx.rng().next_u64() % period.max(1);
        cx.wake_upkeep(Span::from_us(after), Timer::Upkeep);
    }

    pub(super) fn on_upkeep_timer(&mut self, cx: &mut Context<'_, D>) {
        if self.phase != Phase::Member {
            return;
        }
        self.wake_for_upkeep(cx);
        let now = cx.now();
        self.records.expire(seconds(now));
        let remembered = seconds(now).saturating_sub(seconds(Time::ZERO + REMEMBER));
        self.table.forget(remembered, &self.config);
        if let Some(stale) = self.table.some_stale(&self.config, cx.rng()) {
            self.ping(cx, stale);
        }
        if self.work.is_tending() {
            return;
        }
        let mut errands = self.refreshes(cx);
        errands.extend(self.renewals(now));
        if self.config.replicate > Span::ZERO {
            errands.extend(self.records.due(seconds(now)).into_iter().map(Errand::Replicate));
        }
        if !errands.is_empty() {
            self.work.put_job(End::Upkeep, errands);
        }
    }

    /// Lookups in the range of every bucket where there was none for long, and
    /// around the own place.
    ///
    /// Newcomers ask those who are closest to them and thereby make themselves
    /// known. Nobody asks a read-only node, so it looks for them itself each
    /// time.
    fn refreshes(&mut self, cx: &mut Context<'_, D>) -> Vec<Errand> {
        let refresh_s = seconds(Time::ZERO + self.config.refresh);
        let bits = self.config.bits();
        let limit_s = seconds(cx.now()).checked_sub(refresh_s);
        let buckets = limit_s.map(|limit_s| self.table.untouched(limit_s)).unwrap_or_default();
        let is_own_due = buckets.last().is_some_and(|last| last + 1 == self.table.len());
        let mut targets: Vec<Key> =
            buckets.iter().map(|i| self.table.random_in(*i, bits, cx.rng())).collect();
        if is_own_due || self.is_read_only {
            targets.push(self.me.id);
            targets.extend(self.table.gaps(self.config.k, bits, cx.rng()));
        }
        targets.into_iter().map(Errand::Refresh).collect()
    }

    /// Announcements that are due before the next look or the one after it.
    fn renewals(&mut self, now: Time) -> Vec<Errand> {
        let soon = now + self.look_every() * 2;
        let (next, words_next) = (now + self.config.republish, now + self.config.keyword_republish);
        let mut due = Vec::new();
        for (key, share) in &mut self.shares {
            let (own, words) = (share.due <= soon, share.words_due <= soon);
            if own {
                share.due = next;
            }
            if words {
                share.words_due = words_next;
            }
            if own || words {
                due.push((*key, share.item.clone(), own, words));
            }
        }
        Errand::publish(due.into_iter().flat_map(|(key, item, own, words)| {
            // The item's own place comes first, then those of its words.
            let places = self.announced(key, &item).enumerate();
            let is_due = move |place: usize| if place == 0 { own } else { words };
            places.filter(move |(place, _)| is_due(*place)).map(|(_, announced)| announced)
        }))
    }
}
