//! Law: a settled network answers as a joined one does.

use overlays::{Key, Outcome, Overlay};

use super::lab::{Conditions, Lab};
use super::{Findings, Trial, items};
use crate::sim::Request;

/// Peers.
const PEERS: u32 = 24;

pub fn trial<O: Overlay>(trial: &Trial<O>) -> Findings {
    let Some((mut lab, blueprint)) = Lab::settled(trial, PEERS, Conditions::default()) else {
        return Findings::does_not_apply("the overlay only starts by joining");
    };
    let mut findings = Findings::default();
    let audit = lab.audit();
    findings.demand_clean(&audit, "just settled");
    locates(&mut lab, &blueprint, &mut findings);
    items::ask_everything(trial, &mut lab, &mut findings);
    let audit = lab.rest();
    findings.demand_clean(&audit, "settled and run for a while");
    // A newcomer finds its way in as into any other network.
    let peer = lab.add_peer();
    let outcome = lab.join(peer);
    findings.demand(outcome == Some(Outcome::Done), || {
        format!("n{peer} joins a settled network: {outcome:?}")
    });
    let audit = lab.rest();
    findings.demand_clean(&audit, "settled, and one joined");
    findings
}

/// Whoever locates a key finds the node that the blueprint says owns it.
fn locates<O: Overlay>(lab: &mut Lab<O>, blueprint: &O::Blueprint, findings: &mut Findings) {
    for peer in lab.joined.clone() {
        let key = Key::hash(&peer.to_be_bytes());
        let op = lab.ask(peer, &Request::Locate(key));
        let outcome = lab.outcome(op);
        let right = match (&outcome, O::owner(blueprint, &key)) {
            (Some(Outcome::Unsupported), None) => true,
            (Some(Outcome::Located(found)), Some(owner)) => *found == owner,
            _ => false,
        };
        findings.demand(right, || {
            format!("n{peer} locates {key}: {outcome:?}, not {:?}", O::owner(blueprint, &key))
        });
    }
}
