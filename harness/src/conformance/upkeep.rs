//! Law: an idle network's traffic is all upkeep.

use overlays::{Overlay, Span};

use super::lab::{Conditions, Lab};
use super::{Findings, Trial};

/// How long the network is watched.
const WINDOW: Span = Span::from_s(600);
/// Peers.
const PEERS: u32 = 16;

pub fn trial<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let mut lab = Lab::joined(trial, PEERS);
    lab.insert_own(&mut findings);
    lab.drain();
    let before = lab.sim.traffic().clone();
    lab.run(WINDOW);
    let traffic = lab.sim.traffic().since(&before);
    findings.demand(traffic.sent == traffic.upkeep, || {
        format!(
            "{} messages of an idle network are upkeep in {} only",
            traffic.sent, traffic.upkeep
        )
    });
    let node_seconds = f64::from(PEERS) * WINDOW.as_s_f64();
    findings.figure("upkeep messages per node and s", traffic.upkeep as f64 / node_seconds);
    let still = Conditions { maintenance: false, ..Conditions::default() };
    if let Some((mut lab, _)) = Lab::settled(trial, PEERS, still) {
        // What settling itself sends, such as to open streams, may arrive.
        lab.run(Span::from_s(60));
        let before = lab.sim.traffic().clone();
        lab.run(WINDOW);
        let sent = lab.sim.traffic().since(&before).sent;
        findings.demand(sent == 0, || {
            format!("{sent} messages of a settled network with maintenance off")
        });
    }
    findings
}
