//! What the tests of several overlays run on: a handful of nodes and a queue
//! between them. Every message takes 10 ms, and is encoded and read back.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{
    Action, Addr, Cause, Census, Cx, Effect, Holding, Item, Key, Machine, OpId, Outcome, Overlay,
    Profile, Query, Rng, Stream, Time, Wire,
};

enum Event<M: Machine> {
    Message { from: Addr, to: Addr, message: M::Message },
    Timer { at: Addr, timer: M::Timer },
}

/// Decides whether a copy of a message is lost.
type Loss<M> = dyn FnMut(Addr, Addr, &M) -> bool;
/// Changes a message that a node is about to send.
type Alter<M> = dyn FnMut(&mut M);

/// A small network.
pub(crate) struct Bench<O: Overlay> {
    pub(crate) config: Arc<O::Config>,
    pub(crate) nodes: BTreeMap<Addr, O>,
    queue: BTreeMap<(Time, u64), (Cause, Event<O>)>,
    sequence: u64,
    pub(crate) now: Time,
    pub(crate) rng: Rng,
    pub(crate) outcomes: BTreeMap<OpId, Outcome>,
    /// What was sent: from, to, kind, and for which operation.
    pub(crate) sent: Vec<(u32, u32, &'static str, OpId)>,
    ops: u32,
    /// Whether this copy of a message is lost.
    pub(crate) lose: Box<Loss<O::Message>>,
    /// What is made of messages before they are sent.
    pub(crate) alter: Box<Alter<O::Message>>,
}

const DELAY_US: u64 = 10_000;
/// How long [`Bench::ask`] waits.
const LONGEST_WAIT_S: u64 = 300;

impl<O: Overlay> Bench<O> {
    pub(crate) fn new(config: O::Config) -> Self {
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
            alter: Box::new(|_| ()),
        }
    }

    pub(crate) fn addr(index: u32) -> Addr {
        Addr::from_index(index)
    }

    /// Nodes 0.. with these identifiers, in their places in a converged network.
    pub(crate) fn settled_at(config: O::Config, keys: &[Key], shared: &[(usize, &str)]) -> Self {
        let mut bench = Self::new(config);
        let peers = keys.iter().zip(0..).map(|(id, i)| Profile::peer(Self::addr(i)).with_id(*id));
        let holdings = shared.iter().map(|(i, name)| Holding {
            item: Arc::new(Item::new(name, 1)),
            provider: Self::addr(*i as u32),
        });
        let census = Census::new(peers.collect(), Vec::new(), holdings.collect());
        let blueprint = O::blueprint(&bench.config, census, &mut bench.rng);
        let blueprint = blueprint.expect("an overlay that starts converged");
        for (i, key) in (0..).zip(keys) {
            bench.add(i, *key);
            bench.call(i, Cause::UPKEEP, |node, cx| node.settle(cx, &blueprint));
        }
        bench
    }

    /// A node that has not joined.
    pub(crate) fn add(&mut self, index: u32, id: Key) {
        let profile = Profile::peer(Self::addr(index)).with_id(id);
        self.nodes.insert(profile.addr, O::new(&self.config, &profile));
    }

    pub(crate) fn node(&self, index: u32) -> &O {
        &self.nodes[&Self::addr(index)]
    }

    pub(crate) fn all(&self) -> Vec<(Addr, &O)> {
        self.nodes.iter().map(|(a, n)| (*a, n)).collect()
    }

    /// Calls into a node and takes care of the effects.
    pub(crate) fn call(
        &mut self,
        index: u32,
        cause: Cause,
        call: impl FnOnce(&mut O, &mut Cx<'_, O>),
    ) {
        let me = Self::addr(index);
        let mut effects: Vec<Effect<O>> = Vec::new();
        if let Some(node) = self.nodes.get_mut(&me) {
            let mut cx = Cx::new(self.now, me, cause, false, &mut self.rng, &mut effects);
            call(node, &mut cx);
        }
        for effect in effects {
            self.carry_out(me, effect);
        }
    }

    fn carry_out(&mut self, me: Addr, effect: Effect<O>) {
        match effect.action {
            Action::Send { to, mut message } => {
                (self.alter)(&mut message);
                let cause = effect.cause.next(message.is_reply());
                let kind = O::Message::KINDS[message.kind()];
                self.sent.push((me.index(), to.index(), kind, cause.op));
                let bytes = message.to_bytes();
                assert_eq!(bytes.len(), message.encoded_len(), "{message:?}");
                assert_eq!(O::Message::from_bytes(&bytes).as_ref(), Ok(&message));
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

    fn push(&mut self, after_us: u64, cause: Cause, event: Event<O>) {
        self.sequence += 1;
        let due = Time::from_us(self.now.as_us() + after_us);
        self.queue.insert((due, self.sequence), (cause, event));
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, seconds: u64) {
        self.run_us(seconds * 1_000_000);
    }

    /// Lets microseconds pass.
    pub(crate) fn run_us(&mut self, us: u64) {
        let end = Time::from_us(self.now.as_us() + us);
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
    pub(crate) fn start(
        &mut self,
        index: u32,
        call: impl FnOnce(&mut O, &mut Cx<'_, O>, OpId),
    ) -> OpId {
        self.ops += 1;
        let op = OpId(self.ops);
        self.call(index, Cause::start(op), |node, cx| call(node, cx, op));
        op
    }

    /// Starts an operation and waits a while for its outcome.
    pub(crate) fn ask(
        &mut self,
        index: u32,
        call: impl FnOnce(&mut O, &mut Cx<'_, O>, OpId),
    ) -> Option<Outcome> {
        let op = self.start(index, call);
        for _ in 0..LONGEST_WAIT_S {
            if self.outcomes.contains_key(&op) {
                break;
            }
            self.run(1);
        }
        self.outcomes.get(&op).cloned()
    }

    /// Joins through another node, or founds the network through itself.
    pub(crate) fn join(&mut self, index: u32, via: u32) -> Option<Outcome> {
        let via: Vec<Addr> = if via == index { Vec::new() } else { vec![Self::addr(via)] };
        self.ask(index, |node, cx, op| node.join(cx, op, &via))
    }

    pub(crate) fn locate(&mut self, index: u32, key: Key) -> Option<Outcome> {
        self.ask(index, |node, cx, op| node.locate(cx, op, &key))
    }

    pub(crate) fn insert(&mut self, index: u32, name: &str) -> Option<Outcome> {
        let item = Arc::new(Item::new(name, 1));
        self.ask(index, |node, cx, op| node.insert(cx, op, &item))
    }

    pub(crate) fn search(&mut self, index: u32, name: &str) -> Option<Outcome> {
        let query = Query::exact(Item::new(name, 1).key());
        self.ask(index, |node, cx, op| node.search(cx, op, &query))
    }

    /// Which nodes provide what a search found.
    pub(crate) fn providers(outcome: Option<Outcome>) -> Vec<u32> {
        match outcome {
            Some(Outcome::Found(hits)) => hits.iter().map(|h| h.provider.index()).collect(),
            _ => Vec::new(),
        }
    }

    /// Stops a node without a word.
    pub(crate) fn crash(&mut self, index: u32) {
        self.nodes.remove(&Self::addr(index));
    }
}
