//! The web cache: a server that hands out ultrapeers to newcomers
//! (GWebCache 1.3.1).

use std::collections::VecDeque;
use std::sync::Arc;

use rand::RngExt as _;

use super::links::State;
use super::message::Message;
use super::{Config, Gnutella06, Rank, Timer};
use crate::seam::{Addr, Cause, Cx, Outcome, Time};

/// Hosts whose last request is remembered, to hold off those that ask too
/// often.
const MAX_ASKERS: usize = 1024;

/// A GWebCache: the newest hosts that said they accept connections.
#[derive(Debug)]
pub struct WebCache {
    config: Arc<Config>,
    /// The newest last.
    hosts: VecDeque<Addr>,
    /// Who asked last, and when, the newest last.
    askers: VecDeque<(Addr, Time)>,
}

impl WebCache {
    /// A cache that knows nobody.
    pub(super) fn new(config: &Arc<Config>) -> Self {
        Self { config: config.clone(), hosts: VecDeque::new(), askers: VecDeque::new() }
    }

    /// What it answers. `None` to what is no request, and to those that ask
    /// too often.
    pub(super) fn answer(&mut self, now: Time, from: Addr, message: &Message) -> Option<Message> {
        if !matches!(message, Message::HostFile | Message::Update { .. }) {
            return None;
        }
        if !self.admit(from, now) {
            return Some(Message::Updated { ok: false });
        }
        if let Message::Update { host } = message {
            // Nobody can enter others: the request's own address counts.
            let ok = *host == from;
            if ok {
                self.learn(*host);
            }
            return Some(Message::Updated { ok });
        }
        let hosts = self.hosts.iter().rev().copied().filter(|host| *host != from).collect();
        Some(Message::Hosts { hosts })
    }

    /// Takes note of a host; the oldest makes room.
    pub(super) fn learn(&mut self, host: Addr) {
        self.hosts.retain(|known| *known != host);
        if self.hosts.len() >= self.config.web_cache_hosts as usize {
            self.hosts.pop_front();
        }
        self.hosts.push_back(host);
    }

    /// Whether `from` may ask again already.
    fn admit(&mut self, from: Addr, now: Time) -> bool {
        let spacing = self.config.web_cache_spacing;
        while self.askers.front().is_some_and(|(_, at)| now.since(*at) >= spacing) {
            self.askers.pop_front();
        }
        if self.askers.iter().any(|(asker, _)| *asker == from) {
            return false;
        }
        if self.askers.len() < MAX_ASKERS {
            self.askers.push_back((from, now));
        }
        true
    }

    /// The hosts that it would hand out.
    pub fn hosts(&self) -> impl Iterator<Item = Addr> {
        self.hosts.iter().copied()
    }

    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        self.hosts.capacity() * size_of::<Addr>()
            + self.askers.capacity() * size_of::<(Addr, Time)>()
    }
}

impl Gnutella06 {
    /// Asks a web cache for hosts, one at a time.
    pub(super) fn ask_web_cache(&mut self, cx: &mut Cx<'_, Self>) {
        if self.asked_cache.is_some() || self.contacts.is_empty() {
            return;
        }
        let cache = self.contacts[cx.rng().random_range(0..self.contacts.len())];
        self.asked_cache = Some(cache);
        cx.send(cache, Message::HostFile);
        cx.wake(self.config.connect_timeout, Timer::Dial(cache));
    }

    /// Tells a web cache of itself, now and then.
    pub(super) fn update_web_cache(&mut self, cx: &mut Cx<'_, Self>) {
        let due = cx.now() >= self.next_update_at && self.config.web_caches > 0;
        if !due || self.rank != Rank::Ultrapeer || self.contacts.is_empty() {
            return;
        }
        self.next_update_at = cx.now() + self.config.web_cache_interval;
        let cache = self.contacts[cx.rng().random_range(0..self.contacts.len())];
        cx.on_behalf_of(Cause::UPKEEP).send(cache, Message::Update { host: self.me });
    }

    pub(super) fn on_cached_hosts(&mut self, cx: &mut Cx<'_, Self>, from: Addr, hosts: &[Addr]) {
        if self.asked_cache != Some(from) {
            return;
        }
        self.asked_cache = None;
        cx.close(from);
        for host in hosts.iter().take(self.config.web_cache_hosts as usize) {
            if *host != self.me {
                self.hosts.learn(*host);
            }
        }
        if let State::Joining { op, .. } = self.state
            && hosts.is_empty()
            && !self.firewalled
        {
            // Nobody is there yet.
            self.found(cx);
            cx.finish(op, Outcome::Done);
        }
        self.update_web_cache(cx);
        self.refill(cx);
    }

    /// A cache has taken note, or refuses to answer so soon again.
    pub(super) fn on_cache_answer(&mut self, cx: &mut Cx<'_, Self>, from: Addr) {
        if self.config.web_caches > 0 && self.contacts.contains(&from) {
            cx.close(from);
            self.no_answer_of_cache(cx, from);
        }
    }

    /// The web cache that was asked does not answer.
    pub(super) fn no_answer_of_cache(&mut self, cx: &mut Cx<'_, Self>, cache: Addr) {
        if self.asked_cache == Some(cache) {
            self.asked_cache = None;
            self.refill(cx);
        }
    }
}
