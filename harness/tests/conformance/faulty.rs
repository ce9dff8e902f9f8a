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

/// Tries one law on one fault.
type Try = fn(law: &str) -> LawReport;

/// The fault, the law that it breaks, and words of that law's complaint.
const FAULTS: [(Try, &str, &str); 21] = [
    (report::<ONE_JOIN_NEVER_ENDS>, "joins-converge", "joins after the others: None"),
    (report::<MISSES_HALF_THE_KEYS>, "searches-find", "first miss"),
    (report::<FORGETS_ITEMS_BEFORE_JOINING>, "items-brought-along", "first miss"),
    (report::<LOSES_ITEMS_WHEN_ANOTHER_LEAVES>, "leaving-keeps-the-rest", "first miss"),
    (report::<ANSWERS_FROM_AN_OLD_CACHE>, "leaving-keeps-the-rest", "still returned"),
    (report::<IGNORES_DELETES>, "delete-removes", "after deletes"),
    (report::<NEVER_ENDS_A_SEARCH>, "operations-end-once", "never ended"),
    (report::<ENDS_A_SEARCH_TWICE>, "operations-end-once", "ended more than once"),
    (report::<COUNTS_ACROSS_RUNS>, "same-seed-same-trace", "one seed, two traces"),
    (report::<CHARGES_UPKEEP_TO_AN_OPERATION>, "idle-is-upkeep", "idle network are upkeep"),
    (report::<UPKEEP_CANNOT_BE_SWITCHED_OFF>, "idle-is-upkeep", "with maintenance off"),
    (report::<NEVER_SAYS_A_WORD>, "messages-conserved", "no message at all"),
    (report::<ANNOUNCES_A_WRONG_LENGTH>, "codec-round-trips", "bytes announced"),
    (report::<WRITES_WRONG_BYTES>, "codec-round-trips", "reads back as"),
    (report::<PANICS_ON_BYTES>, "garbage-never-panics", "panicked on"),
    (report::<PANICS_ON_A_MESSAGE>, "strangers-do-no-harm", "panicked"),
    (report::<HOARDS_WHAT_STRANGERS_SAY>, "strangers-do-no-harm", "bytes of one node"),
    (report::<ANSWERS_STRANGERS_A_HUNDREDFOLD>, "strangers-do-no-harm", "made the network send"),
    (report::<SETTLES_WITHOUT_ITEMS>, "settled-equals-joined", "first miss"),
    (report::<CHANGES_WHEN_LOOKED_AT>, "looking-changes-nothing", "changes its footprint"),
    (report::<KNOWS_ITSELF>, "looking-changes-nothing", "is its own neighbour"),
];

fn report<const FAULT: u8>(law: &str) -> LawReport {
    conformance::try_one::<Faulty<FAULT>>(law, &Arc::default(), 1).expect("there is such a law")
}

#[test]
fn without_a_fault_every_law_is_kept() {
    for report in conformance::check::<Faulty<NONE>>(&Arc::default(), &[1]) {
        assert_eq!(report.verdict, Verdict::Kept, "{report}");
    }
}

#[test]
fn each_fault_breaks_the_law_meant_for_it() {
    let unheard: Vec<String> = std::thread::scope(|scope| {
        let trials = FAULTS.map(|(attempt, law, words)| {
            scope.spawn(move || {
                let report = attempt(law);
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
    assert_eq!(meant, conformance::names::<Faulty<NONE>>().collect());
}

/// A message of the template, perhaps badly written.
#[derive(Clone, Debug, PartialEq)]
struct Said<const FAULT: u8>(Message);

impl<const FAULT: u8> Wire for Said<FAULT> {
    const KINDS: &'static [&'static str] = Message::KINDS;

    fn kind(&self) -> usize {
        self.0.kind()
    }

    fn is_reply(&self) -> bool {
        self.0.is_reply()
    }

    fn encoded_len(&self) -> usize {
        self.0.encoded_len() + usize::from(FAULT == ANNOUNCES_A_WRONG_LENGTH)
    }

    fn encode(&self, w: &mut Writer) {
        match &self.0 {
            Message::Ask { tag } if FAULT == WRITES_WRONG_BYTES => {
                Message::Ask { tag: tag ^ 1 }.encode(w);
            }
            message => message.encode(w),
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        assert!(FAULT != PANICS_ON_BYTES || r.clone().u8() != Ok(0xff), "no such kind");
        Message::decode(r).map(Self)
    }
}

/// The template with one fault.
#[derive(Debug)]
struct Faulty<const FAULT: u8> {
    inner: Rendezvous,
    me: Addr,
    has_joined: bool,
    /// The operation that was started last.
    latest: OpId,
    shared: BTreeSet<Key>,
    cache: BTreeMap<Key, Vec<Hit>>,
    hoard: Vec<u8>,
    looks: Cell<u64>,
}

/// What no overlay may have: memory that outlives a run.
static UPKEEPS: AtomicU64 = AtomicU64::new(0);

impl<const FAULT: u8> Faulty<FAULT> {
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
            let charged = FAULT == CHARGES_UPKEEP_TO_AN_OPERATION && cause == Cause::UPKEEP;
            let cause = if charged { Cause::start(self.latest) } else { cause };
            self.carry_out(&mut cx.on_behalf_of(cause), action);
        }
    }

    fn carry_out(&mut self, cx: &mut Cx<'_, Self>, action: Action<Rendezvous>) {
        match action {
            Action::Send { .. } if FAULT == NEVER_SAYS_A_WORD => {}
            Action::Send { to, message } => cx.send(to, Said(message)),
            Action::Wake { after, timer } => cx.wake(after, timer),
            Action::Upkeep { after, timer } if FAULT == UPKEEP_CANNOT_BE_SWITCHED_OFF => {
                cx.on_behalf_of(Cause::UPKEEP).wake(after, timer);
            }
            Action::Upkeep { after, timer } => {
                let counts = FAULT == COUNTS_ACROSS_RUNS;
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
        match FAULT {
            NEVER_ENDS_A_SEARCH if found => return,
            ENDS_A_SEARCH_TWICE if found => cx.finish(op, outcome.clone()),
            ONE_JOIN_NEVER_ENDS if is_third && op == self.latest => return,
            _ => {}
        }
        if let Outcome::Found(hits) = &outcome
            && FAULT == ANSWERS_FROM_AN_OLD_CACHE
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

impl<const FAULT: u8> Machine for Faulty<FAULT> {
    type Message = Said<FAULT>;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, Said(message): Said<FAULT>) {
        match &message {
            Message::Fetch { limit, .. } if FAULT == PANICS_ON_A_MESSAGE => {
                assert!((1..=100).contains(limit), "nobody asks for {limit}");
            }
            Message::Bye if FAULT == LOSES_ITEMS_WHEN_ANOTHER_LEAVES => {
                for key in std::mem::take(&mut self.shared) {
                    self.pass(cx, |inner, cx| inner.delete(cx, OpId::NONE, &key));
                }
            }
            _ if FAULT == HOARDS_WHAT_STRANGERS_SAY && self.is_stranger(from) => {
                self.hoard.extend([0; 4096]);
            }
            // Farewells are left unanswered, or two nodes would never stop.
            Message::Bye => {}
            _ if FAULT == ANSWERS_STRANGERS_A_HUNDREDFOLD && self.is_stranger(from) => {
                (0..300).for_each(|_| cx.send(from, Said(Message::Bye)));
            }
            _ => {}
        }
        self.pass(cx, |inner, cx| inner.on_message(cx, from, message));
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: Timer) {
        self.pass(cx, |inner, cx| inner.on_timer(cx, timer));
    }
}

impl<const FAULT: u8> Overlay for Faulty<FAULT> {
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
        if FAULT == FORGETS_ITEMS_BEFORE_JOINING && !self.has_joined {
            return cx.finish(op, Outcome::Done);
        }
        self.shared.insert(item.key());
        self.pass(cx, |inner, cx| inner.insert(cx, op, item));
    }

    fn delete(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        self.latest = op;
        if FAULT == IGNORES_DELETES {
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
            if FAULT == MISSES_HALF_THE_KEYS && key.prefix64() & 1 == 1 {
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
        if FAULT == CHANGES_WHEN_LOOKED_AT {
            self.looks.set(self.looks.get() + 1);
        }
        let more = self.hoard.len() as u64 + self.looks.get();
        Footprint { bytes: inner.bytes + more, ..inner }
    }

    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        if FAULT == KNOWS_ITSELF {
            visit(self.me);
        }
        self.inner.neighbours(visit);
    }

    fn search_power(config: &Config) -> SearchPower {
        Rendezvous::search_power(config)
    }

    fn blueprint(config: &Config, mut census: Census, rng: &mut Rng) -> Option<Blueprint> {
        if FAULT == SETTLES_WITHOUT_ITEMS {
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
