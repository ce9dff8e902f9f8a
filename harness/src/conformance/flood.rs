//! Law: strangers do no harm.

use overlays::{Addr, Outcome, Overlay, Span, Transport, Wire};

use super::codec;
use super::lab::{Lab, new_items_are_found};
use super::{Findings, Trial};
use crate::workload::draw;

/// Messages forged.
const FORGED: u32 = 10_000;
/// What they may add to the memory of the node that gets them.
const MAX_GROWTH_BYTES: u64 = 8 << 20;
/// How many messages the network may send for each of them, on average.
const MAX_ECHO: f64 = 100.0;
/// Peers.
const PEERS: u32 = 12;
/// Addresses from here on belong to nobody.
const STRANGERS: u32 = 1 << 20;

pub fn trial<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let samples = codec::samples(trial);
    if samples.is_empty() {
        return Findings::broken("no message was seen that could be forged".into());
    }
    let mut lab = Lab::joined(trial, PEERS);
    lab.insert_own(&mut findings);
    lab.rest();
    let victims: Vec<u32> = lab.servers().take(1).chain(lab.joined.last().copied()).collect();
    let mut growth = 0;
    let mut echoes = 0;
    for &victim in &victims {
        let before = lab.sim.machine(victim).footprint().bytes;
        let sent = lab.sim.traffic().sent;
        flood(&mut lab, victim, &samples);
        let after = lab.sim.machine(victim).footprint().bytes;
        growth = growth.max(after.saturating_sub(before));
        echoes = echoes.max((lab.sim.traffic().sent - sent).saturating_sub(u64::from(FORGED)));
    }
    findings.figure("growth in bytes", growth as f64);
    findings.figure("messages sent per forged one", echoes as f64 / f64::from(FORGED));
    findings.demand(growth <= MAX_GROWTH_BYTES, || {
        format!("{FORGED} forged messages filled {growth} bytes of one node")
    });
    findings.demand(echoes as f64 <= MAX_ECHO * f64::from(FORGED), || {
        format!("{FORGED} forged messages made the network send {echoes}")
    });
    lab.rest();
    answers(trial, &mut lab, &mut findings);
    findings
}

/// Delivers damaged copies of real messages to `victim`.
fn flood<O: Overlay>(lab: &mut Lab<O>, victim: u32, samples: &[O::Message]) {
    let mut forged = 0;
    let mut at_once = 0;
    while forged < FORGED {
        let original = &samples[draw::index(&mut lab.rng, samples.len())];
        let bytes = codec::damaged(&mut lab.rng, &original.to_bytes());
        let message = match codec::read::<O::Message>(&bytes) {
            Ok(Some(message)) => message,
            // The undamaged one is hostile enough from a stranger's hand.
            Ok(None) => original.clone(),
            Err(panic) => panic!("{panic}"),
        };
        // Anyone can write a member's address on a datagram. A stream's other
        // end is who it is.
        let member =
            O::transport(&message) == Transport::Datagram && draw::chance(&mut lab.rng, 0.5);
        let from = if member {
            draw::below(&mut lab.rng, lab.sim.len() as u64) as u32
        } else {
            STRANGERS + draw::below(&mut lab.rng, 2_000) as u32
        };
        lab.sim.forge(Addr::from_index(from), victim, message);
        forged += 1;
        at_once += 1;
        if at_once == 100 {
            at_once = 0;
            lab.run(Span::from_ms(100));
        }
    }
    lab.run(Span::from_s(30));
}

/// What is inserted after the flood is found by everyone. What was there
/// before may have been withdrawn by forged messages: none of these protocols
/// claims to know who speaks.
fn answers<O: Overlay>(trial: &Trial<O>, lab: &mut Lab<O>, findings: &mut Findings) {
    if !O::search_power(&trial.config).exact {
        return;
    }
    let questions = lab.exact_questions();
    let found = lab.search(&questions);
    let kept = found.iter().filter(|a| matches!(a.outcome, Some(Outcome::Found(_)))).count();
    findings.figure("recall of older items", kept as f64 / questions.len().max(1) as f64);
    new_items_are_found(trial, lab, findings, "after the flood");
}
