//! The routing procedure, and what a node does with a message on its way.

use super::config::Routing;
use super::contact::{Contact, is_closer};
use super::forward::Forward;
use super::message::{Errand, Message, Verdict};
use super::probes::Purpose;
use super::{Context, Pastry, Phase, Timer};
use crate::{Addr, Hit, Key};

use rand::RngExt as _;

/// Where a message goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hop {
    /// Nowhere: no usable node is closer to the key.
    Here,
    /// To this node.
    To(Contact),
}

impl Pastry {
    /// The routing procedure (P01 Fig. 1; line 7 with the prefix length that
    /// the text has in mind), among the nodes for which `avoid` does not hold.
    pub(super) fn next_hop(&self, key: Key, avoid: impl Fn(Addr) -> bool) -> Hop {
        let leaf = || self.leaves.closest(key, |l| !avoid(l.entry.addr));
        if self.leaves.covers(key) || self.config.routing == Routing::LeafSet {
            return leaf().map_or(Hop::Here, |l| Hop::To(l.contact()));
        }
        if let Some(entry) = self.table.next_for(key)
            && !avoid(entry.addr)
        {
            return Hop::To(entry.contact());
        }
        // The rare case: nobody in the cell, or nobody who can be reached.
        let known = self.suitable(key).filter(|c| !avoid(c.addr));
        known
            .reduce(|a, b| if self.is_better(b, a, key) { b } else { a })
            .map_or(Hop::Here, Hop::To)
    }

    /// All known nodes that share with `key` at least as many digits as this
    /// one, and are numerically closer to it.
    fn suitable(&self, key: Key) -> impl Iterator<Item = Contact> + '_ {
        let digits = self.table.shared_digits(key);
        let b = u32::from(self.config.b);
        let me = self.me.id;
        self.known().filter(move |c| {
            c.id.common_prefix_digits(key, b) >= digits && is_closer(c.id, me, key)
        })
    }

    /// Whether `a` is the better next hop: by prefix, then by distance.
    fn is_better(&self, a: Contact, b: Contact, key: Key) -> bool {
        let bits = u32::from(self.config.b);
        let digits = |c: Contact| c.id.common_prefix_digits(key, bits);
        (digits(a), is_closer(a.id, b.id, key)) > (digits(b), is_closer(b.id, a.id, key))
    }

    /// Everyone in leaf set, routing table and neighbourhood set.
    pub(super) fn known(&self) -> impl Iterator<Item = Contact> + '_ {
        let leaves = self.leaves.members().iter().map(|l| l.contact());
        let table = self.table.entries().iter();
        leaves.chain(table.chain(self.neighbourhood.entries()).map(|e| e.contact()))
    }

    /// With some probability, any suitable node rather than the best one: a
    /// repeated query then takes another way (P01 §2.2, on malicious nodes).
    fn randomised(&self, cx: &mut Context<'_>, best: Hop, key: Key, not: Addr) -> Hop {
        let chance = self.config.randomise;
        if chance <= 0.0 || self.leaves.covers(key) || cx.rng().random::<f64>() >= chance {
            return best;
        }
        let suitable: Vec<Contact> =
            self.suitable(key).filter(|c| c.addr != not && !self.is_suspect(c.addr)).collect();
        if suitable.is_empty() {
            return best;
        }
        Hop::To(suitable[cx.rng().random_range(0..suitable.len())])
    }

    /// Whether a node has left a message unanswered and not yet been heard of
    /// since.
    pub(super) fn is_suspect(&self, addr: Addr) -> bool {
        self.aside.as_ref().is_some_and(|a| {
            a.probes.len() > 0 && a.probes.is_under_way(addr, |p| p == Purpose::Suspicion)
        })
    }

    /// A message comes by.
    pub(super) fn on_route(&mut self, cx: &mut Context<'_>, from: Addr, message: Message) {
        let Message::Route { request, origin, ack, .. } = &message else { return };
        if *ack && from != cx.me() {
            cx.send(from, Message::Received { request: *request, origin: *origin });
        }
        self.route(cx, message);
    }

    /// Sends a message on, or does here what it asks for.
    pub(super) fn route(&mut self, cx: &mut Context<'_>, message: Message) {
        let Message::Route { request, origin, key, ttl, ack: _, mut errand } = message else {
            return;
        };
        if let Some(Errand::Get { limit, .. }) = errand.as_deref()
            && let Some(hits) = self.records_for(key, *limit)
        {
            // The first holder on the way answers (P01 §3.4).
            return self.reply_hits(cx, request, origin, hits);
        }
        if let Some(Errand::Sift { sift, .. }) = errand.as_deref_mut()
            && self.records_for(key, 1).is_some()
        {
            return self.sift_here(cx, (**sift).clone());
        }
        let joins = matches!(errand.as_deref(), Some(Errand::Join { .. }));
        let ring_key = self.ring_key(key);
        if joins && ring_key == self.me.id && origin != cx.me() {
            return cx.send(origin, Message::Refused { request });
        }
        // A message to a joining node's identifier must not end at that node.
        let newcomer = joins.then_some(origin);
        let best = self.next_hop(ring_key, |a| Some(a) == newcomer || self.is_suspect(a));
        let best = self.prefer_near_holder(best, ring_key, errand.as_deref());
        let hop = self.randomised(cx, best, ring_key, newcomer.unwrap_or(cx.me()));
        if let Some(Errand::Join { stations, rows }) = errand.as_deref_mut() {
            let here = (request, origin, ring_key);
            self.send_station(cx, here, *stations, *rows, hop == Hop::Here);
            *stations = stations.saturating_add(1);
            let shared = self.table.shared_digits(ring_key) as u8;
            *rows = (*rows).max(shared.saturating_add(1));
        }
        match hop {
            Hop::Here => self.deliver(cx, request, origin, key, errand),
            Hop::To(_) if ttl <= 1 => {}
            Hop::To(next) => {
                let (ttl, ack) = (ttl - 1, self.config.hop_acks);
                let message = Message::Route { request, origin, key, ttl, ack, errand };
                self.pass_on(cx, next, message);
            }
        }
    }

    /// Where several nodes keep copies, a query may go to any of them: within
    /// the leaf set the nearest of the k holders is chosen rather than the one
    /// with the closest identifier.
    fn prefer_near_holder(&self, best: Hop, key: Key, errand: Option<&Errand>) -> Hop {
        let k = self.config.replicas;
        let Hop::To(_) = best else { return best };
        let reads = matches!(errand, Some(Errand::Get { .. } | Errand::Sift { .. }));
        if k <= 1 || !reads || !self.leaves.covers(key) {
            return best;
        }
        let holders = self.holders(key);
        let near = self
            .leaves
            .members()
            .iter()
            .filter(|l| holders.contains(&l.contact()) && !self.is_suspect(l.entry.addr))
            .min_by_key(|l| l.entry.rtt);
        near.map_or(best, |l| Hop::To(l.contact()))
    }

    /// Sends a message one hop on, and keeps it until it is acknowledged if
    /// hops are.
    pub(super) fn pass_on(&mut self, cx: &mut Context<'_>, to: Contact, message: Message) {
        if self.config.hop_acks {
            let forward = Forward::new(to, message.clone());
            if let Some(id) = self.aside.get_or_insert_default().forwards.put(forward) {
                cx.wake(self.config.request_timeout, Timer::Forward(id));
            }
        }
        cx.send(to.addr, message);
    }

    /// This node is the closest to the key: do what the message asks for.
    pub(super) fn deliver(
        &mut self,
        cx: &mut Context<'_>,
        request: u32,
        origin: Addr,
        key: Key,
        errand: Option<Box<Errand>>,
    ) {
        let Some(errand) = errand else {
            let root = self.me;
            return if origin == cx.me() {
                self.on_located(cx, request, root)
            } else {
                cx.send(origin, Message::Located { request, root })
            };
        };
        if let Some(heir) = self.instead_of_me(cx, key, &errand) {
            let (ttl, ack) = (self.config.ttl, false);
            let errand = Some(match *errand {
                Errand::Get { limit, .. } => Box::new(Errand::Get { limit, passed_on: true }),
                Errand::Sift { sift, .. } => Box::new(Errand::Sift { sift, passed_on: true }),
                _ => errand,
            });
            let message = Message::Route { request, origin, key, ttl, ack, errand };
            return cx.send(heir.addr, message);
        }
        match *errand {
            Errand::Get { limit, .. } => {
                let hits = self.records_for(key, limit).unwrap_or_default();
                self.reply_hits(cx, request, origin, hits);
            }
            Errand::Store(hit) => {
                let verdict = self.store(cx, key, hit);
                self.reply_verdict(cx, request, origin, verdict);
            }
            Errand::Remove { item, provider } => {
                let verdict = self.remove(cx, key, item, provider);
                self.reply_verdict(cx, request, origin, verdict);
            }
            Errand::Sift { sift, .. } => self.sift_here(cx, *sift),
            Errand::Join { .. } => {}
        }
    }

    /// Who is to have a message in this node's stead: while it leaves, its
    /// heir takes what is to be kept; when it has only just arrived and does
    /// not have what is asked for, a neighbour may not have handed it over.
    fn instead_of_me(&self, cx: &Context<'_>, key: Key, errand: &Errand) -> Option<Contact> {
        let yields = match errand {
            Errand::Store(_) => self.phase == Phase::Leaving,
            Errand::Get { passed_on, .. } | Errand::Sift { passed_on, .. } => {
                !passed_on && self.is_new(cx.now())
            }
            _ => false,
        };
        let heir = || self.leaves.closest_other(self.ring_key(key)).map(|l| l.contact());
        if yields { heir() } else { None }
    }

    fn reply_hits(&mut self, cx: &mut Context<'_>, request: u32, origin: Addr, hits: Vec<Hit>) {
        if origin == cx.me() {
            return self.on_hits(cx, request, hits);
        }
        cx.send(origin, Message::Hits { request, hits: hits.into() });
    }

    fn reply_verdict(
        &mut self,
        cx: &mut Context<'_>,
        request: u32,
        origin: Addr,
        verdict: Verdict,
    ) {
        if origin == cx.me() {
            return self.on_judged(cx, request, verdict);
        }
        cx.send(origin, Message::Judged { request, verdict });
    }
}
