//! A handful of nodes and a queue between them: every message takes 10 ms.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Machine;
use crate::pastry::{Blueprint, Config, Message, Pastry, Timer};
use crate::{
    Action, Addr, Cause, Census, Cx, Effect, Holding, Item, Key, OpId, Outcome, Overlay, Profile,
    Query, Rng, Stream, Time, Wire,
};

enum Event {
    Message { from: Addr, to: Addr, message: Message },
    Timer { at: Addr, timer: Timer },
}

/// Decides whether a copy of a message is lost.
type Loss = dyn FnMut(Addr, Addr, &Message) -> bool;

/// A small network.
pub(super) struct Bench {
    pub(super) config: Arc<Config>,
    pub(super) nodes: BTreeMap<Addr, Pastry>,
    queue: BTreeMap<(Time, u64), (Cause, Event)>,
    sequence: u64,
    pub(super) now: Time,
    pub(super) rng: Rng,
    pub(super) outcomes: BTreeMap<OpId, Outcome>,
    /// What was sent: from, to, kind, and for which operation.
    pub(super) sent: Vec<(u32, u32, &'static str, OpId)>,
    ops: u32,
    /// Whether this copy of a message is lost.
    pub(super) lose: Box<Loss>,
}

const DELAY_US: u64 = 10_000;

impl Bench {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config: Arc::new(config),
            nodes: BTreeMap::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            now: Time::ZERO,
            rng: Stream::Protocol.rng(7),
            outcomes: BTreeMap::new(),
            sent: Vec::new(),
            ops: 0,
            lose: Box::new(|_, _, _| false),
        }
    }

    pub(super) fn addr(index: u32) -> Addr {
        Addr::from_index(index)
    }

    /// Nodes 0.. with these identifiers, in their places in a converged network.
    pub(super) fn settled_at(config: Config, keys: &[Key], shared: &[(usize, &str)]) -> Self {
        let mut bench = Self::new(config);
        let peers = keys.iter().zip(0..).map(|(id, i)| Profile::peer(Self::addr(i)).with_id(*id));
        let holdings = shared.iter().map(|(i, name)| Holding {
            item: Arc::new(Item::new(name, 1)),
            provider: Self::addr(*i as u32),
        });
        let census = Census::new(peers.collect(), Vec::new(), holdings.collect());
        let blueprint = Blueprint::new(&bench.config, census);
        for (i, key) in (0..).zip(keys) {
            bench.add(i, *key);
            bench.call(i, Cause::UPKEEP, |node, cx| node.settle(cx, &blueprint));
        }
        bench
    }

    /// A node that has not joined.
    pub(super) fn add(&mut self, index: u32, id: Key) {
        let profile = Profile::peer(Self::addr(index)).with_id(id);
        self.nodes.insert(profile.addr, Pastry::new(&self.config, &profile));
    }

    pub(super) fn node(&self, index: u32) -> &Pastry {
        &self.nodes[&Self::addr(index)]
    }

    pub(super) fn all(&self) -> Vec<(Addr, &Pastry)> {
        self.nodes.iter().map(|(a, n)| (*a, n)).collect()
    }

    /// Calls into a node and takes care of the effects.
    pub(super) fn call(
        &mut self,
        index: u32,
        cause: Cause,
        call: impl FnOnce(&mut Pastry, &mut Cx<'_, Pastry>),
    ) {
        let me = Self::addr(index);
        let mut effects: Vec<Effect<Pastry>> = Vec::new();
        if let Some(node) = self.nodes.get_mut(&me) {
            let mut cx = Cx::new(self.now, me, cause, false, &mut self.rng, &mut effects);
            call(node, &mut cx);
        }
        for effect in effects {
            self.carry_out(me, effect);
        }
    }

    fn carry_out(&mut self, me: Addr, effect: Effect<Pastry>) {
        match effect.action {
            Action::Send { to, message } => {
                let cause = effect.cause.next(message.is_reply());
                let kind = Message::KINDS[message.kind()];
                self.sent.push((me.index(), to.index(), kind, cause.op));
                let bytes = message.to_bytes();
                assert_eq!(bytes.len(), message.encoded_len(), "{message:?}");
                assert_eq!(Message::from_bytes(&bytes).as_ref(), Ok(&message));
                if !(self.lose)(me, to, &message) {
                    self.push(DELAY_US, cause, Event::Message { from: me, to, message });
                }
            }
            Action::Wake { after, timer } | Action::Upkeep { after, timer } => {
                self.push(after.as_us(), effect.cause, Event::Timer { at: me, timer });
            }
            Action::Finish { op, outcome } => {
                let before = self.outcomes.insert(op, outcome);
                assert_eq!(before, None, "operation {op:?} ended twice");
            }
            Action::Answer { .. } | Action::Close { .. } | Action::Note(_) => {}
        }
    }

    fn push(&mut self, after_us: u64, cause: Cause, event: Event) {
        self.sequence += 1;
        let due = Time::from_us(self.now.as_us() + after_us);
        self.queue.insert((due, self.sequence), (cause, event));
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, seconds: u64) {
        let end = Time::from_us(self.now.as_us() + seconds * 1_000_000);
        while let Some(entry) = self.queue.first_entry() {
            let (due, _) = *entry.key();
            if due > end {
                break;
            }
            let (cause, event) = entry.remove();
            self.now = due;
            match event {
                Event::Message { from, to, message } => {
                    self.call(to.index(), cause, |node, cx| node.on_message(cx, from, message));
                }
                Event::Timer { at, timer } => {
                    self.call(at.index(), cause, |node, cx| node.on_timer(cx, timer));
                }
            }
        }
        self.now = end;
    }

    /// Starts an operation.
    pub(super) fn start(
        &mut self,
        index: u32,
        call: impl FnOnce(&mut Pastry, &mut Cx<'_, Pastry>, OpId),
    ) -> OpId {
        self.ops += 1;
        let op = OpId(self.ops);
        self.call(index, Cause::start(op), |node, cx| call(node, cx, op));
        op
    }

    /// Starts an operation and waits a while for its outcome.
    pub(super) fn ask(
        &mut self,
        index: u32,
        call: impl FnOnce(&mut Pastry, &mut Cx<'_, Pastry>, OpId),
    ) -> Option<Outcome> {
        let op = self.start(index, call);
        for _ in 0..60 {
            if self.outcomes.contains_key(&op) {
                break;
            }
            self.run(1);
        }
        self.outcomes.get(&op).cloned()
    }

    pub(super) fn join(&mut self, index: u32, via: u32) -> Option<Outcome> {
        self.ask(index, |node, cx, op| node.join(cx, op, &[Self::addr(via)]))
    }

    pub(super) fn locate(&mut self, index: u32, key: Key) -> Option<Outcome> {
        self.ask(index, |node, cx, op| node.locate(cx, op, &key))
    }

    pub(super) fn insert(&mut self, index: u32, name: &str) -> Option<Outcome> {
        let item = Arc::new(Item::new(name, 1));
        self.ask(index, |node, cx, op| node.insert(cx, op, &item))
    }

    pub(super) fn search(&mut self, index: u32, name: &str) -> Option<Outcome> {
        let query = Query::exact(Item::new(name, 1).key());
        self.ask(index, |node, cx, op| node.search(cx, op, &query))
    }

    /// Which nodes provide what a search found.
    pub(super) fn providers(outcome: Option<Outcome>) -> Vec<u32> {
        match outcome {
            Some(Outcome::Found(hits)) => hits.iter().map(|h| h.provider.index()).collect(),
            _ => Vec::new(),
        }
    }

    /// Stops a node without a word.
    pub(super) fn crash(&mut self, index: u32) {
        self.nodes.remove(&Self::addr(index));
    }
}
