//! Pastry keeps the laws with other bases of its digits, and with each way to
//! fill a newcomer's table that its paper compares (Fig. 7).

use crate::laws::keep_the_laws;

#[test]
fn with_digits_of_one_bit() {
    keep_the_laws("pastry", "b", "1");
}

#[test]
fn with_digits_of_two_bits() {
    keep_the_laws("pastry", "b", "2");
}

#[test]
fn with_one_row_of_each_node_on_the_way() {
    keep_the_laws("pastry", "table_init", "sl");
}

#[test]
fn with_the_whole_tables_on_the_way() {
    keep_the_laws("pastry", "table_init", "wt");
}

#[test]
fn with_the_whole_tables_on_the_way_and_those_of_their_entries() {
    keep_the_laws("pastry", "table_init", "wtf");
}
