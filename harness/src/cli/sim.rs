//! `overlab sim`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::args::{Common, Sim};
use super::error::CliError;
use super::progress::Bars;
use super::scenario::Scenario;
use super::{output, settings};
use crate::document::{Catalog, Document, Kind};
use crate::experiment::{Contestant, Measures, Plan, Watch, Workload, row};
use crate::report;

/// Simulates one overlay once and shows everything about it.
///
/// # Errors
/// When the arguments are wrong, the run fails, a file cannot be written, a
/// threshold of the scenario is not met, or the user interrupts.
pub fn run(args: &Sim, common: &Common, interrupted: &Arc<AtomicBool>) -> Result<(), CliError> {
    let scenario = args.scenario.as_deref().map(Scenario::load).transpose()?.unwrap_or_default();
    if let Some(overlay) = scenario.overlay.as_ref().filter(|o| **o != args.overlay) {
        return Err(CliError::usage(format!(
            "this scenario is for {overlay}, not {}",
            args.overlay
        )));
    }
    // What the command line sets comes last and so goes before the scenario.
    let set: Vec<String> = scenario.settings().into_iter().chain(common.set.clone()).collect();
    let contestants = settings::contestants(std::slice::from_ref(&args.overlay), &set)?;
    let contestant = &contestants[0];
    let mut plan = settings::plan(&args.workload, common, &scenario)?;
    if let [name] = settings::check_servers(&contestants, &plan)?[..] {
        return Err(CliError::usage(format!("--kill-servers: {name} has no servers")));
    }
    plan.trace = args.trace.clone();
    plan.graph_file = args.graph.clone();
    for path in [&common.json, &args.trace, &args.graph, &args.html].into_iter().flatten() {
        output::check_writable(path)?;
    }
    if let Some(path) = &args.graph
        && !path.extension().is_some_and(|e| e == "dot" || e == "graphml")
    {
        return Err(CliError::usage(format!("{}: end it in .dot or .graphml", path.display())));
    }
    let name = contestant.entry.about().name;
    let bars = Bars::new(&[name], common);
    let progress = |fraction: f64, phase: &'static str| bars.set(0, fraction, phase);
    let watch = Watch { progress: Some(&progress), interrupted: Arc::clone(interrupted) };
    let result = contestant.entry.simulate(&contestant.set, &plan, &watch);
    bars.finish();
    let measures = result?;
    let document = document(contestant, &plan, args.scenario.as_deref(), &measures)?;
    output::show(&document, common)?;
    if let Some(path) = &args.html {
        report::write(path, report::html(&document)).map_err(CliError::failed)?;
        output::tell(common, &format!("report: {}", path.display()));
    }
    if document.partial {
        return Err(CliError::interrupted());
    }
    if measures.broken_operations > 0 {
        return Err(CliError::invariant(format!(
            "{name}: {} operations did not end exactly once",
            measures.broken_operations
        )));
    }
    scenario.judge(&document)
}

/// The result document of one run.
///
/// # Errors
/// When the parameters cannot be read back.
pub(super) fn document(
    contestant: &Contestant,
    plan: &Plan,
    scenario: Option<&str>,
    measures: &Measures,
) -> Result<Document, CliError> {
    let parameters = contestant.entry.parameters(&contestant.set).map_err(CliError::failed)?;
    let power = contestant.entry.search_power(&contestant.set).map_err(CliError::failed)?;
    let about = contestant.entry.about();
    let row = row(about, &parameters, power, std::slice::from_ref(measures));
    let is_standard = plan.workload == Workload::Standard;
    Ok(Document {
        kind: Kind::Sim,
        command: output::command_line(),
        seed: plan.seed,
        seeds: 1,
        nodes: plan.nodes.into(),
        trace_hash: row.trace_hash.clone(),
        searches: is_standard.then_some(plan.searches.into()),
        latency_model: Some(plan.latency.to_string()),
        loss: Some(plan.loss),
        churn: plan.churn.map(|c| c.to_string()),
        scenario: scenario.map(String::from),
        catalog: is_standard.then(|| Catalog {
            name: plan.catalog_name.clone(),
            items: plan.catalog.len() as u64,
            shares: measures.shares,
            free_riders: measures.free_riders,
        }),
        partial: measures.interrupted,
        overlays: vec![row],
        ..Document::default()
    })
}
