//! `overlab explain`.

use std::fmt::Write;

use super::args::Common;
use super::error::CliError;
use super::{chapter, output, settings};
use crate::registry::{self, Entry};

const JSON: &str = "\
One document per run (schema overlab/1), with one object per overlay under `overlays`. Every
measure is {mean, sd, min, p1, p50, p90, p99, max, ci95: [low, high]}; counts carry a histogram
of [value, count] besides. Units stand at the end of a field's name. `overlab sim NAME --json -`
prints one. The fields are described in docs/reference/json.md.
";

const EXIT_CODES: &str = "\
0    ok
1    the run failed
2    usage, or a bad input file
3    a threshold of the scenario is not met
4    an invariant broke, or two runs differed
130  interrupted; partial results were written
";

/// Explains an overlay or another topic.
///
/// # Errors
/// When there is no such topic.
pub fn run(topic: &str, common: &Common) -> Result<(), CliError> {
    match topic {
        "json" => return output::print(JSON),
        "exit-codes" => return output::print(EXIT_CODES),
        "latency" => return super::list::run(),
        _ => {}
    }
    let Some(entry) = registry::find(topic) else {
        let names = registry::all().iter().map(|e| e.about().name);
        let known: Vec<&str> = names.chain(["json", "exit-codes", "latency"]).collect();
        return Err(CliError::usage(format!(
            "there is nothing to explain of `{topic}`{}; topics: {}",
            settings::did_you_mean(topic, known.iter().copied()),
            known.join(", ")
        )));
    };
    let contestants = settings::contestants(&[topic.to_string()], &common.set)?;
    output::print(&overlay(entry, &contestants[0].set)?)
}

fn overlay(entry: &dyn Entry, set: &[crate::registry::Assignment]) -> Result<String, CliError> {
    let about = entry.about();
    let power = entry.search_power(set).map_err(CliError::usage)?;
    let theory = about.theory;
    let mut text = format!("{}\n{}\n\n{}\n\n", about.title, about.source, about.idea);
    let yes_no = |yes| if yes { "yes" } else { "no" };
    let _ = writeln!(text, "Exact search     {}", yes_no(power.exact));
    let _ = writeln!(text, "Keyword search   {}\n", yes_no(power.keywords));
    text.push_str("Costs in theory, n peers\n");
    for (name, growth) in [
        ("search latency", theory.search_latency),
        ("search messages", theory.search_messages),
        ("update messages", theory.update_messages),
        ("storage, fullest", theory.storage_max),
        ("storage, mean", theory.storage_mean),
    ] {
        let _ = writeln!(text, "  {name:<18} {growth}");
    }
    let _ = writeln!(text, "\n{}", about.caveat);
    let _ = writeln!(text, "\nMessages\n  {}", entry.message_kinds().join(", "));
    let _ = writeln!(text, "\nParameters (--set {}.NAME=VALUE)", about.name);
    for parameter in entry.parameters(set).map_err(CliError::usage)? {
        let _ =
            writeln!(text, "  {:<26} {:<20} {}", parameter.name, parameter.value, parameter.domain);
        let _ = writeln!(text, "      {}", parameter.help);
    }
    if let Some(core) = chapter::core_of(about.name) {
        let _ = write!(text, "\n{core}");
    }
    Ok(text)
}
