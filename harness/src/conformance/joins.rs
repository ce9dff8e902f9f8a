//! Law: joins converge.

use overlays::{Outcome, Overlay, Span};

use super::lab::{Conditions, Lab};
use super::{Findings, Trial};
use crate::sim::Request;
use crate::workload::draw;

/// The sizes of network that are tried.
const SIZES: [u32; 5] = [1, 2, 3, 8, 64];
/// How often a join that failed in a burst is tried again, as a user would.
const RETRIES: u32 = 5;

pub fn trial<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let mut retried = 0;
    for n in SIZES {
        one_after_another(trial, n, &mut findings);
        retried += burst(trial, n, &mut findings);
    }
    findings.figure("joins tried again in bursts", f64::from(retried));
    findings
}

fn one_after_another<O: Overlay>(trial: &Trial<O>, n: u32, findings: &mut Findings) {
    let mut lab = Lab::new(trial, Conditions::default());
    for _ in 0..n {
        let peer = lab.add_peer();
        let outcome = lab.join(peer);
        findings.demand(outcome == Some(Outcome::Done), || {
            format!("n{peer} of {n} joins after the others: {outcome:?}")
        });
    }
    let audit = lab.rest();
    findings.demand_clean(&audit, &format!("{n} joined one after another"));
}

/// Everyone joins within two seconds of the founder. Returns how many joins
/// had to be tried again.
fn burst<O: Overlay>(trial: &Trial<O>, n: u32, findings: &mut Findings) -> u32 {
    let mut lab = Lab::new(trial, Conditions::default());
    let founder = lab.add_peer();
    let outcome = lab.join(founder);
    findings.demand(outcome == Some(Outcome::Done), || format!("the founder joins: {outcome:?}"));
    let mut waiting: Vec<u32> = (1..n).map(|_| lab.add_peer()).collect();
    let mut retried = 0;
    for round in 0..=RETRIES {
        retried += if round > 0 { waiting.len() as u32 } else { 0 };
        let mut joins = Vec::new();
        for &peer in &waiting {
            let via = lab.contacts(peer);
            joins.push((peer, lab.ask(peer, &Request::Join(via))));
            let gap = 2_000_000.0 / f64::from(n) * draw::exponential(&mut lab.rng);
            lab.run(Span::from_us(gap as u64));
        }
        lab.drain();
        for (peer, op) in joins {
            if lab.ended(op) == Some(&Outcome::Done) {
                lab.note_joined(peer);
            } else if round == RETRIES {
                let outcome = lab.ended(op);
                findings.complain(format!("n{peer} of {n} joins in a burst: {outcome:?}"));
            }
        }
        waiting.retain(|peer| !lab.joined.contains(peer));
    }
    let audit = lab.rest();
    findings.demand_clean(&audit, &format!("{n} joined in a burst"));
    retried
}
