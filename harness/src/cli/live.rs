//! `overlab live`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::args::{Common, Live};
use super::error::CliError;
use super::progress::Bars;
use super::{output, settings, sim};
use crate::document::Kind;
use crate::experiment::{Plan, Watch};

/// Runs a mini-network over real sockets and shows it as `sim` would.
///
/// # Errors
/// When the arguments are wrong, sockets cannot be had, or the user interrupts.
pub fn run(args: &Live, common: &Common, interrupted: &Arc<AtomicBool>) -> Result<(), CliError> {
    for (option, given) in
        [("--latency", common.latency.is_some()), ("--loss", common.loss.is_some())]
    {
        if given {
            return Err(CliError::usage(format!(
                "{option} shapes simulated networks; live ones have the delays of this machine"
            )));
        }
    }
    let contestants = settings::contestants(std::slice::from_ref(&args.overlay), &common.set)?;
    let contestant = &contestants[0];
    if let Some(path) = &common.json {
        output::check_writable(path)?;
    }
    let (mut catalog, catalog_name) = settings::catalog(args.catalog.as_deref())?;
    if args.catalog.is_none() {
        // Every item has a provider, so a few peers take a few items.
        catalog = catalog.thinned(8 * args.nodes as usize);
    }
    let mut plan = Plan::standard(args.nodes, Arc::new(catalog));
    plan.catalog_name = catalog_name;
    plan.seed = common.seed.unwrap_or(1);
    plan.searches = args.searches;
    let bars = Bars::new(&[contestant.entry.about().name], common);
    let progress = |fraction: f64, phase: &'static str| bars.set(0, fraction, phase);
    let watch = Watch { progress: Some(&progress), interrupted: Arc::clone(interrupted) };
    let result = contestant.entry.live(&contestant.set, &plan, &watch);
    bars.finish();
    let measures = result?;
    let mut document = sim::document(contestant, &plan, None, &measures)?;
    document.kind = Kind::Live;
    document.latency_model = Some("loopback".into());
    document.loss = None;
    for row in &mut document.overlays {
        // Real time is no part of a trace: two live runs never are the same.
        row.trace_hash = String::new();
        row.notes.push(
            "Upkeep ran faster than configured, so that the network came to rest soon; its \
             rate is given per configured second."
                .into(),
        );
    }
    document.trace_hash = String::new();
    output::show(&document, common)?;
    if document.partial { Err(CliError::interrupted()) } else { Ok(()) }
}
