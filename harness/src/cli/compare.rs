//! `overlab compare`.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::args::{Common, Compare};
use super::error::CliError;
use super::progress::Bars;
use super::scenario::Scenario;
use super::{output, settings};
use crate::experiment::Comparison;
use crate::report;

/// Compares overlays: a table on screen, a report in a folder, optional JSON.
///
/// # Errors
/// When the arguments are wrong, a run fails, a file cannot be written, or the
/// user interrupts.
pub fn run(args: &Compare, common: &Common, interrupted: &Arc<AtomicBool>) -> Result<(), CliError> {
    let contestants = settings::contestants(&args.overlays, &common.set)?;
    let plan = settings::plan(&args.workload, common, &Scenario::default())?;
    let unharmed = settings::check_servers(&contestants, &plan)?;
    fs::create_dir_all(&args.out)
        .map_err(|error| CliError::usage(format!("--out {}: {error}", args.out.display())))?;
    let page = args.out.join("report.html");
    output::check_writable(&page)?;
    if let Some(path) = &common.json {
        output::check_writable(path)?;
    }
    let names: Vec<&str> = contestants.iter().map(|c| c.entry.about().name).collect();
    let bars = Bars::new(&names, common);
    let comparison = Comparison { contestants, plan, seeds: args.seeds, growth: !args.no_growth };
    let progress = |at: usize, fraction: f64, phase: &str| bars.set(at, fraction, phase);
    let result = comparison.run(&output::command_line(), interrupted, &progress);
    bars.finish();
    let mut document = result?;
    if !unharmed.is_empty() {
        let note = format!("No servers to kill: {}.", unharmed.join(", "));
        document.notes.push(note);
    }
    report::write(&page, report::html(&document)).map_err(CliError::failed)?;
    output::show(&document, common)?;
    output::tell(common, &format!("report: {}", page.display()));
    if document.partial { Err(CliError::interrupted()) } else { Ok(()) }
}
