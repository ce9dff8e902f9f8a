//! `overlab list`.

use std::fmt::Write;

use super::error::CliError;
use super::output;
use super::scenario::{BUILT_IN, Scenario};
use crate::registry;

/// The latency models, as `--latency` takes them.
const LATENCY: [(&str, &str); 6] = [
    ("constant:50ms", "every message takes as long"),
    ("uniform:10ms..90ms", "each pair of nodes has a fixed delay between two bounds"),
    ("king", "log-normal over pairs, as measured between name servers; the default"),
    ("coords:FILE", "distances of network coordinates: CSV with x_ms,y_ms,height_ms"),
    ("transit-stub", "routers of backbones and stub networks, with routed delays"),
    ("access:5ms..45ms", "the sum of two access delays, in whole milliseconds"),
];

/// Lists what there is.
///
/// # Errors
/// When standard output cannot be written.
pub fn run() -> Result<(), CliError> {
    let mut text = String::from("Overlays\n");
    for entry in registry::all() {
        let about = entry.about();
        let _ = writeln!(text, "  {:<12} {}", about.name, about.idea);
    }
    text.push_str("\nLatency models (--latency)\n");
    for (name, meaning) in LATENCY {
        let _ = writeln!(text, "  {name:<20} {meaning}");
    }
    text.push_str("\nScenarios (sim --scenario)\n");
    for (name, _) in BUILT_IN {
        let _ = writeln!(text, "  {name:<12} {}", Scenario::load(name)?.description);
    }
    text.push_str("\n`overlab explain NAME` tells more of an overlay and its parameters.\n");
    output::print(&text)
}
