//! Compare three overlays: a central index, flooding and a ring of keys face
//! the same peers, the same files and the same queries.
//!
//! `cargo run --release --example compare_three`

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use harness::document::Document;
use harness::experiment::{Comparison, Contestant, Plan};
use harness::registry::{self, EntryError};
use harness::report::table::{Paint, comparison};
use harness::workload::Catalog;

/// Napster, Gnutella and Chord with the defaults of their papers.
fn contestants() -> Vec<Contestant> {
    ["napster", "gnutella", "chord"]
        .into_iter()
        .filter_map(registry::find)
        .map(|entry| Contestant { entry, set: Vec::new() })
        .collect()
}

/// Everything that the comparison of `peers` peers over `seeds` seeds measured.
fn compare(peers: u32, searches: u32, seeds: u32) -> Result<Document, EntryError> {
    // The catalogue is real: names and sizes of files that people share.
    let catalog = Arc::new(Catalog::embedded().thinned(500));
    let plan = Plan { searches, ..Plan::standard(peers, catalog) };
    let comparison = Comparison { contestants: contestants(), plan, seeds, growth: false };
    let command = "cargo run --release --example compare_three";
    comparison.run(command, &Arc::new(AtomicBool::new(false)), &|_, _, _| {})
}

fn main() -> Result<(), EntryError> {
    let document = compare(100, 200, 3)?;
    println!("{}", comparison(&document, Paint::Off));
    println!("Napster asks one server that knows all; Gnutella asks everyone and may miss what");
    println!("is rare; Chord asks about half of log2 n peers, but understands keys only.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_are_in_the_table() {
        let document = compare(24, 20, 1).unwrap();
        let table = comparison(&document, Paint::Off);
        for title in ["Napster", "Gnutella", "Chord"] {
            assert!(table.contains(title), "{table}");
        }
    }
}
