//! Short teaching programs, each one idea: `cargo run --release --example NAME`.
