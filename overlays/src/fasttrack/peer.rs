//! A user's node: the verbs, and what others say to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::seq::SliceRandom as _;

use super::homing::{Homing, Joining};
use super::message::{Bandwidth, Callback, Message, NodeEntry, NodeList};
use super::queries::{Asker, Own};
use super::searches::Searches;
use super::supernode::Supernode;
use super::{Blueprint, Config, FastTrack, Timer};
use crate::seam::{
    Addr, Cause, Cx, Footprint, Item, Key, Note, OpId, Outcome, Profile, Query, Reason,
};

pub(super) type Context<'a> = Cx<'a, FastTrack>;

/// The most sources of lists that a node keeps.
const MAX_SOURCES: usize = 32;

/// A user's node, ordinary or supernode.
#[derive(Debug)]
pub struct Peer {
    pub(super) config: Arc<Config>,
    pub(super) bandwidth: Bandwidth,
    pub(super) firewalled: bool,
    /// Whether it has been told to be in the network.
    pub(super) member: bool,
    /// Where it asks for lists of supernodes: the list servers, as a rule.
    pub(super) sources: Box<[Addr]>,
    /// Supernodes that it has heard of.
    pub(super) known: Vec<NodeEntry>,
    /// The supernode that it is an ordinary node of.
    pub(super) home: Option<Addr>,
    pub(super) homing: Option<Box<Homing>>,
    /// Numbers the steps of homing, so that a stale timer is known.
    pub(super) attempt: u32,
    /// Times that homing failed since the last success.
    pub(super) failures: u32,
    pub(super) shares: BTreeMap<Key, Arc<Item>>,
    pub(super) searches: Searches,
    /// What it does as a supernode.
    pub(super) supernode: Option<Box<Supernode>>,
}

impl Peer {
    /// A node that has not joined.
    pub(super) fn new(config: &Arc<Config>, profile: &Profile) -> Self {
        Self {
            config: Arc::clone(config),
            bandwidth: Bandwidth::of(profile.upload_bps),
            firewalled: profile.firewalled,
            member: false,
            sources: Box::default(),
            known: Vec::new(),
            home: None,
            homing: None,
            attempt: 0,
            failures: 0,
            shares: BTreeMap::new(),
            searches: Searches::default(),
            supernode: None,
        }
    }

    /// Whether it is a supernode.
    pub(super) const fn is_supernode(&self) -> bool {
        self.supernode.is_some()
    }

    /// Looks for a supernode through list servers or members in `via`; with
    /// none, it founds the network as its first supernode.
    pub(super) fn join(&mut self, cx: &mut Context<'_>, op: OpId, via: &[Addr]) {
        if self.home.is_some() || (self.is_supernode() && self.homing.is_none()) {
            return cx.finish(op, Outcome::Done);
        }
        if self.homing.as_ref().is_some_and(|homing| homing.joining().is_some()) {
            // One attempt at a time; its operation will end by itself.
            return cx.finish(op, Outcome::Failed(Reason::Refused));
        }
        let mut sources = via.to_vec();
        sources.retain(|&addr| addr != cx.me());
        sources.dedup();
        sources.truncate(MAX_SOURCES);
        if sources.is_empty() && !via.is_empty() {
            return cx.finish(op, Outcome::Failed(Reason::NoContact));
        }
        self.sources = sources.into();
        self.member = true;
        if via.is_empty() {
            self.become_supernode(cx);
            return cx.finish(op, Outcome::Done);
        }
        let joining = Joining { op, cause: cx.cause() };
        self.look_for_home(cx, Some(joining));
    }

    /// Leaves: a supernode sees to it that its ordinary nodes find another.
    pub(super) fn leave(&mut self, cx: &mut Context<'_>, op: OpId) {
        self.searches.end_all(cx);
        if let Some(joining) = self.homing.take().and_then(|homing| homing.joining()) {
            let outcome = Outcome::Failed(Reason::NotJoined);
            cx.on_behalf_of(joining.cause).finish(joining.op, outcome);
        }
        if let Some(mut supernode) = self.supernode.take() {
            supernode.leave(cx, &self.sources, &self.known);
        }
        if let Some(home) = self.home.take() {
            cx.close(home);
        }
        self.member = false;
        self.attempt = self.attempt.wrapping_add(1);
        self.known = Vec::new();
        cx.finish(op, Outcome::Done);
    }

    /// Shares a file. The supernode does not answer; without one the file
    /// waits for the next.
    pub(super) fn insert(&mut self, cx: &mut Context<'_>, op: OpId, item: &Arc<Item>) {
        let known = self.shares.contains_key(&item.key());
        if !known && self.shares.len() >= self.config.max_shared as usize {
            return cx.finish(op, Outcome::Failed(Reason::Full));
        }
        if !known {
            self.shares.insert(item.key(), Arc::clone(item));
            if let Some(supernode) = &mut self.supernode {
                supernode.share_own(cx, item);
            } else if let Some(home) = self.home {
                cx.send(home, Message::Share(Arc::clone(item)));
            }
        }
        cx.finish(op, Outcome::Done);
    }

    /// Stops sharing a file.
    pub(super) fn delete(&mut self, cx: &mut Context<'_>, op: OpId, key: &Key) {
        let Some(item) = self.shares.remove(key) else {
            return cx.finish(op, Outcome::NotFound);
        };
        if let Some(supernode) = &mut self.supernode {
            supernode.unshare_own(cx, key);
        } else if let Some(home) = self.home {
            cx.send(home, Message::Unshare(item));
        }
        cx.finish(op, Outcome::Done);
    }

    /// Asks the supernode. Who has just lost it asks the next one, if it comes
    /// in time.
    pub(super) fn search(&mut self, cx: &mut Context<'_>, op: OpId, query: &Query) {
        let joining = self.homing.as_ref().is_some_and(|homing| homing.joining().is_some());
        let homeless = self.home.is_none() && !self.is_supernode();
        if !self.member || homeless && joining {
            return cx.finish(op, Outcome::Failed(Reason::NotJoined));
        }
        if let Some(id) = self.searches.start(cx, &self.config, op, query) {
            self.ask(cx, id, query);
        }
    }

    /// Passes a search to the supernode or to the own supernode part, if there
    /// is either.
    fn ask(&mut self, cx: &mut Context<'_>, id: u16, query: &Query) {
        if let Some(supernode) = &mut self.supernode {
            supernode.search(cx, &self.known, Asker::Me(id), query);
            self.deliver_own(cx);
        } else if let Some(home) = self.home {
            cx.send(home, Message::Search { id, query: query.clone() });
        }
    }

    /// Asks a new supernode what the last one did not answer.
    pub(super) fn ask_again(&mut self, cx: &mut Context<'_>) {
        for (id, cause, query) in self.searches.waiting() {
            self.ask(&mut cx.on_behalf_of(cause), id, &query);
        }
    }

    /// Hands the answers of its own supernode part to its user.
    fn deliver_own(&mut self, cx: &mut Context<'_>) {
        let Some(supernode) = &mut self.supernode else { return };
        for (id, own) in supernode.take_own() {
            match own {
                Own::Results(results) => {
                    let calls =
                        self.searches.on_results(cx, &self.config, self.firewalled, id, &results);
                    for call in calls {
                        self.push(cx, call);
                    }
                }
                Own::End => self.searches.on_end(cx, &self.config, id),
            }
        }
    }

    /// Has a firewalled provider call.
    fn push(&mut self, cx: &mut Context<'_>, call: Callback) {
        if let Some(supernode) = &self.supernode {
            supernode.push(cx, call);
        } else if let Some(home) = self.home {
            cx.send(home, Message::Push(call));
        }
    }

    /// Becomes a supernode: with its own files in the index, registered, and
    /// with links to come.
    pub(super) fn become_supernode(&mut self, cx: &mut Context<'_>) {
        let mut supernode = Box::new(Supernode::new(&self.config, self.bandwidth));
        for item in self.shares.values() {
            supernode.share_own(cx, item);
        }
        cx.note(|| Note::TableChange { table: "supernode", slot: 0, peer: None });
        let load = supernode.load();
        supernode.start(cx);
        supernode.top_up(cx, &self.known);
        self.supernode = Some(supernode);
        self.failures = 0;
        self.register_as_supernode(cx, load);
        self.ask_again(cx);
    }

    /// The supernode wants this node to become one too; the two stay linked.
    fn on_promote(&mut self, cx: &mut Context<'_>, from: Addr) {
        if self.home != Some(from) || self.firewalled || self.is_supernode() {
            return;
        }
        self.home = None;
        self.homing = None;
        self.searches.on_home_lost(cx);
        let entry = NodeEntry { addr: from, seen_min: 0, load: 0 };
        if !self.known.iter().any(|known| known.addr == from) {
            self.known.push(entry);
        }
        self.become_supernode(cx);
        if let Some(supernode) = &mut self.supernode {
            supernode.link_to(cx, from);
        }
    }

    /// Remembers supernodes: as many as fit, at random.
    pub(super) fn learn(&mut self, cx: &mut Context<'_>, list: &NodeList) {
        if list.is_empty() {
            return;
        }
        let me = cx.me();
        let room = if self.is_supernode() { self.config.list_entries } else { self.config.cache };
        let mut drawn: Vec<NodeEntry> = list.iter().filter(|e| e.addr != me).copied().collect();
        if drawn.len() > usize::from(room) {
            drawn = drawn.partial_shuffle(cx.rng(), usize::from(room)).0.to_vec();
        }
        drawn.shrink_to_fit();
        self.known = drawn;
    }

    /// The supernodes it would tell others of, itself among them if it is one.
    fn list_for_others(&self, cx: &mut Context<'_>) -> NodeList {
        let me = cx.me();
        let own = self.supernode.as_ref().filter(|s| s.takes_more());
        let own = own.map(|s| NodeEntry { addr: me, seen_min: 0, load: s.load() });
        let home = self.home.map(|addr| NodeEntry { addr, seen_min: 0, load: 0 });
        let first = own.or(home);
        let known = self.known.iter().filter(|e| first.is_none_or(|first| first.addr != e.addr));
        first
            .into_iter()
            .chain(known.copied())
            .take(usize::from(self.config.list_entries))
            .collect()
    }

    /// Handles what others say. What only a supernode does is dropped or
    /// refused by an ordinary node.
    pub(super) fn on_message(&mut self, cx: &mut Context<'_>, from: Addr, message: Message) {
        match message {
            Message::Ping { tag } => {
                let answer = match self.supernode.as_ref().filter(|s| s.takes_more()) {
                    Some(supernode) => Message::Pong { tag, load: supernode.load() },
                    None => Message::Refusal { tag },
                };
                cx.send(from, answer);
            }
            Message::Pong { tag, .. } => self.on_probed(cx, from, tag, true),
            Message::Refusal { tag } => self.on_probed(cx, from, tag, false),
            Message::ListRequest if self.member => {
                let list = self.list_for_others(cx);
                cx.send(from, Message::Nodes(list));
            }
            Message::Nodes(list) => self.on_nodes(cx, from, &list),
            Message::Refused(_) => self.on_not_taken(cx, from),
            Message::Move(list) => self.on_move(cx, from, &list),
            Message::Promote => self.on_promote(cx, from),
            Message::Result { id, results } if self.home == Some(from) => {
                let calls =
                    self.searches.on_results(cx, &self.config, self.firewalled, id, &results);
                for call in calls {
                    self.push(cx, call);
                }
            }
            Message::End { id } if self.home == Some(from) => {
                self.searches.on_end(cx, &self.config, id);
            }
            Message::Call { id, to } if self.home == Some(from) && to != cx.me() => {
                cx.send(to, Message::Give { id });
                // The request for the file would follow on this stream; that
                // is the transfer's. Whoever calls closes: if the other side
                // did, the next call might be on its way there already.
                self.close_unless_known(cx, to);
            }
            Message::Give { id } => {
                if !self.searches.on_give(cx, from, id) {
                    self.close_unless_known(cx, from);
                }
            }
            Message::Greeted { seed } => self.on_greeted(cx, from, seed),
            Message::Greeting | Message::UserInfo { .. } if self.supernode.is_none() => {
                let list = self.list_for_others(cx);
                cx.send(from, Message::Refused(list));
            }
            Message::Stats { .. } if self.home != Some(from) => self.close_unless_known(cx, from),
            message => self.on_supernode_message(cx, from, message),
        }
    }

    fn on_supernode_message(&mut self, cx: &mut Context<'_>, from: Addr, message: Message) {
        if let Some(supernode) = &mut self.supernode {
            supernode.on_message(cx, &self.known, from, message);
            self.after_supernode(cx);
        } else if self.home != Some(from) && !matches!(message, Message::Stats { .. }) {
            cx.close(from);
        }
    }

    /// Closes a stream on which nothing more is expected.
    fn close_unless_known(&self, cx: &mut Context<'_>, peer: Addr) {
        let serves = self.supernode.as_ref().is_some_and(|s| s.knows(peer));
        let awaited = self.homing.is_some() || self.sources.contains(&peer);
        if self.home != Some(peer) && !serves && !awaited {
            cx.close(peer);
        }
    }

    fn on_nodes(&mut self, cx: &mut Context<'_>, from: Addr, list: &NodeList) {
        if self.is_supernode() && self.sources.contains(&from) {
            self.learn(cx, list);
            let cx = &mut cx.on_behalf_of(Cause::UPKEEP);
            if let Some(supernode) = &mut self.supernode {
                supernode.top_up(cx, &self.known);
            }
        }
        self.on_list(cx, from, list);
    }

    /// After the supernode part has done something: its user gets what came,
    /// and a part that has retired ends.
    fn after_supernode(&mut self, cx: &mut Context<'_>) {
        self.deliver_own(cx);
        if self.supernode.as_ref().is_some_and(|s| s.has_retired()) {
            let cx = &mut cx.on_behalf_of(Cause::UPKEEP);
            if let Some(mut supernode) = self.supernode.take() {
                supernode.close_all(cx);
            }
            self.searches.on_home_lost(cx);
            self.look_for_home(cx, None);
        }
    }

    /// Something is overdue, or it is time to look after the network.
    pub(super) fn on_timer(&mut self, cx: &mut Context<'_>, timer: Timer) {
        match timer {
            Timer::Homing(attempt) => self.on_homing_timer(cx, attempt),
            Timer::Search(id) => self.searches.on_overdue(cx, id),
            Timer::Calls(id) => self.searches.on_calls_overdue(cx, id),
            Timer::Stage(id, stage) => {
                if let Some(supernode) = &mut self.supernode {
                    supernode.on_stage_overdue(cx, id, stage);
                    self.after_supernode(cx);
                }
            }
            Timer::Upkeep => {
                if let Some(supernode) = &mut self.supernode {
                    supernode.upkeep(cx, &self.sources, &self.known);
                    self.after_supernode(cx);
                }
            }
        }
    }

    /// A stream broke.
    pub(super) fn on_lost(&mut self, cx: &mut Context<'_>, peer: Addr) {
        self.on_lost_while_homing(cx, peer);
        if self.home == Some(peer) {
            self.home = None;
            self.known.retain(|entry| entry.addr != peer);
            self.searches.on_home_lost(cx);
            cx.note(|| Note::TableChange { table: "supernode", slot: 0, peer: None });
            if self.homing.is_none() && self.member {
                self.wait_for_home(cx);
            }
        }
        if let Some(supernode) = &mut self.supernode {
            supernode.on_lost(cx, peer);
            self.after_supernode(cx);
        }
    }

    /// Takes its place in a converged network. One message opens each stream,
    /// without which neither side would notice that the other is gone.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint) {
        let me = cx.me();
        self.member = true;
        self.sources = blueprint.servers.clone().into();
        self.shares = blueprint.shares_of(me).map(|item| (item.key(), Arc::clone(item))).collect();
        if let Some(place) = blueprint.place(me) {
            let list = blueprint.list(cx, me, usize::from(self.config.list_entries));
            self.known = list;
            let mut supernode = Box::new(Supernode::new(&self.config, self.bandwidth));
            supernode.settle(cx, blueprint, place);
            for &source in &self.sources {
                cx.send(source, Message::Alive);
            }
            self.supernode = Some(supernode);
        } else if let Some(home) = blueprint.home(me) {
            self.known = blueprint.list(cx, me, usize::from(self.config.cache));
            self.home = Some(home);
            cx.send(home, Message::Alive);
        }
    }

    /// An ordinary node keeps its supernode; a supernode its ordinary nodes,
    /// its links and the index. The supernodes that it has only heard of take
    /// memory but are no routing state: no message is sent to them.
    pub(super) fn footprint(&self) -> Footprint {
        let known = self.known.capacity() * size_of::<NodeEntry>();
        let shares = self.shares.len() * (size_of::<Key>() + size_of::<Arc<Item>>());
        let bytes = size_of::<Self>() + known + shares + self.searches.bytes();
        let mut footprint = Footprint {
            routing_entries: u64::from(self.home.is_some()),
            index_entries: 0,
            bytes: bytes as u64,
        };
        if let Some(supernode) = &self.supernode {
            footprint.routing_entries += supernode.contacts() as u64;
            footprint.index_entries = (supernode.files() - self.shares.len()) as u64;
            footprint.bytes += supernode.bytes() as u64;
        }
        footprint
    }

    /// Its supernode, or its ordinary nodes and links.
    pub(super) fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        self.home.into_iter().for_each(&mut *visit);
        if let Some(supernode) = &self.supernode {
            supernode.neighbours(visit);
        }
    }
}
