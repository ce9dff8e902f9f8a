//! Write your own overlay: [`rendezvous`] is the template, this runs it.
//!
//! `cargo run --release --example write_your_own`
//!
//! An overlay that is not registered anywhere can be run, compared and tried
//! against the laws as well: [`Registered`] makes an entry of its type.

mod rendezvous;

use std::sync::Arc;

use harness::conformance::LawReport;
use harness::experiment::{Measures, Plan, Watch};
use harness::registry::{self, Entry, EntryError, Registered};
use harness::sim::Verb;
use harness::stats::Tally;
use harness::workload::Catalog;
use rendezvous::Rendezvous;

/// The entry of the registry that a registration line would make.
fn entry() -> Registered<Rendezvous> {
    Registered::default()
}

/// The same experiment for any overlay: `peers` peers, `searches` searches.
fn measure(entry: &dyn Entry, peers: u32, searches: u32) -> Result<Measures, EntryError> {
    let catalog = Arc::new(Catalog::embedded().thinned(200));
    let plan = Plan { searches, ..Plan::standard(peers, catalog) };
    entry.simulate(&[], &plan, &Watch::default())
}

/// One line of the table: what searches and joins cost, and what nodes keep.
fn line(entry: &dyn Entry, measures: &Measures) -> String {
    let empty = Default::default();
    let of = |verb| measures.operations.get(&verb).unwrap_or(&empty);
    let (search, join) = (of(Verb::Search), of(Verb::Join));
    let mean = |tally: &Tally| tally.mean().unwrap_or(0.0);
    format!(
        "{:<14}{:>9.1} %{:>10.1}{:>12.1}{:>12.1}{:>14.1}",
        entry.about().title,
        search.correct_fraction() * 100.0,
        mean(&search.hops),
        mean(&search.messages),
        mean(&join.messages),
        mean(&measures.storage.routing_entries),
    )
}

/// Tries the laws with some seeds.
fn check(seeds: &[u64]) -> Vec<LawReport> {
    entry().laws(&[], seeds).expect("no parameter is set, so none can be wrong")
}

/// The head of the table.
const HEAD: &str = "\
overlay          correct      hops    messages    messages      contacts
                searches             per search    per join      per node";

fn main() -> Result<(), EntryError> {
    println!("{HEAD}");
    let mine = entry();
    let everyone = registry::all().iter().copied().chain([&mine as &dyn Entry]);
    for entry in everyone {
        println!("{}", line(entry, &measure(entry, 100, 300)?));
    }
    println!("\nThe laws, tried on {}:\n", mine.about().title);
    for report in check(&[1, 2]) {
        println!("{report}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_keeps_the_laws() {
        let reports = check(&[1, 2, 3, 4]);
        let broken: Vec<String> =
            reports.iter().filter(|r| r.is_broken()).map(ToString::to_string).collect();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    #[test]
    fn the_template_finds_everything_in_one_hop() {
        let measures = measure(&entry(), 40, 100).unwrap();
        let search = &measures.operations[&Verb::Search];
        assert_eq!(search.correct, search.count);
        assert!(search.hops.max() <= Some(1));
        assert!(measures.violations.is_empty(), "{:?}", measures.violations);
        assert_eq!(measures.broken_operations, 0);
    }
}
