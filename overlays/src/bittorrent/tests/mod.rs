//! BitTorrent's nodes on fabricated contexts.

mod client;
mod codec;
mod dht;
mod index;
mod magnet;
mod search;
mod swarm;
mod tracker;

use std::sync::Arc;

use super::{Announce, BitTorrent, Config, Event, Magnet, Message, Peers, Timer};
use crate::seam::{
    Action, Addr, Cause, Cx, Effect, Hit, Item, Key, Machine as _, OpId, Outcome, Overlay as _,
    Profile, Query, Rng, Span, Stream, Time,
};

/// The index site of the tests.
const INDEX: Addr = Addr::from_index(1000);
/// Their trackers.
const TRACKERS: [Addr; 2] = [Addr::from_index(1001), Addr::from_index(1002)];

/// The peer numbered `index`.
const fn peer(index: u32) -> Addr {
    Addr::from_index(index)
}

fn item(name: &str) -> Arc<Item> {
    Arc::new(Item::new(name, 4_000_000))
}

/// A link to an item that is announced at the first tracker.
fn magnet(name: &str) -> Magnet {
    Magnet::of(&item(name), &Arc::from([TRACKERS[0]]))
}

/// A node under test, its clock and its dice.
struct Bench {
    node: BitTorrent,
    me: Addr,
    now: Time,
    rng: Rng,
}

type Effects = Vec<Effect<BitTorrent>>;

impl Bench {
    fn new(config: &Config, profile: &Profile) -> Self {
        let node = BitTorrent::new(&Arc::new(config.clone()), profile);
        Self { node, me: profile.addr, now: Time::from_us(1), rng: Stream::Protocol.rng(7) }
    }

    /// A running index site.
    fn index(config: &Config) -> Self {
        let mut bench = Self::new(config, &Profile::server(INDEX));
        assert_eq!(finished(&bench.join(1, &[])), [(1, Outcome::Done)]);
        bench
    }

    /// A running tracker.
    fn tracker(config: &Config) -> Self {
        let mut bench = Self::new(config, &Profile::server(TRACKERS[0]));
        assert_eq!(finished(&bench.join(1, &[INDEX])), [(1, Outcome::Done)]);
        bench
    }

    /// A client, peer 1, that has not joined.
    fn client(config: &Config) -> Self {
        Self::new(config, &Profile::peer(peer(1)))
    }

    /// The same after it has visited the index site.
    fn joined(config: &Config) -> Self {
        let mut bench = Self::client(config);
        let effects = bench.join(1, &[INDEX, TRACKERS[0], TRACKERS[1]]);
        assert_eq!(sent(&effects), [(INDEX, Message::Visit)]);
        let effects = bench.receive(INDEX, Message::Welcome);
        assert_eq!(finished(&effects), [(1, Outcome::Done)]);
        bench
    }

    /// The same, sharing an item and knowing some peers of its swarm.
    fn sharing(config: &Config, name: &str, others: &[u32]) -> Self {
        let mut bench = Self::joined(config);
        bench.insert(2, name);
        bench.receive(INDEX, Message::Published { accepted: true });
        let effects = bench.receive(TRACKERS[0], peers(others));
        assert_eq!(finished(&effects), [(2, Outcome::Done)]);
        bench
    }

    fn call(
        &mut self,
        op: u32,
        f: impl FnOnce(&mut BitTorrent, &mut Cx<'_, BitTorrent>),
    ) -> Effects {
        let mut effects = Vec::new();
        let cause = Cause::start(OpId(op));
        let mut cx = Cx::new(self.now, self.me, cause, false, &mut self.rng, &mut effects);
        f(&mut self.node, &mut cx);
        effects
    }

    fn join(&mut self, op: u32, via: &[Addr]) -> Effects {
        self.call(op, |node, cx| node.join(cx, OpId(op), via))
    }

    fn leave(&mut self, op: u32) -> Effects {
        self.call(op, |node, cx| node.leave(cx, OpId(op)))
    }

    fn insert(&mut self, op: u32, name: &str) -> Effects {
        self.call(op, |node, cx| node.insert(cx, OpId(op), &item(name)))
    }

    fn delete(&mut self, op: u32, name: &str) -> Effects {
        self.call(op, |node, cx| node.delete(cx, OpId(op), &item(name).key()))
    }

    fn search(&mut self, op: u32, query: &Query) -> Effects {
        self.call(op, |node, cx| node.search(cx, OpId(op), query))
    }

    fn receive(&mut self, from: Addr, message: Message) -> Effects {
        self.call(0, |node, cx| node.on_message(cx, from, message))
    }

    fn wake(&mut self, timer: Timer) -> Effects {
        self.call(0, |node, cx| node.on_timer(cx, timer))
    }

    fn lose(&mut self, other: Addr) -> Effects {
        self.call(0, |node, cx| node.on_lost(cx, other))
    }

    /// Announces a torrent to the tracker under test for peer `index`, and
    /// returns the reply.
    fn announce(&mut self, index: u32, name: &str, event: Event, left: u64) -> Message {
        let message = announce(index, name, event, left);
        let effects = self.receive(peer(index), message);
        let [(to, reply)] = &sent(&effects)[..] else { panic!("not one reply: {effects:?}") };
        assert_eq!(*to, peer(index));
        reply.clone()
    }

    fn neighbours(&self) -> Vec<Addr> {
        let mut seen = Vec::new();
        self.node.neighbours(&mut |addr| seen.push(addr));
        seen
    }
}

/// What a tracker's reply says of peers.
fn listed(reply: &Message) -> Vec<Addr> {
    match reply {
        Message::Peers(peers) => peers.peers.to_vec(),
        other => panic!("no peers: {other:?}"),
    }
}

/// A tracker's reply with these peers.
fn peers(indices: &[u32]) -> Message {
    let peers = indices.iter().copied().map(peer).collect();
    Message::Peers(Box::new(Peers { interval_s: 1800, peers, ..Peers::default() }))
}

fn announce(index: u32, name: &str, event: Event, left: u64) -> Message {
    Message::Announce(Box::new(Announce {
        info_hash: item(name).key(),
        peer_id: super::peer_id(peer(index)),
        port: 0,
        uploaded: 0,
        downloaded: 0,
        left,
        event,
        numwant: if event == Event::Stopped { 0 } else { 50 },
    }))
}

fn connect(index: u32, name: &str) -> Message {
    Message::Connect { info_hash: item(name).key(), peer_id: super::peer_id(peer(index)) }
}

fn accept(index: u32, name: &str, complete: bool) -> Message {
    let peer_id = super::peer_id(peer(index));
    Message::Accept { info_hash: item(name).key(), peer_id, complete }
}

/// The messages among effects.
fn sent(effects: &Effects) -> Vec<(Addr, Message)> {
    let messages = effects.iter().filter_map(|e| match &e.action {
        Action::Send { to, message } => Some((*to, message.clone())),
        _ => None,
    });
    messages.collect()
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
    let others = effects.iter().filter_map(|e| match e.action {
        Action::Close { peer } => Some(peer),
        _ => None,
    });
    others.collect()
}

#[test]
fn timers_and_messages_are_small() {
    assert!(size_of::<Timer>() <= 8);
    assert!(size_of::<Message>() <= 48, "{}", size_of::<Message>());
    assert_eq!(Key::BYTES, 20);
}
