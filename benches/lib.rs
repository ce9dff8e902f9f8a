//! Criterion benches of the lab; run them with `cargo bench`.
