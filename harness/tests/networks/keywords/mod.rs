//! Every DHT keeps the laws with its keyword index switched on.

use harness::registry::{self, Assignment};

/// Tries all laws with these settings on every overlay that has them.
fn keep_the_laws(set: &[(&str, &str)]) {
    let mut tried = 0;
    for entry in registry::all() {
        let set: Vec<Assignment> = set
            .iter()
            .map(|(name, value)| Assignment { name: (*name).into(), value: (*value).into() })
            .collect();
        let Ok(power) = entry.search_power(&set) else { continue };
        assert!(power.keywords, "{} has its index on", entry.about().name);
        let reports = entry.laws(&set, &[1, 2]).expect("the parameters were just read");
        for report in reports {
            println!("{:<12}{report}", entry.about().name);
            assert!(!report.is_broken(), "{}: {report}", entry.about().name);
        }
        tried += 1;
    }
    assert!(tried > 0, "some overlay takes {set:?}");
}

#[test]
fn the_laws_hold_with_queries_along_the_path() {
    keep_the_laws(&[("keywords", "on"), ("intersect", "path")]);
}

#[test]
fn the_laws_hold_with_lists_put_together_at_the_asker() {
    keep_the_laws(&[("keywords", "on"), ("intersect", "asker")]);
}
