//! Tests of Pastry: tables and sets, the wire format, a handful of nodes.

mod codec;
mod golden;
mod keywords;
mod protocol;
mod tables;

type Bench = crate::bench::Bench<super::Pastry>;
