//! From options, environment and scenario to a plan.

use std::path::Path;
use std::sync::Arc;

use overlays::Span;

use super::args::{Common, Switch, Workload as WorkloadArgs};
use super::error::CliError;
use super::scenario::{Scenario, span};
use crate::experiment::{Contestant, Plan, ServerKillError, Workload};
use crate::network::{Latency, LatencySpec, Network};
use crate::registry::{self, Assignment, Entry};
use crate::workload::{Catalog, Churn};

/// The most peers of one run: more do not fit into the memory of any machine
/// this was tried on.
const MAX_NODES: u32 = 10_000_000;

/// The plan of a run: options go before the scenario, and that before the
/// defaults.
///
/// # Errors
/// When an option or a field of the scenario is out of range.
pub fn plan(args: &WorkloadArgs, common: &Common, scenario: &Scenario) -> Result<Plan, CliError> {
    let catalog_file = args.catalog.as_deref().or(scenario.catalog.as_deref());
    let (catalog, catalog_name) = catalog(catalog_file)?;
    let nodes = args.nodes.or(scenario.nodes).unwrap_or(1000);
    if nodes == 0 {
        return Err(CliError::usage("--nodes 0: a network needs at least one peer"));
    }
    if nodes > MAX_NODES {
        return Err(CliError::usage(format!("--nodes {nodes}: at most {MAX_NODES} peers")));
    }
    let mut plan = Plan::standard(nodes, Arc::new(catalog));
    plan.catalog_name = catalog_name;
    plan.seed = common.seed.or(scenario.seed).unwrap_or(1);
    if let Some(text) = common.latency.as_ref().or(scenario.latency.as_ref()) {
        plan.latency = latency(text)?;
        // A file of coordinates is read now, so that what is wrong with it is
        // said before anything is run.
        let topology = &mut overlays::Stream::Topology.rng(plan.seed);
        Latency::build(&plan.latency, topology)
            .map_err(|error| CliError::usage(format!("--latency: {error}")))?;
    }
    plan.loss = common.loss.or(scenario.loss).unwrap_or(0.0);
    Network::check_loss(plan.loss).map_err(|error| CliError::usage(format!("--loss: {error}")))?;
    plan.kill = args.kill.or(scenario.kill).unwrap_or(0.0);
    if !(0.0..1.0).contains(&plan.kill) {
        return Err(CliError::usage(format!(
            "--kill {}: a fraction from 0 to less than 1, such as 0.3",
            plan.kill
        )));
    }
    if let Some(text) = args.kill_servers.as_ref().or(scenario.kill_servers.as_ref()) {
        let kill = text.parse().map_err(|e| CliError::usage(format!("--kill-servers: {e}")))?;
        plan.kill_servers = Some(kill);
    }
    if let Some(text) = args.kill_wait.as_ref().or(scenario.kill_wait.as_ref()) {
        plan.kill_wait = span("--kill-wait", text)?;
    }
    plan.searches = args.searches.or(scenario.searches).unwrap_or(plan.searches);
    plan.settle = args.settle || scenario.settle;
    plan.downloads = args.downloads || scenario.downloads;
    plan.maintenance =
        args.maintenance.map(|s| s == Switch::On).or(scenario.maintenance).unwrap_or(true);
    if let Some(text) = args.churn.as_ref().or(scenario.churn.as_ref()) {
        plan.churn =
            Some(Churn::parse(text).map_err(|error| CliError::usage(format!("--churn: {error}")))?);
    }
    if let Some(locates) = &scenario.locates {
        let is_large = locates.large.is_some_and(|large| nodes >= large);
        let duration = match &locates.duration_large {
            Some(text) if is_large => span("locates.duration_large", text)?,
            _ => span("locates.duration", &locates.duration)?,
        };
        let period = span("locates.period", &locates.period)?;
        if period == Span::ZERO || !(1..=160).contains(&locates.id_bits) {
            return Err(CliError::usage("locates: a period above 0 and id_bits from 1 to 160"));
        }
        plan.workload = Workload::Locates {
            period,
            duration,
            drain: span("locates.drain", &locates.drain)?,
            id_bits: locates.id_bits,
        };
    }
    Ok(plan)
}

/// The latency model that `text` names.
fn latency(text: &str) -> Result<LatencySpec, CliError> {
    text.parse().map_err(|error| CliError::usage(format!("--latency: {error}")))
}

/// The catalogue in `file`, or the embedded one, with its name.
///
/// # Errors
/// Names file, line and field of what is wrong.
pub fn catalog(file: Option<&Path>) -> Result<(Catalog, String), CliError> {
    match file {
        None => Ok((Catalog::embedded(), "embedded".into())),
        Some(path) => {
            let catalog = Catalog::load(path).map_err(CliError::usage)?;
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
            Ok((catalog, name.unwrap_or_else(|| "catalogue".into())))
        }
    }
}

/// The overlay called `name`.
///
/// # Errors
/// Suggests the nearest name.
pub fn overlay(name: &str) -> Result<&'static dyn Entry, CliError> {
    registry::find(name).ok_or_else(|| {
        let known: Vec<&str> = registry::all().iter().map(|e| e.about().name).collect();
        CliError::usage(format!(
            "there is no overlay `{name}`{}; there are: {}",
            did_you_mean(name, known.iter().copied()),
            known.join(", ")
        ))
    })
}

/// ` (did you mean X?)`, if some known word is near.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    registry::nearest(word, known).map_or(String::new(), |near| format!(" (did you mean {near}?)"))
}

/// The named overlays, or all, with their parameters.
///
/// # Errors
/// When a name is unknown or given twice, or a parameter cannot be set.
pub fn contestants(names: &[String], settings: &[String]) -> Result<Vec<Contestant>, CliError> {
    let mut entries: Vec<&'static dyn Entry> = Vec::new();
    for name in names {
        let entry = overlay(name)?;
        if entries.iter().any(|e| e.about().name == entry.about().name) {
            return Err(CliError::usage(format!("--overlay {name} is given twice")));
        }
        entries.push(entry);
    }
    if entries.is_empty() {
        entries = registry::all().to_vec();
    }
    let mut contestants: Vec<Contestant> =
        entries.into_iter().map(|entry| Contestant { entry, set: Vec::new() }).collect();
    for setting in settings {
        let (name, assignment) = parse_setting(setting)?;
        // Parameters of overlays that do not take part are checked, too.
        let entry = overlay(&name)?;
        check(entry, std::slice::from_ref(&assignment))?;
        let contestant = contestants.iter_mut().find(|c| c.entry.about().name == name);
        if let Some(contestant) = contestant {
            contestant.set.push(assignment);
        }
    }
    for contestant in &contestants {
        check(contestant.entry, &contestant.set)?;
    }
    Ok(contestants)
}

/// Checks that each contestant has the servers that the plan kills, and names
/// those that have no servers at all.
///
/// # Errors
/// When a contestant has servers, but not those.
pub fn check_servers(
    contestants: &[Contestant],
    plan: &Plan,
) -> Result<Vec<&'static str>, CliError> {
    let Some(kill) = &plan.kill_servers else { return Ok(Vec::new()) };
    let mut without = Vec::new();
    for Contestant { entry, set } in contestants {
        let name = entry.about().name;
        let kinds = entry.servers(set).map_err(CliError::failed)?;
        match kill.victims(&kinds) {
            Ok(_) => {}
            Err(ServerKillError::NoServers) => without.push(name),
            Err(error) => {
                return Err(CliError::usage(format!("--kill-servers {kill}: {name}: {error}")));
            }
        }
    }
    Ok(without)
}

fn parse_setting(setting: &str) -> Result<(String, Assignment), CliError> {
    let parts = setting.split_once('=').and_then(|(path, value)| {
        let (overlay, name) = path.split_once('.')?;
        Some((overlay.trim(), name.trim(), value.trim()))
    });
    let Some((overlay, name, value)) = parts else {
        return Err(CliError::usage(format!(
            "--set {setting}: write overlay.parameter=value, such as chord.successors=20"
        )));
    };
    Ok((overlay.into(), Assignment { name: name.into(), value: value.into() }))
}

fn check(entry: &dyn Entry, set: &[Assignment]) -> Result<(), CliError> {
    entry.parameters(set).map(|_| ()).map_err(|error| {
        let name = entry.about().name;
        let hint = match &error {
            overlays::ParameterError::Unknown { name, known } => {
                did_you_mean(name, known.iter().copied())
            }
            overlays::ParameterError::Value { .. } => String::new(),
        };
        CliError::usage(format!("--set: {name}: {error}{hint}"))
    })
}
