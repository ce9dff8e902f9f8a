//! A varied run: everything that can happen to a network, in a few minutes.

use std::sync::Arc;

use overlays::{Item, Key, Overlay, Query, Span};

use super::Trial;
use super::lab::{Conditions, Lab, OPERATION_LIMIT, own_item};
use crate::sim::{Recorder, Request};

/// Peers that join.
const PEERS: u32 = 16;
/// Messages of each kind that are kept.
const SAMPLES_PER_KIND: usize = 64;

/// What is done beside running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// Whether to keep samples of the messages.
    pub samples: bool,
    /// Whether to record the run, to nowhere.
    pub recording: bool,
    /// Whether to look at all footprints and neighbours all the time.
    pub looking: bool,
}

/// A phase of the run and its name.
type Phase<O> = (&'static str, fn(&mut Lab<O>));

/// Runs a network of mixed peers through joins, all verbs, loss, crashes,
/// restarts, a partition and polite leaves; `between` is called after each
/// phase.
pub fn run<O: Overlay>(
    trial: &Trial<O>,
    extras: Extras,
    mut between: impl FnMut(&Lab<O>, &'static str),
) -> Lab<O> {
    let conditions = Conditions { loss: 0.02, mixed_peers: true, ..Conditions::default() };
    let mut lab = Lab::new(trial, conditions);
    if extras.samples {
        lab.sim.keep_samples(SAMPLES_PER_KIND);
    }
    if extras.recording {
        let sink = Box::new(std::io::sink());
        lab.sim.record(Recorder::new(sink, O::ABOUT.name, trial.seed));
    }
    let phases: [Phase<O>; 6] = [
        ("joins", joins),
        ("verbs", verbs),
        ("crashes", crashes),
        ("partition", partition),
        ("leaves", leaves),
        ("rest", |lab| lab.run(Span::from_s(120))),
    ];
    for (name, phase) in phases {
        phase(&mut lab);
        for _ in 0..20 {
            lab.run(Span::from_s(1));
            if extras.looking {
                look(&lab);
            }
        }
        between(&lab, name);
    }
    lab
}

/// Asks every node what it keeps and whom it knows.
fn look<O: Overlay>(lab: &Lab<O>) {
    for node in lab.sim.live() {
        let _ = lab.sim.machine(node).footprint();
        lab.sim.machine(node).neighbours(&mut |_| {});
    }
}

fn joins<O: Overlay>(lab: &mut Lab<O>) {
    for turn in 0..PEERS {
        let peer = lab.add_peer();
        if turn % 3 == 0 {
            lab.insert(peer, &own_item(peer, 0));
        }
        let via = lab.contacts(peer);
        lab.ask(peer, &Request::Join(via));
        lab.run(Span::from_ms(if turn == 0 { 10_000 } else { 500 }));
        // Whether the join has ended yet or not, others may be sent there.
        lab.note_joined(peer);
    }
    lab.run(Span::from_s(60));
}

/// Everyone uses every verb, often before the last operation has ended.
fn verbs<O: Overlay>(lab: &mut Lab<O>) {
    let common = Arc::new(Item::new("Ünïcode & one of many (copies).bin", 7));
    for peer in lab.joined.clone() {
        let next = peer + 1;
        let requests = [
            Request::Insert(own_item(peer, 1)),
            Request::Insert(Arc::clone(&common)),
            Request::Search(Query::exact(own_item(next, 1).key())),
            Request::Search(Query::keywords("shared TUNE1")),
            Request::Search(Query::keywords("ünïcode")),
            Request::Search(Query { limit: 100, ..Query::exact(common.key()) }),
            Request::Locate(Key::hash(&next.to_be_bytes())),
            Request::Delete(own_item(peer, 0).key()),
            Request::Delete(common.key()),
        ];
        for request in requests {
            lab.ask(peer, &request);
            lab.run(Span::from_ms(150));
        }
    }
}

fn crashes<O: Overlay>(lab: &mut Lab<O>) {
    let victims: Vec<u32> = lab.joined.iter().copied().skip(1).step_by(4).collect();
    for &victim in &victims {
        lab.crash(victim);
    }
    searches(lab);
    for &victim in victims.iter().take(2) {
        lab.sim.restart(victim);
        lab.join(victim);
    }
}

fn partition<O: Overlay>(lab: &mut Lab<O>) {
    let groups: Vec<u32> = (0..lab.sim.len() as u32).map(|node| node % 2).collect();
    lab.sim.partition(&groups);
    searches(lab);
    lab.run(Span::from_s(30));
    lab.sim.heal();
    lab.run(Span::from_s(60));
    searches(lab);
}

fn leaves<O: Overlay>(lab: &mut Lab<O>) {
    for peer in lab.joined.clone().into_iter().step_by(3) {
        lab.ask(peer, &Request::Leave);
        lab.run(Span::from_ms(700));
        lab.joined.retain(|&n| n != peer);
    }
    searches(lab);
    let limit = lab.sim.now() + OPERATION_LIMIT;
    lab.sim.run_operations(limit, &mut lab.ends);
}

fn searches<O: Overlay>(lab: &mut Lab<O>) {
    for peer in lab.joined.clone() {
        lab.ask(peer, &Request::Search(Query::exact(own_item(peer ^ 1, 1).key())));
        lab.ask(peer, &Request::Search(Query::keywords("shared")));
        lab.run(Span::from_ms(200));
    }
}
