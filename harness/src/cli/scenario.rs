//! Scenarios: an experiment in a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use overlays::Span;
use serde::Deserialize;

use super::error::CliError;
use crate::document::{Document, Operation};
use crate::stats::Summary;

/// The scenarios that come with the lab.
pub const BUILT_IN: [(&str, &str); 1] = [("w1", include_str!("../../scenarios/w1.toml"))];

/// The largest scenario file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// An experiment as a file describes it. Whatever stands on the command line
/// or in the environment goes before it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// One sentence for lists.
    pub description: String,
    /// The overlay it is for, if it is for one only.
    pub overlay: Option<String>,
    /// As `--nodes`.
    pub nodes: Option<u32>,
    /// As `--seed`.
    pub seed: Option<u64>,
    /// As `--searches`.
    pub searches: Option<u32>,
    /// As `--latency`.
    pub latency: Option<String>,
    /// As `--loss`.
    pub loss: Option<f64>,
    /// As `--settle`.
    pub settle: bool,
    /// As `--maintenance`.
    pub maintenance: Option<bool>,
    /// As `--kill`.
    pub kill: Option<f64>,
    /// As `--kill-servers`.
    pub kill_servers: Option<String>,
    /// As `--kill-wait`.
    pub kill_wait: Option<String>,
    /// As `--churn`.
    pub churn: Option<String>,
    /// As `--downloads`.
    pub downloads: bool,
    /// As `--catalog`; relative to the scenario's file.
    pub catalog: Option<PathBuf>,
    /// As `--set`: values by `overlay.parameter`.
    pub set: BTreeMap<String, toml::Value>,
    /// Steady lookups in place of the standard phases.
    pub locates: Option<Locates>,
    /// What the result must satisfy; else the exit code is 3.
    pub thresholds: Vec<Threshold>,
}

/// Steady lookups.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locates {
    /// How often each peer looks up a key.
    pub period: String,
    /// For how long.
    pub duration: String,
    /// From this many peers on, `duration_large` holds instead.
    pub large: Option<u32>,
    /// See `large`.
    pub duration_large: Option<String>,
    /// How long the run goes on after that.
    pub drain: String,
    /// Bits of keys and identifiers.
    pub id_bits: u32,
}

/// A bound on a figure of the result.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// `OPERATION.FIGURE`, such as `search.correct_fraction`,
    /// `search.hops.mean` or `insert.messages.p99`.
    pub figure: String,
    /// It must be at least this.
    pub min: Option<f64>,
    /// It must be at most this.
    pub max: Option<f64>,
}

impl Scenario {
    /// The built-in scenario `name`, or the one in the file of that name.
    ///
    /// # Errors
    /// When there is neither, or the file is no scenario.
    pub fn load(name: &str) -> Result<Self, CliError> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Self::parse(text, name);
        }
        let path = Path::new(name);
        let too_large = fs::metadata(path).is_ok_and(|m| m.len() > MAX_BYTES);
        if too_large {
            return Err(CliError::usage(format!("{name}: a scenario is smaller than 1 MiB")));
        }
        let text = fs::read_to_string(path).map_err(|error| {
            let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            CliError::usage(format!(
                "{name}: {error}; give a file or a built-in scenario: {}",
                known.join(", ")
            ))
        })?;
        let mut scenario = Self::parse(&text, name)?;
        scenario.check_thresholds()?;
        if let (Some(catalog), Some(folder)) = (&scenario.catalog, path.parent()) {
            scenario.catalog = Some(folder.join(catalog));
        }
        Ok(scenario)
    }

    fn parse(text: &str, name: &str) -> Result<Self, CliError> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
            let place = line.map_or_else(|| name.to_string(), |line| format!("{name}:{line}"));
            CliError::usage(format!("{place}: {}", error.message()))
        })
    }

    /// The parameters it sets, as `--set` would.
    pub fn settings(&self) -> Vec<String> {
        let value = |v: &toml::Value| match v {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.set.iter().map(|(name, v)| format!("{name}={}", value(v))).collect()
    }

    /// Checks that each threshold names a figure that results have.
    fn check_thresholds(&self) -> Result<(), CliError> {
        let summary = Some(Summary::default());
        let any = Operation {
            count: 1,
            hops: summary.clone(),
            latency_ms: summary.clone(),
            first_answer_ms: summary.clone(),
            messages: summary.clone(),
            bytes: summary.clone(),
            timeouts: summary,
            ..Operation::default()
        };
        let operations = VERBS.map(|verb| (verb, &any));
        match self.thresholds.iter().find(|t| figure(&operations, &t.figure).is_none()) {
            Some(threshold) => Err(no_figure(&threshold.figure)),
            None => Ok(()),
        }
    }

    /// Checks the result against the thresholds.
    ///
    /// # Errors
    /// Names every threshold that is not met, or that names no figure.
    pub fn judge(&self, document: &Document) -> Result<(), CliError> {
        let mut broken = Vec::new();
        for threshold in &self.thresholds {
            for row in &document.overlays {
                let name = &threshold.figure;
                let Some(value) = figure(&row.operations.present().collect::<Vec<_>>(), name)
                else {
                    return Err(no_figure(name));
                };
                if threshold.min.is_some_and(|min| value < min) {
                    broken
                        .push(format!("{}: {name} is {value:.4}, under the minimum", row.overlay));
                }
                if threshold.max.is_some_and(|max| value > max) {
                    broken.push(format!("{}: {name} is {value:.4}, over the maximum", row.overlay));
                }
            }
        }
        if broken.is_empty() { Ok(()) } else { Err(CliError::threshold(broken.join("\n"))) }
    }
}

/// The operations, as results name them.
const VERBS: [&str; 7] =
    ["exact search", "keyword search", "locate", "insert", "delete", "join", "leave"];

fn no_figure(name: &str) -> CliError {
    CliError::usage(format!(
        "threshold `{name}`: this run has no such figure; write for example \
         search.correct_fraction, search.hops.mean or insert.messages.p99"
    ))
}

/// The figure called `name` among the operations.
fn figure(operations: &[(&str, &Operation)], name: &str) -> Option<f64> {
    let mut parts = name.split('.');
    let (verb, measure, statistic) = (parts.next()?, parts.next()?, parts.next());
    let verb = match verb {
        "search" => "exact search",
        "keyword_search" => "keyword search",
        other => other,
    };
    let (_, operation) = operations.iter().find(|(known, _)| *known == verb)?;
    let part = match measure {
        "correct_fraction" => Some(operation.correct),
        "incomplete_fraction" => Some(operation.incomplete),
        "wrong_fraction" => Some(operation.wrong),
        "failed_fraction" => Some(operation.failed),
        _ => None,
    };
    if let Some(part) = part {
        return operation.share(part);
    }
    let summary = match measure {
        "hops" => &operation.hops,
        "latency_ms" => &operation.latency_ms,
        "first_answer_ms" => &operation.first_answer_ms,
        "messages" => &operation.messages,
        "bytes" => &operation.bytes,
        "timeouts" => &operation.timeouts,
        _ => return None,
    }
    .as_ref()?;
    Some(match statistic? {
        "mean" => summary.mean,
        "sd" => summary.sd,
        "min" => summary.min,
        "p1" => summary.p1,
        "p50" => summary.p50,
        "p90" => summary.p90,
        "p99" => summary.p99,
        "max" => summary.max,
        _ => return None,
    })
}

/// A length of time in a scenario's field.
///
/// # Errors
/// Names the field.
pub fn span(field: &str, text: &str) -> Result<Span, CliError> {
    Span::parse(text).map_err(|error| CliError::usage(format!("{field}: {error}")))
}
