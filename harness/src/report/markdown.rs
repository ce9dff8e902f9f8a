//! The comparison as a Markdown table, to paste into an issue or a document.

use std::fmt::Write as _;

use super::figures::{figure, percentage, plain, plus_minus};
use super::table::{
    NO_EXACT, NO_KEYWORDS, NOT_MEASURED, circumstances, lacks, main_search, verdict,
};
use crate::document::{Document, Measure, Operation, OverlayRow};

/// Text that Markdown shows as it is.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The comparison as Markdown.
pub fn markdown(document: &Document) -> String {
    let mut out = format!("## {}\n\n", escape(&document.heading()));
    let _ = writeln!(out, "{}\n", escape(&circumstances(document).replace('\n', " ")));
    out.push_str(
        "| overlay | latency | messages per search | messages per insert | storage max / avg | \
         found: all / part / none, % |\n|---|---|---|---|---|---|\n",
    );
    for row in &document.overlays {
        let cells = [
            escape(row.heading()),
            cell(row, Measure::SearchLatency, latency(row)),
            cell(row, Measure::SearchMessages, messages(main_search(row).map(|(_, op)| op))),
            cell(row, Measure::UpdateMessages, messages(row.operations.insert.as_ref())),
            storage(row),
            found(row),
        ];
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    let _ = write!(
        out,
        "\n± is half of the 95 % interval of the mean; O(…) is theory, ✓ where the fit agrees. \
         Seed {}, trace `{}`.\n\n```sh\n{}\n```\n",
        document.seed,
        plain(&document.trace_hash).replace('`', "'"),
        plain(&document.command).replace("```", "'''")
    );
    out
}

fn cell(row: &OverlayRow, measure: Measure, figures: String) -> String {
    match verdict(row, measure) {
        Some(verdict) => format!("{figures}<br>{}", verdict.replace('\n', ", ")),
        None => figures,
    }
}

fn latency(row: &OverlayRow) -> String {
    let Some((_, search)) = main_search(row) else { return NOT_MEASURED.into() };
    let hops = search.hops.as_ref().map(|s| format!("{} hops", plus_minus(s)));
    let ms = search.latency_ms.as_ref().map(|s| format!("{} ms", plus_minus(s)));
    hops.into_iter().chain(ms).collect::<Vec<_>>().join(", ")
}

fn messages(operation: Option<&Operation>) -> String {
    operation
        .filter(|op| op.applies())
        .and_then(|op| op.messages.as_ref())
        .map_or(NOT_MEASURED.into(), plus_minus)
}

fn storage(row: &OverlayRow) -> String {
    let Some(storage) = &row.storage else { return NOT_MEASURED.into() };
    let mut out = String::new();
    for (name, s) in [("routing", &storage.routing_entries), ("index", &storage.index_entries)] {
        let _ = write!(out, "{name} {} / {}<br>", figure(s.max), figure(s.mean));
    }
    let both = [Measure::StorageMax, Measure::StorageMean];
    let verdicts: Vec<String> =
        both.iter().filter_map(|&m| verdict(row, m)).map(|v| v.replace('\n', ", ")).collect();
    out + &verdicts.join(" / ")
}

fn found(row: &OverlayRow) -> String {
    let power = row.search_power;
    let parts = [
        ("exact", &row.operations.search, power.map(|p| p.exact), NO_EXACT),
        ("keywords", &row.operations.keyword_search, power.map(|p| p.keywords), NO_KEYWORDS),
    ]
    .map(|(name, operation, able, lacking)| {
        if lacks(able, operation.as_ref()) {
            return lacking.to_string();
        }
        let Some(op) = operation.as_ref().filter(|op| op.applies()) else {
            return format!("{name} {NOT_MEASURED}");
        };
        let share = |part| percentage(op.share(part).unwrap_or(f64::NAN));
        let (all, part, none) = (share(op.correct), share(op.incomplete), share(op.failed));
        format!("{name} {all} / {part} / {none}")
    });
    parts.join("<br>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::sample;
    use crate::report::snapshot;

    #[test]
    fn the_comparison_looks_as_it_should() {
        snapshot::check("snapshots/compare.md", &markdown(&sample::comparison()));
    }

    #[test]
    fn hostile_names_stay_text() {
        let mut document = sample::comparison();
        document.overlays[0].title = "a|b<script>\n# c".into();
        let text = markdown(&document);
        assert!(text.contains("a\\|b\\<script\\>\u{fffd}\\# c"), "{text}");
    }
}
