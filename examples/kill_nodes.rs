//! Kill nodes: three of ten peers of a Chord ring die at once. What is still
//! found right after, and what once the ring has repaired itself?
//!
//! `cargo run --release --example kill_nodes`

use std::sync::Arc;

use harness::experiment::{Plan, Watch};
use harness::registry::{self, Assignment, EntryError};
use harness::sim::Verb;
use harness::workload::Catalog;
use overlays::Span;

/// The fraction of peers that die.
const KILLED: f64 = 0.3;
/// Long enough for some twenty rounds of stabilisation.
const REPAIR: Span = Span::from_s(600);

/// The fraction of searches that get an answer where there is one, when each
/// record is kept by `replicas` nodes. A record that names a dead provider
/// counts as an answer: the ring knows where files are, not who is alive.
fn found(peers: u32, replicas: u32, kill: f64, wait: Span) -> Result<f64, EntryError> {
    let chord = registry::find("chord").expect("Chord is registered");
    let set = [Assignment { name: "replicas".into(), value: replicas.to_string() }];
    let catalog = Arc::new(Catalog::embedded().thinned(500));
    let standard = Plan::standard(peers, catalog);
    // Starting converged leaves nothing but the deaths to explain the misses.
    let plan = Plan { settle: true, searches: 300, kill, kill_wait: wait, ..standard };
    let measures = chord.simulate(&set, &plan, &Watch::default())?;
    Ok(measures.operations.get(&Verb::Search).map_or(0.0, |search| 1.0 - search.failed_fraction()))
}

fn main() -> Result<(), EntryError> {
    println!("searches that are answered, 200 peers, 30 % killed at once\n");
    println!("{:<26}{:>10}{:>14}{:>14}", "", "before", "right after", "after repair");
    for replicas in [1, 4, 8] {
        let before = found(200, replicas, 0.0, Span::ZERO)?;
        let after = found(200, replicas, KILLED, Span::ZERO)?;
        let repaired = found(200, replicas, KILLED, REPAIR)?;
        let name = format!("{replicas} node(s) per record");
        let [before, after, repaired] = [before, after, repaired].map(|f| f * 100.0);
        println!("{name:<26}{before:>8.1} %{after:>12.1} %{repaired:>12.1} %");
    }
    println!("\nRepair mends the way to a record, not the record: with one copy, what lay on");
    println!("the dead is gone. With r copies it is lost only if r neighbours die together.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_outlive_their_node() {
        let before = found(60, 1, 0.0, Span::ZERO).unwrap();
        let single = found(60, 1, KILLED, REPAIR).unwrap();
        let replicated = found(60, 8, KILLED, REPAIR).unwrap();
        assert!(before > 0.999, "{before}");
        assert!(single < 0.9, "{single}");
        assert!(replicated > 0.99, "{replicated}");
    }
}
