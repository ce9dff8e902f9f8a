//! Laws on hard times: what must hold while they last, and once they are over.
//!
//! How much of what was there before is still found depends on the overlay:
//! some keep copies, some announce anew, some do neither. Those figures are
//! measured here; what must come of them is stated where the laws are run.

use std::sync::Arc;

use overlays::{Addr, Item, Key, OpId, Outcome, Overlay, Profile, Query, Span};

use super::lab::{Answer, Conditions, Lab, judge, new_items_are_found, own_item, recall};
use super::{Findings, Trial};
use crate::sim::Request;
use crate::workload::draw;

/// Peers of the trials.
const PEERS: u32 = 20;
/// How many of them die at once: 30 %.
const DEATHS: usize = 6;
/// The fraction of datagrams lost.
const LOSS: f64 = 0.05;
/// The least recall under that loss, whatever the overlay.
const LEAST_RECALL_UNDER_LOSS: f64 = 0.75;
/// The least recall of new items beside twins.
const LEAST_RECALL_BESIDE_TWINS: f64 = 0.9;
/// How long after a partition those who try again ever more rarely may sleep.
const WAKING: Span = Span::from_s(900);
/// How often a user tries what fails for loss.
const TRIES: u32 = 5;
/// How long a network is cut in two.
const CUT: Span = Span::from_s(300);
/// What the busy peer asks for.
const REQUESTS: u32 = 1_000;
/// What that may add to the memory of any node.
const MAX_GROWTH_BYTES: u64 = 1 << 20;

/// The recall of everything that members share among themselves.
fn old_items<O: Overlay>(
    trial: &Trial<O>,
    lab: &mut Lab<O>,
    findings: &mut Findings,
    figure: &'static str,
) {
    if O::search_power(&trial.config).exact {
        let questions = lab.exact_questions();
        let answers = lab.search(&questions);
        findings.figure(figure, recall(&answers));
    }
}

/// A network of members that share two items each, at rest.
fn at_rest<O: Overlay>(trial: &Trial<O>, n: u32, findings: &mut Findings) -> Lab<O> {
    let mut lab = Lab::joined(trial, n);
    lab.insert_own(findings);
    lab.rest();
    lab
}

pub fn deaths<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let mut lab = at_rest(trial, PEERS, &mut findings);
    let mut members = lab.joined.clone();
    draw::shuffle(&mut lab.rng, &mut members);
    members.iter().take(DEATHS).for_each(|&victim| lab.crash(victim));
    old_items(trial, &mut lab, &mut findings, "recall right after the deaths");
    let audit = lab.rest();
    findings.demand_clean(&audit, "after the deaths");
    old_items(trial, &mut lab, &mut findings, "recall after the deaths");
    new_items_are_found(trial, &mut lab, &mut findings, "after the deaths");
    let last = lab.joined[0];
    lab.joined.clone().into_iter().skip(1).for_each(|victim| lab.crash(victim));
    let audit = lab.rest();
    findings.demand_clean(&audit, "with one left");
    let newcomer = lab.add_peer();
    let outcome = lab.join(newcomer);
    findings.demand(outcome == Some(Outcome::Done), || {
        format!("n{newcomer} joins n{last}, the last one left: {outcome:?}")
    });
    let audit = lab.rest();
    findings.demand_clean(&audit, "with one left and one that came");
    let news = own_item(newcomer, 0);
    let outcome = lab.insert(newcomer, &news);
    findings.demand(outcome == Some(Outcome::Done), || {
        format!("n{newcomer} inserts beside the last one left: {outcome:?}")
    });
    // Some inserts end before the one message has come that tells of the item.
    lab.drain();
    if O::search_power(&trial.config).exact {
        let questions = [(last, Query::exact(news.key()))];
        let answers = lab.search(&questions);
        judge(trial, &mut findings, "the last one left", &questions, &answers);
    }
    findings
}

pub fn loss<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let mut lab = Lab::new(trial, Conditions { loss: LOSS, ..Conditions::default() });
    for _ in 0..PEERS {
        let peer = lab.add_peer();
        let joins = (0..TRIES).any(|_| lab.join(peer) == Some(Outcome::Done));
        findings.demand(joins, || format!("n{peer} does not get in in {TRIES} tries"));
    }
    lab.run(Span::from_s(120));
    for peer in lab.joined.clone() {
        let item = own_item(peer, 0);
        let inserts = (0..TRIES).any(|_| {
            // Another try is another operation for the same item.
            lab.shares.retain(|(node, held)| (*node, held.key()) != (peer, item.key()));
            lab.insert(peer, &item) == Some(Outcome::Done)
        });
        findings.demand(inserts, || format!("n{peer} cannot insert in {TRIES} tries"));
    }
    lab.drain();
    if O::search_power(&trial.config).exact {
        let questions = lab.exact_questions();
        let answers = lab.search(&questions);
        let recall = recall(&answers);
        findings.figure("recall under loss", recall);
        findings.demand(recall >= LEAST_RECALL_UNDER_LOSS, || {
            format!("under {LOSS} loss searches find {recall:.3} of what there is")
        });
        let wrong = answers.iter().filter(|answer| answer.is_wrong()).count();
        findings.demand(wrong == 0, || format!("{wrong} searches name who does not share it"));
        let unended = answers.iter().filter(|answer| answer.outcome.is_none()).count();
        findings.demand(unended == 0, || format!("{unended} searches never ended"));
    }
    findings
}

pub fn partition<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let mut lab = at_rest(trial, PEERS, &mut findings);
    let groups: Vec<u32> = (0..lab.sim.len() as u32).map(|node| node % 2).collect();
    lab.sim.partition(&groups);
    lab.run(CUT);
    if O::search_power(&trial.config).exact {
        let mut questions = lab.exact_questions();
        // What lies on the own side.
        let own = |peer: u32, query: &Query| {
            let of = |(node, item): &(u32, Arc<Item>)| query.matches(item) && node % 2 == peer % 2;
            lab.shares.iter().any(of)
        };
        questions.retain(|(peer, query)| own(*peer, query));
        let answers = lab.search(&questions);
        findings.figure("recall within halves", recall(&answers));
    }
    lab.sim.heal();
    lab.run(WAKING);
    let heals = lab.rest().is_empty();
    findings.figure("healed by itself", f64::from(u8::from(heals)));
    if !heals {
        // Where nobody remembers the other half, one newcomer who knows both
        // must be enough.
        let newcomer = lab.add_peer();
        let side = |odd: u32| lab.joined.iter().find(|peer| *peer % 2 == odd);
        let via = [side(0), side(1)].into_iter().flatten().map(|&p| Addr::from_index(p)).collect();
        let op = lab.ask(newcomer, &Request::Join(via));
        let outcome = lab.outcome(op);
        findings.demand(outcome == Some(Outcome::Done), || {
            format!("n{newcomer} joins both halves: {outcome:?}")
        });
        lab.note_joined(newcomer);
    }
    let audit = lab.rest();
    findings.demand_clean(&audit, "after the partition");
    old_items(trial, &mut lab, &mut findings, "recall after the partition");
    new_items_are_found(trial, &mut lab, &mut findings, "after the partition");
    findings
}

pub fn twins<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let mut lab = at_rest(trial, 8, &mut findings);
    let id = Key::hash(b"the same place");
    let via = lab.contacts(u32::MAX);
    let joins = [(); 2].map(|()| {
        let addr = Addr::from_index(lab.sim.len() as u32);
        let twin = lab.sim.add_node(Profile::peer(addr).with_id(id));
        lab.ask(twin, &Request::Join(via.clone()))
    });
    lab.drain();
    let ended = joins.map(|op| lab.ended(op).cloned());
    let in_it = ended.iter().filter(|end| **end == Some(Outcome::Done)).count();
    findings.figure("twins that got in", in_it as f64);
    findings.demand(ended.iter().all(Option::is_some), || {
        format!("the joins of two peers with one identifier end with {ended:?}")
    });
    // No audit: a ring with two nodes at one place may have its own view of it.
    lab.run(Span::from_s(600));
    old_items(trial, &mut lab, &mut findings, "recall beside twins");
    if O::search_power(&trial.config).exact {
        let mut questions = Vec::new();
        for peer in lab.joined.clone() {
            lab.insert(peer, &own_item(peer, 2));
            let askers = lab.joined.iter().filter(|&&asker| asker != peer);
            questions.extend(askers.map(|&a| (a, Query::exact(own_item(peer, 2).key()))));
        }
        lab.drain();
        let found = recall(&lab.search(&questions));
        findings.figure("recall of new items beside twins", found);
        findings.demand(found >= LEAST_RECALL_BESIDE_TWINS, || {
            format!("beside twins searches find {found:.3} of what is new")
        });
    }
    findings
}

pub fn busy<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let mut lab = at_rest(trial, 12, &mut findings);
    let busy = lab.joined[5];
    let is_exact = O::search_power(&trial.config).exact;
    let bytes = |lab: &Lab<O>| -> Vec<u64> {
        let nodes = 0..lab.sim.len() as u32;
        nodes.map(|node| lab.sim.machine(node).footprint().bytes).collect()
    };
    let before = bytes(&lab);
    let questions: Vec<(u32, Query)> =
        lab.exact_questions().into_iter().filter(|(peer, _)| *peer != busy).collect();
    let mut asked: Vec<OpId> = Vec::new();
    let mut answers: Vec<Answer> = Vec::new();
    let round = REQUESTS / 10;
    for (number, some) in questions.chunks(questions.len().div_ceil(10)).enumerate() {
        for turn in 0..round {
            asked.push(lab.ask(busy, &request(number as u32 * round + turn)));
            if turn % 10 == 0 {
                lab.run(Span::from_ms(10));
            }
        }
        if is_exact {
            answers.extend(lab.search(some));
        }
    }
    lab.drain();
    let unended = asked.iter().filter(|op| lab.ended(**op).is_none()).count();
    findings.demand(unended == 0, || format!("{unended} of the busy peer's requests never ended"));
    let surplus = lab.sim.surplus_ends();
    findings.demand(surplus == 0, || format!("{surplus} requests ended more than once"));
    let growth = bytes(&lab).iter().zip(&before).map(|(after, b)| after.saturating_sub(*b)).max();
    let growth = growth.unwrap_or(0);
    findings.figure("growth in bytes", growth as f64);
    findings.demand(growth <= MAX_GROWTH_BYTES, || {
        format!("{REQUESTS} requests of one peer filled {growth} bytes of one node")
    });
    if is_exact {
        let recall = judge(trial, &mut findings, "beside a busy peer", &questions, &answers);
        findings.figure("recall beside a busy peer", recall);
    }
    findings
}

/// The busy peer's request of this number: searches for what is there and what
/// is not, and items that it shares and withdraws again.
fn request(number: u32) -> Request {
    let junk = |number: u32| Arc::new(Item::new(&format!("junk {number}.bin"), 1));
    match number % 5 {
        0 => Request::Insert(junk(number)),
        1 => Request::Search(Query::exact(Key::hash(&number.to_be_bytes()))),
        2 => Request::Search(Query::keywords("shared")),
        3 => Request::Search(Query::exact(own_item(number % 12, 0).key())),
        _ => Request::Delete(junk(number - 4).key()),
    }
}
