//! What a supernode does: a small Napster for its ordinary nodes, linked to
//! others of its kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::links::Links;
use super::message::{Bandwidth, Callback, Listing, Message, NodeEntry, NodeList, Results};
use super::peer::Context;
use super::queries::{Asker, Own, Queries};
use super::{Blueprint, Config, Place, Seed, Timer};
use crate::napster::Index;
use crate::seam::{Addr, Cause, Hit, Item, Key, Note, Query, Time};

/// An ordinary node of this supernode.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub bandwidth: Bandwidth,
    pub firewalled: bool,
    /// Since when it is here.
    pub since: Time,
    /// Keys of the files it shares, in no order.
    pub shares: Vec<Key>,
}

/// The supernode part of a node.
#[derive(Debug)]
pub(super) struct Supernode {
    pub(super) config: Arc<Config>,
    pub(super) bandwidth: Bandwidth,
    pub(super) children: BTreeMap<Addr, Child>,
    index: Index,
    pub(super) links: Links,
    queries: Queries,
    /// The ordinary node that was told last to become a supernode, and when.
    pub(super) promoting: Option<(Addr, Time)>,
    /// When it told its ordinary nodes to go, since it becomes one of them.
    pub(super) retiring: Option<Time>,
    pub(super) last_stats: Time,
}

impl Supernode {
    /// A supernode without ordinary nodes and links.
    pub fn new(config: &Arc<Config>, bandwidth: Bandwidth) -> Self {
        Self {
            config: Arc::clone(config),
            bandwidth,
            children: BTreeMap::new(),
            index: Index::default(),
            links: Links::default(),
            queries: Queries::default(),
            promoting: None,
            retiring: None,
            last_stats: Time::ZERO,
        }
    }

    /// Ordinary nodes in per cent of those that make it promote one.
    pub fn load(&self) -> u8 {
        load_of(self.children.len(), &self.config)
    }

    /// Whether it takes one more ordinary node.
    pub fn takes_more(&self) -> bool {
        self.retiring.is_none() && self.children.len() < self.config.children_max as usize
    }

    /// Whether `peer` is an ordinary node of it or linked to it.
    pub fn knows(&self, peer: Addr) -> bool {
        self.children.contains_key(&peer) || self.links.contains(peer) || self.queries.awaits(peer)
    }

    /// What its own user is to be told.
    pub fn take_own(&mut self) -> Vec<(u16, Own)> {
        core::mem::take(&mut self.queries.own)
    }

    /// Lists a file of its own user.
    pub fn share_own(&mut self, cx: &mut Context<'_>, item: &Arc<Item>) {
        self.index.add(item, cx.me());
    }

    /// No longer lists a file of its own user.
    pub fn unshare_own(&mut self, cx: &mut Context<'_>, key: &Key) {
        self.index.remove(key, cx.me());
    }

    /// Handles what its ordinary nodes and other supernodes say.
    pub fn on_message(
        &mut self,
        cx: &mut Context<'_>,
        known: &[NodeEntry],
        from: Addr,
        message: Message,
    ) {
        match message {
            Message::Greeting => {
                let seed = Seed::new(cx.rng().random_range(0..Seed::COUNT));
                cx.send(from, Message::Greeted { seed });
            }
            Message::UserInfo { bandwidth, firewalled, .. } => {
                self.take(cx, known, from, bandwidth, firewalled);
            }
            Message::Share(item) => self.share(cx, from, &item),
            Message::Unshare(item) => self.unshare(cx, from, &item.key()),
            Message::Search { id, query } => {
                if self.children.contains_key(&from) {
                    self.search(cx, known, Asker::Child(from, id), &query);
                } else {
                    cx.close(from);
                }
            }
            Message::Query { id, query } => {
                let limit = usize::from(query.limit);
                let results = Arc::new(self.find(cx, &query, limit, None));
                cx.send(from, Message::QueryResult { id, results });
            }
            Message::QueryResult { id, results } => {
                self.queries.on_result(cx, &self.config, from, id, results);
                if !self.knows(from) {
                    cx.close(from);
                }
            }
            Message::Push(call) => self.on_push(cx, from, call),
            Message::Link { load } => self.on_link(cx, known, from, load),
            Message::LinkAck { load } | Message::Load { load } => {
                let is_linked = self.links.acknowledge(from, load);
                if !is_linked {
                    cx.close(from);
                }
            }
            Message::Alive if !self.knows(from) => cx.close(from),
            _ => {}
        }
    }

    /// An ordinary node asks to be taken.
    fn take(
        &mut self,
        cx: &mut Context<'_>,
        known: &[NodeEntry],
        from: Addr,
        bandwidth: Bandwidth,
        firewalled: bool,
    ) {
        let list: NodeList =
            known.iter().copied().take(usize::from(self.config.list_entries)).collect();
        self.remove_child(cx, from);
        if !self.takes_more() {
            return cx.send(from, Message::Refused(list));
        }
        // A supernode that has become an ordinary node of this one.
        self.links.remove(from);
        let child = Child { bandwidth, firewalled, since: cx.now(), shares: Vec::new() };
        self.children.insert(from, child);
        cx.send(from, Message::Nodes(list));
        if self.children.len() > self.config.children_split as usize {
            self.promote_one(&mut cx.on_behalf_of(Cause::UPKEEP));
        }
    }

    /// Forgets an ordinary node and its files.
    pub(super) fn remove_child(&mut self, cx: &mut Context<'_>, addr: Addr) {
        let Some(child) = self.children.remove(&addr) else { return };
        for key in child.shares {
            self.index.remove(&key, addr);
            cx.note(|| Note::Store { key, provider: addr, stored: false });
        }
    }

    fn share(&mut self, cx: &mut Context<'_>, from: Addr, item: &Arc<Item>) {
        let Some(child) = self.children.get_mut(&from) else { return cx.close(from) };
        let full = child.shares.len() >= self.config.max_shared as usize;
        if !full && self.index.add(item, from) {
            child.shares.push(item.key());
            cx.note(|| Note::Store { key: item.key(), provider: from, stored: true });
        }
    }

    fn unshare(&mut self, cx: &mut Context<'_>, from: Addr, key: &Key) {
        let Some(child) = self.children.get_mut(&from) else { return cx.close(from) };
        if self.index.remove(key, from) {
            child.shares.retain(|shared| shared != key);
            cx.note(|| Note::Store { key: *key, provider: from, stored: false });
        }
    }

    /// What the own index has for a query.
    fn find(
        &mut self,
        cx: &Context<'_>,
        query: &Query,
        limit: usize,
        asker: Option<Addr>,
    ) -> Results {
        let hits = self.index.search(query, limit, |provider| Some(provider) != asker);
        let listings = hits.into_iter().map(|hit| self.listing(cx.me(), hit)).collect();
        Results::new(cx.me(), listings)
    }

    fn listing(&self, me: Addr, hit: Hit) -> Listing {
        match self.children.get(&hit.provider) {
            Some(child) => {
                Listing { hit, bandwidth: child.bandwidth, firewalled: child.firewalled }
            }
            None => {
                debug_assert_eq!(hit.provider, me, "the index lists children and this node");
                Listing { hit, bandwidth: self.bandwidth, firewalled: false }
            }
        }
    }

    /// A search begins here: the own index first; if that is not enough, other
    /// supernodes, those linked before those only known.
    pub fn search(
        &mut self,
        cx: &mut Context<'_>,
        known: &[NodeEntry],
        asker: Asker,
        query: &Query,
    ) {
        let searcher = match asker {
            Asker::Child(addr, _) => addr,
            Asker::Me(_) => cx.me(),
        };
        let limit = usize::from(query.limit);
        let results = self.find(cx, query, limit, Some(searcher));
        let found = results.listings.len();
        if found > 0 {
            self.queries.tell(cx, asker, Arc::new(results));
        }
        let enough = found >= limit || found >= usize::from(self.config.enough);
        if enough || self.config.reach == 0 || !self.queries.has_room() {
            return self.queries.tell_end(cx, asker);
        }
        let others = self.others_to_ask(cx, known);
        self.queries.start(cx, &self.config, asker, query, found, others);
    }

    /// The supernodes that a search may ask, the first ones last. Who has just
    /// become a supernode has no link yet, only known ones that it asks for one.
    fn others_to_ask(&self, cx: &mut Context<'_>, known: &[NodeEntry]) -> Vec<Addr> {
        let reach = usize::from(self.config.reach);
        let mut linked: Vec<Addr> = self.links.linked().collect();
        linked.shuffle(cx.rng());
        linked.truncate(reach);
        let me = cx.me();
        let further = known.iter().map(|entry| entry.addr);
        let mut others: Vec<Addr> =
            further.filter(|&addr| addr != me && !self.links.is_up(addr)).collect();
        others.shuffle(cx.rng());
        others.truncate(reach - linked.len());
        others.append(&mut linked);
        others
    }

    /// The time for the answers of a stage is over.
    pub fn on_stage_overdue(&mut self, cx: &mut Context<'_>, id: u16, stage: u16) {
        self.queries.on_stage_overdue(cx, &self.config, id, stage);
    }

    /// Somebody wants a firewalled node to call.
    fn on_push(&mut self, cx: &mut Context<'_>, from: Addr, call: Callback) {
        if self.children.contains_key(&call.provider) {
            cx.send(call.provider, Message::Call { id: call.id, to: call.to });
        } else if self.children.contains_key(&from) {
            self.push(cx, call);
        }
        if !self.knows(from) {
            cx.close(from);
        }
    }

    /// Passes a push on: to the firewalled node if it is at home here, else to
    /// its supernode, which does not pass it on.
    pub fn push(&self, cx: &mut Context<'_>, call: Callback) {
        if self.children.contains_key(&call.provider) {
            cx.send(call.provider, Message::Call { id: call.id, to: call.to });
        } else if call.supernode != cx.me() {
            cx.send(call.supernode, Message::Push(call));
        }
    }

    /// Another supernode asks for a link. An ordinary node that was promoted
    /// stops being one this way, and half of the others are sent there.
    fn on_link(&mut self, cx: &mut Context<'_>, known: &[NodeEntry], from: Addr, load: u8) {
        let was_child = self.children.contains_key(&from);
        self.remove_child(cx, from);
        if self.retiring.is_some() || !self.links.accept(&self.config, from, load) {
            return cx.close(from);
        }
        cx.send(from, Message::LinkAck { load: self.load() });
        if was_child && self.promoting.is_some_and(|(addr, _)| addr == from) {
            self.shed(&mut cx.on_behalf_of(Cause::UPKEEP), known, from);
        }
    }

    /// Asks another supernode for a link.
    pub fn link_to(&mut self, cx: &mut Context<'_>, peer: Addr) {
        let load = self.load();
        self.links.ask(cx, peer, load);
    }

    /// Asks known supernodes for links until there are enough.
    pub fn top_up(&mut self, cx: &mut Context<'_>, known: &[NodeEntry]) {
        if self.retiring.is_none() {
            let load = self.load();
            self.links.top_up(cx, &self.config, known, load);
        }
    }

    /// A peer is gone; an ordinary node's files leave the index at once.
    pub fn on_lost(&mut self, cx: &mut Context<'_>, peer: Addr) {
        self.remove_child(cx, peer);
        self.links.remove(peer);
        self.queries.on_lost(cx, &self.config, peer);
    }

    /// Begins its upkeep.
    pub fn start(&self, cx: &mut Context<'_>) {
        let wait = super::jittered(cx, self.config.upkeep_every);
        cx.wake_upkeep(wait, Timer::Upkeep);
    }

    /// Takes its place in a converged network.
    pub fn settle(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint, place: &Place) {
        let me = cx.me();
        for item in blueprint.shares_of(me) {
            self.index.add(item, me);
        }
        for &addr in &place.children {
            let (bandwidth, firewalled) = blueprint.line(addr);
            let shares = blueprint.shares_of(addr).map(|item| item.key()).collect();
            for item in blueprint.shares_of(addr) {
                self.index.add(item, addr);
            }
            self.children.insert(addr, Child { bandwidth, firewalled, since: cx.now(), shares });
        }
        self.links.settle(cx, blueprint, place, &self.config);
        self.last_stats = cx.now();
        self.start(cx);
    }

    /// The ordinary nodes, in order.
    pub fn children(&self) -> impl Iterator<Item = Addr> {
        self.children.keys().copied()
    }

    /// The index.
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// (file, provider) pairs in the index.
    pub const fn files(&self) -> usize {
        self.index.files()
    }

    /// Ordinary nodes and links.
    pub fn contacts(&self) -> usize {
        self.children.len() + self.links.len()
    }

    /// Visits the ordinary nodes and the links.
    pub fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        self.children.keys().copied().for_each(&mut *visit);
        self.links.all().for_each(visit);
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        let child = size_of::<Addr>() + size_of::<Child>();
        size_of::<Self>()
            + self.children.len() * child
            + self.index.files() * size_of::<Key>()
            + self.index.bytes()
            + self.links.bytes()
            + self.queries.bytes()
    }
}

/// So many ordinary nodes in per cent of those that make a supernode promote
/// one, at most 255.
pub(super) fn load_of(children: usize, config: &Config) -> u8 {
    let percent = children as u64 * 100 / u64::from(config.children_split);
    percent.min(255) as u8
}
