//! The simulator's own law, on a toy machine that pings in a ring.

use std::sync::Arc;

use harness::network::{Latency, LatencySpec, Network};
use harness::sim::{Driver, NoDriver, Operation, Request, Settings, Sim, Verb};
use overlays::{
    About, Addr, Cx, Footprint, Growth, Item, Key, Machine, OpId, Outcome, Overlay, Profile, Query,
    Reader, Reason, SearchPower, Span, Stream, Theory, Time, Transport, Wire, WireError, Writer,
};

/// A toy: `search` sends a token `limit` times around the nodes it was told
/// of at `join`, then back home; odd tokens travel on streams.
#[derive(Debug, Default)]
struct Toy {
    next: Option<Addr>,
    lost: Vec<Addr>,
    ticks: u32,
    waiting: Vec<OpId>,
}

#[derive(Clone, Debug, PartialEq)]
enum Message {
    Token { home: Addr, op: u32, left: u16, stream: bool },
    Home { op: u32, stream: bool },
}

impl Wire for Message {
    const KINDS: &'static [&'static str] = &["Token", "Home"];
    fn kind(&self) -> usize {
        match self {
            Self::Token { .. } => 0,
            Self::Home { .. } => 1,
        }
    }
    fn is_reply(&self) -> bool {
        matches!(self, Self::Home { .. })
    }
    fn encoded_len(&self) -> usize {
        10
    }
    fn encode(&self, w: &mut Writer) {
        w.u8(self.kind() as u8);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Err(r.invalid("toy", 0))
    }
}

overlays::parameters! {
    /// The toy has none but this.
    pub struct Config {
        /// Whether tokens travel on streams.
        pub stream: bool = false;
    }
}

impl Machine for Toy {
    type Message = Message;
    type Timer = u32;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, _from: Addr, message: Message) {
        match message {
            Message::Token { home, op, left: 0, stream } => {
                cx.send(home, Message::Home { op, stream })
            }
            Message::Token { home, op, left, stream } => {
                if let Some(next) = self.next {
                    cx.send(next, Message::Token { home, op, left: left - 1, stream });
                }
            }
            Message::Home { op, .. } => {
                self.waiting.retain(|w| w.0 != op);
                cx.finish(OpId(op), Outcome::Done);
            }
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: u32) {
        if timer == 0 {
            self.ticks += 1;
            cx.wake_upkeep(Span::from_s(1), 0);
        } else if self.waiting.contains(&OpId(timer)) {
            self.waiting.retain(|w| w.0 != timer);
            cx.finish(OpId(timer), Outcome::Failed(Reason::Timeout));
        }
    }

    fn on_lost(&mut self, _cx: &mut Cx<'_, Self>, peer: Addr) {
        self.lost.push(peer);
    }

    fn transport(message: &Message) -> Transport {
        match message {
            Message::Token { stream: true, .. } | Message::Home { stream: true, .. } => {
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
        idea: "It passes a token on.",
        theory: Theory {
            search_latency: Growth::Linear,
            search_messages: Growth::Linear,
            update_messages: Growth::Constant,
            storage_max: Growth::Constant,
            storage_mean: Growth::Constant,
        },
        caveat: "It is a toy.",
    };
    type Config = Config;
    type Blueprint = ();

    fn new(_config: &Arc<Config>, _profile: &Profile) -> Self {
        Self::default()
    }
    fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: &[Addr]) {
        self.next = via.first().copied();
        cx.wake_upkeep(Span::from_s(1), 0);
        cx.finish(op, Outcome::Done);
    }
    fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        cx.finish(op, Outcome::Done);
    }
    fn insert(&mut self, cx: &mut Cx<'_, Self>, op: OpId, _item: &Arc<Item>) {
        // Ends twice, which the simulator must notice.
        cx.finish(op, Outcome::Done);
        cx.finish(op, Outcome::Done);
    }
    fn delete(&mut self, _cx: &mut Cx<'_, Self>, _op: OpId, _key: &Key) {}
    fn search(&mut self, cx: &mut Cx<'_, Self>, op: OpId, query: &Query) {
        let stream = query.limit % 2 == 1;
        self.waiting.push(op);
        cx.wake(Span::from_s(60), op.0);
        if let Some(next) = self.next {
            let (home, left) = (cx.me(), query.limit - 1);
            cx.send(next, Message::Token { home, op: op.0, left, stream });
        }
    }
    fn footprint(&self) -> Footprint {
        Footprint::default()
    }
    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        self.next.into_iter().for_each(visit);
    }
    fn search_power(_config: &Config) -> SearchPower {
        SearchPower { exact: true, keywords: false }
    }
}

#[derive(Default)]
struct Log {
    ended: Vec<(OpId, Outcome)>,
    closed: Vec<Operation>,
}

impl Driver<Toy> for Log {
    fn ended(&mut self, _sim: &mut Sim<Toy>, op: OpId, outcome: &Outcome) {
        self.ended.push((op, outcome.clone()));
    }
    fn closed(&mut self, operation: Operation) {
        self.closed.push(operation);
    }
}

fn world(n: u32, seed: u64, loss: f64) -> Sim<Toy> {
    let spec: LatencySpec = "uniform:10ms..90ms".parse().expect("it is a model");
    let latency = Latency::build(&spec, &mut Stream::Topology.rng(seed)).expect("it needs no file");
    let network = Network::new(latency, loss).expect("losses are fractions");
    let settings = Settings { seed, measure_reach: true, ..Settings::default() };
    let mut sim = Sim::new(Arc::new(Config::default()), network, settings);
    for i in 0..n {
        sim.add_peer();
        sim.start(i, &Request::Join(vec![Addr::from_index((i + 1) % n)]), 0);
    }
    sim
}

fn search(hops: u16) -> Request {
    Request::Search(Query { limit: hops, ..Query::exact(Key::ZERO) })
}

fn seconds(s: u64) -> Time {
    Time::from_us(s * 1_000_000)
}

#[test]
fn an_operation_is_charged_with_all_it_causes() {
    for hops in [4, 5] {
        let mut sim = world(8, 1, 0.0);
        let mut log = Log::default();
        sim.run_until(seconds(1), &mut log);
        sim.start(2, &search(hops), 9);
        sim.run_until(seconds(100), &mut log);
        let operation = log.closed.iter().find(|o| o.verb == Verb::Search).unwrap();
        assert_eq!(operation.messages, u32::from(hops) + 1);
        assert_eq!(operation.hops, hops);
        assert_eq!(operation.tag, 9);
        assert_eq!(operation.bytes, 10 * (u64::from(hops) + 1));
        assert_eq!(operation.receivers.len(), usize::from(hops));
        assert_eq!(sim.traffic().upkeep, 0);
        assert_eq!(sim.traffic().sent, u64::from(hops) + 1);
        assert_eq!(sim.traffic().delivered, u64::from(hops) + 1);
    }
}

#[test]
fn every_message_is_delivered_lost_or_in_flight() {
    let mut sim = world(50, 3, 0.2);
    let mut log = Log::default();
    for i in 0..50 {
        sim.start(i, &search(20), 0);
    }
    for step in 1..20 {
        sim.run_until(Time::from_us(step * 50_000), &mut log);
        let t = sim.traffic();
        let settled = t.delivered + t.lost + t.undeliverable;
        assert_eq!(t.sent, settled + sim.in_flight() as u64);
        if step == 7 {
            (0..10).for_each(|n| sim.crash(n));
        }
    }
    assert!(sim.traffic().lost > 0 && sim.traffic().undeliverable > 0);
}

#[test]
fn one_seed_gives_one_trace_and_another_seed_another() {
    let run = |seed| {
        let mut sim = world(30, seed, 0.1);
        for i in 0..30 {
            sim.start(i, &search(i as u16 + 1), 0);
        }
        sim.run_until(seconds(100), &mut NoDriver);
        (sim.trace_hash(), sim.events(), sim.traffic().clone())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}

#[test]
fn a_second_end_is_noticed_and_changes_nothing() {
    let mut sim = world(2, 1, 0.0);
    let mut log = Log::default();
    sim.run_until(seconds(1), &mut log);
    let op = sim.start(0, &Request::Insert(Arc::new(Item::new("a", 1))), 0);
    sim.run_until(seconds(2), &mut log);
    assert_eq!(sim.surplus_ends(), 1);
    assert_eq!(log.ended.iter().filter(|e| e.0 == op).count(), 1);
}

#[test]
fn operations_of_a_node_that_stops_end_with_it() {
    let mut sim = world(2, 1, 0.0);
    let mut log = Log::default();
    sim.run_until(seconds(1), &mut log);
    let op = sim.start(0, &Request::Delete(Key::ZERO), 0);
    sim.crash(0);
    let late = sim.start(0, &search(1), 0);
    sim.run_until(seconds(2), &mut log);
    for op in [op, late] {
        let outcome = &log.ended.iter().find(|e| e.0 == op).unwrap().1;
        assert_eq!(*outcome, Outcome::Failed(Reason::NodeDown));
    }
    assert_eq!(sim.open_operations(), 0);
}

#[test]
fn a_leaver_stops_and_a_restart_forgets_old_timers() {
    let mut sim = world(3, 1, 0.0);
    sim.run_until(seconds(10), &mut NoDriver);
    assert_eq!(sim.machine(1).ticks, 10);
    sim.start(1, &Request::Leave, 0);
    sim.run_until(seconds(11), &mut NoDriver);
    assert!(!sim.is_up(1));
    sim.restart(1);
    assert!(sim.is_up(1));
    sim.run_until(seconds(20), &mut NoDriver);
    assert_eq!(sim.machine(1).ticks, 0);
}

#[test]
fn broken_and_refused_streams_are_reported() {
    let mut sim = world(4, 1, 0.0);
    sim.start(0, &search(1), 0);
    sim.run_until(seconds(1), &mut NoDriver);
    assert!(sim.machine(0).lost.is_empty());
    sim.crash(1);
    sim.run_until(seconds(2), &mut NoDriver);
    assert_eq!(sim.machine(0).lost, [Addr::from_index(1)]);
    let mut log = Log::default();
    sim.start(0, &search(1), 0);
    sim.run_until(seconds(90), &mut log);
    assert_eq!(sim.machine(0).lost.len(), 2);
    assert!(log.ended.iter().any(|e| e.1 == Outcome::Failed(Reason::Timeout)));
}

#[test]
fn a_partition_breaks_streams_and_drops_datagrams_until_it_heals() {
    let mut sim = world(4, 1, 0.0);
    sim.start(0, &search(1), 0);
    sim.run_until(seconds(1), &mut NoDriver);
    sim.partition(&[0, 1, 1, 0]);
    sim.start(0, &search(2), 0);
    sim.run_until(seconds(30), &mut NoDriver);
    assert_eq!(sim.machine(0).lost, [Addr::from_index(1)]);
    assert_eq!(sim.machine(1).lost, [Addr::from_index(0)]);
    assert_eq!(sim.traffic().lost, 1);
    sim.heal();
    let mut log = Log::default();
    let op = sim.start(0, &search(3), 0);
    sim.run_until(seconds(40), &mut log);
    assert!(log.ended.contains(&(op, Outcome::Done)));
}

#[test]
fn streams_keep_their_order_and_maintenance_can_be_switched_off() {
    let spec: LatencySpec = "constant:10ms".parse().unwrap();
    let latency = Latency::build(&spec, &mut Stream::Topology.rng(1)).unwrap();
    let settings = Settings { maintenance: false, ..Settings::default() };
    let network = Network::new(latency, 0.2).unwrap();
    let mut sim = Sim::<Toy>::new(Arc::new(Config::default()), network, settings);
    for i in 0..2 {
        sim.add_peer();
        sim.start(i, &Request::Join(vec![Addr::from_index(1 - i)]), 0);
    }
    let mut log = Log::default();
    let ops: Vec<OpId> = (0..40).map(|_| sim.start(0, &search(1), 0)).collect();
    sim.run_until(seconds(50), &mut log);
    let done: Vec<OpId> = log.ended.iter().map(|e| e.0).filter(|op| ops.contains(op)).collect();
    assert_eq!(done, ops, "no letter overtakes another on a stream, and none is lost");
    assert_eq!(sim.machine(0).ticks, 0);
}

#[test]
fn a_forged_address_reaches_nobody() {
    let mut sim = world(2, 1, 0.0);
    sim.start(0, &Request::Join(vec![Addr::from_index(77)]), 0);
    for hops in [1, 2] {
        sim.start(0, &search(hops), 0);
    }
    sim.run_until(seconds(90), &mut NoDriver);
    assert_eq!(sim.traffic().sent, 2);
    assert_eq!(sim.traffic().lost, 2);
    assert_eq!(sim.machine(0).lost, [Addr::from_index(77)]);
}
