//! `overlab check`.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::{Check, Common};
use super::error::CliError;
use super::progress::Bars;
use super::{output, settings};

/// Checks every law on every overlay, determinism among them.
///
/// # Errors
/// When the arguments are wrong, a law is broken, or the user interrupts.
pub fn run(args: &Check, common: &Common, interrupted: &Arc<AtomicBool>) -> Result<(), CliError> {
    let contestants = settings::contestants(&args.overlays, &common.set)?;
    let first = common.seed.unwrap_or(1);
    let names: Vec<&str> = contestants.iter().map(|c| c.entry.about().name).collect();
    let bars = Bars::new(&names, common);
    let mut text = String::new();
    let mut broken = 0;
    for (at, contestant) in contestants.iter().enumerate() {
        let name = contestant.entry.about().name;
        for turn in 0..args.seeds {
            if interrupted.load(Ordering::Relaxed) {
                break;
            }
            let seed = first.wrapping_add(turn.into());
            bars.set(at, f64::from(turn) / f64::from(args.seeds), "checking");
            let reports =
                contestant.entry.laws(&contestant.set, &[seed]).map_err(CliError::usage)?;
            for report in reports {
                broken += u32::from(report.is_broken());
                let _ = writeln!(text, "{name:<10} {report}");
            }
        }
        bars.set(at, 1.0, "done");
    }
    bars.finish();
    output::print(&text)?;
    if interrupted.load(Ordering::Relaxed) {
        return Err(CliError::interrupted());
    }
    match broken {
        0 => Ok(()),
        1 => Err(CliError::invariant("1 law is broken")),
        n => Err(CliError::invariant(format!("{n} laws are broken"))),
    }
}
