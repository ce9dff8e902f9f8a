//! Every DHT keeps the laws with its keyword index switched on.

use harness::registry::{self, Assignment};

/// Tries all laws with these settings on every overlay that has them.
fn keep_the_laws(set: &[(&str, &str)]) {
    let mut tried = Vec::new();
    for entry in registry::all() {
        let set: Vec<Assignment> = set
            .iter()
            .map(|(name, value)| Assignment { name: (*name).into(), value: (*value).into() })
            .collect();
        // Mainline has the parameters of its family, and no room for words.
        if !entry.search_power(&set).is_ok_and(|power| power.keywords) {
            continue;
        }
        let reports = entry.laws(&set, &[1, 2]).expect("the parameters were just read");
        for report in reports {
            println!("{:<12}{report}", entry.about().name);
            assert!(!report.is_broken(), "{}: {report}", entry.about().name);
        }
        tried.push(entry.about().name);
    }
    tried.sort_unstable();
    assert_eq!(tried, ["can", "chord", "kad", "kademlia", "pastry"], "{set:?}");
}

#[test]
fn the_laws_hold_with_queries_along_the_path() {
    keep_the_laws(&[("keywords", "on"), ("intersect", "path")]);
}

#[test]
fn the_laws_hold_with_lists_put_together_at_the_asker() {
    keep_the_laws(&[("keywords", "on"), ("intersect", "asker")]);
}
