//! The laws that every overlay must keep, whatever its protocol.
//!
//! The laws know nothing of any one overlay: they are written against
//! [`Overlay`] and run over every entry of the registry, so that a newcomer's
//! overlay is covered by its registration line alone. Every complaint comes
//! with the seed that repeats it.

mod codec;
mod endings;
mod findings;
mod flood;
mod hardship;
mod items;
mod joins;
mod lab;
mod runs;
mod settled;
mod upkeep;
mod varied;

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use overlays::{Growth, Overlay};

use findings::Findings;

/// What became of one law under one seed.
#[derive(Clone, Debug, PartialEq)]
pub struct LawReport {
    /// The law's name: lower case, with hyphens.
    pub law: &'static str,
    /// What it says, in one sentence.
    pub says: &'static str,
    /// The seed that repeats the trial.
    pub seed: u64,
    /// Whether the overlay kept it.
    pub verdict: Verdict,
    /// What the trial measured on the way, such as the exact recall.
    pub figures: Vec<Figure>,
}

/// Whether a law was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was.
    Kept,
    /// It was not; each complaint in one sentence.
    Broken(Vec<String>),
    /// It asks for something the overlay, as configured, does not offer.
    DoesNotApply(String),
}

/// A number that a trial measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it is, units last.
    pub name: &'static str,
    /// How much.
    pub value: f64,
}

impl LawReport {
    /// Whether the law was broken.
    pub const fn is_broken(&self) -> bool {
        matches!(self.verdict, Verdict::Broken(_))
    }
}

impl fmt::Display for LawReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match &self.verdict {
            Verdict::Kept => "kept",
            Verdict::Broken(_) => "BROKEN",
            Verdict::DoesNotApply(_) => "does not apply",
        };
        write!(f, "{:<24} seed {:<4} {verdict}", self.law, self.seed)?;
        for (i, figure) in self.figures.iter().enumerate() {
            let opening = if i == 0 { " (" } else { ", " };
            write!(f, "{opening}{} {}", figure.name, (figure.value * 1e4).round() / 1e4)?;
        }
        f.write_str(if self.figures.is_empty() { "" } else { ")" })?;
        match &self.verdict {
            Verdict::Kept => Ok(()),
            Verdict::DoesNotApply(why) => write!(f, ": {why}"),
            Verdict::Broken(complaints) => {
                complaints.iter().try_for_each(|complaint| write!(f, "\n    {complaint}"))
            }
        }
    }
}

/// One overlay, configured, and the seed it is tried with.
#[derive(Debug)]
struct Trial<O: Overlay> {
    config: Arc<O::Config>,
    seed: u64,
}

/// The least recall that an overlay must reach on the small networks of the
/// laws when its searches flood and so may miss things: TTL 7 covers them.
const LEAST_RECALL: f64 = 0.95;

impl<O: Overlay> Trial<O> {
    /// The recall that its searches must reach at least. Searches whose cost
    /// grows with the network are bounded by a TTL or a budget of their own;
    /// all others promise to find what there is.
    const fn least_recall(&self) -> f64 {
        match O::ABOUT.theory.search_messages {
            Growth::Linear | Growth::Linearithmic => LEAST_RECALL,
            _ => 1.0,
        }
    }
}

/// A law: its name, what it says, and the trial that tells.
struct Law<O: Overlay> {
    name: &'static str,
    says: &'static str,
    trial: fn(&Trial<O>) -> Findings,
}

/// The laws on the five verbs.
fn laws_on_verbs<O: Overlay>() -> Vec<Law<O>> {
    let law = |name, says, trial| Law { name, says, trial };
    vec![
        law(
            "joins-converge",
            "peers that join one after another or in a burst all get in, and the network's \
             invariants hold once it has come to rest",
            joins::trial,
        ),
        law(
            "searches-find",
            "every peer finds what any other has inserted, by key and by words where the overlay \
             answers such searches, and is told so where it does not",
            items::searches_find,
        ),
        law(
            "items-brought-along",
            "what a peer inserts before it joins is found after it has joined",
            items::brought_along,
        ),
        law(
            "leaving-keeps-the-rest",
            "after a polite leave the others' items are still found, the leaver's are not, and \
             those who stay converge again, down to the last",
            items::leaving,
        ),
        law(
            "delete-removes",
            "no search returns what was deleted, other providers stay, and deleting what is not \
             there does no harm",
            items::deleting,
        ),
        law(
            "operations-end-once",
            "every operation ends exactly once, through crashes, loss, partitions, dead contacts, \
             colliding joins and calls at the wrong time",
            endings::trial,
        ),
    ]
}

/// The laws on hard times.
fn laws_on_hardship<O: Overlay>() -> Vec<Law<O>> {
    let law = |name, says, trial| Law { name, says, trial };
    vec![
        law(
            "deaths-are-survived",
            "after 30 % have died at once the others converge and find what is inserted from then \
             on, and the last one left is a network that a newcomer can join",
            hardship::deaths,
        ),
        law(
            "loss-is-borne",
            "under 5 % loss peers get in, every operation ends, searches find most of what there \
             is and name nobody who does not share it",
            hardship::loss,
        ),
        law(
            "partitions-heal",
            "the halves of a network that was cut in two for five minutes become one again, by \
             themselves or through one newcomer, and everyone finds what anyone inserts",
            hardship::partition,
        ),
        law(
            "twins-do-no-harm",
            "when two peers with one identifier join at the same moment, the others go on finding \
             nearly all that they share",
            hardship::twins,
        ),
        law(
            "busy-peers-do-no-harm",
            "while one peer asks for a thousand things within seconds, each of those ends, no \
             memory fills, and the others find what they seek",
            hardship::busy,
        ),
    ]
}

/// The laws on whole runs, on the wire format and on strangers.
fn laws_on_runs<O: Overlay>() -> Vec<Law<O>> {
    let law = |name, says, trial| Law { name, says, trial };
    vec![
        law(
            "same-seed-same-trace",
            "one seed gives one trace, recorded or not, and another seed another",
            runs::same_trace,
        ),
        law(
            "idle-is-upkeep",
            "a network without operations sends upkeep only, and with maintenance off a settled \
             one is silent",
            upkeep::trial,
        ),
        law(
            "messages-conserved",
            "every message sent is delivered, lost, undeliverable or still in flight",
            runs::conserved,
        ),
        law(
            "codec-round-trips",
            "every message reads back as it was written, in exactly the length it announced",
            codec::round_trips,
        ),
        law(
            "garbage-never-panics",
            "arbitrary, mutated and truncated bytes are refused or read as a sound message, and \
             never panic",
            codec::garbage,
        ),
        law(
            "strangers-do-no-harm",
            "10,000 forged messages into one node neither panic it nor fill its memory, and the \
             network answers afterwards",
            flood::trial,
        ),
        law(
            "settled-equals-joined",
            "a network that starts converged answers as a joined one does",
            settled::trial,
        ),
        law(
            "looking-changes-nothing",
            "footprint and neighbours are pure, and no node is its own neighbour",
            runs::looking,
        ),
    ]
}

/// All laws, in the order of reports.
fn all<O: Overlay>() -> impl Iterator<Item = Law<O>> {
    laws_on_verbs().into_iter().chain(laws_on_hardship()).chain(laws_on_runs())
}

/// The names of all laws, in the order of reports.
pub fn names<O: Overlay>() -> impl Iterator<Item = &'static str> {
    all::<O>().map(|law| law.name)
}

/// Tries the law called `name` alone; `None` when there is none of that name.
pub fn try_one<O: Overlay>(name: &str, config: &Arc<O::Config>, seed: u64) -> Option<LawReport> {
    let law = all::<O>().find(|l| l.name == name)?;
    Some(try_law(&law, &Trial { config: Arc::clone(config), seed }))
}

/// Tries every law on overlay `O` with every seed.
pub fn check<O: Overlay>(config: &Arc<O::Config>, seeds: &[u64]) -> Vec<LawReport> {
    let mut reports = Vec::new();
    for law in all::<O>() {
        for &seed in seeds {
            reports.push(try_law(&law, &Trial { config: Arc::clone(config), seed }));
        }
    }
    reports
}

/// A panic of the overlay breaks the law, and the other laws are still tried.
fn try_law<O: Overlay>(law: &Law<O>, trial: &Trial<O>) -> LawReport {
    let findings = catch_unwind(AssertUnwindSafe(|| (law.trial)(trial)))
        .unwrap_or_else(|panic| Findings::broken(format!("panicked: {}", panic_text(&*panic))));
    let (verdict, figures) = findings.into_verdict();
    LawReport { law: law.name, says: law.says, seed: trial.seed, verdict, figures }
}

/// What a caught panic said.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}
