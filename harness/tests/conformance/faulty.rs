//! Every law of conformance can fail: an overlay that keeps all of them is
//! spoilt in one way at a time, and the law meant for that must complain.
//!
//! The overlay is the template of the examples. [`Faulty`] passes every call
//! on to it and every effect back, except for its one fault.

#[path = "../../../examples/rendezvous.rs"]
mod rendezvous;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use harness::conformance::{self, LawReport, Verdict};
use overlays::{
    About, Action, Addr, Cause, Census, Cx, Effect, Footprint, Hit, Item, Key, Machine, OpId,
    Outcome, Overlay, Profile, Query, Reader, Rng, SearchPower, Span, Target, Wire, WireError,
    Writer,
};
use rendezvous::{Blueprint, Config, Message, Rendezvous, Timer};

const NONE: u8 = 0;
const ONE_JOIN_NEVER_ENDS: u8 = 1;
const MISSES_HALF_THE_KEYS: u8 = 2;
const FORGETS_ITEMS_BEFORE_JOINING: u8 = 3;
const LOSES_ITEMS_WHEN_ANOTHER_LEAVES: u8 = 4;
const ANSWERS_FROM_AN_OLD_CACHE: u8 = 5;
const IGNORES_DELETES: u8 = 6;
const NEVER_ENDS_A_SEARCH: u8 = 7;
const ENDS_A_SEARCH_TWICE: u8 = 8;
const COUNTS_ACROSS_RUNS: u8 = 9;
const CHARGES_UPKEEP_TO_AN_OPERATION: u8 = 10;
const UPKEEP_CANNOT_BE_SWITCHED_OFF: u8 = 11;
const NEVER_SAYS_A_WORD: u8 = 12;
const ANNOUNCES_A_WRONG_LENGTH: u8 = 13;
const WRITES_WRONG_BYTES: u8 = 14;
const PANICS_ON_BYTES: u8 = 15;
const PANICS_ON_A_MESSAGE: u8 = 16;
const HOARDS_WHAT_STRANGERS_SAY: u8 = 17;
const ANSWERS_STRANGERS_A_HUNDREDFOLD: u8 = 18;
const SETTLES_WITHOUT_ITEMS: u8 = 19;
const CHANGES_WHEN_LOOKED_AT: u8 = 20;
const KNOWS_ITSELF: u8 = 21;
const NEVER_NOTICES_DEATHS: u8 = 22;
const NEVER_TRIES_AGAIN: u8 = 23;
const NEVER_GREETS_THE_LOST: u8 = 24;
const DENIES_EVERYTHING_AS_A_TWIN: u8 = 25;
const HOARDS_WHAT_MEMBERS_ASK: u8 = 26;

thread_local! {
    /// The fault of the overlay in this thread. A parameter of its type would
    /// do, too, and make the laws be compiled once for each.
    static FAULT: Cell<u8> = const { Cell::new(NONE) };
}

fn fault() -> u8 {
    FAULT.get()
}

/// The fault, the law that it breaks, and words of that law's complaint.
const FAULTS: [(u8, &str, &str); 26] = [
    (ONE_JOIN_NEVER_ENDS, "joins-converge", "joins after the others: None"),
    (MISSES_HALF_THE_KEYS, "searches-find", "first miss"),
    (FORGETS_ITEMS_BEFORE_JOINING, "items-brought-along", "first miss"),
    (LOSES_ITEMS_WHEN_ANOTHER_LEAVES, "leaving-keeps-the-rest", "first miss"),
    (ANSWERS_FROM_AN_OLD_CACHE, "leaving-keeps-the-rest", "still returned"),
    (IGNORES_DELETES, "delete-removes", "after deletes"),
    (NEVER_ENDS_A_SEARCH, "operations-end-once", "never ended"),
    (ENDS_A_SEARCH_TWICE, "operations-end-once", "ended more than once"),
    (COUNTS_ACROSS_RUNS, "same-seed-same-trace", "one seed, two traces"),
    (CHARGES_UPKEEP_TO_AN_OPERATION, "idle-is-upkeep", "idle network are upkeep"),
    (UPKEEP_CANNOT_BE_SWITCHED_OFF, "idle-is-upkeep", "with maintenance off"),
    (NEVER_SAYS_A_WORD, "messages-conserved", "no message at all"),
    (ANNOUNCES_A_WRONG_LENGTH, "codec-round-trips", "bytes announced"),
    (WRITES_WRONG_BYTES, "codec-round-trips", "reads back as"),
    (PANICS_ON_BYTES, "garbage-never-panics", "panicked on"),
    (PANICS_ON_A_MESSAGE, "strangers-do-no-harm", "panicked"),
    (HOARDS_WHAT_STRANGERS_SAY, "strangers-do-no-harm", "bytes of one node"),
    (ANSWERS_STRANGERS_A_HUNDREDFOLD, "strangers-do-no-harm", "made the network send"),
    (SETTLES_WITHOUT_ITEMS, "settled-equals-joined", "first miss"),
    (CHANGES_WHEN_LOOKED_AT, "looking-changes-nothing", "changes its footprint"),
    (KNOWS_ITSELF, "looking-changes-nothing", "is its own neighbour"),
    (NEVER_NOTICES_DEATHS, "deaths-are-survived", "after the deaths: "),
    (NEVER_TRIES_AGAIN, "loss-is-borne", "searches never ended"),
    (NEVER_GREETS_THE_LOST, "partitions-heal", "after the partition: "),
    (DENIES_EVERYTHING_AS_A_TWIN, "twins-do-no-harm", "beside twins searches find"),
    (HOARDS_WHAT_MEMBERS_ASK, "busy-peers-do-no-harm", "bytes of one node"),
];

/// Tries one law on one fault.
fn report(fault: u8, law: &str) -> LawReport {
    FAULT.set(fault);
    let mut config = Config::default();
    if fault == NEVER_GREETS_THE_LOST {
        // Often enough to notice within minutes who is out of reach.
        config.gossip = Span::from_s(1);
    }
    conformance::try_one::<Faulty>(law, &Arc::new(config), 1).expect("there is such a law")
}

#[test]
fn without_a_fault_every_law_is_kept() {
    for report in conformance::check::<Faulty>(&Arc::default(), &[1]) {
        assert_eq!(report.verdict, Verdict::Kept, "{report}");
    }
}

#[test]
fn each_fault_breaks_the_law_meant_for_it() {
    let unheard: Vec<String> = std::thread::scope(|scope| {
        let trials = FAULTS.map(|(fault, law, words)| {
            scope.spawn(move || {
                let report = report(fault, law);
                let heard = match &report.verdict {
                    Verdict::Broken(complaints) => complaints.iter().any(|c| c.contains(words)),
                    _ => false,
                };
                (!heard).then(|| format!("`{words}` is not among the complaints of {report}"))
            })
        });
        trials.into_iter().filter_map(|trial| trial.join().expect("laws catch panics")).collect()
    });
    assert!(unheard.is_empty(), "{}", unheard.join("\n"));
}

#[test]
fn every_law_has_a_fault() {
    let meant: BTreeSet<&str> = FAULTS.iter().map(|(_, law, _)| *law).collect();
    assert_eq!(meant, conformance::names::<Faulty>().collect());
}

/// A message of the template, perhaps badly written.
#[derive(Clone, Debug, PartialEq)]
struct Said(Message);

impl Wire for Said {
    const KINDS: &'static [&'static str] = Message::KINDS;

    fn kind(&self) -> usize {
        self.0.kind()
    }

    fn is_reply(&self) -> bool {
        self.0.is_reply()
    }

    fn encoded_len(&self) -> usize {
        self.0.encoded_len() + usize::from(fault() == ANNOUNCES_A_WRONG_LENGTH)
    }

    fn encode(&self, w: &mut Writer) {
        match &self.0 {
            Message::Ask { tag } if fault() == WRITES_WRONG_BYTES => {
                Message::Ask { tag: tag ^ 1 }.encode(w);
            }
            message => message.encode(w),
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        assert!(fault() != PANICS_ON_BYTES || r.clone().u8() != Ok(0xff), "no such kind");
        Message::decode(r).map(Self)
    }
}

/// The template with one fault.
#[derive(Debug)]
struct Faulty {
    inner: Rendezvous,
    me: Addr,
    has_joined: bool,
    /// The operation that was started last.
    latest: OpId,
    shared: BTreeSet<Key>,
    cache: BTreeMap<Key, Vec<Hit>>,
    hoard: Vec<u8>,
    looks: Cell<u64>,
    /// Whether another may have the same identifier.
    is_twin: bool,
    is_gossiping: bool,
}

/// What no overlay may have: memory that outlives a run.
static UPKEEPS: AtomicU64 = AtomicU64::new(0);

impl Faulty {
    /// Lets the template do its work and passes its effects on.
    fn pass(
        &mut self,
        cx: &mut Cx<'_, Self>,
        call: impl FnOnce(&mut Rendezvous, &mut Cx<'_, Rendezvous>),
    ) {
        let mut effects = Vec::new();
        let (now, me, cause) = (cx.now(), cx.me(), cx.cause());
        call(&mut self.inner, &mut Cx::new(now, me, cause, false, cx.rng(), &mut effects));
        for Effect { cause, action } in effects {
            let charged = fault() == CHARGES_UPKEEP_TO_AN_OPERATION && cause == Cause::UPKEEP;
            let cause = if charged { Cause::start(self.latest) } else { cause };
            self.carry_out(&mut cx.on_behalf_of(cause), action);
        }
    }

    fn carry_out(&mut self, cx: &mut Cx<'_, Self>, action: Action<Rendezvous>) {
        match action {
            Action::Send { .. } if fault() == NEVER_SAYS_A_WORD => {}
            Action::Send { message: Message::Hello { .. }, .. }
                if fault() == NEVER_GREETS_THE_LOST && self.is_gossiping => {}
            Action::Send { to, message } => cx.send(to, Said(message)),
            Action::Wake { after, timer } => cx.wake(after, timer),
            Action::Upkeep { after, timer } if fault() == UPKEEP_CANNOT_BE_SWITCHED_OFF => {
                cx.on_behalf_of(Cause::UPKEEP).wake(after, timer);
            }
            Action::Upkeep { after, timer } => {
                let counts = fault() == COUNTS_ACROSS_RUNS;
                let late_us = if counts { UPKEEPS.fetch_add(1, Ordering::Relaxed) } else { 0 };
                cx.wake_upkeep(after + Span::from_us(late_us), timer);
            }
            Action::Answer { op, hits } => cx.answer(op, hits),
            Action::Finish { op, outcome } => self.finish(cx, op, outcome),
            Action::Close { peer } => cx.close(peer),
            Action::Note(note) => cx.note(|| note),
        }
    }

    fn finish(&mut self, cx: &mut Cx<'_, Self>, op: OpId, outcome: Outcome) {
        let found = matches!(outcome, Outcome::Found(_));
        let is_third = self.me.index() == 2;
        match fault() {
            NEVER_ENDS_A_SEARCH if found => return,
            ENDS_A_SEARCH_TWICE if found => cx.finish(op, outcome.clone()),
            ONE_JOIN_NEVER_ENDS if is_third && op == self.latest => return,
            _ => {}
        }
        if let Outcome::Found(hits) = &outcome
            && fault() == ANSWERS_FROM_AN_OLD_CACHE
        {
            self.cache.insert(hits[0].item.key(), hits.clone());
        }
        // No operation is what the faults themselves call on behalf of.
        if op != OpId::NONE {
            cx.finish(op, outcome);
        }
    }

    fn is_stranger(&self, peer: Addr) -> bool {
        let mut known = peer == self.me;
        self.inner.neighbours(&mut |addr| known |= addr == peer);
        !known
    }
}

impl Machine for Faulty {
    type Message = Said;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, Said(message): Said) {
        match &message {
            Message::Fetch { limit, .. } if fault() == PANICS_ON_A_MESSAGE => {
                assert!((1..=100).contains(limit), "nobody asks for {limit}");
            }
            Message::Fetch { tag, .. }
                if fault() == DENIES_EVERYTHING_AS_A_TWIN && self.is_twin =>
            {
                return cx.send(from, Said(Message::Hits { tag: *tag, hits: Arc::default() }));
            }
            Message::Fetch { .. } | Message::Store { .. } | Message::Remove { .. }
                if fault() == HOARDS_WHAT_MEMBERS_ASK =>
            {
                self.hoard.extend([0; 32 << 10]);
            }
            Message::Bye if fault() == LOSES_ITEMS_WHEN_ANOTHER_LEAVES => {
                for key in std::mem::take(&mut self.shared) {
                    self.pass(cx, |inner, cx| inner.delete(cx, OpId::NONE, &key));
                }
            }
            _ if fault() == HOARDS_WHAT_STRANGERS_SAY && self.is_stranger(from) => {
                self.hoard.extend([0; 4096]);
            }
            // Farewells are left unanswered, or two nodes would never stop.
            Message::Bye => {}
            _ if fault() == ANSWERS_STRANGERS_A_HUNDREDFOLD && self.is_stranger(from) => {
                (0..300).for_each(|_| cx.send(from, Said(Message::Bye)));
            }
            _ => {}
        }
        self.pass(cx, |inner, cx| inner.on_message(cx, from, message));
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: Timer) {
        match timer {
            Timer::Gossip if fault() == NEVER_NOTICES_DEATHS => return,
            Timer::Request(_) if fault() == NEVER_TRIES_AGAIN => return,
            _ => {}
        }
        self.is_gossiping = timer == Timer::Gossip;
        self.pass(cx, |inner, cx| inner.on_timer(cx, timer));
        self.is_gossiping = false;
    }
}

impl Overlay for Faulty {
    const ABOUT: About = About { name: "faulty", title: "Faulty", ..Rendezvous::ABOUT };

    type Config = Config;
    type Blueprint = Blueprint;

    fn new(config: &Arc<Config>, profile: &Profile) -> Self {
        Self {
            inner: Rendezvous::new(config, profile),
            me: profile.addr,
            has_joined: false,
            latest: OpId::NONE,
            shared: BTreeSet::new(),
            cache: BTreeMap::new(),
            hoard: Vec::new(),
            looks: Cell::new(0),
            is_twin: profile.id != profile.addr.key(),
            is_gossiping: false,
        }
    }

    fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: &[Addr]) {
        self.latest = op;
        self.has_joined = true;
        self.pass(cx, |inner, cx| inner.join(cx, op, via));
    }

    fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        self.latest = op;
        self.pass(cx, |inner, cx| inner.leave(cx, op));
    }

    fn insert(&mut self, cx: &mut Cx<'_, Self>, op: OpId, item: &Arc<Item>) {
        self.latest = op;
        if fault() == FORGETS_ITEMS_BEFORE_JOINING && !self.has_joined {
            return cx.finish(op, Outcome::Done);
        }
        self.shared.insert(item.key());
        self.pass(cx, |inner, cx| inner.insert(cx, op, item));
    }

    fn delete(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        self.latest = op;
        if fault() == IGNORES_DELETES {
            return cx.finish(op, Outcome::Done);
        }
        self.pass(cx, |inner, cx| inner.delete(cx, op, key));
    }

    fn search(&mut self, cx: &mut Cx<'_, Self>, op: OpId, query: &Query) {
        self.latest = op;
        if let Target::Exact(key) = &query.target {
            if let Some(hits) = self.cache.get(key) {
                return cx.finish(op, Outcome::Found(hits.clone()));
            }
            if fault() == MISSES_HALF_THE_KEYS && key.prefix64() & 1 == 1 {
                return cx.finish(op, Outcome::NotFound);
            }
        }
        self.pass(cx, |inner, cx| inner.search(cx, op, query));
    }

    fn locate(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        self.latest = op;
        self.pass(cx, |inner, cx| inner.locate(cx, op, key));
    }

    fn footprint(&self) -> Footprint {
        let inner = self.inner.footprint();
        if fault() == CHANGES_WHEN_LOOKED_AT {
            self.looks.set(self.looks.get() + 1);
        }
        let more = self.hoard.len() as u64 + self.looks.get();
        Footprint { bytes: inner.bytes + more, ..inner }
    }

    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        if fault() == KNOWS_ITSELF {
            visit(self.me);
        }
        self.inner.neighbours(visit);
    }

    fn search_power(config: &Config) -> SearchPower {
        Rendezvous::search_power(config)
    }

    fn blueprint(config: &Config, mut census: Census, rng: &mut Rng) -> Option<Blueprint> {
        if fault() == SETTLES_WITHOUT_ITEMS {
            census.holdings.clear();
        }
        Rendezvous::blueprint(config, census, rng)
    }

    fn settle(&mut self, cx: &mut Cx<'_, Self>, blueprint: &Blueprint) {
        self.has_joined = true;
        self.pass(cx, |inner, cx| inner.settle(cx, blueprint));
    }

    fn owner(blueprint: &Blueprint, key: &Key) -> Option<Addr> {
        Rendezvous::owner(blueprint, key)
    }

    fn audit(nodes: &[(Addr, &Self)]) -> Vec<String> {
        let nodes: Vec<_> = nodes.iter().map(|(addr, node)| (*addr, &node.inner)).collect();
        Rendezvous::audit(&nodes)
    }
}
