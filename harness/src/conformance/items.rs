//! Laws on items: what was inserted is found, and what is gone is not.

use std::sync::Arc;

use overlays::{Item, Key, Outcome, Overlay, Query, Span};

use super::lab::{Answer, Lab, judge, own_item};
use super::{Findings, Trial};

/// Peers of the trials that let everyone ask for everything.
const PEERS: u32 = 24;
/// Peers of the trial in which all but one leave.
const LEAVERS: u32 = 12;
/// How long records of a peer that has left may linger.
const EXPIRY_LIMIT: Span = Span::from_s(24 * 3600);
/// How often the trial looks whether they still do.
const EXPIRY_CHECK: Span = Span::from_s(300);

/// The keyword questions of the trials: one word that is everywhere, one that
/// two items of one peer have, and two that only one item has.
fn keyword_questions<O: Overlay>(lab: &Lab<O>) -> Vec<(u32, Query)> {
    let mut questions = Vec::new();
    for (&peer, &other) in lab.joined.iter().zip(lab.joined.iter().rev()) {
        if peer == other {
            continue;
        }
        for words in ["shared".into(), format!("peer{other}"), format!("TUNE1 peer{other}")] {
            questions.push((peer, Query::keywords(&words)));
        }
    }
    questions
}

/// Demands the answers that the overlay's search power promises, by key and by
/// words, and notes the recall.
pub fn ask_everything<O: Overlay>(trial: &Trial<O>, lab: &mut Lab<O>, findings: &mut Findings) {
    let power = O::search_power(&trial.config);
    let exact = lab.exact_questions();
    let keywords = keyword_questions(lab);
    let kinds = [
        ("exact", "exact recall", power.exact, exact),
        ("keywords", "keyword recall", power.keywords, keywords),
    ];
    for (what, figure, is_answered, questions) in kinds {
        let answers = lab.search(&questions);
        if is_answered {
            let recall = judge(trial, findings, what, &questions, &answers);
            findings.figure(figure, recall);
        } else {
            for answer in answers {
                findings.demand(answer.outcome == Some(Outcome::Unsupported), || {
                    format!("{what}: must be unsupported, but: {:?}", answer.outcome)
                });
            }
        }
    }
}

pub fn searches_find<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let mut lab = Lab::joined(trial, PEERS);
    lab.insert_own(&mut findings);
    ask_everything(trial, &mut lab, &mut findings);
    // What nobody shares is not found, and that is an answer.
    if O::search_power(&trial.config).exact {
        for peer in lab.joined.clone() {
            let questions = [(peer, Query::exact(Key::hash(b"nobody shares this")))];
            for answer in lab.search(&questions) {
                findings.demand(answer.outcome == Some(Outcome::NotFound), || {
                    format!("n{peer} asks for what nobody shares: {:?}", answer.outcome)
                });
            }
        }
    }
    findings
}

pub fn brought_along<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let mut lab = Lab::joined(trial, 8);
    for turn in 0..4 {
        let peer = lab.add_peer();
        for item in [own_item(peer, 0), own_item(peer, 1)] {
            let outcome = lab.insert(peer, &item);
            findings.demand(outcome == Some(Outcome::Done), || {
                format!("newcomer {turn} inserts before it joins: {outcome:?}")
            });
        }
        let outcome = lab.join(peer);
        findings.demand(outcome == Some(Outcome::Done), || {
            format!("newcomer {turn} with items joins: {outcome:?}")
        });
    }
    lab.drain();
    let audit = lab.rest();
    findings.demand_clean(&audit, "after joins with items");
    ask_everything(trial, &mut lab, &mut findings);
    findings
}

pub fn leaving<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let mut lab = Lab::joined(trial, LEAVERS);
    lab.insert_own(&mut findings);
    lab.rest();
    let mut recalls = Vec::new();
    let mut longest = Span::ZERO;
    while lab.joined.len() > 1 {
        // Founder and latest in turn, so that old and young nodes leave.
        let at = if lab.joined.len().is_multiple_of(2) { 0 } else { lab.joined.len() - 1 };
        let leaver = lab.joined[at];
        let outcome = lab.leave(leaver);
        findings
            .demand(outcome == Some(Outcome::Done), || format!("n{leaver} leaves: {outcome:?}"));
        let audit = lab.rest();
        findings.demand_clean(&audit, &format!("after n{leaver} left"));
        if !O::search_power(&trial.config).exact {
            continue;
        }
        longest = longest.max(forgotten(trial, &mut lab, leaver, &mut findings));
        let questions = lab.exact_questions();
        let answers = lab.search(&questions);
        if !questions.is_empty() {
            let what = format!("after n{leaver} left");
            recalls.push(judge(trial, &mut findings, &what, &questions, &answers));
        }
    }
    let recall = recalls.iter().sum::<f64>() / recalls.len().max(1) as f64;
    findings.figure("exact recall", recall);
    findings.figure("leaver forgotten after at most s", longest.as_s_f64());
    findings
}

/// How long after the leave the members still return what `leaver` shared.
fn forgotten<O: Overlay>(
    trial: &Trial<O>,
    lab: &mut Lab<O>,
    leaver: u32,
    findings: &mut Findings,
) -> Span {
    let start = lab.sim.now();
    loop {
        let questions: Vec<(u32, Query)> = lab
            .joined
            .iter()
            .map(|&peer| (peer, Query::exact(own_item(leaver, 0).key())))
            .collect();
        let answers = lab.search(&questions);
        if !answers.iter().any(Answer::is_wrong) {
            return lab.sim.now().since(start);
        }
        if lab.sim.now().since(start) >= EXPIRY_LIMIT {
            findings.complain(format!(
                "n{leaver}'s items are still returned {EXPIRY_LIMIT} after it left (seed {})",
                trial.seed
            ));
            return EXPIRY_LIMIT;
        }
        lab.run(EXPIRY_CHECK);
    }
}

pub fn deleting<O: Overlay>(trial: &Trial<O>) -> Findings {
    let mut findings = Findings::default();
    let mut lab = Lab::joined(trial, 12);
    lab.insert_own(&mut findings);
    let common = Arc::new(Item::new("one of many copies.bin", 5));
    for peer in lab.joined.clone() {
        lab.insert(peer, &common);
    }
    lab.drain();
    for (turn, peer) in lab.joined.clone().into_iter().enumerate() {
        let mut withdraw = |key: Key, allowed: &[Outcome], what: &str| {
            let outcome = lab.delete(peer, key);
            findings.demand(outcome.as_ref().is_some_and(|o| allowed.contains(o)), || {
                format!("n{peer} deletes {what}: {outcome:?}")
            });
        };
        let not_there = [Outcome::NotFound, Outcome::Done];
        withdraw(own_item(peer, 0).key(), &[Outcome::Done], "its item");
        withdraw(own_item(peer, 0).key(), &not_there, "it again");
        withdraw(Key::hash(b"nobody shares this"), &not_there, "what nobody shares");
        if turn % 2 == 0 {
            withdraw(common.key(), &[Outcome::Done], "its copy of an item of many");
        }
    }
    if !O::search_power(&trial.config).exact {
        return findings;
    }
    let gone: Vec<Key> = lab.joined.iter().map(|&peer| own_item(peer, 0).key()).collect();
    let mut questions = Vec::new();
    for &peer in &lab.joined {
        questions.extend(gone.iter().map(|key| (peer, Query::exact(*key))));
        questions.push((peer, Query { limit: Query::MAX_LIMIT, ..Query::exact(common.key()) }));
    }
    let answers = lab.search(&questions);
    judge(trial, &mut findings, "after deletes", &questions, &answers);
    let questions = lab.exact_questions();
    let answers = lab.search(&questions);
    let recall = judge(trial, &mut findings, "what was not deleted", &questions, &answers);
    findings.figure("exact recall", recall);
    findings
}
