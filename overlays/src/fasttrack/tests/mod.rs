//! FastTrack's nodes on fabricated contexts.

mod cipher;
mod codec;
mod list_server;
mod peer;
mod supernode;
mod uuhash;

use std::sync::Arc;

use super::{Bandwidth, Config, FastTrack, Message, NodeEntry, NodeList, Timer};
use crate::seam::{
    Action, Addr, Cause, Cx, Effect, Hit, Item, Machine as _, OpId, Outcome, Overlay as _, Profile,
    Query, Rng, Span, Stream, Time,
};

/// The list server of most tests.
const SERVER: Addr = Addr::from_index(1000);

/// The peer numbered `index`.
const fn peer(index: u32) -> Addr {
    Addr::from_index(index)
}

fn item(name: &str) -> Arc<Item> {
    Arc::new(Item::new(name, 4_000_000))
}

/// A list of these supernodes.
fn list(supernodes: &[u32]) -> NodeList {
    let entry = |&index| NodeEntry { addr: peer(index), seen_min: 0, load: 10 };
    supernodes.iter().map(entry).collect()
}

/// What an ordinary node with a line of this many kb/s says to a supernode.
fn user_info(index: u32, kbps: u64, firewalled: bool) -> Message {
    let bandwidth = Bandwidth::of(kbps * 1_000);
    Message::UserInfo { addr: peer(index), bandwidth, firewalled }
}

type Effects = Vec<Effect<FastTrack>>;

/// A node under test, its clock and its dice.
struct Bench {
    node: FastTrack,
    me: Addr,
    now: Time,
    rng: Rng,
}

impl Bench {
    fn new(config: &Config, profile: &Profile) -> Self {
        let node = FastTrack::new(&Arc::new(config.clone()), profile);
        Self { node, me: profile.addr, now: Time::ZERO, rng: Stream::Protocol.rng(7) }
    }

    fn server(config: &Config) -> Self {
        let mut bench = Self::new(config, &Profile::server(SERVER));
        let effects = bench.join(1, &[]);
        assert_eq!(finished(&effects), [(1, Outcome::Done)]);
        bench
    }

    /// Peer 1, which has joined nothing.
    fn outsider(config: &Config) -> Self {
        Self::new(config, &Profile::peer(peer(1)))
    }

    /// Peer 1 as the first supernode of a network.
    fn supernode(config: &Config) -> Self {
        let mut bench = Self::outsider(config);
        bench.join(1, &[SERVER]);
        bench.receive(SERVER, Message::Nodes(list(&[])));
        let effects = bench.receive(SERVER, Message::Nodes(list(&[])));
        assert_eq!(finished(&effects), [(1, Outcome::Done)]);
        bench
    }

    /// Peer 1 as an ordinary node of supernode 50.
    fn ordinary(config: &Config) -> Self {
        let mut bench = Self::outsider(config);
        bench.join(1, &[SERVER]);
        bench.receive(SERVER, Message::Nodes(list(&[50])));
        let tag = bench.tag();
        bench.receive(peer(50), Message::Pong { tag, load: 0 });
        let effects = bench.receive(peer(50), Message::Nodes(list(&[51, 52])));
        assert_eq!(finished(&effects), [(1, Outcome::Done)]);
        bench
    }

    fn call(&mut self, op: u32, f: impl FnOnce(&mut FastTrack, &mut Cx<'_, FastTrack>)) -> Effects {
        let mut effects = Vec::new();
        let cause = Cause::start(OpId(op));
        let mut cx = Cx::new(self.now, self.me, cause, false, &mut self.rng, &mut effects);
        f(&mut self.node, &mut cx);
        effects
    }

    fn join(&mut self, op: u32, via: &[Addr]) -> Effects {
        self.call(op, |node, cx| node.join(cx, OpId(op), via))
    }

    fn insert(&mut self, op: u32, name: &str) -> Effects {
        self.call(op, |node, cx| node.insert(cx, OpId(op), &item(name)))
    }

    fn search(&mut self, op: u32, query: &Query) -> Effects {
        self.call(op, |node, cx| node.search(cx, OpId(op), query))
    }

    fn receive(&mut self, from: Addr, message: Message) -> Effects {
        self.call(99, |node, cx| node.on_message(cx, from, message))
    }

    fn lose(&mut self, from: Addr) -> Effects {
        self.call(99, |node, cx| node.on_lost(cx, from))
    }

    fn wake(&mut self, timer: Timer) -> Effects {
        self.call(99, |node, cx| node.on_timer(cx, timer))
    }

    /// Lets `index` become an ordinary node of this supernode.
    fn take(&mut self, index: u32, kbps: u64, firewalled: bool) -> Effects {
        self.receive(peer(index), user_info(index, kbps, firewalled))
    }

    /// The number of the present step on the way to a supernode.
    fn tag(&self) -> u32 {
        match &self.node {
            FastTrack::Peer(node) => node.attempt,
            FastTrack::Server(_) => panic!("a list server looks for no supernode"),
        }
    }

    fn is_supernode(&self) -> bool {
        matches!(&self.node, FastTrack::Peer(node) if node.is_supernode())
    }

    fn home(&self) -> Option<Addr> {
        match &self.node {
            FastTrack::Peer(node) => node.home,
            FastTrack::Server(_) => None,
        }
    }
}

/// The messages sent.
fn sent(effects: &Effects) -> Vec<(Addr, Message)> {
    let messages = effects.iter().filter_map(|e| match &e.action {
        Action::Send { to, message } => Some((*to, message.clone())),
        _ => None,
    });
    messages.collect()
}

/// Who was sent something of which `is` holds, in order of address.
fn receivers(effects: &Effects, is: impl Fn(&Message) -> bool) -> Vec<Addr> {
    let mut receivers: Vec<Addr> =
        sent(effects).into_iter().filter(|(_, m)| is(m)).map(|(to, _)| to).collect();
    receivers.sort_unstable();
    receivers
}

/// The operations that ended.
fn finished(effects: &Effects) -> Vec<(u32, Outcome)> {
    let ends = effects.iter().filter_map(|e| match &e.action {
        Action::Finish { op, outcome } => Some((op.0, outcome.clone())),
        _ => None,
    });
    ends.collect()
}

/// The timers asked for.
fn woken(effects: &Effects) -> Vec<(Span, Timer)> {
    let timers = effects.iter().filter_map(|e| match e.action {
        Action::Wake { after, timer } | Action::Upkeep { after, timer } => Some((after, timer)),
        _ => None,
    });
    timers.collect()
}

/// The streams closed.
fn closed(effects: &Effects) -> Vec<Addr> {
    let peers = effects.iter().filter_map(|e| match e.action {
        Action::Close { peer } => Some(peer),
        _ => None,
    });
    peers.collect()
}

/// A hit at `provider`.
fn hit(name: &str, provider: u32) -> Hit {
    Hit { item: item(name), provider: peer(provider) }
}
