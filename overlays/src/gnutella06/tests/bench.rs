//! One servent on a fabricated context, number 100, and what it does.

use std::sync::Arc;

use rand::SeedableRng;

use crate::gnutella06::handshake::Headers;
use crate::gnutella06::message::{Flags, Message};
use crate::gnutella06::qrp::{INFINITY, Table, patches};
use crate::gnutella06::{Config, Gnutella06};
use crate::parts::servent::{Guid, HitBody, Record, Way};
use crate::seam::{
    Action, Addr, Cause, Cx, Effect, Item, Machine, OpId, Outcome, Overlay, Profile, Query, Rng,
    Span, Target, Time,
};

pub const ME: u32 = 100;

pub fn addr(n: u32) -> Addr {
    Addr::from_index(n)
}

pub fn guid(n: u8) -> Guid {
    Guid::from_bytes([n, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0])
}

pub fn item(name: &str) -> Arc<Item> {
    Arc::new(Item::new(name, 1_000_000))
}

pub fn exact(name: &str) -> Target {
    Target::Exact(item(name).key())
}

/// The servent and its world.
pub struct Bench {
    pub node: Gnutella06,
    pub rng: Rng,
    pub now: Time,
    pub timers: Vec<<Gnutella06 as Machine>::Timer>,
    pub outcomes: Vec<(OpId, Outcome)>,
    pub closed: Vec<u32>,
}

impl Bench {
    pub fn new(config: Config, profile: Profile) -> Self {
        let node = Gnutella06::new(&Arc::new(config), &profile);
        let now = Time::ZERO + Span::from_s(10);
        let rng = Rng::seed_from_u64(5);
        let (timers, outcomes, closed) = (Vec::new(), Vec::new(), Vec::new());
        Self { node, rng, now, timers, outcomes, closed }
    }

    /// A founder: an ultrapeer without links.
    pub fn founder(config: Config) -> Self {
        let mut bench = Self::new(config, Profile::peer(addr(ME)));
        bench.call(|node, cx| node.join(cx, OpId(1), &[]));
        bench
    }

    /// A leaf of the ultrapeers 1 to `n`.
    pub fn leaf(n: u32) -> Self {
        let mut bench = Self::new(Config::default(), Profile::peer(addr(ME)));
        let via: Vec<Addr> = (1..=n).map(addr).collect();
        let mut sent = bench.call(|node, cx| node.join(cx, OpId(1), &via));
        for _ in 0..n {
            let dialled = sent.iter().filter(|(_, m)| matches!(m, Message::Connect { .. }));
            for peer in dialled.map(|(to, _)| *to).collect::<Vec<u32>>() {
                let needed = Headers { ultrapeer_needed: Some(false), ..ultrapeer() };
                bench.tell(peer, answer(200, needed));
            }
            sent = bench.call(Gnutella06::choose);
        }
        assert_eq!(bench.node.ultrapeers(), n as usize);
        bench
    }

    pub fn call(
        &mut self,
        f: impl FnOnce(&mut Gnutella06, &mut Cx<'_, Gnutella06>),
    ) -> Vec<(u32, Message)> {
        let mut effects: Vec<Effect<Gnutella06>> = Vec::new();
        let cause = Cause::start(OpId(9));
        let mut cx = Cx::new(self.now, addr(ME), cause, false, &mut self.rng, &mut effects);
        f(&mut self.node, &mut cx);
        let mut sent = Vec::new();
        for effect in effects {
            match effect.action {
                Action::Send { to, message } => sent.push((to.index(), message)),
                Action::Wake { timer, .. } | Action::Upkeep { timer, .. } => {
                    self.timers.push(timer)
                }
                Action::Finish { op, outcome } => self.outcomes.push((op, outcome)),
                Action::Close { peer } => self.closed.push(peer.index()),
                _ => {}
            }
        }
        sent
    }

    /// What it sends on being told `message` by `from`.
    pub fn tell(&mut self, from: u32, message: Message) -> Vec<(u32, Message)> {
        self.call(|node, cx| node.on_message(cx, addr(from), message))
    }

    /// What it sends when the timer it asked for last is due.
    pub fn wake_last(&mut self) -> Vec<(u32, Message)> {
        let timer = self.timers.pop().expect("it asked for a timer");
        self.call(|node, cx| node.on_timer(cx, timer))
    }

    /// Carries out a handshake that `from` begins.
    pub fn link(&mut self, from: u32, headers: &Headers) {
        let sent = self.tell(from, Message::Connect { headers: Box::new(headers.clone()) });
        assert!(matches!(sent[..], [(_, Message::Answer { code: 200, .. })]), "{sent:?}");
        self.tell(from, answer(200, headers.clone()));
        assert!(self.node.linked(addr(from)));
    }

    /// Links a leaf that shares `names`.
    pub fn link_leaf(&mut self, from: u32, names: &[&str]) {
        self.link(from, &leaf());
        self.send_table(from, names);
    }

    /// Links an ultrapeer whose table has `names`.
    pub fn link_ultrapeer(&mut self, from: u32, names: &[&str]) {
        self.link(from, &ultrapeer());
        self.send_table(from, names);
    }

    pub fn send_table(&mut self, from: u32, names: &[&str]) {
        let items: Vec<Arc<Item>> = names.iter().map(|n| item(n)).collect();
        let table = Table::of(16, items.iter());
        self.tell(from, Message::Reset { size: 1 << 16, infinity: INFINITY });
        for body in patches(&Table::empty(16), &table, 4) {
            self.tell(from, Message::Patch { body });
        }
    }

    pub fn search(&mut self, op: u32, query: &Query) -> Vec<(u32, Message)> {
        self.call(|node, cx| node.search(cx, OpId(op), query))
    }
}

/// The headers of an ultrapeer.
pub fn ultrapeer() -> Headers {
    let (degree, max_ttl) = (Some(32), Some(3));
    Headers { ultrapeer: Some(true), listen: Some(addr(1)), degree, max_ttl, ..Headers::default() }
}

/// The headers of a leaf.
pub fn leaf() -> Headers {
    Headers { ultrapeer: Some(false), listen: Some(addr(1)), ..Headers::default() }
}

pub fn answer(code: u16, headers: Headers) -> Message {
    Message::Answer { code, headers: Box::new(headers) }
}

pub fn query(id: u8, ttl: u8, hops: u8, name: &str) -> Message {
    let flags = Flags(Flags::VALID | Flags::LEAF_GUIDED);
    Message::Query { guid: guid(id), way: Way { ttl, hops }, flags, target: exact(name) }
}

pub fn hit(guid: Guid, provider: u32, names: &[&str]) -> Message {
    let records = (0..).zip(names).map(|(index, name)| Record { index, item: item(name) });
    let servent = Guid::of_servent(addr(provider).key());
    let body = HitBody::new(addr(provider), 1000, false, servent, records.collect());
    Message::QueryHit { guid, way: Way { ttl: 4, hops: 1 }, body: Arc::new(body) }
}

/// To whom queries were sent, and with which TTL.
pub fn queries(sent: &[(u32, Message)]) -> Vec<(u32, u8)> {
    let asked = sent.iter().filter_map(|(to, message)| match message {
        Message::Query { way, .. } => Some((*to, way.ttl)),
        _ => None,
    });
    let mut asked: Vec<_> = asked.collect();
    asked.sort_unstable();
    asked
}
