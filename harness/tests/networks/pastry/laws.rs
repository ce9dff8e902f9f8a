//! Pastry keeps the laws with other bases of its digits, and with each way to
//! fill a newcomer's table that its paper compares (Fig. 7).

use harness::registry::{self, Assignment};

/// Tries all laws with this setting.
fn keep_the_laws(name: &str, value: &str) {
    let set = [Assignment { name: name.into(), value: value.into() }];
    let pastry = registry::find("pastry").expect("Pastry is registered");
    for report in pastry.laws(&set, &[1, 2]).expect("a parameter of Pastry") {
        assert!(!report.is_broken(), "{name}={value}: {report}");
    }
}

#[test]
fn with_digits_of_one_bit() {
    keep_the_laws("b", "1");
}

#[test]
fn with_digits_of_two_bits() {
    keep_the_laws("b", "2");
}

#[test]
fn with_one_row_of_each_node_on_the_way() {
    keep_the_laws("table_init", "sl");
}

#[test]
fn with_the_whole_tables_on_the_way() {
    keep_the_laws("table_init", "wt");
}

#[test]
fn with_the_whole_tables_on_the_way_and_those_of_their_entries() {
    keep_the_laws("table_init", "wtf");
}
