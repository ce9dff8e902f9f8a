//! Laws on whole runs: they repeat, they lose no message, and looking at them
//! changes nothing.

use overlays::{Addr, Overlay};

use super::lab::Lab;
use super::varied::{self, Extras};
use super::{Findings, Trial};

pub fn same_trace<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let hash =
        |trial: &Trial<O>, extras| varied::run(trial, extras, |_, _| {}).sim.trace_hash().to_hex();
    let first = hash(trial, Extras::default());
    let again = hash(trial, Extras::default());
    findings.demand(first == again, || format!("one seed, two traces: {first} and {again}"));
    let recorded = hash(trial, Extras { recording: true, ..Extras::default() });
    findings.demand(first == recorded, || {
        format!("the recording changed the trace from {first} to {recorded}")
    });
    let other = Trial { config: trial.config.clone(), seed: trial.seed.wrapping_add(1) };
    let differing = hash(&other, Extras::default());
    findings.demand(first != differing, || {
        format!("seeds {} and {} give one trace {first}", trial.seed, other.seed)
    });
    findings
}

pub fn conserved<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let mut messages = 0;
    varied::run(trial, Extras::default(), |lab, phase| {
        let traffic = lab.sim.traffic();
        let in_flight = lab.sim.in_flight() as u64;
        let known = traffic.delivered + traffic.lost + traffic.undeliverable + in_flight;
        messages = traffic.sent;
        findings.demand(traffic.sent == known, || {
            format!("after {phase}: {} sent, {known} accounted for", traffic.sent)
        });
        let by_kind: u64 = traffic.sent_by_kind.iter().sum();
        findings.demand(traffic.sent == by_kind, || {
            format!("after {phase}: {} sent, {by_kind} by kind", traffic.sent)
        });
    });
    findings.demand(messages > 0, || "the overlay sent no message at all".into());
    findings.figure("messages", messages as f64);
    findings
}

pub fn looking<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let unseen = varied::run(trial, Extras::default(), |_, _| {}).sim.trace_hash();
    let looking = Extras { looking: true, ..Extras::default() };
    let seen = varied::run(trial, looking, |lab, phase| {
        for node in lab.sim.live() {
            look_twice(lab, node, phase, &mut findings);
        }
    });
    let seen = seen.sim.trace_hash();
    findings.demand(unseen == seen, || {
        format!("looking changed the trace from {} to {}", unseen.to_hex(), seen.to_hex())
    });
    findings
}

fn look_twice<O: Overlay>(lab: &Lab<O>, node: u32, phase: &str, findings: &mut Findings) {
    let machine = lab.sim.machine(node);
    let neighbours = || {
        let mut seen = Vec::new();
        machine.neighbours(&mut |addr| seen.push(addr));
        seen
    };
    let (first, again) = (neighbours(), neighbours());
    findings.demand(first == again, || format!("after {phase}: n{node} changes its neighbours"));
    findings.demand(!first.contains(&Addr::from_index(node)), || {
        format!("after {phase}: n{node} is its own neighbour")
    });
    let (first, again) = (machine.footprint(), machine.footprint());
    findings.demand(first == again, || format!("after {phase}: n{node} changes its footprint"));
}
