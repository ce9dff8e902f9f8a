//! The course's comparison table: every overlay's costs, measured, each beside
//! its theory.

use std::fmt::Write as _;

use super::grid::{Field, Grid, Tone, text};
use super::{
    NO_EXACT, NO_KEYWORDS, NOT_MEASURED, Paint, circumstances, lacks, main_search, plural, verdict,
    wrapped,
};
use crate::document::{Document, Measure, Operation, OverlayRow};
use crate::report::figures::{bytes, figure, percentage, plain, plus_minus};
use crate::stats::Summary;

/// The comparison as text: what was run, the course's columns, what else it
/// costs, and how to read and repeat it.
pub fn comparison(document: &Document, paint: Paint) -> String {
    let mut out = format!("{}\n{}\n\n", plain(&document.heading()), circumstances(document));
    if document.partial {
        out.push_str("Interrupted: these results are partial.\n\n");
    }
    let mut courses = Grid::tall(
        &[
            "Overlay",
            "Latency\nper search",
            "Messages\nper search",
            "Update cost\nmsgs/insert",
            "Storage\nmax / avg entries",
            "Found, %\nall/part/none",
        ],
        paint,
    )
    .at_most(0, longest_word(document))
    .at_least(5, NO_KEYWORDS.len() as u16);
    let mut others = Grid::close(
        &[
            "Overlay",
            "join msgs",
            "leave msgs",
            "upkeep msg/s",
            "upkeep B/s",
            "search bytes",
            "reach",
        ],
        paint,
    )
    .right(1..7);
    for row in &document.overlays {
        courses.row([
            name(row),
            latency(row),
            messages(row),
            update(row),
            storage(row),
            found(row),
        ]);
        others.row(other_costs(row));
    }
    out.push_str(&courses.finish());
    out.push('\n');
    out.push_str(&others.finish());
    out.push('\n');
    out.push_str(&legend(document));
    out
}

/// How wide names must be so that only their words part: 10 characters or more.
fn longest_word(document: &Document) -> u16 {
    let words = document.overlays.iter().flat_map(|row| row.heading().split_whitespace());
    words.map(|word| word.chars().count() as u16).fold(10, u16::max)
}

fn name(row: &OverlayRow) -> Field {
    let mut lines = plain(row.heading());
    if row.servers > 0 {
        let _ = write!(lines, "\n+ {}", plural(row.servers, "server"));
    }
    (lines, Tone::Strong)
}

/// A cell of several lines, with its verdict at the end.
fn measured(mut lines: Vec<String>, row: &OverlayRow, measure: Measure) -> Field {
    if lines.is_empty() {
        lines.push(NOT_MEASURED.into());
    }
    lines.extend(verdict(row, measure));
    (lines.join("\n"), tone(row, &[measure]))
}

/// Doubtful where a fit contradicts its theory.
fn tone(row: &OverlayRow, measures: &[Measure]) -> Tone {
    let disagrees = |measure: &Measure| {
        row.growth.as_ref().and_then(|growth| growth.of(*measure)).is_some_and(|fit| !fit.agrees)
    };
    if measures.iter().any(disagrees) { Tone::Doubtful } else { Tone::Plain }
}

/// The figure of the searches that count, with a word when they are not the
/// exact ones.
fn per_search(row: &OverlayRow, pick: impl Fn(&Operation) -> Vec<String>) -> Vec<String> {
    let Some((name, search)) = main_search(row) else { return Vec::new() };
    let mut lines = pick(search);
    if name != "exact" && !lines.is_empty() {
        lines.push(format!("({name})"));
    }
    lines
}

fn latency(row: &OverlayRow) -> Field {
    let lines = per_search(row, |search| {
        let hops = search.hops.as_ref().map(|hops| format!("{} hops", plus_minus(hops)));
        let ms = search.latency_ms.as_ref().map(|ms| format!("{} ms", plus_minus(ms)));
        hops.into_iter().chain(ms).collect()
    });
    measured(lines, row, Measure::SearchLatency)
}

fn messages(row: &OverlayRow) -> Field {
    let lines = per_search(row, |search| search.messages.iter().map(plus_minus).collect());
    measured(lines, row, Measure::SearchMessages)
}

fn update(row: &OverlayRow) -> Field {
    let insert = row.operations.insert.as_ref().filter(|op| op.applies());
    let lines = insert.and_then(|op| op.messages.as_ref()).map(plus_minus);
    measured(lines.into_iter().collect(), row, Measure::UpdateMessages)
}

fn storage(row: &OverlayRow) -> Field {
    let Some(storage) = &row.storage else { return (NOT_MEASURED.into(), Tone::Faint) };
    let line = |name: &str, s: &Summary| format!("{name} {} / {}", figure(s.max), figure(s.mean));
    let mut lines =
        vec![line("routing", &storage.routing_entries), line("index", &storage.index_entries)];
    let both = [Measure::StorageMax, Measure::StorageMean];
    let verdicts = both.map(|measure| verdict(row, measure).unwrap_or_default());
    let joined = verdicts.join(" / ");
    match &verdicts {
        [max, mean] if max.is_empty() && mean.is_empty() => {}
        [max, mean] if max == mean => lines.push(max.clone()),
        _ if joined.chars().count() <= 18 && !joined.contains('\n') => lines.push(joined),
        [max, mean] => lines.extend([format!("max {max}"), format!("avg {mean}")]),
    }
    (lines.join("\n"), tone(row, &both))
}

/// How well searches do: correct / incomplete / failed, and why not.
fn found(row: &OverlayRow) -> Field {
    let power = row.search_power;
    let mut lines = Vec::new();
    let mut perfect = true;
    for (name, operation, able, lacking) in [
        ("exact", &row.operations.search, power.map(|p| p.exact), NO_EXACT),
        ("keywords", &row.operations.keyword_search, power.map(|p| p.keywords), NO_KEYWORDS),
    ] {
        if lacks(able, operation.as_ref()) {
            lines.push(lacking.to_string());
            continue;
        }
        let Some(op) = operation.as_ref().filter(|op| op.applies()) else {
            lines.push(format!("{name}\n{NOT_MEASURED}"));
            continue;
        };
        perfect &= op.correct == op.supported();
        let share = |part| percentage(op.share(part).unwrap_or(f64::NAN));
        lines.push(format!(
            "{name}\n{} / {} / {}",
            share(op.correct),
            share(op.incomplete),
            share(op.failed)
        ));
        if op.wrong > 0 {
            lines.push(format!("wrong {}", share(op.wrong)));
        }
    }
    (lines.join("\n"), if perfect { Tone::Good } else { Tone::Doubtful })
}

fn other_costs(row: &OverlayRow) -> Vec<Field> {
    let mean = |s: Option<&Summary>| s.map_or(NOT_MEASURED.into(), |s| figure(s.mean));
    let of = |op: &Option<Operation>| {
        text(mean(op.as_ref().filter(|op| op.applies()).and_then(|op| op.messages.as_ref())))
    };
    let upkeep = |pick: fn(&crate::document::Upkeep) -> f64| {
        text(row.upkeep.as_ref().map_or(NOT_MEASURED.into(), |u| figure(pick(u))))
    };
    let search_bytes = main_search(row)
        .and_then(|(_, op)| op.bytes.as_ref())
        .map_or(NOT_MEASURED.into(), |s| bytes(s.mean));
    let reach = row.reach.as_ref().map_or_else(
        || ("no flooding".to_string(), Tone::Faint),
        |reach| text(format!("{} nodes", figure(reach.distinct_nodes.mean))),
    );
    vec![
        (plain(row.heading()), Tone::Strong),
        of(&row.operations.join),
        of(&row.operations.leave),
        upkeep(|u| u.messages_per_node_s),
        upkeep(|u| u.bytes_per_node_s),
        text(search_bytes),
        reach,
    ]
}

/// The sizes at which growth was measured, as `64 to 1,024`.
pub(in crate::report) fn growth_range(document: &Document) -> Option<String> {
    let mut sizes: Vec<f64> = document
        .overlays
        .iter()
        .filter_map(|row| row.growth_points.as_ref())
        .flat_map(|points| Measure::ALL.iter().flat_map(|&m| points.of(m)))
        .map(|&(n, _)| n)
        .filter(|n| n.is_finite())
        .collect();
    sizes.sort_unstable_by(f64::total_cmp);
    Some(format!("{} to {}", figure(*sizes.first()?), figure(*sizes.last()?)))
}

fn legend(document: &Document) -> String {
    let mut reading = String::from("± is half of the 95 % interval of the mean");
    if document.seeds > 1 {
        let _ = write!(reading, ", from the spread between {} seeds", document.seeds);
    }
    reading.push_str(". O(…) is what theory predicts");
    if let Some(range) = growth_range(document) {
        let _ = write!(
            reading,
            "; ✓ where the fit over n = {range} agrees, ✗ where another fits better"
        );
    }
    reading.push_str(
        ". Found: the shares of searches that found all there was, a part of it, and nothing. \
         Upkeep is per node and second, and belongs to no operation.",
    );
    let mut out = wrapped(&reading) + "\n";
    for note in &document.notes {
        let _ = writeln!(out, "{}", wrapped(&format!("Note: {}", plain(note))));
    }
    let _ = write!(
        out,
        "\nseed {} · trace {}\nRepeat with: {}\n",
        document.seed,
        plain(&document.trace_hash),
        plain(&document.command)
    );
    out
}
