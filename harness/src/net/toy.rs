//! A small overlay to test the host with: an unstructured mesh over streams,
//! probed over datagrams.

use std::sync::Arc;

use overlays::{
    About, Addr, Cx, Footprint, Growth, Hit, Item, Key, Machine, OpId, Outcome, Overlay, Profile,
    Query, Reader, Reason, SearchPower, Span, Target, Theory, Transport, Wire, WireError, Writer,
};

overlays::parameters! {
    /// The toy's parameters.
    pub struct Config {
        /// How many hops a query travels.
        pub ttl: u8 = 4;
        /// Milliseconds until a search or locate without an answer ends.
        pub timeout_ms: u64 = 300;
        /// Dedicated servers.
        pub servers: u32 = 0;
    }
}

/// Everything the toy says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    /// Stream: be my neighbour.
    Hello,
    /// Stream, reply: I am.
    Welcome,
    /// Stream: find this key; tell `origin`.
    Find { search: u32, origin: Addr, ttl: u8, key: Key },
    /// Datagram, reply: I have it.
    Have { search: u32, item: Arc<Item> },
    /// Datagram: are you there?
    Ping { locate: u32 },
    /// Datagram, reply: yes.
    Pong { locate: u32 },
    /// Stream: ballast.
    Ballast(Vec<u8>),
    /// Datagram: ballast.
    LooseBallast(Vec<u8>),
}

impl Wire for Message {
    const KINDS: &'static [&'static str] =
        &["Hello", "Welcome", "Find", "Have", "Ping", "Pong", "Ballast", "LooseBallast"];
    const MAX_BYTES: usize = 70_000;

    fn kind(&self) -> usize {
        match self {
            Self::Hello => 0,
            Self::Welcome => 1,
            Self::Find { .. } => 2,
            Self::Have { .. } => 3,
            Self::Ping { .. } => 4,
            Self::Pong { .. } => 5,
            Self::Ballast(_) => 6,
            Self::LooseBallast(_) => 7,
        }
    }

    fn is_reply(&self) -> bool {
        matches!(self, Self::Welcome | Self::Have { .. } | Self::Pong { .. })
    }

    fn encoded_len(&self) -> usize {
        1 + match self {
            Self::Hello | Self::Welcome => 0,
            Self::Find { .. } => 4 + Addr::BYTES + 1 + Key::BYTES,
            Self::Have { item, .. } => 4 + item.encoded_len(),
            Self::Ping { .. } | Self::Pong { .. } => 4,
            Self::Ballast(bytes) | Self::LooseBallast(bytes) => bytes.len(),
        }
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(self.kind() as u8);
        match self {
            Self::Hello | Self::Welcome => {}
            Self::Find { search, origin, ttl, key } => {
                w.u32(*search);
                w.addr(*origin);
                w.u8(*ttl);
                w.key(*key);
            }
            Self::Have { search, item } => {
                w.u32(*search);
                item.encode(w);
            }
            Self::Ping { locate } | Self::Pong { locate } => w.u32(*locate),
            Self::Ballast(bytes) | Self::LooseBallast(bytes) => w.bytes(bytes),
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match r.u8()? {
            0 => Self::Hello,
            1 => Self::Welcome,
            2 => Self::Find { search: r.u32()?, origin: r.addr()?, ttl: r.u8()?, key: r.key()? },
            3 => Self::Have { search: r.u32()?, item: Arc::new(Item::decode(r)?) },
            4 => Self::Ping { locate: r.u32()? },
            5 => Self::Pong { locate: r.u32()? },
            6 => Self::Ballast(r.take(r.remaining(), "ballast")?.to_vec()),
            7 => Self::LooseBallast(r.take(r.remaining(), "ballast")?.to_vec()),
            kind => return Err(r.invalid("kind", u64::from(kind))),
        })
    }
}

/// What the toy waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timer {
    /// The operation has waited long enough.
    GiveUp(OpId),
    /// Upkeep: ping a neighbour.
    Probe,
}

/// A node of the toy.
pub(super) struct Toy {
    config: Arc<Config>,
    neighbours: Vec<Addr>,
    items: Vec<Arc<Item>>,
    joining: Option<(OpId, usize)>,
    searches: Vec<OpId>,
    locates: Vec<OpId>,
    seen: Vec<(Addr, u32)>,
    lost: u64,
    ballast: u64,
}

impl Toy {
    fn contact_answered(&mut self, cx: &mut Cx<'_, Self>) {
        let Some((op, left)) = self.joining.take() else { return };
        if left > 1 {
            self.joining = Some((op, left - 1));
        } else if self.neighbours.is_empty() {
            cx.finish(op, Outcome::Failed(Reason::NoContact));
        } else {
            cx.wake_upkeep(Span::from_ms(20), Timer::Probe);
            cx.finish(op, Outcome::Done);
        }
    }

    fn know(&mut self, peer: Addr) {
        if !self.neighbours.contains(&peer) {
            self.neighbours.push(peer);
        }
    }
}

impl Machine for Toy {
    type Message = Message;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, message: Message) {
        match message {
            Message::Hello => {
                self.know(from);
                cx.send(from, Message::Welcome);
            }
            Message::Welcome => {
                self.know(from);
                self.contact_answered(cx);
            }
            Message::Find { search, origin, ttl, key } => {
                if self.seen.contains(&(origin, search)) || origin == cx.me() {
                    return;
                }
                self.seen.push((origin, search));
                if let Some(item) = self.items.iter().find(|item| item.key() == key) {
                    cx.send(origin, Message::Have { search, item: Arc::clone(item) });
                }
                if ttl > 1 {
                    for &to in self.neighbours.iter().filter(|&&to| to != from) {
                        cx.send(to, Message::Find { search, origin, ttl: ttl - 1, key });
                    }
                }
            }
            Message::Have { search, item } => {
                if let Some(i) = self.searches.iter().position(|op| op.0 == search) {
                    let op = self.searches.remove(i);
                    cx.finish_search(op, vec![Hit { item, provider: from }]);
                }
            }
            Message::Ping { locate } => cx.send(from, Message::Pong { locate }),
            Message::Pong { locate } => {
                if let Some(i) = self.locates.iter().position(|op| op.0 == locate) {
                    cx.finish(self.locates.remove(i), Outcome::Located(from));
                }
            }
            Message::Ballast(bytes) | Message::LooseBallast(bytes) => {
                self.ballast += bytes.len() as u64;
            }
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: Timer) {
        match timer {
            Timer::GiveUp(op) => {
                if let Some(i) = self.searches.iter().position(|&other| other == op) {
                    self.searches.remove(i);
                    cx.finish(op, Outcome::NotFound);
                }
                if let Some(i) = self.locates.iter().position(|&other| other == op) {
                    self.locates.remove(i);
                    cx.finish(op, Outcome::Failed(Reason::Timeout));
                }
            }
            Timer::Probe => {
                if let Some(&peer) = self.neighbours.first() {
                    cx.send(peer, Message::Ping { locate: 0 });
                }
                cx.wake_upkeep(Span::from_ms(20), Timer::Probe);
            }
        }
    }

    fn on_lost(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        self.lost += 1;
        self.neighbours.retain(|&other| other != peer);
        self.contact_answered(cx);
    }

    fn transport(message: &Message) -> Transport {
        match message {
            Message::Hello | Message::Welcome | Message::Find { .. } | Message::Ballast(_) => {
                Transport::Stream
            }
            _ => Transport::Datagram,
        }
    }
}

impl Overlay for Toy {
    const ABOUT: About = About {
        name: "toy",
        title: "Toy",
        source: "this test",
        idea: "asks everyone",
        theory: Theory {
            search_latency: Growth::Log,
            search_messages: Growth::Linear,
            update_messages: Growth::Constant,
            storage_max: Growth::Constant,
            storage_mean: Growth::Constant,
        },
        caveat: "It is a toy.",
    };

    type Config = Config;
    type Blueprint = ();

    fn new(config: &Arc<Config>, _: &Profile) -> Self {
        Self {
            config: Arc::clone(config),
            neighbours: Vec::new(),
            items: Vec::new(),
            joining: None,
            searches: Vec::new(),
            locates: Vec::new(),
            seen: Vec::new(),
            lost: 0,
            ballast: 0,
        }
    }

    fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: &[Addr]) {
        if via.is_empty() {
            return cx.finish(op, Outcome::Done);
        }
        self.joining = Some((op, via.len()));
        for &to in via {
            cx.send(to, Message::Hello);
        }
    }

    fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        for &peer in &self.neighbours {
            cx.close(peer);
        }
        cx.finish(op, Outcome::Done);
    }

    /// An item of some size is also thrown at the first neighbour: that many
    /// blocks of ballast. One without a name goes as a single datagram.
    fn insert(&mut self, cx: &mut Cx<'_, Self>, op: OpId, item: &Arc<Item>) {
        if let Some(&to) = self.neighbours.first() {
            if item.name().is_empty() {
                cx.send(to, Message::LooseBallast(vec![0; item.size_bytes() as usize]));
            } else {
                for _ in 0..item.size_bytes() {
                    cx.send(to, Message::Ballast(vec![7; 50_000]));
                }
            }
        }
        self.items.push(Arc::clone(item));
        cx.finish(op, Outcome::Done);
    }

    fn delete(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        let before = self.items.len();
        self.items.retain(|item| item.key() != *key);
        let found = self.items.len() < before;
        cx.finish(op, if found { Outcome::Done } else { Outcome::NotFound });
    }

    fn search(&mut self, cx: &mut Cx<'_, Self>, op: OpId, query: &Query) {
        let Target::Exact(key) = query.target else {
            return cx.finish(op, Outcome::Unsupported);
        };
        self.searches.push(op);
        let (origin, ttl) = (cx.me(), self.config.ttl);
        for &to in &self.neighbours {
            cx.send(to, Message::Find { search: op.0, origin, ttl, key });
        }
        cx.wake(Span::from_ms(self.config.timeout_ms), Timer::GiveUp(op));
    }

    fn locate(&mut self, cx: &mut Cx<'_, Self>, op: OpId, _: &Key) {
        self.locates.push(op);
        if let Some(&to) = self.neighbours.first() {
            cx.send(to, Message::Ping { locate: op.0 });
        }
        cx.wake(Span::from_ms(self.config.timeout_ms), Timer::GiveUp(op));
    }

    /// Index entries are items, bytes are the ballast that came, and what was
    /// lost counts as routing entries of a million.
    fn footprint(&self) -> Footprint {
        Footprint {
            routing_entries: self.neighbours.len() as u64 + 1_000_000 * self.lost,
            index_entries: self.items.len() as u64,
            bytes: self.ballast,
        }
    }

    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        self.neighbours.iter().copied().for_each(visit);
    }

    fn search_power(_: &Config) -> SearchPower {
        SearchPower { exact: true, keywords: false }
    }

    fn servers(config: &Config) -> u32 {
        config.servers
    }
}
