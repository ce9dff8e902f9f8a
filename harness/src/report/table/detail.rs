//! One run in detail: every operation by every measure, and what else was seen.

use std::fmt::Write as _;

use super::grid::{Field, Grid, Tone, text};
use super::{NO_EXACT, NO_KEYWORDS, Paint, circumstances, lacks, plural, wrapped};
use crate::document::{Document, OverlayRow};
use crate::report::figures::{bytes, count, figure, percentage, plain, plus_minus};
use crate::stats::Summary;

/// The details of every overlay in the document.
pub fn detail(document: &Document, paint: Paint) -> String {
    let mut out = format!("{}\n{}\n", plain(&document.heading()), circumstances(document));
    if document.partial {
        out.push_str("Interrupted: these results are partial.\n");
    }
    for row in &document.overlays {
        let _ = write!(out, "\n{}", plain(row.heading()));
        if row.servers > 0 {
            let _ = write!(out, " + {}", plural(row.servers, "server"));
        }
        if !row.parameters.is_empty() {
            let list: Vec<String> =
                row.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let _ = write!(out, "\n{}", wrapped(&plain(&list.join(" ").replace('"', ""))));
        }
        for part in [outcomes(row, paint), costs(row, paint), per_node(row, paint)] {
            let _ = write!(out, "\n\n{}", part.trim_end());
        }
        if !row.messages_by_type.is_empty() {
            let _ = write!(out, "\n\n{}", by_type(row, paint).trim_end());
        }
        out.push_str("\n\n");
        out.push_str(&closing(row));
    }
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

fn outcomes(row: &OverlayRow, paint: Paint) -> String {
    let header = ["Operation", "count", "correct", "incomplete", "wrong", "failed"];
    let mut grid = Grid::close(&header, paint).right(1..6);
    for (name, op) in row.operations.present() {
        let mut fields = vec![text(name), text(count(op.count))];
        if op.applies() {
            for part in [op.correct, op.incomplete, op.wrong, op.failed] {
                let share = percentage(op.share(part).unwrap_or(f64::NAN));
                fields.push(text(format!("{} ({share} %)", count(part))));
            }
        } else {
            fields.push((why_not(row, name), Tone::Faint));
        }
        grid.row(fields);
    }
    grid.finish()
}

/// Why an operation has no figures.
pub(in crate::report) fn why_not(row: &OverlayRow, operation: &str) -> String {
    let power = row.search_power;
    let operations = &row.operations;
    match operation {
        "keyword search"
            if lacks(power.map(|p| p.keywords), operations.keyword_search.as_ref()) =>
        {
            NO_KEYWORDS.into()
        }
        "exact search" if lacks(power.map(|p| p.exact), operations.search.as_ref()) => {
            NO_EXACT.into()
        }
        _ => format!("no {operation}"),
    }
}

/// The figures of one measure as fields.
fn figures(s: &Summary, show: impl Fn(f64) -> String) -> Vec<Field> {
    [s.p1, s.p50, s.p90, s.p99, s.max].into_iter().map(|x| text(show(x))).collect()
}

fn costs(row: &OverlayRow, paint: Paint) -> String {
    let header = ["Operation", "measure", "mean", "p1", "p50", "p90", "p99", "max"];
    let mut grid = Grid::close(&header, paint).right(2..8);
    for (name, op) in row.operations.present() {
        let mut label = name;
        for (measure, summary) in [
            ("hops", &op.hops),
            ("latency ms", &op.latency_ms),
            ("first answer ms", &op.first_answer_ms),
            ("messages", &op.messages),
            ("bytes", &op.bytes),
            ("timeouts", &op.timeouts),
        ] {
            let Some(s) = summary.as_ref().filter(|_| op.applies()) else { continue };
            let mut fields = vec![text(label), text(measure), text(plus_minus(s))];
            fields.extend(figures(s, figure));
            grid.row(fields);
            label = "";
        }
    }
    grid.finish()
}

fn per_node(row: &OverlayRow, paint: Paint) -> String {
    let header = ["Per node", "mean", "p1", "p50", "p90", "p99", "max"];
    let mut grid = Grid::close(&header, paint).right(1..7);
    let storage = row.storage.as_ref();
    let reach = row.reach.as_ref();
    for (name, summary) in [
        ("routing entries", storage.map(|s| &s.routing_entries)),
        ("index entries", storage.map(|s| &s.index_entries)),
        ("state bytes", storage.map(|s| &s.bytes)),
        ("neighbours", row.graph.as_ref().and_then(|g| g.degree.as_ref())),
        ("messages received", row.load.as_ref().map(|l| &l.messages_received)),
        ("nodes reached by a search", reach.map(|r| &r.distinct_nodes)),
        ("duplicates per search", reach.map(|r| &r.duplicate_messages)),
    ] {
        let Some(s) = summary else { continue };
        let mut fields = vec![text(name), text(plus_minus(s))];
        fields.extend(figures(s, figure));
        grid.row(fields);
    }
    grid.finish()
}

fn by_type(row: &OverlayRow, paint: Paint) -> String {
    let total: u64 = row.messages_by_type.iter().fold(0, |sum, pair| sum.saturating_add(pair.1));
    let mut grid = Grid::close(&["Message", "sent", "share", ""], paint).right([1, 2]);
    for (name, sent) in &row.messages_by_type {
        let share = if total == 0 { 0.0 } else { *sent as f64 / total as f64 };
        grid.row([
            text(plain(name)),
            text(count(*sent)),
            text(format!("{} %", percentage(share))),
            text(bar(share)),
        ]);
    }
    grid.finish()
}

/// A bar of up to 40 columns, in eighths of a column.
fn bar(share: f64) -> String {
    let eighths = (share.clamp(0.0, 1.0) * 320.0).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    bar.push_str(["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]);
    if bar.is_empty() && share > 0.0 { "▏".into() } else { bar }
}

/// Upkeep, graph, engine and trace hash, a line each.
fn closing(row: &OverlayRow) -> String {
    let mut out = String::new();
    if let Some(upkeep) = &row.upkeep {
        let _ = writeln!(
            out,
            "Upkeep  {} messages and {} per node and second",
            figure(upkeep.messages_per_node_s),
            bytes(upkeep.bytes_per_node_s)
        );
    }
    if let Some(graph) = &row.graph {
        let _ = write!(out, "Graph   {}", plural(graph.components, "component"));
        if let Some(diameter) = graph.diameter {
            let _ = write!(out, ", diameter {diameter}");
        }
        out.push('\n');
    }
    if let Some(engine) = &row.engine {
        let _ = write!(
            out,
            "Engine  {} events, {} messages in {} s: {} messages/s",
            count(engine.events),
            count(engine.messages),
            figure(engine.wall_s),
            figure(engine.messages_per_s)
        );
        if let Some(rss) = engine.peak_rss_bytes {
            let _ = write!(out, ", at most {} of memory", bytes(rss as f64));
        }
        out.push('\n');
    }
    let _ = writeln!(out, "Trace   {}", plain(&row.trace_hash));
    for note in &row.notes {
        let _ = writeln!(out, "{}", wrapped(&format!("Note: {}", plain(note))));
    }
    out
}
