//! Napster's nodes on fabricated contexts.

mod client;
mod index;
mod mesh;
mod message;
mod server;
mod settled;

use std::sync::Arc;

use super::{Config, LineSpeed, Message, Napster, Nick, Timer};
use crate::seam::{
    Action, Addr, Cause, Cx, Effect, Hit, Item, Machine as _, OpId, Outcome, Overlay as _, Profile,
    Query, Rng, Span, Stream, Time,
};

/// The server of most tests.
const SERVER: Addr = Addr::from_index(1000);

/// The peer numbered `index`.
const fn peer(index: u32) -> Addr {
    Addr::from_index(index)
}

fn item(name: &str) -> Arc<Item> {
    Arc::new(Item::new(name, 4_000_000))
}

fn hit(name: &str, provider: u32) -> Hit {
    Hit { item: item(name), provider: peer(provider) }
}

/// A node under test, its clock and its dice.
struct Bench {
    node: Napster,
    me: Addr,
    now: Time,
    rng: Rng,
}

impl Bench {
    fn new(config: &Config, profile: &Profile) -> Self {
        let node = Napster::new(&Arc::new(config.clone()), profile);
        Self { node, me: profile.addr, now: Time::ZERO, rng: Stream::Protocol.rng(7) }
    }

    fn server(config: &Config) -> Self {
        let mut bench = Self::new(config, &Profile::server(SERVER));
        let effects = bench.join(1, &[]);
        assert_eq!(finished(&effects), [(1, Outcome::Done)]);
        bench
    }

    fn client(config: &Config) -> Self {
        Self::new(config, &Profile::peer(peer(1)))
    }

    /// A client that logged in to [`SERVER`].
    fn logged_in(config: &Config) -> Self {
        let mut bench = Self::client(config);
        bench.join(1, &[SERVER]);
        bench.receive(SERVER, Message::LoginAck);
        bench
    }

    fn call(&mut self, op: u32, f: impl FnOnce(&mut Napster, &mut Cx<'_, Napster>)) -> Effects {
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

    fn lose(&mut self, peer: Addr) -> Effects {
        self.call(0, |node, cx| node.on_lost(cx, peer))
    }

    /// Logs a user in and shares files; the node is a server.
    fn user(&mut self, index: u32, names: &[&str]) {
        let effects = self.receive(peer(index), login(index));
        assert_eq!(sent(&effects), [(peer(index), Message::LoginAck)]);
        for name in names {
            let effects = self.receive(peer(index), Message::Share(item(name)));
            assert!(effects.is_empty(), "a share has no answer: {effects:?}");
        }
    }

    /// The hits that the server under test returns to a user; checks that one
    /// end follows them.
    fn answers(&mut self, user: u32, query: &Query) -> Vec<Hit> {
        let search = Message::Search { tag: 9, local: false, query: query.clone() };
        let effects = self.receive(peer(user), search);
        let mut messages = sent(&effects);
        assert_eq!(messages.pop(), Some((peer(user), Message::EndOfSearch { tag: 9 })));
        let hits = messages.into_iter().map(|(to, message)| match message {
            Message::Found { tag: 9, listing } if to == peer(user) => {
                assert_eq!(listing.nick, Nick::of(listing.hit.provider));
                listing.hit
            }
            other => panic!("not a result: {other:?}"),
        });
        hits.collect()
    }
}

type Effects = Vec<Effect<Napster>>;

fn login(index: u32) -> Message {
    Message::Login {
        nick: Nick::of(peer(index)),
        data_port: 0,
        firewalled: false,
        speed: LineSpeed::of(1_000_000),
    }
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

/// The links closed.
fn closed(effects: &Effects) -> Vec<Addr> {
    let peers = effects.iter().filter_map(|e| match e.action {
        Action::Close { peer } => Some(peer),
        _ => None,
    });
    peers.collect()
}
